//! Situations of nodes: what they run, and how they are.

use serde_json::{Value, json};

use super::situation::Situation;
use super::stage::{Stage, node, workload};
use crate::cluster::get;

const NODES: [&str; 3] = ["node-1", "node-2", "node-3"];

/// Before an install.
pub(crate) fn before() -> Vec<Situation> {
    vec![
        Situation::before("no-node-for-the-daemon", "every node is labelled as one of Kubemark's")
            .fails("eligible-nodes", "Node node-1")
            .made_by(async |stage: &mut Stage<'_>| {
                for name in NODES {
                    stage.edit(&node(name), json!({"metadata": {"labels": {"hollow-node": "true"}}})).await;
                }
            }),
        Situation::before("no-node-for-the-operator", "every node has a taint that the operator does not tolerate")
            .fails("operator-placement", "Node node-1")
            .made_by(async |stage: &mut Stage<'_>| {
                let taint = json!([{"key": "example.com/maintenance", "effect": "NoExecute"}]);
                for name in NODES {
                    stage.edit(&node(name), json!({"spec": {"taints": taint}})).await;
                }
            }),
        Situation::before(
            "hollow-node",
            "one of the nodes is pretended by Kubemark: it is left out, and nothing is wrong",
        )
        .made_by(hollow),
        Situation::before("node-without-address", "a kubelet reports no InternalIP")
            .fails("node-addresses", "Node node-2")
            .made_by(async |stage: &mut Stage<'_>| {
                let addresses = json!([{"type": "Hostname", "address": "node-2"}]);
                stage.edit_status(&node("node-2"), json!({ "addresses": addresses })).await;
            }),
        Situation::before("old-kernel", "a node runs Linux 5.4")
            .fails("node-kernel", "Node node-2")
            .made_by(async |stage: &mut Stage<'_>| info(stage, "kernelVersion", "5.4.0-1045-aws").await),
        Situation::before("unknown-kernel", "a node does not tell its kernel")
            .hides("node-kernel", "Node node-2")
            .made_by(async |stage: &mut Stage<'_>| info(stage, "kernelVersion", "").await),
        Situation::before("other-system", "a node runs Bottlerocket, which knows no apt")
            .fails("node-system", "Node node-2")
            .made_by(async |stage: &mut Stage<'_>| info(stage, "osImage", "Bottlerocket OS 1.20.0").await),
        Situation::before("other-runtime", "a node runs CRI-O")
            .warns("node-runtime", "Node node-2")
            .made_by(async |stage: &mut Stage<'_>| info(stage, "containerRuntimeVersion", "cri-o://1.30.1").await),
        Situation::before("other-architecture", "a node is a 32 bit ARM")
            .fails("node-architecture", "Node node-2")
            .made_by(async |stage: &mut Stage<'_>| info(stage, "architecture", "arm").await),
    ]
}

/// Of an installed network.
pub(crate) fn after() -> Vec<Situation> {
    vec![
        Situation::after("restart-cut-off", "a safe restart of the operator was cut off after it had cordoned a node")
            .warns("unfinished-restart", "Node node-2")
            .made_by(async |stage: &mut Stage<'_>| {
                let mark = json!({"mizar.dev/cordoned-by": "5f0c4b1e-7a52-4c3d-9c55-0d4f6f9b8a10"});
                let cordoned = json!({"metadata": {"annotations": mark}, "spec": {"unschedulable": true}});
                stage.edit(&node("node-2"), cordoned).await;
            }),
        Situation::after("network-unavailable", "a cloud provider says that a node has no network")
            .fails("nodes-ready", "Node node-2")
            .made_by(async |stage: &mut Stage<'_>| {
                let mut conditions = get(stage.bed, &node("node-2")).await["status"]["conditions"].clone();
                let unavailable = json!({"type": "NetworkUnavailable", "status": "True", "reason": "NoRouteCreated",
                    "message": "no route", "lastTransitionTime": "2026-01-01T00:00:00Z"});
                conditions.as_array_mut().unwrap().push(unavailable);
                stage.edit_status(&node("node-2"), json!({ "conditions": conditions })).await;
            }),
        Situation::after("operator-nowhere", "the operator asks for a node that does not exist")
            .fails("operator-placement", "Node node-1")
            .made_by(async |stage: &mut Stage<'_>| {
                stage.pause_operator().await;
                let nowhere = json!({"spec": {"template": {"spec": {"nodeSelector": {"disktype": "nowhere"}}}}});
                stage.edit(&workload("deployments/mizar-operator"), nowhere).await;
            }),
    ]
}

/// Has node-2 say something else about itself.
async fn info(stage: &mut Stage<'_>, field: &str, says: &str) {
    let info: Value = json!({ "nodeInfo": { field: says } });
    stage.edit_status(&node("node-2"), info).await;
}

/// Adds a node of Kubemark's: it says nothing about itself that would be well on a real one.
async fn hollow(stage: &mut Stage<'_>) {
    let labels = json!({"kubernetes.io/os": "linux", "kubernetes.io/hostname": "hollow-node-x7k2p",
        "bed.mizar.test/not-ready": "true"});
    let object = json!({"metadata": {"name": "hollow-node-x7k2p", "labels": labels},
        "spec": {"providerID": "kubemark://hollow-node-x7k2p"}});
    stage.create("/api/v1/nodes", object).await;
}
