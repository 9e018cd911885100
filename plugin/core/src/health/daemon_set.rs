//! Health of DaemonSets. The number of nodes that should have a pod comes from the caller, since right after creation,
//! or with a selector that fits nothing, the controller's own count is 0 and "all 0 of 0 ready" would pass.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::{Health, count, is_terminating, unobserved};
use crate::object::Object;

/// The counts of a DaemonSet, as far as they decide anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DaemonProgress {
    /// Nodes that must have a ready pod: what was expected, or what the controller counts if that is more.
    pub wanted: u64,
    /// Nodes that the controller counts.
    pub scheduled: u64,
    /// Nodes with a ready pod.
    pub ready: u64,
    /// Nodes whose pod has the current template.
    pub updated: u64,
    /// Whether pods keep their template until somebody deletes them.
    pub on_delete: bool,
}

impl DaemonProgress {
    /// Reads the counts; `expected` is the number of nodes that should have a pod, if the caller knows it.
    #[must_use]
    pub fn of(object: &Object, expected: Option<usize>) -> Self {
        let scheduled = count(object, "/status/desiredNumberScheduled");
        let expected = expected.map_or(0, |nodes| u64::try_from(nodes).unwrap_or(u64::MAX));
        Self {
            wanted: expected.max(scheduled),
            scheduled,
            ready: count(object, "/status/numberReady"),
            updated: count(object, "/status/updatedNumberScheduled"),
            on_delete: object.value().pointer("/spec/updateStrategy/type").and_then(Value::as_str) == Some("OnDelete"),
        }
    }

    /// Returns on how many nodes the pod still has an older template.
    #[must_use]
    pub fn outdated(&self) -> u64 {
        self.wanted.saturating_sub(self.updated)
    }
}

impl fmt::Display for DaemonProgress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {} nodes ready", self.ready, self.wanted)?;
        if self.scheduled < self.wanted {
            write!(formatter, ", the controller counts {} nodes", self.scheduled)?;
        }
        // While pods are still being created, "older template" would be said of nodes that have no pod at all.
        if self.ready >= self.wanted && self.outdated() > 0 {
            write!(formatter, ", {} on an older template", self.outdated())?;
        }
        Ok(())
    }
}

/// Judges a DaemonSet; `expected` is the number of nodes that should have a pod, if the caller knows it.
///
/// Under `OnDelete` a pod with an older template counts as ready: replacing it is a rollout of its own.
#[must_use]
pub fn assess(object: &Object, expected: Option<usize>) -> Health {
    if is_terminating(object) {
        return Health::Terminating;
    }
    if let Some(health) = unobserved(object) {
        return health;
    }
    let progress = DaemonProgress::of(object, expected);
    if progress.wanted == 0 {
        return Health::progressing("no node should have a pod of it");
    }
    let ready = progress.ready >= progress.wanted && progress.scheduled >= progress.wanted;
    if !ready || (!progress.on_delete && progress.outdated() > 0) {
        return Health::progressing(progress.to_string());
    }
    Health::Current
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::tests::{object, progressing};

    fn daemon(strategy: &str, status: &str) -> Object {
        object(&format!(
            "{{apiVersion: apps/v1, kind: DaemonSet, metadata: {{name: mizar-daemon, generation: 1}},
               spec: {{updateStrategy: {{type: {strategy}}}}}, status: {status}}}"
        ))
    }

    #[test]
    fn nothing_counts_before_the_controller_has_looked() {
        assert_eq!(
            progressing(assess(&daemon("OnDelete", "{}"), Some(3))),
            "its controller has seen generation 0 of 1"
        );
    }

    #[test]
    fn zero_of_zero_is_not_ready() {
        let none = daemon("OnDelete", "{observedGeneration: 1, desiredNumberScheduled: 0, numberReady: 0}");
        assert_eq!(progressing(assess(&none, None)), "no node should have a pod of it");
        assert_eq!(progressing(assess(&none, Some(0))), "no node should have a pod of it");
        assert_eq!(progressing(assess(&none, Some(3))), "0 of 3 nodes ready, the controller counts 0 nodes");
    }

    #[test]
    fn every_expected_node_must_be_ready() {
        let two = daemon("OnDelete", "{observedGeneration: 1, desiredNumberScheduled: 3, numberReady: 2}");
        assert_eq!(progressing(assess(&two, Some(3))), "2 of 3 nodes ready");
        let all = daemon("OnDelete", "{observedGeneration: 1, desiredNumberScheduled: 3, numberReady: 3}");
        assert_eq!(assess(&all, Some(3)), Health::Current);
        assert_eq!(progressing(assess(&all, Some(4))), "3 of 4 nodes ready, the controller counts 3 nodes");
    }

    #[test]
    fn a_node_that_joined_meanwhile_is_waited_for_too() {
        let joined = daemon("OnDelete", "{observedGeneration: 1, desiredNumberScheduled: 4, numberReady: 3}");
        assert_eq!(progressing(assess(&joined, Some(3))), "3 of 4 nodes ready");
    }

    #[test]
    fn an_older_template_matters_only_where_the_controller_replaces_pods() {
        let counts = "{observedGeneration: 1, desiredNumberScheduled: 2, numberReady: 2, updatedNumberScheduled: 1}";
        assert_eq!(assess(&daemon("OnDelete", counts), Some(2)), Health::Current);
        let rolling = daemon("RollingUpdate", counts);
        assert_eq!(progressing(assess(&rolling, Some(2))), "2 of 2 nodes ready, 1 on an older template");
        assert_eq!(DaemonProgress::of(&daemon("OnDelete", counts), None).outdated(), 1);
    }
}
