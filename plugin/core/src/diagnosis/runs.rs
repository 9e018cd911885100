//! What the present run of a daemon can still have programmed: what is older is lost, though its object says nothing.
//!
//! Objects have the server's time, a container that was started anew that of its node's clock, and both are cut to the
//! second. How far a clock is ahead is told by when the kubelet first saw the pods of its node, each of which it can only
//! have seen after the server placed it there.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::index::daemons;
use crate::facts::{Facts, MizarObject, PodFact, Text};

/// Times of objects are cut to the second.
const BLUR: SignedDuration = SignedDuration::from_secs(1);

/// So long a kubelet may take to see a pod; a clock that is not further ahead is taken to be right.
const USUAL_DELAY: SignedDuration = SignedDuration::from_secs(3);

/// What has become of something that was programmed on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The present run of the daemon programmed it.
    Kept,
    /// By the clock of the node it is lost, and that clock is ahead by more.
    Doubtful,
    /// An earlier run did.
    Lost,
}

/// The present run of the daemon of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// When it began, as its pod tells.
    pub(super) began: Timestamp,
    /// How far the clock that told it is ahead of the server's, at the most.
    pub(super) ahead: SignedDuration,
    /// Whether its container was started anew in its pod.
    restarted: bool,
    /// When the run before it in the same pod ended.
    previous_ended: Option<Timestamp>,
}

impl Run {
    /// Returns what has become of an object that was programmed there.
    pub(super) fn fate_of(&self, object: &MizarObject) -> Fate {
        let provisioned = object.provisioned.filter(|_| object.is_provisioned());
        provisioned.map_or(Fate::Kept, |provisioned| self.fate(provisioned))
    }

    /// Returns what has become of what was provisioned at a time.
    pub(super) fn fate(&self, provisioned: Timestamp) -> Fate {
        if !self.restarted {
            // A pod that is new is as old as its object, and in its first second no daemon is ready.
            return if self.began.duration_since(provisioned) > BLUR { Fate::Lost } else { Fate::Kept };
        }
        if self.was_down_at(provisioned) {
            return Fate::Kept;
        }
        // Within one second nobody can tell, and what is programmed twice is only late.
        let is_older = |began: Timestamp| provisioned.duration_since(began) < BLUR;
        if is_older(self.earliest()) {
            Fate::Lost
        } else if is_older(self.began) {
            Fate::Doubtful
        } else {
            Fate::Kept
        }
    }

    /// Returns when it can have begun at the earliest, by the server's clock.
    fn earliest(&self) -> Timestamp {
        self.began.checked_sub(self.ahead).unwrap_or(self.began)
    }

    /// Whether the run before it had ended and this one not begun: then only this one can have done it.
    fn was_down_at(&self, time: Timestamp) -> bool {
        let ended = self.previous_ended.and_then(|ended| {
            // A clock that is behind tells too early a time.
            ended.checked_sub(self.ahead.min(SignedDuration::ZERO)).ok()
        });
        ended.is_some_and(|ended| time.duration_since(ended) > BLUR)
    }
}

/// Returns since when what one of Mizar's pods did counts. A pod whose containers never restarted is as old as its object,
/// by the server's clock, which also tells the age of all that was made since.
pub(super) fn run_began(pod: &PodFact) -> Option<Timestamp> {
    if has_restarted(pod) { pod.started() } else { pod.created }
}

fn has_restarted(pod: &PodFact) -> bool {
    pod.containers.iter().any(|container| !container.init && container.restarts > 0)
}

/// Returns the present run of the ready daemon of every node.
pub(super) fn daemon_runs(facts: &Facts) -> HashMap<Text, Run> {
    let daemons = daemons(facts);
    let is_doubted = |node: &Text| daemons.get(node).is_some_and(|daemon| has_restarted(daemon));
    let mut ahead: HashMap<Text, SignedDuration> = HashMap::new();
    for pod in facts.pods.items().iter().filter(|pod| is_doubted(&pod.node)) {
        if let Some(lead) = lead(pod) {
            ahead.entry(pod.node).and_modify(|least| *least = lead.min(*least)).or_insert(lead);
        }
    }
    let run = |daemon: &PodFact| {
        let ahead = ahead.get(&daemon.node).copied().unwrap_or_default();
        let is_usual = ahead >= -BLUR && ahead <= USUAL_DELAY;
        Some(Run {
            began: run_began(daemon)?,
            ahead: if is_usual { SignedDuration::ZERO } else { ahead },
            restarted: has_restarted(daemon),
            previous_ended: daemon.restarted,
        })
    };
    daemons.values().filter_map(|daemon| Some((daemon.node, run(daemon)?))).collect()
}

/// Returns how far the clock of a pod's node is ahead at the most. A pod that the kubelet has from a file is there before
/// its object, and tells nothing.
fn lead(pod: &PodFact) -> Option<SignedDuration> {
    let is_from_a_file = pod.owner.as_ref().is_some_and(|owner| owner.kind == "Node");
    let placed = pod.placed.or(pod.created).filter(|_| !is_from_a_file)?;
    Some(pod.acknowledged?.duration_since(placed))
}

/// Returns from when on everything that is programmed is told from what the daemons have lost, by a clock that may be off
/// by a second; nothing if no daemon runs.
#[must_use]
pub fn told_apart_from(facts: &Facts) -> Option<Timestamp> {
    let last = daemons(facts).into_values().filter_map(run_began).max()?;
    last.checked_add(BLUR + BLUR).ok()
}

/// A node of which nobody can tell whether its daemon has lost something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DoubtfulNode {
    /// The node.
    pub node: Text,
    /// Its daemon's pod, with the namespace.
    pub daemon: (Text, Text),
    /// When its daemon started, by its own clock.
    pub since: Timestamp,
    /// How many seconds that clock seems to be ahead.
    pub seconds_ahead: i64,
    /// The host Endpoints, Bouncers and Dividers that were provisioned in the meantime, with their kinds.
    pub objects: Vec<(String, Text)>,
}

/// Returns the nodes whose clock is so far ahead that what was provisioned there after a restart of their daemon seems to be
/// older.
#[must_use]
pub fn doubtful_nodes(facts: &Facts) -> Vec<DoubtfulNode> {
    let runs = daemon_runs(facts);
    if runs.values().all(|run| run.ahead.is_zero()) {
        return Vec::new();
    }
    let places = super::index::Places::of(facts);
    let hosts = facts.endpoints.items().iter().filter(|endpoint| endpoint.kind == "host");
    let hosts = hosts.map(|endpoint| ("Endpoint", &endpoint.object, endpoint.droplet));
    let bouncers = facts.bouncers.items().iter().map(|bouncer| ("Bouncer", &bouncer.object, bouncer.droplet));
    let dividers = facts.dividers.items().iter().map(|divider| ("Divider", &divider.object, divider.droplet));
    let mut objects: HashMap<Text, Vec<(String, Text)>> = HashMap::new();
    for (kind, object, droplet) in hosts.chain(bouncers).chain(dividers) {
        let node = places.droplet(droplet).and_then(|droplet| places.node_with(&droplet.main_ip));
        let Some(node) = node.map(|node| Text::from(node.name.as_str())) else { continue };
        if runs.get(&node).is_some_and(|run| run.fate_of(object) == Fate::Doubtful) {
            objects.entry(node).or_default().push((kind.to_owned(), object.name));
        }
    }
    let daemons = daemons(facts);
    let of_node = |(node, objects): (Text, Vec<(String, Text)>)| {
        let (run, daemon) = (runs.get(&node)?, daemons.get(&node)?);
        let daemon = (daemon.namespace, daemon.name);
        Some(DoubtfulNode { node, daemon, since: run.began, seconds_ahead: run.ahead.as_secs(), objects })
    };
    let mut nodes: Vec<DoubtfulNode> = objects.into_iter().filter_map(of_node).collect();
    nodes.sort_by_key(|node| node.node);
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).expect("a time")
    }

    /// Seconds of: the run's begin, how far ahead its clock is, when the run before ended, and when it was provisioned.
    type Row = (i64, i64, Option<i64>, i64, Fate);

    #[test]
    fn what_a_container_that_was_started_anew_has_lost() {
        let rows: [Row; 17] = [
            // The clock is right.
            (100, 0, Some(99), 50, Fate::Lost),
            (100, 0, Some(99), 99, Fate::Lost),
            // Within the second of the start: nobody can tell, unless nobody was there to do it before.
            (100, 0, Some(100), 100, Fate::Lost),
            (100, 0, Some(99), 100, Fate::Lost),
            (100, 0, None, 100, Fate::Lost),
            (100, 0, Some(90), 100, Fate::Kept),
            (100, 0, Some(90), 99, Fate::Kept),
            (100, 0, Some(90), 91, Fate::Lost),
            (100, 0, Some(99), 101, Fate::Kept),
            (100, 0, None, 160, Fate::Kept),
            // It is half a minute ahead: the start was at 70 or soon after.
            (100, 30, Some(99), 50, Fate::Lost),
            (100, 30, Some(99), 70, Fate::Lost),
            (100, 30, Some(99), 71, Fate::Doubtful),
            (100, 30, Some(99), 100, Fate::Doubtful),
            (100, 30, Some(99), 101, Fate::Kept),
            // It is half a minute behind: the start was at 130.
            (100, -30, Some(99), 120, Fate::Lost),
            (100, -30, Some(99), 131, Fate::Kept),
        ];
        for (began, ahead, ended, provisioned, fate) in rows {
            let ahead = SignedDuration::from_secs(ahead);
            let run = Run { began: at(began), ahead, restarted: true, previous_ended: ended.map(at) };
            assert_eq!(run.fate(at(provisioned)), fate, "{began} {ahead:?} {ended:?} {provisioned}");
        }
    }

    #[test]
    fn a_daemon_that_came_up_in_the_second_of_its_droplet_is_no_restart() {
        let ahead = SignedDuration::ZERO;
        let run = Run { began: at(100), ahead, restarted: false, previous_ended: None };
        for (provisioned, fate) in [(98, Fate::Lost), (99, Fate::Kept), (100, Fate::Kept), (130, Fate::Kept)] {
            assert_eq!(run.fate(at(provisioned)), fate, "{provisioned}");
        }
    }
}
