//! `cargo xtask test`, and `ci`: everything that must hold, in the order in which it is cheapest to learn that it does not.

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use mizar_bed::{Program, cargo, lifecycle, programs};

use super::{deny, fuzz};
use crate::failure::Failure;
use crate::report;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Only tests whose name contains this; skips format and lints
    filter: Option<String>,
    /// Only the matrix of faults, every case that is not done yet, and its report (docs/faults.md)
    #[arg(long, conflicts_with = "filter")]
    exhaustive: bool,
    /// Forget what earlier exhaustive runs have found
    #[arg(long, requires = "exhaustive")]
    fresh: bool,
    /// Only of these commands: upgrade,rollback; of the others the report keeps what it says
    #[arg(long, requires = "exhaustive", conflicts_with = "fresh", value_name = "COMMANDS")]
    of: Option<String>,
    /// Only the cases whose name contains this, or one of these with commas between them, without a report
    #[arg(long, requires = "exhaustive", conflicts_with_all = ["fresh", "of"], value_name = "NAME")]
    case: Option<String>,
}

/// The test that holds the matrix of faults.
const MATRIX: &str = "matrix::whatever_befalls_a_run_it_ends_well_or_the_same_command_does";

const LINTS: [(&str, &[&str]); 2] = [
    ("format", &["fmt", "--all", "--check"]),
    ("lints", &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]),
];

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if arguments.exhaustive {
        return exhaustive(arguments);
    }
    let started = Instant::now();
    let (mut done, mut left_out) = (Vec::new(), Vec::new());
    if arguments.filter.is_none() {
        for (name, command) in LINTS {
            step(&mut done, name, || cargo_runs(command, &[]))?;
        }
    }
    if arguments.filter.is_none() {
        let mut is_there = false;
        step(&mut done, "licences and bans", || {
            is_there = deny::run()?;
            Ok(())
        })?;
        if !is_there {
            left_out.push("licences and bans: cargo-deny is not installed");
        }
    }
    step(&mut done, "programs of the test bed", || {
        programs::ensure(&Program::ALL)?;
        Ok(())
    })?;
    step(&mut done, "build", || cargo_runs(&["build", "--workspace", "--all-targets"], &[]))?;
    // Once for all test processes, instead of a nested build in each.
    let supervisor = lifecycle::supervisor_program()?.display().to_string();
    step(&mut done, "tests", || {
        let mut command = vec!["test", "--workspace", "--no-fail-fast"];
        if let Some(filter) = &arguments.filter {
            command.extend(["--", filter]);
        }
        cargo_runs(&command, &[("MIZAR_BED_PROGRAM", &supervisor)])
    })?;
    if arguments.filter.is_none() {
        step(&mut done, "fuzz", fuzz::bounded)?;
    }
    report::status(&format!("\nall passed in {:.0} s", started.elapsed().as_secs_f64()));
    for (name, seconds) in done {
        report::status(&format!("  {seconds:>6.1} s  {name}"));
    }
    for name in left_out {
        report::status(&format!("  NOT RUN   {name}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs the matrix of faults. It goes on where an earlier run was cut off.
fn exhaustive(arguments: &Arguments) -> Result<ExitCode, Failure> {
    programs::ensure(&Program::ALL)?;
    let supervisor = lifecycle::supervisor_program()?.display().to_string();
    let mut environment =
        vec![("MIZAR_BED_PROGRAM", supervisor.as_str()), ("MIZAR_FAULTS", arguments.case.as_deref().unwrap_or("all"))];
    if arguments.fresh {
        environment.push(("MIZAR_FAULTS_FRESH", "yes"));
    }
    if let Some(commands) = &arguments.of {
        environment.push(("MIZAR_FAULTS_OF", commands));
    }
    let command = ["test", "-p", "kubectl-mizar", "--test", "journeys", "--", MATRIX, "--exact", "--nocapture"];
    cargo_runs(&command, &environment)?;
    Ok(ExitCode::SUCCESS)
}

fn step(
    done: &mut Vec<(&'static str, f64)>,
    name: &'static str,
    run: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    report::status(&format!("==> {name}"));
    let started = Instant::now();
    run()?;
    done.push((name, started.elapsed().as_secs_f64()));
    Ok(())
}

fn cargo_runs(arguments: &[&str], environment: &[(&str, &str)]) -> Result<(), Failure> {
    let status = cargo::command().args(arguments).envs(environment.iter().copied()).status();
    let status = status.map_err(|source| Failure::Run { program: "cargo".to_owned(), source })?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::Command { command: format!("cargo {}", arguments.join(" ")), status })
}
