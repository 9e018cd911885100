//! The operation record as people who only look are shown it: who changes what since when, and how far it is. The values
//! that the record holds may be secret and stay in it.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::facts::{ChangeFact, Fetched, Illegible};
use crate::operation::{HolderState, Operation, OperationError, Outcome, StageState};

/// Without a renewal for this long a holder on another host is taken to be gone; clocks may be apart by nearly as much.
const SILENCE: SignedDuration = SignedDuration::from_mins(5);

/// What is known of changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", tag = "state")]
pub enum Change {
    /// Nothing was ever recorded.
    None,
    /// We may not read it.
    Denied {
        /// The right that is missing, `get secrets one/mizar-operation`.
        right: String,
    },
    /// It was read, and cannot be made out.
    Illegible(Illegible),
    /// It could not be read for another reason.
    Unread {
        /// What went wrong.
        why: String,
    },
    /// Somebody is at it.
    Running {
        /// The command.
        command: String,
        /// Who.
        holder: String,
        /// Since when.
        since: Timestamp,
        /// What is being done.
        stage: Option<String>,
        /// How many stages are done.
        done: usize,
        /// Of how many.
        stages: usize,
    },
    /// It was begun, and whoever began it is gone.
    Stopped {
        /// The command.
        command: String,
        /// Who.
        holder: String,
        /// Since when.
        since: Timestamp,
        /// When the holder was last heard of.
        last_sign: Timestamp,
        /// Where it stopped.
        stage: Option<String>,
        /// How many stages are done.
        done: usize,
        /// Of how many.
        stages: usize,
        /// What it leaves to be done.
        left: Left,
    },
    /// It has ended.
    Ended {
        /// The command.
        command: String,
        /// Who.
        holder: String,
        /// When.
        at: Timestamp,
        /// How, `done`.
        outcome: String,
        /// Whether nothing is left to do.
        succeeded: bool,
        /// What was said about it.
        message: String,
        /// What it leaves to be done.
        left: Left,
    },
}

/// What a change leaves to be done when nobody is at work on it any more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Left {
    /// Whether a restart of the operator has begun and not come to its end.
    pub restart: bool,
    /// Whether acts of a repair must still follow that nothing in the cluster tells of.
    pub owed: bool,
}

impl Change {
    /// Reads a record; `seen` is what this machine can see of its holder.
    #[must_use]
    pub fn of(operation: &Operation, seen: HolderState, now: Timestamp) -> Self {
        let command = operation.command.clone();
        let holder = operation.holder.to_string();
        let left = Left { restart: operation.restart.is_some(), owed: !operation.owed.is_nothing() };
        if let Some(end) = &operation.outcome {
            return Self::Ended {
                command,
                holder,
                at: end.at,
                outcome: end.outcome.to_string(),
                succeeded: end.outcome.is_success(),
                message: end.message.clone(),
                left,
            };
        }
        let since = operation.started_at;
        let stage = operation.current_stage().map(|stage| stage.name.clone());
        let done = operation.stages.iter().filter(|stage| stage.state == StageState::Done).count();
        let stages = operation.stages.len();
        let is_gone = match seen {
            HolderState::DeadOnThisHost => true,
            HolderState::AliveOnThisHost => false,
            HolderState::OtherHost => now.duration_since(operation.renewed_at) > SILENCE,
        };
        if is_gone {
            Self::Stopped { command, holder, since, last_sign: operation.renewed_at, stage, done, stages, left }
        } else {
            Self::Running { command, holder, since, stage, done, stages }
        }
    }

    /// Returns what a check must know of it.
    #[must_use]
    pub fn fact(&self) -> Fetched<ChangeFact> {
        let of = |command: &String, holder: &String, left: Left| ChangeFact {
            command: command.clone(),
            holder: holder.clone(),
            restart: left.restart,
            owed: left.owed,
            ..ChangeFact::default()
        };
        Fetched::Known(match self {
            Self::None => return Fetched::Absent,
            Self::Denied { right } => return Fetched::Denied { right: right.clone() },
            Self::Illegible(illegible) => ChangeFact { illegible: Some(illegible.clone()), ..ChangeFact::default() },
            Self::Unread { why } => return Fetched::Failed { reason: why.clone() },
            Self::Running { command, holder, .. } => {
                ChangeFact { at_work: true, ..of(command, holder, Left::default()) }
            }
            Self::Stopped { command, holder, left, .. } => ChangeFact { stopped: true, ..of(command, holder, *left) },
            Self::Ended { command, holder, left, succeeded, outcome, .. } => {
                let given_up = *outcome == Outcome::Aborted.to_string();
                ChangeFact { stopped: !succeeded && !given_up, ..of(command, holder, *left) }
            }
        })
    }
}

impl From<OperationError> for Change {
    fn from(error: OperationError) -> Self {
        Self::Illegible(Illegible { why: error.to_string(), hint: error.hints().join("; ") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::{Holder, Intent, NewOperation, Outcome, Owed, RestartRecord, ValueLayer};
    use serde_json::json;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn operation() -> Operation {
        let holder = Holder { user: "ann".into(), host: "desk".into(), boot_id: "b".into(), pid: 1, start_time: 1 };
        let secret = ValueLayer { origin: "--set".into(), values: json!({"password": "hunter2"}) };
        let new = NewOperation {
            id: "1".into(),
            command: "install".into(),
            version: "0.1.0".into(),
            namespace: "mizar-system".into(),
            intent: Intent { values: vec![secret], ..Intent::default() },
            stages: vec!["access".into(), "daemon".into()],
        };
        let mut operation = Operation::begin(new, holder, at(0));
        operation.stage_started("access", at(1));
        operation.stage_finished("access", at(2));
        operation.stage_started("daemon", at(3));
        operation
    }

    #[test]
    fn a_living_holder_is_at_it_and_its_renewals_are_no_news() {
        let mut it = operation();
        let before = Change::of(&it, HolderState::OtherHost, at(10));
        it.renew(at(9));
        assert_eq!(Change::of(&it, HolderState::OtherHost, at(11)), before);
        let Change::Running { stage, done, stages, holder, .. } = before else { panic!("{before:?}") };
        assert_eq!((stage.as_deref(), done, stages), (Some("daemon"), 1, 2));
        assert_eq!(holder, "ann on desk (process 1)");
    }

    #[test]
    fn a_holder_that_is_gone_has_stopped() {
        let it = operation();
        for (seen, now, stopped) in [
            (HolderState::DeadOnThisHost, 4, true),
            (HolderState::AliveOnThisHost, 4000, false),
            (HolderState::OtherHost, 300, false),
            (HolderState::OtherHost, 304, true),
            (HolderState::OtherHost, -4000, false),
        ] {
            let change = Change::of(&it, seen, at(now));
            assert_eq!(matches!(change, Change::Stopped { .. }), stopped, "{change:?}");
        }
    }

    #[test]
    fn what_has_ended_says_how() {
        let mut it = operation();
        it.finish(Outcome::TimedOut, "no daemon on node-2", at(60));
        let change = Change::of(&it, HolderState::DeadOnThisHost, at(100));
        let json = serde_json::to_value(&change).unwrap();
        assert_eq!(json["state"], "ended");
        assert_eq!((json["outcome"].as_str(), json["succeeded"].as_bool()), (Some("timed out"), Some(false)));
    }

    #[test]
    fn what_is_left_of_a_restart_and_of_a_repair_is_told() {
        let mut it = operation();
        it.restart = Some(RestartRecord::default());
        it.owed = Owed { resend: true };
        let at_work = Change::of(&it, HolderState::AliveOnThisHost, at(4)).fact();
        assert!(at_work.known().is_some_and(|fact| fact.at_work && !fact.restart), "{at_work:?}");
        for ends in [false, true] {
            if ends {
                it.finish(Outcome::PartlyApplied, "", at(60));
            }
            let gone = Change::of(&it, HolderState::DeadOnThisHost, at(100)).fact();
            assert!(gone.known().is_some_and(|fact| fact.restart && fact.owed && !fact.at_work), "{gone:?}");
        }
        assert_eq!(Change::None.fact(), Fetched::Absent);
    }

    #[test]
    fn what_nobody_may_read_is_told_from_what_nobody_can_make_out() {
        let right = "get secrets one/mizar-operation";
        let denied = Change::Denied { right: right.into() };
        assert_eq!(denied.fact(), Fetched::Denied { right: right.into() });
        let damaged = OperationError::Damaged { secret: "one/mizar-operation".into(), why: "JSON".into() };
        let damaged = Change::from(damaged);
        let fact = damaged.fact();
        let illegible = fact.known().and_then(|fact| fact.illegible.as_ref()).unwrap();
        assert!(illegible.why.ends_with("is damaged: JSON"), "{illegible:?}");
        assert!(illegible.hint.contains("kubectl -n one delete secret mizar-operation"), "{illegible:?}");
        let failed = Change::Unread { why: "timed out".into() };
        assert_eq!(failed.fact(), Fetched::Failed { reason: "timed out".into() });
        let states = [denied, damaged, failed].map(|change| serde_json::to_value(change).unwrap()["state"].clone());
        assert_eq!(states, ["denied", "illegible", "unread"]);
    }

    #[test]
    fn the_values_of_a_record_stay_in_it() {
        let change = Change::of(&operation(), HolderState::OtherHost, at(4));
        assert!(!serde_json::to_string(&change).unwrap().contains("hunter2"));
    }
}
