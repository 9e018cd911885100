//! `kubectl mizar get`: what a recorded revision consists of. Only reads.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use mizar_core::object::Object;
use mizar_core::release::{History, Release};
use mizar_core::yaml;
use serde_json::{Value, json};

use crate::cli::format::OF_RECORDS;
use crate::cluster::Access;
use crate::context::Context;
use crate::failure::{Failure, Kind};
use crate::flow::records::{self, NAMES};
use crate::flow::prepare::objects_of;
use crate::report;
use crate::report::format::Format;

/// A part of a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The objects that were applied
    Manifest,
    /// What the chart told who installed it
    Notes,
    /// The values that differ from the chart's own
    Values,
}

/// Show what a recorded revision of Mizar consists of
///
/// Never writes to the cluster. Without a revision it is the one that is deployed, or else the last one. What is recorded is
/// printed as it is: values and manifests may hold what is nobody else's business.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  # With which values was Mizar installed?
  kubectl mizar get values

  # What did revision 1 consist of?
  kubectl mizar get manifest 1

  # The definitions of Mizar's objects, as they were applied
  kubectl mizar get manifest --release mizar-crds")]
pub(crate) struct GetArgs {
    /// Which part
    #[arg(value_enum, value_name = "PART")]
    part: Part,

    /// Which revision, as `kubectl mizar history` numbers them
    #[arg(value_name = "REVISION", value_parser = clap::value_parser!(u64).range(1..))]
    revision: Option<u64>,

    /// With values: the chart's own values too
    #[arg(short, long)]
    all: bool,

    /// Of which release
    #[arg(long, value_name = "NAME", default_value = NAMES[1], value_parser = NAMES)]
    release: String,

    /// Output format [default: as it is recorded]
    #[arg(short, long, value_name = "FORMAT", value_parser = OF_RECORDS)]
    output: Option<Format>,
}

pub(crate) async fn run(context: &Context, args: GetArgs) -> Result<ExitCode, Failure> {
    if args.all && args.part != Part::Values {
        return Err(Failure::new(Kind::Usage, "--all is about values: kubectl mizar get values --all"));
    }
    let cluster = context.connect("get", Access::ReadOnly).await?;
    cluster.ledger().enter("facts");
    let histories = records::look(&cluster, context.namespace.as_deref()).await?;
    report::warnings(cluster.ledger().take_messages());
    let place = NAMES.iter().position(|name| *name == args.release).unwrap_or_default();
    let release = chosen(&histories[place], &args, context.namespace.as_deref())?;
    let text = match &args.output {
        Some(format) => {
            let document = document(release, &args)?;
            format.write_or(|| document, String::new)?
        }
        None => recorded(release, &args),
    };
    report::data(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn chosen<'a>(history: &'a History, args: &GetArgs, namespace: Option<&str>) -> Result<&'a Release, Failure> {
    if history.is_empty() {
        return Err(records::none_recorded(namespace));
    }
    match args.revision {
        None => history.base().map(|stored| &stored.release).ok_or_else(|| records::none_recorded(namespace)),
        Some(revision) => history.revision(revision).ok_or_else(|| {
            let known = history.records.iter().map(|stored| stored.release.revision.to_string());
            let known = known.collect::<Vec<_>>().join(", ");
            Failure::new(Kind::Failed, format!("release {} has no revision {revision}; there are: {known}", args.release))
                .hint("see them all: kubectl mizar history")
        }),
    }
}

/// As it is recorded.
fn recorded(release: &Release, args: &GetArgs) -> String {
    match args.part {
        Part::Manifest => release.manifest.clone(),
        Part::Notes => format!("{}\n", release.info.notes.trim_end()),
        Part::Values => yaml::write(&values(release, args.all)),
    }
}

/// The same for programs.
fn document(release: &Release, args: &GetArgs) -> Result<Value, Failure> {
    Ok(match args.part {
        Part::Manifest => {
            let objects: Vec<Value> = objects_of(&release.manifest)?.into_iter().map(Object::into_value).collect();
            json!({"apiVersion": "v1", "kind": "List", "items": objects})
        }
        Part::Notes => {
            let (name, revision, notes) = (&release.name, release.revision, &release.info.notes);
            json!({"apiVersion": "mizar.dev/v1", "kind": "Notes", "release": name, "revision": revision, "notes": notes})
        }
        Part::Values => values(release, args.all),
    })
}

fn values(release: &Release, all: bool) -> Value {
    if all { release.all_values() } else { Value::Object(release.config.clone()) }
}
