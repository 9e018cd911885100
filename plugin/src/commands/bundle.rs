//! `kubectl mizar bundle`: all that somebody needs to see who cannot reach the cluster, in one file. Only reads.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use mizar_core::bundle::archive::LEAST;
use mizar_core::bundle::index::{Index, Limits};
use serde_json::{Value, json};

use crate::cli::format::OF_BUNDLES;
use crate::cli::size::parse_size;
use crate::cli::wait::parse_duration;
use crate::cluster::Access;
use crate::context::Context;
use crate::failure::{Failure, Kind};
use crate::flow::bundle::{Place, Request, Taken, take};
use crate::report::format::Format;
use crate::report::{self, Output};

/// How many of the things that are missing are told; the index names them all.
const TOLD: usize = 20;

/// Take a support bundle: versions, environment, checks, records, objects, events and logs, in one file
///
/// Never writes to the cluster. Passwords, tokens, keys and what secrets hold are left out; names and addresses are not: look at it before
/// you send it. What cannot be read is named, on stderr and in index.json, and the rest is taken.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  # Take one; prints its name
  kubectl mizar bundle

  # What is in it, and what could not be had?
  kubectl mizar bundle -o json

  # Only the logs of the last hour, into a file of this name
  kubectl mizar bundle --since 1h -f broken.tar.gz

  # On a large or slow cluster
  kubectl mizar bundle --limit-size 200Mi --timeout 10m")]
pub(crate) struct BundleArgs {
    /// File to write [default: mizar-bundle-TIME.tar.gz in this folder]
    #[arg(short = 'f', long, value_name = "FILE")]
    output_file: Option<PathBuf>,

    /// Only logs that are newer, such as 30m or 2h
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    since: Option<Duration>,

    /// Lines of each log, the newest
    #[arg(long, value_name = "LINES", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    tail: u32,

    /// Largest size of the file; what no longer fits is named
    #[arg(long, value_name = "SIZE", default_value = "50Mi", value_parser = parse_size)]
    limit_size: u64,

    /// Longest time; what is not read by then is named
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = parse_duration)]
    timeout: Duration,

    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "text", value_parser = OF_BUNDLES)]
    output: Format,
}

impl BundleArgs {
    pub(crate) fn output(&self) -> Output {
        self.output.output()
    }

    fn limits(&self) -> Result<Limits, Failure> {
        let usage = |message: &str| Err(Failure::new(Kind::Usage, message));
        if self.timeout.is_zero() {
            return usage("--timeout must be longer than nothing");
        }
        if self.since.is_some_and(|age| age.is_zero()) {
            return usage("--since must be longer than nothing");
        }
        if self.limit_size < LEAST {
            return usage("--limit-size must be 1Mi or more: less leaves no room for anything");
        }
        Ok(Limits { size: self.limit_size, time: self.timeout, log_lines: self.tail, log_age: self.since })
    }
}

pub(crate) async fn run(context: &Context, args: BundleArgs) -> Result<ExitCode, Failure> {
    let limits = args.limits()?;
    let cluster = context.connect("bundle", Access::ReadOnly).await?;
    let reporter = report::reporter(Output::Text, context.verbosity);
    let place = args.output_file.clone().map_or_else(|| Place::Folder(PathBuf::new()), Place::File);
    let namespace = context.namespace.as_deref();
    let request = Request { namespace, place, limits, reason: "asked for".to_owned(), reporter: &*reporter };
    let taken = take(&cluster, &request).await;
    reporter.pause();
    report::warnings(cluster.ledger().take_messages());
    let Taken { path, index } = taken?;
    report::warnings(losses(&index));
    let document = || document(&path, &index);
    report::data(&args.output.write_or(document, || format!("{}\n", path.display()))?)?;
    Ok(ExitCode::SUCCESS)
}

/// What a person is told is missing.
fn losses(index: &Index) -> Vec<String> {
    let lost: Vec<String> = index.lost().map(|missing| format!("not in the bundle: {missing}")).collect();
    let more = lost.len().saturating_sub(TOLD);
    let rest = (more > 0).then(|| format!("not in the bundle: {more} more, which index.json names"));
    lost.into_iter().take(TOLD).chain(rest).collect()
}

fn document(path: &std::path::Path, index: &Index) -> Value {
    let mut document = index.document();
    document["file"] = json!(path.display().to_string());
    document
}
