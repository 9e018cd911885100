//! What a check is: its meaning, what it reads, what to do. And the list of all.

use std::fmt::Write as _;

use mizar_core::check::{Check, Phase, word};

use super::PAGES;
use crate::report::style::STRONG;
use crate::report::table::columns;

/// Explains one check.
pub(crate) fn one(check: &Check) -> String {
    let reads: Vec<String> = check.sources.iter().map(|source| source.noun().to_owned()).collect();
    let rights: Vec<String> = check.sources.iter().map(|source| source.right()).collect();
    let asked: Vec<&str> = check.phases.iter().map(|phase| command(*phase)).collect();
    let rows = [
        ("Severity", word(&check.severity)),
        ("Category", word(&check.category)),
        ("Asked by", asked.join(", ")),
        ("Reads", reads.join(", ")),
        ("Rights", rights.join(", ")),
        ("To do", check.hint.to_owned()),
        ("More", format!("{PAGES}{}", check.doc())),
    ];
    let mut text = format!("{STRONG}{}{STRONG:#}: {}\n\n{}\n\n", check.id, check.title, check.about);
    for (name, value) in rows {
        let _infallible = writeln!(text, "{:<10} {value}", format!("{name}:"));
    }
    text
}

/// Lists checks.
pub(crate) fn list<'a>(checks: impl Iterator<Item = &'a Check>) -> String {
    let rows: Vec<Vec<String>> = checks
        .map(|check| {
            let asked: Vec<String> = check.phases.iter().map(word).collect();
            vec![
                check.id.to_owned(),
                word(&check.category),
                word(&check.severity),
                asked.join(","),
                check.title.to_owned(),
            ]
        })
        .collect();
    columns(&["id", "category", "severity", "phase", "fine when"], &rows)
}

const fn command(phase: Phase) -> &'static str {
    match phase {
        Phase::Preflight => "kubectl mizar check --pre",
        Phase::Health => "kubectl mizar check",
    }
}

#[cfg(test)]
mod tests {
    use mizar_core::check::lookup;

    use super::*;

    #[test]
    fn a_check_is_explained_with_what_it_needs_and_what_to_do() {
        let text = one(lookup("nodes-ready").unwrap());
        let text = anstream::adapter::strip_str(&text).to_string();
        let about = lookup("nodes-ready").unwrap().about;
        assert_eq!(
            text,
            format!(
                "nodes-ready: Every node is ready

{about}

Severity:  blocker
Category:  nodes
Asked by:  kubectl mizar check
Reads:     nodes
Rights:    list nodes
To do:     `kubectl describe node NAME` tells why
More:      https://github.com/CentaurusInfra/kubectl-mizar/blob/main/docs/checks.md#nodes-ready
"
            )
        );
    }

    #[test]
    fn the_list_has_a_line_for_each_check() {
        let checks = [lookup("system-source").unwrap(), lookup("daemon").unwrap()];
        assert_eq!(
            list(checks.into_iter()),
            "\
ID              CATEGORY       SEVERITY   PHASE              FINE WHEN
system-source   installation   blocker    preflight,health   The operator can tell what kind of cluster this is
daemon          components     blocker    health             A daemon is ready on every node
"
        );
    }
}
