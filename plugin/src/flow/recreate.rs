//! Recreating pods, so that they get an address of Mizar's network: name servers first.
//!
//! Only pods that somebody creates again are deleted; ownerless ones are named. Each delete names the pod's UID.

use std::collections::BTreeSet;
use std::time::Duration;

use mizar_core::event::{Event, StepResult};
use mizar_core::facts::{PodFact, Source, Uid};
use mizar_core::health;
use mizar_core::kind;
use mizar_core::network::{PodOnNetwork, pods_that_predate_mizar};
use mizar_core::object::{Object, ObjectRef};
use mizar_core::site::Site;
use mizar_core::words::counted;
use serde_json::Value;
use tokio::time::Instant;

use super::gather::{Wanted, gather};
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

/// What is kept of a pod while its successor is waited for.
struct Seen {
    pod: PodFact,
    /// Why it is not ready, while it is Pending.
    pending: Option<String>,
}

impl Seen {
    fn of(object: Value) -> Self {
        let pod = PodFact::from_object(&object);
        let pending = if pod.phase == "Pending" { Object::new(object).ok() } else { None };
        let trouble = pending.and_then(|pending| health::pod::trouble(&pending));
        Self { pod, pending: trouble.map(|trouble| trouble.to_string()) }
    }
}

/// Recreates those that are older than Mizar and waits until their successors run.
pub(crate) async fn recreate(run: &Run, limit: Option<Duration>) -> Result<(), Failure> {
    let mut watches = watches(run);
    let stage = "recreate-pods";
    let begun = Instant::now();
    run.tell(Event::StageStarted { stage: stage.to_owned(), site: Site::Management, total: 0 });
    let patience = patience(run, stage, limit);
    listed(run, &patience, &mut watches).await?;
    let older = older(run, &watches.0[0]).await?;
    let (owned, others): (Vec<_>, Vec<_>) = older.into_iter().partition(PodOnNetwork::is_created_again);
    for pod in &others {
        let why = pod.successor().warning().unwrap_or_default();
        let message = format!("pod {}/{} is older than Mizar and {why}: recreate it yourself", pod.namespace, pod.name);
        run.tell(Event::Warning { message, object: None });
    }
    let doomed = owned.into_iter().filter_map(|pod| Some(Doomed { uid: uid_of(&watches.0[0], &pod)?, pod })).collect();
    let recreated = succeed(run, &patience, &mut watches, doomed).await?;
    let summary = format!("{recreated} recreated{}", left(others.len()));
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
    let mut watches = watches(run);
    let patience = patience(run, stage, limit);
    listed(run, &patience, &mut watches).await?;
    succeed(run, &patience, &mut watches, doomed).await.map(drop)
}

fn watches(run: &Run) -> Watches<Seen> {
    let pods = kind::lookup("v1", "Pod").expect("pods are in the table");
    Watches(vec![run.cluster().watch(&pods, &WatchScope::default(), Seen::of)])
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
    watches: &mut Watches<Seen>,
    doomed: Vec<Doomed>,
) -> Result<usize, Failure> {
    let before: BTreeSet<Uid> = watches.0[0].objects().map(|seen| seen.pod.uid).collect();
    let mut recreated = 0;
    // Name servers one by one, so that one always answers; the others together.
    let (names, others): (Vec<Doomed>, Vec<Doomed>) = doomed.into_iter().partition(|doomed| doomed.pod.is_dns);
    let batches = names.into_iter().map(|doomed| vec![doomed]).chain(std::iter::once(others));
    for batch in batches.filter(|batch| !batch.is_empty()) {
        let uids: Vec<Uid> = batch.iter().map(|doomed| doomed.uid.as_str().into()).collect();
        for doomed in &batch {
            run.go_on()?;
            delete(run, doomed).await?;
        }
        recreated += batch.len();
        let namespaces: BTreeSet<&str> = batch.iter().map(|doomed| doomed.pod.namespace.as_str()).collect();
        wait_until(run, patience, watches, |watched| {
            let (gone, born, mut pending) = succession(&watched[0], &uids, &before, &namespaces);
            let complete = gone == uids.len() && born >= uids.len() && pending.is_empty();
            let done = gone.min(born.saturating_sub(pending.len()));
            if born < uids.len() {
                pending.push(format!("{} to follow {}", counted(uids.len() - born, "pod"), owners_of(&batch)));
            }
            Standing { done, total: uids.len(), complete, waiting_for: pending, failed: None }
        })
        .await?;
    }
    Ok(recreated)
}

/// Names those whose turn it is to create a pod.
fn owners_of(doomed: &[Doomed]) -> String {
    let owners: BTreeSet<String> = doomed
        .iter()
        .filter_map(|doomed| doomed.pod.owner.as_ref().map(|owner| (&doomed.pod.namespace, owner)))
        .map(|(namespace, owner)| format!("{} {namespace}/{}", owner.kind, owner.name))
        .collect();
    format!("those of {}", owners.into_iter().collect::<Vec<_>>().join(", "))
}

fn left(others: usize) -> String {
    if others == 0 { String::new() } else { format!(", {others} that would not simply come again left alone") }
}

/// How many of the old pods are gone, how many pods are new in their namespaces, and which of those do not run yet.
fn succession(
    pods: &Watched<Seen>,
    old: &[Uid],
    before: &BTreeSet<Uid>,
    namespaces: &BTreeSet<&str>,
) -> (usize, usize, Vec<String>) {
    let present: BTreeSet<Uid> = pods.objects().map(|seen| seen.pod.uid).collect();
    let gone = old.iter().filter(|uid| !present.contains(*uid)).count();
    let is_new = |seen: &&Seen| namespaces.contains(seen.pod.namespace.as_str()) && !before.contains(&seen.pod.uid);
    let new: Vec<&Seen> = pods.objects().filter(is_new).collect();
    (gone, new.len(), new.iter().filter_map(|seen| seen.pending.clone()).collect())
}

/// Without a subnet every pod would look older than Mizar.
async fn older(run: &Run, pods: &Watched<Seen>) -> Result<Vec<PodOnNetwork>, Failure> {
    let wanted = Wanted { sources: &[Source::Subnets], ..Wanted::default() };
    let facts = gather(run.cluster(), wanted).await?.facts;
    if !facts.subnets.items().iter().any(|subnet| subnet.object.is_provisioned()) {
        return Err(Failure::new(Kind::Failed, "no Subnet of Mizar is Provisioned, so no pod can move to it")
            .hint("kubectl mizar check"));
    }
    let pods: Vec<PodFact> = pods.objects().map(|seen| seen.pod.clone()).collect();
    Ok(pods_that_predate_mizar(&pods, facts.subnets.items()))
}

fn uid_of(pods: &Watched<Seen>, pod: &PodOnNetwork) -> Option<String> {
    let same = |seen: &&Seen| seen.pod.name == pod.name && seen.pod.namespace == pod.namespace;
    Some(pods.objects().find(same)?.pod.uid.to_string())
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
