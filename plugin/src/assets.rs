//! The charts: those built into the program, or a folder that the person names.

mod folder;

use mizar_core::chart::{Chart, ChartError, Package, package};
use rust_embed::RustEmbed;

pub(crate) use folder::from_folder;

use crate::failure::{Failure, Kind};

#[derive(RustEmbed)]
#[folder = "../charts/mizar-crds"]
struct CrdsChart;

#[derive(RustEmbed)]
#[folder = "../charts/mizar"]
struct MizarChart;

/// The two built-in charts, in the order in which they are installed: definitions, then Mizar.
pub(crate) fn built_in() -> Result<[Chart; 2], Failure> {
    Ok([load_embedded::<CrdsChart>("mizar-crds")?, load_embedded::<MizarChart>("mizar")?])
}

/// The built-in charts as they are published: what a registry holds under the digests of these is what this program installs.
pub(crate) fn chart_packages() -> Result<[Package; 2], Failure> {
    let packed = |files: Vec<(String, Vec<u8>)>, name| package(files).map_err(|error| broken(name, &error));
    Ok([packed(embedded::<CrdsChart>(), "mizar-crds")?, packed(embedded::<MizarChart>(), "mizar")?])
}

fn load_embedded<Files: RustEmbed>(name: &str) -> Result<Chart, Failure> {
    Chart::load(embedded::<Files>()).map_err(|error| broken(name, &error))
}

fn embedded<Files: RustEmbed>() -> Vec<(String, Vec<u8>)> {
    let read = |path: std::borrow::Cow<'_, str>| Some((path.to_string(), Files::get(&path)?.data.into_owned()));
    Files::iter().filter_map(read).collect()
}

fn broken(name: &str, error: &ChartError) -> Failure {
    Failure::new(Kind::Bug, format!("the built-in chart {name} cannot be loaded: {error}"))
}
