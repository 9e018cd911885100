//! What the cluster brings along: other pod networks, ranges that are taken, and the switch to Arktos.

use super::Options;
use super::verdict::{Evidence, Verdict, some_of};
use crate::address::Cidr;
use crate::facts::{DaemonSetFact, Facts, Fetched, Plan};
use crate::network::daemon_set;

/// DaemonSets of other pod networks, by name; a star at the end stands for anything.
const OTHER_NETWORKS: &[(&str, &str)] = &[
    ("antrea-agent", "Antrea"),
    ("aws-node", "the AWS VPC CNI"),
    ("azure-cni*", "Azure CNI"),
    ("calico-node*", "Calico"),
    ("canal", "Canal"),
    ("cilium", "Cilium"),
    ("contiv-netplugin", "Contiv"),
    ("flannel", "flannel"),
    ("kindnet", "kindnet"),
    ("kube-flannel*", "flannel"),
    ("kube-multus*", "Multus"),
    ("kube-ovn-cni", "Kube-OVN"),
    ("kube-router", "kube-router"),
    ("ovnkube-node*", "OVN-Kubernetes"),
    ("romana-agent", "Romana"),
    ("weave-net", "Weave Net"),
];

/// The labels by which the same networks are known when somebody renamed them.
const NETWORK_LABELS: &[&str] = &["k8s-app", "app", "name", "app.kubernetes.io/name", "component"];

/// The ranges that Mizar's operator takes when it is not told, by version.
const BUILT_IN_RANGES: &[(&str, &str)] = &[("10.20.0.0/16", "newer operators"), ("20.0.0.0/8", "v0.6 to v0.91")];

fn other_network(set: &DaemonSetFact) -> Option<&'static str> {
    let matches = |pattern: &str, name: &str| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    };
    let labels = NETWORK_LABELS.iter().filter_map(|key| set.labels.get(*key));
    let names: Vec<&String> = std::iter::once(&set.name).chain(labels).collect();
    OTHER_NETWORKS
        .iter()
        .find(|(pattern, _)| names.iter().any(|name| matches(pattern, name)))
        .map(|(_, network)| *network)
}

/// Whether the DaemonSet has pods or is about to.
const fn is_alive(set: &DaemonSetFact) -> bool {
    set.desired > 0 || set.observed_generation < set.generation
}

/// Judges other networks before an install. Where a daemon of Mizar is at work there is nothing left to take over, so
/// that a second install is not refused; health still tells that the other network must go.
pub(super) fn network_to_replace(facts: &Facts, options: &Options) -> Verdict {
    let at_work = daemon_set(facts.daemon_sets.items()).is_some_and(|set| set.ready > 0);
    match others(facts) {
        Some((found, evidence)) if at_work => {
            Verdict::warn(format!("still there beside Mizar: {found}")).with(evidence)
        }
        found => judged(found, facts, options),
    }
}

pub(super) fn network_beside(facts: &Facts, options: &Options) -> Verdict {
    judged(others(facts), facts, options)
}

fn judged(found: Option<(String, Vec<Evidence>)>, facts: &Facts, options: &Options) -> Verdict {
    match found {
        None => {
            let has_proxy = facts.daemon_sets.items().iter().any(|set| set.name.starts_with("kube-proxy"));
            let proxy = if has_proxy { "; kube-proxy is there, as it should be" } else { "" };
            Verdict::pass(format!("no other pod network{proxy}"))
        }
        Some((found, evidence)) if options.take_over_cni => {
            Verdict::warn(format!("Mizar takes over from {found}")).with(evidence)
        }
        Some((found, evidence)) => Verdict::fail(format!("another pod network is in use: {found}")).with(evidence),
    }
}

/// Returns the DaemonSets of other pod networks that have pods or are about to, with the name of the network.
pub(crate) fn other_networks(sets: &[DaemonSetFact]) -> impl Iterator<Item = (&'static str, &DaemonSetFact)> {
    sets.iter().filter(|set| is_alive(set)).filter_map(|set| Some((other_network(set)?, set)))
}

/// Returns the other networks in one line, and the DaemonSets that tell of them.
fn others(facts: &Facts) -> Option<(String, Vec<Evidence>)> {
    let (names, evidence): (Vec<String>, Vec<Evidence>) = other_networks(facts.daemon_sets.items())
        .map(|(network, set)| {
            let object = format!("DaemonSet {}/{}", set.namespace, set.name);
            let name = format!("{network} ({object}, {} nodes)", set.desired);
            let field = "status.desiredNumberScheduled";
            (name, Evidence::new(object, field, set.desired.to_string(), "no DaemonSet of another pod network"))
        })
        .unzip();
    (!names.is_empty()).then(|| (some_of(&names.iter().map(String::as_str).collect::<Vec<_>>()), evidence))
}

pub(super) fn overlap(facts: &Facts, _: &Options) -> Verdict {
    let planned = facts.plan.as_ref().and_then(|plan: &Plan| plan.pod_network.as_deref());
    if let Some(text) = planned {
        return match text.parse::<Cidr>() {
            Err(error) => Verdict::fail(format!("the pod network cannot be used: {error}")),
            Ok(range) => match taken(facts, &range) {
                evidence if evidence.is_empty() => Verdict::pass(format!("pod network {range} is free")),
                evidence => Verdict::fail(format!("pod network {range} holds {}", addresses(&evidence))).with(evidence),
            },
        };
    }
    for (text, versions) in BUILT_IN_RANGES {
        let evidence = text.parse::<Cidr>().map(|range| taken(facts, &range)).unwrap_or_default();
        if !evidence.is_empty() {
            let message = format!(
                "no pod network is chosen, and {text}, which {versions} take by themselves, holds {}",
                addresses(&evidence)
            );
            return Verdict::warn(message).with(evidence);
        }
    }
    Verdict::pass("no pod network is chosen; the ranges that operators take by themselves are free")
}

/// Returns the addresses of nodes, services and API servers that lie in the range.
fn taken(facts: &Facts, range: &Cidr) -> Vec<Evidence> {
    let nodes = facts.nodes.items().iter().flat_map(|node| {
        node.internal_ips.iter().map(move |ip| (format!("Node {}", node.name), "status.addresses[InternalIP]", ip))
    });
    let services = facts.services.items().iter().flat_map(|service| {
        let object = format!("Service {}/{}", service.namespace, service.name);
        service.cluster_ips.iter().map(move |ip| (object.clone(), "spec.clusterIPs", ip))
    });
    let servers = facts.api_server.known().into_iter().flat_map(|server| {
        server.addresses.iter().map(|ip| ("Endpoints default/kubernetes".to_owned(), "subsets.addresses", ip))
    });
    nodes
        .chain(services)
        .chain(servers)
        .filter(|(_, _, ip)| range.contains_text(ip))
        .map(|(object, field, ip)| Evidence::new(object, field, ip, format!("outside {range}")))
        .collect()
}

fn addresses(evidence: &[Evidence]) -> String {
    let told: Vec<String> = evidence.iter().map(|entry| format!("{} of {}", entry.seen, entry.object)).collect();
    some_of(&told.iter().map(String::as_str).collect::<Vec<_>>())
}

pub(super) fn mode(facts: &Facts, _: &Options) -> Verdict {
    const OBJECT: &str = "ConfigMap kube-system/system-source";
    let Fetched::Known(source) = &facts.system_source else {
        return Verdict::pass("the operator works for Kubernetes");
    };
    match source.name.as_deref() {
        Some("arktos") => Verdict::pass("the operator works for Arktos"),
        Some(other) => Verdict::pass(format!("the operator works for Kubernetes (system-source says {other:?})")),
        None => Verdict::fail(format!("{OBJECT} has no key name: the operator starts and does nothing"))
            .with(vec![Evidence::new(OBJECT, "data.name", "missing", "arktos, or no ConfigMap at all")]),
    }
}

pub(super) fn namespace(facts: &Facts, options: &Options) -> Verdict {
    let name = &options.namespace;
    match facts.namespaces.items().iter().find(|namespace| namespace.name == *name) {
        Some(found) if found.deleting.is_some() => {
            let evidence = Evidence::new(format!("Namespace {name}"), "metadata.deletionTimestamp", "set", "not set");
            Verdict::fail(format!("namespace {name} is being deleted")).with(vec![evidence.since(found.deleting)])
        }
        Some(_) => Verdict::pass(format!("namespace {name} exists")),
        None => Verdict::pass(format!("namespace {name} is free")),
    }
}
