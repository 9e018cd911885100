//! `kubectl mizar repair`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use mizar_core::repair::Remedy;

use crate::cli::evidence::EvidenceArgs;
use crate::cli::format::OF_CHANGES;
use crate::cli::plan::{self, DryRun};
use crate::cli::wait::parse_duration;
use crate::cluster::Access;
use crate::context::Context;
use crate::failure::{Failure, Kind};
use crate::flow::consent::Consent;
use crate::flow::repair::{Request, repair};
use crate::report::format::Format;
use crate::report::{self, Output, style};

/// Repair a running Mizar: what `check` finds and a remedy heals
///
/// Shows the plan first: what is touched, what it cuts and for how long, and what no remedy heals. Then does it, remedy by
/// remedy, and checks the result. Killed at any point, the same command finishes what it began.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  # What is wrong, and what would be done about it? Only reads.
  kubectl mizar repair --plan

  # Repair, asking first
  kubectl mizar repair

  # Only end the deadlock after a restart of the operator, in a script
  kubectl mizar repair --only deadlock -y

  # Restart the operator the one safe way
  kubectl mizar repair --restart-operator")]
pub(crate) struct RepairArgs {
    /// Only show the plan
    #[arg(long, conflicts_with = "dry_run")]
    plan: bool,

    /// client is --plan; what a repair does the API server cannot try, so there is no server
    #[arg(long, value_name = "HOW", value_enum, default_value_t = DryRun::None, default_missing_value = plan::BARE_DRY_RUN, num_args = 0..=1, require_equals = true)]
    dry_run: DryRun,

    /// Do not ask
    #[arg(short, long, alias = "assume-yes")]
    yes: bool,

    /// Take these remedies only; without it, all that are needed
    #[arg(long, value_name = "ID[,ID]", value_delimiter = ',', value_parser = remedy())]
    only: Vec<Remedy>,

    /// Restart the operator too, the safe way, without handing out addresses that are in use
    #[arg(long)]
    restart_operator: bool,

    /// Longest wait for any one part, more than 0 [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,

    /// Output format; json writes one event per line to stdout
    #[arg(short, long, value_name = "FORMAT", default_value = "text", value_parser = OF_CHANGES)]
    output: Format,

    #[command(flatten)]
    evidence: EvidenceArgs,
}

fn remedy() -> impl clap::builder::TypedValueParser<Value = Remedy> {
    use clap::builder::TypedValueParser as _;
    let known = clap::builder::PossibleValuesParser::new(Remedy::ALL.map(Remedy::id));
    known.try_map(|id| id.parse::<Remedy>())
}

impl RepairArgs {
    pub(crate) fn output(&self) -> Output {
        self.output.output()
    }
}

pub(crate) async fn run(context: &Context, args: RepairArgs) -> Result<ExitCode, Failure> {
    let output = args.output();
    let consent = Consent::of(args.yes, style::stdin_is_terminal() && output == Output::Text);
    if args.timeout.is_some_and(|limit| limit.is_zero()) {
        return Err(Failure::new(
            Kind::Usage,
            "--timeout must be longer than nothing: each part of a repair is waited for",
        ));
    }
    let plan_only = args.plan || args.dry_run.is_client();
    plan::shown_alone(&args.output, plan_only)?;
    args.dry_run.warn_if_bare();
    if args.dry_run == DryRun::Server {
        let message = "a repair deletes and restarts, each step as the one before has left things: the API server cannot try that";
        return Err(Failure::new(Kind::Usage, message).hint("see what would be done: kubectl mizar repair --plan"));
    }
    let access = if plan_only { Access::ReadOnly } else { Access::ReadWrite };
    let cluster = context.connect("repair", access).await?;
    let request = Request {
        namespace: context.namespace.clone(),
        only: args.only.into_iter().collect(),
        restart_operator: args.restart_operator,
        plan_only,
        consent,
        timeout: args.timeout,
        evidence: args.evidence.wanted(),
        output: args.output.clone(),
    };
    Box::pin(repair(cluster, report::reporter(output, context.verbosity), request)).await?;
    if args.dry_run.is_client() {
        report::note("nothing was changed (dry run)");
    }
    Ok(ExitCode::SUCCESS)
}
