//! What each step does, by what is there. A step is done when nothing is left to do.

use std::collections::BTreeSet;

use super::{Act, Leak, NewPart, leaks, missing, missing_parts};
use crate::facts::{EndpointFact, EndpointsByPod, Facts, MizarObject, NodeFact, PodFact, PodRole, Text};

const INIT: &str = "Init";
const PROVISIONED: &str = "Provisioned";

/// What shares its address with something living is left to [`prepare`], and so is what may be no leak, and everything while a
/// pod waits that could get such an address: by then no operator sees it go.
pub(super) fn leaks_seen(facts: &Facts) -> Vec<Act> {
    if unwired_pods(facts).next().is_some() {
        return Vec::new();
    }
    let is_harmless = |leak: &Leak| !leak.shares_address && !leak.deleting && !leak.is_young;
    leaks(facts).into_iter().filter(is_harmless).map(|leak| Act::Delete { object: leak.object }).collect()
}

/// Nodes that somebody else has cordoned stay theirs.
pub(super) fn cordon(facts: &Facts) -> Vec<Act> {
    let open = facts.nodes.items().iter().filter(|node| !node.unschedulable && !node.is_hollow());
    open.map(|node| Act::Cordon { node: node.name.clone() }).collect()
}

pub(super) fn uncordon(facts: &Facts) -> Vec<Act> {
    let ours = facts.nodes.items().iter().filter(|node| node.cordoned_by.is_some());
    ours.map(|node| Act::Uncordon { node: node.name.clone() }).collect()
}

/// Pods on a node that have no address yet: the new operator would give them one that is in use. Created again, they wait
/// for a node until the end.
pub(super) fn waiting_pods(facts: &Facts) -> impl Iterator<Item = &PodFact> {
    unwired_pods(facts).filter(|pod| is_created_again_elsewhere(pod))
}

/// Pods on a node that have no address yet, whoever made them.
pub(super) fn unwired_pods(facts: &Facts) -> impl Iterator<Item = &PodFact> {
    let endpoints = EndpointsByPod::of(facts);
    facts.pods.items().iter().filter(move |pod| {
        waits_on_a_node(pod) && !endpoints.of_pod(pod).any(|endpoint| endpoint.object.is_provisioned())
    })
}

/// Whether a pod has a node and does not run there yet. Judged again in the moment in which it is sent back: between a look
/// and the delete it may have begun to serve.
#[must_use]
pub fn waits_on_a_node(pod: &PodFact) -> bool {
    pod.phase == "Pending" && !pod.node.is_empty() && !pod.host_network && pod.deleting.is_none()
}

fn is_created_again_elsewhere(pod: &PodFact) -> bool {
    !pod.tolerates_cordon && pod.owner.as_ref().is_some_and(|owner| owner.kind != "DaemonSet" && owner.kind != "Node")
}

pub(super) fn waiting(facts: &Facts) -> Vec<Act> {
    waiting_pods(facts).map(|pod| Act::SendBack { pod: pod.id(), unseen: false }).collect()
}

/// What only a stopped operator allows, and what the next one must find.
pub(super) fn prepare(facts: &Facts) -> Vec<Act> {
    let mut acts: Vec<Act> = leaks(facts).into_iter().map(|leak| Act::DeleteUnseen { object: leak.object }).collect();
    let endpoints = EndpointsByPod::of(facts);
    for pod in waiting_pods(facts) {
        let half_wired = endpoints.of_pod(pod);
        acts.extend(half_wired.map(|endpoint| Act::DeleteUnseen { object: endpoint.object.id("Endpoint") }));
        acts.push(Act::SendBack { pod: pod.id(), unseen: true });
    }
    // One that is not provisioned must not be taken for one that is.
    let forgotten = facts.subnets.items().iter().filter(|it| it.object.is_provisioned() && it.kind != PROVISIONED);
    acts.extend(forgotten.map(|subnet| Act::Remember { object: subnet.object.id("Subnet") }));
    acts.extend(missing(facts, None).into_iter().map(|placeholder| Act::Hold { placeholder }));
    acts.extend(placeholders(facts).filter(|it| it.object.is_provisioned()).map(|it| to(&it.object, "Endpoint", INIT)));
    // A Bouncer that a starting operator finds Init is given up for good.
    let unfinished = facts.bouncers.items().iter().filter(|bouncer| bouncer.object.status == INIT);
    acts.extend(unfinished.map(|bouncer| to(&bouncer.object, "Bouncer", PROVISIONED)));
    acts
}

/// What the new operator must make before its own eyes: placeholders, so that it knows the addresses; Droplets; Dividers on
/// Droplets that are gone; then every Bouncer, which ends the wait of all others. What is gone of either is made again.
pub(super) fn wire(facts: &Facts) -> Vec<Act> {
    // One that is being deleted goes as soon as the operator runs.
    let staying = facts.droplets.items().iter().filter(|droplet| droplet.object.deleting.is_none());
    let droplets: BTreeSet<Text> = staying.map(|droplet| droplet.object.name).collect();
    let mut acts: Vec<Act> = missing(facts, None).into_iter().map(|placeholder| Act::Hold { placeholder }).collect();
    acts.extend(placeholders(facts).filter(|it| it.object.is_provisioned()).map(|it| to(&it.object, "Endpoint", INIT)));
    acts.extend(without_droplet(facts).map(|node| Act::Show { node: node.name.clone() }));
    let homeless = facts.dividers.items().iter().filter(|divider| !droplets.contains(&divider.droplet));
    acts.extend(homeless.map(|divider| to(&divider.object, "Divider", INIT)));
    let (dividers, bouncers): (Vec<NewPart>, Vec<NewPart>) =
        missing_parts(facts).into_iter().partition(|part| matches!(part, NewPart::Divider { .. }));
    acts.extend(dividers.into_iter().map(|part| Act::Make { part }));
    // One whose Subnet is gone or unfinished would never be placed, and one that is going has no use.
    let subnets = facts.subnets.items().iter().filter(|subnet| subnet.object.is_provisioned());
    let finished: BTreeSet<Text> = subnets.map(|subnet| subnet.object.name).collect();
    let usable = facts.bouncers.items().iter().filter(|it| it.object.deleting.is_none() && finished.contains(&it.net));
    acts.extend(usable.map(|bouncer| to(&bouncer.object, "Bouncer", INIT)));
    acts.extend(bouncers.into_iter().map(|part| Act::Make { part }));
    acts
}

/// The nodes that have a daemon and no Droplet that stays: the operator makes one when it is shown the node again.
fn without_droplet(facts: &Facts) -> impl Iterator<Item = &NodeFact> {
    let staying = facts.droplets.items().iter().filter(|droplet| droplet.object.deleting.is_none());
    let addresses: BTreeSet<Text> = staying.map(|droplet| droplet.main_ip).collect();
    let daemons = facts.pods.items().iter().filter(|pod| pod.role == PodRole::Daemon && pod.ready);
    let served: BTreeSet<Text> = daemons.map(|daemon| daemon.node).collect();
    let is_connected =
        move |node: &NodeFact| node.internal_ips.iter().any(|ip| addresses.contains(&ip.as_str().into()));
    let nodes = facts.nodes.items().iter().filter(|node| node.deleting.is_none());
    nodes.filter(move |node| served.contains(&node.name.as_str().into()) && !is_connected(node))
}

fn placeholders(facts: &Facts) -> impl Iterator<Item = &EndpointFact> {
    facts.endpoints.items().iter().filter(|it| it.object.holds_for.is_some() && it.object.deleting.is_none())
}

fn to(object: &MizarObject, kind: &str, status: &str) -> Act {
    Act::Status { object: object.id(kind), status: status.to_owned() }
}
