//! Facts that stay up to date: one list and one watch for each kind, and what is no list read again now and then.

use futures::future::select_all;
use jiff::Timestamp;
use mizar_core::facts::{ClientFact, Facts, Gap, Plan, Request, Source};
use mizar_core::kind;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

use super::gather::{Wanted, gather};
use crate::cluster::watch::{WatchScope, Watched};
use crate::cluster::{ApiFailure, Cluster};
use crate::failure::{Failure, Kind};

const FORBIDDEN: u16 = 403;
const NOT_FOUND: u16 = 404;

/// What is read once at first, and again when asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fixed {
    /// The sources that no watch can follow.
    pub sources: Vec<Source>,
    /// The namespaces whose rights are asked for.
    pub namespaces: Vec<String>,
    /// What an install would bring.
    pub plan: Option<Plan>,
    /// What is known of this machine.
    pub client: ClientFact,
}

/// The facts, and the watches that keep them true.
pub(crate) struct Followed {
    facts: Facts,
    fixed: Fixed,
    fixed_read: Instant,
    watches: Vec<(Source, Watched)>,
}

impl Followed {
    /// Reads what cannot be followed, and starts to follow the rest.
    pub(crate) async fn start(cluster: &Cluster, sources: &[Source], rest: Fixed) -> Result<Self, ApiFailure> {
        let watches: Vec<_> = sources.iter().filter_map(|source| Some((*source, watch(cluster, *source)?))).collect();
        let is_watched = |source: &Source| watches.iter().any(|(watched, _)| watched == source);
        let unwatched = sources.iter().copied().filter(|source| !is_watched(source)).collect();
        let fixed = Fixed { sources: unwatched, ..rest };
        let facts = read(cluster, &fixed).await?;
        Ok(Self { facts, fixed, fixed_read: Instant::now(), watches })
    }

    /// The facts as of now.
    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The sources that no watch follows.
    pub(crate) fn unwatched(&self) -> &[Source] {
        &self.fixed.sources
    }

    /// How long ago those were read.
    pub(crate) fn unwatched_age(&self) -> Duration {
        self.fixed_read.elapsed()
    }

    /// The kinds that the server has not told everything about yet.
    pub(crate) fn unlisted(&self) -> Vec<&'static str> {
        let waiting = |(source, watched): &&(Source, Watched)| {
            !watched.is_listed() && self.facts.gap(*source) == Some(Gap::NotAsked)
        };
        self.watches.iter().filter(waiting).map(|(source, _)| source.noun()).collect()
    }

    /// What keeps a watch from telling the present at the moment.
    pub(crate) fn trouble(&self) -> Option<String> {
        let stale = self.watches.iter().find(|(_, watched)| watched.is_listed() && watched.trouble().is_some());
        stale.map(|(source, watched)| {
            format!("the watch of {}: {}", source.noun(), watched.trouble().unwrap_or_default())
        })
    }

    /// Waits for a change and takes it in, with all that follow within `burst`. Fails when the server lists a kind but
    /// refuses to have it watched: then a wait would never hear of anything.
    pub(crate) async fn changed(&mut self, burst: Duration) -> Result<(), Failure> {
        let first = next(&mut self.watches).await;
        let mut changed = vec![first];
        let end = sleep(burst);
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = &mut end => break,
                index = next(&mut self.watches) => changed.push(index),
            }
        }
        changed.sort_unstable();
        changed.dedup();
        // From the end, since a watch that is refused is taken out.
        changed.into_iter().rev().try_for_each(|index| self.take(index))
    }

    /// Reads again what cannot be followed.
    pub(crate) async fn read_again(&mut self, cluster: &Cluster) -> Result<(), ApiFailure> {
        self.facts = read(cluster, &self.fixed).await?;
        self.fixed_read = Instant::now();
        for (source, watched) in &self.watches {
            renew(&mut self.facts, *source, watched);
        }
        Ok(())
    }

    fn take(&mut self, index: usize) -> Result<(), Failure> {
        let (source, watched) = &self.watches[index];
        let source = *source;
        if watched.is_listed() && watched.refusal() == Some(FORBIDDEN) {
            let message = format!("you are not allowed to watch {}", source.noun());
            return Err(Failure::new(Kind::Unreachable, message)
                .hint(format!("ask for it: kubectl auth can-i watch {} --all-namespaces", source.noun()))
                .hint("or leave out --wait, which is all that needs it"));
        }
        renew(&mut self.facts, source, watched);
        if self.facts.gap(source) == Some(Gap::Denied) {
            // The watch would ask for ever; what is refused is asked again with the rest, slowly.
            drop(self.watches.remove(index));
            self.fixed.sources.push(source);
        }
        Ok(())
    }
}

/// Waits until one of the watches has news; returns which.
async fn next(watches: &mut [(Source, Watched)]) -> usize {
    if watches.is_empty() {
        return std::future::pending().await;
    }
    let news = watches.iter_mut().map(|(_, watched)| Box::pin(watched.changed()));
    select_all(news).await.1
}

async fn read(cluster: &Cluster, fixed: &Fixed) -> Result<Facts, ApiFailure> {
    let wanted = Wanted {
        sources: &fixed.sources,
        namespaces: fixed.namespaces.clone(),
        plan: fixed.plan.clone(),
        client: fixed.client.clone(),
        ..Wanted::default()
    };
    Ok(gather(cluster, wanted, Timestamp::now()).await?.facts)
}

/// Starts to follow a source; nothing if it is no list, or of a kind that is not in our table.
fn watch(cluster: &Cluster, source: Source) -> Option<Watched> {
    // Whether all secrets may be listed, or those of one namespace only, is asked before: see `releases`.
    if source == Source::Releases {
        return None;
    }
    let Request::List { path, label_selector, field_selector, .. } = source.request() else { return None };
    let kind = kind::lookup_path(path)?;
    let given = |selector: &'static str| Some(selector).filter(|selector| !selector.is_empty());
    let scope = WatchScope { namespace: None, fields: given(field_selector), labels: given(label_selector) };
    Some(cluster.watch(&kind, &scope, essentials))
}

/// Makes the facts of a source anew from what its watch holds.
fn renew(facts: &mut Facts, source: Source, watched: &Watched) {
    if watched.is_listed() {
        facts.mark(source, Gap::NotAsked);
        facts.absorb_page(source, &json!({"items": []}));
        watched.objects().for_each(|object| facts.absorb(source, object));
    } else if let Some(trouble) = watched.trouble() {
        let gap = match watched.refusal() {
            Some(FORBIDDEN) => Gap::Denied,
            Some(NOT_FOUND) => Gap::Absent,
            _ => Gap::Failed(trouble.to_owned()),
        };
        facts.mark(source, gap);
    }
}

/// What no fact is made from, and most of the bytes: who owns which field, the last applied copy, schemas, and the
/// values of secrets.
fn essentials(mut object: Value) -> Value {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    if let Some(fields) = object.as_object_mut() {
        fields.remove("data");
    }
    for version in object.pointer_mut("/spec/versions").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(version) = version.as_object_mut() {
            version.remove("schema");
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_an_object_makes_the_same_facts() {
        let definition = json!({
            "metadata": {"name": "vpcs.mizar.com", "managedFields": [{"manager": "helm"}], "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "{}", "meta.helm.sh/release-name": "mizar-crds"}},
            "spec": {"group": "mizar.com", "names": {"kind": "Vpc"}, "versions": [{"name": "v1", "served": true, "schema": {"x": 1}}]},
            "data": {"release": "secret"},
        });
        let small = essentials(definition.clone());
        assert_eq!(small.pointer("/spec/versions/0"), Some(&json!({"name": "v1", "served": true})));
        assert!(small.get("data").is_none() && small.pointer("/metadata/managedFields").is_none());
        let facts_of = |object: &Value| {
            let mut facts = Facts::default();
            facts.absorb(Source::Definitions, object);
            facts
        };
        assert_eq!(facts_of(&small), facts_of(&definition));
    }
}
