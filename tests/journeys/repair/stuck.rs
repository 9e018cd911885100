//! Objects that stay Init, since the operator puts their handlers off again and again: no remedy makes it finish them, so
//! they are named, and it goes on by itself as soon as it can.

use mizar_bed::{Bed, Fault};
use serde_json::{Value, json};

use super::{
    LATE, SCALE, at_work, check, deployment, fault, mizar, prove, repair, repair_within_5_s, restart_operator,
};
use crate::cli::Mizar;
use crate::cluster::{create, items, patch};
use crate::restart::until;

/// The name of the only object of a kind.
async fn name_of_the(bed: &Bed, plural: &str) -> String {
    items(bed, &mizar(plural)).await[0]["metadata"]["name"].as_str().unwrap().to_owned()
}

/// Asserts that what is left is named in full: nothing is planned, the object and the operator's words are told, and what
/// a person can do.
async fn assert_named_as_waiting(bed: &Bed, object: &str) {
    let failed = repair(bed).await;
    let named = format!("{object} does not get done: the operator tries again and again");
    failed.exits(1).tells(&[
        "Nothing that a remedy heals was found",
        &named,
        "Droplet operator not ready",
        "kubectl logs -n mizar-system deployment/mizar-operator",
        "it goes on by itself",
    ]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_stays_init_is_named_with_what_the_operator_says() {
    let bed = at_work().await;
    deployment(&bed, "web", 2).await;
    fault(&bed, Fault::StuckInit, None).await;
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "late"}, "spec": {
        "containers": [{"name": "main", "image": "registry.example/any:1"}]}});
    create(&bed, "/api/v1/namespaces/default/pods", &pod).await;
    tokio::time::sleep(LATE).await;
    check(&bed).await.prints(&["Endpoint late-default--eth0: is Init for longer than usual", "default/late"]);
    assert_named_as_waiting(&bed, "Endpoint default/late-default--eth0").await;
    bed.clear_faults().await.unwrap();
    until("the pod runs", async || {
        items(&bed, "/api/v1/namespaces/default/pods").await.iter().all(|pod| pod["status"]["phase"] == "Running")
    })
    .await;
    repair(&bed).await.exits(0).tells(&["nothing to do"]);
    prove(&bed, "endpoint").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bouncer_that_stays_init_ends_the_repair_of_a_deadlock_and_is_waited_for() {
    let bed = at_work().await;
    deployment(&bed, "web", 2).await;
    let bouncer = name_of_the(&bed, "bouncers").await;
    restart_operator(&bed).await;
    fault(&bed, Fault::StuckInit, None).await;
    check(&bed).await.exits(1).prints(&["was restarted on the finished network net0", &bouncer]);
    let stays = format!("Bouncer {bouncer} is Init");
    repair_within_5_s(&bed).await.exits(6).tells(&["deadlock stopped", &stays, "run the same command again"]);
    check(&bed).await.exits(1).prints(&["bouncers", &format!("Bouncer {bouncer}: is Init")]);
    // The addresses in use are kept already, and the operator is at the Bouncer: all that is left is to say so.
    repair_within_5_s(&bed).await.exits(1).tells(&["not everything could be repaired", &format!("{bouncer}: is Init")]);
    bed.clear_faults().await.unwrap();
    Mizar::on(&bed).args("check --wait --timeout 60s").impatient(SCALE).run().await.exits(0);
    repair(&bed).await.exits(0);
    prove(&bed, "bouncer").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_divider_that_stays_init_is_named_until_the_operator_places_it() {
    let bed = at_work().await;
    deployment(&bed, "web", 2).await;
    let divider = name_of_the(&bed, "dividers").await;
    fault(&bed, Fault::StuckInit, None).await;
    patch(&bed, &mizar(&format!("dividers/{divider}")), &json!({"spec": {"droplet": "node-9"}})).await;
    check(&bed).await.exits(1).prints(&[&format!("{divider}: is on Droplet \"node-9\", which does not exist")]);
    let stays = format!("Divider default/{divider} is Init");
    repair_within_5_s(&bed).await.exits(6).tells(&["placement stopped", &stays, "run the same command again"]);
    tokio::time::sleep(LATE).await;
    check(&bed).await.exits(1).prints(&[&format!("Divider {divider}: is Init")]);
    assert_named_as_waiting(&bed, &format!("Divider default/{divider}")).await;
    bed.clear_faults().await.unwrap();
    until("the Divider is placed", async || {
        let divider: Value = items(&bed, &mizar("dividers")).await.remove(0);
        divider["spec"]["status"] == "Provisioned" && divider["spec"]["droplet"] != "node-9"
    })
    .await;
    repair(&bed).await.exits(0);
    prove(&bed, "divider").await;
}
