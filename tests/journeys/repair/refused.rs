//! What the server refused when the operator wanted to create it: the operator takes it to exist.

use mizar_bed::Fault;
use serde_json::json;

use super::{LATE, SCALE, at_work, check, deployment, fault, mizar, prove, repair};
use crate::cli::Mizar;
use crate::cluster::{create, patch, send};

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_of_pods_that_were_refused() {
    let bed = at_work().await;
    deployment(&bed, "web", 1).await;
    fault(&bed, Fault::CreateRefused, None).await;
    patch(&bed, "/apis/apps/v1/namespaces/default/deployments/web", &json!({"spec": {"replicas": 2}})).await;
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "refused"},
        "spec": {"ports": [{"port": 80}], "selector": {"app": "web"}}});
    create(&bed, "/api/v1/namespaces/default/services", &service).await;
    tokio::time::sleep(LATE).await;
    println!("{}", check(&bed).await);
    println!("{}", Mizar::on(&bed).args("repair -y --timeout 5s").impatient(SCALE).run().await);
    bed.clear_faults().await.unwrap();
    tokio::time::sleep(LATE).await;
    println!("{}", repair(&bed).await);
    println!("{}", Mizar::on(&bed).args("repair --restart-operator -y").impatient(SCALE).run().await);
    prove(&bed, "refused").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_endpoint_that_was_refused() {
    let bed = at_work().await;
    deployment(&bed, "web", 1).await;
    fault(&bed, Fault::CreateRefused, Some("node-2")).await;
    send(&bed, "DELETE", &mizar("endpoints/node-2-default--hostep-1"), None).await.unwrap();
    println!("{}", check(&bed).await);
    println!("{}", Mizar::on(&bed).args("repair -y --timeout 5s").impatient(SCALE).run().await);
    bed.clear_faults().await.unwrap();
    tokio::time::sleep(LATE).await;
    println!("{}", check(&bed).await);
    println!("{}", repair(&bed).await);
    println!("{}", Mizar::on(&bed).args("repair --restart-operator -y").impatient(SCALE).run().await);
    prove(&bed, "refused").await;
}
