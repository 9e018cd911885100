//! A bundle as whoever gets it sees it.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;
use mizar_core::yaml::{DuplicateKeys, read_all};
use serde_json::Value;

/// The files of a bundle.
pub(super) struct Unpacked {
    /// The folder that they all lie in.
    pub(super) root: String,
    /// What each holds, by its path in that folder.
    pub(super) files: BTreeMap<String, String>,
    /// What people were told while it was taken.
    pub(super) told: String,
    /// How large it is, packed.
    pub(super) size: u64,
}

impl Unpacked {
    pub(super) fn read(path: &Path, told: String) -> Self {
        let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let size = file.metadata().unwrap().len();
        let (mut root, mut files) = (String::new(), BTreeMap::new());
        for entry in tar::Archive::new(GzDecoder::new(file)).entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            let (folder, inner) = path.split_once('/').unwrap();
            folder.clone_into(&mut root);
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap_or_else(|error| panic!("{inner}: {error}"));
            assert!(files.insert(inner.to_owned(), text).is_none(), "{inner} is there twice");
        }
        Self { root, files, told, size }
    }

    #[track_caller]
    pub(super) fn text(&self, path: &str) -> &str {
        self.files.get(path).unwrap_or_else(|| panic!("no {path} in {:?}\n{}", self.files.keys(), self.told))
    }

    #[track_caller]
    pub(super) fn json(&self, path: &str) -> Value {
        serde_json::from_str(self.text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    #[track_caller]
    pub(super) fn index(&self) -> Value {
        self.json("index.json")
    }

    /// The paths that begin so.
    pub(super) fn paths(&self, start: &str) -> Vec<String> {
        self.files.keys().filter(|path| path.starts_with(start)).cloned().collect()
    }

    /// Why something is missing, if it is.
    pub(super) fn missing(&self, what: &str) -> Option<&'static str> {
        let index = self.index();
        let missing = index["missing"].as_array().unwrap().iter().find(|missing| missing["what"] == what)?;
        let known = ["absent", "denied", "failed", "time", "size", "surplus"];
        known.into_iter().find(|why| missing["why"] == *why)
    }

    /// Asserts that programs can read it, and that the index counts every file.
    #[track_caller]
    pub(super) fn is_well_formed(&self) {
        for (path, text) in &self.files {
            let ending = Path::new(path).extension().and_then(|ending| ending.to_str());
            if ending == Some("json") {
                self.json(path);
            } else if ending == Some("yaml") {
                let documents = read_all(text, DuplicateKeys::Refuse).unwrap_or_else(|error| panic!("{path}: {error}"));
                assert!(!documents.is_empty(), "{path}");
                if path.starts_with("objects/") {
                    let [(object, _)] = documents.as_slice() else { panic!("{path}: {text}") };
                    assert!(object["kind"].is_string() && object["apiVersion"].is_string(), "{path}: {text}");
                    assert!(object["metadata"]["managedFields"].is_null(), "{path}");
                }
            }
        }
        let index = self.index();
        let counted: u64 = index["contents"].as_array().unwrap().iter().map(|one| one["files"].as_u64().unwrap()).sum();
        assert_eq!(counted, self.files.len() as u64 - 1, "all but the index itself: {index:#}");
    }

    #[track_caller]
    pub(super) fn holds_none_of(&self, secrets: &[impl AsRef<str>]) {
        for (path, text) in &self.files {
            for secret in secrets {
                let secret = secret.as_ref();
                assert!(!text.contains(secret), "{secret} is in {path}");
                assert!(!path.contains(secret), "{secret} is in the name {path}");
            }
        }
    }
}
