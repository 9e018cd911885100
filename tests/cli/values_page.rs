//! docs/values.md says the same as charts/mizar/values.yaml: paths, defaults and descriptions.

use std::collections::BTreeMap;

use mizar_core::yaml::{self, DuplicateKeys, with_plain_numbers};
use serde_json::Value;

use crate::program::repository;

/// Default and description of a value.
#[derive(Debug, PartialEq)]
struct Described {
    default: Value,
    text: String,
}

/// The rows of the page's tables.
fn page() -> BTreeMap<String, Described> {
    let text = std::fs::read_to_string(repository().join("docs/values.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `")).map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').splitn(3, " | ").map(str::trim).collect();
        let code = |cell: &str| cell.trim_matches('`').to_owned();
        let default = serde_json::from_str(&code(cells[1])).unwrap_or_else(|error| panic!("{line}: {error}"));
        (code(cells[0]), Described { default, text: cells[2].to_owned() })
    });
    rows.collect()
}

/// The values of the chart that have a comment of their own and hold no others that have.
fn chart() -> BTreeMap<String, Described> {
    let text = std::fs::read_to_string(repository().join("charts/mizar/values.yaml")).unwrap();
    let defaults = with_plain_numbers(yaml::read(&text, DuplicateKeys::Refuse).unwrap());
    let comments = comments(&text);
    let is_leaf = |path: &str| !comments.keys().any(|other| other.starts_with(&format!("{path}.")));
    let leaves = comments.iter().filter(|(path, _)| is_leaf(path)).map(|(path, text)| {
        let default = path.split('.').fold(&defaults, |value, key| &value[key]).clone();
        (path.clone(), Described { default, text: sentence(text) })
    });
    leaves.collect()
}

/// The comment above each key, by the key's path. A comment belongs to a key if its first word is the key.
fn comments(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut parents: Vec<(usize, &str)> = Vec::new();
    let mut comment: Vec<&str> = Vec::new();
    for line in text.lines() {
        let content = line.trim_start();
        if let Some(words) = content.strip_prefix("# ") {
            comment.push(words);
            continue;
        }
        if let Some((key, _)) = content.split_once(':').filter(|(key, _)| !key.starts_with("- ")) {
            let indent = line.len() - content.len();
            parents.retain(|(parent, _)| *parent < indent);
            parents.push((indent, key));
            let said = comment.join(" ");
            if let Some(rest) = said.strip_prefix(key).and_then(|rest| rest.strip_prefix(' ')) {
                let path: Vec<&str> = parents.iter().map(|(_, key)| *key).collect();
                found.insert(path.join("."), rest.to_owned());
            }
        }
        comment.clear();
    }
    found
}

/// `is how long it takes.` → `How long it takes.`
fn sentence(predicate: &str) -> String {
    let text = predicate.strip_prefix("is ").or_else(|| predicate.strip_prefix("are ")).unwrap_or(predicate);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str())
}

#[test]
fn the_page_describes_each_value_as_the_chart_does() {
    let (page, chart) = (page(), chart());
    assert!(chart.len() > 40, "the comments of values.yaml are understood: {:?}", chart.keys());
    for (path, described) in &chart {
        assert_eq!(page.get(path), Some(described), "docs/values.md, {path}");
    }
    let gone: Vec<&String> = page.keys().filter(|path| !chart.contains_key(*path)).collect();
    assert!(gone.is_empty(), "docs/values.md describes values that the chart does not have: {gone:?}");
}

#[test]
fn every_default_of_the_chart_is_below_a_described_value() {
    fn leaves(prefix: &str, value: &Value, found: &mut Vec<String>) {
        match value.as_object().filter(|fields| !fields.is_empty()) {
            Some(fields) => fields.iter().for_each(|(key, value)| leaves(&format!("{prefix}{key}."), value, found)),
            None => found.push(prefix.to_owned()),
        }
    }
    let text = std::fs::read_to_string(repository().join("charts/mizar/values.yaml")).unwrap();
    let mut paths = Vec::new();
    leaves("", &yaml::read(&text, DuplicateKeys::Refuse).unwrap(), &mut paths);
    let page = page();
    for path in paths {
        assert!(page.keys().any(|described| path.starts_with(&format!("{described}."))), "{path} is described nowhere");
    }
}
