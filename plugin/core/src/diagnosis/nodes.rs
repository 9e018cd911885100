//! Nodes whose daemon has lost its programming, and Bouncers and Dividers that stand where nothing forwards for them.
//!
//! A daemon's programs live as long as its container. The operator does not notice when one restarts: all that it
//! programmed there before still says Provisioned.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Moment;
use super::index::Places;
use super::operator::operator_run;
use super::runs::{Fate, Run, daemon_runs};
use crate::facts::{DropletFact, EndpointFact, Facts, MizarObject, NodeFact, Text, VpcFact};
use crate::object::{ObjectId, ObjectRef};

/// What a node lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
pub enum Missing {
    /// It has no Droplet, and its daemon would answer.
    Droplet,
    /// Its Droplet has no host Endpoint.
    HostEndpoint {
        /// The Vpcs without one.
        vpcs: Vec<Text>,
    },
    /// Its daemon started after these were programmed.
    Programming {
        /// When the daemon started.
        since: Timestamp,
        /// The host Endpoints.
        lost: Vec<Text>,
    },
}

/// A node without what Mizar must have programmed there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnprogrammedNode {
    /// The node.
    pub node: ObjectId,
    /// What it lacks.
    pub missing: Missing,
    /// Its Droplets, which go so that new ones come.
    pub droplets: Vec<ObjectId>,
    /// Its host Endpoints, which go before them.
    pub host_endpoints: Vec<ObjectId>,
    /// Its addresses, by which its next Droplet is known.
    pub addresses: Vec<String>,
    /// The Vpcs in which it then has a host Endpoint.
    pub vpcs: Vec<Text>,
}

/// Returns the nodes with a ready daemon that lack what must be programmed there. Host Endpoints that an operator cannot
/// make because it has forgotten their Subnet are not the node's fault.
#[must_use]
pub fn unprogrammed_nodes(facts: &Facts, moment: &Moment) -> Vec<UnprogrammedNode> {
    let places = Places::of(facts);
    let mut hosts_of: HashMap<Text, Vec<&EndpointFact>> = HashMap::new();
    for endpoint in facts.endpoints.items().iter().filter(|endpoint| endpoint.kind == "host") {
        hosts_of.entry(endpoint.droplet).or_default().push(endpoint);
    }
    let vpcs = connected_vpcs(facts, moment);
    let is_at_work = operator_run(facts).is_some_and(|run| moment.has_settled(Some(run.started)));
    let mut runs: Vec<(Text, Run)> = daemon_runs(facts).into_iter().collect();
    runs.sort_by_key(|(node, _)| *node);
    let of_daemon = |(node, run): (Text, Run)| {
        let node = places.node(&node)?;
        let droplets = places.droplets_of(node);
        let mut hosts: Vec<&EndpointFact> =
            droplets.iter().filter_map(|droplet| hosts_of.get(&droplet.object.name)).flatten().copied().collect();
        let has_settled = moment.has_settled(node.created) && moment.has_settled(Some(run.began));
        let missing = if droplets.is_empty() {
            hosts.extend(hosts_of.get(&Text::from(node.name.as_str())).into_iter().flatten());
            (is_at_work && has_settled && !node.internal_ips.is_empty()).then_some(Missing::Droplet)
        } else {
            let lost = lost(&hosts, &run).or_else(|| unconnected(&droplets, &hosts, &vpcs, moment));
            // A Droplet that goes already comes back by itself or not at all: look again when it is gone.
            lost.filter(|_| droplets.iter().all(|droplet| droplet.object.deleting.is_none()))
        }?;
        Some(UnprogrammedNode {
            node: node_id(node),
            missing,
            droplets: droplets.iter().map(|droplet| droplet.object.id("Droplet")).collect(),
            host_endpoints: hosts.iter().map(|endpoint| endpoint.object.id("Endpoint")).collect(),
            addresses: node.internal_ips.clone(),
            vpcs: vpcs.iter().map(|vpc| vpc.object.name).collect(),
        })
    };
    runs.into_iter().filter_map(of_daemon).collect()
}

fn node_id(node: &NodeFact) -> ObjectId {
    let object =
        ObjectRef { api_version: "v1".to_owned(), kind: "Node".to_owned(), namespace: None, name: node.name.clone() };
    ObjectId { object, uid: node.uid.to_string() }
}

fn lost(hosts: &[&EndpointFact], run: &Run) -> Option<Missing> {
    let is_lost = |host: &&&EndpointFact| run.fate_of(&host.object) == Fate::Lost;
    let lost: Vec<Text> = hosts.iter().filter(is_lost).map(|host| host.object.name).collect();
    (!lost.is_empty()).then_some(Missing::Programming { since: run.began, lost })
}

fn unconnected(
    droplets: &[&DropletFact],
    hosts: &[&EndpointFact],
    vpcs: &[&VpcFact],
    moment: &Moment,
) -> Option<Missing> {
    let settled = |droplet: &DropletFact| droplet.object.is_provisioned() && moment.has_settled(droplet.object.created);
    if !droplets.iter().all(|droplet| settled(droplet)) {
        return None;
    }
    let without = vpcs.iter().filter(|vpc| !hosts.iter().any(|host| host.vpc == vpc.object.name));
    let vpcs: Vec<Text> = without.map(|vpc| vpc.object.name).collect();
    (!vpcs.is_empty()).then_some(Missing::HostEndpoint { vpcs })
}

/// Returns the Vpcs in which every node must have a host Endpoint, as far as the operator can make one.
fn connected_vpcs<'a>(facts: &'a Facts, moment: &Moment) -> Vec<&'a VpcFact> {
    let forgotten: Vec<Text> =
        super::operator::forgotten_subnets(facts, moment).into_iter().map(|subnet| subnet.net).collect();
    let is_served = |vpc: &&VpcFact| {
        let mut subnets = facts.subnets.items().iter().filter(|subnet| subnet.vpc == vpc.object.name).peekable();
        vpc.object.is_provisioned()
            && subnets.peek().is_some()
            && subnets.all(|subnet| {
                let object = &subnet.object;
                object.is_provisioned() && moment.has_settled(object.finished()) && !forgotten.contains(&object.name)
            })
    };
    facts.vpcs.items().iter().filter(is_served).collect()
}

/// Why a Bouncer or a Divider stands where nothing forwards for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "why")]
pub enum Misplaced {
    /// Its Droplet, or that Droplet's node, does not exist.
    DropletGone,
    /// The daemon of its node started after it was programmed there.
    ProgrammingLost {
        /// The node.
        node: Text,
        /// When the daemon started.
        since: Timestamp,
    },
}

/// A Bouncer or a Divider that forwards nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Displaced {
    /// The object.
    pub object: ObjectId,
    /// The Subnet of a Bouncer; blank for a Divider.
    pub net: Text,
    /// The Droplet that it names.
    pub droplet: Text,
    /// Why it forwards nothing.
    pub misplaced: Misplaced,
}

/// Returns the Dividers, then the Bouncers, that forward nothing: a Bouncer is placed with the help of its Dividers.
#[must_use]
pub fn displaced(facts: &Facts) -> Vec<Displaced> {
    let places = Places::of(facts);
    let runs = daemon_runs(facts);
    let dividers =
        facts.dividers.items().iter().map(|divider| ("Divider", &divider.object, Text::default(), divider.droplet));
    let bouncers =
        facts.bouncers.items().iter().map(|bouncer| ("Bouncer", &bouncer.object, bouncer.net, bouncer.droplet));
    let of_object = |(kind, object, net, droplet): (&str, &MizarObject, Text, Text)| {
        if !object.is_provisioned() || object.deleting.is_some() {
            return None;
        }
        let node = places.droplet(droplet).and_then(|droplet| places.node_with(&droplet.main_ip));
        let misplaced = match node {
            None => Misplaced::DropletGone,
            Some(node) => {
                let node = Text::from(node.name.as_str());
                let run = runs.get(&node)?;
                let lost = run.fate_of(object) == Fate::Lost;
                lost.then_some(Misplaced::ProgrammingLost { node, since: run.began })?
            }
        };
        Some(Displaced { object: object.id(kind), net, droplet, misplaced })
    };
    dividers.chain(bouncers).filter_map(of_object).collect()
}
