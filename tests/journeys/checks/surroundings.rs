//! Situations of what else the cluster holds: other networks, ranges that are taken, what another Mizar left, name
//! servers and system pods.

use serde_json::{Value, json};

use super::situation::Situation;
use super::stage::{FINALIZER, Stage, node, recently};
use crate::cluster::get;

/// Before an install.
pub(crate) fn before() -> Vec<Situation> {
    vec![
        Situation::before("other-network", "Cilium is in use")
            .fails("foreign-cni", "DaemonSet kube-system/cilium")
            .made_by(async |stage: &mut Stage<'_>| stage.create(DAEMON_SETS, cilium()).await),
        Situation::before("taken-range", "a node has an address in the range of the pod network")
            .fails("pod-network-range", "Node node-3")
            .made_by(async |stage: &mut Stage<'_>| add_address(stage, "20.0.0.7").await),
        Situation::before("namespace-going", "the release's namespace is being deleted and waits for a finalizer")
            .fails("release-namespace", "Namespace mizar-system")
            .made_by(async |stage: &mut Stage<'_>| {
                let held = json!({"metadata": {"name": "mizar-system", "finalizers": ["example.com/held"]}});
                stage.create("/api/v1/namespaces", held).await;
                stage.start_deleting("/api/v1/namespaces/mizar-system").await;
            }),
        Situation::before("foreign-mizar", "an operator that no release brought")
            .fails("existing-mizar", "Deployment kube-system/mizar-operator")
            .made_by(async |stage: &mut Stage<'_>| {
                let labels = json!({"app": "mizar-operator"});
                let pod = json!({"containers": [{"name": "mizar-operator", "image": "mizarnet/endpointopr:0.9"}]});
                let spec = json!({"replicas": 0, "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": pod}});
                let operator = json!({"metadata": {"name": "mizar-operator"}, "spec": spec});
                stage.create("/apis/apps/v1/namespaces/kube-system/deployments", operator).await;
            }),
        Situation::before("source-without-name", "ConfigMap system-source has no key name")
            .fails("system-source", "ConfigMap kube-system/system-source")
            .made_by(async |stage: &mut Stage<'_>| {
                let source = json!({"metadata": {"name": "system-source"}, "data": {"source": "arktos"}});
                stage.create("/api/v1/namespaces/kube-system/configmaps", source).await;
            }),
        Situation::before("left-finalizers", "a Mizar that is gone left its finalizer on a node and a network policy")
            .warns("left-finalizers", "node node-2")
            .made_by(async |stage: &mut Stage<'_>| {
                let policy =
                    json!({"metadata": {"name": "deny", "finalizers": [FINALIZER]}, "spec": {"podSelector": {}}});
                stage.create("/apis/networking.k8s.io/v1/namespaces/default/networkpolicies", policy).await;
                stage.edit(&node("node-2"), json!({"metadata": {"finalizers": [FINALIZER]}})).await;
            }),
    ]
}

/// Of an installed network.
pub(crate) fn after() -> Vec<Situation> {
    vec![
        Situation::after("other-network-beside", "Cilium runs on the same nodes")
            .fails("other-networks", "DaemonSet kube-system/cilium")
            .made_by(async |stage: &mut Stage<'_>| stage.create(DAEMON_SETS, cilium()).await),
        Situation::after("old-installation", "it works, and no release is recorded of it")
            .warns("old-installation", "DaemonSet mizar-system/mizar-daemon")
            .edited("healthy", |facts| {
                for workload in ["daemonSets", "deployments"] {
                    for one in facts[workload]["known"].as_array_mut().unwrap() {
                        one["helm"] = Value::Null;
                    }
                }
            }),
        Situation::after("range-in-use", "a node got an address in the range of the pods")
            .fails("network-ranges", "Node node-3")
            .made_by(async |stage: &mut Stage<'_>| add_address(stage, "10.20.9.9").await),
        Situation::after("no-name-server", "the name servers were scaled to zero")
            .fails("dns", "Deployment kube-system/coredns")
            .made_by(async |stage: &mut Stage<'_>| {
                let path = "/apis/apps/v1/namespaces/kube-system/deployments/coredns";
                stage.edit(path, json!({"spec": {"replicas": 0}})).await;
            }),
        Situation::after("system-pod-restarted", "a pod of the system restarted a moment ago")
            .warns("system-restarts", "Pod kube-system/proxy")
            .made_by(async |stage: &mut Stage<'_>| {
                let over = json!({"terminated": {"exitCode": 137, "reason": "Error", "startedAt": recently(9), "finishedAt": recently(1)}});
                restarted(stage, json!({"running": {"startedAt": recently(1)}}), over).await;
            }),
        Situation::after("system-pod-crashing", "a pod of the system crashes again and again")
            .fails("system-restarts", "Pod kube-system/proxy")
            .made_by(async |stage: &mut Stage<'_>| {
                let over = json!({"terminated": {"exitCode": 1, "reason": "Error", "startedAt": recently(2), "finishedAt": recently(1)}});
                restarted(stage, json!({"waiting": {"reason": "CrashLoopBackOff"}}), over).await;
            }),
    ]
}

const DAEMON_SETS: &str = "/apis/apps/v1/namespaces/kube-system/daemonsets";

fn cilium() -> Value {
    let labels = json!({"k8s-app": "cilium"});
    let spec = json!({"hostNetwork": true, "tolerations": [{"operator": "Exists"}],
        "containers": [{"name": "cilium-agent", "image": "quay.io/cilium/cilium:v1.17.2"}]});
    json!({"metadata": {"name": "cilium", "labels": labels}, "spec": {"selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": spec}}})
}

/// Gives node-3 a second address.
async fn add_address(stage: &mut Stage<'_>, address: &str) {
    let mut addresses = get(stage.bed, &node("node-3")).await["status"]["addresses"].clone();
    addresses.as_array_mut().unwrap().push(json!({"type": "InternalIP", "address": address}));
    stage.edit_status(&node("node-3"), json!({ "addresses": addresses })).await;
}

/// Has a new pod of the system be in a state, after an earlier one.
async fn restarted(stage: &mut Stage<'_>, now: Value, before: Value) {
    let path = stage.create_host_pod("kube-system", "proxy").await;
    let is_ready = now["running"].is_object();
    let status = json!({"name": "main", "image": "registry.example/any:1", "imageID": "", "ready": is_ready,
        "restartCount": 3, "state": now, "lastState": before});
    stage.edit_status(&path, json!({"containerStatuses": [status]})).await;
}
