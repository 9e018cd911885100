//! `kubectl mizar repair`: what goes wrong on a bed is found by `check`, healed, and proven to be healed by new pods and
//! services, by comparing all addresses, and by what the simulated daemons have programmed.

mod addresses;
mod deadlock;
mod deletions;
mod held;
mod helm;
mod interrupted;
mod leaks;
mod nodes;
mod plan;
mod refused;
mod stuck;

use std::collections::BTreeSet;
use std::time::Duration;

use mizar_bed::{Bed, Fault, FaultOrder};
use serde_json::{Value, json};

use crate::cli::{Ended, Mizar};
use crate::cluster::{NAMESPACE, address_of_new_pod, bed, create, items, send};
use crate::restart::until;

/// The program is as impatient as the bed's operator, whose rounds take a second instead of fifteen.
pub(crate) const SCALE: f64 = 0.1;
/// After this long nothing is excused for being new any more, so impatient is the program: a minute in reality.
const SETTLING: Duration = Duration::from_secs(7);
/// After this long what waits is late: two minutes in reality.
const LATE: Duration = Duration::from_secs(13);

pub(crate) fn mizar(plural: &str) -> String {
    format!("/apis/mizar.com/v1/namespaces/default/{plural}")
}

/// A bed on which Mizar is installed and every pod is on it, also those of the name servers.
pub(crate) async fn at_work() -> Bed {
    let bed = bed().await;
    Mizar::install(&bed).args("--recreate-pods").run().await.exits(0);
    bed
}

pub(crate) async fn check(bed: &Bed) -> Ended {
    Mizar::on(bed).args("check").impatient(SCALE).run().await
}

async fn repair(bed: &Bed) -> Ended {
    Mizar::on(bed).args("repair -y").impatient(SCALE).run().await
}

/// For what cannot be finished: nobody waits for the usual limit.
async fn repair_within_5_s(bed: &Bed) -> Ended {
    Mizar::on(bed).args("repair -y --timeout 5s").impatient(SCALE).run().await
}

/// A repair cannot end while node-2 gets no Droplet, and says so; the rerun heals when it does.
async fn assert_named_without_droplet_until_it_is_mended(bed: &Bed) {
    let failed = repair_within_5_s(bed).await;
    failed.exits(6).tells(&[
        "node-programming stopped",
        "node node-2 has no Droplet yet",
        "run the same command again",
    ]);
    check(bed).await.exits(1).prints(&["node node-2: has no Droplet yet"]);
    bed.clear_faults().await.unwrap();
    repair(bed).await.exits(0);
}

pub(crate) async fn fault(bed: &Bed, fault: Fault, node: Option<&str>) {
    bed.fault(FaultOrder { fault, node: node.map(ToOwned::to_owned) }).await.unwrap();
}

/// The operator's pod ends, and its Deployment makes another one.
pub(crate) async fn restart_operator(bed: &Bed) {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods");
    let operators = async || {
        let mut pods = items(bed, &path).await;
        pods.retain(|pod| pod["metadata"]["labels"]["app"] == "mizar-operator");
        pods
    };
    let old = operators().await.remove(0);
    send(bed, "DELETE", &format!("{path}/{}", old["metadata"]["name"].as_str().unwrap()), None).await.unwrap();
    // One that is still there has an address that is in use.
    until("another operator is ready and the first one gone", async || {
        let [new] = operators().await.try_into().unwrap_or_default();
        let ready = new["status"]["containerStatuses"][0]["ready"] == true;
        ready && new["metadata"]["uid"] != old["metadata"]["uid"]
    })
    .await;
    // A container's start is told in whole seconds, which is longer than a bed's operator needs to settle; and two of its
    // rounds later every object shows what it waits for.
    tokio::time::sleep(Duration::from_secs(2)).await;
}

/// Proves that the network works: new pods and a service are wired, every address is used once, the daemons have programmed
/// all of it, and nothing waits.
pub(crate) async fn prove(bed: &Bed, tag: &str) {
    for number in 1..=3 {
        address_of_new_pod(bed, &format!("proof-{tag}-{number}")).await;
    }
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": format!("proof-{tag}")},
        "spec": {"ports": [{"port": 80}], "selector": {"app": "none"}}});
    create(bed, "/api/v1/namespaces/default/services", &service).await;
    let wired = format!("proof-{tag}-default");
    until("the service is wired", async || {
        let endpoints = items(bed, &mizar("endpoints")).await;
        endpoints.iter().any(|it| it["metadata"]["name"] == wired.as_str() && it["spec"]["status"] == "Provisioned")
    })
    .await;
    let pods = items(bed, "/api/v1/namespaces/default/pods").await;
    let addresses: Vec<&str> = pods.iter().filter_map(|pod| pod["status"]["podIP"].as_str()).collect();
    let distinct: BTreeSet<&&str> = addresses.iter().collect();
    assert_eq!(distinct.len(), addresses.len(), "{addresses:?}");
    assert_programmed(bed).await;
    check(bed).await.exits(0);
}

/// Asserts that every Endpoint of a pod and of a node is programmed where it lives, and every Bouncer and Divider where it
/// is placed.
pub(crate) async fn assert_programmed(bed: &Bed) {
    let state = bed.simulator_state().await.unwrap();
    let daemon = |droplet: &Value| state["nodes"][droplet.as_str().unwrap()].clone();
    for endpoint in items(bed, &mizar("endpoints")).await {
        let (spec, name) = (&endpoint["spec"], endpoint["metadata"]["name"].as_str().unwrap());
        assert_eq!(spec["status"], "Provisioned", "{name}");
        let (links, wanted) = match spec["type"].as_str().unwrap() {
            "simple" => ("interfaces", "produced"),
            "host" => ("host_endpoints", "activated"),
            _ => continue,
        };
        assert_eq!(daemon(&spec["droplet"])[links][name], wanted, "{name}: {state:#}");
    }
    for plural in ["bouncers", "dividers"] {
        for object in items(bed, &mizar(plural)).await {
            let placed = daemon(&object["spec"]["droplet"])[plural].clone();
            assert!(placed.as_array().unwrap().contains(&object["metadata"]["name"]), "{plural}: {state:#}");
        }
    }
}

/// A Deployment on the pod network, all of whose pods run.
pub(crate) async fn deployment(bed: &Bed, name: &str, replicas: usize) {
    let labels = json!({"app": name});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
        "spec": {"containers": [{"name": "main", "image": "registry.example/any:1"}]}}}});
    create(bed, "/apis/apps/v1/namespaces/default/deployments", &deployment).await;
    until("its pods run", async || running(bed).await == replicas).await;
}

/// How many pods of the Deployment run.
async fn running(bed: &Bed) -> usize {
    let pods = items(bed, "/api/v1/namespaces/default/pods?labelSelector=app=web").await;
    let lives = |pod: &&Value| pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null();
    pods.iter().filter(lives).count()
}
