//! Plain lines on stderr, for pipes and logs: a line when something begins or ends, and now and then one about what goes on.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use mizar_core::event::{ApplyResult, Event, ReadSoFar, StepResult};
use mizar_core::repair::Remedy;
use mizar_core::uninstall::NodeState;

use super::pace::Pace;
use super::style::{ERROR, FAINT, GOOD, HINT, STRONG, WARN, mark};
use super::{Reporter, note};

/// Writes lines.
pub(crate) struct Lines {
    quiet: bool,
    pace: Mutex<Pace>,
}

impl Lines {
    /// Shows everything.
    pub(crate) fn new() -> Self {
        Self { quiet: false, pace: Mutex::default() }
    }

    /// Shows warnings and findings only.
    pub(crate) fn quiet() -> Self {
        Self { quiet: true, pace: Mutex::default() }
    }
}

impl Reporter for Lines {
    fn event(&self, event: &Event) {
        if self.quiet && !matches!(event, Event::FindingMade { .. } | Event::Warning { .. }) {
            return;
        }
        let is_news = self.pace.lock().unwrap_or_else(PoisonError::into_inner).is_news(event, Instant::now());
        if is_news && let Some(line) = line(event) {
            note(&line);
        }
    }
}

/// The line for an event; none for those that say nothing new.
pub(super) fn line(event: &Event) -> Option<String> {
    Some(match event {
        Event::Started { command, clusters, .. } => {
            let servers: Vec<&str> = clusters.iter().map(|cluster| cluster.server.as_str()).collect();
            format!("{STRONG}{command}{STRONG:#} on {}", servers.join(" and "))
        }
        Event::StepStarted { step } => format!("{STRONG}{step}{STRONG:#}"),
        Event::StepFinished { summary, result, .. } => format!("  {} {summary}", sign(*result)),
        Event::FindingMade { status, message, hint, check } => {
            let (sign, style) = mark(*status);
            let mut line = format!("  {style}{sign}{style:#} {message} {FAINT}[{check}]{FAINT:#}");
            if let Some(hint) = hint {
                let _infallible = write!(line, "\n    {HINT}hint:{HINT:#} {hint}");
            }
            line
        }
        Event::ReadingProgressed { read, elapsed } => {
            format!("  reading: {} {FAINT}({}){FAINT:#}", read_so_far(read), clock(*elapsed))
        }
        Event::Resumed { from, stage, .. } => {
            let place = stage.as_ref().map_or_else(String::new, |stage| format!(", which stopped at {stage}"));
            format!("  going on with what {from} began{place}")
        }
        Event::WaitedForHolder { holder, expires_in, .. } => {
            format!("  {WARN}!{WARN:#} {holder} may still be at it; watching for {}", clock(*expires_in))
        }
        Event::StageStarted { stage, .. } => format!("  {} …", stage_title(stage)),
        Event::StageProgressed { stage, done, total, waiting_for, elapsed } => {
            format!("  {stage} {done}/{total}{} {FAINT}({}){FAINT:#}", waiting(waiting_for), clock(*elapsed))
        }
        Event::WaitingLooked { stage, troubles, last_event, elapsed } => {
            let mut lines: Vec<String> = troubles
                .iter()
                .map(|trouble| format!("  {WARN}!{WARN:#} {stage}: {trouble} {FAINT}({}){FAINT:#}", clock(*elapsed)))
                .collect();
            lines.extend(last_event.iter().map(|event| format!("    last event: {event}")));
            lines.join("\n")
        }
        Event::StageFinished { stage, summary, elapsed, result } => {
            format!("  {} {}: {summary} {FAINT}({}){FAINT:#}", sign(*result), stage_title(stage), clock(*elapsed))
        }
        Event::NodeCleaned { node, state, told } => node_line(node, *state, told),
        Event::Warning { message, .. } => format!("{WARN}warning:{WARN:#} {message}"),
        Event::Hint { message } => format!("{HINT}next:{HINT:#} {message}"),
        Event::Finished { outcome, elapsed, requests, .. } if outcome.is_success() => {
            format!("{GOOD}✓ {outcome}{GOOD:#} {FAINT}({}, {requests} requests){FAINT:#}", clock(*elapsed))
        }
        Event::Finished { outcome, elapsed, .. } => {
            format!("{ERROR}✗ {outcome}{ERROR:#} {FAINT}({}){FAINT:#}", clock(*elapsed))
        }
        Event::ObjectApplied { result: ApplyResult::Unchanged | ApplyResult::Kept, .. }
        | Event::PlanMade { .. }
        | Event::RepairPlanned { .. }
        // The failure says it, too.
        | Event::EvidenceCollected { .. }
        | Event::UninstallPlanned { .. }
        | Event::UpgradePlanned { .. }
        | Event::Failed { .. } => return None,
        Event::ObjectApplied { object, result, .. } => format!("    {FAINT}{result} {object}{FAINT:#}"),
    })
}

/// What became of one node.
fn node_line(node: &str, state: NodeState, told: &[String]) -> String {
    let told = if told.is_empty() { "nothing of Mizar was found".to_owned() } else { told.join(", ") };
    match state {
        NodeState::Clean => format!("    {GOOD}✓{GOOD:#} node {node}: {FAINT}{told}{FAINT:#}"),
        NodeState::Skipped => format!("    - node {node}: left as it is"),
        NodeState::Failed | NodeState::Pending => format!("    {ERROR}✗{ERROR:#} node {node}: {told}"),
    }
}

fn sign(result: StepResult) -> String {
    match result {
        StepResult::Succeeded => format!("{GOOD}✓{GOOD:#}"),
        StepResult::Skipped => "-".to_owned(),
        StepResult::Failed | StepResult::TimedOut => format!("{ERROR}✗{ERROR:#}"),
    }
}

/// What a stage does, for people.
pub(super) fn stage_title(stage: &str) -> &str {
    match stage {
        "namespace" => "namespace",
        "access" => "accounts and roles",
        "definitions" => "definitions of Mizar's objects",
        "configuration" => "configuration",
        "network" => "own pod network",
        "daemon" => "daemon on every eligible node",
        "operator" => "operator",
        "droplets" => "one Droplet per node",
        "vpcs" => "the network vpc0",
        "dividers" => "its Dividers",
        "subnets" => "the subnet net0",
        "bouncers" => "its Bouncers",
        "host endpoints" => "one host endpoint per node",
        "recreate-pods" => "pods that are older than Mizar",
        "leaks" => "what an earlier operator left behind",
        "cordon" => "no new pods on the nodes for now",
        "waiting-pods" => "pods that wait for an address: created again",
        "stop-operator" => "the operator ends",
        "hold-addresses" => "addresses in use are held",
        "start-operator" => "the operator starts",
        "rewire" => "the new operator takes the network over",
        "uncordon" => "new pods on the nodes again",
        "checks" => "waiting until all is well",
        "facts" => "facts and checks",
        "objects" => "objects, events, records and logs",
        "operator-gone" => "the operator ends, and is gone",
        "export" => "custom resources are saved",
        "custom-resources" => "custom resources are deleted",
        "traces" => "what the operator left on other objects",
        "daemon-gone" => "the daemons end, and are gone",
        "clean-nodes" => "nodes are cleaned",
        "release" => "accounts, roles and configuration",
        "definitions-gone" => "definitions of Mizar's objects are deleted",
        "records" => "records of the releases",
        "namespace-gone" => "the namespace is deleted",
        other => other.parse::<Remedy>().map_or(other, |remedy| remedy.title()),
    }
}

/// `31,000 pods, 5,000 nodes`: the three that are most.
pub(super) fn read_so_far(read: &[ReadSoFar]) -> String {
    if read.is_empty() {
        return "nothing yet".to_owned();
    }
    let told = read.iter().take(3).map(|part| format!("{} {}", thousands(part.count), part.what));
    told.collect::<Vec<_>>().join(", ")
}

/// A number with its digits in threes.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What is missing and why, behind a count.
pub(super) fn waiting(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(": {}", names.join("; ")) }
}

/// `4.2 s`, `1 min 05 s`.
pub(super) fn clock(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    if seconds < 60 {
        format!("{:.1} s", elapsed.as_secs_f64())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_line_names_the_three_largest_lists() {
        let read = [("pods", 31_000), ("nodes", 5_000), ("droplets.mizar.com", 999), ("secrets", 2)];
        let read = read.map(|(what, count)| ReadSoFar { what: what.into(), count });
        assert_eq!(read_so_far(&read), "31,000 pods, 5,000 nodes, 999 droplets.mizar.com");
        assert_eq!(read_so_far(&[]), "nothing yet");
        assert_eq!(thousands(1_234_567), "1,234,567");
    }

    #[test]
    fn clocks_read_well() {
        assert_eq!(clock(Duration::from_millis(4210)), "4.2 s");
        assert_eq!(clock(Duration::from_secs(65)), "1 min 05 s");
    }

    #[test]
    fn a_waiting_line_names_what_it_waits_for() {
        let event = Event::StageProgressed {
            stage: "daemon".into(),
            done: 2,
            total: 3,
            waiting_for: vec!["node-3 (ImagePullBackOff)".into()],
            elapsed: Duration::from_secs(12),
        };
        let plain = anstream::adapter::strip_str(&line(&event).unwrap()).to_string();
        assert_eq!(plain, "  daemon 2/3: node-3 (ImagePullBackOff) (12.0 s)");
    }
}
