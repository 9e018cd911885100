//! `kubectl mizar get`: what a recorded revision consists of, and what it changed. Only reads.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use mizar_core::object::Object;
use mizar_core::release::changes::RevisionChanges;
use mizar_core::release::{History, Release};
use mizar_core::yaml;
use serde_json::{Value, json};

use crate::cli::format::OF_RECORDS;
use crate::cluster::Access;
use crate::context::Context;
use crate::failure::{Failure, Kind};
use crate::flow::prepare::objects_of;
use crate::flow::records::{self, NAMES};
use crate::report;
use crate::report::format::Format;

/// A part of a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// What is made once, at the first installation
    Hooks,
    /// The objects that were applied
    Manifest,
    /// What the chart told who installed it
    Notes,
    /// What it changed: values and objects beside those of the revision it began from
    Plan,
    /// The values that were chosen; with --all those of the chart too
    Values,
}

/// Show what a recorded revision of Mizar consists of, and what it changed
///
/// Never writes to the cluster. Without a revision it is the one that is deployed, or else the last one. Values, manifest, hooks and
/// notes are printed as they are recorded, so they may hold what is nobody else's business; in the plan the content of secrets
/// is masked. The plan is told from the records alone: what somebody changed past them is shown by `status --drift`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  # With which values was Mizar installed?
  kubectl mizar get values

  # What did revision 1 consist of?
  kubectl mizar get manifest 1

  # What did the last change change?
  kubectl mizar get plan

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

    /// Output format [default: as it is recorded; of a plan, for people]
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
    let history = &histories[place];
    let release = chosen(history, &args, context.namespace.as_deref())?;
    let part = Content::of(history, release, &args)?;
    report::data(&match &args.output {
        Some(format) => {
            let document = part.document()?;
            format.write_or(|| document, String::new)?
        }
        None => part.recorded(),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn chosen<'a>(history: &'a History, args: &GetArgs, namespace: Option<&str>) -> Result<&'a Release, Failure> {
    let newest = history.base().map(|stored| &stored.release);
    let (Some(newest), name) = (newest, &args.release) else {
        return Err(match history.damaged.first() {
            Some(damaged) => Failure::new(Kind::Failed, damaged.to_string()),
            None => records::none_recorded(namespace),
        });
    };
    let Some(revision) = args.revision else { return Ok(newest) };
    history.revision(revision).ok_or_else(|| {
        let known: Vec<String> = history.records.iter().map(|stored| stored.release.revision.to_string()).collect();
        let damaged = history.damaged.iter().map(ToString::to_string);
        let message = format!("release {name} has no revision {revision}; there are: {}", known.join(", "));
        damaged.fold(Failure::new(Kind::Failed, message), Failure::detail).hint("see them all: kubectl mizar history")
    })
}

/// A part of a revision, with what it holds.
enum Content<'a> {
    Hooks(&'a Release),
    Manifest(&'a Release),
    Notes(&'a Release),
    Plan(Box<RevisionChanges>),
    Values(Value),
}

impl<'a> Content<'a> {
    fn of(history: &History, release: &'a Release, args: &GetArgs) -> Result<Self, Failure> {
        Ok(match args.part {
            Part::Hooks => Self::Hooks(release),
            Part::Manifest => Self::Manifest(release),
            Part::Notes => Self::Notes(release),
            Part::Plan => Self::Plan(Box::new(RevisionChanges::of(history, release).map_err(|error| {
                Failure::new(Kind::Failed, error.to_string())
                    .hint("see the revisions that are kept: kubectl mizar history")
            })?)),
            Part::Values if args.all => Self::Values(release.all_values()),
            Part::Values => Self::Values(Value::Object(release.config.clone())),
        })
    }

    /// As it is recorded, which is what Helm prints; a plan for people.
    fn recorded(&self) -> String {
        match self {
            Self::Hooks(release) => hooks(release),
            Self::Manifest(release) => format!("{}\n", release.manifest),
            Self::Notes(release) => format!("{}\n", release.info.notes.trim_end()),
            Self::Plan(changes) => report::history::changes(changes),
            Self::Values(values) => yaml::write(values),
        }
    }

    /// The same for programs.
    fn document(&self) -> Result<Value, Failure> {
        let list = |manifest: &str| -> Result<Value, Failure> {
            let objects: Vec<Value> = objects_of(manifest)?.into_iter().map(Object::into_value).collect();
            Ok(json!({"apiVersion": "v1", "kind": "List", "items": objects}))
        };
        Ok(match self {
            Self::Hooks(release) => list(&hooks(release))?,
            Self::Manifest(release) => list(&release.manifest)?,
            Self::Notes(release) => {
                let (name, revision, notes) = (&release.name, release.revision, &release.info.notes);
                json!({"apiVersion": "mizar.dev/v1", "kind": "Notes", "release": name, "revision": revision,
                    "notes": notes})
            }
            Self::Plan(changes) => changes.document(),
            Self::Values(values) => values.clone(),
        })
    }
}

/// As Helm prints them.
fn hooks(release: &Release) -> String {
    let hooks = release.hooks.iter().map(|hook| format!("---\n# Source: {}\n{}\n", hook.path, hook.manifest));
    hooks.collect::<Vec<_>>().concat()
}
