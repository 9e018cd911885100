//! What does not go as it should: a node that cannot be cleaned, an operator that is gone, a namespace that hangs, objects of
//! others in our namespace.

use mizar_bed::{Fault, FaultOrder};
use serde_json::json;

use super::{Place, SCALE, STAYS};
use crate::cluster::{create, get, names, operation, patch, send};

fn on_node_2(fault: Fault) -> FaultOrder {
    FaultOrder { fault, node: Some("node-2".to_owned()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_cannot_be_cleaned_is_named_and_a_later_run_does_only_that() {
    let place = Place::installed().await;
    place.bed.fault(on_node_2(Fault::CleanUpFails)).await.unwrap();
    let ended = place.uninstall().args("--crds").run().await;
    ended.exits(5).tells(&[
        "1 node not cleaned",
        "node node-2: the link veth-0a1b2c3d cannot be deleted",
        "logs job/mizar-clean-node-",
        "--skip-node node-2",
    ]);
    place.nodes_are_clean(&["node-2"]).await;
    assert_eq!(place.result()["nodes"]["node-2"]["state"], "failed");
    assert!(!operation(&place.bed).await.outcome.unwrap().outcome.is_success());
    place.bed.clear_faults().await.unwrap();
    let again = place.uninstall().args("--crds").run().await;
    again.exits(0).tells(&["going on", "1 node clean"]);
    place.nodes_are_clean(&[]).await;
    place.is_as_before_but_for(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_job_never_ends_is_named_and_may_be_left_out() {
    let place = Place::installed().await;
    place.bed.fault(on_node_2(Fault::CleanUpHangs)).await.unwrap();
    let ended = place.uninstall().args("--timeout 4s").run().await;
    ended.exits(5).tells(&["node node-2:", "run the same command again"]);
    place.nodes_are_clean(&["node-2"]).await;
    place.uninstall().args("--skip-node node-2").run().await.exits(0).tells(&["--skip-node"]);
    place.is_as_before_but_for(&STAYS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hangs_since_the_operator_is_gone_is_let_go() {
    let place = Place::installed().await;
    let workloads = "/apis/apps/v1/namespaces/mizar-system";
    for path in [format!("{workloads}/deployments/mizar-operator"), format!("{workloads}/daemonsets/mizar-daemon")] {
        send(&place.bed, "DELETE", &path, None).await.unwrap();
    }
    crate::restart::until("the operator is gone", async || {
        let pods = "/api/v1/pods?labelSelector=app=mizar-operator";
        names(&place.bed, pods).await.is_empty()
    })
    .await;
    create(&place.bed, "/api/v1/namespaces", &json!({"metadata": {"name": "shop"}})).await;
    let marker = json!({"metadata": {"finalizers": ["kopf.zalando.org/KopfFinalizerMarker", "shop.example/keep"]}});
    patch(&place.bed, "/api/v1/namespaces/shop", &marker).await;
    for path in ["/api/v1/namespaces/mizar-system", "/api/v1/namespaces/shop", "/api/v1/namespaces/default/pods/one"] {
        send(&place.bed, "DELETE", path, None).await.unwrap();
    }
    assert!(get(&place.bed, "/api/v1/namespaces/shop").await["metadata"]["deletionTimestamp"].is_string());
    place.uninstall().args("--crds").run().await.exits(0);
    let shop = get(&place.bed, "/api/v1/namespaces/shop").await;
    assert_eq!(shop["metadata"]["finalizers"], json!(["shop.example/keep"]), "that of somebody else stays");
    patch(&place.bed, "/api/v1/namespaces/shop", &json!({"metadata": {"finalizers": []}})).await;
    place.nodes_are_clean(&[]).await;
    let two = ["/api/v1/namespaces/default/pods/two"];
    place.before.assert_now(&place.bed, &two, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_others_use_stays_and_is_named() {
    let place = Place::installed().await;
    let theirs = json!({"metadata": {"name": "theirs"}, "data": {"a": "b"}});
    create(&place.bed, "/api/v1/namespaces/mizar-system/configmaps", &theirs).await;
    let ended = place.uninstall().args("--crds").run().await;
    ended.exits(0).tells(&["Namespace mizar-system", "others use it", "theirs"]);
    place
        .is_as_before_but_for(&[
            "/api/v1/namespaces/mizar-system",
            "/api/v1/namespaces/mizar-system/configmaps/kube-root-ca.crt",
            "/api/v1/namespaces/mizar-system/configmaps/theirs",
            "/api/v1/namespaces/mizar-system/serviceaccounts/default",
        ])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_was_there_before_mizar_stays() {
    let bed = crate::cluster::bed().await;
    create(&bed, "/api/v1/namespaces", &json!({"metadata": {"name": "mizar-system"}})).await;
    crate::cli::Mizar::install(&bed).run().await.exits(0);
    let folder = tempfile::TempDir::new().unwrap();
    let ended = crate::cli::Mizar::on(&bed)
        .args("uninstall --crds --yes --export")
        .arg(folder.path().join("mizar.yaml"))
        .impatient(SCALE)
        .run()
        .await;
    ended.exits(0).tells(&["Namespace mizar-system", "it was there before Mizar"]);
    assert!(names(&bed, "/api/v1/namespaces").await.contains(&"mizar-system".to_owned()));
    assert!(names(&bed, "/api/v1/namespaces/mizar-system/secrets").await.is_empty());
}
