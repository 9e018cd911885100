//! Carries out the stages of a plan: eight objects at a time, never by force, and every write conditional on what was
//! planned from.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream::{self, StreamExt as _};
use mizar_core::event::{ApplyResult, Event};
use mizar_core::object::Object;
use mizar_core::plan::{Action, Change, Plan, Precondition, Stage};
use serde_json::{Value, json};

use super::gather::CONCURRENCY;
use super::run::Run;
use crate::cluster::write::{Applied, Commit};
use crate::cluster::{ApiFailure, Cause, Cluster};
use crate::failure::{Failure, Kind};

/// How this server takes changes; found out by its first answer, never from its version.
#[derive(Debug, Default)]
pub(crate) struct WriteMode {
    without_apply: AtomicBool,
}

/// Writes every change of a stage. All are tried; the failures are told together.
pub(crate) async fn apply_stage(run: &Run, stage: &Stage) -> Result<(), Failure> {
    let name = stage.name.as_str();
    let results: Vec<Result<(), Failure>> = stream::iter(&stage.changes)
        .map(|change| async move {
            if change.writes() {
                run.go_on()?;
            }
            let result = write(run.cluster(), run.write_mode(), change).await;
            if result.is_ok() {
                let result = match change.action {
                    Action::Create => ApplyResult::Created,
                    Action::Update { .. } => ApplyResult::Changed,
                    Action::Delete => ApplyResult::Deleted,
                    Action::Unchanged => ApplyResult::Unchanged,
                    Action::Keep { .. } => ApplyResult::Kept,
                };
                run.tell(Event::ObjectApplied { object: change.object.clone(), site: stage.site, result });
            }
            result.map_err(Failure::from)
        })
        .buffer_unordered(CONCURRENCY)
        .collect()
        .await;
    let mut failures: Vec<Failure> = results.into_iter().filter_map(Result::err).collect();
    if let Some(stopped) = failures.iter().position(|failure| failure.kind == Kind::Interrupted) {
        return Err(failures.swap_remove(stopped));
    }
    match failures.as_slice() {
        [] => Ok(()),
        [one] => Err(one.clone()),
        many => {
            let kind = many[0].kind;
            let mut failure = Failure::new(kind, format!("{} objects of {name} could not be written", many.len()));
            for one in many {
                failure = failure.detail(one.message.clone());
                failure.details.extend(one.details.iter().cloned());
            }
            Err(failure)
        }
    }
}

/// Has the server check a stage without storing anything.
pub(crate) async fn dry_run_stage(cluster: &Cluster, stage: &Stage) -> Vec<ApiFailure> {
    stream::iter(stage.changes.iter().filter(|change| change.writes()))
        .map(|change| async move { dry_run(cluster, change).await.err() })
        .buffer_unordered(CONCURRENCY)
        .filter_map(std::future::ready)
        .collect()
        .await
}

/// Tries the changes of existing objects; tells of fields that somebody else owns.
pub(crate) async fn conflicts(cluster: &Cluster, plan: &Plan) -> Option<Failure> {
    let updates = plan.changes().filter(|change| matches!(change.action, Action::Update { .. }));
    let refused: Vec<ApiFailure> = stream::iter(updates)
        .map(|change| async move {
            let mut failure = dry_run(cluster, change).await.err()?;
            if let (Cause::Conflict { fields, .. }, Some(_)) = (&mut failure.cause, &change.fold) {
                // What an older Helm owns becomes ours before it is written.
                fields.retain(|field| !field.manager.starts_with(change.manager.as_str()));
            }
            matches!(&failure.cause, Cause::Conflict { fields, .. } if !fields.is_empty()).then_some(failure)
        })
        .buffer_unordered(CONCURRENCY)
        .filter_map(std::future::ready)
        .collect()
        .await;
    let mut failures = refused.into_iter().map(Failure::from);
    let first = failures.next()?;
    Some(failures.fold(first, |first, next| {
        let mut both = first.detail(next.message);
        both.details.extend(next.details);
        both
    }))
}

async fn dry_run(cluster: &Cluster, change: &Change) -> Result<(), ApiFailure> {
    match &change.desired {
        Some(desired) => cluster.apply(desired, change.manager.as_str(), Commit::DryRun).await.map(drop),
        None => Ok(()),
    }
}

async fn write(cluster: &Cluster, mode: &WriteMode, change: &Change) -> Result<(), ApiFailure> {
    let mut precondition = change.precondition.clone();
    if let Some(fold) = &change.fold {
        let folded = cluster.json_patch(&change.object, fold).await?;
        precondition = Some(precondition_of(&folded));
    }
    match (&change.action, &change.desired) {
        (Action::Create, Some(desired)) => create(cluster, mode, change, desired).await,
        (Action::Update { .. }, Some(desired)) => update(cluster, mode, change, desired, precondition.as_ref()).await,
        (Action::Delete, _) => {
            let uid = precondition.map(|precondition| precondition.uid).unwrap_or_default();
            cluster.delete(&change.object, &uid).await
        }
        _ => Ok(()),
    }
}

async fn create(cluster: &Cluster, mode: &WriteMode, change: &Change, desired: &Object) -> Result<(), ApiFailure> {
    let manager = change.manager.as_str();
    if !mode.without_apply.load(Ordering::Relaxed) {
        match cluster.apply(desired, manager, Commit::Store).await {
            Ok((Applied::Created, _)) => return Ok(()),
            // An answer may have been lost and the request sent again; only a stranger's object is a conflict.
            Ok((Applied::Existed, live)) if is_fresh_and_ours(&live, manager) => return Ok(()),
            Ok((Applied::Existed, _)) => return Err(appeared(cluster, change)),
            Err(failure) if failure.cause == Cause::UnsupportedPatch => {
                mode.without_apply.store(true, Ordering::Relaxed);
            }
            Err(failure) => return Err(failure),
        }
    }
    match cluster.create(desired, manager, Commit::Store).await {
        Err(failure) if failure.cause == Cause::AlreadyExists => Err(appeared(cluster, change)),
        other => other.map(drop),
    }
}

async fn update(
    cluster: &Cluster,
    mode: &WriteMode,
    change: &Change,
    desired: &Object,
    precondition: Option<&Precondition>,
) -> Result<(), ApiFailure> {
    if !mode.without_apply.load(Ordering::Relaxed) {
        let mut body = desired.value().clone();
        if let Some(precondition) = precondition {
            body["metadata"]["uid"] = json!(precondition.uid);
            body["metadata"]["resourceVersion"] = json!(precondition.resource_version);
        }
        let body = Object::new(body).expect("it was an object before its metadata grew");
        match cluster.apply(&body, change.manager.as_str(), Commit::Store).await {
            Ok(_) => return Ok(()),
            Err(failure) if failure.cause == Cause::UnsupportedPatch => {
                mode.without_apply.store(true, Ordering::Relaxed);
            }
            Err(failure) => return Err(failure),
        }
    }
    let mut patch = change.merge_patch.clone().unwrap_or_else(|| json!({}));
    if let Some(precondition) = precondition {
        patch["metadata"]["uid"] = json!(precondition.uid);
        patch["metadata"]["resourceVersion"] = json!(precondition.resource_version);
    }
    cluster.merge_patch(&change.object, &patch).await.map(drop)
}

/// Whether nobody but `manager` has set a field of the object: then it is the one that our own lost request made.
fn is_fresh_and_ours(live: &Value, manager: &str) -> bool {
    let managers = live["metadata"]["managedFields"].as_array().map(Vec::as_slice).unwrap_or_default();
    !managers.is_empty()
        && managers.iter().filter(|entry| entry.get("subresource").is_none()).all(|entry| entry["manager"] == manager)
}

fn appeared(cluster: &Cluster, change: &Change) -> ApiFailure {
    ApiFailure {
        what: format!("create {}", change.object),
        server: cluster.server().to_owned(),
        cause: Cause::Conflict {
            message: "it appeared after the plan was made; run the command again to see the new plan".to_owned(),
            fields: Vec::new(),
        },
    }
}

fn precondition_of(live: &Value) -> Precondition {
    let text = |field: &str| live["metadata"][field].as_str().unwrap_or_default().to_owned();
    Precondition { uid: text("uid"), resource_version: text("resourceVersion") }
}

/// A failure while objects were being written says what that means.
pub(crate) fn while_applying(failure: Failure) -> Failure {
    let interrupted = failure.kind == Kind::Interrupted;
    let failure = failure.after_changes();
    if interrupted {
        failure
    } else {
        failure.hint("when that is mended, run the same command again: it goes on where it stopped")
    }
}
