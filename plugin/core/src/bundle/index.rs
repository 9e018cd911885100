//! The first thing to read in a bundle: what is in it, what could not be had and why, and the limits that it was taken under.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

/// The version of the form; a change that breaks readers gets another.
pub const API_VERSION: &str = "mizar.dev/v1";
/// What the document is.
pub const KIND: &str = "Bundle";

/// What a bundle may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest that the packed file may get, in bytes.
    pub size: u64,
    /// The longest that it may take.
    pub time: Duration,
    /// How many lines of each log are taken, the newest.
    pub log_lines: u32,
    /// How old they may be.
    pub log_age: Option<Duration>,
}

/// Why something is not in the bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Why {
    /// The cluster does not have it.
    Absent,
    /// We may not read it.
    Denied,
    /// It could not be read.
    Failed,
    /// Time was up first.
    Time,
    /// It did not fit any more.
    Size,
    /// It is one of many that say the same.
    Surplus,
}

/// Something that is not in the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Missing {
    /// What it is, by its place in the archive.
    pub what: String,
    /// Why it is not there.
    pub why: Why,
    /// The same in words.
    pub message: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.what, self.message)
    }
}

/// What a folder of the archive holds, or a file at its top.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// How many files.
    pub files: usize,
    /// How large they are unpacked.
    pub bytes: u64,
}

/// The index.
#[derive(Debug, Clone, PartialEq)]
pub struct Index {
    /// The version of this program.
    pub version: String,
    /// Why the bundle was taken.
    pub reason: String,
    /// The address of the API server.
    pub server: String,
    /// The namespace of the release.
    pub namespace: String,
    /// When it was begun, by the server's clock.
    pub taken_at: Timestamp,
    /// How long it took.
    pub elapsed: Duration,
    /// How many requests it took.
    pub requests: usize,
    /// What it might cost.
    pub limits: Limits,
    /// What is in it, by folder.
    pub contents: BTreeMap<String, Content>,
    /// What is not.
    pub missing: Vec<Missing>,
}

impl Index {
    /// Returns the document.
    #[must_use]
    pub fn document(&self) -> Value {
        let contents: Vec<Value> = self
            .contents
            .iter()
            .map(|(path, content)| json!({"path": path, "files": content.files, "bytes": content.bytes}))
            .collect();
        json!({
            "apiVersion": API_VERSION,
            "kind": KIND,
            "version": self.version,
            "reason": self.reason,
            "server": self.server,
            "namespace": self.namespace,
            "takenAt": self.taken_at,
            "elapsedSeconds": seconds(self.elapsed),
            "requests": self.requests,
            "limits": {
                "bytes": self.limits.size,
                "seconds": seconds(self.limits.time),
                "logLines": self.limits.log_lines,
                "logSeconds": self.limits.log_age.map(seconds),
            },
            "contents": contents,
            "missing": self.missing,
        })
    }

    /// What a person should know is missing: what the cluster does not have is no loss.
    pub fn lost(&self) -> impl Iterator<Item = &Missing> {
        self.missing.iter().filter(|missing| missing.why != Why::Absent)
    }
}

/// The folder under which a file is counted: the kind of an object, the pod of a log; a file at the top is on its own.
#[must_use]
pub fn folder_of(path: &str) -> &str {
    let ends: Vec<usize> = path.match_indices('/').map(|(at, _)| at).collect();
    match ends.as_slice() {
        [] => path,
        [one] => &path[..*one],
        [_, second, ..] => &path[..*second],
    }
}

fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> Index {
        Index {
            version: "0.1.0".into(),
            reason: "asked for".into(),
            server: "https://10.0.0.1:6443".into(),
            namespace: "mizar-system".into(),
            taken_at: "2026-03-01T12:00:00Z".parse().unwrap(),
            elapsed: Duration::from_micros(1_234_567),
            requests: 40,
            limits: Limits { size: 1 << 20, time: Duration::from_secs(120), log_lines: 100, log_age: None },
            contents: BTreeMap::from([("objects/nodes".into(), Content { files: 3, bytes: 300 })]),
            missing: vec![
                Missing {
                    what: "objects/vpcs.mizar.com".into(),
                    why: Why::Absent,
                    message: "not in this cluster".into(),
                },
                Missing { what: "logs".into(), why: Why::Denied, message: "you are not allowed".into() },
            ],
        }
    }

    #[test]
    fn the_document_says_what_is_there_and_what_is_not() {
        assert_eq!(
            index().document(),
            json!({
                "apiVersion": "mizar.dev/v1", "kind": "Bundle", "version": "0.1.0", "reason": "asked for",
                "server": "https://10.0.0.1:6443", "namespace": "mizar-system", "takenAt": "2026-03-01T12:00:00Z",
                "elapsedSeconds": 1.235, "requests": 40,
                "limits": {"bytes": 1_048_576, "seconds": 120.0, "logLines": 100, "logSeconds": null},
                "contents": [{"path": "objects/nodes", "files": 3, "bytes": 300}],
                "missing": [
                    {"what": "objects/vpcs.mizar.com", "why": "absent", "message": "not in this cluster"},
                    {"what": "logs", "why": "denied", "message": "you are not allowed"},
                ],
            })
        );
    }

    #[test]
    fn what_the_cluster_does_not_have_is_no_loss() {
        let lost: Vec<String> = index().lost().map(ToString::to_string).collect();
        assert_eq!(lost, ["logs: you are not allowed"]);
    }

    #[test]
    fn files_are_counted_by_folder() {
        for (path, folder) in [
            ("index.json", "index.json"),
            ("events/default.yaml", "events"),
            ("objects/pods/mizar-system/a.yaml", "objects/pods"),
            ("logs/mizar-daemon-x/main.log", "logs/mizar-daemon-x"),
        ] {
            assert_eq!(folder_of(path), folder);
        }
    }
}
