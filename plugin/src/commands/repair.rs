//! `kubectl mizar repair`: so far only the safe restart of the operator.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::wait::parse_duration;
use crate::cluster::Access;
use crate::context::Context;
use crate::failure::Failure;
use crate::flow::prepare::Consent;
use crate::flow::restart::{Request, restart_as_asked};
use crate::report::{self, Output, style};

/// Repair a running Mizar
///
/// Shows the plan first. Killed at any point, the same command finishes what it began.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  # What would a restart of the operator touch?
  kubectl mizar repair --restart-operator --plan

  # Restart it, asking first
  kubectl mizar repair --restart-operator")]
pub(crate) struct RepairArgs {
    /// Restart the operator the safe way, without handing out addresses that are in use
    #[arg(long, required = true)]
    restart_operator: bool,

    /// Only show the plan
    #[arg(long)]
    plan: bool,

    /// Do not ask
    #[arg(short, long, alias = "assume-yes")]
    yes: bool,

    /// Longest wait for any one part [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,

    /// Output format; json writes one event per line to stdout
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

impl RepairArgs {
    pub(crate) fn output(&self) -> Output {
        if self.output == Format::Json { Output::Json } else { Output::Text }
    }
}

pub(crate) async fn run(context: &Context, args: RepairArgs) -> Result<ExitCode, Failure> {
    let output = args.output();
    let consent = match (args.yes, style::stdin_is_terminal() && output == Output::Text) {
        (true, _) => Consent::Given,
        (false, true) => Consent::Ask,
        (false, false) => Consent::CannotAsk,
    };
    let access = if args.plan { Access::ReadOnly } else { Access::ReadWrite };
    let cluster = context.connect("repair", access).await?;
    let request =
        Request { namespace: context.namespace.clone(), plan_only: args.plan, consent, timeout: args.timeout, output };
    restart_as_asked(cluster, report::reporter(output, context.verbosity), request).await?;
    Ok(ExitCode::SUCCESS)
}
