//! One node's daemon: deleted as the very pod that was seen, and its successor waited for.

use std::time::Duration;

use mizar_core::facts::PodFact;
use mizar_core::kind;
use mizar_core::upgrade::Turn;
use serde_json::Value;

use crate::cluster::read::Listing;
use crate::cluster::watch::{WatchScope, Watched};
use crate::failure::{Failure, Kind};
use crate::flow::run::Run;
use crate::flow::treat;
use crate::flow::wait::{Patience, Standing, Watches, listed, wait};
use crate::flow::workloads::DAEMON_PODS;

/// Returns the name of the newest revision of the daemon's template, by which its controller marks pods. A revision that was used
/// before gets a new number: the highest is what is wanted now.
pub(super) async fn wanted_revision(run: &Run) -> Result<String, Failure> {
    let path = format!("/apis/apps/v1/namespaces/{}/controllerrevisions", run.namespace());
    let listing = Listing {
        path: &path,
        noun: "controllerrevisions",
        labels: DAEMON_PODS,
        fields: "",
        page_limit: 100,
        metadata_only: false,
    };
    let deadline = tokio::time::Instant::now() + run.timing().part_timeout;
    let daemon_set = format!("/apis/apps/v1/namespaces/{}/daemonsets/mizar-daemon", run.namespace());
    loop {
        run.go_on()?;
        let live = run.cluster().get_path(&daemon_set, "read DaemonSet mizar-daemon").await?.unwrap_or_default();
        // Before its controller has seen the template there is no revision of it.
        let observed = live["status"]["observedGeneration"].as_i64().unwrap_or_default();
        if observed >= live["metadata"]["generation"].as_i64().unwrap_or_default() {
            let mut newest: Option<(i64, String)> = None;
            let of_set = |revision: &Value| {
                let owners = revision["metadata"]["ownerReferences"].as_array();
                owners.into_iter().flatten().any(|owner| owner["uid"] == live["metadata"]["uid"])
            };
            let keep = |revision: Value| {
                let number = revision["revision"].as_i64().unwrap_or_default();
                let name = revision["metadata"]["labels"]["controller-revision-hash"].as_str().unwrap_or_default();
                if of_set(&revision) && newest.as_ref().is_none_or(|(highest, _)| number > *highest) {
                    newest = Some((number, name.to_owned()));
                }
            };
            run.cluster().items(&listing, keep).await?;
            if let Some((_, name)) = newest.filter(|(_, name)| !name.is_empty()) {
                return Ok(name);
            }
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(Failure::new(
                Kind::TimedOut,
                "the controller of DaemonSet mizar-daemon does not see its new template",
            )
            .hint("is the controller manager well? kubectl -n kube-system get pods"));
        }
        tokio::select! {
            () = tokio::time::sleep(run.timing().retry_pause) => {}
            failure = run.stopped() => return Err(failure),
        }
    }
}

/// Deletes a daemon and waits until its successor is ready.
pub(super) async fn replace(
    run: &Run,
    stage: &str,
    turn: &Turn,
    revision: &str,
    limit: Option<Duration>,
) -> Result<(), Failure> {
    treat::delete(run, &turn.daemon).await?;
    until_ready(run, stage, &turn.node, Some(&turn.daemon.uid), Some(revision), limit).await
}

/// Waits until a node has a ready daemon of this revision, or of any, that is not the `old` one.
pub(super) async fn until_ready(
    run: &Run,
    stage: &str,
    node: &str,
    old: Option<&str>,
    revision: Option<&str>,
    limit: Option<Duration>,
) -> Result<(), Failure> {
    let Some(info) = kind::lookup("v1", "Pod") else { return Ok(()) };
    let fields = format!("spec.nodeName={node}");
    let scope = WatchScope { namespace: Some(run.namespace()), labels: Some(DAEMON_PODS), fields: Some(&fields) };
    let mut watches = Watches(vec![run.cluster().watch(&info, &scope, |pod: Value| PodFact::from_object(&pod))]);
    let timing = run.timing();
    let patience = Patience {
        stage,
        limit: limit.unwrap_or(timing.daemon_timeout),
        look: timing.look,
        settle: timing.settle,
        stall: timing.stall,
        pods: DAEMON_PODS,
    };
    run.enter("wait");
    let waited = async {
        listed(run, &patience, &mut watches).await?;
        wait(run, &patience, &mut watches, |watched| standing(&watched[0], node, old, revision)).await
    };
    let waited = waited.await;
    run.enter("apply");
    waited
}

fn standing(pods: &Watched<PodFact>, node: &str, old: Option<&str>, revision: Option<&str>) -> Standing {
    let is_other = |pod: &PodFact| old.is_none_or(|old| pod.uid != old) && pod.deleting.is_none();
    let is_wanted = |pod: &&PodFact| is_other(pod) && revision.is_none_or(|revision| pod.revision == revision);
    let complete = pods.objects().any(|pod| is_wanted(&pod) && pod.ready);
    let waiting_for = match (complete, pods.objects().find(is_wanted)) {
        (true, _) => Vec::new(),
        (false, Some(pod)) => vec![format!("the daemon of {node} is not ready (pod {})", pod.path())],
        (false, None) if pods.objects().next().is_some() => vec![format!("the old daemon of {node} is still there")],
        (false, None) => vec![format!("node {node} has no daemon yet")],
    };
    Standing { done: usize::from(complete), total: 1, waiting_for, failed: None, complete }
}
