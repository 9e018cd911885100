//! Taking Mizar out: what is there, the plan made of it, shown and agreed to; then part by part, each looking at what is there
//! by then; and the proof that nothing is left.
//!
//! No custom resource is deleted while a pod of an operator runs. Killed anywhere, the same command finishes what it began.

mod consent;
mod custom;
mod daemon;
mod ending;
mod gone;
mod ground;
mod namespace;
mod nodes;
mod operator;
mod records;
mod release;
mod rights;
mod saved;
mod survey;
mod traces;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mizar_core::event::{Event, Step, StepResult};
use mizar_core::operation::Outcome;
use mizar_core::site::Site;
use mizar_core::uninstall::UninstallResult;
use tokio::time::Instant;

use self::ground::Ground;
pub(crate) use self::saved::Options;
use super::bundle::evidence::Evidence;
use super::consent::Consent;
use super::run::Run;
use super::saved_plan::PlanFile;
use super::telling;
use super::{apply, treat};
use crate::cluster::Cluster;
use crate::failure::{Failure, Kind};
use crate::report::Reporter;
use crate::report::format::Format;

/// What the person asked for.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that a person may type")]
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// `-n`.
    pub(crate) namespace: Option<String>,
    /// Definitions, their release and the namespace too.
    pub(crate) crds: bool,
    /// Where the custom resources are saved.
    pub(crate) export: Option<PathBuf>,
    /// The nodes are left as they are.
    pub(crate) keep_node_state: bool,
    /// Nodes that are not cleaned.
    pub(crate) skip: BTreeSet<String>,
    /// The records of the releases stay.
    pub(crate) keep_history: bool,
    /// The file that the plan is written to or came from.
    pub(crate) file: PlanFile,
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

/// Takes Mizar out. The events tell everything; what is returned is only how it ended.
pub(crate) async fn uninstall(cluster: Cluster, reporter: Arc<dyn Reporter>, request: Request) -> Result<(), Failure> {
    let begun = Instant::now();
    let ended = Box::pin(take_out(cluster.clone(), reporter.clone(), request)).await;
    telling::ended(&cluster, &*reporter, begun, &ended);
    ended.map(drop)
}

/// As [`uninstall`], as a part of another command, which tells the end.
pub(crate) async fn take_out(
    cluster: Cluster,
    reporter: Arc<dyn Reporter>,
    request: Request,
) -> Result<Outcome, Failure> {
    let result = UninstallResult::new(cluster.server());
    let mut run = Run::new(cluster, reporter, request.output.output());
    run.evidence = request.evidence.clone();
    Uninstall { run, request, result }.carry_out().await
}

struct Uninstall {
    run: Run,
    request: Request,
    /// What was done so far.
    result: UninstallResult,
}

impl Uninstall {
    async fn carry_out(mut self) -> Result<Outcome, Failure> {
        telling::begun(&self.run, mizar_core::uninstall::UNINSTALL, self.request.namespace.as_deref());
        let file = self.open_plan().await?;
        let ground = self.find_ground().await?;
        self.show(&ground)?;
        self.verify(&file, &ground)?;
        if self.request.plan_only {
            self.save_plan(&file, &ground)?;
            return Ok(Outcome::Planned);
        }
        if ground.plan.is_empty() && !ground.finishes {
            return Ok(Outcome::NothingToDo);
        }
        self.agree(&ground)?;
        self.refuse_export(&ground).await?;
        self.run.stop_gently();
        self.run.enter("apply");
        self.hold(&ground).await?;
        let done = self.take_out(&ground).await.map_err(apply::while_applying);
        self.end(&ground, done).await
    }

    /// Does one part after the other. Nodes that could not be cleaned keep nothing else from going but the record of them.
    async fn take_out(&mut self, ground: &Ground) -> Result<(), Failure> {
        let begun = Instant::now();
        self.run.tell(Event::StepStarted { step: Step::Deploy });
        self.begin_records(ground).await?;
        self.stop_operators().await?;
        self.save(ground).await?;
        self.delete_customs().await?;
        self.take_traces_off().await?;
        self.stop_daemons(ground).await?;
        self.clean_nodes(ground).await?;
        self.delete_release(ground).await?;
        self.delete_definitions(ground).await?;
        self.end_records(ground).await?;
        let unclean = self.result.unclean().count();
        let summary = match unclean {
            0 => "Mizar is taken out".to_owned(),
            count => format!("Mizar is taken out, but {count} nodes are not clean"),
        };
        let result = if unclean == 0 { StepResult::Succeeded } else { StepResult::Failed };
        self.run.tell(Event::StepFinished { step: Step::Deploy, summary, result, elapsed: begun.elapsed() });
        Ok(())
    }

    /// The limit of one part.
    fn limit(&self) -> Duration {
        self.request.timeout.unwrap_or(self.run.timing().part_timeout)
    }

    /// Records and tells that a part begins.
    async fn part_begins(&self, name: &'static str, total: usize) -> Result<Part, Failure> {
        self.run.go_on()?;
        self.run.enter("apply");
        if let Some(held) = &self.run.held {
            held.begin_stage(name).await?;
        }
        self.run.tell(Event::StageStarted { stage: name.to_owned(), site: Site::Management, total });
        Ok(Part { name, begun: Instant::now() })
    }

    /// Tells what a part came to.
    async fn part_ends(&self, part: Part, summary: String, result: StepResult) {
        if let Some(held) = self.run.held.as_ref().filter(|_| result != StepResult::Failed) {
            held.end_stage(part.name).await;
        }
        let stage = part.name.to_owned();
        self.run.tell(Event::StageFinished { stage, summary, result, elapsed: part.begun.elapsed() });
    }

    /// Asks for the deletion of this very object and notes it.
    async fn delete(&mut self, id: &mizar_core::object::ObjectId) -> Result<(), Failure> {
        treat::delete(&self.run, id).await?;
        self.deleted(id.object.clone());
        Ok(())
    }

    fn deleted(&mut self, object: mizar_core::object::ObjectRef) {
        let result = mizar_core::event::ApplyResult::Deleted;
        self.run.tell(Event::ObjectApplied { object: object.clone(), site: Site::Management, result });
        self.result.removed.push(object);
    }
}

/// A part that is being done.
struct Part {
    name: &'static str,
    begun: Instant,
}

/// What stands in the way before anything is changed.
fn refused(message: impl Into<String>) -> Failure {
    Failure::new(Kind::Refused, message)
}
