//! Showing what a change would do: `--plan`, `--dry-run`, and the forms that only a plan has.

use clap::ValueEnum;

use crate::failure::{Failure, Kind};
use crate::report;
use crate::report::format::Format;

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
