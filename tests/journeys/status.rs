//! `status`: one screen of what runs, and with --watch every change of it, told by watches and not by asking again.

use std::collections::BTreeMap;
use std::time::Duration;

use mizar_bed::{AuditTrail, Role};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::cli::Mizar;
use crate::cluster::{address_of_new_pod, bed, installed, patch};

#[tokio::test]
async fn status_shows_versions_nodes_networks_and_the_last_change() {
    let bed = installed().await;
    address_of_new_pod(&bed, "web").await;
    let screen = Mizar::on(&bed).args("status").run().await;
    screen.exits(0).prints(&[
        "nodes        3, 3 ready; daemon ready on 3 of 3, Droplet on 3 of 3",
        "mizar revision 1 deployed, mizar-crds revision 1 deployed in namespace mizar-system (chart mizar-",
        "1 of 1 ready",
        "vpc0 ",
        "1 of 1 Dividers",
        "net0 ",
        "addresses in use",
        "none; install by ",
        "done",
    ]);
    let status = json_of(&Mizar::on(&bed).args("status -o json").run().await.stdout);
    assert_eq!((&status["kind"], &status["nodes"]["withDroplet"]), (&json!("Status"), &json!(3)));
    assert_eq!(status["change"]["state"], "ended");
    let used = status["networks"][0]["subnets"][0]["used"].as_u64().unwrap();
    assert!(used >= 1, "the pod has an address: {status:#}");

    patch(&bed, "/apis/apps/v1/namespaces/mizar-system/deployments/mizar-operator", &json!({"spec": {"replicas": 2}}))
        .await;
    let hurt = json_of(&Mizar::on(&bed).args("status -o json").run().await.stdout);
    assert_eq!(hurt["worst"][0]["status"], "fail", "{hurt:#}");
    let next = hurt["next"].as_str().unwrap();
    assert!(next.contains("kubectl mizar check") || next.contains("kubectl mizar repair --plan"), "{next}");
}

#[tokio::test]
async fn a_cluster_without_mizar_is_no_failure() {
    let bed = bed().await;
    let screen = Mizar::on(&bed).args("status").run().await;
    screen.exits(0).prints(&["not installed", "next: `kubectl mizar check --pre`"]);
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test]
async fn an_install_can_be_watched_from_its_first_change_to_its_last() {
    let bed = bed().await;
    let watching = Mizar::by(&bed, Role::Checker).args("status --watch -o json").start();
    tokio::time::sleep(Duration::from_secs(2)).await;
    Mizar::install(&bed).run().await.exits(0);
    // Kinds that did not exist are asked for again after a growing pause.
    tokio::time::sleep(Duration::from_secs(12)).await;
    watching.signal(Signal::SIGINT);
    let ended = watching.end().await;
    ended.exits(130);
    let lines = ended.json_lines();
    let states: Vec<&str> = lines.iter().map(|line| line["change"]["state"].as_str().unwrap()).collect();
    assert_eq!(states.first(), Some(&"none"), "{states:?}");
    assert!(states.contains(&"running"), "{states:?}");
    let last = lines.last().unwrap();
    assert_eq!((&last["change"]["state"], &last["nodes"]["withDroplet"]), (&json!("ended"), &json!(3)), "{last:#}");
    assert!(lines.windows(2).all(|pair| pair[0] != pair[1]), "a line is a change");
}

#[tokio::test]
async fn while_nothing_changes_nothing_is_asked() {
    let bed = installed().await;
    let mark = bed.mark().await.unwrap();
    let ended = Mizar::by(&bed, Role::Checker).args("status --watch --timeout 20s --request-timeout 3s").run().await;
    ended.exits(0).prints(&["daemon ready on 3 of 3"]);
    let trail = bed.audit_since(mark).await.unwrap().by(Role::Checker).agent("kubectl-mizar/");
    assert!(trail.writes().is_empty(), "{}", trail.summary());
    // Watches last longer than any request may.
    assert_one_list_and_one_watch_each(&trail);
    let once = Mizar::by(&bed, Role::Checker).args("status --watch --timeout 0").run().await;
    once.exits(0).prints(&["daemon ready on 3 of 3"]);
}

fn assert_one_list_and_one_watch_each(trail: &AuditTrail) {
    let mut seen = BTreeMap::<(&str, &str, &str, &str), usize>::new();
    for entry in trail.entries().iter().filter(|entry| entry.code == 200 && !entry.uri.contains("continue=")) {
        let selector = entry.uri.split('?').nth(1).unwrap_or_default();
        let what = if selector.contains("owner") { "releases" } else { "" };
        let key = (entry.verb.as_str(), entry.group.as_str(), entry.resource.as_str(), what);
        if matches!(entry.verb.as_str(), "list" | "watch") {
            *seen.entry(key).or_default() += 1;
        }
    }
    assert!(seen.len() > 10, "{seen:?}");
    assert!(seen.values().all(|number| *number == 1), "{seen:?}");
}
