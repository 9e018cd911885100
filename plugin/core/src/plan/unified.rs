//! A change as the lines of two manifests, as `diff -u` and `kubectl diff` show it: what is there before and after, without
//! what only the server writes, and with the content of secrets masked.

use serde_json::{Map, Value};
use similar::TextDiff;

use super::diff::{MASK, is_secret, step};
use super::merge::{comparable, patched};
use super::{Action, Change};
use crate::yaml;

/// Lines around a change that are shown with it.
const CONTEXT: usize = 3;

/// A copy of what was applied, which nobody needs twice.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Returns the difference that a change makes, as `diff -u` writes it; nothing if it writes nothing.
#[must_use]
pub fn unified(change: &Change) -> Option<String> {
    let live = || change.live.as_ref().map(|object| comparable(object.value()));
    let (before, after) = match &change.action {
        Action::Create => (None, change.desired.as_ref().map(|object| comparable(object.value()))),
        Action::Delete => (live(), None),
        Action::Update { .. } => {
            let (live, patch) = (change.live.as_ref()?, change.merge_patch.as_ref()?);
            (Some(comparable(live.value())), Some(comparable(&patched(live.value(), patch))))
        }
        Action::Unchanged | Action::Keep { .. } => return None,
    };
    let (before, after) = if change.object.kind == "Secret" && change.object.group().is_empty() {
        masked(before.as_ref(), after.as_ref())
    } else {
        (before, after)
    };
    let [before, after] =
        [before, after].map(|side| side.map(|value| yaml::write(&readable(value))).unwrap_or_default());
    let name = match &change.object.namespace {
        Some(namespace) => format!("{namespace}/{}", change.object.resource_name()),
        None => change.object.resource_name(),
    };
    let side = |text: &str, name: &str| if text.is_empty() { "/dev/null".to_owned() } else { name.to_owned() };
    let header = (side(&before, &format!("live/{name}")), side(&after, &format!("planned/{name}")));
    let diff = TextDiff::from_lines(&before, &after);
    Some(diff.unified_diff().context_radius(CONTEXT).header(&header.0, &header.1).to_string())
}

/// Returns the difference between how a plan was shown and how it is shown now, as `diff -u` writes it. The first may come from a
/// file that anybody has written.
#[must_use]
pub fn between(saved: &str, now: &str) -> String {
    let harmless = |text: &str| -> String {
        let lines = text.lines().map(|line| line.replace(char::is_control, "\u{fffd}") + "\n");
        lines.collect()
    };
    let (saved, now) = (harmless(saved), harmless(now));
    let diff = TextDiff::from_lines(&saved, &now);
    diff.unified_diff().context_radius(CONTEXT).header("saved", "now").to_string()
}

/// Without the copy of what was applied.
fn readable(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut)
        && let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut)
    {
        annotations.shift_remove(LAST_APPLIED);
        if annotations.is_empty() {
            metadata.shift_remove("annotations");
        }
    }
    object
}

/// Both sides of a secret without its content. That a value changes can be seen, not to what.
fn masked(before: Option<&Value>, after: Option<&Value>) -> (Option<Value>, Option<Value>) {
    let hide = |side: Option<&Value>, other: Option<&Value>, which: &str| {
        let other = other.unwrap_or(&Value::Null);
        side.map(|side| mask("", side, Some(other), which))
    };
    (hide(before, after, "before"), hide(after, before, "after"))
}

fn mask(path: &str, value: &Value, other: Option<&Value>, which: &str) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(key, value)| {
                    let other = other.and_then(|other| other.get(key));
                    (key.clone(), mask(&step(path, key), value, other, which))
                })
                .collect::<Map<_, _>>(),
        ),
        _ if !is_secret(path) => value.clone(),
        _ if other.is_some_and(|other| other != value) => Value::from(format!("{MASK} {which}")),
        _ => Value::from(MASK),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::object::Object;
    use crate::plan::{OwnObject, PlanInput, decide};
    use crate::site::Site;

    fn shown(live: Option<Value>, desired: Value) -> Option<String> {
        let object = |value| Object::new(value).unwrap();
        let own = vec![OwnObject { site: Site::Management, object: object(desired) }];
        let live = live.map(|live| (Site::Management, object(live))).into_iter().collect();
        let plan = decide(&PlanInput { own, live, ..PlanInput::default() });
        unified(plan.changes().next().unwrap())
    }

    #[test]
    fn how_a_plan_was_shown_is_compared_line_by_line_and_moves_no_cursor() {
        let text = between("a\nb\u{1b}[2J\n", "a\nc\n");
        assert_eq!(text, "--- saved\n+++ now\n@@ -1,2 +1,2 @@\n a\n-b\u{fffd}[2J\n+c\n");
        assert_eq!(between("a\n", "a\n"), "");
    }

    fn config(data: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}, "data": data})
    }

    #[test]
    fn a_changed_object_is_shown_by_its_lines() {
        let mut live = config(&json!({"a": "1", "b": "2"}));
        live["metadata"]["managedFields"] = json!([{"manager": "kubectl-mizar", "fieldsV1": {"f:data": {}}}]);
        live["metadata"]["resourceVersion"] = json!("7");
        live["metadata"]["annotations"] = json!({LAST_APPLIED: "{}"});
        assert_eq!(
            shown(Some(live), config(&json!({"a": "1", "b": "3"}))).unwrap(),
            "--- live/n/configmap/c\n+++ planned/n/configmap/c\n@@ -1,7 +1,7 @@\n apiVersion: v1\n data:\n   a: \"1\"\n-  b: \"2\"\n+  b: \"3\"\n kind: ConfigMap\n metadata:\n   name: c\n"
        );
    }

    #[test]
    fn a_new_object_is_shown_whole_and_an_unchanged_one_not_at_all() {
        let text = shown(None, config(&json!({"a": "1"}))).unwrap();
        assert!(text.starts_with("--- /dev/null\n+++ planned/n/configmap/c\n@@ -0,0 +1,"), "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with('+')).count(), 8, "{text}");
        assert_eq!(shown(Some(config(&json!({"a": "1"}))), config(&json!({"a": "1"}))), None);
    }

    #[test]
    fn of_a_secret_it_is_shown_what_changes_and_not_to_what() {
        let secret =
            |data: &Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": data});
        let live = secret(&json!({"same": "b25l", "other": "b25l"}));
        let text = shown(Some(live), secret(&json!({"same": "b25l", "other": "dHdv", "new": "dHdv"}))).unwrap();
        assert!(!text.contains("b25l") && !text.contains("dHdv"), "{text}");
        for line in ["   same: (masked)", "-  other: (masked) before", "+  other: (masked) after", "+  new: (masked)"] {
            assert!(text.lines().any(|shown| shown == line), "{line:?} is not in\n{text}");
        }
        let plain =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "hunter2"}});
        let text = shown(None, plain).unwrap();
        assert!(!text.contains("hunter2") && text.contains("(masked)"), "{text}");
    }
}
