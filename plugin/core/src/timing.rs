//! Every duration of the product in one value: limits, pauses, leases. Commands overwrite what a flag sets, tests
//! scale the whole. Nothing here waits.

use std::time::Duration;

/// How long everything may take and how often things are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// For a connection to the API server to open.
    pub connect: Duration,
    /// For a credential plugin that asks nobody to end.
    pub login: Duration,
    /// Before a token file is read again: whoever writes it changes it.
    pub token_reread: Duration,
    /// For one request to be answered, watches apart.
    pub request: Duration,
    /// For a watch before it is begun anew: a connection on which nothing comes any more is noticed soon after.
    pub watch: Duration,
    /// For the first answer of a server; after it the server is called unreachable.
    pub first_answer: Duration,
    /// For how long a request is tried again after a passing failure (429, 5xx, a broken connection).
    pub retry_for: Duration,
    /// Before the first retry; doubles each time.
    pub retry_pause: Duration,
    /// The longest pause between two retries.
    pub retry_pause_limit: Duration,
    /// Without progress in a wait before pods are listed and the culprit is named, and between two such looks.
    pub look: Duration,
    /// Between two lines of a wait on which nothing moved.
    pub progress: Duration,
    /// The longest pause after a change that a watch tells, before it is judged: changes come in bursts.
    pub burst: Duration,
    /// Before a reading that takes longer is told about, and between two such lines.
    pub show_reading: Duration,
    /// Without any progress before a wait ends.
    pub stall: Duration,
    /// For all daemons to be ready at a first install, when packages and images come over the network.
    pub daemon_timeout: Duration,
    /// For every other part of an installation.
    pub part_timeout: Duration,
    /// One round of the operator: what failed is tried again after it.
    pub operator_round: Duration,
    /// For the operator's own rounds on a cluster of ordinary size.
    pub operator_rounds: Duration,
    /// The same on a cluster of about two hundred nodes.
    pub operator_rounds_large: Duration,
    /// How long an operator that has just started needs before a Bouncer may be set back to Init: what it finds so too
    /// early, it gives up for good. It was seen to take 5 s.
    pub operator_settle: Duration,
    /// How long a thing must stay healthy before it counts.
    pub settle: Duration,
    /// How long the claim of a running command holds without renewal.
    pub lease_ttl: Duration,
    /// Between two renewals of that claim.
    pub lease_renew: Duration,
    /// For a cluster to tell names that complete what is typed: a person waits between two keys.
    pub completion: Duration,
    /// For the evidence of a change that has failed: somebody waits to be told so.
    pub evidence: Duration,
    /// How many looks in a row must show a fatal state before it ends a wait early.
    pub confirm_failure_looks: u32,
}

/// A cluster with more nodes than this gets the longer limit for the operator's rounds.
const LARGE_CLUSTER_NODES: usize = 20;

/// What is followed may take one part in so many of the time to be judged.
const JUDGING_SHARE: u32 = 10;

/// A wait may be longer by one part in so many because changes are gathered.
const GATHERING_SHARE: u32 = 10;

/// No duration is scaled below this: a zero would turn pauses into busy loops.
const SHORTEST: Duration = Duration::from_millis(1);

/// How much faster than usual a server may be asked to answer: a busy machine stands still for a second now and then.
const FASTEST_ANSWER: f64 = 0.3;

/// Times of objects are cut to the second, and some are sums of two: what an operator makes sooner after its start cannot be
/// told from what was there before.
const TOLD_APART: Duration = Duration::from_secs(2);

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            login: Duration::from_secs(60),
            token_reread: Duration::from_secs(60),
            request: Duration::from_secs(30),
            watch: Duration::from_secs(60),
            first_answer: Duration::from_secs(9),
            retry_for: Duration::from_secs(30),
            retry_pause: Duration::from_millis(500),
            retry_pause_limit: Duration::from_secs(5),
            look: Duration::from_secs(10),
            progress: Duration::from_secs(5),
            burst: Duration::from_millis(500),
            show_reading: Duration::from_secs(2),
            stall: Duration::from_secs(5 * 60),
            daemon_timeout: Duration::from_secs(30 * 60),
            part_timeout: Duration::from_secs(5 * 60),
            operator_round: Duration::from_secs(15),
            operator_rounds: Duration::from_secs(60),
            operator_rounds_large: Duration::from_secs(90),
            operator_settle: Duration::from_secs(7),
            settle: Duration::from_secs(5),
            lease_ttl: Duration::from_secs(15),
            lease_renew: Duration::from_secs(5),
            completion: Duration::from_millis(100),
            evidence: Duration::from_secs(30),
            confirm_failure_looks: 2,
        }
    }
}

impl Timing {
    /// Returns the same proportions, faster (below 1) or slower (above 1). Counts stay as they are. What a server needs to
    /// answer does not shrink with the rest below [`FASTEST_ANSWER`].
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        if !factor.is_finite() || factor < 0.0 {
            return self.clone();
        }
        let by = |factor: f64, duration: Duration| {
            Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(duration).max(SHORTEST)
        };
        let scale = |duration| by(factor, duration);
        let answer = |duration| by(factor.max(FASTEST_ANSWER), duration);
        Self {
            connect: answer(self.connect),
            login: scale(self.login),
            token_reread: scale(self.token_reread),
            request: answer(self.request),
            watch: answer(self.watch),
            first_answer: answer(self.first_answer),
            retry_for: answer(self.retry_for),
            retry_pause: scale(self.retry_pause),
            retry_pause_limit: scale(self.retry_pause_limit),
            look: scale(self.look),
            progress: scale(self.progress),
            burst: scale(self.burst),
            show_reading: scale(self.show_reading),
            stall: scale(self.stall),
            daemon_timeout: scale(self.daemon_timeout),
            part_timeout: scale(self.part_timeout),
            operator_round: scale(self.operator_round),
            operator_rounds: scale(self.operator_rounds),
            operator_rounds_large: scale(self.operator_rounds_large),
            operator_settle: scale(self.operator_settle).max(TOLD_APART.min(self.operator_settle)),
            settle: scale(self.settle),
            lease_ttl: answer(self.lease_ttl),
            lease_renew: answer(self.lease_renew),
            completion: scale(self.completion),
            evidence: answer(self.evidence),
            confirm_failure_looks: self.confirm_failure_looks,
        }
    }

    /// Returns how long the operator may take until everything it makes is provisioned.
    #[must_use]
    pub fn operator_rounds_for(&self, nodes: usize) -> Duration {
        if nodes > LARGE_CLUSTER_NODES { self.operator_rounds_large } else { self.operator_rounds }
    }

    /// Returns for how long changes are gathered before they are judged, when judging took `cost` last time: on a cluster of
    /// tens of thousands of pods, where something changes all the time, it must not take all of the time. A wait that has
    /// `lasted` a moment only is not made much longer by it.
    #[must_use]
    pub fn pause_between_judgements(&self, cost: Duration, lasted: Duration) -> Duration {
        let burst = (lasted / GATHERING_SHARE).clamp(SHORTEST, self.burst);
        cost.saturating_mul(JUDGING_SHARE - 1).min(self.look).max(burst)
    }

    /// Returns the pause before retry `attempt`, counted from 0.
    #[must_use]
    pub fn retry_pause_before(&self, attempt: u32) -> Duration {
        self.retry_pause.saturating_mul(2_u32.saturating_pow(attempt)).min(self.retry_pause_limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_survives_two_missed_renewals() {
        let timing = Timing::default();
        assert!(timing.lease_renew * 2 < timing.lease_ttl);
    }

    #[test]
    fn a_wait_outlasts_a_watch_that_went_silent() {
        for timing in [Timing::default(), Timing::default().scaled(0.1)] {
            assert!(timing.watch < timing.part_timeout, "{timing:?}");
        }
    }

    #[test]
    fn scaling_keeps_proportions_and_counts() {
        let quick = Timing::default().scaled(0.1);
        assert_eq!(quick.lease_ttl, Duration::from_millis(4500), "an answer still takes its time");
        assert_eq!(Timing::default().scaled(0.5).lease_ttl, Duration::from_millis(7500));
        assert_eq!(
            quick.operator_settle,
            Duration::from_secs(2),
            "what came before the operator is told from what it makes"
        );
        assert_eq!(quick.daemon_timeout, Duration::from_secs(180));
        assert_eq!(quick.confirm_failure_looks, Timing::default().confirm_failure_looks);
    }

    #[test]
    fn no_factor_makes_a_duration_vanish_or_panic() {
        assert_eq!(Timing::default().scaled(0.0).look, SHORTEST);
        for factor in [-1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Timing::default().scaled(factor), Timing::default());
        }
    }

    #[test]
    fn large_clusters_get_the_longer_limit() {
        let timing = Timing::default();
        assert_eq!(timing.operator_rounds_for(20), Duration::from_secs(60));
        assert_eq!(timing.operator_rounds_for(200), Duration::from_secs(90));
    }

    #[test]
    fn judging_takes_a_tenth_of_the_time_at_most() {
        let timing = Timing::default();
        let lasted = Duration::from_secs(60);
        let pause = |cost| timing.pause_between_judgements(Duration::from_millis(cost), lasted).as_millis();
        assert_eq!([0, 10, 100, 300, 60_000].map(pause), [500, 500, 900, 2700, 10_000]);
    }

    #[test]
    fn a_wait_gets_longer_by_a_tenth_at_most_since_changes_are_gathered() {
        let timing = Timing::default();
        let pause = |lasted| timing.pause_between_judgements(Duration::ZERO, Duration::from_millis(lasted)).as_millis();
        assert_eq!([0, 100, 2_000, 5_000, 60_000].map(pause), [1, 10, 200, 500, 500]);
    }

    #[test]
    fn pauses_double_up_to_a_limit() {
        let timing = Timing::default();
        let pauses: Vec<_> = (0..5).map(|attempt| timing.retry_pause_before(attempt).as_millis()).collect();
        assert_eq!(pauses, [500, 1000, 2000, 4000, 5000]);
        assert_eq!(timing.retry_pause_before(u32::MAX), timing.retry_pause_limit);
    }
}
