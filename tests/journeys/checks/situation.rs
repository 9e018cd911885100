//! What a situation is: a state of a cluster, how it comes about, and which checks do not pass in it.

use std::path::PathBuf;

use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use jiff::SignedDuration;
use mizar_core::check::{Phase, Report, Status};
use serde_json::Value;

use super::stage::Stage;
use crate::cli::root;

/// A state of a cluster in which the table of checks must come to known results.
pub(crate) struct Situation {
    /// The stable name; the recorded facts are called like it.
    pub(crate) name: &'static str,
    /// What is so, in a few words.
    pub(crate) story: &'static str,
    /// Which checks are asked.
    pub(crate) phase: Phase,
    /// The checks that do not pass, all of them.
    pub(crate) expected: Vec<Expected>,
    /// How long the state has lasted when it is judged; nobody waits for it, the moment of judging is moved.
    pub(crate) lasting: SignedDuration,
    /// Where the facts come from.
    pub(crate) origin: Origin,
}

/// One check that does not pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    pub(crate) id: &'static str,
    pub(crate) status: Status,
    /// What message or evidence must name: an object, as a rule.
    pub(crate) names: &'static str,
}

/// Where the facts of a situation come from.
pub(crate) enum Origin {
    /// A bed on which this was done.
    Bed(Make),
    /// The facts of another situation, with a field changed: what no bed of ours can be.
    Edited {
        /// The other situation.
        of: &'static str,
        /// What is changed in `facts`.
        edit: fn(&mut Value),
    },
}

/// Brings a situation about.
pub(crate) type Make = Box<dyn for<'a> Fn(&'a mut Stage<'_>) -> LocalBoxFuture<'a, ()>>;

impl Situation {
    /// A state before an install.
    pub(crate) fn before(name: &'static str, story: &'static str) -> Self {
        Self::of(Phase::Preflight, name, story)
    }

    /// A state of an installed network.
    pub(crate) fn after(name: &'static str, story: &'static str) -> Self {
        Self::of(Phase::Health, name, story)
    }

    fn of(phase: Phase, name: &'static str, story: &'static str) -> Self {
        let nothing: Make = Box::new(|_| async {}.boxed_local());
        Self { name, story, phase, expected: Vec::new(), lasting: SignedDuration::ZERO, origin: Origin::Bed(nothing) }
    }

    /// A check fails.
    pub(crate) fn fails(self, id: &'static str, names: &'static str) -> Self {
        self.expect(id, Status::Fail, names)
    }

    /// A check warns.
    pub(crate) fn warns(self, id: &'static str, names: &'static str) -> Self {
        self.expect(id, Status::Warn, names)
    }

    /// A check cannot be decided.
    pub(crate) fn hides(self, id: &'static str, names: &'static str) -> Self {
        self.expect(id, Status::Unknown, names)
    }

    fn expect(mut self, id: &'static str, status: Status, names: &'static str) -> Self {
        self.expected.push(Expected { id, status, names });
        self
    }

    /// It is judged as if it had lasted for so many minutes.
    pub(crate) fn lasting(mut self, minutes: i64) -> Self {
        self.lasting = SignedDuration::from_mins(minutes);
        self
    }

    /// How it is made on a bed.
    pub(crate) fn made_by(mut self, make: impl AsyncFn(&mut Stage<'_>) + Copy + 'static) -> Self {
        self.origin = Origin::Bed(Box::new(move |stage| async move { make(stage).await }.boxed_local()));
        self
    }

    /// From which facts it is made, and by what change of them.
    pub(crate) fn edited(mut self, of: &'static str, edit: fn(&mut Value)) -> Self {
        self.origin = Origin::Edited { of, edit };
        self
    }

    /// Whether it is a state before an install.
    pub(crate) fn is_before(&self) -> bool {
        self.phase == Phase::Preflight
    }

    /// The file with its facts.
    pub(crate) fn file(&self) -> PathBuf {
        file_of(self.name)
    }

    /// In what a report differs from what is expected; nothing if it does not.
    pub(crate) fn objections(&self, report: &Report) -> Vec<String> {
        let mut objections = Vec::new();
        for result in &report.results {
            let expected = self.expected.iter().find(|expected| expected.id == result.id);
            match expected {
                Some(expected) if expected.status != result.status => objections.push(format!(
                    "{} should {}, not {}: {}",
                    result.id, expected.status, result.status, result.message
                )),
                Some(expected) => {
                    let evidence = serde_json::to_string(&result.evidence).unwrap();
                    if !result.message.contains(expected.names) && !evidence.contains(expected.names) {
                        objections.push(format!(
                            "{} does not name {:?}: {} {evidence}",
                            result.id, expected.names, result.message
                        ));
                    }
                }
                None if result.status.asks_for_action() => {
                    objections.push(format!("{} should pass, not {}: {}", result.id, result.status, result.message));
                }
                None => {}
            }
        }
        let asked = |expected: &&Expected| report.result(expected.id).is_none();
        objections.extend(self.expected.iter().filter(asked).map(|lost| format!("{} is not asked", lost.id)));
        objections
    }
}

/// Where the facts are recorded.
pub(crate) fn folder() -> PathBuf {
    root().join("tests/fixtures/facts")
}

/// The file with a situation's facts.
pub(crate) fn file_of(name: &str) -> PathBuf {
    folder().join(format!("{name}.json"))
}
