//! The packed file: a tar archive in gzip, written as it comes, that never gets larger than it may. What does not fit any more
//! is left out whole, and what comes after it may still fit.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Seek, SeekFrom, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::index::{Content, folder_of};

/// What the packer may hold back before it writes, and what an entry costs beside its content.
const SLACK: u64 = 128 << 10;
/// Room that is kept for the index.
const KEPT_FREE: u64 = 128 << 10;
/// The smallest limit that leaves room for anything.
pub const LEAST: u64 = 1 << 20;

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packed {
    /// It is in the archive.
    Taken,
    /// It does not fit.
    NoRoom,
    /// It was there already, under the same path.
    Twice,
}

/// Packs files into `out`.
pub struct Packer<W: Write> {
    tar: tar::Builder<GzEncoder<Counted<W>>>,
    root: String,
    time: u64,
    limit: u64,
    paths: BTreeSet<String>,
    contents: BTreeMap<String, Content>,
}

impl<W: Write> Packer<W> {
    /// Begins an archive whose files all lie in the folder `root` and are of one age, in seconds since 1970.
    pub fn new(out: W, root: &str, time: u64, limit: u64) -> Self {
        let counted = Counted { out, bytes: 0 };
        Self {
            tar: tar::Builder::new(GzEncoder::new(counted, Compression::default())),
            root: root.to_owned(),
            time,
            limit,
            paths: BTreeSet::new(),
            contents: BTreeMap::new(),
        }
    }

    /// Adds a file that is in memory.
    pub fn add(&mut self, path: &str, data: &[u8]) -> io::Result<Packed> {
        self.add_from(path, &mut io::Cursor::new(data))
    }

    /// Adds a file from its beginning to its end, wherever it is read at the moment.
    pub fn add_from(&mut self, path: &str, data: &mut (impl Read + Seek)) -> io::Result<Packed> {
        if self.paths.contains(path) {
            return Ok(Packed::Twice);
        }
        let size = data.seek(SeekFrom::End(0))?;
        let room = self.limit.saturating_sub(self.written() + SLACK + KEPT_FREE);
        // What would not even fit as it is must be tried: texts shrink to a tenth.
        if size > room && packed_size(data)? > room {
            return Ok(Packed::NoRoom);
        }
        self.append(path, size, data)?;
        Ok(Packed::Taken)
    }

    /// Adds the index, for which room was kept, and ends the archive.
    pub fn finish(mut self, path: &str, index: &[u8]) -> io::Result<W> {
        self.append(path, index.len() as u64, &mut io::Cursor::new(index))?;
        Ok(self.tar.into_inner()?.finish()?.out)
    }

    /// What is in the archive so far, by folder.
    #[must_use]
    pub fn contents(&self) -> &BTreeMap<String, Content> {
        &self.contents
    }

    fn append(&mut self, path: &str, size: u64, data: &mut (impl Read + Seek)) -> io::Result<()> {
        data.seek(SeekFrom::Start(0))?;
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o600);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(self.time);
        header.set_size(size);
        self.tar.append_data(&mut header, format!("{}/{path}", self.root), data.take(size))?;
        self.paths.insert(path.to_owned());
        let content = self.contents.entry(folder_of(path).to_owned()).or_default();
        content.files += 1;
        content.bytes += size;
        Ok(())
    }

    fn written(&self) -> u64 {
        self.tar.get_ref().get_ref().bytes
    }
}

/// How large a file gets when it is packed on its own.
fn packed_size(data: &mut (impl Read + Seek)) -> io::Result<u64> {
    data.seek(SeekFrom::Start(0))?;
    let mut gzip = GzEncoder::new(Counted { out: io::sink(), bytes: 0 }, Compression::default());
    io::copy(data, &mut gzip)?;
    Ok(gzip.finish()?.bytes)
}

/// Counts what is written.
struct Counted<W> {
    out: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.out.write(buffer)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use flate2::read::GzDecoder;

    use super::*;

    /// Bytes that cannot be packed any smaller, the same each time.
    fn noise(length: usize, mut seed: u64) -> Vec<u8> {
        let mut next = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed.to_le_bytes()[0]
        };
        (0..length).map(|_| next()).collect()
    }

    fn unpacked(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(GzDecoder::new(archive)).entries().unwrap() {
            let mut entry = entry.unwrap();
            let header = entry.header();
            assert_eq!((header.mode().unwrap(), header.mtime().unwrap(), header.uid().unwrap()), (0o600, 77, 0));
            let path = entry.path().unwrap().display().to_string();
            let mut data = Vec::new();
            entry.read_to_end(&mut data).unwrap();
            files.insert(path, data);
        }
        files
    }

    #[test]
    fn what_is_packed_comes_out_again_with_the_index_last() {
        let mut packer = Packer::new(Vec::new(), "b", 77, 50 << 20);
        assert_eq!(packer.add("objects/nodes/n1.yaml", b"node").unwrap(), Packed::Taken);
        assert_eq!(packer.add("objects/nodes/n1.yaml", b"again").unwrap(), Packed::Twice);
        let mut read_already = io::Cursor::new(b"whole log");
        read_already.set_position(5);
        assert_eq!(packer.add_from("logs/p/main.log", &mut read_already).unwrap(), Packed::Taken);
        assert_eq!(packer.contents()["objects/nodes"], Content { files: 1, bytes: 4 });
        assert_eq!(packer.contents()["logs/p"], Content { files: 1, bytes: 9 });
        let files = unpacked(&packer.finish("index.json", b"{}").unwrap());
        assert_eq!(files["b/objects/nodes/n1.yaml"], b"node");
        assert_eq!(files["b/logs/p/main.log"], b"whole log");
        assert_eq!(files["b/index.json"], b"{}");
        assert_eq!(files.len(), 3);
    }

    #[test]
    fn the_archive_never_gets_larger_than_it_may() {
        for limit in [LEAST, 3 * LEAST] {
            let mut packer = Packer::new(Vec::new(), "b", 77, limit);
            let mut left_out = 0;
            for number in 1..60 {
                let data = noise(90_000 + 7_000 * usize::try_from(number % 5).unwrap(), number);
                left_out += usize::from(packer.add(&format!("f{number}"), &data).unwrap() == Packed::NoRoom);
            }
            // What shrinks still finds its place.
            let text = "the same line\n".repeat(100_000);
            assert!(text.len() as u64 > LEAST && left_out > 5, "{left_out}");
            assert_eq!(packer.add("text", text.as_bytes()).unwrap(), Packed::Taken, "{limit}");
            let archive = packer.finish("index.json", &noise(100_000, 5)).unwrap();
            assert!(archive.len() as u64 <= limit, "{} of {limit}", archive.len());
            assert!(archive.len() as u64 > limit / 3, "room is used: {} of {limit}", archive.len());
        }
    }

    #[test]
    fn long_paths_are_held() {
        let path = format!("objects/endpoints.mizar.com/default/{}.yaml", "n".repeat(240));
        let mut packer = Packer::new(Vec::new(), "b", 77, LEAST);
        packer.add(&path, b"x").unwrap();
        assert!(unpacked(&packer.finish("i", b"").unwrap()).contains_key(&format!("b/{path}")));
    }
}
