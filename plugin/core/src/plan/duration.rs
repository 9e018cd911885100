//! How long a plan is likely to take: as long as its parts took last time on this cluster, where that is recorded, and else
//! as long as they were seen to take elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::impact::OperatorImpact;
use crate::operation::{Operation, StageRecord, StageState};

/// A range of time; the real thing is likely to end within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ExpectedDuration {
    /// If everything is at hand.
    #[serde(rename = "atLeastSeconds", with = "whole_seconds")]
    pub at_least: Duration,
    /// If images and packages are slow to come.
    #[serde(rename = "atMostSeconds", with = "whole_seconds")]
    pub at_most: Duration,
    /// What it is reckoned from.
    #[serde(default)]
    pub basis: Basis,
}

/// What an expectation is reckoned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Basis {
    /// From what was seen elsewhere.
    #[default]
    Estimates,
    /// At least in part from what the last change took here.
    LastChange,
}

/// How long the parts of the last change took here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Past {
    /// By the name of the stage.
    pub stages: BTreeMap<String, Duration>,
    /// The replacement of one node's daemon, on average.
    pub per_node: Option<Duration>,
}

impl Past {
    /// Reads how long the parts of a change took that came to their end, on a cluster with so many daemons.
    ///
    /// An install starts all daemons at once; whatever came later replaced them one by one, if it replaced any.
    #[must_use]
    pub fn of(operation: &Operation, nodes: usize) -> Self {
        let took = |stage: &StageRecord| {
            let whole = stage.state == StageState::Done;
            let (begun, ended) = (stage.started_at?, stage.finished_at?);
            Some((stage.name.clone(), Duration::try_from(ended.duration_since(begun)).ok().filter(|_| whole)?))
        };
        let mut stages: BTreeMap<String, Duration> = operation.stages.iter().filter_map(took).collect();
        if operation.command == INSTALL {
            return Self { stages, per_node: None };
        }
        let replaced = stages.remove(DAEMON_STAGE);
        let each = replaced.and_then(|took| took.checked_div(u32::try_from(nodes).ok()?));
        Self { stages, per_node: each.filter(|each| *each >= SHORTEST_REPLACEMENT) }
    }
}

/// What is to be done, as far as it takes time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Work {
    /// Anything is written.
    pub(super) applies: bool,
    /// A daemon starts on nodes that had none.
    pub(super) new_daemon: bool,
    /// Daemons that are replaced one after the other.
    pub(super) daemon_restarts: usize,
    /// What becomes of the operator.
    pub(super) operator: OperatorImpact,
    /// The nodes of the network.
    pub(super) nodes: usize,
}

/// Seconds, at least and at most.
type Range = (u64, u64);

/// The first start of a daemon installs packages on its node: a minute on a fast mirror, ten on a slow one. All nodes
/// do it at the same time, so their number does not matter.
const FIRST_DAEMON: Range = (60, 600);

/// Writing objects and waiting for definitions.
const APPLYING: Range = (2, 15);

/// Emptying a node, another daemon on it, and programming it anew. The packages are there since the first start.
const NEXT_DAEMON: Range = (30, 240);

/// The operator ends, which takes its whole grace period where it does not hear the signal, and so do the daemons.
const STOPPING: Range = (3, 70);

/// The Job of a node: its image is there. All nodes do it at the same time.
const CLEANING: Range = (5, 120);

/// Up to so many nodes, the operator was seen to need so many seconds: one to three of its rounds of 15 s.
const OPERATOR: &[(usize, Range)] = &[(3, (18, 49)), (20, (33, 60)), (usize::MAX, (47, 90))];

/// No daemon is replaced in less: what took less replaced none, or few of many.
const SHORTEST_REPLACEMENT: Duration = Duration::from_secs(5);

/// The command that starts daemons for the first time.
const INSTALL: &str = "install";

/// The stage that starts daemons.
const DAEMON_STAGE: &str = "daemon";

impl ExpectedDuration {
    /// Reckons how long the work takes.
    pub(super) fn of(work: &Work, past: Option<&Past>) -> Self {
        let first_daemon = past.and_then(|past| past.stages.get(DAEMON_STAGE)).copied();
        let next_daemon = past.and_then(|past| past.per_node);
        let operator = OPERATOR.iter().find(|(limit, _)| work.nodes <= *limit).map_or((0, 0), |(_, range)| *range);
        let restarts = u64::try_from(work.daemon_restarts).unwrap_or(u64::MAX);
        let starts = matches!(work.operator, OperatorImpact::Starts | OperatorImpact::Restarts);
        let parts = [
            (u64::from(work.applies), APPLYING, None),
            (u64::from(work.new_daemon), FIRST_DAEMON, first_daemon),
            (restarts, NEXT_DAEMON, next_daemon),
            (u64::from(starts), operator, None),
        ];
        Self::sum(&parts)
    }

    /// Reckons how long it takes to take everything out, with so many nodes to clean.
    pub(crate) fn of_uninstall(deletes: bool, nodes: usize, past: Option<&Past>) -> Self {
        let took = |stages: &[&str]| {
            let known: Vec<Duration> = stages.iter().filter_map(|name| past?.stages.get(*name).copied()).collect();
            (!known.is_empty()).then(|| known.iter().sum())
        };
        Self::sum(&[
            (u64::from(deletes), APPLYING, None),
            (u64::from(deletes), STOPPING, took(&["operator-gone", "daemon-gone"])),
            (u64::from(nodes > 0), CLEANING, took(&["clean-nodes"])),
        ])
    }

    /// Adds up parts that come one after the other: how often, how long by estimate, and how long last time.
    fn sum(parts: &[(u64, Range, Option<Duration>)]) -> Self {
        let mut expected = Self::default();
        for (times, estimate, took) in parts.iter().filter(|(times, ..)| *times > 0) {
            let (at_least, at_most) = took.map_or(*estimate, around);
            expected.at_least += Duration::from_secs(at_least.saturating_mul(*times));
            expected.at_most += Duration::from_secs(at_most.saturating_mul(*times));
            if took.is_some() {
                expected.basis = Basis::LastChange;
            }
        }
        expected
    }
}

/// What took so long once takes about as long again.
fn around(took: Duration) -> Range {
    let seconds = took.as_secs().max(1);
    (seconds - seconds / 4, seconds + seconds / 2 + 1)
}

mod whole_seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(duration.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_secs)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::operation::{Holder, Intent, NewOperation};

    const INSTALL: Work =
        Work { applies: true, new_daemon: true, daemon_restarts: 0, operator: OperatorImpact::Starts, nodes: 3 };

    fn seconds(expected: ExpectedDuration) -> (u64, u64, Basis) {
        (expected.at_least.as_secs(), expected.at_most.as_secs(), expected.basis)
    }

    #[test]
    fn what_was_recorded_is_believed_before_what_was_seen_elsewhere() {
        let estimated = seconds(ExpectedDuration::of(&INSTALL, None));
        assert_eq!(estimated, (80, 664, Basis::Estimates));
        let past = Past { stages: [("daemon".to_owned(), Duration::from_secs(100))].into(), per_node: None };
        assert_eq!(seconds(ExpectedDuration::of(&INSTALL, Some(&past))), (95, 215, Basis::LastChange));
        let nothing_of_use = Past { stages: [("access".to_owned(), Duration::from_secs(100))].into(), per_node: None };
        assert_eq!(seconds(ExpectedDuration::of(&INSTALL, Some(&nothing_of_use))), estimated);
    }

    #[test]
    fn daemons_that_are_replaced_one_by_one_take_as_long_as_all_of_them() {
        let of = |daemon_restarts| Work { daemon_restarts, nodes: 50, ..Work::default() };
        let past = Past { per_node: Some(Duration::from_secs(40)), ..Past::default() };
        assert_eq!(seconds(ExpectedDuration::of(&of(50), Some(&past))), (1500, 3050, Basis::LastChange));
        assert_eq!(seconds(ExpectedDuration::of(&of(1), None)), (30, 240, Basis::Estimates));
    }

    #[test]
    fn to_take_everything_out_takes_as_long_as_it_took_before() {
        assert_eq!(seconds(ExpectedDuration::of_uninstall(true, 3, None)), (10, 205, Basis::Estimates));
        assert_eq!(seconds(ExpectedDuration::of_uninstall(true, 0, None)), (5, 85, Basis::Estimates));
        assert_eq!(ExpectedDuration::of_uninstall(false, 0, None), ExpectedDuration::default());
        let past = Past { stages: [("clean-nodes".to_owned(), Duration::from_secs(40))].into(), per_node: None };
        assert_eq!(seconds(ExpectedDuration::of_uninstall(true, 3, Some(&past))), (35, 146, Basis::LastChange));
    }

    #[test]
    fn only_what_came_to_its_end_tells_how_long_it_takes() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let holder = Holder { user: "ann".into(), host: "desk".into(), boot_id: "b".into(), pid: 1, start_time: 1 };
        let new = NewOperation {
            id: "i".into(),
            command: "install".into(),
            version: "1".into(),
            namespace: "n".into(),
            intent: Intent::default(),
            stages: vec!["access".into(), "daemon".into(), "operator".into()],
        };
        let mut operation = Operation::begin(new, holder, at(0));
        operation.stage_started("access", at(1));
        operation.stage_finished("access", at(3));
        operation.stage_started("daemon", at(3));
        operation.stage_failed("daemon", "no", at(90));
        assert_eq!(Past::of(&operation, 3).stages, [("access".to_owned(), Duration::from_secs(2))].into());

        operation.stage_started("daemon", at(100));
        operation.stage_finished("daemon", at(190));
        assert_eq!(Past::of(&operation, 3).stages["daemon"], Duration::from_secs(90), "all at once");
        operation.command = "upgrade".into();
        let one_by_one = Past::of(&operation, 3);
        assert_eq!((one_by_one.per_node, one_by_one.stages.len()), (Some(Duration::from_secs(30)), 1));
        assert_eq!(Past::of(&operation, 50).per_node, None, "not all were replaced");
    }
}
