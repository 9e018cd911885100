//! Installing: Binary Ready → Environment Ready → the plan, shown and agreed to → Deploy, part by part → Sanity Check.
//!
//! The same path serves the first install, a rerun that finds nothing to do, and a rerun after a crash: what differs is
//! what the plan finds.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mizar_core::check::{self, Options, Phase, access};
use mizar_core::event::{ClusterName, Event, Step, StepResult};
use mizar_core::facts::{self, Facts, NodeFact, Right, Source};
use mizar_core::network::eligible_nodes;
use mizar_core::operation::{Claim, Intent, NewOperation, Outcome, StoredOperation};
use mizar_core::plan::{Impact, Plan, PlanInput, ReleaseInput, Stage, StageName, decide};
use mizar_core::site::Site;
use mizar_core::timing::Timing;
use tokio::time::Instant;

use super::deploy::{self, WriteMode};
use super::gather::{Gathered, Wanted, gather};
use super::operation::{self, Held};
use super::prepare::{Prepared, ValueSources, prepare};
use super::records::{self, Records};
use super::{judge, network, recreate, workloads};
use crate::cluster::Cluster;
use crate::context::RELEASE_NAMESPACE;
use crate::failure::{Failure, Kind};
use crate::interrupt::Interrupt;
use crate::report::{self, Output, Reporter};

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
    /// How far to go.
    pub extent: Extent,
    /// Whether to go on without asking.
    pub consent: Consent,
    /// Whether to wait for what was applied.
    pub wait: bool,
    /// Replaces the limits of all waits.
    pub timeout: Option<Duration>,
    /// What stdout is for.
    pub output: Output,
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

/// Whether a person agrees to the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent {
    /// `-y`.
    Given,
    /// There is a terminal: ask.
    Ask,
    /// Nobody can be asked.
    CannotAsk,
}

/// Everything a step of the install needs.
pub(crate) struct Run {
    cluster: Cluster,
    reporter: Arc<dyn Reporter>,
    namespace: String,
    write_mode: WriteMode,
    interrupt: Interrupt,
    held: Option<Held>,
}

impl Run {
    /// The API server.
    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The namespace of the release.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Every duration.
    pub(crate) fn timing(&self) -> &Timing {
        self.cluster.timing()
    }

    /// How this server takes changes.
    pub(crate) fn write_mode(&self) -> &WriteMode {
        &self.write_mode
    }

    /// Tells what happened, and what the server said besides.
    #[expect(clippy::needless_pass_by_value, reason = "events are made to be told")]
    pub(crate) fn tell(&self, event: Event) {
        for message in self.cluster.ledger().take_messages() {
            self.reporter.event(&Event::Warning { message, object: None });
        }
        self.reporter.event(&event);
    }

    /// Ends when the install must not go on: Ctrl-C, or the lease is lost.
    pub(crate) async fn stopped(&self) -> Failure {
        let lost = async {
            match &self.held {
                Some(held) => held.lost().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.interrupt.asked() => Failure::new(Kind::Interrupted, "interrupted")
                .hint("run the same command again: it goes on where it stopped"),
            reason = lost => Failure::new(Kind::PartlyApplied, format!("stopped: the claim on this change was lost: {reason}"))
                .hint("see who holds it, then run the same command again"),
        }
    }

    /// Fails if the install must not go on.
    fn go_on(&self) -> Result<(), Failure> {
        use futures::FutureExt as _;
        self.stopped().now_or_never().map_or(Ok(()), Err)
    }
}

/// Installs. The events tell everything; what is returned is only how it ended.
pub(crate) async fn install(cluster: Cluster, reporter: Arc<dyn Reporter>, request: Request) -> Result<(), Failure> {
    let begun = Instant::now();
    let result = Installation::new(cluster.clone(), reporter.clone(), request).carry_out().await;
    let (outcome, exit, error) = match &result {
        Ok(outcome) => (*outcome, 0, None),
        Err(failure) => (outcome_of(failure.kind), failure.kind.code(), Some(failure.message.clone())),
    };
    let requests = cluster.ledger().requests();
    reporter.event(&Event::Finished { outcome, exit, requests, elapsed: begun.elapsed(), error });
    if outcome == Outcome::Done {
        reporter.event(&Event::Hint { message: "kubectl mizar check".to_owned() });
    }
    result.map(drop)
}

fn outcome_of(kind: Kind) -> Outcome {
    match kind {
        Kind::TimedOut => Outcome::TimedOut,
        Kind::Interrupted => Outcome::Interrupted,
        Kind::PartlyApplied => Outcome::PartlyApplied,
        Kind::Refused | Kind::Usage | Kind::Failed | Kind::Unreachable | Kind::Bug => Outcome::Failed,
    }
}

struct Installation {
    run: Run,
    request: Request,
}

/// What was found before anything is changed.
struct Ground {
    prepared: Prepared,
    records: Records,
    stored: Option<StoredOperation>,
    facts: Facts,
    plan: Plan,
    nodes: Vec<NodeFact>,
}

impl Installation {
    fn new(cluster: Cluster, reporter: Arc<dyn Reporter>, request: Request) -> Self {
        let run = Run {
            cluster,
            reporter,
            namespace: String::new(),
            write_mode: WriteMode::default(),
            interrupt: Interrupt::new(),
            held: None,
        };
        Self { run, request }
    }

    async fn carry_out(mut self) -> Result<Outcome, Failure> {
        let server = self.run.cluster.server().to_owned();
        self.run.tell(Event::Started {
            command: "install".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            clusters: vec![ClusterName { site: Site::Management, context: None, server }],
            namespace: self.request.namespace.clone().unwrap_or_else(|| RELEASE_NAMESPACE.to_owned()),
        });
        let (records, stored, prepared) = self.binary_ready().await?;
        let ground = self.environment_ready(records, stored, prepared).await?;
        let nothing_to_do = ground.plan.is_empty() && !is_unfinished(&ground);
        self.show(&ground);
        self.refuse_conflicts(&ground.plan).await?;
        match self.request.extent {
            Extent::PlanOnly => return Ok(Outcome::NothingToDo),
            Extent::ServerDryRun => return self.server_dry_run(&ground.plan).await,
            Extent::Everything => {}
        }
        if nothing_to_do {
            self.run.tell(Event::StepFinished {
                step: Step::Deploy,
                summary: "everything is as the charts want it; nothing was written".to_owned(),
                result: StepResult::Skipped,
                elapsed: Duration::ZERO,
            });
        } else {
            self.ask(&ground)?;
            self.deploy(&ground).await?;
        }
        self.sanity_check(&ground).await?;
        Ok(if nothing_to_do { Outcome::NothingToDo } else { Outcome::Done })
    }

    /// Tells that a step is done.
    fn done(&self, step: Step, summary: String, begun: Instant) {
        let result = StepResult::Succeeded;
        self.run.tell(Event::StepFinished { step, summary, result, elapsed: begun.elapsed() });
    }

    async fn binary_ready(&mut self) -> Result<(Records, Option<StoredOperation>, Prepared), Failure> {
        let step = Step::BinaryReady;
        let begun = Instant::now();
        self.run.tell(Event::StepStarted { step });
        let cluster = self.run.cluster.clone();
        cluster.ledger().enter("records");
        let asked = self.request.namespace.clone();
        let default = asked.clone().unwrap_or_else(|| RELEASE_NAMESPACE.to_owned());
        let records = records::read(&cluster, &default).await?;
        self.run.namespace = match (&asked, &records.namespace) {
            (Some(asked), Some(found)) if asked != found => {
                return Err(Failure::new(
                    Kind::Refused,
                    format!("Mizar is already recorded in namespace {found}, not {asked}; a cluster has one Mizar"),
                )
                .hint(format!("leave out -n, or use -n {found}")));
            }
            (_, Some(found)) => found.clone(),
            (_, None) => default,
        };
        let stored = operation::read(&cluster, &self.run.namespace).await?;
        let recorded = stored.as_ref().map(|stored| &stored.operation.intent);
        let base = records.histories[1].base();
        let helm_values = base.map(|stored| serde_json::Value::Object(stored.release.config.clone()));
        let prepared = prepare(&self.request.values, recorded, helm_values, &self.run.namespace, self.request.consent)?;
        self.done(step, prepared.summary(), begun);
        Ok((records, stored, prepared))
    }

    async fn environment_ready(
        &self,
        records: Records,
        stored: Option<StoredOperation>,
        prepared: Prepared,
    ) -> Result<Ground, Failure> {
        let step = Step::EnvironmentReady;
        let begun = Instant::now();
        self.run.tell(Event::StepStarted { step });
        let run = &self.run;
        run.cluster.ledger().enter("preflight");
        let now = Timestamp::now();
        let input = self.plan_input(&records, &prepared)?;
        let mut sources = check::sources_of(Phase::Preflight);
        // The records were read already, whole.
        sources.retain(|source| *source != Source::Releases);
        if !sources.contains(&Source::Pods) {
            // For the plan: which of them lose their network.
            sources.push(Source::Pods);
        }
        let bring = self.bring(&prepared);
        let wanted = Wanted {
            sources: &sources,
            namespaces: access::namespaces_of(&bring.needs),
            plan: Some(bring),
            objects: super::prepare::interest(&input),
            client: judge::client(Phase::Preflight).await,
        };
        let Gathered { mut facts, live } = gather(&run.cluster, wanted, now).await?;
        facts.absorb_page(Source::Releases, &serde_json::json!({"items": records.secrets}));
        let options =
            Options { namespace: run.namespace.clone(), take_over_cni: self.request.take_over_cni, ..Options::at(now) };
        let report = check::evaluate(Phase::Preflight, &facts, &options);
        report::findings(&*run.reporter, &report);
        if !report.is_clear() {
            return Err(refused(&report));
        }
        let input = PlanInput { live: live.into_iter().map(|object| (Site::Management, object)).collect(), ..input };
        let plan = decide(&input);
        if !plan.is_allowed() {
            return Err(forbidden(&plan));
        }
        let selector = prepared.daemon_selector();
        let nodes = eligible_nodes(facts.nodes.items(), &selector).into_iter().cloned().collect();
        self.done(step, report.summary().to_string(), begun);
        Ok(Ground { prepared, records, stored, facts, plan, nodes })
    }

    /// What the install brings and needs; recreating pods needs one right more.
    fn bring(&self, prepared: &Prepared) -> facts::Plan {
        let mut bring = prepared.bring(&self.run.namespace);
        if self.request.recreate_pods {
            bring.needs.push(facts::Need {
                right: Right::new("delete", "", "pods"),
                unless: Vec::new(),
                purpose: "to recreate pods that are older than Mizar".to_owned(),
            });
        }
        bring
    }

    fn plan_input(&self, records: &Records, prepared: &Prepared) -> Result<PlanInput, Failure> {
        let mut releases = Vec::new();
        for (release, history) in prepared.releases.iter().zip(&records.histories) {
            releases.push(ReleaseInput {
                name: release.name.clone(),
                namespace: self.run.namespace.clone(),
                site: Site::Management,
                first_install: history.deployed().is_none(),
                objects: release.objects.clone(),
                hooks: release.hooks.clone(),
                recorded: match history.base() {
                    Some(base) => super::prepare::objects_of(&base.release.manifest)?,
                    None => Vec::new(),
                },
            });
        }
        Ok(PlanInput { own: super::prepare::own_objects(&self.run.namespace), releases, ..PlanInput::default() })
    }

    fn show(&self, ground: &Ground) {
        let nodes: Vec<String> = ground.nodes.iter().map(|node| node.name.clone()).collect();
        let impact = Impact::of(&ground.plan, &nodes, &super::prepare::pods_on_nodes(&ground.facts));
        if self.request.output == Output::Text && self.request.extent != Extent::Everything {
            self.run.reporter.pause();
            report::data(&report::plan::text(&ground.plan, &impact));
        } else if self.request.output == Output::Text && !ground.plan.is_empty() {
            self.run.reporter.pause();
            report::note(report::plan::text(&ground.plan, &impact).trim_end());
        }
        self.run.tell(Event::plan_made(ground.plan.clone(), impact));
    }

    /// Has the server try the changes of existing objects: a field that somebody else owns is found before anything is
    /// written.
    async fn refuse_conflicts(&self, plan: &Plan) -> Result<(), Failure> {
        self.run.cluster.ledger().enter("plan");
        match deploy::conflicts(&self.run.cluster, plan).await {
            Some(failure) => Err(failure.detail("nothing was changed")),
            None => Ok(()),
        }
    }

    fn ask(&self, ground: &Ground) -> Result<(), Failure> {
        match self.request.consent {
            Consent::Given => Ok(()),
            Consent::CannotAsk => Err(Failure::new(
                Kind::Usage,
                "this plan needs a yes, and there is no terminal to ask on; nothing was changed",
            )
            .hint("read the plan above, then add -y")),
            Consent::Ask => {
                self.run.reporter.pause();
                if report::prompt::confirm(&format!("Carry out this plan ({})?", ground.plan.counts())) {
                    Ok(())
                } else {
                    Err(Failure::new(Kind::Failed, "not carried out: nothing was changed"))
                }
            }
        }
    }

    async fn server_dry_run(&self, plan: &Plan) -> Result<Outcome, Failure> {
        self.run.cluster.ledger().enter("dry-run");
        let mut refused = Vec::new();
        let mut skipped = 0;
        for stage in &plan.stages {
            // What lives in a namespace, or is of a kind, that only the install makes cannot be tried before.
            let namespace_missing = plan.stages.iter().any(|stage| {
                stage.name == StageName::Namespace && stage.changes.iter().any(mizar_core::plan::Change::writes)
            });
            let trial = Stage {
                changes: stage
                    .changes
                    .iter()
                    .filter(|change| {
                        !(namespace_missing && change.object.namespace.as_deref() == Some(&self.run.namespace))
                    })
                    .filter(|change| {
                        stage.name != StageName::Network || change.object.group() != mizar_core::kind::MIZAR_GROUP
                    })
                    .cloned()
                    .collect(),
                ..stage.clone()
            };
            skipped += stage.changes.len() - trial.changes.len();
            refused.extend(deploy::dry_run_stage(&self.run.cluster, &trial).await);
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
        report::note(&format!("(server dry run) the server accepts every object{untried}; nothing was changed"));
        Ok(Outcome::NothingToDo)
    }

    async fn deploy(&mut self, ground: &Ground) -> Result<(), Failure> {
        let begun = Instant::now();
        self.run.tell(Event::StepStarted { step: Step::Deploy });
        self.run.cluster.ledger().enter("apply");
        let (stored, claim) =
            operation::settle(&self.run.cluster, &self.run.namespace, ground.stored.clone(), |event| {
                self.run.tell(event);
            })
            .await?;
        // The one change that comes before the intent: it has to lie somewhere.
        for stage in ground.plan.stages.iter().filter(|stage| stage.name == StageName::Namespace) {
            deploy::apply_stage(&self.run, stage).await?;
        }
        if let (Claim::Resume | Claim::TakeOver { .. }, Some(stored)) = (&claim, &stored) {
            self.run.tell(Event::Resumed {
                id: stored.operation.id.clone(),
                from: stored.operation.holder.to_string(),
                stage: stored.operation.current_stage().map(|stage| stage.name.clone()),
            });
        }
        let new = self.new_operation(ground);
        self.run.held = Some(Held::begin(&self.run.cluster, new, stored, &claim).await?);
        if let Some(held) = &self.run.held {
            held.end_stage(StageName::Namespace.as_str()).await;
        }
        let done = self.deploy_releases(ground).await.map_err(deploy::while_applying);
        let (outcome, message) = match &done {
            Ok(()) => (Outcome::Done, ""),
            Err(failure) => (outcome_of(failure.kind), failure.message.as_str()),
        };
        self.run.cluster.ledger().enter("apply");
        if let Some(held) = self.run.held.take() {
            let ended = held.end(outcome, message).await;
            // The reason why it stopped matters more than a record that could not be written because of it.
            done.and(ended)?;
        }
        self.done(Step::Deploy, format!("Mizar is deployed: {}", workloads::done(ground.plan.changes())), begun);
        Ok(())
    }

    fn new_operation(&self, ground: &Ground) -> NewOperation {
        let now = Timestamp::now();
        let pid = std::process::id();
        let revisions = ground.prepared.releases.iter().zip(&ground.records.histories);
        NewOperation {
            id: format!("install-{}-{pid}", now.as_millisecond()),
            command: "install".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            namespace: self.run.namespace.clone(),
            intent: Intent {
                plan_digest: ground.plan.digest(),
                intent_digest: ground.plan.intent_digest(),
                profile: ground.prepared.profile.clone(),
                values: ground.prepared.value_layers(),
                releases: revisions
                    .map(|(release, history)| (release.name.clone(), records::revision_of(history)))
                    .collect(),
            },
            stages: ground.plan.stages.iter().map(|stage| stage.name.to_string()).collect(),
        }
    }

    async fn deploy_releases(&self, ground: &Ground) -> Result<(), Failure> {
        for (release, history) in ground.prepared.releases.iter().zip(&ground.records.histories) {
            let stages: Vec<&Stage> =
                ground.plan.stages.iter().filter(|stage| stage.release.as_deref() == Some(&release.name)).collect();
            let recorded = records::is_recorded(history, &release.content);
            if recorded && !stages.iter().any(|stage| stage.changes.iter().any(mizar_core::plan::Change::writes)) {
                // Nothing of it changes; an earlier run may still have died before its waits were over.
                self.wait_for_stages(ground, &stages).await?;
                continue;
            }
            let cluster = &self.run.cluster;
            cluster.ledger().enter("apply");
            let revision = records::begin(cluster, history, release.content.clone()).await?;
            match self.deploy_stages(ground, &stages).await {
                Ok(()) => {
                    cluster.ledger().enter("apply");
                    revision.deployed(cluster, history).await?;
                }
                Err(failure) => {
                    cluster.ledger().enter("apply");
                    // As above: the first failure is the one to tell.
                    let _second_failure = revision.failed(cluster, &failure.message).await;
                    return Err(failure);
                }
            }
        }
        Ok(())
    }

    async fn deploy_stages(&self, ground: &Ground, stages: &[&Stage]) -> Result<(), Failure> {
        for stage in stages {
            self.run.go_on()?;
            self.stage(ground, stage, true).await?;
        }
        self.wait_for_network(ground, stages).await
    }

    async fn wait_for_stages(&self, ground: &Ground, stages: &[&Stage]) -> Result<(), Failure> {
        for stage in stages.iter().filter(|stage| workloads::is_waited_for(stage.name)) {
            self.stage(ground, stage, false).await?;
        }
        self.wait_for_network(ground, stages).await
    }

    /// Applies one stage and waits until it is what it should be.
    async fn stage(&self, ground: &Ground, stage: &Stage, apply: bool) -> Result<(), Failure> {
        let run = &self.run;
        let name = stage.name.as_str();
        let begun = Instant::now();
        run.tell(Event::StageStarted { stage: name.to_owned(), site: stage.site, total: stage.changes.len() });
        if apply {
            run.cluster.ledger().enter("apply");
            if let Some(held) = &run.held {
                held.begin_stage(name).await?;
            }
            deploy::apply_stage(run, stage).await?;
        }
        let mut summary = workloads::applied(stage);
        if self.request.wait || stage.name == StageName::Definitions {
            run.cluster.ledger().enter("wait");
            if let Some(waited) = workloads::wait(run, stage, ground.nodes.len(), self.request.timeout).await? {
                summary = waited;
            }
        }
        if let Some(held) = &run.held {
            held.end_stage(name).await;
        }
        let result = StepResult::Succeeded;
        run.tell(Event::StageFinished { stage: name.to_owned(), summary, result, elapsed: begun.elapsed() });
        Ok(())
    }

    async fn wait_for_network(&self, ground: &Ground, stages: &[&Stage]) -> Result<(), Failure> {
        let has_operator = stages.iter().any(|stage| stage.name == StageName::Operator);
        if !has_operator || !self.request.wait {
            return Ok(());
        }
        self.run.go_on()?;
        self.run.cluster.ledger().enter("wait");
        network::wait(&self.run, &ground.nodes, self.request.timeout).await
    }

    async fn sanity_check(&self, ground: &Ground) -> Result<(), Failure> {
        let run = &self.run;
        if self.request.recreate_pods && self.request.wait {
            run.cluster.ledger().enter("recreate");
            recreate::recreate(run, self.request.timeout).await?;
        }
        let step = Step::SanityCheck;
        let begun = Instant::now();
        run.tell(Event::StepStarted { step });
        run.cluster.ledger().enter("check");
        let (_, report) = judge::judge(&run.cluster, Phase::Health, &run.namespace, None).await?;
        report::findings(&*run.reporter, &report);
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

/// Whether an earlier run did not come to its end, so that there is something to do although no object changes.
fn is_unfinished(ground: &Ground) -> bool {
    let unfinished =
        |stored: &StoredOperation| stored.operation.outcome.as_ref().is_none_or(|end| !end.outcome.is_success());
    let mut releases = ground.prepared.releases.iter().zip(&ground.records.histories);
    ground.stored.as_ref().is_some_and(unfinished)
        || releases.any(|(release, history)| !records::is_recorded(history, &release.content))
}

fn refused(report: &check::Report) -> Failure {
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

fn forbidden(plan: &Plan) -> Failure {
    let message = if plan.conflicts.is_empty() {
        "this change must not be made by install; nothing was changed"
    } else {
        "objects of the charts exist already and belong to somebody else; nothing was changed"
    };
    let mut failure = Failure::new(Kind::Refused, message);
    let mut hints = Vec::new();
    for conflict in &plan.conflicts {
        failure = failure.detail(conflict.to_string());
        hints.push(conflict.hint.clone());
    }
    for refusal in &plan.refusals {
        failure = failure.detail(refusal.to_string());
        hints.push(refusal.hint.clone());
    }
    hints.dedup();
    hints.into_iter().fold(failure, Failure::hint)
}
