//! What there is around the objects of a plan: pods, what forwards for them, and the budgets that hold them.

use std::collections::BTreeMap;

use super::budgets::in_the_way;
use super::duration::Past;
use super::impact::NodeImpact;
use crate::facts::{DisruptionBudgetFact, Facts, NodeFact, Source};
use crate::network::DropletsByAddress;

/// Labels by namespace and name of a pod.
pub type Labels = BTreeMap<(String, String), BTreeMap<String, String>>;

/// A pod, as far as it can lose its network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PodOnNode {
    /// The node it runs on.
    pub node: String,
    /// `namespace/name`.
    pub pod: String,
    /// Whether it uses the node's network, which a daemon leaves alone.
    pub host_network: bool,
    /// Whether it has ended.
    pub ended: bool,
    /// Its labels, where they were asked for.
    pub labels: BTreeMap<String, String>,
}

/// A Bouncer or Divider, which forwards for pods of all nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartOnNode {
    /// The node that it was placed on.
    pub node: String,
    /// Which of the two.
    pub kind: PartKind,
    /// Its name.
    pub name: String,
}

/// What forwards for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartKind {
    /// Within a subnet.
    Bouncer,
    /// Between the subnets of a Vpc.
    Divider,
}

/// What there is around the objects of a plan.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The nodes that have a daemon, or get one.
    pub nodes: Vec<String>,
    /// Those of them whose daemon is to be replaced although the plan changes nothing of it: an earlier change did not come
    /// that far. Whoever replaces daemons says so.
    pub old_daemons: Vec<String>,
    /// The pods of all nodes.
    pub pods: Vec<PodOnNode>,
    /// What forwards for others, where it was asked for.
    pub parts: Vec<PartOnNode>,
    /// The disruption budgets, where they were asked for.
    pub budgets: Vec<DisruptionBudgetFact>,
    /// Why some of it could not be read, where it was asked for.
    pub unread: Vec<String>,
    /// How long the last change took, where there was one.
    pub past: Option<Past>,
}

impl Surroundings {
    /// Takes of the facts what a plan must know. What nobody asked for is left out; what was asked for and could not be read
    /// is named. `labels` are those of the pods, by namespace and name, for who asked for budgets.
    #[must_use]
    pub fn of(facts: &Facts, nodes: &[NodeFact], labels: &Labels, past: Option<Past>) -> Self {
        let unread = |source: &Source| facts.gap(*source).and_then(|gap| gap.reason(*source));
        Self {
            nodes: nodes.iter().map(|node| node.name.clone()).collect(),
            old_daemons: Vec::new(),
            pods: pods(facts, labels),
            parts: parts(facts, nodes),
            budgets: facts.disruption_budgets.items().to_vec(),
            unread: Self::OF_RESTARTS.iter().filter_map(unread).collect(),
            past,
        }
    }

    /// What must be known of nodes whose daemon is replaced, beyond what every plan asks for.
    pub const OF_RESTARTS: &[Source] =
        &[Source::Droplets, Source::Bouncers, Source::Dividers, Source::DisruptionBudgets];

    /// What the replacement of the daemons of these nodes means.
    pub(super) fn restarts(&self, nodes: &[String]) -> Vec<NodeImpact> {
        let mut by_node: BTreeMap<&str, Vec<&PodOnNode>> = BTreeMap::new();
        for pod in self.pods.iter().filter(|pod| pod.loses_network()) {
            by_node.entry(&pod.node).or_default().push(pod);
        }
        let parts = |node: &str, kind: PartKind| {
            let here = self.parts.iter().filter(|part| part.node == node && part.kind == kind);
            here.map(|part| part.name.clone()).collect()
        };
        let of_node = |node: &String| {
            let pods = by_node.get(node.as_str()).map(Vec::as_slice).unwrap_or_default();
            NodeImpact {
                node: node.clone(),
                pods: pods.iter().map(|pod| pod.pod.clone()).collect(),
                bouncers: parts(node, PartKind::Bouncer),
                dividers: parts(node, PartKind::Divider),
                budgets: in_the_way(&self.budgets, pods),
            }
        };
        nodes.iter().map(of_node).collect()
    }

    /// The pods that have a network to lose.
    pub(super) fn pods_by_node(&self) -> BTreeMap<String, Vec<String>> {
        let mut by_node: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for pod in self.pods.iter().filter(|pod| pod.loses_network()) {
            by_node.entry(pod.node.clone()).or_default().push(pod.pod.clone());
        }
        by_node
    }
}

impl PodOnNode {
    fn loses_network(&self) -> bool {
        !self.host_network && !self.ended
    }
}

fn pods(facts: &Facts, labels: &Labels) -> Vec<PodOnNode> {
    let pods = facts.pods.items().iter().map(|pod| PodOnNode {
        node: pod.node.to_string(),
        pod: pod.path(),
        host_network: pod.host_network,
        ended: !pod.is_on_pod_network(),
        labels: labels.get(&(pod.namespace.to_string(), pod.name.to_string())).cloned().unwrap_or_default(),
    });
    pods.collect()
}

/// The Bouncers and Dividers by the node that they were placed on: they name a Droplet, and that an address of its node.
fn parts(facts: &Facts, nodes: &[NodeFact]) -> Vec<PartOnNode> {
    let by_address = DropletsByAddress::new(facts.droplets.items());
    let node_of: BTreeMap<&str, &str> = nodes
        .iter()
        .flat_map(|node| by_address.of_node(node).map(|droplet| (droplet.object.name.as_str(), node.name.as_str())))
        .collect();
    let bouncers = facts.bouncers.items().iter().map(|part| (PartKind::Bouncer, &part.object.name, &part.droplet));
    let dividers = facts.dividers.items().iter().map(|part| (PartKind::Divider, &part.object.name, &part.droplet));
    bouncers
        .chain(dividers)
        .filter_map(|(kind, name, droplet)| {
            let node = (*node_of.get(droplet.as_str())?).to_owned();
            Some(PartOnNode { node, kind, name: name.to_string() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::facts::Gap;
    use crate::facts::samples::{a_healthy_cluster, now};

    #[test]
    fn what_forwards_is_found_on_the_node_of_its_droplet() {
        let facts = a_healthy_cluster();
        let nodes = facts.nodes.items();
        let around = Surroundings::of(&facts, nodes, &Labels::new(), None);
        let placed = facts.bouncers.items().len() + facts.dividers.items().len();
        assert!(placed > 0 && around.parts.len() == placed, "{:#?}", around.parts);
        for part in &around.parts {
            assert!(nodes.iter().any(|node| node.name == part.node), "{part:?}");
        }
    }

    #[test]
    fn what_could_not_be_read_is_named_and_what_is_not_there_is_not() {
        let mut facts = Facts::new(now());
        for source in Surroundings::OF_RESTARTS {
            facts.mark(*source, Gap::Absent);
        }
        facts.mark(Source::Bouncers, Gap::Denied);
        let around = Surroundings::of(&facts, &[], &Labels::new(), None);
        assert_eq!(around.unread, ["you are not allowed to list bouncers.mizar.com"]);
    }

    #[test]
    fn pods_carry_the_labels_that_were_asked_for() {
        let mut facts = Facts::new(now());
        facts.absorb(Source::Pods, &json!({"metadata": {"namespace": "n", "name": "p"}, "spec": {"nodeName": "a"}}));
        let labels = BTreeMap::from([("app".to_owned(), "web".to_owned())]);
        let around = Surroundings::of(&facts, &[], &[(("n".to_owned(), "p".to_owned()), labels.clone())].into(), None);
        assert_eq!((around.pods[0].pod.as_str(), &around.pods[0].labels), ("n/p", &labels));
    }
}
