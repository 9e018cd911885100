//! What each remedy does about what was found: its acts, in order.

use std::collections::{BTreeMap, BTreeSet};

use super::beyond::obstacle;
use super::{Act, Remedy};
use crate::diagnosis::{Diagnosis, Displaced, Duplicate, Holder, LeakCause, Misplaced, Missing, UnprogrammedNode};
use crate::diagnosis::{forgotten_placeholders, operator_run};
use crate::facts::{BouncerFact, EndpointFact, Facts, Text, Uid};
use crate::object::ObjectId;
use crate::restart::{Placeholder, missing};

/// What was found, and what decides how it is treated.
pub(super) struct Case<'a> {
    facts: &'a Facts,
    found: &'a Diagnosis,
    /// Why the operator is restarted, if it is.
    restart: Option<&'a str>,
    /// Whether the Bouncers have to be told again of the pods that keep an address.
    resend: bool,
    /// The Subnets on which nothing is wired before a Bouncer is made anew: by a restart, or by a remedy that holds the
    /// addresses in use first.
    locked: BTreeSet<Text>,
    /// Placeholders for pods that are gone: nobody has to learn of them.
    idle: BTreeSet<Uid>,
    /// The addresses that pods give free although others have them, when they get another one.
    freed: BTreeSet<(Text, Text)>,
}

impl<'a> Case<'a> {
    pub(super) fn new(facts: &'a Facts, found: &'a Diagnosis, restart: Option<&'a str>, resend: bool) -> Self {
        let given_up = given_up(facts, found);
        let locked = found.deadlocks.iter().map(|deadlock| deadlock.net).chain(given_up.keys().copied());
        let moving = |duplicate: &&Duplicate| duplicate.others.iter().any(|other| may_move(facts, other));
        let freed = found.duplicates.iter().filter(moving);
        Self {
            facts,
            found,
            restart,
            resend,
            locked: locked.collect(),
            freed: freed.map(|duplicate| (duplicate.vni, duplicate.ip)).collect(),
            idle: found.leaks.iter().map(|leak| leak.object.uid.as_str().into()).collect(),
        }
    }

    /// Returns what a remedy does, in order.
    pub(super) fn acts(&self, remedy: Remedy) -> Vec<Act> {
        match remedy {
            Remedy::Leaks => self.deletions(|cause| cause != LeakCause::HeldForNobody),
            Remedy::Placement => self.placements(),
            Remedy::StalledObjects => self.revivals(),
            Remedy::OperatorMemory => {
                self.restart.iter().map(|reason| Act::RestartOperator { reason: (*reason).to_owned() }).collect()
            }
            Remedy::Deadlock => self.unlocks(),
            Remedy::NodeProgramming => self.programmings(),
            Remedy::Placeholders => self.placeholders(),
            Remedy::DuplicateAddresses => self.other_addresses(),
            Remedy::CutOffPods => self.recreations(),
        }
    }

    /// Deletes what belongs to nothing. What shares its address with something in use goes while the operator is down.
    fn deletions(&self, is_asked: impl Fn(LeakCause) -> bool) -> Vec<Act> {
        let leaks = self.found.leaks.iter();
        let harmless = leaks.filter(|leak| is_asked(leak.cause) && leak.shares_address_with.is_none());
        let delete =
            harmless.map(|leak| Act::Delete { object: leak.object.clone(), reason: leak.cause.reason().to_owned() });
        delete.collect()
    }

    /// Whether anything can be placed: without a Droplet of a node, what is set back would only lose the place that it has.
    fn has_place(&self) -> bool {
        let nodes = self.facts.nodes.items().iter();
        let addresses: BTreeSet<&str> = nodes.flat_map(|node| &node.internal_ips).map(String::as_str).collect();
        let mut droplets = self.facts.droplets.items().iter();
        droplets.any(|droplet| droplet.object.deleting.is_none() && addresses.contains(droplet.main_ip.as_str()))
    }

    fn placements(&self) -> Vec<Act> {
        if !self.has_place() {
            return Vec::new();
        }
        // A Bouncer that is set back unlocks its Subnet, which must wait until addresses are kept; a restart sets all back.
        let waits = |displaced: &Displaced| {
            !displaced.net.is_empty() && (self.restart.is_some() || self.locked.contains(&displaced.net))
        };
        let gone = self.found.displaced.iter().filter(|displaced| displaced.misplaced == Misplaced::DropletGone);
        let reason = |displaced: &Displaced| format!("Droplet {:?} is gone", displaced.droplet.as_str());
        gone.filter(|displaced| !waits(displaced))
            .map(|displaced| Act::PlaceAnew { object: displaced.object.clone(), reason: reason(displaced) })
            .collect()
    }

    /// Shows the operator again what it has given up. The first Bouncer of a Subnet unlocks it.
    fn revivals(&self) -> Vec<Act> {
        // A restart makes them anew too.
        if self.restart.is_some() {
            return Vec::new();
        }
        let reason = "it was Init when the operator started, which gave it up";
        let mut acts = Vec::new();
        for (net, bouncers) in given_up(self.facts, self.found) {
            let mut bouncers = bouncers.into_iter();
            acts.extend(bouncers.next().map(|first| self.unlock(net, first.clone(), reason)));
            acts.extend(bouncers.map(|other| Act::ShowAgain { object: other.clone(), reason: reason.to_owned() }));
        }
        acts
    }

    fn unlocks(&self) -> Vec<Act> {
        // A restart ends it too.
        if self.restart.is_some() {
            return Vec::new();
        }
        let reason = "the operator was restarted on a finished network and wires no new pod";
        let revived = given_up(self.facts, self.found);
        let locked = self.found.deadlocks.iter().filter(|deadlock| !revived.contains_key(&deadlock.net));
        locked.map(|deadlock| self.unlock(deadlock.net, deadlock.bouncer.clone(), reason)).collect()
    }

    /// Makes a Bouncer anew once the addresses in use are held.
    fn unlock(&self, net: Text, bouncer: ObjectId, reason: &str) -> Act {
        let since = operator_run(self.facts).map(|run| run.knows_since());
        // None of a locked Subnet can have come to this run of the operator, whatever its status says.
        let is_held = |held: &&EndpointFact| held.net == net && self.is_renewable(held);
        Act::Unlock {
            net,
            bouncer,
            hold: missing(self.facts, since).into_iter().filter(|held| held.net == net).collect(),
            renew: self.facts.endpoints.items().iter().filter(is_held).map(|held| held.object.id("Endpoint")).collect(),
            reason: reason.to_owned(),
        }
    }

    fn is_renewable(&self, held: &EndpointFact) -> bool {
        let object = &held.object;
        object.holds_for.is_some() && object.deleting.is_none() && !self.idle.contains(&object.uid)
    }

    /// Gives free the addresses of pods that are gone; keeps those that are used and that the operator does not know, unless
    /// another remedy does that.
    fn placeholders(&self) -> Vec<Act> {
        let mut acts = self.deletions(|cause| cause == LeakCause::HeldForNobody);
        let Some(run) = operator_run(self.facts).filter(|_| self.restart.is_none()) else { return acts };
        let is_open = |net: Text| !self.locked.contains(&net);
        let hold: Vec<Placeholder> =
            missing(self.facts, Some(run.knows_since())).into_iter().filter(|held| is_open(held.net)).collect();
        let forgotten = forgotten_placeholders(self.facts).into_iter();
        let forgotten =
            forgotten.filter(|held| self.is_renewable(held) && is_open(held.net) && !self.is_about_to_end(held));
        let renew: Vec<ObjectId> = forgotten.map(|held| held.object.id("Endpoint")).collect();
        if !hold.is_empty() || !renew.is_empty() {
            let reason = "the operator does not know that they are used and would give them to new pods".to_owned();
            acts.push(Act::Hold { hold, renew, reason });
        }
        acts
    }

    /// Whether a placeholder was noted, in the present run of the operator, to be made known again when a pod has given its
    /// address free: not before.
    fn is_about_to_end(&self, held: &EndpointFact) -> bool {
        let mark = operator_run(self.facts).map(|run| run.ending_mark());
        let is_noted = held.object.known_to.zip(mark).is_some_and(|(known, mark)| known == mark.as_str());
        is_noted && self.freed.contains(&(held.vni, held.ip))
    }

    /// Connects nodes anew, then places what their daemons have lost: it may be placed there again.
    fn programmings(&self) -> Vec<Act> {
        let mut acts: Vec<Act> = self.found.unprogrammed_nodes.iter().map(reprogram).collect();
        acts.extend(self.found.displaced.iter().filter_map(|displaced| match displaced.misplaced {
            Misplaced::DropletGone => None,
            Misplaced::ProgrammingLost { node, since } => Some(Act::PlaceAnew {
                object: displaced.object.clone(),
                reason: format!("the daemon on {node} started at {since}, after it was programmed there"),
            }),
        }));
        acts
    }

    /// Recreates the younger pods that somebody creates again. Their end takes the address from the operator's memory and
    /// from the Bouncers, whoever else has it: so it is held again, and the Bouncers are told of the older pods again.
    fn other_addresses(&self) -> Vec<Act> {
        let mut acts = Vec::new();
        let mut nets = BTreeSet::new();
        for duplicate in &self.found.duplicates {
            let keeper = format!("{}/{}", duplicate.keeper.pod.namespace, duplicate.keeper.pod.name);
            for other in duplicate.others.iter().filter(|other| may_move(self.facts, other)) {
                nets.insert(duplicate.net);
                let reason = format!("it has the address {} of {keeper}", duplicate.ip);
                acts.push(Act::Recreate { pod: other.pod.clone(), object: other.id.clone(), reason });
            }
        }
        let (before, after) = self.hold_again();
        acts.splice(0..0, before);
        acts.extend(after);
        let again = |bouncer: &&BouncerFact| self.resend || nets.contains(&bouncer.net);
        let bouncers = self.facts.bouncers.items().iter().filter(|bouncer| bouncer.object.deleting.is_none());
        let mut bouncers: Vec<&BouncerFact> = bouncers.filter(again).collect();
        bouncers.sort_by_key(|bouncer| bouncer.object.name);
        acts.extend(bouncers.into_iter().map(|bouncer| Act::PlaceAnew {
            object: bouncer.object.id("Bouncer"),
            reason: "the pods that keep their address are told to it again".to_owned(),
        }));
        acts
    }

    /// Holds addresses that the end of a pod gives free although another has them: noted before, so that a repair that is
    /// killed in between can be finished.
    fn hold_again(&self) -> (Option<Act>, Option<Act>) {
        let is_freed = |vni: Text, ip: Text| self.freed.contains(&(vni, ip));
        // Whichever run of the operator gave the address away: it is about to forget it.
        let missing = missing(self.facts, None).into_iter().filter(|kept| is_freed(kept.vni, kept.ip));
        let missing: Vec<Placeholder> = missing.collect();
        let renewable = self.facts.endpoints.items().iter().filter(|held| self.is_renewable(held));
        let there: Vec<&EndpointFact> = renewable.filter(|held| is_freed(held.vni, held.ip)).collect();
        let ids = |held: &[&EndpointFact]| held.iter().map(|held| held.object.id("Endpoint")).collect::<Vec<_>>();
        let not_noted: Vec<&EndpointFact> = there.iter().copied().filter(|held| !self.is_about_to_end(held)).collect();
        let reason = "the operator gives the address free when a younger pod ends, whoever else has it".to_owned();
        let before = (!missing.is_empty() || !not_noted.is_empty()).then(|| Act::Reserve {
            hold: missing.clone(),
            held: ids(&not_noted),
            reason: reason.clone(),
        });
        let after = (!self.freed.is_empty()).then(|| Act::Hold { hold: missing, renew: ids(&there), reason });
        (before, after)
    }

    fn recreations(&self) -> Vec<Act> {
        let others = self.found.duplicates.iter().flat_map(|duplicate| &duplicate.others);
        let doubled: BTreeSet<&str> =
            others.filter(|other| may_move(self.facts, other)).map(|other| other.id.uid.as_str()).collect();
        let pods = self.found.cut_off_pods.iter();
        let pods =
            pods.filter(|pod| obstacle(self.facts, &pod.pod).is_none() && !doubled.contains(pod.id.uid.as_str()));
        let recreate = |pod: &crate::diagnosis::CutOffPod| Act::Recreate {
            pod: pod.pod.clone(),
            object: pod.id.clone(),
            reason: pod.cut_off.reason().to_owned(),
        };
        pods.map(recreate).collect()
    }
}

/// Whether a pod gets another address when it is recreated, and somebody does create it again.
fn may_move(facts: &Facts, other: &Holder) -> bool {
    other.can_move() && obstacle(facts, &other.pod).is_none()
}

/// Returns the Bouncers that the operator has given up, by Subnet and name.
fn given_up<'a>(facts: &Facts, found: &'a Diagnosis) -> BTreeMap<Text, BTreeSet<&'a ObjectId>> {
    let mut by_net: BTreeMap<Text, BTreeSet<&ObjectId>> = BTreeMap::new();
    for stalled in &found.stalled_objects {
        let mut bouncers = facts.bouncers.items().iter();
        if let Some(bouncer) = bouncers.find(|bouncer| bouncer.object.uid == stalled.object.uid.as_str()) {
            by_net.entry(bouncer.net).or_default().insert(&stalled.object);
        }
    }
    by_net
}

fn reprogram(node: &UnprogrammedNode) -> Act {
    let reason = match &node.missing {
        Missing::Droplet => "it has no Droplet".to_owned(),
        Missing::HostEndpoint { vpcs } => {
            format!("it has no host Endpoint in {}", vpcs.iter().map(Text::as_str).collect::<Vec<_>>().join(", "))
        }
        Missing::Programming { since, .. } => format!("its daemon started at {since} and lost what it had programmed"),
    };
    Act::Reprogram {
        node: node.node.clone(),
        droplets: node.droplets.clone(),
        host_endpoints: node.host_endpoints.clone(),
        addresses: node.addresses.clone(),
        vpcs: node.vpcs.clone(),
        reason,
    }
}
