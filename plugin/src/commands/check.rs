//! `kubectl mizar check`: is Mizar healthy, or may it be installed? Only reads.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use mizar_core::check::{Phase, Report};
use tokio::time::{Instant, sleep};

use crate::cli::wait::parse_duration;
use crate::cluster::Access;
use crate::context::Context;
use crate::failure::{Failure, Kind};
use crate::flow::facts_file;
use crate::flow::judge::{judge, rejudge};
use crate::flow::prepare;
use crate::flow::records::DEFAULT_NAMESPACE;
use crate::report::{self, Output};

/// Check whether Mizar is healthy, or with --pre whether it may be installed
///
/// Never writes to the cluster. Exits with 1 if anything failed, or could not be decided and would stop an install; warnings
/// exit with 0.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  # Is everything well?
  kubectl mizar check

  # May Mizar be installed here?
  kubectl mizar check --pre

  # Wait up to five minutes until everything is well
  kubectl mizar check --wait --timeout 5m

  # Keep what was read, and judge it elsewhere
  kubectl mizar check --save-facts facts.json
  kubectl mizar check --facts facts.json

  # For machines
  kubectl mizar check -o json | jq '.checks[] | select(.status != \"pass\")'")]
pub(crate) struct CheckArgs {
    /// Check whether an install may start
    #[arg(long)]
    pre: bool,

    /// Check again until nothing fails or time is up
    #[arg(long)]
    wait: bool,

    /// How long to wait with --wait
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_duration, requires = "wait")]
    timeout: Duration,

    /// Write what was read to this file, for somebody else to look at; it holds no secret
    #[arg(long, value_name = "FILE", conflicts_with = "facts")]
    save_facts: Option<PathBuf>,

    /// Judge facts that were saved, as of then, without any cluster; - reads stdin
    #[arg(long, value_name = "FILE", conflicts_with = "wait")]
    facts: Option<PathBuf>,

    /// Output format
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

impl CheckArgs {
    pub(crate) fn output(&self) -> Output {
        if self.output == Format::Json { Output::Json } else { Output::Text }
    }
}

pub(crate) async fn run(context: &Context, args: CheckArgs) -> Result<ExitCode, Failure> {
    let phase = if args.pre { Phase::Preflight } else { Phase::Health };
    if let Some(path) = &args.facts {
        let report = rejudge(&facts_file::read(path)?, phase, context.namespace.as_deref());
        show(&report, phase, args.output)?;
        return Ok(exit_code(&report, false));
    }
    let cluster = context.connect("check", Access::ReadOnly).await?;
    cluster.ledger().enter(if args.pre { "preflight" } else { "health" });
    let namespace = context.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
    let plan = if args.pre { Some(prepare::built_in_plan(namespace)?) } else { None };
    let begun = Instant::now();
    let (facts, report) = loop {
        let (facts, report) = judge(&cluster, phase, namespace, plan.clone(), false).await?;
        let time_is_up = begun.elapsed() + context.timing.progress > args.timeout;
        if report.is_clear() || !args.wait || time_is_up {
            break (facts, report);
        }
        report::waiting_for_checks(&report, begun.elapsed());
        sleep(context.timing.progress).await;
    };
    for message in cluster.ledger().take_messages() {
        report::note(&format!("Warning: {message}"));
    }
    if let Some(path) = &args.save_facts {
        facts_file::write(path, &facts)?;
    }
    show(&report, phase, args.output)?;
    Ok(exit_code(&report, args.wait))
}

fn show(report: &Report, phase: Phase, format: Format) -> Result<(), Failure> {
    match format {
        Format::Json => report::data(&format!("{:#}\n", report.to_json())),
        Format::Table => report::data(&report::checks::table(report, phase)),
    }
}

fn exit_code(report: &Report, waited: bool) -> ExitCode {
    if report.is_clear() {
        ExitCode::SUCCESS
    } else if waited {
        Kind::TimedOut.into()
    } else {
        Kind::Failed.into()
    }
}
