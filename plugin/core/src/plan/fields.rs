//! Who set which field, as the server notes it in `metadata.managedFields`: reading the set of one manager, walking
//! through it beside an object, and joining two sets.

use serde_json::{Map, Value};

/// Returns the entries of one manager that come from writing the object itself, not a subresource.
pub(super) fn entries_of<'a>(object: &'a Value, manager: &'a str) -> impl Iterator<Item = &'a Value> {
    entries(object)
        .iter()
        .filter(move |entry| text(entry, "manager") == manager && text(entry, "subresource").is_empty())
}

/// Returns all entries; empty if the server keeps none.
pub(crate) fn entries(object: &Value) -> &[Value] {
    object.pointer("/metadata/managedFields").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Everything that one manager has set in an object.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldSet {
    /// The server does not note who set what.
    Untracked,
    /// The `fieldsV1` of the manager, joined over its entries.
    Tracked(Value),
}

impl FieldSet {
    /// Reads what a manager has set, whichever way it wrote.
    #[must_use]
    pub fn of(object: &Value, manager: &str) -> Self {
        if entries(object).is_empty() {
            return Self::Untracked;
        }
        Self::Tracked(
            entries_of(object, manager)
                .filter_map(|entry| entry.get("fieldsV1"))
                .fold(Value::Object(Map::new()), |joined, fields| union(&joined, fields)),
        )
    }

    /// Returns the place at the top of the object.
    #[must_use]
    pub fn root(&self) -> Owned<'_> {
        match self {
            Self::Untracked => Owned::Whole,
            Self::Tracked(fields) if fields.as_object().is_some_and(Map::is_empty) => Owned::Nothing,
            Self::Tracked(fields) => Owned::Part(fields),
        }
    }
}

/// What a manager has set below one place of an object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Owned<'a> {
    /// Everything.
    Whole,
    /// What this `fieldsV1` says.
    Part(&'a Value),
    /// Nothing.
    Nothing,
}

impl<'a> Owned<'a> {
    /// Whether the place itself, or anything below it, was set by the manager.
    #[must_use]
    pub fn any(self) -> bool {
        self != Self::Nothing
    }

    /// Steps into a field.
    #[must_use]
    pub fn field(self, name: &str) -> Self {
        self.step(|fields| fields.get(&format!("f:{name}")))
    }

    /// Steps into an element of a list whose elements are told apart by some of their fields.
    #[must_use]
    pub fn element(self, element: &Value) -> Self {
        self.step(|fields| {
            fields
                .iter()
                .find(|(key, _)| key.strip_prefix("k:").is_some_and(|key| identifies(key, element)))
                .map(|(_, fields)| fields)
        })
    }

    fn step(self, find: impl FnOnce(&'a Map<String, Value>) -> Option<&'a Value>) -> Self {
        let Self::Part(fields) = self else { return self };
        match fields.as_object() {
            // A field without anything below it was set as a whole.
            Some(fields) if fields.is_empty() => Self::Whole,
            Some(fields) => find(fields).map_or(Self::Nothing, Self::Part),
            None => Self::Nothing,
        }
    }
}

fn identifies(key: &str, element: &Value) -> bool {
    serde_json::from_str::<Map<String, Value>>(key)
        .is_ok_and(|key| key.iter().all(|(name, value)| element.get(name) == Some(value)))
}

/// Joins two `fieldsV1` sets.
///
/// A field without anything below it is itself a member (`"f:a": {}`). When the other set has something below it, that
/// membership has to be written as the member `"."`, or it would be lost.
#[must_use]
pub fn union(one: &Value, other: &Value) -> Value {
    let empty = Map::new();
    let (one, other) = (one.as_object().unwrap_or(&empty), other.as_object().unwrap_or(&empty));
    let mut joined = one.clone();
    for (key, right) in other {
        let both = match joined.get(key) {
            None => right.clone(),
            Some(left) => {
                let mut below = union(left, right);
                let leaf = |value: &Value| value.as_object().is_none_or(Map::is_empty);
                if leaf(left) != leaf(right)
                    && let Some(below) = below.as_object_mut()
                {
                    below.entry(".").or_insert_with(|| Value::Object(Map::new()));
                }
                below
            }
        };
        joined.insert(key.clone(), both);
    }
    Value::Object(joined)
}

pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_union_keeps_members_of_both() {
        let one = json!({"f:data": {"f:a": {}}, "f:spec": {}});
        let other = json!({"f:data": {"f:b": {}}, "f:spec": {"f:x": {}}});
        assert_eq!(union(&one, &other), json!({"f:data": {"f:a": {}, "f:b": {}}, "f:spec": {"f:x": {}, ".": {}}}));
    }

    #[test]
    fn what_nobody_notes_may_be_taken_for_ours() {
        assert_eq!(FieldSet::of(&json!({"metadata": {"name": "x"}}), "helm").root(), Owned::Whole);
        let foreign = json!({"metadata": {"managedFields": [{"manager": "kubectl", "fieldsV1": {"f:data": {}}}]}});
        assert_eq!(FieldSet::of(&foreign, "helm").root(), Owned::Nothing);
    }

    #[test]
    fn fields_and_elements_are_found_below_a_place() {
        let object = json!({"metadata": {"managedFields": [
            {"manager": "helm", "operation": "Apply", "fieldsV1": {"f:spec": {"f:containers": {
                "k:{\"name\":\"a\"}": {".": {}, "f:image": {}}}}}},
            {"manager": "helm", "operation": "Update", "fieldsV1": {"f:data": {"f:x": {}}}},
            {"manager": "helm", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {}}},
        ]}});
        let set = FieldSet::of(&object, "helm");
        let containers = set.root().field("spec").field("containers");
        assert!(containers.element(&json!({"name": "a", "image": "x"})).field("image").any());
        assert!(!containers.element(&json!({"name": "a"})).field("command").any());
        assert!(!containers.element(&json!({"name": "b"})).any());
        assert!(set.root().field("data").field("x").field("anything below a whole").any());
        assert!(!set.root().field("status").any());
    }

    fn field_set() -> impl Strategy<Value = Value> {
        let leaf = Just(json!({}));
        leaf.prop_recursive(3, 16, 4, |inner| {
            proptest::collection::btree_map("f:[a-c]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect()))
        })
    }

    /// The members of a set as paths.
    fn members(fields: &Value, path: &str, found: &mut std::collections::BTreeSet<String>) {
        for (key, below) in fields.as_object().into_iter().flatten() {
            if key == "." {
                found.insert(path.to_owned());
                continue;
            }
            let path = format!("{path}/{key}");
            if below.as_object().is_none_or(Map::is_empty) {
                found.insert(path.clone());
            }
            members(below, &path, found);
        }
    }

    proptest! {
        #[test]
        fn a_union_has_the_members_of_both_and_no_other(one in field_set(), other in field_set()) {
            let set = |value: &Value| {
                let mut found = std::collections::BTreeSet::new();
                members(value, "", &mut found);
                found
            };
            let joined: std::collections::BTreeSet<_> = set(&one).union(&set(&other)).cloned().collect();
            prop_assert_eq!(set(&union(&one, &other)), joined);
        }
    }
}
