//! Whether a person agrees to a change that was shown.

use super::run::Run;
use crate::failure::{Failure, Kind};
use crate::report;

/// Whether a person can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent {
    /// `-y`.
    Given,
    /// There is a terminal: ask.
    Ask,
    /// Nobody can be asked.
    CannotAsk,
}

impl Consent {
    /// What a person said, and whether one can be asked.
    pub(crate) fn of(yes: bool, can_ask: bool) -> Self {
        match (yes, can_ask) {
            (true, _) => Self::Given,
            (false, true) => Self::Ask,
            (false, false) => Self::CannotAsk,
        }
    }

    /// Gets a yes to a plan that was shown, if it was not given before. Returns whether somebody was asked, which takes time.
    pub(crate) fn to_plan(self, run: &Run, question: &str) -> Result<bool, Failure> {
        match self {
            Self::Given => Ok(false),
            Self::CannotAsk => {
                let message = "this plan needs a yes, and there is no terminal to ask on; nothing was changed";
                Err(Failure::new(Kind::Usage, message).hint("read the plan above, then add -y"))
            }
            Self::Ask => {
                run.reporter().pause();
                if report::prompt::confirm(question) {
                    Ok(true)
                } else {
                    Err(Failure::new(Kind::Failed, "not carried out: nothing was changed"))
                }
            }
        }
    }
}
