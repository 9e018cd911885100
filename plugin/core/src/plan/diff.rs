//! The difference between a live object and what it becomes, field by field, fit to be shown: elements of lists by
//! their names, and the content of secrets masked.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::lists;
use crate::object::ObjectRef;

/// What is shown in place of a secret's content.
pub(super) const MASK: &str = "(masked)";

/// One field that changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldChange {
    /// `.spec.template.spec.containers[mizar-daemon].image`
    pub path: String,
    /// The live value; none if the field is added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The new value; none if the field goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

impl fmt::Display for FieldChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(formatter, "{}: {before} → {after}", self.path),
            (None, Some(after)) => write!(formatter, "{}: added {after}", self.path),
            (Some(before), None) => write!(formatter, "{}: removed {before}", self.path),
            (None, None) => write!(formatter, "{}", self.path),
        }
    }
}

/// Returns the fields in which two states of an object differ.
#[must_use]
pub fn field_changes(object: &ObjectRef, live: &Value, target: &Value) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    compare("", "", Some(live), Some(target), &mut changes);
    if object.kind == "Secret" && object.group().is_empty() {
        changes.iter_mut().filter(|change| is_secret(&change.path)).for_each(mask);
    }
    changes
}

fn compare(path: &str, field: &str, live: Option<&Value>, target: Option<&Value>, changes: &mut Vec<FieldChange>) {
    match (live, target) {
        (live, target) if live == target => {}
        (Some(Value::Object(live)), Some(Value::Object(target))) => {
            let added = target.keys().filter(|key| !live.contains_key(*key));
            for key in live.keys().chain(added) {
                compare(&step(path, key), key, live.get(key), target.get(key), changes);
            }
        }
        (Some(Value::Array(live)), Some(Value::Array(target))) => match lists::keys(field, [live, target]) {
            Some([live_keys, target_keys]) => {
                let added = target_keys.iter().filter(|key| !live_keys.contains(key));
                for key in live_keys.iter().chain(added) {
                    let at = |keys: &[lists::ElementKey]| keys.iter().position(|known| known == key);
                    let (before, after) = (at(&live_keys), at(&target_keys));
                    let path = format!("{path}[{}]", lists::label(key));
                    compare(&path, field, before.map(|at| &live[at]), after.map(|at| &target[at]), changes);
                }
            }
            None if live.len() == target.len() && live.iter().chain(target).all(Value::is_object) => {
                for (at, (before, after)) in live.iter().zip(target).enumerate() {
                    compare(&format!("{path}[{at}]"), field, Some(before), Some(after), changes);
                }
            }
            None => changes.push(FieldChange {
                path: path.to_owned(),
                before: Some(Value::Array(live.clone())),
                after: Some(Value::Array(target.clone())),
            }),
        },
        (before, after) => {
            changes.push(FieldChange { path: path.to_owned(), before: before.cloned(), after: after.cloned() });
        }
    }
}

/// The path of a field of the map at `path`.
pub(super) fn step(path: &str, key: &str) -> String {
    let plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if plain && !key.is_empty() { format!("{path}.{key}") } else { format!("{path}[{key}]") }
}

/// kubectl keeps a whole copy of what was applied, secrets included, in an annotation.
pub(super) fn is_secret(path: &str) -> bool {
    [".data", ".stringData", ".metadata.annotations"].iter().any(|secret| path.starts_with(secret))
        && !path.starts_with(".metadata.annotations[meta.helm.sh/")
}

/// Takes the content out of a change and leaves that there was one.
pub(crate) fn mask(change: &mut FieldChange) {
    for value in [&mut change.before, &mut change.after] {
        if value.is_some() {
            *value = Some(Value::from(MASK));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reference(kind: &str) -> ObjectRef {
        ObjectRef { api_version: "v1".into(), kind: kind.into(), namespace: None, name: "x".into() }
    }

    fn shown(kind: &str, live: &Value, target: &Value) -> Vec<String> {
        field_changes(&reference(kind), live, target).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn changes_are_named_by_path_and_element() {
        let live = json!({"spec": {"containers": [{"name": "a", "image": "x:1"}, {"name": "b"}], "old": 1}});
        let target = json!({"spec": {"containers": [{"name": "a", "image": "x:2"}, {"name": "c"}],
                            "labels": {"app.kubernetes.io/name": "m"}}});
        assert_eq!(
            shown("Pod", &live, &target),
            [
                r#".spec.containers[a].image: "x:1" → "x:2""#,
                r#".spec.containers[b]: removed {"name":"b"}"#,
                r#".spec.containers[c]: added {"name":"c"}"#,
                ".spec.old: removed 1",
                r#".spec.labels: added {"app.kubernetes.io/name":"m"}"#,
            ]
        );
    }

    #[test]
    fn plain_lists_are_shown_whole_unless_their_elements_pair_up() {
        let live = json!({"args": ["a"], "rules": [{"verbs": ["get"]}]});
        let target = json!({"args": ["a", "b"], "rules": [{"verbs": ["get", "list"]}]});
        assert_eq!(
            shown("X", &live, &target),
            [r#".args: ["a"] → ["a","b"]"#, r#".rules[0].verbs: ["get"] → ["get","list"]"#]
        );
    }

    #[test]
    fn secrets_are_masked_wherever_their_content_may_be() {
        let live = json!({"data": {"password": "b25l"}, "type": "Opaque"});
        let target = json!({"data": {"password": "dHdv", "more": "dHdv"}, "type": "Other",
                            "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "two"}}});
        let lines = shown("Secret", &live, &target).join("\n");
        assert!(!lines.contains("dHdv") && !lines.contains("b25l"), "{lines}");
        assert!(lines.contains(r#".data.password: "(masked)" → "(masked)""#), "{lines}");
        assert!(lines.contains(r#".type: "Opaque" → "Other""#), "{lines}");
        assert!(shown("ConfigMap", &live, &target).join("\n").contains("dHdv"));
    }
}
