//! The folder that a release is put together in.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use mizar_core::archive::AGE;

use super::hexadecimal;
use crate::failure::Failure;
use crate::report;

/// A folder, and the checksums of what was written to it.
pub(super) struct Output {
    folder: PathBuf,
    written: BTreeMap<String, String>,
}

impl Output {
    /// Makes the folder if it is missing.
    pub(super) fn to(folder: &Path) -> Result<Self, Failure> {
        std::fs::create_dir_all(folder).map_err(|source| Failure::File { path: folder.to_owned(), source })?;
        Ok(Self { folder: folder.to_owned(), written: BTreeMap::new() })
    }

    /// Writes a file as old as everything in the archives: `helm push` writes the age of a package into its manifest.
    pub(super) fn write(&mut self, name: &str, data: &[u8]) -> Result<(), Failure> {
        let path = self.folder.join(name);
        let age = SystemTime::UNIX_EPOCH + Duration::from_secs(AGE.into());
        let written =
            std::fs::write(&path, data).and_then(|()| File::options().write(true).open(&path)?.set_modified(age));
        written.map_err(|source| Failure::File { path: path.clone(), source })?;
        self.written.insert(name.to_owned(), hexadecimal(data));
        report::data(&path.display().to_string());
        Ok(())
    }

    /// Writes the checksums of all that was written, in the form of sha256sum.
    pub(super) fn write_checksums(&mut self) -> Result<(), Failure> {
        let lines = self.written.iter().map(|(name, sum)| format!("{sum}  {name}\n")).collect::<Vec<_>>().concat();
        self.write("SHA256SUMS", lines.as_bytes())
    }
}

/// Reads a file, or says which one cannot be read.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|source| Failure::File { path: path.to_owned(), source })
}
