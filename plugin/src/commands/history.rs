//! `kubectl mizar history`: what was installed when, and what became of it. Only reads.

use std::process::ExitCode;

use clap::Args;
use mizar_core::release::listing::listed;

use crate::cli::format::OF_VIEWS;
use crate::cluster::Access;
use crate::context::Context;
use crate::failure::Failure;
use crate::flow::records::{self, NAMES};
use crate::report;
use crate::report::format::Format;

/// Show every recorded revision of Mizar, oldest first
///
/// Never writes to the cluster. The records are Helm's own: `helm history mizar` shows the same.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  # What was installed when?
  kubectl mizar history

  # Of the definitions alone
  kubectl mizar history --release mizar-crds

  # Every revision's status, for a script
  kubectl mizar history -o jsonpath={.items[*].status}")]
pub(crate) struct HistoryArgs {
    /// Of which release [default: both]
    #[arg(long, value_name = "NAME", value_parser = NAMES)]
    release: Option<String>,

    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "table", value_parser = OF_VIEWS)]
    output: Format,
}

pub(crate) async fn run(context: &Context, args: HistoryArgs) -> Result<ExitCode, Failure> {
    let cluster = context.connect("history", Access::ReadOnly).await?;
    cluster.ledger().enter("facts");
    let histories = records::look(&cluster, context.namespace.as_deref()).await?;
    let wanted = |name: &str| args.release.as_deref().is_none_or(|asked| asked == name);
    let histories: Vec<_> =
        NAMES.into_iter().zip(histories).filter(|(name, _)| wanted(name)).map(|(_, history)| history).collect();
    let mut warnings = cluster.ledger().take_messages();
    warnings.extend(histories.iter().flat_map(|history| &history.damaged).map(ToString::to_string));
    report::warnings(warnings);
    let revisions = listed(&histories);
    if revisions.is_empty() {
        return Err(records::none_recorded(context.namespace.as_deref()));
    }
    report::data(&report::history::written(&revisions, &args.output)?)?;
    Ok(ExitCode::SUCCESS)
}
