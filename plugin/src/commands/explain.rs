//! `kubectl mizar explain`: what a check looks at, and what to do when it fails. Makes no request.

use std::process::ExitCode;

use clap::Args;
use mizar_core::check::{CHECKS, Check, lookup};

use crate::cli::format::OF_EXPLANATIONS;
use crate::failure::{Failure, Kind};
use crate::report;
use crate::report::format::{self, Format};

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
    #[arg(short, long, value_name = "FORMAT", default_value = "text", value_parser = OF_EXPLANATIONS)]
    output: Format,
}

pub(crate) fn run(args: &ExplainArgs) -> Result<ExitCode, Failure> {
    let one = args.id.as_deref().map(lookup).transpose();
    let one = one.map_err(|error| Failure::new(Kind::Usage, error.to_string()).hint(error.hint()))?;
    let document = || one.map_or_else(|| CHECKS.iter().map(Check::document).collect(), Check::document);
    let explained = || one.map_or(CHECKS, std::slice::from_ref);
    let text = args.output.write_or(document, || match args.output {
        Format::Name => format::names(explained().iter().map(|check| format!("check/{}", check.id))),
        _ => one.map_or_else(|| report::checks::explain::list(CHECKS.iter()), report::checks::explain::one),
    })?;
    report::data(&text)?;
    Ok(ExitCode::SUCCESS)
}
