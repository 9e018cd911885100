//! All records of one release: which revision is last, which is deployed, which number comes next, and which records
//! may go. Gaps and damaged records are normal; they are reported and worked around.

use serde_json::Value;

use super::record::{Release, Status};
use super::secret::{RecordError, StoredRelease, from_secret, revision_of};

/// How many records Helm keeps of a release.
pub const DEFAULT_LIMIT: usize = 10;

/// The records of one release, oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// What could be read.
    pub records: Vec<StoredRelease>,
    /// What could not.
    pub damaged: Vec<RecordError>,
    /// The highest revision of all, damaged ones included.
    highest: u64,
}

impl History {
    /// Reads the records of the release `name` among these Secrets.
    #[must_use]
    pub fn from_secrets(name: &str, secrets: &[Value]) -> Self {
        let mut history = Self::default();
        let of_release = |secret: &&Value| {
            let label = |key: &str| secret.pointer("/metadata/labels")?.get(key)?.as_str();
            label("owner") == Some("helm") && label("name") == Some(name)
        };
        for secret in secrets.iter().filter(of_release) {
            history.highest = history.highest.max(revision_of(secret).unwrap_or(0));
            match from_secret(secret) {
                Ok(stored) => {
                    history.highest = history.highest.max(stored.release.revision);
                    history.records.push(stored);
                }
                Err(error) => history.damaged.push(error),
            }
        }
        history.records.sort_by_key(|stored| stored.release.revision);
        history
    }

    /// Whether the release was never recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.damaged.is_empty()
    }

    /// Returns the newest record.
    #[must_use]
    pub fn last(&self) -> Option<&StoredRelease> {
        self.records.last()
    }

    /// Returns the newest record that is what the cluster has.
    #[must_use]
    pub fn deployed(&self) -> Option<&StoredRelease> {
        self.all_deployed().next_back()
    }

    /// Returns every record that claims to be what the cluster has; a command that died may have left two.
    #[must_use = "iterators do nothing unless they are used"]
    pub fn all_deployed(&self) -> impl DoubleEndedIterator<Item = &StoredRelease> {
        self.records.iter().filter(|stored| stored.release.info.status == Status::Deployed)
    }

    /// Returns the newest record if a change is running, or was when its command died.
    #[must_use]
    pub fn pending(&self) -> Option<&StoredRelease> {
        self.last().filter(|stored| stored.release.info.status.is_pending())
    }

    /// Returns the record that a change starts from: what is deployed, or else what was last.
    #[must_use]
    pub fn base(&self) -> Option<&StoredRelease> {
        self.deployed().or_else(|| self.last())
    }

    /// Whether an installation of the release was ever completed.
    #[must_use]
    pub fn was_ever_deployed(&self) -> bool {
        self.records.iter().any(|stored| matches!(stored.release.info.status, Status::Deployed | Status::Superseded))
    }

    /// Returns the record of one revision.
    #[must_use]
    pub fn revision(&self, revision: u64) -> Option<&Release> {
        self.records.iter().map(|stored| &stored.release).find(|release| release.revision == revision)
    }

    /// Returns the number of the next revision.
    #[must_use]
    pub fn next_revision(&self) -> u64 {
        self.highest + 1
    }

    /// Returns the Secrets to delete before the next record, so that no more than `limit` remain with it: the oldest,
    /// but never what is deployed, nor the revision that a rollback `returns_to`: whoever finishes that reads it again. A
    /// limit of 0 keeps all.
    #[must_use]
    pub fn prune(&self, limit: usize, returns_to: Option<u64>) -> Vec<&StoredRelease> {
        if limit == 0 {
            return Vec::new();
        }
        let deployed = self.deployed().map(|stored| stored.release.revision);
        let surplus = self.records.len().saturating_sub(limit - 1);
        let is_kept = |revision: u64| [deployed, returns_to].contains(&Some(revision));
        self.records.iter().filter(|stored| !is_kept(stored.release.revision)).take(surplus).collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::release::secret::{Writing, to_secret};

    fn record(revision: u64, status: &str) -> Value {
        let release: Release = serde_json::from_value(json!({
            "name": "mizar", "namespace": "one", "version": revision, "info": {"status": status},
        }))
        .unwrap();
        to_secret(&release, Writing::New, Timestamp::UNIX_EPOCH).unwrap().into_value()
    }

    fn history(records: &[(u64, &str)]) -> History {
        let secrets: Vec<Value> = records.iter().map(|(revision, status)| record(*revision, status)).collect();
        History::from_secrets("mizar", &secrets)
    }

    fn revision(stored: Option<&StoredRelease>) -> Option<u64> {
        stored.map(|stored| stored.release.revision)
    }

    #[test]
    fn a_release_without_records_starts_at_one() {
        let none = history(&[]);
        assert!(none.is_empty() && none.base().is_none() && !none.was_ever_deployed());
        assert_eq!(none.next_revision(), 1);
    }

    #[test]
    fn revisions_are_sorted_as_numbers() {
        let history = history(&[(10, "deployed"), (9, "superseded"), (11, "failed")]);
        assert_eq!(revision(history.last()), Some(11));
        assert_eq!(revision(history.deployed()), Some(10));
        assert_eq!(revision(history.base()), Some(10));
        assert_eq!(history.next_revision(), 12);
        assert!(history.revision(9).is_some() && history.revision(8).is_none());
    }

    #[test]
    fn a_change_that_never_ended_is_pending() {
        assert_eq!(revision(history(&[(1, "deployed"), (2, "pending-upgrade")]).pending()), Some(2));
        assert_eq!(history(&[(1, "pending-install"), (2, "deployed")]).pending(), None);
        assert!(!history(&[(1, "pending-install")]).was_ever_deployed());
    }

    #[test]
    fn of_two_deployed_records_the_newest_counts() {
        let history = history(&[(1, "deployed"), (2, "deployed")]);
        assert_eq!(revision(history.deployed()), Some(2));
        assert_eq!(history.all_deployed().count(), 2);
    }

    #[test]
    fn a_damaged_record_takes_its_number_and_hides_nothing_else() {
        let mut damaged = record(5, "deployed");
        damaged["data"]["release"] = json!("broken");
        let history = History::from_secrets("mizar", &[record(4, "deployed"), damaged]);
        assert_eq!((history.records.len(), history.damaged.len()), (1, 1));
        assert_eq!(history.next_revision(), 6);
        assert!(history.damaged[0].to_string().contains("one/sh.helm.release.v1.mizar.v5"));
    }

    #[test]
    fn records_of_other_releases_and_other_secrets_are_left_out() {
        let mut other = record(1, "deployed");
        other["metadata"]["labels"]["name"] = json!("other");
        let plain = json!({"metadata": {"name": "mizar"}});
        assert!(History::from_secrets("mizar", &[other, plain]).is_empty());
    }

    #[test]
    fn the_oldest_records_go_and_the_deployed_one_stays() {
        let many: Vec<(u64, &str)> =
            (1..=12).map(|revision| (revision, if revision == 2 { "deployed" } else { "failed" })).collect();
        let history = history(&many);
        let gone: Vec<u64> = history.prune(DEFAULT_LIMIT, None).iter().map(|stored| stored.release.revision).collect();
        assert_eq!(gone, [1, 3, 4]);
        assert!(history.prune(0, None).is_empty());
        assert!(history.prune(20, None).is_empty());
    }

    #[test]
    fn what_a_rollback_returns_to_stays_for_the_run_that_finishes_it() {
        let history = history(&[(3, "superseded"), (4, "superseded"), (5, "deployed")]);
        let gone: Vec<u64> = history.prune(2, Some(3)).iter().map(|stored| stored.release.revision).collect();
        assert_eq!(gone, [4]);
    }
}
