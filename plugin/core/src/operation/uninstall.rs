//! What an uninstall must remember, since it takes away what tells it.

use serde::{Deserialize, Serialize};

use super::Operation;
use crate::uninstall::{CleanUp, UNINSTALL};

/// What an uninstall must remember.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UninstallRecord {
    /// The file in which the custom resources are saved.
    pub export: String,
    /// How nodes are cleaned; nothing where no daemon was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clean_up: Option<CleanUp>,
}

impl Operation {
    /// Whether this is an uninstall.
    #[must_use]
    pub fn is_uninstall(&self) -> bool {
        self.command == UNINSTALL
    }

    /// Whether this is an uninstall that has not come to its end.
    #[must_use]
    pub fn is_unfinished_uninstall(&self) -> bool {
        self.is_uninstall() && self.outcome.as_ref().is_none_or(|end| !end.outcome.is_success())
    }
}
