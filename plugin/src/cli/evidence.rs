//! Whether a change that fails leaves evidence.

use clap::{ArgAction, Args};

use crate::flow::bundle::evidence::Evidence;
use crate::settings;

/// Of every command that changes something.
#[derive(Debug, Clone, Args)]
pub(crate) struct EvidenceArgs {
    /// When it fails half-way, take a small support bundle before anything is undone; MIZAR_EVIDENCE names a folder for it, or says false
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    evidence: bool,
}

impl EvidenceArgs {
    /// What the flag says, then the environment.
    pub(crate) fn wanted(&self) -> Evidence {
        match settings::evidence() {
            _ if !self.evidence => Evidence::Unwanted,
            None => Evidence::Here,
            Some(place) if ["false", "0"].iter().any(|no| place == *no) => Evidence::Unwanted,
            Some(place) if place == "true" => Evidence::Here,
            Some(place) => Evidence::In(place.into()),
        }
    }
}
