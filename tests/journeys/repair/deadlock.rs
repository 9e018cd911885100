//! An operator that was restarted on a finished network, or does not run at all.

use std::time::Duration;

use serde_json::json;

use super::{SCALE, check, prove, repair, restart_operator};
use crate::cli::Mizar;
use crate::cluster::{NAMESPACE, address_of_new_pod, changes, installed, items, names, patch, send};
use crate::restart::until;

#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_after_a_restart_of_the_operator_is_found_at_once_and_ended_without_a_restart() {
    let bed = installed().await;
    for pod in ["a", "b", "c"] {
        address_of_new_pod(&bed, pod).await;
    }
    restart_operator(&bed).await;
    check(&bed).await.prints(&["unfinished-handlers", "kubectl mizar repair"]);
    until("an object shows it", async || check(&bed).await.code == Some(1)).await;
    check(&bed).await.prints(&["was restarted on the finished network net0"]);
    let mark = bed.mark().await.unwrap();
    let plan = Mizar::on(&bed).args("repair --plan").impatient(SCALE).run().await;
    plan.exits(0).prints(&["deadlock", "addresses, then set Bouncer"]);
    let written = changes(&bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/"));
    assert!(written.is_empty(), "{}", written.summary());
    let operator = || async { names(&bed, &format!("/api/v1/namespaces/{NAMESPACE}/pods")).await };
    let before = operator().await;
    repair(&bed).await.exits(0);
    assert_eq!(operator().await, before, "the operator was not restarted");
    prove(&bed, "deadlock").await;
    repair(&bed).await.exits(0).tells(&["nothing to do"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_operator_nothing_is_begun_that_needs_one() {
    let bed = installed().await;
    address_of_new_pod(&bed, "a").await;
    let scale = |replicas: u8| json!({"spec": {"replicas": replicas}});
    let path = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/mizar-operator");
    restart_operator(&bed).await;
    repair(&bed).await.exits(0);
    send(&bed, "DELETE", "/api/v1/namespaces/default/pods/a", None).await.unwrap();
    until("the pod is gone", async || names(&bed, "/api/v1/namespaces/default/pods").await.is_empty()).await;
    patch(&bed, &path, &scale(0)).await;
    let pods = format!("/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app=mizar-operator");
    until("the operator is gone", async || items(&bed, &pods).await.is_empty()).await;
    tokio::time::sleep(Duration::from_secs(7)).await;
    repair(&bed).await.exits(3).tells(&["the operator does not run", "repair --restart-operator"]);
    let restart = Mizar::on(&bed).args("repair --restart-operator -y").impatient(SCALE).run().await;
    restart.exits(0);
    prove(&bed, "scaled").await;
}
