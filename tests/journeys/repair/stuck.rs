//! Objects that stay Init, since the operator puts their handlers off again and again.

use mizar_bed::Fault;
use serde_json::json;

use super::{LATE, SCALE, at_work, check, deployment, fault, mizar, prove, repair, restart_operator};
use crate::cli::Mizar;
use crate::cluster::{create, items, patch};
use crate::restart::until;

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_stays_init() {
    let bed = at_work().await;
    deployment(&bed, "web", 2).await;
    fault(&bed, Fault::StuckInit, None).await;
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "late"}, "spec": {
        "containers": [{"name": "main", "image": "registry.example/any:1"}]}});
    create(&bed, "/api/v1/namespaces/default/pods", &pod).await;
    tokio::time::sleep(LATE).await;
    println!("{}", check(&bed).await);
    println!("{}", repair(&bed).await);
    bed.clear_faults().await.unwrap();
    println!("{}", repair(&bed).await);
    prove(&bed, "stuck").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bouncer_that_stays_init() {
    let bed = at_work().await;
    deployment(&bed, "web", 2).await;
    restart_operator(&bed).await;
    fault(&bed, Fault::StuckInit, None).await;
    println!("{}", check(&bed).await);
    println!("{}", Mizar::on(&bed).args("repair -y --timeout 5s").impatient(SCALE).run().await);
    println!("{}", check(&bed).await);
    println!("{}", Mizar::on(&bed).args("repair -y --timeout 5s").impatient(SCALE).run().await);
    bed.clear_faults().await.unwrap();
    println!("{}", repair(&bed).await);
    prove(&bed, "stuck").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_divider_that_stays_init() {
    let bed = at_work().await;
    deployment(&bed, "web", 2).await;
    let divider = items(&bed, &mizar("dividers")).await[0]["metadata"]["name"].as_str().unwrap().to_owned();
    fault(&bed, Fault::StuckInit, None).await;
    patch(&bed, &mizar(&format!("dividers/{divider}")), &json!({"spec": {"droplet": "node-9"}})).await;
    println!("{}", check(&bed).await);
    println!("{}", Mizar::on(&bed).args("repair -y --timeout 5s").impatient(SCALE).run().await);
    println!("{}", check(&bed).await);
    println!("{}", Mizar::on(&bed).args("repair -y --timeout 5s").impatient(SCALE).run().await);
    bed.clear_faults().await.unwrap();
    println!("{}", repair(&bed).await);
    until("the Divider is placed", async || {
        items(&bed, &mizar("dividers")).await[0]["spec"]["status"] == "Provisioned"
    })
    .await;
    prove(&bed, "stuck").await;
}
