//! What a server says about a request that it did not carry out: the object `Status`, or whatever stands in its place.

use serde_json::Value;

use crate::json;

/// A refusal in the server's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What it says, on one line.
    pub message: String,
    /// `AlreadyExists`, `Expired`; blank where it gives none.
    pub reason: String,
    /// The fields that others own.
    pub conflicts: Vec<FieldConflict>,
    /// The disruption budget that does not allow an eviction now, and how far it is from allowing it.
    pub budget: Option<String>,
}

/// A field that another manager owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldConflict {
    /// The manager, as the server words it: `kubectl using apps/v1`.
    pub manager: String,
    /// The field's path.
    pub field: String,
}

impl Refusal {
    /// Reads the body of an answer; nothing if it is no `Status`.
    #[must_use]
    pub fn read(body: &[u8]) -> Option<Self> {
        json::check_weight(body).ok()?;
        let status: Value = serde_json::from_slice(body).ok()?;
        if status["kind"] != "Status" {
            return None;
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let causes = status["details"]["causes"].as_array().map(Vec::as_slice).unwrap_or_default();
        let conflicts = causes.iter().filter(|cause| cause["reason"] == "FieldManagerConflict").map(|cause| {
            let manager = text(&cause["message"]).trim_start_matches("conflict with ").replace('"', "");
            FieldConflict { manager, field: text(&cause["field"]) }
        });
        let budget = causes.iter().find(|cause| cause["reason"] == "DisruptionBudget");
        Some(Self {
            budget: budget.map(|cause| one_line(&text(&cause["message"]))),
            message: one_line(&text(&status["message"])),
            reason: text(&status["reason"]),
            conflicts: conflicts.collect(),
        })
    }
}

/// How an answer begins that is none of an API server.
#[must_use]
pub fn beginning(body: &[u8]) -> String {
    one_line(&String::from_utf8_lossy(&body[..body.len().min(400)]))
}

/// Texts of others may hold line breaks, whole pages, and what moves a terminal's cursor: one line, cut, and harmless.
#[must_use]
pub fn one_line(text: &str) -> String {
    const LONGEST: usize = 300;
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word.replace(char::is_control, "\u{fffd}"));
        if let Some((cut, _)) = line.char_indices().nth(LONGEST) {
            line.truncate(cut);
            line.push('…');
            break;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_read_whatever_is_missing_in_it() {
        let refusal = Refusal::read(br#"{"kind":"Status","details":{"causes":[7,{"reason":"FieldManagerConflict"}]}}"#);
        let conflicts = vec![FieldConflict { manager: String::new(), field: String::new() }];
        assert_eq!(refusal, Some(Refusal { message: String::new(), reason: String::new(), conflicts, budget: None }));
        for other in [&b"[]"[..], b"{}", b"<html>", b"\xff", b"", br#"{"kind":"Pod"}"#] {
            assert_eq!(Refusal::read(other), None);
        }
    }

    #[test]
    fn a_disruption_budget_is_told_apart_from_a_busy_server() {
        let body = br#"{"kind":"Status","code":429,"reason":"TooManyRequests","message":"Cannot evict pod","details":{"causes":[
            {"reason":"DisruptionBudget","message":"The disruption budget web needs 2 healthy pods and has 2 currently"}]}}"#;
        let budget = Refusal::read(body).unwrap().budget;
        assert_eq!(budget.unwrap(), "The disruption budget web needs 2 healthy pods and has 2 currently");
    }

    #[test]
    fn a_long_text_becomes_one_short_line() {
        assert_eq!(one_line(" a\n\tb "), "a b");
        for text in ["x".repeat(1_000_000), "ü ".repeat(1_000_000)] {
            let line = one_line(&text);
            assert_eq!((line.chars().count(), line.ends_with('…')), (301, true));
        }
    }
}
