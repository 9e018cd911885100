//! The release binary for this machine: without a word in it of the machine or the moment of its building.

use std::path::PathBuf;

use mizar_bed::cargo;

use super::output;
use crate::failure::Failure;

/// Builds the program for release, and makes sure that it tells of no path.
pub(super) fn release() -> Result<PathBuf, Failure> {
    let told = paths_of_this_machine();
    // Read by compilers and tools that would write the date into what they make.
    let environment = [("SOURCE_DATE_EPOCH", mizar_core::archive::AGE.to_string()), ("RUSTFLAGS", remapped(&told))];
    let program = cargo::build_release("kubectl-mizar", &environment)?;
    let bytes = output::read(&program)?;
    match told.iter().find(|(path, _)| contains(&bytes, path)) {
        Some((path, _)) => Err(Failure::TellsPath { program, path: path.clone() }),
        None => Ok(program),
    }
}

/// Paths that differ between machines, and what stands for them in the program.
fn paths_of_this_machine() -> Vec<(String, &'static str)> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let cargo_home = std::env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    let paths = [(cargo::workspace(), "/kubectl-mizar"), (cargo_home, "/cargo")];
    paths.into_iter().map(|(path, name)| (path.display().to_string(), name)).collect()
}

/// What CI and people set already stays.
fn remapped(paths: &[(String, &str)]) -> String {
    let mut flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    for (path, name) in paths {
        flags = format!("{flags} --remap-path-prefix={path}={name}");
    }
    flags.trim().to_owned()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_wherever_it_stands() {
        assert!(contains(b"\0\0/home/ann/src\0", "/home/ann"));
        assert!(!contains(b"/kubectl-mizar/src", "/home/ann"));
    }

    #[test]
    fn each_path_is_replaced() {
        let flags = remapped(&[("/a".to_owned(), "/x"), ("/b".to_owned(), "/y")]);
        assert!(flags.ends_with("--remap-path-prefix=/a=/x --remap-path-prefix=/b=/y"), "{flags}");
    }
}
