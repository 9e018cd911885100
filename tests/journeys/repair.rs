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
use crate::restart::until;

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

async fn fault(bed: &Bed, fault: Fault, node: Option<&str>) {
    bed.fault(FaultOrder { fault, node: node.map(ToOwned::to_owned) }).await.unwrap();
}

/// The operator's pod ends, and its Deployment makes another one.
pub(crate) async fn restart_operator(bed: &Bed) {
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
    // A container's start is told in whole seconds, which is longer than a bed's operator needs to settle; and two of its
    // rounds later every object shows what it waits for.
    tokio::time::sleep(Duration::from_secs(2)).await;
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
async fn what_restarts_left_over_is_deleted_and_live_pods_keep_their_network() {
    let bed = installed().await;
    // Without the name servers no pod but ours stands on the node that goes.
    for path in
        ["/apis/apps/v1/namespaces/kube-system/deployments/coredns", "/api/v1/namespaces/kube-system/services/kube-dns"]
    {
        send(&bed, "DELETE", path, None).await.unwrap();
    }
    for pod in ["a", "b", "c"] {
        address_of_new_pod(&bed, pod).await;
    }
    restart_operator(&bed).await;
    repair(&bed).await.exits(0);
    // Wired by the first run of the operator: their Endpoints stay, and so do the placeholders.
    for pod in ["a", "b"] {
        send(&bed, "DELETE", &format!("/api/v1/namespaces/default/pods/{pod}"), None).await.unwrap();
    }
    // Pod c and the operator stay, and their nodes with them.
    let host = get(&bed, "/api/v1/namespaces/default/pods/c").await["spec"]["nodeName"].clone();
    let pods = format!("/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app=mizar-operator");
    let operator = items(&bed, &pods).await[0]["spec"]["nodeName"].clone();
    let stays = |node: &str| host == node || operator == node;
    let doomed = ["node-1", "node-2", "node-3"].into_iter().find(|node| !stays(node)).unwrap();
    send(&bed, "DELETE", &format!("/api/v1/nodes/{doomed}"), None).await.unwrap();
    // The controllers of a real cluster remove what was there.
    for pod in items(&bed, "/api/v1/pods").await.iter().filter(|pod| pod["spec"]["nodeName"] == doomed) {
        let (namespace, name) = (&pod["metadata"]["namespace"], &pod["metadata"]["name"]);
        let path = format!("/api/v1/namespaces/{}/pods/{}", namespace.as_str().unwrap(), name.as_str().unwrap());
        send(&bed, "DELETE", &format!("{path}?gracePeriodSeconds=0"), None).await.unwrap();
    }
    until("they are gone", async || {
        !names(&bed, "/api/v1/nodes").await.contains(&doomed.to_owned())
            && !names(&bed, "/api/v1/namespaces/default/pods").await.contains(&"a".to_owned())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(7)).await;
    check(&bed).await.prints(&[
        "leaked-endpoints",
        "a-default--eth0",
        &format!("{doomed}-default--hostep-1"),
        "idle-placeholders",
    ]);
    let only = Mizar::on(&bed).args("repair -y --only placeholders").impatient(SCALE).run().await;
    only.exits(0).tells(&["Left alone", "leaks"]);
    let left = names(&bed, &mizar("endpoints")).await;
    assert!(left.contains(&"a-default--eth0".to_owned()), "{left:?}");
    let c = get(&bed, "/api/v1/namespaces/default/pods/c").await["metadata"]["uid"].clone();
    for held in items(&bed, &format!("{}?labelSelector=mizar.dev/holds-for", mizar("endpoints"))).await {
        let pods = items(&bed, "/api/v1/pods").await;
        let pod = &held["metadata"]["labels"]["mizar.dev/holds-for"];
        assert!(pods.iter().any(|it| it["metadata"]["uid"] == *pod), "{held}; c is {c}");
    }
    repair(&bed).await.exits(0);
    let left = names(&bed, &mizar("endpoints")).await;
    for gone in ["a-default--eth0", "b-default--eth0", &format!("{doomed}-default--hostep-1")] {
        assert!(!left.contains(&gone.to_owned()), "{left:?}");
    }
    assert!(left.contains(&"c-default--eth0".to_owned()), "{left:?}");
    prove(&bed, "leaks").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_daemon_was_restarted_is_programmed_anew() {
    let bed = installed().await;
    deployment(&bed, "web", 3).await;
    // Times are cut to the second.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let uid = async || get(&bed, &format!("{}/node-2", mizar("droplets"))).await["metadata"]["uid"].clone();
    let before = uid().await;
    fault(&bed, Fault::DaemonRestart, Some("node-2")).await;
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=job=mizar-daemon");
    until("the daemon is back", async || {
        items(&bed, &path).await.iter().any(|pod| {
            let status = &pod["status"]["containerStatuses"][0];
            pod["spec"]["nodeName"] == "node-2" && status["restartCount"] == 1 && status["ready"] == true
        })
    })
    .await;
    check(&bed).await.exits(1).prints(&["unprogrammed-nodes", "node-2"]);
    repair(&bed).await.exits(0);
    assert_ne!(uid().await, before, "it has a new Droplet");
    prove(&bed, "daemon").await;
}

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

/// Repairs until nothing is left. What a repair finds only while it is at work was in no plan that anybody agreed to: it is
/// named, and the next one heals it.
async fn repair_to_the_end(bed: &Bed) {
    let first = repair(bed).await;
    if first.code != Some(0) {
        first.exits(1).tells(&["still to", "kubectl mizar repair"]);
        repair(bed).await.exits(0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_any_write_a_rerun_finishes() {
    let bed = installed().await;
    deployment(&bed, "web", 3).await;
    for kill_after in [1, 2, 4, 5, 6] {
        restart_operator(&bed).await;
        let mark = bed.mark().await.unwrap();
        let mut running = Mizar::on(&bed).args("repair -y").impatient(SCALE).start();
        let begun = Instant::now();
        loop {
            let trail = changes(&bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/"));
            if trail.count() >= kill_after || running.is_over() {
                break;
            }
            assert!(begun.elapsed() < PATIENCE);
        }
        running.signal(Signal::SIGKILL);
        println!("killed after {kill_after} writes: {:?}", running.end().await.code);
        repair_to_the_end(&bed).await;
        assert!(check(&bed).await.code == Some(0));
    }
    prove(&bed, "killed").await;
    Mizar::install(&bed).run().await.exits(0).tells(&["nothing was written"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_repairs_at_once_the_second_is_told_who() {
    let bed = installed().await;
    restart_operator(&bed).await;
    let mark = bed.mark().await.unwrap();
    let first = Mizar::on(&bed).args("repair -y --only deadlock").env("USER", "ann").start();
    let begun = Instant::now();
    while changes(&bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/")).is_empty() {
        assert!(begun.elapsed() < PATIENCE);
    }
    let second = Mizar::on(&bed).args("repair -y").env("USER", "bob").run().await;
    second.exits(3).tells(&["ann on ", "repair", "nothing was changed"]);
    first.end().await.exits(0);
    let requests = requests(&bed).await;
    println!("{} requests", requests.count());
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

/// A Deployment on the pod network, all of whose pods run.
async fn deployment(bed: &Bed, name: &str, replicas: usize) {
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
