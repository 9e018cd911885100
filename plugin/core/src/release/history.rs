//! All revisions of one release.

use super::Release;
use super::Status;

/// How many revisions are kept, as Helm's `--history-max`.
pub const HISTORY_LIMIT: usize = 10;

/// The revisions of one release, oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History(Vec<Release>);

impl History {
    /// Sorts the revisions of `name`; others are dropped.
    #[must_use]
    pub fn of(name: &str, releases: impl IntoIterator<Item = Release>) -> Self {
        let mut revisions: Vec<Release> = releases.into_iter().filter(|release| release.name == name).collect();
        revisions.sort_by_key(|release| release.revision);
        Self(revisions)
    }

    /// All revisions, oldest first.
    #[must_use]
    pub fn revisions(&self) -> &[Release] {
        &self.0
    }

    /// The newest revision, whatever its status.
    #[must_use]
    pub fn last(&self) -> Option<&Release> {
        self.0.last()
    }

    /// The newest deployed revision: what runs.
    #[must_use]
    pub fn deployed(&self) -> Option<&Release> {
        self.0.iter().rev().find(|release| release.status == Status::Deployed)
    }

    /// What a change starts from: what is deployed, else the newest that was not uninstalled.
    #[must_use]
    pub fn base(&self) -> Option<&Release> {
        self.deployed().or_else(|| self.last().filter(|last| last.status != Status::Uninstalled))
    }

    /// The revisions to delete before another is written, so that no more than `limit` remain; never the deployed one.
    #[must_use]
    pub fn surplus(&self, limit: usize) -> Vec<&Release> {
        let deployed = self.deployed().map(|release| release.revision);
        let too_many = (self.0.len() + 1).saturating_sub(limit.max(1));
        self.0.iter().filter(|release| Some(release.revision) != deployed).take(too_many).collect()
    }
}
