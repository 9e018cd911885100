//! What a check can come to, and how many findings are told in one line.

use std::collections::HashMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::facts::{Gap, Source};
use crate::words::counted;

/// What a check came to, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All is well.
    Pass,
    /// It does not apply here.
    Skipped,
    /// It works, but somebody should look.
    Warn,
    /// It could not be decided.
    Unknown,
    /// It is not well.
    Fail,
}

impl Status {
    /// Whether there is something for the user to do.
    #[must_use]
    pub const fn asks_for_action(self) -> bool {
        matches!(self, Self::Warn | Self::Unknown | Self::Fail)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Pass => "pass",
            Self::Skipped => "skipped",
            Self::Warn => "warn",
            Self::Unknown => "unknown",
            Self::Fail => "fail",
        })
    }
}

/// One thing that was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// The object, `Node node-7`.
    pub object: String,
    /// The node that it is about, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub node: Option<String>,
    /// The field that was looked at.
    pub field: String,
    /// What it holds.
    pub seen: String,
    /// What it should hold.
    pub wanted: String,
    /// Since when, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<Timestamp>,
}

impl Evidence {
    /// Returns a finding.
    pub(super) fn new(
        object: impl Into<String>,
        field: impl Into<String>,
        seen: impl Into<String>,
        wanted: impl Into<String>,
    ) -> Self {
        Self {
            object: object.into(),
            node: None,
            field: field.into(),
            seen: seen.into(),
            wanted: wanted.into(),
            since: None,
        }
    }

    /// Returns the same finding about a node; a blank name means none.
    pub(super) fn on(mut self, node: &str) -> Self {
        self.node = (!node.is_empty()).then(|| node.to_owned());
        self
    }

    /// Returns the same finding with the time since which it holds.
    pub(super) const fn since(mut self, since: Option<Timestamp>) -> Self {
        self.since = since;
        self
    }
}

/// What a check came to, in words and with what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What it came to.
    pub status: Status,
    /// What was found, in one line.
    pub message: String,
    /// What was seen.
    pub evidence: Vec<Evidence>,
    /// What to type, with the names of what was found; without it the hint of the table is told.
    pub hint: Option<String>,
    /// Until when it may still come right by itself, if it may.
    pub settles: Option<Timestamp>,
}

impl Verdict {
    fn of(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), evidence: Vec::new(), hint: None, settles: None }
    }

    pub(super) fn pass(message: impl Into<String>) -> Self {
        Self::of(Status::Pass, message)
    }

    pub(super) fn warn(message: impl Into<String>) -> Self {
        Self::of(Status::Warn, message)
    }

    pub(super) fn fail(message: impl Into<String>) -> Self {
        Self::of(Status::Fail, message)
    }

    pub(super) fn unknown(message: impl Into<String>) -> Self {
        Self::of(Status::Unknown, message)
    }

    pub(super) fn skipped(message: impl Into<String>) -> Self {
        Self::of(Status::Skipped, message)
    }

    /// Returns the verdict of a check whose sources could not be read; it names the rights that are missing.
    pub(super) fn unreadable(gaps: &[(Source, Gap)]) -> Self {
        let denied = gaps.iter().filter(|(_, gap)| *gap == Gap::Denied).map(|(source, _)| source.right());
        let denied: Vec<String> = denied.collect();
        let mut reasons = Vec::new();
        if !denied.is_empty() {
            reasons.push(format!("you are not allowed to {}", denied.join(", ")));
        }
        reasons.extend(gaps.iter().filter_map(|(source, gap)| match gap {
            Gap::Denied => None,
            Gap::Failed(reason) => Some(format!("could not read {}: {reason}", source.noun())),
            Gap::Absent => Some(format!("the server does not have {}", source.noun())),
            Gap::NotAsked => Some(format!("nobody read {}", source.noun())),
        }));
        let denied = gaps.iter().filter(|(_, gap)| *gap == Gap::Denied).map(|(source, _)| *source);
        Self { hint: Some(how_to_read(&denied.collect::<Vec<_>>())), ..Self::unknown(reasons.join("; ")) }
    }

    /// Returns the same verdict with what to type, where something is to be done.
    pub(super) fn hinting(mut self, hint: impl FnOnce(&[Evidence]) -> String) -> Self {
        if self.status.asks_for_action() {
            self.hint = Some(hint(&self.evidence));
        }
        self
    }

    /// Returns the same verdict of what may still come right by itself until then.
    pub(super) fn settling(mut self, until: Timestamp) -> Self {
        self.settles = Some(until);
        self
    }

    pub(super) fn with(mut self, evidence: Vec<Evidence>) -> Self {
        self.evidence = evidence;
        self
    }
}

/// How many names a line holds before the rest is counted.
const NAMES_SHOWN: usize = 5;

/// One thing with something wrong, `node-7: not ready`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// The short name for the line.
    pub(super) name: String,
    /// What is wrong with it; problems with one reason share a part of the line.
    pub(super) reason: String,
    /// The same for the evidence.
    pub(super) evidence: Evidence,
}

impl Problem {
    pub(super) fn new(name: impl Into<String>, reason: impl Into<String>, evidence: Evidence) -> Self {
        Self { name: name.into(), reason: reason.into(), evidence }
    }
}

/// Returns Pass when there are no problems, else the given status with a line such as
/// "37 of 40 nodes fine; node-7, node-9: not ready; node-12: cordoned".
pub(super) fn grouped(noun: &str, total: usize, problems: Vec<Problem>, otherwise: Status) -> Verdict {
    if problems.is_empty() {
        return Verdict::pass(match total {
            0 => format!("no {noun} yet"),
            1 => format!("1 {} fine", singular(noun)),
            _ => format!("all {total} {noun} fine"),
        });
    }
    let mut names: Vec<&str> = problems.iter().map(|problem| problem.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let fine = total.saturating_sub(names.len());
    let message = format!("{fine} of {total} {noun} fine; {}", reasons(&problems));
    Verdict::of(otherwise, message).with(problems.into_iter().map(|problem| problem.evidence).collect())
}

/// What to do where something could not be read: how the missing rights are granted, else to try again.
fn how_to_read(denied: &[Source]) -> String {
    if denied.is_empty() {
        return "run this again; `kubectl get --raw /readyz?verbose` tells how the server is".to_owned();
    }
    let mut lists: Vec<&str> = Vec::new();
    let mut single = Vec::new();
    for source in denied {
        match source.named_object() {
            Some((resource, namespace, name)) => single.push(format!(
                "`kubectl create role kubectl-mizar-{name} -n {namespace} --verb=get --resource={resource} \
                 --resource-name={name}`"
            )),
            None if source.is_list() => lists.push(source.resource()),
            None => {}
        }
    }
    let mut commands = Vec::new();
    if !lists.is_empty() {
        let resources = lists.join(",");
        commands.push(format!("`kubectl create clusterrole kubectl-mizar-read --verb=list --resource={resources}`"));
    }
    commands.extend(single);
    if commands.is_empty() {
        return "every authenticated user may ask this by default; `kubectl auth can-i --list` shows what you may"
            .to_owned();
    }
    format!("have it granted: {}, bound to you; or run this as somebody who has it", commands.join(" and "))
}

/// Returns what is wrong, with things of the same reason together: "node-7, node-9: not ready; node-12: cordoned".
pub(super) fn reasons(problems: &[Problem]) -> String {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for problem in problems {
        let place = *places.entry(&problem.reason).or_insert_with(|| {
            groups.push((&problem.reason, Vec::new()));
            groups.len() - 1
        });
        let names = &mut groups[place].1;
        if names.last() != Some(&problem.name.as_str()) {
            names.push(&problem.name);
        }
    }
    let parts: Vec<String> = groups.iter().map(|(reason, names)| format!("{}: {reason}", some_of(names))).collect();
    if parts.len() <= NAMES_SHOWN {
        return parts.join("; ");
    }
    let more = counted(parts.len() - NAMES_SHOWN, "more finding");
    format!("{}; and {more}", parts[..NAMES_SHOWN].join("; "))
}

/// Returns the first names, and how many more there are.
pub(super) fn some_of(names: &[&str]) -> String {
    if names.len() <= NAMES_SHOWN {
        return names.join(", ");
    }
    format!("{} and {} more", names[..NAMES_SHOWN].join(", "), names.len() - NAMES_SHOWN)
}

/// Returns the names of the first nodes that the findings are about, as kubectl takes them.
pub(super) fn nodes_of(evidence: &[Evidence]) -> String {
    let mut names: Vec<&str> = evidence.iter().filter_map(|entry| entry.node.as_deref()).collect();
    names.dedup();
    names.truncate(NAMES_SHOWN);
    names.join(" ")
}

fn singular(noun: &str) -> &str {
    noun.strip_suffix('s').unwrap_or(noun)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(name: &str, reason: &str) -> Problem {
        Problem::new(name, reason, Evidence::default())
    }

    #[test]
    fn things_with_one_reason_share_a_part_of_the_line() {
        let problems =
            vec![problem("node-7", "not ready"), problem("node-12", "cordoned"), problem("node-9", "not ready")];
        let verdict = grouped("nodes", 40, problems, Status::Fail);
        assert_eq!(verdict.message, "37 of 40 nodes fine; node-7, node-9: not ready; node-12: cordoned");
        assert_eq!(verdict.evidence.len(), 3);
    }

    #[test]
    fn a_thing_with_two_problems_is_counted_once() {
        let problems = vec![problem("node-7", "not ready"), problem("node-7", "cordoned")];
        assert!(grouped("nodes", 3, problems, Status::Warn).message.starts_with("2 of 3 nodes fine"));
    }

    #[test]
    fn long_lists_are_counted_instead_of_shown() {
        let problems = (1..=8).map(|n| problem(&format!("n{n}"), "lost")).collect();
        let verdict = grouped("nodes", 8, problems, Status::Fail);
        assert_eq!(verdict.message, "0 of 8 nodes fine; n1, n2, n3, n4, n5 and 3 more: lost");
    }

    #[test]
    fn no_problem_is_a_pass() {
        assert_eq!(grouped("nodes", 3, Vec::new(), Status::Fail).message, "all 3 nodes fine");
        assert_eq!(grouped("nodes", 1, Vec::new(), Status::Fail).message, "1 node fine");
    }
}
