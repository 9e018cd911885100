//! Addresses that are used twice, and pods without a network.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Moment;
use super::index::daemons;
use super::operator::operator_run;
use super::runs::{Fate, daemon_runs};
use crate::facts::{EndpointFact, Facts, PodFact, PodsByName, Text};
use crate::network::{PodOnNetwork, ranges};
use crate::object::{ObjectId, ObjectRef};

/// One of the pods that use the same address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// Its Endpoint.
    pub endpoint: ObjectId,
    /// The pod.
    pub pod: PodOnNetwork,
    /// That very pod.
    pub id: ObjectId,
    /// Whether it uses its node's network: it has the address and does not use it.
    pub host_network: bool,
}

impl Holder {
    /// Whether recreating its pod gives it another address, and somebody does create it again.
    #[must_use]
    pub fn can_move(&self) -> bool {
        !self.host_network && self.pod.is_created_again()
    }
}

/// An address that several pods use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Duplicate {
    /// The number of the Vpc on the wire.
    pub vni: Text,
    /// The address.
    pub ip: Text,
    /// The Subnet.
    pub net: Text,
    /// The pod that may keep it: one that nobody would create again, else the oldest.
    pub keeper: Holder,
    /// The pods that should get another one, the youngest first.
    pub others: Vec<Holder>,
}

/// Returns the addresses that several pods use. An Endpoint without its pod uses nothing: it is a leak.
#[must_use]
pub fn duplicates(facts: &Facts) -> Vec<Duplicate> {
    let pods = PodsByName::of(facts);
    let mut users: Vec<(&EndpointFact, &PodFact)> = Vec::new();
    for endpoint in facts.endpoints.items() {
        let counts = endpoint.kind == "simple" && !endpoint.ip.is_empty() && endpoint.object.deleting.is_none();
        // One that is older than its pod was left by an earlier pod of the name.
        let is_of = |pod: &&PodFact| {
            // One that has ended uses nothing any more, whatever its Endpoint says.
            let is_over = matches!(pod.phase.as_str(), "Succeeded" | "Failed");
            !is_over
                && pod.deleting.is_none()
                && endpoint.object.created.zip(pod.created).is_none_or(|(made, pod)| made >= pod)
        };
        if let Some(pod) = pods.of_endpoint(endpoint).filter(|pod| counts && is_of(pod)) {
            users.push((endpoint, pod));
        }
    }
    // Sorted, those of an address stand side by side: cheaper than a list for each of them.
    users.sort_by_key(|(endpoint, _)| (endpoint.vni, endpoint.ip));
    let of_users = |users: &[(&EndpointFact, &PodFact)]| {
        if users.len() < 2 || users.iter().all(|(_, pod)| pod.host_network) {
            return None;
        }
        let mut users = users.to_vec();
        users.sort_by_key(|(_, pod)| seniority(pod));
        let (vni, ip, net) = users.first().map(|(endpoint, _)| (endpoint.vni, endpoint.ip, endpoint.net))?;
        let mut holders = users.into_iter().map(|(endpoint, pod)| Holder {
            endpoint: endpoint.object.id("Endpoint"),
            pod: PodOnNetwork::of(pod),
            id: pod_id(pod),
            host_network: pod.host_network,
        });
        let keeper = holders.next()?;
        let mut others: Vec<Holder> = holders.collect();
        others.reverse();
        (!others.is_empty()).then_some(Duplicate { vni, ip, net, keeper, others })
    };
    let same_address = |left: &(&EndpointFact, &PodFact), right: &(&EndpointFact, &PodFact)| {
        (left.0.vni, left.0.ip) == (right.0.vni, right.0.ip)
    };
    users.chunk_by(same_address).filter_map(of_users).collect()
}

/// Orders pods that use the same address: the first is to keep it. One that uses its node's network cannot get another, one
/// that nobody would create again should not have to; else it is the oldest.
pub(crate) fn seniority(pod: &PodFact) -> impl Ord + use<> {
    (!pod.host_network, pod.is_created_again(), pod.created, pod.name, pod.namespace)
}

/// Why a pod has no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CutOff {
    /// It has an address of the network that was there before Mizar.
    BeforeMizar,
    /// The daemon of its node started after it was wired.
    DaemonRestarted,
    /// It waits for a network, and the operator does not even have an Endpoint for it.
    NeverWired,
}

impl CutOff {
    /// Says it of a pod, as a sentence goes on after its name.
    #[must_use]
    pub const fn predicate(self) -> &'static str {
        match self {
            Self::BeforeMizar => "is still on the network from before Mizar",
            Self::DaemonRestarted => "was cut off when the daemon of its node started",
            Self::NeverWired => "waits for a network that the operator never began to give it",
        }
    }

    /// Says it of a pod.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::BeforeMizar => "still on the network from before Mizar",
            Self::DaemonRestarted => "cut off when the daemon of its node started",
            Self::NeverWired => "waits for a network that the operator never began to give it",
        }
    }
}

/// A pod that has no network until it is recreated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CutOffPod {
    /// The pod.
    pub pod: PodOnNetwork,
    /// That very pod.
    pub id: ObjectId,
    /// Why.
    pub cut_off: CutOff,
    /// Since when, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<Timestamp>,
}

/// Returns what names this very pod.
fn pod_id(pod: &PodFact) -> ObjectId {
    let object = ObjectRef {
        api_version: "v1".to_owned(),
        kind: "Pod".to_owned(),
        namespace: Some(pod.namespace.to_string()),
        name: pod.name.to_string(),
    };
    ObjectId { object, uid: pod.uid.to_string() }
}

/// Returns the pods that have no network until they are recreated, in the order in which to do it: name servers first,
/// since the others cannot start well without them.
#[must_use]
pub fn cut_off_pods(facts: &Facts, moment: &Moment) -> Vec<CutOffPod> {
    let ranges = ranges(facts.subnets.items());
    if ranges.is_empty() {
        return Vec::new();
    }
    let daemons = daemons(facts);
    let runs = daemon_runs(facts);
    let wired = wired(facts);
    let is_at_work = operator_run(facts).is_some_and(|run| moment.is_older(Some(run.started), moment.slow));
    let hollow: std::collections::HashSet<&str> =
        facts.nodes.items().iter().filter(|node| node.is_hollow()).map(|node| node.name.as_str()).collect();
    let judge = |pod: &PodFact| {
        if pod.host_network || pod.deleting.is_some() || hollow.contains(pod.node.as_str()) {
            return None;
        }
        let endpoint = wired.get(&(pod.namespace, pod.name)).copied();
        if pod.phase == "Running" && !pod.ip.is_empty() {
            if !ranges.iter().any(|range| range.contains_text(&pod.ip)) {
                // Where no daemon is ready, another network may serve it, and its successor would get none of Mizar's.
                let is_served = daemons.get(&pod.node).is_some_and(|daemon| daemon.ready);
                return is_served.then_some((CutOff::BeforeMizar, None));
            }
            let run = runs.get(&pod.node)?;
            let wired = endpoint.map_or(pod.created, |endpoint| endpoint.object.provisioned)?;
            return (run.fate(wired) == Fate::Lost).then_some((CutOff::DaemonRestarted, Some(run.began)));
        }
        let waits = pod.phase == "Pending" && !pod.host_ip.is_empty() && moment.is_older(pod.created, moment.slow);
        let never = waits && endpoint.is_none() && is_at_work && daemons.contains_key(&pod.node);
        never.then_some((CutOff::NeverWired, pod.created))
    };
    let found = facts.pods.items().iter().filter_map(|pod| {
        let (cut_off, since) = judge(pod)?;
        let cut = cut_off == CutOff::DaemonRestarted;
        Some(CutOffPod { pod: PodOnNetwork { cut_off: cut, ..PodOnNetwork::of(pod) }, id: pod_id(pod), cut_off, since })
    });
    let mut found: Vec<CutOffPod> = found.collect();
    found.sort_by(|left, right| order(&left.pod).cmp(&order(&right.pod)));
    found
}

fn order(pod: &PodOnNetwork) -> (bool, &str, &str) {
    (!pod.is_dns, &pod.namespace, &pod.name)
}

/// Returns the Endpoints of pods by the pod they are of.
fn wired(facts: &Facts) -> HashMap<(Text, Text), &EndpointFact> {
    let pods = PodsByName::of(facts);
    let simple = facts.endpoints.items().iter().filter(|endpoint| endpoint.kind == "simple");
    simple.filter_map(|endpoint| pods.of_endpoint(endpoint).map(|pod| ((pod.namespace, pod.name), endpoint))).collect()
}
