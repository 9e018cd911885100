//! The times of the operator.

use std::time::Duration;

use crate::Rounds;

/// The times of the operator, all in proportion to the round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) round: Duration,
    pub(crate) rounds: Rounds,
}

impl Pace {
    /// From a watch event to the look at the object.
    pub(super) fn reaction(self) -> Duration {
        (self.round / 100).max(Duration::from_millis(5))
    }

    /// From the start of the process to its first request.
    pub(super) fn start_up(self) -> Duration {
        self.round / 15
    }

    /// From the first look at a divider that was there before to the moment when its droplet is found again. A
    /// bouncer that is placed meanwhile fails.
    pub(super) fn divider_resumes(self) -> Duration {
        self.round / 5
    }

    /// From SIGTERM to the end of an idle process.
    pub(super) fn stop(self) -> Duration {
        self.round / 5
    }
}
