//! A chart as the archive that Helm installs and registries keep: the same bytes on every machine, so that whoever knows the
//! chart knows its digests.

mod oci;

use super::{Chart, ChartError, Metadata, kept};
use crate::archive::{self, Entry};
use crate::template::format::hex;
use sha2::{Digest as _, Sha256};

/// What a packed chart starts with, in Helm's order; the rest follows by path.
const FIRST: [&str; 3] = ["Chart.yaml", "values.yaml", "values.schema.json"];

/// A packed chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// The chart's name.
    pub name: String,
    /// The chart's version.
    pub version: String,
    /// The version of what the chart installs.
    pub app_version: Option<String>,
    /// The archive.
    pub archive: Vec<u8>,
    /// Of the archive, as `sha256:` and hexadecimal digits: what Helm's provenance files and indexes name.
    pub digest: String,
    /// Of the manifest that `helm push` writes for the archive: what `helm pull oci://…@DIGEST` takes.
    pub manifest_digest: String,
}

impl Package {
    /// The name that Helm gives the archive.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}-{}.tgz", self.name, self.version)
    }
}

/// Packs a chart from its files; the paths are relative to the folder that holds Chart.yaml.
///
/// Unlike `helm package` it keeps Chart.yaml as it is written, comments included.
pub fn package(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Result<Package, ChartError> {
    let files = kept(files)?;
    let Metadata { name, version, app_version, raw, .. } = Chart::load(files.clone())?.metadata;
    let mut files: Vec<(String, Vec<u8>)> = files.into_iter().collect();
    // Stable: what is not among the first stays sorted by path.
    files.sort_by_key(|(path, _)| (place(path), !path.starts_with("templates/")));
    let entries: Vec<Entry> =
        files.into_iter().map(|(path, data)| Entry::file(format!("{name}/{path}"), data)).collect();
    let archive = archive::tar_gz(&entries).map_err(|error| ChartError::Package { message: error.to_string() })?;
    let digest = digest_of(&archive);
    let manifest_digest = digest_of(oci::manifest(&raw, &digest, archive.len()).as_bytes());
    Ok(Package { name, version, app_version, archive, digest, manifest_digest })
}

fn place(path: &str) -> usize {
    FIRST.iter().position(|first| *first == path).unwrap_or(FIRST.len())
}

/// The digest of something as registries write it: `sha256:` and hexadecimal digits.
#[must_use]
pub fn digest_of(data: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(data)))
}
