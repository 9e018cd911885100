//! Facts that stay up to date: one list and one watch for each kind, and what is no list read again now and then.

use std::collections::BTreeSet;

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
    /// What changed and is not taken in yet.
    changed: BTreeSet<Source>,
}

impl Followed {
    /// Reads what cannot be followed, and starts to follow the rest.
    pub(crate) async fn start(cluster: &Cluster, sources: &[Source], rest: Fixed) -> Result<Self, ApiFailure> {
        let watches: Vec<_> = sources.iter().filter_map(|source| Some((*source, watch(cluster, *source)?))).collect();
        let is_watched = |source: &Source| watches.iter().any(|(watched, _)| watched == source);
        let unwatched = sources.iter().copied().filter(|source| !is_watched(source)).collect();
        let fixed = Fixed { sources: unwatched, ..rest };
        let facts = read(cluster, &fixed).await?;
        Ok(Self { facts, fixed, fixed_read: Instant::now(), watches, changed: BTreeSet::new() })
    }

    /// Ends to follow.
    pub(crate) fn into_facts(self) -> Facts {
        self.facts
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
    /// refuses to have it watched: then a wait would never hear of anything. Cancel-safe: what changed is remembered.
    pub(crate) async fn changed(&mut self, burst: Duration) -> Result<(), Failure> {
        if self.changed.is_empty() {
            let first = next(&mut self.watches).await;
            self.changed.insert(first);
        }
        let end = sleep(burst);
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = &mut end => break,
                source = next(&mut self.watches) => self.changed.insert(source),
            };
        }
        std::mem::take(&mut self.changed).into_iter().try_for_each(|source| self.take(source))
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

    fn take(&mut self, source: Source) -> Result<(), Failure> {
        let Some(index) = self.watches.iter().position(|(watched, _)| *watched == source) else { return Ok(()) };
        let watched = &self.watches[index].1;
        if watched.is_listed() && watched.refusal() == Some(FORBIDDEN) {
            let message = format!("you are not allowed to watch {}", source.noun());
            return Err(Failure::new(Kind::Unreachable, message)
                .hint(format!("ask for it: kubectl auth can-i watch {} --all-namespaces", source.noun()))
                .hint("or leave out --wait or --watch, which is all that needs it"));
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
async fn next(watches: &mut [(Source, Watched)]) -> Source {
    if watches.is_empty() {
        return std::future::pending().await;
    }
    let news = watches.iter_mut().map(|(source, watched)| {
        Box::pin(async {
            watched.changed().await;
            *source
        })
    });
    select_all(news).await.0
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

/// Where no fact is made from, and most of the bytes are: who owns which field, the last applied copy, schemas, values
/// of secrets, what containers run with, images of nodes.
const DROPPED: [(&str, &[&str]); 6] = [
    ("", &["data"]),
    ("/metadata", &["managedFields"]),
    ("/metadata/annotations", &["kubectl.kubernetes.io/last-applied-configuration"]),
    ("/spec", &["volumes"]),
    ("/status", &["images", "volumesInUse", "volumesAttached"]),
    ("/spec/template/spec", &["volumes"]),
];

/// The same in the elements of lists.
const DROPPED_OF_EACH: [(&str, &[&str]); 3] =
    [("/spec/versions", &["schema"]), ("/spec/containers", RUN_WITH), ("/spec/initContainers", RUN_WITH)];

const RUN_WITH: &[&str] = &[
    "command",
    "args",
    "env",
    "envFrom",
    "resources",
    "volumeMounts",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
    "securityContext",
];

/// Keeps of an object what facts are made from.
fn essentials(mut object: Value) -> Value {
    let drop = |value: &mut Value, names: &[&str]| {
        if let Some(fields) = value.as_object_mut() {
            fields.retain(|name, _| !names.contains(&name.as_str()));
        }
    };
    for (place, names) in DROPPED {
        if let Some(value) = object.pointer_mut(place) {
            drop(value, names);
        }
    }
    for (place, names) in DROPPED_OF_EACH {
        let list = object.pointer_mut(place).and_then(Value::as_array_mut);
        list.into_iter().flatten().for_each(|value| drop(value, names));
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
            "spec": {"group": "mizar.com", "names": {"kind": "Vpc"}, "versions": [
                {"name": "v1", "served": true, "schema": {"openAPIV3Schema": {}}}]},
        });
        let pod = json!({
            "metadata": {"name": "mizar-daemon-1", "namespace": "net", "labels": {"job": "mizar-daemon"},
                "ownerReferences": [{"kind": "DaemonSet", "name": "mizar-daemon", "controller": true}]},
            "spec": {"nodeName": "node-1", "hostNetwork": true, "volumes": [{"name": "v", "hostPath": {"path": "/"}}],
                "tolerations": [{"operator": "Exists"}],
                "containers": [{"name": "main", "image": "i:1", "env": [{"name": "A", "value": "b"}], "command": ["x"]}]},
            "status": {"phase": "Running", "podIP": "10.0.0.1", "hostIP": "10.0.0.1",
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [{"name": "main", "ready": true, "restartCount": 2, "imageID": "i@sha256:1",
                    "state": {"running": {"startedAt": "2026-03-01T12:00:00Z"}}}]},
        });
        let node = json!({
            "metadata": {"name": "node-1", "labels": {"kubernetes.io/os": "linux"}},
            "spec": {"unschedulable": true, "taints": [{"key": "a", "effect": "NoSchedule"}]},
            "status": {"images": [{"names": ["i:1"]}], "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
                "nodeInfo": {"kernelVersion": "5.15.0"}, "conditions": [{"type": "Ready", "status": "True"}]},
        });
        let facts_of = |source: Source, object: &Value| {
            let mut facts = Facts::default();
            facts.absorb(source, object);
            facts
        };
        for (source, object, gone) in [
            (Source::Definitions, definition, "/spec/versions/0/schema"),
            (Source::Pods, pod, "/spec/containers/0/env"),
            (Source::Nodes, node, "/status/images"),
        ] {
            let small = essentials(object.clone());
            assert!(object.pointer(gone).is_some() && small.pointer(gone).is_none(), "{small:#}");
            assert_eq!(facts_of(source, &small), facts_of(source, &object));
        }
    }
}
