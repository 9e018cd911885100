//! Deletions that do not end: while no operator runs, and those that a running one never finishes.

use mizar_bed::Bed;
use serde_json::json;

use super::{LATE, SCALE, at_work, check, deployment, mizar, prove, repair};
use crate::cluster::{create, get, items, names, patch, send};
use crate::restart::{OPERATOR, restart, until};

async fn stop_the_operator(bed: &Bed) {
    patch(bed, OPERATOR, &json!({"spec": {"replicas": 0}})).await;
    let pods = "/api/v1/namespaces/mizar-system/pods?labelSelector=app=mizar-operator";
    until("the operator is gone", async || items(bed, pods).await.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_while_no_operator_ran_goes_with_the_next_one_and_comes_back() {
    let bed = at_work().await;
    deployment(&bed, "web", 2).await;
    stop_the_operator(&bed).await;
    let uid = async || get(&bed, &mizar("droplets/node-2")).await["metadata"]["uid"].clone();
    let before = uid().await;
    let endpoint = names(&bed, &mizar("endpoints")).await.into_iter().find(|it| it.starts_with("web-")).unwrap();
    for path in [format!("endpoints/{endpoint}"), "droplets/node-2".to_owned()] {
        send(&bed, "DELETE", &mizar(&path), None).await.unwrap();
    }
    tokio::time::sleep(LATE).await;
    let stuck = format!("Droplet node-2, Endpoint {endpoint}: is being deleted and does not go");
    check(&bed).await.exits(1).prints(&[&stuck, "kubectl mizar repair --restart-operator"]);
    let refused = repair(&bed).await;
    refused.exits(1).tells(&["Mizar's operator does not run", "kubectl mizar repair --restart-operator"]);
    println!("{}", restart(&bed).impatient(SCALE).run().await);
    println!("{}", repair(&bed).await);
    println!("{}", check(&bed).await);
    assert_ne!(uid().await, before, "the node has a new Droplet");
    prove(&bed, "deleted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subnet_whose_deletion_hangs_is_named_and_goes_the_way_that_is_named() {
    let bed = at_work().await;
    deployment(&bed, "web", 2).await;
    let vpc = json!({"apiVersion": "mizar.com/v1", "kind": "Vpc", "metadata": {"name": "vpc1"}, "spec": {
        "ip": "10.40.0.0", "prefix": "16", "dividers": 1, "status": "Init"}});
    create(&bed, &mizar("vpcs"), &vpc).await;
    let net = json!({"apiVersion": "mizar.com/v1", "kind": "Subnet", "metadata": {"name": "net1"}, "spec": {
        "ip": "10.40.0.0", "prefix": "16", "vpc": "vpc1", "bouncers": 1, "status": "Init"}});
    create(&bed, &mizar("subnets"), &net).await;
    until("its Bouncer is Provisioned", async || {
        let bouncers = items(&bed, &mizar("bouncers")).await;
        bouncers.iter().any(|it| it["spec"]["net"] == "net1" && it["spec"]["status"] == "Provisioned")
    })
    .await;
    send(&bed, "DELETE", &mizar("subnets/net1"), None).await.unwrap();
    tokio::time::sleep(LATE).await;
    check(&bed)
        .await
        .exits(1)
        .prints(&["Subnet net1: is being deleted and does not go", "kubectl mizar repair --plan"]);
    let named = repair(&bed).await;
    named.exits(1).tells(&[
        "Subnet default/net1 is being deleted for ever",
        "kubectl patch subnets.mizar.com net1 -n default",
        "kubectl mizar repair --restart-operator",
    ]);
    // As it says. Its Vpc goes the same way, and so does what stood in both.
    let release = json!({"metadata": {"finalizers": null}});
    patch(&bed, &mizar("subnets/net1"), &release).await;
    println!("{}", check(&bed).await);
    println!("{}", restart(&bed).impatient(SCALE).run().await);
    println!("{}", check(&bed).await);
}
