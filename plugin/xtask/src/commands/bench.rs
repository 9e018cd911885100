//! `cargo xtask bench`: how fast the product is, measured on a real API server.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::failure::Failure;

mod check;
mod install;
pub(super) mod measured;
mod table;

/// Without a part: `install`, from which docs/performance.md is made.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    install: install::Arguments,
}

#[derive(Subcommand)]
enum Part {
    /// Compare install, rerun, change, render and start-up with Helm and `kubectl apply`
    Install(install::Arguments),
    /// Compare `check` with the bare lists that it needs
    Check(check::Arguments),
    /// Read the lists that `check` needs and throw them away
    #[command(hide = true)]
    BareLists(check::lists::Arguments),
    /// Run a program and print its time and memory
    #[command(hide = true)]
    Measure(measured::Arguments),
}

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    match arguments.part.unwrap_or(Part::Install(arguments.install)) {
        Part::Install(arguments) => install::run(&arguments),
        Part::Check(arguments) => check::run(&arguments),
        Part::BareLists(arguments) => check::lists::run(&arguments),
        Part::Measure(arguments) => measured::run(&arguments),
    }
}
