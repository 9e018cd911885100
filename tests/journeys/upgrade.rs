//! `kubectl mizar upgrade` and `rollback`: what restarts and what does not, the nodes in their turns, what stops it, and the way
//! back; proven by what the simulated daemons have programmed and by the audit log.

mod failure;
mod fifty;
mod killed;
mod refused;
mod rollback;
mod window;

use std::collections::BTreeMap;
use std::time::Duration;

use mizar_bed::{AuditTrail, Bed};
use serde_json::{Value, json};

use crate::audit_oracle::Journey;
use crate::cli::{Ended, Mizar};
use crate::cluster::{NAMESPACE, assert_healthy_and_nothing_doubled, identities, items, requests};
use crate::order::{assert_in_order, watched};
use crate::repair::{SCALE, at_work, deployment, prove};
use crate::restart::{assert_all_addresses_differ, pods_of, runs, until};

/// What makes every daemon old.
const OF_DAEMON: &str = "--set daemon.resources.requests.memory=96Mi";
/// What makes the operator old.
const OF_OPERATOR: &str = "--set operator.resources.requests.memory=96Mi";

/// An upgrade of three nodes waits for each of them.
const DEADLINE: Duration = Duration::from_secs(240);

fn upgrading(bed: &Bed) -> Mizar {
    Mizar::on(bed).args("upgrade -y").impatient(SCALE).within(DEADLINE)
}

async fn upgrade(bed: &Bed, words: &str) -> Ended {
    upgrading(bed).args(words).run().await
}

/// UID of the daemon by node, and of the operator.
async fn mizar_pods(bed: &Bed) -> BTreeMap<String, String> {
    let pods = items(bed, &format!("/api/v1/namespaces/{NAMESPACE}/pods")).await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of_pod = |pod: &Value| {
        let is_daemon = pod["metadata"]["labels"]["job"] == "mizar-daemon";
        let role = if is_daemon { text(&pod["spec"]["nodeName"]) } else { "operator".to_owned() };
        (role, text(&pod["metadata"]["uid"]))
    };
    pods.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).map(of_pod).collect()
}

/// Whose pods are others now.
fn replaced(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    assert_eq!(before.keys().collect::<Vec<_>>(), now.keys().collect::<Vec<_>>());
    before.iter().filter(|(role, uid)| now[*role] != **uid).map(|(role, _)| role.clone()).collect()
}

/// What our program did to Mizar's daemons, and evictions, in order: `delete mizar-daemon-x`, `evict web-y`.
fn acts(trail: &AuditTrail) -> Vec<String> {
    let mut acts = Vec::new();
    for entry in trail.entries().iter().filter(|entry| entry.user_agent.starts_with("kubectl-mizar/")) {
        match (entry.verb.as_str(), entry.resource.as_str(), entry.subresource.as_str()) {
            ("create", "pods", "eviction") if entry.code < 300 => acts.push(format!("evict {}", entry.name)),
            ("delete", "pods", "") if entry.namespace == NAMESPACE => acts.push(format!("delete {}", entry.name)),
            _ => {}
        }
    }
    acts
}

#[tokio::test(flavor = "multi_thread")]
async fn daemons_are_replaced_node_by_node_drained_and_programmed_anew() {
    let bed = at_work().await;
    deployment(&bed, "web", 3).await;
    let before = mizar_pods(&bed).await;
    let plan = Mizar::on(&bed).args("upgrade --plan").args(OF_DAEMON).run().await;
    plan.exits(0)
        .prints(&["daemon.resources.requests.memory", "3 nodes get a new daemon, one at a time, drained first"]);
    plan.prints(&["Operator:", "goes on as it is", "placed elsewhere"]);
    assert_eq!(mizar_pods(&bed).await, before);

    let done = watched(&bed, upgrade(&bed, OF_DAEMON)).await;
    done.exits(0).tells(&["node node-1", "node node-2", "node node-3", "Mizar is healthy on 3 nodes"]);
    assert_eq!(replaced(&before, &mizar_pods(&bed).await), ["node-1", "node-2", "node-3"]);
    assert_in_order(&bed, &Journey::default()).await;
    until("all pods run", async || pods_of(&bed, "web", runs).await == 3).await;
    assert_all_addresses_differ(&bed).await;
    assert_healthy_and_nothing_doubled(&bed).await;
    let acts = acts(&requests(&bed).await);
    assert_eq!(acts.iter().filter(|act| act.starts_with("delete mizar-daemon")).count(), 3, "{acts:?}");
    assert!(acts.iter().any(|act| act.starts_with("evict web-")), "{acts:?}");
    prove(&bed, "upgraded").await;

    let again = upgrade(&bed, "").await;
    again.exits(0).tells(&["nothing was written"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_the_operator_touch_no_node_and_the_operator_keeps_every_address() {
    let bed = at_work().await;
    deployment(&bed, "web", 3).await;
    let before = mizar_pods(&bed).await;
    let done = upgrade(&bed, OF_OPERATOR).await;
    done.exits(0).tells(&["no daemon is replaced; no pod loses its network", "restarted the safe way"]);
    assert_eq!(replaced(&before, &mizar_pods(&bed).await), ["operator"]);
    let deployment = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/mizar-operator");
    let live = crate::cluster::get(&bed, &deployment).await;
    assert_eq!(live["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["memory"], "96Mi");
    assert_in_order(&bed, &Journey::default()).await;
    prove(&bed, "operator").await;
    assert_all_addresses_differ(&bed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_at_once_daemons_first_and_what_was_chosen_before_is_kept() {
    let bed = crate::cluster::bed().await;
    Mizar::install(&bed).args("--set vni=7 --recreate-pods").run().await.exits(0);
    deployment(&bed, "web", 2).await;
    let before = mizar_pods(&bed).await;
    upgrade(&bed, &format!("{OF_DAEMON} {OF_OPERATOR}")).await.exits(0);
    assert_eq!(replaced(&before, &mizar_pods(&bed).await).len(), 4);
    let trail = crate::cluster::changes(&requests(&bed).await);
    let at = |wanted: &dyn Fn(&mizar_bed::AuditEntry) -> bool| trail.entries().iter().position(wanted);
    let daemon = at(&|entry| entry.verb == "delete" && entry.name.starts_with("mizar-daemon"));
    let operator = at(&|entry| entry.verb == "patch" && entry.resource == "deployments" && entry.code == 200);
    assert!(daemon.is_some() && daemon < operator, "{daemon:?} {operator:?}");
    let values = Mizar::on(&bed).args("status -o json").run().await;
    values.exits(0);
    prove(&bed, "both").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_restarts_nothing_is_applied_and_nothing_restarts() {
    let bed = at_work().await;
    let before = identities(&bed).await;
    let done = upgrade(&bed, "--set resourceQuota.create=true").await;
    done.exits(0).tells(&["Restarts: none; no node is touched"]);
    assert_eq!(identities(&bed).await, before);
    let quotas = items(&bed, &format!("/api/v1/namespaces/{NAMESPACE}/resourcequotas")).await;
    assert_eq!(quotas.len(), 1);
}

/// A budget that allows no pod of `app` to go.
async fn budget(bed: &Bed, app: &str) {
    let budget = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": app},
        "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {"app": app}}}});
    crate::cluster::create(bed, "/apis/policy/v1/namespaces/default/poddisruptionbudgets", &budget).await;
    until("the budget is known", async || {
        let path = format!("/apis/policy/v1/namespaces/default/poddisruptionbudgets/{app}");
        crate::cluster::get(bed, &path).await["status"]["observedGeneration"] == 1
    })
    .await;
}
