//! `kubectl mizar status`: what runs, on one screen, once or for as long as a person looks. Only reads.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use mizar_core::status::Status;
use mizar_core::yaml;
use tokio::time::{Instant, sleep_until};

use crate::cli::environment::ViewArgs;
use crate::cli::wait::parse_duration;
use crate::cluster::{Access, Cluster};
use crate::context::Context;
use crate::failure::{CHANGES_FOUND, Failure, Kind};
use crate::flow::status::{Question, Watching, once, replayed};
use crate::flow::{drift, facts_file};
use crate::report::format::Format;
use crate::report::screen::OtherScreen;
use crate::report::status::{names, screen};
use crate::report::{self, Output, style};
use crate::window::Window;

/// Show what runs: versions, nodes, networks, what is in progress, and the worst findings
///
/// Never writes to the cluster, and exits with 0 whatever it shows; `check` is the command whose exit code judges. With --drift it compares
/// every object of the charts with its record, field by field, and exits with 10 if anything differs. With --watch, a terminal
/// shows the present until Ctrl-C (exit code 130) or until --timeout (exit code 0); elsewhere one block, or one line of JSON,
/// is written whenever something has changed.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  # What runs?
  kubectl mizar status

  # Look on while an install goes on
  kubectl mizar status --watch

  # One line of JSON for every change of the next ten minutes
  kubectl mizar status --watch --timeout 10m -o json

  # Has anybody changed what was installed?
  kubectl mizar status --drift

  # What did run when these facts were saved?
  kubectl mizar status --facts facts.json")]
pub(crate) struct StatusArgs {
    /// Stay, and show every change
    #[arg(short, long, conflicts_with = "facts")]
    watch: bool,

    /// Show instead in what the installed objects differ from the records, and who changed them
    #[arg(long, conflicts_with_all = ["watch", "facts", "environment"])]
    drift: bool,

    /// How long to stay with --watch; 0 shows it once
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, requires = "watch")]
    timeout: Option<Duration>,

    #[command(flatten)]
    view: ViewArgs,
}

impl StatusArgs {
    pub(crate) fn output(&self) -> Output {
        self.view.output()
    }
}

pub(crate) async fn run(context: &Context, args: StatusArgs) -> Result<ExitCode, Failure> {
    let question = Question { namespace: context.namespace.clone(), environment: args.view.environment() };
    if let Some(path) = &args.view.facts {
        let facts = facts_file::read(path)?;
        report::data(&written(&replayed(&facts, &question), &args.view.output)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let cluster = context.connect("status", Access::ReadOnly).await?;
    cluster.ledger().enter("facts");
    if args.drift {
        return show_drift(&cluster, context, &args.view.output).await;
    }
    if !args.watch || args.timeout.is_some_and(|limit| limit.is_zero()) {
        let status = once(&cluster, &question).await?;
        report::warnings(cluster.ledger().take_messages());
        report::data(&written(&status, &args.view.output)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let deadline = args.timeout.map(|limit| Instant::now() + limit);
    let time_is_up = async {
        match deadline {
            Some(deadline) => sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = time_is_up => Ok(ExitCode::SUCCESS),
        failure = follow(cluster, question, &args.view.output) => failure.map(|()| ExitCode::SUCCESS),
    }
}

/// Shows in what the cluster differs from the records. What could not be read is not passed over: nobody knows whether it
/// differs.
async fn show_drift(cluster: &Cluster, context: &Context, format: &Format) -> Result<ExitCode, Failure> {
    let drift::Findings { drift, damaged } = drift::find(cluster, context.namespace.as_deref()).await?;
    let mut warnings = cluster.ledger().take_messages();
    warnings.extend(damaged);
    report::warnings(warnings);
    report::data(&report::drift::written(&drift, format)?)?;
    if drift.is_drifted() {
        report::note("see what putting it back would change: kubectl mizar install --plan");
        return Ok(ExitCode::from(CHANGES_FOUND));
    }
    match drift.unread().count() {
        0 => Ok(ExitCode::SUCCESS),
        unread => Err(Failure::new(
            Kind::Unreachable,
            format!(
                "{unread} of {} recorded objects could not be read, so that nobody can tell whether they differ",
                drift.total
            ),
        )
        .hint(
            "who only looks has these rights by docs/rbac/reader.yaml; see what you may do: kubectl auth can-i --list",
        )),
    }
}

/// Shows every change; ends only when that cannot go on, or nobody reads it any more.
async fn follow(cluster: Cluster, question: Question, format: &Format) -> Result<(), Failure> {
    cluster.ledger().enter("watch");
    let mut watching = Watching::start(&cluster, question).await?;
    let live = *format == Format::Text && style::stdout_is_terminal();
    let mut other_screen = if live { Some(OtherScreen::open()?) } else { None };
    let mut window = Window::of_terminal();
    let mut shown: Option<Moment> = None;
    loop {
        let now = (watching.status(), watching.trouble());
        if shown.as_ref() != Some(&now) {
            if !show(&now, shown.as_ref(), format, other_screen.as_mut())? {
                return Ok(());
            }
            if shown.is_some() {
                watching.doubt_the_rest();
            }
            shown = Some(now);
        }
        tokio::select! {
            changed = watching.changed() => changed?,
            () = window.resized(), if live => other_screen.as_ref().map_or(Ok(()), OtherScreen::redraw)?,
        }
    }
}

/// A status, and what keeps it from being the present.
type Moment = (Status, Option<String>);

/// Shows a moment; returns whether anybody looks.
fn show(
    now: &Moment,
    before: Option<&Moment>,
    format: &Format,
    live: Option<&mut OtherScreen>,
) -> Result<bool, Failure> {
    let (status, trouble) = now;
    let trouble_is_news = before.map(|(_, trouble)| trouble) != Some(trouble);
    if let Some(other_screen) = live {
        let warning = trouble.as_ref().map(|trouble| report::status::stale(trouble)).unwrap_or_default();
        return other_screen.draw(format!("{}{warning}", screen(status))).map(|()| true);
    }
    if let Some(trouble) = trouble.as_ref().filter(|_| trouble_is_news) {
        report::note(report::status::stale(trouble).trim_end());
    }
    if before.is_some_and(|(before, _)| before == status) {
        return Ok(true);
    }
    report::piece(&match format {
        // One line a change, for programs that read lines; documents of YAML and blocks of text are set apart.
        Format::Json => format!("{}\n", status.to_json()),
        Format::Yaml => format!("---\n{}", yaml::write(&status.to_json())),
        Format::JsonPath(_) => format!("{}\n", written(status, format)?),
        _ if before.is_some() => format!("\n{}", written(status, format)?),
        _ => written(status, format)?,
    })
}

fn written(status: &Status, format: &Format) -> Result<String, Failure> {
    format.write_or(|| status.to_json(), || if *format == Format::Name { names(status) } else { screen(status) })
}
