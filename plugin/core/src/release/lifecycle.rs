//! The states that a record goes through, with the words that Helm uses for them, so that `helm history` reads the same
//! whoever did it. Every step takes a record and gives the next one; writing it is left to the caller.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::record::{ChartRecord, HookRecord, Info, Release, SERVER_SIDE_APPLY, Status};

/// How much of the reason of a failure a record keeps, in characters: it must still fit into its Secret.
const LONGEST_REASON: usize = 2_000;

/// What a new revision consists of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewRelease {
    /// The name of the release.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The chart.
    pub chart: ChartRecord,
    /// Values that differ from the chart's own.
    pub config: Map<String, Value>,
    /// What is going to be applied.
    pub manifest: String,
    /// What runs around it.
    pub hooks: Vec<HookRecord>,
    /// What the chart says to the person.
    pub notes: String,
    /// Labels for the record.
    pub labels: BTreeMap<String, String>,
}

impl Release {
    /// Returns the record of an installation that begins now.
    #[must_use]
    pub fn begin_install(new: NewRelease, revision: u64, now: Timestamp) -> Self {
        Self::begin(new, revision, Status::PendingInstall, "Initial install underway".to_owned(), now, now)
    }

    /// Returns the record of an upgrade that begins now, from what is deployed or, failing that, was last.
    #[must_use]
    pub fn begin_upgrade(base: &Self, new: NewRelease, revision: u64, now: Timestamp) -> Self {
        let mut labels = base.labels.clone();
        labels.extend(new.labels.clone());
        let first = base.info.first_deployed.unwrap_or(now);
        let new = NewRelease { labels, ..new };
        Self::begin(new, revision, Status::PendingUpgrade, "Preparing upgrade".to_owned(), first, now)
    }

    /// Returns the record of a return to an earlier revision that begins now.
    #[must_use]
    pub fn begin_rollback(target: &Self, current: &Self, revision: u64, now: Timestamp) -> Self {
        let new = NewRelease {
            name: target.name.clone(),
            namespace: target.namespace.clone(),
            chart: target.chart.clone(),
            config: target.config.clone(),
            manifest: target.manifest.clone(),
            hooks: target.hooks.clone(),
            notes: target.info.notes.clone(),
            labels: target.labels.clone(),
        };
        let first = current.info.first_deployed.unwrap_or(now);
        let description = format!("Rollback to {}", target.revision);
        Self::begin(new, revision, Status::PendingRollback, description, first, now)
    }

    fn begin(
        new: NewRelease,
        revision: u64,
        status: Status,
        description: String,
        first_deployed: Timestamp,
        now: Timestamp,
    ) -> Self {
        Self {
            name: new.name,
            info: Info {
                first_deployed: Some(first_deployed),
                last_deployed: Some(now),
                deleted: None,
                description,
                status,
                notes: new.notes,
                other: Map::new(),
            },
            chart: new.chart,
            config: new.config,
            manifest: new.manifest,
            hooks: new.hooks,
            revision,
            namespace: new.namespace,
            apply_method: SERVER_SIDE_APPLY.to_owned(),
            labels: new.labels,
            other: Map::new(),
        }
    }

    /// Returns the record once everything is in place.
    #[must_use]
    pub fn deployed(mut self) -> Self {
        match self.info.status {
            Status::PendingUpgrade => "Upgrade complete".clone_into(&mut self.info.description),
            // It goes on saying to which revision it returned.
            Status::PendingRollback => {}
            _ => "Install complete".clone_into(&mut self.info.description),
        }
        self.info.status = Status::Deployed;
        self
    }

    /// Returns the record of a change that did not succeed.
    #[must_use]
    pub fn failed(mut self, why: &str) -> Self {
        let what = match self.info.status {
            Status::PendingUpgrade => "Upgrade",
            Status::PendingRollback => "Rollback",
            _ => "Release",
        };
        let mut why: String = why.chars().take(LONGEST_REASON + 1).collect();
        if why.chars().count() > LONGEST_REASON {
            why.pop();
            why.push('…');
        }
        self.info.description = format!("{what} \"{}\" failed: {why}", self.name);
        self.info.status = Status::Failed;
        self
    }

    /// Returns the record once a later revision has taken its place.
    #[must_use]
    pub fn superseded(mut self) -> Self {
        self.info.status = Status::Superseded;
        self
    }

    /// Returns the record of a release that is being removed.
    #[must_use]
    pub fn begin_uninstall(mut self, now: Timestamp) -> Self {
        self.info.status = Status::Uninstalling;
        self.info.deleted = Some(now);
        "Deletion in progress (or silently failed)".clone_into(&mut self.info.description);
        self
    }

    /// Returns the record of a release that has been removed, if it is kept at all.
    #[must_use]
    pub fn uninstalled(mut self) -> Self {
        self.info.status = Status::Uninstalled;
        "Uninstallation complete".clone_into(&mut self.info.description);
        self
    }

    /// Notes that a hook has begun.
    pub fn hook_started(&mut self, path: &str, name: &str, now: Timestamp) {
        if let Some(hook) = self.hook(path, name) {
            hook.last_run.started_at = Some(now);
            hook.last_run.completed_at = None;
            "Running".clone_into(&mut hook.last_run.phase);
        }
    }

    /// Notes that a hook has ended.
    pub fn hook_finished(&mut self, path: &str, name: &str, succeeded: bool, now: Timestamp) {
        if let Some(hook) = self.hook(path, name) {
            hook.last_run.completed_at = Some(now);
            (if succeeded { "Succeeded" } else { "Failed" }).clone_into(&mut hook.last_run.phase);
        }
    }

    fn hook(&mut self, path: &str, name: &str) -> Option<&mut HookRecord> {
        self.hooks.iter_mut().find(|hook| hook.path == path && hook.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn new() -> NewRelease {
        let hook = HookRecord {
            name: "vpc0".to_owned(),
            path: "mizar/templates/network/vpc.yaml".to_owned(),
            ..HookRecord::default()
        };
        NewRelease {
            name: "mizar".to_owned(),
            namespace: "mizar-system".to_owned(),
            manifest: "one".to_owned(),
            hooks: vec![hook],
            labels: [("team".to_owned(), "net".to_owned())].into(),
            ..NewRelease::default()
        }
    }

    fn says(release: &Release) -> (Status, &str) {
        (release.info.status, release.info.description.as_str())
    }

    #[test]
    fn an_installation_ends_deployed_or_failed() {
        let begun = Release::begin_install(new(), 1, at(1));
        assert_eq!(says(&begun), (Status::PendingInstall, "Initial install underway"));
        assert_eq!(begun.apply_method, "ssa");
        assert_eq!(says(&begun.clone().deployed()), (Status::Deployed, "Install complete"));
        let failed = begun.clone().failed("no node");
        assert_eq!(says(&failed), (Status::Failed, "Release \"mizar\" failed: no node"));
        let long = begun.failed(&"é".repeat(5_000)).info.description;
        assert!(long.ends_with("é…") && long.chars().count() < 2_100, "a record keeps to its Secret");
    }

    #[test]
    fn an_upgrade_keeps_the_first_time_and_the_labels() {
        let base = Release::begin_install(new(), 1, at(1)).deployed();
        let two = NewRelease { labels: BTreeMap::new(), ..new() };
        let begun = Release::begin_upgrade(&base, two, 2, at(9));
        assert_eq!(says(&begun), (Status::PendingUpgrade, "Preparing upgrade"));
        assert_eq!((begun.info.first_deployed, begun.info.last_deployed), (Some(at(1)), Some(at(9))));
        assert_eq!(begun.labels["team"], "net");
        assert_eq!(says(&begun.clone().deployed()), (Status::Deployed, "Upgrade complete"));
        assert_eq!(says(&begun.failed("x")), (Status::Failed, "Upgrade \"mizar\" failed: x"));
        assert_eq!(says(&base.superseded()), (Status::Superseded, "Install complete"));
    }

    #[test]
    fn a_rollback_says_where_it_went_and_is_applied_our_way() {
        let mut target = Release::begin_install(new(), 1, at(1)).deployed();
        target.apply_method = String::new();
        let current = Release::begin_upgrade(&target, NewRelease { manifest: "two".to_owned(), ..new() }, 2, at(2));
        let begun = Release::begin_rollback(&target, &current, 3, at(3));
        assert_eq!((begun.manifest.as_str(), begun.apply_method.as_str()), ("one", "ssa"));
        assert_eq!(says(&begun.deployed()), (Status::Deployed, "Rollback to 1"));
    }

    #[test]
    fn an_uninstallation_notes_when() {
        let going = Release::begin_install(new(), 1, at(1)).deployed().begin_uninstall(at(5));
        assert_eq!(says(&going), (Status::Uninstalling, "Deletion in progress (or silently failed)"));
        assert_eq!(going.info.deleted, Some(at(5)));
        assert_eq!(says(&going.uninstalled()), (Status::Uninstalled, "Uninstallation complete"));
    }

    #[test]
    fn hooks_remember_their_run() {
        let mut release = Release::begin_install(new(), 1, at(1));
        release.hook_started("mizar/templates/network/vpc.yaml", "vpc0", at(2));
        assert_eq!(release.hooks[0].last_run.phase, "Running");
        release.hook_finished("mizar/templates/network/vpc.yaml", "vpc0", true, at(3));
        assert_eq!(release.hooks[0].last_run.phase, "Succeeded");
        assert_eq!(release.hooks[0].last_run.completed_at, Some(at(3)));
        release.hook_started("mizar/templates/network/vpc.yaml", "absent", at(2));
    }
}
