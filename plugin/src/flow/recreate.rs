//! Recreating pods that are older than Mizar, so that they get an address of its network: name servers first.
//!
//! Only pods that somebody creates again are deleted; ownerless ones are named. Each delete names the pod's UID.

use std::collections::BTreeSet;
use std::time::Duration;

use mizar_core::event::{Event, StepResult};
use mizar_core::facts::{Facts, Source};
use mizar_core::health;
use mizar_core::kind;
use mizar_core::network::{PodOnNetwork, pods_that_predate_mizar};
use mizar_core::object::{Object, ObjectRef};
use mizar_core::site::Site;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::run::Run;
use super::wait::{Patience, Standing, Watches, listed, wait as wait_until};
use crate::cluster::watch::{WatchScope, Watched};
use crate::failure::{Failure, Kind};

/// Recreates them and waits until their successors run on Mizar's network.
pub(crate) async fn recreate(run: &Run, limit: Option<Duration>) -> Result<(), Failure> {
    let pods = kind::lookup("v1", "Pod").expect("pods are in the table");
    let subnets = kind::lookup("mizar.com/v1", "Subnet").expect("subnets are in the table");
    let everywhere = WatchScope::default();
    let mut watches = Watches(vec![
        run.cluster().watch(&pods, &everywhere, essentials),
        run.cluster().watch(&subnets, &WatchScope { namespace: Some("default"), ..WatchScope::default() }, essentials),
    ]);
    let stage = "recreate-pods";
    let begun = Instant::now();
    run.tell(Event::StageStarted { stage: stage.to_owned(), site: Site::Management, total: 0 });
    let patience = Patience {
        stage,
        limit: limit.unwrap_or(run.timing().part_timeout),
        look: run.timing().operator_rounds,
        settle: Duration::ZERO,
        stall: run.timing().stall,
        pods: "",
    };
    listed(run, &patience, &mut watches).await?;
    let before: BTreeSet<String> = watches.0[0].objects().filter_map(uid).collect();
    let older = older(&watches.0)?;
    let (owned, ownerless): (Vec<_>, Vec<_>) = older.into_iter().partition(|pod| !pod.is_ownerless());
    for pod in &ownerless {
        let message = format!(
            "pod {}/{} is older than Mizar and nobody would create it again: recreate it yourself",
            pod.namespace, pod.name
        );
        run.tell(Event::Warning { message, object: None });
    }
    let mut recreated = 0;
    // Name servers one by one, so that one always answers; the others together.
    let (names, others): (Vec<&PodOnNetwork>, Vec<&PodOnNetwork>) = owned.iter().partition(|pod| pod.is_dns);
    let batches = names.into_iter().map(|pod| vec![pod]).chain(std::iter::once(others));
    for batch in batches.filter(|batch| !batch.is_empty()) {
        let uids: Vec<String> = batch.iter().filter_map(|pod| uid_of(&watches.0, pod)).collect();
        for pod in &batch {
            run.go_on()?;
            delete(run, &watches.0, pod).await?;
        }
        recreated += batch.len();
        let namespaces: BTreeSet<&str> = batch.iter().map(|pod| pod.namespace.as_str()).collect();
        wait_until(run, &patience, &mut watches, |watched| {
            let (gone, born, pending) = succession(&watched[0], &uids, &before, &namespaces);
            Standing {
                done: gone.min(born.saturating_sub(pending.len())),
                total: uids.len(),
                complete: gone == uids.len() && born >= uids.len() && pending.is_empty(),
                waiting_for: pending,
                failed: None,
            }
        })
        .await?;
    }
    let summary = format!("{recreated} recreated{}", left(ownerless.len()));
    run.tell(Event::StageFinished {
        stage: stage.to_owned(),
        summary,
        result: StepResult::Succeeded,
        elapsed: begun.elapsed(),
    });
    Ok(())
}

fn left(ownerless: usize) -> String {
    if ownerless == 0 { String::new() } else { format!(", {ownerless} that nobody would create again left alone") }
}

/// How many of the old pods are gone, how many pods are new in their namespaces, and which of those do not run yet.
fn succession(
    pods: &Watched,
    old: &[String],
    before: &BTreeSet<String>,
    namespaces: &BTreeSet<&str>,
) -> (usize, usize, Vec<String>) {
    let present: BTreeSet<String> = pods.objects().filter_map(uid).collect();
    let gone = old.iter().filter(|uid| !present.contains(*uid)).count();
    let is_new = |pod: &&Value| {
        let here = namespaces.contains(pod["metadata"]["namespace"].as_str().unwrap_or_default());
        here && uid(pod).is_some_and(|uid| !before.contains(&uid))
    };
    let new: Vec<&Value> = pods.objects().filter(is_new).collect();
    let pending = new.iter().filter(|pod| pod["status"]["phase"] == "Pending");
    let troubles = pending.filter_map(|pod| health::pod::trouble(&Object::new((*pod).clone()).ok()?));
    (gone, new.len(), troubles.map(|trouble| trouble.to_string()).collect())
}

fn uid(object: &Value) -> Option<String> {
    object["metadata"]["uid"].as_str().map(ToOwned::to_owned)
}

/// Without a subnet every pod would look older than Mizar.
fn older(watched: &[Watched]) -> Result<Vec<PodOnNetwork>, Failure> {
    let mut facts = Facts::default();
    for pod in watched[0].objects() {
        facts.absorb(Source::Pods, pod);
    }
    for subnet in watched[1].objects() {
        facts.absorb(Source::Subnets, subnet);
    }
    if !facts.subnets.items().iter().any(|subnet| subnet.object.is_provisioned()) {
        return Err(Failure::new(Kind::Failed, "no Subnet of Mizar is Provisioned, so no pod can move to it")
            .hint("kubectl mizar check"));
    }
    Ok(pods_that_predate_mizar(facts.pods.items(), facts.subnets.items()))
}

fn uid_of(watched: &[Watched], pod: &PodOnNetwork) -> Option<String> {
    let same = |object: &&Value| {
        object["metadata"]["name"] == pod.name.as_str() && object["metadata"]["namespace"] == pod.namespace.as_str()
    };
    Some(watched[0].objects().find(same)?["metadata"]["uid"].as_str()?.to_owned())
}

async fn delete(run: &Run, watched: &[Watched], pod: &PodOnNetwork) -> Result<(), Failure> {
    let Some(uid) = uid_of(watched, pod) else { return Ok(()) };
    let reference = ObjectRef {
        api_version: "v1".into(),
        kind: "Pod".into(),
        namespace: Some(pod.namespace.clone()),
        name: pod.name.clone(),
    };
    Ok(run.cluster().delete(&reference, &uid).await?)
}

#[expect(clippy::needless_pass_by_value, reason = "a watch hands each object over")]
fn essentials(object: Value) -> Value {
    let mut metadata = object["metadata"].clone();
    if let Some(fields) = metadata.as_object_mut() {
        fields.remove("managedFields");
    }
    json!({"apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": metadata,
        "spec": object["spec"], "status": object["status"]})
}
