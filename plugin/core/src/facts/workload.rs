//! Facts about what runs: pods, DaemonSets, Deployments and the releases that brought them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::placement::{Placement, tolerates_cordon};
use super::reading::{
    condition, count, flag, generation, has_finalizer, list, map, symbol, symbol_or_blank, text, text_or_blank, time,
    uid,
};
use super::{Text, Uid, facts_from_objects};
use crate::object::{ObjectId, ObjectRef};

/// The release that an object says it belongs to, by Helm's annotations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HelmMark {
    /// The name of the release.
    pub release: String,
    /// The namespace of the release.
    pub namespace: String,
}

impl HelmMark {
    /// Reads the mark of any object; none when it carries none.
    #[must_use]
    pub fn from_object(object: &Value) -> Option<Self> {
        let release = text(object, "/metadata/annotations/meta.helm.sh~1release-name")?;
        Some(Self {
            release,
            namespace: text_or_blank(object, "/metadata/annotations/meta.helm.sh~1release-namespace"),
        })
    }
}

/// What owns a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Owner {
    /// `ReplicaSet`.
    pub kind: Text,
    /// Its name.
    pub name: Text,
}

impl Owner {
    /// Returns what it does about a pod of its that is deleted.
    #[must_use]
    pub fn successor(&self) -> Successor {
        match self.kind.as_str() {
            "ReplicaSet" | "ReplicationController" | "StatefulSet" | "DaemonSet" => Successor::Comes,
            // With no retry left there is none, and the Job has failed.
            "Job" => Successor::AfterFailure,
            // What the API server shows of a static pod comes back; the pod itself was never touched.
            "Node" => Successor::Never,
            _ => Successor::Unknown,
        }
    }
}

/// What follows when a pod is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Successor {
    /// Another one is created.
    Comes,
    /// Its owner is of a kind that we do not know; such owners are made to create pods.
    Unknown,
    /// It counts as a failure of its owner, which creates another one as long as it has retries left.
    AfterFailure,
    /// Nobody creates another one.
    Never,
}

impl Successor {
    /// Whether a pod may be deleted to get another one.
    #[must_use]
    pub const fn may_be_counted_on(self) -> bool {
        matches!(self, Self::Comes | Self::Unknown)
    }

    /// Says what comes of deleting a pod that must not simply be deleted.
    #[must_use]
    pub const fn warning(self) -> Option<&'static str> {
        match self {
            Self::Comes | Self::Unknown => None,
            Self::AfterFailure => Some("its Job would count its deletion as a failure"),
            Self::Never => Some("nobody would create it again"),
        }
    }
}

/// What a pod is to us.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PodRole {
    /// Mizar's daemon on a node.
    Daemon,
    /// Mizar's operator.
    Operator,
    /// The cluster's name server.
    Dns,
    /// Anything else.
    #[default]
    Other,
}

/// One container of a Mizar pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerFact {
    /// Its name.
    pub name: String,
    /// Whether it is an init container.
    pub init: bool,
    /// The image it was asked to run.
    pub image: String,
    /// What it runs in truth, by digest, once it was pulled.
    pub image_id: String,
    /// Whether it is ready.
    pub ready: bool,
    /// Since when its present run goes on, while it runs.
    pub started: Option<Timestamp>,
    /// How often it was restarted.
    pub restarts: u32,
    /// Why it does not run, `ImagePullBackOff`.
    pub waiting: Option<String>,
    /// How it ended, when it has.
    pub exit_code: Option<i64>,
}

/// One pod.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodFact {
    /// Its namespace.
    pub namespace: Text,
    /// Its name.
    pub name: Text,
    /// What tells it from another pod that had this name.
    pub uid: Uid,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// Since when it is being deleted, if it is.
    pub deleting: Option<Timestamp>,
    /// Its node; blank before it is placed.
    pub node: Text,
    /// When it was placed there.
    pub placed: Option<Timestamp>,
    /// When its kubelet saw it first, by the clock of the node.
    pub acknowledged: Option<Timestamp>,
    /// `Pending`, `Running`, `Succeeded`, `Failed`.
    pub phase: Text,
    /// Whether all its containers are ready.
    pub ready: bool,
    /// Whether it uses the network of its node.
    pub host_network: bool,
    /// Its address; blank before it has one.
    pub ip: Text,
    /// The address of its node; blank before the kubelet took it.
    pub host_ip: Text,
    /// How often its containers were restarted, all together.
    pub restarts: u32,
    /// When a container of it ended last and was started again.
    pub restarted: Option<Timestamp>,
    /// Why its first container that waits does not run, `CrashLoopBackOff`.
    pub waiting: Option<Text>,
    /// Whether a cordon does not keep it from a node: pods of DaemonSets, and those that tolerate the taint of a cordon.
    pub tolerates_cordon: bool,
    /// Whether the operator's finalizer is on it: without an operator it cannot be deleted.
    pub finalizer: bool,
    /// What would create it again; nothing when nobody would.
    pub owner: Option<Owner>,
    /// Whether it keeps data that goes with it: in an `emptyDir`.
    #[serde(skip_serializing_if = "is_not")]
    pub empty_dir: bool,
    /// The revision of its DaemonSet that it was made from, for Mizar's daemons only.
    #[serde(skip_serializing_if = "is_blank")]
    pub revision: Text,
    /// What it is to us.
    pub role: PodRole,
    /// Its containers, for Mizar's own pods only.
    pub containers: Vec<ContainerFact>,
}

impl PodFact {
    /// Reads a Pod.
    #[must_use]
    pub fn from_object(object: &Value) -> Self {
        let role = role(&map(object, "/metadata/labels"));
        let owner = list(object, "/metadata/ownerReferences").iter().find(|owner| flag(owner, "/controller"));
        Self {
            namespace: symbol_or_blank(object, "/metadata/namespace"),
            name: symbol_or_blank(object, "/metadata/name"),
            uid: uid(object),
            created: time(object, "/metadata/creationTimestamp"),
            deleting: time(object, "/metadata/deletionTimestamp"),
            node: symbol_or_blank(object, "/spec/nodeName"),
            placed: condition(object, "PodScheduled").and_then(|(_, since)| since),
            acknowledged: time(object, "/status/startTime"),
            phase: symbol_or_blank(object, "/status/phase"),
            ready: condition(object, "Ready").is_some_and(|(status, _)| status == "True"),
            host_network: flag(object, "/spec/hostNetwork"),
            ip: symbol_or_blank(object, "/status/podIP"),
            host_ip: symbol_or_blank(object, "/status/hostIP"),
            restarts: statuses(object).filter_map(|status| count(status, "/restartCount")).sum(),
            restarted: statuses(object).filter_map(|status| time(status, "/lastState/terminated/finishedAt")).max(),
            waiting: statuses(object).find_map(|status| symbol(status, "/state/waiting/reason")),
            tolerates_cordon: tolerates_cordon(object),
            finalizer: has_finalizer(object),
            empty_dir: list(object, "/spec/volumes").iter().any(|volume| volume.get("emptyDir").is_some()),
            revision: match role {
                PodRole::Daemon => symbol_or_blank(object, "/metadata/labels/controller-revision-hash"),
                _ => Text::default(),
            },
            owner: owner
                .map(|owner| Owner { kind: symbol_or_blank(owner, "/kind"), name: symbol_or_blank(owner, "/name") }),
            role,
            containers: match role {
                PodRole::Daemon | PodRole::Operator => containers(object),
                PodRole::Dns | PodRole::Other => Vec::new(),
            },
        }
    }

    /// Returns what follows when it is deleted.
    #[must_use]
    pub fn successor(&self) -> Successor {
        self.owner.as_ref().map_or(Successor::Never, Owner::successor)
    }

    /// Whether it may be deleted to get another one: somebody creates that, and nothing else comes of it.
    #[must_use]
    pub fn is_created_again(&self) -> bool {
        self.successor().may_be_counted_on()
    }

    /// Whether it runs with an address of its own on the pod network.
    #[must_use]
    pub fn is_on_pod_network(&self) -> bool {
        self.phase == "Running" && !self.host_network && self.deleting.is_none()
    }

    /// Returns since when the present run of its last started container goes on; only known of Mizar's own pods. A pod
    /// stays the same when its container restarts, what that container programmed does not.
    #[must_use]
    pub fn started(&self) -> Option<Timestamp> {
        self.containers.iter().filter(|container| !container.init).filter_map(|container| container.started).max()
    }

    /// Returns what a change of this very pod must name.
    #[must_use]
    pub fn id(&self) -> ObjectId {
        let object = ObjectRef {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            namespace: Some(self.namespace.to_string()),
            name: self.name.to_string(),
        };
        ObjectId { object, uid: self.uid.to_string() }
    }

    /// Returns `namespace/name`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn is_not(fact: &bool) -> bool {
    !fact
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn is_blank(text: &Text) -> bool {
    text.is_empty()
}

fn statuses(pod: &Value) -> impl Iterator<Item = &Value> {
    list(pod, "/status/initContainerStatuses").iter().chain(list(pod, "/status/containerStatuses"))
}

fn role(labels: &BTreeMap<String, String>) -> PodRole {
    let is = |key: &str, wanted: &str| labels.get(key).is_some_and(|value| value == wanted);
    if is("job", "mizar-daemon") {
        PodRole::Daemon
    } else if is("app", "mizar-operator") {
        PodRole::Operator
    } else if is("k8s-app", "kube-dns") {
        PodRole::Dns
    } else {
        PodRole::Other
    }
}

fn containers(pod: &Value) -> Vec<ContainerFact> {
    let of = |init: bool, specs: &str, statuses: &str| {
        let statuses = list(pod, statuses);
        let read = move |spec: &Value| {
            let name = text_or_blank(spec, "/name");
            let status = statuses.iter().find(|status| text_or_blank(status, "/name") == name).unwrap_or(&Value::Null);
            ContainerFact {
                init,
                image: text_or_blank(spec, "/image"),
                image_id: text_or_blank(status, "/imageID"),
                ready: flag(status, "/ready"),
                started: time(status, "/state/running/startedAt"),
                restarts: count(status, "/restartCount").unwrap_or_default(),
                waiting: text(status, "/state/waiting/reason"),
                exit_code: status.pointer("/state/terminated/exitCode").and_then(Value::as_i64),
                name,
            }
        };
        list(pod, specs).iter().map(read).collect::<Vec<_>>()
    };
    let mut all = of(true, "/spec/initContainers", "/status/initContainerStatuses");
    all.extend(of(false, "/spec/containers", "/status/containerStatuses"));
    all
}

/// Returns the images of the containers of a pod template, `containers` or `initContainers`.
fn images(object: &Value, containers: &str) -> Vec<String> {
    let containers = list(object, &format!("/spec/template/spec/{containers}"));
    containers.iter().filter_map(|container| text(container, "/image")).collect()
}

/// Returns the feature gates of a pod template.
fn gates(object: &Value) -> BTreeMap<String, String> {
    let containers = list(object, "/spec/template/spec/containers");
    let variables = containers.iter().flat_map(|container| list(container, "/env"));
    variables
        .filter_map(|variable| Some((text(variable, "/name")?, text_or_blank(variable, "/value"))))
        .filter(|(name, _)| name.starts_with("FEATUREGATE_"))
        .collect()
}

/// One DaemonSet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DaemonSetFact {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The release it belongs to.
    pub helm: Option<HelmMark>,
    /// The generation that was asked for.
    pub generation: i64,
    /// The generation that its controller has seen.
    pub observed_generation: i64,
    /// How many nodes should have a pod.
    pub desired: u32,
    /// How many have one.
    pub current: u32,
    /// How many have a ready one.
    pub ready: u32,
    /// How many have one of the present template.
    pub updated: u32,
    /// The images of its template, without those of init containers.
    pub images: Vec<String>,
    /// The images of its init containers.
    pub init_images: Vec<String>,
    /// Its `FEATUREGATE_…` variables.
    pub gates: BTreeMap<String, String>,
    /// Which nodes its pods go to.
    pub placement: Placement,
}

impl DaemonSetFact {
    /// Reads a DaemonSet.
    #[must_use]
    pub fn from_object(object: &Value) -> Self {
        let number = |field: &str| count(object, &format!("/status/{field}")).unwrap_or_default();
        Self {
            namespace: text_or_blank(object, "/metadata/namespace"),
            name: text_or_blank(object, "/metadata/name"),
            labels: map(object, "/metadata/labels"),
            helm: HelmMark::from_object(object),
            generation: generation(object, "/metadata/generation"),
            observed_generation: generation(object, "/status/observedGeneration"),
            desired: number("desiredNumberScheduled"),
            current: number("currentNumberScheduled"),
            ready: number("numberReady"),
            updated: number("updatedNumberScheduled"),
            images: images(object, "containers"),
            init_images: images(object, "initContainers"),
            gates: gates(object),
            placement: Placement::from_object(object),
        }
    }
}

/// One Deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeploymentFact {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The release it belongs to.
    pub helm: Option<HelmMark>,
    /// The generation that was asked for.
    pub generation: i64,
    /// The generation that its controller has seen.
    pub observed_generation: i64,
    /// How many pods it should have.
    pub replicas: u32,
    /// How many are ready.
    pub ready: u32,
    /// The images of its template, without those of init containers.
    pub images: Vec<String>,
    /// Its `FEATUREGATE_…` variables.
    pub gates: BTreeMap<String, String>,
    /// Which nodes its pods may go to.
    pub placement: Placement,
    /// `Recreate` or `RollingUpdate`.
    pub strategy: String,
}

impl DeploymentFact {
    /// Reads a Deployment.
    #[must_use]
    pub fn from_object(object: &Value) -> Self {
        Self {
            namespace: text_or_blank(object, "/metadata/namespace"),
            name: text_or_blank(object, "/metadata/name"),
            labels: map(object, "/metadata/labels"),
            helm: HelmMark::from_object(object),
            generation: generation(object, "/metadata/generation"),
            observed_generation: generation(object, "/status/observedGeneration"),
            replicas: count(object, "/spec/replicas").unwrap_or(1),
            ready: count(object, "/status/readyReplicas").unwrap_or_default(),
            images: images(object, "containers"),
            gates: gates(object),
            placement: Placement::from_object(object),
            // What the server fills in where nothing is said.
            strategy: text(object, "/spec/strategy/type").unwrap_or_else(|| "RollingUpdate".to_owned()),
        }
    }
}

/// One revision of a release, as its record says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReleaseFact {
    /// The name of the release.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The revision.
    pub revision: u32,
    /// `deployed`, `superseded`, `pending-install` and so on.
    pub status: String,
    /// The version of its chart, when the record itself was read and not only its labels.
    pub chart_version: Option<String>,
}

impl ReleaseFact {
    /// Reads the Secret of a revision; its metadata is enough.
    #[must_use]
    pub fn from_object(object: &Value) -> Self {
        Self {
            name: text_or_blank(object, "/metadata/labels/name"),
            namespace: text_or_blank(object, "/metadata/namespace"),
            revision: count(object, "/metadata/labels/version").unwrap_or_default(),
            status: text_or_blank(object, "/metadata/labels/status"),
            chart_version: None,
        }
    }
}

facts_from_objects!(PodFact, DaemonSetFact, DeploymentFact, ReleaseFact);
