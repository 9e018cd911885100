//! Deletions that do not end: while no operator runs, and those that a running one never finishes.

use std::path::Path;
use std::process::Command;

use mizar_bed::Bed;
use serde_json::json;

use super::{LATE, SCALE, SETTLING, at_work, check, deployment, mizar, prove, repair, running};
use crate::cluster::{create, get, items, names, patch, send};
use crate::restart::{OPERATOR, restart, until};

async fn stop_the_operator(bed: &Bed) {
    patch(bed, OPERATOR, &json!({"spec": {"replicas": 0}})).await;
    let pods = "/api/v1/namespaces/mizar-system/pods?labelSelector=app=mizar-operator";
    until("the operator is gone", async || items(bed, pods).await.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_while_no_operator_ran_goes_with_the_next_one_and_comes_back() {
    let bed = at_work().await;
    deployment(&bed, "web", 2).await;
    stop_the_operator(&bed).await;
    let uid = async || get(&bed, &mizar("droplets/node-2")).await["metadata"]["uid"].clone();
    let before = uid().await;
    let endpoint = names(&bed, &mizar("endpoints")).await.into_iter().find(|it| it.starts_with("web-")).unwrap();
    for path in [format!("endpoints/{endpoint}"), "droplets/node-2".to_owned()] {
        send(&bed, "DELETE", &mizar(&path), None).await.unwrap();
    }
    tokio::time::sleep(LATE).await;
    let stuck = format!("Droplet node-2, Endpoint {endpoint}: is being deleted and does not go");
    check(&bed).await.exits(1).prints(&[&stuck, "kubectl mizar repair --restart-operator"]);
    let refused = repair(&bed).await;
    refused.exits(1).tells(&["Mizar's operator does not run", "kubectl mizar repair --restart-operator"]);
    // Nobody can give a running pod an Endpoint; all else comes back.
    let pod = endpoint.trim_end_matches("-default--eth0");
    let named = format!("default/{pod}: has no Endpoint");
    let restarted = restart(&bed).impatient(SCALE).run().await;
    restarted.exits(1).tells(&["3 nodes uncordoned", &named, "recreate the pod"]);
    assert_ne!(uid().await, before, "the node was shown to the new operator, which made another");
    let droplet = get(&bed, &mizar("droplets/node-2")).await;
    assert_eq!(droplet["spec"]["status"], "Provisioned");
    send(&bed, "DELETE", &format!("/api/v1/namespaces/default/pods/{pod}"), None).await.unwrap();
    until("its successor runs", async || running(&bed).await == 2).await;
    repair(&bed).await.exits(0);
    prove(&bed, "deleted").await;
}

/// Deletes the only Divider and the only Bouncer; returns their names.
async fn delete_divider_and_bouncer(bed: &Bed) -> [String; 2] {
    let mut deleted = Vec::new();
    for plural in ["dividers", "bouncers"] {
        let name = names(bed, &mizar(plural)).await.remove(0);
        send(bed, "DELETE", &mizar(&format!("{plural}/{name}")), None).await.unwrap();
        deleted.push(name);
    }
    deleted.try_into().unwrap()
}

async fn assert_others_took_their_places(bed: &Bed, [divider, bouncer]: &[String; 2]) {
    let (dividers, bouncers) = (names(bed, &mizar("dividers")).await, names(bed, &mizar("bouncers")).await);
    assert_eq!((dividers.len(), bouncers.len()), (1, 1));
    assert!(!dividers.contains(divider) && !bouncers.contains(bouncer), "{dividers:?} {bouncers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_divider_and_a_bouncer_that_somebody_deleted_are_made_again_by_a_safe_restart() {
    let bed = at_work().await;
    deployment(&bed, "web", 2).await;
    let deleted = delete_divider_and_bouncer(&bed).await;
    tokio::time::sleep(SETTLING).await;
    check(&bed).await.exits(1).prints(&["has 0 of 1 Dividers", "has 0 of 1 Bouncers", "kubectl mizar repair --plan"]);
    let made = "Bouncers and Dividers that are gone, made again: Divider vpc0-d-again-1, Bouncer net0-b-again-1";
    repair(&bed).await.exits(0).tells(&["in place of what is gone", made]);
    assert_others_took_their_places(&bed, &deleted).await;
    prove(&bed, "made").await;
}

/// Nothing could end the restart otherwise: the nodes would stay cordoned.
#[tokio::test(flavor = "multi_thread")]
async fn a_divider_and_a_bouncer_that_go_when_the_operator_starts_are_made_again_before_its_eyes() {
    let bed = at_work().await;
    deployment(&bed, "web", 2).await;
    stop_the_operator(&bed).await;
    let deleted = delete_divider_and_bouncer(&bed).await;
    tokio::time::sleep(LATE).await;
    check(&bed).await.exits(1).prints(&[&deleted[0], &deleted[1], "is being deleted and does not go"]);
    restart(&bed).impatient(SCALE).run().await.exits(0);
    assert_others_took_their_places(&bed, &deleted).await;
    prove(&bed, "started").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subnet_and_a_vpc_whose_deletion_hangs_are_named_and_go_the_way_that_is_named() {
    let bed = at_work().await;
    deployment(&bed, "web", 2).await;
    let vpc = json!({"apiVersion": "mizar.com/v1", "kind": "Vpc", "metadata": {"name": "vpc1"}, "spec": {
        "ip": "10.40.0.0", "prefix": "16", "dividers": 1, "status": "Init"}});
    create(&bed, &mizar("vpcs"), &vpc).await;
    let net = json!({"apiVersion": "mizar.com/v1", "kind": "Subnet", "metadata": {"name": "net1"}, "spec": {
        "ip": "10.40.0.0", "prefix": "16", "vpc": "vpc1", "bouncers": 1, "status": "Init"}});
    create(&bed, &mizar("subnets"), &net).await;
    until("all nodes are connected to it", async || {
        let endpoints = items(&bed, &mizar("endpoints")).await;
        let of_net = endpoints.iter().filter(|it| it["spec"]["net"] == "net1");
        of_net.filter(|it| it["spec"]["status"] == "Provisioned").count() == 3
    })
    .await;
    for path in ["subnets/net1", "vpcs/vpc1"] {
        send(&bed, "DELETE", &mizar(path), None).await.unwrap();
    }
    tokio::time::sleep(LATE).await;
    check(&bed)
        .await
        .exits(1)
        .prints(&["Vpc vpc1, Subnet net1: is being deleted and does not go", "kubectl mizar repair --plan"]);
    let named = repair(&bed).await;
    named
        .exits(1)
        .tells(&["Subnet default/net1 is being deleted for ever", "Vpc default/vpc1 is being deleted for ever"]);
    for command in commands_of(&named.stderr) {
        carry_out(&bed, &command);
    }
    // The thread that spins keeps the operator from ending by itself.
    restart(&bed).impatient(SCALE).run().await.exits(0);
    let left = async |plural: &str| items(&bed, &mizar(plural)).await.len();
    assert_eq!(
        (left("vpcs").await, left("subnets").await, left("dividers").await, left("bouncers").await),
        (1, 1, 1, 1)
    );
    prove(&bed, "deleted").await;
}

/// The commands of kubectl in what people are told, once each.
fn commands_of(told: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    for command in told.split('`').skip(1).step_by(2) {
        if !command.starts_with("kubectl mizar") && !commands.iter().any(|known| known == command) {
            commands.push(command.to_owned());
        }
    }
    commands
}

/// Does in a shell what people are told to type.
fn carry_out(bed: &Bed, command: &str) {
    let mut shell = Command::new("sh");
    bed.prepare_command(&mut shell);
    let kubectl = bed.kubectl().unwrap();
    let folder = Path::new(kubectl.get_program()).parent().unwrap().display().to_string();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap_or_default());
    let output = shell.env("PATH", path).args(["-c", command]).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}
