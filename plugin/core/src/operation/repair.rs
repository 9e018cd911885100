//! The record of a repair: it keeps what it found, gives way to it at its end, and says what must still follow.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{FORMAT, Holder, NewOperation, Operation, Outcome, Owed, PLAIN};

/// The command of a repair, in its record.
pub const REPAIR: &str = "repair";

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

impl Operation {
    /// Begins a repair, which keeps the record that it found until it has ended.
    #[must_use]
    pub fn begin_repair(new: NewOperation, found: Option<Self>, holder: Holder, now: Timestamp) -> Self {
        let owed = found.as_ref().map(|found| found.owed).unwrap_or_default();
        let previous = found.and_then(|found| if found.is_repair() { found.put_back(now) } else { Some(found) });
        // A restart that an upgrade has left half done is the repair's to finish, from its beginning.
        let restart =
            previous.as_ref().and_then(|previous| previous.restart.as_ref()).map(|_| RestartRecord::default());
        let previous = previous.map(|previous| Box::new(Self { restart: None, ..previous }.owing(Owed::default())));
        Self { restart, previous, ..Self::begin(new, holder, now) }.owing(owed)
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Intent;
    use crate::operation::tests::{at, holder, operation};

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

    const RESEND: Owed = Owed { resend: true };

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
    fn a_repair_takes_over_the_restart_that_an_upgrade_left_half_done() {
        let mut upgrade = operation();
        upgrade.restart = Some(RestartRecord { prepared: true, wired: Some("run".into()) });
        let mut it = a_repair(Some(upgrade));
        assert_eq!(it.restart, Some(RestartRecord::default()), "from its beginning: nobody knows what came in between");
        it.restart = None;
        let upgrade = it.ended(Outcome::Done, "", at(30));
        assert_eq!((upgrade.is_repair(), upgrade.is_running(), upgrade.restart), (false, false, None));
    }

    #[test]
    fn only_a_repair_is_written_in_the_new_format() {
        assert_eq!((operation().format, a_repair(None).format), (1, FORMAT));
    }
}
