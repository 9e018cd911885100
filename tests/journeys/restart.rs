//! The safe restart of the operator: `repair --restart-operator` on a network that is in use.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use mizar_bed::Bed;
use serde_json::{Value, json};

use crate::cli::Mizar;
use crate::cluster::{
    NAMESPACE, address_of_new_pod, assert_healthy_and_nothing_doubled, changes, create, get, installed, items, patch,
    requests,
};

const PATIENCE: Duration = Duration::from_secs(30);
const ENDPOINTS: &str = "/apis/mizar.com/v1/namespaces/default/endpoints";
const OPERATOR: &str = "/apis/apps/v1/namespaces/mizar-system/deployments/mizar-operator";

fn restart(bed: &Bed) -> Mizar {
    Mizar::on(bed).args("repair --restart-operator -y")
}

/// Waits until something is true.
async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The addresses of the pods on the pod network, by name.
async fn addresses(bed: &Bed) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pods = items(bed, "/api/v1/namespaces/default/pods").await;
    pods.iter().map(|pod| (text(&pod["metadata"]["name"]), text(&pod["status"]["podIP"]))).collect()
}

async fn assert_all_addresses_differ(bed: &Bed) {
    let addresses = addresses(bed).await;
    let distinct: BTreeSet<&String> = addresses.iter().map(|(_, address)| address).collect();
    assert_eq!(distinct.len(), addresses.len(), "{addresses:?}");
}

/// Creates a service and waits until the operator has wired it.
async fn a_wired_service(bed: &Bed, name: &str) {
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"ports": [{"port": 80}], "selector": {"app": name}}});
    create(bed, "/api/v1/namespaces/default/services", &service).await;
    until("the service is wired", async || {
        let endpoints = items(bed, ENDPOINTS).await;
        let name = format!("{name}-default");
        endpoints.iter().any(|it| it["metadata"]["name"] == name.as_str() && it["spec"]["status"] == "Provisioned")
    })
    .await;
}

async fn no_handler_waits(bed: &Bed) {
    for kind in ["droplets", "vpcs", "dividers", "subnets", "bouncers", "endpoints"] {
        for object in items(bed, &format!("/apis/mizar.com/v1/{kind}")).await {
            let annotations = object["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
            let known = ["kopf.zalando.org/last-handled-configuration"];
            let waiting: Vec<&String> = annotations.keys().filter(|key| !known.contains(&key.as_str())).collect();
            assert!(waiting.is_empty(), "{kind} {}: {waiting:?}", object["metadata"]["name"]);
            assert_eq!(object["spec"]["status"], "Provisioned", "{kind} {}", object["metadata"]["name"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_keep_their_addresses_and_new_ones_get_others() {
    let bed = installed().await;
    for pod in ["a", "b", "c"] {
        address_of_new_pod(&bed, pod).await;
    }
    let before = addresses(&bed).await;
    patch(&bed, "/api/v1/nodes/node-3", &json!({"spec": {"unschedulable": true}})).await;
    restart(&bed).run().await.exits(0);
    assert_eq!(addresses(&bed).await, before, "pods that ran keep what they have");
    for pod in ["d", "e", "f", "g"] {
        address_of_new_pod(&bed, pod).await;
    }
    assert_all_addresses_differ(&bed).await;
    a_wired_service(&bed, "web").await;
    no_handler_waits(&bed).await;
    for (node, cordoned) in [("node-1", false), ("node-2", false), ("node-3", true)] {
        let node = get(&bed, &format!("/api/v1/nodes/{node}")).await;
        assert_eq!(node["spec"]["unschedulable"] == true, cordoned, "{}", node["metadata"]["name"]);
        assert!(node["metadata"]["annotations"]["mizar.dev/cordoned-by"].is_null());
    }
    let writes = changes(&requests(&bed).await).count();
    println!("{writes} writes");
    assert_healthy_and_nothing_doubled(&bed).await;
    let rerun = Mizar::install(&bed).run().await;
    rerun.exits(0).tells(&["nothing was written"]);
    let _ = (NAMESPACE, OPERATOR);
}
