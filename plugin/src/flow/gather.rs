//! Reads what is to be judged: each kind once, page by page, eight lists at a time, and our rights beside them.
//!
//! One pass serves two readers: every object becomes a trimmed fact, and those that a plan is about are kept whole. No page
//! is in memory longer than it takes to read it.

mod errand;
pub(super) mod gap;
mod progress;
mod reading;

use std::sync::Arc;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use mizar_core::facts::{CLUSTER_RULES_NAMESPACE, ClientFact, Facts, Fetched, Gap, Plan, Request, Source};
use mizar_core::object::{Object, ObjectRef};

use self::errand::{Errand, errands};
use self::gap::{ends_everything, gap_of};
use self::reading::{Counts, Desk, Reading};
use super::releases;
use crate::cluster::{ApiFailure, Cause, Cluster};
use crate::report::Reporter;

/// What the ConfigMap system-source calls Arktos.
const ARKTOS: &str = "arktos";

/// Requests in flight at once: enough to hide round trips, few enough for an old server without fairness.
pub(crate) const CONCURRENCY: usize = 12;

/// Questions about our rights in flight at once, beside the lists: there are few, and the lists take longer.
const QUESTIONS: usize = 2;

/// What to read.
#[derive(Default)]
pub(crate) struct Wanted<'a> {
    /// The sources of facts.
    pub sources: &'a [Source],
    /// The namespaces whose rights are asked for.
    pub namespaces: Vec<String>,
    /// What an install would bring.
    pub plan: Option<Plan>,
    /// Objects to keep whole, where they exist.
    pub objects: Vec<ObjectRef>,
    /// What is known of this machine.
    pub client: ClientFact,
    /// The namespace of the release, where it is known.
    pub release_namespace: Option<&'a str>,
    /// Who is told when it takes longer.
    pub reporter: Option<&'a dyn Reporter>,
}

/// What was read.
#[derive(Debug)]
pub(crate) struct Gathered {
    /// Facts of every source that was asked for.
    pub facts: Facts,
    /// Why some wanted objects could not be read, if so: then nothing can be planned.
    pub(crate) unread: Option<ApiFailure>,
    /// Those of the wanted objects that exist.
    pub live: Vec<Object>,
}

/// Reads everything wanted. A source that is refused or fails becomes a gap in the facts; only a cluster that cannot be
/// reached at all, or a wanted object that cannot be read, is an error.
pub(crate) async fn gather(cluster: &Cluster, wanted: Wanted<'_>) -> Result<Gathered, ApiFailure> {
    let mut facts = Facts::new(cluster.now());
    let mut beside = Facts::new(cluster.now());
    beside.plan.clone_from(&wanted.plan);
    facts.plan = wanted.plan;
    if wanted.sources.contains(&Source::Client) {
        facts.client = Fetched::Known(wanted.client);
    }
    let mut sources = wanted.sources.to_vec();
    sources.retain(|source| *source != Source::Version);
    if cluster.ledger().was_answered() {
        sources.insert(0, Source::Version);
    } else {
        read_version_alone(cluster, &mut facts).await?;
        // The answer told what time it is there.
        facts.gathered_at = cluster.now();
        beside.gathered_at = facts.gathered_at;
    }
    let counts = Counts::default();
    let reading = Reading { facts, wanted: wanted.objects, live: Vec::new(), unread: None };
    let read = Box::pin(async {
        let lists = read(cluster, &sources, reading, &counts);
        let questions = ask_beside(cluster, &sources, &wanted.namespaces, wanted.release_namespace, &mut beside);
        tokio::try_join!(lists, questions)
    });
    let (mut reading, ()) = match wanted.reporter {
        Some(reporter) => progress::told(read, &counts, reporter, cluster.timing().show_reading).await?,
        None => read.await?,
    };
    reading.facts.releases = beside.releases;
    reading.facts.permissions = beside.permissions;
    Ok(Gathered { facts: reading.facts, live: reading.live, unread: reading.unread })
}

/// Reads a few sources more, of a server that has answered before. What is refused or fails becomes a gap.
pub(crate) async fn gather_more(cluster: &Cluster, sources: &[Source]) -> Result<Facts, ApiFailure> {
    let facts = Facts::new(cluster.now());
    let reading = Reading { facts, wanted: Vec::new(), live: Vec::new(), unread: None };
    Ok(read(cluster, sources, reading, &Counts::default()).await?.facts)
}

/// Reads the version before all else, where nothing is known of the server yet: that tells an unreachable cluster from
/// one that refuses some lists.
async fn read_version_alone(cluster: &Cluster, facts: &mut Facts) -> Result<(), ApiFailure> {
    match cluster.get_path("/version", "read the server version").await {
        Ok(Some(version)) => facts.absorb_page(Source::Version, &version),
        Ok(None) => facts.mark(Source::Version, Gap::Absent),
        Err(failure) if matches!(failure.cause, Cause::Forbidden(_)) => facts.mark(Source::Version, Gap::Denied),
        Err(failure) => return Err(failure),
    }
    Ok(())
}

/// What needs several questions one after the other, asked while the lists travel: the releases, and our rights.
async fn ask_beside(
    cluster: &Cluster,
    sources: &[Source],
    namespaces: &[String],
    release_namespace: Option<&str>,
    facts: &mut Facts,
) -> Result<(), ApiFailure> {
    if sources.contains(&Source::Releases) {
        releases::read(cluster, release_namespace, facts).await?;
    }
    if sources.contains(&Source::Permissions) {
        review(cluster, namespaces, facts).await?;
    }
    Ok(())
}

/// Reads all but the releases and our rights. What only Arktos has is asked for only if this is Arktos.
async fn read(cluster: &Cluster, sources: &[Source], reading: Reading, counts: &Counts) -> Result<Reading, ApiFailure> {
    let (arktos, everywhere): (Vec<Source>, Vec<Source>) = sources.iter().partition(|source| source.is_arktos());
    let lists = errands(&everywhere, &reading.wanted);
    let mut reading = read_at_once(cluster, &everywhere, lists, reading, counts).await?;
    if may_be_arktos(&reading.facts) {
        return read_at_once(cluster, &arktos, errands(&arktos, &[]), reading, counts).await;
    }
    for source in arktos {
        reading.facts.mark(source, Gap::Absent);
    }
    Ok(reading)
}

/// Whether the ConfigMap by which Mizar tells Arktos from Kubernetes says so, or cannot be read.
fn may_be_arktos(facts: &Facts) -> bool {
    match &facts.system_source {
        Fetched::Known(source) => source.name.as_deref() == Some(ARKTOS),
        Fetched::Absent => false,
        Fetched::Denied { .. } | Fetched::Failed { .. } | Fetched::NotAsked => true,
    }
}

/// One thing to read.
enum Wish {
    Object(Source),
    List(Errand),
}

/// Reads single objects and lists, [`CONCURRENCY`] at a time; the single ones, which are small, first.
async fn read_at_once(
    cluster: &Cluster,
    singles: &[Source],
    errands: Vec<Errand>,
    reading: Reading,
    counts: &Counts,
) -> Result<Reading, ApiFailure> {
    let (desk, reading) = Desk::open(reading, counts);
    let singles = singles.iter().map(|source| Wish::Object(*source));
    let wishes = singles.chain(errands.into_iter().map(Wish::List));
    let all = stream::iter(wishes)
        .map(|wish| async {
            match wish {
                Wish::Object(source) => get_single(cluster, source, &desk).await,
                Wish::List(errand) => list(cluster, errand, &desk).await,
            }
        })
        .buffer_unordered(CONCURRENCY)
        .try_collect::<()>()
        .await;
    drop(desk);
    // Also after a failure: nothing of ours is left running.
    let reading = reading.await;
    all?;
    reading.map_err(|_| cluster.broken("read the cluster", "the thread that reads has ended"))
}

async fn list(cluster: &Cluster, errand: Errand, desk: &Desk) -> Result<(), ApiFailure> {
    let mut errand = Arc::new(errand);
    let mut read = cluster.raw_pages(&errand.listing(), |bytes| desk.page(&errand, bytes)).await;
    if let Some(older) = errand.older().filter(|_| read.as_ref().is_err_and(ApiFailure::is_not_found)) {
        errand = Arc::new(older);
        read = cluster.raw_pages(&errand.listing(), |bytes| desk.page(&errand, bytes)).await;
    }
    let Err(failure) = read else { return Ok(()) };
    if ends_everything(&failure) {
        return Err(failure);
    }
    if let Some(source) = errand.source {
        desk.gap(source, gap_of(&failure)).await;
    }
    // Objects of a group that is not served do not exist; any other gap hides what a plan must know.
    if errand.kept.is_some() && !failure.is_not_found() {
        desk.unread(failure).await;
    }
    Ok(())
}

async fn get_single(cluster: &Cluster, source: Source, desk: &Desk) -> Result<(), ApiFailure> {
    let Request::Get { path } = source.request() else { return Ok(()) };
    match cluster.get_path(path, format!("read {}", source.noun())).await {
        Ok(Some(object)) => desk.object(source, object).await,
        Ok(None) => desk.gap(source, Gap::Absent).await,
        Err(failure) if ends_everything(&failure) => return Err(failure),
        Err(failure) => desk.gap(source, gap_of(&failure)).await,
    }
    Ok(())
}

async fn review(cluster: &Cluster, namespaces: &[String], facts: &mut Facts) -> Result<(), ApiFailure> {
    let all = std::iter::once(None).chain(namespaces.iter().map(|name| Some(name.as_str())));
    let reviews = stream::iter(all)
        .map(|namespace| async move {
            let answer = cluster.review_rules(namespace.unwrap_or(CLUSTER_RULES_NAMESPACE)).await;
            (namespace, answer)
        })
        .buffer_unordered(QUESTIONS)
        .collect::<Vec<_>>()
        .await;
    for (namespace, answer) in reviews {
        match answer {
            Ok(review) => facts.absorb_rules(namespace, &review),
            Err(failure) if ends_everything(&failure) => return Err(failure),
            Err(failure) => {
                facts.mark(Source::Permissions, gap_of(&failure));
                return Ok(());
            }
        }
    }
    let needs = facts.plan.as_ref().map(|plan| plan.needs.clone()).unwrap_or_default();
    let open = facts.permissions.known().map(|known| known.open_questions(&needs)).unwrap_or_default();
    let answers = stream::iter(open)
        .map(|right| async move { cluster.review_access(&right.access_review()).await })
        .buffer_unordered(QUESTIONS)
        .collect::<Vec<_>>()
        .await;
    for review in answers.into_iter().flatten() {
        facts.absorb_answer(&review);
    }
    Ok(())
}
