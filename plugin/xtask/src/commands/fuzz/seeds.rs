//! What the searches begin with besides the seeds in `tests/fuzz/seeds`: texts that the repository has anyway.

use std::path::{Path, PathBuf};

use mizar_bed::cargo;

use super::process;
use crate::failure::Failure;

/// Writes the seeds of a target into a folder.
pub(super) fn write(target: &str, folder: &Path) -> Result<(), Failure> {
    let (places, endings, first): (&[&str], &[&str], &[u8]) = match target {
        "chart_text" => (&["charts"], &["yaml", "tpl", "txt"], b""),
        "yaml_reader" => (&["charts", "docs"], &["yaml"], b""),
        "values" => (&["charts"], &["values.yaml", "values-dev.yaml", "values-prod.yaml"], b""),
        "operation_record" => (&["tests/fixtures"], &["operation.json"], b""),
        "api_reply" => (&["tests/fixtures/facts"], &["not-installed.json", "old-server.json"], b"\0"),
        _ => return Ok(()),
    };
    for place in places {
        for (at, path) in files(&cargo::workspace().join(place)).iter().enumerate() {
            let name = path.to_string_lossy();
            if let (true, Ok(content)) = (endings.iter().any(|ending| name.ends_with(ending)), std::fs::read(path)) {
                process::write(&folder.join(format!("{}-{at}", place.replace('/', "-"))), &[first, &content].concat())?;
            }
        }
    }
    Ok(())
}

/// All files below a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() { found.extend(files(&entry)) } else { found.push(entry) }
    }
    found
}
