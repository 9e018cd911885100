//! Facts by what others name them with, so that finding one of tens of thousands takes no time.

use std::collections::{HashMap, HashSet};

use crate::facts::{DropletFact, EndpointFact, Facts, NodeFact, PodFact, PodRole, Text};

/// Nodes and Droplets, each by what leads from one to the other.
pub(super) struct Places<'a> {
    nodes_by_address: HashMap<&'a str, &'a NodeFact>,
    nodes_by_name: HashMap<&'a str, &'a NodeFact>,
    droplets_by_name: HashMap<Text, &'a DropletFact>,
    droplets_by_address: HashMap<Text, Vec<&'a DropletFact>>,
}

impl<'a> Places<'a> {
    pub(super) fn of(facts: &'a Facts) -> Self {
        let nodes = facts.nodes.items();
        let addresses = nodes.iter().flat_map(|node| node.internal_ips.iter().map(move |ip| (ip.as_str(), node)));
        let mut droplets_by_address: HashMap<Text, Vec<&DropletFact>> = HashMap::new();
        for droplet in facts.droplets.items() {
            droplets_by_address.entry(droplet.main_ip).or_default().push(droplet);
        }
        Self {
            nodes_by_address: addresses.collect(),
            nodes_by_name: nodes.iter().map(|node| (node.name.as_str(), node)).collect(),
            droplets_by_name: facts.droplets.items().iter().map(|droplet| (droplet.object.name, droplet)).collect(),
            droplets_by_address,
        }
    }

    pub(super) fn node(&self, name: &str) -> Option<&'a NodeFact> {
        self.nodes_by_name.get(name).copied()
    }

    pub(super) fn node_with(&self, address: &str) -> Option<&'a NodeFact> {
        self.nodes_by_address.get(address).copied()
    }

    pub(super) fn droplet(&self, name: Text) -> Option<&'a DropletFact> {
        self.droplets_by_name.get(&name).copied()
    }

    pub(super) fn droplets_of(&self, node: &NodeFact) -> Vec<&'a DropletFact> {
        let of_address = |ip: &String| self.droplets_by_address.get(&Text::from(ip.as_str()));
        node.internal_ips.iter().filter_map(of_address).flatten().copied().collect()
    }

    /// Whether a Droplet exists and a node has its address.
    pub(super) fn is_real(&self, droplet: Text) -> bool {
        self.droplet(droplet).is_some_and(|droplet| self.node_with(&droplet.main_ip).is_some())
    }

    /// Whether the node of a host Endpoint exists, also while its Droplet does not.
    pub(super) fn has_host(&self, endpoint: &EndpointFact) -> bool {
        match self.droplet(endpoint.droplet) {
            Some(droplet) => self.node_with(&droplet.main_ip).is_some(),
            None => self.node(&endpoint.droplet).is_some() || self.node_with(&endpoint.ip).is_some(),
        }
    }
}

/// Returns the ready daemon of every node by the node's name; hollow nodes have none that means anything.
pub(super) fn daemons(facts: &Facts) -> HashMap<Text, &PodFact> {
    let hollow: HashSet<&str> =
        facts.nodes.items().iter().filter(|node| node.is_hollow()).map(|node| node.name.as_str()).collect();
    let pods = facts.pods.items().iter();
    let ready = pods.filter(|pod| pod.role == PodRole::Daemon && pod.deleting.is_none() && pod.ready);
    ready.filter(|pod| !hollow.contains(pod.node.as_str())).map(|pod| (pod.node, pod)).collect()
}

/// Returns the host Endpoints by Droplet and Vpc.
pub(super) fn host_endpoints(facts: &Facts) -> HashMap<(Text, Text), &EndpointFact> {
    let hosts = facts.endpoints.items().iter().filter(|endpoint| endpoint.kind == "host");
    hosts.map(|endpoint| ((endpoint.droplet, endpoint.vpc), endpoint)).collect()
}
