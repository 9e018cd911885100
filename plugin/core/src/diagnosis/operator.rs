//! What the operator has forgotten, waits for in vain, or has given up.
//!
//! It keeps in its memory what it has built. One that starts on a finished network reads some of it back: Endpoints without
//! their Droplets, Subnets without their status, and no Bouncers. Its Bouncers then wait for Endpoints, and its Endpoints
//! for Bouncers, for ever.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Moment;
use super::index::{Places, host_endpoints};
use super::runs::run_began;
use crate::facts::{BouncerFact, EndpointFact, Facts, MizarObject, PodFact, PodRole, Retry, Text, Uid};
use crate::object::ObjectId;

/// Times of objects are cut to the second.
const BLUR: SignedDuration = SignedDuration::from_secs(1);

/// The present run of the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperatorRun {
    /// What it knows by itself is younger than this. The server's time where that is known, so that a node's clock does
    /// not matter.
    pub began: Timestamp,
    /// When its container started, by the clock of its node.
    pub started: Timestamp,
    /// Whether it is ready.
    pub ready: bool,
    /// Its pod, in which a container may be started more than once.
    pub pod: Uid,
}

/// Returns the present run of the operator, if one runs.
#[must_use]
pub fn operator_run(facts: &Facts) -> Option<OperatorRun> {
    let pods = facts.pods.items().iter().filter(|pod| pod.role == PodRole::Operator && pod.deleting.is_none());
    // Times are cut to the second, and in its first second no operator has provisioned anything.
    let began = |pod: &PodFact| run_began(pod)?.checked_add(BLUR).ok();
    let runs = pods.filter_map(|pod| {
        Some(OperatorRun { began: began(pod)?, started: pod.started()?, ready: pod.ready, pod: pod.uid })
    });
    runs.max_by_key(|run| run.began)
}

impl OperatorRun {
    /// Returns from when on it knows for certain which addresses it gave away: while a node is drained, the pod of the next
    /// run is there before the process of the last one has ended.
    #[must_use]
    pub fn knows_since(&self) -> Timestamp {
        self.began.max(self.started)
    }

    /// Returns what tells this run from all others, in a form that a label may hold.
    #[must_use]
    pub fn mark(&self) -> String {
        format!("{}_{}", self.pod, self.started.as_second())
    }

    /// Returns the mark of what this run knows and is about to forget.
    #[must_use]
    pub fn ending_mark(&self) -> String {
        format!("{}_ends", self.mark())
    }
}

/// Returns the placeholders that the operator's present run has not seen become Provisioned, as far as anybody can tell: it
/// does not know that their addresses are in use. The operator notes no time on them; that one is known, either its age
/// tells or the mark that was put on it when it was made known to this very run.
#[must_use]
pub fn forgotten_placeholders(facts: &Facts) -> Vec<&EndpointFact> {
    let Some(run) = operator_run(facts) else { return Vec::new() };
    let mark = run.mark();
    let is_forgotten = |endpoint: &&EndpointFact| {
        let object = &endpoint.object;
        let is_known = match object.known_to {
            Some(known) => known == mark.as_str(),
            None => object.created.is_some_and(|created| created >= run.knows_since()),
        };
        object.holds_for.is_some() && object.deleting.is_none() && object.is_provisioned() && !is_known
    };
    facts.endpoints.items().iter().filter(is_forgotten).collect()
}

/// A network on which no new pod is wired since the operator was restarted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deadlock {
    /// The Subnet.
    pub net: Text,
    /// The Bouncer that ends it when it is set back to Init.
    pub bouncer: ObjectId,
    /// When the operator started.
    pub since: Option<Timestamp>,
    /// What shows it; nothing while the operator has only just started.
    pub signs: Vec<Sign>,
}

/// One object that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sign {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: Text,
    /// The handler that does not end; nothing for an object that waits to be provisioned.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub handler: Option<Text>,
    /// What it says.
    pub message: String,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<Timestamp>,
}

/// Returns the Subnets whose Bouncers and Endpoints wait for each other.
#[must_use]
pub fn deadlocks(facts: &Facts, moment: &Moment) -> Vec<Deadlock> {
    let run = operator_run(facts);
    let mut bouncers: BTreeMap<Text, Vec<&BouncerFact>> = BTreeMap::new();
    for bouncer in facts.bouncers.items() {
        bouncers.entry(bouncer.net).or_default().push(bouncer);
    }
    let mut endpoints: BTreeMap<Text, Vec<&EndpointFact>> = BTreeMap::new();
    for endpoint in facts.endpoints.items().iter().filter(|endpoint| endpoint.object.deleting.is_none()) {
        endpoints.entry(endpoint.net).or_default().push(endpoint);
    }
    let places = Places::of(facts);
    let of_net = |(net, bouncers): (Text, Vec<&BouncerFact>)| {
        let endpoints = endpoints.get(&net).map_or(&[][..], Vec::as_slice);
        let signs = match &run {
            // One that was provisioned by the present run has the Endpoints come back.
            Some(run) if !all_older(&bouncers, run) => return None,
            Some(run) => {
                let signs = signs(&bouncers, endpoints, |_| true);
                let knows = !endpoints.iter().any(|endpoint| is_resumed(endpoint, run));
                if signs.is_none() && (knows || moment.has_settled(Some(run.started))) {
                    return None;
                }
                signs.unwrap_or_default()
            }
            None => signs(&bouncers, endpoints, |since| moment.is_older(since, moment.unfinished))?,
        };
        let dead = bouncers.iter().find(|bouncer| !places.is_real(bouncer.droplet));
        let first = bouncers.iter().min_by_key(|bouncer| bouncer.object.name)?;
        let bouncer = dead.unwrap_or(first).object.id("Bouncer");
        Some(Deadlock { net, bouncer, since: run.map(|run| run.started), signs })
    };
    bouncers.into_iter().filter_map(of_net).collect()
}

fn all_older(bouncers: &[&BouncerFact], run: &OperatorRun) -> bool {
    bouncers.iter().all(|bouncer| {
        let object = &bouncer.object;
        // One that was made by hand tells no more than when that was.
        object.is_provisioned() && object.finished().is_none_or(|finished| finished < run.began)
    })
}

/// Whether an operator that starts has to find the Droplet of an Endpoint again.
fn is_resumed(endpoint: &EndpointFact, run: &OperatorRun) -> bool {
    matches!(endpoint.kind.as_str(), "simple" | "host")
        && endpoint.object.is_provisioned()
        && endpoint.object.provisioned.is_some_and(|provisioned| provisioned < run.began)
}

/// Returns what shows that Bouncers and Endpoints wait for each other: a Bouncer that is tried again, and an Endpoint that
/// waits for Bouncers. One of them alone has another cause.
fn signs(
    bouncers: &[&BouncerFact],
    endpoints: &[&EndpointFact],
    counts: impl Fn(Option<Timestamp>) -> bool,
) -> Option<Vec<Sign>> {
    let retried = |kind: &'static str, object: &MizarObject| -> Vec<Sign> {
        let of_retry = |retry: &Retry| Sign {
            kind: kind.to_owned(),
            name: object.name,
            handler: Some(retry.handler),
            message: retry.message.clone().unwrap_or_default(),
            since: retry.started.or(object.created),
        };
        object.retries.iter().map(of_retry).collect()
    };
    let mut all: Vec<Sign> = bouncers.iter().flat_map(|bouncer| retried("Bouncer", &bouncer.object)).collect();
    all.retain(|sign| counts(sign.since));
    if all.is_empty() {
        return None;
    }
    let before = all.len();
    for endpoint in endpoints {
        let object = &endpoint.object;
        let waits = retried("Endpoint", object).into_iter().filter(|sign| waits_for_bouncers(&sign.message));
        all.extend(waits.filter(|sign| counts(sign.since)));
        if !object.is_provisioned() && object.retries.is_empty() && counts(object.created) {
            let message = format!("is {}", object.status);
            all.push(Sign {
                kind: "Endpoint".to_owned(),
                name: object.name,
                handler: None,
                message,
                since: object.created,
            });
        }
    }
    (all.len() > before).then_some(all)
}

/// Says what on a Subnet still waits for Bouncers, or is a Bouncer that waits: nothing once a deadlock is over. What waits for
/// something else, such as a daemon that does not answer, is not counted.
#[must_use]
pub fn blocked_by_bouncers(facts: &Facts, net: Text) -> Vec<String> {
    let bouncers = facts.bouncers.items().iter().filter(|bouncer| bouncer.net == net);
    let bouncers = bouncers.filter(|bouncer| !bouncer.object.is_provisioned());
    let mut blocked: Vec<String> =
        bouncers.map(|bouncer| format!("Bouncer {} is {}", bouncer.object.name, bouncer.object.status)).collect();
    let alive = |endpoint: &&EndpointFact| endpoint.net == net && endpoint.object.deleting.is_none();
    for endpoint in facts.endpoints.items().iter().filter(alive) {
        let object = &endpoint.object;
        let message = object.retries.iter().map(|retry| retry.message.as_deref().unwrap_or_default());
        if let Some(message) = message.into_iter().find(|message| waits_for_bouncers(message)) {
            blocked.push(format!("Endpoint {}: {message}", object.name));
        } else if !object.is_provisioned() && object.retries.is_empty() {
            blocked.push(format!("Endpoint {} is {}", object.name, object.status));
        }
    }
    blocked
}

/// Whether a handler is tried again only because the operator has forgotten a Subnet: that lasts until it is restarted the
/// safe way, and keeps nothing but new nodes from working.
#[must_use]
pub fn forgotten_message(retry: &Retry) -> bool {
    retry.message.as_ref().is_some_and(|message| message.contains("Subnet") && message.contains("not yet provisioned"))
}

/// What Mizar's handlers of Endpoints say; nothing said counts too, since only the newest of them write it down.
fn waits_for_bouncers(message: &str) -> bool {
    message.is_empty() || message.contains("Bouncers not yet ready")
}

/// A Subnet that says Provisioned, and that the running operator does not know to be: it read the wrong key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ForgottenSubnet {
    /// The Subnet.
    pub net: Text,
    /// When the operator started.
    pub since: Option<Timestamp>,
    /// The Droplets that say that they wait for it. Without any it is only inferred.
    pub waiting: Vec<Text>,
    /// The Droplets that get no host Endpoint because of it: nothing reaches their node's pods from the node itself.
    pub unconnected: Vec<Text>,
}

/// Returns the Subnets that the operator's present run has read back without their status.
#[must_use]
pub fn forgotten_subnets(facts: &Facts, moment: &Moment) -> Vec<ForgottenSubnet> {
    let Some(run) = operator_run(facts) else { return Vec::new() };
    let connected = host_endpoints(facts);
    let mut first_connected: BTreeMap<Text, Timestamp> = BTreeMap::new();
    for endpoint in facts.endpoints.items().iter().filter(|endpoint| endpoint.kind == "host") {
        if let Some(at) = endpoint.object.provisioned {
            first_connected.entry(endpoint.net).and_modify(|first| *first = at.min(*first)).or_insert(at);
        }
    }
    let places = Places::of(facts);
    let droplets = facts.droplets.items().iter();
    let real: Vec<_> = droplets.filter(|droplet| places.node_with(&droplet.main_ip).is_some()).collect();
    let of_subnet = |subnet: &crate::facts::SubnetFact| {
        let object = &subnet.object;
        // A Subnet that a person or the charts made does not tell when it was finished; its first host Endpoint does.
        let finished = object.provisioned.or_else(|| first_connected.get(&object.name).copied());
        if !object.is_provisioned() || finished.is_none_or(|finished| finished >= run.began) {
            return None;
        }
        let waits = format!("Subnet {} not yet provisioned", object.name);
        let says_so = |object: &MizarObject| {
            object.retries.iter().any(|retry| retry.message.as_ref().is_some_and(|message| message.contains(&waits)))
        };
        let waiting: Vec<Text> =
            real.iter().filter(|droplet| says_so(&droplet.object)).map(|droplet| droplet.object.name).collect();
        if subnet.kind == "Provisioned" && waiting.is_empty() {
            return None;
        }
        let lacks = |droplet: &&&crate::facts::DropletFact| {
            moment.has_settled(droplet.object.created) && !connected.contains_key(&(droplet.object.name, subnet.vpc))
        };
        let unconnected = real.iter().filter(lacks).map(|droplet| droplet.object.name).collect();
        Some(ForgottenSubnet { net: object.name, since: Some(run.started), waiting, unconnected })
    };
    facts.subnets.items().iter().filter_map(of_subnet).collect()
}

/// A Bouncer that waits and is not tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StalledObject {
    /// The object.
    pub object: ObjectId,
    /// When it was created.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<Timestamp>,
}

/// Returns the Bouncers that were Init when the operator started: their handler meets what is not there yet, and fails for
/// good.
#[must_use]
pub fn stalled_objects(facts: &Facts, moment: &Moment) -> Vec<StalledObject> {
    let Some(run) = operator_run(facts).filter(|run| moment.has_settled(Some(run.started))) else { return Vec::new() };
    let is_stalled = |bouncer: &&BouncerFact| {
        let object = &bouncer.object;
        object.status == "Init"
            && object.deleting.is_none()
            && object.retries.is_empty()
            && object.created.is_none_or(|created| created < run.began)
    };
    let bouncers = facts.bouncers.items().iter().filter(is_stalled);
    bouncers
        .map(|bouncer| StalledObject { object: bouncer.object.id("Bouncer"), since: bouncer.object.created })
        .collect()
}

/// A deletion that never ends: the operator's thread that does it spins, and keeps the process from being stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HangingDeletion {
    /// The object.
    pub object: ObjectId,
    /// Since when it is being deleted.
    pub since: Option<Timestamp>,
}

/// Returns the Subnets and Vpcs whose deletion does not end.
#[must_use]
pub fn hanging_deletions(facts: &Facts, moment: &Moment) -> Vec<HangingDeletion> {
    let subnets = facts.subnets.items().iter().map(|subnet| ("Subnet", &subnet.object));
    let vpcs = facts.vpcs.items().iter().map(|vpc| ("Vpc", &vpc.object));
    let hangs = |(_, object): &(&str, &MizarObject)| {
        object.finalizer && object.deleting.is_some() && moment.has_settled(object.deleting)
    };
    let all = subnets.chain(vpcs).filter(hangs);
    all.map(|(kind, object)| HangingDeletion { object: object.id(kind), since: object.deleting }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Options;
    use crate::facts::samples::{a_healthy_cluster, minutes_ago, now};

    #[test]
    fn a_bouncer_made_by_hand_since_the_operator_started_is_no_sign_of_a_deadlock() {
        let mut facts = a_healthy_cluster();
        let operator = facts.pods.edit().iter_mut().find(|pod| pod.role == PodRole::Operator).unwrap();
        (operator.created, operator.containers[0].started) = (minutes_ago(1), minutes_ago(1));
        let moment = Moment { settling: SignedDuration::from_mins(2), ..Options::at(now()).moment() };
        let deadlocks_with = |facts: &mut Facts, created| {
            let bouncer = &mut facts.bouncers.edit()[0].object;
            (bouncer.created, bouncer.provisioned) = (created, None);
            deadlocks(facts, &moment).len()
        };
        assert_eq!(deadlocks_with(&mut facts, minutes_ago(30)), 1, "it was there when the operator started");
        assert_eq!(deadlocks_with(&mut facts, minutes_ago(0)), 0, "it came before the operator's eyes");
    }
}
