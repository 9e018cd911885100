//! What `helm push` writes into a registry beside the archive, by construction: a manifest that names the archive and the
//! chart's metadata, and so has a digest that is known before anything is pushed.

use super::digest_of;
use crate::archive::AGE;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const METADATA: &str = "application/vnd.cncf.helm.config.v1+json";
const ARCHIVE: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

/// The fields of Chart.yaml in the order in which Helm writes them.
const FIELDS: [&str; 15] = [
    "name",
    "home",
    "sources",
    "version",
    "description",
    "keywords",
    "maintainers",
    "icon",
    "apiVersion",
    "condition",
    "tags",
    "appVersion",
    "deprecated",
    "annotations",
    "kubeVersion",
];
const FIELDS_OF_A_MAINTAINER: [&str; 3] = ["name", "email", "url"];

/// The manifest of a chart's archive, to the byte.
///
/// Helm takes the age of the archive's file for the moment of creation and writes it in the local time zone: the file must be as old as
/// what is in the archive, and be pushed with `TZ=UTC`.
pub(super) fn manifest(chart: &Map<String, Value>, digest: &str, size: usize) -> String {
    let config = go_json(&metadata(chart));
    let manifest = json!({
        "schemaVersion": 2,
        "config": {"mediaType": METADATA, "digest": digest_of(config.as_bytes()), "size": config.len()},
        "layers": [{"mediaType": ARCHIVE, "digest": digest, "size": size}],
        "annotations": annotations(chart),
    });
    go_json(&manifest)
}

fn metadata(chart: &Map<String, Value>) -> Value {
    let mut fields = picked(chart, &FIELDS);
    if let Some(Value::Array(people)) = fields.get_mut("maintainers") {
        for person in people {
            if let Value::Object(person_fields) = person {
                *person = Value::Object(picked(person_fields, &FIELDS_OF_A_MAINTAINER));
            }
        }
    }
    if let Some(Value::Object(annotations)) = fields.get_mut("annotations") {
        annotations.sort_keys();
    }
    // Behind the dependencies, which our charts do not have.
    fields.extend(picked(chart, &["type"]));
    Value::Object(fields)
}

/// The fields that are there and say something, in this order.
fn picked(from: &Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    let says_nothing = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    let found = names.iter().filter_map(|name| Some(((*name).to_owned(), from.get(*name)?.clone())));
    found.filter(|(_, value)| !says_nothing(value)).collect()
}

/// The chart's own annotations and those of the Open Container Initiative, sorted; title and version cannot be overridden.
fn annotations(chart: &Map<String, Value>) -> BTreeMap<String, String> {
    let text = |key: &str| chart.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let source = chart.get("sources").and_then(|sources| sources[0].as_str()).unwrap_or_default();
    let created = Timestamp::from_second(AGE.into()).unwrap_or_default().to_string();
    let standard = [
        ("authors", authors(chart)),
        ("created", created),
        ("description", text("description")),
        ("source", source.to_owned()),
        ("title", text("name")),
        ("url", text("home")),
        ("version", text("version")),
    ];
    let said = standard.into_iter().filter(|(_, value)| !value.trim().is_empty());
    let mut all: BTreeMap<String, String> =
        said.map(|(name, value)| (format!("org.opencontainers.image.{name}"), value)).collect();
    for (name, value) in chart.get("annotations").and_then(Value::as_object).into_iter().flatten() {
        if !["org.opencontainers.image.title", "org.opencontainers.image.version"].contains(&name.as_str()) {
            all.insert(name.clone(), value.as_str().unwrap_or_default().to_owned());
        }
    }
    all
}

fn authors(chart: &Map<String, Value>) -> String {
    let people = chart.get("maintainers").and_then(Value::as_array).into_iter().flatten();
    let written = people.map(|person| {
        let name = person["name"].as_str().unwrap_or_default();
        match person["email"].as_str().filter(|email| !email.is_empty()) {
            Some(email) => format!("{name} ({email})"),
            None => name.to_owned(),
        }
    });
    written.collect::<Vec<_>>().join(", ")
}

/// JSON as Go writes it: compact, and with what matters in HTML escaped.
fn go_json(value: &Value) -> String {
    let mut text = value.to_string();
    for (plain, escaped) in
        [("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"), ("\u{2028}", "\\u2028"), ("\u{2029}", "\\u2029")]
    {
        text = text.replace(plain, escaped);
    }
    text
}
