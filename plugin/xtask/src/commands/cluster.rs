//! `cargo xtask cluster`: one file per verb.

use std::process::ExitCode;

use clap::Subcommand;

use crate::failure::Failure;

pub(crate) mod down;
mod env;
mod exec;
mod fault;
mod list;
mod up;

/// The name of a cluster nobody named.
const DEFAULT_NAME: &str = "dev";

#[derive(Subcommand)]
pub(crate) enum Arguments {
    /// Start a cluster
    Up(up::Arguments),
    /// Stop a cluster and remove all it wrote
    Down(down::Arguments),
    /// List the clusters
    List,
    /// Run a command against a cluster
    Exec(exec::Arguments),
    /// Print the variables under which a shell uses a cluster
    Env(env::Arguments),
    /// Make something go wrong in a cluster, or end it
    Fault(fault::Arguments),
}

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    for name in mizar_bed::lifecycle::sweep()? {
        crate::report::status(&format!("removed what was left of bed {name}, whose supervisor was killed"));
    }
    match arguments {
        Arguments::Up(arguments) => up::run(&arguments),
        Arguments::Down(arguments) => down::run(&arguments),
        Arguments::List => list::run(),
        Arguments::Exec(arguments) => exec::run(&arguments),
        Arguments::Env(arguments) => env::run(&arguments),
        Arguments::Fault(arguments) => fault::run(&arguments),
    }
}
