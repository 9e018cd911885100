//! `kubectl mizar env`: what kind of cluster this is, and what there is of Mizar in it. Only reads.

use std::process::ExitCode;

use clap::Args;
use mizar_core::environment::overview::{SOURCES, overview};
use mizar_core::facts::Facts;
use mizar_core::facts_file as form;

use crate::cli::environment::ViewArgs;
use crate::cluster::Access;
use crate::context::Context;
use crate::failure::Failure;
use crate::flow::facts_file;
use crate::flow::gather::{Wanted, gather};
use crate::report::format::{self, Format};
use crate::report::{self, Output};

/// Show what kind of cluster this is, what tells so, and what there is of Mizar in it
///
/// Never writes to the cluster. -o json and yaml hold all facts that the checks look at, too, without any secret: such a file can be sent
/// with a report, and `check`, `env` and `status` take it with --facts.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  # What is this cluster?
  kubectl mizar env

  # Keep what was read, to look at it elsewhere
  kubectl mizar env -o json > facts.json
  kubectl mizar check --facts facts.json")]
pub(crate) struct EnvArgs {
    #[command(flatten)]
    view: ViewArgs,
}

impl EnvArgs {
    pub(crate) fn output(&self) -> Output {
        self.view.output()
    }
}

pub(crate) async fn run(context: &Context, args: EnvArgs) -> Result<ExitCode, Failure> {
    let (facts, server) = match &args.view.facts {
        Some(path) => (facts_file::read(path)?, None),
        None => read(context, &args.view.output).await?,
    };
    let overview = overview(&facts, args.view.environment());
    let output = &args.view.output;
    report::data(&output.write_or(
        || form::to_json(&facts, serde_json::to_value(&overview).ok()),
        || match output {
            Format::Name => format::names([format!("environment/{}", overview.detection.environment)]),
            _ => report::env::table(&overview, server.as_deref()),
        },
    )?)?;
    Ok(ExitCode::SUCCESS)
}

/// A person is shown little, and waits for no more than that; a file is for everything that can be judged later.
async fn read(context: &Context, format: &Format) -> Result<(Facts, Option<String>), Failure> {
    let cluster = context.connect("env", Access::ReadOnly).await?;
    cluster.ledger().enter("facts");
    let is_for_a_person = matches!(format, Format::Text | Format::Name);
    let sources = if is_for_a_person { SOURCES.to_vec() } else { facts_file::sources() };
    let wanted = Wanted { sources: &sources, release_namespace: context.namespace.as_deref(), ..Wanted::default() };
    let facts = gather(&cluster, wanted).await?.facts;
    report::warnings(cluster.ledger().take_messages());
    Ok((facts, Some(cluster.server().to_owned())))
}
