//! What must be true of every journey that changes a cluster, however many commands it had and however they ended: while it
//! lasts, never more than one node is without its programming; when it is over, nothing is lost, closed, held or owed.

use std::time::Duration;

use mizar_bed::Bed;
use mizar_core::operation::Operation;
use mizar_core::operation::storage::from_secret;
use serde_json::Value;

use crate::audit_oracle::{Journey, assert_nothing_lost};
use crate::cluster::items;

/// Lets a journey happen, and asserts that meanwhile never more than one node is without its programming, which no object
/// tells: only the simulated daemons know.
pub(crate) async fn watched<T>(bed: &Bed, journey: impl Future<Output = T>) -> T {
    tokio::pin!(journey);
    let mut looks = 0;
    loop {
        tokio::select! {
            ended = &mut journey => {
                assert!(looks > 10, "looked {looks} times");
                return ended;
            }
            () = tokio::time::sleep(Duration::from_millis(100)) => {
                let bare = unprogrammed(bed).await;
                assert!(bare.len() <= 1, "{bare:?}");
                looks += 1;
            }
        }
    }
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
