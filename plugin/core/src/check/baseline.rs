//! Comparing a report with an earlier one: what is new, gone, or as it was.
//!
//! What is compared are findings: a piece of evidence of a check that is not fine, or the check itself where it names
//! none. A check that asks again about the same object and field has the same finding, whatever the words.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::selection::{node_of, word};
use super::{Evidence, Phase, REPORT_API_VERSION, REPORT_KIND, Report, Status};

/// Why a file is no baseline.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum BaselineError {
    #[error("it is not JSON: {0}")]
    NotJson(String),
    #[error("{field} is {seen}, wanted {wanted}")]
    Foreign { field: String, seen: String, wanted: String },
    #[error("{field}: {reason}")]
    Damaged { field: String, reason: String },
}

/// An earlier report, as far as it is compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    at: Timestamp,
    checks: Vec<SavedCheck>,
}

/// What is needed of an earlier result; a later version may say more.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct SavedCheck {
    id: String,
    status: Status,
    message: String,
    #[serde(default)]
    evidence: Vec<Evidence>,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The check that found it.
    pub check: String,
    /// What the check came to.
    pub status: Status,
    /// The object and field, where the check names any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What was found there.
    pub message: String,
}

/// How a report differs from an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// When the earlier one was made.
    pub since: Timestamp,
    /// What was not there before, or was less bad.
    pub new: Vec<Finding>,
    /// What is no more.
    pub gone: Vec<Finding>,
    /// What is as it was.
    pub unchanged: Vec<Finding>,
}

impl Baseline {
    /// Reads a report that was saved: that of the same phase, by a version of the program that wrote the same form.
    pub fn read(text: &str, phase: Phase) -> Result<Self, BaselineError> {
        let document: Value = serde_json::from_str(text).map_err(|error| BaselineError::NotJson(error.to_string()))?;
        for (field, wanted) in [("kind", REPORT_KIND), ("apiVersion", REPORT_API_VERSION), ("phase", &word(&phase))] {
            let seen = &document[field];
            if seen != wanted {
                let seen = if seen.is_null() { "missing".to_owned() } else { seen.to_string() };
                return Err(BaselineError::Foreign { field: field.to_owned(), seen, wanted: format!("{wanted:?}") });
            }
        }
        let at = parse(&document["at"], "at")?;
        let Some(checks) = document["checks"].as_array() else {
            return Err(BaselineError::Damaged { field: "checks".to_owned(), reason: "not a list".to_owned() });
        };
        let checks = checks.iter().enumerate().map(|(index, check)| parse(check, &format!("checks[{index}]")));
        Ok(Self { at, checks: checks.collect::<Result<_, _>>()? })
    }

    /// Compares a report with this earlier one. Checks that one of them did not ask or could not decide have neither
    /// appeared nor gone; with a node, only what concerns it is compared.
    #[must_use]
    pub fn compare(&self, report: &Report, node: Option<&str>) -> Comparison {
        let now = report.results.iter().filter(|result| result.status.asks_for_action());
        let now =
            collect(now.map(|result| (result.id.as_str(), result.status, &result.message, &result.evidence)), None);
        let decided = |id: &str| report.result(id).is_some_and(|result| result.status != Status::Unknown);
        let before = self.checks.iter().filter(|check| check.status.asks_for_action());
        let before =
            collect(before.map(|check| (check.id.as_str(), check.status, &check.message, &check.evidence)), node);
        let (mut new, mut unchanged) = (Vec::new(), Vec::new());
        for (key, finding) in &now {
            let known = before.get(key).is_some_and(|earlier| earlier.status >= finding.status);
            if known { unchanged.push(finding.clone()) } else { new.push(finding.clone()) }
        }
        let gone = before.into_iter().filter(|(key, _)| !now.contains_key(key) && decided(&key.0));
        Comparison { since: self.at, new, gone: gone.map(|(_, finding)| finding).collect(), unchanged }
    }
}

impl Comparison {
    /// Whether a check found something that was not there before.
    #[must_use]
    pub fn is_new(&self, check: &str) -> bool {
        self.new.iter().any(|finding| finding.check == check)
    }

    /// Whether nothing stands in the way that did not before.
    #[must_use]
    pub fn is_clear(&self, report: &Report) -> bool {
        !report.blocking().any(|result| self.is_new(&result.id))
    }
}

fn parse<T: for<'a> Deserialize<'a>>(value: &Value, field: &str) -> Result<T, BaselineError> {
    T::deserialize(value).map_err(|error| BaselineError::Damaged { field: field.to_owned(), reason: error.to_string() })
}

/// The findings by check and place.
fn collect<'a>(
    results: impl Iterator<Item = (&'a str, Status, &'a String, &'a Vec<Evidence>)>,
    node: Option<&str>,
) -> BTreeMap<(String, String), Finding> {
    let mut findings = BTreeMap::new();
    for (check, status, message, evidence) in results {
        let finding = |place: Option<String>, message: &str| Finding {
            check: check.to_owned(),
            status,
            place,
            message: message.to_owned(),
        };
        if evidence.is_empty() {
            findings.insert((check.to_owned(), String::new()), finding(None, message));
        }
        for seen in evidence {
            if node.is_some_and(|node| node_of(seen).is_some_and(|other| other != node)) {
                continue;
            }
            let place = format!("{} {}", seen.object, seen.field);
            let message = format!("{}, wanted {}", or_nothing(&seen.seen), or_nothing(&seen.wanted));
            findings.entry((check.to_owned(), place.clone())).or_insert_with(|| finding(Some(place), &message));
        }
    }
    findings
}

fn or_nothing(text: &str) -> &str {
    if text.is_empty() { "nothing" } else { text }
}

#[cfg(test)]
mod tests {
    use super::super::{Heading, Options, evaluate};
    use super::*;
    use crate::facts::samples::{a_healthy_cluster, now};
    use crate::facts::{Facts, Fetched, Readiness};

    fn report(unready: &[usize], wrong: impl FnOnce(&mut Facts)) -> Report {
        let mut facts = a_healthy_cluster();
        for index in unready {
            facts.nodes.edit()[*index].readiness = Readiness::NotReady;
        }
        wrong(&mut facts);
        evaluate(Phase::Health, &facts, &Options::at(now()))
    }

    fn saved(report: &Report) -> Baseline {
        let heading = Heading { phase: Phase::Health, at: now(), namespace: "mizar-system", node: None };
        Baseline::read(&report.document(&heading, None).to_string(), Phase::Health).expect("what was saved is read")
    }

    fn places(findings: &[Finding]) -> Vec<&str> {
        findings.iter().filter(|finding| finding.check == "nodes-ready").filter_map(|f| f.place.as_deref()).collect()
    }

    #[test]
    fn findings_are_compared_by_check_object_and_field() {
        let earlier = saved(&report(&[0, 1], |_| {}));
        let later = report(&[1, 2], |_| {});
        let comparison = earlier.compare(&later, None);
        assert_eq!(places(&comparison.new), ["Node node-3 status.conditions[Ready]"]);
        assert_eq!(places(&comparison.unchanged), ["Node node-2 status.conditions[Ready]"]);
        assert_eq!(places(&comparison.gone), ["Node node-1 status.conditions[Ready]"]);
        assert!(comparison.is_new("nodes-ready") && !comparison.is_new("vpcs"));
        assert!(!comparison.is_clear(&later));
        let same = earlier.compare(&report(&[0, 1], |_| {}), None);
        assert!(same.new.is_empty() && same.gone.is_empty() && same.is_clear(&later));
    }

    #[test]
    fn what_became_worse_is_new() {
        let ill = report(&[0], |_| {});
        let mut earlier = saved(&ill);
        earlier.checks.iter_mut().for_each(|check| {
            if check.status == Status::Fail {
                check.status = Status::Warn;
            }
        });
        assert!(earlier.compare(&ill, None).is_new("nodes-ready"));
    }

    #[test]
    fn what_cannot_be_decided_now_is_not_gone() {
        let earlier = saved(&report(&[0], |_| {}));
        let blind = report(&[], |facts| facts.nodes = Fetched::Denied { right: "list nodes".into() });
        let comparison = earlier.compare(&blind, None);
        assert!(comparison.gone.iter().all(|finding| finding.check != "nodes-ready"), "{comparison:?}");
        assert!(comparison.is_new("nodes-ready"));
    }

    #[test]
    fn with_a_node_what_was_elsewhere_is_not_compared() {
        let earlier = saved(&report(&[0, 1], |_| {}));
        let comparison = earlier.compare(&report(&[], |_| {}), Some("node-2"));
        assert_eq!(places(&comparison.gone), ["Node node-2 status.conditions[Ready]"]);
    }

    #[test]
    fn what_is_no_saved_report_is_refused_with_the_field() {
        let good = saved_text();
        let read = |text: &str| Baseline::read(text, Phase::Health).expect_err("refused").to_string();
        assert!(read("nodes: []").starts_with("it is not JSON: "), "{}", read("nodes: []"));
        assert_eq!(read("{}"), r#"kind is missing, wanted "CheckReport""#);
        assert_eq!(
            read(&good.replace("mizar.dev/v1", "mizar.dev/v2")),
            r#"apiVersion is "mizar.dev/v2", wanted "mizar.dev/v1""#
        );
        assert_eq!(
            Baseline::read(&good, Phase::Preflight).expect_err("another phase").to_string(),
            r#"phase is "health", wanted "preflight""#
        );
        let message = read(&good.replacen(r#""status":"pass""#, r#""status":"fine""#, 1));
        assert!(message.starts_with("checks[0]: unknown variant `fine`"), "{message}");
        let message = read(r#"{"kind":"CheckReport","apiVersion":"mizar.dev/v1","phase":"health","at":"noon"}"#);
        assert!(message.starts_with("at: "), "{message}");
    }

    fn saved_text() -> String {
        let heading = Heading { phase: Phase::Health, at: now(), namespace: "mizar-system", node: None };
        report(&[], |_| {}).document(&heading, None).to_string()
    }
}
