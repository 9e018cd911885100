//! The waits for what the charts bring: definitions, the daemon on every eligible node, the operator.

use std::time::Duration;

use mizar_core::health::daemon_set;
use mizar_core::kind::{self, KindInfo};
use mizar_core::object::{Object, ObjectRef};
use mizar_core::plan::{Action, Change, Stage, StageName};
use serde_json::Value;

use super::run::Run;
use super::wait::{Patience, Standing, Watches, standing_of, wait as wait_until};
use crate::cluster::watch::{WatchScope, Watched};
use crate::failure::Failure;

/// Labels of Mizar's own pods, by the stage that brings them.
pub(crate) const DAEMON_PODS: &str = "job=mizar-daemon";
/// See [`DAEMON_PODS`].
pub(crate) const OPERATOR_PODS: &str = "app=mizar-operator";

/// Whether a stage brings something that takes time.
pub(crate) fn is_waited_for(stage: StageName) -> bool {
    matches!(stage, StageName::Definitions | StageName::Daemon | StageName::Operator)
}

/// What applying a stage came to, one line.
pub(crate) fn applied(stage: &Stage) -> String {
    done(&stage.changes)
}

/// How many objects met which fate, once it has happened.
pub(crate) fn done<'a>(changes: impl IntoIterator<Item = &'a Change>) -> String {
    let actions: Vec<&Action> = changes.into_iter().map(|change| &change.action).collect();
    let count = |wanted: fn(&Action) -> bool| actions.iter().filter(|action| wanted(action)).count();
    let parts = [
        (count(|action| *action == Action::Create), "created"),
        (count(|action| matches!(action, Action::Update { .. })), "changed"),
        (count(|action| *action == Action::Delete), "deleted"),
        (count(|action| *action == Action::Unchanged), "unchanged"),
        (count(|action| matches!(action, Action::Keep { .. })), "kept"),
    ];
    let said: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    said.join(", ")
}

/// Waits for a stage; returns one line about what it came to, or none if there is nothing to wait for.
pub(crate) async fn wait(
    run: &Run,
    stage: &Stage,
    nodes: usize,
    limit: Option<Duration>,
) -> Result<Option<String>, Failure> {
    let wanted = |kind: &str| -> Vec<ObjectRef> {
        let matching =
            stage.changes.iter().filter(|change| change.object.kind == kind && change.action != Action::Delete);
        matching.map(|change| change.object.clone()).collect()
    };
    let timing = run.timing().clone();
    match stage.name {
        StageName::Definitions => {
            let definitions = wanted("CustomResourceDefinition");
            let limit = limit.unwrap_or(timing.part_timeout);
            await_definitions(run, &definitions, limit).await?;
            Ok(Some(format!("{} Established", definitions.len())))
        }
        StageName::Daemon => {
            for reference in wanted("DaemonSet") {
                await_daemon(run, &reference, nodes, limit.unwrap_or(timing.daemon_timeout)).await?;
            }
            Ok(Some(format!("Ready on {nodes} of {nodes} nodes")))
        }
        StageName::Operator => {
            for reference in wanted("Deployment") {
                await_operator(run, &reference, limit.unwrap_or(timing.part_timeout)).await?;
            }
            Ok(Some("Ready".to_owned()))
        }
        _ => Ok(None),
    }
}

async fn await_definitions(run: &Run, definitions: &[ObjectRef], limit: Duration) -> Result<(), Failure> {
    let Some(info) = lookup("apiextensions.k8s.io/v1", "CustomResourceDefinition") else { return Ok(()) };
    if definitions.is_empty() {
        return Ok(());
    }
    // Every object of ours carries this label; it keeps a cluster with hundreds of definitions from sending them all.
    let scope = WatchScope { labels: Some("app.kubernetes.io/managed-by=Helm"), ..WatchScope::default() };
    let mut watches = Watches(vec![run.cluster().watch(&info, &scope, without_schema)]);
    let patience = patience(run, "definitions", limit, "");
    wait_until(run, &patience, &mut watches, |watched| {
        let objects = objects_of(watched.iter().flat_map(Watched::objects));
        let standings: Vec<Standing> = definitions
            .iter()
            .map(|reference| standing_of(objects.iter().find(|object| object.name() == reference.name), reference))
            .collect();
        together(&standings)
    })
    .await
}

async fn await_daemon(run: &Run, reference: &ObjectRef, nodes: usize, limit: Duration) -> Result<(), Failure> {
    let Some(info) = lookup(&reference.api_version, &reference.kind) else { return Ok(()) };
    let fields = format!("metadata.name={}", reference.name);
    let scope =
        WatchScope { namespace: reference.namespace.as_deref(), fields: Some(&fields), ..WatchScope::default() };
    let mut watches = Watches(vec![run.cluster().watch(&info, &scope, whole)]);
    let patience = patience(run, "daemon", limit, DAEMON_PODS);
    wait_until(run, &patience, &mut watches, |watched| {
        let objects = objects_of(watched.iter().flat_map(Watched::objects));
        daemon_standing(objects.first(), reference, nodes)
    })
    .await
}

/// A daemon is there when every eligible node has a ready one. Nodes that are lost or pretended may be counted by the
/// controller, and nobody waits for them: the plan has named them.
fn daemon_standing(object: Option<&Object>, reference: &ObjectRef, nodes: usize) -> Standing {
    let Some(object) = object else { return standing_of(None, reference) };
    let health = daemon_set::assess(object, Some(nodes));
    let progress = daemon_set::DaemonProgress::of(object, Some(nodes));
    let ready = usize::try_from(progress.ready).unwrap_or(usize::MAX);
    let observed = object.value()["status"]["observedGeneration"] == object.value()["metadata"]["generation"];
    let complete = nodes > 0 && observed && ready >= nodes;
    Standing {
        done: ready.min(nodes),
        total: nodes,
        waiting_for: if complete { Vec::new() } else { vec![format!("{reference}: {health}")] },
        failed: health.is_failed().then(|| health.to_string()),
        complete,
    }
}

async fn await_operator(run: &Run, reference: &ObjectRef, limit: Duration) -> Result<(), Failure> {
    let Some(info) = lookup(&reference.api_version, &reference.kind) else { return Ok(()) };
    let fields = format!("metadata.name={}", reference.name);
    let scope =
        WatchScope { namespace: reference.namespace.as_deref(), fields: Some(&fields), ..WatchScope::default() };
    let mut watches = Watches(vec![run.cluster().watch(&info, &scope, whole)]);
    let patience = patience(run, "operator", limit, OPERATOR_PODS);
    wait_until(run, &patience, &mut watches, |watched| {
        let objects = objects_of(watched.iter().flat_map(Watched::objects));
        standing_of(objects.first(), reference)
    })
    .await
}

fn patience<'a>(run: &Run, stage: &'a str, limit: Duration, pods: &'a str) -> Patience<'a> {
    let timing = run.timing();
    let settle = if stage == "daemon" { timing.settle } else { Duration::ZERO };
    Patience { stage, limit, look: timing.look, settle, stall: timing.stall, pods }
}

fn lookup(api_version: &str, kind: &str) -> Option<KindInfo> {
    kind::lookup(api_version, kind)
}

fn objects_of<'a>(values: impl Iterator<Item = &'a Value>) -> Vec<Object> {
    values.filter_map(|value| Object::new(value.clone()).ok()).collect()
}

/// Several standings as one.
fn together(standings: &[Standing]) -> Standing {
    Standing {
        done: standings.iter().map(|standing| standing.done).sum(),
        total: standings.iter().map(|standing| standing.total).sum(),
        waiting_for: standings.iter().flat_map(|standing| standing.waiting_for.clone()).collect(),
        failed: standings.iter().find_map(|standing| standing.failed.clone()),
        complete: standings.iter().all(|standing| standing.complete),
    }
}

fn whole(object: Value) -> Value {
    object
}

/// Schemas are the bulk of a definition, and nobody waits for them.
fn without_schema(mut object: Value) -> Value {
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        spec.remove("versions");
    }
    object
}
