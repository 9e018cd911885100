//! Recreating pods, so that they get an address of Mizar's network: name servers first.
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

/// A pod that is to be recreated.
#[derive(Debug, Clone)]
pub(crate) struct Doomed {
    /// The pod.
    pub(crate) pod: PodOnNetwork,
    /// That very pod.
    pub(crate) uid: String,
}

/// Recreates those that are older than Mizar and waits until their successors run.
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
    let patience = patience(run, stage, limit);
    listed(run, &patience, &mut watches).await?;
    let older = older(&watches.0)?;
    let (owned, ownerless): (Vec<_>, Vec<_>) = older.into_iter().partition(|pod| !pod.is_ownerless());
    for pod in &ownerless {
        let message = format!(
            "pod {}/{} is older than Mizar and nobody would create it again: recreate it yourself",
            pod.namespace, pod.name
        );
        run.tell(Event::Warning { message, object: None });
    }
    let doomed = owned.into_iter().filter_map(|pod| Some(Doomed { uid: uid_of(&watches.0, &pod)?, pod })).collect();
    let recreated = succeed(run, &patience, &mut watches, doomed).await?;
    let summary = format!("{recreated} recreated{}", left(ownerless.len()));
    run.tell(Event::StageFinished {
        stage: stage.to_owned(),
        summary,
        result: StepResult::Succeeded,
        elapsed: begun.elapsed(),
    });
    Ok(())
}

/// Recreates these very pods and waits until their successors run.
pub(crate) async fn recreate_pods(
    run: &Run,
    stage: &str,
    limit: Option<Duration>,
    doomed: Vec<Doomed>,
) -> Result<(), Failure> {
    let pods = kind::lookup("v1", "Pod").expect("pods are in the table");
    let mut watches = Watches(vec![run.cluster().watch(&pods, &WatchScope::default(), essentials)]);
    let patience = patience(run, stage, limit);
    listed(run, &patience, &mut watches).await?;
    succeed(run, &patience, &mut watches, doomed).await.map(drop)
}

fn patience<'a>(run: &Run, stage: &'a str, limit: Option<Duration>) -> Patience<'a> {
    Patience {
        stage,
        limit: limit.unwrap_or(run.timing().part_timeout),
        look: run.timing().operator_rounds,
        settle: Duration::ZERO,
        stall: run.timing().stall,
        pods: "",
    }
}

/// Deletes pods and waits for those that follow them. Returns how many were deleted.
async fn succeed(
    run: &Run,
    patience: &Patience<'_>,
    watches: &mut Watches,
    doomed: Vec<Doomed>,
) -> Result<usize, Failure> {
    let before: BTreeSet<String> = watches.0[0].objects().filter_map(uid).collect();
    let mut recreated = 0;
    // Name servers one by one, so that one always answers; the others together.
    let (names, others): (Vec<Doomed>, Vec<Doomed>) = doomed.into_iter().partition(|doomed| doomed.pod.is_dns);
    let batches = names.into_iter().map(|doomed| vec![doomed]).chain(std::iter::once(others));
    for batch in batches.filter(|batch| !batch.is_empty()) {
        let uids: Vec<String> = batch.iter().map(|doomed| doomed.uid.clone()).collect();
        for doomed in &batch {
            run.go_on()?;
            delete(run, doomed).await?;
        }
        recreated += batch.len();
        let namespaces: BTreeSet<&str> = batch.iter().map(|doomed| doomed.pod.namespace.as_str()).collect();
        wait_until(run, patience, watches, |watched| {
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
    Ok(recreated)
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

async fn delete(run: &Run, doomed: &Doomed) -> Result<(), Failure> {
    let pod = &doomed.pod;
    let reference = ObjectRef {
        api_version: "v1".into(),
        kind: "Pod".into(),
        namespace: Some(pod.namespace.clone()),
        name: pod.name.clone(),
    };
    Ok(run.cluster().delete(&reference, &doomed.uid).await?)
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
