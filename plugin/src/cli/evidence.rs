//! Whether a change that fails leaves evidence.

use clap::{ArgAction, Args};

use crate::flow::bundle::evidence::Evidence;

/// Of every command that changes something.
#[derive(Debug, Clone, Args)]
pub(crate) struct EvidenceArgs {
    /// When it fails half-way, take a small support bundle before anything is undone; MIZAR_EVIDENCE names a folder for it, or says false
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    evidence: bool,
}

impl EvidenceArgs {
    /// Whether evidence is wanted, and where.
    pub(crate) fn wanted(&self) -> Evidence {
        Evidence::wanted(self.evidence)
    }
}
