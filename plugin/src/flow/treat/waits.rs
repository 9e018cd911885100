//! The waits that follow acts on Mizar's objects.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mizar_core::event::{Event, StepResult};
use mizar_core::facts::MizarObject;
use mizar_core::kind::{self, KindInfo, MIZAR_GROUP};
use mizar_core::object::ObjectId;
use mizar_core::site::Site;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::cluster::watch::{WatchScope, Watched};
use crate::failure::Failure;
use crate::flow::run::Run;
use crate::flow::wait::{Patience, Standing, Watches, listed, wait};
use crate::flow::workloads::OPERATOR_PODS;

/// Mizar's kinds, in the order in which they come to be.
const KINDS: [&str; 6] = ["Droplet", "Vpc", "Divider", "Subnet", "Bouncer", "Endpoint"];

/// How long to wait.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Extent {
    /// Replaces the limit of every wait, when a person named one.
    pub(crate) limit: Option<Duration>,
    /// What is there must stay so for this long.
    pub(crate) settle: Duration,
}

/// Waits until none of these very objects is there.
pub(crate) async fn until_gone(run: &Run, stage: &str, ids: &[ObjectId], extent: Extent) -> Result<(), Failure> {
    let wanted: BTreeMap<&str, String> = ids.iter().map(|id| (id.uid.as_str(), id.to_string())).collect();
    let mut watches = watches_of(run, ids);
    wait_for(run, stage, extent, &mut watches, |watched| {
        let present = watched.iter().flat_map(Watched::objects).filter_map(|object| object["metadata"]["uid"].as_str());
        let left: Vec<String> =
            present.filter_map(|uid| Some(format!("{} is still there", wanted.get(uid)?))).collect();
        standing(wanted.len(), left)
    })
    .await
    .map_err(|failure| failure.hint("what keeps an object: kubectl get KIND NAME -o yaml, under metadata.finalizers"))
}

/// Waits until each of these very objects is Provisioned, or gone.
pub(crate) async fn until_provisioned(run: &Run, stage: &str, ids: &[ObjectId], extent: Extent) -> Result<(), Failure> {
    let wanted: BTreeMap<&str, String> = ids.iter().map(|id| (id.uid.as_str(), id.to_string())).collect();
    let mut watches = watches_of(run, ids);
    wait_for(run, stage, extent, &mut watches, |watched| {
        let left = watched.iter().flat_map(Watched::objects).filter_map(|object| {
            let name = wanted.get(object["metadata"]["uid"].as_str()?)?;
            let status = object["spec"]["status"].as_str().unwrap_or_default();
            (status != "Provisioned").then(|| format!("{name} is {}", if status.is_empty() { "blank" } else { status }))
        });
        standing(wanted.len(), left.collect())
    })
    .await
}

/// Waits until every object of Mizar is Provisioned and no handler of the operator has to be tried again.
pub(crate) async fn until_settled(run: &Run, stage: &str, extent: Extent) -> Result<(), Failure> {
    let scope = WatchScope { namespace: Some("default"), ..WatchScope::default() };
    let kinds = KINDS.iter().filter_map(|kind| kind::lookup(&format!("{MIZAR_GROUP}/v1"), kind));
    let mut watches = Watches(kinds.map(|kind| run.cluster().watch(&kind, &scope, essentials)).collect());
    wait_for(run, stage, extent, &mut watches, |watched| {
        let objects = watched.iter().flat_map(|watch| watch.objects().map(|object| (watch.kind(), object)));
        let mut total = 0;
        let left = objects.filter_map(|(kind, object)| {
            total += 1;
            unsettled(kind, &MizarObject::from_object(object))
        });
        let left = left.collect();
        standing(total, left)
    })
    .await
}

/// Says what an object still waits for.
fn unsettled(kind: &str, object: &MizarObject) -> Option<String> {
    let name = object.name;
    if let Some(retry) = object.retries.first() {
        let message = retry.message.as_deref().unwrap_or("no reason given");
        return Some(format!("{kind} {name}: {} is tried again ({message})", retry.handler));
    }
    if object.deleting.is_some() {
        return Some(format!("{kind} {name} is being deleted"));
    }
    (!object.is_provisioned()).then(|| {
        let status = if object.status.is_empty() { "blank" } else { object.status.as_str() };
        format!("{kind} {name} is {status}")
    })
}

fn standing(total: usize, left: Vec<String>) -> Standing {
    let done = total.saturating_sub(left.len());
    Standing { done, total, complete: left.is_empty(), waiting_for: left, failed: None }
}

/// One watch for each kind and namespace; of one object, where it is about one.
fn watches_of(run: &Run, ids: &[ObjectId]) -> Watches {
    let one = if let [id] = ids { Some(format!("metadata.name={}", id.object.name)) } else { None };
    let collections: BTreeSet<(&str, &str, Option<&str>)> = ids
        .iter()
        .map(|id| (id.object.api_version.as_str(), id.object.kind.as_str(), id.object.namespace.as_deref()))
        .collect();
    let watch = |(api_version, kind, namespace): (&str, &str, Option<&str>)| {
        let kind: KindInfo = kind::lookup(api_version, kind)?;
        let scope = WatchScope { namespace, fields: one.as_deref(), ..WatchScope::default() };
        Some(run.cluster().watch(&kind, &scope, essentials))
    };
    Watches(collections.into_iter().filter_map(watch).collect())
}

/// Waits until `judge` says that all is there, with the limits that all these waits have.
pub(crate) async fn wait_for(
    run: &Run,
    stage: &str,
    extent: Extent,
    watches: &mut Watches,
    judge: impl FnMut(&[Watched]) -> Standing,
) -> Result<(), Failure> {
    if watches.0.is_empty() {
        return Ok(());
    }
    run.go_on()?;
    run.enter("wait");
    let timing = run.timing();
    let patience = Patience {
        stage,
        limit: extent.limit.unwrap_or(timing.part_timeout),
        // The operator works in rounds: silence between two of them is no trouble.
        look: timing.operator_rounds,
        settle: extent.settle,
        stall: timing.stall,
        pods: OPERATOR_PODS,
    };
    let waited = async {
        listed(run, &patience, watches).await?;
        wait(run, &patience, watches, judge).await
    };
    let waited = waited.await;
    run.enter("apply");
    waited
}

/// Tells that a part begins and returns when.
pub(crate) fn stage_begins(run: &Run, stage: &str, total: usize) -> Instant {
    run.tell(Event::StageStarted { stage: stage.to_owned(), site: Site::Management, total });
    Instant::now()
}

/// Tells that a part has ended as it should.
pub(crate) fn stage_ends(run: &Run, stage: &str, summary: String, begun: Instant) {
    let result = StepResult::Succeeded;
    run.tell(Event::StageFinished { stage: stage.to_owned(), summary, result, elapsed: begun.elapsed() });
}

/// Managed fields and handler progress are most of an object, and nobody waits for them.
#[expect(clippy::needless_pass_by_value, reason = "a watch hands each object over")]
fn essentials(object: Value) -> Value {
    let metadata = &object["metadata"];
    json!({
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "deletionTimestamp": metadata["deletionTimestamp"],
            "annotations": metadata["annotations"],
        },
        "spec": {"status": object["spec"]["status"]},
    })
}
