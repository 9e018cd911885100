//! What an upgrade restarts, for people: values, nodes in order with what leaves them, the operator.

use std::fmt::Write as _;

use mizar_core::plan::FieldChange;
use mizar_core::upgrade::{Pair, Turn, UpgradePlan, ValueChanges};
use mizar_core::words::counted;
use serde_json::Value;

use super::style::{FAINT, STRONG, WARN};

/// How many nodes and values are named before the rest is counted.
const SHOWN: usize = 8;

/// Lays out what an upgrade restarts.
pub(crate) fn text(plan: &UpgradePlan) -> String {
    let mut text = String::new();
    text.push_str(&values(&plan.values));
    if plan.restarts_nothing() {
        let _infallible = writeln!(text, "{STRONG}Restarts:{STRONG:#} none; no node is touched");
        return text;
    }
    if plan.pair != Pair::Compatible {
        let _infallible = writeln!(text, "{STRONG}Versions:{STRONG:#} {WARN}{}{WARN:#}", plan.pair);
    }
    nodes(&mut text, plan);
    let _infallible = if plan.restarts_operator || plan.window {
        writeln!(
            text,
            "{STRONG}Operator:{STRONG:#} restarted the safe way, last; no new pod gets a network for about a minute"
        )
    } else {
        writeln!(text, "{STRONG}Operator:{STRONG:#} goes on as it is")
    };
    text
}

/// The same without colours, to be kept in a file.
pub(crate) fn plain(plan: &UpgradePlan) -> String {
    anstream::adapter::strip_str(&text(plan)).to_string()
}

fn nodes(text: &mut String, plan: &UpgradePlan) {
    if plan.turns.is_empty() {
        let _infallible = writeln!(text, "{STRONG}Nodes:{STRONG:#} no daemon is replaced; no pod loses its network");
        return;
    }
    let how = match (plan.window, plan.drains) {
        (true, _) => "all at once, with no operator; every pod there loses its network until it is recreated",
        (false, true) => "one at a time, drained first",
        (false, false) => "one at a time, not drained; their pods lose the network until they are recreated",
    };
    let _infallible =
        writeln!(text, "{STRONG}Nodes:{STRONG:#} {} get a new daemon, {how}", counted(plan.turns.len(), "node"));
    for turn in plan.turns.iter().take(SHOWN) {
        let _infallible = writeln!(text, "  {}{FAINT}{}{FAINT:#}", turn.node, takes(turn, plan.drains && !plan.window));
    }
    if let Some(more) = plan.turns.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        let _infallible = writeln!(text, "  and {more} more nodes (-o json shows all)");
    }
    if !plan.unreachable.is_empty() {
        let _infallible =
            writeln!(text, "  {WARN}left out, since they do not answer: {}{WARN:#}", plan.unreachable.join(", "));
    }
}

fn takes(turn: &Turn, drains: bool) -> String {
    let mut parts = Vec::new();
    if !turn.leaving.is_empty() {
        let verb = if drains { "evicted" } else { "cut" };
        parts.push(format!("{} {verb}", counted(turn.leaving.len(), "pod")));
    }
    if !turn.coming_back.is_empty() {
        parts.push(format!("{} of DaemonSets recreated", counted(turn.coming_back.len(), "pod")));
    }
    if !turn.moving.is_empty() {
        let names: Vec<String> = turn.moving.iter().map(ToString::to_string).collect();
        parts.push(format!("{} placed elsewhere", names.join(", ")));
    }
    if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) }
}

/// Lays out what becomes of values.
pub(super) fn values(changes: &ValueChanges) -> String {
    let mut text = String::new();
    some_values(&mut text, "Values that you chose", &changes.choices);
    some_values(&mut text, "Defaults of the chart that changed", &changes.defaults);
    text
}

fn some_values(text: &mut String, title: &str, changes: &[FieldChange]) {
    if changes.is_empty() {
        return;
    }
    let _infallible = writeln!(text, "{STRONG}{title}:{STRONG:#}");
    let shown = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
    for change in changes.iter().take(SHOWN) {
        let _infallible = writeln!(text, "  {}: {} → {}", change.path, shown(&change.before), shown(&change.after));
    }
    if let Some(more) = changes.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        let _infallible = writeln!(text, "  and {more} more (-o json shows all)");
    }
}
