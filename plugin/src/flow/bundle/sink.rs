//! The archive that all parts write into while they read, and the list of what is missing. Whatever is begun and not ended is
//! missing, too: a part that time cuts off needs not say so itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use mizar_core::bundle::archive::{Packed, Packer};
use mizar_core::bundle::index::{Content, Index, Missing, Why, folder_of};
use mizar_core::bundle::{mask, place};

use super::since_1970;
use crate::private_file::Draft;

/// Takes files from several parts at once.
pub(super) struct Sink(Mutex<State>);

struct State {
    packer: Packer<Draft>,
    missing: Vec<Missing>,
    open: BTreeSet<String>,
    /// How many files of each folder did not fit.
    too_large: BTreeMap<String, usize>,
    /// Why nothing can be written any more.
    broken: Option<io::Error>,
}

impl Sink {
    /// Begins an archive.
    pub(super) fn new(draft: Draft, name: &str, now: Timestamp, limit: u64) -> Self {
        Self(Mutex::new(State {
            packer: Packer::new(draft, name, since_1970(now), limit),
            missing: Vec::new(),
            open: BTreeSet::new(),
            too_large: BTreeMap::new(),
            broken: None,
        }))
    }

    /// Notes that something is to come.
    pub(super) fn begin(&self, what: &str) {
        self.state().open.insert(what.to_owned());
    }

    /// Notes that it has come, or that it will not.
    pub(super) fn end(&self, what: &str) {
        self.state().open.remove(what);
    }

    /// Takes a file. It must be masked.
    pub(super) fn put(&self, path: &str, data: &[u8]) {
        self.state().pack(path, |packer| packer.add(path, data));
    }

    /// Takes a file that was too large for memory. It must be masked.
    pub(super) fn put_file(&self, path: &str, file: &mut File) {
        self.state().pack(path, |packer| packer.add_from(path, file));
    }

    /// How many files it has taken.
    pub(super) fn files(&self) -> usize {
        self.state().packer.contents().values().map(|content| content.files).sum()
    }

    /// Notes that something is missing, once; what the server said of it may hold anything.
    pub(super) fn miss(&self, what: &str, why: Why, message: &str) {
        let missing = Missing { what: what.to_owned(), why, message: mask::text::mask(message) };
        let mut state = self.state();
        if !state.missing.contains(&missing) {
            state.missing.push(missing);
        }
    }

    /// Writes the index and puts the file into its place.
    pub(super) fn close(
        self,
        index: impl FnOnce(BTreeMap<String, Content>, Vec<Missing>) -> Index,
    ) -> io::Result<Index> {
        let State { packer, mut missing, open, too_large, broken } =
            self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = broken {
            return Err(error);
        }
        let late = open.into_iter().map(|what| (what, Why::Time, "time was up before it was read".to_owned()));
        let large = too_large.into_iter().map(|(what, files)| {
            let files = mizar_core::words::counted(files, "file");
            (what, Why::Size, format!("{files} did not fit any more"))
        });
        missing.extend(late.chain(large).map(|(what, why, message)| Missing { what, why, message }));
        missing.sort_by(|a, b| a.what.cmp(&b.what));
        let index = index(packer.contents().clone(), missing);
        let document = format!("{:#}\n", index.document());
        packer.finish(place::INDEX, document.as_bytes())?.finish()?;
        Ok(index)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pack(&mut self, path: &str, pack: impl FnOnce(&mut Packer<Draft>) -> io::Result<Packed>) {
        if self.broken.is_some() {
            return;
        }
        match pack(&mut self.packer) {
            Ok(Packed::Taken | Packed::Twice) => {}
            Ok(Packed::NoRoom) => *self.too_large.entry(folder_of(path).to_owned()).or_default() += 1,
            Err(error) => self.broken = Some(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mizar_core::bundle::index::Limits;

    use super::*;

    #[test]
    fn what_is_missing_is_named_whatever_kept_it_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.tar.gz");
        let sink = Sink::new(Draft::begin(&path).unwrap(), "b", Timestamp::UNIX_EPOCH, 1 << 20);
        for what in ["logs", "events/default.yaml", "operation.json"] {
            sink.begin(what);
        }
        sink.put("operation.json", b"{}");
        sink.end("operation.json");
        sink.end("logs");
        let noise: Vec<u8> = (0..4_000_000_u64)
            .map(|at| (at.wrapping_mul(at).wrapping_mul(2_654_435_761) >> 24).to_le_bytes()[0])
            .collect();
        sink.put("objects/nodes/n1.yaml", &noise);
        sink.miss("releases", Why::Failed, "the server said: Bearer planted-1234");
        sink.miss("releases", Why::Failed, "the server said: Bearer planted-1234");
        let index = sink.close(|contents, missing| Index {
            version: String::new(),
            reason: String::new(),
            server: String::new(),
            namespace: String::new(),
            taken_at: Timestamp::UNIX_EPOCH,
            elapsed: Duration::ZERO,
            requests: 0,
            limits: Limits { size: 0, time: Duration::ZERO, log_lines: 0, log_age: None },
            contents,
            missing,
        });
        let told: Vec<String> = index.unwrap().missing.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "events/default.yaml: time was up before it was read",
                "objects/nodes: 1 file did not fit any more",
                "releases: the server said: Bearer (masked)",
            ]
        );
        assert!(path.metadata().unwrap().len() < 1 << 20);
    }
}
