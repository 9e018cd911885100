//! `kubectl mizar history`: what was installed when, and what became of it. Only reads.

use std::process::ExitCode;

use clap::Args;
use mizar_core::release::listing::{Listed, document, listed};

use crate::cli::format::OF_VIEWS;
use crate::cluster::Access;
use crate::context::Context;
use crate::failure::Failure;
use crate::flow::records;
use crate::report::format::{self, Format};
use crate::report::{self, table};

/// Show every recorded revision of Mizar, oldest first
///
/// Never writes to the cluster. The records are Helm's own: `helm history mizar` shows the same.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  # What was installed when?
  kubectl mizar history

  # The revision that is deployed, for a script
  kubectl mizar history -o jsonpath='{.items[?(@.status==\"deployed\")].revision}'")]
pub(crate) struct HistoryArgs {
    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "table", value_parser = OF_VIEWS)]
    output: Format,
}

pub(crate) async fn run(context: &Context, args: HistoryArgs) -> Result<ExitCode, Failure> {
    let cluster = context.connect("history", Access::ReadOnly).await?;
    cluster.ledger().enter("facts");
    let histories = records::look(&cluster, context.namespace.as_deref()).await?;
    let damaged = histories.iter().flat_map(|history| &history.damaged).map(ToString::to_string);
    let mut warnings = cluster.ledger().take_messages();
    warnings.extend(damaged);
    report::warnings(warnings);
    let revisions = listed(&histories);
    if revisions.is_empty() {
        return Err(records::none_recorded(context.namespace.as_deref()));
    }
    report::data(&args.output.write_or(
        || document(&revisions),
        || match args.output {
            Format::Name => names(&revisions),
            _ => text(&revisions),
        },
    )?)?;
    Ok(ExitCode::SUCCESS)
}

fn names(revisions: &[Listed]) -> String {
    let secret = |it: &Listed| format!("secret/{}", mizar_core::release::secret::secret_name(&it.release, it.revision));
    format::names(revisions.iter().map(secret))
}

fn text(revisions: &[Listed]) -> String {
    let row = |it: &Listed| {
        let updated = it.updated.map_or_else(|| "unknown".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string());
        let version = if it.app_version.is_empty() { "-" } else { &it.app_version };
        let [release, chart, version, description] =
            [&it.release, &it.chart, version, &it.description].map(|text: &str| text.to_owned());
        vec![release, it.revision.to_string(), updated, it.status.to_string(), chart, version, description]
    };
    let heads = ["release", "revision", "updated", "status", "chart", "app version", "description"];
    table::columns(&heads, &revisions.iter().map(row).collect::<Vec<_>>())
}
