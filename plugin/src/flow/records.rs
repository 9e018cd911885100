//! Helm's records in the cluster: reading all revisions of our two releases, and writing the steps of a revision's life.

use jiff::Timestamp;
use mizar_core::object::ObjectRef;
use mizar_core::operation::Operation;
use mizar_core::release::record::CLIENT_SIDE_APPLY;
use mizar_core::release::secret::{Writing, to_secret};
use mizar_core::release::size::too_large;
use mizar_core::release::{History, NewRelease, RecordError, Release, Status, StoredRelease};
use serde_json::{Value, json};

use super::releases;
use super::run::Run;
use crate::cluster::read::Listing;
use crate::cluster::write::Commit;
use crate::cluster::{ApiFailure, Cause, Cluster};
use crate::failure::{Failure, Kind};

/// Our two releases, in the order in which they are installed.
pub(crate) const NAMES: [&str; 2] = ["mizar-crds", "mizar"];

/// The namespace of the releases, unless `-n` names another or a record is found elsewhere.
pub(crate) const DEFAULT_NAMESPACE: &str = "mizar-system";

/// Helm's own name as the manager of its records.
const RECORD_MANAGER: &str = "Helm";

/// What is recorded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Records {
    /// The history of `mizar-crds`, then of `mizar`.
    pub histories: [History; 2],
    /// The Secrets without their data, for whoever wants to know which there are.
    pub secrets: Vec<Value>,
    /// The namespace they are in.
    pub namespace: Option<String>,
}

/// Reads the records to look at them: of one namespace if it is named, else of all; damaged ones stay among the others.
pub(crate) async fn look(cluster: &Cluster, namespace: Option<&str>) -> Result<[History; 2], Failure> {
    let secrets = list(cluster, &releases::place(cluster, namespace).await?).await?;
    Ok(NAMES.map(|name| History::from_secrets(name, &secrets)))
}

/// What people are told who ask for records where there are none.
pub(crate) fn none_recorded(namespace: Option<&str>) -> Failure {
    let place = namespace.map_or_else(|| "in the cluster".to_owned(), |namespace| format!("in namespace {namespace}"));
    let failure = Failure::new(Kind::Failed, format!("no release of Mizar is recorded {place}"));
    let failure = if namespace.is_some() { failure.hint("leave out -n to look into all namespaces") } else { failure };
    failure.hint("see what runs all the same: kubectl mizar status")
}

/// Reads the records of all namespaces to change what they tell of; of `namespace` alone if that is all that we may.
pub(crate) async fn read(cluster: &Cluster, namespace: &str) -> Result<Records, Failure> {
    let own = format!("/api/v1/namespaces/{namespace}/secrets");
    let secrets = match list(cluster, "/api/v1/secrets").await {
        Err(failure) if matches!(failure.cause, Cause::Forbidden(_)) => list(cluster, &own).await?,
        listed => listed?,
    };
    let histories = NAMES.map(|name| History::from_secrets(name, &secrets));
    refuse_damaged(&histories)?;
    let mut namespaces: Vec<String> =
        histories.iter().flat_map(|history| &history.records).map(|stored| stored.release.namespace.clone()).collect();
    namespaces.sort();
    namespaces.dedup();
    if namespaces.len() > 1 {
        let message = format!("Mizar is recorded in several namespaces: {}", namespaces.join(", "));
        return Err(Failure::new(Kind::Refused, message).hint("look at them: helm list -A"));
    }
    let secrets = secrets.iter().map(|secret| json!({"metadata": secret["metadata"]})).collect();
    Ok(Records { histories, secrets, namespace: namespaces.pop() })
}

/// Helm skips what it cannot read. We must not plan over a release that we cannot see.
fn refuse_damaged(histories: &[History]) -> Result<(), Failure> {
    let damaged: Vec<&RecordError> = histories.iter().flat_map(|history| &history.damaged).collect();
    if damaged.is_empty() {
        return Ok(());
    }
    let mut failure = Failure::new(Kind::Refused, "a release record cannot be read; nothing was changed");
    for error in damaged {
        failure = failure.detail(error.to_string());
    }
    Err(failure
        .hint("see all records: kubectl get secrets -A -l owner=helm")
        .hint("restore it from a backup; or, if the revision before it may count as the last, delete that Secret"))
}

async fn list(cluster: &Cluster, path: &str) -> Result<Vec<Value>, ApiFailure> {
    let labels = format!("owner=helm,name in ({})", NAMES.join(","));
    let listing = Listing { path, noun: "secrets", labels: &labels, fields: "", page_limit: 20, metadata_only: false };
    let mut secrets = Vec::new();
    cluster.items(&listing, |secret| secrets.push(secret)).await?;
    Ok(secrets)
}

/// A revision that is being written.
pub(crate) struct Revision {
    release: Release,
    resource_version: String,
}

/// Refuses, before anything is changed, what could not be recorded.
pub(crate) fn refuse_too_large<'a>(
    histories: &[History],
    contents: impl Iterator<Item = &'a NewRelease>,
) -> Result<(), Failure> {
    let now = Timestamp::now();
    for (history, content) in histories.iter().zip(contents) {
        let earlier = complete(history).map(|stored| &stored.release);
        if let Some(too_large) = too_large(&fresh(earlier, content.clone(), history.next_revision(), now)) {
            return Err(Failure::new(Kind::Refused, format!("{too_large}; nothing was changed"))
                .hint("take out of the chart what no template reads (name it in .helmignore), and large texts out of the values"));
        }
    }
    Ok(())
}

/// Writes that a revision is under way: a new one, or the one that an earlier run left unfinished. The oldest ones go
/// first, as with Helm.
pub(crate) async fn begin(
    run: &Run,
    history: &History,
    ours: Option<u64>,
    content: NewRelease,
    returns_to: Option<u64>,
) -> Result<Revision, Failure> {
    let cluster = run.cluster();
    let now = cluster.now();
    let earlier = complete(history).map(|stored| &stored.release);
    let target = returns_to.and_then(|revision| history.records.iter().find(|it| it.release.revision == revision));
    let fresh = |revision| match (target, earlier.or_else(|| history.last().map(|last| &last.release))) {
        (Some(target), Some(current)) => Release::begin_rollback(&target.release, current, revision, now),
        _ => fresh(earlier, content, revision, now),
    };
    if let Some(stored) = unfinished(history, ours) {
        let fresh = fresh(stored.release.revision);
        let mut revision =
            Revision { release: fresh, resource_version: stored.resource_version.clone().unwrap_or_default() };
        revision.save(cluster).await?;
        return Ok(revision);
    }
    let release = fresh(history.next_revision());
    let secret = to_secret(&release, Writing::New, now)?;
    for surplus in history.prune(run.history_max, returns_to) {
        delete(cluster, surplus).await?;
    }
    let stored = cluster.create(&secret, RECORD_MANAGER, Commit::Store).await?;
    let mut revision = Revision { release, resource_version: String::new() };
    revision.take_answer(&stored);
    Ok(revision)
}

fn fresh(earlier: Option<&Release>, content: NewRelease, revision: u64, now: Timestamp) -> Release {
    match earlier {
        Some(earlier) => Release::begin_upgrade(earlier, content, revision, now),
        None => Release::begin_install(content, revision, now),
    }
}

/// The newest revision that was ever complete: a process may have died between superseding the old one and calling the
/// new one deployed.
fn complete(history: &History) -> Option<&StoredRelease> {
    let superseded = |stored: &&StoredRelease| stored.release.info.status == Status::Superseded;
    history.deployed().or_else(|| history.records.iter().rev().find(superseded))
}

/// The newest revision, if it was begun by our own earlier run, which is `ours`, and did not come to its end.
fn unfinished(history: &History, ours: Option<u64>) -> Option<&StoredRelease> {
    let status = |stored: &StoredRelease| stored.release.info.status;
    history.last().filter(|last| {
        ours == Some(last.release.revision) && (status(last).is_pending() || status(last) == Status::Failed)
    })
}

/// Refuses to go on where Helm is at work, or died, or left what only it understands: as Helm does itself.
pub(crate) fn refuse_pending(records: &Records, ours: impl Fn(&str) -> Option<u64>) -> Result<(), Failure> {
    for (name, history) in NAMES.iter().zip(&records.histories) {
        let Some(last) = history.last().filter(|last| ours(name) != Some(last.release.revision)) else { continue };
        let Some((what, hint)) = unsettled(last.release.info.status) else { continue };
        let (revision, namespace) = (last.release.revision, &last.release.namespace);
        let message = format!("revision {revision} of release {name} {what}; nothing was changed");
        let hint = hint.replace("NAMESPACE", namespace).replace("NAME", name);
        return Err(Failure::new(Kind::Refused, message).hint(hint));
    }
    Ok(())
}

/// What keeps a release of this status from being changed, and how to end it.
fn unsettled(status: Status) -> Option<(String, &'static str)> {
    let at_work = format!("is {status}: Helm is at work on it, or died");
    match status {
        Status::PendingInstall | Status::PendingUpgrade | Status::PendingRollback => {
            Some((at_work, "if no Helm is running: helm -n NAMESPACE rollback NAME"))
        }
        Status::Uninstalling => {
            Some((at_work, "if no Helm is running, have it finish: helm -n NAMESPACE uninstall NAME"))
        }
        Status::Unknown => Some((
            "has a status that this version of kubectl-mizar does not know".to_owned(),
            "see what Helm makes of it: helm -n NAMESPACE status NAME",
        )),
        Status::Deployed | Status::Uninstalled | Status::Superseded | Status::Failed => None,
    }
}

/// Whether a revision is deployed with exactly this content.
pub(crate) fn is_recorded(history: &History, content: &NewRelease) -> bool {
    history.last().map(|stored| &stored.release).is_some_and(|last| {
        last.info.status == Status::Deployed
            && last.manifest == content.manifest
            && last.config == content.config
            && last.chart.metadata["version"] == content.chart.metadata["version"]
    })
}

/// The revision that a change writes: a new one, or the unfinished one.
pub(crate) fn revision_of(history: &History, ours: Option<u64>) -> u64 {
    unfinished(history, ours).map_or_else(|| history.next_revision(), |last| last.release.revision)
}

/// Writes of what a change that was given up was writing that it failed.
pub(crate) async fn give_up(cluster: &Cluster, records: &Records, stopped: &Operation) -> Result<(), Failure> {
    for (name, history) in NAMES.iter().zip(&records.histories) {
        let ours = stopped.intent.releases.get(*name).copied();
        let Some(stored) = unfinished(history, ours).filter(|stored| stored.release.info.status.is_pending()) else {
            continue;
        };
        let version = stored.resource_version.clone().unwrap_or_default();
        Revision { release: stored.release.clone(), resource_version: version }.failed(cluster, "given up").await?;
    }
    Ok(())
}

impl Revision {
    /// Writes that it is done; what was deployed before is superseded first, as Helm does it.
    pub(crate) async fn deployed(mut self, cluster: &Cluster, history: &History) -> Result<(), Failure> {
        for earlier in history.all_deployed().filter(|stored| stored.release.revision != self.release.revision) {
            let mut earlier = Self {
                release: earlier.release.clone().superseded(),
                resource_version: earlier.resource_version.clone().unwrap_or_default(),
            };
            earlier.save(cluster).await?;
        }
        let (began, now) = (self.release.info.last_deployed.unwrap_or_default(), cluster.now());
        let hooks: Vec<(String, String)> =
            self.release.hooks.iter().map(|hook| (hook.path.clone(), hook.name.clone())).collect();
        for (path, name) in hooks {
            self.release.hook_started(&path, &name, began);
            self.release.hook_finished(&path, &name, true, now);
        }
        self.release = self.release.deployed();
        self.save(cluster).await
    }

    /// Writes that it went wrong.
    pub(crate) async fn failed(mut self, cluster: &Cluster, why: &str) -> Result<(), Failure> {
        self.release = self.release.failed(why);
        self.save(cluster).await
    }

    async fn save(&mut self, cluster: &Cluster) -> Result<(), Failure> {
        let writing = Writing::Again { resource_version: &self.resource_version };
        let secret = to_secret(&self.release, writing, cluster.now())?;
        let stored = cluster.replace(&secret, RECORD_MANAGER, None).await?;
        self.take_answer(&stored);
        Ok(())
    }

    /// Notes what the server answered to a write of the record.
    fn take_answer(&mut self, stored: &Value) {
        stored["metadata"]["resourceVersion"].as_str().unwrap_or_default().clone_into(&mut self.resource_version);
        // Helm changes objects in the way that the record names. A server that does not note who set which field has
        // no server-side apply, so nothing was written by it; and Helm would fail if it asked for it.
        if stored["metadata"]["managedFields"].as_array().is_none_or(Vec::is_empty) {
            CLIENT_SIDE_APPLY.clone_into(&mut self.release.apply_method);
        }
    }
}

async fn delete(cluster: &Cluster, stored: &StoredRelease) -> Result<(), Failure> {
    let reference = ObjectRef {
        api_version: "v1".into(),
        kind: "Secret".into(),
        namespace: Some(stored.release.namespace.clone()),
        name: stored.secret.clone(),
    };
    Ok(cluster.delete(&reference, stored.uid.as_deref().unwrap_or_default()).await?)
}

impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        Self::new(Kind::Refused, error.to_string())
    }
}
