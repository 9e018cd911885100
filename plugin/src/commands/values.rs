//! `kubectl mizar values`: what the charts would be rendered with, and where each value comes from.

use std::process::ExitCode;

use clap::Args;
use mizar_core::chart::Merged;
use mizar_core::yaml;
use serde_json::{Value, json};

use crate::cli::format::OF_VALUES;
use crate::cli::values::ValuesArgs;
use crate::context::Context;
use crate::failure::{Failure, Kind};
use crate::flow::prepare::{charts, merge};
use crate::flow::value_sources::ValueSources;
use crate::report::format::Format;
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

    /// Output format [default: yaml, with --show-origin table]
    #[arg(short, long, value_name = "FORMAT", value_parser = OF_VALUES)]
    output: Option<Format>,

    #[command(flatten)]
    values: ValuesArgs,
}

pub(crate) fn run(_: &Context, args: &ValuesCommand) -> Result<ExitCode, Failure> {
    let sources = ValueSources::read(args.values.to_flags())?;
    let [_, mizar] = charts(None)?;
    let chart = sources.chart.clone().unwrap_or(mizar);
    let (merged, _) = merge(&chart, sources.profile.as_deref(), &Value::Null, &sources)?;
    let text = match &args.output {
        None | Some(Format::Text) if args.show_origin => origins_table(&merged),
        Some(Format::Text) => {
            return Err(Failure::new(Kind::Usage, "-o table shows where values come from: add --show-origin"));
        }
        Some(format) if args.show_origin => format.write_or(|| origins(&merged), String::new)?,
        Some(format) => format.write_or(|| yaml::with_plain_numbers(merged.values.clone()), String::new)?,
        None => yaml::write(&merged.values),
    };
    report::data(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn origins_table(merged: &Merged) -> String {
    let rows: Vec<Vec<String>> = merged
        .origins
        .iter()
        .map(|(path, origin)| {
            let value = at(&merged.values, path).map_or_else(String::new, |value| value.to_string());
            vec![path.join("."), value, origin.to_string()]
        })
        .collect();
    table::columns(&["value", "is", "from"], &rows)
}

/// The same for machines.
fn origins(merged: &Merged) -> Value {
    let items = merged.origins.iter().map(
        |(path, origin)| json!({"path": path.join("."), "value": at(&merged.values, path), "from": origin.to_string()}),
    );
    json!({"apiVersion": "mizar.dev/v1", "kind": "Values", "items": items.collect::<Vec<_>>()})
}

fn at(values: &Value, path: &[String]) -> Option<Value> {
    let found = path.iter().try_fold(values, |value, key| value.get(key));
    found.map(|value| yaml::with_plain_numbers(value.clone()))
}
