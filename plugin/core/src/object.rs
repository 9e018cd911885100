//! A Kubernetes object as JSON, and the name by which everything else speaks of it. Nothing here knows what a kind
//! means: how kinds are addressed is [`crate::kind`], how objects compare is [`crate::plan`].

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

/// A Kubernetes object that has at least `apiVersion`, `kind` and `metadata.name`.
///
/// The fields are checked once, by [`Object::new`]; afterwards they can be read without a second thought. Cheap to clone: a
/// plan, a record and the one who writes speak of the same object, and a chart's definitions are large.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct Object(Arc<Value>);

/// Says which object is meant, without its content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// `apps/v1`, or `v1` for the core group.
    pub api_version: String,
    /// `DaemonSet`.
    pub kind: String,
    /// The namespace; none for a cluster-wide object, or for one that leaves it to the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

/// Why some JSON is not a Kubernetes object.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ObjectError {
    /// The document is a list, a string or something else that has no fields.
    #[error("a Kubernetes object must be a mapping, got {found}")]
    NotAMapping {
        /// What was there instead.
        found: &'static str,
    },
    /// A field that every object has is missing.
    #[error("{description} has no `{field}`")]
    Missing {
        /// As much of the object's name as is known.
        description: String,
        /// The path of the field.
        field: &'static str,
    },
    /// A field that every object has is there, with something else than a name in it.
    #[error("`{field}` of {description} must be a non-empty string, got {found}")]
    NotAName {
        /// As much of the object's name as is known.
        description: String,
        /// The path of the field.
        field: &'static str,
        /// What was there instead.
        found: &'static str,
    },
}

impl Object {
    /// Returns the object without `spec.replicas`: whoever applies it leaves the number to others.
    #[must_use]
    pub fn without_replicas(mut self) -> Self {
        if let Some(spec) = Arc::make_mut(&mut self.0).get_mut("spec").and_then(Value::as_object_mut) {
            spec.remove("replicas");
        }
        self
    }

    /// Takes JSON for an object if it has the fields that every object has.
    pub fn new(value: Value) -> Result<Self, ObjectError> {
        if !value.is_object() {
            return Err(ObjectError::NotAMapping { found: type_name(&value) });
        }
        for (field, pointer) in [("apiVersion", "/apiVersion"), ("kind", "/kind"), ("metadata.name", "/metadata/name")]
        {
            match value.pointer(pointer) {
                None | Some(Value::Null) => {
                    return Err(ObjectError::Missing { description: describe(&value), field });
                }
                Some(Value::String(text)) if !text.is_empty() => {}
                Some(other) => {
                    let found = if other.is_string() { "an empty string" } else { type_name(other) };
                    return Err(ObjectError::NotAName { description: describe(&value), field, found });
                }
            }
        }
        Ok(Self(Arc::new(value)))
    }

    /// Returns `apiVersion`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        self.text("/apiVersion").unwrap_or_default()
    }

    /// Returns `kind`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text("/kind").unwrap_or_default()
    }

    /// Returns `metadata.name`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text("/metadata/name").unwrap_or_default()
    }

    /// Returns `metadata.namespace`, if the object says one.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.text("/metadata/namespace").filter(|namespace| !namespace.is_empty())
    }

    /// Returns `metadata.uid`, which only a server gives.
    #[must_use]
    pub fn uid(&self) -> Option<&str> {
        self.text("/metadata/uid")
    }

    /// Returns `metadata.resourceVersion`, which only a server gives.
    #[must_use]
    pub fn resource_version(&self) -> Option<&str> {
        self.text("/metadata/resourceVersion")
    }

    /// Returns the value of one label.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.0.pointer("/metadata/labels")?.get(key)?.as_str()
    }

    /// Returns the value of one annotation.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.0.pointer("/metadata/annotations")?.get(key)?.as_str()
    }

    /// Returns the JSON.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// Gives the JSON away.
    #[must_use]
    pub fn into_value(self) -> Value {
        Arc::unwrap_or_clone(self.0)
    }

    /// Returns the name by which to speak of the object.
    #[must_use]
    pub fn reference(&self) -> ObjectRef {
        ObjectRef {
            api_version: self.api_version().to_owned(),
            kind: self.kind().to_owned(),
            namespace: self.namespace().map(str::to_owned),
            name: self.name().to_owned(),
        }
    }

    /// Returns the object with a namespace, unless it says one already.
    #[must_use]
    pub fn in_namespace(mut self, namespace: &str) -> Self {
        if self.namespace().is_none()
            && let Some(metadata) = Arc::make_mut(&mut self.0).get_mut("metadata").and_then(Value::as_object_mut)
        {
            metadata.insert("namespace".to_owned(), Value::String(namespace.to_owned()));
        }
        self
    }

    fn text(&self, pointer: &str) -> Option<&str> {
        self.0.pointer(pointer)?.as_str()
    }
}

impl TryFrom<Value> for Object {
    type Error = ObjectError;

    fn try_from(value: Value) -> Result<Self, ObjectError> {
        Self::new(value)
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        object.into_value()
    }
}

impl ObjectRef {
    /// Returns the API group; empty for the core group.
    #[must_use]
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// Returns the name as `kubectl -o name` prints it: `daemonset.apps/mizar-daemon`.
    #[must_use]
    pub fn resource_name(&self) -> String {
        let kind = self.kind.to_lowercase();
        match self.group() {
            "" => format!("{kind}/{}", self.name),
            group => format!("{kind}.{group}/{}", self.name),
        }
    }

    /// Whether both mean the same object, whatever version of its API they were written for.
    #[must_use]
    pub fn same_object(&self, other: &Self) -> bool {
        self.group() == other.group()
            && self.kind == other.kind
            && self.namespace == other.namespace
            && self.name == other.name
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(formatter, "{} {namespace}/{}", self.kind, self.name),
            None => write!(formatter, "{} {}", self.kind, self.name),
        }
    }
}

/// One single object: not whatever has its name later.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectId {
    /// Where it is found.
    pub object: ObjectRef,
    /// What tells it from a successor of its name.
    pub uid: String,
}

impl fmt::Display for ObjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.object.fmt(formatter)
    }
}

fn describe(value: &Value) -> String {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    match (text("/kind"), text("/metadata/name")) {
        (Some(kind), Some(name)) => format!("{kind} {name}"),
        (Some(kind), None) => format!("a {kind}"),
        (None, Some(name)) => format!("the object named {name}"),
        (None, None) => "an object".to_owned(),
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn daemon() -> Object {
        Object::new(json!({
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {
                "name": "mizar-daemon", "namespace": "mizar-system", "uid": "u1", "resourceVersion": "7",
                "labels": {"app.kubernetes.io/name": "mizar"},
                "annotations": {"meta.helm.sh/release-name": "mizar"},
            },
        }))
        .unwrap()
    }

    #[test]
    fn the_parts_of_a_name_can_be_read() {
        let object = daemon();
        assert_eq!((object.api_version(), object.kind(), object.name()), ("apps/v1", "DaemonSet", "mizar-daemon"));
        assert_eq!(object.namespace(), Some("mizar-system"));
        assert_eq!((object.uid(), object.resource_version()), (Some("u1"), Some("7")));
        assert_eq!(object.label("app.kubernetes.io/name"), Some("mizar"));
        assert_eq!(object.annotation("meta.helm.sh/release-name"), Some("mizar"));
        assert_eq!(object.label("absent"), None);
    }

    #[test]
    fn a_reference_prints_as_kind_namespace_and_name() {
        assert_eq!(daemon().reference().to_string(), "DaemonSet mizar-system/mizar-daemon");
        let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "mizar:operator"}});
        assert_eq!(Object::new(role).unwrap().reference().to_string(), "ClusterRole mizar:operator");
    }

    #[test]
    fn references_to_two_versions_of_a_group_mean_the_same_object() {
        let new = daemon().reference();
        let old = ObjectRef { api_version: "apps/v1beta2".to_owned(), ..new.clone() };
        let foreign = ObjectRef { api_version: "extensions/v1beta1".to_owned(), ..new.clone() };
        assert!(new.same_object(&old));
        assert!(!new.same_object(&foreign));
    }

    #[test]
    fn what_is_no_object_is_refused_with_the_field_that_lacks() {
        let message = |value| Object::new(value).unwrap_err().to_string();
        assert_eq!(message(json!([1])), "a Kubernetes object must be a mapping, got a list");
        assert_eq!(message(json!({"apiVersion": "v1", "kind": "Pod"})), "a Pod has no `metadata.name`");
        assert_eq!(message(json!({"kind": "Pod", "metadata": {"name": "p"}})), "Pod p has no `apiVersion`");
        assert_eq!(
            message(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": 5}})),
            "`metadata.name` of a Pod must be a non-empty string, got a number"
        );
        assert_eq!(
            message(json!({"apiVersion": "v1", "kind": "", "metadata": {"name": "p"}})),
            "`kind` of the object named p must be a non-empty string, got an empty string"
        );
    }

    #[test]
    fn a_namespace_is_added_only_where_none_is_written() {
        let bare = Object::new(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}})).unwrap();
        assert_eq!(bare.in_namespace("one").namespace(), Some("one"));
        assert_eq!(daemon().in_namespace("one").namespace(), Some("mizar-system"));
    }

    #[test]
    fn an_object_goes_through_json_unchanged_and_a_broken_one_is_refused() {
        let text = serde_json::to_string(&daemon()).unwrap();
        assert_eq!(serde_json::from_str::<Object>(&text).unwrap(), daemon());
        assert!(serde_json::from_str::<Object>(r#"{"kind":"Pod"}"#).is_err());
    }
}
