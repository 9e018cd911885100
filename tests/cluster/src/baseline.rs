//! What every bed has in its cluster: CoreDNS with its Service, the Endpoints of default/kubernetes, rights of the roles.
//!
//! And the list of all that exists when a bed is ready, which a reset compares with.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::stream::{self, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::client::{self, ClientError};
use crate::users::Role;

const PATIENCE: Duration = Duration::from_secs(60);
const COREDNS_REPLICAS: usize = 2;
/// Endpoints may not be loopback addresses; nothing on the bed connects to this one (RFC 5737).
const PUBLISHED_ADDRESS: &str = "192.0.2.1";

/// Why the cluster has not what every bed has.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// The server said no.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// CoreDNS does not run.
    #[error("CoreDNS is not Running after {} s: {state}", PATIENCE.as_secs())]
    CoreDns {
        /// What its pods say.
        state: String,
    },
}

/// Applies what every bed has.
pub(crate) async fn apply(client: &kube::Client, api_server_port: &str) -> Result<(), ClientError> {
    let objects = manifests(api_server_port.parse().unwrap_or_default());
    stream::iter(objects.into_iter().map(Ok))
        .try_for_each_concurrent(8, |(path, object)| async move { apply_patiently(client, &path, &object).await })
        .await
}

/// A new API server makes its namespaces a moment after it says it is ready.
async fn apply_patiently(client: &kube::Client, path: &str, object: &Value) -> Result<(), ClientError> {
    let started = Instant::now();
    loop {
        match client::apply(client, path, object).await {
            Err(error) if matches!(error.code(), Some(403 | 404)) && started.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            other => return other.map(drop),
        }
    }
}

fn manifests(api_server_port: u16) -> Vec<(String, Value)> {
    let core_dns = [("serviceaccounts", service_account()), ("services", core_dns_service())]
        .map(|(plural, object)| (format!("/api/v1/namespaces/kube-system/{plural}"), object));
    let deployment = ("/apis/apps/v1/namespaces/kube-system/deployments".to_owned(), core_dns_deployment());
    let endpoints = ("/api/v1/namespaces/default/endpoints".to_owned(), kubernetes_endpoints(api_server_port));
    core_dns
        .into_iter()
        .chain([deployment, endpoints])
        .chain(role_rights())
        .map(|(collection, object)| {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            (format!("{collection}/{name}"), object)
        })
        .collect()
}

fn service_account() -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "coredns", "namespace": "kube-system"}})
}

fn core_dns_service() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}},
        "spec": {
            "clusterIP": "10.0.0.10", "selector": {"k8s-app": "kube-dns"},
            "ports": [
                {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
                {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
            ],
        },
    })
}

fn core_dns_deployment() -> Value {
    let labels = json!({"k8s-app": "kube-dns"});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "coredns", "namespace": "kube-system", "labels": labels},
        "spec": {
            "replicas": COREDNS_REPLICAS, "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "serviceAccountName": "coredns", "priorityClassName": "system-cluster-critical",
                    "dnsPolicy": "Default",
                    "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
                    "containers": [{
                        "name": "coredns", "image": "registry.k8s.io/coredns/coredns:v1.12.1",
                        "ports": [{"name": "dns", "containerPort": 53, "protocol": "UDP"}],
                    }],
                },
            },
        },
    })
}

fn kubernetes_endpoints(port: u16) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "kubernetes", "namespace": "default"},
        "subsets": [{"addresses": [{"ip": PUBLISHED_ADDRESS}], "ports": [{"name": "https", "port": port, "protocol": "TCP"}]}],
    })
}

fn role_rights() -> Vec<(String, Value)> {
    let group = "rbac.authorization.k8s.io";
    let collection = |plural: &str| format!("/apis/{group}/v1/{plural}");
    let binding = |role: Role, cluster_role: &str| {
        let name = format!("bed:{role}");
        let object = json!({
            "apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": cluster_role},
            "subjects": [{"apiGroup": group, "kind": "User", "name": role.name()}],
        });
        (collection("clusterrolebindings"), object)
    };
    let reading = json!({
        "apiVersion": format!("{group}/v1"), "kind": "ClusterRole", "metadata": {"name": "bed:checker"},
        "rules": [
            {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
            {"nonResourceURLs": ["*"], "verbs": ["get"]},
        ],
    });
    vec![
        (collection("clusterroles"), reading),
        binding(Role::Checker, "bed:checker"),
        binding(Role::Installer, "cluster-admin"),
    ]
}

/// Waits until both pods of CoreDNS are Ready and none of their predecessors is left.
pub(crate) async fn until_core_dns_runs(client: &kube::Client) -> Result<(), BaselineError> {
    let path = "/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app%3Dkube-dns";
    let started = Instant::now();
    loop {
        let list = client::get(client, path).await?;
        let pods = list["items"].as_array().map_or(&[][..], Vec::as_slice);
        if pods.len() == COREDNS_REPLICAS && pods.iter().all(is_ready) {
            return Ok(());
        }
        if started.elapsed() >= PATIENCE {
            let describe = |pod: &Value| format!("{} {}", pod["metadata"]["name"], pod["status"]["phase"]);
            let state = pods.iter().map(describe).collect::<Vec<_>>().join(", ");
            return Err(BaselineError::CoreDns { state: if state.is_empty() { "no pods".to_owned() } else { state } });
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    pod["metadata"]["deletionTimestamp"].is_null()
        && conditions.iter().any(|it| it["type"] == "Ready" && it["status"] == "True")
}

/// Everything that exists on a fresh bed, by collection and `namespace/name`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Baseline {
    pub(crate) objects: BTreeMap<String, BTreeMap<String, Marks>>,
}

/// The parts of an object's metadata that others write on it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marks {
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) annotations: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) finalizers: Vec<String>,
}
