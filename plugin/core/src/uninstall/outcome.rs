//! What an uninstall came to: told at the end, and written beside the export.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{NodeRecord, NodeState, Stays};
use crate::event::SCHEMA;
use crate::object::ObjectRef;
use crate::operation::Outcome;

/// What became of everything.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UninstallResult {
    /// The version of this form.
    pub schema: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it did not end well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The API server.
    pub server: String,
    /// Where the custom resources are, if there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub export: Option<String>,
    /// The objects that this run deleted.
    pub removed: Vec<ObjectRef>,
    /// By kind, of how many objects of others this run took off what the operator left.
    pub traces_removed: BTreeMap<String, usize>,
    /// What became of each node, earlier runs included.
    pub nodes: BTreeMap<String, NodeRecord>,
    /// What is left, and why.
    pub remains: Vec<Stays>,
}

impl UninstallResult {
    /// The result of a run that has done nothing yet.
    #[must_use]
    pub fn new(server: &str) -> Self {
        Self {
            schema: SCHEMA,
            outcome: Outcome::Interrupted,
            error: None,
            server: server.to_owned(),
            export: None,
            removed: Vec::new(),
            traces_removed: BTreeMap::new(),
            nodes: BTreeMap::new(),
            remains: Vec::new(),
        }
    }

    /// Returns the nodes that are not clean although they should be.
    #[must_use = "iterators do nothing unless they are used"]
    pub fn unclean(&self) -> impl Iterator<Item = (&String, &NodeRecord)> {
        self.nodes.iter().filter(|(_, record)| matches!(record.state, NodeState::Failed | NodeState::Pending))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_nodes_that_need_another_run_are_those_that_failed_or_were_not_reached() {
        let mut result = UninstallResult::new("https://x");
        for (node, record) in [
            ("a", NodeRecord::of(NodeState::Clean)),
            ("b", NodeRecord::failed("no")),
            ("c", NodeRecord::of(NodeState::Pending)),
            ("d", NodeRecord::of(NodeState::Skipped)),
        ] {
            result.nodes.insert(node.into(), record);
        }
        let unclean: Vec<&str> = result.unclean().map(|(node, _)| node.as_str()).collect();
        assert_eq!(unclean, ["b", "c"]);
        let written = serde_json::to_value(&result).unwrap();
        assert_eq!(written["nodes"]["b"], json!({"state": "failed", "told": ["no"]}));
        assert_eq!(written["schema"], SCHEMA);
    }
}
