//! The charts: those built into the program, or a folder that the person names.

use std::path::Path;

use mizar_core::chart::{Chart, ChartError, Package, package};
use rust_embed::RustEmbed;

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

/// No chart has more files, or more bytes of them; a folder named by mistake may.
const MOST_FILES: usize = 5_000;
const MOST_BYTES: u64 = 32 * 1024 * 1024;

/// The chart in a folder.
pub(crate) fn from_folder(folder: &Path) -> Result<Chart, Failure> {
    if !folder.join("Chart.yaml").is_file() {
        return Err(Failure::new(Kind::Failed, format!("{} is no chart: it has no Chart.yaml", folder.display()))
            .hint("name the folder that holds Chart.yaml: --chart DIR"));
    }
    let unreadable = |path: &Path, error: &std::io::Error| {
        Failure::new(Kind::Failed, format!("cannot read the chart: {}: {error}", path.display()))
    };
    let mut files = Vec::new();
    let mut bytes = 0;
    let mut folders = vec![folder.to_path_buf()];
    while let Some(current) = folders.pop() {
        for entry in std::fs::read_dir(&current).map_err(|error| unreadable(&current, &error))? {
            let path = entry.map_err(|error| unreadable(&current, &error))?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            bytes += std::fs::metadata(&path).map_err(|error| unreadable(&path, &error))?.len();
            if bytes > MOST_BYTES || files.len() + folders.len() >= MOST_FILES {
                let limits = format!("{MOST_FILES} files and {} MiB", MOST_BYTES / 1024 / 1024);
                return Err(Failure::new(
                    Kind::Failed,
                    format!("{} is too large for a chart ({limits})", folder.display()),
                ));
            }
            let content = std::fs::read(&path).map_err(|error| unreadable(&path, &error))?;
            let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            files.push((name, content));
        }
    }
    Ok(Chart::load(files)?)
}
