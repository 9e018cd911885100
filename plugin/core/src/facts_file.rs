//! Facts as a file: what one person saw, so that another can judge it without the cluster. A file of an older program
//! lacks fields, which then count as not asked; a file of a newer one is refused, and so is one that cannot be made out,
//! by the name of the field.

use serde::Serialize;
use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::facts::Facts;
use crate::json;

/// The format that this program writes and reads.
pub const API_VERSION: &str = "mizar.dev/v1";
/// What such a file calls itself.
pub const KIND: &str = "Facts";

/// Why a file is no file of facts.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FactsFileError {
    /// It is not even JSON.
    #[error("it is not JSON: {0}")]
    Syntax(String),
    /// A field that tells what the file is says something else, or is missing.
    #[error("field {field} is {found}, wanted {wanted:?}")]
    Foreign {
        /// The field.
        field: &'static str,
        /// What it holds, or `missing`.
        found: String,
        /// What it must hold.
        wanted: &'static str,
    },
    /// It is of a format that this program does not know.
    #[error("field apiVersion is {found:?}, and this version of kubectl-mizar reads {API_VERSION:?}")]
    Newer {
        /// The format.
        found: String,
    },
    /// A field holds what it cannot hold.
    #[error("field {field}: {why}")]
    Field {
        /// The path of the field, `facts.nodes.known[3].name`.
        field: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Returns the content of a file of facts; `conclusions` are for the reader only and are not read back.
#[must_use]
pub fn to_json(facts: &Facts, conclusions: Option<Value>) -> Value {
    let mut file = Map::new();
    file.insert("apiVersion".to_owned(), json!(API_VERSION));
    file.insert("kind".to_owned(), json!(KIND));
    if let Some(conclusions) = conclusions {
        file.insert("conclusions".to_owned(), conclusions);
    }
    file.insert("facts".to_owned(), json!(facts));
    Value::Object(file)
}

/// The content of a file of facts, for whoever writes it as it comes: of a large cluster it is large.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document<'facts> {
    api_version: &'static str,
    kind: &'static str,
    facts: &'facts Facts,
}

impl<'facts> Document<'facts> {
    /// Returns the content of a file of these facts.
    #[must_use]
    pub fn of(facts: &'facts Facts) -> Self {
        Self { api_version: API_VERSION, kind: KIND, facts }
    }
}

/// Reads the content of a file of facts.
pub fn from_json(text: &str) -> Result<Facts, FactsFileError> {
    json::check_weight(text.as_bytes()).map_err(|error| FactsFileError::Syntax(error.to_string()))?;
    let mut file: Value = serde_json::from_str(text).map_err(|error| FactsFileError::Syntax(error.to_string()))?;
    let foreign = |field, found: Option<&Value>, wanted| FactsFileError::Foreign {
        field,
        found: found.map_or_else(|| "missing".to_owned(), ToString::to_string),
        wanted,
    };
    if file.get("kind").and_then(Value::as_str) != Some(KIND) {
        return Err(foreign("kind", file.get("kind"), KIND));
    }
    match file.get("apiVersion").and_then(Value::as_str) {
        Some(API_VERSION) => {}
        Some(other) if other.starts_with("mizar.dev/") => {
            return Err(FactsFileError::Newer { found: other.to_owned() });
        }
        _ => return Err(foreign("apiVersion", file.get("apiVersion"), API_VERSION)),
    }
    let facts = file.get_mut("facts").map(Value::take).unwrap_or_default();
    if !facts.is_object() {
        return Err(FactsFileError::Field { field: "facts".to_owned(), why: "missing, or no object".to_owned() });
    }
    // Nearly every file is fine: only one that is not is read a second time, to find the field.
    serde_json::from_value(facts.clone()).map_err(|error| {
        let field = culprit("facts".to_owned(), &facts, &|value| serde_json::from_value::<Facts>(value).is_err());
        FactsFileError::Field { field, why: error.to_string() }
    })
}

/// Returns the path of the innermost value that fails on its own. Fields have defaults, so that each can be tried alone;
/// where none of them passes alone, the fault lies in their being together, and the path ends there.
fn culprit(path: String, value: &Value, fails: &dyn Fn(Value) -> bool) -> String {
    match value {
        Value::Object(fields) => {
            let alone = |key: &String, value: Value| Value::Object(Map::from_iter([(key.clone(), value)]));
            let failing: Vec<_> = fields.iter().filter(|(key, value)| fails(alone(key, (*value).clone()))).collect();
            match failing.first() {
                Some((key, inner)) if failing.len() < fields.len() || fields.len() == 1 => {
                    culprit(format!("{path}.{key}"), inner, &|value| fails(alone(key, value)))
                }
                _ => path,
            }
        }
        Value::Array(items) => {
            match items.iter().enumerate().find(|(_, item)| fails(Value::Array(vec![(*item).clone()]))) {
                Some((index, item)) => {
                    culprit(format!("{path}[{index}]"), item, &|value| fails(Value::Array(vec![value])))
                }
                None => path,
            }
        }
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{self, Options, Phase};
    use crate::facts::samples::*;
    use crate::facts::{Fetched, Source};

    #[test]
    fn facts_come_back_as_they_were_and_are_judged_alike() {
        for facts in [a_healthy_cluster(), a_cluster_before()] {
            let text = to_json(&facts, Some(json!({"any": "thing"}))).to_string();
            let read = from_json(&text).unwrap();
            assert_eq!(read, facts);
            let options = Options::at(read.gathered_at);
            for phase in [Phase::Preflight, Phase::Health] {
                assert_eq!(check::evaluate(phase, &read, &options), check::evaluate(phase, &facts, &options));
            }
        }
    }

    #[test]
    fn a_file_is_the_same_whichever_way_it_is_written() {
        let facts = a_healthy_cluster();
        assert_eq!(serde_json::to_value(Document::of(&facts)).unwrap(), to_json(&facts, None));
    }

    #[test]
    fn a_file_of_an_older_program_lacks_fields_and_is_read() {
        let text = r#"{"apiVersion": "mizar.dev/v1", "kind": "Facts",
            "facts": {"gatheredAt": "2026-03-01T12:00:00Z", "nodes": {"known": [{"name": "n1"}]}}}"#;
        let facts = from_json(text).unwrap();
        assert_eq!(facts.nodes.items()[0].name, "n1");
        assert_eq!(facts.pods, Fetched::NotAsked);
    }

    #[test]
    fn what_is_no_file_of_facts_is_refused_by_the_field() {
        for (text, message) in [
            ("", "it is not JSON: EOF while parsing a value at line 1 column 0"),
            ("[]", "field kind is missing, wanted \"Facts\""),
            (r#"{"kind": "CheckReport"}"#, "field kind is \"CheckReport\", wanted \"Facts\""),
            (r#"{"kind": "Facts"}"#, "field apiVersion is missing, wanted \"mizar.dev/v1\""),
            (r#"{"kind": "Facts", "apiVersion": "v1"}"#, "field apiVersion is \"v1\", wanted \"mizar.dev/v1\""),
            (
                r#"{"kind": "Facts", "apiVersion": "mizar.dev/v2"}"#,
                "field apiVersion is \"mizar.dev/v2\", and this version of kubectl-mizar reads \"mizar.dev/v1\"",
            ),
            (r#"{"kind": "Facts", "apiVersion": "mizar.dev/v1"}"#, "field facts: missing, or no object"),
        ] {
            assert_eq!(from_json(text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn a_field_that_cannot_be_is_named() {
        let damaged = |damage: &dyn Fn(&mut Value)| {
            let mut file = to_json(&a_healthy_cluster(), None);
            damage(&mut file["facts"]);
            from_json(&file.to_string()).unwrap_err().to_string()
        };
        let message = damaged(&|facts| facts["nodes"]["known"][2]["internalIps"] = json!("10.0.0.1"));
        assert!(message.starts_with("field facts.nodes.known[2].internalIps: invalid type: string"), "{message}");
        let message = damaged(&|facts| facts["pods"]["known"][0]["restarts"] = json!(-1));
        assert!(message.starts_with("field facts.pods.known[0].restarts: "), "{message}");
        let message = damaged(&|facts| facts["vpcs"] = json!({"lost": {}}));
        assert!(message.starts_with("field facts.vpcs"), "{message}");
        let message = damaged(&|facts| facts["gatheredAt"] = json!("yesterday"));
        assert!(message.starts_with("field facts.gatheredAt: "), "{message}");
    }

    #[test]
    fn no_fact_holds_a_secret() {
        const MARK: &str = "hunter2";
        // Everywhere a person may have written one, in objects of every kind.
        let object = json!({
            "metadata": {
                "name": "x",
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": MARK, "note": MARK},
            },
            "data": {"password": MARK, "release": MARK}, "stringData": {"password": MARK},
            "spec": {
                "containers": [{"name": "main", "image": "i", "args": [MARK], "command": [MARK],
                    "env": [{"name": "PASSWORD", "value": MARK}]}],
                "template": {"metadata": {"annotations": {"note": MARK}}, "spec": {
                    "imagePullSecrets": [{"name": MARK}],
                    "containers": [{"name": "main", "image": "i", "args": [MARK],
                        "env": [{"name": "PASSWORD", "value": MARK}, {"name": "FEATUREGATE_BWQOS", "value": "true"}]}],
                }},
                "volumes": [{"secret": {"secretName": MARK}}], "imagePullSecrets": [{"name": MARK}],
            },
        });
        let labels =
            json!([{}, {"job": "mizar-daemon"}, {"app": "mizar-operator"}, {"owner": "helm", "name": "mizar"}]);
        for source in Source::ALL {
            let mut facts = crate::facts::Facts::new(now());
            for labels in labels.as_array().unwrap() {
                let mut object = object.clone();
                object["metadata"]["labels"] = labels.clone();
                facts.absorb(*source, &object);
            }
            let text = to_json(&facts, None).to_string();
            assert!(!text.contains(MARK), "{source:?}: {text}");
        }
    }
}
