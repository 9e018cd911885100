//! Whether a new definition of a kind keeps what is stored of the old one. The server accepts a schema that fits no stored object,
//! and from then on refuses to change them or forgets their fields: so it is judged before.
//!
//! Where the old definition says what objects look like, the two schemas are compared. Where it does not, as in those of the
//! old installations, every stored object is validated by the new one.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::object::Object;

/// Why a definition must not be replaced by another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Danger {
    /// The definition, `bouncers.mizar.com`.
    pub definition: String,
    /// Where in its schema, or which object.
    pub place: String,
    /// What would happen.
    pub what: String,
}

impl fmt::Display for Danger {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {} {}", self.definition, self.place, self.what)
    }
}

/// What a comparison of two definitions came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// What must not be.
    pub dangers: Vec<Danger>,
    /// The versions whose stored objects have to be validated, since the old definition says nothing about them.
    pub unknown_before: Vec<String>,
}

/// Compares a definition with the one that is to take its place.
#[must_use]
pub fn compare(live: &Object, desired: &Object) -> Comparison {
    let mut comparison = Comparison::default();
    let definition = live.name().to_owned();
    let stored: Vec<&str> =
        live.value()["status"]["storedVersions"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for old in versions(live.value()) {
        let name = old["name"].as_str().unwrap_or_default();
        let was_served = old["served"] == true;
        let new = versions(desired.value()).find(|new| new["name"] == name);
        let danger = |what: &str| Danger {
            definition: definition.clone(),
            place: format!("version {name}"),
            what: what.to_owned(),
        };
        match new {
            None if stored.contains(&name) => comparison.dangers.push(danger("is stored, and would be gone")),
            None if was_served => comparison.dangers.push(danger("is served, and would be gone")),
            None => {}
            Some(new) => {
                if was_served && new["served"] != true {
                    comparison.dangers.push(danger("is served, and would be no more"));
                }
                match (schema(live.value(), old), schema(desired.value(), new)) {
                    (_, None) => {}
                    (Some(old), Some(new)) if !is_open(old) => {
                        let mut compared =
                            Compared { definition: &definition, version: name, dangers: &mut comparison.dangers };
                        compared.schemas(old, new, "");
                    }
                    (_, Some(_)) => comparison.unknown_before.push(name.to_owned()),
                }
            }
        }
    }
    comparison
}

/// Validates a stored object by the definition that is to come; returns what it would lose or could not keep.
#[must_use]
pub fn validate(desired: &Object, version: &str, object: &Value) -> Vec<Danger> {
    let Some(schema) =
        versions(desired.value()).find(|it| it["name"] == version).and_then(|it| schema(desired.value(), it))
    else {
        return Vec::new();
    };
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    let name = match text("namespace") {
        namespace if namespace.is_empty() => text("name"),
        namespace => format!("{namespace}/{}", text("name")),
    };
    let danger = |what: String| Danger { definition: desired.name().to_owned(), place: name.clone(), what };
    let mut content = object.clone();
    if let Some(fields) = content.as_object_mut() {
        // The server checks these itself, whatever the schema says.
        for own in ["apiVersion", "kind", "metadata"] {
            fields.remove(own);
        }
    }
    let mut dangers = Vec::new();
    let mut lost = Vec::new();
    pruned(schema, &content, &mut String::new(), &mut lost);
    dangers.extend(lost.into_iter().map(|field| danger(format!("has {field}, which the new schema does not know"))));
    match jsonschema::validator_for(&as_json_schema(schema)) {
        Ok(validator) => dangers.extend(
            validator
                .iter_errors(&content)
                .map(|error| danger(format!("would not be valid: {error} at {}", error.instance_path()))),
        ),
        Err(error) => dangers.push(danger(format!("cannot be judged, since the new schema is broken: {error}"))),
    }
    dangers
}

fn versions(definition: &Value) -> impl Iterator<Item = &Value> {
    definition["spec"]["versions"].as_array().into_iter().flatten()
}

/// Returns the schema of a version; in definitions that were made by `v1beta1`, it may stand above all versions.
fn schema<'a>(definition: &'a Value, version: &'a Value) -> Option<&'a Value> {
    version.pointer("/schema/openAPIV3Schema").or_else(|| definition.pointer("/spec/validation/openAPIV3Schema"))
}

/// Whether a schema lets everything be.
fn is_open(schema: &Value) -> bool {
    schema["x-kubernetes-preserve-unknown-fields"] == true && schema.get("properties").is_none_or(|it| it == &json!({}))
}

/// Two schemas that are compared.
struct Compared<'a> {
    definition: &'a str,
    version: &'a str,
    dangers: &'a mut Vec<Danger>,
}

/// What makes a schema narrower when it comes, or when it becomes smaller.
const UPPER: &[&str] = &["maximum", "maxLength", "maxItems", "maxProperties"];
/// The same, when it becomes larger.
const LOWER: &[&str] = &["minimum", "minLength", "minItems", "minProperties"];
/// The same, when it comes or changes.
const EXACT: &[&str] = &[
    "pattern",
    "format",
    "multipleOf",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "uniqueItems",
    "not",
    "allOf",
    "anyOf",
    "oneOf",
];

impl Compared<'_> {
    fn danger(&mut self, path: &str, what: impl Into<String>) {
        let place = format!("version {} {}", self.version, if path.is_empty() { "." } else { path });
        self.dangers.push(Danger { definition: self.definition.to_owned(), place, what: what.into() });
    }

    fn schemas(&mut self, old: &Value, new: &Value, path: &str) {
        if is_open(new) {
            return;
        }
        if is_open(old) {
            return self.danger(path, "keeps every field, and would keep only those that are named");
        }
        self.types(old, new, path);
        self.limits(old, new, path);
        self.fields(old, new, path);
        if let (Some(old), Some(new)) = (old.get("items"), new.get("items")) {
            self.schemas(old, new, &format!("{path}[]"));
        }
        match (old.get("additionalProperties"), new.get("additionalProperties")) {
            (Some(old), Some(new)) if old.is_object() && new.is_object() => {
                self.schemas(old, new, &format!("{path}.*"));
            }
            (Some(old), new) if old != &json!(false) && new.is_none_or(|new| new == &json!(false)) => {
                self.danger(path, "takes any key, and would take only those that are named");
            }
            _ => {}
        }
    }

    fn types(&mut self, old: &Value, new: &Value, path: &str) {
        let of = |schema: &Value| {
            let either = schema["x-kubernetes-int-or-string"] == true;
            let named = if either { "int-or-string" } else { schema["type"].as_str().unwrap_or_default() };
            named.to_owned()
        };
        let (was, is) = (of(old), of(new));
        let widened = is.is_empty()
            || (was == "integer" && (is == "number" || is == "int-or-string"))
            || (was == "string" && is == "int-or-string");
        if was != is && !widened {
            self.danger(
                path,
                format!("is {}, and would have to be {is}", if was.is_empty() { "anything" } else { &was }),
            );
        }
        if old["nullable"] == true && new["nullable"] != true {
            self.danger(path, "may be null, and would have to be set");
        }
    }

    fn limits(&mut self, old: &Value, new: &Value, path: &str) {
        for (keys, is_narrower) in
            [(UPPER, (|old, new| new < old) as fn(f64, f64) -> bool), (LOWER, |old, new| new > old)]
        {
            for key in keys {
                let Some(limit) = new[*key].as_f64() else { continue };
                if old[*key].as_f64().is_none_or(|before| is_narrower(before, limit)) {
                    self.danger(path, format!("would be limited by {key}: {limit}"));
                }
            }
        }
        for key in EXACT {
            let (before, after) = (old.get(*key), new.get(*key));
            if after.is_some() && before != after {
                self.danger(path, format!("would be held to another {key}"));
            }
        }
        if let Some(allowed) = new["enum"].as_array() {
            match old["enum"].as_array() {
                None => self.danger(path, "would take only a few values"),
                Some(before) => {
                    let gone: Vec<String> =
                        before.iter().filter(|value| !allowed.contains(value)).map(Value::to_string).collect();
                    if !gone.is_empty() {
                        self.danger(path, format!("may be {}, and would not be allowed to", gone.join(" or ")));
                    }
                }
            }
        }
    }

    fn fields(&mut self, old: &Value, new: &Value, path: &str) {
        let nothing = Map::new();
        let properties = |schema: &'_ Value| schema["properties"].as_object().cloned().unwrap_or_default();
        let (before, after) = (properties(old), properties(new));
        let keeps_unknown = new["x-kubernetes-preserve-unknown-fields"] == true
            || new.get("additionalProperties").is_some_and(|it| it != &json!(false));
        if old["x-kubernetes-preserve-unknown-fields"] == true && new["x-kubernetes-preserve-unknown-fields"] != true {
            self.danger(path, "keeps fields that it does not name, and would forget them");
        }
        for (name, schema) in if before.is_empty() { &nothing } else { &before } {
            let below = format!("{path}.{name}");
            match after.get(name) {
                Some(new) => self.schemas(schema, new, &below),
                None if !keeps_unknown => self.danger(&below, "would be forgotten"),
                None => {}
            }
        }
        let required = |schema: &Value| -> Vec<String> {
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let known = required(old);
        for name in required(new).into_iter().filter(|name| !known.contains(name)) {
            self.danger(&format!("{path}.{name}"), "would have to be set");
        }
    }
}

/// Collects the fields that a server drops, since the schema names others only.
fn pruned(schema: &Value, value: &Value, path: &mut String, lost: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let keeps = schema["x-kubernetes-preserve-unknown-fields"] == true;
            let others = schema.get("additionalProperties");
            for (name, below) in fields {
                let length = path.len();
                path.push('.');
                path.push_str(name);
                match (schema["properties"].get(name), others) {
                    (Some(schema), _) => pruned(schema, below, path, lost),
                    (None, Some(schema)) if schema.is_object() => pruned(schema, below, path, lost),
                    (None, Some(Value::Bool(true))) => {}
                    _ if keeps => {}
                    _ => lost.push(path.clone()),
                }
                path.truncate(length);
            }
        }
        Value::Array(items) => {
            for item in items {
                pruned(&schema["items"], item, path, lost);
            }
        }
        _ => {}
    }
}

/// Returns the same schema as JSON Schema knows it: `nullable` and `x-kubernetes-int-or-string` are Kubernetes' own.
fn as_json_schema(schema: &Value) -> Value {
    let Some(fields) = schema.as_object() else { return schema.clone() };
    let mut plain = Map::new();
    for (key, value) in fields {
        let converted = match (key.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                properties.iter().map(|(name, schema)| (name.clone(), as_json_schema(schema))).collect()
            }
            ("items" | "additionalProperties" | "not", value) => as_json_schema(value),
            ("allOf" | "anyOf" | "oneOf", Value::Array(schemas)) => schemas.iter().map(as_json_schema).collect(),
            // A validator need not know Kubernetes' formats.
            ("nullable" | "format" | "description" | "default" | "example", _) => continue,
            (key, _) if key.starts_with("x-kubernetes-") => continue,
            (_, value) => value.clone(),
        };
        plain.insert(key.clone(), converted);
    }
    let mut types: Vec<Value> = match plain.remove("type") {
        _ if fields.get("x-kubernetes-int-or-string") == Some(&json!(true)) => vec![json!("integer"), json!("string")],
        Some(one) => vec![one],
        None => Vec::new(),
    };
    if fields.get("nullable") == Some(&json!(true)) && !types.is_empty() {
        types.push(json!("null"));
        if let Some(Value::Array(values)) = plain.get_mut("enum") {
            values.push(Value::Null);
        }
    }
    let allowed = match types.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        _ => Some(Value::Array(types)),
    };
    plain.extend(allowed.map(|allowed| ("type".to_owned(), allowed)));
    Value::Object(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(versions: &Value) -> Object {
        let value = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "bouncers.mizar.com"},
            "spec": {"versions": versions},
            "status": {"storedVersions": ["v1"]},
        });
        Object::new(value).unwrap()
    }

    fn of_schema(schema: &Value) -> Object {
        definition(&json!([{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]))
    }

    fn of_spec(spec: &Value) -> Object {
        of_schema(&json!({"type": "object", "properties": {"spec": spec}}))
    }

    fn dangers(old: &Value, new: &Value) -> Vec<String> {
        let told = compare(&of_spec(old), &of_spec(new)).dangers;
        told.into_iter().map(|it| format!("{} {}", it.place.trim_start_matches("version v1 "), it.what)).collect()
    }

    #[test]
    fn what_is_added_or_loosened_is_safe() {
        let old = json!({"type": "object", "required": ["a", "b"], "properties":
            {"a": {"type": "integer", "maximum": 5, "enum": [1, 2]}, "b": {"type": "string"}}});
        let new = json!({"type": "object", "required": ["a"], "properties":
            {"a": {"type": "number", "maximum": 9, "enum": [1, 2, 3]}, "b": {"x-kubernetes-int-or-string": true},
             "c": {"type": "string", "nullable": true}}});
        assert_eq!(dangers(&old, &new), [""; 0]);
        assert_eq!(dangers(&old, &json!({"x-kubernetes-preserve-unknown-fields": true})), [""; 0]);
    }

    #[test]
    fn every_way_to_narrow_a_schema_is_a_danger() {
        let field = |schema: Value| json!({"type": "object", "properties": {"a": schema}});
        let text = json!({"type": "string"});
        for (old, new, told) in [
            (text.clone(), json!({"type": "integer"}), ".spec.a is string, and would have to be integer"),
            (text.clone(), json!({"type": "string", "pattern": "^x"}), ".spec.a would be held to another pattern"),
            (text.clone(), json!({"type": "string", "maxLength": 3}), ".spec.a would be limited by maxLength: 3"),
            (text.clone(), json!({"type": "string", "enum": ["x"]}), ".spec.a would take only a few values"),
            (
                json!({"type": "string", "enum": ["x", "y"]}),
                json!({"type": "string", "enum": ["x"]}),
                ".spec.a may be \"y\", and would not be allowed to",
            ),
            (
                json!({"type": "integer", "minimum": 1}),
                json!({"type": "integer", "minimum": 2}),
                ".spec.a would be limited by minimum: 2",
            ),
            (
                json!({"type": "string", "nullable": true}),
                text.clone(),
                ".spec.a may be null, and would have to be set",
            ),
            (
                json!({"type": "array", "items": {"type": "string"}}),
                json!({"type": "array", "items": {"type": "integer"}}),
                ".spec.a[] is string, and would have to be integer",
            ),
            (
                json!({"type": "object", "additionalProperties": {"type": "string"}}),
                json!({"type": "object"}),
                ".spec.a takes any key, and would take only those that are named",
            ),
        ] {
            assert_eq!(dangers(&field(old), &field(new)), [told]);
        }
    }

    #[test]
    fn a_field_that_goes_and_one_that_must_come_are_named() {
        let old = json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}});
        let new = json!({"type": "object", "required": ["c"], "properties": {"a": {"type": "string"}, "c": {"type": "string"}}});
        assert_eq!(dangers(&old, &new), [".spec.b would be forgotten", ".spec.c would have to be set"]);
        let mut keeping = new.clone();
        keeping["x-kubernetes-preserve-unknown-fields"] = json!(true);
        assert_eq!(dangers(&old, &keeping), [".spec.c would have to be set"]);
        assert_eq!(dangers(&keeping, &new), [".spec keeps fields that it does not name, and would forget them"],);
    }

    #[test]
    fn a_version_in_use_stays_served() {
        let schema = json!({"openAPIV3Schema": {"type": "object"}});
        let version = |name: &str, served: bool| json!({"name": name, "served": served, "schema": schema});
        let live = definition(&json!([version("v1", true), version("v1beta1", true), version("old", false)]));
        let told: Vec<String> = compare(&live, &definition(&json!([version("v1", false)])))
            .dangers
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            told,
            [
                "bouncers.mizar.com: version v1 is served, and would be no more",
                "bouncers.mizar.com: version v1beta1 is served, and would be gone",
            ]
        );
        let told = compare(&live, &definition(&json!([version("v1beta1", true)]))).dangers;
        assert_eq!(told[0].to_string(), "bouncers.mizar.com: version v1 is stored, and would be gone");
    }

    #[test]
    fn where_the_old_one_said_nothing_stored_objects_are_validated() {
        let new = of_spec(&json!({"type": "object", "nullable": true, "properties":
            {"status": {"type": "string"}, "dividers": {"x-kubernetes-int-or-string": true}}}));
        for old in [
            of_schema(&json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})),
            definition(&json!([{"name": "v1", "served": true, "storage": true}])),
        ] {
            let comparison = compare(&old, &new);
            assert_eq!((comparison.dangers.len(), comparison.unknown_before), (0, vec!["v1".to_owned()]));
        }
        let stored = |spec: Value| json!({"apiVersion": "mizar.com/v1", "kind": "Bouncer", "metadata": {"name": "b", "namespace": "default"}, "spec": spec});
        let told = |spec: Value| -> Vec<String> {
            validate(&new, "v1", &stored(spec)).iter().map(ToString::to_string).collect()
        };
        assert_eq!(told(json!({"status": "Init", "dividers": 1})), [""; 0]);
        assert_eq!(told(json!({"status": "Init", "dividers": "1"})), [""; 0]);
        assert_eq!(told(Value::Null), [""; 0]);
        assert_eq!(
            told(json!({"mac": "x"})),
            ["bouncers.mizar.com: default/b has .spec.mac, which the new schema does not know"]
        );
        let wrong = told(json!({"status": 5}));
        assert!(
            wrong.len() == 1 && wrong[0].contains("would not be valid") && wrong[0].contains("/spec/status"),
            "{wrong:?}"
        );
    }
}
