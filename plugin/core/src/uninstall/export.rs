//! The custom resources as a file: a List that `kubectl apply` takes, without what a server adds.
//!
//! A later run of an uninstall that was interrupted finds less than the first one did: what the file holds already stays in it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use thiserror::Error;

use super::Traces;
use crate::yaml::{self, DuplicateKeys};

/// What only a server gives an object.
const OF_THE_SERVER: [&str; 9] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
    "ownerReferences",
];

/// Which begins the line that says whose objects these are.
const CLUSTER: &str = "# Custom resources of Mizar, of the cluster ";

/// The objects of an export, by kind, namespace and name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Export {
    objects: BTreeMap<(String, String, String), Value>,
}

/// Why an earlier export cannot be added to.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExportError {
    /// It is something else.
    #[error("it is no export of this program")]
    NoExport,
    /// It is of another cluster.
    #[error("it is the export of another cluster ({found})")]
    OtherCluster {
        /// The other one.
        found: String,
    },
    /// It cannot be read.
    #[error("{0}")]
    Damaged(String),
}

impl Export {
    /// Reads an earlier export of this cluster.
    pub fn read(text: &str, cluster: &str) -> Result<Self, ExportError> {
        let found = text.lines().next().and_then(|line| line.strip_prefix(CLUSTER)).ok_or(ExportError::NoExport)?;
        if found.trim() != cluster {
            return Err(ExportError::OtherCluster { found: found.trim().to_owned() });
        }
        let documents = yaml::read_all(text, DuplicateKeys::TakeLast);
        let documents = documents.map_err(|error| ExportError::Damaged(error.to_string()))?;
        let mut export = Self::default();
        let lists = documents.iter().filter_map(|(list, _)| list["items"].as_array());
        for item in lists.flatten() {
            export.insert(item.clone());
        }
        Ok(export)
    }

    /// Takes an object as the server has it; one that is in the file already is replaced.
    pub fn add(&mut self, live: &Value) {
        self.insert(cleaned(live));
    }

    fn insert(&mut self, object: Value) {
        let text = |field: &Value| field.as_str().unwrap_or_default().to_owned();
        let metadata = &object["metadata"];
        let key = (text(&object["kind"]), text(&metadata["namespace"]), text(&metadata["name"]));
        self.objects.insert(key, object);
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Writes the file of this cluster, which is told by the UID of its namespace kube-system.
    #[must_use]
    pub fn write(&self, cluster: &str) -> String {
        let items: Vec<&Value> = self.objects.values().collect();
        let list = yaml::write(&json!({"apiVersion": "v1", "kind": "List", "items": items}));
        format!("{CLUSTER}{cluster}\n{list}")
    }
}

/// Returns an object without what a server, and the operator's framework, added.
fn cleaned(live: &Value) -> Value {
    let mut object = live.clone();
    let traces = Traces::of(live);
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for field in OF_THE_SERVER {
            metadata.remove(field);
        }
        let drop_from = |metadata: &mut Map<String, Value>, map: &str, keys: &[String]| {
            if let Some(entries) = metadata.get_mut(map).and_then(Value::as_object_mut) {
                entries.retain(|key, _| !keys.contains(key));
                if entries.is_empty() {
                    metadata.remove(map);
                }
            }
        };
        drop_from(metadata, "annotations", &traces.annotations);
        drop_from(metadata, "labels", &traces.labels);
        if let Some(finalizers) = metadata.get_mut("finalizers").and_then(Value::as_array_mut) {
            finalizers.retain(|name| name.as_str().is_none_or(|name| !traces.finalizers.iter().any(|own| own == name)));
            if finalizers.is_empty() {
                metadata.remove("finalizers");
            }
        }
    }
    if let Some(whole) = object.as_object_mut() {
        let is_bare = whole.get_mut("status").and_then(Value::as_object_mut).is_some_and(|status| {
            status.remove("kopf");
            status.is_empty()
        });
        if is_bare {
            whole.remove("status");
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vpc(name: &str) -> Value {
        json!({"apiVersion": "mizar.com/v1", "kind": "Vpc", "metadata": {
            "name": name, "namespace": "default", "uid": "u", "resourceVersion": "7", "generation": 3,
            "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [{"manager": "kopf"}],
            "finalizers": ["kopf.zalando.org/KopfFinalizerMarker"],
            "annotations": {"kopf.zalando.org/last-handled-configuration": "{}\n"},
            "labels": {"team": "net"},
        }, "spec": {"ip": "10.0.0.0", "prefix": "08"}, "status": {"kopf": {"progress": {}}}})
    }

    #[test]
    fn what_a_server_and_the_operator_add_is_left_out() {
        let mut export = Export::default();
        export.add(&vpc("vpc0"));
        let text = export.write("c1");
        let (list, _) = yaml::read_all(&text, DuplicateKeys::Refuse).unwrap().remove(0);
        let expected = json!({"apiVersion": "mizar.com/v1", "kind": "Vpc",
            "metadata": {"name": "vpc0", "namespace": "default", "labels": {"team": "net"}},
            "spec": {"ip": "10.0.0.0", "prefix": "08"}});
        assert_eq!((&list["kind"], &list["items"]), (&json!("List"), &json!([expected])));
    }

    #[test]
    fn a_later_run_that_finds_less_keeps_what_an_earlier_one_saved() {
        let mut first = Export::default();
        first.add(&vpc("vpc0"));
        first.add(&vpc("vpc1"));
        let mut second = Export::read(&first.write("c1"), "c1").unwrap();
        assert_eq!(second, first, "an export is read as it was written");
        second.add(&vpc("vpc1"));
        assert_eq!(second.len(), 2);
    }

    #[test]
    fn another_file_is_not_added_to() {
        let text = Export::default().write("c1");
        assert_eq!(Export::read(&text, "c2"), Err(ExportError::OtherCluster { found: "c1".into() }));
        assert_eq!(Export::read("kind: List\n", "c1"), Err(ExportError::NoExport));
        assert!(Export::read(&text, "c1").unwrap().is_empty());
        assert!(matches!(Export::read(&format!("{CLUSTER}c1\n{{"), "c1"), Err(ExportError::Damaged(_))));
    }
}
