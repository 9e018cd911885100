//! Facts in files: writing what was read, and reading it back where there is no cluster.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use mizar_core::check::{Phase, sources_of};
use mizar_core::environment::overview::SOURCES;
use mizar_core::facts::{Facts, Source};
use mizar_core::facts_file::{from_json, to_json};

use crate::failure::{Failure, Kind};
use crate::private_file;

/// Facts of fifty thousand pods are a tenth of this.
const LIMIT: u64 = 1 << 30;

/// Everything that can be judged later; what we may do here is nothing to anybody else.
pub(crate) fn sources() -> Vec<Source> {
    let mut sources = SOURCES.to_vec();
    sources.extend(sources_of(Phase::Health));
    sources.extend(sources_of(Phase::Preflight).into_iter().filter(|source| *source != Source::Permissions));
    sources.sort_unstable();
    sources.dedup();
    sources
}

/// Reads facts; `-` is stdin.
pub(crate) fn read(path: &Path) -> Result<Facts, Failure> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().take(LIMIT).read_to_string(&mut text)
    } else {
        File::open(path).and_then(|file| file.take(LIMIT).read_to_string(&mut text))
    };
    let name = path.display();
    if let Err(error) = read {
        return Err(Failure::new(Kind::Failed, format!("cannot read facts from {name}: {error}"))
            .hint("write such a file where the cluster is: kubectl mizar check --save-facts FILE"));
    }
    from_json(&text).map_err(|error| {
        Failure::new(Kind::Failed, format!("{name} is no file of facts: {error}"))
            .hint("write one with this version: kubectl mizar check --save-facts FILE")
    })
}

/// Writes facts whole or not at all. Only their owner can read the file: it holds no secret, but names and addresses.
pub(crate) fn write(path: &Path, facts: &Facts) -> Result<(), Failure> {
    let text = format!("{:#}\n", to_json(facts, None));
    private_file::write(path, text.as_bytes())
        .map_err(|error| Failure::new(Kind::Failed, format!("cannot write facts to {}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use jiff::Timestamp;

    #[test]
    fn facts_are_written_and_read_back_and_replace_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("facts.json");
        fs::write(&path, "old").unwrap();
        let facts = Facts::new(Timestamp::UNIX_EPOCH);
        write(&path, &facts).unwrap();
        assert_eq!(read(&path).unwrap(), facts);
    }

    #[test]
    fn what_cannot_be_written_or_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = folder.path().join("none/facts.json");
        let failure = write(&nowhere, &Facts::default()).unwrap_err();
        assert!(failure.message.starts_with("cannot write facts to ") && failure.message.contains("none"));
        let failure = read(&nowhere).unwrap_err();
        assert!(failure.message.starts_with("cannot read facts from "), "{failure}");
        let foreign = folder.path().join("pod.json");
        fs::write(&foreign, r#"{"apiVersion": "v1", "kind": "Pod"}"#).unwrap();
        let failure = read(&foreign).unwrap_err();
        assert!(failure.message.ends_with("is no file of facts: field kind is \"Pod\", wanted \"Facts\""), "{failure}");
        assert!(write(folder.path(), &Facts::default()).is_err(), "a folder is no file");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
