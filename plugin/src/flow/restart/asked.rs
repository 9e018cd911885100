//! A restart that a person asks for: the plan, shown and agreed to, the restart, and the proof.

use std::sync::Arc;
use std::time::Duration;

use mizar_core::check::Phase;
use mizar_core::event::{ClusterName, Event, Step as Part, StepResult};
use mizar_core::operation::Outcome;
use mizar_core::restart::{self as sequence, RestartPlan, Step};
use mizar_core::site::Site;
use tokio::time::Instant;

use super::{read, refused, restart};
use crate::cluster::Cluster;
use crate::failure::{Failure, Kind};
use crate::flow::prepare::Consent;
use crate::flow::run::Run;
use crate::flow::{ground, judge, operation, records};
use crate::report::{self, Output, Reporter};

/// What the person asked for.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// `-n`.
    pub(crate) namespace: Option<String>,
    /// Only show the plan.
    pub(crate) plan_only: bool,
    /// Whether to go on without asking.
    pub(crate) consent: Consent,
    /// Replaces the limits of all waits.
    pub(crate) timeout: Option<Duration>,
    /// What stdout is for.
    pub(crate) output: Output,
}

/// Restarts the operator. The events tell everything; what is returned is only how it ended.
pub(crate) async fn restart_as_asked(
    cluster: Cluster,
    reporter: Arc<dyn Reporter>,
    request: Request,
) -> Result<(), Failure> {
    let begun = Instant::now();
    let result = carry_out(Run::new(cluster.clone(), reporter.clone()), &request).await;
    let (outcome, exit, error) = match &result {
        Ok(outcome) => (*outcome, 0, None),
        Err(failure) => (failure.kind.outcome(), failure.kind.code(), Some(failure.message.clone())),
    };
    let requests = cluster.ledger().requests();
    reporter.event(&Event::Finished { outcome, exit, requests, elapsed: begun.elapsed(), error });
    result.map(drop)
}

async fn carry_out(mut run: Run, request: &Request) -> Result<Outcome, Failure> {
    let server = run.cluster().server().to_owned();
    run.tell(Event::Started {
        command: "repair".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        clusters: vec![ClusterName { site: Site::Management, context: None, server }],
        namespace: request.namespace.clone().unwrap_or_else(|| records::DEFAULT_NAMESPACE.to_owned()),
    });
    run.enter("records");
    let asked = request.namespace.as_deref();
    let records = records::read(run.cluster(), asked.unwrap_or(records::DEFAULT_NAMESPACE)).await?;
    run.namespace = ground::namespace(asked, &records)?;
    let stored = operation::read(run.cluster(), run.namespace()).await?;
    if request.plan_only {
        show(&run, request, &plan(&run).await?)?;
        return Ok(Outcome::Planned);
    }
    let settled = operation::settle(run.cluster(), run.namespace(), stored, |event| run.tell(event)).await?;
    records::refuse_pending(&records, |name| ground::our_revision(settled.stored.as_ref(), name))?;
    show(&run, request, &plan(&run).await?)?;
    ask(&run, request.consent)?;
    run.stop_gently();
    let stages: Vec<&str> = Step::ALL.iter().map(|step| step.as_str()).collect();
    operation::hold(&mut run, &stages, settled).await?;
    let step = Part::Deploy;
    let begun = Instant::now();
    run.tell(Event::StepStarted { step });
    let done = restart(&run, request.timeout).await;
    let done = done.and_then(|restarted| restarted.unsettled.map_or(Ok(()), Err));
    let (outcome, message) = match &done {
        Ok(()) => (Outcome::Done, String::new()),
        Err(failure) => (failure.kind.outcome(), failure.message.clone()),
    };
    if let Some(held) = run.held.take() {
        done.and(held.end(outcome, &message).await)?;
    }
    let summary = "the operator was restarted; every address in use is held".to_owned();
    run.tell(Event::StepFinished { step, summary, result: StepResult::Succeeded, elapsed: begun.elapsed() });
    prove(&run).await?;
    Ok(Outcome::Done)
}

async fn plan(run: &Run) -> Result<RestartPlan, Failure> {
    run.enter("plan");
    sequence::plan(&read(run.cluster()).await?, run.namespace()).map_err(|obstacle| refused(&obstacle))
}

fn show(run: &Run, request: &Request, plan: &RestartPlan) -> Result<(), Failure> {
    let text = report::restart::text(plan);
    run.reporter().pause();
    match (request.output, request.plan_only) {
        (Output::Json, _) => report::data(&format!("{}\n", report::restart::json(plan))),
        (Output::Text, true) => report::data(&text),
        (Output::Text, false) => {
            report::note(text.trim_end());
            Ok(())
        }
    }
}

fn ask(run: &Run, consent: Consent) -> Result<(), Failure> {
    match consent {
        Consent::Given => Ok(()),
        Consent::CannotAsk => {
            let message = "this plan needs a yes, and there is no terminal to ask on; nothing was changed";
            Err(Failure::new(Kind::Usage, message).hint("read the plan above, then add -y"))
        }
        Consent::Ask => {
            run.reporter().pause();
            if report::prompt::confirm("Restart the operator?") {
                Ok(())
            } else {
                Err(Failure::new(Kind::Failed, "not carried out: nothing was changed"))
            }
        }
    }
}

/// Judges everything again; the table of checks also finds addresses that two pods have.
async fn prove(run: &Run) -> Result<(), Failure> {
    let step = Part::SanityCheck;
    let begun = Instant::now();
    run.tell(Event::StepStarted { step });
    run.enter("check");
    let (_, report) = judge::judge(run.cluster(), Phase::Health, run.namespace(), None, false, run.reporter()).await?;
    report::findings(run.reporter(), &report);
    if report.is_clear() {
        let summary = format!("Mizar is healthy: {}", report.summary());
        run.tell(Event::StepFinished { step, summary, result: StepResult::Succeeded, elapsed: begun.elapsed() });
        return Ok(());
    }
    let mut failure = Failure::new(Kind::Failed, "the operator was restarted, but the Sanity Check found failures");
    for result in report.blocking() {
        failure = failure.detail(format!("{}: {}", result.id, result.message));
    }
    Err(failure.hint("see everything with hints: kubectl mizar check"))
}
