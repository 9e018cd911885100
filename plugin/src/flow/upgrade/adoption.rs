//! Where an adoption differs from an upgrade: what should be starts from what an old installation was given, and there must be
//! one.

use mizar_core::adoption::{FIRST_LOOK, NAMESPACE, kept_values};
use mizar_core::object::ObjectRef;
use mizar_core::upgrade::ValueChanges;
use serde_json::Value;

use super::Request;
use super::target::values_between;
use crate::failure::{Failure, Kind};
use crate::flow::ground::{Ground, Wish, find};
use crate::flow::prepare;
use crate::flow::run::Run;
use crate::flow::value_sources::ValueSources;

/// The two workloads of an old installation: kind and name.
const WORKLOADS: [(&str, &str); 2] = [("DaemonSet", "mizar-daemon"), ("Deployment", "mizar-operator")];

/// Reads the records and what the old installation was given, and renders what should be.
pub(super) async fn wish(
    run: &mut Run,
    values: &ValueSources,
    request: &Request,
    means_it: bool,
) -> Result<(Wish, ValueChanges), Failure> {
    let found = find(run, request.namespace.as_deref(), NAMESPACE, means_it).await?;
    // Who goes on with an adoption finds in the records what was kept then.
    let kept = match found.helm_values() {
        Some(recorded) => Some(recorded),
        None if found.intent().is_some() => None,
        None => Some(kept(run, values).await?),
    };
    let prepared = prepare::prepare(values, found.intent(), kept, run.namespace(), request.consent)?;
    let base = found.records.histories[1].base();
    let changes = base.map(|base| values_between(base, &prepared)).unwrap_or_default();
    Ok((found.wishing(prepared)?, changes))
}

/// What was chosen in the workloads that are there.
async fn kept(run: &Run, values: &ValueSources) -> Result<Value, Failure> {
    let mut live = Vec::new();
    for (kind, name) in WORKLOADS {
        let reference = ObjectRef {
            api_version: "apps/v1".to_owned(),
            kind: kind.to_owned(),
            namespace: Some(run.namespace().to_owned()),
            name: name.to_owned(),
        };
        let found = run.cluster().get(&reference).await?;
        live.push(found.ok_or_else(|| missing(&reference))?);
    }
    let [_, mizar] = prepare::charts(values.chart.as_ref())?;
    let version = mizar.metadata.raw.get("appVersion").and_then(Value::as_str).unwrap_or_default();
    Ok(kept_values(&live[0], &live[1], &mizar.values, version))
}

fn missing(workload: &ObjectRef) -> Failure {
    let place = workload.namespace.as_deref().unwrap_or_default();
    let message =
        format!("no installation can be taken over in namespace {place}: {workload} is not there; nothing was changed");
    Failure::new(Kind::Refused, message)
        .hint("see what is there: kubectl mizar status")
        .hint("if it is in another namespace, name that: -n NAMESPACE")
        .hint("where nothing of Mizar is there: kubectl mizar install")
}

/// Refuses to go on where nothing of an old installation is there: what a release has is changed by an upgrade.
pub(super) fn refuse_without_any(ground: &Ground) -> Result<(), Failure> {
    let is_old = ground.plan.changes().any(|change| change.takes_over.is_some());
    if is_old || ground.plan.is_empty() || ground.is_unfinished() {
        return Ok(());
    }
    let message = "there is no old installation to take over: Mizar is here by a release; nothing was changed";
    Err(Failure::new(Kind::Refused, message)
        .hint("see what an upgrade would change: kubectl mizar upgrade --plan")
        .hint(format!("an old installation elsewhere: {FIRST_LOOK} -n NAMESPACE")))
}
