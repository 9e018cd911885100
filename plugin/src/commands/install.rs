//! `kubectl mizar install`.

use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgAction, Args};
use mizar_core::adoption;
use mizar_core::upgrade::Order;

use super::replacing::Replacing;
use crate::cli::evidence::EvidenceArgs;
use crate::cli::format::OF_CHANGES;
use crate::cli::history::HistoryMaxArgs;
use crate::cli::plan::{self, DryRun, PlanArgs};
use crate::cli::rolling::{FailureArg, RollingArgs};
use crate::cli::values::ValuesArgs;
use crate::cli::wait::parse_duration;
use crate::cluster::Access;
use crate::context::Context;
use crate::failure::{Failure, Kind};
use crate::flow::consent::Consent;
use crate::flow::install::{COMMAND, Extent, Options, Request, install};
use crate::flow::prepare;
use crate::flow::records::DEFAULT_NAMESPACE;
use crate::flow::saved_plan::{PlanFile, read_options};
use crate::flow::upgrade::{self, OnFailure, Target};
use crate::flow::value_sources::ValueSources;
use crate::report::format::Format;
use crate::report::{self, Output, style};

/// Install Mizar, or go on with an install that was interrupted
///
/// Shows the plan first: which objects are made, which nodes get a daemon, which pods lose their network. Then does exactly that, waits
/// for every part, and checks the result. Running it again changes nothing that is as it should be.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  # See what would happen
  kubectl mizar install --profile dev --plan

  # Install; asks before it changes anything
  kubectl mizar install --profile dev

  # Show the plan to somebody else, who carries out exactly that
  kubectl mizar install --profile dev --save-plan plan.json
  kubectl mizar install --use-plan plan.json

  # Install in a script, with values of your own
  kubectl mizar install --profile prod -f digests.yaml -y

  # Replace the pod network that is there, and recreate the pods that used it
  kubectl mizar install --profile dev --take-over-cni --recreate-pods

  # Take over a Mizar that the old script or kubectl apply has installed
  kubectl mizar install --adopt --plan
  kubectl mizar install --adopt")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that a person may type")]
pub(crate) struct InstallArgs {
    /// How Mizar is spread: 1 puts everything into one cluster
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=1))]
    phase: u8,

    #[command(flatten)]
    plan: PlanArgs,

    /// Try without changing anything: client renders only, server has the API server check every object
    #[arg(long, value_name = "HOW", conflicts_with_all = ["plan", "save_plan", "use_plan"], value_enum, default_value_t = DryRun::None, default_missing_value = plan::BARE_DRY_RUN, num_args = 0..=1, require_equals = true)]
    dry_run: DryRun,

    /// Do not ask
    #[arg(short, long, alias = "assume-yes")]
    yes: bool,

    /// Replace a pod network of another kind; its files on the nodes are saved first
    #[arg(long)]
    take_over_cni: bool,

    /// At the end, recreate pods that are older than Mizar, name servers first
    #[arg(long)]
    recreate_pods: bool,

    /// Take over a Mizar that no release is recorded of, where it is: node by node, drained, as an upgrade does it
    #[arg(long, conflicts_with_all = ["take_over_cni", "recreate_pods", "dry_run", "wait", "on_failure"])]
    adopt: bool,

    /// What to do when it fails; rollback goes back to what was deployed before, or takes a first install out
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = FailureArg::Stop)]
    on_failure: FailureArg,

    /// Wait until every part works
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    wait: bool,

    /// Longest wait for any one part, more than 0 [default: 30m for the daemons, 5m for each other part]
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

impl InstallArgs {
    pub(crate) fn output(&self) -> Output {
        self.output.output()
    }
}

pub(crate) async fn run(context: &Context, args: InstallArgs) -> Result<ExitCode, Failure> {
    let output = args.output();
    plan::shown_alone(&args.output, args.plan.only_shows())?;
    args.dry_run.warn_if_bare();
    if args.adopt {
        return adopt(context, args).await;
    }
    refuse_of_nodes(&args.rolling)?;
    let asked = asked(&args)?;
    if args.dry_run.is_client() {
        let namespace = context.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
        report::data(&prepare::offline(&asked.values, namespace)?)?;
        report::note("nothing was sent to a cluster (dry run)");
        return Ok(ExitCode::SUCCESS);
    }
    let extent = match (args.plan.only_shows(), args.dry_run) {
        (true, _) => Extent::PlanOnly,
        (_, DryRun::Server) => Extent::ServerDryRun,
        _ => Extent::Everything,
    };
    let agreed = args.yes || matches!(asked.file, PlanFile::Use(_));
    let consent = Consent::of(agreed, style::stdin_is_terminal() && output == Output::Text);
    if args.timeout.is_some_and(|limit| limit.is_zero()) {
        return Err(Failure::new(
            Kind::Usage,
            "--timeout must be longer than nothing; leave the waits out with --wait=false",
        ));
    }
    if asked.recreate_pods && !args.wait {
        let message = "--recreate-pods needs a network that works: it cannot be used with --wait=false";
        return Err(Failure::new(Kind::Usage, message));
    }
    let history_max = args.history_max.limit()?;
    let access = if extent == Extent::PlanOnly { Access::ReadOnly } else { Access::ReadWrite };
    let cluster = context.connect(COMMAND, access).await?;
    let request = Request {
        values: asked.values,
        namespace: context.namespace.clone().or(asked.namespace),
        take_over_cni: asked.take_over_cni,
        recreate_pods: asked.recreate_pods,
        file: asked.file,
        extent,
        consent,
        on_failure: args.on_failure.into(),
        wait: args.wait,
        timeout: args.timeout,
        evidence: args.evidence.wanted(),
        history_max,
        output: args.output.clone(),
    };
    // On the heap: the whole of an install is too large for a stack.
    Box::pin(install(cluster, report::reporter(output, context.verbosity), request)).await?;
    Ok(ExitCode::SUCCESS)
}

/// Takes over what is there already: an upgrade whose base no release has recorded.
async fn adopt(context: &Context, args: InstallArgs) -> Result<ExitCode, Failure> {
    args.plan.refuse_values(&args.values)?;
    args.plan.refuse_beside(&args.rolling.given())?;
    let file = args.plan.file(adoption::COMMAND)?;
    let agreed: Option<upgrade::Options> = file.saved().map(read_options).transpose()?;
    let values = match file.saved() {
        Some(saved) => {
            let chart = args.values.chart.as_deref();
            plan::same_chart(saved.inputs.own_chart, chart)?;
            ValueSources::given(saved.inputs.values.clone(), chart)?
        }
        None => ValueSources::read(args.values.to_flags())?,
    };
    let history_max = args.history_max.limit()?;
    let replacing = Replacing {
        command: COMMAND,
        target: Target::Adoption { values: Box::new(values) },
        order: Order::LeastFirst,
        // What was there before is recorded nowhere.
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

/// An install replaces no daemon, so that it treats no node.
fn refuse_of_nodes(rolling: &RollingArgs) -> Result<(), Failure> {
    match rolling.given().into_iter().find(|(_, typed)| *typed) {
        Some((flag, _)) => {
            Err(Failure::new(Kind::Usage, format!("{flag} needs --adopt: an install replaces no daemon"))
                .hint("replace daemons by an upgrade: kubectl mizar upgrade"))
        }
        None => Ok(()),
    }
}

/// What was asked for: on the command line, or when the plan was saved.
struct Asked {
    values: ValueSources,
    namespace: Option<String>,
    take_over_cni: bool,
    recreate_pods: bool,
    file: PlanFile,
}

fn asked(args: &InstallArgs) -> Result<Asked, Failure> {
    args.plan.refuse_values(&args.values)?;
    args.plan.refuse_beside(&[("--take-over-cni", args.take_over_cni), ("--recreate-pods", args.recreate_pods)])?;
    let file = args.plan.file(COMMAND)?;
    let PlanFile::Use(saved) = &file else {
        return Ok(Asked {
            values: ValueSources::read(args.values.to_flags())?,
            namespace: None,
            take_over_cni: args.take_over_cni,
            recreate_pods: args.recreate_pods,
            file,
        });
    };
    let chart = args.values.chart.as_deref();
    plan::same_chart(saved.inputs.own_chart, chart)?;
    let options: Options = read_options(saved)?;
    Ok(Asked {
        values: ValueSources::given(saved.inputs.values.clone(), chart)?,
        namespace: Some(saved.binding.namespace.clone()),
        take_over_cni: options.take_over_cni,
        recreate_pods: options.recreate_pods,
        file,
    })
}
