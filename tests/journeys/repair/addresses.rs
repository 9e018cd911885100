//! Addresses that are used twice.

use mizar_bed::Fault;
use serde_json::json;

use super::{check, deployment, fault, prove, repair, running};
use crate::cluster::{installed, patch};
use crate::restart::until;

#[tokio::test(flavor = "multi_thread")]
async fn of_two_pods_with_one_address_the_younger_gets_another() {
    let bed = installed().await;
    deployment(&bed, "web", 2).await;
    fault(&bed, Fault::DuplicateAddress, None).await;
    let scale = json!({"spec": {"replicas": 4}});
    patch(&bed, "/apis/apps/v1/namespaces/default/deployments/web", &scale).await;
    until("all run", async || running(&bed).await == 4).await;
    bed.clear_faults().await.unwrap();
    check(&bed).await.exits(1).prints(&["duplicate-addresses"]);
    repair(&bed).await.exits(0);
    until("all run", async || running(&bed).await == 4).await;
    prove(&bed, "duplicate").await;
}
