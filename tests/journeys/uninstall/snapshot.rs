//! Everything there is in a cluster, of every kind that the server has, with the marks that others leave on it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use mizar_bed::Bed;
use serde_json::{Value, json};

use crate::cluster::get;

const PATIENCE: Duration = Duration::from_secs(15);

/// What comes and goes by itself.
const FLEETING: [&str; 5] = ["events", "leases", "endpointslices", "componentstatuses", "ipaddresses"];

/// Marks that controllers keep by themselves.
const AUTOMATIC: [&str; 4] =
    ["endpoints.kubernetes.io/", "deployment.kubernetes.io/", "node.alpha.kubernetes.io/", "kubernetes.io/"];

/// Path by path, what is marked on each object.
pub(crate) struct Snapshot(BTreeMap<String, Value>);

impl Snapshot {
    pub(crate) async fn of(bed: &Bed) -> Self {
        let mut found = BTreeMap::new();
        for collection in collections(bed).await {
            let list = get(bed, &collection).await;
            for item in list["items"].as_array().into_iter().flatten() {
                let metadata = &item["metadata"];
                let name = metadata["name"].as_str().unwrap();
                let path = match (metadata["namespace"].as_str(), collection.rsplit_once('/')) {
                    (Some(namespace), Some((root, plural))) => format!("{root}/namespaces/{namespace}/{plural}/{name}"),
                    _ => format!("{collection}/{name}"),
                };
                found.insert(path, marks(item));
            }
        }
        Self(found)
    }

    /// Asserts that now there is the same, but for what was made since and is none of Mizar's, and for what is to be left.
    pub(crate) async fn assert_now(&self, bed: &Bed, made: &[&str], left: &[&str]) {
        let begun = Instant::now();
        loop {
            let now = Self::of(bed).await;
            let differences = self.differences(&now, made, left);
            if differences.is_empty() {
                assert!(now.0.len() > 100, "{} objects are no cluster", now.0.len());
                return;
            }
            // Controllers collect what belonged to something after it is gone.
            assert!(begun.elapsed() < PATIENCE, "{}", differences.join("\n"));
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Asserts that nothing has a name or carries a mark of Mizar's.
    pub(crate) fn assert_no_trace_of_mizar(&self) {
        let is_trace = |(path, marked): &(&String, &Value)| path.contains("mizar") || is_marked(marked);
        let traces: Vec<String> =
            self.0.iter().filter(is_trace).map(|(path, marked)| format!("{path} {marked}")).collect();
        assert!(traces.is_empty(), "{}", traces.join("\n"));
    }

    fn differences(&self, now: &Self, made: &[&str], left: &[&str]) -> Vec<String> {
        let mut all = Vec::new();
        let expected: BTreeSet<&str> = left.iter().copied().collect();
        for (path, marked) in &now.0 {
            if is_marked(marked) {
                all.push(format!("marked: {path} {marked}"));
            }
            match self.0.get(path) {
                Some(before) if before != marked => all.push(format!("changed: {path}\n  {before}\n  {marked}")),
                None if !made.contains(&path.as_str()) && !expected.contains(path.as_str()) => {
                    all.push(format!("left: {path}"));
                }
                _ => {}
            }
        }
        let is_there = |path: &&&str| now.0.contains_key(**path);
        all.extend(made.iter().chain(left).filter(|path| !is_there(path)).map(|path| format!("missing: {path}")));
        all.extend(self.0.keys().filter(|path| !now.0.contains_key(*path)).map(|path| format!("gone: {path}")));
        all
    }
}

/// What the operator, or we to make it look again, leave on objects that others own.
const MARKS: [&str; 7] = [
    "kopf",
    "mizar.com/scaled",
    "mizar.dev/cordoned-by",
    "mizar.dev/known-to",
    "mizar.dev/reprogrammed-at",
    "mizar.dev/shown-at",
    "mizar.dev/tried-again-at",
];

fn is_marked(marked: &Value) -> bool {
    let text = marked.to_string();
    MARKS.iter().any(|mark| text.contains(mark))
}

/// An object's own marks: labels, annotations, finalizers, and whether it is cordoned or going.
fn marks(item: &Value) -> Value {
    let metadata = &item["metadata"];
    let own = |map: &str| -> BTreeMap<String, Value> {
        let entries = metadata[map].as_object().into_iter().flatten();
        let is_own = |key: &str| !AUTOMATIC.iter().any(|prefix| key.starts_with(prefix));
        entries.filter(|(key, _)| is_own(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    let finalizers = metadata["finalizers"].as_array().cloned().unwrap_or_default();
    json!({
        "labels": own("labels"), "annotations": own("annotations"), "finalizers": finalizers,
        "cordoned": item["spec"]["unschedulable"] == true, "deleting": metadata["deletionTimestamp"].is_string(),
    })
}

/// Every collection that can be listed.
async fn collections(bed: &Bed) -> Vec<String> {
    let mut roots = vec!["/api/v1".to_owned()];
    for group in get(bed, "/apis").await["groups"].as_array().unwrap() {
        roots.push(format!("/apis/{}", group["preferredVersion"]["groupVersion"].as_str().unwrap()));
    }
    let mut all = Vec::new();
    for root in roots {
        let path = root.clone();
        // A group whose definitions are just gone is still named for a moment.
        let Ok(resources) = crate::cluster::send(bed, "GET", &path, None).await else { continue };
        for resource in resources["resources"].as_array().unwrap() {
            let name = resource["name"].as_str().unwrap();
            let listable = resource["verbs"].as_array().unwrap().iter().any(|verb| verb == "list");
            if listable && !name.contains('/') && !FLEETING.contains(&name) && !root.contains("metrics") {
                all.push(format!("{root}/{name}"));
            }
        }
    }
    all
}
