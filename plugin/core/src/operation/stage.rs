//! The parts of an operation, and how far each of them is.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Operation;
use crate::object::ObjectRef;

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

impl StageRecord {
    pub(super) fn pending(name: String) -> Self {
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

impl Operation {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::tests::{account, at, operation};

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
}
