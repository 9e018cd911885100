//! Deletions that do not end.

use super::{LATE, SCALE, at_work, check, deployment, mizar, prove, repair};
use crate::cli::Mizar;
use crate::cluster::{NAMESPACE, items, names, patch, send};
use crate::restart::until;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_while_no_operator_runs() {
    let bed = at_work().await;
    deployment(&bed, "web", 2).await;
    let path = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/mizar-operator");
    patch(&bed, &path, &json!({"spec": {"replicas": 0}})).await;
    let pods = format!("/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app=mizar-operator");
    until("the operator is gone", async || items(&bed, &pods).await.is_empty()).await;
    let divider = names(&bed, &mizar("dividers")).await.remove(0);
    let bouncer = names(&bed, &mizar("bouncers")).await.remove(0);
    let endpoint = names(&bed, &mizar("endpoints")).await.into_iter().find(|it| it.starts_with("web-")).unwrap();
    for path in [
        format!("dividers/{divider}"),
        format!("bouncers/{bouncer}"),
        format!("endpoints/{endpoint}"),
        "droplets/node-2".to_owned(),
    ] {
        send(&bed, "DELETE", &mizar(&path), None).await.unwrap();
    }
    tokio::time::sleep(LATE).await;
    println!("{}", check(&bed).await);
    println!("{}", repair(&bed).await);
    println!("{}", Mizar::on(&bed).args("repair --restart-operator -y").impatient(SCALE).run().await);
    println!("{}", check(&bed).await);
    println!("{}", repair(&bed).await);
    prove(&bed, "deleted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subnet_whose_deletion_hangs() {
    let bed = at_work().await;
    deployment(&bed, "web", 2).await;
    let net = json!({"apiVersion": "mizar.com/v1", "kind": "Subnet", "metadata": {"name": "extra"}, "spec": {
        "ip": "10.20.128.0", "prefix": "24", "vni": "1", "vpc": "vpc0", "bouncers": 1, "status": "Init"}});
    crate::cluster::create(&bed, &mizar("subnets"), &net).await;
    until("it is Provisioned", async || {
        items(&bed, &mizar("subnets")).await.iter().all(|it| it["spec"]["status"] == "Provisioned")
    })
    .await;
    send(&bed, "DELETE", &mizar("subnets/extra"), None).await.unwrap();
    tokio::time::sleep(LATE).await;
    println!("{}", check(&bed).await);
    println!("{}", repair(&bed).await);
    prove(&bed, "deleted").await;
}
