//! `kubectl mizar version`: what runs which version. Only reads.

use std::process::ExitCode;

use clap::Args;
use mizar_core::facts::{Facts, Source};
use mizar_core::version::Versions;

use crate::cli::format::OF_VERSIONS;
use crate::cluster::Access;
use crate::context::Context;
use crate::failure::{Failure, Kind};
use crate::flow::gather::{Wanted, gather};
use crate::flow::versions;
use crate::report::format::Format;
use crate::report::{self, Output};

/// What tells which Mizar runs.
const SOURCES: &[Source] = &[Source::Version, Source::Releases, Source::DaemonSets, Source::Deployments];

/// Show the versions of this program, its charts, the API server, and the Mizar in the cluster
///
/// Never writes to the cluster. When it cannot be reached, what is known without it is shown, and the exit code is 1, as with kubectl.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  # All versions
  kubectl mizar version

  # This program only, without any request
  kubectl mizar version --client

  # One of them, for a script
  kubectl mizar version --client -o jsonpath={.clientVersion.gitVersion}")]
pub(crate) struct VersionArgs {
    /// Only this program and its charts; makes no request
    #[arg(long)]
    client: bool,

    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "text", value_parser = OF_VERSIONS)]
    output: Format,
}

pub(crate) async fn run(context: &Context, args: VersionArgs) -> Result<ExitCode, Failure> {
    let client = Versions { client_version: versions::client()?, server_version: None, mizar: None };
    if args.client {
        show(&client, &args.output)?;
        return Ok(ExitCode::SUCCESS);
    }
    match read(context).await {
        Ok(facts) => {
            let versions = client.with_cluster(&facts);
            show(&versions, &args.output)?;
            if let Some(skew) = versions.skew() {
                report::warnings(vec![skew]);
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(failure) => {
            show(&client, &args.output)?;
            // As kubectl does, whatever kept the server from answering.
            let failure = Failure { kind: Kind::Failed, ..failure };
            Ok(report::failure(&failure, Output::Text))
        }
    }
}

async fn read(context: &Context) -> Result<Facts, Failure> {
    let cluster = context.connect("version", Access::ReadOnly).await?;
    cluster.ledger().enter("facts");
    let wanted = Wanted { sources: SOURCES, release_namespace: context.namespace.as_deref(), ..Wanted::default() };
    let facts = gather(&cluster, wanted).await?.facts;
    report::warnings(cluster.ledger().take_messages());
    Ok(facts)
}

fn show(versions: &Versions, format: &Format) -> Result<(), Failure> {
    let text = || versions.lines().into_iter().map(|(name, is)| format!("{name}: {is}\n")).collect::<Vec<_>>().concat();
    report::data(&format.write_or(|| versions.document(), text)?)
}
