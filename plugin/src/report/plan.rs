//! The plan for people: objects by stage, what it costs the network, and how long it takes.

use std::fmt::Write as _;
use std::time::Duration;

use mizar_core::event::Event;
use mizar_core::plan::{Action, Change, Impact, Plan, Stage};

use super::format::{self, Format};
use super::lines::stage_title;
use super::style::{ERROR, FAINT, GOOD, STRONG, WARN};
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

/// Lays out a plan and what it does to the network.
pub(crate) fn text(plan: &Plan, impact: &Impact) -> String {
    let mut text = objects(plan, stage_title);
    impact_lines(&mut text, impact);
    text
}

/// Lays out what becomes of the objects; `title` says what a stage does.
pub(super) fn objects(plan: &Plan, title: fn(&str) -> &str) -> String {
    let mut text = String::new();
    for stage in plan.stages.iter().filter(|stage| stage.changes.iter().any(Change::writes)) {
        stage_lines(&mut text, stage, title(stage.name.as_str()));
    }
    let _infallible = writeln!(text, "{STRONG}Objects:{STRONG:#} {}", plan.counts());
    text
}

fn stage_lines(text: &mut String, stage: &Stage, title: &str) {
    let release = stage.release.as_deref().map_or_else(String::new, |release| format!(" (release {release})"));
    let _infallible = writeln!(text, "{STRONG}{title}{STRONG:#}{FAINT}{release}{FAINT:#}");
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
    let nodes = impact.nodes_with_new_daemon.len();
    if nodes == 0 {
        let _infallible =
            writeln!(text, "{STRONG}Network:{STRONG:#} no daemon starts or restarts; no pod loses its network");
    } else {
        let names = some_of(&impact.nodes_with_new_daemon);
        let _infallible = writeln!(text, "{STRONG}Daemon:{STRONG:#} starts on {nodes} nodes: {names}");
        let pods: Vec<String> = impact.pods_losing_network.values().flatten().cloned().collect();
        let _infallible = match pods.len() {
            0 => writeln!(text, "{STRONG}Network:{STRONG:#} no running pod loses its network"),
            count => writeln!(
                text,
                "{STRONG}Network:{STRONG:#} {WARN}{count} pods lose their network until they are recreated{WARN:#}: {}",
                some_of(&pods)
            ),
        };
    }
    if impact.erases_other_cni_files {
        let _infallible = writeln!(
            text,
            "{STRONG}Node files:{STRONG:#} {WARN}every other file in /etc/cni/net.d on {nodes} nodes is erased{WARN:#} (saved on the node first)"
        );
    }
    let (least, most) = (seconds(impact.expected.at_least), seconds(impact.expected.at_most));
    if most != "0 s" {
        let _infallible = writeln!(text, "{STRONG}Expected duration:{STRONG:#} {least} to {most}");
    }
}

fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 120 { format!("{seconds} s") } else { format!("{} min", seconds.div_ceil(60)) }
}

pub(super) fn some_of(names: &[String]) -> String {
    let shown = names.iter().take(NAMES_SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(NAMES_SHOWN) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}
