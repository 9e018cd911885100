//! Repairing a running Mizar: the facts, the plan made of them, shown and agreed to; then remedy by remedy, each planned anew
//! from what is there by then; and the proof.
//!
//! Nothing is remembered but what cannot be seen, so a repair that was killed is finished by running it again.

mod consent;
mod ending;
mod record;
mod rights;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use mizar_core::check::{Phase, Report};
use mizar_core::event::{Event, Step as Part, StepResult};
use mizar_core::facts::Facts;
use mizar_core::operation::Outcome;
use mizar_core::repair::{Agreement, Remedy, RepairPlan, Wish};
use tokio::time::Instant;

use super::bundle::evidence::{Evidence, with_evidence};
use super::consent::Consent;
use super::operation::Settled;
use super::records::DEFAULT_NAMESPACE;
use super::run::Run;
use super::telling;
use super::treat::{self, Extent};
use super::treatment::Treatment;
use super::{apply, ground, judge, operation, records};
use crate::cluster::Cluster;
use crate::failure::{Failure, Kind};
use crate::report::format::Format;
use crate::report::{self, Reporter};

/// What the person asked for.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// `-n`.
    pub(crate) namespace: Option<String>,
    /// The remedies to take; all when none is named.
    pub(crate) only: BTreeSet<Remedy>,
    /// Whether to restart the operator in any case.
    pub(crate) restart_operator: bool,
    /// Only show the plan.
    pub(crate) plan_only: bool,
    /// Whether to go on without asking.
    pub(crate) consent: Consent,
    /// Replaces the limits of all waits.
    pub(crate) timeout: Option<Duration>,
    /// What is taken if it fails.
    pub(crate) evidence: Evidence,
    /// What stdout is for.
    pub(crate) output: Format,
}

/// Repairs. The events tell everything; what is returned is only how it ended.
pub(crate) async fn repair(cluster: Cluster, reporter: Arc<dyn Reporter>, request: Request) -> Result<(), Failure> {
    let begun = Instant::now();
    let wish = Wish { only: request.only.clone(), restart_operator: request.restart_operator, ..Wish::default() };
    let mut run = Run::new(cluster.clone(), reporter.clone(), request.output.output());
    run.evidence = request.evidence.clone();
    let repair = Repair { run, request, wish, finishes: false };
    let result = Box::pin(repair.carry_out()).await;
    telling::ended(&cluster, &*reporter, begun, &result);
    result.map(drop)
}

struct Repair {
    run: Run,
    request: Request,
    wish: Wish,
    /// Whether an earlier repair did not come to its end, so that its record is still to be closed.
    finishes: bool,
}

impl Repair {
    async fn carry_out(mut self) -> Result<Outcome, Failure> {
        telling::begun(&self.run, "repair", self.request.namespace.as_deref());
        let settled = self.settle().await?;
        let (mut plan, mut facts) = self.plan().await?;
        let mut quiet = None;
        if plan.is_empty() && !self.finishes && !self.request.plan_only {
            // What is wrong with what the operator still works at shows only when it has had its time.
            quiet = self.until_quiet().await?;
            (plan, facts) = self.plan().await?;
        }
        self.show(&plan, &facts)?;
        if self.request.plan_only {
            return Ok(Outcome::Planned);
        }
        if plan.is_empty() && !self.finishes {
            return self.nothing_to_do(quiet, &plan).await;
        }
        rights::refuse_missing(&self.run).await?;
        let (mut agreement, plan, facts) = self.agree(plan, facts).await?;
        self.run.stop_gently();
        let stages: Vec<&str> = Remedy::ALL.iter().map(|remedy| remedy.id()).collect();
        record::hold(&mut self.run, &stages, settled).await?;
        let (done, unsettled) = self.treat(plan, &facts, &mut agreement).await;
        let done = with_evidence(&self.run, "repair", done).await;
        let done = match (done, &unsettled) {
            (Err(failure), Some(unsettled)) => Err(failure.and(unsettled.clone())),
            (done, _) => done,
        };
        let (outcome, message) = match done.as_ref().err().or(unsettled.as_ref()) {
            None => (Outcome::Done, String::new()),
            Some(failure) => (failure.kind.outcome(), failure.message.clone()),
        };
        self.run.enter("apply");
        let left = match self.run.held.take() {
            Some(held) => {
                let ended = held.end(outcome, &message).await.map_err(apply::while_applying);
                let left = done?;
                ended?;
                left
            }
            None => done?,
        };
        let proven = match (self.prove(&left, &agreement).await, unsettled) {
            (Ok(()), None) => Ok(Outcome::Done),
            (Err(failure), None) => Err(failure),
            (Ok(()), Some(unsettled)) => Err(unsettled),
            (Err(failure), Some(unsettled)) => Err(unsettled.and(failure)),
        };
        with_evidence(&self.run, "repair", proven).await
    }

    /// Treats as far as it was agreed to. Returns what is left, and what did not follow a restart of the operator in time.
    async fn treat(
        &self,
        plan: RepairPlan,
        facts: &Facts,
        agreement: &mut Agreement,
    ) -> (Result<RepairPlan, Failure>, Option<Failure>) {
        let step = Part::Deploy;
        let begun = Instant::now();
        self.run.tell(Event::StepStarted { step });
        let mut treatment = self.treatment();
        treatment.see(facts);
        let done = treatment.treat(plan, agreement).await.map_err(apply::while_applying);
        let unsettled = treatment.unsettled.take().map(apply::while_applying);
        let done = done.map(|(left, turns)| {
            let (summary, result) = (ending::summary_of(&turns), StepResult::Succeeded);
            self.run.tell(Event::StepFinished { step, summary, result, elapsed: begun.elapsed() });
            left
        });
        (done, unsettled)
    }

    /// Finds the release, and for who means to change something: that nobody else is at it, and what an earlier repair has
    /// left half done.
    async fn settle(&mut self) -> Result<Settled, Failure> {
        let run = &mut self.run;
        run.enter("records");
        let asked = self.request.namespace.as_deref();
        let records = records::read(run.cluster(), asked.unwrap_or(DEFAULT_NAMESPACE)).await?;
        run.namespace = ground::namespace(asked, &records)?;
        let stored = operation::read(run.cluster(), run.namespace()).await?;
        let settled = if self.request.plan_only {
            Settled { stored, claim: mizar_core::operation::Claim::Fresh, waited: false }
        } else {
            let settled = operation::settle(run.cluster(), run.namespace(), stored, |event| run.tell(event)).await?;
            records::refuse_pending(&records, |name| ground::our_revision(settled.stored.as_ref(), name))?;
            settled
        };
        if let Some(stored) = &settled.stored {
            let earlier = &stored.operation;
            self.finishes = earlier.is_repair() || !earlier.owed.is_nothing();
            self.wish.restart_operator |= earlier.restart.is_some();
            self.wish.owed = earlier.owed;
        }
        Ok(settled)
    }

    /// Who treats, before a first look.
    fn treatment(&self) -> Treatment<'_> {
        Treatment::new(&self.run, self.wish.clone(), self.request.timeout)
    }

    /// Reads everything and plans what to do about it.
    async fn plan(&self) -> Result<(RepairPlan, Facts), Failure> {
        self.treatment().plan().await
    }

    /// Says that there is nothing to do, unless something is left that no remedy is for.
    async fn nothing_to_do(&self, quiet: Option<Failure>, plan: &RepairPlan) -> Result<Outcome, Failure> {
        let left = ending::unhealed(plan, &Agreement::to(plan));
        let (failure, _) = self.unhealthy_after(quiet, left).await?;
        if failure.details.is_empty() {
            return Ok(Outcome::NothingToDo);
        }
        Err(failure.hint("see everything with hints: kubectl mizar check"))
    }

    /// Waits until the operator is through with what it has to do again: only then does it know every address in use. Returns
    /// what it was not through with in time.
    async fn until_quiet(&self) -> Result<Option<Failure>, Failure> {
        let limit = Some(self.request.timeout.unwrap_or(self.run.timing().operator_rounds));
        match treat::until_quiet(&self.run, "proof", Extent { limit, ..Extent::default() }).await {
            Ok(()) => Ok(None),
            Err(stopped) if stopped.kind == Kind::Interrupted => Err(stopped),
            Err(unquiet) => Ok(Some(unquiet)),
        }
    }

    /// Judges, and adds what the operator was not through with.
    async fn unhealthy_after(&self, quiet: Option<Failure>, failure: Failure) -> Result<(Failure, Report), Failure> {
        let judged = tokio::select! {
            judged = self.unhealthy(failure) => judged,
            stopped = self.run.stopped() => Err(stopped),
        };
        let (mut failure, report) = judged?;
        if let Some(unquiet) = quiet {
            failure = failure.detail(unquiet.message);
            failure.details.extend(unquiet.details);
        }
        Ok((failure, report))
    }

    /// Adds what the checks find to what is left, and returns it with all that they say.
    async fn unhealthy(&self, mut failure: Failure) -> Result<(Failure, Report), Failure> {
        self.run.enter("check");
        let (_, report) =
            judge::judge(self.run.cluster(), Phase::Health, self.run.namespace(), None, false, self.run.reporter())
                .await?;
        report::findings(self.run.reporter(), &report);
        // Who asked for some remedies only knows that other things are left.
        let only = !self.request.only.is_empty();
        for result in report.blocking().filter(|_| !only) {
            failure = failure.detail(format!("{}: {}", result.id, result.message));
        }
        Ok((failure, report))
    }

    /// Judges everything again, and names what is left.
    async fn prove(&self, left: &RepairPlan, agreement: &Agreement) -> Result<(), Failure> {
        let step = Part::SanityCheck;
        let begun = Instant::now();
        self.run.tell(Event::StepStarted { step });
        let quiet = self.until_quiet().await?;
        let (failure, report) = self.unhealthy_after(quiet, ending::unhealed(left, agreement)).await?;
        if failure.details.is_empty() {
            let summary = ending::repaired(&report);
            self.run.tell(Event::StepFinished {
                step,
                summary,
                result: StepResult::Succeeded,
                elapsed: begun.elapsed(),
            });
            return Ok(());
        }
        Err(failure.hint("see everything with hints: kubectl mizar check"))
    }
}
