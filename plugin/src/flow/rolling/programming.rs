//! What a node needs when its daemon has started anew: its Droplet and host Endpoints made again, Bouncers and Dividers that
//! stayed placed again; then pods that are there without a network recreated.

use std::time::Duration;

use mizar_core::facts::Facts;
use mizar_core::repair::{Agreement, RepairPlan, Wish};

use super::Terms;
use crate::failure::{Failure, Kind};
use crate::flow::run::Run;
use crate::flow::treatment::Treatment;

/// Has a node connected and programmed anew.
pub(super) async fn connect(run: &Run, node: &str, limit: Option<Duration>) -> Result<(), Failure> {
    let done = treat(run, limit, |facts| Agreement::to_node(node_uids(facts, Some(node)), Vec::new())).await?;
    unwell(node, &done)
}

/// Recreates the pods of a node that have no network.
pub(super) async fn recreate(run: &Run, node: &str, limit: Option<Duration>) -> Result<(), Failure> {
    let agreed = |facts: &Facts| Agreement::to_node(node_uids(facts, Some(node)), pod_uids(facts, Some(node)));
    unwell(node, &treat(run, limit, agreed).await?)
}

/// Does what cuts nobody; where all nodes were replaced while no operator ran, all that they need.
pub(super) async fn whatever_is_left(run: &Run, terms: &Terms) -> Result<(), Failure> {
    if !terms.window {
        return treat(run, terms.limit, |_| Agreement::default()).await.map(drop);
    }
    treat(run, terms.limit, |facts| Agreement::to_node(node_uids(facts, None), Vec::new())).await?;
    let all = |facts: &Facts| Agreement::to_node(node_uids(facts, None), pod_uids(facts, None));
    treat(run, terms.limit, all).await.map(drop)
}

/// Treats as far as `agreed` goes. Returns what was to be done by that and is not.
async fn treat(
    run: &Run,
    limit: Option<Duration>,
    agreed: impl Fn(&Facts) -> Agreement,
) -> Result<Vec<String>, Failure> {
    let mut treatment = Treatment::new(run, Wish::default(), limit);
    let (plan, facts) = treatment.plan().await?;
    run.enter("apply");
    let mut agreement = agreed(&facts);
    let (left, _) = treatment.treat(plan, &mut agreement).await?;
    run.enter("apply");
    Ok(unhealed(&left, &agreement))
}

fn node_uids(facts: &Facts, only: Option<&str>) -> Vec<String> {
    let nodes = facts.nodes.items().iter().filter(|node| only.is_none_or(|only| node.name == only));
    nodes.map(|node| node.uid.to_string()).collect()
}

fn pod_uids(facts: &Facts, only: Option<&str>) -> Vec<String> {
    let pods = facts.pods.items().iter().filter(|pod| only.is_none_or(|only| pod.node == only));
    pods.map(|pod| pod.uid.to_string()).collect()
}

/// What was to be done here and is not.
fn unhealed(left: &RepairPlan, agreement: &Agreement) -> Vec<String> {
    let due = left.acts().filter(|(remedy, act)| agreement.allows(*remedy, act));
    due.map(|(remedy, act)| format!("{remedy}: still to {act}: {}", act.reason())).collect()
}

fn unwell(node: &str, unhealed: &[String]) -> Result<(), Failure> {
    if unhealed.is_empty() {
        return Ok(());
    }
    let message = format!("node {node} has its new daemon, and is not well");
    let failure =
        unhealed.iter().fold(Failure::new(Kind::PartlyApplied, message), |failure, one| failure.detail(one.clone()));
    Err(failure
        .hint("see everything with hints: kubectl mizar check")
        .hint("heal it: kubectl mizar repair, then run the same command again"))
}
