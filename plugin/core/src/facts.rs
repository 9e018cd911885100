//! Everything we read from a cluster, as one plain value: trimmed to what is judged, serialisable, so that what a user
//! saw can be replayed as a fixture. Reading is done elsewhere: whoever lists the objects feeds them to
//! [`Facts::absorb_page`], source by source, and [`Facts::mark`]s what could not be read. Nothing here judges.

mod access;
mod arktos;
mod budget;
mod change;
mod cluster;
mod mizar;
mod page;
mod pairs;
mod placement;
mod plan;
mod reading;
mod roll;
mod source;
mod text;
mod uid;
mod unread;
mod workload;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

use std::any::Any;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use access::{AccessAnswer, Decision, Need, Permissions, PolicyRule, Right, RuleSet};
pub use arktos::{ApiGroupsFact, ArktosNetworkFact, CoreApiFact, GrpcServiceFact, SystemSourceFact};
pub use budget::{DisruptionBudgetFact, LabelSelector};
pub use change::{ChangeFact, Illegible};
pub use cluster::{
    ApiServerFact, CORDON_ANNOTATION, ClientFact, DnsFact, NamespaceFact, NetworkPolicyFact, NodeFact, Readiness,
    SandboxFailureFact, ServiceFact, VersionFact,
};
pub use mizar::{
    BouncerFact, DefinitionFact, DividerFact, DropletFact, EndpointFact, HOLD_LABEL, KNOWN_LABEL, MizarObject, Retry,
    SubnetFact, VpcFact,
};
pub use page::{PageVisitor, read_object, read_page};
pub(crate) use pairs::{EndpointsByPod, PodsByName};
pub use placement::{Placement, Requirement, Taint, Term, Toleration};
pub use plan::{Plan, PriorityUse};
pub use reading::FINALIZERS;
pub use roll::{Changes, Key, Roll};
pub use source::{CLUSTER_RULES_NAMESPACE, Request, Source};
pub use text::Text;
pub use uid::Uid;
pub use unread::Unread;
pub use workload::{
    ContainerFact, DaemonSetFact, DeploymentFact, HelmMark, Owner, PodFact, PodRole, ReleaseFact, Successor,
};

/// What one source gave.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Fetched<T> {
    /// It was read, whole.
    Known(T),
    /// The server refused; the right that was missing, `list pods`.
    Denied {
        /// The right, as a person would grant it.
        right: String,
    },
    /// It could not be read for another reason.
    Failed {
        /// What went wrong.
        reason: String,
    },
    /// The server does not have it: a group that is not served, a named object that does not exist.
    Absent,
    /// Nobody asked.
    #[default]
    NotAsked,
}

impl<T> Fetched<T> {
    /// Returns what was read, if it was.
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Denied { .. } | Self::Failed { .. } | Self::Absent | Self::NotAsked => None,
        }
    }

    /// Returns why there is nothing, if there is nothing.
    #[must_use]
    pub fn gap(&self) -> Option<Gap> {
        match self {
            Self::Known(_) => None,
            Self::Denied { .. } => Some(Gap::Denied),
            Self::Failed { reason } => Some(Gap::Failed(reason.clone())),
            Self::Absent => Some(Gap::Absent),
            Self::NotAsked => Some(Gap::NotAsked),
        }
    }
}

impl<T> Fetched<Vec<T>> {
    /// Returns what was read; nothing when it was not read, which the caller must have looked at before.
    #[must_use]
    pub fn items(&self) -> &[T] {
        self.known().map_or(&[], Vec::as_slice)
    }
}

/// Why a source gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// The server refused (403).
    Denied,
    /// Anything else that went wrong.
    Failed(String),
    /// Not served, or the named object does not exist (404).
    Absent,
    /// Nobody asked.
    NotAsked,
}

/// All that was read, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Facts {
    /// When the reading began.
    pub gathered_at: Timestamp,
    /// The machine that this program runs on.
    pub client: Fetched<ClientFact>,
    /// What the API server says about itself.
    pub version: Fetched<VersionFact>,
    /// The nodes.
    pub nodes: Fetched<Vec<NodeFact>>,
    /// The pods of all namespaces.
    pub pods: Fetched<Vec<PodFact>>,
    /// The services of all namespaces.
    pub services: Fetched<Vec<ServiceFact>>,
    /// The addresses of the API server, from the Endpoints of default/kubernetes.
    pub api_server: Fetched<ApiServerFact>,
    /// The DaemonSets of all namespaces.
    pub daemon_sets: Fetched<Vec<DaemonSetFact>>,
    /// The Deployments of all namespaces.
    pub deployments: Fetched<Vec<DeploymentFact>>,
    /// The namespaces.
    pub namespaces: Fetched<Vec<NamespaceFact>>,
    /// The definitions of group mizar.com.
    pub definitions: Fetched<Vec<DefinitionFact>>,
    /// Mizar's Droplets.
    pub droplets: Fetched<Vec<DropletFact>>,
    /// Mizar's Vpcs.
    pub vpcs: Fetched<Vec<VpcFact>>,
    /// Mizar's Dividers.
    pub dividers: Fetched<Vec<DividerFact>>,
    /// Mizar's Subnets.
    pub subnets: Fetched<Vec<SubnetFact>>,
    /// Mizar's Bouncers.
    pub bouncers: Fetched<Vec<BouncerFact>>,
    /// Mizar's Endpoints, which are not the core ones.
    pub endpoints: Fetched<Vec<EndpointFact>>,
    /// The releases of Mizar that Helm or this program recorded.
    pub releases: Fetched<Vec<ReleaseFact>>,
    /// The addresses behind the name service.
    pub dns: Fetched<DnsFact>,
    /// The network policies of all namespaces.
    pub network_policies: Fetched<Vec<NetworkPolicyFact>>,
    /// The disruption budgets of all namespaces; read only for a plan that evicts pods.
    pub disruption_budgets: Fetched<Vec<DisruptionBudgetFact>>,
    /// Pods whose sandbox could not be made.
    pub sandbox_failures: Fetched<Vec<SandboxFailureFact>>,
    /// By which Arktos finds the operator.
    pub grpc_service: Fetched<GrpcServiceFact>,
    /// The networks of Arktos' tenants.
    pub arktos_networks: Fetched<Vec<ArktosNetworkFact>>,
    /// What the server's core API holds.
    pub core_api: Fetched<CoreApiFact>,
    /// The API groups that are served.
    pub api_groups: Fetched<ApiGroupsFact>,
    /// The ConfigMap that tells Mizar what kind of cluster it is in.
    pub system_source: Fetched<SystemSourceFact>,
    /// What the user may do.
    pub permissions: Fetched<Permissions>,
    /// The change that is under way, or was the last. No source of its own: few people may read its record, and no check
    /// fails for want of it.
    pub change: Fetched<ChangeFact>,
    /// What an install would bring, when one is planned.
    pub plan: Option<Plan>,
}

impl Facts {
    /// Returns empty facts: every source is `NotAsked`.
    #[must_use]
    pub fn new(gathered_at: Timestamp) -> Self {
        Self { gathered_at, ..Self::default() }
    }

    /// Takes one page of a list (its `items`), or one object where the source is one object. The first page, even an
    /// empty one, makes the source known; a source that was marked stays marked, since a part of a list is no list.
    pub fn absorb_page(&mut self, source: Source, page: &Value) {
        let slot = self.slot_mut(source);
        slot.begin();
        match page.get("items").and_then(Value::as_array) {
            Some(items) if source.is_list() => items.iter().for_each(|item| slot.absorb(item)),
            _ if source.is_list() => {}
            _ => slot.absorb(page),
        }
    }

    /// Notes that a source was asked and answered; what it holds comes item by item.
    pub fn begin(&mut self, source: Source) {
        self.slot_mut(source).begin();
    }

    /// Takes one object of a source, from a list or a watch.
    pub fn absorb(&mut self, source: Source, object: &Value) {
        let slot = self.slot_mut(source);
        slot.begin();
        slot.absorb(object);
    }

    /// Works into a list that is followed what has become of its objects; the list counts as read from then on.
    pub fn follow(&mut self, source: Source, roll: &mut Roll, changes: &Changes) {
        let slot = self.slot_mut(source);
        slot.begin();
        slot.follow(roll, changes);
    }

    /// Takes over what other facts hold of a source, or why they hold nothing.
    pub fn adopt(&mut self, source: Source, other: &mut Self) {
        self.slot_mut(source).adopt(other.slot_mut(source));
    }

    /// Notes that a source could not be read; what was read of it before is dropped.
    pub fn mark(&mut self, source: Source, gap: Gap) {
        self.slot_mut(source).mark(source, gap);
    }

    /// Returns why a source has nothing to say, if so.
    #[must_use]
    pub fn gap(&self, source: Source) -> Option<Gap> {
        match source {
            Source::Client => self.client.gap(),
            Source::Version => self.version.gap(),
            Source::Nodes => self.nodes.gap(),
            Source::Pods => self.pods.gap(),
            Source::Services => self.services.gap(),
            Source::ApiServer => self.api_server.gap(),
            Source::DaemonSets => self.daemon_sets.gap(),
            Source::Deployments => self.deployments.gap(),
            Source::Namespaces => self.namespaces.gap(),
            Source::Definitions => self.definitions.gap(),
            Source::Droplets => self.droplets.gap(),
            Source::Vpcs => self.vpcs.gap(),
            Source::Dividers => self.dividers.gap(),
            Source::Subnets => self.subnets.gap(),
            Source::Bouncers => self.bouncers.gap(),
            Source::Endpoints => self.endpoints.gap(),
            Source::Releases => self.releases.gap(),
            Source::SystemSource => self.system_source.gap(),
            Source::Dns => self.dns.gap(),
            Source::NetworkPolicies => self.network_policies.gap(),
            Source::DisruptionBudgets => self.disruption_budgets.gap(),
            Source::SandboxFailures => self.sandbox_failures.gap(),
            Source::GrpcService => self.grpc_service.gap(),
            Source::ArktosNetworks => self.arktos_networks.gap(),
            Source::CoreApi => self.core_api.gap(),
            Source::ApiGroups => self.api_groups.gap(),
            Source::Permissions => self.permissions.gap(),
        }
    }

    /// Takes the status of a SelfSubjectRulesReview. `namespace` is the one that was asked about, `None` for
    /// [`CLUSTER_RULES_NAMESPACE`], whose rules are those that hold in the whole cluster.
    pub fn absorb_rules(&mut self, namespace: Option<&str>, review: &Value) {
        self.permissions.begin();
        if let Fetched::Known(permissions) = &mut self.permissions {
            permissions.rules.insert(namespace.unwrap_or_default().to_owned(), RuleSet::from_review(review));
        }
    }

    /// Takes an answered SelfSubjectAccessReview.
    pub fn absorb_answer(&mut self, review: &Value) {
        self.permissions.begin();
        if let (Fetched::Known(permissions), Some(answer)) = (&mut self.permissions, AccessAnswer::from_review(review))
        {
            permissions.answers.push(answer);
        }
    }

    fn slot_mut(&mut self, source: Source) -> &mut dyn Slot {
        match source {
            Source::Client => &mut self.client,
            Source::Version => &mut self.version,
            Source::Nodes => &mut self.nodes,
            Source::Pods => &mut self.pods,
            Source::Services => &mut self.services,
            Source::ApiServer => &mut self.api_server,
            Source::DaemonSets => &mut self.daemon_sets,
            Source::Deployments => &mut self.deployments,
            Source::Namespaces => &mut self.namespaces,
            Source::Definitions => &mut self.definitions,
            Source::Droplets => &mut self.droplets,
            Source::Vpcs => &mut self.vpcs,
            Source::Dividers => &mut self.dividers,
            Source::Subnets => &mut self.subnets,
            Source::Bouncers => &mut self.bouncers,
            Source::Endpoints => &mut self.endpoints,
            Source::Releases => &mut self.releases,
            Source::SystemSource => &mut self.system_source,
            Source::Dns => &mut self.dns,
            Source::NetworkPolicies => &mut self.network_policies,
            Source::DisruptionBudgets => &mut self.disruption_budgets,
            Source::SandboxFailures => &mut self.sandbox_failures,
            Source::GrpcService => &mut self.grpc_service,
            Source::ArktosNetworks => &mut self.arktos_networks,
            Source::CoreApi => &mut self.core_api,
            Source::ApiGroups => &mut self.api_groups,
            Source::Permissions => &mut self.permissions,
        }
    }
}

/// One field of [`Facts`] while it is being filled.
trait Slot: Any {
    fn begin(&mut self);
    fn absorb(&mut self, object: &Value);
    fn follow(&mut self, roll: &mut Roll, changes: &Changes);
    fn adopt(&mut self, other: &mut dyn Slot);
    fn mark(&mut self, source: Source, gap: Gap);
}

impl<T: Default + Absorb + 'static> Slot for Fetched<T> {
    fn begin(&mut self) {
        if matches!(self, Self::NotAsked) {
            *self = Self::Known(T::default());
        }
    }

    fn absorb(&mut self, object: &Value) {
        if let Self::Known(value) = self {
            value.absorb(object);
        }
    }

    fn follow(&mut self, roll: &mut Roll, changes: &Changes) {
        if let Self::Known(value) = self {
            value.follow(roll, changes);
        }
    }

    fn adopt(&mut self, other: &mut dyn Slot) {
        let other: &mut dyn Any = other;
        if let Some(other) = other.downcast_mut::<Self>() {
            *self = std::mem::take(other);
        }
    }

    fn mark(&mut self, source: Source, gap: Gap) {
        *self = match gap {
            Gap::Denied => Self::Denied { right: source.right() },
            Gap::Failed(reason) => Self::Failed { reason },
            Gap::Absent => Self::Absent,
            Gap::NotAsked => Self::NotAsked,
        };
    }
}

/// What can take in an object as the server sent it.
trait Absorb {
    fn absorb(&mut self, object: &Value);

    /// Works changes in. What is a single object is no list: it is read again instead.
    fn follow(&mut self, _roll: &mut Roll, _changes: &Changes) {}
}

/// What is made from one object of a list.
trait FromObject: Sized {
    /// Whether the object belongs here; a list may hold more than we keep.
    fn concerns(_object: &Value) -> bool {
        true
    }

    fn read(object: &Value) -> Self;
}

impl<T: FromObject> Absorb for Vec<T> {
    fn absorb(&mut self, object: &Value) {
        if T::concerns(object) {
            self.push(T::read(object));
        }
    }

    fn follow(&mut self, roll: &mut Roll, changes: &Changes) {
        roll.work_in(self, changes);
    }
}

/// Gives fact types their public `from_object` and their place in a list.
macro_rules! facts_from_objects {
    ($($fact:ty),+ $(,)?) => {$(
        impl crate::facts::FromObject for $fact {
            fn read(object: &serde_json::Value) -> Self {
                Self::from_object(object)
            }
        }
    )+};
}
use facts_from_objects;
