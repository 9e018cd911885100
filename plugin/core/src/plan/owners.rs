//! Who set one field of a live object: the managers whose `managedFields` name it, found by the path that a difference is
//! shown with.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::fields::{Owned, entries, text};
use super::{diff, lists};

/// One manager of a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// What it calls itself: `kubectl-edit`.
    pub manager: String,
    /// How it wrote: `Apply` or `Update`.
    pub operation: String,
    /// Through which part of the object it wrote, `scale`; blank for the object itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subresource: String,
    /// When it last set any field of the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.manager)?;
        if !self.subresource.is_empty() {
            write!(formatter, " ({})", self.subresource)?;
        }
        match self.at {
            Some(at) => write!(formatter, " at {at}"),
            None => Ok(()),
        }
    }
}

/// Returns who set the field of `live` at `path`, as [`diff::field_changes`] writes paths. Nobody, if the field is not there
/// or the server keeps no notes.
#[must_use]
pub fn owners(live: &Value, path: &str) -> Vec<Owner> {
    let of_entry = |entry: &&Value| {
        let fields = entry.get("fieldsV1");
        fields.is_some_and(|fields| is_owned(live, "", path, Owned::Part(fields)))
    };
    let owner = |entry: &Value| Owner {
        manager: text(entry, "manager").to_owned(),
        operation: text(entry, "operation").to_owned(),
        subresource: text(entry, "subresource").to_owned(),
        at: text(entry, "time").parse().ok(),
    };
    entries(live).iter().filter(of_entry).map(owner).collect()
}

/// Walks along a path through an object and beside it through what one manager has set.
fn is_owned(value: &Value, field: &str, path: &str, owned: Owned<'_>) -> bool {
    if path.is_empty() || !owned.any() {
        return owned.any();
    }
    match value {
        Value::Object(map) => {
            // A key may begin another one and hold any character: the longest that fits is meant.
            let fitting = map.iter().filter_map(|(key, below)| Some((key, below, after(path, &diff::step("", key))?)));
            fitting
                .min_by_key(|(_, _, rest)| rest.len())
                .is_some_and(|(key, below, rest)| is_owned(below, key, rest, owned.field(key)))
        }
        Value::Array(list) => {
            let [keys] = lists::keys(field, [list]).unwrap_or_default();
            let label = |at: usize| keys.get(at).map_or_else(|| at.to_string(), lists::label);
            let fitting = list
                .iter()
                .enumerate()
                .filter_map(|(at, below)| Some((below, after(path, &format!("[{}]", label(at)))?)));
            fitting
                .min_by_key(|(_, rest)| rest.len())
                .is_some_and(|(below, rest)| is_owned(below, field, rest, owned.element(below)))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// What is left of a path after one step, if it begins with it.
fn after<'a>(path: &'a str, step: &str) -> Option<&'a str> {
    path.strip_prefix(step).filter(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn live() -> Value {
        json!({
            "metadata": {
                "labels": {"app": "m", "app.kubernetes.io/name": "m"},
                "managedFields": [
                    {"manager": "helm", "operation": "Apply", "time": "2026-11-20T10:00:00Z", "fieldsV1": {
                        "f:metadata": {"f:labels": {"f:app.kubernetes.io/name": {}}},
                        "f:spec": {"f:template": {"f:containers": {"k:{\"name\":\"a\"}": {".": {}, "f:name": {}}}}}}},
                    {"manager": "kubectl-edit", "operation": "Update", "time": "2026-11-21T10:00:00Z", "fieldsV1": {
                        "f:metadata": {"f:labels": {"f:app": {}}},
                        "f:rules": {},
                        "f:spec": {"f:template": {"f:containers": {"k:{\"name\":\"a\"}": {"f:image": {}}}}}}},
                    {"manager": "kubectl", "operation": "Update", "subresource": "scale",
                        "fieldsV1": {"f:spec": {"f:replicas": {}}}},
                ],
            },
            "rules": [{"verbs": ["get"]}],
            "spec": {"replicas": 0, "template": {"containers": [{"name": "b"}, {"name": "a", "image": "x"}]}},
        })
    }

    fn shown(path: &str) -> Vec<String> {
        owners(&live(), path).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn fields_elements_and_whole_lists_have_their_managers() {
        assert_eq!(shown(".spec.template.containers[a].image"), ["kubectl-edit at 2026-11-21T10:00:00Z"]);
        assert_eq!(shown(".spec.template.containers[a].name"), ["helm at 2026-11-20T10:00:00Z"]);
        assert_eq!(shown(".rules[0].verbs"), ["kubectl-edit at 2026-11-21T10:00:00Z"]);
        assert_eq!(shown(".spec.replicas"), ["kubectl (scale)"]);
    }

    #[test]
    fn keys_with_dots_and_slashes_are_told_from_those_they_begin_with() {
        assert_eq!(shown(".metadata.labels[app.kubernetes.io/name]"), ["helm at 2026-11-20T10:00:00Z"]);
        assert_eq!(shown(".metadata.labels.app"), ["kubectl-edit at 2026-11-21T10:00:00Z"]);
    }

    #[test]
    fn what_is_not_there_was_set_by_nobody() {
        for path in [".spec.paused", ".spec.template.containers[c].image", ".spec.template.containers[b]", ".rulesets"]
        {
            assert_eq!(shown(path), Vec::<String>::new(), "{path}");
        }
        assert!(owners(&json!({"spec": {"replicas": 0}}), ".spec.replicas").is_empty());
    }
}
