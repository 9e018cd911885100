//! What is installed: the objects of the charts, their pods, CoreDNS, the services of applications.

use serde_json::{Value, json};

use super::bodies::{namespace, namespaces as team_namespaces, service_address, system_pod_address, uid};
use super::pods::{both, owner, status};
use super::{SeedError, Write};
use crate::nodes::{node_address, node_name};

/// The names of CoreDNS's pods.
pub(super) const CORE_DNS: [&str; 2] = ["coredns-6f6b679f8f-4kq2x", "coredns-6f6b679f8f-zv7tb"];
const RELEASE_NAMESPACE: &str = "mizar-system";
/// Kinds of the charts that are in no namespace.
const CLUSTER_WIDE: [&str; 3] = ["CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"];

pub(super) fn namespaces() -> Vec<Write> {
    let all = team_namespaces().chain([RELEASE_NAMESPACE.to_owned()]);
    all.map(|name| {
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        Write::create("/api/v1/namespaces", body)
    })
    .collect()
}

/// The objects of both charts as a release owns them.
pub(super) fn of_manifests(text: &str) -> Result<Vec<Write>, SeedError> {
    let documents: Vec<Value> =
        serde_yaml::from_multiple(text).map_err(|error| SeedError::Manifests(error.to_string()))?;
    Ok(documents.into_iter().filter(Value::is_object).map(installed).collect())
}

fn installed(mut object: Value) -> Write {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (api_version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
    let release = if kind == "CustomResourceDefinition" { "mizar-crds" } else { "mizar" };
    let metadata = &mut object["metadata"];
    metadata["labels"]["app.kubernetes.io/managed-by"] = json!("Helm");
    metadata["annotations"]["meta.helm.sh/release-name"] = json!(release);
    metadata["annotations"]["meta.helm.sh/release-namespace"] = json!(RELEASE_NAMESPACE);
    let prefix = if api_version.contains('/') { "apis" } else { "api" };
    let collection = if CLUSTER_WIDE.contains(&kind.as_str()) {
        format!("/{prefix}/{api_version}")
    } else {
        let namespace = metadata["namespace"].as_str().unwrap_or(RELEASE_NAMESPACE).to_owned();
        metadata["namespace"] = json!(namespace);
        format!("/{prefix}/{api_version}/namespaces/{namespace}")
    };
    Write::create(format!("{collection}/{}s?fieldManager=helm", kind.to_lowercase()), object)
}

/// What the controllers say of the workloads.
pub(super) fn statuses(nodes: usize) -> [Write; 2] {
    let workloads = format!("/apis/apps/v1/namespaces/{RELEASE_NAMESPACE}");
    let daemon = json!({"status": {
        "observedGeneration": 1, "desiredNumberScheduled": nodes, "currentNumberScheduled": nodes,
        "updatedNumberScheduled": nodes, "numberReady": nodes, "numberAvailable": nodes, "numberMisscheduled": 0,
    }});
    let operator = json!({"status": {
        "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1,
    }});
    [
        Write::status(format!("{workloads}/daemonsets/mizar-daemon"), daemon),
        Write::status(format!("{workloads}/deployments/mizar-operator"), operator),
    ]
}

/// The Secrets in which Helm records both releases, about as large as real ones.
pub(super) fn releases() -> [Write; 2] {
    ["mizar-crds", "mizar"].map(|name| {
        let labels =
            json!({"owner": "helm", "name": name, "version": "1", "status": "deployed", "modifiedAt": "1767225605"});
        let body = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
            "metadata": {
                "name": format!("sh.helm.release.v1.{name}.v1"), "namespace": RELEASE_NAMESPACE, "labels": labels,
            },
            "stringData": {"release": "H4sIAAAAAAAC".repeat(3_000)},
        });
        Write::create(format!("/api/v1/namespaces/{RELEASE_NAMESPACE}/secrets"), body)
    })
}

/// A pod that is in the network of its node.
struct HostPod<'a> {
    name: String,
    node: usize,
    labels: Value,
    owner: Value,
    container: &'a str,
    image: &'a str,
}

impl HostPod<'_> {
    fn writes(self) -> [Write; 2] {
        let container = json!({"name": self.container, "image": self.image, "securityContext": {"privileged": true}});
        let body = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": self.name, "namespace": RELEASE_NAMESPACE, "labels": self.labels,
                "ownerReferences": [self.owner],
            },
            "spec": {
                "nodeName": node_name(self.node), "hostNetwork": true, "tolerations": [{"operator": "Exists"}],
                "containers": [container],
            },
        });
        let address = node_address(self.node);
        both(RELEASE_NAMESPACE, &self.name, body, &status(&address, &address, &[self.container]))
    }
}

/// The images that profile dev names.
const DAEMON_IMAGE: &str = "docker.io/mizarnet/dropletd:0.91";
const OPERATOR_IMAGE: &str = "docker.io/mizarnet/endpointopr:0.91";

pub(super) fn daemon_pod(number: usize) -> [Write; 2] {
    HostPod {
        name: format!("mizar-daemon-{number:05x}"),
        node: number,
        labels: json!({"job": "mizar-daemon", "controller-revision-hash": "5c9d8f7b6"}),
        owner: owner("DaemonSet", "mizar-daemon", &uid(2, 1)),
        container: "mizar-daemon",
        image: DAEMON_IMAGE,
    }
    .writes()
}

/// The operator and the name servers.
pub(super) fn system_pods() -> Vec<[Write; 2]> {
    let operator = HostPod {
        name: "mizar-operator-6d8f7c9b5-x2k4q".to_owned(),
        node: 1,
        labels: json!({"app": "mizar-operator", "mizar": "operator", "pod-template-hash": "6d8f7c9b5"}),
        owner: owner("ReplicaSet", "mizar-operator-6d8f7c9b5", &uid(3, 1)),
        container: "mizar-operator",
        image: OPERATOR_IMAGE,
    };
    let core_dns = CORE_DNS.iter().enumerate().map(|(index, name)| {
        let body = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": name, "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"},
                "ownerReferences": [owner("ReplicaSet", "coredns-6f6b679f8f", &uid(4, 1))],
            },
            "spec": {
                "nodeName": node_name(1),
                "containers": [{"name": "coredns", "image": "registry.k8s.io/coredns/coredns:v1.12.1"}],
            },
        });
        both("kube-system", name, body, &status(&system_pod_address(index), &node_address(1), &["coredns"]))
    });
    std::iter::once(operator.writes()).chain(core_dns).collect()
}

/// The name of a service of an application.
pub(super) fn service_name(index: usize) -> String {
    format!("application-{index}")
}

/// One service for each application, and the one of the name service; the server makes its own.
pub(super) fn services(count: usize) -> impl Iterator<Item = Write> {
    let service = |name: &str, namespace: &str, address: &str, port: u16| {
        let body = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "clusterIP": address, "selector": {"app.kubernetes.io/name": name},
                "ports": [{"name": "main", "port": port, "protocol": "TCP", "targetPort": port}],
            },
        });
        Write::create(format!("/api/v1/namespaces/{namespace}/services"), body)
    };
    let of_teams =
        (0..count).map(move |index| service(&service_name(index), &namespace(index), &service_address(index), 8080));
    std::iter::once(service("kube-dns", "kube-system", "10.96.0.10", 53)).chain(of_teams).chain(name_servers())
}

/// The core Endpoints of the name service.
fn name_servers() -> [Write; 1] {
    let addresses = [0, 1].map(|index| json!({"ip": system_pod_address(index), "nodeName": node_name(1)}));
    let body = json!({
        "apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "kube-dns", "namespace": "kube-system"},
        "subsets": [{"addresses": addresses, "ports": [{"name": "main", "port": 53, "protocol": "TCP"}]}],
    });
    [Write::create("/api/v1/namespaces/kube-system/endpoints", body)]
}
