//! `cargo xtask bench`: how fast the product is, measured on a real API server.

use std::process::ExitCode;

use clap::Subcommand;

use crate::failure::Failure;

mod check;
mod measured;
mod table;

#[derive(Subcommand)]
pub(crate) enum Arguments {
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
    match arguments {
        Arguments::Check(arguments) => check::run(&arguments),
        Arguments::BareLists(arguments) => check::lists::run(&arguments),
        Arguments::Measure(arguments) => measured::run(&arguments),
    }
}
