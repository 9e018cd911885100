//! How objects are addressed: group, version and plural of the kinds that this product writes or reads. A table known
//! at build time replaces API discovery; a kind that is not in it costs the caller one request for its group.

/// What is needed to address the objects of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindInfo {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The version within the group.
    pub version: &'static str,
    /// The kind, `DaemonSet`.
    pub kind: &'static str,
    /// The name in paths, `daemonsets`.
    pub plural: &'static str,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

impl KindInfo {
    /// Returns `apiVersion` as objects write it.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Returns the path of the collection on the server: of one namespace, or of the whole cluster.
    #[must_use]
    pub fn collection_path(&self, namespace: Option<&str>) -> String {
        let root = if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        };
        match namespace {
            Some(namespace) if self.namespaced => format!("{root}/namespaces/{namespace}/{}", self.plural),
            _ => format!("{root}/{}", self.plural),
        }
    }
}

/// The API group of Mizar's own kinds.
pub const MIZAR_GROUP: &str = "mizar.com";

const fn namespaced(group: &'static str, version: &'static str, kind: &'static str, plural: &'static str) -> KindInfo {
    KindInfo { group, version, kind, plural, namespaced: true }
}

const fn cluster_wide(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
) -> KindInfo {
    KindInfo { group, version, kind, plural, namespaced: false }
}

/// All kinds known at build time.
pub const KINDS: &[KindInfo] = &[
    cluster_wide("", "v1", "Namespace", "namespaces"),
    cluster_wide("", "v1", "Node", "nodes"),
    cluster_wide("", "v1", "PersistentVolume", "persistentvolumes"),
    namespaced("", "v1", "ConfigMap", "configmaps"),
    namespaced("", "v1", "Endpoints", "endpoints"),
    namespaced("", "v1", "Event", "events"),
    namespaced("", "v1", "LimitRange", "limitranges"),
    namespaced("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    namespaced("", "v1", "Pod", "pods"),
    namespaced("", "v1", "ReplicationController", "replicationcontrollers"),
    namespaced("", "v1", "ResourceQuota", "resourcequotas"),
    namespaced("", "v1", "Secret", "secrets"),
    namespaced("", "v1", "Service", "services"),
    namespaced("", "v1", "ServiceAccount", "serviceaccounts"),
    cluster_wide("admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations"),
    cluster_wide(
        "admissionregistration.k8s.io",
        "v1",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
    ),
    cluster_wide("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions"),
    cluster_wide("apiextensions.k8s.io", "v1beta1", "CustomResourceDefinition", "customresourcedefinitions"),
    cluster_wide("apiregistration.k8s.io", "v1", "APIService", "apiservices"),
    namespaced("apps", "v1", "ControllerRevision", "controllerrevisions"),
    namespaced("apps", "v1", "DaemonSet", "daemonsets"),
    namespaced("apps", "v1", "Deployment", "deployments"),
    namespaced("apps", "v1", "ReplicaSet", "replicasets"),
    namespaced("apps", "v1", "StatefulSet", "statefulsets"),
    namespaced("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    namespaced("batch", "v1", "CronJob", "cronjobs"),
    namespaced("batch", "v1", "Job", "jobs"),
    namespaced("coordination.k8s.io", "v1", "Lease", "leases"),
    namespaced("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
    namespaced("networking.k8s.io", "v1", "Ingress", "ingresses"),
    cluster_wide("networking.k8s.io", "v1", "IngressClass", "ingressclasses"),
    namespaced("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
    namespaced("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    cluster_wide("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles"),
    cluster_wide("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings"),
    namespaced("rbac.authorization.k8s.io", "v1", "Role", "roles"),
    namespaced("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings"),
    cluster_wide("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses"),
    cluster_wide("storage.k8s.io", "v1", "StorageClass", "storageclasses"),
    namespaced(MIZAR_GROUP, "v1", "Bouncer", "bouncers"),
    namespaced(MIZAR_GROUP, "v1", "Divider", "dividers"),
    namespaced(MIZAR_GROUP, "v1", "Droplet", "droplets"),
    namespaced(MIZAR_GROUP, "v1", "Endpoint", "endpoints"),
    namespaced(MIZAR_GROUP, "v1", "Subnet", "subnets"),
    namespaced(MIZAR_GROUP, "v1", "Vpc", "vpcs"),
];

/// Finds a kind by what an object says of itself.
#[must_use]
pub fn lookup(api_version: &str, kind: &str) -> Option<KindInfo> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    KINDS.iter().copied().find(|known| known.group == group && known.version == version && known.kind == kind)
}

/// Finds a kind by the path of its collection in the whole cluster.
#[must_use]
pub fn lookup_path(path: &str) -> Option<KindInfo> {
    KINDS.iter().copied().find(|known| known.collection_path(None) == path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn kinds_are_found_by_group_version_and_name() {
        assert_eq!(lookup("v1", "Namespace").unwrap().plural, "namespaces");
        assert!(!lookup("v1", "Namespace").unwrap().namespaced);
        assert_eq!(lookup("apps/v1", "DaemonSet").unwrap().plural, "daemonsets");
        assert_eq!(lookup("mizar.com/v1", "Endpoint").unwrap().group, "mizar.com");
        assert_eq!(lookup("v1", "Endpoint"), None);
        assert_eq!(lookup("apps/v2", "DaemonSet"), None);
    }

    #[test]
    fn paths_follow_group_and_scope() {
        let path = |api_version, kind, namespace| lookup(api_version, kind).unwrap().collection_path(namespace);
        assert_eq!(path("v1", "Pod", Some("default")), "/api/v1/namespaces/default/pods");
        assert_eq!(path("v1", "Pod", None), "/api/v1/pods");
        assert_eq!(path("v1", "Node", Some("ignored")), "/api/v1/nodes");
        assert_eq!(path("mizar.com/v1", "Vpc", Some("default")), "/apis/mizar.com/v1/namespaces/default/vpcs");
    }

    #[test]
    fn the_written_form_of_every_kind_leads_back_to_it() {
        for known in KINDS {
            assert_eq!(lookup(&known.api_version(), known.kind), Some(*known), "{}", known.kind);
            assert_eq!(lookup_path(&known.collection_path(None)), Some(*known), "{}", known.kind);
        }
    }

    #[test]
    fn no_kind_is_listed_twice() {
        let names: BTreeSet<_> = KINDS.iter().map(|known| (known.api_version(), known.kind)).collect();
        assert_eq!(names.len(), KINDS.len());
    }
}
