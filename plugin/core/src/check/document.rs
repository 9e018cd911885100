//! The public form of a report: what `check -o json` prints, `--save` writes and `--baseline` reads.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::selection::word;
use super::{Check, Comparison, Phase, Report};

/// The version of the form; a change that breaks readers gets another.
pub const REPORT_API_VERSION: &str = "mizar.dev/v1";
/// What the document is.
pub const REPORT_KIND: &str = "CheckReport";

/// What a report is about.
#[derive(Debug, Clone, Copy)]
pub struct Heading<'a> {
    /// Which checks were asked.
    pub phase: Phase,
    /// When the facts were judged.
    pub at: Timestamp,
    /// The namespace of the release.
    pub namespace: &'a str,
    /// The one node that findings may be about.
    pub node: Option<&'a str>,
}

impl Report {
    /// Returns the document.
    #[must_use]
    pub fn document(&self, heading: &Heading<'_>, comparison: Option<&Comparison>) -> Value {
        let mut document = json!({
            "apiVersion": REPORT_API_VERSION,
            "kind": REPORT_KIND,
            "phase": heading.phase,
            "at": heading.at,
            "namespace": heading.namespace,
        });
        if let Some(node) = heading.node {
            document["node"] = json!(node);
        }
        document["summary"] = json!(self.summary());
        if let Some(comparison) = comparison {
            document["baseline"] = json!(comparison);
        }
        document["checks"] = json!(self.results);
        document
    }
}

impl Check {
    /// Returns what `explain` tells of it, for machines.
    #[must_use]
    pub fn document(&self) -> Value {
        let reads = self.sources.iter().map(|source| json!({"source": source.noun(), "right": source.right()}));
        json!({
            "id": self.id,
            "category": word(&self.category),
            "severity": word(&self.severity),
            "phases": self.phases,
            "title": self.title,
            "about": self.about,
            "reads": reads.collect::<Vec<_>>(),
            "hint": self.hint,
            "doc": self.doc(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Options, evaluate, lookup};
    use super::*;
    use crate::facts::samples::{a_healthy_cluster, now};

    #[test]
    fn the_document_says_what_it_is_about_before_it_goes_into_detail() {
        let report = evaluate(Phase::Health, &a_healthy_cluster(), &Options::at(now()));
        let heading = Heading { phase: Phase::Health, at: now(), namespace: "net", node: Some("node-1") };
        let document = report.document(&heading, None);
        let fields: Vec<&String> = document.as_object().expect("an object").keys().collect();
        assert_eq!(fields, ["apiVersion", "kind", "phase", "at", "namespace", "node", "summary", "checks"]);
        assert_eq!((&document["phase"], &document["at"]), (&json!("health"), &json!("2026-03-01T12:00:00Z")));
    }

    #[test]
    fn an_explanation_names_what_is_read_and_the_right_to() {
        let document = lookup("nodes-ready").expect("it exists").document();
        assert_eq!(document["reads"], json!([{"source": "nodes", "right": "list nodes"}]));
        assert_eq!(document["phases"], json!(["health"]));
    }
}
