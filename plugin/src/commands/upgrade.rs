//! `kubectl mizar upgrade`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use mizar_core::plan::SavedPlan;
use mizar_core::upgrade::Order;

use super::replacing::Replacing;
use crate::cli::evidence::EvidenceArgs;
use crate::cli::format::OF_CHANGES;
use crate::cli::history::HistoryMaxArgs;
use crate::cli::plan::{self, PlanArgs};
use crate::cli::rolling::{FailureArg, RollingArgs};
use crate::cli::values::{EMBEDDED, ValuesArgs};
use crate::cli::wait::parse_duration;
use crate::context::Context;
use crate::failure::{Failure, Kind};
use crate::flow::saved_plan::read_options;
use crate::flow::upgrade::{Keep, Options, Target};
use crate::flow::value_sources::ValueSources;
use crate::report::Output;
use crate::report::format::Format;

/// Its name.
const COMMAND: &str = "upgrade";

/// Move an installed Mizar to other charts or values
///
/// Shows first what changes, which nodes get a new daemon, and which pods leave them. Definitions and accounts come first; then each
/// node in its turn is drained, gets its daemon and is programmed anew; the operator is restarted last, and only if it has to be.
/// Values that were chosen before are kept. Running it again goes on where it stopped.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  # See what would change, and which nodes would be touched
  kubectl mizar upgrade --plan

  # Move to the charts that this program brings; asks first
  kubectl mizar upgrade

  # Show the plan to somebody else, who carries out exactly that
  kubectl mizar upgrade --save-plan plan.json
  kubectl mizar upgrade --use-plan plan.json

  # Change one value; what was chosen before is kept
  kubectl mizar upgrade --set operator.resources.requests.memory=256Mi -y

  # Go back by itself when a node does not come back well
  kubectl mizar upgrade --on-failure rollback -y

  # Where the old and the new version misunderstand each other
  kubectl mizar upgrade --maintenance-window --accept-outage")]
pub(crate) struct UpgradeArgs {
    /// The charts to move to: embedded, a chart folder, or a packed chart
    #[arg(long, value_name = "embedded|DIR|TGZ", default_value = EMBEDDED)]
    to: PathBuf,

    /// Forget the values that were chosen before
    #[arg(long, conflicts_with = "reuse_values")]
    reset_values: bool,

    /// Keep all values as they are, defaults of the old charts included
    #[arg(long)]
    reuse_values: bool,

    #[command(flatten)]
    plan: PlanArgs,

    /// Do not ask
    #[arg(short, long, alias = "assume-yes")]
    yes: bool,

    /// What to do when it fails
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = FailureArg::Stop)]
    on_failure: FailureArg,

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

    #[command(flatten)]
    values: ValuesArgs,
}

impl UpgradeArgs {
    pub(crate) fn output(&self) -> Output {
        self.output.output()
    }
}

pub(crate) async fn run(context: &Context, args: UpgradeArgs) -> Result<ExitCode, Failure> {
    plan::shown_alone(&args.output, args.plan.only_shows())?;
    args.plan.refuse_values(&args.values)?;
    args.plan.refuse_beside(&[("--reset-values", args.reset_values), ("--reuse-values", args.reuse_values)])?;
    args.plan.refuse_beside(&args.rolling.given())?;
    let file = args.plan.file(COMMAND)?;
    let agreed: Option<Options> = file.saved().map(read_options).transpose()?;
    let target = target(&args, file.saved(), agreed)?;
    let history_max = args.history_max.limit()?;
    let replacing = Replacing {
        command: COMMAND,
        target,
        order: Order::LeastFirst,
        on_failure: args.on_failure.into(),
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

/// Charts and values: as they are typed, or as they were when the plan was saved.
fn target(args: &UpgradeArgs, saved: Option<&SavedPlan>, agreed: Option<Options>) -> Result<Target, Failure> {
    let mut flags = args.values.to_flags();
    if args.to.as_os_str() != EMBEDDED {
        if flags.chart.is_some() {
            return Err(Failure::new(Kind::Usage, "--to and --chart both name a chart: give one of them"));
        }
        flags.chart = Some(args.to.clone());
    }
    if let Some(saved) = saved {
        let chart = flags.chart.as_deref();
        plan::same_chart(saved.inputs.own_chart, chart)?;
        let values = Box::new(ValueSources::given(saved.inputs.values.clone(), chart)?);
        return Ok(Target::Charts { values, keep: agreed.and_then(|agreed| agreed.keep).unwrap_or(Keep::Chosen) });
    }
    let values = Box::new(ValueSources::read(flags)?);
    let keep = match (args.reset_values, args.reuse_values) {
        (true, _) => Keep::Nothing,
        (_, true) => Keep::Everything,
        _ => Keep::Chosen,
    };
    Ok(Target::Charts { values, keep })
}
