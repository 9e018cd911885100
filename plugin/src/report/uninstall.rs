//! The plan of an uninstall for people: what goes, what is cleaned, who loses the network, what stays.

use std::fmt::Write as _;

use mizar_core::event::Event;
use mizar_core::uninstall::{Stays, UninstallPlan};
use mizar_core::words::counted;

use super::format::{self, Format};
use super::lines::stage_title;
use super::plan::{expected_line, some_of, titled};
use super::style::{FAINT, GOOD, STRONG, WARN};
use crate::failure::Failure;

/// A plan and nothing else, in any form; `planned` is the event that tells it to machines.
pub(crate) fn alone(format: &Format, planned: &Event, plan: &UninstallPlan, export: &str) -> Result<String, Failure> {
    format.write_or(
        || planned.document(),
        || match format {
            Format::Name => format::names(
                plan.objects.changes().filter(|change| change.writes()).map(|change| change.object.resource_name()),
            ),
            _ => text(plan, export),
        },
    )
}

/// Lays out a plan.
pub(crate) fn text(plan: &UninstallPlan, export: &str) -> String {
    let mut text = String::new();
    if plan.is_empty() {
        let _infallible = writeln!(text, "{GOOD}Nothing of Mizar is here that would go.{GOOD:#}");
        stays(&mut text, &plan.stays);
        return text;
    }
    text.push_str(&titled(&plan.objects, title));
    let saved = plan.objects.changes().filter(|change| change.object.group() == "mizar.com").count();
    if saved > 0 {
        let what = counted(saved, "custom resource");
        let _infallible = writeln!(text, "{STRONG}Saved first:{STRONG:#} {what}, in {export}");
    }
    if !plan.traces.is_empty() {
        let kinds: Vec<String> = plan.traces.iter().map(|(kind, count)| of_kind(*count, kind)).collect();
        let _infallible =
            writeln!(text, "{STRONG}Finalizers and notes of the operator:{STRONG:#} taken off {}", kinds.join(", "));
    }
    if !plan.releases.is_empty() {
        let _infallible = writeln!(text, "{STRONG}Releases that end:{STRONG:#} {}", plan.releases.join(", "));
    }
    nodes(&mut text, plan);
    network(&mut text, plan);
    expected_line(&mut text, plan.impact.expected);
    stays(&mut text, &plan.stays);
    text
}

/// The same without colours, to be kept in a file.
pub(crate) fn plain(plan: &UninstallPlan, export: &str) -> String {
    anstream::adapter::strip_str(&text(plan, export)).to_string()
}

/// What becomes of the objects of a stage, which here is always the same.
fn title(stage: &str) -> &str {
    match stage {
        "network" => "custom resources",
        "daemon" => "daemon",
        other => stage_title(other),
    }
}

/// `Endpoints` is the name of one.
fn of_kind(count: usize, kind: &str) -> String {
    if kind.ends_with('s') { format!("{count} {kind}") } else { counted(count, kind) }
}

fn nodes(text: &mut String, plan: &UninstallPlan) {
    if !plan.nodes.is_empty() {
        let names = some_of(&plan.nodes);
        let _infallible = writeln!(text, "{STRONG}Cleaned:{STRONG:#} {}: {names}", counted(plan.nodes.len(), "node"));
    }
    for node in &plan.unreachable {
        let _infallible = writeln!(text, "{WARN}Not cleaned now:{WARN:#} node {}: {}", node.node, node.why);
    }
}

fn network(text: &mut String, plan: &UninstallPlan) {
    let pods: Vec<String> = plan.pods_losing_network.values().flatten().cloned().collect();
    if pods.is_empty() {
        let _infallible = writeln!(text, "{STRONG}Network:{STRONG:#} no running pod loses its network");
        return;
    }
    let on = counted(plan.pods_losing_network.len(), "node");
    let _infallible = writeln!(
        text,
        "{STRONG}Network:{STRONG:#} {WARN}{} on {on} lose their network until another one is installed and they are recreated{WARN:#}: {}",
        counted(pods.len(), "pod"),
        some_of(&pods)
    );
    let depends = &plan.depends;
    let services = match depends.services.len() {
        0 => String::new(),
        count => format!("{} ({}), ", counted(count, "Service"), some_of(&depends.services)),
    };
    let _infallible = writeln!(
        text,
        "  {FAINT}with it stop {services}{} and {}{FAINT:#}",
        counted(depends.bouncers, "Bouncer"),
        counted(depends.dividers, "Divider")
    );
}

/// Lays out what is left: what stays for one reason, in one line.
pub(crate) fn stays(text: &mut String, stays: &[Stays]) {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for left in stays {
        match reasons.iter_mut().find(|(why, _)| *why == left.why) {
            Some((_, things)) => things.push(&left.what),
            None => reasons.push((&left.why, vec![&left.what])),
        }
    }
    for (why, things) in reasons {
        let _infallible = writeln!(text, "{STRONG}Stays:{STRONG:#} {} {FAINT}({why}){FAINT:#}", things.join(", "));
    }
}
