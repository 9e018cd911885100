//! The command line: what may be typed, and how it reads in help.
//!
//! Only this folder and `commands/` know clap. Flag groups that several commands share are in the submodules.

pub(crate) mod environment;
pub(crate) mod name;
pub(crate) mod target;
pub(crate) mod values;
pub(crate) mod wait;

use clap::{Parser, Subcommand};

use crate::commands;
use target::TargetArgs;

/// Installs and checks Mizar, a cluster network
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-mizar",
    bin_name = "kubectl mizar",
    version,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = "Examples:
  # May Mizar be installed here? Only reads.
  kubectl mizar check --pre

  # Show what an install would do, without doing it
  kubectl mizar install --profile dev --plan

  # Install, asking first; then look at the result
  kubectl mizar install --profile dev
  kubectl mizar check

  # Heal what check found, asking first
  kubectl mizar repair"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) target: TargetArgs,

    /// Log level for bug reports, 0 to 9, on stderr; never shows credentials
    #[arg(short = 'v', long = "v", value_name = "LEVEL", global = true, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=9), help_heading = "Output options")]
    pub(crate) verbosity: u8,

    /// Show results and failures only, no progress
    #[arg(short, long, global = true, help_heading = "Output options")]
    pub(crate) quiet: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Install(commands::install::InstallArgs),
    Check(commands::check::CheckArgs),
    Explain(commands::explain::ExplainArgs),
    Status(commands::status::StatusArgs),
    Env(commands::env::EnvArgs),
    Repair(commands::repair::RepairArgs),
    Render(commands::render::RenderArgs),
    Values(commands::values::ValuesCommand),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn cluster_flags_are_accepted_before_and_after_the_subcommand() {
        for line in [["--context", "c", "check"], ["check", "--context", "c"]] {
            let cli = Cli::try_parse_from(std::iter::once("kubectl-mizar").chain(line)).unwrap();
            assert_eq!(cli.target.context.as_deref(), Some("c"));
        }
    }
}
