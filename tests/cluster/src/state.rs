//! What a bed is asked to be (`order.json`) and what it is (`state.json`), as files that anyone may read.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::process::ProcessId;
use crate::programs::Program;

/// Why a file of a bed cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {}", path.display())]
pub struct FileError {
    path: PathBuf,
    source: io::Error,
}

/// How much of a cluster a bed is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BedKind {
    /// Control plane, nodes, CoreDNS and Mizar's simulator.
    #[default]
    Whole,
    /// etcd and the API server: a store that answers, in which nothing moves. For benchmarks, so no audit log either.
    Bare,
    /// As a bare one, with an audit log: for benchmarks that count requests.
    Counted,
}

/// What a supervisor is to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BedOrder {
    /// The bed's name.
    pub name: String,
    /// How much of a cluster it is.
    #[serde(default)]
    pub kind: BedKind,
    /// How many nodes.
    pub nodes: usize,
    /// The minor version of Kubernetes to behave as.
    pub version: KubernetesVersion,
    /// The time between two rounds of Mizar's operator.
    pub round: Duration,
    /// The bed ends by itself after this time.
    pub lifetime: Duration,
    /// A test bed also ends when its lock was free for this time.
    pub idle: Option<Duration>,
    /// The built programs.
    pub programs: BTreeMap<Program, PathBuf>,
    /// Which build of the supervisor was started.
    pub build: BuildStamp,
}

/// A minor version, `1.36`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KubernetesVersion {
    minor: u32,
}

impl KubernetesVersion {
    /// The version that the API server is built as.
    pub const NATIVE: Self = Self { minor: 36 };
    /// The oldest version that it can behave as.
    pub const OLDEST: Self = Self { minor: 33 };
}

/// The version cannot be had.
#[derive(Debug, thiserror::Error)]
#[error(
    "Kubernetes {0:?} cannot be had: the API server of the test bed can behave as {oldest} to {native}",
    oldest = KubernetesVersion::OLDEST,
    native = KubernetesVersion::NATIVE
)]
pub struct UnsupportedVersion(String);

impl std::str::FromStr for KubernetesVersion {
    type Err = UnsupportedVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let minor = text.trim_start_matches('v').strip_prefix("1.").and_then(|minor| minor.parse().ok());
        minor
            .filter(|minor| (Self::OLDEST.minor..=Self::NATIVE.minor).contains(minor))
            .map(|minor| Self { minor })
            .ok_or_else(|| UnsupportedVersion(text.to_owned()))
    }
}

impl TryFrom<String> for KubernetesVersion {
    type Error = UnsupportedVersion;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<KubernetesVersion> for String {
    fn from(version: KubernetesVersion) -> Self {
        version.to_string()
    }
}

impl std::fmt::Display for KubernetesVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "1.{}", self.minor)
    }
}

/// Tells one build of a program from another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildStamp {
    length: u64,
    modified: SystemTime,
}

impl BuildStamp {
    /// The stamp of the program at `path`.
    pub fn of(path: &Path) -> Result<Self, FileError> {
        let of = || fs::metadata(path).and_then(|it| Ok(Self { length: it.len(), modified: it.modified()? }));
        of().map_err(|source| FileError { path: path.to_owned(), source })
    }
}

/// What a bed is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BedState {
    /// How far it is.
    pub phase: Phase,
    /// The process that runs it.
    pub supervisor: ProcessId,
    /// Its programs.
    pub children: BTreeMap<String, ProcessId>,
    /// The API server's address, once it has one.
    pub api_server: String,
    /// etcd's address, once it has one.
    #[serde(default)]
    pub etcd: String,
    /// How many nodes it was asked for.
    pub nodes: usize,
    /// The version it behaves as.
    pub version: KubernetesVersion,
    /// When it was started.
    pub started: SystemTime,
    /// Which build runs it.
    pub build: BuildStamp,
    /// Whether tests own it.
    pub for_tests: bool,
}

/// How far a bed is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Programs are being started.
    Starting,
    /// Everything runs.
    Ready,
    /// It is being taken down.
    Stopping,
    /// It could not be started, or a program ended by itself.
    Failed(String),
}

/// Reads a JSON file; none if it does not exist.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, FileError> {
    let failed = |source| FileError { path: path.to_owned(), source };
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| failed(error.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Writes a JSON file, so that a reader sees either the old or the new one.
pub(crate) fn write(path: &Path, value: &impl Serialize) -> Result<(), FileError> {
    let failed = |source| FileError { path: path.to_owned(), source };
    let bytes = serde_json::to_vec_pretty(value).map_err(|error| failed(error.into()))?;
    let aside = path.with_extension("new");
    fs::write(&aside, bytes).and_then(|()| fs::rename(&aside, path)).map_err(failed)
}

/// Writes a text file.
pub(crate) fn write_text(path: &Path, text: &str) -> Result<(), FileError> {
    fs::write(path, text).map_err(|source| FileError { path: path.to_owned(), source })
}

/// Makes a folder and those above it.
pub(crate) fn make_folder(path: &Path) -> Result<(), FileError> {
    fs::create_dir_all(path).map_err(|source| FileError { path: path.to_owned(), source })
}

/// Removes a folder with everything in it, if it exists.
pub(crate) fn remove_folder(path: &Path) -> Result<(), FileError> {
    match fs::remove_dir_all(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(FileError { path: path.to_owned(), source }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_beyond_what_the_server_can_play_are_refused_by_name() {
        assert_eq!("1.33".parse::<KubernetesVersion>().unwrap().to_string(), "1.33");
        assert_eq!("v1.36".parse::<KubernetesVersion>().unwrap(), KubernetesVersion::NATIVE);
        let error = "1.20".parse::<KubernetesVersion>().unwrap_err().to_string();
        assert!(error.contains("\"1.20\"") && error.contains("1.33 to 1.36"), "{error}");
        assert!("2.35".parse::<KubernetesVersion>().is_err());
    }
}
