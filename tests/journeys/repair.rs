//! `kubectl mizar repair`: what goes wrong on a bed is found by `check`, healed, and proven to be healed by new pods and
//! services, by comparing all addresses, and by what the simulated daemons have programmed.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use mizar_bed::{Bed, Fault, FaultOrder};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::cli::{Ended, Mizar};
use crate::cluster::{
    NAMESPACE, address_of_new_pod, changes, create, get, installed, items, names, patch, requests, send,
};

/// The program is as impatient as the bed's operator, whose rounds take a second instead of fifteen.
const SCALE: f64 = 0.1;
const PATIENCE: Duration = Duration::from_secs(30);

fn mizar(plural: &str) -> String {
    format!("/apis/mizar.com/v1/namespaces/default/{plural}")
}

async fn check(bed: &Bed) -> Ended {
    Mizar::on(bed).args("check").impatient(SCALE).run().await
}

async fn repair(bed: &Bed) -> Ended {
    Mizar::on(bed).args("repair -y").impatient(SCALE).run().await
}

/// Waits until something is true.
async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn fault(bed: &Bed, fault: Fault, node: Option<&str>) {
    bed.fault(FaultOrder { fault, node: node.map(ToOwned::to_owned) }).await.unwrap();
}

/// The operator's pod ends, and its Deployment makes another one.
async fn restart_operator(bed: &Bed) {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods");
    let uid = |pods: &[Value]| pods.iter().find(|pod| pod["metadata"]["labels"]["app"] == "mizar-operator").cloned();
    let old = uid(&items(bed, &path).await).unwrap();
    send(bed, "DELETE", &format!("{path}/{}", old["metadata"]["name"].as_str().unwrap()), None).await.unwrap();
    until("another operator is ready", async || {
        let Some(new) = uid(&items(bed, &path).await) else { return false };
        let ready = new["status"]["containerStatuses"][0]["ready"] == true;
        ready && new["metadata"]["uid"] != old["metadata"]["uid"]
    })
    .await;
}

/// Proves that the network works: new pods and a service are wired, every address is used once, the daemons have programmed
/// all of it, and nothing waits.
async fn prove(bed: &Bed, tag: &str) {
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
async fn assert_programmed(bed: &Bed) {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_after_a_restart_of_the_operator_is_found_at_once_and_ended_without_a_restart() {
    let bed = installed().await;
    for pod in ["a", "b", "c"] {
        address_of_new_pod(&bed, pod).await;
    }
    restart_operator(&bed).await;
    check(&bed).await.exits(1).prints(&["unfinished-handlers", "kubectl mizar repair"]);
    let mark = bed.mark().await.unwrap();
    let plan = Mizar::on(&bed).args("repair --plan").impatient(SCALE).run().await;
    plan.exits(0).prints(&["deadlock", "keep 3 addresses"]);
    let written = changes(&bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/"));
    assert!(written.is_empty(), "{}", written.summary());
    let operator = || async { names(&bed, &format!("/api/v1/namespaces/{NAMESPACE}/pods")).await };
    let before = operator().await;
    repair(&bed).await.exits(0);
    assert_eq!(operator().await, before, "the operator was not restarted");
    prove(&bed, "deadlock").await;
    repair(&bed).await.exits(0).tells(&["nothing"]);
}
