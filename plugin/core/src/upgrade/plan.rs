//! What an upgrade does beside changing objects, for people to agree to.

use serde::Serialize;

use super::drain::{self, DrainTerms};
use super::{Obstacle, Pair, Turn, ValueChanges};
use crate::facts::Facts;

/// What an upgrade does beside changing objects.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpgradePlan {
    /// The nodes whose daemon is replaced, in order.
    pub turns: Vec<Turn>,
    /// Nodes whose daemon is old and cannot be replaced, since they do not answer.
    pub unreachable: Vec<String>,
    /// Whether nodes are drained first; their pods are cut where they are not.
    pub drains: bool,
    /// Whether the operator is restarted, by the sequence that keeps its addresses.
    pub restarts_operator: bool,
    /// Whether all daemons are replaced at once while no operator runs.
    pub window: bool,
    /// How the installed version and the wanted one go together.
    pub pair: Pair,
    /// What becomes of values.
    pub values: ValueChanges,
}

impl UpgradePlan {
    /// Whether nothing is restarted.
    #[must_use]
    pub fn restarts_nothing(&self) -> bool {
        self.turns.is_empty() && !self.restarts_operator
    }

    /// Returns how many pods lose their network for a while although nobody creates them elsewhere: all of a node that is not
    /// drained, and those of DaemonSets.
    #[must_use]
    pub fn pods_cut(&self) -> usize {
        let of_turn = |turn: &Turn| turn.coming_back.len() + if self.drains { 0 } else { turn.leaving.len() };
        self.turns.iter().map(of_turn).sum()
    }

    /// Returns what keeps its nodes from being drained.
    #[must_use]
    pub fn obstacles(&self, facts: &Facts, terms: DrainTerms) -> Vec<Obstacle> {
        if !self.drains {
            return Vec::new();
        }
        self.turns.iter().flat_map(|turn| drain::obstacles(facts, &turn.node, terms)).collect()
    }
}
