//! Whether a node takes the operator: unlike the daemon's, its Deployment gets no tolerations by itself.

use super::Options;
use super::verdict::{Evidence, Problem, Status, Verdict, grouped, reasons};
use crate::facts::{Facts, NodeFact, Placement, PodFact, PodRole};

/// The name that every installation's Deployment has.
pub(super) const OPERATOR: &str = "mizar-operator";

pub(super) fn operator(facts: &Facts, _: &Options) -> Verdict {
    let planned = facts.plan.as_ref().and_then(|plan| plan.operator.as_ref());
    let installed = facts.deployments.items().iter().find(|deployment| deployment.name == OPERATOR);
    let Some(placement) = planned.or_else(|| installed.map(|deployment| &deployment.placement)) else {
        return Verdict::skipped("no operator is installed or planned here");
    };
    let nodes: Vec<&NodeFact> = facts.nodes.items().iter().filter(|node| node.is_linux()).collect();
    if let Some(verdict) = on_a_hollow_node(facts, &nodes) {
        return verdict;
    }
    let problems: Vec<Problem> = nodes.iter().filter_map(|node| refusal(node, placement)).collect();
    if nodes.is_empty() {
        return Verdict::fail("the cluster has no Linux node for the operator");
    }
    let able = nodes.len() - problems.len();
    let message = format!("{able} of {} nodes can take the operator", nodes.len());
    if able == 0 {
        let message = format!("{message}; {}", reasons(&problems));
        return Verdict::fail(message).with(problems.into_iter().map(|problem| problem.evidence).collect());
    }
    Verdict::pass(message)
}

fn refusal(node: &NodeFact, placement: &Placement) -> Option<Problem> {
    let evidence = |field: &str, seen: &str, wanted: &str| {
        Evidence::new(format!("Node {}", node.name), field, seen, wanted).on(&node.name)
    };
    if node.is_hollow() {
        let evidence = evidence("spec.providerID", &node.provider_id, "a real node");
        return Some(Problem::new(&node.name, "pretended by Kubemark", evidence));
    }
    if node.is_lost() {
        let evidence = evidence("status.conditions[Ready]", "Unknown", "True or False").since(node.readiness_since);
        return Some(Problem::new(&node.name, "its kubelet no longer reports", evidence));
    }
    let reason = placement.refuses_operator(node)?;
    let evidence = evidence("metadata.labels, spec.taints", &reason, "what the operator's placement asks for");
    Some(Problem::new(&node.name, reason, evidence))
}

/// An operator on a node that Kubemark pretends seems to run and is no process at all.
fn on_a_hollow_node(facts: &Facts, nodes: &[&NodeFact]) -> Option<Verdict> {
    let hollow = |name: &str| nodes.iter().any(|node| node.name == name && node.is_hollow());
    let operators = facts.pods.items().iter().filter(|pod| pod.role == PodRole::Operator && pod.deleting.is_none());
    let pretended = operators.filter(|pod| hollow(&pod.node)).map(|pod: &PodFact| {
        let evidence = Evidence::new(format!("Pod {}", pod.path()), "spec.nodeName", pod.node, "a real node");
        Problem::new(pod.path(), format!("is on {}, which Kubemark pretends", pod.node), evidence.on(&pod.node))
    });
    let pretended: Vec<Problem> = pretended.collect();
    let total = pretended.len();
    (total > 0).then(|| grouped("operators", total, pretended, Status::Fail))
}
