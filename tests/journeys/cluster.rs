//! What a test sees of a bed past the program: objects as JSON, requests from the audit log, pods with addresses.

use std::time::{Duration, Instant};

use mizar_bed::{AuditTrail, Bed, BedOptions};
use mizar_core::operation::Operation;
use mizar_core::operation::storage::from_secret;
use serde_json::{Value, json};

use crate::cli::Mizar;

/// The namespace of the releases.
pub(crate) const NAMESPACE: &str = "mizar-system";

const PATIENCE: Duration = Duration::from_secs(20);

/// A clean bed with three nodes.
pub(crate) async fn bed() -> Bed {
    bed_of(3).await
}

/// A clean bed.
pub(crate) async fn bed_of(nodes: usize) -> Bed {
    Bed::acquire(BedOptions { nodes, ..BedOptions::default() }).await.unwrap()
}

/// A bed on which Mizar is installed.
pub(crate) async fn installed() -> Bed {
    let bed = bed().await;
    Mizar::install(&bed).run().await.exits(0);
    bed
}

/// Any request, as the administrator.
pub(crate) async fn send(bed: &Bed, method: &str, path: &str, body: Option<&Value>) -> Result<Value, kube::Error> {
    let mut request = http::Request::builder().method(method).uri(path);
    if body.is_some() {
        let content = match method {
            "PATCH" if path.contains("fieldManager=") => "application/apply-patch+yaml",
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        request = request.header("Content-Type", content);
    }
    let bytes = body.map(|body| serde_json::to_vec(body).unwrap()).unwrap_or_default();
    bed.admin().request(request.body(bytes).unwrap()).await
}

/// Reads an object.
pub(crate) async fn get(bed: &Bed, path: &str) -> Value {
    send(bed, "GET", path, None).await.unwrap_or_else(|error| panic!("GET {path}: {error}"))
}

/// Makes an object.
pub(crate) async fn create(bed: &Bed, path: &str, object: &Value) -> Value {
    send(bed, "POST", path, Some(object)).await.unwrap_or_else(|error| panic!("POST {path}: {error}"))
}

/// Changes an object.
pub(crate) async fn patch(bed: &Bed, path: &str, change: &Value) -> Value {
    send(bed, "PATCH", path, Some(change)).await.unwrap_or_else(|error| panic!("PATCH {path}: {error}"))
}

/// The objects of a list.
pub(crate) async fn items(bed: &Bed, path: &str) -> Vec<Value> {
    get(bed, path).await["items"].as_array().unwrap().clone()
}

/// The names of a list's objects, sorted.
pub(crate) async fn names(bed: &Bed, path: &str) -> Vec<String> {
    let items = items(bed, path).await;
    let mut names: Vec<String> =
        items.iter().map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// UID and generation of Mizar's pods, DaemonSet and Deployment: what no rerun may touch.
pub(crate) async fn identities(bed: &Bed) -> Vec<String> {
    let mut all = Vec::new();
    for path in [
        "/api/v1/namespaces/mizar-system/pods",
        "/apis/apps/v1/namespaces/mizar-system/daemonsets",
        "/apis/apps/v1/namespaces/mizar-system/deployments",
    ] {
        for item in items(bed, path).await {
            let metadata = &item["metadata"];
            all.push(format!("{} {} {}", metadata["name"], metadata["uid"], metadata["generation"]));
        }
    }
    all.sort();
    all
}

/// Creates a pod on the pod network and returns the address that it gets.
pub(crate) async fn address_of_new_pod(bed: &Bed, name: &str) -> String {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
        "containers": [{"name": "main", "image": "registry.example/any:1"}]}});
    // The account of a fresh namespace is made a moment after it.
    create(bed, "/api/v1/namespaces/default/pods", &pod).await;
    let begun = Instant::now();
    loop {
        let pod = get(bed, &format!("/api/v1/namespaces/default/pods/{name}")).await;
        if pod["status"]["phase"] == "Running" {
            return pod["status"]["podIP"].as_str().unwrap_or_default().to_owned();
        }
        assert!(begun.elapsed() < PATIENCE, "pod {name} does not run: {}", pod["status"]);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Asserts that the check passes and that of everything there is as much as there should be, no more.
pub(crate) async fn assert_healthy_and_nothing_doubled(bed: &Bed) {
    Mizar::on(bed).args("check").run().await.exits(0).prints(&["Mizar"]);
    let in_namespace = |group: &str, plural: &str| format!("{group}/namespaces/{NAMESPACE}/{plural}");
    assert_eq!(names(bed, &in_namespace("/apis/apps/v1", "daemonsets")).await, ["mizar-daemon"]);
    assert_eq!(names(bed, &in_namespace("/apis/apps/v1", "deployments")).await, ["mizar-operator"]);
    let nodes = names(bed, "/api/v1/nodes").await;
    let pods = items(bed, &in_namespace("/api/v1", "pods")).await;
    let pods: Vec<&Value> = pods.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).collect();
    assert_eq!(pods.len(), nodes.len() + 1, "one daemon a node and one operator");
    let mizar = |plural: &str| format!("/apis/mizar.com/v1/namespaces/default/{plural}");
    assert_eq!(names(bed, &mizar("vpcs")).await, ["vpc0"]);
    assert_eq!(names(bed, &mizar("subnets")).await, ["net0"]);
    assert_eq!(names(bed, &mizar("dividers")).await.len(), 1);
    assert_eq!(names(bed, &mizar("bouncers")).await.len(), 1);
    assert_eq!(names(bed, &mizar("droplets")).await, nodes);
    for release in ["mizar-crds", "mizar"] {
        let path = format!("/api/v1/namespaces/{NAMESPACE}/secrets?labelSelector=owner=helm,name={release}");
        let statuses: Vec<String> =
            items(bed, &path).await.iter().map(|item| item["metadata"]["labels"]["status"].to_string()).collect();
        let deployed = statuses.iter().filter(|status| *status == "\"deployed\"").count();
        let pending = statuses.iter().filter(|status| status.contains("pending")).count();
        assert_eq!((deployed, pending), (1, 0), "{release}: {statuses:?}");
    }
    assert!(operation(bed).await.outcome.is_some(), "the operation is not ended");
}

/// Our operation record, as it is stored.
pub(crate) async fn operation(bed: &Bed) -> Operation {
    operation_in(bed, NAMESPACE).await
}

/// The record of a change of what is in another namespace.
pub(crate) async fn operation_in(bed: &Bed, namespace: &str) -> Operation {
    let secret = get(bed, &format!("/api/v1/namespaces/{namespace}/secrets/mizar-operation")).await;
    from_secret(&secret).unwrap().operation
}

/// What kubectl-mizar asked for since the bed was taken.
pub(crate) async fn requests(bed: &Bed) -> AuditTrail {
    bed.audit().await.unwrap().agent("kubectl-mizar/")
}

/// Those of them that were to change something; what the server only tries changes nothing.
pub(crate) fn changes(trail: &AuditTrail) -> AuditTrail {
    trail.writes().filter(|entry| !entry.uri.contains("dryRun=All"))
}

/// The phase that a request's User-Agent names: `install/apply`.
pub(crate) fn phase(user_agent: &str) -> &str {
    user_agent.rsplit(' ').next().unwrap_or_default()
}
