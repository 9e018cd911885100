//! The charts: those built into the program, or a folder that the person names.

mod folder;

use mizar_core::chart::Chart;
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

fn load_embedded<Files: RustEmbed>(name: &str) -> Result<Chart, Failure> {
    let files =
        Files::iter().filter_map(|path| Files::get(&path).map(|file| (path.to_string(), file.data.into_owned())));
    Chart::load(files)
        .map_err(|error| Failure::new(Kind::Bug, format!("the built-in chart {name} cannot be loaded: {error}")))
}
