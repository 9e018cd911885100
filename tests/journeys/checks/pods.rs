//! Situations of the pods and services that use the network.

use mizar_bed::Fault;
use mizar_core::facts::HOLD_LABEL;
use serde_json::{Value, json};

use super::situation::Situation;
use super::stage::{Stage, mizar, recently};
use crate::cluster::address_of_new_pod;

/// Of an installed network.
pub(crate) fn after() -> Vec<Situation> {
    vec![
        Situation::after("endpoint-of-another-address", "a pod and its Endpoint have different addresses")
            .fails("pod-endpoints", "web")
            .lasting(5)
            .made_by(async |stage: &mut Stage<'_>| {
                let endpoint = stage.endpoint_of_a_web_pod().await;
                stage.edit(&mizar(&format!("endpoints/{endpoint}")), json!({"spec": {"ip": "10.20.99.9"}})).await;
            }),
        Situation::after("service-of-another-address", "a service and its Endpoint have different addresses")
            .fails("service-endpoints", "Endpoint web-default")
            .lasting(5)
            .made_by(async |stage: &mut Stage<'_>| {
                stage.edit(&mizar("endpoints/web-default"), json!({"spec": {"ip": "10.96.99.9"}})).await;
            }),
        Situation::after("endpoint-without-service", "the Endpoint of a service that is gone")
            .warns("service-endpoints", "Endpoint shop-default")
            .lasting(5)
            .made_by(async |stage: &mut Stage<'_>| {
                stage.create(&mizar("endpoints"), endpoint("shop-default", "scaled", "10.96.99.8")).await;
            }),
        Situation::after("endpoint-without-pod", "the Endpoint of a pod that is gone")
            .warns("leaked-endpoints", "Endpoint gone-default--eth-0a1b2c3d")
            .lasting(5)
            .made_by(async |stage: &mut Stage<'_>| {
                let mut endpoint = endpoint("gone-default--eth-0a1b2c3d", "simple", "10.20.77.7");
                endpoint["spec"]["pod"] = json!("gone");
                stage.create(&mizar("endpoints"), endpoint).await;
            }),
        Situation::after("placeholder-for-nobody", "the address of a pod that is gone is still kept")
            .warns("idle-placeholders", "Endpoint mizar-hold-1-10.20.66.6")
            .lasting(5)
            .made_by(async |stage: &mut Stage<'_>| {
                let mut endpoint = endpoint("mizar-hold-1-10.20.66.6", "scaled", "10.20.66.6");
                endpoint["metadata"]["labels"] = json!({ HOLD_LABEL: "7d1f3a52-0000-4000-8000-000000000000" });
                stage.create(&mizar("endpoints"), endpoint).await;
            }),
        Situation::after("duplicate-address", "two pods got one address")
            .fails("duplicate-addresses", "--")
            .lasting(5)
            .made_by(async |stage: &mut Stage<'_>| {
                stage.fault(Fault::DuplicateAddress, None).await;
                stage.remove_afterwards("/api/v1/namespaces/default/pods/second");
                address_of_new_pod(stage.bed, "second").await;
            }),
        Situation::after("pod-without-sandbox", "the kubelet cannot give a pod a network")
            .fails("pod-sandboxes", "Pod default/waiting")
            .lasting(6)
            .made_by(async |stage: &mut Stage<'_>| {
                waiting_pod(stage).await;
                stage.create("/api/v1/namespaces/default/events", sandbox_event()).await;
            }),
        Situation::after("pod-not-starting", "a pod does not start, and no event tells why")
            .warns("pod-sandboxes", "Pod default/waiting")
            .lasting(6)
            .made_by(waiting_pod),
        Situation::after(
            "handler-unfinished",
            "the operator does not get done with an Endpoint that it marked as Provisioned",
        )
        .warns("unfinished-handlers", "Endpoint web-")
        .lasting(5)
        .made_by(async |stage: &mut Stage<'_>| {
            let endpoint = stage.endpoint_of_a_web_pod().await;
            let retries = json!({"started": recently(3), "delayed": recently(0), "purpose": "resume", "retries": 9,
                    "success": false, "failure": false, "message": "Bouncers not yet ready!"});
            let annotations = json!({"kopf.zalando.org/endpoint_opr_on_endpoint_provisioned": retries.to_string()});
            let change = json!({"metadata": {"annotations": annotations}});
            stage.edit(&mizar(&format!("endpoints/{endpoint}")), change).await;
        }),
    ]
}

fn endpoint(name: &str, kind: &str, ip: &str) -> Value {
    let spec = json!({"type": kind, "status": "Provisioned", "vpc": "vpc0", "net": "net0", "vni": "1", "ip": ip,
        "prefix": "16", "gw": "10.20.0.1", "droplet": "node-1"});
    json!({"apiVersion": "mizar.com/v1", "kind": "Endpoint", "metadata": {"name": name}, "spec": spec})
}

/// A pod that is on its node and gets no further.
async fn waiting_pod(stage: &mut Stage<'_>) {
    let path = stage.create_stuck_pod("default", "waiting").await;
    let status = json!({"name": "main", "image": "registry.example/any:1", "imageID": "", "ready": false,
        "restartCount": 0, "state": {"waiting": {"reason": "ContainerCreating"}}});
    let placed = json!({"type": "PodScheduled", "status": "True", "lastTransitionTime": recently(0)});
    stage.edit_status(&path, json!({"phase": "Pending", "conditions": [placed], "containerStatuses": [status]})).await;
}

fn sandbox_event() -> Value {
    let message = "Failed to create pod sandbox: plugin type=\"mizarcni\" failed (add): context deadline exceeded";
    json!({"metadata": {"name": "waiting.17f0000000000000"}, "type": "Warning", "reason": "FailedCreatePodSandBox",
        "involvedObject": {"kind": "Pod", "namespace": "default", "name": "waiting"}, "message": message, "count": 4,
        "source": {"component": "kubelet", "host": "node-1"}, "firstTimestamp": recently(1), "lastTimestamp": recently(0)})
}
