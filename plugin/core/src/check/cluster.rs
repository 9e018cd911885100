//! What the cluster brings along: other pod networks, the switch to Arktos, and the namespace of the release.

use super::Options;
use super::verdict::{Evidence, Verdict, some_of};
use crate::facts::{DaemonSetFact, Facts, Fetched, NamespaceFact};
use crate::network::daemon_set;
use crate::words::counted;

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
    judged(others(facts), facts, options).hinting(|evidence| format!("remove the other network: {}", removal(evidence)))
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

/// Returns the command that removes the first of the DaemonSets that were found.
fn removal(evidence: &[Evidence]) -> String {
    let path = evidence.first().and_then(|entry| entry.object.strip_prefix("DaemonSet ")?.split_once('/'));
    let (namespace, name) = path.unwrap_or(("NAMESPACE", "NAME"));
    format!("`kubectl delete daemonset {name} -n {namespace}`")
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
            let name = format!("{network} ({object}, {})", counted(set.desired as usize, "node"));
            let field = "status.desiredNumberScheduled";
            (name, Evidence::new(object, field, set.desired.to_string(), "no DaemonSet of another pod network"))
        })
        .unzip();
    (!names.is_empty()).then(|| (some_of(&names.iter().map(String::as_str).collect::<Vec<_>>()), evidence))
}

pub(super) fn mode(facts: &Facts, _: &Options) -> Verdict {
    const OBJECT: &str = "ConfigMap kube-system/system-source";
    let Fetched::Known(source) = &facts.system_source else {
        return Verdict::pass("the operator works for Kubernetes");
    };
    match source.name.as_deref() {
        Some("arktos") if facts.is_arktos() == Some(false) => {
            let evidence = Evidence::new(OBJECT, "data.name", "arktos", "no ConfigMap, or an Arktos server");
            Verdict::warn("the operator works for Arktos, which this server is not: it is told of no node and no pod")
                .with(vec![evidence.since(source.created)])
        }
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
            let message = match found.held_by.as_slice() {
                [] => format!("namespace {name} is being deleted"),
                reasons => format!("namespace {name} is being deleted: {}", reasons.join("; ")),
            };
            Verdict::fail(message).with(terminating(found)).hinting(|_| {
                format!("`kubectl get namespace {name} -o yaml` shows what its deletion waits for; or choose another with `-n`")
            })
        }
        Some(_) => Verdict::pass(format!("namespace {name} exists")),
        None => Verdict::pass(format!("namespace {name} is free")),
    }
}

/// Returns what is seen of a namespace that is being deleted: that it is, and what the server says it waits for.
pub(super) fn terminating(namespace: &NamespaceFact) -> Vec<Evidence> {
    let object = format!("Namespace {}", namespace.name);
    let deleting = Evidence::new(&object, "metadata.deletionTimestamp", "set", "not set").since(namespace.deleting);
    let held = namespace.held_by.iter().map(|reason| Evidence::new(&object, "status.conditions", reason, "none"));
    std::iter::once(deleting).chain(held).collect()
}
