//! How an operation ends.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutcomeRecord {
    /// How.
    pub outcome: Outcome,
    /// When.
    pub at: Timestamp,
    /// In a sentence; empty if there is nothing to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// How work ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Everything is as it was meant to be.
    Done,
    /// Nothing had to be changed.
    NothingToDo,
    /// It was asked for the plan only.
    Planned,
    /// It did not succeed and nothing was changed.
    Failed,
    /// It did not succeed and something was changed.
    PartlyApplied,
    /// It took longer than it may.
    TimedOut,
    /// Somebody stopped it.
    Interrupted,
    /// Somebody gave it up: what was done stays, nobody goes on with it.
    Aborted,
}

impl Outcome {
    /// Whether nobody goes on with it: it is done, or it was given up.
    #[must_use]
    pub fn is_over(self) -> bool {
        self.is_success() || self == Self::Aborted
    }

    /// Whether there is nothing left to do.
    #[must_use]
    pub fn is_success(self) -> bool {
        matches!(self, Self::Done | Self::NothingToDo | Self::Planned)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Done => "done",
            Self::NothingToDo => "nothing to do",
            Self::Planned => "planned; nothing was changed",
            Self::Failed => "failed",
            Self::PartlyApplied => "partly applied",
            Self::TimedOut => "timed out",
            Self::Interrupted => "interrupted",
            Self::Aborted => "aborted",
        })
    }
}
