//! Numbers that stand for a plan: SHA-256 over JSON with sorted keys, so that only content counts.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{Action, Plan};

/// Returns JSON text in which equal values are equal texts: keys sorted, no spaces.
#[must_use]
pub fn canonical_json(value: &Value) -> String {
    sorted(value).to_string()
}

pub(super) fn of_changes(plan: &Plan) -> String {
    let changes = plan.stages.iter().flat_map(|stage| {
        stage.changes.iter().filter(|change| change.writes()).map(move |change| {
            let content = match &change.action {
                Action::Create => change.desired.as_ref().map(|object| object.value().clone()),
                // The patch and not the shown fields: those are masked, so two secrets would look the same.
                Action::Update { .. } => change.merge_patch.clone(),
                Action::Unchanged | Action::Keep { .. } | Action::Delete => None,
            };
            let action = match change.action {
                Action::Create => "create",
                Action::Update { .. } => "update",
                Action::Delete => "delete",
                Action::Unchanged | Action::Keep { .. } => "none",
            };
            json!([stage.name, stage.site, stage.release, change.object, action, content])
        })
    });
    hash(&Value::Array(changes.collect()))
}

pub(super) fn of_intent(plan: &Plan) -> String {
    let wanted = plan.stages.iter().flat_map(|stage| {
        stage.changes.iter().filter_map(move |change| {
            let desired = change.desired.clone()?;
            // Whoever goes on where an operator is stopped leaves to the restart how many there are.
            let desired = if desired.kind() == "Deployment" { desired.without_replicas() } else { desired };
            Some(json!([stage.name, stage.site, stage.release, desired.value()]))
        })
    });
    hash(&Value::Array(wanted.collect()))
}

fn hash(value: &Value) -> String {
    format!("sha256:{:x}", Sha256::digest(canonical_json(value).as_bytes()))
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            Value::Object(keys.into_iter().map(|key| (key.clone(), sorted(&map[key]))).collect::<Map<_, _>>())
        }
        Value::Array(list) => Value::Array(list.iter().map(sorted).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_keys_does_not_count_and_that_of_lists_does() {
        let one = canonical_json(&json!({"b": {"d": 1, "c": [2, 1]}, "a": null}));
        let two = canonical_json(&json!({"a": null, "b": {"c": [2, 1], "d": 1}}));
        assert_eq!(one, two);
        assert_eq!(one, r#"{"a":null,"b":{"c":[2,1],"d":1}}"#);
        assert_ne!(one, canonical_json(&json!({"a": null, "b": {"c": [1, 2], "d": 1}})));
    }

    #[test]
    fn how_many_operators_there_are_is_no_other_intent() {
        let plan = |replicas: Option<u32>, image: &str| {
            let mut value = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "o"},
                "spec": {"template": {"image": image}}});
            if let Some(replicas) = replicas {
                value["spec"]["replicas"] = json!(replicas);
            }
            let object = crate::object::Object::new(value).unwrap();
            let own = vec![crate::plan::OwnObject { site: crate::site::Site::Management, object }];
            crate::plan::decide(&crate::plan::PlanInput { own, ..crate::plan::PlanInput::default() })
        };
        assert_eq!(plan(Some(1), "a").intent_digest(), plan(None, "a").intent_digest());
        assert_ne!(plan(Some(1), "a").intent_digest(), plan(Some(1), "b").intent_digest());
    }

    #[test]
    fn a_digest_names_its_algorithm() {
        let digest = hash(&json!([]));
        assert_eq!(digest, "sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945");
    }
}
