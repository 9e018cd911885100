//! The wait for the pod network: the operator builds it part by part, and each part is reported by itself.

use std::collections::BTreeSet;
use std::time::Duration;

use mizar_core::event::{Event, StepResult};
use mizar_core::facts::{Facts, NodeFact};
use mizar_core::kind::{self, MIZAR_GROUP};
use mizar_core::network::{Network, Part, PartState};
use mizar_core::site::Site;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::run::Run;
use super::wait::{Patience, Standing, Watches, wait as wait_until};
use crate::cluster::watch::{WatchScope, Watched};
use crate::failure::Failure;

/// Mizar's objects always live here, wherever its pods do.
const NAMESPACE: &str = "default";

/// Waits until every part is done, in order. One list and one watch per kind serve all parts.
pub(crate) async fn wait(run: &Run, nodes: &[NodeFact], limit: Option<Duration>) -> Result<(), Failure> {
    let kinds: BTreeSet<&str> = Part::ALL.iter().map(|part| part.kind()).collect();
    let scope = WatchScope { namespace: Some(NAMESPACE), ..WatchScope::default() };
    let api_version = format!("{MIZAR_GROUP}/v1");
    let one_per_kind: Vec<Watched> = kinds
        .into_iter()
        .filter_map(|name| kind::lookup(&api_version, name))
        .map(|info| run.cluster().watch(&info, &scope, essentials))
        .collect();
    let mut watches = Watches(one_per_kind);
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
        wait_until(run, &patience, &mut watches, |watched| {
            let state = state_of(part, watched, &nodes);
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

fn state_of(part: Part, watched: &[Watched], nodes: &[&NodeFact]) -> PartState {
    let mut facts = Facts::default();
    for object in watched.iter().flat_map(Watched::objects) {
        let source = Part::ALL.iter().find(|part| object["kind"] == part.kind()).map(|part| part.source());
        if let Some(source) = source {
            facts.absorb(source, object);
        }
    }
    Network::of(&facts, nodes).part(part)
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

/// Managed fields and handler progress are most of an object, and nobody waits for them.
#[expect(clippy::needless_pass_by_value, reason = "a watch hands each object over")]
fn essentials(object: Value) -> Value {
    let metadata = &object["metadata"];
    json!({
        "apiVersion": object["apiVersion"],
        "kind": object["kind"],
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "creationTimestamp": metadata["creationTimestamp"],
            "deletionTimestamp": metadata["deletionTimestamp"],
            "annotations": metadata["annotations"],
        },
        "spec": object["spec"],
    })
}
