//! The signs by which environments are told from each other, in the order in which they decide: Arktos or not; then, of
//! Arktos, a partition, the cloud, arktos-up; of Kubernetes kind, a managed service, the cloud by provider, then by kernel.

use super::Environment::{
    self, Arktos, ArktosAws, ArktosGce, ArktosResourcePartition, ArktosTenantPartition, ArktosUp, AwsVm, Eks, GcpVm,
    Gke, Kind, Kubernetes,
};
use super::Sign;
use crate::facts::{ApiGroupsFact, CoreApiFact, Facts, NodeFact};

/// The service address that arktos-up gives the API server; Arktos in Google's cloud does so too.
const ARKTOS_UP_SERVICE: &str = "10.0.0.1";

/// Clouds as a node tells of them.
#[derive(Clone, Copy, PartialEq)]
enum Cloud {
    Google,
    Amazon,
}

pub(super) fn read(facts: &Facts) -> (Environment, Vec<Sign>) {
    let nodes: Vec<&NodeFact> = facts.nodes.items().iter().filter(|node| !node.is_hollow()).collect();
    let arktos = arktos(facts);
    if arktos.is_empty() {
        let (environment, signs) = kubernetes(facts, &nodes);
        return (environment, signs);
    }
    let (environment, signs) = kind_of_arktos(facts, &nodes);
    (environment, arktos.into_iter().chain(signs).collect())
}

/// The signs of Arktos. What it serves decides, as for the checks; only where none of that could be read weaker signs do: a
/// blank version may be anybody's own build, but no release of Kubernetes has one.
fn arktos(facts: &Facts) -> Vec<Sign> {
    let mut signs = Vec::new();
    if facts.is_arktos() == Some(false) {
        return signs;
    }
    if let Some(tenants) = facts.core_api.known().and_then(CoreApiFact::tenants) {
        signs.push(Sign::new("API v1", "resources", tenants, "Arktos"));
    }
    if let Some(group) = facts.api_groups.known().and_then(ApiGroupsFact::of_arktos) {
        signs.push(Sign::new("API groups", "groups", group, "Arktos"));
    }
    if !signs.is_empty() {
        return signs;
    }
    if let Some(version) = facts.version.known().filter(|version| version.major.is_empty() && version.minor.is_empty())
    {
        let seen = format!("{}, major and minor blank", version.git_version);
        signs.push(Sign::new("API server", "version", seen, "Arktos"));
    }
    if facts.system_source.known().is_some_and(|source| source.name.as_deref() == Some("arktos")) {
        signs.push(Sign::new("ConfigMap kube-system/system-source", "data.name", "arktos", "Mizar works for Arktos"));
    }
    signs
}

fn kind_of_arktos(facts: &Facts, nodes: &[&NodeFact]) -> (Environment, Vec<Sign>) {
    if let Some(found) = partition(nodes) {
        return found;
    }
    if let Some((cloud, sign)) = provider(nodes).or_else(|| kernel(nodes)) {
        return (if cloud == Cloud::Google { ArktosGce } else { ArktosAws }, vec![sign]);
    }
    if let Some(node) = nodes.iter().find(|node| node.name.contains("-minion-group-")) {
        return (ArktosGce, vec![node_sign(node, "metadata.name", &node.name, "made by Arktos' scripts for Google")]);
    }
    let up = arktos_up(facts, nodes);
    if up.is_empty() { (Arktos, up) } else { (ArktosUp, up) }
}

/// The scripts name the machines of a scaled-out Arktos by partition, `PREFIX-tp-1-master`, `PREFIX-rp-1-minion-group-x`.
fn partition(nodes: &[&NodeFact]) -> Option<(Environment, Vec<Sign>)> {
    let named = |mark: &str| nodes.iter().find(|node| has_numbered_part(&node.name, mark));
    let sign = |node: &NodeFact, tells: &str| vec![node_sign(node, "metadata.name", &node.name, tells)];
    if let Some(node) = named("-rp-") {
        return Some((ArktosResourcePartition, sign(node, "a machine of a resource partition")));
    }
    named("-tp-").map(|node| (ArktosTenantPartition, sign(node, "a machine of a tenant partition")))
}

/// Whether a name holds `mark`, a number and a hyphen.
fn has_numbered_part(name: &str, mark: &str) -> bool {
    name.split_once(mark)
        .and_then(|(_, rest)| rest.split_once('-'))
        .is_some_and(|(number, _)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn arktos_up(facts: &Facts, nodes: &[&NodeFact]) -> Vec<Sign> {
    let mut signs = Vec::new();
    if let Some(node) = nodes.iter().find(|node| node.label("extraRuntime") == Some("virtlet")) {
        signs.push(node_sign(node, "metadata.labels[extraRuntime]", "virtlet", "set by arktos-up"));
    }
    if let Some(set) = facts.daemon_sets.items().iter().find(|set| set.name == "virtlet") {
        signs.push(Sign::new(
            format!("DaemonSet {}/virtlet", set.namespace),
            "metadata.name",
            "virtlet",
            "set by arktos-up",
        ));
    }
    let service =
        facts.services.items().iter().find(|service| service.namespace == "default" && service.name == "kubernetes");
    if nodes.len() == 1 && service.is_some_and(|service| service.cluster_ips.iter().any(|ip| ip == ARKTOS_UP_SERVICE)) {
        signs.push(Sign::new(
            "Service default/kubernetes",
            "spec.clusterIP",
            ARKTOS_UP_SERVICE,
            "one node with arktos-up's service range",
        ));
    }
    signs
}

fn kubernetes(facts: &Facts, nodes: &[&NodeFact]) -> (Environment, Vec<Sign>) {
    if let Some(sign) = in_docker(nodes) {
        return (Kind, vec![sign]);
    }
    let managed = managed(facts, nodes, "-gke.", "cloud.google.com/gke-", "Google's managed service");
    if !managed.is_empty() {
        return (Gke, managed);
    }
    let mut managed = self::managed(facts, nodes, "-eks-", "eks.amazonaws.com/", "Amazon's managed service");
    if !managed.is_empty() {
        if let Some(set) = facts.daemon_sets.items().iter().find(|set| set.name == "aws-node") {
            let object = format!("DaemonSet {}/aws-node", set.namespace);
            managed.push(Sign::new(object, "metadata.name", "aws-node", "Amazon's own pod network"));
        }
        return (Eks, managed);
    }
    match provider(nodes).or_else(|| kernel(nodes)) {
        Some((Cloud::Google, sign)) => (GcpVm, vec![sign]),
        Some((Cloud::Amazon, sign)) => {
            let named = nodes.iter().find(|node| is_amazon_name(&node.name));
            let named = named.map(|node| node_sign(node, "metadata.name", &node.name, "named as EC2 names machines"));
            (AwsVm, std::iter::once(sign).chain(named).collect())
        }
        None => (Kubernetes, Vec::new()),
    }
}

/// kind says so in the provider; older ones only by the names `NAME-control-plane` and `NAME-worker2`.
fn in_docker(nodes: &[&NodeFact]) -> Option<Sign> {
    if let Some(node) = nodes.iter().find(|node| node.provider_id.starts_with("kind://")) {
        return Some(node_sign(node, "spec.providerID", &node.provider_id, "kind"));
    }
    let (cluster, first) = nodes.iter().find_map(|node| Some((node.name.strip_suffix("-control-plane")?, *node)))?;
    let is_of = |node: &NodeFact| {
        let role = node.name.strip_prefix(cluster).unwrap_or_default();
        let number = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_digit());
        let known = ["-control-plane", "-worker"].iter().any(|name| role.strip_prefix(name).is_some_and(number));
        known && node.provider_id.is_empty() && node.container_runtime.starts_with("containerd://")
    };
    nodes
        .iter()
        .all(|node| is_of(node))
        .then(|| node_sign(first, "metadata.name", &first.name, "named as kind names nodes"))
}

fn managed(facts: &Facts, nodes: &[&NodeFact], version: &str, label: &str, tells: &str) -> Vec<Sign> {
    let mut signs = Vec::new();
    if let Some(known) = facts.version.known().filter(|known| known.git_version.contains(version)) {
        signs.push(Sign::new("API server", "version", &known.git_version, tells));
    }
    let labelled = nodes.iter().find_map(|node| {
        let (key, value) = node.labels.iter().find(|(key, _)| key.starts_with(label))?;
        Some(node_sign(node, &format!("metadata.labels[{key}]"), value, tells))
    });
    signs.extend(labelled);
    signs
}

/// The cloud by the provider that a cloud controller wrote.
fn provider(nodes: &[&NodeFact]) -> Option<(Cloud, Sign)> {
    let clouds = [("gce://", Cloud::Google, "Google Cloud"), ("aws://", Cloud::Amazon, "AWS")];
    clouds.into_iter().find_map(|(scheme, cloud, tells)| {
        let node = nodes.iter().find(|node| node.provider_id.starts_with(scheme))?;
        Some((cloud, node_sign(node, "spec.providerID", &node.provider_id, tells)))
    })
}

/// The cloud by the kernel that its images come with.
fn kernel(nodes: &[&NodeFact]) -> Option<(Cloud, Sign)> {
    let clouds = [("gcp", Cloud::Google, "a kernel for Google Cloud"), ("aws", Cloud::Amazon, "a kernel for AWS")];
    clouds.into_iter().find_map(|(suffix, cloud, tells)| {
        let node = nodes.iter().find(|node| node.kernel_version.split(['-', '.']).any(|part| part == suffix))?;
        Some((cloud, node_sign(node, "status.nodeInfo.kernelVersion", &node.kernel_version, tells)))
    })
}

/// `ip-172-31-0-1.eu-west-1.compute.internal`.
fn is_amazon_name(name: &str) -> bool {
    let host = name.split('.').next().unwrap_or_default();
    let Some(numbers) = host.strip_prefix("ip-") else { return false };
    numbers.split('-').filter(|number| number.parse::<u8>().is_ok()).count() == 4 && numbers.split('-').count() == 4
}

fn node_sign(node: &NodeFact, field: &str, seen: &str, tells: &str) -> Sign {
    Sign::new(format!("Node {}", node.name), field, seen, tells)
}
