//! Our record of a running change: what was intended, how far it is, and who is at it. It is written before the first
//! change and renewed while the work goes on, so a command that is killed can be resumed, and two at once cannot happen.
//!
//! - this file: the record, from its beginning to whoever goes on with it;
//! - [`stage`]: its parts, and how far each is;
//! - [`outcome`]: how it ends;
//! - [`claim`]: who may work on it;
//! - [`repair`]: the record of a repair, which keeps the one that it found;
//! - [`owed`]: what a repair must still do and cannot see;
//! - [`uninstall`]: what an uninstall must remember;
//! - [`storage`]: how it lies in a Secret.
//!
//! Reading and writing the Secret, with its resource version, is left to the caller: that is what makes a claim hold.

pub mod claim;
pub mod outcome;
pub mod owed;
pub mod repair;
pub mod stage;
pub mod storage;
pub mod uninstall;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use claim::{Claim, Holder, HolderState, Observation, claim};
pub use outcome::{Outcome, OutcomeRecord};
pub use owed::Owed;
pub use repair::{REPAIR, RestartRecord};
pub use stage::{StageRecord, StageState};
pub use storage::{OperationError, SECRET_NAME, StoredOperation};
pub use uninstall::UninstallRecord;

/// The newest version of the format. It goes up when a field gains a meaning that an older program would get wrong.
///
/// 1: an install. 2: a repair, with the record that it found; an older program would take it for an install to go on with.
/// Also what is owed, by a repair or by an install that took over from one; an older program would forget it.
pub const FORMAT: u32 = 2;

/// What a plain record is written in, so that an older program can go on with it.
const PLAIN: u32 = 1;

/// One change to a cluster, from its intent to its outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// The version of the format.
    pub format: u32,
    /// Tells operations apart.
    pub id: String,
    /// The command, `install`.
    pub command: String,
    /// The version of the program that began it.
    pub version: String,
    /// The namespace of the releases.
    pub namespace: String,
    /// What is wanted.
    pub intent: Intent,
    /// How far it is.
    pub stages: Vec<StageRecord>,
    /// What is known of single nodes, by node.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub nodes: BTreeMap<String, Value>,
    /// Who works on it, or did last. Never nobody.
    pub holder: Holder,
    /// How often it has changed hands; counts from 1.
    pub tenure: u64,
    /// When it began.
    pub started_at: Timestamp,
    /// When the holder last said that it is alive.
    pub renewed_at: Timestamp,
    /// How it ended, if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<OutcomeRecord>,
    /// A restart of the operator that has begun and must be finished before anything else: the operator may be stopped, and
    /// nodes cordoned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<RestartRecord>,
    /// What a repair has begun and must still follow. An install keeps it for the next repair.
    #[serde(default, skip_serializing_if = "Owed::is_nothing")]
    pub owed: Owed,
    /// What an uninstall must remember, if this is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uninstall: Option<UninstallRecord>,
    /// What a repair found here and puts back at its end: an install needs it to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Box<Self>>,
}

/// What an operation is meant to reach: enough to see whether another command means the same.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// The number of the plan that was agreed to.
    pub plan_digest: String,
    /// The number of what is wanted, whatever is there already.
    pub intent_digest: String,
    /// The profile that was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The values, layer by layer, later ones over earlier ones.
    #[serde(default)]
    pub values: Vec<ValueLayer>,
    /// The releases it makes, by name, with their revision.
    #[serde(default)]
    pub releases: BTreeMap<String, u64>,
    /// The flags that it was agreed to with, for who goes on with it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub options: Map<String, Value>,
}

/// One layer of values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValueLayer {
    /// Where it comes from: `profile dev`, `detected`, `-f site.yaml`, `--set`.
    pub origin: String,
    /// The values.
    pub values: Value,
}

/// What begins an operation.
#[derive(Debug, Clone, PartialEq)]
pub struct NewOperation {
    /// Tells operations apart.
    pub id: String,
    /// The command.
    pub command: String,
    /// The version of this program.
    pub version: String,
    /// The namespace of the releases.
    pub namespace: String,
    /// What is wanted.
    pub intent: Intent,
    /// The parts, in order.
    pub stages: Vec<String>,
}

impl Operation {
    /// Begins an operation; the record is to be written before the first change.
    #[must_use]
    pub fn begin(new: NewOperation, holder: Holder, now: Timestamp) -> Self {
        Self {
            format: PLAIN,
            id: new.id,
            command: new.command,
            version: new.version,
            namespace: new.namespace,
            intent: new.intent,
            stages: new.stages.into_iter().map(StageRecord::pending).collect(),
            nodes: BTreeMap::new(),
            holder,
            tenure: 1,
            started_at: now,
            renewed_at: now,
            outcome: None,
            restart: None,
            owed: Owed::default(),
            uninstall: None,
            previous: None,
        }
    }

    /// Whether somebody is at work on it, as far as the record tells.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.outcome.is_none()
    }

    /// Hands an unfinished operation to a new holder, who goes on with `intent`.
    ///
    /// What is done stays noted; parts that are not in `stages` any more are forgotten.
    #[must_use]
    pub fn resumed_by(mut self, holder: Holder, intent: Intent, stages: Vec<String>, now: Timestamp) -> Self {
        let mut known = std::mem::take(&mut self.stages);
        // Work that was done for another intent proves nothing for this one.
        if self.intent.intent_digest != intent.intent_digest {
            known.clear();
        }
        self.stages = stages
            .into_iter()
            .map(|name| {
                let before = known.iter().position(|stage| stage.name == name).map(|at| known.swap_remove(at));
                match before {
                    Some(stage) if stage.state == StageState::Done => stage,
                    Some(stage) => StageRecord { objects_done: stage.objects_done, ..StageRecord::pending(name) },
                    None => StageRecord::pending(name),
                }
            })
            .collect();
        self.intent = intent;
        self.holder = holder;
        self.tenure += 1;
        self.renewed_at = now;
        self.outcome = None;
        self
    }

    /// Notes that the holder is alive.
    pub fn renew(&mut self, now: Timestamp) {
        self.renewed_at = self.renewed_at.max(now);
    }

    /// Notes how it ended; from then on nobody holds it.
    pub fn finish(&mut self, outcome: Outcome, message: &str, now: Timestamp) {
        self.outcome = Some(OutcomeRecord { outcome, at: now, message: message.to_owned() });
        self.renew(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::ObjectRef;

    pub(super) fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    pub(super) fn holder(pid: u32) -> Holder {
        Holder { user: "ann".into(), host: "desk".into(), boot_id: "b1".into(), pid, start_time: 100 }
    }

    pub(super) fn operation() -> Operation {
        let new = NewOperation {
            id: "op-1".into(),
            command: "install".into(),
            version: "0.1.0".into(),
            namespace: "mizar-system".into(),
            intent: Intent { intent_digest: "sha256:a".into(), ..Intent::default() },
            stages: vec!["access".into(), "daemon".into()],
        };
        Operation::begin(new, holder(1), at(0))
    }

    pub(super) fn account() -> ObjectRef {
        ObjectRef { api_version: "v1".into(), kind: "ServiceAccount".into(), namespace: None, name: "a".into() }
    }

    #[test]
    fn an_end_is_final_until_somebody_resumes() {
        let mut it = operation();
        assert!(it.is_running());
        it.finish(Outcome::TimedOut, "daemon", at(9));
        assert!(!it.is_running());
        let again = it.clone().resumed_by(holder(2), it.intent.clone(), vec!["daemon".into()], at(10));
        assert!(again.is_running());
        assert_eq!((again.tenure, again.holder.pid, again.started_at), (2, 2, at(0)));
    }

    #[test]
    fn a_successor_with_the_same_intent_keeps_what_is_done() {
        let mut it = operation();
        it.stage_started("access", at(1));
        it.stage_finished("access", at(2));
        it.stage_started("daemon", at(3));
        it.object_done("daemon", account());
        let same = it.clone().resumed_by(holder(2), it.intent.clone(), vec!["access".into(), "daemon".into()], at(9));
        assert_eq!(same.stages[0].state, StageState::Done);
        assert_eq!((same.stages[1].state, same.stages[1].objects_done.len()), (StageState::Pending, 1));
    }

    #[test]
    fn a_successor_with_another_intent_starts_over() {
        let mut it = operation();
        it.stage_started("access", at(1));
        it.stage_finished("access", at(2));
        let other = Intent { intent_digest: "sha256:b".into(), ..Intent::default() };
        let it = it.resumed_by(holder(2), other, vec!["access".into()], at(9));
        assert_eq!(it.stages[0].state, StageState::Pending);
    }

    #[test]
    fn a_clock_that_jumps_back_does_not_age_the_claim() {
        let mut it = operation();
        it.renew(at(10));
        it.renew(at(5));
        assert_eq!(it.renewed_at, at(10));
    }
}
