//! `cargo xtask programs`

use std::process::ExitCode;

use clap::Args;
use mizar_bed::Program;
use mizar_bed::programs;

use crate::failure::Failure;
use crate::report;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Names of programs; without any, those of a control plane
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let named: Result<Vec<Program>, _> = arguments.names.iter().map(|name| name.parse()).collect();
    let named = named?;
    let wanted = if named.is_empty() { &Program::CONTROL_PLANE[..] } else { &named };
    let built = programs::ensure(wanted)?;
    for program in wanted {
        report::data(&built[program].display().to_string());
    }
    Ok(ExitCode::SUCCESS)
}
