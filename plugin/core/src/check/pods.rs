//! Whether the pods that should use Mizar do: each by an Endpoint of its own, no address twice, nothing left behind.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Options;
use super::parts::has_node;
use super::verdict::{Evidence, Problem, Status, Verdict, grouped};
use crate::address::Cidr;
use crate::facts::{EndpointFact, Facts, PodFact};
use crate::network::{pods_that_predate_mizar, ranges};

/// Returns the running pods with an address of their own on real nodes.
fn networked(facts: &Facts) -> Vec<&PodFact> {
    let hollow: Vec<&str> =
        facts.nodes.items().iter().filter(|node| node.is_hollow()).map(|node| node.name.as_str()).collect();
    facts.pods.items().iter().filter(|pod| pod.is_on_pod_network() && !hollow.contains(&pod.node.as_str())).collect()
}

pub(super) fn endpoints(facts: &Facts, options: &Options) -> Verdict {
    let ranges = ranges(facts.subnets.items());
    let mut by_pod: HashMap<&str, Vec<&EndpointFact>> = HashMap::new();
    for endpoint in facts.endpoints.items().iter().filter(|endpoint| endpoint.kind == "simple") {
        by_pod.entry(&endpoint.pod).or_default().push(endpoint);
    }
    // A pod and its Endpoint find each other in rounds: only what is wrong for longer is wrong.
    let settled = |pod: &&&PodFact| options.is_older(pod.created, options.thresholds.settling);
    // An address from elsewhere is that of a pod older than Mizar, which another check tells about.
    let on_mizar = |pod: &&PodFact| pod.ip.is_empty() || ranges.iter().any(|range| range.contains_text(&pod.ip));
    let pods: Vec<&PodFact> = networked(facts).into_iter().filter(on_mizar).collect();
    if pods.is_empty() {
        return Verdict::pass("no pod uses the network yet");
    }
    let problems = pods.iter().filter(settled).filter_map(|pod| {
        let candidates = by_pod.get(pod.name.as_str()).map_or(&[][..], Vec::as_slice);
        let endpoint = candidates.iter().find(|endpoint| endpoint.belongs_to(&pod.namespace, &pod.name));
        mismatch(facts, pod, endpoint.copied())
    });
    grouped("pods", pods.len(), problems.collect(), Status::Fail)
}

/// Returns how a pod and its Endpoint disagree.
fn mismatch(facts: &Facts, pod: &PodFact, endpoint: Option<&EndpointFact>) -> Option<Problem> {
    let path = pod.path();
    let Some(endpoint) = endpoint else {
        let evidence = Evidence::new(format!("Pod {path}"), "Endpoint of mizar.com", "none", "one of type simple");
        return Some(Problem::new(path, "has no Endpoint", evidence));
    };
    let object = format!("Endpoint {}", endpoint.object.name);
    let problem = |reason: &str, field: &str, seen: &str, wanted: &str| {
        Some(Problem::new(&path, reason, Evidence::new(&object, field, seen, wanted)))
    };
    if endpoint.ip != pod.ip {
        return problem("its Endpoint has another address", "spec.ip", &endpoint.ip, &pod.ip);
    }
    if !endpoint.object.is_provisioned() {
        return problem("its Endpoint is not Provisioned", "spec.status", &endpoint.object.status, "Provisioned");
    }
    let subnet = facts.subnets.items().iter().find(|subnet| subnet.object.name == endpoint.net);
    let range = subnet.and_then(|subnet| Cidr::new(&subnet.ip, &subnet.prefix).ok());
    if !range.is_some_and(|range| range.contains_text(&endpoint.ip)) {
        let wanted = range.map_or_else(|| "an existing Subnet".to_owned(), |range| format!("within {range}"));
        return problem("its address is outside its Subnet", "spec.ip", &endpoint.ip, &wanted);
    }
    let droplet = facts.droplets.items().iter().find(|droplet| droplet.object.name == endpoint.droplet);
    let main_ip = droplet.map_or("no such Droplet", |droplet| droplet.main_ip.as_str());
    if main_ip != pod.host_ip {
        let seen = format!("{} ({main_ip})", endpoint.droplet);
        return problem("its Endpoint is on another node", "spec.droplet", &seen, &pod.host_ip);
    }
    None
}

pub(super) fn duplicates(facts: &Facts, _: &Options) -> Verdict {
    let mut owners: BTreeMap<(&str, &str), Vec<&EndpointFact>> = BTreeMap::new();
    let simple = facts.endpoints.items().iter().filter(|endpoint| endpoint.kind == "simple" && !endpoint.ip.is_empty());
    for endpoint in simple.filter(|endpoint| endpoint.object.deleting.is_none()) {
        owners.entry((&endpoint.vni, &endpoint.ip)).or_default().push(endpoint);
    }
    let addresses = owners.len();
    let problems = owners.into_iter().filter(|(_, endpoints)| endpoints.len() > 1).map(|((vni, ip), endpoints)| {
        let names: Vec<&str> = endpoints.iter().map(|endpoint| endpoint.object.name.as_str()).collect();
        let evidence = Evidence::new(format!("address {ip} (vni {vni})"), "spec.ip", names.join(", "), "one Endpoint");
        Problem::new(ip, format!("held by {}", names.join(" and ")), evidence)
    });
    grouped("addresses", addresses, problems.collect(), Status::Fail)
}

pub(super) fn leaks(facts: &Facts, options: &Options) -> Verdict {
    let mut by_name: HashMap<&str, Vec<&PodFact>> = HashMap::new();
    for pod in facts.pods.items() {
        by_name.entry(&pod.name).or_default().push(pod);
    }
    let has_pod = |endpoint: &EndpointFact| {
        let pods = by_name.get(endpoint.pod.as_str()).map_or(&[][..], Vec::as_slice);
        pods.iter().any(|pod| endpoint.belongs_to(&pod.namespace, &pod.name))
    };
    let has_host = |endpoint: &EndpointFact| {
        let droplets = facts.droplets.items();
        droplets.iter().any(|droplet| droplet.object.name == endpoint.droplet && has_node(facts, droplet))
    };
    let endpoints = facts.endpoints.items();
    let settled = |endpoint: &&EndpointFact| {
        endpoint.object.deleting.is_none() && options.is_older(endpoint.object.created, options.thresholds.settling)
    };
    let problems = endpoints.iter().filter(settled).filter_map(|endpoint| {
        let (field, seen, reason) = match endpoint.kind.as_str() {
            "simple" if !has_pod(endpoint) => ("spec.pod", &endpoint.pod, "its pod is gone"),
            "host" if !has_host(endpoint) => ("spec.droplet", &endpoint.droplet, "its node is gone"),
            _ => return None,
        };
        let evidence =
            Evidence::new(format!("Endpoint {}", endpoint.object.name), field, seen.as_str(), "one that exists");
        Some(Problem::new(endpoint.object.name, reason, evidence.since(endpoint.object.created)))
    });
    grouped("Endpoints", endpoints.len(), problems.collect(), Status::Warn)
}

pub(super) fn older_than_mizar(facts: &Facts, _: &Options) -> Verdict {
    let ranges = ranges(facts.subnets.items());
    if ranges.is_empty() {
        return Verdict::skipped("there is no Subnet yet");
    }
    let networked = networked(facts);
    let real: HashSet<(&str, &str)> = networked.iter().map(|pod| (pod.namespace.as_str(), pod.name.as_str())).collect();
    let wanted: Vec<String> = ranges.iter().map(ToString::to_string).collect();
    let problems = pods_that_predate_mizar(facts.pods.items(), facts.subnets.items())
        .into_iter()
        .filter(|pod| real.contains(&(pod.namespace.as_str(), pod.name.as_str())))
        .map(|pod| {
            let path = format!("{}/{}", pod.namespace, pod.name);
            let object = format!("Pod {path}");
            let (reason, evidence) = if pod.cut_off {
                let evidence = Evidence::new(object, "metadata.creationTimestamp", "before", "after its node's daemon");
                ("cut off when the daemon of its node started", evidence)
            } else {
                let wanted = format!("within {}", wanted.join(", "));
                ("still on the network from before Mizar", Evidence::new(object, "status.podIP", &pod.ip, wanted))
            };
            let lost = if pod.is_ownerless() { ", and nothing would create it again" } else { "" };
            Problem::new(path, format!("{reason}{lost}"), evidence)
        });
    grouped("pods", networked.len(), problems.collect(), Status::Warn)
}
