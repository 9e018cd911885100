//! What a plan means for the people on the cluster: which nodes get a daemon, which pods lose their network, which
//! files go, and how long it is likely to take. Said before anything is done.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Action, Plan};

/// A pod, as far as it can lose its network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodOnNode {
    /// The node it runs on.
    pub node: String,
    /// `namespace/name`.
    pub pod: String,
    /// Whether it uses the node's network, which a daemon leaves alone.
    pub host_network: bool,
    /// Whether it has ended.
    pub ended: bool,
}

/// What a plan means for the people on the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Impact {
    /// Nodes on which a daemon starts for the first time.
    pub nodes_with_new_daemon: Vec<String>,
    /// By node, the pods that lose their network until they are made anew.
    pub pods_losing_network: BTreeMap<String, Vec<String>>,
    /// Whether every other file in `/etc/cni/net.d` goes on those nodes: the daemon does that when it starts.
    pub erases_other_cni_files: bool,
    /// How long it is likely to take.
    pub expected: ExpectedDuration,
}

/// A range of time; the real thing is likely to end within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ExpectedDuration {
    /// If everything is at hand.
    #[serde(rename = "atLeastSeconds", with = "whole_seconds")]
    pub at_least: Duration,
    /// If images and packages are slow to come.
    #[serde(rename = "atMostSeconds", with = "whole_seconds")]
    pub at_most: Duration,
}

mod whole_seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(duration.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_secs)
    }
}

impl Impact {
    /// Predicts what a plan does to a cluster with these eligible nodes and these pods.
    #[must_use]
    pub fn of(plan: &Plan, nodes: &[String], pods: &[PodOnNode]) -> Self {
        let creates =
            |kind: &str| plan.changes().any(|change| change.action == Action::Create && change.object.kind == kind);
        let new_daemon = creates("DaemonSet");
        let nodes_with_new_daemon = if new_daemon { nodes.to_vec() } else { Vec::new() };
        let mut pods_losing_network: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for pod in pods.iter().filter(|pod| !pod.host_network && !pod.ended) {
            if nodes_with_new_daemon.contains(&pod.node) {
                pods_losing_network.entry(pod.node.clone()).or_default().push(pod.pod.clone());
            }
        }
        Self {
            erases_other_cni_files: !nodes_with_new_daemon.is_empty(),
            nodes_with_new_daemon,
            pods_losing_network,
            expected: expected(plan, nodes.len(), new_daemon, creates("Deployment")),
        }
    }

    /// Returns how many pods lose their network.
    #[must_use]
    pub fn pods(&self) -> usize {
        self.pods_losing_network.values().map(Vec::len).sum()
    }
}

/// The first start of a daemon installs packages on its node: a minute on a fast mirror, ten on a slow one. All nodes
/// do it at the same time, so their number does not matter.
const FIRST_DAEMON: (u64, u64) = (60, 600);

/// Writing objects and waiting for definitions.
const APPLYING: (u64, u64) = (2, 15);

/// Up to so many nodes, the operator was seen to need so many seconds: one to three of its rounds of 15 s.
const OPERATOR: &[(usize, (u64, u64))] = &[(3, (18, 49)), (20, (33, 60)), (usize::MAX, (47, 90))];

fn expected(plan: &Plan, nodes: usize, new_daemon: bool, new_operator: bool) -> ExpectedDuration {
    let operator = OPERATOR.iter().find(|(limit, _)| nodes <= *limit).map_or((0, 0), |(_, range)| *range);
    let parts = [(!plan.is_empty(), APPLYING), (new_daemon, FIRST_DAEMON), (new_operator, operator)]
        .into_iter()
        .filter(|(due, _)| *due);
    let (at_least, at_most) = parts.fold((0, 0), |(least, most), (_, (low, high))| (least + low, most + high));
    ExpectedDuration { at_least: Duration::from_secs(at_least), at_most: Duration::from_secs(at_most) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::object::Object;
    use crate::plan::{PlanInput, ReleaseInput, StagedObject, decide};
    use crate::site::Site;

    fn install() -> Plan {
        let objects = [("apps/v1", "DaemonSet"), ("apps/v1", "Deployment")].map(|(api_version, kind)| {
            let value = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}});
            StagedObject::new(None, Object::new(value).unwrap())
        });
        let release = ReleaseInput {
            name: "mizar".into(),
            namespace: "mizar-system".into(),
            site: Site::Management,
            first_install: true,
            objects: objects.into(),
            hooks: Vec::new(),
            recorded: Vec::new(),
        };
        decide(&PlanInput { releases: vec![release], ..PlanInput::default() })
    }

    fn pod(node: &str, pod: &str) -> PodOnNode {
        PodOnNode { node: node.into(), pod: pod.into(), host_network: false, ended: false }
    }

    #[test]
    fn an_installation_cuts_the_pods_of_eligible_nodes() {
        let nodes = ["a".to_owned(), "b".to_owned()];
        let pods = [
            pod("a", "default/one"),
            pod("a", "default/two"),
            pod("tainted", "default/three"),
            PodOnNode { host_network: true, ..pod("b", "kube-system/proxy") },
            PodOnNode { ended: true, ..pod("b", "default/job") },
        ];
        let impact = Impact::of(&install(), &nodes, &pods);
        assert_eq!(impact.nodes_with_new_daemon, nodes);
        assert_eq!(impact.pods(), 2);
        assert_eq!(impact.pods_losing_network["a"], ["default/one", "default/two"]);
        assert!(impact.erases_other_cni_files);
    }

    #[test]
    fn a_plan_without_changes_touches_nothing_and_takes_no_time() {
        let impact = Impact::of(&Plan::default(), &["a".to_owned()], &[pod("a", "default/one")]);
        assert_eq!(impact, Impact::default());
    }

    #[test]
    fn more_nodes_take_longer_but_not_in_proportion() {
        let expected = |count: usize| {
            let nodes: Vec<String> = (0..count).map(|at| format!("node-{at}")).collect();
            Impact::of(&install(), &nodes, &[]).expected
        };
        assert_eq!(expected(3).at_least, Duration::from_secs(80));
        assert!(expected(3).at_most < expected(20).at_most);
        assert!(expected(200).at_most < expected(3).at_most * 2);
    }
}
