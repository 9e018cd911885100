//! `kubectl mizar check`: is Mizar healthy, or may it be installed? Only reads.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use mizar_core::check::{Baseline, BaselineError, Comparison, Filters, Heading, Phase, Report, Selection, Severity};
use mizar_core::facts::Facts;

use crate::cli::format::OF_CHECKS;
use crate::cli::wait::parse_duration;
use crate::cluster::{Access, Cluster};
use crate::context::Context;
use crate::failure::{Failure, Kind};
use crate::flow::examine::{self, Examined, Question, Wait, Waited};
use crate::flow::facts_file;
use crate::flow::prepare;
use crate::flow::records::DEFAULT_NAMESPACE;
use crate::private_file;
use crate::report::checks::table::{Detail, table};
use crate::report::checks::{self, View, junit::junit, short::short};
use crate::report::format::Format;
use crate::report::{self, Output};

/// Check whether Mizar is healthy, or with --pre whether it may be installed
///
/// Never writes to the cluster. Exits with 1 if anything failed, or could not be decided and would stop an install; warnings
/// exit with 0. With --baseline only what is new or worse counts, with --wait the code is 6 when time is up.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  # Is everything well?
  kubectl mizar check

  # May Mizar be installed here?
  kubectl mizar check --pre

  # What is wrong with one node?
  kubectl mizar check --node node-7

  # Some checks only; `kubectl mizar explain` lists all
  kubectl mizar check --category nodes,components
  kubectl mizar check --check nodes-ready,daemon --verbose

  # Wait up to five minutes until everything is well
  kubectl mizar check --wait --timeout 5m

  # What has changed since yesterday?
  kubectl mizar check --save yesterday.json
  kubectl mizar check --baseline yesterday.json

  # Keep what was read, and judge it elsewhere
  kubectl mizar check --save-facts facts.json
  kubectl mizar check --facts facts.json

  # For machines
  kubectl mizar check -o junit > checks.xml
  kubectl mizar check -o json | jq '.checks[] | select(.status != \"pass\")'")]
pub(crate) struct CheckArgs {
    /// Check whether an install may start
    #[arg(long)]
    pre: bool,

    /// Wait until nothing fails or may still come, or time is up; watches the cluster and does not poll it
    #[arg(long)]
    wait: bool,

    /// How long to wait with --wait; 0 looks once
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_duration, requires = "wait")]
    timeout: Duration,

    /// Only these checks; may be repeated
    #[arg(long = "check", value_name = "ID", value_delimiter = ',', help_heading = "Which checks")]
    ids: Vec<String>,

    /// Only checks of these categories; may be repeated
    #[arg(long = "category", value_name = "NAME", value_delimiter = ',', help_heading = "Which checks")]
    categories: Vec<String>,

    /// Only checks of this severity or a worse one
    #[arg(long, value_name = "SEVERITY", value_enum, help_heading = "Which checks")]
    severity: Option<LeastSeverity>,

    /// Only what concerns this node; what is about the whole cluster does
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new(), help_heading = "Which checks")]
    node: Option<String>,

    /// Write what was read to this file, for somebody else to look at; it holds no secret
    #[arg(long, value_name = "FILE", conflicts_with = "facts")]
    save_facts: Option<PathBuf>,

    /// Judge facts that were saved, as of then, without any cluster; - reads stdin
    #[arg(long, value_name = "FILE", conflicts_with = "wait")]
    facts: Option<PathBuf>,

    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "table", value_parser = OF_CHECKS)]
    output: Format,

    /// Show all evidence, and what each check looks at
    #[arg(long)]
    verbose: bool,

    /// Also write the report as JSON into this file
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,

    /// Compare with a report that was saved; only what is new or worse since decides the exit code
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LeastSeverity {
    Blocker,
    Warning,
    Note,
}

impl CheckArgs {
    pub(crate) fn output(&self) -> Output {
        self.output.output()
    }

    fn phase(&self) -> Phase {
        if self.pre { Phase::Preflight } else { Phase::Health }
    }

    fn selection(&self) -> Result<Selection, Failure> {
        let severity = self.severity.map(|severity| match severity {
            LeastSeverity::Blocker => Severity::Blocker,
            LeastSeverity::Warning => Severity::Warning,
            LeastSeverity::Note => Severity::Note,
        });
        let filters =
            Filters { ids: self.ids.clone(), categories: self.categories.clone(), severity, node: self.node.clone() };
        Selection::new(self.phase(), &filters)
            .map_err(|error| Failure::new(Kind::Usage, error.to_string()).hint(error.hint()))
    }

    fn question(&self, context: &Context) -> Result<Question, Failure> {
        let namespace = context.namespace.clone();
        let plan = if self.pre {
            Some(prepare::built_in_plan(namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE))?)
        } else {
            None
        };
        Ok(Question { selection: self.selection()?, namespace, plan })
    }
}

pub(crate) async fn run(context: &Context, args: CheckArgs) -> Result<ExitCode, Failure> {
    let question = args.question(context)?;
    let baseline = args.baseline.as_deref().map(|file| read_baseline(file, args.phase())).transpose()?;
    let compare = |report: &Report| baseline.as_ref().map(|earlier| earlier.compare(report, args.node.as_deref()));
    let is_clear = |report: &Report| is_clear(report, compare(report).as_ref());
    let is_settled = |report: &Report| is_clear(report) && is_settled(report, compare(report).as_ref());
    let waited = if let Some(file) = &args.facts {
        Waited::Enough(examine::recorded(&question, &facts_file::read(file)?)?)
    } else {
        let cluster = context.connect("check", Access::ReadOnly).await?;
        ask(context, &cluster, &question, &args, &is_settled).await?
    };
    let (Waited::Enough(examined) | Waited::TimedOut(examined)) = &waited;
    let comparison = compare(&examined.report);
    show(&args, &question, examined, comparison.as_ref())?;
    Ok(match &waited {
        Waited::TimedOut(examined) => {
            report::wait_timed_out(&examined.report, args.timeout);
            Kind::TimedOut.into()
        }
        Waited::Enough(examined) if is_clear(&examined.report) => ExitCode::SUCCESS,
        Waited::Enough(_) => Kind::Failed.into(),
    })
}

/// Asks the cluster, once or until it is well, and keeps what was read if that was asked for.
async fn ask(
    context: &Context,
    cluster: &Cluster,
    question: &Question,
    args: &CheckArgs,
    enough: &dyn Fn(&Report) -> bool,
) -> Result<Waited, Failure> {
    cluster.ledger().enter(if args.pre { "preflight" } else { "health" });
    let outcome = if args.wait && !args.timeout.is_zero() {
        wait(context, cluster, question, args.timeout, enough).await
    } else {
        let reporter = report::reporter(Output::Text, context.verbosity);
        let examined = examine::once(cluster, question, &*reporter).await;
        examined.map(|(examined, facts)| {
            let is_late = args.wait && !enough(&examined.report);
            (if is_late { Waited::TimedOut(examined) } else { Waited::Enough(examined) }, facts)
        })
    };
    report::warnings(cluster.ledger().take_messages());
    let (waited, facts) = outcome?;
    if let Some(file) = &args.save_facts {
        facts_file::write(file, &facts)?;
    }
    Ok(waited)
}

async fn wait(
    context: &Context,
    cluster: &Cluster,
    question: &Question,
    limit: Duration,
    enough: &dyn Fn(&Report) -> bool,
) -> Result<(Waited, Facts), Failure> {
    let reporter = report::reporter(Output::Text, context.verbosity);
    examine::until(cluster, question, &Wait { limit, timing: &context.timing, enough, reporter: &*reporter }).await
}

/// Whether nothing stands in the way that counts.
fn is_clear(report: &Report, comparison: Option<&Comparison>) -> bool {
    comparison.map_or_else(|| report.is_clear(), |comparison| comparison.is_clear(report))
}

/// Whether nothing may still come that counts.
fn is_settled(report: &Report, comparison: Option<&Comparison>) -> bool {
    !report.settling().any(|result| comparison.is_none_or(|comparison| comparison.is_new(&result.id)))
}

fn show(
    args: &CheckArgs,
    question: &Question,
    examined: &Examined,
    comparison: Option<&Comparison>,
) -> Result<(), Failure> {
    let Examined { report, at, namespace } = examined;
    let heading = Heading { phase: args.phase(), at: *at, namespace, node: args.node.as_deref() };
    let view = View { report, selection: &question.selection, heading, comparison };
    let text = args.output.write_or(
        || checks::document(&view),
        || match args.output {
            Format::Junit => junit(&view),
            Format::Short => short(&view),
            Format::Name => checks::names(&view),
            Format::Wide => table(&view, Detail { wide: true, verbose: args.verbose }),
            _ => table(&view, Detail { wide: false, verbose: args.verbose }),
        },
    )?;
    if let Some(file) = &args.save {
        save(file, &format!("{:#}\n", checks::document(&view)))?;
    }
    report::data(&text)
}

/// A report names nodes, pods and addresses.
fn save(file: &Path, text: &str) -> Result<(), Failure> {
    private_file::write(file, text.as_bytes())
        .map_err(|error| Failure::new(Kind::Failed, format!("cannot write the report to {}: {error}", file.display())))
}

fn read_baseline(file: &Path, phase: Phase) -> Result<Baseline, Failure> {
    let pre = if phase == Phase::Preflight { " --pre" } else { "" };
    let unusable = |reason: &dyn std::fmt::Display, hint: String| {
        Failure::new(Kind::Failed, format!("cannot use {} as a baseline: {reason}", file.display())).hint(hint)
    };
    let make = |file: &Path| format!("kubectl mizar check{pre} --save {}", file.display());
    let text = std::fs::read_to_string(file).map_err(|error| unusable(&error, format!("make one: {}", make(file))))?;
    Baseline::read(&text, phase).map_err(|error| {
        let hint = match &error {
            // A report in another form, as `-o yaml` prints it, is left as it is.
            BaselineError::NotJson(_) => {
                format!("a baseline is JSON, as --save and -o json write it: {}", make(&file.with_extension("json")))
            }
            BaselineError::Foreign { .. } | BaselineError::Damaged { .. } => format!("make one: {}", make(file)),
        };
        unusable(&error, hint)
    })
}
