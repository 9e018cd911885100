//! `kubectl mizar uninstall`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use mizar_core::uninstall::UNINSTALL;

use crate::cli::evidence::EvidenceArgs;
use crate::cli::format::OF_CHANGES;
use crate::cli::plan::{self, DryRun, PlanArgs};
use crate::cli::wait::parse_duration;
use crate::cluster::Access;
use crate::context::Context;
use crate::failure::{Failure, Kind};
use crate::flow::consent::Consent;
use crate::flow::saved_plan::{PlanFile, read_options};
use crate::flow::uninstall::{Options, Request, uninstall};
use crate::report::format::Format;
use crate::report::{self, Output, style};

/// Take Mizar out of the cluster and off its nodes, or finish an uninstall that was interrupted
///
/// Shows the plan first: what goes, what stays, which pods lose their network. The custom resources are saved in a file before they are deleted,
/// what the operator left on other objects is taken off, and each node gets back what was saved before Mizar changed it. Without --crds
/// the definitions, their release and the namespace remain. It also cleans up after `helm uninstall`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  # What would go, and what would lose its network by it? Only reads.
  kubectl mizar uninstall --plan

  # Take Mizar out; the name of the release has to be typed
  kubectl mizar uninstall

  # Show the plan to somebody else, who carries out exactly that
  kubectl mizar uninstall --crds --save-plan plan.json
  kubectl mizar uninstall --use-plan plan.json

  # Everything, definitions and namespace too, in a script
  kubectl mizar uninstall --crds --yes --export mizar.yaml

  # All nodes but one that will not come back
  kubectl mizar uninstall --yes --skip-node node-7")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that a person may type")]
pub(crate) struct UninstallArgs {
    #[command(flatten)]
    plan: PlanArgs,

    /// client is --plan; each part follows from what the one before has left, so there is no server
    #[arg(long, value_name = "HOW", conflicts_with_all = ["plan", "save_plan", "use_plan"], value_enum, default_value_t = DryRun::None, default_missing_value = plan::BARE_DRY_RUN, num_args = 0..=1, require_equals = true)]
    dry_run: DryRun,

    /// Do not ask
    #[arg(short, long, alias = "assume-yes")]
    yes: bool,

    /// Delete the definitions too, with their release, and the namespace if an install made it
    #[arg(long)]
    crds: bool,

    /// Save the custom resources here; what an earlier run saved there stays [default: mizar-export-TIME.yaml]
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,

    /// Leave the nodes as they are: no Job cleans them
    #[arg(long)]
    keep_node_state: bool,

    /// Do not clean this node; may be repeated
    #[arg(long, value_name = "NODE", conflicts_with = "keep_node_state", value_parser = NonEmptyStringValueParser::new())]
    skip_node: Vec<String>,

    /// Keep the records of the releases as Helm does, with status uninstalled
    #[arg(long)]
    keep_history: bool,

    /// Longest wait for any one part, more than 0 [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,

    /// Output format; json writes one event per line to stdout
    #[arg(short, long, value_name = "FORMAT", default_value = "text", value_parser = OF_CHANGES)]
    output: Format,

    #[command(flatten)]
    evidence: EvidenceArgs,
}

impl UninstallArgs {
    pub(crate) fn output(&self) -> Output {
        self.output.output()
    }
}

pub(crate) async fn run(context: &Context, args: UninstallArgs) -> Result<ExitCode, Failure> {
    let output = args.output();
    if args.timeout.is_some_and(|limit| limit.is_zero()) {
        let message = "--timeout must be longer than nothing: each part of an uninstall is waited for";
        return Err(Failure::new(Kind::Usage, message));
    }
    let plan_only = args.plan.only_shows() || args.dry_run.is_client();
    plan::shown_alone(&args.output, plan_only)?;
    args.dry_run.warn_if_bare();
    if args.dry_run == DryRun::Server {
        let message =
            "an uninstall deletes part by part, each as the one before has left things: the API server cannot try that";
        return Err(Failure::new(Kind::Usage, message).hint("see what would go: kubectl mizar uninstall --plan"));
    }
    let file = args.plan.file(UNINSTALL)?;
    let asked = asked(&args, &file)?;
    let agreed = args.yes || matches!(file, PlanFile::Use(_));
    let access = if plan_only { Access::ReadOnly } else { Access::ReadWrite };
    let cluster = context.connect(UNINSTALL, access).await?;
    let request = Request {
        namespace: context.namespace.clone().or(file.namespace()),
        crds: asked.crds,
        // The file is one of whoever carries it out.
        export: args.export.or(asked.export),
        keep_node_state: asked.keep_node_state,
        skip: asked.skip_node,
        keep_history: asked.keep_history,
        file,
        plan_only,
        consent: Consent::of(agreed, style::stdin_is_terminal() && output == Output::Text),
        timeout: args.timeout,
        evidence: args.evidence.wanted(),
        output: args.output.clone(),
    };
    // On the heap: the whole of an uninstall is too large for a stack.
    Box::pin(uninstall(cluster, report::reporter(output, context.verbosity), request)).await?;
    if args.dry_run.is_client() {
        report::note("nothing was changed (dry run)");
    }
    Ok(ExitCode::SUCCESS)
}

/// What was asked for: on the command line, or when the plan was saved.
fn asked(args: &UninstallArgs, file: &PlanFile) -> Result<Options, Failure> {
    args.plan.refuse_beside(&[
        ("--crds", args.crds),
        ("--keep-node-state", args.keep_node_state),
        ("--skip-node", !args.skip_node.is_empty()),
        ("--keep-history", args.keep_history),
    ])?;
    match file.saved() {
        Some(saved) => read_options(saved),
        None => Ok(Options {
            crds: args.crds,
            keep_node_state: args.keep_node_state,
            keep_history: args.keep_history,
            skip_node: args.skip_node.iter().cloned().collect(),
            export: args.export.clone(),
        }),
    }
}
