//! `cargo xtask bench check`: the time and memory of `kubectl mizar check` on clusters of several sizes, beside those of
//! the bare lists that it needs.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::Args;
use mizar_bed::cache::FileLock;
use mizar_bed::lifecycle::{self, FoundBed, StartOptions};
use mizar_bed::{Role, cargo, seed};

use super::measured::{Ended, Run, measure, own};
use super::table::{self, Row};
use crate::commands::dist;
use crate::failure::Failure;
use crate::report;

pub(crate) mod lists;
pub(super) mod wait;

/// Younger pods and objects are not judged yet: `check` would have less to do than on a cluster at rest.
const SETTLING: Duration = Duration::from_secs(70);
/// A cluster whose benchmark was killed ends after this time.
const ABANDONED: Duration = Duration::from_secs(20);

#[derive(Args)]
pub(crate) struct Arguments {
    /// Sizes of the clusters, in nodes; each node has ten pods and its daemon
    #[arg(long, value_delimiter = ',', default_values_t = [50, 500, 5000], value_parser = clap::value_parser!(u16).range(1..=6000))]
    nodes: Vec<u16>,
    /// How often each is run; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..))]
    runs: u8,
    /// A kubectl-mizar that is built already; otherwise a release is built
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Keep the last cluster for an hour, to look around
    #[arg(long)]
    keep: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let binary = match &arguments.binary {
        Some(binary) => binary.clone(),
        None => dist::program()?,
    };
    if cfg!(debug_assertions) {
        return run_optimized(arguments, &binary);
    }
    let mut rows = Vec::new();
    for (index, nodes) in arguments.nodes.iter().enumerate() {
        let keep = arguments.keep && index + 1 == arguments.nodes.len();
        rows.push(row(usize::from(*nodes), arguments.runs, &binary, keep)?);
    }
    report::data(&format!("{}\n\n{}", table::markdown(&rows), table::waits(&rows)));
    Ok(ExitCode::SUCCESS)
}

/// Starts this command once more as an optimized program: filling a cluster and reading the bare lists must not be
/// slower than they could be.
fn run_optimized(arguments: &Arguments, binary: &Path) -> Result<ExitCode, Failure> {
    let own = cargo::build_as("xtask", "measure")?;
    let nodes: Vec<String> = arguments.nodes.iter().map(u16::to_string).collect();
    let mut command = Command::new(&own);
    command.args(["bench", "check", "--nodes", &nodes.join(","), "--runs", &arguments.runs.to_string(), "--binary"]);
    command.arg(binary);
    if arguments.keep {
        command.arg("--keep");
    }
    let status = command.status().map_err(|source| Failure::Run { program: own.display().to_string(), source })?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// A cluster that ends with this value, or soon after this process.
struct Cluster {
    bed: FoundBed,
    lock: FileLock,
    keep: bool,
}

impl Cluster {
    fn start(nodes: usize, keep: bool) -> Result<Self, Failure> {
        let name = format!("bench-{nodes}");
        let lock = lifecycle::lock(&name)?;
        if let Some(old) = lifecycle::find(&name)? {
            lifecycle::stop(&old, &lock)?;
        }
        let idle = (!keep).then_some(ABANDONED);
        let options = StartOptions { lifetime: Duration::from_secs(3600), idle, ..StartOptions::bare(name) };
        let bed = lifecycle::start(&options, &lock)?;
        Ok(Self { bed, lock, keep })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let name = &self.bed.name;
        if self.keep {
            report::status(&format!("kept: eval \"$(cargo xtask cluster env --name {name})\""));
        } else if let Err(error) = lifecycle::stop(&self.bed, &self.lock) {
            report::status(&format!("bed {name} was not stopped and ends by itself: {error}"));
        }
    }
}

fn row(nodes: usize, runs: u8, binary: &Path, keep: bool) -> Result<Row, Failure> {
    let cluster = Cluster::start(nodes, keep)?;
    let begun = Instant::now();
    let objects = seed::fill(&cluster.bed, nodes, &rendered(binary)?)?;
    let filled = begun.elapsed();
    report::status(&format!("waiting {} s, until nothing is too young to be judged", SETTLING.as_secs()));
    std::thread::sleep(SETTLING);
    let kubeconfig = cluster.bed.layout.kubeconfig(Role::Admin);
    let (mut bare, mut checks) = (Vec::new(), Vec::new());
    // The first of each only warms the server's caches up.
    for round in 0..=runs {
        let (bare_run, check_run) = (bare_lists(&kubeconfig)?, check(binary, &kubeconfig)?);
        report::status(&format!(
            "{nodes} nodes, {}: bare lists {:.2} s, check {:.2} s, {:.1} MB",
            if round == 0 { "warm-up".to_owned() } else { format!("run {round} of {runs}") },
            bare_run.elapsed.as_secs_f64(),
            check_run.elapsed.as_secs_f64(),
            check_run.megabytes,
        ));
        if round > 0 {
            bare.push(bare_run);
            checks.push(check_run);
        }
    }
    let amount = lists::amount(bare.first().map_or("", |run| &run.stdout))?;
    let requests = requests_of_check(binary, &kubeconfig)?;
    let waited = wait::run(binary, &cluster.bed, nodes)?;
    Ok(Row { nodes, objects, filled, bare, checks, amount, requests, waited })
}

fn rendered(binary: &Path) -> Result<String, Failure> {
    let program = binary.display().to_string();
    let output = Command::new(binary).args(["render", "--profile", "dev"]).output();
    let output = output.map_err(|source| Failure::Run { program: program.clone(), source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Failure::Command { command: format!("{program} render --profile dev"), status: output.status })
}

fn bare_lists(kubeconfig: &Path) -> Result<Run, Failure> {
    measure(&own()?, &["bench", "bare-lists"], kubeconfig, Ended::Well)
}

fn check(binary: &Path, kubeconfig: &Path) -> Result<Run, Failure> {
    measure(binary, &["check", "-o", "json"], kubeconfig, Ended::Well)
}

/// Counts the requests of a run that is not timed, by the program's own log of them.
fn requests_of_check(binary: &Path, kubeconfig: &Path) -> Result<usize, Failure> {
    let run = measure(binary, &["check", "-o", "json", "-v", "6"], kubeconfig, Ended::Well)?;
    Ok(run.stderr.lines().filter(|line| line.contains("request") && line.contains("uri=")).count())
}
