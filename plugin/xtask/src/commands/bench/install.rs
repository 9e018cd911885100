//! `cargo xtask bench install`: the same chart installed, installed again and changed by three tools on one control plane,
//! directly and over a long wire; and how fast each starts and renders.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use self::page::Results;
use self::stage::{Link, Stage};
use self::tool::{Task, Tool};
use self::wire::Traffic;
use super::measured::Run;
use crate::commands::dist;
use crate::failure::Failure;
use crate::report;

mod chart;
mod machine;
mod page;
mod stage;
mod startup;
mod tool;
mod wire;

#[derive(Debug, Clone, Args)]
#[group(id = "install")]
pub(crate) struct Arguments {
    /// How often each is run on each link; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..))]
    runs: u8,
    /// How many ConfigMaps are added to the chart
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    objects: u16,
    /// The round trip of the long wire, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    delay: u16,
    /// A kubectl-mizar that is built already; otherwise a release is built
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Write the results into docs/performance.md
    #[arg(long)]
    write: bool,
}

/// What one task took, all its commands together.
#[derive(Debug, Clone, Default)]
struct Sample {
    elapsed: Duration,
    cpu: Duration,
    /// Of the program alone, without what it starts; the most of its commands.
    megabytes: f64,
    requests: usize,
    /// Requests by the phase that the User-Agent names; ours alone has phases.
    phases: BTreeMap<String, usize>,
    traffic: Traffic,
}

impl Sample {
    fn add(&mut self, run: &Run) {
        self.elapsed += run.elapsed;
        self.cpu += run.cpu;
        self.megabytes = self.megabytes.max(run.own_megabytes);
    }
}

type Samples = BTreeMap<(Task, Link, Tool), Vec<Sample>>;

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let binary = match &arguments.binary {
        // Commands run in other folders.
        Some(binary) => binary.canonicalize().map_err(|source| Failure::File { path: binary.clone(), source })?,
        None => dist::program()?,
    };
    let before = machine::load();
    let round_trip = Duration::from_millis(arguments.delay.into());
    let stage = Stage::open(binary, arguments.objects, round_trip)?;
    let mut samples = Samples::new();
    // The first round only fills the caches of the tools and of the server.
    for round in 0..=arguments.runs {
        for link in Link::ALL {
            // Each tool is the first one at times.
            for turn in 0..Tool::ALL.len() {
                let tool = Tool::ALL[(turn + usize::from(round)) % Tool::ALL.len()];
                for (task, sample) in visit(&stage, link, tool)? {
                    tell(round, arguments.runs, link, tool, task, &sample);
                    if round > 0 {
                        samples.entry((task, link, tool)).or_default().push(sample);
                    }
                }
            }
        }
    }
    let starts = startup::measure(&stage)?;
    let results = Results {
        samples,
        starts,
        binary_bytes: stage.binary_bytes()?,
        machine: machine::Machine::of(&stage, before)?,
        runs: arguments.runs,
        objects: arguments.objects,
        round_trip,
    };
    let text = page::markdown(&results);
    if arguments.write {
        report::status(&format!("written: {}", page::write(&text)?.display()));
    }
    report::data(&text);
    Ok(ExitCode::SUCCESS)
}

/// One tool does all its tasks on a cluster that has nothing of Mizar.
fn visit(stage: &Stage, link: Link, tool: Tool) -> Result<Vec<(Task, Sample)>, Failure> {
    stage.clean()?;
    let mut done = Vec::new();
    for task in Task::ON_CLUSTER {
        done.extend(stage.perform(link, tool, task)?.map(|sample| (task, sample)));
    }
    // Needs no cluster, so that no link is longer than another.
    if link == Link::Direct {
        done.extend(stage.perform(link, tool, Task::Render)?.map(|sample| (Task::Render, sample)));
    }
    Ok(done)
}

fn tell(round: u8, runs: u8, link: Link, tool: Tool, task: Task, sample: &Sample) {
    let round = if round == 0 { "warm-up".to_owned() } else { format!("run {round} of {runs}") };
    report::status(&format!(
        "{round}, {}: {} {}: {:.2} s ({:.2} s of processor), {} requests, {:.1} MB",
        link.name(),
        tool.name(),
        task.name(),
        sample.elapsed.as_secs_f64(),
        sample.cpu.as_secs_f64(),
        sample.requests,
        sample.megabytes,
    ));
}
