//! What an uninstall reads: each kind once, trimmed to what the plan is made of.

use serde_json::{Map, Value, json};

use super::namespace::is_made_by_us;
use super::{CUSTOM_KINDS, Traces};
use crate::facts::{NamespaceFact, NodeFact, PodFact, ServiceFact};
use crate::kind::{KindInfo, MIZAR_GROUP};
use crate::object::{Object, ObjectRef};

/// The built-in kinds on which the operator leaves traces, as `apiVersion` and kind.
pub const MARKED_KINDS: [(&str, &str); 6] = [
    ("v1", "Node"),
    ("v1", "Pod"),
    ("v1", "Service"),
    ("v1", "Namespace"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("v1", "Endpoints"),
];

/// An object of somebody else with traces of the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced {
    /// The object.
    pub object: ObjectRef,
    /// What is on it.
    pub traces: Traces,
}

/// A namespace.
#[derive(Debug, Clone, PartialEq)]
pub struct NamespaceSeen {
    /// What is known of it.
    pub fact: NamespaceFact,
    /// What tells it from another of its name.
    pub live: Option<Object>,
    /// Whether an install of ours made it.
    pub made_by_us: bool,
}

/// All that was read.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// The nodes.
    pub nodes: Vec<NodeFact>,
    /// The pods of all namespaces.
    pub pods: Vec<PodFact>,
    /// The services with an address of their own.
    pub services: Vec<ObjectRef>,
    /// The namespaces.
    pub namespaces: Vec<NamespaceSeen>,
    /// Objects of others with traces of the operator.
    pub traced: Vec<Traced>,
    /// Mizar's custom resources, of which only what tells them apart is kept.
    pub customs: Vec<Object>,
    /// Every DaemonSet and Deployment of Mizar, whole, also of installations without Helm.
    pub workloads: Vec<Object>,
    /// The definitions of Mizar's kinds.
    pub definitions: Vec<Object>,
    /// Those of the recorded and known objects that are there.
    pub objects: Vec<Object>,
}

/// How a pod of each workload is known, whoever installed it.
const WORKLOADS: [(&str, &str, &str, &str); 2] =
    [("DaemonSet", "mizar-daemon", "job", "mizar-daemon"), ("Deployment", "mizar-operator", "app", "mizar-operator")];

impl Survey {
    /// Takes one object of a list. Of nodes, pods, services and workloads it must be whole; of others `metadata` is enough.
    pub fn absorb(&mut self, kind: &KindInfo, value: &Value) {
        let object = reference(kind, value);
        if kind.group == MIZAR_GROUP && CUSTOM_KINDS.contains(&kind.kind) {
            self.customs.extend(identity(kind, value));
            return;
        }
        match kind.kind {
            "DaemonSet" | "Deployment" if is_mizars_workload(kind.kind, value) => {
                self.workloads.extend(whole(kind, value));
                return;
            }
            "CustomResourceDefinition" if object.name.ends_with(&format!(".{MIZAR_GROUP}")) => {
                self.definitions.extend(whole(kind, value));
                return;
            }
            "Node" => self.nodes.push(NodeFact::from_object(value)),
            "Pod" => self.pods.push(PodFact::from_object(value)),
            "Namespace" => self.namespaces.push(NamespaceSeen {
                fact: NamespaceFact::from_object(value),
                live: identity(kind, value),
                made_by_us: is_made_by_us(value),
            }),
            "Service" if !ServiceFact::from_object(value).cluster_ips.is_empty() => self.services.push(object.clone()),
            _ => {}
        }
        let traces = Traces::of(value);
        if !traces.is_nothing() && MARKED_KINDS.iter().any(|(_, marked)| *marked == kind.kind) {
            self.traced.push(Traced { object, traces });
        }
    }

    /// Returns the workloads of one kind.
    #[must_use = "iterators do nothing unless they are used"]
    pub fn workloads_of(&self, kind: &str) -> impl Iterator<Item = &Object> {
        self.workloads.iter().filter(move |workload| workload.kind() == kind)
    }

    /// Returns a namespace.
    #[must_use]
    pub fn namespace(&self, name: &str) -> Option<&NamespaceSeen> {
        self.namespaces.iter().find(|namespace| namespace.fact.name == name)
    }

    /// Returns the namespaces in which Mizar's workloads are.
    #[must_use]
    pub fn homes(&self) -> Vec<String> {
        let mut homes: Vec<String> =
            self.workloads.iter().filter_map(|workload| workload.namespace().map(ToOwned::to_owned)).collect();
        homes.sort();
        homes.dedup();
        homes
    }
}

/// Whether it is Mizar's daemon or operator, by its name or by the label that its pods have in every installation.
fn is_mizars_workload(kind: &str, value: &Value) -> bool {
    let (name, labels) = (&value["metadata"]["name"], &value["spec"]["template"]["metadata"]["labels"]);
    WORKLOADS.iter().any(|(of_kind, known, key, label)| *of_kind == kind && (name == known || labels[key] == *label))
}

/// Lists leave out what all their items share.
fn whole(kind: &KindInfo, value: &Value) -> Option<Object> {
    let mut value = value.clone();
    value["apiVersion"] = Value::from(kind.api_version());
    value["kind"] = Value::from(kind.kind);
    Object::new(value).ok()
}

/// An object as far as it can be told from a successor: its content is somebody else's, and there may be thousands.
fn identity(kind: &KindInfo, value: &Value) -> Option<Object> {
    let metadata = ["name", "namespace", "uid", "resourceVersion"];
    let known = metadata.iter().filter_map(|field| Some(((*field).to_owned(), value["metadata"].get(field)?.clone())));
    whole(kind, &json!({"metadata": known.collect::<Map<_, _>>()}))
}

fn reference(kind: &KindInfo, value: &Value) -> ObjectRef {
    let text = |field: &str| value["metadata"][field].as_str().map(ToOwned::to_owned);
    ObjectRef {
        api_version: kind.api_version(),
        kind: kind.kind.to_owned(),
        namespace: text("namespace").filter(|_| kind.namespaced),
        name: text("name").unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::{self, lookup};

    #[test]
    fn workloads_are_found_by_name_or_by_the_label_of_their_pods() {
        let mut survey = Survey::default();
        let set = lookup("apps/v1", "DaemonSet").unwrap();
        let of = |name: &str, labels: Value| {
            json!({"metadata": {"name": name, "namespace": "default"},
                "spec": {"template": {"metadata": {"labels": labels}}}})
        };
        survey.absorb(&set, &of("mizar-daemon", json!({})));
        survey.absorb(&set, &of("renamed", json!({"job": "mizar-daemon"})));
        survey.absorb(&set, &of("kube-proxy", json!({"app": "mizar-operator"})));
        let names: Vec<&str> = survey.workloads_of("DaemonSet").map(Object::name).collect();
        assert_eq!(names, ["mizar-daemon", "renamed"]);
        assert_eq!(survey.homes(), ["default"]);
    }

    #[test]
    fn only_mizars_own_endpoints_are_custom_resources() {
        let mut survey = Survey::default();
        let traced = json!({"metadata": {"name": "kubernetes", "namespace": "default",
            "annotations": {"mizar.com/scaled-endpoint": "scaled-endpoint"}}});
        survey.absorb(&lookup("v1", "Endpoints").unwrap(), &traced);
        survey.absorb(&lookup("mizar.com/v1", "Endpoint").unwrap(), &json!({"metadata": {"name": "e"}}));
        assert_eq!((survey.traced.len(), survey.customs.len()), (1, 1));
        assert_eq!(survey.traced[0].object.kind, "Endpoints");
        for (api_version, kind) in MARKED_KINDS {
            assert!(kind::lookup(api_version, kind).is_some(), "{kind}");
        }
    }
}
