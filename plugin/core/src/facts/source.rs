//! The sources of facts as a table: what to ask the server for, so that the one who reads is a loop. What each page
//! becomes is decided by [`super::Facts::absorb_page`].

use serde::{Deserialize, Serialize};

use super::Gap;

/// A namespace that no cluster has: the rules that hold there are the ones that hold in the whole cluster, since no
/// RoleBinding can add to them. A review of it costs one request and needs no such namespace to exist.
pub const CLUSTER_RULES_NAMESPACE: &str = "kubectl-mizar-cluster-rules";

/// One thing that is asked for, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are those of the fields of Facts, where they are described")]
pub enum Source {
    Client,
    Version,
    Nodes,
    Pods,
    Services,
    ApiServer,
    DaemonSets,
    Deployments,
    Namespaces,
    Definitions,
    Droplets,
    Vpcs,
    Dividers,
    Subnets,
    Bouncers,
    Endpoints,
    Releases,
    SystemSource,
    Permissions,
    Dns,
    NetworkPolicies,
    DisruptionBudgets,
    SandboxFailures,
    GrpcService,
    ArktosNetworks,
    CoreApi,
    ApiGroups,
}

/// How a source is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// No request: it is found on this machine.
    Local,
    /// One `GET` of this path; 404 means [`super::Gap::Absent`].
    Get {
        /// The path on the server.
        path: &'static str,
    },
    /// One list, in pages; 404 means that the group is not served.
    List {
        /// The path on the server.
        path: &'static str,
        /// The `limit` of a page.
        page_limit: u32,
        /// The `labelSelector`, blank for all.
        label_selector: &'static str,
        /// The `fieldSelector`, blank for all.
        field_selector: &'static str,
        /// Whether `PartialObjectMetadataList` is enough.
        metadata_only: bool,
    },
    /// One SelfSubjectRulesReview for every namespace of the install and for [`CLUSTER_RULES_NAMESPACE`], then one
    /// SelfSubjectAccessReview for every question that the rules leave open.
    SelfReview,
}

const fn whole(path: &'static str, page_limit: u32) -> Request {
    Request::List { path, page_limit, label_selector: "", field_selector: "", metadata_only: false }
}

const fn metadata(path: &'static str) -> Request {
    Request::List { path, page_limit: 500, label_selector: "", field_selector: "", metadata_only: true }
}

impl Source {
    /// Every source, in the order in which they are asked.
    pub const ALL: &'static [Self] = &[
        Self::Client,
        Self::Version,
        Self::Permissions,
        Self::Nodes,
        Self::Namespaces,
        Self::DaemonSets,
        Self::Deployments,
        Self::Pods,
        Self::Services,
        Self::ApiServer,
        Self::SystemSource,
        Self::CoreApi,
        Self::ApiGroups,
        Self::Dns,
        Self::NetworkPolicies,
        Self::DisruptionBudgets,
        Self::SandboxFailures,
        Self::GrpcService,
        Self::ArktosNetworks,
        Self::Releases,
        Self::Definitions,
        Self::Droplets,
        Self::Vpcs,
        Self::Dividers,
        Self::Subnets,
        Self::Bouncers,
        Self::Endpoints,
    ];

    /// Returns how to ask for it. Nodes and pods come in pages of about two megabytes. Definitions come in small pages: the schema of one alone may have
    /// half a megabyte.
    #[must_use]
    pub const fn request(self) -> Request {
        match self {
            Self::Client => Request::Local,
            Self::Permissions => Request::SelfReview,
            Self::Version => Request::Get { path: "/version" },
            Self::ApiServer => Request::Get { path: "/api/v1/namespaces/default/endpoints/kubernetes" },
            Self::SystemSource => Request::Get { path: "/api/v1/namespaces/kube-system/configmaps/system-source" },
            Self::Nodes => whole("/api/v1/nodes", 250),
            Self::Pods => whole("/api/v1/pods", 250),
            Self::Services => whole("/api/v1/services", 500),
            Self::DaemonSets => whole("/apis/apps/v1/daemonsets", 500),
            Self::Deployments => whole("/apis/apps/v1/deployments", 500),
            // Whole: the conditions of one that is being deleted tell what holds it.
            Self::Namespaces => whole("/api/v1/namespaces", 500),
            Self::NetworkPolicies => metadata("/apis/networking.k8s.io/v1/networkpolicies"),
            Self::DisruptionBudgets => whole("/apis/policy/v1/poddisruptionbudgets", 500),
            Self::SandboxFailures => Request::List {
                path: "/api/v1/events",
                page_limit: 500,
                label_selector: "",
                field_selector: "reason=FailedCreatePodSandBox",
                metadata_only: false,
            },
            Self::Dns => Request::Get { path: "/api/v1/namespaces/kube-system/endpoints/kube-dns" },
            Self::GrpcService => Request::Get { path: "/api/v1/namespaces/default/configmaps/mizar-grpc-service" },
            Self::CoreApi => Request::Get { path: "/api/v1" },
            Self::ApiGroups => Request::Get { path: "/apis" },
            Self::ArktosNetworks => whole("/apis/arktos.futurewei.com/v1/networks", 500),
            Self::Releases => Request::List {
                path: "/api/v1/secrets",
                page_limit: 100,
                label_selector: "owner=helm,name in (mizar,mizar-crds)",
                field_selector: "",
                metadata_only: true,
            },
            Self::Definitions => whole("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", 20),
            Self::Droplets => whole("/apis/mizar.com/v1/droplets", 500),
            Self::Vpcs => whole("/apis/mizar.com/v1/vpcs", 500),
            Self::Dividers => whole("/apis/mizar.com/v1/dividers", 500),
            Self::Subnets => whole("/apis/mizar.com/v1/subnets", 500),
            Self::Bouncers => whole("/apis/mizar.com/v1/bouncers", 500),
            Self::Endpoints => whole("/apis/mizar.com/v1/endpoints", 500),
        }
    }

    /// Returns where older servers have it, which do not serve [`Self::request`].
    #[must_use]
    pub const fn older_path(self) -> Option<&'static str> {
        match self {
            Self::DisruptionBudgets => Some("/apis/policy/v1beta1/poddisruptionbudgets"),
            _ => None,
        }
    }

    /// Whether its pages are lists.
    #[must_use]
    pub const fn is_list(self) -> bool {
        matches!(self.request(), Request::List { .. })
    }

    /// Whether it is one of Mizar's own kinds, which no server has before an install.
    #[must_use]
    pub const fn is_mizar(self) -> bool {
        matches!(self, Self::Droplets | Self::Vpcs | Self::Dividers | Self::Subnets | Self::Bouncers | Self::Endpoints)
    }

    /// Whether a server without it is an answer rather than a gap.
    #[must_use]
    pub const fn may_be_absent(self) -> bool {
        self.is_mizar()
            || matches!(
                self,
                Self::SystemSource
                    | Self::ApiServer
                    | Self::Dns
                    | Self::GrpcService
                    | Self::ArktosNetworks
                    | Self::DisruptionBudgets
            )
    }

    /// Whether it exists on Arktos only.
    #[must_use]
    pub const fn is_arktos(self) -> bool {
        matches!(self, Self::GrpcService | Self::ArktosNetworks)
    }

    /// Names what is read, `pods`.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Client => "this machine",
            Self::Version => "the server version",
            Self::Nodes => "nodes",
            Self::Pods => "pods",
            Self::Services => "services",
            Self::ApiServer => "endpoints default/kubernetes",
            Self::DaemonSets => "daemonsets.apps",
            Self::Deployments => "deployments.apps",
            Self::Namespaces => "namespaces",
            Self::Definitions => "customresourcedefinitions.apiextensions.k8s.io",
            Self::Droplets => "droplets.mizar.com",
            Self::Vpcs => "vpcs.mizar.com",
            Self::Dividers => "dividers.mizar.com",
            Self::Subnets => "subnets.mizar.com",
            Self::Bouncers => "bouncers.mizar.com",
            Self::Endpoints => "endpoints.mizar.com",
            Self::Releases => "secrets (release records)",
            Self::SystemSource => "configmaps kube-system/system-source",
            Self::Permissions => "your own permissions",
            Self::Dns => "endpoints kube-system/kube-dns",
            Self::NetworkPolicies => "networkpolicies.networking.k8s.io",
            Self::DisruptionBudgets => "poddisruptionbudgets.policy",
            Self::SandboxFailures => "events",
            Self::GrpcService => "configmaps default/mizar-grpc-service",
            Self::ArktosNetworks => "networks.arktos.futurewei.com",
            Self::CoreApi => "the resources of the core API",
            Self::ApiGroups => "the API groups",
        }
    }

    /// Names the resource as a rule or `kubectl` does, `endpoints.mizar.com`.
    #[must_use]
    pub const fn resource(self) -> &'static str {
        match self {
            Self::Releases => "secrets",
            other => other.noun(),
        }
    }

    /// Returns resource, namespace and name of the object that it is, when it is a single one.
    #[must_use]
    pub fn named_object(self) -> Option<(&'static str, &'static str, &'static str)> {
        let Request::Get { .. } = self.request() else { return None };
        let (resource, path) = self.noun().split_once(' ')?;
        let (namespace, name) = path.split_once('/')?;
        Some((resource, namespace, name))
    }

    /// Names the right that reading needs, `list pods`.
    #[must_use]
    pub fn right(self) -> String {
        match self.request() {
            Request::List { .. } => format!("list {}", self.noun()),
            Request::Get { .. } | Request::Local => format!("get {}", self.noun()),
            Request::SelfReview => "create selfsubjectrulesreviews.authorization.k8s.io".to_owned(),
        }
    }
}

impl Gap {
    /// Says why a source that was asked for could not be read, if so.
    #[must_use]
    pub fn reason(&self, source: Source) -> Option<String> {
        match self {
            Self::Denied => Some(format!("you are not allowed to {}", source.right())),
            Self::Failed(reason) => Some(reason.clone()),
            Self::Absent if !source.may_be_absent() => Some("the server does not have it".to_owned()),
            Self::Absent | Self::NotAsked => None,
        }
    }
}
