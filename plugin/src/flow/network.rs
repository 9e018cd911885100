//! The wait for the pod network: the operator builds it part by part, and each part is reported by itself.

use std::time::Duration;

use mizar_core::event::{Event, StepResult};
use mizar_core::facts::{Facts, NodeFact, Source};
use mizar_core::network::{Network, Part, PartState};
use mizar_core::site::Site;
use tokio::time::Instant;

use super::follow::Followed;
use super::run::Run;
use super::wait::{Patience, Standing, listed, wait as wait_until};
use crate::cluster::watch::WatchScope;
use crate::failure::Failure;

/// Mizar's objects always live here, wherever its pods do.
const NAMESPACE: &str = "default";

/// Waits until every part is done, in order. One list and one watch per kind serve all parts.
pub(crate) async fn wait(run: &Run, nodes: &[NodeFact], limit: Option<Duration>) -> Result<(), Failure> {
    let sources: Vec<Source> = Part::ALL.iter().map(|part| part.source()).collect();
    let scope = WatchScope { namespace: Some(NAMESPACE), ..WatchScope::default() };
    let mut followed = Followed::lists(run.cluster(), &sources, &scope);
    let nodes: Vec<&NodeFact> = nodes.iter().collect();
    let timing = run.timing();
    for part in Part::ALL {
        let name = part.to_string().to_lowercase();
        let begun = Instant::now();
        run.tell(Event::StageStarted { stage: name.clone(), site: Site::Management, total: nodes.len() });
        let patience = Patience {
            stage: &name,
            limit: limit.unwrap_or(timing.part_timeout),
            // The operator works in rounds: silence between two of them is no trouble.
            look: timing.operator_rounds_for(nodes.len()),
            settle: Duration::ZERO,
            stall: timing.stall,
            // The operator's and the daemons': the network stands still when either is ill.
            pods: "",
        };
        let mut done = 0;
        listed(run, &patience, &mut followed).await?;
        wait_until(run, &patience, &mut followed, |facts: &Facts| {
            let state = Network::of(facts, &nodes).part(part);
            done = state.done;
            standing(&state)
        })
        .await?;
        let summary = format!("{done} Provisioned");
        run.tell(Event::StageFinished {
            stage: name,
            summary,
            result: StepResult::Succeeded,
            elapsed: begun.elapsed(),
        });
    }
    Ok(())
}

fn standing(state: &PartState) -> Standing {
    Standing {
        done: state.done,
        total: state.total,
        waiting_for: state.waiting_for.iter().map(ToString::to_string).collect(),
        failed: state.failed.clone(),
        complete: state.is_done(),
    }
}
