//! Fields that would change and that somebody else has set: the server refuses to change them without force. It is told
//! here from `managedFields` alone, so that a command that only looks can tell it too; where objects are tried on the
//! server first, its answer counts.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::fields::{FieldSet, Owned, entries, text};
use super::merge::comparable;
use super::{Conflict, FieldManager, diff, lists};
use crate::object::{Object, ObjectRef};

/// A field that would change and that somebody else has set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContestedField {
    /// `.spec.replicas`
    pub path: String,
    /// Who has set it: `kubectl-edit`.
    pub manager: String,
}

impl fmt::Display for ContestedField {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} is owned by {}", self.path, self.manager)
    }
}

impl Conflict {
    /// An object of which others have set fields that would change.
    #[must_use]
    pub fn over_fields(object: ObjectRef, fields: Vec<ContestedField>) -> Self {
        let scope = object.namespace.as_deref().map(|name| format!(" -n {name}")).unwrap_or_default();
        let resource = object.resource_name();
        let resource = resource.split('/').next().unwrap_or_default();
        let hint = format!(
            "see who set what: kubectl get {resource} {}{scope} -o yaml --show-managed-fields; undo that change, or have its \
             owner release the field, then run this command again",
            object.name
        );
        Self { object, why: "has fields that another manager owns and that would change".to_owned(), fields, hint }
    }
}

/// Returns what of an object cannot be changed without force, if anything: `noted` is the object with the notes on who has set
/// what, as they are when it is changed; `target` is what would become of it.
pub(super) fn conflict(
    desired: &Object,
    live: &Object,
    noted: &Value,
    target: &Value,
    manager: FieldManager,
) -> Option<Conflict> {
    let owners = others(noted, manager);
    let owners: Vec<(&str, Owned<'_>)> = owners.iter().map(|(name, set)| (name.as_str(), set.root())).collect();
    let mut found = Vec::new();
    if !owners.is_empty() {
        let desired = comparable(desired.value());
        walk(&Place { path: String::new(), field: "" }, &desired, live.value(), target, &owners, &mut found);
    }
    (!found.is_empty()).then(|| Conflict::over_fields(live.reference(), found))
}

/// Who else has set anything, subresources included: `kubectl scale` sets `.spec.replicas` by way of one.
fn others(live: &Value, manager: FieldManager) -> Vec<(String, FieldSet)> {
    let theirs = entries(live).iter().filter(|entry| text(entry, "manager") != manager.as_str());
    theirs
        .map(|entry| {
            let name = match text(entry, "subresource") {
                "" => text(entry, "manager").to_owned(),
                part => format!("{} ({part})", text(entry, "manager")),
            };
            (name, FieldSet::Tracked(entry.get("fieldsV1").cloned().unwrap_or_default()))
        })
        .collect()
}

struct Place<'a> {
    path: String,
    field: &'a str,
}

fn walk(
    place: &Place<'_>,
    desired: &Value,
    live: &Value,
    target: &Value,
    owners: &[(&str, Owned<'_>)],
    found: &mut Vec<ContestedField>,
) {
    if live == target || owners.iter().all(|(_, owned)| !owned.any()) {
        return;
    }
    match (desired, live, target) {
        (Value::Object(desired), Value::Object(live), Value::Object(target)) => {
            for (key, wanted) in desired {
                let (Some(before), Some(after)) = (live.get(key), target.get(key)) else { continue };
                let below = Place { path: diff::step(&place.path, key), field: key };
                let inner: Vec<_> = owners.iter().map(|(name, owned)| (*name, owned.field(key))).collect();
                walk(&below, wanted, before, after, &inner, found);
            }
        }
        (Value::Array(desired), Value::Array(live), Value::Array(target)) => {
            let Some([wanted, before, after]) = lists::keys(place.field, [desired, live, target]) else {
                return leaf(place, owners, found);
            };
            for (at, key) in wanted.iter().enumerate() {
                let of = |keys: &[lists::ElementKey]| keys.iter().position(|known| known == key);
                let (Some(in_live), Some(in_target)) = (of(&before), of(&after)) else { continue };
                let below = Place { path: format!("{}[{}]", place.path, lists::label(key)), field: place.field };
                let inner: Vec<_> = owners.iter().map(|(name, owned)| (*name, owned.element(&live[in_live]))).collect();
                walk(&below, &desired[at], &live[in_live], &target[in_target], &inner, found);
            }
        }
        _ => leaf(place, owners, found),
    }
}

fn leaf(place: &Place<'_>, owners: &[(&str, Owned<'_>)], found: &mut Vec<ContestedField>) {
    for (manager, _) in owners.iter().filter(|(_, owned)| owned.any()) {
        found.push(ContestedField { path: place.path.clone(), manager: (*manager).to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::{Plan, PlanInput, ReleaseInput, StagedObject, decide};
    use crate::site::Site;

    fn deployment(replicas: u32, image: &str) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "n"},
               "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"name": "a", "image": image}]}}}})
    }

    fn live(entries: &Value) -> Object {
        let mut object = deployment(2, "x:1");
        object["metadata"]["uid"] = json!("u");
        object["metadata"]["resourceVersion"] = json!("7");
        object["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "Helm"});
        object["metadata"]["annotations"] =
            json!({"meta.helm.sh/release-name": "mizar", "meta.helm.sh/release-namespace": "n"});
        object["metadata"]["managedFields"] = entries.clone();
        Object::new(object).unwrap()
    }

    fn plan(desired: Value, live: Object) -> Plan {
        let release = ReleaseInput {
            name: "mizar".into(),
            namespace: "n".into(),
            site: Site::Management,
            first_install: false,
            objects: vec![StagedObject::new(None, Object::new(desired).unwrap())],
            hooks: Vec::new(),
            recorded: Vec::new(),
        };
        decide(&PlanInput { releases: vec![release], live: vec![(Site::Management, live)], ..PlanInput::default() })
    }

    fn contested(entries: &Value, desired: Value) -> Vec<String> {
        let plan = plan(desired, live(entries));
        plan.conflicts.iter().flat_map(|conflict| &conflict.fields).map(ToString::to_string).collect()
    }

    #[test]
    fn a_field_that_another_has_set_is_named_with_him() {
        let entries = json!([
            {"manager": "helm", "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {
                "f:containers": {"k:{\"name\":\"a\"}": {".": {}, "f:image": {}}}}}}}},
            {"manager": "kubectl", "operation": "Update", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:template": {"f:spec": {
                "f:containers": {"k:{\"name\":\"a\"}": {"f:image": {}}}}}}}},
        ]);
        assert_eq!(
            contested(&entries, deployment(1, "x:2")),
            [
                ".spec.replicas is owned by kubectl (scale)",
                ".spec.template.spec.containers[a].image is owned by kubectl-edit",
            ]
        );
        assert!(contested(&entries, deployment(2, "x:1")).is_empty(), "what stays as it is, nobody is asked about");
    }

    #[test]
    fn what_an_older_helm_has_set_and_what_nobody_notes_is_no_conflict() {
        for entries in [
            json!([{"manager": "helm", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]),
            json!([{"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:paused": {}}}}]),
            json!([]),
        ] {
            assert!(contested(&entries, deployment(1, "x:1")).is_empty(), "{entries}");
        }
    }

    #[test]
    fn a_plain_list_is_contested_as_a_whole() {
        let rules = |verb: &str| {
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "r"},
                   "rules": [{"verbs": [verb]}]})
        };
        let mut live = rules("get");
        live["metadata"]["managedFields"] =
            json!([{"manager": "somebody", "operation": "Apply", "fieldsV1": {"f:rules": {}}}]);
        let live = Object::new(live).unwrap();
        let target = rules("list");
        let conflict =
            conflict(&Object::new(rules("list")).unwrap(), &live, live.value(), &target, FieldManager::Helm).unwrap();
        assert_eq!(
            conflict.to_string(),
            "ClusterRole r has fields that another manager owns and that would change: .rules is owned by somebody"
        );
        assert!(
            conflict.hint.contains("kubectl get clusterrole.rbac.authorization.k8s.io r -o yaml"),
            "{}",
            conflict.hint
        );
    }

    #[test]
    fn the_answer_of_the_server_takes_the_place_of_the_notes_for_what_it_has_tried() {
        let entries = json!([{"manager": "a", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]);
        let mut plan = plan(deployment(1, "x:1"), live(&entries));
        let object = plan.conflicts[0].object.clone();
        plan.take_answers(&[], Vec::new());
        assert_eq!(plan.conflicts.len(), 1, "what was not tried stays");
        let said = ContestedField { path: ".spec.replicas".into(), manager: "b".into() };
        plan.take_answers(
            std::slice::from_ref(&object),
            vec![Conflict::over_fields(object.clone(), vec![said.clone()])],
        );
        assert_eq!(plan.conflicts[0].fields, [said]);
        plan.take_answers(&[object], Vec::new());
        assert!(plan.is_allowed());
    }
}
