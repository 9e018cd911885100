//! What the server refused when the operator wanted to create it: the operator takes it to exist.

use mizar_bed::Fault;
use serde_json::json;

use super::{
    LATE, SETTLING, assert_named_without_droplet_until_it_is_mended, at_work, check, deployment, fault, mizar, prove,
    repair, repair_within_5_s,
};
use crate::cluster::{create, items, patch, send};
use crate::restart::{a_wired_service, restart, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_whose_endpoint_was_refused_is_recreated_and_its_successor_is_named_as_long_as_it_is_refused_too() {
    let bed = at_work().await;
    deployment(&bed, "web", 1).await;
    fault(&bed, Fault::CreateRefused, None).await;
    patch(&bed, "/apis/apps/v1/namespaces/default/deployments/web", &json!({"spec": {"replicas": 2}})).await;
    tokio::time::sleep(LATE).await;
    check(&bed).await.prints(&["default/web-", "waits for a network that the operator never began to give it"]);
    let failed = repair_within_5_s(&bed).await;
    failed.exits(6).tells(&["cut-off-pods stopped", "pod default/web-", "kubectl -n mizar-system logs"]);
    bed.clear_faults().await.unwrap();
    tokio::time::sleep(LATE).await;
    repair(&bed).await.exits(0).tells(&["recreate Pod default/web-"]);
    prove(&bed, "pod").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_whose_endpoint_was_refused_is_named_and_wired_by_a_safe_restart() {
    let bed = at_work().await;
    deployment(&bed, "web", 1).await;
    fault(&bed, Fault::CreateRefused, None).await;
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "refused"},
        "spec": {"ports": [{"port": 80}], "selector": {"app": "web"}}});
    create(&bed, "/api/v1/namespaces/default/services", &service).await;
    tokio::time::sleep(SETTLING).await;
    bed.clear_faults().await.unwrap();
    let way_out = "kubectl mizar repair --restart-operator";
    check(&bed).await.exits(1).prints(&["default/refused: has no Endpoint of Mizar", way_out]);
    // Everything runs and nobody would try again: a restart is a person's decision.
    repair(&bed).await.exits(1).tells(&["default/refused: has no Endpoint of Mizar", way_out]);
    restart(&bed).impatient(super::SCALE).run().await.exits(0);
    until("the service is wired", async || {
        items(&bed, &mizar("endpoints"))
            .await
            .iter()
            .any(|it| it["metadata"]["name"] == "refused-default" && it["spec"]["status"] == "Provisioned")
    })
    .await;
    a_wired_service(&bed, "another").await;
    prove(&bed, "service").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_droplet_that_was_refused_is_named_and_the_rerun_connects_its_node() {
    let bed = at_work().await;
    deployment(&bed, "web", 1).await;
    fault(&bed, Fault::CreateRefused, Some("node-2")).await;
    send(&bed, "DELETE", &mizar("endpoints/node-2-default--hostep-1"), None).await.unwrap();
    tokio::time::sleep(SETTLING).await;
    check(&bed).await.exits(1).prints(&["host-endpoints", "Droplet node-2"]);
    // What is to be made anew is refused: the Droplet that went does not come back.
    assert_named_without_droplet_until_it_is_mended(&bed).await;
    prove(&bed, "droplet").await;
}
