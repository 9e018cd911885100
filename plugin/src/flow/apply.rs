//! Carries out the stages of a plan: sixteen objects at a time, never by force, and every write conditional on what was
//! planned from.

use futures::stream::{self, StreamExt as _};
use mizar_core::event::{ApplyResult, Event};
use mizar_core::object::{Object, ObjectRef};
use mizar_core::plan::fold::fold;
use mizar_core::plan::merge::{is_in_effect, still_applies};
use mizar_core::plan::{Action, Change, Conflict, ContestedField, Plan, Precondition, Stage};
use serde_json::{Value, json};

use super::run::Run;
use super::write_mode::WriteMode;
use crate::cluster::failure::FieldConflict;
use crate::cluster::write::{Applied, Commit};
use crate::cluster::{ApiFailure, Cause, Cluster};
use crate::failure::{Failure, Kind};

/// How many objects are written at once. Over a long wire a small write spends its time there and not at the server.
const AT_ONCE: usize = 16;

/// Writes every change of a stage. All are tried; the failures are told together.
pub(crate) async fn apply_stage(run: &Run, stage: &Stage) -> Result<(), Failure> {
    let name = stage.name.as_str();
    let (bindings, others): (Vec<&Change>, Vec<&Change>) = stage.changes.iter().partition(|change| binds(change));
    let mut results = write_all(run, stage, others).await;
    results.extend(write_all(run, stage, bindings).await);
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

/// Whether it is a binding, for which its role must be there: where somebody may not bind any role, the server looks at what
/// this one grants.
fn binds(change: &Change) -> bool {
    matches!(change.object.kind.as_str(), "RoleBinding" | "ClusterRoleBinding")
}

async fn write_all(run: &Run, stage: &Stage, changes: Vec<&Change>) -> Vec<Result<(), Failure>> {
    stream::iter(changes)
        .map(|change| async move {
            if change.writes() || change.fold.is_some() {
                run.go_on()?;
            }
            let result = write(run.cluster(), run.write_mode(), change, Commit::Store).await;
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
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

/// Has the server check a stage without storing anything.
pub(crate) async fn dry_run_stage(cluster: &Cluster, stage: &Stage) -> Vec<ApiFailure> {
    let mode = &WriteMode::default();
    stream::iter(stage.changes.iter().filter(|change| change.writes()))
        .map(|change| async move {
            let failure = write(cluster, mode, change, Commit::DryRun).await.err()?;
            not_of_an_older_helm(change, failure)
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await
}

/// What the server said to the changes of existing objects.
#[derive(Default)]
pub(crate) struct Trial {
    /// The objects about whose fields it said something.
    tried: Vec<ObjectRef>,
    /// Fields that somebody else owns.
    contested: Vec<Conflict>,
    /// Rules that forbid a change.
    forbidden: Vec<ApiFailure>,
}

impl Trial {
    /// Puts what was said about fields into the plan; returns what forbids it besides.
    pub(crate) fn told(self, plan: &mut Plan) -> Option<Failure> {
        plan.take_answers(&self.tried, self.contested);
        let mut failures = self.forbidden.into_iter().map(Failure::from);
        let first = failures.next()?;
        Some(failures.fold(first, Failure::and))
    }
}

/// Has the server try the changes of existing objects without storing any. Servers without server-side apply do not know who
/// owns what.
pub(crate) async fn try_changes(cluster: &Cluster, plan: &Plan) -> Trial {
    let mode = &WriteMode::default();
    let updates = plan.changes().filter(|change| matches!(change.action, Action::Update { .. }));
    let answers: Vec<(ObjectRef, Option<ApiFailure>)> = stream::iter(updates)
        .map(|change| async move {
            let desired = change.desired.as_ref()?;
            match mode.apply(cluster, desired, change.manager, Commit::DryRun).await {
                Ok(answer) => answer.map(|_| (change.object.clone(), None)),
                Err(failure) => Some((change.object.clone(), not_of_an_older_helm(change, failure))),
            }
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    let mut trial = Trial::default();
    for (object, failure) in answers {
        match failure {
            None => trial.tried.push(object),
            Some(ApiFailure { cause: Cause::Conflict { fields, .. }, .. }) if !fields.is_empty() => {
                let owned = |field: FieldConflict| ContestedField { path: field.field, manager: field.manager };
                let fields = fields.into_iter().map(owned).collect();
                trial.contested.push(Conflict::over_fields(object.clone(), fields));
                trial.tried.push(object);
            }
            Some(failure) if forbids(&failure.cause) => trial.forbidden.push(failure),
            Some(_) => {}
        }
    }
    trial
}

/// Whether a trial that failed tells that the change itself will. A webhook that cannot be tried tells nothing.
fn forbids(cause: &Cause) -> bool {
    matches!(cause, Cause::NotAdmitted { message, .. } if !message.contains("does not support dry run"))
}

/// What remains of a refused trial without the fields of an older Helm: they become ours before the change is made.
fn not_of_an_older_helm(change: &Change, mut failure: ApiFailure) -> Option<ApiFailure> {
    if let (Cause::Conflict { fields, .. }, Some(_)) = (&mut failure.cause, &change.fold)
        && !fields.is_empty()
    {
        let others = change.takes_over.as_deref().unwrap_or_default();
        let is_taken = |field: &FieldConflict| {
            field.manager.starts_with(change.manager.as_str())
                || others.iter().any(|manager| is_manager(&field.manager, manager))
        };
        fields.retain(|field| !is_taken(field));
        if fields.is_empty() {
            return None;
        }
    }
    Some(failure)
}

/// Whether what a server calls a manager is this one: `kubectl-edit`, or `kubectl-edit using apps/v1`.
fn is_manager(called: &str, manager: &str) -> bool {
    called.strip_prefix(manager).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

async fn write(cluster: &Cluster, mode: &WriteMode, change: &Change, commit: Commit) -> Result<(), ApiFailure> {
    // What is only tried may be tried on a newer state than that of the plan: a status changes all the time.
    let mut precondition = change.precondition.clone().filter(|_| commit == Commit::Store);
    if let (Some(patch), Commit::Store) = (&change.fold, commit) {
        let folded = match cluster.json_patch(&change.object, patch).await {
            Err(failure) if is_stale(&failure) => fold_newer(cluster, change, failure).await?,
            folded => folded?,
        };
        precondition = Some(precondition_of(&folded));
    }
    match (&change.action, &change.desired, commit) {
        (Action::Create, Some(desired), _) => create(cluster, mode, change, desired, commit).await,
        (Action::Update { .. }, _, _) => update(cluster, mode, change, precondition.as_ref(), commit).await,
        (Action::Delete, _, Commit::Store) => {
            let uid = precondition.map(|precondition| precondition.uid).unwrap_or_default();
            cluster.delete(&change.object, &uid).await
        }
        _ => Ok(()),
    }
}

/// Folds the object as it is now, since it was written after it was read.
async fn fold_newer(cluster: &Cluster, change: &Change, stale: ApiFailure) -> Result<Value, ApiFailure> {
    let live = cluster.get(&change.object).await?.unwrap_or_default();
    if change.precondition.as_ref().is_some_and(|planned| planned.uid != precondition_of(&live).uid) {
        return Err(stale);
    }
    match fold(&live, change.takes_over.as_deref().unwrap_or_default()) {
        Some(patch) => cluster.json_patch(&change.object, &patch).await,
        None => Ok(live),
    }
}

async fn create(
    cluster: &Cluster,
    mode: &WriteMode,
    change: &Change,
    desired: &Object,
    commit: Commit,
) -> Result<(), ApiFailure> {
    let manager = change.manager.as_str();
    match mode.apply(cluster, desired, change.manager, commit).await? {
        Some((Applied::Created, _)) => return Ok(()),
        // An answer may have been lost and the request sent again; only a stranger's object is a conflict.
        Some((Applied::Existed, live)) if is_fresh_and_ours(&live, manager) => return Ok(()),
        Some((Applied::Existed, _)) => return Err(appeared(cluster, change)),
        None => {}
    }
    match cluster.create(desired, manager, commit).await {
        Err(failure) if failure.cause == Cause::AlreadyExists => Err(appeared(cluster, change)),
        other => other.map(drop),
    }
}

async fn update(
    cluster: &Cluster,
    mode: &WriteMode,
    change: &Change,
    precondition: Option<&Precondition>,
    commit: Commit,
) -> Result<(), ApiFailure> {
    if let Some(desired) = &change.desired {
        let body = Object::new(conditional(desired.value().clone(), precondition))
            .expect("it was an object before its metadata grew");
        match mode.apply(cluster, &body, change.manager, commit).await {
            Ok(Some(_)) => return Ok(()),
            Ok(None) => {}
            Err(failure) if is_stale(&failure) && precondition.is_some() => {
                return apply_to_newer(cluster, mode, change, desired, failure).await;
            }
            Err(failure) => return Err(failure),
        }
    }
    let patch = change.merge_patch.clone().unwrap_or_else(|| json!({}));
    let body = conditional(patch.clone(), precondition);
    match cluster.merge_patch(&change.object, &body, commit).await {
        Err(failure) if is_stale(&failure) && precondition.is_some() => {
            merge_into_newer(cluster, change, patch, failure).await
        }
        merged => merged.map(drop),
    }
}

/// Whether the object was written since it was read, by whomever.
fn is_stale(failure: &ApiFailure) -> bool {
    matches!(&failure.cause, Cause::Conflict { fields, .. } if fields.is_empty())
}

/// A status changes all the time, and a person may look at a plan for minutes. The same object is applied to once more:
/// if somebody else meanwhile set a field that we set, the server says so itself.
async fn apply_to_newer(
    cluster: &Cluster,
    mode: &WriteMode,
    change: &Change,
    desired: &Object,
    stale: ApiFailure,
) -> Result<(), ApiFailure> {
    let live = cluster.get(&change.object).await?.unwrap_or_default();
    let newer = precondition_of(&live);
    if change.precondition.as_ref().is_none_or(|planned| planned.uid != newer.uid) {
        return Err(stale);
    }
    let body = Object::new(conditional(desired.value().clone(), Some(&newer)))
        .expect("it was an object before its metadata grew");
    mode.apply(cluster, &body, change.manager, Commit::Store).await.map(drop)
}

/// The same where the server does not know who set what: only if nobody has changed anything that a patch could undo.
async fn merge_into_newer(
    cluster: &Cluster,
    change: &Change,
    patch: Value,
    stale: ApiFailure,
) -> Result<(), ApiFailure> {
    let live = cluster.get(&change.object).await?.unwrap_or_default();
    let newer = precondition_of(&live);
    let is_planned_one = change.precondition.as_ref().is_some_and(|planned| planned.uid == newer.uid);
    // Who goes on with a restart that has stopped in the middle has made the change before.
    if is_planned_one && is_in_effect(&patch, &live) {
        return Ok(());
    }
    if !is_planned_one || change.live.as_ref().is_none_or(|planned| !still_applies(planned.value(), &live)) {
        return Err(stale);
    }
    cluster.merge_patch(&change.object, &conditional(patch, Some(&newer)), Commit::Store).await.map(drop)
}

/// Makes the server refuse a change of anything but what was planned from.
fn conditional(mut body: Value, precondition: Option<&Precondition>) -> Value {
    if let Some(precondition) = precondition {
        body["metadata"]["uid"] = json!(precondition.uid);
        body["metadata"]["resourceVersion"] = json!(precondition.resource_version);
    }
    body
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
