//! `kubectl mizar values`: what the charts would be rendered with, and where each value comes from.

use std::process::ExitCode;

use clap::Args;
use mizar_core::yaml;
use serde_json::Value;

use crate::cli::values::ValuesArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::flow::prepare::{charts, merge};
use crate::flow::value_sources::ValueSources;
use crate::report::{self, table};

/// Print the values after all layers are merged
///
/// chart < profile < -f files < --set-json < --set < --set-string < --set-file. Makes no request.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  # Everything that can be set, with its value for the dev profile
  kubectl mizar values --profile dev

  # Where each value comes from
  kubectl mizar values --profile prod -f digests.yaml --show-origin")]
pub(crate) struct ValuesCommand {
    /// Show for each value the layer, file and line that it comes from
    #[arg(long)]
    show_origin: bool,

    #[command(flatten)]
    values: ValuesArgs,
}

pub(crate) fn run(_: &Context, args: &ValuesCommand) -> Result<ExitCode, Failure> {
    let sources = ValueSources::read(args.values.to_flags())?;
    let [_, mizar] = charts(None)?;
    let chart = sources.chart.clone().unwrap_or(mizar);
    let (merged, _) = merge(&chart, sources.profile.as_deref(), &Value::Null, &sources)?;
    if args.show_origin {
        let rows: Vec<Vec<String>> = merged
            .origins
            .iter()
            .map(|(path, origin)| vec![path.join("."), at(&merged.values, path), origin.to_string()])
            .collect();
        report::data(&table::columns(&["value", "is", "from"], &rows))?;
    } else {
        report::data(&yaml::write(&merged.values))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn at(values: &Value, path: &[String]) -> String {
    let found = path.iter().try_fold(values, |value, key| value.get(key));
    found.map_or_else(String::new, |value| yaml::with_plain_numbers(value.clone()).to_string())
}
