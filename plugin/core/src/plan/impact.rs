//! What a plan means for the people on the cluster: which nodes get a daemon or another one, which pods lose their
//! network, what forwards for others from there, what stands in the way of moving it, and how long it is likely to take.
//! Said before anything is done.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::budgets::BudgetInTheWay;
use super::duration::{ExpectedDuration, Work};
use super::surroundings::Surroundings;
use super::{Action, Plan};

/// What a plan means for the people on the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Impact {
    /// Nodes on which a daemon starts for the first time.
    pub nodes_with_new_daemon: Vec<String>,
    /// Nodes whose daemon is replaced, one after the other.
    #[serde(default)]
    pub daemon_restarts: Vec<NodeImpact>,
    /// Nodes whose daemon goes for good.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes_losing_daemon: Vec<String>,
    /// By node, the pods that lose their network until they are made anew.
    pub pods_losing_network: BTreeMap<String, Vec<String>>,
    /// Whether every other file in `/etc/cni/net.d` goes on those nodes: the daemon does that when it starts.
    pub erases_other_cni_files: bool,
    /// What becomes of the operator.
    #[serde(default)]
    pub operator: OperatorImpact,
    /// What is not known of it, and why: `you are not allowed to list poddisruptionbudgets.policy`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
    /// How long it is likely to take.
    pub expected: ExpectedDuration,
}

/// What the replacement of its daemon means for one node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeImpact {
    /// The node.
    pub node: String,
    /// Its pods that lose their network until they are made anew.
    pub pods: Vec<String>,
    /// The Bouncers on it, without which their subnets are cut.
    pub bouncers: Vec<String>,
    /// The Dividers on it, without which their Vpcs are cut.
    pub dividers: Vec<String>,
    /// The budgets that do not allow all its pods to be evicted at once.
    pub budgets: Vec<BudgetInTheWay>,
}

/// What becomes of the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OperatorImpact {
    /// It goes on as it is.
    #[default]
    Untouched,
    /// There is none yet: it starts.
    Starts,
    /// It is replaced, which needs the restart sequence.
    Restarts,
    /// It goes for good.
    Stops,
}

impl Impact {
    /// Predicts what a plan does to a cluster.
    #[must_use]
    pub fn of(plan: &Plan, around: &Surroundings) -> Self {
        let does = |action: &Action, kind: &str| {
            plan.changes().any(|change| change.action == *action && change.object.kind == kind)
        };
        let new_daemon = does(&Action::Create, "DaemonSet");
        let all_if = |holds: bool| if holds { around.nodes.clone() } else { Vec::new() };
        let nodes_with_new_daemon = all_if(new_daemon);
        let nodes_losing_daemon = all_if(does(&Action::Delete, "DaemonSet"));
        let replaced = if plan.restarts_daemons() { &around.nodes } else { &around.old_daemons };
        let daemon_restarts = if new_daemon { Vec::new() } else { around.restarts(replaced) };
        let mut pods_losing_network = around.pods_by_node();
        let cut = |node: &String| {
            nodes_with_new_daemon.contains(node)
                || nodes_losing_daemon.contains(node)
                || daemon_restarts.iter().any(|restart| restart.node == *node)
        };
        pods_losing_network.retain(|node, _| cut(node));
        let operator = if does(&Action::Create, "Deployment") {
            OperatorImpact::Starts
        } else if does(&Action::Delete, "Deployment") {
            OperatorImpact::Stops
        } else if plan.restarts_operator() {
            OperatorImpact::Restarts
        } else {
            OperatorImpact::Untouched
        };
        let work = Work {
            applies: !plan.is_empty(),
            new_daemon,
            daemon_restarts: daemon_restarts.len(),
            operator,
            nodes: around.nodes.len(),
        };
        Self {
            erases_other_cni_files: !nodes_with_new_daemon.is_empty(),
            nodes_with_new_daemon,
            nodes_losing_daemon,
            pods_losing_network,
            operator,
            unknown: if daemon_restarts.is_empty() { Vec::new() } else { around.unread.clone() },
            expected: ExpectedDuration::of(&work, around.past.as_ref()),
            daemon_restarts,
        }
    }

    /// Returns how many pods lose their network.
    #[must_use]
    pub fn pods(&self) -> usize {
        self.pods_losing_network.values().map(Vec::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::facts::DisruptionBudgetFact;
    use crate::object::Object;
    use crate::plan::surroundings::{PartKind, PartOnNode, PodOnNode};
    use crate::plan::{Marks, PlanInput, ReleaseInput, StagedObject, decide};
    use crate::site::Site;

    const KINDS: [&str; 2] = ["DaemonSet", "Deployment"];

    fn workload(kind: &str, image: &str) -> Object {
        let value = json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "x", "namespace": "mizar-system"},
            "spec": {"template": {"spec": {"containers": [{"name": "a", "image": image}]}}}});
        Object::new(value).unwrap()
    }

    /// Daemon and operator of these images, on a cluster that has those of `live`.
    fn plan(wanted: [&str; 2], live: Option<[&str; 2]>) -> Plan {
        let marks = Marks { release: "mizar", namespace: "mizar-system" };
        let both = |images: [&str; 2]| [0, 1].map(|at| workload(KINDS[at], images[at]));
        let release = ReleaseInput {
            name: "mizar".into(),
            namespace: "mizar-system".into(),
            site: Site::Management,
            first_install: live.is_none(),
            objects: both(wanted).map(|object| StagedObject::new(None, object)).into(),
            hooks: Vec::new(),
            recorded: Vec::new(),
        };
        let live = live.map(both).into_iter().flatten().map(|object| (Site::Management, marks.put_on(object)));
        decide(&PlanInput { releases: vec![release], live: live.collect(), ..PlanInput::default() })
    }

    fn install() -> Plan {
        plan(["d:1", "o:1"], None)
    }

    fn pod(node: &str, pod: &str) -> PodOnNode {
        PodOnNode { node: node.into(), pod: pod.into(), ..PodOnNode::default() }
    }

    fn on(nodes: &[&str], pods: &[PodOnNode]) -> Surroundings {
        let nodes = nodes.iter().map(|node| (*node).to_owned()).collect();
        Surroundings { nodes, pods: pods.to_vec(), ..Surroundings::default() }
    }

    #[test]
    fn an_installation_cuts_the_pods_of_eligible_nodes() {
        let pods = [
            pod("a", "default/one"),
            pod("a", "default/two"),
            pod("tainted", "default/three"),
            PodOnNode { host_network: true, ..pod("b", "kube-system/proxy") },
            PodOnNode { ended: true, ..pod("b", "default/job") },
        ];
        let impact = Impact::of(&install(), &on(&["a", "b"], &pods));
        assert_eq!(impact.nodes_with_new_daemon, ["a", "b"]);
        assert_eq!(impact.pods(), 2);
        assert_eq!(impact.pods_losing_network["a"], ["default/one", "default/two"]);
        assert!(impact.erases_other_cni_files && impact.daemon_restarts.is_empty());
        assert_eq!(impact.operator, OperatorImpact::Starts);
    }

    #[test]
    fn another_daemon_restarts_on_each_node_with_what_is_there() {
        let web = [("app".to_owned(), "web".to_owned())];
        let pods = [PodOnNode { labels: web.into(), ..pod("a", "default/one") }, pod("tainted", "default/three")];
        let part = |kind, name: &str| PartOnNode { node: "a".into(), kind, name: name.into() };
        let budget = DisruptionBudgetFact::from_object(&json!({"metadata": {"name": "web", "namespace": "default"},
            "spec": {"selector": {"matchLabels": {"app": "web"}}}, "status": {"disruptionsAllowed": 0}}));
        let around = Surroundings {
            parts: vec![part(PartKind::Bouncer, "net0-b-1"), part(PartKind::Divider, "vpc0-d-1")],
            budgets: vec![budget],
            ..on(&["a", "b"], &pods)
        };
        let impact = Impact::of(&plan(["d:2", "o:1"], Some(["d:1", "o:1"])), &around);
        let budget = BudgetInTheWay { budget: "default/web".into(), allowed: 0, pods: vec!["default/one".into()] };
        let first = NodeImpact {
            node: "a".into(),
            pods: vec!["default/one".into()],
            bouncers: vec!["net0-b-1".into()],
            dividers: vec!["vpc0-d-1".into()],
            budgets: vec![budget],
        };
        assert_eq!(impact.daemon_restarts, [first, NodeImpact { node: "b".into(), ..NodeImpact::default() }]);
        assert_eq!(impact.pods(), 1, "a node without a daemon is not touched");
        assert!(impact.nodes_with_new_daemon.is_empty() && !impact.erases_other_cni_files);
        assert_eq!(impact.operator, OperatorImpact::Untouched);
    }

    #[test]
    fn another_operator_touches_no_daemon() {
        let impact = Impact::of(&plan(["d:1", "o:2"], Some(["d:1", "o:1"])), &on(&["a"], &[pod("a", "n/p")]));
        assert_eq!((impact.operator, impact.pods()), (OperatorImpact::Restarts, 0));
        assert!(impact.daemon_restarts.is_empty());
    }

    #[test]
    fn a_plan_without_changes_touches_nothing_and_takes_no_time() {
        let impact = Impact::of(&Plan::default(), &on(&["a"], &[pod("a", "default/one")]));
        assert_eq!(impact, Impact::default());
    }

    #[test]
    fn more_nodes_take_longer_but_not_in_proportion() {
        let expected = |count: usize| {
            let nodes: Vec<String> = (0..count).map(|at| format!("node-{at}")).collect();
            Impact::of(&install(), &Surroundings { nodes, ..Surroundings::default() }).expected
        };
        assert_eq!(expected(3).at_least, Duration::from_secs(80));
        assert!(expected(3).at_most < expected(20).at_most);
        assert!(expected(200).at_most < expected(3).at_most * 2);
    }

    #[test]
    fn an_older_program_left_out_what_it_did_not_know() {
        let old: Value = json!({"nodesWithNewDaemon": ["a"], "podsLosingNetwork": {}, "erasesOtherCniFiles": true,
            "expected": {"atLeastSeconds": 1, "atMostSeconds": 2}});
        let impact: Impact = serde_json::from_value(old).unwrap();
        assert_eq!((impact.nodes_with_new_daemon.len(), impact.operator), (1, OperatorImpact::Untouched));
    }
}
