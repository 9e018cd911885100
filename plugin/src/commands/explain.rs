//! `kubectl mizar explain`: what a check looks at, and what to do when it fails. Makes no request.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use mizar_core::check::{CHECKS, Check, lookup};
use mizar_core::yaml;

use crate::failure::{Failure, Kind};
use crate::report;

/// Explain a check: what it means, what it reads, what to do when it fails
///
/// Without a name it lists all checks. Makes no request.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  # All checks
  kubectl mizar explain

  # One of them
  kubectl mizar explain nodes-ready

  # All that are not fine at the moment
  kubectl mizar check -o name | xargs -n 1 kubectl mizar explain")]
pub(crate) struct ExplainArgs {
    /// Id of the check, as a report shows it; check/ID is taken, too
    #[arg(value_name = "ID")]
    id: Option<String>,

    /// Output format
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
    Yaml,
}

pub(crate) fn run(args: &ExplainArgs) -> Result<ExitCode, Failure> {
    let one = args.id.as_deref().map(lookup).transpose();
    let one = one.map_err(|error| Failure::new(Kind::Usage, error.to_string()).hint(error.hint()))?;
    let document = || one.map_or_else(|| CHECKS.iter().map(Check::document).collect(), Check::document);
    let text = match args.output {
        Format::Text => one.map_or_else(|| report::checks::explain::list(CHECKS.iter()), report::checks::explain::one),
        Format::Json => format!("{:#}\n", document()),
        Format::Yaml => yaml::write(&document()),
    };
    report::data(&text)?;
    Ok(ExitCode::SUCCESS)
}
