//! `kubectl mizar diff`: what would an install or an upgrade change? Only reads.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::cli::format::OF_DIFFS;
use crate::cli::values::{EMBEDDED, ValuesArgs};
use crate::cluster::Access;
use crate::context::Context;
use crate::failure::{CHANGES_FOUND, Failure};
use crate::flow::consent::Consent;
use crate::flow::diff::{Differences, diff};
use crate::flow::value_sources::ValueSources;
use crate::report::diff::Difference;
use crate::report::format::Format;
use crate::report::{self, Output, style};

/// Show what an install or an upgrade with these values would change, line by line
///
/// Never writes to the cluster. Values that were chosen before are kept, as install and upgrade keep them; secrets are masked. Which nodes
/// an upgrade would touch, `upgrade --plan` shows. Exits with 0 if
/// nothing would change, with 10 if something would, and with another code if that cannot be told.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  # Is the cluster as the charts and the recorded values want it?
  kubectl mizar diff

  # What would other values change?
  kubectl mizar diff --set featureGates.bandwidthQos=true

  # What would another chart change?
  kubectl mizar diff --to charts/mizar

  # The names of the objects that would change
  kubectl mizar diff --profile dev -o name")]
pub(crate) struct DiffArgs {
    /// The charts to compare with: embedded, a chart folder, or a packed chart
    #[arg(long, value_name = "embedded|DIR|TGZ", default_value = EMBEDDED, conflicts_with = "chart")]
    to: PathBuf,

    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "text", value_parser = OF_DIFFS)]
    output: Format,

    #[command(flatten)]
    values: ValuesArgs,
}

impl DiffArgs {
    pub(crate) fn output(&self) -> Output {
        self.output.output()
    }
}

pub(crate) async fn run(context: &Context, args: DiffArgs) -> Result<ExitCode, Failure> {
    let mut flags = args.values.to_flags();
    if args.to.as_os_str() != EMBEDDED {
        flags.chart = Some(args.to);
    }
    let values = ValueSources::read(flags)?;
    let consent = if style::stdin_is_terminal() { Consent::Ask } else { Consent::CannotAsk };
    let cluster = context.connect("diff", Access::ReadOnly).await?;
    // One document and no stream of events: what is told on the way goes to stderr.
    let reporter = report::reporter(Output::Text, context.verbosity);
    // On the heap, as an install: the whole is too large for a stack.
    let found = Box::pin(diff(cluster, reporter, context.namespace.as_deref(), &values, consent)).await?;
    let Differences { plan, values } = found;
    report::data(&Difference { plan: &plan, values: &values }.write(&args.output)?)?;
    if !plan.is_allowed() {
        report::note("this would be refused: see what is in the way");
    }
    Ok(if plan.is_empty() && plan.is_allowed() { ExitCode::SUCCESS } else { ExitCode::from(CHANGES_FOUND) })
}
