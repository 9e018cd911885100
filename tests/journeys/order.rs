//! What must be true of every journey that changes a cluster, however many commands it had and however they ended: while it
//! lasts, never more than one node is without its programming; when it is over, nothing is lost, closed, held or owed.

use std::time::Duration;

use mizar_bed::Bed;
use mizar_core::operation::Operation;
use mizar_core::operation::storage::from_secret;
use serde_json::Value;

use crate::audit_oracle::{Journey, assert_nothing_lost};
use crate::cluster::items;

/// How often it is looked which nodes are programmed.
const LOOK: Duration = Duration::from_millis(100);

/// Lets a journey happen that lasts a while, and asserts that meanwhile never more than one node is without its programming.
pub(crate) async fn watched<T>(bed: &Bed, journey: impl Future<Output = T>) -> T {
    let (ended, looks) = programmed_throughout(bed, journey).await;
    assert!(looks > 10, "looked {looks} times");
    ended
}

/// Lets something happen, and asserts that meanwhile never more than one node is without its programming, which no object tells:
/// only the simulated daemons know. Returns also how often it was looked.
pub(crate) async fn programmed_throughout<T>(bed: &Bed, journey: impl Future<Output = T>) -> (T, usize) {
    tokio::pin!(journey);
    let mut looks = 0;
    loop {
        tokio::select! {
            ended = &mut journey => return (ended, looks),
            () = tokio::time::sleep(LOOK) => {
                let bare = unprogrammed(bed).await;
                assert!(bare.len() <= 1, "not programmed at the same time: {bare:?}\n{}", what_there_is(bed).await);
                looks += 1;
            }
        }
    }
}

/// What the objects tell of the nodes, and when, for who looks for the reason.
async fn what_there_is(bed: &Bed) -> String {
    let mut told = Vec::new();
    for plural in ["droplets", "endpoints"] {
        for object in items(bed, &format!("/apis/mizar.com/v1/namespaces/default/{plural}")).await {
            let (metadata, spec) = (&object["metadata"], &object["spec"]);
            if plural == "droplets" || spec["type"] == "host" {
                let times = (&metadata["creationTimestamp"], &metadata["deletionTimestamp"], &spec["provisiondelay"]);
                told.push(format!("{plural} {} {} {} {times:?}", metadata["name"], metadata["uid"], spec["status"]));
            }
        }
    }
    let acts = bed.audit().await.unwrap().agent("kubectl-mizar/");
    let last = acts
        .writes()
        .entries()
        .iter()
        .rev()
        .take(40)
        .map(|it| format!("{} {}", it.received, it.uri))
        .collect::<Vec<_>>();
    told.extend(last.into_iter().rev());
    told.join("\n")
}

/// The nodes whose daemon has programmed nothing.
async fn unprogrammed(bed: &Bed) -> Vec<String> {
    let state = bed.simulator_state().await.unwrap();
    let nodes = state["nodes"].as_object().unwrap();
    let is_bare = |node: &Value| node["host_endpoints"].as_object().is_none_or(serde_json::Map::is_empty);
    nodes.iter().filter(|(_, node)| is_bare(node)).map(|(name, _)| name.clone()).collect()
}

/// Asserts that the end of a journey is one: no node is closed, nobody holds a claim or owes an act, and the audit log tells
/// of nothing that was lost on the way.
pub(crate) async fn assert_in_order(bed: &Bed, journey: &Journey) {
    assert_no_cordon(bed).await;
    for operation in records(bed).await {
        let told = format!("{} of {}", operation.command, operation.holder);
        let ended = operation.outcome.unwrap_or_else(|| panic!("{told} is not ended"));
        assert!(operation.restart.is_none(), "{told} has a restart that is half done");
        assert!(operation.owed.is_nothing() || !ended.outcome.is_success(), "{told} owes something");
    }
    assert_eq!(leases(bed).await, Vec::<String>::new(), "leases of ours");
    assert_nothing_lost(&bed.audit().await.unwrap(), journey);
}

/// Asserts that every node takes pods and none says that we closed it.
pub(crate) async fn assert_no_cordon(bed: &Bed) {
    for node in items(bed, "/api/v1/nodes").await {
        assert!(node["spec"]["unschedulable"].is_null(), "{}", node["metadata"]["name"]);
        assert!(!node["metadata"]["annotations"].to_string().contains("mizar.dev/cordoned"), "{node}");
    }
}

/// The records of what was done, in whichever namespaces they are.
async fn records(bed: &Bed) -> Vec<Operation> {
    let secrets = items(bed, "/api/v1/secrets?fieldSelector=metadata.name=mizar-operation").await;
    secrets.iter().map(|secret| from_secret(secret).unwrap().operation).collect()
}

async fn leases(bed: &Bed) -> Vec<String> {
    let leases = items(bed, "/apis/coordination.k8s.io/v1/leases").await;
    let names = leases.iter().map(|lease| lease["metadata"]["name"].as_str().unwrap().to_owned());
    names.filter(|name| name.contains("mizar")).collect()
}
