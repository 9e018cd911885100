//! What is wrong with a running network, as far as it can be told from the outside: one judgement with two users. The
//! checks tell of it, and [`crate::repair`] treats it.
//!
//! - `operator`: what the operator has forgotten, waits for in vain or has given up;
//! - `nodes`: nodes whose daemon has lost its programming, and what is placed where no node is;
//! - `runs`: what a daemon that was started anew has lost, and where clocks leave that open;
//! - `leaks`: objects whose pod or node is gone;
//! - `pods`: addresses that are used twice, and pods without a network;
//! - `waiting`: objects that the operator tries again and again to finish;
//! - `settling`: what is not done yet and may still come by itself, and until when.
//!
//! Everything is linear in the number of objects. What is younger than [`Moment::settling`] may still come to be.

mod index;
mod leaks;
mod nodes;
mod operator;
mod pods;
mod runs;
mod settling;
mod waiting;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use leaks::{Leak, LeakCause, leaks};
pub use nodes::{Displaced, Misplaced, Missing, UnprogrammedNode, displaced, unprogrammed_nodes};
pub use operator::{
    Deadlock, ForgottenSubnet, HangingDeletion, OperatorRun, Sign, StalledObject, blocked_by_bouncers, deadlocks,
    forgotten_message, forgotten_placeholders, forgotten_subnets, hanging_deletions, operator_run, stalled_objects,
};
pub(crate) use pods::seniority;
pub use pods::{CutOff, CutOffPod, Duplicate, Holder, cut_off_pods, duplicates};
pub use runs::{DoubtfulNode, doubtful_nodes, told_apart_from};
pub use settling::{Settling, settles, settling};
pub use waiting::{WaitingObject, waiting_objects};

use crate::facts::Facts;

/// When something is judged, and from which age on it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The present moment.
    pub now: Timestamp,
    /// Pods, nodes and objects younger than this may still be waiting for each other.
    pub settling: SignedDuration,
    /// A handler that is tried again for this long on a finished object will not end by itself.
    pub unfinished: SignedDuration,
    /// An object that waits for this long does not come by itself.
    pub slow: SignedDuration,
}

impl Moment {
    /// Whether something is at least this old; what has no time is.
    fn is_older(&self, since: Option<Timestamp>, age: SignedDuration) -> bool {
        since.is_none_or(|since| self.now.duration_since(since) >= age)
    }

    /// Whether something has had the time to come to be.
    fn has_settled(&self, since: Option<Timestamp>) -> bool {
        self.is_older(since, self.settling)
    }
}

/// All that was found, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Diagnosis {
    /// Networks on which the operator and its objects wait for each other.
    pub deadlocks: Vec<Deadlock>,
    /// Subnets that a restarted operator does not know to be finished.
    pub forgotten_subnets: Vec<ForgottenSubnet>,
    /// Nodes without what Mizar must have programmed there.
    pub unprogrammed_nodes: Vec<UnprogrammedNode>,
    /// Bouncers and Dividers that stand where nothing forwards for them.
    pub displaced: Vec<Displaced>,
    /// What is left of pods and nodes that are gone.
    pub leaks: Vec<Leak>,
    /// Addresses that several pods use.
    pub duplicates: Vec<Duplicate>,
    /// Pods that have no network.
    pub cut_off_pods: Vec<CutOffPod>,
    /// Objects that the operator has given up.
    pub stalled_objects: Vec<StalledObject>,
    /// Deletions that never end.
    pub hanging_deletions: Vec<HangingDeletion>,
    /// Objects that the operator tries again and again to finish.
    pub waiting_objects: Vec<WaitingObject>,
    /// What is not done yet and may still come by itself.
    pub settling: Vec<Settling>,
}

impl Diagnosis {
    /// Whether nothing was found, not even something that still settles.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Finds everything that is wrong.
#[must_use]
pub fn diagnose(facts: &Facts, moment: &Moment) -> Diagnosis {
    Diagnosis {
        deadlocks: deadlocks(facts, moment),
        forgotten_subnets: forgotten_subnets(facts, moment),
        unprogrammed_nodes: unprogrammed_nodes(facts, moment),
        displaced: displaced(facts),
        leaks: leaks(facts, moment),
        duplicates: duplicates(facts),
        cut_off_pods: cut_off_pods(facts, moment),
        stalled_objects: stalled_objects(facts, moment),
        hanging_deletions: hanging_deletions(facts, moment),
        waiting_objects: waiting_objects(facts, moment),
        settling: settling(facts, moment),
    }
}
