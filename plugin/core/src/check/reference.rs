//! The reference of all checks, made from the table; `docs/checks.md` is held to it by a test.

use std::fmt::Write;

use super::{CHECKS, Category, Check, Phase, Severity};
use crate::facts::Source;

const HEAD: &str = "# Checks

`kubectl mizar check` judges an installation and `kubectl mizar check --pre` whether one may start. Neither changes
anything: the program reads lists and asks the server what you may do. Every check is one of

| status | means | exit code of `check` |
|---|---|---|
| pass | all is well | 0 |
| warn | it works, but somebody should look | 0 |
| skipped | it does not apply here | 0 |
| unknown | it could not be decided; the message names the right or the reason | 1 for a blocker, else 0 |
| fail | it is not well | 1 |

An install runs the preflight checks first and is refused (exit code 3) by the same results that make `check` end with 1.
Where a finding is about objects that are known, the hint names them instead of NAME. The ids are stable. This page is
made from the table in `plugin/core/src/check/catalog.rs` by `MIZAR_BLESS=1 cargo test --test cli`; how to add a row is
told in [adding-a-check.md](adding-a-check.md).
";

/// Returns the text of `docs/checks.md`.
#[must_use]
pub fn reference_markdown() -> String {
    let mut page = HEAD.to_owned();
    for (phase, title) in [
        (Phase::Preflight, "Before an install (`kubectl mizar check --pre`)"),
        (Phase::Health, "Afterwards (`kubectl mizar check`)"),
    ] {
        let mut rows = String::new();
        for check in CHECKS.iter().filter(|check| check.phases.contains(&phase)) {
            let (id, severity) = (check.id, severity(check.severity));
            writeln!(rows, "| [{id}](#{id}) | {severity} | {} |", check.title).expect(INFALLIBLE);
        }
        write!(page, "\n## {title}\n\n| id | severity | fine when |\n|---|---|---|\n{rows}").expect(INFALLIBLE);
    }
    page.push_str("\n## Every check\n");
    for check in CHECKS {
        page.push_str(&section(check));
    }
    page
}

const INFALLIBLE: &str = "writing to a String cannot fail";

fn section(check: &Check) -> String {
    let phases: Vec<&str> = check.phases.iter().map(|phase| self::phase(*phase)).collect();
    let sources: Vec<String> = check.sources.iter().map(|source| format!("`{}`", source_name(*source))).collect();
    format!(
        "\n### {}\n\n{}. {}\n\n- {}, {}; {}\n- reads: {}\n- what to do: {}\n",
        check.id,
        check.title,
        check.about,
        category(check.category),
        severity(check.severity),
        phases.join(" and "),
        if sources.is_empty() { "nothing of the cluster".to_owned() } else { sources.join(", ") },
        check.hint,
    )
}

const fn source_name(source: Source) -> &'static str {
    source.noun()
}

const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Preflight => "preflight",
        Phase::Health => "health",
    }
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Blocker => "blocker",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

const fn category(category: Category) -> &'static str {
    match category {
        Category::Access => "access",
        Category::Nodes => "nodes",
        Category::Installation => "installation",
        Category::Components => "components",
        Category::Network => "network",
        Category::Services => "services",
        Category::Pods => "pods",
        Category::Arktos => "arktos",
    }
}
