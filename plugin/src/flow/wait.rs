//! Waiting: watches judged by pure functions, until all is there, it cannot come, or time is up.
//!
//! A wait says at every moment what it waits for. When nothing moves for a while it looks at Mizar's pods once, so that it
//! can name node, pod, container and reason; a pod that cannot get well by itself, seen twice, ends the wait early.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use futures::future::select_all;
use mizar_core::event::Event;
use mizar_core::facts::Facts;
use mizar_core::health::{self, PodTrouble};
use mizar_core::object::{Object, ObjectRef};
use serde_json::Value;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::follow::Followed;
use super::look;
use super::run::Run;
use super::workloads::DAEMON_PODS;
use crate::cluster::watch::Watched;
use crate::failure::{Failure, Kind};

/// How many names a waiting line holds.
const NAMES_SHOWN: usize = 3;

/// What the watched objects come to at the moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Standing {
    /// How many are done.
    pub done: usize,
    /// How many there must be.
    pub total: usize,
    /// What is missing and why.
    pub waiting_for: Vec<String>,
    /// Why it will not come, if so.
    pub failed: Option<String>,
    /// Whether all is there.
    pub complete: bool,
}

/// What is waited for, and how long.
#[derive(Debug, Clone)]
pub(crate) struct Patience<'a> {
    /// The part's name.
    pub stage: &'a str,
    /// The whole wait.
    pub limit: Duration,
    /// Without any progress, the pods are looked at after this long.
    pub look: Duration,
    /// What is done must stay done for this long: a daemon that crashes again and again is ready in between.
    pub(crate) settle: Duration,
    /// Without any progress, the wait ends after this long.
    pub stall: Duration,
    /// Label selector of the pods to look at, in the release's namespace.
    pub pods: &'a str,
}

/// What is followed while one waits.
pub(crate) trait Sight {
    /// What is judged.
    type Seen: ?Sized;

    /// What is there as of the last change.
    fn seen(&self) -> &Self::Seen;

    /// Ends at a change, and not before `calm`: changes come in bursts, and to judge each of thousands would take longer
    /// than they do.
    async fn changed(&mut self, calm: Instant) -> Result<(), Failure>;

    /// How many collections are followed, and those that have not been listed.
    fn unlisted(&self) -> (usize, Vec<String>);

    /// What keeps it from telling the present at the moment.
    fn trouble(&self) -> Option<String>;
}

/// A few collections, each object as small as it was asked for.
pub(crate) struct Watches<T = Value>(pub Vec<Watched<T>>);

impl<T> Watches<T> {
    async fn next_change(&mut self) {
        let changes = self.0.iter_mut().map(|watch| Box::pin(watch.changed()));
        select_all(changes).await;
    }
}

impl<T> Sight for Watches<T> {
    type Seen = [Watched<T>];

    fn seen(&self) -> &[Watched<T>] {
        &self.0
    }

    async fn changed(&mut self, calm: Instant) -> Result<(), Failure> {
        self.next_change().await;
        let more = async {
            loop {
                self.next_change().await;
            }
        };
        // There is no end of changes, so that time always runs out.
        timeout_at(calm, more).await.ok();
        Ok(())
    }

    fn unlisted(&self) -> (usize, Vec<String>) {
        let missing = self.0.iter().filter(|watch| !watch.is_listed());
        (self.0.len(), missing.map(|watch| format!("the list of {}s", watch.kind())).collect())
    }

    fn trouble(&self) -> Option<String> {
        self.0.iter().find_map(|watch| watch.trouble().map(ToOwned::to_owned))
    }
}

impl Sight for Followed {
    type Seen = Facts;

    fn seen(&self) -> &Facts {
        self.facts()
    }

    async fn changed(&mut self, calm: Instant) -> Result<(), Failure> {
        self.changed_by(calm).await
    }

    fn unlisted(&self) -> (usize, Vec<String>) {
        let missing = self.not_listed().map(|source| format!("the list of {}", source.noun()));
        (self.len(), missing.collect())
    }

    fn trouble(&self) -> Option<String> {
        self.trouble()
    }
}

/// Which standings there were, by their hashes: a wait for thousands of objects has thousands of them, each with many texts.
#[derive(Default)]
struct Seen {
    hashes: HashSet<u64>,
    hasher: RandomState,
}

impl Seen {
    /// Whether there was no such standing before; there is one from now on.
    fn is_new(&mut self, standing: &Standing) -> bool {
        self.hashes.insert(self.hasher.hash_one(standing))
    }
}

/// Waits until `judge` says that all is there.
pub(crate) async fn wait<S: Sight>(
    run: &Run,
    patience: &Patience<'_>,
    sight: &mut S,
    mut judge: impl FnMut(&S::Seen) -> Standing,
) -> Result<(), Failure> {
    wait_until(run, patience, sight, |sight| judge(sight.seen())).await
}

/// Waits until every collection has been listed: a part of a list tells nothing.
pub(crate) async fn listed<S: Sight>(run: &Run, patience: &Patience<'_>, sight: &mut S) -> Result<(), Failure> {
    wait_until(run, patience, sight, |sight| {
        let (total, missing) = sight.unlisted();
        let done = total - missing.len();
        Standing { done, total, complete: missing.is_empty(), waiting_for: missing, failed: None }
    })
    .await
}

async fn wait_until<S: Sight>(
    run: &Run,
    patience: &Patience<'_>,
    sight: &mut S,
    mut judge: impl FnMut(&S) -> Standing,
) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut moved = begun;
    let mut next_look = begun + patience.look;
    let mut next_word = begun + run.timing().look;
    let mut looks_in_vain = 0;
    let mut restarts = BTreeMap::new();
    let mut seen = Seen::default();
    // The first change is the list: it is judged at once.
    let mut calm = begun;
    let mut complete_since = None;
    loop {
        let judging = Instant::now();
        let standing = judge(sight);
        let cost = judging.elapsed();
        let settled = if standing.complete {
            *complete_since.get_or_insert_with(Instant::now) + patience.settle
        } else {
            complete_since = None;
            begun + patience.limit
        };
        if standing.complete && settled <= Instant::now() {
            return Ok(());
        }
        // Going back and forth between things that were seen before is no progress.
        if seen.is_new(&standing) {
            moved = Instant::now();
            next_look = moved + patience.look;
        }
        if moved >= judging || judging >= next_word {
            tell(run, patience, &standing, begun.elapsed());
            next_word = Instant::now() + run.timing().look;
        }
        if let Some(reason) = &standing.failed {
            let troubles = look::look(run, patience, begun.elapsed()).await;
            return Err(stuck(run, patience, &standing, &troubles, Kind::PartlyApplied, begun.elapsed(), reason).await);
        }
        let limit = (begun + patience.limit).min(moved + patience.stall);
        // What is there is given the time to prove itself.
        let limit = if standing.complete { limit.max(settled) } else { limit };
        tokio::select! {
            changed = sight.changed(calm) => {
                changed?;
                calm = Instant::now() + run.timing().pause_between_judgements(cost, begun.elapsed());
            }
            failure = run.stopped() => return Err(failure),
            () = sleep_until(settled), if standing.complete => {}
            () = sleep_until(next_word), if next_word < next_look.min(limit) => {}
            () = sleep_until(next_look.min(limit)) => {
                let troubles = look::look(run, patience, begun.elapsed()).await;
                if !troubles.is_empty() {
                    run.tell(Event::WaitingLooked {
                        stage: patience.stage.to_owned(),
                        troubles: troubles.clone(),
                        last_event: None,
                        elapsed: begun.elapsed(),
                    });
                }
                if let Some(trouble) = sight.trouble() {
                    let message = format!("{}: the watch does not work at the moment: {trouble}", patience.stage);
                    run.tell(Event::Warning { message, object: None });
                }
                let standing = judge(sight);
                if !standing.complete && Instant::now() >= limit {
                    let reason = if moved + patience.stall <= begun + patience.limit { "no progress" } else { "time is up" };
                    return Err(stuck(run, patience, &standing, &troubles, Kind::TimedOut, begun.elapsed(), reason).await);
                }
                let hopeless = troubles.iter().filter(|trouble| is_hopeless(trouble, &mut restarts)).count() > 0;
                looks_in_vain = if hopeless { looks_in_vain + 1 } else { 0 };
                if looks_in_vain >= run.timing().confirm_failure_looks {
                    let reason = "waiting longer cannot help";
                    return Err(stuck(run, patience, &standing, &troubles, Kind::PartlyApplied, begun.elapsed(), reason).await);
                }
                tell(run, patience, &standing, begun.elapsed());
                next_look = Instant::now() + patience.look;
            }
        }
    }
}

/// Whether a pod will not get well by itself. A crash loop has to crash before our eyes: one that was there before may
/// be over, and the kubelet only waits before it tries again.
fn is_hopeless(trouble: &PodTrouble, first_seen: &mut BTreeMap<(String, Option<String>), u64>) -> bool {
    let key = (trouble.pod.clone(), trouble.container.clone());
    let first = *first_seen.entry(key).or_insert(trouble.restarts);
    trouble.ends_early && (trouble.restarts == 0 || trouble.restarts > first)
}

fn tell(run: &Run, patience: &Patience<'_>, standing: &Standing, elapsed: Duration) {
    let mut waiting_for: Vec<String> = standing.waiting_for.iter().take(NAMES_SHOWN).cloned().collect();
    if let Some(more) = standing.waiting_for.len().checked_sub(NAMES_SHOWN).filter(|more| *more > 0) {
        waiting_for.push(format!("{more} more"));
    }
    run.tell(Event::StageProgressed {
        stage: patience.stage.to_owned(),
        done: standing.done,
        total: standing.total,
        waiting_for,
        elapsed,
    });
}

/// What a person is told of a wait that ended badly: what is missing, which pod is the cause, its last event, what to type.
async fn stuck(
    run: &Run,
    patience: &Patience<'_>,
    standing: &Standing,
    troubles: &[PodTrouble],
    kind: Kind,
    elapsed: Duration,
    reason: &str,
) -> Failure {
    let message = format!(
        "{} stopped after {} s with {} of {} done: {reason}",
        patience.stage,
        elapsed.as_secs(),
        standing.done,
        standing.total
    );
    let mut failure = Failure::new(kind, message);
    for name in standing.waiting_for.iter().take(5) {
        failure = failure.detail(name.clone());
    }
    for trouble in troubles.iter().take(5) {
        failure = failure.detail(trouble.to_string());
        let event = tokio::time::timeout(run.timing().progress, look::last_event(run, trouble)).await;
        if let Ok(Some(event)) = event {
            failure = failure.detail(format!("  last event: {event}"));
        }
    }
    if let Some(trouble) = troubles.first() {
        for hint in look::hints(run.namespace(), trouble) {
            failure = failure.hint(hint);
        }
        let name = trouble.pod.rsplit('/').next().unwrap_or(&trouble.pod);
        if let Some(container) = trouble.container.as_ref().filter(|_| trouble.restarts > 0) {
            failure = failure.hint(format!("kubectl -n {} logs {name} -c {container} --previous", run.namespace()));
        }
    } else if patience.pods != DAEMON_PODS {
        failure = failure.hint(format!("kubectl -n {} logs deployment/mizar-operator", run.namespace()));
    }
    failure
}

/// The wait of a single object that its own health describes.
pub(crate) fn standing_of(object: Option<&Object>, reference: &ObjectRef) -> Standing {
    let health = health::assess(object);
    let complete = health.is_current();
    Standing {
        done: usize::from(complete),
        total: 1,
        waiting_for: if complete { Vec::new() } else { vec![format!("{reference}: {health}")] },
        failed: health.is_failed().then(|| health.to_string()),
        complete,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn going_back_to_what_was_there_before_is_nothing_new() {
        let standing = |done, name: &str| Standing {
            done,
            total: 2,
            waiting_for: vec![name.to_owned()],
            failed: None,
            complete: false,
        };
        let mut seen = Seen::default();
        assert!(seen.is_new(&standing(0, "a")) && seen.is_new(&standing(1, "a")) && seen.is_new(&standing(1, "b")));
        assert!(!seen.is_new(&standing(0, "a")) && !seen.is_new(&standing(1, "b")));
    }
}
