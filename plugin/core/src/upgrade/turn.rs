//! The nodes whose daemon is replaced, one after the other. A daemon that starts anew has lost all that was programmed: the
//! pods of its node leave first, and so do the Bouncers and Dividers that forward for others.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::drain::{Fate, fate};
use crate::facts::{Facts, NodeFact, PodFact, PodRole, Readiness, Text};
use crate::object::ObjectId;

/// In which order nodes have their turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Daemons that do not work first; what others depend on last: nodes with Bouncers and Dividers, then that of the operator.
    #[default]
    LeastFirst,
    /// What was replaced last goes back first.
    NewestFirst,
}

/// One node's turn, and what it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Turn {
    /// The node.
    pub node: String,
    /// Its daemon, which is replaced.
    pub daemon: ObjectId,
    /// Pods that are evicted, `namespace/name`.
    pub leaving: Vec<String>,
    /// Pods of DaemonSets, which are recreated when the daemon is there again.
    pub coming_back: Vec<String>,
    /// Dividers, then Bouncers, that are placed on other nodes first.
    pub moving: Vec<ObjectId>,
    /// Whether the operator runs there.
    pub has_operator: bool,
    /// Whether the daemon works now: where it does not there is nothing to lose.
    pub ready: bool,
}

/// Returns the daemons that do not run the wanted template; all of them where it is about to change. Those of nodes that do
/// not answer are left out: nobody could replace them.
pub fn daemons_to_replace<'a>(facts: &'a Facts, wanted: Wanted<'a>) -> impl Iterator<Item = &'a PodFact> {
    let answering =
        |pod: &&PodFact| node_of(facts, pod).is_some_and(|node| node.readiness != Readiness::Lost && !node.is_hollow());
    let daemons = facts.pods.items().iter().filter(|pod| pod.role == PodRole::Daemon && pod.deleting.is_none());
    daemons.filter(answering).filter(move |pod| match wanted {
        Wanted::Anew => true,
        Wanted::Revision(revision) => !pod.revision.is_empty() && pod.revision != revision,
    })
}

/// Returns the nodes whose daemon would have to be replaced, and that do not answer.
#[must_use]
pub fn unreachable(facts: &Facts) -> Vec<String> {
    let lost = facts.nodes.items().iter().filter(|node| node.readiness == Readiness::Lost);
    let has_daemon = |node: &&NodeFact| {
        let mut pods = facts.pods.items().iter();
        pods.any(|pod| pod.role == PodRole::Daemon && pod.node == node.name.as_str())
    };
    lost.filter(has_daemon).map(|node| node.name.clone()).collect()
}

/// Which daemons are the wanted ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// None of those that run: their template is about to change.
    Anew,
    /// Those of this revision of the DaemonSet, the newest.
    Revision(&'a str),
}

/// Returns the turns, in order.
#[must_use]
pub fn turns(facts: &Facts, wanted: Wanted<'_>, order: Order) -> Vec<Turn> {
    let mut daemons: Vec<&PodFact> = daemons_to_replace(facts, wanted).collect();
    if order == Order::NewestFirst {
        daemons.sort_by_key(|daemon| (std::cmp::Reverse(daemon.created), daemon.node));
        return daemons.into_iter().map(|daemon| turn(facts, daemon)).collect();
    }
    let mut turns: Vec<Turn> = daemons.into_iter().map(|daemon| turn(facts, daemon)).collect();
    turns.sort_by(|one, other| {
        let weight = |turn: &Turn| (turn.ready, turn.has_operator, turn.moving.len());
        (weight(one), &one.node).cmp(&(weight(other), &other.node))
    });
    turns
}

fn turn(facts: &Facts, daemon: &PodFact) -> Turn {
    let on_node = || facts.pods.items().iter().filter(|pod| pod.node == daemon.node && pod.deleting.is_none());
    let paths = |wanted: Fate| on_node().filter(|pod| fate(pod) == wanted).map(PodFact::path).collect();
    Turn {
        node: daemon.node.to_string(),
        daemon: daemon.id(),
        leaving: paths(Fate::Leaves),
        coming_back: paths(Fate::ComesBack),
        moving: placed_on(facts, daemon.node.as_str()),
        has_operator: on_node().any(|pod| pod.role == PodRole::Operator),
        ready: daemon.ready,
    }
}

/// Returns the Dividers, then the Bouncers, that are placed on a node: a Bouncer is placed with the help of its Dividers.
#[must_use]
pub fn placed_on(facts: &Facts, node: &str) -> Vec<ObjectId> {
    let Some(node) = facts.nodes.items().iter().find(|known| known.name == node) else { return Vec::new() };
    let here: Vec<Text> = facts
        .droplets
        .items()
        .iter()
        .filter(|droplet| node.internal_ips.iter().any(|address| droplet.main_ip == address.as_str()))
        .map(|droplet| droplet.object.name)
        .collect();
    let dividers =
        facts.dividers.items().iter().filter(|it| here.contains(&it.droplet) && it.object.deleting.is_none());
    let bouncers =
        facts.bouncers.items().iter().filter(|it| here.contains(&it.droplet) && it.object.deleting.is_none());
    let dividers = dividers.map(|divider| divider.object.id("Divider"));
    dividers.chain(bouncers.map(|bouncer| bouncer.object.id("Bouncer"))).collect()
}

/// Returns when anything was programmed last on a node, or on any: what was programmed just before its daemon goes cannot be told
/// from what the next one programs, since times are cut to the second.
#[must_use]
pub fn programmed_last(facts: &Facts, node: Option<&str>) -> Option<Timestamp> {
    let nodes = facts.nodes.items().iter().filter(|known| node.is_none_or(|node| known.name == node));
    let addresses: Vec<&str> = nodes.flat_map(|node| &node.internal_ips).map(String::as_str).collect();
    let droplets = facts.droplets.items().iter();
    let here: Vec<Text> = droplets
        .filter(|droplet| addresses.contains(&droplet.main_ip.as_str()))
        .map(|droplet| droplet.object.name)
        .collect();
    let endpoints = facts.endpoints.items().iter().map(|it| (it.droplet, &it.object));
    let dividers = facts.dividers.items().iter().map(|it| (it.droplet, &it.object));
    let bouncers = facts.bouncers.items().iter().map(|it| (it.droplet, &it.object));
    let all = endpoints.chain(dividers).chain(bouncers);
    all.filter(|(droplet, _)| here.contains(droplet)).filter_map(|(_, object)| object.finished()).max()
}

/// Whether something can be placed on another node than this one.
#[must_use]
pub fn has_other_place(facts: &Facts, node: &str) -> bool {
    let is_elsewhere = |other: &NodeFact| {
        other.name != node
            && other.readiness != Readiness::Lost
            && facts.droplets.items().iter().any(|droplet| {
                let at = |address: &String| droplet.main_ip == address.as_str();
                droplet.object.is_provisioned() && other.internal_ips.iter().any(at)
            })
    };
    facts.nodes.items().iter().any(is_elsewhere)
}

fn node_of<'a>(facts: &'a Facts, pod: &PodFact) -> Option<&'a NodeFact> {
    facts.nodes.items().iter().find(|node| node.name == pod.node.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Owner;
    use crate::facts::samples::{a_healthy_cluster, a_pod, minutes_ago};

    fn names(turns: &[Turn]) -> Vec<&str> {
        turns.iter().map(|turn| turn.node.as_str()).collect()
    }

    fn with_revisions(revisions: &[&str]) -> Facts {
        let mut facts = a_healthy_cluster();
        let mut revisions = revisions.iter();
        for pod in facts.pods.edit().iter_mut().filter(|pod| pod.role == PodRole::Daemon) {
            pod.revision = revisions.next().copied().unwrap_or_default().into();
        }
        facts
    }

    #[test]
    fn what_others_depend_on_comes_last() {
        let facts = a_healthy_cluster();
        let turns = turns(&facts, Wanted::Anew, Order::LeastFirst);
        assert!(turns.len() > 1);
        let weights: Vec<(bool, usize)> = turns.iter().map(|turn| (turn.has_operator, turn.moving.len())).collect();
        assert!(weights.is_sorted(), "{weights:?}");
        assert!(turns.iter().any(|turn| !turn.moving.is_empty()), "the sample has a Bouncer and a Divider somewhere");
    }

    #[test]
    fn a_daemon_that_does_not_work_comes_first() {
        let mut facts = a_healthy_cluster();
        let last = turns(&facts, Wanted::Anew, Order::LeastFirst).pop().unwrap().node;
        for daemon in
            facts.pods.edit().iter_mut().filter(|pod| pod.role == PodRole::Daemon && pod.node == last.as_str())
        {
            daemon.ready = false;
        }
        assert_eq!(turns(&facts, Wanted::Anew, Order::LeastFirst)[0].node, last);
    }

    #[test]
    fn a_daemon_of_the_wanted_revision_has_no_turn() {
        let facts = with_revisions(&["new", "old", "old"]);
        let all = turns(&facts, Wanted::Anew, Order::LeastFirst).len();
        let old = turns(&facts, Wanted::Revision("new"), Order::LeastFirst);
        assert_eq!(old.len(), all - 1);
        assert!(!names(&old).contains(&"node-1"));
    }

    #[test]
    fn a_node_that_does_not_answer_has_no_turn_and_is_named() {
        let mut facts = a_healthy_cluster();
        facts.nodes.edit()[0].readiness = Readiness::Lost;
        let lost = facts.nodes.items()[0].name.clone();
        assert!(!names(&turns(&facts, Wanted::Anew, Order::LeastFirst)).contains(&lost.as_str()));
        assert_eq!(unreachable(&facts), [lost]);
    }

    #[test]
    fn a_way_back_begins_with_what_was_replaced_last() {
        let mut facts = a_healthy_cluster();
        let mut minutes = [30, 10, 20].into_iter();
        for pod in facts.pods.edit().iter_mut().filter(|pod| pod.role == PodRole::Daemon) {
            pod.created = minutes_ago(minutes.next().unwrap_or(40));
        }
        let turns = turns(&facts, Wanted::Anew, Order::NewestFirst);
        assert_eq!(turns.first().map(|turn| turn.node.as_str()), Some("node-2"));
    }

    #[test]
    fn what_was_programmed_last_is_looked_for_on_the_node() {
        let mut facts = a_healthy_cluster();
        let second = facts.droplets.items()[1].object.name;
        for endpoint in facts.endpoints.edit().iter_mut() {
            let minutes = if endpoint.droplet == second { 5 } else { 50 };
            (endpoint.object.created, endpoint.object.provisioned) = (minutes_ago(minutes), minutes_ago(minutes));
        }
        for object in facts.bouncers.edit().iter_mut().map(|it| &mut it.object) {
            (object.created, object.provisioned) = (minutes_ago(60), minutes_ago(60));
        }
        for object in facts.dividers.edit().iter_mut().map(|it| &mut it.object) {
            (object.created, object.provisioned) = (minutes_ago(60), minutes_ago(60));
        }
        assert_eq!(programmed_last(&facts, Some("no-node")), None);
        assert_eq!(programmed_last(&facts, Some("node-2")), minutes_ago(5));
        assert_eq!(programmed_last(&facts, Some("node-3")), minutes_ago(50));
        assert_eq!(programmed_last(&facts, None), minutes_ago(5));
    }

    #[test]
    fn a_turn_tells_who_leaves_and_who_comes_back() {
        let mut facts = a_healthy_cluster();
        let owner = Some(Owner { kind: "DaemonSet".into(), name: "agent".into() });
        let agent = PodFact { owner, ..a_pod("agent", "10.20.0.77") };
        facts.pods.edit().extend([a_pod("web-2", "10.20.0.78"), agent]);
        let turns = turns(&facts, Wanted::Anew, Order::LeastFirst);
        let first = turns.iter().find(|turn| turn.node == "node-1").unwrap();
        assert!(first.leaving.contains(&"default/web-2".to_owned()));
        assert_eq!(first.coming_back, ["default/agent"]);
    }
}
