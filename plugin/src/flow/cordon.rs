//! Keeping new pods from nodes for a while, with our mark, so that only our own cordons are undone.

use mizar_core::facts::CORDON_ANNOTATION;
use mizar_core::object::ObjectRef;
use serde_json::json;

use super::run::Run;
use super::treat::{Changed, change_named};
use crate::cluster::Cause;
use crate::cluster::write::Commit;
use crate::failure::Failure;

/// How often a node is tried that somebody else writes at the same moment.
const ATTEMPTS: usize = 8;

/// Cordons a node and marks it, in one write; one that somebody else has cordoned stays theirs.
pub(crate) async fn cordon(run: &Run, node: &str, mark: &str) -> Result<Changed, Failure> {
    change_named(run, &reference(node), |live| {
        let cordoned = live["spec"]["unschedulable"] == true;
        (!cordoned)
            .then(|| json!({"metadata": {"annotations": {CORDON_ANNOTATION: mark}}, "spec": {"unschedulable": true}}))
    })
    .await
}

/// Takes our mark and the cordon off a node, in one write; one without the mark stays as it is.
pub(crate) async fn uncordon(run: &Run, node: &str) -> Result<Changed, Failure> {
    change_named(run, &reference(node), |live| {
        let ours = live["metadata"]["annotations"][CORDON_ANNOTATION].is_string();
        ours.then(|| json!({"metadata": {"annotations": {CORDON_ANNOTATION: null}}, "spec": {"unschedulable": null}}))
    })
    .await
}

/// As [`uncordon`], also for who is asked to stop: no node is left closed by that.
pub(crate) async fn let_go(run: &Run, node: &str) -> Result<(), Failure> {
    let reference = reference(node);
    for _ in 0..ATTEMPTS {
        let Some(live) = run.cluster().get(&reference).await? else { return Ok(()) };
        let metadata = &live["metadata"];
        if !metadata["annotations"][CORDON_ANNOTATION].is_string() {
            return Ok(());
        }
        let patch = json!({
            "metadata": {"annotations": {CORDON_ANNOTATION: null}, "uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]},
            "spec": {"unschedulable": null},
        });
        match run.cluster().merge_patch(&reference, &patch, Commit::Store).await {
            Ok(_) => return Ok(()),
            Err(failure) if matches!(failure.cause, Cause::Conflict { .. } | Cause::Lost(_)) => {}
            Err(failure) => return Err(failure.into()),
        }
    }
    uncordon(run, node).await.map(drop)
}

fn reference(node: &str) -> ObjectRef {
    ObjectRef { api_version: "v1".to_owned(), kind: "Node".to_owned(), namespace: None, name: node.to_owned() }
}
