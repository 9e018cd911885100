//! The report for people: by category, one line a check, evidence and hint where something is to be done.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use mizar_core::check::{Category, CheckResult, Comparison, Evidence, Phase, Status, lookup};

use super::{PAGES, View, sentence, title};
use crate::report::style::{ERROR, FAINT, GOOD, HINT, STRONG, WARN, mark};
use mizar_core::words::counted;

/// How many pieces of evidence, and of findings that are gone, are shown unless more are asked for.
const SHOWN: usize = 5;

/// How much to tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Detail {
    /// What was seen where all is well, since when, and where each check is described.
    pub wide: bool,
    /// All evidence, and what each check looks at.
    pub verbose: bool,
}

impl Detail {
    fn limit(self) -> usize {
        if self.verbose { usize::MAX } else { SHOWN }
    }
}

/// Lays out a report for a file: as on a terminal, without colours.
pub(crate) fn plain(view: &View<'_>) -> String {
    anstream::adapter::strip_str(&table(view, Detail::default())).to_string()
}

/// Lays out a report.
pub(crate) fn table(view: &View<'_>, detail: Detail) -> String {
    let mut text = String::new();
    let aside = if detail == Detail::default() { shared_reasons(&view.report.results) } else { Vec::new() };
    for (category, mut results) in view.by_category() {
        results.retain(|result| !aside.iter().any(|reason| reason.covers(result)));
        if results.is_empty() {
            continue;
        }
        say(&mut text, &format!("{STRONG}{}{STRONG:#}", title(category)));
        if let Some(why) = why_none_applies(&results)
            && detail == Detail::default()
        {
            let (sign, style) = mark(Status::Skipped);
            say(
                &mut text,
                &format!(
                    "  {style}{sign}{style:#} {FAINT}{why} ({} skipped){FAINT:#}",
                    counted(results.len(), "check")
                ),
            );
            continue;
        }
        for result in results {
            row(&mut text, view, result, detail);
        }
    }
    for reason in &aside {
        let (sign, style) = mark(Status::Skipped);
        say(&mut text, &format!("{STRONG}Skipped{STRONG:#}"));
        let all = format!("{}; --verbose shows them", counted(reason.count, "check"));
        say(&mut text, &format!("  {style}{sign}{style:#} {FAINT}{} ({all}){FAINT:#}", reason.why));
    }
    text.push('\n');
    if let Some(comparison) = view.comparison {
        compared(&mut text, comparison, detail);
    }
    let (verdict, style) = verdict(view);
    say(&mut text, &format!("{style}{verdict}{style:#}: {}", view.report.summary()));
    for step in next_steps(view) {
        say(&mut text, &format!("{HINT}next:{HINT:#} {step}"));
    }
    text
}

/// A reason for which checks of several categories are skipped: it is told once for all of them.
#[derive(Debug, PartialEq, Eq)]
struct SharedReason<'a> {
    why: &'a str,
    count: usize,
}

impl SharedReason<'_> {
    fn covers(&self, result: &CheckResult) -> bool {
        result.status == Status::Skipped && result.message == self.why
    }
}

fn shared_reasons(results: &[CheckResult]) -> Vec<SharedReason<'_>> {
    let mut reasons: Vec<(SharedReason<'_>, BTreeSet<Category>)> = Vec::new();
    for result in results.iter().filter(|result| result.status == Status::Skipped) {
        if let Some((reason, categories)) = reasons.iter_mut().find(|(reason, _)| reason.covers(result)) {
            reason.count += 1;
            categories.insert(result.category);
        } else {
            let reason = SharedReason { why: &result.message, count: 1 };
            reasons.push((reason, BTreeSet::from([result.category])));
        }
    }
    reasons.into_iter().filter(|(_, categories)| categories.len() > 1).map(|(reason, _)| reason).collect()
}

/// The one reason for which several checks of a category are skipped, if they all are.
fn why_none_applies<'a>(results: &[&'a CheckResult]) -> Option<&'a str> {
    let [first, _, ..] = results else { return None };
    let alike = |result: &&CheckResult| result.status == Status::Skipped && result.message == first.message;
    results.iter().all(alike).then_some(first.message.as_str())
}

fn say(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn row(text: &mut String, view: &View<'_>, result: &CheckResult, detail: Detail) {
    let (sign, style) = mark(result.status);
    let (id, title, message) = (&result.id, &result.title, &result.message);
    let is_finding = result.status.asks_for_action();
    if is_finding {
        let new = if view.is_new(result) { format!(" {STRONG}new{STRONG:#}") } else { String::new() };
        say(text, &format!("  {style}{sign}{style:#} {message} {FAINT}[{id}]{FAINT:#}{new}"));
    } else {
        let named = if detail == Detail::default() { String::new() } else { format!(" [{id}]") };
        say(text, &format!("  {style}{sign}{style:#} {title} {FAINT}({message}){named}{FAINT:#}"));
    }
    if detail.verbose {
        about(text, id);
    }
    if is_finding || detail != Detail::default() {
        evidence(text, &result.evidence, detail, view.heading.at);
    }
    if let Some(hint) = &result.hint {
        say(text, &format!("      {HINT}hint:{HINT:#} {hint}"));
    }
    if detail.wide {
        say(text, &format!("      {FAINT}{PAGES}{}{FAINT:#}", result.doc));
    }
}

fn about(text: &mut String, id: &str) {
    let Ok(check) = lookup(id) else { return };
    let sources: Vec<&str> = check.sources.iter().map(|source| source.noun()).collect();
    say(text, &format!("      {FAINT}{} Reads {}.{FAINT:#}", check.about, sources.join(", ")));
}

fn evidence(text: &mut String, all: &[Evidence], detail: Detail, at: Timestamp) {
    for seen in all.iter().take(detail.limit()) {
        let since = seen.since.filter(|_| detail.wide).map(|since| format!(", since {since} ({})", age(since, at)));
        say(text, &format!("      {FAINT}{}{}{FAINT:#}", sentence(seen), since.unwrap_or_default()));
    }
    if let Some(more) = all.len().checked_sub(detail.limit()).filter(|more| *more > 0) {
        say(text, &format!("      {FAINT}and {more} more (--verbose shows all){FAINT:#}"));
    }
}

fn compared(text: &mut String, comparison: &Comparison, detail: Detail) {
    let Comparison { since, new, gone, unchanged } = comparison;
    let counts = format!("{} new, {} gone, {} unchanged", new.len(), gone.len(), unchanged.len());
    say(text, &format!("{STRONG}Since {since}{STRONG:#}: {counts}"));
    for (sign, style, findings) in [("+", ERROR, new), ("-", GOOD, gone)] {
        for finding in findings.iter().take(detail.limit()) {
            let place = finding.place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
            let (id, message) = (&finding.check, &finding.message);
            say(text, &format!("  {style}{sign}{style:#} {place}{message} {FAINT}[{id}]{FAINT:#}"));
        }
        if let Some(more) = findings.len().checked_sub(detail.limit()).filter(|more| *more > 0) {
            say(text, &format!("  {FAINT}{sign} and {more} more (--verbose shows all){FAINT:#}"));
        }
    }
    text.push('\n');
}

fn verdict(view: &View<'_>) -> (String, anstyle::Style) {
    let is_preflight = view.heading.phase == Phase::Preflight;
    let whole = match (view.heading.node, view.selection.is_whole()) {
        (Some(node), _) => Some(format!("Node {node}")),
        (None, false) => Some("What was asked".to_owned()),
        (None, true) => None,
    };
    let is_clear = view.report.is_clear();
    let is_fine = matches!(view.report.worst(), Status::Pass | Status::Skipped);
    let style = if !is_clear {
        ERROR
    } else if is_fine {
        GOOD
    } else {
        WARN
    };
    let mut verdict = match (whole, is_preflight) {
        (Some(part), _) if !is_clear => format!("{part} is not well"),
        (Some(part), _) if is_fine => format!("{part} is well"),
        (Some(part), _) => format!("{part} works; read the warnings"),
        (None, true) if !is_clear => "Mizar cannot be installed here yet".to_owned(),
        (None, true) if is_fine => "Mizar can be installed here".to_owned(),
        (None, true) => "Mizar can be installed here; read the warnings first".to_owned(),
        (None, false) if !is_clear => "Mizar is not healthy".to_owned(),
        (None, false) if is_fine => "Mizar is healthy".to_owned(),
        (None, false) => "Mizar works; read the warnings".to_owned(),
    };
    if !is_clear && view.comparison.is_some_and(|comparison| comparison.is_clear(view.report)) {
        verdict.push_str(", as it was before");
    }
    (verdict, style)
}

/// What to type now.
fn next_steps(view: &View<'_>) -> Vec<String> {
    let findings = || view.report.results.iter().filter(|result| result.status.asks_for_action());
    let heals = findings().any(|result| result.remedy.is_some()).then(|| "kubectl mizar repair --plan".to_owned());
    // The first of the worst: what it breaks is often what the others tell of.
    let worst = findings().min_by_key(|result| Reverse((result.blocks(), result.status)));
    heals.into_iter().chain(worst.map(|result| format!("kubectl mizar explain {}", result.id))).collect()
}

/// An age as kubectl writes it: `5m`, `10h`, `3d`.
fn age(since: Timestamp, now: Timestamp) -> String {
    const UNITS: [(i64, &str); 3] = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let seconds = now.duration_since(since).max(SignedDuration::ZERO).as_secs();
    let mut text = String::new();
    match UNITS.iter().find(|(length, _)| seconds >= 2 * length) {
        Some((length, unit)) => write!(text, "{}{unit}", seconds / length),
        None => write!(text, "{seconds}s"),
    }
    .unwrap_or_default();
    text
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    /// The text as a pipe gets it.
    fn plain(view: &View<'_>, detail: Detail) -> String {
        anstream::adapter::strip_str(&table(view, detail)).to_string()
    }

    #[track_caller]
    fn reads(text: &str, expected: &str) {
        assert_eq!(text, expected, "\nit was:\n{text}");
    }

    #[test]
    fn what_asks_for_action_has_evidence_and_a_hint() {
        samples::mixed(|view| {
            reads(
                &plain(view, Detail::default()),
                "\
Nodes
  ✓ Every node is ready (all 3 nodes fine)
Network
  ✗ 2 of 3 nodes fine; node-2: has no Droplet <yet> & \"waits\" [droplets]
      Node node-2 Droplet: nothing, wanted <one> & \"Provisioned\"
      hint: `look at droplets`
  ? you are not allowed to list vpcs.mizar.com [stuck-objects]
      hint: `look at stuck-objects`
Pods
  ! 3 of 10 Endpoints fine; e-1, e-2 and 5 more: its pod is gone [leaked-endpoints]
      Endpoint e-1 spec.pod: gone, wanted one that exists
      Endpoint e-2 spec.pod: gone, wanted one that exists
      Endpoint e-3 spec.pod: gone, wanted one that exists
      Endpoint e-4 spec.pod: gone, wanted one that exists
      Endpoint e-5 spec.pod: gone, wanted one that exists
      and 2 more (--verbose shows all)
      hint: `look at leaked-endpoints`
  - Every pod has a network of Mizar (there is no Subnet yet)

Mizar is not healthy: 1 failed, 1 unknown, 1 warning, 1 passed, 1 skipped
next: kubectl mizar explain droplets
",
            );
        });
    }

    #[test]
    fn what_does_not_apply_for_one_reason_is_one_line() {
        let skipped = samples::result("arktos-mode", Status::Skipped, "this cluster is not Arktos");
        let networks = samples::result("arktos-networks", Status::Skipped, "this cluster is not Arktos");
        let other = samples::result("arktos-runtime", Status::Skipped, "there is no node");
        assert_eq!(why_none_applies(&[&skipped, &networks]), Some("this cluster is not Arktos"));
        assert_eq!(why_none_applies(&[&skipped, &networks, &other]), None);
        assert_eq!(why_none_applies(&[&skipped]), None);
        assert_eq!(why_none_applies(&[&skipped, &samples::result("arktos-mode", Status::Pass, "")]), None);
    }

    #[test]
    fn what_does_not_apply_anywhere_is_told_once() {
        let skipped = |id: &str| samples::result(id, Status::Skipped, "Mizar is not installed here");
        let results = [skipped("droplets"), skipped("vpcs"), skipped("pod-endpoints")];
        let shared = shared_reasons(&results);
        assert_eq!(shared, [SharedReason { why: "Mizar is not installed here", count: 3 }]);
        assert!(!shared[0].covers(&samples::result("vpcs", Status::Fail, "Mizar is not installed here")));
        assert_eq!(shared_reasons(&results[..2]), [], "those of one category stay there");
        samples::not_installed(|view| {
            reads(
                &plain(view, Detail::default()),
                "\
Nodes
  ✓ Every node is ready (all 3 nodes fine)
Skipped
  - Mizar is not installed here (3 checks; --verbose shows them)

Mizar is healthy: 1 passed, 3 skipped
",
            );
            let all = plain(view, Detail { wide: false, verbose: true });
            assert_eq!(all.matches("Mizar is not installed here").count(), 3, "{all}");
        });
    }

    #[test]
    fn all_is_well_in_one_verdict() {
        samples::healthy(|view| {
            let expected = "Nodes\n  ✓ Every node is ready (all 3 nodes fine)\n\nMizar is healthy: 1 passed\n";
            reads(&plain(view, Detail::default()), expected);
        });
    }

    #[test]
    fn wide_tells_what_was_seen_where_all_is_well_since_when_and_where_to_read_on() {
        samples::healthy(|view| {
            reads(
                &plain(view, Detail { wide: true, verbose: false }),
                "\
Nodes
  ✓ Every node is ready (all 3 nodes fine) [nodes-ready]
      Node node-1 status.conditions[Ready]: True, wanted True, since 2026-03-01T02:00:00Z (10h)
      https://github.com/CentaurusInfra/kubectl-mizar/blob/main/docs/checks.md#nodes-ready

Mizar is healthy: 1 passed
",
            );
        });
    }

    #[test]
    fn verbose_cuts_nothing_and_says_what_each_check_looks_at() {
        samples::mixed(|view| {
            let text = plain(view, Detail { wide: false, verbose: true });
            assert!(text.contains("Endpoint e-7 ") && !text.contains("more ("), "{text}");
            assert!(text.contains("  ✓ Every node is ready (all 3 nodes fine) [nodes-ready]\n"), "{text}");
            assert!(text.contains(" Reads nodes.\n"), "{text}");
        });
    }

    #[test]
    fn a_comparison_marks_what_is_new_and_names_what_is_gone() {
        samples::compared(|view| {
            let text = plain(view, Detail::default());
            assert!(text.contains("\"waits\" [droplets] new\n"), "{text}");
            assert!(text.contains("its pod is gone [leaked-endpoints]\n"), "known before: {text}");
            let part = text.split("\n\n").nth(1).unwrap();
            reads(
                part,
                "\
Since 2026-02-28T12:00:00Z: 1 new, 1 gone, 8 unchanged
  + Node node-2 Droplet: nothing, wanted <one> & \"Provisioned\" [droplets]
  - Node node-3 Droplet: nothing, wanted one [droplets]",
            );
        });
    }

    #[test]
    fn a_part_is_not_called_the_whole() {
        samples::chosen(|view| {
            let text = plain(view, Detail::default());
            assert!(text.contains("\nWhat was asked is not well: "), "{text}");
        });
    }

    #[test]
    fn ages_are_those_of_kubectl() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        for (since, expected) in [
            ("2026-03-01T11:58:30Z", "90s"),
            ("2026-03-01T11:55:00Z", "5m"),
            ("2026-03-01T02:00:00Z", "10h"),
            ("2026-02-20T12:00:00Z", "9d"),
            ("2026-03-01T13:00:00Z", "0s"),
        ] {
            assert_eq!(age(since.parse().unwrap(), now), expected);
        }
    }
}
