//! Showing what a change would do: `--plan`, `--save-plan`, `--use-plan`, `--dry-run`, and the forms that only a plan has.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::values::ValuesArgs;
use crate::failure::{Failure, Kind};
use crate::flow::saved_plan::{self, PlanFile};
use crate::report;
use crate::report::format::Format;

/// The plan of a change: shown alone, kept in a file, or taken from one.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PlanArgs {
    /// Only show the plan
    #[arg(long, conflicts_with = "use_plan")]
    plan: bool,

    /// Only show the plan, and save it for --use-plan; the file is for its owner alone
    #[arg(long, value_name = "FILE", conflicts_with = "use_plan")]
    save_plan: Option<PathBuf>,

    /// Carry out a saved plan without asking, if the cluster is as it was; - reads stdin
    #[arg(long, value_name = "FILE")]
    use_plan: Option<PathBuf>,
}

impl PlanArgs {
    /// Whether nothing is to be changed.
    pub(crate) fn only_shows(&self) -> bool {
        self.plan || self.save_plan.is_some()
    }

    /// What to do with a file, where one is named; a plan to carry out is read, for `command`.
    pub(crate) fn file(&self, command: &str) -> Result<PlanFile, Failure> {
        match (&self.save_plan, &self.use_plan) {
            (Some(path), _) => Ok(PlanFile::Save(path.clone())),
            (None, Some(path)) => Ok(PlanFile::Use(Box::new(saved_plan::read(path, command)?))),
            (None, None) => Ok(PlanFile::None),
        }
    }

    /// Refuses what a plan holds itself, beside a saved one: `given` are flags, and whether they were typed.
    pub(crate) fn refuse_beside(&self, given: &[(&str, bool)]) -> Result<(), Failure> {
        match given.iter().find(|(_, typed)| *typed && self.use_plan.is_some()) {
            Some((flag, _)) => Err(Failure::new(
                Kind::Usage,
                format!("{flag} cannot be used with --use-plan: the plan says what it was made with"),
            )
            .hint("save another plan with it: --save-plan FILE")),
            None => Ok(()),
        }
    }

    /// The same for values.
    pub(crate) fn refuse_values(&self, values: &ValuesArgs) -> Result<(), Failure> {
        self.refuse_beside(&values.given())
    }
}

/// Refuses a plan that was made of a chart folder without one, and the other way round: it holds the chart's number alone.
pub(crate) fn same_chart(was_own: bool, named: Option<&Path>) -> Result<(), Failure> {
    let (message, hint) = match (was_own, named) {
        (true, None) => {
            ("--use-plan: the plan is one of a chart folder, of which it holds no copy", "name it again: --chart DIR")
        }
        (false, Some(_)) => ("--chart: the plan of --use-plan is one of the built-in charts", "leave out --chart"),
        _ => return Ok(()),
    };
    Err(Failure::new(Kind::Usage, message).hint(hint))
}

/// What `--dry-run` without a value is read as.
pub(crate) const BARE_DRY_RUN: &str = "bare";

/// `--dry-run`, as kubectl takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DryRun {
    /// Do it
    None,
    /// Send nothing that changes anything
    Client,
    /// Have the API server check every object, and store none
    Server,
    /// The flag alone: kubectl's deprecated spelling of client.
    #[value(hide = true)]
    Bare,
}

impl DryRun {
    pub(crate) fn is_client(self) -> bool {
        matches!(self, Self::Client | Self::Bare)
    }

    /// Says that the flag alone is deprecated, as kubectl says it.
    pub(crate) fn warn_if_bare(self) {
        if self == Self::Bare {
            report::note("warning: --dry-run is deprecated and can be replaced with --dry-run=client");
        }
    }
}

/// Refuses a form that only a plan has, where more than the plan is asked for.
pub(crate) fn shown_alone(format: &Format, plan_only: bool) -> Result<(), Failure> {
    if plan_only || matches!(format, Format::Text | Format::Json) {
        return Ok(());
    }
    Err(Failure::new(Kind::Usage, "this output format shows a plan and nothing else: add --plan")
        .hint("one event per line, while it is done: -o json"))
}
