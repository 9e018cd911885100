//! Single acts on what Mizar's operator keeps: an object set back to Init, deleted, held; and the waits that follow them.
//!
//! Each act is about one very object, by UID. It looks at the object as it is now and decides again when somebody else
//! wrote in between, so that it can be repeated after a kill at any moment.

mod stages;
mod waits;

use jiff::Timestamp;
use mizar_core::facts::FINALIZERS;
use mizar_core::object::{Object, ObjectId, ObjectRef};
use mizar_core::restart::Placeholder;
use serde_json::{Value, json};

use super::operation::MANAGER;
use super::run::Run;
use crate::cluster::write::Commit;
use crate::cluster::{ApiFailure, Cause};
use crate::failure::Failure;

pub(crate) use stages::{stage_begins, stage_ends};
pub(crate) use waits::{
    Extent, until_connected, until_gone, until_held, until_provisioned, until_quiet, until_settled, until_unlocked,
    wait_for,
};

/// How often an act is decided again because somebody else wrote at the same moment, or an answer was lost.
const ATTEMPTS: usize = 8;

/// The label by which an object is shown to the operator again: it compares objects without their status, and looks at what
/// has changed.
pub(crate) const SHOWN_AT: &str = "mizar.dev/shown-at";

/// Changes an object of Mizar, and nothing about it.
const RETRY_LABEL: &str = "mizar.dev/tried-again-at";

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changed {
    /// It was written.
    Written,
    /// It was as it should be.
    Unneeded,
    /// This very object does not exist any more.
    Gone,
}

/// Changes this very object by the merge patch that `decide` makes of it as it is now; nothing is written where there is
/// none.
pub(crate) async fn change(
    run: &Run,
    id: &ObjectId,
    decide: impl Fn(&Value) -> Option<Value>,
) -> Result<Changed, Failure> {
    change_if(run, &id.object, |live| live["metadata"]["uid"] == id.uid.as_str(), decide).await
}

/// As [`change`], for whatever has the name now: nodes and Deployments, which are what they are called.
pub(crate) async fn change_named(
    run: &Run,
    object: &ObjectRef,
    decide: impl Fn(&Value) -> Option<Value>,
) -> Result<Changed, Failure> {
    change_if(run, object, |_| true, decide).await
}

async fn change_if(
    run: &Run,
    object: &ObjectRef,
    is_meant: impl Fn(&Value) -> bool,
    decide: impl Fn(&Value) -> Option<Value>,
) -> Result<Changed, Failure> {
    let mut attempt = 0;
    loop {
        run.go_on()?;
        let Some(live) = run.cluster().get(object).await?.filter(&is_meant) else { return Ok(Changed::Gone) };
        let Some(mut patch) = decide(&live) else { return Ok(Changed::Unneeded) };
        patch["metadata"]["uid"] = live["metadata"]["uid"].clone();
        patch["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
        match run.cluster().merge_patch(object, &patch, Commit::Store).await {
            Ok(_) => return Ok(Changed::Written),
            Err(failure) if failure.is_not_found() => return Ok(Changed::Gone),
            Err(failure) if may_decide_again(&failure) && attempt < ATTEMPTS => attempt += 1,
            Err(failure) => return Err(failure.into()),
        }
    }
}

/// Whether looking again tells what to do: somebody else wrote, or nobody knows whether we did.
fn may_decide_again(failure: &ApiFailure) -> bool {
    matches!(failure.cause, Cause::Conflict { .. } | Cause::Lost(_) | Cause::TimedOut { .. } | Cause::Busy { .. })
}

/// Sets a Bouncer, a Divider or a placeholder back to Init: the operator then makes it anew, and forgets nothing else.
pub(crate) async fn set_to_init(run: &Run, id: &ObjectId) -> Result<Changed, Failure> {
    set_status(run, id, "Init").await
}

/// Writes the status of one of Mizar's objects.
pub(crate) async fn set_status(run: &Run, id: &ObjectId, status: &str) -> Result<Changed, Failure> {
    change(run, id, |live| (live["spec"]["status"] != status).then(|| json!({"spec": {"status": status}}))).await
}

/// Has the operator make a Bouncer or a Divider anew, and waits until it is provisioned. One that is Init already may have
/// been given up: only a change of it makes the operator look again.
pub(crate) async fn reprovision(run: &Run, id: &ObjectId) -> Result<(), Failure> {
    let again = Timestamp::now().as_millisecond().to_string();
    change(run, id, |live| {
        let is_init = live["spec"]["status"] == "Init";
        let look_again = json!({"metadata": {"labels": {RETRY_LABEL: again}}});
        Some(if is_init { look_again } else { json!({"spec": {"status": "Init"}}) })
    })
    .await?;
    until_provisioned(run, "reprovision", std::slice::from_ref(id), Extent::default()).await
}

/// Asks for the deletion of an object; that it is gone, only [`until_gone`] tells.
pub(crate) async fn delete(run: &Run, id: &ObjectId) -> Result<(), Failure> {
    let mut attempt = 0;
    loop {
        run.go_on()?;
        match run.cluster().delete(&id.object, &id.uid).await {
            Ok(()) => return Ok(()),
            // Another object has its name by now.
            Err(failure) if matches!(failure.cause, Cause::Conflict { .. }) => return Ok(()),
            Err(failure) if may_decide_again(&failure) && attempt < ATTEMPTS => attempt += 1,
            Err(failure) => return Err(failure.into()),
        }
    }
}

/// Asks for the deletion of an object if it is, in that very moment, as `is_meant` says; returns whether it did.
pub(crate) async fn delete_if(run: &Run, id: &ObjectId, is_meant: impl Fn(&Value) -> bool) -> Result<bool, Failure> {
    let mut attempt = 0;
    loop {
        run.go_on()?;
        let live = run.cluster().get(&id.object).await?;
        let Some(live) = live.filter(|live| live["metadata"]["uid"] == id.uid.as_str() && is_meant(live)) else {
            return Ok(false);
        };
        let version = live["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        match run.cluster().delete_as_seen(&id.object, &id.uid, version).await {
            Ok(()) => return Ok(true),
            Err(failure) if may_decide_again(&failure) && attempt < ATTEMPTS => attempt += 1,
            Err(failure) => return Err(failure.into()),
        }
    }
}

/// Asks for the deletion of an object without the operator seeing it: its handler would undo more than the object. Only for while no
/// operator runs, since a running one puts its finalizer on again.
pub(crate) async fn delete_unseen(run: &Run, id: &ObjectId) -> Result<(), Failure> {
    delete(run, id).await?;
    strip(run, id).await.map(drop)
}

/// Takes the operator's finalizer off, and leaves those of others.
pub(crate) async fn strip(run: &Run, id: &ObjectId) -> Result<Changed, Failure> {
    change(run, id, |live| {
        let finalizers = live["metadata"]["finalizers"].as_array()?;
        let is_operators = |name: &&Value| name.as_str().is_some_and(|name| FINALIZERS.contains(&name));
        let others: Vec<&Value> = finalizers.iter().filter(|name| !is_operators(name)).collect();
        (others.len() < finalizers.len()).then(|| json!({"metadata": {"finalizers": others}}))
    })
    .await
}

/// Makes a placeholder; one of its name already keeps its address.
pub(crate) async fn hold(run: &Run, placeholder: &Placeholder) -> Result<(), Failure> {
    run.go_on()?;
    match run.cluster().create(&placeholder.object(), MANAGER, Commit::Store).await {
        Err(failure) if failure.cause == Cause::AlreadyExists => Ok(()),
        created => Ok(created.map(drop)?),
    }
}

/// Makes an object of Mizar, or finds the one that has its name already.
pub(crate) async fn make(run: &Run, object: &Object) -> Result<ObjectId, Failure> {
    run.go_on()?;
    let made = match run.cluster().create(object, MANAGER, Commit::Store).await {
        Err(failure) if failure.cause == Cause::AlreadyExists => run.cluster().get(&object.reference()).await?,
        created => Some(created?),
    };
    let uid = made.and_then(|made| made["metadata"]["uid"].as_str().map(str::to_owned)).unwrap_or_default();
    Ok(ObjectId { object: object.reference(), uid })
}

/// Puts a label on an object: for a node, the operator then looks at it again.
pub(crate) async fn label(run: &Run, id: &ObjectId, key: &str, value: &str) -> Result<Changed, Failure> {
    change(run, id, |live| {
        (live["metadata"]["labels"][key] != value).then(|| json!({"metadata": {"labels": {key: value}}}))
    })
    .await
}

/// The present, as a label may hold it.
pub(crate) fn present() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H-%M-%SZ").to_string()
}
