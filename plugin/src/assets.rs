//! The charts: those built into the program, or a folder that the person names.

mod folder;

use mizar_core::chart::{Chart, ChartError, Package, package};
use rust_embed::RustEmbed;

pub(crate) use folder::from_path;

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

/// What cleans a node: a Job, and the script that it runs.
pub(crate) struct CleanNodeFiles {
    /// The template of the Job.
    pub(crate) job: String,
    /// The script.
    pub(crate) script: String,
}

/// The files that lie beside the chart and are used when Mizar is taken out.
pub(crate) fn clean_node_files() -> Result<CleanNodeFiles, Failure> {
    let read = |name: &str| {
        let file = MizarChart::get(name).and_then(|file| String::from_utf8(file.data.into_owned()).ok());
        file.ok_or_else(|| Failure::new(Kind::Bug, format!("the built-in chart has no text {name}")))
    };
    Ok(CleanNodeFiles { job: read("files/clean-node-job.yaml")?, script: read("files/clean-node.sh")? })
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
