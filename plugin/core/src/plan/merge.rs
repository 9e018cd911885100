//! The three-way merge: what a live object becomes when a wanted one is laid over it and what was recorded last time,
//! and is no longer wanted, is taken away. Everything that others have set stays.
//!
//! The result serves twice: compared with the live object it is the difference that a plan shows, and turned into a
//! merge patch it is what servers without server-side apply are sent. So what is shown is what is done.

use serde_json::{Map, Value};

use super::equality::Place;
use super::fields::Owned;
use super::lists;
use crate::kind;

/// Fields that only the server writes; templates carry them by accident.
const SERVER_METADATA: &[&str] =
    &["creationTimestamp", "managedFields", "resourceVersion", "uid", "generation", "selfLink", "deletionTimestamp"];

/// Returns what the live object becomes.
///
/// `recorded` is what was applied last time, if that is known; of it, only fields in `owned` are taken away.
#[must_use]
pub fn merge(recorded: Option<&Value>, desired: &Value, live: &Value, owned: Owned<'_>) -> Value {
    let api_version = desired.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    let kind_name = desired.get("kind").and_then(Value::as_str).unwrap_or_default();
    let built_in = kind::lookup(api_version, kind_name).is_some_and(|known| known.group != kind::MIZAR_GROUP);
    let place = Place { field: "", parent: "", built_in };
    let desired = comparable(desired);
    let recorded = recorded.map(comparable);
    merge_value(recorded.as_ref(), Some(&desired), Some(live), owned, place).unwrap_or(Value::Null)
}

/// Returns the JSON merge patch that makes `target` of `live`; nothing if they are the same.
#[must_use]
pub fn merge_patch(live: &Value, target: &Value) -> Option<Value> {
    if live == target {
        return None;
    }
    let (Value::Object(live), Value::Object(target)) = (live, target) else { return Some(target.clone()) };
    let mut patch = Map::new();
    for key in live.keys().filter(|key| !target.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, wanted) in target {
        match live.get(key) {
            None => {
                patch.insert(key.clone(), wanted.clone());
            }
            Some(found) => {
                if let Some(change) = merge_patch(found, wanted) {
                    patch.insert(key.clone(), change);
                }
            }
        }
    }
    Some(Value::Object(patch))
}

/// Returns what a JSON merge patch makes of an object (RFC 7396).
#[must_use]
pub fn patched(object: &Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else { return patch.clone() };
    let mut result = object.as_object().cloned().unwrap_or_default();
    for (key, change) in patch {
        if change.is_null() {
            result.shift_remove(key);
        } else {
            let found = result.get(key).cloned().unwrap_or_default();
            result.insert(key.clone(), patched(&found, change));
        }
    }
    Value::Object(result)
}

/// Whether a patch that was made for one state of an object means the same for a later one: nothing moved but its status, and
/// how many pods a workload has, which whoever restarts it changes.
#[must_use]
pub fn still_applies(before: &Value, now: &Value) -> bool {
    let content = |object: &Value| {
        let mut content = comparable(object);
        if let Some(spec) = content.get_mut("spec").and_then(Value::as_object_mut) {
            spec.shift_remove("replicas");
        }
        content
    };
    content(before) == content(now)
}

/// Whether an object is already as a patch would make it.
#[must_use]
pub fn is_in_effect(patch: &Value, live: &Value) -> bool {
    comparable(&patched(live, patch)) == comparable(live)
}

/// Returns an object as it is compared: without what only the server writes, and a secret's plain text encoded.
pub(super) fn comparable(object: &Value) -> Value {
    let mut object = without_nulls(object);
    if let Some(fields) = object.as_object_mut() {
        fields.shift_remove("status");
        encode_plain_text(fields);
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|key, _| !SERVER_METADATA.contains(&key.as_str()));
    }
    object
}

/// The server turns `stringData` of a Secret into `data` and forgets it.
fn encode_plain_text(fields: &mut Map<String, Value>) {
    use base64::Engine;

    if fields.get("kind").and_then(Value::as_str) != Some("Secret") {
        return;
    }
    let Some(Value::Object(plain)) = fields.shift_remove("stringData") else { return };
    let data = fields.entry("data").or_insert_with(|| Value::Object(Map::new()));
    if let Some(data) = data.as_object_mut() {
        for (key, value) in plain {
            let text = value.as_str().unwrap_or_default();
            data.insert(key, Value::String(base64::engine::general_purpose::STANDARD.encode(text)));
        }
    }
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key.clone(), without_nulls(value)))
                .collect(),
        ),
        Value::Array(list) => Value::Array(list.iter().map(without_nulls).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn merge_value(
    recorded: Option<&Value>,
    desired: Option<&Value>,
    live: Option<&Value>,
    owned: Owned<'_>,
    place: Place<'_>,
) -> Option<Value> {
    let wanted = desired.filter(|value| !value.is_null());
    let found = live.filter(|value| !value.is_null());
    match (wanted, found) {
        (None, None) => live.cloned(),
        (None, Some(found)) => match recorded.filter(|value| !value.is_null()) {
            Some(recorded) if owned.any() => taken_away(recorded, found, owned, place),
            _ => Some(found.clone()),
        },
        (Some(wanted), None) if place.is_blank(wanted) => live.cloned(),
        (Some(wanted), None) => Some(wanted.clone()),
        (Some(wanted), Some(found)) => Some(match (wanted, found) {
            (Value::Object(wanted), Value::Object(found)) => {
                let recorded = recorded.and_then(Value::as_object);
                Value::Object(merge_map(recorded, wanted, found, owned, place))
            }
            (Value::Array(wanted), Value::Array(found)) => {
                let recorded = recorded.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                Value::Array(merge_list(recorded, wanted, found, owned, place))
            }
            (wanted, found) if place.same(wanted, found) => found.clone(),
            (wanted, _) => wanted.clone(),
        }),
    }
}

/// What remains of a live value that was applied last time and is not wanted any more.
fn taken_away(recorded: &Value, live: &Value, owned: Owned<'_>, place: Place<'_>) -> Option<Value> {
    match (recorded, live) {
        // Entries that others have put beside ours stay; the fields of any other map make sense only together, and
        // those that the server filled in must not survive alone.
        (Value::Object(recorded), Value::Object(live)) if place.is_name_map() => {
            let rest = merge_map(Some(recorded), &Map::new(), live, owned, place);
            (!rest.is_empty()).then_some(Value::Object(rest))
        }
        (Value::Array(recorded), Value::Array(live)) => {
            lists::keys(place.field, [recorded, &[], live]).filter(|_| place.built_in)?;
            let rest = merge_list(recorded, &[], live, owned, place);
            (!rest.is_empty()).then_some(Value::Array(rest))
        }
        _ => None,
    }
}

fn merge_map(
    recorded: Option<&Map<String, Value>>,
    desired: &Map<String, Value>,
    live: &Map<String, Value>,
    owned: Owned<'_>,
    place: Place<'_>,
) -> Map<String, Value> {
    let mut merged = Map::new();
    let mut taken_away = false;
    for (key, found) in live {
        let before = recorded.and_then(|recorded| recorded.get(key));
        match merge_value(before, desired.get(key), Some(found), owned.field(key), place.inside(key)) {
            Some(value) => {
                merged.insert(key.clone(), value);
            }
            None => taken_away = true,
        }
    }
    for (key, wanted) in desired.iter().filter(|(key, _)| !live.contains_key(*key)) {
        // `emptyDir: {}` in place of another kind of volume says something; the same beside nothing else does not.
        let blank = place.inside(key).is_blank(wanted) && !(taken_away && wanted.is_object());
        if !blank {
            merged.insert(key.clone(), wanted.clone());
        }
    }
    merged
}

fn merge_list(recorded: &[Value], desired: &[Value], live: &[Value], owned: Owned<'_>, place: Place<'_>) -> Vec<Value> {
    if place.field == "finalizers" {
        let gone = |element: &&Value| !recorded.contains(element) || desired.contains(element);
        let mut merged: Vec<Value> = live.iter().filter(gone).cloned().collect();
        merged.extend(desired.iter().filter(|wanted| !live.contains(wanted)).cloned());
        return merged;
    }
    match lists::keys(place.field, [recorded, desired, live]).filter(|_| place.built_in) {
        Some(keys) => merge_keyed(recorded, desired, live, &keys, owned, place),
        // An empty list asks for nothing, except that what was put there last time goes.
        None if desired.is_empty() && (recorded.is_empty() || !owned.any()) => live.to_vec(),
        None => merge_plain(recorded, desired, live, place),
    }
}

/// Merges lists whose elements have names.
fn merge_keyed(
    recorded: &[Value],
    desired: &[Value],
    live: &[Value],
    [recorded_keys, desired_keys, live_keys]: &[Vec<lists::ElementKey>; 3],
    owned: Owned<'_>,
    place: Place<'_>,
) -> Vec<Value> {
    let find = |keys: &[lists::ElementKey], list: &[Value], key: &lists::ElementKey| {
        keys.iter().position(|known| known == key).map(|at| list[at].clone())
    };
    let mut merged = Vec::with_capacity(live.len());
    for (found, key) in live.iter().zip(live_keys) {
        let below = owned.element(found);
        let before = find(recorded_keys, recorded, key);
        match find(desired_keys, desired, key) {
            Some(wanted) => merged.extend(merge_value(before.as_ref(), Some(&wanted), Some(found), below, place)),
            None if before.is_some() && below.any() => {}
            None => merged.push(found.clone()),
        }
    }
    for (wanted, _) in desired.iter().zip(desired_keys).filter(|(_, key)| !live_keys.contains(key)) {
        merged.push(wanted.clone());
    }
    merged
}

/// Merges lists that count as one value: the live one stays if it is the wanted one with the server's additions.
fn merge_plain(recorded: &[Value], desired: &[Value], live: &[Value], place: Place<'_>) -> Vec<Value> {
    let unchanged = desired.len() == live.len()
        && desired.iter().zip(live).enumerate().all(|(at, (wanted, found))| {
            let before = recorded.get(at).filter(|_| recorded.len() == desired.len());
            merge_value(before, Some(wanted), Some(found), Owned::Whole, place).as_ref() == Some(found)
        });
    if unchanged { live.to_vec() } else { desired.to_vec() }
}

#[cfg(test)]
mod tests;
