//! What an upgrade does to values, told in two parts: what a person chose otherwise, and what the chart now takes by itself. Who
//! changed nothing must see what changes all the same.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::plan::FieldChange;
use crate::yaml::with_plain_numbers;

/// Words in a key whose value nobody should see.
const SECRET_WORDS: &[&str] = &["password", "passwd", "secret", "token", "credential", "privatekey", "apikey"];

/// Said instead of a value that nobody should see.
const MASK: &str = "(secret)";

/// What becomes of values.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ValueChanges {
    /// Values that a person set, before or now, and that are others now.
    pub choices: Vec<FieldChange>,
    /// Values that nobody set and that the chart takes otherwise now.
    pub defaults: Vec<FieldChange>,
}

impl ValueChanges {
    /// Compares all values before and now, of which `chosen` are those that a person set then or sets now.
    #[must_use]
    pub fn between(before: &Value, now: &Value, chosen: &[&Value]) -> Self {
        let mut changes = Self::default();
        let mut all = Vec::new();
        // Helm keeps whole numbers as floats.
        let (before, now) = (with_plain_numbers(before.clone()), with_plain_numbers(now.clone()));
        compare(&before, &now, &mut Vec::new(), &mut all);
        for (path, change) in all {
            let is_chosen = chosen.iter().any(|values| is_set(values, &path));
            if is_chosen { &mut changes.choices } else { &mut changes.defaults }.push(change);
        }
        changes
    }

    /// Whether all values are as they were.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.choices.is_empty() && self.defaults.is_empty()
    }
}

fn compare(before: &Value, now: &Value, path: &mut Vec<String>, changes: &mut Vec<(Vec<String>, FieldChange)>) {
    if let (Value::Object(old), Value::Object(new)) = (before, now) {
        let nothing = Map::new();
        let keys = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key)));
        for key in keys {
            path.push(key.clone());
            // A whole branch that comes or goes is told value by value too.
            let empty = Value::Object(nothing.clone());
            let side = |map: &Map<String, Value>, other: &Map<String, Value>| match map.get(key) {
                Some(value) => value.clone(),
                None if other.get(key).is_some_and(Value::is_object) => empty.clone(),
                None => Value::Null,
            };
            compare(&side(old, new), &side(new, old), path, changes);
            path.pop();
        }
        return;
    }
    if before != now {
        let shown = |value: &Value| match value {
            Value::Null => None,
            _ if is_secret(path) => Some(Value::from(MASK)),
            value => Some(value.clone()),
        };
        changes.push((path.clone(), FieldChange { path: path.join("."), before: shown(before), after: shown(now) }));
    }
}

/// What no chart of ours reads, so that a person may have put anything there.
const FREE: &str = "global";

/// A name or a key of a Secret is no secret itself.
fn is_secret(path: &[String]) -> bool {
    if path.first().is_some_and(|first| first == FREE) {
        return true;
    }
    let key = path.last().map(|key| key.to_lowercase().replace(['-', '_'], "")).unwrap_or_default();
    SECRET_WORDS.iter().any(|word| key.contains(word)) && !key.ends_with("name")
}

/// Whether a person set this value, or a whole branch with it.
fn is_set(values: &Value, path: &[String]) -> bool {
    let mut at = values;
    for key in path {
        match at.get(key) {
            Some(below) => at = below,
            None => return false,
        }
        if !at.is_object() {
            return true;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(changes: &[FieldChange]) -> Vec<String> {
        let text = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), Value::to_string);
        changes.iter().map(|it| format!("{} {} {}", it.path, text(&it.before), text(&it.after))).collect()
    }

    #[test]
    fn a_choice_is_told_apart_from_a_default() {
        let before = json!({"a": 1, "b": {"c": 2, "d": 3}, "e": [1]});
        let now = json!({"a": 5, "b": {"c": 2, "d": 4}, "e": [2], "f": true});
        let changes = ValueChanges::between(&before, &now, &[&json!({"b": {"d": 4}}), &json!({"e": [1]})]);
        assert_eq!(told(&changes.choices), ["b.d 3 4", "e [1] [2]"]);
        assert_eq!(told(&changes.defaults), ["a 1 5", "f - true"]);
    }

    #[test]
    fn a_branch_that_comes_or_goes_is_told_value_by_value() {
        let changes = ValueChanges::between(&json!({"a": {"b": 1}}), &json!({"c": {"d": {"e": 2}}}), &[]);
        assert_eq!(told(&changes.defaults), ["a.b 1 -", "c.d.e - 2"]);
        assert!(ValueChanges::between(&json!({"a": 1}), &json!({"a": 1}), &[]).is_empty());
    }

    #[test]
    fn a_whole_number_is_the_same_however_it_is_kept() {
        assert!(ValueChanges::between(&json!({"a": 1}), &json!({"a": 1.0}), &[]).is_empty());
    }

    #[test]
    fn no_secret_is_shown() {
        let before = json!({"dbPassword": "old", "secretName": "one", "api": {"token": "x"}});
        let now = json!({"dbPassword": "new", "secretName": "two", "api": {"token": "y"}});
        let changes = told(&ValueChanges::between(&before, &now, &[]).defaults);
        assert_eq!(
            changes,
            [
                "dbPassword \"(secret)\" \"(secret)\"",
                "secretName \"one\" \"two\"",
                "api.token \"(secret)\" \"(secret)\""
            ]
        );
    }
}
