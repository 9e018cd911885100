//! What a restart of the operator would touch and cut, for people to agree to. What is done is decided anew at each step.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::acts::{cordon, prepare, unwired_pods, waiting_pods};
use super::{Act, NewPart, Placeholder, SOURCES, deployment, leaks, missing_parts, operators};
use crate::facts::{Facts, PodFact, Readiness};
use crate::object::ObjectId;

/// Why the operator must not be restarted, or cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// Something could not be read.
    Unread {
        /// What, `pods`.
        what: String,
        /// Why, and what right is missing.
        why: String,
    },
    /// There is no Deployment of the operator.
    NoOperator {
        /// Where it was looked for.
        namespace: String,
    },
    /// The operator's pod is on a node that nobody hears of: whether its process still runs, nobody can tell.
    OutOfReach {
        /// The pod, `mizar-system/mizar-operator-…`.
        pod: String,
        /// Its node.
        node: String,
    },
}

impl fmt::Display for Obstacle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread { what, why } => write!(formatter, "{what} could not be read: {why}"),
            Self::NoOperator { namespace } => {
                write!(formatter, "there is no Deployment {namespace}/{} to restart", super::OPERATOR)
            }
            Self::OutOfReach { pod, node } => write!(
                formatter,
                "pod {pod} is on node {node}, which does not answer: nobody can tell whether that operator still runs, and two \
                 hand out the same addresses"
            ),
        }
    }
}

/// What a restart would do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RestartPlan {
    /// The operator's pods that end.
    pub operators: Vec<String>,
    /// Nodes that are cordoned for as long as it takes.
    pub nodes: Vec<String>,
    /// Nodes that somebody else has cordoned; they stay so.
    pub cordoned_by_others: Vec<String>,
    /// What is deleted, since its pod or node is gone.
    pub leaks: Vec<ObjectId>,
    /// Subnets that get the key by which a starting operator knows them.
    pub subnets: Vec<String>,
    /// Addresses that are held.
    pub placeholders: Vec<Placeholder>,
    /// Bouncers that are made anew, on any node.
    pub bouncers: Vec<String>,
    /// Bouncers and Dividers that are gone, and are made again.
    pub parts: Vec<NewPart>,
    /// Pods that wait for an address and are created again, `namespace/name`.
    pub recreated: Vec<String>,
    /// Pods that wait for an address and cannot be held back: they may get one that is in use.
    pub not_held_back: Vec<String>,
    /// Pods that a cordon does not keep from a node, by what owns them, `DaemonSet kube-system/agent`.
    pub not_stopped: Vec<String>,
}

/// Says what a restart would do, or why it must not begin.
pub fn plan(facts: &Facts, namespace: &str) -> Result<RestartPlan, Obstacle> {
    if let Some((source, gap)) = SOURCES.iter().find_map(|source| Some((*source, facts.gap(*source)?))) {
        let why = gap.reason(source).unwrap_or_else(|| "the server does not have it".to_owned());
        return Err(Obstacle::Unread { what: source.noun().to_owned(), why });
    }
    if deployment(facts, namespace).is_none() {
        return Err(Obstacle::NoOperator { namespace: namespace.to_owned() });
    }
    if let Some(pod) = operators(facts, namespace).find(|pod| is_out_of_reach(facts, pod)) {
        return Err(Obstacle::OutOfReach { pod: pod.path(), node: pod.node.to_string() });
    }
    let waiting: Vec<String> = waiting_pods(facts).map(PodFact::path).collect();
    let staying = facts.bouncers.items().iter().filter(|bouncer| bouncer.object.deleting.is_none());
    let mut plan = RestartPlan {
        operators: operators(facts, namespace).map(PodFact::path).collect(),
        leaks: leaks(facts).into_iter().map(|leak| leak.object).collect(),
        not_held_back: unwired_pods(facts).map(PodFact::path).filter(|pod| !waiting.contains(pod)).collect(),
        recreated: waiting,
        bouncers: staying.map(|bouncer| bouncer.object.name.to_string()).collect(),
        parts: missing_parts(facts),
        not_stopped: not_stopped(facts),
        ..RestartPlan::default()
    };
    let others = facts.nodes.items().iter().filter(|node| node.unschedulable && node.cordoned_by.is_none());
    plan.cordoned_by_others = others.map(|node| node.name.clone()).collect();
    for act in cordon(facts).into_iter().chain(prepare(facts)) {
        match act {
            Act::Cordon { node } => plan.nodes.push(node),
            Act::Remember { object } => plan.subnets.push(object.object.name),
            Act::Hold { placeholder } => plan.placeholders.push(placeholder),
            _ => {}
        }
    }
    Ok(plan)
}

fn is_out_of_reach(facts: &Facts, pod: &PodFact) -> bool {
    let node = facts.nodes.items().iter().find(|node| node.name == pod.node.as_str());
    node.is_some_and(|node| node.readiness == Readiness::Lost)
}

/// What brings pods to cordoned nodes; Mizar's own pods use the network of their nodes.
fn not_stopped(facts: &Facts) -> Vec<String> {
    let tolerating = facts.pods.items().iter().filter(|pod| pod.tolerates_cordon && !pod.host_network);
    let mut owners: Vec<String> = tolerating
        .map(|pod| match &pod.owner {
            Some(owner) => format!("{} {}/{}", owner.kind, pod.namespace, owner.name),
            None => format!("Pod {}", pod.path()),
        })
        .collect();
    owners.sort();
    owners.dedup();
    owners
}
