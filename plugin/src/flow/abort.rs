//! Giving a change up that has stopped in the middle: nodes that we closed are opened again, once they work; the records say that it
//! was given up; what was changed stays.

use std::sync::Arc;
use std::time::Duration;

use mizar_core::event::{Event, Step, StepResult};
use mizar_core::operation::{NewOperation, Operation, Outcome, StageState};
use tokio::time::Instant;

use super::bundle::evidence::{Evidence, with_evidence};
use super::consent::Consent;
use super::ground::{self, is_unfinished};
use super::operation::{self, Held, Settled};
use super::records::{self, DEFAULT_NAMESPACE, Records};
use super::resume::GIVEN_UP;
use super::rolling;
use super::run::Run;
use super::telling;
use crate::cluster::Cluster;
use crate::failure::{Failure, Kind};
use crate::report::format::Format;
use crate::report::{self, Reporter};

/// Its name.
const COMMAND: &str = "abort";

/// What the person asked for.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// `-n`.
    pub(crate) namespace: Option<String>,
    /// For how long the daemon of a closed node may take to start; replaces the usual limit.
    pub(crate) timeout: Option<Duration>,
    /// Whether to go on without asking.
    pub(crate) consent: Consent,
    /// What is taken if it fails.
    pub(crate) evidence: Evidence,
    /// What stdout is for.
    pub(crate) output: Format,
}

/// Gives up what has stopped in the middle. The events tell everything; what is returned is only how it ended.
pub(crate) async fn abort(cluster: Cluster, reporter: Arc<dyn Reporter>, request: Request) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut run = Run::new(cluster.clone(), reporter.clone(), request.output.output());
    run.evidence = request.evidence.clone();
    let result = Box::pin(carry_out(&mut run, &request)).await;
    telling::ended(&cluster, &*reporter, begun, &result);
    if matches!(result, Ok(Outcome::Done)) {
        reporter.event(&Event::Hint { message: "go back to what was there before: kubectl mizar rollback".to_owned() });
        reporter.event(&Event::Hint { message: "or on to something else: kubectl mizar upgrade".to_owned() });
    }
    result.map(drop)
}

async fn carry_out(run: &mut Run, request: &Request) -> Result<Outcome, Failure> {
    telling::begun(run, COMMAND, request.namespace.as_deref());
    run.enter("records");
    let asked = request.namespace.as_deref();
    let records = records::read(run.cluster(), asked.unwrap_or(DEFAULT_NAMESPACE)).await?;
    run.namespace = ground::namespace(asked, &records)?;
    let stored = operation::read(run.cluster(), run.namespace()).await?;
    let settled = operation::settle(run.cluster(), run.namespace(), stored, |event| run.tell(event)).await?;
    let stopped = settled.stored.as_ref().map(|stored| stored.operation.clone()).filter(is_unfinished);
    let Some(stopped) = stopped else { return Ok(Outcome::NothingToDo) };
    refuse(&stopped)?;
    ask(run, request, &stopped)?;
    run.stop_gently();
    let begun = Instant::now();
    let step = Step::Deploy;
    run.tell(Event::StepStarted { step });
    hold(run, &stopped, settled).await?;
    let done = give_up(run, request, &records, &stopped).await;
    let done = with_evidence(run, COMMAND, done).await;
    let (outcome, message) = match &done {
        Ok(()) => (GIVEN_UP, "given up".to_owned()),
        Err(failure) => (failure.kind.outcome(), failure.message.clone()),
    };
    run.enter("apply");
    if let Some(held) = run.held.take() {
        let ended = held.end(outcome, &message).await;
        done.and(ended)?;
    }
    let summary = format!("{} is given up; what it has changed stays", stopped.command);
    run.tell(Event::StepFinished { step, summary, result: StepResult::Succeeded, elapsed: begun.elapsed() });
    Ok(Outcome::Done)
}

/// A restart that is half done keeps every node closed, and only its end may open them.
fn refuse(stopped: &Operation) -> Result<(), Failure> {
    if stopped.restart.is_some() {
        let message = "a restart of the operator is half done: new pods could get addresses that are in use, so that it must be finished first; nothing was changed";
        return Err(Failure::new(Kind::Refused, message).hint("finish it: kubectl mizar repair"));
    }
    if stopped.is_repair() {
        let message = "a repair has stopped in the middle, and what it owes must follow; nothing was changed";
        return Err(Failure::new(Kind::Refused, message).hint("finish it: kubectl mizar repair"));
    }
    if stopped.command == "uninstall" {
        let message =
            "an uninstall has stopped in the middle: nothing works with the half that is left; nothing was changed";
        return Err(Failure::new(Kind::Refused, message).hint("finish it: kubectl mizar uninstall"));
    }
    Ok(())
}

fn ask(run: &Run, request: &Request, stopped: &Operation) -> Result<(), Failure> {
    let (command, holder, since) = (&stopped.command, &stopped.holder, stopped.started_at);
    let done = stopped.stages.iter().filter(|stage| stage.state == StageState::Done).count();
    let told = format!(
        "{command}, begun by {holder} at {since:.0}, has done {done} of {} parts. What it has changed stays.",
        stopped.stages.len()
    );
    run.reporter().pause();
    if request.output != Format::Json {
        report::note(&told);
    }
    match request.consent {
        Consent::Given => Ok(()),
        Consent::CannotAsk => Err(Failure::new(
            Kind::Usage,
            "giving a change up needs a yes, and there is no terminal to ask on; nothing was changed",
        )
        .hint("add -y")),
        Consent::Ask if report::prompt::confirm("Give it up?") => Ok(()),
        Consent::Ask => Err(Failure::new(Kind::Failed, "not given up: nothing was changed")),
    }
}

/// Takes the record over as it is.
async fn hold(run: &mut Run, stopped: &Operation, settled: Settled) -> Result<(), Failure> {
    let new = NewOperation {
        id: stopped.id.clone(),
        command: stopped.command.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        namespace: run.namespace().to_owned(),
        intent: stopped.intent.clone(),
        stages: stopped.stages.iter().map(|stage| stage.name.clone()).collect(),
    };
    run.held = Some(Held::begin(run.cluster(), new, settled.stored, &settled.claim).await?);
    Ok(())
}

async fn give_up(run: &Run, request: &Request, records: &Records, stopped: &Operation) -> Result<(), Failure> {
    rolling::open_nodes(run, request.timeout).await?;
    run.enter("apply");
    records::give_up(run.cluster(), records, stopped).await
}
