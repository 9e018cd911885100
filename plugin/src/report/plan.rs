//! The plan for people: objects by stage, what it costs the network, and how long it takes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use mizar_core::event::Event;
use mizar_core::plan::{Action, Basis, Change, Impact, NodeImpact, Plan, Stage};
use mizar_core::words::counted;

use super::format::{self, Format};
use super::lines::stage_title;
use super::style::{ERROR, FAINT, GOOD, HINT, STRONG, WARN};
use crate::failure::Failure;

/// How many nodes and pods are named before the rest is counted.
const NAMES_SHOWN: usize = 5;

/// How many fields of one object are shown.
const FIELDS_SHOWN: usize = 8;

/// A plan and nothing else, in any form; `made` is the event that tells it to machines.
pub(crate) fn alone(format: &Format, made: &Event, plan: &Plan, impact: &Impact) -> Result<String, Failure> {
    format.write_or(
        || made.document(),
        || match format {
            Format::Name => format::names(
                plan.changes().filter(|change| change.writes()).map(|change| change.object.resource_name()),
            ),
            _ => text(plan, impact),
        },
    )
}

/// Lays out a plan, what stands in its way, and what it does to the network.
pub(crate) fn text(plan: &Plan, impact: &Impact) -> String {
    let mut text = String::new();
    for stage in plan.stages.iter().filter(|stage| stage.changes.iter().any(Change::writes)) {
        stage_lines(&mut text, stage);
    }
    text.push_str(&obstacles(plan));
    let _infallible = writeln!(text, "{STRONG}Objects:{STRONG:#} {}", plan.counts());
    impact_lines(&mut text, impact);
    text
}

/// The same without colours, to be kept in a file.
pub(crate) fn plain(plan: &Plan, impact: &Impact) -> String {
    anstream::adapter::strip_str(&text(plan, impact)).to_string()
}

/// What stands in the way of a plan, and what to do about it.
pub(super) fn obstacles(plan: &Plan) -> String {
    let mut text = String::new();
    if plan.is_allowed() {
        return text;
    }
    let _infallible = writeln!(text, "{ERROR}In the way{ERROR:#}");
    for conflict in &plan.conflicts {
        let _infallible = writeln!(text, "  {ERROR}!{ERROR:#} {} {}", conflict.object, conflict.why);
        for field in &conflict.fields {
            let _infallible = writeln!(text, "      {field}");
        }
        let _infallible = writeln!(text, "      {HINT}hint:{HINT:#} {}", conflict.hint);
    }
    for refusal in &plan.refusals {
        let _infallible = writeln!(text, "  {ERROR}!{ERROR:#} {} {}", refusal.object, refusal.why);
        for field in refusal.fields.iter().take(FIELDS_SHOWN) {
            let _infallible = writeln!(text, "      {}", field.path);
        }
        let _infallible = writeln!(text, "      {HINT}hint:{HINT:#} {}", refusal.hint);
    }
    text
}

fn stage_lines(text: &mut String, stage: &Stage) {
    let release = stage.release.as_deref().map_or_else(String::new, |release| format!(" (release {release})"));
    let _infallible = writeln!(text, "{STRONG}{}{STRONG:#}{FAINT}{release}{FAINT:#}", stage_title(stage.name.as_str()));
    for change in &stage.changes {
        let (sign, style) = match &change.action {
            Action::Create => ("+", GOOD),
            Action::Update { .. } => ("~", WARN),
            Action::Delete => ("-", ERROR),
            Action::Keep { .. } | Action::Unchanged => continue,
        };
        let _infallible = writeln!(text, "  {style}{sign}{style:#} {}", change.object);
        if let Action::Update { fields } = &change.action {
            for field in fields.iter().take(FIELDS_SHOWN) {
                let value = |value: &Option<serde_json::Value>| {
                    value.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string)
                };
                let _infallible =
                    writeln!(text, "      {}: {} → {}", field.path, value(&field.before), value(&field.after));
            }
            if let Some(more) = fields.len().checked_sub(FIELDS_SHOWN).filter(|more| *more > 0) {
                let _infallible = writeln!(text, "      and {more} more fields (-o json shows all)");
            }
        }
    }
}

fn impact_lines(text: &mut String, impact: &Impact) {
    daemon_line(text, impact);
    if !impact.daemon_restarts.is_empty() {
        forwarding_line(text, &impact.daemon_restarts);
        budget_lines(text, &impact.daemon_restarts);
    }
    for reason in &impact.unknown {
        let _infallible = writeln!(text, "{STRONG}Unknown:{STRONG:#} {WARN}{reason}{WARN:#}");
    }
    if impact.erases_other_cni_files {
        let nodes = counted(impact.nodes_with_new_daemon.len(), "node");
        let _infallible = writeln!(
            text,
            "{STRONG}Node files:{STRONG:#} {WARN}every other file in /etc/cni/net.d on {nodes} is erased{WARN:#} (saved on the node first)"
        );
    }
    let (least, most) = (seconds(impact.expected.at_least), seconds(impact.expected.at_most));
    if most != "0 s" {
        let basis = match impact.expected.basis {
            Basis::Estimates => "an estimate",
            Basis::LastChange => "by what the last change took here",
        };
        let _infallible =
            writeln!(text, "{STRONG}Expected duration:{STRONG:#} {least} to {most} {FAINT}({basis}){FAINT:#}");
    }
}

/// Which daemons start, restart or go, and what that cuts.
fn daemon_line(text: &mut String, impact: &Impact) {
    let restarts: Vec<String> = impact.daemon_restarts.iter().map(|node| node.node.clone()).collect();
    let (what, nodes) = if !restarts.is_empty() {
        ("restarts, one after the other, on", &restarts)
    } else if !impact.nodes_losing_daemon.is_empty() {
        ("goes for good on", &impact.nodes_losing_daemon)
    } else if !impact.nodes_with_new_daemon.is_empty() {
        ("starts on", &impact.nodes_with_new_daemon)
    } else {
        let _infallible =
            writeln!(text, "{STRONG}Network:{STRONG:#} no daemon starts or restarts; no pod loses its network");
        return;
    };
    let _infallible =
        writeln!(text, "{STRONG}Daemon:{STRONG:#} {what} {}: {}", counted(nodes.len(), "node"), some_of(nodes));
    let pods: Vec<String> = impact.pods_losing_network.values().flatten().cloned().collect();
    let _infallible = match pods.len() {
        0 => writeln!(text, "{STRONG}Network:{STRONG:#} no running pod loses its network"),
        1 => writeln!(
            text,
            "{STRONG}Network:{STRONG:#} {WARN}1 pod loses its network until it is recreated{WARN:#}: {}",
            pods[0]
        ),
        all => writeln!(
            text,
            "{STRONG}Network:{STRONG:#} {WARN}{all} pods lose their network until they are recreated{WARN:#}: {}",
            some_of(&pods)
        ),
    };
}

/// What forwards for pods of other nodes, too.
fn forwarding_line(text: &mut String, nodes: &[NodeImpact]) {
    let on = |parts: &dyn Fn(&NodeImpact) -> usize| {
        let there = nodes.iter().filter(|node| parts(node) > 0);
        let names: Vec<String> = there.clone().map(|node| node.node.clone()).collect();
        (there.map(parts).sum::<usize>(), names)
    };
    for (what, (parts, names)) in
        [("Bouncer", on(&|node| node.bouncers.len())), ("Divider", on(&|node| node.dividers.len()))]
    {
        if parts > 0 {
            let _infallible =
                writeln!(text, "{STRONG}{what}s:{STRONG:#} {} on {}", counted(parts, what), some_of(&names));
        }
    }
}

/// The budgets in the way, each once for all nodes.
fn budget_lines(text: &mut String, nodes: &[NodeImpact]) {
    let mut budgets: BTreeMap<&str, (u32, usize, Vec<String>)> = BTreeMap::new();
    for (node, budget) in nodes.iter().flat_map(|node| node.budgets.iter().map(move |budget| (node, budget))) {
        let entry = budgets.entry(&budget.budget).or_insert((budget.allowed, 0, Vec::new()));
        entry.1 += budget.pods.len();
        entry.2.push(node.node.clone());
    }
    if budgets.is_empty() {
        return;
    }
    let _infallible = writeln!(
        text,
        "{STRONG}In the way of evictions:{STRONG:#} {WARN}{}{WARN:#}",
        counted(budgets.len(), "PodDisruptionBudget")
    );
    for (name, (allowed, pods, nodes)) in budgets.iter().take(NAMES_SHOWN) {
        let allows = match allowed {
            0 => "allows no disruption now".to_owned(),
            allowed => format!("allows {} at a time", counted(*allowed as usize, "disruption")),
        };
        let _infallible = writeln!(text, "  {name} {allows}: {} on {}", counted(*pods, "pod"), some_of(nodes));
    }
    if let Some(more) = budgets.len().checked_sub(NAMES_SHOWN).filter(|more| *more > 0) {
        let _infallible = writeln!(text, "  and {more} more (-o json shows all)");
    }
}

fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 120 { format!("{seconds} s") } else { format!("{} min", seconds.div_ceil(60)) }
}

fn some_of(names: &[String]) -> String {
    let shown = names.iter().take(NAMES_SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(NAMES_SHOWN) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}
