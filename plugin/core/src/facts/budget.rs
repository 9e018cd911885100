//! Facts about disruption budgets: how many of which pods may be evicted at the moment.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::facts_from_objects;
use super::placement::Requirement;
use super::reading::{count, list, map, text_or_blank};

/// A PodDisruptionBudget.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DisruptionBudgetFact {
    /// Its namespace: it is about pods of this one alone.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Which pods it is about.
    pub selector: LabelSelector,
    /// How many of them may be disrupted at the moment.
    pub allowed: u32,
}

/// Which labels something must have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LabelSelector {
    /// Whether there is one at all: without, nothing is selected; with an empty one, everything.
    pub present: bool,
    /// Labels and their values.
    pub labels: BTreeMap<String, String>,
    /// Further requirements.
    pub requirements: Vec<Requirement>,
}

impl LabelSelector {
    fn read(selector: Option<&Value>) -> Self {
        let Some(selector) = selector.filter(|selector| selector.is_object()) else { return Self::default() };
        Self {
            present: true,
            labels: map(selector, "/matchLabels"),
            requirements: list(selector, "/matchExpressions").iter().map(Requirement::read).collect(),
        }
    }

    /// Whether something with these labels is selected.
    #[must_use]
    pub fn accepts(&self, labels: &BTreeMap<String, String>) -> bool {
        self.present
            && self.labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self
                .requirements
                .iter()
                .all(|requirement| requirement.holds(labels.get(&requirement.key).map(String::as_str)))
    }
}

impl DisruptionBudgetFact {
    /// Reads a PodDisruptionBudget of either version. One that no controller has looked at yet allows nothing, as for an
    /// eviction.
    #[must_use]
    pub fn from_object(object: &Value) -> Self {
        Self {
            namespace: text_or_blank(object, "/metadata/namespace"),
            name: text_or_blank(object, "/metadata/name"),
            selector: LabelSelector::read(object.pointer("/spec/selector")),
            allowed: count(object, "/status/disruptionsAllowed").unwrap_or_default(),
        }
    }
}

facts_from_objects!(DisruptionBudgetFact);
