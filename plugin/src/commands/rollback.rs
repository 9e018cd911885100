//! `kubectl mizar rollback`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use mizar_core::upgrade::Order;

use super::replacing::Replacing;
use crate::cli::evidence::EvidenceArgs;
use crate::cli::format::OF_CHANGES;
use crate::cli::history::HistoryMaxArgs;
use crate::cli::plan::{self, PlanArgs};
use crate::cli::rolling::RollingArgs;
use crate::cli::wait::parse_duration;
use crate::context::Context;
use crate::failure::Failure;
use crate::flow::saved_plan::read_options;
use crate::flow::upgrade::{OnFailure, Options, Target};
use crate::report::Output;
use crate::report::format::Format;

/// Its name.
const COMMAND: &str = "rollback";

/// Take Mizar back to an earlier revision
///
/// Only what differs from that revision is touched, and of the nodes only those whose daemon is another one: the newest first, each
/// drained and programmed anew as in an upgrade. Definitions stay as they are.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  # Which revisions are there?
  kubectl mizar history

  # See what going back would take
  kubectl mizar rollback --plan

  # Back to the revision before; asks first
  kubectl mizar rollback

  # Back to revision 3, without asking
  kubectl mizar rollback 3 -y")]
pub(crate) struct RollbackArgs {
    /// The revision to go back to; the one before if not given
    #[arg(value_name = "REVISION", value_parser = clap::value_parser!(u64).range(1..))]
    revision: Option<u64>,

    #[command(flatten)]
    plan: PlanArgs,

    /// Do not ask
    #[arg(short, long, alias = "assume-yes")]
    yes: bool,

    /// Longest wait for any one part, more than 0 [default: 30m for a daemon, 5m for each other part]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,

    /// Output format; json writes one event per line to stdout
    #[arg(short, long, value_name = "FORMAT", default_value = "text", value_parser = OF_CHANGES)]
    output: Format,

    #[command(flatten)]
    evidence: EvidenceArgs,

    #[command(flatten)]
    history_max: HistoryMaxArgs,

    #[command(flatten)]
    rolling: RollingArgs,
}

impl RollbackArgs {
    pub(crate) fn output(&self) -> Output {
        self.output.output()
    }
}

pub(crate) async fn run(context: &Context, args: RollbackArgs) -> Result<ExitCode, Failure> {
    plan::shown_alone(&args.output, args.plan.only_shows())?;
    let history_max = args.history_max.limit()?;
    args.plan.refuse_beside(&[("REVISION", args.revision.is_some())])?;
    args.plan.refuse_beside(&args.rolling.given())?;
    let file = args.plan.file(COMMAND)?;
    let agreed: Option<Options> = file.saved().map(read_options).transpose()?;
    let replacing = Replacing {
        command: COMMAND,
        target: Target::Revision(agreed.map_or(args.revision, |agreed| agreed.revision)),
        order: Order::NewestFirst,
        on_failure: OnFailure::Stop,
        file,
        agreed,
        plan: &args.plan,
        rolling: &args.rolling,
        evidence: &args.evidence,
        history_max,
        timeout: args.timeout,
        yes: args.yes,
        output: args.output,
    };
    replacing.carry_out(context).await
}
