//! Installing: Binary Ready → Environment Ready → the plan, shown and agreed to → Deploy, part by part → Sanity Check.
//!
//! The same path serves the first install, a rerun that finds nothing to do, and a rerun after a crash: what differs is
//! what the plan finds.

use std::sync::Arc;
use std::time::Duration;

use mizar_core::check::{Phase, Report};
use mizar_core::event::{Event, Step, StepResult};
use mizar_core::kind::MIZAR_GROUP;
use mizar_core::operation::Outcome;
use mizar_core::plan::saved::Inputs;
use mizar_core::plan::{Change, Plan, Stage, StageName};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::bundle::evidence::{Evidence, with_evidence};
use super::consent::Consent;
use super::deploy::{Waiting, Way, deploy};
use super::ground::{Agreed, Ground, survey, wish};
use super::run::Run;
use super::saved_plan::{Bound, PlanFile};
use super::telling;
use super::undo::{Undo, take_back};
use super::upgrade::OnFailure;
use super::value_sources::ValueSources;
use super::{apply, judge, recreate, saved_plan, workloads};
use crate::cluster::Cluster;
use crate::failure::{Failure, Kind};
use crate::report::format::Format;
use crate::report::{self, Reporter};

/// Its name.
pub(crate) const COMMAND: &str = "install";

/// What the person asked for.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Where values come from.
    pub values: ValueSources,
    /// `-n`.
    pub namespace: Option<String>,
    /// A pod network of another kind may be replaced.
    pub take_over_cni: bool,
    /// Pods that predate Mizar are recreated at the end.
    pub recreate_pods: bool,
    /// The file that the plan is written to or came from.
    pub file: PlanFile,
    /// How far to go.
    pub extent: Extent,
    /// Whether to go on without asking.
    pub consent: Consent,
    /// What is done when it fails.
    pub on_failure: OnFailure,
    /// Whether to wait for what was applied.
    pub wait: bool,
    /// Replaces the limits of all waits.
    pub timeout: Option<Duration>,
    /// How many revisions of each release are kept; 0 keeps all.
    pub history_max: usize,
    /// What is taken if it fails.
    pub evidence: Evidence,
    /// What stdout is for.
    pub output: Format,
}

/// What a saved plan keeps of the request besides the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct Options {
    /// [`Request::take_over_cni`].
    pub take_over_cni: bool,
    /// [`Request::recreate_pods`].
    pub recreate_pods: bool,
}

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All the way.
    Everything,
    /// Up to the plan.
    PlanOnly,
    /// Up to the plan, which the server checks object by object.
    ServerDryRun,
}

/// Installs. The events tell everything; what is returned is only how it ended.
pub(crate) async fn install(cluster: Cluster, reporter: Arc<dyn Reporter>, request: Request) -> Result<(), Failure> {
    let begun = Instant::now();
    let installation = Installation::new(cluster.clone(), reporter.clone(), request.clone());
    let result = match Box::pin(installation.carry_out()).await {
        Err(Broken { failure, undo: Some(undo) })
            if request.on_failure == OnFailure::Rollback && Undo::is_for(&failure) =>
        {
            Err(Box::pin(take_back(cluster.clone(), reporter.clone(), &request, failure, undo)).await)
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

/// An install that failed, and where it goes back to, once something was changed.
struct Broken {
    failure: Failure,
    undo: Option<Undo>,
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self { failure, undo: None }
    }
}

struct Installation {
    run: Run,
    request: Request,
}

impl Installation {
    fn new(cluster: Cluster, reporter: Arc<dyn Reporter>, request: Request) -> Self {
        let mut run = Run::new(cluster, reporter, request.output.output());
        run.history_max = request.history_max;
        run.evidence = request.evidence.clone();
        Self { run, request }
    }

    async fn carry_out(mut self) -> Result<Outcome, Broken> {
        telling::begun(&self.run, COMMAND, self.request.namespace.as_deref());
        let file = Bound::open(&self.run, COMMAND, std::mem::take(&mut self.request.file)).await?;
        let mut ground = self.find_ground().await?;
        let refused = self.try_on_server(&mut ground.plan).await;
        self.show(&ground)?;
        file.verify(&self.run, &ground)?;
        refuse_forbidden(&ground.plan)?;
        refused.map_or(Ok(()), |failure| Err(failure.detail("nothing was changed")))?;
        match self.request.extent {
            Extent::PlanOnly => {
                let shown = report::plan::plain(&ground.plan, &ground.impact());
                file.save(&self.run, &ground, self.inputs(&ground), &shown)?;
                return Ok(Outcome::Planned);
            }
            Extent::ServerDryRun => return Ok(self.server_dry_run(&ground.plan).await?),
            Extent::Everything => {}
        }
        let nothing_to_do = ground.plan.is_empty() && !ground.is_unfinished();
        let step = Step::Deploy;
        if nothing_to_do {
            let summary = "everything is as the charts want it; nothing was written".to_owned();
            let result = StepResult::Skipped;
            self.run.tell(Event::StepFinished { step, summary, result, elapsed: Duration::ZERO });
            if self.request.recreate_pods {
                self.ask("Recreate the pods that are older than Mizar?")?;
            }
        } else {
            self.ask(&format!("Carry out this plan ({})?", ground.plan.counts()))?;
            let begun = Instant::now();
            self.run.tell(Event::StepStarted { step });
            let waiting = Waiting { wait: self.request.wait, limit: self.request.timeout };
            let options = saved_plan::options(&self.options());
            let way = Way { command: COMMAND, options: &options, restarts: false, replacing: None };
            let deployed = Box::pin(deploy(&mut self.run, &ground, waiting, way)).await;
            let deployed = with_evidence(&self.run, COMMAND, deployed).await;
            deployed.map_err(|failure| self.broken(failure, &ground))?;
            self.done(step, format!("Mizar is deployed: {}", workloads::done(ground.plan.changes())), begun);
        }
        let checked = self.sanity_check(&ground).await;
        if nothing_to_do && !self.request.recreate_pods {
            checked?;
            return Ok(Outcome::NothingToDo);
        }
        let checked = with_evidence(&self.run, COMMAND, checked).await;
        checked.map_err(|failure| if nothing_to_do { failure.into() } else { self.broken(failure, &ground) })?;
        Ok(Outcome::Done)
    }

    fn broken(&self, failure: Failure, ground: &Ground) -> Broken {
        Broken { undo: Some(Undo::of(ground, self.run.namespace())), failure }
    }

    async fn find_ground(&mut self) -> Result<Ground, Failure> {
        let begun = Instant::now();
        self.run.tell(Event::StepStarted { step: Step::BinaryReady });
        let request = &self.request;
        let asked = request.namespace.as_deref();
        let means_it = request.extent == Extent::Everything;
        let wish = wish(&mut self.run, asked, &request.values, request.consent, means_it).await?;
        wish.refuse_unfinished_upgrade()?;
        self.done(Step::BinaryReady, wish.prepared.summary(), begun);
        let begun = Instant::now();
        self.run.tell(Event::StepStarted { step: Step::EnvironmentReady });
        let agreed = Agreed {
            take_over_cni: self.request.take_over_cni,
            recreate_pods: self.request.recreate_pods,
            replaces_pods: false,
            adopts: false,
        };
        let (ground, report) = survey(&self.run, wish, agreed).await?;
        report::findings(self.run.reporter(), &report);
        if !report.is_clear() {
            if self.request.extent == Extent::PlanOnly {
                // It was asked for: somebody without the rights may show it to somebody who has them.
                self.show(&ground)?;
            }
            return Err(refused(&report));
        }
        if ground.starts_operator_on_finished_network() {
            let message = "this would start an operator on a network that is built already: it would hand out addresses that pods use, and wire no new pod; nothing was changed";
            return Err(Failure::new(Kind::Refused, message)
                .hint("start it the one safe way: kubectl mizar repair --restart-operator")
                .hint(
                    "if no pod uses the network any more, delete Mizar's objects first, then run this command again",
                ));
        }
        self.done(Step::EnvironmentReady, report.summary().to_string(), begun);
        Ok(ground)
    }

    /// Tells that a step is done.
    fn done(&self, step: Step, summary: String, begun: Instant) {
        let result = StepResult::Succeeded;
        self.run.tell(Event::StepFinished { step, summary, result, elapsed: begun.elapsed() });
    }

    fn show(&self, ground: &Ground) -> Result<(), Failure> {
        let impact = ground.impact();
        let made = Event::plan_made(ground.plan.clone(), impact.clone());
        if self.request.output == Format::Json {
            self.run.tell(made);
            return Ok(());
        }
        self.run.reporter().pause();
        if self.request.extent != Extent::Everything {
            report::data(&report::plan::alone(&self.request.output, &made, &ground.plan, &impact)?)?;
        } else if !ground.plan.is_empty() || !ground.plan.is_allowed() {
            report::note(report::plan::text(&ground.plan, &impact).trim_end());
        }
        self.run.tell(made);
        Ok(())
    }

    /// Has the server try the changes of existing objects, so that what forbids them is found before anything is written.
    async fn try_on_server(&self, plan: &mut Plan) -> Option<Failure> {
        if self.request.extent != Extent::Everything {
            return None;
        }
        self.run.enter("plan");
        apply::try_changes(self.run.cluster(), plan).await.told(plan)
    }

    /// What a saved plan keeps of what was asked for.
    fn inputs(&self, ground: &Ground) -> Inputs {
        let mut values = self.request.values.to_given();
        // It may have been asked for, or be recorded.
        values.profile.clone_from(&ground.prepared.profile);
        let own_chart = self.request.values.chart.is_some();
        Inputs { values, own_chart, options: saved_plan::options(&self.options()) }
    }

    fn options(&self) -> Options {
        Options { take_over_cni: self.request.take_over_cni, recreate_pods: self.request.recreate_pods }
    }

    fn ask(&self, question: &str) -> Result<(), Failure> {
        self.request.consent.to_plan(&self.run, question).map(drop)
    }

    async fn server_dry_run(&self, plan: &Plan) -> Result<Outcome, Failure> {
        self.run.enter("dry-run");
        let mut refused = Vec::new();
        let mut skipped = 0;
        let makes_namespace = plan
            .stages
            .iter()
            .any(|stage| stage.name == StageName::Namespace && stage.changes.iter().any(Change::writes));
        // What lives in a namespace, or is of a kind, that only the install makes cannot be tried before.
        let can_be_tried = |change: &&Change| {
            let homeless = makes_namespace && change.object.namespace.as_deref() == Some(self.run.namespace());
            !homeless && change.object.group() != MIZAR_GROUP
        };
        for stage in &plan.stages {
            let changes = stage.changes.iter().filter(can_be_tried).cloned().collect();
            let trial = Stage { changes, ..stage.clone() };
            skipped += stage.changes.len() - trial.changes.len();
            refused.extend(apply::dry_run_stage(self.run.cluster(), &trial).await);
        }
        if let [first, ..] = refused.as_slice() {
            let kind = Failure::from(first.clone()).kind;
            let mut failure =
                Failure::new(kind, format!("the server refuses {} objects (server dry run)", refused.len()));
            for one in refused {
                let lines = Failure::from(one);
                failure = failure.detail(lines.message);
                failure.details.extend(lines.details);
            }
            return Err(failure);
        }
        let untried = match skipped {
            0 => String::new(),
            _ => format!(" that it can try; {skipped} need what only the install makes"),
        };
        report::note(&format!("the server accepts every object{untried}; nothing was changed (server dry run)"));
        Ok(Outcome::Planned)
    }

    async fn sanity_check(&self, ground: &Ground) -> Result<(), Failure> {
        let run = &self.run;
        if self.request.recreate_pods && self.request.wait {
            run.stop_gently();
            run.enter("recreate");
            Box::pin(recreate::recreate(run, self.request.timeout)).await.map_err(apply::while_applying)?;
        }
        let step = Step::SanityCheck;
        let begun = Instant::now();
        run.tell(Event::StepStarted { step });
        run.enter("check");
        // Whoever agreed to replace a network must not be failed for what is left of it; `check` goes on to say so.
        let take_over = self.request.take_over_cni;
        let (_, report) = tokio::select! {
            judged = judge::judge(run.cluster(), Phase::Health, run.namespace(), None, take_over, run.reporter()) => judged?,
            failure = run.stopped() => return Err(failure),
        };
        report::findings(run.reporter(), &report);
        let nodes = ground.nodes.len();
        if report.is_clear() {
            self.done(step, format!("Mizar is healthy on {nodes} nodes: {}", report.summary()), begun);
            return Ok(());
        }
        if !self.request.wait {
            self.done(step, format!("not waited for, so not healthy yet: {}", report.summary()), begun);
            return Ok(());
        }
        let mut failure = Failure::new(Kind::Failed, "Mizar is deployed, but the Sanity Check found failures");
        for result in report.blocking() {
            failure = failure.detail(format!("{}: {}", result.id, result.message));
        }
        Err(failure.hint("see everything with hints: kubectl mizar check"))
    }
}

fn refused(report: &Report) -> Failure {
    let blocking: Vec<_> = report.blocking().collect();
    let mut failure = Failure::new(
        Kind::Refused,
        format!("Mizar cannot be installed here yet: {}; nothing was changed", report.summary()),
    );
    for result in &blocking {
        failure = failure.detail(format!("{}: {}", result.id, result.message));
    }
    let mut hints: Vec<&String> = blocking.iter().filter_map(|result| result.hint.as_ref()).collect();
    hints.dedup();
    for hint in hints {
        failure = failure.hint(hint.clone());
    }
    failure
}

/// Fails if anything stands in the way of the plan, which was shown with all of it.
pub(crate) fn refuse_forbidden(plan: &Plan) -> Result<(), Failure> {
    let conflicts = plan.conflicts.iter().map(|conflict| (conflict.to_string(), &conflict.hint));
    let refusals = plan.refusals.iter().map(|refusal| (refusal.to_string(), &refusal.hint));
    let all: Vec<(String, &String)> = conflicts.chain(refusals).collect();
    let message = match all.as_slice() {
        [] => return Ok(()),
        [(one, _)] => format!("{one}; nothing was changed"),
        [_, more @ ..] => format!("{} things stand in the way of this plan; nothing was changed", more.len() + 1),
    };
    let mut failure = Failure::new(Kind::Refused, message);
    if all.len() > 1 {
        failure.details = all.iter().map(|(text, _)| text.clone()).collect();
    }
    let mut hints: Vec<String> = all.into_iter().map(|(_, hint)| hint.clone()).collect();
    hints.dedup();
    Err(hints.into_iter().fold(failure, Failure::hint))
}
