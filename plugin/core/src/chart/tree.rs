//! Values as trees of maps: walked, and laid over each other as Helm does it.

use serde_json::{Map, Value};

/// Visits everything that is no map with something in it.
pub(super) fn leaves(value: &Value, path: &mut Vec<String>, visit: &mut dyn FnMut(&[String], &Value)) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                path.push(key.clone());
                leaves(value, path, visit);
                path.pop();
            }
        }
        Value::Object(_) if path.is_empty() => {}
        leaf => visit(path, leaf),
    }
}

/// Visits every map below the top.
pub(super) fn maps_of(value: &Value, path: &mut Vec<String>, visit: &mut dyn FnMut(&[String])) {
    for (key, value) in value.as_object().into_iter().flatten().filter(|(_, value)| value.is_object()) {
        path.push(key.clone());
        visit(path);
        maps_of(value, path, visit);
        path.pop();
    }
}

/// Merges a later values file over earlier ones; null stays, to delete a default later.
pub(super) fn merge_maps(target: &mut Map<String, Value>, source: Map<String, Value>) {
    for (key, value) in source {
        match (target.get_mut(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge_maps(old, new),
            (_, value) => {
                target.insert(key, value);
            }
        }
    }
}

/// Puts the chart's defaults under the user's values, as Helm 4 does it.
pub(crate) fn coalesce(mut user: Map<String, Value>, defaults: &Value) -> Map<String, Value> {
    let Value::Object(defaults) = defaults else { return user };
    for (key, default) in defaults {
        match user.get_mut(key) {
            None => {
                let mut default = default.clone();
                if !default.is_null() {
                    drop_nulls(&mut default);
                    user.insert(key.clone(), default);
                }
            }
            Some(Value::Null) => {
                user.shift_remove(key);
            }
            Some(Value::Object(inner)) => {
                let mut default = default.clone();
                drop_nulls(&mut default);
                if let Value::Object(default) = default {
                    coalesce_tables(inner, default);
                }
            }
            Some(_) => {}
        }
    }
    user
}

fn coalesce_tables(user: &mut Map<String, Value>, defaults: Map<String, Value>) {
    for (key, default) in defaults {
        match (user.get_mut(&key), default) {
            (None, default) => {
                user.insert(key, default);
            }
            (Some(Value::Null), _) => {
                user.shift_remove(&key);
            }
            (Some(Value::Object(inner)), Value::Object(default)) => coalesce_tables(inner, default),
            _ => {}
        }
    }
}

fn drop_nulls(value: &mut Value) {
    if let Value::Object(fields) = value {
        fields.retain(|_, value| !value.is_null());
        fields.values_mut().for_each(drop_nulls);
    }
}
