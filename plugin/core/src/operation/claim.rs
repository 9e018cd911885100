//! Who may work on an operation. A holder renews its claim; one that is seen to be dead is relieved at once, one that
//! cannot be seen (another host) only when its claim has run out. There is never a lock without an owner.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Operation;

/// Clocks of two API servers may be apart by this much. Only a claim that is older by more is taken to have run out by the
/// time written in it; a younger one must be watched not to change.
const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// Who works on an operation: enough to tell whether the process still exists, and to call the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// The account on the host.
    pub user: String,
    /// The host.
    pub host: String,
    /// Changes with every start of the host.
    pub boot_id: String,
    /// The process.
    pub pid: u32,
    /// When the process started, in the host's own units; a later process may get the same number.
    pub start_time: u64,
}

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} on {} (process {})", self.user, self.host, self.pid)
    }
}

/// What can be seen of a holder from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HolderState {
    /// Its process ran on this host and is gone.
    DeadOnThisHost,
    /// Its process runs on this host.
    AliveOnThisHost,
    /// It cannot be seen.
    OtherHost,
}

impl Holder {
    /// Says what `me` can see of this holder; `alive` looks for a process by its number and start time.
    ///
    /// A host of the same name that was started anew counts as another host: names like `localhost` are shared, and
    /// taking the claim of a living process is worse than waiting until a dead one's has run out.
    pub fn seen_from(&self, me: &Self, alive: impl FnOnce(u32, u64) -> bool) -> HolderState {
        if self.host != me.host || self.boot_id != me.boot_id {
            HolderState::OtherHost
        } else if alive(self.pid, self.start_time) {
            HolderState::AliveOnThisHost
        } else {
            HolderState::DeadOnThisHost
        }
    }
}

/// What the one who wants to work can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// The time by the server's clock, by which renewals are dated too; none if it did not tell.
    pub now: Option<Timestamp>,
    /// For how long we have seen the record without a renewal, by our own clock. 0 at the first look.
    pub unchanged_for: Duration,
    /// What can be seen of the holder.
    pub holder: HolderState,
}

/// Whether one may work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Nothing is under way: begin a new operation.
    Fresh,
    /// The last one ended before it was done, or is our own: go on with it.
    Resume,
    /// Its holder is gone: go on with it.
    TakeOver {
        /// Who had it.
        from: Holder,
    },
    /// Somebody is at work.
    Busy {
        /// Who.
        holder: Holder,
        /// Since when.
        since: Timestamp,
        /// After how long the claim runs out if it is not renewed; at the latest then, look again.
        expires_in: Duration,
    },
}

/// Decides whether `me` may work. The answer holds only if the record that `existing` was read from is then written
/// with its resource version.
#[must_use]
pub fn claim(existing: Option<&Operation>, me: &Holder, seen: Observation, ttl: Duration) -> Claim {
    let Some(operation) = existing else { return Claim::Fresh };
    if let Some(end) = &operation.outcome {
        return if end.outcome.is_over() { Claim::Fresh } else { Claim::Resume };
    }
    if operation.holder == *me {
        return Claim::Resume;
    }
    let age = seen.now.map_or(Duration::ZERO, |now| age(operation, now));
    let left = match seen.holder {
        HolderState::DeadOnThisHost => Duration::ZERO,
        HolderState::AliveOnThisHost => ttl.saturating_sub(age.max(seen.unchanged_for)),
        HolderState::OtherHost if age > ttl + CLOCK_SKEW => Duration::ZERO,
        HolderState::OtherHost => ttl.saturating_sub(seen.unchanged_for),
    };
    if left.is_zero() {
        return Claim::TakeOver { from: operation.holder.clone() };
    }
    Claim::Busy { holder: operation.holder.clone(), since: operation.started_at, expires_in: left }
}

/// How long ago the claim was renewed; 0 if that is still to come.
fn age(operation: &Operation, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(operation.renewed_at)).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::operation::Outcome;
    use crate::operation::tests::{at, holder, operation};

    const TTL: Duration = Duration::from_secs(15);

    fn seen(now: i64, unchanged: u64, holder: HolderState) -> Observation {
        Observation { now: Some(at(now)), unchanged_for: Duration::from_secs(unchanged), holder }
    }

    fn ended(outcome: Outcome) -> Operation {
        let mut it = operation();
        it.finish(outcome, "", at(1));
        it
    }

    #[test]
    fn nothing_or_something_finished_leaves_the_way_free() {
        let first = seen(1, 0, HolderState::OtherHost);
        assert_eq!(claim(None, &holder(2), first, TTL), Claim::Fresh);
        for outcome in [Outcome::Done, Outcome::NothingToDo, Outcome::Aborted] {
            assert_eq!(claim(Some(&ended(outcome)), &holder(2), first, TTL), Claim::Fresh);
        }
    }

    #[test]
    fn what_ended_badly_is_resumed() {
        let first = seen(1, 0, HolderState::OtherHost);
        for outcome in [Outcome::Failed, Outcome::PartlyApplied, Outcome::TimedOut, Outcome::Interrupted] {
            assert_eq!(claim(Some(&ended(outcome)), &holder(2), first, TTL), Claim::Resume);
        }
    }

    #[test]
    fn our_own_claim_is_ours() {
        let it = operation();
        assert_eq!(claim(Some(&it), &holder(1), seen(99, 0, HolderState::AliveOnThisHost), TTL), Claim::Resume);
    }

    #[test]
    fn a_holder_that_is_seen_dead_is_relieved_at_once() {
        let taken = claim(Some(&operation()), &holder(2), seen(0, 0, HolderState::DeadOnThisHost), TTL);
        assert_eq!(taken, Claim::TakeOver { from: holder(1) });
    }

    #[test]
    fn a_living_holder_is_named_with_the_time_that_its_claim_has_left() {
        let busy = claim(Some(&operation()), &holder(2), seen(5, 0, HolderState::AliveOnThisHost), TTL);
        let left = Duration::from_secs(10);
        assert_eq!(busy, Claim::Busy { holder: holder(1), since: at(0), expires_in: left });
        assert_eq!(holder(1).to_string(), "ann on desk (process 1)");
    }

    #[test]
    fn a_living_holder_that_stopped_renewing_loses_its_claim() {
        let taken = claim(Some(&operation()), &holder(2), seen(15, 0, HolderState::AliveOnThisHost), TTL);
        assert_eq!(taken, Claim::TakeOver { from: holder(1) });
    }

    #[test]
    fn another_host_is_watched_and_not_judged_by_its_clock() {
        let far_away =
            |now, unchanged| claim(Some(&operation()), &holder(2), seen(now, unchanged, HolderState::OtherHost), TTL);
        let busy = |left| Claim::Busy { holder: holder(1), since: at(0), expires_in: Duration::from_secs(left) };
        assert_eq!(far_away(60, 0), busy(15));
        assert_eq!(far_away(-60, 5), busy(10));
        assert_eq!(far_away(60, 15), Claim::TakeOver { from: holder(1) });
    }

    #[test]
    fn a_claim_from_long_ago_needs_no_watching() {
        let taken = claim(Some(&operation()), &holder(2), seen(1000, 0, HolderState::OtherHost), TTL);
        assert_eq!(taken, Claim::TakeOver { from: holder(1) });
    }

    #[test]
    fn without_the_servers_time_every_claim_is_watched() {
        for holder_is in [HolderState::OtherHost, HolderState::AliveOnThisHost] {
            let unknown = Observation { now: None, ..seen(0, 5, holder_is) };
            let answer = claim(Some(&operation()), &holder(2), unknown, TTL);
            let left = Duration::from_secs(10);
            assert_eq!(answer, Claim::Busy { holder: holder(1), since: at(0), expires_in: left });
        }
    }

    #[test]
    fn a_process_is_looked_for_only_on_its_own_host() {
        let me = holder(2);
        let never = |_, _| -> bool { panic!("processes of other hosts cannot be seen") };
        assert_eq!(Holder { host: "other".into(), ..holder(1) }.seen_from(&me, never), HolderState::OtherHost);
        assert_eq!(Holder { boot_id: "b2".into(), ..holder(1) }.seen_from(&me, never), HolderState::OtherHost);
        let same = |pid, start| pid == 1 && start == 100;
        assert_eq!(holder(1).seen_from(&me, same), HolderState::AliveOnThisHost);
        let reused = Holder { start_time: 99, ..holder(1) };
        assert_eq!(reused.seen_from(&me, same), HolderState::DeadOnThisHost);
    }

    fn any_state() -> impl Strategy<Value = HolderState> {
        prop_oneof![Just(HolderState::DeadOnThisHost), Just(HolderState::AliveOnThisHost), Just(HolderState::OtherHost),]
    }

    proptest! {
        #[test]
        fn a_wait_for_a_claim_ends_within_its_time_to_live(
            now in -100_000..100_000_i64, unchanged in 0..1_000_u64, state in any_state(),
        ) {
            let it = operation();
            match claim(Some(&it), &holder(2), seen(now, unchanged, state), TTL) {
                Claim::Busy { expires_in, .. } => {
                    prop_assert!(expires_in <= TTL && !expires_in.is_zero());
                    // Whoever waits that long without seeing a renewal may work.
                    let later = Observation {
                        now: Some(at(now + 15)),
                        unchanged_for: Duration::from_secs(unchanged) + expires_in,
                        holder: state,
                    };
                    let is_free = matches!(claim(Some(&it), &holder(2), later, TTL), Claim::TakeOver { .. });
                    prop_assert!(is_free);
                }
                Claim::TakeOver { from } => prop_assert_eq!(from, holder(1)),
                other => prop_assert!(false, "a running operation of another holder gave {:?}", other),
            }
        }

        #[test]
        fn a_holder_on_another_host_that_renews_is_never_relieved(skew in -299..299_i64, since_renewal in 0..15_u64) {
            let mut it = operation();
            it.renew(at(1_000));
            let now = 1_000 + skew + i64::try_from(since_renewal).unwrap();
            let answer = claim(Some(&it), &holder(2), seen(now, since_renewal, HolderState::OtherHost), TTL);
            let is_busy = matches!(answer, Claim::Busy { .. });
            prop_assert!(is_busy);
        }
    }
}
