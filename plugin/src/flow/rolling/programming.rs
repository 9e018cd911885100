//! What a node needs when its daemon has started anew: its Droplet and host Endpoints made again, Bouncers and Dividers that
//! stayed placed again, pods that came back without a network recreated.

use std::time::Duration;

use mizar_core::facts::Facts;
use mizar_core::repair::{Agreement, RepairPlan, Wish};

use crate::failure::{Failure, Kind};
use crate::flow::run::Run;
use crate::flow::treatment::Treatment;

/// Has a node programmed anew, and looks that nothing of it is left to do.
pub(super) async fn program(run: &Run, node: &str, limit: Option<Duration>) -> Result<(), Failure> {
    let mut treatment = Treatment::new(run, Wish::default(), limit);
    let (plan, facts) = treatment.plan().await?;
    run.enter("apply");
    let mut agreement = agreement(&facts, node);
    let (left, _) = treatment.treat(plan, &mut agreement).await?;
    run.enter("apply");
    let unhealed = unhealed(&left, &agreement);
    if unhealed.is_empty() {
        return Ok(());
    }
    let message = format!("node {node} has its new daemon, and is not well");
    let failure = unhealed.into_iter().fold(Failure::new(Kind::PartlyApplied, message), Failure::detail);
    Err(failure
        .hint("see everything with hints: kubectl mizar check")
        .hint("heal it: kubectl mizar repair, then run the same command again"))
}

/// Whatever concerns this node may be done to it.
fn agreement(facts: &Facts, node: &str) -> Agreement {
    let nodes = facts.nodes.items().iter().filter(|known| known.name == node).map(|node| node.uid.to_string());
    let pods = facts.pods.items().iter().filter(|pod| pod.node == node).map(|pod| pod.uid.to_string());
    Agreement::to_node(nodes, pods)
}

/// What was to be done here and is not.
fn unhealed(left: &RepairPlan, agreement: &Agreement) -> Vec<String> {
    let due = left.acts().filter(|(remedy, act)| agreement.allows(*remedy, act));
    due.map(|(remedy, act)| format!("{remedy}: still to {act}: {}", act.reason())).collect()
}
