//! Archives that are the same bytes wherever and whenever they are made: sorted, of nobody, and all of one age.

mod unpack;

use std::io::{self, Write as _};

use flate2::{Compression, GzBuilder};

pub use unpack::{Limits, UnpackError, unpack};

/// The age of everything in an archive, in seconds since 1970: 1 January 1980, the earliest that zip can tell.
pub const AGE: u32 = 315_532_800;

/// Written where gzip wants the system that made the file: "unknown".
const NO_SYSTEM: u8 = 255;

/// One file of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path, with slashes.
    pub path: String,
    /// What it holds.
    pub data: Vec<u8>,
    /// Whether it may be run.
    pub executable: bool,
}

impl Entry {
    /// A file that is read.
    #[must_use]
    pub fn file(path: impl Into<String>, data: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), data: data.into(), executable: false }
    }

    /// A file that is run.
    #[must_use]
    pub fn program(path: impl Into<String>, data: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), data: data.into(), executable: true }
    }

    /// Its permissions in an archive.
    #[must_use]
    pub fn mode(&self) -> u32 {
        if self.executable { 0o755 } else { 0o644 }
    }
}

/// Packs files, in the order in which they are given, as a tar archive in gzip.
///
/// Fails only on a path that no archive can hold, such as one with `..` in it.
pub fn tar_gz(entries: &[Entry]) -> io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(entry.mode());
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(AGE.into());
        header.set_size(entry.data.len() as u64);
        tar.append_data(&mut header, &entry.path, entry.data.as_slice())?;
    }
    let tar = tar.into_inner()?;
    let mut gzip = GzBuilder::new().mtime(0).operating_system(NO_SYSTEM).write(Vec::new(), Compression::best());
    gzip.write_all(&tar)?;
    gzip.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn an_archive_tells_nothing_of_the_machine_and_the_moment_it_was_made_on() {
        let entries = [Entry::program("bin", "#!"), Entry::file("docs/LICENSE", "MIT")];
        let archive = tar_gz(&entries).unwrap();
        assert_eq!(archive, tar_gz(&entries).unwrap());
        let gzip = flate2::read::GzDecoder::new(archive.as_slice());
        let header = gzip.header().unwrap();
        assert_eq!((header.mtime(), header.operating_system(), header.filename()), (0, NO_SYSTEM, None));

        let mut tar = tar::Archive::new(gzip);
        let mut seen = Vec::new();
        for entry in tar.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            let header = entry.header();
            assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
            assert_eq!((header.username().unwrap(), header.mtime().unwrap()), (Some(""), u64::from(AGE)));
            assert!(header.entry_type().is_file());
            seen.push((entry.path().unwrap().display().to_string(), header.mode().unwrap(), text));
        }
        let expected = [("bin", 0o755, "#!"), ("docs/LICENSE", 0o644, "MIT")];
        assert_eq!(seen, expected.map(|(path, mode, text)| (path.to_owned(), mode, text.to_owned())));
    }

    #[test]
    fn a_path_that_leaves_the_archive_is_refused() {
        assert!(tar_gz(&[Entry::file("../etc/passwd", "")]).is_err());
    }

    #[test]
    fn the_bytes_do_not_change_with_a_new_compressor_unnoticed() {
        // Digests of published charts depend on every byte: when this changes, raise the version of the charts.
        let archive = tar_gz(&[Entry::file("a.txt", "Mizar ".repeat(500))]).unwrap();
        assert_eq!(
            crate::chart::digest_of(&archive),
            "sha256:74bfcfaae591af93e410931b2f2365c2c871596ddf5f4c774e0f2524a11b10fd"
        );
    }
}
