//! What pods look like: bound and running, with about as much in them as those of an ordinary application.

use serde_json::{Value, json};

use super::bodies::{namespace, node_of, pod_address, uid};
use super::{FINALIZER, Write, handled};
use crate::nodes::{node_address, node_name};

/// The start of every run and condition; only its order with other times matters.
pub(super) const STARTED: &str = "2026-01-01T00:00:05Z";

/// The name of a pod of a ReplicaSet; ten share one.
pub(super) fn pod_name(index: usize) -> String {
    format!("{}-{:05x}", replica_set(index), index)
}

fn replica_set(index: usize) -> String {
    format!("application-{}-7d9c6b5f4", index % 5_000)
}

/// A pod of an application, and what its kubelet says of it.
pub(super) fn pod(index: usize) -> [Write; 2] {
    let (name, namespace) = (pod_name(index), namespace(index));
    let labels = json!({
        "app.kubernetes.io/name": format!("application-{}", index % 5_000), "pod-template-hash": "7d9c6b5f4", "team": namespace,
    });
    let spec = spec(index);
    let mut annotations = handled(&json!({"metadata": {"labels": labels}, "spec": spec}));
    annotations["prometheus.io/scrape"] = json!("true");
    annotations["prometheus.io/port"] = json!("9090");
    let body = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": namespace, "labels": labels, "annotations": annotations,
            "finalizers": [FINALIZER], "generateName": format!("{}-", replica_set(index)),
            "ownerReferences": [owner("ReplicaSet", &replica_set(index), &uid(1, index % 5_000))],
        },
        "spec": spec,
    });
    let address = pod_address(index);
    both(&namespace, &name, body, &status(&address, &node_address(node_of(index)), &["application"]))
}

/// The two writes of a pod.
pub(super) fn both(namespace: &str, name: &str, body: Value, status: &Value) -> [Write; 2] {
    let collection = format!("/api/v1/namespaces/{namespace}/pods");
    [
        Write::create(format!("{collection}?fieldManager=kube-controller-manager"), body),
        Write::status(format!("{collection}/{name}"), json!({ "status": status })),
    ]
}

/// What says that a controller made an object.
pub(super) fn owner(kind: &str, name: &str, uid: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": true, "blockOwnerDeletion": true,
    })
}

fn spec(index: usize) -> Value {
    json!({
        "nodeName": node_name(node_of(index)), "serviceAccountName": "default",
        "containers": [container("application", 8080)],
        "volumes": [
            {"name": "token", "projected": {"sources": [
                {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            ]}},
        ],
    })
}

fn container(name: &str, port: u16) -> Value {
    json!({
        "name": name, "image": format!("registry.example.com/shop/{name}:1.14.2"),
        "args": ["--listen", format!(":{port}"), "--log-format=json"],
        "ports": [{"name": "http", "containerPort": port}],
        "env": [
            {"name": "DATABASE_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "database", "key": "password"}}},
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "volumeMounts": [
            {"name": "token", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true},
        ],
    })
}

/// The status of a pod that runs and is ready.
pub(super) fn status(address: &str, host: &str, containers: &[&str]) -> Value {
    let condition =
        |kind: &str| json!({"type": kind, "status": "True", "lastProbeTime": null, "lastTransitionTime": STARTED});
    let container = |name: &&str| {
        json!({
            "name": name, "ready": true, "started": true, "restartCount": 0,
            "image": format!("registry.example.com/shop/{name}:1.14.2"),
            "imageID": format!("registry.example.com/shop/{name}@sha256:{:064x}", 7),
            "containerID": format!("containerd://{:064x}", 11),
            "state": {"running": {"startedAt": STARTED}},
        })
    };
    let kinds = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];
    json!({
        "phase": "Running", "hostIP": host, "hostIPs": [{"ip": host}], "podIP": address, "podIPs": [{"ip": address}],
        "startTime": STARTED, "conditions": kinds.map(condition),
        "containerStatuses": containers.iter().map(container).collect::<Vec<_>>(),
    })
}
