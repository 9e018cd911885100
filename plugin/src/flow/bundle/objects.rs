//! The objects: Mizar's own, the nodes, and what a check complains about. Each is masked and packed as it comes, so that no
//! more than a page of them is in memory.

use futures::stream::{self, StreamExt as _};
use mizar_core::bundle::index::Why;
use mizar_core::bundle::mask::Owner;
use mizar_core::bundle::objects::{self, Collection as Listed, MOST_IN_QUESTION, Reach};
use mizar_core::bundle::{mask, place};
use mizar_core::object::ObjectRef;
use mizar_core::yaml;
use serde_json::Value;
use tokio::time::timeout_at;

use super::{Collection, Known};
use crate::cluster::read::Listing;

/// How many lists are read at once, beside those of the pods.
const AT_ONCE: usize = 6;

/// Notes what is to come.
pub(super) fn expect(collection: &Collection<'_>, known: &Known) {
    for listed in objects::PODS.into_iter().chain(objects::collections(known.is_arktos)) {
        collection.sink.begin(&name_of(&listed));
    }
}

/// Reads all but Mizar's pods, which the logs wait for.
pub(super) async fn collect(collection: &Collection<'_>, known: &Known) {
    let lists = stream::iter(objects::collections(known.is_arktos))
        .map(|listed| async move { list(collection, known, &listed, |_| ()).await })
        .buffer_unordered(AT_ONCE)
        .collect::<()>();
    let own = objects::singles().into_iter().map(|reference| (reference, Owner::Mizar));
    let others = known.in_question.iter().take(MOST_IN_QUESTION).map(|reference| (reference.clone(), Owner::Other));
    let singles = stream::iter(own.chain(others))
        .map(|(reference, owner)| async move { single(collection, &reference, owner).await })
        .buffer_unordered(AT_ONCE)
        .collect::<()>();
    if known.in_question.len() > MOST_IN_QUESTION {
        let left_out = known.in_question.len() - MOST_IN_QUESTION;
        let message =
            format!("{left_out} more pods and services that checks complain about; {MOST_IN_QUESTION} are here");
        collection.sink.miss(place::OBJECTS, Why::Surplus, &message);
    }
    tokio::join!(lists, singles);
}

/// Reads one list, and hands what is kept of it to `each`, too.
pub(super) async fn list(collection: &Collection<'_>, known: &Known, listed: &Listed, mut each: impl FnMut(&Value)) {
    let what = name_of(listed);
    let namespace = (listed.reach == Reach::Home).then_some(known.home.as_str());
    let path = listed.kind.collection_path(namespace);
    let listing = Listing {
        path: &path,
        noun: listed.kind.plural,
        labels: listed.labels,
        fields: "",
        page_limit: listed.page_limit,
        metadata_only: false,
    };
    let read = collection.cluster.items(&listing, |mut object| {
        if listed.keeps(&object, &known.home) {
            listed.complete(&mut object);
            each(&object);
            put(collection, &objects::path_of(listed.kind, &object), object, Owner::Mizar);
        }
    });
    collection.settle(&what, timeout_at(collection.limit_of_one(), read).await);
}

/// Reads one object. That it is not there is worth no word: most clusters have only some of them.
async fn single(collection: &Collection<'_>, reference: &ObjectRef, owner: Owner) {
    let Some(path) = objects::path_of_single(reference) else { return };
    match timeout_at(collection.limit_of_one(), collection.cluster.get(reference)).await {
        Ok(Ok(Some(object))) => put(collection, &path, object, owner),
        Ok(Ok(None)) => {}
        Ok(Err(failure)) => collection.miss(&path, &failure),
        Err(_) => collection.sink.begin(&path),
    }
}

fn put(collection: &Collection<'_>, path: &str, mut object: Value, owner: Owner) {
    mask::object(&mut object, owner);
    collection.sink.put(path, yaml::write(&object).as_bytes());
}

/// What a list is called where it is missing.
fn name_of(listed: &Listed) -> String {
    if listed.labels.is_empty() { listed.folder() } else { format!("{} ({})", listed.folder(), listed.labels) }
}
