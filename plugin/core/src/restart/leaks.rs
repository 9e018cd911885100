//! What an earlier operator left behind: objects whose pod or node is gone. A starting operator takes them for living
//! ones, and one leaked host Endpoint keeps its Bouncers waiting for ever.
//!
//! This is stricter than what [`crate::diagnosis`] finds of a network that runs: a host Endpoint without its Droplet is no
//! leak while its node is there, since a new Droplet may take it over, but an operator that starts waits for it. And what
//! is young or being deleted already is told as such, since the sequence waits for it instead of leaving it alone.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::facts::{EndpointFact, Facts, PodsByName, Text, Uid};
use crate::object::ObjectId;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak {
    /// The object.
    pub object: ObjectId,
    /// Whether something living has its address: then only a stopped operator must not see it go, or it would cut that.
    pub shares_address: bool,
    /// Whether it is being deleted already.
    pub deleting: bool,
    /// Whether it is so young that its pod may only have been listed before it was there.
    pub is_young: bool,
}

/// Pods and Endpoints are not listed at the same moment: what is younger than this may be no leak at all.
const YOUNG: SignedDuration = SignedDuration::from_mins(1);

/// Returns all of them; nodes, pods, Droplets and Endpoints must have been read.
#[must_use]
pub fn leaks(facts: &Facts) -> Vec<Leak> {
    let pods = PodsByName::of(facts);
    let pod_uids: BTreeSet<Uid> = facts.pods.items().iter().map(|pod| pod.uid).collect();
    let addresses: BTreeSet<&str> =
        facts.nodes.items().iter().flat_map(|node| &node.internal_ips).map(String::as_str).collect();
    let (droplets, dead): (Vec<_>, Vec<_>) =
        facts.droplets.items().iter().partition(|droplet| addresses.contains(droplet.main_ip.as_str()));
    let living: BTreeSet<Text> = droplets.iter().map(|droplet| droplet.object.name).collect();
    let is_leak = |endpoint: &EndpointFact| match endpoint.object.holds_for {
        Some(uid) => !pod_uids.contains(&uid),
        // One that is older than its pod was left by an earlier pod of the name, and keeps this one from getting its own.
        None if endpoint.kind == "simple" => {
            pods.of_endpoint(endpoint).is_none_or(|pod| endpoint.object.created < pod.created)
        }
        None => endpoint.kind == "host" && !living.contains(&endpoint.droplet),
    };
    let (leaked, alive): (Vec<&EndpointFact>, Vec<&EndpointFact>) =
        facts.endpoints.items().iter().partition(|endpoint| is_leak(endpoint));
    let used: BTreeSet<(Text, Text)> = alive.iter().map(|endpoint| (endpoint.vni, endpoint.ip)).collect();
    let is_young =
        |created: Option<Timestamp>| created.is_some_and(|created| facts.gathered_at.duration_since(created) < YOUNG);
    // Host Endpoints first: the others are theirs.
    let endpoints = leaked.into_iter().map(|endpoint| Leak {
        object: endpoint.object.id("Endpoint"),
        shares_address: used.contains(&(endpoint.vni, endpoint.ip)),
        deleting: endpoint.object.deleting.is_some(),
        is_young: is_young(endpoint.object.created),
    });
    let droplets = dead.into_iter().map(|droplet| Leak {
        object: droplet.object.id("Droplet"),
        shares_address: false,
        deleting: droplet.object.deleting.is_some(),
        is_young: is_young(droplet.object.created),
    });
    endpoints.chain(droplets).collect()
}
