//! `kubectl mizar resume`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use mizar_core::upgrade::{DrainTerms, Order};

use crate::cli::evidence::EvidenceArgs;
use crate::cli::format::OF_CHANGES;
use crate::cli::history::HistoryMaxArgs;
use crate::cli::plan;
use crate::cli::wait::parse_duration;
use crate::cluster::Access;
use crate::context::Context;
use crate::failure::Failure;
use crate::flow::consent::Consent;
use crate::flow::resume::{Request, resume};
use crate::flow::rolling::{DRAIN_TIMEOUT, Terms};
use crate::report::format::Format;
use crate::report::{self, Output, style};

/// Go on with a change that has stopped in the middle
///
/// Whatever stopped it: what was intended, with which values and which flags, is in its record. What is done already is not done
/// again. `kubectl mizar status` shows what has stopped, and where.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  # What has stopped, and where?
  kubectl mizar status

  # Go on; shows what is left and asks
  kubectl mizar resume

  # Go on without asking
  kubectl mizar resume -y")]
pub(crate) struct ResumeArgs {
    /// Do not ask
    #[arg(short, long, alias = "assume-yes")]
    yes: bool,

    /// Longest wait for any one part, more than 0 [default: 30m for a daemon, 5m for each other part]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,

    /// Longest time for draining one node [default: 15m]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    drain_timeout: Option<Duration>,

    /// Output format; json writes one event per line to stdout
    #[arg(short, long, value_name = "FORMAT", default_value = "text", value_parser = OF_CHANGES)]
    output: Format,

    #[command(flatten)]
    evidence: EvidenceArgs,

    #[command(flatten)]
    history_max: HistoryMaxArgs,
}

impl ResumeArgs {
    pub(crate) fn output(&self) -> Output {
        self.output.output()
    }
}

pub(crate) async fn run(context: &Context, args: ResumeArgs) -> Result<ExitCode, Failure> {
    let output = args.output();
    plan::shown_alone(&args.output, false)?;
    let history_max = args.history_max.limit()?;
    let cluster = context.connect("resume", Access::ReadWrite).await?;
    let terms = Terms {
        drain: true,
        allowed: DrainTerms::default(),
        drain_timeout: args.drain_timeout.unwrap_or(DRAIN_TIMEOUT),
        grace_period: None,
        limit: args.timeout,
        order: Order::LeastFirst,
        window: false,
    };
    let request = Request {
        namespace: context.namespace.clone(),
        terms,
        consent: Consent::of(args.yes, style::stdin_is_terminal() && output == Output::Text),
        timeout: args.timeout,
        history_max,
        evidence: args.evidence.wanted(),
        output: args.output,
    };
    Box::pin(resume(cluster, report::reporter(output, context.verbosity), request)).await?;
    Ok(ExitCode::SUCCESS)
}
