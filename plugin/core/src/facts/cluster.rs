//! Facts about the cluster itself: client, server, nodes, namespaces and services.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::placement::Taint;
use super::reading::{condition, count, flag, has_finalizer, list, map, text, text_or_blank, texts, time, uid};
use super::{Absorb, Uid, facts_from_objects};

/// The machine that this program runs on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClientFact {
    /// Where kubectl was found, if it was.
    pub kubectl_path: Option<String>,
    /// What kubectl calls its version, when it answered.
    pub kubectl_version: Option<String>,
}

impl Absorb for ClientFact {
    /// Takes `{"kubectlPath": …, "kubectlVersion": …}`.
    fn absorb(&mut self, object: &Value) {
        self.kubectl_path = text(object, "/kubectlPath");
        self.kubectl_version = text(object, "/kubectlVersion");
    }
}

/// What the API server says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VersionFact {
    /// `v1.36.2`.
    pub git_version: String,
    /// `1`; blank on Arktos.
    pub major: String,
    /// `36` or `36+`; blank on Arktos.
    pub minor: String,
    /// `linux/amd64`.
    pub platform: String,
}

impl Absorb for VersionFact {
    fn absorb(&mut self, object: &Value) {
        *self = Self {
            git_version: text_or_blank(object, "/gitVersion"),
            major: text_or_blank(object, "/major"),
            minor: text_or_blank(object, "/minor"),
            platform: text_or_blank(object, "/platform"),
        };
    }
}

/// The annotation that marks a cordon as ours; it names the change that made it.
pub const CORDON_ANNOTATION: &str = "mizar.dev/cordoned-by";

/// What the Ready condition of a node says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Readiness {
    /// The kubelet says that it is ready.
    Ready,
    /// The kubelet says that it is not, which is normal before a network exists.
    NotReady,
    /// The kubelet no longer reports: the node is lost.
    Lost,
    /// There is no such condition yet.
    #[default]
    Unreported,
}

/// One node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeFact {
    /// Its name.
    pub name: String,
    /// What tells it from another node that had this name.
    pub uid: Uid,
    /// When it was registered.
    pub created: Option<Timestamp>,
    /// Since when it is being deleted, if it is.
    pub deleting: Option<Timestamp>,
    /// Whether it is ready.
    pub readiness: Readiness,
    /// Since when that is so.
    pub readiness_since: Option<Timestamp>,
    /// What the NetworkUnavailable condition says, where it exists.
    pub network_unavailable: Option<bool>,
    /// Whether it is cordoned.
    pub unschedulable: bool,
    /// Its addresses of type InternalIP.
    pub internal_ips: Vec<String>,
    /// `spec.podCIDRs`.
    pub pod_cidrs: Vec<String>,
    /// `aws:///…`, `kind://…`, `kubemark://…`.
    pub provider_id: String,
    /// `linux`.
    pub operating_system: String,
    /// `amd64`.
    pub architecture: String,
    /// `5.15.0-118-generic`.
    pub kernel_version: String,
    /// `Ubuntu 22.04.4 LTS`.
    pub os_image: String,
    /// `containerd://1.7.20`.
    pub container_runtime: String,
    /// `v1.36.4`.
    pub kubelet_version: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its taints.
    pub taints: Vec<Taint>,
    /// The change of ours that cordoned it, by the annotation [`CORDON_ANNOTATION`]; only such a cordon is ours to undo.
    pub cordoned_by: Option<String>,
    /// Whether the operator's finalizer is on it.
    pub finalizer: bool,
}

impl NodeFact {
    /// Reads a Node.
    #[must_use]
    pub fn from_object(object: &Value) -> Self {
        let (readiness, readiness_since) = match condition(object, "Ready") {
            None => (Readiness::Unreported, None),
            Some((status, since)) if status == "True" => (Readiness::Ready, since),
            Some((status, since)) if status == "False" => (Readiness::NotReady, since),
            Some((_, since)) => (Readiness::Lost, since),
        };
        let is_internal = |address: &&Value| text(address, "/type").is_some_and(|kind| kind == "InternalIP");
        let info = |field: &str| text_or_blank(object, &format!("/status/nodeInfo/{field}"));
        Self {
            name: text_or_blank(object, "/metadata/name"),
            uid: uid(object),
            created: time(object, "/metadata/creationTimestamp"),
            deleting: time(object, "/metadata/deletionTimestamp"),
            readiness,
            readiness_since,
            network_unavailable: condition(object, "NetworkUnavailable").map(|(status, _)| status == "True"),
            unschedulable: flag(object, "/spec/unschedulable"),
            internal_ips: list(object, "/status/addresses")
                .iter()
                .filter(is_internal)
                .filter_map(|address| text(address, "/address"))
                .collect(),
            pod_cidrs: texts(object, "/spec/podCIDRs"),
            provider_id: text_or_blank(object, "/spec/providerID"),
            operating_system: info("operatingSystem"),
            architecture: info("architecture"),
            kernel_version: info("kernelVersion"),
            os_image: info("osImage"),
            container_runtime: info("containerRuntimeVersion"),
            kubelet_version: info("kubeletVersion"),
            labels: map(object, "/metadata/labels"),
            taints: Taint::of_node(object),
            cordoned_by: map(object, "/metadata/annotations").remove(CORDON_ANNOTATION),
            finalizer: has_finalizer(object),
        }
    }

    /// Whether Kubemark pretends it: its pods have no processes, so nothing of Mizar can be expected there.
    #[must_use]
    pub fn is_hollow(&self) -> bool {
        self.provider_id.starts_with("kubemark://") || self.name.starts_with("hollow-node-")
    }

    /// Whether an address is one of its internal ones.
    #[must_use]
    pub fn has_address(&self, address: &str) -> bool {
        self.internal_ips.iter().any(|ip| ip == address)
    }

    /// Whether it runs Linux; the label decides as it does for a node selector. A node that says nothing is taken for one.
    #[must_use]
    pub fn is_linux(&self) -> bool {
        let system = self.labels.get("kubernetes.io/os").map_or(self.operating_system.as_str(), String::as_str);
        system.is_empty() || system == "linux"
    }

    /// Whether its kubelet stopped reporting.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.readiness == Readiness::Lost
    }
}

/// One namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NamespaceFact {
    /// Its name.
    pub name: String,
    /// Since when it is being deleted, if it is.
    pub deleting: Option<Timestamp>,
    /// Whether the operator's finalizer is on it.
    pub finalizer: bool,
    /// What its deletion waits for, as the server tells.
    pub held_by: Vec<String>,
}

/// The conditions of a namespace that tell why it does not go.
const HOLDS: &[&str] =
    &["NamespaceContentRemaining", "NamespaceFinalizersRemaining", "NamespaceDeletionContentFailure"];

impl NamespaceFact {
    /// Reads a Namespace.
    #[must_use]
    pub fn from_object(object: &Value) -> Self {
        Self {
            name: text_or_blank(object, "/metadata/name"),
            deleting: time(object, "/metadata/deletionTimestamp"),
            finalizer: has_finalizer(object),
            held_by: list(object, "/status/conditions")
                .iter()
                .filter(|condition| text(condition, "/status").is_some_and(|status| status == "True"))
                .filter(|condition| text(condition, "/type").is_some_and(|kind| HOLDS.contains(&kind.as_str())))
                .filter_map(|condition| text(condition, "/message"))
                .collect(),
        }
    }
}

/// One service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceFact {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `ClusterIP`, `NodePort`, `LoadBalancer`, `ExternalName`.
    pub kind: String,
    /// Its virtual addresses: none for a headless or external one.
    pub cluster_ips: Vec<String>,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// Since when it is being deleted, if it is.
    pub deleting: Option<Timestamp>,
    /// Whether the operator's finalizer is on it.
    pub finalizer: bool,
}

impl ServiceFact {
    /// Reads a Service.
    #[must_use]
    pub fn from_object(object: &Value) -> Self {
        let mut cluster_ips = texts(object, "/spec/clusterIPs");
        if cluster_ips.is_empty() {
            cluster_ips.extend(text(object, "/spec/clusterIP"));
        }
        cluster_ips.retain(|address| address != "None");
        Self {
            namespace: text_or_blank(object, "/metadata/namespace"),
            name: text_or_blank(object, "/metadata/name"),
            kind: text(object, "/spec/type").unwrap_or_else(|| "ClusterIP".to_owned()),
            cluster_ips,
            created: time(object, "/metadata/creationTimestamp"),
            deleting: time(object, "/metadata/deletionTimestamp"),
            finalizer: has_finalizer(object),
        }
    }
}

/// The addresses behind the service default/kubernetes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiServerFact {
    /// The addresses.
    pub addresses: Vec<String>,
}

impl Absorb for ApiServerFact {
    fn absorb(&mut self, object: &Value) {
        self.addresses = list(object, "/subsets")
            .iter()
            .flat_map(|subset| list(subset, "/addresses"))
            .filter_map(|address| text(address, "/ip"))
            .collect();
    }
}

/// The addresses behind the name service, kube-system/kube-dns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DnsFact {
    /// The addresses that are ready.
    pub addresses: Vec<String>,
}

impl Absorb for DnsFact {
    fn absorb(&mut self, object: &Value) {
        let mut behind = ApiServerFact::default();
        behind.absorb(object);
        self.addresses = behind.addresses;
    }
}

/// One network policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkPolicyFact {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Since when it is being deleted, if it is.
    pub deleting: Option<Timestamp>,
    /// Whether the operator's finalizer is on it.
    pub finalizer: bool,
}

impl NetworkPolicyFact {
    /// Reads a NetworkPolicy; its metadata is enough.
    #[must_use]
    pub fn from_object(object: &Value) -> Self {
        Self {
            namespace: text_or_blank(object, "/metadata/namespace"),
            name: text_or_blank(object, "/metadata/name"),
            deleting: time(object, "/metadata/deletionTimestamp"),
            finalizer: has_finalizer(object),
        }
    }
}

/// A kubelet that could not make the sandbox of a pod: in practice, its network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SandboxFailureFact {
    /// The namespace of the pod.
    pub namespace: String,
    /// The name of the pod.
    pub pod: String,
    /// The kubelet's node, when it says so.
    pub node: String,
    /// What it says.
    pub message: String,
    /// How often it was said.
    pub count: u32,
    /// When it was said last.
    pub last: Option<Timestamp>,
}

impl SandboxFailureFact {
    /// Reads an Event.
    #[must_use]
    pub fn from_object(object: &Value) -> Self {
        let last = ["/series/lastObservedTime", "/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"];
        Self {
            namespace: text_or_blank(object, "/involvedObject/namespace"),
            pod: text_or_blank(object, "/involvedObject/name"),
            node: text_or_blank(object, "/source/host"),
            message: text_or_blank(object, "/message"),
            count: count(object, "/count").unwrap_or(1),
            last: last.iter().find_map(|pointer| time(object, pointer)),
        }
    }
}

facts_from_objects!(NodeFact, NamespaceFact, ServiceFact, NetworkPolicyFact, SandboxFailureFact);
