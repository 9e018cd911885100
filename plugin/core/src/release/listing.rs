//! What was recorded of releases, revision by revision, as people and programs are shown it.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::history::History;
use super::record::{Release, Status};

/// One revision of one release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// The number of the revision, counted from 1.
    pub revision: u64,
    /// When it was deployed, or tried to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated: Option<Timestamp>,
    /// What became of it, in Helm's words.
    pub status: Status,
    /// The chart, `mizar-0.1.0`.
    pub chart: String,
    /// What the chart says it installs; blank if it says nothing.
    pub app_version: String,
    /// A sentence about the state.
    pub description: String,
}

impl Listed {
    fn of(release: &Release) -> Self {
        let app_version = release.chart.metadata.get("appVersion").and_then(Value::as_str).unwrap_or_default();
        Self {
            release: release.name.clone(),
            namespace: release.namespace.clone(),
            revision: release.revision,
            updated: release.info.last_deployed,
            status: release.info.status,
            chart: release.chart.label(),
            app_version: app_version.to_owned(),
            description: release.info.description.clone(),
        }
    }
}

/// Lists all revisions that can be read: release by release, oldest first.
#[must_use]
pub fn listed<'a>(histories: impl IntoIterator<Item = &'a History>) -> Vec<Listed> {
    histories.into_iter().flat_map(|history| &history.records).map(|stored| Listed::of(&stored.release)).collect()
}

/// Returns the same for programs.
#[must_use]
pub fn document(listed: &[Listed]) -> Value {
    json!({"apiVersion": "mizar.dev/v1", "kind": "History", "items": listed})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::secret::{Writing, to_secret};

    fn history() -> History {
        let record = |revision: u64, status: &str| {
            let release = serde_json::from_value::<Release>(json!({
                "name": "mizar", "namespace": "mizar-system", "version": revision,
                "info": {"status": status, "last_deployed": "2026-11-20T10:00:00Z", "description": "Install complete"},
                "chart": {"metadata": {"name": "mizar", "version": "0.1.0", "appVersion": "0.91"}},
            }))
            .unwrap();
            to_secret(&release, Writing::New, Timestamp::UNIX_EPOCH).unwrap().into_value()
        };
        History::from_secrets("mizar", &[record(2, "deployed"), record(1, "superseded")])
    }

    #[test]
    fn revisions_are_listed_oldest_first_with_what_helm_would_say() {
        let listed = listed([&history()]);
        let first = &listed[0];
        assert_eq!(listed.iter().map(|it| it.revision).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((first.chart.as_str(), first.app_version.as_str()), ("mizar-0.1.0", "0.91"));
        assert_eq!((first.status, first.description.as_str()), (Status::Superseded, "Install complete"));
    }

    #[test]
    fn programs_get_camel_case_and_helms_words() {
        let document = document(&listed([&history()]));
        assert_eq!(document["kind"], "History");
        assert_eq!(
            document["items"][1],
            json!({
                "release": "mizar", "namespace": "mizar-system", "revision": 2, "updated": "2026-11-20T10:00:00Z",
                "status": "deployed", "chart": "mizar-0.1.0", "appVersion": "0.91", "description": "Install complete",
            })
        );
    }
}
