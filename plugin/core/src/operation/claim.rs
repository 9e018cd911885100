//! Who may carry out a change: the decision between a record that is there and a process that wants to start.

use jiff::{SignedDuration, Timestamp};

use super::{Holder, Operation};

/// What is known of the process that a record names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HolderState {
    /// It ran on this machine and is gone.
    DeadHere,
    /// It runs on this machine.
    AliveHere,
    /// It is on another machine: nothing can be known but its renewals.
    Elsewhere,
}

/// What the one who wants to start has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// Nothing is in the way and nothing is unfinished.
    Fresh,
    /// An earlier change did not come to its end and nobody is at it: go on from there.
    Resume {
        /// Who was at it, if the record says.
        from: Option<Holder>,
    },
    /// Somebody is at it.
    Busy {
        /// Who.
        holder: Holder,
        /// Since when.
        since: Timestamp,
        /// After this long without a renewal it may be taken over.
        free_in: SignedDuration,
    },
}

/// Decides. `state` is what is known of the record's holder; `ttl` is how long a renewal counts.
#[must_use]
pub fn claim(record: Option<&Operation>, state: HolderState, now: Timestamp, ttl: SignedDuration) -> Claim {
    let Some(record) = record else { return Claim::Fresh };
    let unfinished = |from: Option<Holder>| if record.is_unfinished() { Claim::Resume { from } } else { Claim::Fresh };
    let Some(holder) = record.holder.clone() else { return unfinished(None) };
    // A renewal from the future is another machine's clock: it counts in full, and no longer.
    let age = now.duration_since(record.renewed).max(SignedDuration::ZERO);
    if state == HolderState::DeadHere || age >= ttl {
        return unfinished(Some(holder));
    }
    Claim::Busy { holder, since: record.began, free_in: ttl - age }
}
