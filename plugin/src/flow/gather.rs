//! Reads what is to be judged: each kind once, page by page, eight lists at a time.
//!
//! One pass serves two readers: every object becomes a trimmed fact, and those that a plan is about are kept whole.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use mizar_core::facts::{CLUSTER_RULES_NAMESPACE, ClientFact, Facts, Fetched, Gap, Plan, Request, Source};
use mizar_core::kind;
use mizar_core::object::{Object, ObjectRef};
use serde_json::{Value, json};

use super::releases;
use crate::cluster::read::Listing;
use crate::cluster::{ApiFailure, Cause, Cluster};

/// Requests in flight at once: enough to hide round trips, few enough for an old server without fairness.
pub(crate) const CONCURRENCY: usize = 8;

/// What to read.
#[derive(Debug, Default)]
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

#[derive(Debug)]
struct Reading {
    facts: Facts,
    wanted: Vec<ObjectRef>,
    live: Vec<Object>,
    unread: Option<ApiFailure>,
}

/// One list, and what it is for.
struct Errand {
    path: String,
    noun: String,
    labels: &'static str,
    fields: &'static str,
    page_limit: u32,
    metadata_only: bool,
    source: Option<Source>,
    /// Kind of the items, which lists leave out.
    kind: Option<(String, &'static str)>,
}

/// Reads everything wanted. A source that is refused or fails becomes a gap in the facts; only a cluster that cannot be
/// reached at all, or a wanted object that cannot be read, is an error.
pub(crate) async fn gather(cluster: &Cluster, wanted: Wanted<'_>, now: Timestamp) -> Result<Gathered, ApiFailure> {
    let mut facts = Facts::new(now);
    facts.plan = wanted.plan;
    if wanted.sources.contains(&Source::Client) {
        facts.client = Fetched::Known(wanted.client);
    }
    // First and alone: it tells an unreachable cluster from one that refuses some lists.
    match cluster.get_path("/version", "read the server version").await {
        Ok(Some(version)) => facts.absorb_page(Source::Version, &version),
        Ok(None) => facts.mark(Source::Version, Gap::Absent),
        Err(failure) if matches!(failure.cause, Cause::Forbidden(_)) => facts.mark(Source::Version, Gap::Denied),
        Err(failure) => return Err(failure),
    }
    let errands = errands(wanted.sources, &wanted.objects);
    let reading = Mutex::new(Reading { facts, wanted: wanted.objects, live: Vec::new(), unread: None });
    let lists = stream::iter(errands).map(|errand| run(cluster, errand, &reading)).buffer_unordered(CONCURRENCY);
    lists.try_collect::<()>().await?;
    let single = wanted.sources.iter().copied().filter(|source| *source != Source::Version);
    stream::iter(single)
        .map(|source| get_single(cluster, source, &reading))
        .buffer_unordered(CONCURRENCY)
        .try_collect::<()>()
        .await?;
    let mut reading = reading.into_inner().unwrap_or_else(PoisonError::into_inner);
    if wanted.sources.contains(&Source::Releases) {
        releases::read(cluster, wanted.release_namespace, &mut reading.facts).await?;
    }
    if wanted.sources.contains(&Source::Permissions) {
        review(cluster, &wanted.namespaces, &mut reading.facts).await?;
    }
    Ok(Gathered { facts: reading.facts, live: reading.live, unread: reading.unread })
}

/// The lists: those of the sources, and one for each further kind of the wanted objects.
fn errands(sources: &[Source], objects: &[ObjectRef]) -> Vec<Errand> {
    let mut errands: BTreeMap<String, Errand> = BTreeMap::new();
    // Release records are read on their own: they are secrets, of which few people may list all.
    for source in sources.iter().filter(|source| **source != Source::Releases) {
        if let Request::List { path, page_limit, label_selector, field_selector, metadata_only } = source.request() {
            let errand = Errand {
                path: path.to_owned(),
                noun: source.noun().to_owned(),
                labels: label_selector,
                fields: field_selector,
                page_limit,
                metadata_only,
                source: Some(*source),
                kind: None,
            };
            errands.insert(path.to_owned(), errand);
        }
    }
    for object in objects {
        let Some(info) = kind::lookup(&object.api_version, &object.kind) else { continue };
        let everywhere = info.collection_path(None);
        let items = Some((info.api_version(), info.kind));
        if let Some(errand) = errands.get_mut(&everywhere)
            && errand.labels.is_empty()
            && errand.fields.is_empty()
        {
            errand.kind = items;
            continue;
        }
        let path = info.collection_path(object.namespace.as_deref());
        errands.entry(path.clone()).or_insert_with(|| Errand {
            path,
            noun: info.plural.to_owned(),
            labels: "",
            fields: "",
            page_limit: 500,
            metadata_only: false,
            source: None,
            kind: items,
        });
    }
    errands.into_values().collect()
}

async fn run(cluster: &Cluster, errand: Errand, reading: &Mutex<Reading>) -> Result<(), ApiFailure> {
    let listing = Listing {
        path: &errand.path,
        noun: &errand.noun,
        labels: errand.labels,
        fields: errand.fields,
        page_limit: errand.page_limit,
        metadata_only: errand.metadata_only,
    };
    let read = cluster
        .pages(&listing, |page| {
            let mut reading = reading.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(source) = errand.source {
                reading.facts.absorb_page(source, page);
            }
            if let Some((api_version, kind)) = &errand.kind {
                reading.keep(api_version, kind, page);
            }
        })
        .await;
    let Err(failure) = read else { return Ok(()) };
    if ends_everything(&failure) {
        return Err(failure);
    }
    let mut reading = reading.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(source) = errand.source {
        reading.facts.mark(source, gap_of(&failure));
    }
    // Objects of a group that is not served do not exist; any other gap hides what a plan must know.
    if errand.kind.is_some() && !failure.is_not_found() {
        reading.unread.get_or_insert(failure);
    }
    Ok(())
}

async fn get_single(cluster: &Cluster, source: Source, reading: &Mutex<Reading>) -> Result<(), ApiFailure> {
    let Request::Get { path } = source.request() else { return Ok(()) };
    let answer = cluster.get_path(path, format!("read {}", source.noun())).await;
    let mut reading = reading.lock().unwrap_or_else(PoisonError::into_inner);
    match answer {
        Ok(Some(object)) => reading.facts.absorb_page(source, &object),
        Ok(None) => reading.facts.mark(source, Gap::Absent),
        Err(failure) if ends_everything(&failure) => return Err(failure),
        Err(failure) => reading.facts.mark(source, gap_of(&failure)),
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
        .buffer_unordered(CONCURRENCY)
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
        .buffer_unordered(CONCURRENCY)
        .collect::<Vec<_>>()
        .await;
    for review in answers.into_iter().flatten() {
        facts.absorb_answer(&review);
    }
    Ok(())
}

impl Reading {
    fn keep(&mut self, api_version: &str, kind: &str, page: &Value) {
        for item in page["items"].as_array().into_iter().flatten() {
            let name = item["metadata"]["name"].as_str().unwrap_or_default();
            let namespace = item["metadata"]["namespace"].as_str();
            let matches = |wanted: &ObjectRef| {
                wanted.name == name
                    && wanted.kind == kind
                    && wanted.api_version == api_version
                    && wanted.namespace.as_deref() == namespace
            };
            if self.wanted.iter().any(matches) {
                let mut whole = item.clone();
                whole["apiVersion"] = json!(api_version);
                whole["kind"] = json!(kind);
                self.live.extend(Object::new(whole));
            }
        }
    }
}

/// Says that no other request has a chance. A slow or lost list is none of that: the server answered before.
pub(super) fn ends_everything(failure: &ApiFailure) -> bool {
    matches!(
        failure.cause,
        Cause::Unreachable(_)
            | Cause::Tls(_)
            | Cause::Unauthorized
            | Cause::Credentials(_)
            | Cause::NotKubernetes { .. }
            | Cause::Refused(_)
            | Cause::Broken(_)
    )
}

pub(super) fn gap_of(failure: &ApiFailure) -> Gap {
    match failure.cause {
        Cause::Forbidden(_) => Gap::Denied,
        Cause::NotFound => Gap::Absent,
        _ => Gap::Failed(failure.to_string()),
    }
}
