//! Holding a change: the record that is written first, its lease, and the progress in it.
//!
//! A lease is renewed in the background. Whoever cannot renew has lost the right to go on, and [`Held::lost`] says so;
//! every write of the record carries its resourceVersion, so that a stale holder fails instead of overwriting.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use mizar_core::event::Event;
use mizar_core::object::ObjectRef;
use mizar_core::operation::storage::{from_secret, to_secret};
use mizar_core::operation::{
    Claim, HolderState, NewOperation, Observation, Operation, Outcome, Owed, REPAIR, RestartRecord, SECRET_NAME,
    StoredOperation, UninstallRecord, claim,
};
use mizar_core::timing::Timing;
use mizar_core::uninstall::UNINSTALL;
use serde_json::Value;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::cluster::write::Commit;
use crate::cluster::{ApiFailure, Cause, Cluster};
use crate::failure::{Failure, Kind};
use crate::machine;

/// Field manager of what is ours and not the release's.
pub(crate) const MANAGER: &str = "kubectl-mizar";

/// Reads the record, if there is one.
pub(crate) async fn read(cluster: &Cluster, namespace: &str) -> Result<Option<StoredOperation>, Failure> {
    let reference = ObjectRef {
        api_version: "v1".into(),
        kind: "Secret".into(),
        namespace: Some(namespace.to_owned()),
        name: SECRET_NAME.into(),
    };
    let Some(secret) = cluster.get(&reference).await? else { return Ok(None) };
    from_secret(&secret).map(Some).map_err(|error| {
        let failure = Failure::new(Kind::Refused, format!("{error}; nothing was changed"));
        error.hints().into_iter().fold(failure, Failure::hint)
    })
}

/// Nobody else is at it.
pub(crate) struct Settled {
    /// The record as it is now.
    pub(crate) stored: Option<StoredOperation>,
    /// How to begin.
    pub(crate) claim: Claim,
    /// Whether somebody had to be waited for: what was read before may not be true any more.
    pub(crate) waited: bool,
}

/// Waits until nobody else holds a change.
///
/// A holder on this machine is seen to live or not. One on another machine is watched for as long as a renewal counts: who
/// renews is alive and is named; who does not is taken over.
pub(crate) async fn settle(
    cluster: &Cluster,
    namespace: &str,
    mut stored: Option<StoredOperation>,
    tell: impl Fn(Event),
) -> Result<Settled, Failure> {
    let timing = cluster.timing().clone();
    let first = stored.as_ref().map(|stored| stored.resource_version.clone());
    let watching_since = Instant::now();
    let mut told = false;
    loop {
        let record = stored.as_ref().map(|stored| &stored.operation);
        let holder = record.map_or(HolderState::OtherHost, |record| machine::state_of(&record.holder));
        let seen = Observation { now: cluster.server_time(), unchanged_for: watching_since.elapsed(), holder };
        let Claim::Busy { holder: who, since, expires_in } = claim(record, &machine::me(), seen, timing.lease_ttl)
        else {
            let claim = claim(record, &machine::me(), seen, timing.lease_ttl);
            return Ok(Settled { stored, claim, waited: told });
        };
        let renewed = stored.as_ref().map(|stored| stored.resource_version.clone()) != first;
        if holder == HolderState::AliveOnThisHost || renewed {
            let command = stored.as_ref().map_or("", |stored| stored.operation.command.as_str());
            return Err(Failure::new(
                Kind::Refused,
                format!("{who} is at it: {command} since {since}; nothing was changed"),
            )
            .hint("wait until that is over, then run this command again"));
        }
        if !told {
            tell(Event::WaitedForHolder { holder: who.to_string(), since, expires_in });
            told = true;
        }
        tokio::time::sleep(expires_in.min(timing.lease_renew).max(Duration::from_millis(20))).await;
        stored = read(cluster, namespace).await?;
    }
}

impl Settled {
    /// The same for who installs: what a repair found counts. A restart of the operator that is half done must be finished
    /// first, by who knows how. What is only owed waits for the next repair: the network is no worse for an install.
    pub(crate) fn for_install(self) -> Result<Self, Failure> {
        let Some(stored) = self.stored else { return Ok(self) };
        if stored.operation.is_unfinished_uninstall() {
            return Err(half_taken_out(&stored.operation));
        }
        if !stored.operation.is_repair() {
            return Ok(Self { stored: Some(stored), ..self });
        }
        if stored.operation.restart.is_some() {
            return Err(half_restarted(&stored.operation));
        }
        let stored = stored.for_install(Timestamp::now());
        let ended_well = stored.operation.outcome.as_ref().is_none_or(|end| end.outcome.is_over());
        let claim = if ended_well { Claim::Fresh } else { Claim::Resume };
        Ok(Self { stored: Some(stored), claim, ..self })
    }
}

fn half_restarted(repair: &Operation) -> Failure {
    let message = format!(
        "a restart of the operator, begun by {} at {}, is half done: the operator may be stopped and nodes are cordoned; \
         nothing was changed",
        repair.holder, repair.started_at
    );
    Failure::new(Kind::Refused, message).hint("finish it: kubectl mizar repair")
}

fn half_taken_out(uninstall: &Operation) -> Failure {
    let message = format!(
        "an uninstall, begun by {} at {}, is half done; nothing was changed",
        uninstall.holder, uninstall.started_at
    );
    Failure::new(Kind::Refused, message).hint("finish it first: kubectl mizar uninstall")
}

/// A change that we hold.
pub(crate) struct Held {
    state: Arc<Mutex<State>>,
    renewed: watch::Receiver<(Instant, SystemTime)>,
    ttl: Duration,
    lost: watch::Receiver<Option<String>>,
    renewal: JoinHandle<()>,
}

struct State {
    cluster: Cluster,
    operation: Operation,
    resource_version: String,
    /// When the last renewal was sent, for those who must not wait for the lock.
    renewed: watch::Sender<(Instant, SystemTime)>,
}

impl Held {
    /// Writes the intent and starts to renew the lease.
    pub(crate) async fn begin(
        cluster: &Cluster,
        new: NewOperation,
        stored: Option<StoredOperation>,
        claim: &Claim,
    ) -> Result<Self, Failure> {
        let now = cluster.now();
        let namespace = new.namespace.clone();
        let resource_version = stored.as_ref().map(|stored| stored.resource_version.clone());
        let (repairs, uninstalls) = (new.command == REPAIR, new.command == UNINSTALL);
        let found = stored.map(|stored| stored.operation);
        let operation = match (claim, found) {
            (Claim::Resume | Claim::TakeOver { .. }, Some(found))
                if found.is_repair() == repairs && found.is_uninstall() == uninstalls =>
            {
                found.resumed_by(machine::me(), new.intent, new.stages, now)
            }
            // What a repair owes is owed to a network that goes.
            (_, _) if uninstalls => Operation::begin(new, machine::me(), now),
            (_, found) if repairs => Operation::begin_repair(new, found, machine::me(), now),
            (_, found) => {
                let owed = found.map(|found| found.owed).unwrap_or_default();
                Operation::begin(new, machine::me(), now).owing(owed)
            }
        };
        let secret = to_secret(&operation, resource_version.as_deref());
        let sent = (Instant::now(), SystemTime::now());
        let written = if resource_version.is_some() {
            cluster.replace(&secret, MANAGER, None).await
        } else {
            cluster.create(&secret, MANAGER, Commit::Store).await
        };
        let written = match written {
            Ok(written) => written,
            Err(failure) if matches!(failure.cause, Cause::AlreadyExists | Cause::Conflict { .. }) => {
                return Err(overtaken(cluster, &namespace).await);
            }
            Err(failure) => return Err(failure.into()),
        };
        let timing = cluster.timing().clone();
        let resource_version = written["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
        let ttl = timing.lease_ttl;
        let (say_renewed, renewed) = watch::channel(sent);
        let state = State { cluster: cluster.clone(), operation, resource_version, renewed: say_renewed };
        let state = Arc::new(Mutex::new(state));
        let (say_lost, lost) = watch::channel(None);
        let renewal = tokio::spawn(renew(state.clone(), timing, say_lost));
        Ok(Self { state, renewed, ttl, lost, renewal })
    }

    /// Whether the right to go on is lost, or has run out without anybody noticing: a process that was stopped, or a
    /// machine that slept, wakes up in the middle of its work and must not write a single object more.
    pub(crate) fn is_lost(&self) -> bool {
        let renewed = self.renewed.borrow();
        // The first clock stands still while a machine sleeps, the second may be set: the longer one counts.
        let slept = renewed.1.elapsed().unwrap_or_default();
        self.lost.borrow().is_some() || renewed.0.elapsed().max(slept) >= self.ttl
    }

    /// Ends when the right to go on is lost, and says why.
    pub(crate) async fn lost(&self) -> String {
        let mut lost = self.lost.clone();
        match lost.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            // The renewal ended without losing it: the change itself has ended.
            Err(_) => std::future::pending().await,
        }
    }

    /// Records that a stage begins.
    pub(crate) async fn begin_stage(&self, name: &str) -> Result<(), Failure> {
        let mut state = self.state.lock().await;
        let now = state.cluster.now();
        state.operation.stage_started(name, now);
        state.save(None).await.map_err(Into::into)
    }

    /// As [`Self::begin_stage`], with what must follow once it has begun.
    pub(crate) async fn begin_stage_owing(&self, name: &str, owed: Owed) -> Result<(), Failure> {
        let mut state = self.state.lock().await;
        state.operation.owed = state.operation.owed.and(owed);
        let now = state.cluster.now();
        state.operation.stage_started(name, now);
        state.save(None).await.map_err(Into::into)
    }

    /// Records that what was owed is done; nothing is written where it was not owed.
    pub(crate) async fn pay(&self, done: Owed) -> Result<(), Failure> {
        let mut state = self.state.lock().await;
        let left = state.operation.owed.without(done);
        if left == state.operation.owed {
            return Ok(());
        }
        state.operation.owed = left;
        state.save(None).await.map_err(Into::into)
    }

    /// Notes that a stage is done; stored with the next stage or the end.
    pub(crate) async fn end_stage(&self, name: &str) {
        let mut state = self.state.lock().await;
        let now = state.cluster.now();
        state.operation.stage_finished(name, now);
    }

    /// What the change is called; also the mark of what it did for a while only.
    pub(crate) async fn id(&self) -> String {
        self.state.lock().await.operation.id.clone()
    }

    /// The restart of the operator that is under way, if one is.
    pub(crate) async fn restart(&self) -> Option<RestartRecord> {
        self.state.lock().await.operation.restart.clone()
    }

    /// Records that a restart of the operator begins, or that there is none any more.
    pub(crate) async fn set_restart(&self, restart: Option<RestartRecord>) -> Result<(), Failure> {
        let mut state = self.state.lock().await;
        state.operation.restart = restart;
        state.save(None).await.map_err(Into::into)
    }

    /// Records what an uninstall must remember, and how far the nodes are.
    pub(crate) async fn set_uninstall(
        &self,
        record: UninstallRecord,
        nodes: BTreeMap<String, Value>,
    ) -> Result<(), Failure> {
        let mut state = self.state.lock().await;
        state.operation.uninstall = Some(record);
        state.operation.nodes = nodes;
        state.save(None).await.map_err(Into::into)
    }

    /// Deletes the record and lets go: what it was about is over, and so is the place where it lies.
    pub(crate) async fn vanish(self) -> Result<(), Failure> {
        let state = self.state.lock().await;
        self.renewal.abort();
        let secret = to_secret(&state.operation, None).reference();
        let Some(live) = state.cluster.get(&secret).await? else { return Ok(()) };
        let uid = live["metadata"]["uid"].as_str().unwrap_or_default();
        Ok(state.cluster.delete_as_seen(&secret, uid, &state.resource_version).await?)
    }

    /// Notes how far a node is, before or after what is done there.
    pub(crate) async fn note_node(&self, node: &str, how_far: Value) -> Result<(), Failure> {
        let mut state = self.state.lock().await;
        if state.operation.nodes.get(node) == Some(&how_far) {
            return Ok(());
        }
        state.operation.nodes.insert(node.to_owned(), how_far);
        state.save(None).await.map_err(Into::into)
    }

    /// The nodes that are noted to be in this state.
    pub(crate) async fn nodes_in(&self, wanted: &str) -> BTreeSet<String> {
        let state = self.state.lock().await;
        let nodes = state.operation.nodes.iter().filter(|(_, note)| note["state"] == wanted);
        nodes.map(|(node, _)| node.clone()).collect()
    }

    /// Records how it ended and lets go. A repair gives way to the record that it found.
    pub(crate) async fn end(self, outcome: Outcome, message: &str) -> Result<(), Failure> {
        // A renewal under way holds the lock: ending it half-way would leave us with an old resourceVersion.
        let mut state = self.state.lock().await;
        self.renewal.abort();
        state.operation = state.operation.clone().ended(outcome, message, state.cluster.now());
        state.save(None).await.map_err(Into::into)
    }
}

/// Somebody was faster; says who.
async fn overtaken(cluster: &Cluster, namespace: &str) -> Failure {
    let who = match read(cluster, namespace).await {
        Ok(Some(stored)) => format!("{} is at it since {}", stored.operation.holder, stored.operation.renewed_at),
        _ => "another process began a change at the same moment".to_owned(),
    };
    Failure::new(Kind::Refused, format!("{who}; nothing was changed by this one"))
        .hint("wait until that is over, then run this command again")
}

impl Drop for Held {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

impl State {
    async fn save(&mut self, phase: Option<&'static str>) -> Result<(), ApiFailure> {
        if self.operation.is_running() {
            self.operation.renew(self.cluster.now());
        }
        let sent = (Instant::now(), SystemTime::now());
        let secret = to_secret(&self.operation, Some(&self.resource_version));
        let answer = self.cluster.replace(&secret, MANAGER, phase).await?;
        answer["metadata"]["resourceVersion"].as_str().unwrap_or_default().clone_into(&mut self.resource_version);
        self.renewed.send_replace(sent);
        Ok(())
    }
}

async fn renew(state: Arc<Mutex<State>>, timing: Timing, lost: watch::Sender<Option<String>>) {
    let mut renewed = Instant::now();
    loop {
        tokio::time::sleep(timing.lease_renew).await;
        let limit = timing.lease_ttl.saturating_sub(renewed.elapsed()).max(Duration::from_millis(1));
        let saved = tokio::time::timeout(limit, async { state.lock().await.save(Some("lease")).await }).await;
        let reason = match saved {
            Ok(Ok(())) => {
                renewed = Instant::now();
                continue;
            }
            Ok(Err(failure)) if matches!(failure.cause, Cause::Conflict { .. } | Cause::NotFound) => {
                "another process has taken it over".to_owned()
            }
            Ok(Err(failure)) if renewed.elapsed() + timing.lease_renew >= timing.lease_ttl => failure.to_string(),
            Ok(Err(_)) => continue,
            Err(_) => "the server did not answer in time".to_owned(),
        };
        lost.send_replace(Some(reason));
        return;
    }
}
