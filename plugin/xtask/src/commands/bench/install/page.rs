//! The results as the tables of `docs/performance.md`.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use mizar_bed::cargo;

use super::machine::Machine;
use super::stage::Link;
use super::startup::Starts;
use super::tool::{Task, Tool};
use super::{Sample, Samples};
use crate::commands::bench::table::median;
use crate::failure::Failure;

const BEGIN: &str = "<!-- Made by `cargo xtask bench install --write`: -->";
const END: &str = "<!-- End of what the command makes. -->";

/// Of the wall time of helm.
const GOAL_SLOW: f64 = 0.25;
const GOAL_DIRECT: f64 = 0.5;
const GOAL_MEGABYTES: f64 = 20.0;
const GOAL_FIRST_BYTE: Duration = Duration::from_millis(10);
const GOAL_BINARY: u64 = 10_000_000;

/// All that was measured.
pub(super) struct Results {
    pub(super) samples: Samples,
    pub(super) starts: Vec<Starts>,
    pub(super) binary_bytes: u64,
    pub(super) machine: Machine,
    pub(super) runs: u8,
    pub(super) objects: u16,
    pub(super) round_trip: Duration,
}

impl Results {
    fn median(&self, task: Task, link: Link, tool: Tool, of: impl Fn(&Sample) -> f64) -> Option<f64> {
        let samples = self.samples.get(&(task, link, tool))?;
        Some(median(samples.iter().map(of).collect()))
    }

    fn seconds(&self, task: Task, link: Link, tool: Tool) -> Option<f64> {
        self.median(task, link, tool, |sample| sample.elapsed.as_secs_f64())
    }

    /// Our time as a part of another tool's.
    fn ratio(&self, task: Task, link: Link, tool: Tool) -> Option<f64> {
        Some(self.seconds(task, link, Tool::Mizar)? / self.seconds(task, link, tool)?)
    }

    fn link_name(&self, link: Link) -> String {
        match link {
            Link::Direct => "directly".to_owned(),
            Link::Slow => format!("at {} ms", self.round_trip.as_millis()),
        }
    }
}

/// Returns what stands between the two marks of the page.
pub(super) fn markdown(results: &Results) -> String {
    let Machine { date, hardware, load, versions } = &results.machine;
    let mut text = format!(
        "{date}; {hardware}; load {} before and {} after; {}.\n{} runs of each, the median counts; the charts and {} ConfigMaps more.\n\n",
        load.0,
        load.1,
        versions.join(", "),
        results.runs,
        results.objects,
    );
    text += &goals(results);
    for link in Link::ALL {
        let _infallible = write!(text, "\n### {}\n\n{}", capital(&results.link_name(link)), tasks(results, link));
    }
    let _infallible = write!(text, "\n### Starting\n\n{}", starts(results));
    let _infallible = write!(text, "\n### What our requests are for\n\n{}", phases(results));
    text
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn goals(results: &Results) -> String {
    let mut text = String::from("| goal | measured | |\n|---|---:|---|\n");
    let mut row = |goal: String, measured: String, held: bool| {
        let held = if held { "held" } else { "**missed**" };
        let _infallible = writeln!(text, "| {goal} | {measured} | {held} |");
    };
    let tasks = [Task::Install, Task::Rerun, Task::Change, Task::Render];
    for (link, most) in [(Link::Direct, GOAL_DIRECT), (Link::Slow, GOAL_SLOW)] {
        for task in tasks {
            if let Some(ratio) = results.ratio(task, link, Tool::Helm) {
                let goal = format!("{} {}: at most {most} × helm", task.name(), results.link_name(link));
                row(goal, format!("{ratio:.2}"), ratio <= most);
            }
        }
    }
    for task in tasks {
        let own = |link| results.median(task, link, Tool::Mizar, |sample| sample.megabytes);
        if let Some(most) = Link::ALL.into_iter().filter_map(own).reduce(f64::max) {
            let goal = format!("{}: peak memory below {GOAL_MEGABYTES} MB", task.name());
            row(goal, format!("{most:.1} MB"), most < GOAL_MEGABYTES);
        }
    }
    if let Some(own) = results.starts.iter().find(|starts| starts.tool == Tool::Mizar) {
        let goal = format!("first byte of `--help` within {} ms", GOAL_FIRST_BYTE.as_millis());
        row(goal, milliseconds(own.first_byte), own.first_byte < GOAL_FIRST_BYTE);
    }
    let size = format!("{:.1} MB", megabytes(results.binary_bytes));
    row(format!("program of at most {:.0} MB", megabytes(GOAL_BINARY)), size, results.binary_bytes <= GOAL_BINARY);
    text
}

fn tasks(results: &Results, link: Link) -> String {
    let mut text = String::from(
        "| | tool | time | ours is | processor | requests | KB sent | KB received | peak memory |\n\
         |---|---|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for task in [Task::Install, Task::Rerun, Task::Change, Task::Check, Task::Render] {
        for tool in Tool::ALL {
            let median = |of: fn(&Sample) -> f64| results.median(task, link, tool, of).unwrap_or_default();
            let Some(seconds) = results.seconds(task, link, tool) else { continue };
            let ratio = results.ratio(task, link, tool).filter(|_| tool != Tool::Mizar);
            let ratio = ratio.map(|ratio| format!("{ratio:.2} ×")).unwrap_or_default();
            let on_wire = |bytes: f64| if link == Link::Slow { format!("{:.0}", bytes / 1e3) } else { String::new() };
            let name = match (tool, task) {
                (Tool::Kubectl, Task::Check) => "kubectl get",
                (Tool::Kubectl, _) => "kubectl apply",
                _ => tool.name(),
            };
            let _infallible = writeln!(
                text,
                "| {} | {name} | {seconds:.2} s | {ratio} | {:.2} s | {:.0} | {} | {} | {:.1} MB |",
                task.name(),
                median(|sample| sample.cpu.as_secs_f64()),
                median(requests),
                on_wire(median(sent)),
                on_wire(median(received)),
                median(|sample| sample.megabytes),
            );
        }
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "a table shows few digits")]
fn requests(sample: &Sample) -> f64 {
    sample.requests as f64
}

#[expect(clippy::cast_precision_loss, reason = "a table shows few digits")]
fn sent(sample: &Sample) -> f64 {
    sample.traffic.sent as f64
}

#[expect(clippy::cast_precision_loss, reason = "a table shows few digits")]
fn received(sample: &Sample) -> f64 {
    sample.traffic.received as f64
}

fn starts(results: &Results) -> String {
    let mut text = String::from("| tool | first byte of `--help` | `version --client` |\n|---|---:|---:|\n");
    for Starts { tool, first_byte, version } in &results.starts {
        let _infallible =
            writeln!(text, "| {} | {} | {} |", tool.name(), milliseconds(*first_byte), milliseconds(*version));
    }
    text
}

/// The phases of our own requests, in one run of each task.
fn phases(results: &Results) -> String {
    let mut text = String::from("| | requests | by phase |\n|---|---:|---|\n");
    for task in Task::ON_CLUSTER {
        let runs = results.samples.get(&(task, Link::Direct, Tool::Mizar));
        let Some(sample) = runs.and_then(|runs| runs.last()) else { continue };
        let phases: Vec<String> = sample.phases.iter().map(|(phase, count)| format!("{phase} {count}")).collect();
        let _infallible = writeln!(text, "| {} | {} | {} |", task.name(), sample.requests, phases.join(", "));
    }
    text
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

#[expect(clippy::cast_precision_loss, reason = "a table shows one decimal")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Puts the results into the page, in the place of the last ones; returns its path.
pub(super) fn write(results: &str) -> Result<PathBuf, Failure> {
    let path = cargo::workspace().join("docs/performance.md");
    let unusable = |source| Failure::File { path: path.clone(), source };
    let page = fs::read_to_string(&path).map_err(unusable)?;
    let Some(page) = replace(&page, results) else {
        return Err(Failure::NoPlace { path, begin: BEGIN, end: END });
    };
    fs::write(&path, page).map_err(unusable)?;
    Ok(path)
}

fn replace(page: &str, results: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", results.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_take_the_place_of_the_last_ones_and_nothing_else() {
        let page = format!("# Title\n{BEGIN}\nold\n{END}\nrest\n");
        let once = replace(&page, "new\n").unwrap();
        assert_eq!(once, format!("# Title\n{BEGIN}\n\nnew\n\n{END}\nrest\n"));
        assert_eq!(replace(&once, "new\n").unwrap(), once);
        assert_eq!(replace("# Title\n", "new"), None);
    }
}
