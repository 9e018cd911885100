//! Carrying out a plan: the intent is recorded, then each release is applied stage by stage, every stage is waited for,
//! and Helm's record says how it ended.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use mizar_core::event::{Event, StepResult};
use mizar_core::operation::{Claim, Intent, NewOperation, Outcome};
use mizar_core::plan::{Change, Stage, StageName};
use mizar_core::release::History;
use mizar_core::upgrade::changes_template;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::ground::Ground;
use super::operation::Held;
use super::rolling::Terms;
use super::run::Run;
use super::{apply, network, records, restart, rolling, workloads};
use crate::failure::{Failure, Kind};

/// How long to wait for what is applied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    /// Whether to wait at all; definitions are always waited for, since what follows needs them.
    pub(crate) wait: bool,
    /// Replaces the limit of every wait.
    pub(crate) limit: Option<Duration>,
}

/// How a plan is carried out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way<'a> {
    /// The command, for the record.
    pub(crate) command: &'static str,
    /// The flags that it was agreed to with, for the record.
    pub(crate) options: &'a Map<String, Value>,
    /// Whether a daemon or the operator is restarted, although no object may change any more.
    pub(crate) restarts: bool,
    /// How the daemons of nodes and the operator are replaced; an install replaces none.
    pub(crate) replacing: Option<&'a Terms>,
}

/// Carries out the plan of a ground.
pub(crate) async fn deploy(run: &mut Run, ground: &Ground, waiting: Waiting, way: Way<'_>) -> Result<(), Failure> {
    run.stop_gently();
    run.enter("apply");
    // The one change that comes before the intent: it has to lie somewhere.
    let mut wrote_namespace = false;
    for stage in ground.plan.stages.iter().filter(|stage| stage.name == StageName::Namespace) {
        let begun = Instant::now();
        run.tell(started(stage));
        apply::apply_stage(run, stage).await.map_err(|failure| before_the_intent(failure, None))?;
        wrote_namespace |= stage.changes.iter().any(Change::writes);
        run.tell(finished(stage, workloads::applied(stage), begun));
    }
    if let (Claim::Resume | Claim::TakeOver { .. }, Some(stored)) = (&ground.claim, &ground.stored) {
        run.tell(Event::Resumed {
            id: stored.operation.id.clone(),
            from: stored.operation.holder.to_string(),
            stage: stored.operation.current_stage().map(|stage| stage.name.clone()),
        });
    }
    let new = new_operation(run, ground, way);
    // Fails if anybody wrote the record since it was read: the plan is only as good as what it was made from.
    let held = Held::begin(run.cluster(), new, ground.stored.clone(), &ground.claim).await;
    let namespace = Some(run.namespace()).filter(|_| wrote_namespace);
    let held = held.map_err(|failure| before_the_intent(failure, namespace))?;
    held.end_stage(StageName::Namespace.as_str()).await;
    run.held = Some(held);
    let deployment = Deployment { run, ground, waiting, way, restarted: AtomicBool::new(false) };
    let done = Box::pin(deployment.releases()).await.map_err(apply::while_applying);
    let (outcome, message) = match &done {
        Ok(()) => (Outcome::Done, String::new()),
        Err(failure) => (failure.kind.outcome(), failure.message.clone()),
    };
    run.enter("apply");
    match run.held.take() {
        // The reason why it stopped matters more than a record that could not be written because of it.
        Some(held) => done.and(held.end(outcome, &message).await.map_err(apply::while_applying)),
        None => done,
    }
}

/// What the server refuses before the intent is recorded leaves everything as it was, a namespace apart.
fn before_the_intent(failure: Failure, namespace: Option<&str>) -> Failure {
    if failure.kind != Kind::Refused || failure.message.contains("nothing was changed") {
        return failure;
    }
    let apart = namespace.map(|name| format!(" but namespace {name}")).unwrap_or_default();
    failure.detail(format!("nothing was changed{apart}")).hint("then run the same command again")
}

fn new_operation(run: &Run, ground: &Ground, way: Way<'_>) -> NewOperation {
    let command = way.command;
    let revisions = ground.prepared.releases.iter().zip(&ground.records.histories);
    NewOperation {
        id: format!("{}-{}-{}", command.replace(" --", "-"), Timestamp::now().as_millisecond(), std::process::id()),
        command: command.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        namespace: run.namespace().to_owned(),
        intent: Intent {
            plan_digest: ground.plan.digest(),
            intent_digest: ground.plan.intent_digest(),
            profile: ground.prepared.profile.clone(),
            values: ground.prepared.value_layers(),
            releases: revisions
                .map(|(release, history)| {
                    let ours = ground.our_revision(&release.name);
                    (release.name.clone(), records::revision_of(history, ours))
                })
                .collect(),
            options: way.options.clone(),
        },
        stages: ground.plan.stages.iter().map(|stage| stage.name.to_string()).collect(),
    }
}

fn started(stage: &Stage) -> Event {
    Event::StageStarted { stage: stage.name.to_string(), site: stage.site, total: stage.changes.len() }
}

fn finished(stage: &Stage, summary: String, begun: Instant) -> Event {
    let result = StepResult::Succeeded;
    Event::StageFinished { stage: stage.name.to_string(), summary, result, elapsed: begun.elapsed() }
}

/// A release whose objects are as they should be.
struct Applied<'a> {
    revision: records::Revision,
    history: &'a History,
}

/// A plan that is being carried out.
struct Deployment<'a> {
    run: &'a Run,
    ground: &'a Ground,
    waiting: Waiting,
    way: Way<'a>,
    /// Whether the operator was restarted by now.
    restarted: AtomicBool,
}

impl Deployment<'_> {
    async fn releases(&self) -> Result<(), Failure> {
        // What was applied, and whose record is still to be closed: that shares a round trip with the begin of the next one.
        let mut applied: Option<Applied<'_>> = None;
        for (release, history) in self.ground.prepared.releases.iter().zip(&self.ground.records.histories) {
            let stages: Vec<&Stage> = self
                .ground
                .plan
                .stages
                .iter()
                .filter(|stage| stage.release.as_deref() == Some(&release.name))
                .collect();
            let recorded = records::is_recorded(history, &release.content);
            let replaces = self.way.restarts && stages.iter().any(|stage| stage.name == StageName::Daemon);
            if recorded && !replaces && !stages.iter().any(|stage| stage.changes.iter().any(Change::writes)) {
                self.close(applied.take()).await?;
                // Nothing of it changes; an earlier run may still have died before its waits were over.
                self.wait_for_stages(&stages).await?;
                continue;
            }
            let cluster = self.run.cluster();
            self.run.enter("apply");
            self.run.go_on()?;
            let ours = self.ground.our_revision(&release.name);
            // Before the first object of a release: its record, and that its first stage begins.
            let (closed, begun, announced) = tokio::join!(
                self.close(applied.take()),
                records::begin(self.run, history, ours, release.content.clone(), release.returns_to),
                self.announce(stages.first().copied()),
            );
            let revision = begun?;
            let done = match closed.and(announced) {
                Ok(()) => self.stages(&stages).await,
                Err(failure) => Err(failure),
            };
            match done {
                Ok(()) => applied = Some(Applied { revision, history }),
                Err(failure) => {
                    self.run.enter("apply");
                    // Whoever took the change over writes this record now.
                    if !self.run.held.as_ref().is_some_and(Held::is_lost) {
                        // As above: the first failure is the one to tell.
                        let _second_failure = revision.failed(cluster, &failure.message).await;
                    }
                    return Err(failure);
                }
            }
        }
        self.close(applied).await
    }

    /// Records that a release is deployed.
    async fn close(&self, applied: Option<Applied<'_>>) -> Result<(), Failure> {
        let Some(Applied { revision, history }) = applied else { return Ok(()) };
        self.run.go_on()?;
        self.run.enter("apply");
        revision.deployed(self.run.cluster(), history).await
    }

    /// Records that a stage begins: whoever lost the right to go on fails here, before the first object of it.
    async fn announce(&self, stage: Option<&Stage>) -> Result<(), Failure> {
        match (&self.run.held, stage) {
            (Some(held), Some(stage)) => held.begin_stage(stage.name.as_str()).await,
            _ => Ok(()),
        }
    }

    /// Carries out the stages, of which the first is announced.
    async fn stages(&self, stages: &[&Stage]) -> Result<(), Failure> {
        for (at, stage) in stages.iter().enumerate() {
            self.run.go_on()?;
            if at > 0 {
                self.run.enter("apply");
                self.announce(Some(*stage)).await?;
            }
            self.stage(stage, true).await?;
        }
        self.wait_for_network(stages).await
    }

    async fn wait_for_stages(&self, stages: &[&Stage]) -> Result<(), Failure> {
        for stage in stages.iter().filter(|stage| workloads::is_waited_for(stage.name)) {
            self.stage(stage, false).await?;
        }
        self.wait_for_network(stages).await
    }

    /// Applies one stage and waits until it is what it should be.
    async fn stage(&self, stage: &Stage, apply: bool) -> Result<(), Failure> {
        let run = self.run;
        let name = stage.name.as_str();
        let begun = Instant::now();
        run.tell(started(stage));
        if apply {
            run.enter("apply");
            self.write(stage).await?;
        }
        let mut summary = workloads::applied(stage);
        // Who replaces daemons waits for each of them in its turn: one that is broken may be what is to be replaced.
        let in_turns = self.way.replacing.is_some() && stage.name == StageName::Daemon;
        if (self.waiting.wait && !in_turns) || stage.name == StageName::Definitions {
            run.enter("wait");
            if let Some(waited) = workloads::wait(run, stage, self.ground.nodes.len(), self.waiting.limit).await? {
                summary = waited;
            }
        }
        if let Some(terms) = self.way.replacing.filter(|_| apply && stage.name == StageName::Daemon) {
            summary = rolling::replace_daemons(run, terms).await?;
        }
        if let Some(held) = &run.held {
            held.end_stage(name).await;
        }
        run.tell(finished(stage, summary, begun));
        Ok(())
    }

    /// Writes the objects of a stage. An operator that gets another template is not simply replaced: it knows what nobody else
    /// knows.
    async fn write(&self, stage: &Stage) -> Result<(), Failure> {
        let run = self.run;
        let Some(terms) = self.way.replacing else { return apply::apply_stage(run, stage).await };
        match stage.name {
            StageName::Daemon if terms.window => {
                restart::stop(run, terms.limit).await?;
                apply::apply_stage(run, stage).await
            }
            // Until it is finished every node stays closed, and nobody could program one.
            StageName::Daemon if self.is_half_restarted().await => {
                self.restart_operator(self.operator_stage(stage), terms).await?;
                run.enter("apply");
                apply::apply_stage(run, stage).await
            }
            StageName::Operator if self.restarts_operator(stage, terms).await => {
                self.restart_operator(Some(stage), terms).await
            }
            _ => apply::apply_stage(run, stage).await,
        }
    }

    /// Restarts the operator by the sequence that keeps its addresses, as the one that `stage` holds.
    async fn restart_operator(&self, stage: Option<&Stage>, terms: &Terms) -> Result<(), Failure> {
        let restarted = restart::restart_as(self.run, terms.limit, stage).await?;
        self.restarted.store(true, Ordering::Relaxed);
        rolling::after_restart(self.run, terms, restarted).await
    }

    async fn restarts_operator(&self, stage: &Stage, terms: &Terms) -> bool {
        if self.restarted.load(Ordering::Relaxed) {
            return false;
        }
        let is_new = stage.changes.iter().any(|change| changes_template(change, "Deployment"));
        is_new || terms.window || self.is_half_restarted().await
    }

    /// Whether an earlier run has stopped the operator and not come to the end of its restart.
    async fn is_half_restarted(&self) -> bool {
        match &self.run.held {
            Some(held) => held.restart().await.is_some(),
            None => false,
        }
    }

    /// The stage of the operator of the same release.
    fn operator_stage(&self, of: &Stage) -> Option<&Stage> {
        let mut stages = self.ground.plan.stages.iter();
        stages.find(|stage| stage.name == StageName::Operator && stage.release == of.release)
    }

    async fn wait_for_network(&self, stages: &[&Stage]) -> Result<(), Failure> {
        let has_operator = stages.iter().any(|stage| stage.name == StageName::Operator);
        if !has_operator || !self.waiting.wait {
            return Ok(());
        }
        self.run.go_on()?;
        self.run.enter("wait");
        network::wait(self.run, &self.ground.nodes, self.waiting.limit).await
    }
}
