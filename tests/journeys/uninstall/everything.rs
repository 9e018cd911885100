//! Whole uninstalls, and every object, finalizer and annotation afterwards.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use mizar_core::yaml::{DuplicateKeys, read_all};
use serde_json::Value;

use super::{Place, STAYS, assert_orderly};
use crate::cli::Mizar;
use crate::cluster::{assert_healthy_and_nothing_doubled, operation};

#[tokio::test(flavor = "multi_thread")]
async fn without_crds_the_definitions_their_release_and_the_namespace_stay_and_are_named() {
    let place = Place::installed().await;
    let ended = place.uninstall().run().await;
    ended.exits(0).tells(&[
        "4 pods on 3 nodes lose their network",
        "Deployment mizar-system/mizar-operator",
        "no pod of an operator is left",
        "3 nodes clean",
        "CustomResourceDefinition vpcs.mizar.com",
        "release mizar-crds",
        "Namespace mizar-system",
        "mizar-result.json",
    ]);
    place.is_as_before_but_for(&STAYS).await;
    place.nodes_are_clean(&[]).await;
    assert_orderly(&place, false).await;
    assert!(operation(&place.bed).await.outcome.unwrap().outcome.is_success());

    let result = place.result();
    assert_eq!((&result["outcome"], &result["nodes"]["node-2"]["state"]), (&"done".into(), &"clean".into()));
    let remains = result["remains"].as_array().unwrap();
    assert!(remains.iter().any(|left| left["what"] == "Namespace mizar-system"), "{result:#}");

    let mark = place.bed.mark().await.unwrap();
    place.uninstall().run().await.exits(0).tells(&["Nothing of Mizar is here that would go"]);
    let again = crate::cluster::changes(&place.bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/"));
    assert!(again.is_empty(), "{}", again.summary());
    place.uninstall().args("--crds").run().await.exits(0);
    place.is_as_before_but_for(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_crds_the_cluster_is_as_before_the_install() {
    let place = Place::installed().await;
    place.uninstall().args("--crds").run().await.exits(0).tells(&["nothing of Mizar is left"]);
    place.is_as_before_but_for(&[]).await;
    place.nodes_are_clean(&[]).await;
    assert_orderly(&place, true).await;

    // What was saved is what a cluster takes.
    let path = place.folder.path().join("mizar.yaml");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let (list, _) = read_all(&place.written("mizar.yaml"), DuplicateKeys::Refuse).unwrap().remove(0);
    let items = list["items"].as_array().unwrap();
    let of = |kind: &str| items.iter().filter(|item| item["kind"] == kind).count();
    assert_eq!((of("Vpc"), of("Subnet"), of("Droplet")), (1, 1, 3));
    assert!(
        items.iter().all(|item| item["metadata"]["uid"] == Value::Null && item["metadata"]["finalizers"].is_null())
    );

    // And a Mizar may come again, as the first one.
    Mizar::on(&place.bed).args("install -y").run().await.exits(2).tells(&["--profile"]);
    Mizar::install(&place.bed).run().await.exits(0);
    assert_healthy_and_nothing_doubled(&place.bed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_saved_objects_can_be_applied_again() {
    let place = Place::installed().await;
    place.uninstall().run().await.exits(0);
    let file = place.folder.path().join("mizar.yaml");
    let applied = place.bed.kubectl().unwrap().args(["apply", "--dry-run=server", "-f"]).arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&applied.stdout).into_owned();
    assert!(applied.status.success(), "{said}{}", String::from_utf8_lossy(&applied.stderr));
    assert!(said.contains("vpc.mizar.com/vpc0 created"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nodes_are_left_as_they_are_if_that_is_wanted_and_cleaned_later() {
    let place = Place::installed().await;
    let ended = place.uninstall().args("--keep-node-state").run().await;
    ended.exits(0).tells(&["what Mizar changed on the nodes", "--keep-node-state"]);
    place.is_as_before_but_for(&STAYS).await;
    place.nodes_are_clean(&["node-1", "node-2", "node-3"]).await;
    assert_eq!(place.result()["nodes"]["node-1"]["state"], "skipped");
    place.uninstall().run().await.exits(0).tells(&["3 nodes clean"]);
    place.nodes_are_clean(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_kept_as_helm_keeps_it() {
    let place = Place::installed().await;
    place.uninstall().args("--keep-history").run().await.exits(0);
    let listed = place.bed.helm4().unwrap().args(["history", "mizar", "-n", "mizar-system"]).output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("uninstalled") && listed.contains("Uninstallation complete"), "{listed}");
    place.uninstall().args("--keep-history").run().await.exits(0).tells(&["Nothing of Mizar is here"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_nodes_are_cleaned_too() {
    let place = Place::of(50).await;
    let ended = place.uninstall().args("--crds").within(Duration::from_secs(180)).run().await;
    ended.exits(0).tells(&["50 nodes clean"]);
    place.is_as_before_but_for(&[]).await;
    place.nodes_are_clean(&[]).await;
    assert_orderly(&place, true).await;
}
