//! First installs: what a person gets, and what nothing is changed by.

use std::collections::BTreeSet;
use std::time::Duration;

use mizar_core::event::SCHEMA;

use crate::cli::Mizar;
use crate::cluster::{
    NAMESPACE, address_of_new_pod, assert_healthy_and_nothing_doubled, bed, bed_of, changes, get, items, names,
    requests,
};

#[tokio::test]
async fn a_first_install_brings_up_a_network_from_which_new_pods_get_their_addresses() {
    let bed = bed().await;
    let ended = Mizar::install(&bed).run().await;
    ended.exits(0).tells(&["Binary Ready", "Environment Ready", "Deploy", "Sanity Check", "kubectl mizar check"]);
    assert_eq!(ended.stdout, "", "nobody asked for data");
    for image in ["mizarnet/mizar", "mizarnet/dropletd", "mizarnet/endpointopr"] {
        ended.tells(&[image]);
    }
    assert_healthy_and_nothing_doubled(&bed).await;
    let address = address_of_new_pod(&bed, "first").await;
    assert!(address.starts_with("10.20."), "{address}");
    let namespace = get(&bed, &format!("/api/v1/namespaces/{NAMESPACE}")).await;
    for mode in ["enforce", "audit", "warn"] {
        let label = format!("pod-security.kubernetes.io/{mode}");
        assert_eq!(namespace["metadata"]["labels"][&label], "privileged", "{namespace:#}");
    }
}

#[tokio::test]
async fn nothing_is_changed_by_a_plan_a_dry_run_or_a_missing_yes() {
    let bed = bed().await;
    Mizar::on(&bed).args("install -y").run().await.exits(2).tells(&["--profile"]);
    let plan = Mizar::on(&bed).args("install --profile dev --plan").run().await;
    plan.exits(0).prints(&["DaemonSet mizar-system/mizar-daemon", "node-1", "Expected duration"]);
    assert_eq!(requests(&bed).await.writes().filter(|entry| entry.uri.contains("dryRun=All")).count(), 0);
    Mizar::on(&bed).args("install --profile dev").run().await.exits(2).tells(&[
        "-y",
        "nothing was changed",
        "DaemonSet",
    ]);
    Mizar::on(&bed).args("install --profile dev --dry-run=server").run().await.exits(0).tells(&["nothing was changed"]);
    let client = Mizar::nowhere().args("install --profile dev --dry-run=client").run().await;
    client.exits(0).prints(&["kind: DaemonSet"]);
    let changes = changes(&requests(&bed).await);
    assert!(changes.is_empty(), "{}", changes.summary());
    assert!(!names(&bed, "/api/v1/namespaces").await.contains(&"mizar-system".to_owned()));
}

#[tokio::test]
async fn an_own_pod_network_gives_addresses_of_its_range_which_cannot_be_changed_later() {
    let bed = bed().await;
    let own = "--set podNetwork.create=true --set podNetwork.cidr=10.77.0.0/16";
    let ended = Mizar::install(&bed).args(own).args("-o json").run().await;
    ended.exits(0);
    let events = ended.json_lines();
    assert!(events.iter().all(|event| event["schema"] == SCHEMA), "{ended}");
    assert_eq!(events.first().unwrap()["type"], "started");
    let last = events.last().unwrap();
    assert!(last["type"] == "finished" || last["type"] == "hint", "{last}");
    let reported: BTreeSet<&str> = (events.iter())
        .filter(|event| event["type"] == "stageFinished" && event["result"] == "succeeded")
        .filter_map(|event| event["stage"].as_str())
        .collect();
    assert_healthy_and_nothing_doubled(&bed).await;
    let address = address_of_new_pod(&bed, "own").await;
    assert!(address.starts_with("10.77."), "{address}");

    let mark = bed.mark().await.unwrap();
    let refused = Mizar::install(&bed).args("--set podNetwork.cidr=10.78.0.0/16").run().await;
    refused.exits(3).tells(&["Subnet default/net0", "10.77.0.0/16", "nothing was changed"]);
    let changes = changes(&bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/"));
    assert!(changes.is_empty(), "{}", changes.summary());

    let parts = "namespace access definitions network daemon operator droplets vpcs dividers subnets bouncers";
    let parts: BTreeSet<&str> = parts.split(' ').chain(["host endpoints"]).collect();
    assert_eq!(reported, parts, "every part is reported by itself");
}

#[tokio::test]
async fn recreating_pods_moves_the_name_servers_onto_mizar() {
    let bed = bed().await;
    let addresses = async || -> Vec<String> {
        let pods = items(&bed, "/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app=kube-dns").await;
        let living = pods.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        living.map(|pod| pod["status"]["podIP"].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert!(addresses().await.iter().all(|address| address.starts_with("10.244.")), "{:?}", addresses().await);
    Mizar::install(&bed).args("--recreate-pods").run().await.exits(0);
    let moved = addresses().await;
    assert!(!moved.is_empty() && moved.iter().all(|address| address.starts_with("10.20.")), "{moved:?}");
    assert_healthy_and_nothing_doubled(&bed).await;
}

#[tokio::test]
async fn fifty_nodes_are_installed_within_a_minute() {
    let bed = bed_of(50).await;
    let ended = Mizar::install(&bed).run().await;
    ended.exits(0);
    assert!(ended.took < Duration::from_secs(60), "{ended}");
    assert_healthy_and_nothing_doubled(&bed).await;
}

#[tokio::test]
async fn a_release_in_a_namespace_of_ones_own_is_found_without_naming_it() {
    let bed = bed().await;
    Mizar::install(&bed).args("-n network").run().await.exits(0);
    Mizar::on(&bed).args("check").run().await.exits(0);
    Mizar::on(&bed).args("install -y").run().await.exits(0).tells(&["nothing was written"]);
    let elsewhere = Mizar::install(&bed).args("-n mizar-system").run().await;
    elsewhere.exits(3).tells(&["namespace network", "mizar-system", "-n network"]);
    assert!(!names(&bed, "/api/v1/namespaces").await.contains(&"mizar-system".to_owned()));
}

#[tokio::test]
async fn an_install_that_does_not_wait_is_waited_for_by_check() {
    let bed = bed().await;
    Mizar::install(&bed).args("--wait=false").run().await.exits(0).tells(&["not waited for"]);
    Mizar::on(&bed).args("check --wait --timeout 60s").run().await.exits(0);
    Mizar::on(&bed).args("install -y").run().await.exits(0).tells(&["nothing was written"]);
    assert_healthy_and_nothing_doubled(&bed).await;
}
