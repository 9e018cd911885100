//! The pod network as the operator builds it, part by part, as a pure value: what is done, what is waited for and what
//! will not come. The waits of an install and the checks share this one definition of "done". Watching is the caller's.

mod parts;
mod pods;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use pods::{PodOnNetwork, pods_that_predate_mizar};

use crate::address::Cidr;
use crate::facts::{
    BouncerFact, DaemonSetFact, DividerFact, DropletFact, EndpointFact, Facts, NodeFact, Placement, Source, SubnetFact,
    VpcFact,
};

/// The network that every installation has; the operator makes it when nobody else did.
pub const FIRST_VPC: &str = "vpc0";
/// The subnet that every installation has.
pub const FIRST_SUBNET: &str = "net0";

/// The parts of the network, in the order in which they come to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are those of Mizar's kinds")]
pub enum Part {
    Droplets,
    Vpcs,
    Dividers,
    Subnets,
    Bouncers,
    HostEndpoints,
}

impl Part {
    /// All parts, in order.
    pub const ALL: [Self; 6] =
        [Self::Droplets, Self::Vpcs, Self::Dividers, Self::Subnets, Self::Bouncers, Self::HostEndpoints];

    /// Returns the kind of its objects.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Droplets => "Droplet",
            Self::Vpcs => "Vpc",
            Self::Dividers => "Divider",
            Self::Subnets => "Subnet",
            Self::Bouncers => "Bouncer",
            Self::HostEndpoints => "Endpoint",
        }
    }

    /// Returns where its objects are read from.
    #[must_use]
    pub const fn source(self) -> Source {
        match self {
            Self::Droplets => Source::Droplets,
            Self::Vpcs => Source::Vpcs,
            Self::Dividers => Source::Dividers,
            Self::Subnets => Source::Subnets,
            Self::Bouncers => Source::Bouncers,
            Self::HostEndpoints => Source::Endpoints,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Droplets => "Droplets",
            Self::Vpcs => "Vpcs",
            Self::Dividers => "Dividers",
            Self::Subnets => "Subnets",
            Self::Bouncers => "Bouncers",
            Self::HostEndpoints => "host endpoints",
        })
    }
}

/// What a part still waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// The object, `node node-3` or `Bouncer net0-b-1234`.
    pub object: String,
    /// Why, `has no Droplet yet`.
    pub reason: String,
    /// The node that it is about, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub node: Option<String>,
    /// Since when it can be waited for at the earliest, as the objects tell; nothing where none does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<Timestamp>,
}

impl fmt::Display for Wait {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.object, self.reason)
    }
}

/// How far one part is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartState {
    /// The part.
    pub part: Part,
    /// How many of its objects are done.
    pub done: usize,
    /// How many there must be.
    pub total: usize,
    /// What is missing.
    pub waiting_for: Vec<Wait>,
    /// Why waiting is in vain, if it is.
    pub failed: Option<String>,
}

impl PartState {
    /// Whether it is all there.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.total > 0 && self.done >= self.total && self.waiting_for.is_empty() && self.failed.is_none()
    }
}

/// What the convergence is judged from; borrowed, so that a watch can ask after every event.
#[derive(Debug, Clone, Copy, Default)]
pub struct Network<'a> {
    /// The nodes that get a daemon: see [`eligible_nodes`].
    pub nodes: &'a [&'a NodeFact],
    /// Mizar's objects.
    pub droplets: &'a [DropletFact],
    /// Mizar's objects.
    pub vpcs: &'a [VpcFact],
    /// Mizar's objects.
    pub dividers: &'a [DividerFact],
    /// Mizar's objects.
    pub subnets: &'a [SubnetFact],
    /// Mizar's objects.
    pub bouncers: &'a [BouncerFact],
    /// Mizar's objects.
    pub endpoints: &'a [EndpointFact],
}

impl<'a> Network<'a> {
    /// Returns the network as the facts hold it, for these nodes.
    #[must_use]
    pub fn of(facts: &'a Facts, nodes: &'a [&'a NodeFact]) -> Self {
        Self {
            nodes,
            droplets: facts.droplets.items(),
            vpcs: facts.vpcs.items(),
            dividers: facts.dividers.items(),
            subnets: facts.subnets.items(),
            bouncers: facts.bouncers.items(),
            endpoints: facts.endpoints.items(),
        }
    }

    /// Returns how far one part is.
    #[must_use]
    pub fn part(&self, part: Part) -> PartState {
        match part {
            Part::Droplets => parts::droplets(self),
            Part::Vpcs => parts::vpcs(self),
            Part::Dividers => parts::dividers(self),
            Part::Subnets => parts::subnets(self),
            Part::Bouncers => parts::bouncers(self),
            Part::HostEndpoints => parts::host_endpoints(self),
        }
    }

    /// Returns how far every part is, in order.
    #[must_use]
    pub fn converge(&self) -> Vec<PartState> {
        Part::ALL.iter().map(|part| self.part(*part)).collect()
    }
}

/// The Droplets by their `main_ip`: thousands of nodes look theirs up.
#[derive(Debug)]
pub struct DropletsByAddress<'a>(HashMap<&'a str, Vec<&'a DropletFact>>);

impl<'a> DropletsByAddress<'a> {
    /// Sorts them.
    #[must_use]
    pub fn new(droplets: &'a [DropletFact]) -> Self {
        let mut by_address: HashMap<&str, Vec<&DropletFact>> = HashMap::new();
        for droplet in droplets {
            by_address.entry(droplet.main_ip.as_str()).or_default().push(droplet);
        }
        Self(by_address)
    }

    /// Returns the Droplets of a node, of which there should be one: those whose `main_ip` is an InternalIP of it.
    pub fn of_node(&self, node: &NodeFact) -> impl Iterator<Item = &'a DropletFact> {
        node.internal_ips.iter().filter_map(|address| self.0.get(address.as_str())).flatten().copied()
    }
}

/// Returns the nodes that Mizar can serve: Linux, not pretended by Kubemark, not lost, and chosen by the daemon's
/// placement.
#[must_use]
pub fn eligible_nodes<'a>(nodes: &'a [NodeFact], placement: &Placement) -> Vec<&'a NodeFact> {
    let chosen = |node: &NodeFact| placement.refuses(node).is_none();
    nodes.iter().filter(|node| node.is_linux() && !node.is_hollow() && !node.is_lost() && chosen(node)).collect()
}

/// Returns the nodes that get a daemon, by the placement of the DaemonSet where there is one.
#[must_use]
pub fn served_nodes(facts: &Facts) -> Vec<&NodeFact> {
    let placement = daemon_set(facts.daemon_sets.items()).map(|set| set.placement.clone()).unwrap_or_default();
    eligible_nodes(facts.nodes.items(), &placement)
}

/// Returns Mizar's DaemonSet, by the name that all installations share.
#[must_use]
pub fn daemon_set(daemon_sets: &[DaemonSetFact]) -> Option<&DaemonSetFact> {
    daemon_sets.iter().find(|set| set.name == "mizar-daemon")
}

/// Whether the operator has built something that a restart of it would leave wired to nothing. A Vpc tells nothing
/// here: a chosen range is installed as a Vpc that is Provisioned from the start.
#[must_use]
pub fn anything_provisioned(dividers: &[DividerFact]) -> bool {
    dividers.iter().any(|divider| divider.object.is_provisioned())
}

/// Returns the ranges of the subnets; those that cannot be read are left out.
#[must_use]
pub fn ranges(subnets: &[SubnetFact]) -> Vec<Cidr> {
    subnets.iter().filter_map(|subnet| Cidr::new(&subnet.ip, &subnet.prefix).ok()).collect()
}

/// Returns the range that the operator of a version uses for pods when nobody chose one; nothing when the image's tag
/// does not tell its version.
#[must_use]
pub fn built_in_range(tag: &str) -> Option<&'static str> {
    match tag.trim_start_matches('v') {
        "0.6" | "0.7" | "0.8" | "0.9" | "0.91" => Some("20.0.0.0/8"),
        "0.5" => Some("10.0.0.0/8"),
        "dev" | "dev-next" => Some("10.20.0.0/16"),
        _ => None,
    }
}
