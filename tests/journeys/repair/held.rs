//! Addresses that a young operator does not know to be in use, when somebody else than `repair` has brought it back to work.

use std::collections::BTreeSet;
use std::time::Duration;

use mizar_bed::Bed;
use serde_json::{Value, json};

use super::{SCALE, check, mizar, prove, repair, restart_operator};
use crate::cli::Mizar;
use crate::cluster::{NAMESPACE, address_of_new_pod, installed, items, patch};
use crate::restart::{assert_all_addresses_differ, until};

/// The only Bouncer of the network.
async fn bouncer(bed: &Bed) -> Value {
    items(bed, &mizar("bouncers")).await.remove(0)
}

async fn set_bouncer_to_init(bed: &Bed) {
    let path = format!("{}/{}", mizar("bouncers"), bouncer(bed).await["metadata"]["name"].as_str().unwrap());
    patch(bed, &path, &json!({"spec": {"status": "Init"}})).await;
}

async fn placeholders(bed: &Bed) -> Vec<Value> {
    items(bed, &format!("{}?labelSelector=mizar.dev/holds-for", mizar("endpoints"))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn placeholders_of_an_earlier_operator_are_made_known_to_one_that_a_person_unlocked() {
    let bed = installed().await;
    for pod in ["a", "b", "c"] {
        address_of_new_pod(&bed, pod).await;
    }
    restart_operator(&bed).await;
    repair(&bed).await.exits(0);
    assert!(placeholders(&bed).await.len() >= 3);
    restart_operator(&bed).await;
    set_bouncer_to_init(&bed).await;
    until("it is placed", async || bouncer(&bed).await["spec"]["status"] == "Provisioned").await;
    tokio::time::sleep(Duration::from_secs(7)).await;
    check(&bed).await.prints(&["unknown-addresses"]);
    let plan = Mizar::on(&bed).args("repair --plan").impatient(SCALE).run().await;
    plan.exits(0).prints(&["placeholders", "addresses (the operator does not know that they are used", "cuts nothing"]);
    repair(&bed).await.exits(0);
    let known: BTreeSet<String> = placeholders(&bed)
        .await
        .iter()
        .map(|held| held["metadata"]["labels"]["mizar.dev/known-to"].to_string())
        .collect();
    assert_eq!(known.len(), 1, "all are known to one and the same run: {known:?}");
    repair(&bed).await.exits(0).tells(&["nothing to do"]);
    prove(&bed, "known").await;
    assert_all_addresses_differ(&bed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bouncer_that_the_operator_gave_up_comes_back_after_the_used_addresses_are_held() {
    let bed = installed().await;
    for pod in ["a", "b"] {
        address_of_new_pod(&bed, pod).await;
    }
    let scale = async |replicas: u8| {
        let path = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/mizar-operator");
        patch(&bed, &path, &json!({"spec": {"replicas": replicas}})).await;
    };
    scale(0).await;
    let pods = format!("/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app=mizar-operator");
    until("the operator is gone", async || items(&bed, &pods).await.is_empty()).await;
    set_bouncer_to_init(&bed).await;
    scale(1).await;
    until("it is ready", async || {
        let pods = items(&bed, &pods).await;
        pods.iter().any(|pod| pod["status"]["containerStatuses"][0]["ready"] == true)
    })
    .await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(bouncer(&bed).await["spec"]["status"], "Init", "it was given up");
    let plan = Mizar::on(&bed).args("repair --plan").impatient(SCALE).run().await;
    plan.exits(0).prints(&["stalled-objects", "addresses, then set Bouncer", "cuts nothing"]);
    repair(&bed).await.exits(0);
    assert!(placeholders(&bed).await.len() >= 2);
    prove(&bed, "revived").await;
    assert_all_addresses_differ(&bed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_safe_restart_every_placeholder_is_known_to_the_new_operator() {
    let bed = installed().await;
    for pod in ["a", "b"] {
        address_of_new_pod(&bed, pod).await;
    }
    Mizar::on(&bed).args("repair --restart-operator -y").impatient(SCALE).run().await.exits(0);
    let held = placeholders(&bed).await;
    assert!(held.len() >= 2 && held.iter().all(|it| it["metadata"]["labels"]["mizar.dev/known-to"].is_string()));
    let found = Mizar::on(&bed).args("check -o name").impatient(SCALE).run().await;
    assert!(!found.stdout.contains("unknown-addresses"), "{}", found.stdout);
    repair(&bed).await.exits(0).tells(&["nothing to do"]);
}
