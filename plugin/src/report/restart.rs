//! The plan of a restart of the operator, for people.

use std::fmt::Write as _;

use mizar_core::restart::RestartPlan;

use super::style::{GOOD, STRONG, WARN};

/// How many names are shown before the rest is counted.
const NAMES_SHOWN: usize = 5;

/// Lays out what is touched and what is cut.
pub(crate) fn text(plan: &RestartPlan) -> String {
    let mut text = String::new();
    let mut line = |title: &str, names: &[String]| {
        if !names.is_empty() {
            let _infallible = writeln!(text, "{STRONG}{title}:{STRONG:#} {}", some_of(names));
        }
    };
    let operators = if plan.operators.is_empty() { vec!["none runs".to_owned()] } else { plan.operators.clone() };
    line("Operator, restarted", &operators);
    line("Nodes, cordoned meanwhile", &plan.nodes);
    line("Nodes that others have cordoned, left so", &plan.cordoned_by_others);
    line("Leaks, deleted", &plan.leaks.iter().map(ToString::to_string).collect::<Vec<_>>());
    line("Subnets, marked for the new operator", &plan.subnets);
    let held: Vec<String> = plan.placeholders.iter().map(|held| held.ip.to_string()).collect();
    line("Addresses, each held by a placeholder", &held);
    line("Bouncers, made anew on any node", &plan.bouncers);
    line(
        "Bouncers and Dividers that are gone, made again",
        &plan.parts.iter().map(ToString::to_string).collect::<Vec<_>>(),
    );
    line("Pods that wait for an address, created again", &plan.recreated);
    let warn = |text: &mut String, title: &str, names: &[String]| {
        if !names.is_empty() {
            let _infallible = writeln!(text, "{WARN}{title}:{WARN:#} {}", some_of(names));
        }
    };
    let title = "Pods that wait for an address and cannot be held back; they may get one that is in use";
    warn(&mut text, title, &plan.not_held_back);
    let title = "New pods of these come to cordoned nodes and may get an address that is in use";
    warn(&mut text, title, &plan.not_stopped);
    let _infallible = writeln!(
        text,
        "{STRONG}Network:{STRONG:#} {GOOD}no pod that runs loses it{GOOD:#}; until the end no new pod comes to a node, and no \
         new service works"
    );
    let _infallible = writeln!(
        text,
        "{STRONG}Expected duration:{STRONG:#} 30 s to 3 min; an operator that ignores the request to stop is killed after \
         its grace period"
    );
    text
}

fn some_of(names: &[String]) -> String {
    let shown = names.iter().take(NAMES_SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(NAMES_SHOWN) {
        Some(more) if more > 0 => format!("{shown} and {more} more ({} in all)", names.len()),
        _ => shown,
    }
}
