//! The API server's audit log as typed entries: who asked for what, and what was answered.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The log cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the audit log {}", path.display())]
pub struct AuditError {
    path: PathBuf,
    source: io::Error,
}

/// A place in the audit log: entries from here on can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditMark(u64);

/// One request and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// The server's own id of the request.
    pub id: String,
    /// Who asked.
    pub user: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`, …
    pub verb: String,
    /// The group of the resource, empty for the core group and for what is no resource.
    pub group: String,
    /// The plural of the resource, empty for what is no resource.
    pub resource: String,
    /// `status`, `log`, … or empty.
    pub subresource: String,
    /// The namespace, or empty.
    pub namespace: String,
    /// The object's name, or empty.
    pub name: String,
    /// The path with its query.
    pub uri: String,
    /// What the client calls itself.
    pub user_agent: String,
    /// The answer's status code; 0 while there is none.
    pub code: u16,
    /// When it was received, as the server wrote it.
    pub received: String,
}

impl AuditEntry {
    /// Whether it could change something: not a read, and not a question about one's own rights.
    pub fn is_write(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch" | "head" | "options")
            && !self.resource.starts_with("selfsubject")
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(rename = "auditID")]
    audit_id: String,
    #[serde(default)]
    user: User,
    verb: String,
    #[serde(default, rename = "requestURI")]
    request_uri: String,
    #[serde(default)]
    user_agent: String,
    #[serde(default)]
    object_ref: ObjectRef,
    #[serde(default)]
    response_status: Status,
    #[serde(default)]
    request_received_timestamp: String,
}

#[derive(Default, Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ObjectRef {
    api_group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    code: u16,
}

impl From<Line> for AuditEntry {
    fn from(line: Line) -> Self {
        Self {
            id: line.audit_id,
            user: line.user.username,
            verb: line.verb,
            group: line.object_ref.api_group,
            resource: line.object_ref.resource,
            subresource: line.object_ref.subresource,
            namespace: line.object_ref.namespace,
            name: line.object_ref.name,
            uri: line.request_uri,
            user_agent: line.user_agent,
            code: line.response_status.code,
            received: line.request_received_timestamp,
        }
    }
}

/// Some entries of the log, in the order in which they were received.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditTrail {
    entries: Vec<AuditEntry>,
}

impl FromIterator<AuditEntry> for AuditTrail {
    fn from_iter<Entries: IntoIterator<Item = AuditEntry>>(entries: Entries) -> Self {
        Self { entries: entries.into_iter().collect() }
    }
}

impl AuditTrail {
    /// The entries.
    pub fn entries(&self) -> &[AuditEntry] {
        &self.entries
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Those for which `keep` holds.
    #[must_use]
    pub fn filter(&self, keep: impl Fn(&AuditEntry) -> bool) -> Self {
        Self { entries: self.entries.iter().filter(|entry| keep(entry)).cloned().collect() }
    }

    /// Those of one user.
    #[must_use]
    pub fn by(&self, user: impl std::fmt::Display) -> Self {
        let user = user.to_string();
        self.filter(|entry| entry.user == user)
    }

    /// Those whose client calls itself something that begins so.
    #[must_use]
    pub fn agent(&self, prefix: &str) -> Self {
        self.filter(|entry| entry.user_agent.starts_with(prefix))
    }

    /// Those with this verb.
    #[must_use]
    pub fn verb(&self, verb: &str) -> Self {
        self.filter(|entry| entry.verb == verb)
    }

    /// Those about this resource (its plural).
    #[must_use]
    pub fn resource(&self, plural: &str) -> Self {
        self.filter(|entry| entry.resource == plural)
    }

    /// Those that could change something.
    #[must_use]
    pub fn writes(&self) -> Self {
        self.filter(AuditEntry::is_write)
    }

    /// One line per kind of request with its number, for the message of a failed assertion.
    pub fn summary(&self) -> String {
        let mut numbers = std::collections::BTreeMap::<String, usize>::new();
        for entry in &self.entries {
            let about = if entry.resource.is_empty() { &entry.uri } else { &entry.resource };
            let slash = if entry.subresource.is_empty() { "" } else { "/" };
            *numbers
                .entry(format!("{} {about}{slash}{} {}", entry.verb, entry.subresource, entry.code))
                .or_default() += 1;
        }
        numbers.iter().map(|(request, number)| format!("{number:>5}  {request}")).collect::<Vec<_>>().join("\n")
    }
}

/// The end of the log.
pub(crate) fn mark(log: &Path) -> Result<AuditMark, AuditError> {
    let length = std::fs::metadata(log).map(|metadata| metadata.len());
    length.map(AuditMark).map_err(|source| AuditError { path: log.to_owned(), source })
}

/// The entries after a mark.
pub(crate) fn read(log: &Path, since: AuditMark) -> Result<AuditTrail, AuditError> {
    let open = || {
        let mut file = File::open(log)?;
        file.seek(SeekFrom::Start(since.0))?;
        parse(BufReader::new(file))
    };
    open().map_err(|source| AuditError { path: log.to_owned(), source })
}

/// A watch is logged when it begins and again when it ends: the later line counts, in the place of the first.
fn parse(lines: impl BufRead) -> io::Result<AuditTrail> {
    let mut places = std::collections::HashMap::<String, usize>::new();
    let mut entries: Vec<AuditEntry> = Vec::new();
    for line in lines.lines() {
        // A line that is being written right now belongs to the next reading.
        let Ok(line) = serde_json::from_str::<Line>(&line?) else { continue };
        let entry = AuditEntry::from(line);
        if let Some(&place) = places.get(&entry.id) {
            entries[place] = entry;
        } else {
            places.insert(entry.id.clone(), entries.len());
            entries.push(entry);
        }
    }
    Ok(AuditTrail { entries })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = r#"{"kind":"Event","auditID":"1","stage":"ResponseStarted","requestURI":"/api/v1/pods?watch=1","verb":"watch","user":{"username":"checker"},"userAgent":"kubectl-mizar/1 check","objectRef":{"resource":"pods","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":200}}
{"kind":"Event","auditID":"2","stage":"ResponseComplete","requestURI":"/apis/authorization.k8s.io/v1/selfsubjectaccessreviews","verb":"create","user":{"username":"checker"},"userAgent":"kubectl-mizar/1 check","objectRef":{"resource":"selfsubjectaccessreviews","apiGroup":"authorization.k8s.io"},"responseStatus":{"code":201}}
{"kind":"Event","auditID":"1","stage":"ResponseComplete","requestURI":"/api/v1/pods?watch=1","verb":"watch","user":{"username":"checker"},"userAgent":"kubectl-mizar/1 check","objectRef":{"resource":"pods"},"responseStatus":{"code":200}}
{"kind":"Event","auditID":"3","stage":"ResponseComplete","requestURI":"/api/v1/nodes/a/status","verb":"patch","user":{"username":"nobody"},"objectRef":{"resource":"nodes","name":"a","subresource":"status"},"responseStatus":{"code":403}}
{"kind":"Event","auditID":"4","sta"#;

    #[test]
    fn a_watch_counts_once_and_a_half_written_line_not_at_all() {
        let trail = parse(LOG.as_bytes()).unwrap();
        assert_eq!(trail.count(), 3);
        assert_eq!(trail.verb("watch").count(), 1);
        assert_eq!(trail.by("checker").agent("kubectl-mizar/").count(), 2);
    }

    #[test]
    fn a_question_about_own_rights_is_not_a_write_and_a_refused_patch_is_one() {
        let writes = parse(LOG.as_bytes()).unwrap().writes();
        assert_eq!(writes.count(), 1);
        assert_eq!(writes.entries()[0].code, 403);
        assert_eq!(writes.summary(), "    1  patch nodes/status 403");
    }
}
