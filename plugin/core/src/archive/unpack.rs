//! Unpacking an archive of somebody else: nothing is written anywhere, and no bomb is unpacked further than its limits.

use std::io::{self, Read as _};

use flate2::read::GzDecoder;

/// How much an archive may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Files.
    pub files: usize,
    /// Bytes of all files together.
    pub bytes: u64,
}

/// What is wrong with an archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    /// It is no tar archive in gzip, or is damaged.
    #[error("is no packed chart, or is damaged: {0}")]
    Damaged(String),
    /// It holds more than it may.
    #[error("holds more than a chart may ({} files and {} MiB)", .0.files, .0.bytes >> 20)]
    TooLarge(Limits),
    /// A path that leads out of it, or an entry that is neither file nor folder.
    #[error("holds {0}, which is neither a file nor a folder below it")]
    NoFile(String),
}

/// Returns the files of a tar archive in gzip, by path with slashes.
pub fn unpack(archive: &[u8], limits: Limits) -> Result<Vec<(String, Vec<u8>)>, UnpackError> {
    let damaged = |error: io::Error| UnpackError::Damaged(error.to_string());
    // One byte more than may be tells that there is too much.
    let most = limits.bytes + (limits.files as u64 + 2) * 2048;
    let mut tar = tar::Archive::new(GzDecoder::new(archive).take(most));
    let (mut files, mut bytes): (Vec<(String, Vec<u8>)>, u64) = (Vec::new(), 0);
    for entry in tar.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let path = entry.path().map_err(damaged)?.to_string_lossy().replace('\\', "/");
        let kind = entry.header().entry_type();
        if kind.is_dir() || kind.is_pax_global_extensions() {
            continue;
        }
        let leads_out = path.starts_with('/') || path.split('/').any(|part| part == "..");
        if !kind.is_file() || leads_out {
            return Err(UnpackError::NoFile(path));
        }
        bytes += entry.size();
        if files.len() >= limits.files || bytes > limits.bytes {
            return Err(UnpackError::TooLarge(limits));
        }
        let mut data = Vec::new();
        entry.read_to_end(&mut data).map_err(damaged)?;
        files.push((path, data));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{Entry, tar_gz};

    const LIMITS: Limits = Limits { files: 3, bytes: 1000 };

    #[test]
    fn what_was_packed_is_unpacked() {
        let archive = tar_gz(&[Entry::file("a/b.txt", "one"), Entry::program("a/c", "two")]).unwrap();
        let files = unpack(&archive, LIMITS).unwrap();
        assert_eq!(files, [("a/b.txt".to_owned(), b"one".to_vec()), ("a/c".to_owned(), b"two".to_vec())]);
    }

    #[test]
    fn what_is_no_archive_or_cut_off_is_damaged() {
        let archive = tar_gz(&[Entry::file("a", "x".repeat(900))]).unwrap();
        for bytes in [&b""[..], b"PK\x03\x04", &archive[..archive.len() / 2]] {
            assert!(matches!(unpack(bytes, LIMITS), Err(UnpackError::Damaged(_))), "{bytes:?}");
        }
    }

    #[test]
    fn no_more_is_unpacked_than_may_be() {
        let bomb = tar_gz(&[Entry::file("a", vec![0; 10_000_000])]).unwrap();
        assert!(bomb.len() < 20_000);
        assert_eq!(unpack(&bomb, LIMITS), Err(UnpackError::TooLarge(LIMITS)));
        let many: Vec<Entry> = (0..4).map(|number| Entry::file(format!("{number}"), "")).collect();
        assert_eq!(unpack(&tar_gz(&many).unwrap(), LIMITS), Err(UnpackError::TooLarge(LIMITS)));
    }

    #[test]
    fn a_link_or_a_way_out_is_no_file() {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        tar.append_link(&mut header, "a/link", "/etc/passwd").unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::Write::write_all(&mut gzip, &tar.into_inner().unwrap()).unwrap();
        assert_eq!(unpack(&gzip.finish().unwrap(), LIMITS), Err(UnpackError::NoFile("a/link".into())));
    }
}
