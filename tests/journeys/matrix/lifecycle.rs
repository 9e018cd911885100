//! What must be true after the commands that move Mizar forward and back, take it over, or take it out.

use std::collections::{BTreeMap, BTreeSet};

use mizar_bed::{AuditTrail, Bed};
use serde_json::Value;

use super::ground::{Errand, pods_of_others};
use super::oracle;
use super::scenario::Scenario;
use crate::audit_oracle::{Journey, assert_nothing_lost};
use crate::cluster::{get, items, names, send};
use crate::restart::{runs, until};
use crate::uninstall::assert_nodes_are_clean;

/// Waits until every pod that something makes again is there again.
pub(crate) async fn until_all_pods_run(bed: &Bed) {
    until("all pods run", async || {
        let pods = items(bed, "/api/v1/pods").await;
        let deployments = items(bed, "/apis/apps/v1/deployments").await;
        let ready = |it: &Value| it["status"]["readyReplicas"] == it["spec"]["replicas"];
        pods.iter().all(runs) && deployments.iter().all(ready)
    })
    .await;
}

/// Asserts that of each release one revision is deployed and none is under way, and that the daemons have what was wanted.
pub(crate) async fn assert_deployed(bed: &Bed, namespace: &str, errand: &Errand) {
    for release in ["mizar-crds", "mizar"] {
        let path = format!("/api/v1/namespaces/{namespace}/secrets?labelSelector=owner=helm,name={release}");
        let secrets = items(bed, &path).await;
        let mut statuses: Vec<&str> =
            secrets.iter().map(|it| it["metadata"]["labels"]["status"].as_str().unwrap()).collect();
        statuses.retain(|status| *status != "superseded");
        assert_eq!(statuses, ["deployed"], "{release}");
    }
    let daemon_set = format!("/apis/apps/v1/namespaces/{namespace}/daemonsets/mizar-daemon");
    let live = get(bed, &daemon_set).await;
    let has =
        |template: &Value| template["containers"][0]["resources"]["requests"]["memory"].as_str().map(str::to_owned);
    let wanted = has(&live["spec"]["template"]["spec"]);
    assert!(errand.memory.is_none() || wanted == errand.memory, "{wanted:?} instead of {:?}", errand.memory);
    let nodes = names(bed, "/api/v1/nodes").await;
    let path = format!("/api/v1/namespaces/{namespace}/pods?labelSelector=job=mizar-daemon");
    let daemons = items(bed, &path).await;
    assert_eq!(daemons.len(), nodes.len(), "one daemon a node");
    for daemon in &daemons {
        assert_eq!(has(&daemon["spec"]), wanted, "{}", daemon["metadata"]["name"]);
    }
}

/// Asserts that every Endpoint of a pod is one of a pod that is there: those of pods that were evicted or replaced are gone.
pub(crate) async fn assert_nothing_leaked(bed: &Bed) {
    let pods = items(bed, "/api/v1/pods").await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let wired =
        |pod: &Value| format!("{}-{}--eth0", text(&pod["metadata"]["name"]), text(&pod["metadata"]["namespace"]));
    let wired: BTreeSet<String> = pods.iter().map(wired).collect();
    let endpoints = names(bed, "/apis/mizar.com/v1/namespaces/default/endpoints").await;
    let of_pods = endpoints.into_iter().filter(|name| name.ends_with("--eth0"));
    let leaked: Vec<String> = of_pods.filter(|name| !wired.contains(name)).collect();
    assert!(leaked.is_empty(), "leaked: {leaked:?}");
}

/// Asserts that the cluster is as it was before Mizar: every object, label, annotation and finalizer, and what is on the nodes; and
/// that every kind of Mizar's objects was saved.
pub(crate) async fn assert_taken_out(bed: &Bed, errand: &Errand) {
    let made = pods_of_others();
    let made: Vec<&str> = made.iter().map(String::as_str).collect();
    errand.before.as_ref().unwrap().assert_now(bed, &made, &[]).await;
    assert_nodes_are_clean(bed, &[]).await;
    let saved = std::fs::read_to_string(errand.export().unwrap()).unwrap();
    for kind in ["Vpc", "Subnet", "Divider", "Bouncer", "Droplet", "Endpoint"] {
        assert!(saved.contains(&format!("kind: {kind}")), "no {kind} was saved");
    }
}

/// Asserts that each part of Mizar was replaced as often as it is to be: what was there in between, when the first run had ended,
/// runs still, but for what the command is to replace and had not.
pub(crate) async fn assert_replaced_as_planned(
    bed: &Bed,
    scenario: Scenario,
    errand: &Errand,
    between: &BTreeMap<String, u64>,
) {
    if scenario == Scenario::Uninstall {
        return;
    }
    let now = oracle::pods(bed, scenario.namespace()).await;
    let is_operator = |pod: &str| pod.starts_with("\"mizar-operator-");
    // That one is counted: an interrupted restart is made once more.
    let may_go_again = matches!(scenario, Scenario::Restart | Scenario::Adopt);
    let is_to_go = |pod: &str| {
        if is_operator(pod) { may_go_again } else { scenario.replaces_daemons() && errand.pods.contains_key(pod) }
    };
    for (pod, restarts) in between {
        assert!(is_to_go(pod) || now.get(pod) == Some(restarts), "{pod} was restarted; there are {now:?}");
    }
    let old: Vec<&String> = errand
        .pods
        .keys()
        .filter(|pod| !is_operator(pod) && scenario.replaces_daemons() && now.contains_key(*pod))
        .collect();
    assert!(old.is_empty(), "these were not replaced: {old:?}");
}

/// Asserts, by the audit log of a whole case, that nothing was lost and nothing of Mizar's deleted while an operator ran.
pub(crate) fn assert_orderly(trail: &AuditTrail, scenario: Scenario) {
    let leaves = scenario == Scenario::Uninstall;
    let history_max = scenario.ground().history_max();
    let journey =
        Journey { operator_ran: true, definitions_go: leaves, all_goes: leaves, history_max, ..Journey::default() };
    assert_nothing_lost(trail, &journey);
}

/// Whether there is an object.
pub(crate) async fn is_there(bed: &Bed, path: &str) -> bool {
    send(bed, "GET", path, None).await.is_ok()
}
