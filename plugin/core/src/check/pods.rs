//! Whether the pods that should use Mizar do: each by an Endpoint of its own, no address twice, nothing left behind.

use std::collections::{HashMap, HashSet};

use super::Options;
use super::parts::kind_and_name;
use super::verdict::{Evidence, Problem, Status, Verdict, grouped};
use crate::address::Cidr;
use crate::diagnosis::{self, CutOff, Leak, LeakCause, cut_off_pods, forgotten_placeholders, operator_run};
use crate::facts::{DropletFact, EndpointFact, Facts, PodFact, SubnetFact, Text};
use crate::network::ranges;
use crate::restart::missing;

/// Returns the running pods with an address of their own on real nodes.
fn networked(facts: &Facts) -> Vec<&PodFact> {
    let hollow: HashSet<&str> =
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
    let known = Known::of(facts);
    let problems = pods.iter().filter(settled).filter_map(|pod| {
        let candidates = by_pod.get(pod.name.as_str()).map_or(&[][..], Vec::as_slice);
        let endpoint = candidates.iter().find(|endpoint| endpoint.belongs_to(&pod.namespace, &pod.name));
        mismatch(&known, pod, endpoint.copied())
    });
    grouped("pods", pods.len(), problems.collect(), Status::Fail)
}

/// Subnets and Droplets by name.
struct Known<'a> {
    subnets: HashMap<Text, &'a SubnetFact>,
    droplets: HashMap<Text, &'a DropletFact>,
}

impl<'a> Known<'a> {
    fn of(facts: &'a Facts) -> Self {
        Self {
            subnets: facts.subnets.items().iter().map(|subnet| (subnet.object.name, subnet)).collect(),
            droplets: facts.droplets.items().iter().map(|droplet| (droplet.object.name, droplet)).collect(),
        }
    }
}

/// Returns how a pod and its Endpoint disagree.
fn mismatch(known: &Known<'_>, pod: &PodFact, endpoint: Option<&EndpointFact>) -> Option<Problem> {
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
    let subnet = known.subnets.get(&endpoint.net);
    let range = subnet.and_then(|subnet| Cidr::new(&subnet.ip, &subnet.prefix).ok());
    if !range.is_some_and(|range| range.contains_text(&endpoint.ip)) {
        let wanted = range.map_or_else(|| "an existing Subnet".to_owned(), |range| format!("within {range}"));
        return problem("its address is outside its Subnet", "spec.ip", &endpoint.ip, &wanted);
    }
    let droplet = known.droplets.get(&endpoint.droplet);
    let main_ip = droplet.map_or("no such Droplet", |droplet| droplet.main_ip.as_str());
    if main_ip != pod.host_ip {
        let seen = format!("{} ({main_ip})", endpoint.droplet);
        return problem("its Endpoint is on another node", "spec.droplet", &seen, &pod.host_ip);
    }
    None
}

pub(super) fn duplicates(facts: &Facts, _: &Options) -> Verdict {
    let simple = facts.endpoints.items().iter().filter(|endpoint| endpoint.kind == "simple" && !endpoint.ip.is_empty());
    let addresses: HashSet<(Text, Text)> = simple.map(|endpoint| (endpoint.vni, endpoint.ip)).collect();
    let problems = diagnosis::duplicates(facts).into_iter().map(|duplicate| {
        let holders = std::iter::once(&duplicate.keeper).chain(&duplicate.others);
        let names: Vec<&str> = holders.map(|holder| holder.endpoint.object.name.as_str()).collect();
        let (ip, vni) = (duplicate.ip, duplicate.vni);
        let evidence = Evidence::new(format!("address {ip} (vni {vni})"), "spec.ip", names.join(", "), "one Endpoint");
        Problem::new(ip, format!("held by {}", names.join(" and ")), evidence)
    });
    grouped("addresses", addresses.len(), problems.collect(), Status::Fail)
}

pub(super) fn leaks(facts: &Facts, options: &Options) -> Verdict {
    let is_asked = |cause: LeakCause| !matches!(cause, LeakCause::HeldForNobody | LeakCause::DropletWithoutNode);
    let total = facts.endpoints.items().len();
    grouped("Endpoints", total, left(facts, options, is_asked), Status::Warn)
}

pub(super) fn placeholders(facts: &Facts, options: &Options) -> Verdict {
    let total = facts.endpoints.items().iter().filter(|endpoint| endpoint.object.holds_for.is_some()).count();
    if total == 0 {
        return Verdict::pass("no address is kept");
    }
    let idle = left(facts, options, |cause| cause == LeakCause::HeldForNobody);
    grouped("placeholders", total, idle, Status::Warn)
}

pub(super) fn unknown_addresses(facts: &Facts, _: &Options) -> Verdict {
    let simple = facts.endpoints.items().iter().filter(|endpoint| endpoint.kind == "simple" && !endpoint.ip.is_empty());
    let used = simple.count();
    let Some(run) = operator_run(facts) else {
        return Verdict::skipped("no operator runs that could give addresses");
    };
    let unheld = missing(facts, Some(run.knows_since())).into_iter().map(|held| held.ip);
    let forgotten = forgotten_placeholders(facts).into_iter().map(|held| held.ip);
    let problem = |ip: Text| {
        let evidence = Evidence::new(format!("address {ip}"), "placeholder", "none that the operator knows", "one");
        Problem::new(ip, "in use, and the operator may give it to a new pod", evidence.since(Some(run.started)))
    };
    grouped("addresses", used, unheld.chain(forgotten).map(problem).collect(), Status::Warn)
}

fn left(facts: &Facts, options: &Options, is_asked: impl Fn(LeakCause) -> bool) -> Vec<Problem> {
    let leaks = diagnosis::leaks(facts, &options.moment()).into_iter().filter(|leak| is_asked(leak.cause));
    let problem = |leak: Leak| {
        let shared =
            leak.shares_address_with.map_or_else(String::new, |other| format!(", and {other} uses its address"));
        let evidence = Evidence::new(kind_and_name(&leak.object), &leak.field, &leak.names, "one that exists");
        Problem::new(leak.object.object.name, format!("{}{shared}", leak.cause.reason()), evidence.since(leak.since))
    };
    leaks.map(problem).collect()
}

pub(super) fn older_than_mizar(facts: &Facts, options: &Options) -> Verdict {
    let ranges = ranges(facts.subnets.items());
    if ranges.is_empty() {
        return Verdict::skipped("there is no Subnet yet");
    }
    let wanted: Vec<String> = ranges.iter().map(ToString::to_string).collect();
    let problems = cut_off_pods(facts, &options.moment()).into_iter().map(|found| {
        let path = format!("{}/{}", found.pod.namespace, found.pod.name);
        let object = format!("Pod {path}");
        let evidence = match found.cut_off {
            CutOff::BeforeMizar => {
                Evidence::new(object, "status.podIP", &found.pod.ip, format!("within {}", wanted.join(", ")))
            }
            CutOff::DaemonRestarted => {
                Evidence::new(object, "its Endpoint", "provisioned before", "after its node's daemon started")
            }
            CutOff::NeverWired => Evidence::new(object, "Endpoint of mizar.com", "none", "one of type simple"),
        };
        let lost = found.pod.successor().warning().map_or_else(String::new, |warning| format!(", and {warning}"));
        let evidence = evidence.on(&found.pod.node).since(found.since);
        Problem::new(path, format!("{}{lost}", found.cut_off.reason()), evidence)
    });
    grouped("pods", networked(facts).len(), problems.collect(), Status::Warn)
}
