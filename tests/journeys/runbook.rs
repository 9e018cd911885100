//! The runbook, symptom by symptom: what goes wrong on purpose is found by the checks that its section names, and what the
//! section says heals it does.

use std::collections::BTreeSet;
use std::time::Duration;

use mizar_bed::{Bed, Fault, FaultOrder};

use crate::cli::{Mizar, root};
use crate::cluster::{NAMESPACE, address_of_new_pod, installed, items, patch};
use crate::docs::{section, shown};
use crate::repair::restart_operator;
use crate::restart::until;

/// The program is as impatient as the bed's operator, whose rounds take a second instead of fifteen.
const SCALE: f64 = 0.1;

/// Asserts that `check` finds what the section shows, that the section says `heal`, and that this heals it.
async fn assert_as_told(bed: &Bed, heading: &str, heal: &str) {
    let section = section(root(), heading);
    let wanted: BTreeSet<String> = shown(&section, &['✗']).into_iter().collect();
    assert!(!wanted.is_empty(), "section {heading:?} shows no finding");
    assert!(section.contains(&format!("kubectl mizar {heal}")), "section {heading:?} does not say {heal}");
    let found = Mizar::on(bed).args("check -o name").impatient(SCALE).run().await;
    let found: BTreeSet<String> = found.stdout.lines().map(|line| line.replace("check/", "")).collect();
    assert!(wanted.is_subset(&found), "section {heading:?} shows {wanted:?}, and there is {found:?}");
    Mizar::on(bed).args(heal).args("-y").impatient(SCALE).run().await.exits(0);
    Mizar::on(bed).args("check").impatient(SCALE).run().await.exits(0);
}

async fn fault(bed: &Bed, fault: Fault, node: Option<&str>) {
    bed.fault(FaultOrder { fault, node: node.map(str::to_owned) }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_hang_after_a_restart_of_the_operator() {
    let bed = installed().await;
    address_of_new_pod(&bed, "a").await;
    restart_operator(&bed).await;
    assert_as_told(&bed, "New pods stay in ContainerCreating", "repair").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_has_no_network_after_its_daemon_was_restarted() {
    let bed = installed().await;
    fault(&bed, Fault::DaemonRestart, Some("node-2")).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_as_told(&bed, "A node has no connectivity after a restart", "repair").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_is_scaled_down() {
    let bed = installed().await;
    let operator = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/mizar-operator");
    patch(&bed, &operator, &serde_json::json!({"spec": {"replicas": 0}})).await;
    let pods = format!("/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app=mizar-operator");
    until("the operator's pod is gone", async || items(&bed, &pods).await.is_empty()).await;
    assert_as_told(&bed, "The operator is down", "repair --restart-operator").await;
}
