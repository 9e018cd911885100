//! What a plan was made from: the cluster, the charts, the records, and every object as it was found.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::object::{Object, ObjectRef};
use crate::plan::{Change, Plan, canonical_json};
use crate::site::Site;

/// What a plan was made from, and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Binding {
    /// The cluster: the UID of its namespace kube-system, which lives as long as the cluster does.
    pub cluster: String,
    /// The namespace of the releases.
    pub namespace: String,
    /// The charts by name, each with a number for its content.
    #[serde(default)]
    pub charts: BTreeMap<String, String>,
    /// The releases that are recorded, with their newest revision.
    #[serde(default)]
    pub releases: BTreeMap<String, u64>,
    /// The number of the plan.
    pub plan_digest: String,
    /// Every object that the plan is about, those that it leaves alone included.
    pub objects: Vec<BoundObject>,
    /// What becomes of each node, where the plan is about nodes themselves: `to be cleaned`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub nodes: BTreeMap<String, String>,
}

/// One object, as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BoundObject {
    /// The object.
    pub object: ObjectRef,
    /// The cluster it is in.
    pub site: Site,
    /// Whether the plan writes it.
    pub written: bool,
    /// What it was; nothing if it did not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<LiveState>,
}

/// An object that exists, as far as it can be told from a later state of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LiveState {
    /// What tells it from a successor of its name.
    pub uid: String,
    /// Its version, which every write moves.
    pub resource_version: String,
    /// A number for its content: all but the status and what the server keeps about it.
    pub content: String,
    /// Who wrote its content last, where the server notes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer: Option<String>,
}

impl Binding {
    /// Notes what a plan was made from.
    #[must_use]
    pub fn of(
        plan: &Plan,
        cluster: String,
        namespace: &str,
        charts: BTreeMap<String, String>,
        releases: BTreeMap<String, u64>,
    ) -> Self {
        let bound = |site: Site, change: &Change| BoundObject {
            object: change.object.clone(),
            site,
            written: change.writes(),
            live: change.live.as_ref().map(LiveState::of),
        };
        let objects = plan.stages.iter().flat_map(|stage| stage.changes.iter().map(|change| bound(stage.site, change)));
        Self {
            cluster,
            namespace: namespace.to_owned(),
            charts,
            releases,
            plan_digest: plan.digest(),
            objects: objects.collect(),
            nodes: BTreeMap::new(),
        }
    }
}

impl LiveState {
    /// Notes how an object is.
    #[must_use]
    pub fn of(object: &Object) -> Self {
        Self {
            uid: object.uid().unwrap_or_default().to_owned(),
            resource_version: object.resource_version().unwrap_or_default().to_owned(),
            content: content_digest(object.value()),
            writer: writer(object.value()),
        }
    }
}

/// What changes without anybody changing the object: a status all the time, and these with it.
const BOOKKEEPING: &[&str] = &["resourceVersion", "managedFields", "generation"];

/// Returns a number for the content of a live object.
fn content_digest(object: &Value) -> String {
    let mut content = object.clone();
    if let Some(fields) = content.as_object_mut() {
        fields.shift_remove("status");
    }
    if let Some(metadata) = content.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|field, _| !BOOKKEEPING.contains(&field.as_str()));
    }
    digest(&content)
}

/// Who wrote the content of an object last.
fn writer(object: &Value) -> Option<String> {
    let entries = object.pointer("/metadata/managedFields")?.as_array()?;
    let text = |entry: &Value, field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let written = entries.iter().filter(|entry| text(entry, "subresource") != "status");
    // The times are all in the same form and zone, so that their texts compare.
    let last = written.max_by_key(|entry| text(entry, "time"))?;
    Some(text(last, "manager")).filter(|manager| !manager.is_empty())
}

/// Returns the number by which the content of a chart is known in a [`Binding`].
#[must_use]
pub fn chart_digest(chart: &Value) -> String {
    digest(chart)
}

fn digest(value: &Value) -> String {
    format!("sha256:{:x}", Sha256::digest(canonical_json(value).as_bytes()))
}
