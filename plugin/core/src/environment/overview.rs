//! Everything that `env` shows: the environment with its signs, and what was found in it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::Serialize;

use super::{Detection, Environment, detect};
use crate::check::other_networks;
use crate::facts::{DaemonSetFact, Facts, Fetched, NodeFact, Readiness, Source};
use crate::installed::Installed;

/// The sources that an overview is made from.
pub const SOURCES: &[Source] = &[
    Source::Version,
    Source::Nodes,
    Source::Namespaces,
    Source::DaemonSets,
    Source::Deployments,
    Source::Services,
    Source::ApiServer,
    Source::SystemSource,
    Source::CoreApi,
    Source::ApiGroups,
    Source::Releases,
    Source::Vpcs,
];

/// A cluster, as far as it matters to Mizar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    /// What kind of cluster it is, and what tells so.
    pub detection: Detection,
    /// What to know before Mizar is used there.
    pub advice: Option<&'static str>,
    /// What the API server calls its version.
    pub server_version: Option<String>,
    /// What the operator takes the cluster for.
    pub mode: Mode,
    /// The nodes.
    pub nodes: Option<Nodes>,
    /// Where pods get their addresses from; nothing when that could not be read.
    pub pod_networks: Option<Vec<PodNetwork>>,
    /// Where services get theirs from.
    pub services: Option<Services>,
    /// Other pod networks; nothing when they could not be looked for.
    pub other_networks: Option<Vec<OtherNetwork>>,
    /// What there is of Mizar.
    pub mizar: Installed,
    /// What could not be read.
    pub unread: Vec<Unread>,
}

/// What an operator takes the cluster for, by ConfigMap kube-system/system-source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// It watches pods, services and nodes itself.
    Kubernetes,
    /// Arktos tells it about them.
    Arktos,
    /// The ConfigMap is there and says nothing: an operator would do nothing at all.
    Neither,
    /// The ConfigMap could not be read.
    Unknown,
}

/// The nodes, those that are alike in one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Nodes {
    /// How many.
    pub total: usize,
    /// How many are ready.
    pub ready: usize,
    /// The groups, the largest first.
    pub groups: Vec<NodeGroup>,
}

/// Nodes that are alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeGroup {
    /// How many.
    pub count: usize,
    /// `5.15.0-118-generic`.
    pub kernel: String,
    /// `Ubuntu 22.04.4 LTS`.
    pub system: String,
    /// `amd64`.
    pub architecture: String,
    /// `containerd://1.7.20`.
    pub runtime: String,
    /// `v1.36.4`.
    pub kubelet: String,
    /// Whether Kubemark pretends them.
    pub hollow: bool,
}

/// A range for pods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PodNetwork {
    /// The range, `10.20.0.0/16`.
    pub range: String,
    /// What says so, `Vpc vpc0`.
    pub from: String,
}

/// The addresses of services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Services {
    /// The service of the API server.
    pub api_server: Option<String>,
    /// How many services have an address.
    pub count: usize,
    /// The lowest address.
    pub lowest: Option<IpAddr>,
    /// The highest one.
    pub highest: Option<IpAddr>,
}

/// A pod network that is not Mizar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OtherNetwork {
    /// `Calico`.
    pub name: String,
    /// `DaemonSet kube-system/calico-node`.
    pub object: String,
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// What.
    pub what: String,
    /// Why: the right that is missing, or what went wrong.
    pub why: String,
}

/// Makes the overview; `named` is the environment that a person named.
#[must_use]
pub fn overview(facts: &Facts, named: Option<Environment>) -> Overview {
    let detection = detect(facts, named);
    Overview {
        advice: detection.environment.advice(),
        server_version: facts.version.known().map(|version| version.git_version.clone()),
        mode: mode(facts),
        nodes: facts.nodes.known().map(|nodes| group(nodes)),
        pod_networks: pod_networks(facts),
        services: facts.services.known().map(|_| services(facts)),
        other_networks: facts.daemon_sets.known().map(|sets| other_networks(sets).map(other_network).collect()),
        mizar: Installed::of(facts),
        unread: unread(facts),
        detection,
    }
}

/// Returns what was asked for and could not be read.
#[must_use]
pub fn unread(facts: &Facts) -> Vec<Unread> {
    let unread =
        |source: &Source| Some(Unread { what: source.noun().to_owned(), why: facts.gap(*source)?.reason(*source)? });
    Source::ALL.iter().filter_map(unread).collect()
}

fn other_network((name, set): (&str, &DaemonSetFact)) -> OtherNetwork {
    OtherNetwork { name: name.to_owned(), object: format!("DaemonSet {}/{}", set.namespace, set.name) }
}

fn mode(facts: &Facts) -> Mode {
    match &facts.system_source {
        Fetched::Known(source) => match source.name.as_deref() {
            Some("arktos") => Mode::Arktos,
            Some(_) => Mode::Kubernetes,
            None => Mode::Neither,
        },
        Fetched::Absent => Mode::Kubernetes,
        Fetched::Denied { .. } | Fetched::Failed { .. } | Fetched::NotAsked => Mode::Unknown,
    }
}

fn group(nodes: &[NodeFact]) -> Nodes {
    let mut groups: BTreeMap<NodeGroup, usize> = BTreeMap::new();
    for node in nodes {
        let alike = NodeGroup {
            count: 0,
            kernel: node.kernel_version.clone(),
            system: node.os_image.clone(),
            architecture: node.architecture.clone(),
            runtime: node.container_runtime.clone(),
            kubelet: node.kubelet_version.clone(),
            hollow: node.is_hollow(),
        };
        *groups.entry(alike).or_default() += 1;
    }
    let mut groups: Vec<NodeGroup> = groups.into_iter().map(|(group, count)| NodeGroup { count, ..group }).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    let ready = nodes.iter().filter(|node| node.readiness == Readiness::Ready).count();
    Nodes { total: nodes.len(), ready, groups }
}

/// The ranges of Mizar's Vpcs; before there are any, those that were given to the nodes.
fn pod_networks(facts: &Facts) -> Option<Vec<PodNetwork>> {
    if facts.gap(Source::Vpcs).and_then(|gap| gap.reason(Source::Vpcs)).is_some() {
        return None;
    }
    let vpcs = facts.vpcs.items().iter().filter(|vpc| !vpc.ip.is_empty());
    let ranges: Vec<PodNetwork> = vpcs
        .map(|vpc| PodNetwork { range: format!("{}/{}", vpc.ip, vpc.prefix), from: format!("Vpc {}", vpc.object.name) })
        .collect();
    if !ranges.is_empty() {
        return Some(ranges);
    }
    let given: BTreeSet<&String> = facts.nodes.known()?.iter().flat_map(|node| &node.pod_cidrs).collect();
    let given =
        given.into_iter().map(|range| PodNetwork { range: range.clone(), from: "spec.podCIDRs of a node".to_owned() });
    Some(given.collect())
}

fn services(facts: &Facts) -> Services {
    let services = facts.services.items();
    let api_server = services.iter().find(|service| service.namespace == "default" && service.name == "kubernetes");
    let addresses =
        || services.iter().flat_map(|service| &service.cluster_ips).filter_map(|ip| ip.parse::<IpAddr>().ok());
    Services {
        api_server: api_server.and_then(|service| service.cluster_ips.first().cloned()),
        count: services.iter().filter(|service| !service.cluster_ips.is_empty()).count(),
        lowest: addresses().min(),
        highest: addresses().max(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Gap;
    use crate::facts::SystemSourceFact;
    use crate::facts::samples::*;

    #[test]
    fn a_healthy_cluster_is_told_with_all_that_is_in_it() {
        let seen = overview(&a_healthy_cluster(), None);
        let nodes = seen.nodes.unwrap();
        assert_eq!((nodes.total, nodes.ready, nodes.groups.len()), (3, 3, 1));
        assert_eq!((nodes.groups[0].count, nodes.groups[0].kernel.as_str()), (3, "5.15.0-118-generic"));
        let network = PodNetwork { range: "10.20.0.0/16".into(), from: "Vpc vpc0".into() };
        assert_eq!(seen.pod_networks, Some(vec![network]));
        assert_eq!(seen.services.unwrap().api_server.as_deref(), Some("10.96.0.1"));
        assert_eq!(seen.mode, Mode::Kubernetes);
        assert_eq!((seen.other_networks, seen.unread), (Some(Vec::new()), Vec::new()));
        assert_eq!(seen.mizar.namespace.as_deref(), Some("mizar-system"));
    }

    #[test]
    fn before_an_install_the_ranges_of_the_nodes_and_the_other_network_are_told() {
        let mut facts = a_cluster_before();
        facts.nodes.edit()[1].pod_cidrs = vec!["10.244.1.0/24".into()];
        facts.daemon_sets.edit().push(a_foreign_daemon_set("kindnet"));
        let seen = overview(&facts, None);
        assert_eq!(seen.pod_networks.unwrap()[0].range, "10.244.1.0/24");
        assert_eq!(seen.other_networks.unwrap()[0].object, "DaemonSet kube-system/kindnet");
        assert!(!seen.mizar.is_there());
    }

    #[test]
    fn unlike_nodes_are_in_groups_of_their_own_and_the_largest_is_first() {
        let mut facts = a_cluster_before();
        facts.nodes.edit()[0].kernel_version = "5.4.0".into();
        facts.nodes.edit()[0].readiness = Readiness::NotReady;
        let nodes = overview(&facts, None).nodes.unwrap();
        assert_eq!(nodes.groups.iter().map(|group| group.count).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(nodes.ready, 2);
    }

    #[test]
    fn a_gap_is_named_with_the_right_and_guesses_nothing() {
        let mut facts = a_cluster_before();
        facts.mark(Source::Nodes, Gap::Denied);
        facts.mark(Source::Services, Gap::Failed("timed out".into()));
        facts.mark(Source::SystemSource, Gap::Denied);
        facts.mark(Source::DaemonSets, Gap::Denied);
        let seen = overview(&facts, None);
        assert_eq!((seen.nodes, seen.services, seen.mode), (None, None, Mode::Unknown));
        assert_eq!((seen.pod_networks, seen.other_networks), (None, None), "unknown, and not none");
        let why: Vec<&str> = seen.unread.iter().map(|gap| gap.why.as_str()).collect();
        assert_eq!(
            why,
            [
                "you are not allowed to list nodes",
                "you are not allowed to list daemonsets.apps",
                "timed out",
                "you are not allowed to get configmaps kube-system/system-source"
            ]
        );
    }

    #[test]
    fn the_mode_follows_the_config_map() {
        for (name, mode) in [(Some("arktos"), Mode::Arktos), (Some("other"), Mode::Kubernetes), (None, Mode::Neither)] {
            let mut facts = a_cluster_before();
            facts.system_source =
                Fetched::Known(SystemSourceFact { name: name.map(str::to_owned), ..SystemSourceFact::default() });
            assert_eq!(overview(&facts, None).mode, mode);
        }
    }
}
