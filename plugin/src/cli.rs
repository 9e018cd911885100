//! The command line: what may be typed, and how it reads in help.
//!
//! Only this folder and `commands/` know clap. Flag groups that several commands share are in the submodules.

pub(crate) mod color;
pub(crate) mod environment;
pub(crate) mod evidence;
pub(crate) mod format;
pub(crate) mod history;
pub(crate) mod name;
pub(crate) mod plan;
pub(crate) mod rolling;
pub(crate) mod size;
pub(crate) mod target;
pub(crate) mod values;
pub(crate) mod wait;

use std::ffi::OsStr;
use std::path::Path;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::commands;
use color::When;
use target::TargetArgs;

/// The order of kubectl's help: what it is, examples, options, usage.
const HELP: &str = "{about}{after-help}\n\n{all-args}\n\n{usage-heading}\n  {usage}";

/// As kubectl runs a plugin.
const AS_PLUGIN: &str = "kubectl mizar";

/// Install, check and repair Mizar, a cluster network
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-mizar",
    bin_name = "kubectl mizar",
    version,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    max_term_width = 80,
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

    /// Colour on stdout and stderr; auto means on a terminal, unless NO_COLOR is set
    #[arg(long, value_name = "WHEN", value_enum, global = true, default_value_t = When::Auto, help_heading = "Output options")]
    pub(crate) color: When,

    /// Show results and failures only, no progress
    #[arg(short, long, global = true, help_heading = "Output options")]
    pub(crate) quiet: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Install(commands::install::InstallArgs),
    Diff(commands::diff::DiffArgs),
    Upgrade(commands::upgrade::UpgradeArgs),
    Rollback(commands::rollback::RollbackArgs),
    Resume(commands::resume::ResumeArgs),
    Abort(commands::abort::AbortArgs),
    Check(commands::check::CheckArgs),
    Explain(commands::explain::ExplainArgs),
    Status(commands::status::StatusArgs),
    Env(commands::env::EnvArgs),
    Repair(commands::repair::RepairArgs),
    Bundle(commands::bundle::BundleArgs),
    Uninstall(commands::uninstall::UninstallArgs),
    History(commands::history::HistoryArgs),
    Get(commands::get::GetArgs),
    Render(commands::render::RenderArgs),
    Values(commands::values::ValuesCommand),
    Version(commands::version::VersionArgs),
    Completion(commands::completion::CompletionArgs),
    #[command(hide = true)]
    Man(commands::man::ManArgs),
}

/// The command line, as it is shown to who called the program by this name: as a plugin of kubectl, unless the name does
/// not say so.
pub(crate) fn command(called: &OsStr) -> clap::Command {
    let name = Path::new(called).file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let shown = laid_out(Cli::command());
    if name.is_empty() || name.starts_with("kubectl-") { shown } else { renamed(shown, &name).bin_name(name) }
}

/// Orders help as kubectl does, flags by the alphabet.
fn laid_out(command: clap::Command) -> clap::Command {
    let mut flags: Vec<(String, clap::Id)> = command
        .get_arguments()
        .filter(|arg| !arg.is_positional())
        .map(|arg| (arg.get_long().unwrap_or_default().to_owned(), arg.get_id().clone()))
        .collect();
    flags.sort();
    let place = move |id: &clap::Id| flags.iter().position(|(_, other)| other == id);
    command
        .help_template(HELP)
        .mut_args(|arg| match place(arg.get_id()) {
            Some(place) => arg.display_order(place),
            None => arg,
        })
        .mut_subcommands(laid_out)
}

/// Has examples name the program as it was called.
fn renamed(command: clap::Command, name: &str) -> clap::Command {
    let examples = command.get_after_help().map(|text| text.to_string().replace(AS_PLUGIN, name));
    let renamed = match examples {
        Some(examples) => command.after_help(examples),
        None => command,
    };
    renamed.mut_subcommands(|inner| self::renamed(inner, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn under_another_name_help_shows_that_name() {
        let help = |called: &str| command(OsStr::new(called)).render_help().to_string();
        for called in ["/usr/bin/kubectl-mizar", "kubectl-mizar.exe", ""] {
            assert!(help(called).contains("Usage:\n  kubectl mizar"), "{called}");
        }
        let plain = help("/usr/bin/mizar");
        assert!(plain.contains("Usage:\n  mizar") && plain.contains("\n  mizar check --pre\n"), "{plain}");
        assert!(!plain.contains("kubectl mizar"), "{plain}");
    }

    #[test]
    fn cluster_flags_are_accepted_before_and_after_the_subcommand() {
        for line in [["--context", "c", "check"], ["check", "--context", "c"]] {
            let cli = Cli::try_parse_from(std::iter::once("kubectl-mizar").chain(line)).unwrap();
            assert_eq!(cli.target.context.as_deref(), Some("c"));
        }
    }
}
