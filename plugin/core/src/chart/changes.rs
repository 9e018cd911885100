//! Which values a change changes: what a person chose apart from what the charts bring, each with the place that it comes
//! from now.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::merged::{Origin, Source};
use super::tree::{coalesce, leaves};
use crate::yaml::with_plain_numbers;

/// What no chart of ours reads, so that anything may be in it, passwords too.
const FREE: &str = "global";

/// What is shown in place of it.
const MASK: &str = "(masked)";

/// A value that is not what it was.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ValueChange {
    /// `images.daemon.tag`
    pub path: String,
    /// What it was; none if it is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What it is; none if it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// Where it comes from now: `values-prod.yaml:3`, `--set`; none if it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Whether somebody chose it, now or before; otherwise the charts' default is another one.
    pub chosen: bool,
}

/// The values of a release as they are recorded.
#[derive(Debug, Clone, Copy)]
pub struct RecordedValues<'a> {
    /// The defaults of its chart.
    pub defaults: &'a Value,
    /// What was laid over them.
    pub config: &'a Map<String, Value>,
}

/// Returns the values in which `now` differs from what is recorded, in the order of their paths.
#[must_use]
pub fn value_changes(
    recorded: RecordedValues<'_>,
    now: &Value,
    origins: &BTreeMap<Vec<String>, Origin>,
) -> Vec<ValueChange> {
    let before = flat(&Value::Object(coalesce(recorded.config.clone(), recorded.defaults)));
    let after = flat(now);
    let chosen_before = flat(&Value::Object(recorded.config.clone()));
    let mut paths: Vec<&Vec<String>> = before.keys().chain(after.keys()).collect();
    paths.sort();
    paths.dedup();
    let changed = paths.into_iter().filter(|path| before.get(*path) != after.get(*path));
    changed
        .map(|path| {
            let origin = origins.get(path);
            let shown = |side: &BTreeMap<Vec<String>, Value>| {
                let value = side.get(path).cloned()?;
                Some(if path.first().is_some_and(|first| first == FREE) { Value::from(MASK) } else { value })
            };
            ValueChange {
                path: path.join("."),
                before: shown(&before),
                after: shown(&after),
                from: origin.map(name),
                chosen: chosen_before.contains_key(path) || origin.is_some_and(|origin| origin.source != Source::Chart),
            }
        })
        .collect()
}

/// The name of a place without what is written there: the text of a flag holds the value.
fn name(origin: &Origin) -> String {
    match &origin.source {
        Source::Flag(flag, _) => flag.name().to_owned(),
        _ => origin.to_string(),
    }
}

fn flat(values: &Value) -> BTreeMap<Vec<String>, Value> {
    let mut found = BTreeMap::new();
    leaves(&with_plain_numbers(values.clone()), &mut Vec::new(), &mut |path, value| {
        found.insert(path.to_vec(), value.clone());
    });
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::chart::set::SetFlag;

    #[test]
    fn what_was_chosen_is_told_apart_from_other_defaults() {
        let defaults = json!({"images": {"tag": "1"}, "vni": 1, "gone": true});
        let config = json!({"images": {"tag": "2"}, "global": {"password": "hunter2"}});
        let recorded = RecordedValues { defaults: &defaults, config: config.as_object().unwrap() };
        let now = json!({"images": {"tag": "3"}, "vni": 2.0, "global": {"password": "hunter3"}, "more": []});
        let flag = Origin { source: Source::Flag(SetFlag::Typed, "images.tag=3".into()), line: None };
        let chart = Origin { source: Source::Chart, line: Some(4) };
        let path = |path: &str| path.split('.').map(str::to_owned).collect::<Vec<_>>();
        let origins = [(path("images.tag"), flag), (path("vni"), chart.clone()), (path("more"), chart)].into();
        let lines: Vec<String> = value_changes(recorded, &now, &origins)
            .iter()
            .map(|change| serde_json::to_string(change).unwrap())
            .collect();
        assert_eq!(
            lines,
            [
                r#"{"path":"global.password","before":"(masked)","after":"(masked)","chosen":true}"#,
                r#"{"path":"gone","before":true,"chosen":false}"#,
                r#"{"path":"images.tag","before":"2","after":"3","from":"--set","chosen":true}"#,
                r#"{"path":"more","after":[],"from":"values.yaml:4","chosen":false}"#,
                r#"{"path":"vni","before":1,"after":2,"from":"values.yaml:4","chosen":false}"#,
            ]
        );
    }

    #[test]
    fn a_number_is_the_same_however_it_is_written() {
        let (defaults, config) = (json!({"vni": 1, "nested": {"a": 1}}), Map::new());
        let recorded = RecordedValues { defaults: &defaults, config: &config };
        assert!(value_changes(recorded, &json!({"vni": 1.0, "nested": {"a": 1}}), &BTreeMap::new()).is_empty());
    }
}
