//! Versions that misunderstand each other: everything at once, with no operator in between.

use super::{mizar_pods, replaced, upgrade};
use crate::audit_oracle::Journey;
use crate::cluster::requests;
use crate::order::assert_in_order;
use crate::repair::{at_work, deployment, prove};
use crate::restart::{assert_all_addresses_differ, pods_of, runs, until};

#[tokio::test(flavor = "multi_thread")]
async fn in_a_maintenance_window_daemons_are_replaced_while_no_operator_runs() {
    let bed = at_work().await;
    deployment(&bed, "web", 3).await;
    let before = mizar_pods(&bed).await;
    let versions = "--set images.init.tag=dev-next --set images.daemon.tag=dev-next --set images.operator.tag=dev-next";
    let done = upgrade(&bed, &format!("{versions} --maintenance-window --accept-outage")).await;
    done.exits(0).tells(&["all at once, with no operator", "Mizar is healthy on 3 nodes"]);
    assert_eq!(replaced(&before, &mizar_pods(&bed).await).len(), 4);
    let trail = crate::cluster::changes(&requests(&bed).await);
    let of_operator = |entry: &&mizar_bed::AuditEntry| entry.resource == "deployments" && entry.verb == "patch";
    let stops = trail.entries().iter().position(|entry| of_operator(&entry)).unwrap();
    let starts = trail.entries().iter().rposition(|entry| of_operator(&entry)).unwrap();
    let daemons: Vec<usize> = trail
        .entries()
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.verb == "delete" && entry.name.starts_with("mizar-daemon"))
        .map(|(at, _)| at)
        .collect();
    assert_eq!(daemons.len(), 3);
    assert!(daemons.iter().all(|at| *at > stops && *at < starts), "{stops} {daemons:?} {starts}");
    assert_in_order(&bed, &Journey::default()).await;
    until("all pods run", async || pods_of(&bed, "web", runs).await == 3).await;
    assert_all_addresses_differ(&bed).await;
    prove(&bed, "window").await;
}
