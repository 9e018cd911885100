//! `cargo xtask cluster exec`

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use clap::Args;
use mizar_bed::{bed, lifecycle};

use super::DEFAULT_NAME;
use crate::failure::Failure;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Name of the cluster
    #[arg(long, default_value = DEFAULT_NAME)]
    name: String,
    /// The command with its arguments, after --
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let found = lifecycle::find_ready(&arguments.name)?;
    let environment = bed::environment(&found.layout);
    let (program, rest) = arguments.command.split_first().expect("clap demands at least one word");
    // Looked up here: `Command` searches the PATH that this process was started with.
    let ours = found.layout.commands().join(program);
    let path = if ours.is_file() { ours } else { program.into() };
    // Becomes the command, so that signals and the exit code are its own.
    let source = Command::new(path).args(rest).envs(environment).exec();
    Err(Failure::Run { program: program.clone(), source })
}
