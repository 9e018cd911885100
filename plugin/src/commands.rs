//! The commands, one file each: what may be typed, and what then happens, by way of flows.

pub(crate) mod abort;
pub(crate) mod bundle;
pub(crate) mod check;
pub(crate) mod completion;
pub(crate) mod diff;
pub(crate) mod env;
pub(crate) mod explain;
pub(crate) mod get;
pub(crate) mod history;
pub(crate) mod install;
pub(crate) mod man;
pub(crate) mod render;
pub(crate) mod repair;
mod replacing;
pub(crate) mod resume;
pub(crate) mod rollback;
pub(crate) mod status;
pub(crate) mod uninstall;
pub(crate) mod upgrade;
pub(crate) mod values;
pub(crate) mod version;

use crate::cli::Command;
use crate::report::Output;

impl Command {
    /// What stdout is for, so that a failure is shown in the same form.
    pub(crate) fn output(&self) -> Output {
        match self {
            Self::Install(args) => args.output(),
            Self::Check(args) => args.output(),
            Self::Diff(args) => args.output(),
            Self::Status(args) => args.output(),
            Self::Env(args) => args.output(),
            Self::Explain(_)
            | Self::History(_)
            | Self::Get(_)
            | Self::Render(_)
            | Self::Values(_)
            | Self::Version(_)
            | Self::Completion(_)
            | Self::Man(_) => Output::Text,
            Self::Repair(args) => args.output(),
            Self::Bundle(args) => args.output(),
            Self::Uninstall(args) => args.output(),
            Self::Upgrade(args) => args.output(),
            Self::Rollback(args) => args.output(),
            Self::Resume(args) => args.output(),
            Self::Abort(args) => args.output(),
        }
    }
}
