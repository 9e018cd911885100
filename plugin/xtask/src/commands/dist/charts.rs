//! The charts as the packages that are pushed to a registry.

use std::path::Path;

use mizar_bed::cargo;
use mizar_core::chart::package;

use super::output::{self, Output};
use crate::failure::Failure;
use crate::report;

/// In the order in which they are installed.
const CHARTS: [&str; 2] = ["mizar-crds", "mizar"];

/// Packs both charts and says by which digests a registry will know them.
pub(super) fn pack(output: &mut Output) -> Result<(), Failure> {
    for chart in CHARTS {
        let mut files = Vec::new();
        collect(&cargo::workspace().join("charts").join(chart), "", &mut files)?;
        let packed = package(files).map_err(|source| Failure::Chart { chart, source })?;
        output.write(&packed.file_name(), &packed.archive)?;
        report::status(&format!("{chart} {}: package {}", packed.version, packed.digest));
        report::status(&format!("{chart} {}: in a registry {}", packed.version, packed.manifest_digest));
    }
    Ok(())
}

/// Reads a folder; the paths are relative to the chart's.
fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, Vec<u8>)>) -> Result<(), Failure> {
    let unreadable = |source| Failure::File { path: folder.to_owned(), source };
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = format!("{prefix}{}", path.file_name().unwrap_or_default().to_string_lossy());
        if path.is_dir() {
            collect(&path, &format!("{name}/"), files)?;
        } else {
            files.push((name, output::read(&path)?));
        }
    }
    Ok(())
}
