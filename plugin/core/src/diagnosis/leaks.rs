//! What is left of pods and nodes that are gone.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Moment;
use super::index::Places;
use crate::facts::{EndpointFact, Facts, PodFact, PodsByName, Text, Uid};
use crate::object::ObjectId;

/// Why an object belongs to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeakCause {
    /// The pod of an Endpoint is gone: an operator leaves those that an earlier run of it has wired.
    PodGone,
    /// The Endpoint is older than the pod of its name: it was left by an earlier pod, and keeps this one from getting its own.
    PodReplaced,
    /// The pod for which a placeholder keeps an address is gone.
    HeldForNobody,
    /// The node of a host Endpoint is gone.
    NodeGone,
    /// No node has the address of a Droplet.
    DropletWithoutNode,
}

impl LeakCause {
    /// Says it of an object.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::PodGone => "its pod is gone",
            Self::PodReplaced => "it is older than its pod, and keeps it from getting its own",
            Self::HeldForNobody => "it keeps the address of a pod that is gone",
            Self::NodeGone => "its node is gone",
            Self::DropletWithoutNode => "belongs to no node",
        }
    }
}

/// An object that belongs to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Leak {
    /// The object.
    pub object: ObjectId,
    /// Why it belongs to nothing.
    pub cause: LeakCause,
    /// The field that names what is gone.
    pub field: String,
    /// What that field holds.
    pub names: String,
    /// The Endpoint in use that has the same address: while the operator runs, deleting the one would cut the other.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shares_address_with: Option<Text>,
    /// When it was created.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<Timestamp>,
}

/// Returns what is left of pods and nodes that are gone: host Endpoints, which keep Bouncers from finishing, come first.
#[must_use]
pub fn leaks(facts: &Facts, moment: &Moment) -> Vec<Leak> {
    let judge = Judge::of(facts);
    let staying = || facts.endpoints.items().iter().filter(|endpoint| endpoint.object.deleting.is_none());
    let cause_of =
        |endpoint: &EndpointFact| judge.cause(endpoint).filter(|_| moment.has_settled(endpoint.object.created));
    let mut left: Vec<(LeakCause, &EndpointFact)> =
        staying().filter_map(|endpoint| Some((cause_of(endpoint)?, endpoint))).collect();
    // Of the addresses, only those of leaks are looked up; few clusters have any.
    let doubtful: HashSet<(Text, Text)> = left.iter().map(|(_, endpoint)| (endpoint.vni, endpoint.ip)).collect();
    let used: HashMap<(Text, Text), Text> = staying()
        .filter(|endpoint| !endpoint.ip.is_empty() && doubtful.contains(&(endpoint.vni, endpoint.ip)))
        .filter(|endpoint| cause_of(endpoint).is_none() && !judge.is_unused(endpoint))
        // A placeholder for nobody uses nothing, however young it is.
        .filter(|endpoint| judge.cause(endpoint) != Some(LeakCause::HeldForNobody))
        .map(|endpoint| ((endpoint.vni, endpoint.ip), endpoint.object.name))
        .collect();
    left.sort_by_key(|(cause, endpoint)| (*cause != LeakCause::NodeGone, endpoint.object.name));
    let endpoints = left.into_iter().map(|(cause, endpoint)| Leak {
        object: endpoint.object.id("Endpoint"),
        cause,
        field: field(cause).to_owned(),
        names: named(cause, endpoint),
        shares_address_with: used.get(&(endpoint.vni, endpoint.ip)).copied(),
        since: endpoint.object.created,
    });
    endpoints.chain(droplets(facts, &judge.places, moment)).collect()
}

fn droplets(facts: &Facts, places: &Places<'_>, moment: &Moment) -> Vec<Leak> {
    let droplets = facts.droplets.items().iter();
    let stray = droplets.filter(|droplet| {
        let object = &droplet.object;
        object.deleting.is_none() && moment.has_settled(object.created) && places.node_with(&droplet.main_ip).is_none()
    });
    let leak = |droplet: &crate::facts::DropletFact| Leak {
        object: droplet.object.id("Droplet"),
        cause: LeakCause::DropletWithoutNode,
        field: field(LeakCause::DropletWithoutNode).to_owned(),
        names: droplet.main_ip.to_string(),
        shares_address_with: None,
        since: droplet.object.created,
    };
    stray.map(leak).collect()
}

const fn field(cause: LeakCause) -> &'static str {
    match cause {
        LeakCause::PodGone => "spec.pod",
        LeakCause::PodReplaced => "metadata.creationTimestamp",
        LeakCause::HeldForNobody => "metadata.labels[mizar.dev/holds-for]",
        LeakCause::NodeGone => "spec.droplet",
        LeakCause::DropletWithoutNode => "spec.main_ip",
    }
}

fn named(cause: LeakCause, endpoint: &EndpointFact) -> String {
    match cause {
        LeakCause::HeldForNobody => endpoint.object.holds_for.unwrap_or_default().to_string(),
        LeakCause::NodeGone => endpoint.droplet.into(),
        LeakCause::PodGone | LeakCause::PodReplaced | LeakCause::DropletWithoutNode => endpoint.pod.into(),
    }
}

/// Tells whether an Endpoint belongs to something.
pub(super) struct Judge<'a> {
    pods: PodsByName<'a>,
    /// The pods for which placeholders keep addresses, as far as they exist.
    held_for: HashMap<Uid, &'a PodFact>,
    places: Places<'a>,
}

impl<'a> Judge<'a> {
    pub(super) fn of(facts: &'a Facts) -> Self {
        let wanted = facts.endpoints.items().iter().filter_map(|endpoint| endpoint.object.holds_for);
        let wanted: HashSet<Uid> = wanted.collect();
        let held_for = facts.pods.items().iter().filter(|pod| wanted.contains(&pod.uid));
        let held_for = held_for.map(|pod| (pod.uid, pod)).collect();
        Self { pods: PodsByName::of(facts), held_for, places: Places::of(facts) }
    }

    /// Whether nobody uses the address: a pod on its node's network has one, and does without.
    fn is_unused(&self, endpoint: &EndpointFact) -> bool {
        match endpoint.object.holds_for {
            Some(pod) => self.held_for.get(&pod).is_some_and(|pod| pod.host_network),
            None => endpoint.kind == "simple" && self.pods.of_endpoint(endpoint).is_some_and(|pod| pod.host_network),
        }
    }

    /// Returns why an Endpoint belongs to nothing, if so. Those of services are judged elsewhere.
    fn cause(&self, endpoint: &EndpointFact) -> Option<LeakCause> {
        if let Some(pod) = endpoint.object.holds_for {
            return (!self.held_for.contains_key(&pod)).then_some(LeakCause::HeldForNobody);
        }
        match endpoint.kind.as_str() {
            "simple" => match self.pods.of_endpoint(endpoint) {
                None => Some(LeakCause::PodGone),
                // An Endpoint is always made after its pod.
                Some(pod) => {
                    let is_older = endpoint.object.created.zip(pod.created).is_some_and(|(left, pod)| left < pod);
                    is_older.then_some(LeakCause::PodReplaced)
                }
            },
            "host" if !self.places.has_host(endpoint) => Some(LeakCause::NodeGone),
            _ => None,
        }
    }
}
