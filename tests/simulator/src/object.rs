//! Kubernetes objects as the simulator sees them: the kinds it deals with, their keys, and plain JSON.
//!
//! What the fields mean is left to the operator and the kubelet.

use std::fmt;

use kube::{
    api::DynamicObject,
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Map, Value};

/// The namespace in which Mizar keeps its own objects, fixed in its code.
pub(crate) const MIZAR_NAMESPACE: &str = "default";

/// The kinds of object that the simulator reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Node,
    Droplet,
    Vpc,
    Divider,
    Subnet,
    Bouncer,
    Endpoint,
    Pod,
    Service,
    Namespace,
    NetworkPolicy,
    CoreEndpoints,
    ConfigMap,
    CustomResourceDefinition,
    Event,
}

impl Kind {
    /// The six kinds of Mizar's own objects.
    pub(crate) const MIZAR: [Self; 6] =
        [Self::Droplet, Self::Vpc, Self::Divider, Self::Subnet, Self::Bouncer, Self::Endpoint];

    /// Returns group, version, kind and plural.
    fn names(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Droplet => ("mizar.com", "v1", "Droplet", "droplets"),
            Self::Vpc => ("mizar.com", "v1", "Vpc", "vpcs"),
            Self::Divider => ("mizar.com", "v1", "Divider", "dividers"),
            Self::Subnet => ("mizar.com", "v1", "Subnet", "subnets"),
            Self::Bouncer => ("mizar.com", "v1", "Bouncer", "bouncers"),
            Self::Endpoint => ("mizar.com", "v1", "Endpoint", "endpoints"),
            Self::Node => ("", "v1", "Node", "nodes"),
            Self::Pod => ("", "v1", "Pod", "pods"),
            Self::Service => ("", "v1", "Service", "services"),
            Self::Namespace => ("", "v1", "Namespace", "namespaces"),
            Self::NetworkPolicy => ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
            Self::CoreEndpoints => ("", "v1", "Endpoints", "endpoints"),
            Self::ConfigMap => ("", "v1", "ConfigMap", "configmaps"),
            Self::CustomResourceDefinition => {
                ("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions")
            }
            Self::Event => ("", "v1", "Event", "events"),
        }
    }

    pub(crate) fn resource(self) -> ApiResource {
        let (group, version, kind, plural) = self.names();
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
    }

    /// Returns the kind's own name, as in `kind: Droplet`.
    pub(crate) fn name(self) -> &'static str {
        self.names().2
    }

    /// Returns the name of the kind's definition, as in `droplets.mizar.com`.
    pub(crate) fn definition_name(self) -> String {
        let (group, _, _, plural) = self.names();
        format!("{plural}.{group}")
    }

    pub(crate) fn api_version(self) -> String {
        let (group, version, ..) = self.names();
        if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
    }

    pub(crate) fn is_namespaced(self) -> bool {
        !matches!(self, Self::Node | Self::Namespace | Self::CustomResourceDefinition)
    }

    /// Whether the API server keeps this kind's status behind a subresource of its own.
    pub(crate) fn has_status_subresource(self) -> bool {
        matches!(self, Self::Node | Self::Pod | Self::Service | Self::Namespace)
    }
}

/// Names one object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) kind: Kind,
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
}

impl Key {
    /// Names one of Mizar's own objects.
    pub(crate) fn mizar(kind: Kind, name: impl Into<String>) -> Self {
        Self { kind, namespace: Some(MIZAR_NAMESPACE.to_owned()), name: name.into() }
    }

    pub(crate) fn namespaced(kind: Kind, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind, namespace: Some(namespace.into()), name: name.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(out, "{} {namespace}/{}", self.kind.name(), self.name),
            None => write!(out, "{} {}", self.kind.name(), self.name),
        }
    }
}

/// One object, as JSON.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Object {
    kind: Kind,
    value: Value,
}

impl Object {
    pub(crate) fn new(kind: Kind, value: Value) -> Self {
        Self { kind, value }
    }

    /// Takes an object from the client; one that cannot be JSON is an empty one.
    pub(crate) fn from_dynamic(kind: Kind, object: &DynamicObject) -> Self {
        Self::new(kind, serde_json::to_value(object).unwrap_or_default())
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn key(&self) -> Key {
        let namespace = self.text("/metadata/namespace").map(str::to_owned);
        Key { kind: self.kind, namespace, name: self.name().to_owned() }
    }

    pub(crate) fn name(&self) -> &str {
        self.text("/metadata/name").unwrap_or_default()
    }

    pub(crate) fn namespace(&self) -> &str {
        self.text("/metadata/namespace").unwrap_or(MIZAR_NAMESPACE)
    }

    pub(crate) fn uid(&self) -> &str {
        self.text("/metadata/uid").unwrap_or_default()
    }

    pub(crate) fn value(&self) -> &Value {
        &self.value
    }

    /// Returns what lies at a JSON pointer.
    pub(crate) fn at(&self, pointer: &str) -> Option<&Value> {
        self.value.pointer(pointer)
    }

    pub(crate) fn text(&self, pointer: &str) -> Option<&str> {
        self.at(pointer).and_then(Value::as_str)
    }

    pub(crate) fn list(&self, pointer: &str) -> &[Value] {
        self.at(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn annotation(&self, name: &str) -> Option<&str> {
        self.at("/metadata/annotations").and_then(|all| all.get(name)).and_then(Value::as_str)
    }

    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.at("/metadata/labels").and_then(|all| all.get(name)).and_then(Value::as_str)
    }

    pub(crate) fn has_annotations(&self) -> bool {
        self.at("/metadata/annotations").and_then(Value::as_object).is_some_and(|all| !all.is_empty())
    }

    pub(crate) fn is_deleting(&self) -> bool {
        self.text("/metadata/deletionTimestamp").is_some()
    }

    pub(crate) fn finalizers(&self) -> Vec<&str> {
        self.list("/metadata/finalizers").iter().filter_map(Value::as_str).collect()
    }

    /// Returns a field of the specification as text, whether it was written as text or as a number; blank if absent.
    pub(crate) fn spec(&self, field: &str) -> String {
        match self.value.get("spec").and_then(|spec| spec.get(field)) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        }
    }

    /// Returns a field of the specification as a count; `default` if it is no number.
    pub(crate) fn spec_count(&self, field: &str, default: u64) -> u64 {
        self.spec(field).parse().unwrap_or(default)
    }

    pub(crate) fn address(&self, kind: &str) -> Option<&str> {
        let found = self.list("/status/addresses").iter().find(|address| address["type"] == kind)?;
        found.get("address").and_then(Value::as_str)
    }
}

/// Builds a JSON object from pairs, in their order.
pub(crate) fn fields<'a>(pairs: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Object(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}
