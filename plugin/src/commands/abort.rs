//! `kubectl mizar abort`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::cli::evidence::EvidenceArgs;
use crate::cli::format::OF_CHANGES;
use crate::cli::plan;
use crate::cli::wait::parse_duration;
use crate::cluster::Access;
use crate::context::Context;
use crate::failure::Failure;
use crate::flow::abort::{Request, abort};
use crate::flow::consent::Consent;
use crate::report::format::Format;
use crate::report::{self, Output, style};

/// Give a change up that has stopped in the middle
///
/// What it has changed stays. Nodes that it has closed are opened once they work, and its records say that it was given up. To undo
/// what it has changed, roll back.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  # What has stopped, and where?
  kubectl mizar status

  # Give it up; asks first
  kubectl mizar abort

  # Give it up, and go back to what was there before
  kubectl mizar abort -y
  kubectl mizar rollback -y")]
pub(crate) struct AbortArgs {
    /// Do not ask
    #[arg(short, long, alias = "assume-yes")]
    yes: bool,

    /// Longest wait for the daemon of a node that is closed, more than 0 [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,

    /// Output format; json writes one event per line to stdout
    #[arg(short, long, value_name = "FORMAT", default_value = "text", value_parser = OF_CHANGES)]
    output: Format,

    #[command(flatten)]
    evidence: EvidenceArgs,
}

impl AbortArgs {
    pub(crate) fn output(&self) -> Output {
        self.output.output()
    }
}

pub(crate) async fn run(context: &Context, args: AbortArgs) -> Result<ExitCode, Failure> {
    let output = args.output();
    plan::shown_alone(&args.output, false)?;
    let cluster = context.connect("abort", Access::ReadWrite).await?;
    let request = Request {
        namespace: context.namespace.clone(),
        timeout: args.timeout,
        consent: Consent::of(args.yes, style::stdin_is_terminal() && output == Output::Text),
        evidence: args.evidence.wanted(),
        output: args.output,
    };
    Box::pin(abort(cluster, report::reporter(output, context.verbosity), request)).await?;
    Ok(ExitCode::SUCCESS)
}
