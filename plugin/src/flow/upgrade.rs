//! Moving an installed Mizar to other charts or values, or back to an earlier revision: what is there, the plan, what it restarts,
//! shown and agreed to; then definitions, accounts, the daemons node by node, the operator last, and the proof.
//!
//! Both ways are one flow: they differ in where what should be comes from.

mod adoption;
mod consent;
mod options;
mod target;

use std::sync::Arc;
use std::time::Duration;

use mizar_core::check::Phase;
use mizar_core::diagnosis::forgotten_subnets;
use mizar_core::event::{Event, Step, StepResult};
use mizar_core::operation::{Claim, Outcome};
use mizar_core::plan::Plan;
use mizar_core::repair::{self, Act, Remedy};
use mizar_core::upgrade::{Order, Pair, UpgradePlan, replaces_pods, turn};
use tokio::time::Instant;

use super::bundle::evidence::{Evidence, with_evidence};
use super::consent::Consent;
use super::deploy::{Waiting, Way, deploy};
use super::ground::{Agreed, Ground, survey};
use super::install::Extent;
use super::rolling::{self, Terms};
use super::run::Run;
use super::saved_plan::{Bound, PlanFile};
use super::telling;
use super::undo::Undo;
use super::{apply, judge, workloads};
use crate::cluster::Cluster;
use crate::failure::{Failure, Kind};
use crate::report::format::Format;
use crate::report::{self, Reporter};

pub(crate) use options::Options;
pub(crate) use target::{Keep, Target, values_between};

/// What the person asked for.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// What should be.
    pub(crate) target: Target,
    /// `-n`.
    pub(crate) namespace: Option<String>,
    /// How nodes are treated.
    pub(crate) terms: Terms,
    /// Pods may be cut where they are.
    pub(crate) accept_outage: bool,
    /// All daemons may be replaced at once, with no operator, where versions misunderstand each other.
    pub(crate) maintenance_window: bool,
    /// What is done when it fails.
    pub(crate) on_failure: OnFailure,
    /// The file that the plan is written to or came from.
    pub(crate) file: PlanFile,
    /// How far to go.
    pub(crate) extent: Extent,
    /// Whether to go on without asking.
    pub(crate) consent: Consent,
    /// The number of what was intended when this was begun, for who goes on with it.
    pub(crate) intent: Option<String>,
    /// How many revisions of each release are kept; 0 keeps all.
    pub(crate) history_max: usize,
    /// What is taken if it fails.
    pub(crate) evidence: Evidence,
    /// What stdout is for.
    pub(crate) output: Format,
}

/// What is done when a change fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// It stops where it is.
    Stop,
    /// What was changed goes back to what was deployed before.
    Rollback,
}

/// Upgrades, or goes back. The events tell everything; what is returned is only how it ended.
pub(crate) async fn upgrade(cluster: Cluster, reporter: Arc<dyn Reporter>, request: Request) -> Result<(), Failure> {
    let begun = Instant::now();
    let upgrade = Upgrade::new(cluster.clone(), reporter.clone(), request.clone());
    let result = match Box::pin(upgrade.carry_out()).await {
        Err(Broken { failure, base: Some(base) }) if request.on_failure == OnFailure::Rollback => {
            Err(Box::pin(undo(cluster.clone(), reporter.clone(), request, failure, base)).await)
        }
        Err(broken) => Err(broken.failure),
        Ok(outcome) => Ok(outcome),
    };
    telling::ended(&cluster, &*reporter, begun, &result);
    if matches!(result, Ok(Outcome::Done)) {
        reporter.event(&Event::Hint { message: "kubectl mizar check".to_owned() });
    }
    result.map(drop)
}

/// Goes back to a revision as a part of another command, which tells the end.
pub(crate) async fn go_back(
    cluster: Cluster,
    reporter: Arc<dyn Reporter>,
    request: Request,
) -> Result<Outcome, Failure> {
    Box::pin(Upgrade::new(cluster, reporter, request).carry_out()).await.map_err(|broken| broken.failure)
}

/// Takes a change that failed back to the revision before it, and says so in its failure.
async fn undo(cluster: Cluster, reporter: Arc<dyn Reporter>, request: Request, failure: Failure, base: u64) -> Failure {
    let message = format!("{}; going back to revision {base}", failure.message);
    reporter.event(&Event::Warning { message, object: None });
    let back = Request {
        target: Target::Revision(Some(base)),
        terms: Terms { order: Order::NewestFirst, ..request.terms.clone() },
        on_failure: OnFailure::Stop,
        file: PlanFile::None,
        intent: None,
        consent: Consent::Given,
        ..request
    };
    match go_back(cluster, reporter, back).await {
        Ok(_) => failure.detail(format!("everything that was changed is back at revision {base}")),
        Err(second) => {
            let failure = failure.detail(format!("going back to revision {base} failed too")).and(second);
            failure.hint(format!("when that is mended: kubectl mizar rollback {base}"))
        }
    }
}

/// A change that failed, and the revision that was deployed before it, once something was changed.
struct Broken {
    failure: Failure,
    base: Option<u64>,
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self { failure, base: None }
    }
}

struct Upgrade {
    run: Run,
    request: Request,
}

/// Where it starts from, and what it restarts.
struct Planned {
    ground: Ground,
    upgrade: UpgradePlan,
}

impl Planned {
    /// How it is shown, without colours.
    fn plain(&self) -> String {
        report::plan::plain(&self.ground.plan, &self.ground.impact()) + &report::upgrade::plain(&self.upgrade)
    }
}

impl Upgrade {
    fn new(cluster: Cluster, reporter: Arc<dyn Reporter>, request: Request) -> Self {
        let mut run = Run::new(cluster, reporter, request.output.output());
        run.history_max = request.history_max;
        run.evidence = request.evidence.clone();
        Self { run, request }
    }

    async fn carry_out(mut self) -> Result<Outcome, Broken> {
        telling::begun(&self.run, self.request.target.command(), self.request.namespace.as_deref());
        let file = std::mem::take(&mut self.request.file);
        let file = Bound::open(&self.run, self.request.target.command(), file).await?;
        let mut planned = Box::pin(self.find_ground()).await?;
        let refused = self.try_on_server(&mut planned.ground.plan).await;
        self.show(&planned)?;
        file.verify(&self.run, &planned.ground)?;
        if self.adopts() {
            adoption::refuse_without_any(&planned.ground)?;
        }
        self.refuse_another_intent(&planned.ground)?;
        self.refuse(&planned)?;
        refused.map_or(Ok(()), |failure| Err(failure.detail("nothing was changed")))?;
        if self.request.extent != Extent::Everything {
            file.save(&self.run, &planned.ground, self.request.inputs(), &planned.plain())?;
            return Ok(Outcome::Planned);
        }
        let Planned { ground, upgrade } = planned;
        let nothing_to_do = ground.plan.is_empty() && !ground.is_unfinished() && upgrade.restarts_nothing();
        let step = Step::Deploy;
        let base = ground.records.histories[1].deployed().map(|stored| stored.release.revision);
        if nothing_to_do {
            let summary = "everything is as it should be; nothing was written".to_owned();
            self.run.tell(Event::StepFinished { step, summary, result: StepResult::Skipped, elapsed: Duration::ZERO });
        } else {
            self.ask(&ground, &upgrade)?;
            let begun = Instant::now();
            self.run.tell(Event::StepStarted { step });
            let terms = Terms { window: upgrade.window, drain: upgrade.drains, ..self.request.terms.clone() };
            let waiting = Waiting { wait: true, limit: terms.limit };
            let options = self.request.inputs().options;
            let way = Way {
                command: self.request.target.command(),
                options: &options,
                restarts: !upgrade.restarts_nothing(),
                replacing: Some(&terms),
            };
            let deployed = Box::pin(deploy(&mut self.run, &ground, waiting, way)).await;
            let deployed = with_evidence(&self.run, self.request.target.command(), deployed).await;
            deployed.map_err(|failure| Self::broken(failure, base))?;
            let summary = match upgrade.turns.len() {
                0 => workloads::done(ground.plan.changes()),
                nodes => format!("{}; {nodes} daemons replaced", workloads::done(ground.plan.changes())),
            };
            self.done(step, summary, begun);
        }
        let judged = self.sanity_check(&ground).await;
        if nothing_to_do {
            judged?;
            return Ok(Outcome::NothingToDo);
        }
        let judged = with_evidence(&self.run, self.request.target.command(), judged).await;
        judged.map_err(|failure| Self::broken(failure, base))?;
        Ok(Outcome::Done)
    }

    /// Whoever goes on with a change must mean the same.
    fn refuse_another_intent(&self, ground: &Ground) -> Result<(), Failure> {
        if self.request.intent.as_ref().is_none_or(|intent| *intent == ground.plan.intent_digest()) {
            return Ok(());
        }
        let command = self.request.target.command();
        let message = "what this program would do is not what was begun: its charts are others, or an own chart was named; nothing was changed";
        Err(Failure::new(Kind::Refused, message)
            .hint(format!("run the command as it was typed then: kubectl mizar {command}"))
            .hint("or go back: kubectl mizar rollback"))
    }

    /// Has the server try the changes of existing objects, so that what forbids them is found before anything is written.
    async fn try_on_server(&self, plan: &mut Plan) -> Option<Failure> {
        if self.request.extent != Extent::Everything {
            return None;
        }
        self.run.enter("plan");
        apply::try_changes(self.run.cluster(), plan).await.told(plan)
    }

    /// A change that was stopped by a person, or by who took it over, is not taken back by us.
    fn broken(failure: Failure, base: Option<u64>) -> Broken {
        Broken { base: base.filter(|_| Undo::is_for(&failure)), failure }
    }

    async fn find_ground(&mut self) -> Result<Planned, Failure> {
        let begun = Instant::now();
        self.run.tell(Event::StepStarted { step: Step::BinaryReady });
        let (wish, values) = target::wish(&mut self.run, &mut self.request).await?;
        self.done(Step::BinaryReady, wish.prepared.summary(), begun);
        let begun = Instant::now();
        self.run.tell(Event::StepStarted { step: Step::EnvironmentReady });
        let agreed = Agreed { take_over_cni: true, recreate_pods: false, replaces_pods: true, adopts: self.adopts() };
        let (mut ground, checked) = survey(&self.run, wish, agreed).await?;
        report::findings(self.run.reporter(), &checked);
        if !checked.is_clear() {
            return Err(consent::unready(&checked));
        }
        if is_half_restarted(&ground) {
            ground.plan = mizar_core::upgrade::without_replicas(ground.plan);
        }
        let upgrade = self.upgrade_plan(&ground, values).await?;
        if !upgrade.turns.is_empty() && !ground.plan.restarts_daemons() {
            let nodes = upgrade.turns.iter().map(|turn| turn.node.clone()).collect();
            ground.replaces_old(&self.run, nodes).await?;
        }
        self.done(Step::EnvironmentReady, checked.summary().to_string(), begun);
        Ok(Planned { ground, upgrade })
    }

    /// Whether an old installation is taken over.
    fn adopts(&self) -> bool {
        matches!(self.request.target, Target::Adoption { .. })
    }

    async fn upgrade_plan(
        &self,
        ground: &Ground,
        values: mizar_core::upgrade::ValueChanges,
    ) -> Result<UpgradePlan, Failure> {
        let order = self.request.terms.order;
        let turns = if replaces_pods(&ground.plan, "DaemonSet") {
            mizar_core::upgrade::turns(&ground.facts, turn::Wanted::Anew, order)
        } else {
            rolling::old_daemons(&self.run, &ground.facts, order).await?
        };
        let restarts_operator = replaces_pods(&ground.plan, "Deployment") || is_half_restarted(ground);
        let pair = target::pair(ground);
        let restarts = !turns.is_empty() || restarts_operator;
        Ok(UpgradePlan {
            unreachable: if turns.is_empty() { Vec::new() } else { turn::unreachable(&ground.facts) },
            // There is nowhere to go from the only node.
            drains: self.request.terms.drain && ground.nodes.len() > 1,
            restarts_operator,
            window: self.request.maintenance_window && restarts && pair != Pair::Compatible,
            pair,
            values,
            turns,
        })
    }

    /// Looks whether the network is well: what is wrong already would be made worse, and could not be told from what we break.
    fn refuse_unwell(&self, ground: &Ground, upgrade: &UpgradePlan) -> Result<(), Failure> {
        if goes_on(ground) || upgrade.restarts_nothing() {
            return Ok(());
        }
        let moment = judge::options(self.run.namespace(), ground.facts.gathered_at).moment();
        let plan = repair::plan(&ground.facts, &moment, &repair::Wish::default());
        // A pod without a network loses nothing, and what nobody notices is done on the way.
        let is_wrong = |(remedy, act): &(Remedy, &Act)| *remedy != Remedy::CutOffPods && !act.is_harmless();
        if plan.acts().any(|found| is_wrong(&found)) {
            let message =
                "the network is not well, and replacing parts of it now could make it worse; nothing was changed";
            let failure =
                plan.acts().filter(is_wrong).fold(Failure::new(Kind::Refused, message), |failure, (remedy, act)| {
                    failure.detail(format!("{remedy}: {act}: {}", act.reason()))
                });
            return Err(failure.hint("heal it first: kubectl mizar repair"));
        }
        let forgotten = forgotten_subnets(&ground.facts, &moment);
        if !forgotten.is_empty() && !upgrade.turns.is_empty() && !upgrade.window {
            let names: Vec<&str> = forgotten.iter().map(|subnet| subnet.net.as_str()).collect();
            let message = format!(
                "the operator has forgotten Subnet {} when it started: no node could be connected again; nothing was changed",
                names.join(", ")
            );
            return Err(Failure::new(Kind::Refused, message)
                .hint("restart it the one safe way: kubectl mizar repair --restart-operator"));
        }
        Ok(())
    }

    /// Tells that a step is done.
    fn done(&self, step: Step, summary: String, begun: Instant) {
        let result = StepResult::Succeeded;
        self.run.tell(Event::StepFinished { step, summary, result, elapsed: begun.elapsed() });
    }

    /// Judges everything again. What cuts nobody is healed on the way.
    async fn sanity_check(&self, ground: &Ground) -> Result<(), Failure> {
        let run = &self.run;
        let step = Step::SanityCheck;
        let begun = Instant::now();
        run.tell(Event::StepStarted { step });
        run.enter("check");
        let (_, report) = tokio::select! {
            judged = judge::judge(run.cluster(), Phase::Health, run.namespace(), None, true, run.reporter()) => judged?,
            failure = run.stopped() => return Err(failure),
        };
        report::findings(run.reporter(), &report);
        if report.is_clear() {
            let summary = format!("Mizar is healthy on {} nodes: {}", ground.nodes.len(), report.summary());
            self.done(step, summary, begun);
            return Ok(());
        }
        let mut failure = Failure::new(Kind::Failed, "everything is in place, but the Sanity Check found failures");
        for result in report.blocking() {
            failure = failure.detail(format!("{}: {}", result.id, result.message));
        }
        Err(failure.hint("see everything with hints: kubectl mizar check").hint("heal it: kubectl mizar repair"))
    }
}

/// Whether an earlier run has stopped the operator and not started it again.
fn is_half_restarted(ground: &Ground) -> bool {
    ground.stored.as_ref().is_some_and(|stored| stored.operation.restart.is_some())
}

/// Whether an earlier run of an upgrade or a rollback has left the network in the middle.
fn goes_on(ground: &Ground) -> bool {
    matches!(ground.claim, Claim::Resume | Claim::TakeOver { .. })
}
