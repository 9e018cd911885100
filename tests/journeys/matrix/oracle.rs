//! What must be true when a command has ended well, whatever befell it or the run before it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use mizar_bed::Bed;
use serde_json::Value;

use crate::cluster::{NAMESPACE, address_of_new_pod, get, items, names, operation_in, send};
use crate::restart::{addresses, assert_all_addresses_differ, until, waiting_handlers};

/// Some rounds of the bed's operator.
const PATIENCE: Duration = Duration::from_secs(20);

/// The pods of Mizar, by name and UID, with how often their containers were restarted.
pub(crate) async fn pods(bed: &Bed, namespace: &str) -> BTreeMap<String, u64> {
    let path = format!("/api/v1/namespaces/{namespace}/pods");
    let pods = match send(bed, "GET", &path, None).await {
        Ok(list) => list["items"].as_array().cloned().unwrap_or_default(),
        Err(error) => panic!("{path}: {error}"),
    };
    let is_mizars = |pod: &Value| pod["metadata"]["name"].as_str().is_some_and(|name| name.starts_with("mizar-"));
    let lives = |pod: &&Value| pod["metadata"]["deletionTimestamp"].is_null() && is_mizars(pod);
    let told = |pod: &Value| {
        let containers = pod["status"]["containerStatuses"].as_array().cloned().unwrap_or_default();
        let restarts = containers.iter().filter_map(|it| it["restartCount"].as_u64()).sum();
        (format!("{} {}", pod["metadata"]["name"], pod["metadata"]["uid"]), restarts)
    };
    pods.iter().filter(lives).map(told).collect()
}

/// How often the operator has started since the bed was taken.
pub(crate) async fn operator_runs(bed: &Bed) -> u64 {
    bed.simulator_state().await.unwrap()["operator"]["generation"].as_u64().unwrap()
}

/// Everything there is, as far as two clusters with the same in them must agree.
pub(crate) async fn census(bed: &Bed) -> Vec<String> {
    let mut paths: Vec<String> = bed.census().await.unwrap().iter().filter_map(|path| comparable(path)).collect();
    paths.sort();
    paths
}

/// Pods that an operator wires, or not, by whether it saw them before they ran.
const MADE_ANEW: [&str; 3] = ["coredns-", "mizar-operator-", "mizar-daemon-"];

/// A path as it is in every cluster; nothing for what depends on which addresses were given to whom.
fn comparable(path: &str) -> Option<String> {
    let (collection, name) = path.rsplit_once('/')?;
    match collection.rsplit_once('/')?.1 {
        // The operator makes their names up.
        "bouncers" | "dividers" => Some(format!("{collection}/*")),
        "endpoints" if name.starts_with("mizar-hold-") => None,
        // What an operator before the last one wired stays for a while.
        "endpoints" if MADE_ANEW.iter().any(|pod| name.starts_with(pod)) => None,
        // Pods of a Deployment, of which there are as many as before.
        "endpoints" if name.starts_with("web-") => Some(format!("{collection}/web-*")),
        "secrets" => Some(format!("{collection}/{}", without_revision(name))),
        _ => Some(path.to_owned()),
    }
}

/// Where there are more and more revisions, only how many there are can be compared.
fn without_revision(secret: &str) -> String {
    match secret.rsplit_once(".v") {
        Some((release, revision)) if revision.parse::<u64>().is_ok() => format!("{release}.vN"),
        _ => secret.to_owned(),
    }
}

/// Asserts that there is what a run without faults leaves, and that nobody holds or owes anything.
pub(crate) async fn assert_nothing_left_over(bed: &Bed, namespace: &str, wanted: &[String]) {
    let found = census(bed).await;
    let count = |all: &[String]| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for path in all {
            *counts.entry(path.clone()).or_default() += 1;
        }
        counts
    };
    let (found, wanted) = (count(&found), count(wanted));
    let paths: BTreeSet<&String> = found.keys().chain(wanted.keys()).collect();
    let differing: Vec<String> = paths
        .into_iter()
        .filter(|path| found.get(*path) != wanted.get(*path))
        .map(|path| format!("{path}: {:?} instead of {:?}", found.get(path), wanted.get(path)))
        .collect();
    assert!(differing.is_empty(), "left over or missing: {differing:#?}");
    let operation = operation_in(bed, namespace).await;
    let outcome = operation.outcome.as_ref().expect("the operation is not ended");
    assert!(outcome.outcome.is_success(), "the record tells of {:?}", operation.outcome);
    assert!(operation.restart.is_none() && operation.owed.is_nothing(), "the record still owes something");
    for node in items(bed, "/api/v1/nodes").await {
        let cordoned_by = &node["metadata"]["annotations"]["mizar.dev/cordoned-by"];
        assert!(node["spec"]["unschedulable"].is_null() && cordoned_by.is_null(), "cordoned: {}", node["metadata"]);
    }
}

/// Asserts that each release has one revision, which is deployed, and that no workload was changed after it was made.
pub(crate) async fn assert_installed_once(bed: &Bed) {
    for release in ["mizar-crds", "mizar"] {
        let path = format!("/api/v1/namespaces/{NAMESPACE}/secrets?labelSelector=owner=helm,name={release}");
        let told = |item: &Value| format!("{} {}", item["metadata"]["name"], item["metadata"]["labels"]["status"]);
        let revisions: Vec<String> = items(bed, &path).await.iter().map(told).collect();
        assert_eq!(revisions, [format!("\"sh.helm.release.v1.{release}.v1\" \"deployed\"")]);
    }
    for workload in ["daemonsets/mizar-daemon", "deployments/mizar-operator"] {
        let found = get(bed, &format!("/apis/apps/v1/namespaces/{NAMESPACE}/{workload}")).await;
        assert_eq!(found["metadata"]["generation"], 1, "{workload} was changed");
    }
    let nodes = names(bed, "/api/v1/nodes").await;
    assert_eq!(names(bed, "/apis/mizar.com/v1/namespaces/default/droplets").await, nodes);
    assert_eq!(pods(bed, NAMESPACE).await.len(), nodes.len() + 1, "one daemon a node and one operator");
    until_no_handler_waits(bed).await;
}

/// Services and pods come all the time: what the operator does for them at the moment ends soon.
async fn until_no_handler_waits(bed: &Bed) {
    let begun = Instant::now();
    loop {
        let waiting = waiting_handlers(bed).await;
        if waiting.is_empty() {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "these wait for ever: {waiting:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Asserts that pods have kept their addresses, that nothing waits, and that a new pod gets an address that is free.
pub(crate) async fn assert_the_network_works(bed: &Bed) {
    until_no_handler_waits(bed).await;
    let before = addresses(bed).await;
    address_of_new_pod(bed, "probe").await;
    assert_all_addresses_differ(bed).await;
    send(bed, "DELETE", "/api/v1/namespaces/default/pods/probe", None).await.unwrap();
    until("the probe is gone", async || addresses(bed).await == before).await;
    let endpoint = "/apis/mizar.com/v1/namespaces/default/endpoints/probe-default--eth0";
    until("its Endpoint is gone", async || send(bed, "GET", endpoint, None).await.is_err()).await;
}
