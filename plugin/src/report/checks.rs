//! The report of checks for people: by category, one line a check, evidence and hint where something is to be done.

use std::fmt::Write as _;

use mizar_core::check::{Category, CheckResult, Phase, Report, Status};

use super::style::{ERROR, FAINT, GOOD, HINT, STRONG, WARN, mark};

/// How many pieces of evidence a check shows.
const EVIDENCE_SHOWN: usize = 5;

/// Lays out a report.
pub(crate) fn table(report: &Report, phase: Phase) -> String {
    let mut text = String::new();
    let mut categories: Vec<Category> = report.results.iter().map(|result| result.category).collect();
    categories.sort();
    categories.dedup();
    for category in categories {
        let _infallible = writeln!(text, "{STRONG}{}{STRONG:#}", title(category));
        report.results.iter().filter(|result| result.category == category).for_each(|result| row(&mut text, result));
    }
    let (verdict, style) = match (report.is_clear(), report.worst()) {
        (false, _) if phase == Phase::Preflight => ("Mizar cannot be installed here yet", ERROR),
        (false, _) => ("Mizar is not healthy", ERROR),
        (true, Status::Pass | Status::Skipped) if phase == Phase::Preflight => ("Mizar can be installed here", GOOD),
        (true, Status::Pass | Status::Skipped) => ("Mizar is healthy", GOOD),
        (true, _) if phase == Phase::Preflight => ("Mizar can be installed here; read the warnings first", WARN),
        (true, _) => ("Mizar works; read the warnings", WARN),
    };
    let _infallible = writeln!(text, "\n{style}{verdict}{style:#}: {}", report.summary());
    text
}

fn row(text: &mut String, result: &CheckResult) {
    let (sign, style) = mark(result.status);
    let id = &result.id;
    let (title, message) = (&result.title, &result.message);
    if !result.status.asks_for_action() {
        let _infallible = writeln!(text, "  {style}{sign}{style:#} {title} {FAINT}({message}){FAINT:#}");
        return;
    }
    let _infallible = writeln!(text, "  {style}{sign}{style:#} {message} {FAINT}[{id}]{FAINT:#}");
    for seen in result.evidence.iter().take(EVIDENCE_SHOWN) {
        let _infallible = writeln!(
            text,
            "      {FAINT}{} {}: {}, wanted {}{FAINT:#}",
            seen.object,
            seen.field,
            or_blank(&seen.seen),
            or_blank(&seen.wanted)
        );
    }
    if let Some(more) = result.evidence.len().checked_sub(EVIDENCE_SHOWN).filter(|more| *more > 0) {
        let _infallible = writeln!(text, "      {FAINT}and {more} more (-o json shows all){FAINT:#}");
    }
    if let Some(hint) = &result.hint {
        let _infallible = writeln!(text, "      {HINT}hint:{HINT:#} {hint}");
    }
}

fn or_blank(text: &str) -> &str {
    if text.is_empty() { "nothing" } else { text }
}

fn title(category: Category) -> &'static str {
    match category {
        Category::Access => "Access",
        Category::Nodes => "Nodes",
        Category::Installation => "Installation",
        Category::Components => "Components",
        Category::Network => "Network",
        Category::Services => "Services",
        Category::Pods => "Pods",
        Category::Arktos => "Arktos",
    }
}
