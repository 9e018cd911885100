//! `kubectl mizar upgrade`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use mizar_core::upgrade::Order;

use crate::cli::format::OF_CHANGES;
use crate::cli::plan;
use crate::cli::rolling::{FailureArg, RollingArgs};
use crate::cli::values::ValuesArgs;
use crate::cli::wait::parse_duration;
use crate::cluster::Access;
use crate::context::Context;
use crate::failure::{Failure, Kind};
use crate::flow::install::Extent;
use crate::flow::prepare::Consent;
use crate::flow::upgrade::{Keep, Request, Target, upgrade};
use crate::flow::value_sources::ValueSources;
use crate::report::format::Format;
use crate::report::{self, Output, style};

/// The charts that the program brings, as --to takes them.
const EMBEDDED: &str = "embedded";

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

    /// Only show the plan
    #[arg(long)]
    plan: bool,

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
    let output = args.output();
    plan::shown_alone(&args.output, args.plan)?;
    let mut flags = args.values.to_flags();
    if args.to.as_os_str() != EMBEDDED {
        if flags.chart.is_some() {
            return Err(Failure::new(Kind::Usage, "--to and --chart both name a chart: give one of them"));
        }
        flags.chart = Some(args.to);
    }
    let values = Box::new(ValueSources::read(flags)?);
    let keep = match (args.reset_values, args.reuse_values) {
        (true, _) => Keep::Nothing,
        (_, true) => Keep::Everything,
        _ => Keep::Chosen,
    };
    let access = if args.plan { Access::ReadOnly } else { Access::ReadWrite };
    let cluster = context.connect("upgrade", access).await?;
    let request = Request {
        target: Target::Charts { values, keep },
        namespace: context.namespace.clone(),
        terms: args.rolling.terms(args.timeout, Order::LeastFirst),
        accept_outage: args.rolling.accept_outage,
        maintenance_window: args.rolling.maintenance_window,
        on_failure: args.on_failure.into(),
        extent: if args.plan { Extent::PlanOnly } else { Extent::Everything },
        consent: Consent::of(args.yes, style::stdin_is_terminal() && output == Output::Text),
        output: args.output,
    };
    Box::pin(upgrade(cluster, report::reporter(output, context.verbosity), request)).await?;
    Ok(ExitCode::SUCCESS)
}
