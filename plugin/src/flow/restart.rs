//! Restarting the operator on a finished network: looks, does what [`mizar_core::restart`] says comes next, looks again,
//! until nothing is left to do.
//!
//! From the first cordon on, the record says that a restart is half done. Until it is finished nodes stay cordoned, since
//! a pod that came now could get an address that another one uses.

mod acts;

use std::time::Duration;

use mizar_core::facts::Facts;
use mizar_core::operation::RestartRecord;
use mizar_core::plan::Stage;
use mizar_core::restart::{self, Mark, Next, OPERATOR, Obstacle, Step};

use super::gather::{Wanted, gather};
use super::operation::Held;
use super::run::Run;
use super::treat::{stage_begins, stage_ends};
use crate::cluster::Cluster;
use crate::failure::{Failure, Kind};

/// Each step is looked at a few times at most; more means that somebody works against us.
const LOOKS: usize = 40;

/// How it went.
#[derive(Debug)]
pub(crate) struct Restarted {
    /// What did not follow in time. Every address is held all the same, so that new pods do no harm.
    pub(crate) unsettled: Option<Failure>,
    /// The run of the operator that has taken over the whole network, with every address that is held.
    pub(crate) wired: Option<String>,
}

/// Restarts the operator, or finishes a restart that was begun. The record must be held.
pub(crate) async fn restart(run: &Run, limit: Option<Duration>) -> Result<Restarted, Failure> {
    restart_as(run, limit, None).await
}

/// The same with another operator: `successor` is applied while none runs.
pub(crate) async fn restart_as(
    run: &Run,
    limit: Option<Duration>,
    successor: Option<&Stage>,
) -> Result<Restarted, Failure> {
    let done = sequence(run, limit, successor).await?.carry_out(Until::Done).await;
    ended(run, done).await
}

/// The first half of a restart: the operator is gone, and every address in use is held. [`restart_as`] goes on from there.
pub(crate) async fn stop(run: &Run, limit: Option<Duration>) -> Result<(), Failure> {
    let done = sequence(run, limit, None).await?.carry_out(Until::Held).await;
    ended(run, done.map(drop)).await
}

async fn sequence<'a>(
    run: &'a Run,
    limit: Option<Duration>,
    successor: Option<&'a Stage>,
) -> Result<Sequence<'a>, Failure> {
    let held = run.held.as_ref().ok_or_else(|| Failure::new(Kind::Bug, "a restart without a record of it"))?;
    Ok(Sequence { run, held, limit, id: held.id().await, successor: successor.map(idle), unsettled: None })
}

/// How far a sequence goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// Until the next thing would be to start the operator.
    Held,
    /// To its end.
    Done,
}

/// The stage of an operator without the number of its pods: applied while none runs, it starts none.
fn idle(stage: &Stage) -> Stage {
    let mut idle = stage.clone();
    for change in idle.changes.iter_mut().filter(|change| change.object.kind == "Deployment") {
        *change = change.clone().without_replicas();
    }
    idle
}

async fn ended<T>(run: &Run, done: Result<T, Failure>) -> Result<T, Failure> {
    let Some(held) = &run.held else { return done };
    match done {
        // Whatever failed, somebody else has taken the restart over.
        Err(failure) if held.is_lost() => Err(run.go_on().err().unwrap_or(failure)),
        Err(failure) if held.restart().await.is_some() => Err(half_done(failure)),
        done => done,
    }
}

fn half_done(failure: Failure) -> Failure {
    failure
        .after_changes()
        .detail("the operator's restart is half done: the nodes stay cordoned until it is finished, since new pods could get addresses that are in use")
        .hint("finish it: kubectl mizar repair --restart-operator")
}

/// Reads what decides; fails if any of it cannot be read.
pub(crate) async fn read(cluster: &Cluster) -> Result<Facts, Failure> {
    let wanted = Wanted { sources: restart::SOURCES, ..Wanted::default() };
    Ok(gather(cluster, wanted).await?.facts)
}

pub(crate) fn refused(obstacle: &Obstacle) -> Failure {
    match obstacle {
        Obstacle::Unread { .. } => {
            Failure::new(Kind::Unreachable, obstacle.to_string()).hint("see what you may do: kubectl auth can-i --list")
        }
        Obstacle::NoOperator { .. } => Failure::new(Kind::Refused, obstacle.to_string())
            .hint("see what is installed: kubectl mizar check")
            .hint("name another namespace: -n NAMESPACE"),
        Obstacle::OutOfReach { pod, node } => {
            let (namespace, name) = pod.split_once('/').unwrap_or_default();
            Failure::new(Kind::Refused, obstacle.to_string())
                .hint(format!("get the node back, or make sure that its machine is off: kubectl describe node {node}"))
                .hint(format!(
                    "then, with the machine off: kubectl -n {namespace} scale deployment {OPERATOR} --replicas=0, \
                     kubectl -n {namespace} delete pod {name} --force, and run this again"
                ))
        }
    }
}

struct Sequence<'a> {
    run: &'a Run,
    held: &'a Held,
    limit: Option<Duration>,
    id: String,
    /// What is applied before the operator starts.
    successor: Option<Stage>,
    unsettled: Option<Failure>,
}

impl Sequence<'_> {
    async fn carry_out(mut self, until: Until) -> Result<Restarted, Failure> {
        for _ in 0..LOOKS {
            self.run.go_on()?;
            self.run.enter("look");
            let facts = read(self.run.cluster()).await?;
            // Also a list that fails in the middle must not look like an empty one.
            restart::plan(&facts, self.run.namespace()).map_err(|obstacle| refused(&obstacle))?;
            let record = self.held.restart().await.unwrap_or_default();
            let mark = Mark { id: &self.id, namespace: self.run.namespace(), record: &record };
            match restart::next(&facts, mark) {
                Next::Do(Step::Start, acts) if until == Until::Held && !acts.is_empty() => {
                    return Ok(Restarted { unsettled: None, wired: None });
                }
                Next::Done => {
                    self.held.set_restart(None).await?;
                    return Ok(Restarted { unsettled: self.unsettled, wired: record.wired });
                }
                Next::Do(step, acts) => {
                    self.record(step, record).await?;
                    self.run.enter("apply");
                    let begun = stage_begins(self.run, step.as_str(), acts.len());
                    let summary = self.step(step, &acts, &facts).await?;
                    self.held.end_stage(step.as_str()).await;
                    stage_ends(self.run, step.as_str(), summary, begun);
                }
            }
        }
        let message =
            format!("the operator's restart did not come to its end in {LOOKS} steps: somebody works against it");
        Err(Failure::new(Kind::PartlyApplied, message).hint("who changes nodes and the operator's Deployment?"))
    }

    /// Writes the intent of a step before it: from the first cordon on the restart has to be finished.
    async fn record(&self, step: Step, record: RestartRecord) -> Result<(), Failure> {
        for earlier in Step::ALL.into_iter().filter(|earlier| *earlier < step) {
            self.held.end_stage(earlier.as_str()).await;
        }
        let prepared = record.prepared || step == Step::Start;
        // A new stop makes all that was held and wired void.
        let record = if step == Step::Stop { RestartRecord::default() } else { RestartRecord { prepared, ..record } };
        self.held.set_restart(Some(record)).await?;
        self.held.begin_stage(step.as_str()).await
    }
}
