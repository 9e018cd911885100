//! Our record of a running change: what was intended, how far it is, and who is at it. It is written before the first
//! change and renewed while the work goes on, so a command that is killed can be resumed, and two at once cannot happen.
//!
//! - this file: the record and its progress;
//! - [`claim`]: who may work on it;
//! - [`owed`]: what a repair must still do and cannot see;
//! - [`storage`]: how it lies in a Secret.
//!
//! Reading and writing the Secret, with its resource version, is left to the caller: that is what makes a claim hold.

pub mod claim;
pub mod owed;
pub mod storage;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::object::ObjectRef;

pub use claim::{Claim, Holder, HolderState, Observation, claim};
pub use owed::Owed;
pub use storage::{OperationError, SECRET_NAME, StoredOperation};

/// The newest version of the format. It goes up when a field gains a meaning that an older program would get wrong.
///
/// 1: an install. 2: a repair, with the record that it found; an older program would take it for an install to go on with.
/// Also what is owed, by a repair or by an install that took over from one; an older program would forget it.
pub const FORMAT: u32 = 2;

/// What a plain record is written in, so that an older program can go on with it.
const PLAIN: u32 = 1;

/// The command of a repair, in its record.
pub const REPAIR: &str = "repair";

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
}

/// One layer of values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValueLayer {
    /// Where it comes from: `profile dev`, `detected`, `-f site.yaml`, `--set`.
    pub origin: String,
    /// The values.
    pub values: Value,
}

/// A restart of the operator under way. How far it is, the cluster tells; what cannot be seen there is kept here.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestartRecord {
    /// Whether every address in use is held: an operator that runs before that has to go.
    #[serde(default)]
    pub prepared: bool,
    /// The run of the operator that has taken over the whole network, when one has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wired: Option<String>,
}

/// One part of an operation: a stage of the plan, or a wait.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageRecord {
    /// Its name.
    pub name: String,
    /// How far it is.
    pub state: StageState,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// The objects that have been written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects_done: Vec<ObjectRef>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// How far a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StageState {
    /// Not begun.
    Pending,
    /// Begun and not ended; it may be half done.
    Running,
    /// Ended as it should.
    Done,
    /// Ended otherwise.
    Failed,
}

impl fmt::Display for StageState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        })
    }
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutcomeRecord {
    /// How.
    pub outcome: Outcome,
    /// When.
    pub at: Timestamp,
    /// In a sentence; empty if there is nothing to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// How work ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Everything is as it was meant to be.
    Done,
    /// Nothing had to be changed.
    NothingToDo,
    /// It was asked for the plan only.
    Planned,
    /// It did not succeed and nothing was changed.
    Failed,
    /// It did not succeed and something was changed.
    PartlyApplied,
    /// It took longer than it may.
    TimedOut,
    /// Somebody stopped it.
    Interrupted,
}

impl Outcome {
    /// Whether there is nothing left to do.
    #[must_use]
    pub fn is_success(self) -> bool {
        matches!(self, Self::Done | Self::NothingToDo | Self::Planned)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Done => "done",
            Self::NothingToDo => "nothing to do",
            Self::Planned => "planned; nothing was changed",
            Self::Failed => "failed",
            Self::PartlyApplied => "partly applied",
            Self::TimedOut => "timed out",
            Self::Interrupted => "interrupted",
        })
    }
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
            previous: None,
        }
    }

    /// Begins a repair, which keeps the record that it found until it has ended.
    #[must_use]
    pub fn begin_repair(new: NewOperation, found: Option<Self>, holder: Holder, now: Timestamp) -> Self {
        let owed = found.as_ref().map(|found| found.owed).unwrap_or_default();
        let previous = found.and_then(|found| if found.is_repair() { found.put_back(now) } else { Some(found) });
        let previous = previous.map(|previous| Box::new(previous.owing(Owed::default())));
        Self { previous, ..Self::begin(new, holder, now) }.owing(owed)
    }

    /// The same record with exactly this owed.
    #[must_use]
    pub fn owing(mut self, owed: Owed) -> Self {
        self.owed = owed;
        self.format = if self.is_repair() || !owed.is_nothing() { FORMAT } else { PLAIN };
        self
    }

    /// Notes how it ended and returns what is to be recorded: a repair gives way to the record that it found, unless a
    /// restart of the operator is half done, or it failed and something must still follow.
    #[must_use]
    pub fn ended(mut self, outcome: Outcome, message: &str, now: Timestamp) -> Self {
        let is_over = self.restart.is_none() && (self.owed.is_nothing() || outcome.is_success());
        if self.is_repair()
            && is_over
            && let Some(previous) = self.clone().put_back(now)
        {
            return previous;
        }
        self.finish(outcome, message, now);
        self
    }

    /// Whether it repairs what is installed, and installs nothing.
    #[must_use]
    pub fn is_repair(&self) -> bool {
        self.command == REPAIR
    }

    /// Returns what a repair found, as it is recorded again at its end. Whoever had it is gone, or nobody could have begun
    /// a repair: who goes on with it has nobody to wait for. What is owed goes along.
    #[must_use]
    pub fn put_back(self, now: Timestamp) -> Option<Self> {
        let mut previous = *self.previous?;
        if previous.outcome.is_none() {
            previous.finish(Outcome::Interrupted, "its process was gone when a repair began", now);
        }
        Some(previous.owing(self.owed))
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

    /// Notes that a part begins; a part that nobody announced is added at the end.
    pub fn stage_started(&mut self, name: &str, now: Timestamp) {
        let stage = self.stage_mut(name);
        stage.state = StageState::Running;
        stage.started_at = Some(now);
        stage.finished_at = None;
        stage.failure = None;
        self.renew(now);
    }

    /// Notes that an object has been written.
    pub fn object_done(&mut self, stage: &str, object: ObjectRef) {
        let stage = self.stage_mut(stage);
        if !stage.objects_done.contains(&object) {
            stage.objects_done.push(object);
        }
    }

    /// Notes that a part has ended as it should.
    pub fn stage_finished(&mut self, name: &str, now: Timestamp) {
        let stage = self.stage_mut(name);
        stage.state = StageState::Done;
        stage.finished_at = Some(now);
        self.renew(now);
    }

    /// Notes that a part has ended otherwise.
    pub fn stage_failed(&mut self, name: &str, why: &str, now: Timestamp) {
        let stage = self.stage_mut(name);
        stage.state = StageState::Failed;
        stage.finished_at = Some(now);
        stage.failure = Some(why.to_owned());
        self.renew(now);
    }

    /// Notes how it ended; from then on nobody holds it.
    pub fn finish(&mut self, outcome: Outcome, message: &str, now: Timestamp) {
        self.outcome = Some(OutcomeRecord { outcome, at: now, message: message.to_owned() });
        self.renew(now);
    }

    /// Returns the part that it is at: of those that run or failed the one that began last, since a repair takes only some of
    /// its parts, and a part may have parts of its own; else the first that is not done.
    #[must_use]
    pub fn current_stage(&self) -> Option<&StageRecord> {
        let begun = self.stages.iter().filter(|stage| matches!(stage.state, StageState::Running | StageState::Failed));
        let latest = begun.max_by_key(|stage| stage.started_at);
        latest.or_else(|| self.stages.iter().find(|stage| stage.state != StageState::Done))
    }

    /// Returns the record of a part.
    #[must_use]
    pub fn stage(&self, name: &str) -> Option<&StageRecord> {
        self.stages.iter().find(|stage| stage.name == name)
    }

    fn stage_mut(&mut self, name: &str) -> &mut StageRecord {
        let at = self.stages.iter().position(|stage| stage.name == name).unwrap_or_else(|| {
            self.stages.push(StageRecord::pending(name.to_owned()));
            self.stages.len() - 1
        });
        &mut self.stages[at]
    }
}

impl StageRecord {
    fn pending(name: String) -> Self {
        Self {
            name,
            state: StageState::Pending,
            started_at: None,
            finished_at: None,
            objects_done: Vec::new(),
            failure: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn account() -> ObjectRef {
        ObjectRef { api_version: "v1".into(), kind: "ServiceAccount".into(), namespace: None, name: "a".into() }
    }

    #[test]
    fn progress_is_noted_part_by_part() {
        let mut it = operation();
        it.stage_started("access", at(1));
        it.object_done("access", account());
        it.object_done("access", account());
        assert_eq!(it.current_stage().unwrap().state, StageState::Running);
        it.stage_finished("access", at(2));
        assert_eq!(it.stage("access").unwrap().objects_done.len(), 1);
        assert_eq!(it.current_stage().unwrap().name, "daemon");
        it.stage_failed("daemon", "image not found", at(3));
        assert_eq!(it.current_stage().unwrap().failure.as_deref(), Some("image not found"));
        it.stage_started("sanity-check", at(4));
        assert_eq!(it.stages.len(), 3);
        assert_eq!(it.renewed_at, at(4));
    }

    #[test]
    fn the_part_that_a_repair_is_at_is_the_one_that_runs_and_not_the_first_that_it_skipped() {
        let mut it = operation();
        it.stages.push(StageRecord::pending("check".into()));
        it.stage_started("daemon", at(1));
        assert_eq!(it.current_stage().unwrap().name, "daemon");
        it.stage_started("check", at(2));
        assert_eq!(it.current_stage().unwrap().name, "check", "a part of a part is more precise");
        it.stage_finished("check", at(3));
        it.stage_finished("daemon", at(3));
        assert_eq!(it.current_stage().unwrap().name, "access");
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

    fn a_repair(found: Option<Operation>) -> Operation {
        let new = NewOperation {
            id: "op-2".into(),
            command: REPAIR.into(),
            version: "0.1.0".into(),
            namespace: "mizar-system".into(),
            intent: Intent::default(),
            stages: vec!["cordon".into()],
        };
        Operation::begin_repair(new, found, holder(2), at(20))
    }

    #[test]
    fn a_repair_gives_back_the_install_that_it_found() {
        let mut done = operation();
        done.finish(Outcome::Done, "", at(9));
        assert_eq!(a_repair(Some(done.clone())).put_back(at(30)), Some(done));
        let unfinished = a_repair(Some(operation())).put_back(at(30)).unwrap();
        assert_eq!(unfinished.outcome.as_ref().unwrap().outcome, Outcome::Interrupted);
        assert_eq!((unfinished.intent, unfinished.stages), (operation().intent, operation().stages));
        assert_eq!(a_repair(None).put_back(at(30)), None);
    }

    #[test]
    fn a_repair_that_ends_leaves_no_trace_unless_a_restart_is_half_done() {
        let mut done = operation();
        done.finish(Outcome::Done, "", at(9));
        let mut it = a_repair(Some(done.clone()));
        assert_eq!(it.clone().ended(Outcome::Failed, "too bad", at(30)), done);
        it.restart = Some(RestartRecord::default());
        let half_done = it.ended(Outcome::Failed, "too bad", at(30));
        assert_eq!((half_done.is_repair(), half_done.outcome.unwrap().outcome), (true, Outcome::Failed));
        assert_eq!(half_done.previous, Some(Box::new(done)));
        assert!(a_repair(None).ended(Outcome::Done, "", at(30)).outcome.unwrap().outcome.is_success());
    }

    const RESEND: Owed = Owed { resend: true, renew: false };

    #[test]
    fn what_a_repair_owes_survives_its_failure_a_second_kill_and_an_install() {
        let mut done = operation();
        done.finish(Outcome::Done, "", at(9));
        let it = a_repair(Some(done.clone())).owing(RESEND);
        let killed_again = it.clone().resumed_by(holder(3), Intent::default(), vec!["leaks".into()], at(25));
        assert_eq!(killed_again.owed, RESEND);
        let failed = killed_again.ended(Outcome::TimedOut, "too slow", at(30));
        assert_eq!((failed.is_repair(), failed.owed), (true, RESEND));
        assert_eq!(a_repair(Some(failed.clone())).owed, RESEND, "whoever begins anew pays it");
        let install = failed.put_back(at(40)).unwrap();
        assert_eq!((install.is_repair(), install.owed, install.format), (false, RESEND, FORMAT));
        let next = a_repair(Some(install));
        assert_eq!(next.owed, RESEND);
        assert_eq!(next.owing(Owed::default()).ended(Outcome::Failed, "", at(50)), done, "paid: no trace is left");
    }

    #[test]
    fn a_repair_that_was_asked_for_something_else_leaves_what_is_owed_to_the_next() {
        let mut done = operation();
        done.finish(Outcome::Done, "", at(9));
        let left = a_repair(Some(done.clone())).owing(RESEND).ended(Outcome::Done, "", at(30));
        assert_eq!(left, done.owing(RESEND));
    }

    #[test]
    fn a_repair_after_a_repair_keeps_the_install_and_nothing_else() {
        let mut done = operation();
        done.finish(Outcome::Done, "", at(9));
        let again = a_repair(Some(a_repair(Some(done.clone()))));
        assert_eq!(again.previous, Some(Box::new(done)));
    }

    #[test]
    fn only_a_repair_is_written_in_the_new_format() {
        assert_eq!((operation().format, a_repair(None).format), (1, FORMAT));
    }

    #[test]
    fn a_clock_that_jumps_back_does_not_age_the_claim() {
        let mut it = operation();
        it.renew(at(10));
        it.renew(at(5));
        assert_eq!(it.renewed_at, at(10));
    }
}
