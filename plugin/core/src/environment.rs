//! What kind of cluster this is: Kubernetes or Arktos, and on what it runs. Nothing says so in one place, so that it is
//! concluded from signs, and every sign is shown; a person who knows better names the environment.
//!
//! - this file: the environments and the verdict;
//! - `signs`: what tells one from another;
//! - [`overview`]: everything that `env` shows of a cluster.

pub mod overview;
mod signs;

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::facts::{Facts, Source};

/// The environments that Mizar is known in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Environment {
    /// Kubernetes in containers of one machine.
    Kind,
    /// Google's managed Kubernetes.
    Gke,
    /// Amazon's managed Kubernetes.
    Eks,
    /// Kubernetes that somebody installed on machines of Google's cloud.
    GcpVm,
    /// Kubernetes that somebody installed on machines of Amazon's cloud.
    AwsVm,
    /// Kubernetes anywhere else.
    Kubernetes,
    /// Arktos in Google's cloud: one cluster.
    ArktosGce,
    /// Arktos in Amazon's cloud, which is arktos-up on a machine there.
    ArktosAws,
    /// Arktos by arktos-up.
    ArktosUp,
    /// A tenant partition of Arktos scaled out: tenants and pods, no nodes.
    ArktosTenantPartition,
    /// A resource partition of Arktos scaled out: nodes, no tenants of its own.
    ArktosResourcePartition,
    /// Arktos anywhere else.
    Arktos,
}

/// Nobody knows that environment.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no environment {0:?}; there are {known}", known = Environment::ALL.map(Environment::name).join(", "))]
pub struct UnknownEnvironment(String);

impl Environment {
    /// Every environment.
    pub const ALL: [Self; 12] = [
        Self::Kind,
        Self::Gke,
        Self::Eks,
        Self::GcpVm,
        Self::AwsVm,
        Self::Kubernetes,
        Self::ArktosGce,
        Self::ArktosAws,
        Self::ArktosUp,
        Self::ArktosTenantPartition,
        Self::ArktosResourcePartition,
        Self::Arktos,
    ];

    /// Returns the name by which people and JSON call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::Gke => "gke",
            Self::Eks => "eks",
            Self::GcpVm => "gcp-vm",
            Self::AwsVm => "aws-vm",
            Self::Kubernetes => "kubernetes",
            Self::ArktosGce => "arktos-gce",
            Self::ArktosAws => "arktos-aws",
            Self::ArktosUp => "arktos-up",
            Self::ArktosTenantPartition => "arktos-tenant-partition",
            Self::ArktosResourcePartition => "arktos-resource-partition",
            Self::Arktos => "arktos",
        }
    }

    /// Returns what it is, for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Kind => "Kubernetes in Docker (kind)",
            Self::Gke => "Google Kubernetes Engine",
            Self::Eks => "Amazon Elastic Kubernetes Service",
            Self::GcpVm => "Kubernetes on Google Cloud machines",
            Self::AwsVm => "Kubernetes on AWS machines",
            Self::Kubernetes => "Kubernetes",
            Self::ArktosGce => "Arktos on Google Cloud",
            Self::ArktosAws => "Arktos on AWS",
            Self::ArktosUp => "Arktos by arktos-up",
            Self::ArktosTenantPartition => "Arktos, a tenant partition",
            Self::ArktosResourcePartition => "Arktos, a resource partition",
            Self::Arktos => "Arktos",
        }
    }

    /// Whether it is Arktos, whose API differs.
    #[must_use]
    pub const fn is_arktos(self) -> bool {
        matches!(
            self,
            Self::ArktosGce
                | Self::ArktosAws
                | Self::ArktosUp
                | Self::ArktosTenantPartition
                | Self::ArktosResourcePartition
                | Self::Arktos
        )
    }

    /// Returns what to know before Mizar is used there; nothing where nothing is special.
    #[must_use]
    pub const fn advice(self) -> Option<&'static str> {
        match self {
            Self::Kind => Some(
                "the container network should be made with MTU 9000, which Mizar forces on its interfaces, and the \
                 cluster without kindnet (disableDefaultCNI)",
            ),
            Self::Gke | Self::Eks => Some(
                "a managed cluster brings its own pod network and node image; Mizar was never tried there and the \
                 provider will not support it",
            ),
            Self::GcpVm | Self::ArktosGce => Some(
                "a VPC of Google has MTU 1460 unless it was made with up to 8896, and Mizar forces 9000; a firewall \
                 rule must let the nodes reach each other on every port",
            ),
            Self::AwsVm | Self::ArktosAws => {
                Some("the security group must let the nodes reach each other on every port; MTU 9001 is fine")
            }
            Self::ArktosUp => Some("containerd must be the one that passes tenants on to the network plugin"),
            Self::ArktosTenantPartition => Some(
                "the nodes are listed in the resource partitions; only the first tenant partition runs the DaemonSet",
            ),
            Self::ArktosResourcePartition => Some("Mizar is installed in the tenant partitions, not here"),
            Self::Kubernetes | Self::Arktos => None,
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Environment {
    type Err = UnknownEnvironment;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|known| known.name() == text).ok_or_else(|| UnknownEnvironment(text.to_owned()))
    }
}

/// One thing that tells what a cluster is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sign {
    /// The object, `Node node-1`.
    pub object: String,
    /// The field.
    pub field: String,
    /// What it holds.
    pub seen: String,
    /// What that tells, `Arktos`.
    pub tells: String,
}

impl Sign {
    fn new(
        object: impl Into<String>,
        field: impl Into<String>,
        seen: impl Into<String>,
        tells: impl Into<String>,
    ) -> Self {
        Self { object: object.into(), field: field.into(), seen: seen.into(), tells: tells.into() }
    }
}

/// What was concluded, and from what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Detection {
    /// The environment.
    pub environment: Environment,
    /// Whether a person named it; the signs may then tell of another.
    pub named: bool,
    /// What the signs tell.
    pub detected: Environment,
    /// How many nodes Kubemark pretends.
    pub hollow_nodes: usize,
    /// Whether the hollow nodes of another cluster run here as pods.
    pub hosts_kubemark: bool,
    /// The signs, the strongest first.
    pub evidence: Vec<Sign>,
    /// What could not be read although it might tell more.
    pub unread: Vec<String>,
}

/// The sources that the environment is concluded from.
pub const SOURCES: &[Source] = &[
    Source::Version,
    Source::CoreApi,
    Source::ApiGroups,
    Source::Nodes,
    Source::Namespaces,
    Source::Services,
    Source::DaemonSets,
    Source::SystemSource,
];

/// Concludes the environment; `named` is what a person said, which wins.
#[must_use]
pub fn detect(facts: &Facts, named: Option<Environment>) -> Detection {
    let (detected, mut evidence) = signs::read(facts);
    let hollow = facts.nodes.items().iter().filter(|node| node.is_hollow());
    let hosts_kubemark = facts.namespaces.items().iter().any(|namespace| namespace.name == "kubemark");
    if let Some(node) = hollow.clone().next() {
        evidence.push(Sign::new(
            format!("Node {}", node.name),
            "spec.providerID",
            &node.provider_id,
            "Kubemark pretends it",
        ));
    }
    if hosts_kubemark {
        evidence.push(Sign::new("Namespace kubemark", "metadata.name", "kubemark", "runs Kubemark's hollow nodes"));
    }
    let unread = SOURCES.iter().filter(|source| facts.gap(**source).is_some() && !source.may_be_absent());
    Detection {
        environment: named.unwrap_or(detected),
        named: named.is_some(),
        detected,
        hollow_nodes: hollow.count(),
        hosts_kubemark,
        evidence,
        unread: unread.map(|source| source.noun().to_owned()).collect(),
    }
}
