//! The plan of a repair: what is done, in which order, what it cuts, and what it cannot heal.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Act, Remedy};
use crate::diagnosis::{
    Diagnosis, Displaced, Duplicate, HangingDeletion, LeakCause, Misplaced, Missing, Moment, UnprogrammedNode,
    WaitingObject, diagnose, forgotten_placeholders, operator_run,
};
use crate::facts::{BouncerFact, EndpointFact, Facts, Text, Uid};
use crate::network::{Part, PodOnNetwork};
use crate::object::ObjectId;
use crate::operation::Owed;
use crate::restart::{Placeholder, missing, missing_parts};
use crate::words::counted;

/// What a person asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// The remedies to take; all when none is named.
    pub only: BTreeSet<Remedy>,
    /// Whether to restart the operator in any case.
    pub restart_operator: bool,
    /// What an earlier repair began and did not finish.
    pub owed: Owed,
}

impl Wish {
    fn includes(&self, remedy: Remedy) -> bool {
        self.only.is_empty() || self.only.contains(&remedy)
    }
}

/// What people lose for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cut {
    /// Who, and what they lose.
    pub what: String,
    /// For how long.
    pub how_long: String,
}

/// One remedy at work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// The remedy.
    pub remedy: Remedy,
    /// What is done, in order.
    pub acts: Vec<Act>,
    /// What it cuts; nothing where nobody notices.
    pub cuts: Vec<Cut>,
}

impl Step {
    /// What must follow as soon as this is begun, noted before it: the cluster does not show it.
    #[must_use]
    pub fn owes(&self) -> Owed {
        Owed {
            resend: self.remedy == Remedy::DuplicateAddresses,
            renew: self.acts.iter().any(|act| matches!(act, Act::Hold { .. } | Act::Unlock { .. })),
        }
    }

    /// What of `earlier`, owed since another repair, and of its own this has done when it has succeeded. An unlocked network
    /// says nothing about the placeholders of the others.
    #[must_use]
    pub fn pays(&self, earlier: Owed) -> Owed {
        let only_its_own = self.remedy == Remedy::Deadlock;
        if only_its_own { self.owes().without(earlier) } else { self.owes() }
    }
}

/// What no remedy heals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Beyond {
    /// What is wrong.
    pub what: String,
    /// What a person can do.
    pub advice: String,
}

/// The plan of a repair.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RepairPlan {
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// What no remedy heals.
    pub beyond: Vec<Beyond>,
    /// What is left alone because it was not asked for.
    pub left: Vec<Remedy>,
    /// What is good to know and no reason to do something now.
    pub notes: Vec<String>,
}

impl RepairPlan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether the operator has to work for it; it need not for who restarts it.
    #[must_use]
    pub fn needs_operator(&self) -> bool {
        !self.steps.is_empty() && !self.steps.iter().any(|step| step.remedy == Remedy::OperatorMemory)
    }

    /// Returns what is still owed when all that can be done is done: what is left to another repair, since it was not asked
    /// for. Nothing else is needed any more, if there is nobody to tell.
    #[must_use]
    pub fn still_owed(&self, owed: Owed) -> Owed {
        let is_left = |remedy| self.left.contains(&remedy) || self.step(remedy).is_some();
        Owed {
            resend: owed.resend && is_left(Remedy::DuplicateAddresses),
            renew: owed.renew && is_left(Remedy::Placeholders),
        }
    }

    /// Returns the step of a remedy.
    #[must_use]
    pub fn step(&self, remedy: Remedy) -> Option<&Step> {
        self.steps.iter().find(|step| step.remedy == remedy)
    }
}

/// Makes the plan for what the facts show.
#[must_use]
pub fn plan(facts: &Facts, moment: &Moment, wish: &Wish) -> RepairPlan {
    let found = diagnose(facts, moment);
    let restart = restart_reason(facts, &found, wish);
    let is_at_work = operator_run(facts).is_some_and(|run| run.ready);
    let mut plan =
        RepairPlan { beyond: beyond(&found), notes: notes(&found, restart.is_some()), ..RepairPlan::default() };
    for remedy in Remedy::ALL {
        let acts = match remedy {
            Remedy::Leaks => deletions(&found, |cause| cause != LeakCause::HeldForNobody),
            Remedy::Placement if has_place(facts) => placements(&found, restart.is_some()),
            Remedy::Placement => Vec::new(),
            Remedy::StalledObjects => stalled(&found),
            Remedy::OperatorMemory => {
                restart.iter().map(|reason| Act::RestartOperator { reason: reason.clone() }).collect()
            }
            // A restart ends it too.
            Remedy::Deadlock if restart.is_some() => Vec::new(),
            Remedy::Deadlock => unlocks(facts, &found),
            Remedy::NodeProgramming => programmings(&found),
            Remedy::DuplicateAddresses => other_addresses(facts, &found.duplicates, wish.owed.resend),
            Remedy::Placeholders => placeholders(facts, &found, restart.is_some(), wish.owed.renew),
            Remedy::CutOffPods => recreations(&found),
        };
        if acts.is_empty() {
            continue;
        }
        if remedy == Remedy::OperatorMemory || wish.includes(remedy) {
            let cuts = cuts(remedy, &acts);
            plan.steps.push(Step { remedy, acts, cuts });
        } else {
            plan.left.push(remedy);
        }
    }
    if plan.steps.is_empty() && plan.left.is_empty() {
        // Whatever is done may be what they wait for.
        plan.beyond.extend(found.waiting_objects.iter().map(waits_in_vain));
    }
    if operator_run(facts).is_none() && restart.is_none() {
        plan.beyond.push(Beyond {
            what: "Mizar's operator does not run".to_owned(),
            advice: "if it was stopped, start it the one safe way: `kubectl mizar repair --restart-operator`; else \
                     `kubectl mizar check` tells why"
                .to_owned(),
        });
    }
    if !is_at_work {
        // Only an operator that runs lets go of what is deleted, and places what is set back.
        plan.steps.sort_by_key(|step| step.remedy != Remedy::OperatorMemory);
    }
    plan
}

/// Says why the operator must be restarted, if it must: for what it forgot, for what else needs it to remember, or for what
/// can only be deleted while it does not look.
fn restart_reason(facts: &Facts, found: &Diagnosis, wish: &Wish) -> Option<String> {
    let mut reasons = Vec::new();
    if wish.restart_operator {
        reasons.push("you asked for it".to_owned());
    }
    let unconnected: BTreeSet<&str> =
        found.forgotten_subnets.iter().flat_map(|subnet| subnet.unconnected.iter().map(Text::as_str)).collect();
    if wish.includes(Remedy::OperatorMemory) && !unconnected.is_empty() {
        let names = unconnected.into_iter().collect::<Vec<_>>().join(", ");
        reasons.push(format!("it forgot a Subnet when it started, and cannot connect {names}"));
    }
    if wish.includes(Remedy::NodeProgramming)
        && !found.unprogrammed_nodes.is_empty()
        && !found.forgotten_subnets.is_empty()
    {
        reasons.push(
            "it forgot a Subnet when it started, and could not connect the nodes that are programmed anew".into(),
        );
    }
    let is_settling = found.settling.iter().any(|settling| matches!(settling.part, Part::Dividers | Part::Bouncers));
    if wish.includes(Remedy::Placement) && !is_settling && operator_run(facts).is_some() {
        let gone = missing_parts(facts).iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        if !gone.is_empty() {
            reasons.push(format!("{gone} must be made in place of what is gone, before the eyes of a new operator"));
        }
    }
    let shared = found.leaks.iter().filter(|leak| {
        leak.shares_address_with.is_some()
            && wish.includes(if leak.cause == LeakCause::HeldForNobody { Remedy::Placeholders } else { Remedy::Leaks })
    });
    let shared: Vec<String> = shared.map(|leak| leak.object.to_string()).collect();
    if !shared.is_empty() {
        let names = shared.join(", ");
        reasons.push(format!("deleting {names} while it runs would cut the pod that has the same address"));
    }
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// Deletes what belongs to nothing. What shares its address with something in use goes while the operator is down.
fn deletions(found: &Diagnosis, is_asked: impl Fn(LeakCause) -> bool) -> Vec<Act> {
    let leaks = found.leaks.iter().filter(|leak| is_asked(leak.cause) && leak.shares_address_with.is_none());
    leaks.map(|leak| Act::Delete { object: leak.object.clone(), reason: leak.cause.reason().to_owned() }).collect()
}

/// Whether anything can be placed: without a Droplet of a node, what is set back would only lose the place that it has.
fn has_place(facts: &Facts) -> bool {
    let addresses: BTreeSet<&str> =
        facts.nodes.items().iter().flat_map(|node| &node.internal_ips).map(String::as_str).collect();
    let mut droplets = facts.droplets.items().iter();
    droplets.any(|droplet| droplet.object.deleting.is_none() && addresses.contains(droplet.main_ip.as_str()))
}

fn placements(found: &Diagnosis, restarts: bool) -> Vec<Act> {
    // A Bouncer that is set back ends a deadlock, which must wait until addresses are kept; a restart sets all back.
    let is_locked = |net: Text| restarts || found.deadlocks.iter().any(|deadlock| deadlock.net == net);
    let gone = found.displaced.iter().filter(|displaced| displaced.misplaced == Misplaced::DropletGone);
    let displaced = gone.filter(|displaced| displaced.net.is_empty() || !is_locked(displaced.net));
    let reason = |displaced: &Displaced| format!("Droplet {:?} is gone", displaced.droplet.as_str());
    displaced.map(|displaced| Act::PlaceAnew { object: displaced.object.clone(), reason: reason(displaced) }).collect()
}

/// Connects nodes anew, then places what their daemons have lost: it may be placed there again.
fn programmings(found: &Diagnosis) -> Vec<Act> {
    let mut acts: Vec<Act> = found.unprogrammed_nodes.iter().map(reprogram).collect();
    acts.extend(found.displaced.iter().filter_map(|displaced| match displaced.misplaced {
        Misplaced::DropletGone => None,
        Misplaced::ProgrammingLost { node, since } => Some(Act::PlaceAnew {
            object: displaced.object.clone(),
            reason: format!("the daemon on {node} started at {since}, after it was programmed there"),
        }),
    }));
    acts
}

fn stalled(found: &Diagnosis) -> Vec<Act> {
    let reason = "it was Init when the operator started, which gave it up";
    let stalled = found.stalled_objects.iter();
    stalled.map(|one| Act::ShowAgain { object: one.object.clone(), reason: reason.to_owned() }).collect()
}

fn unlocks(facts: &Facts, found: &Diagnosis) -> Vec<Act> {
    let mut by_net: BTreeMap<Text, Vec<Placeholder>> = BTreeMap::new();
    for placeholder in missing(facts, operator_run(facts).map(|run| run.knows_since())) {
        by_net.entry(placeholder.net).or_default().push(placeholder);
    }
    // None of a locked network can have come to this run of the operator, whatever its status says.
    let idle: BTreeSet<Uid> = found.leaks.iter().map(|leak| leak.object.uid.as_str().into()).collect();
    let is_held = |held: &EndpointFact| held.object.holds_for.is_some() && held.object.deleting.is_none();
    let held: Vec<&EndpointFact> =
        facts.endpoints.items().iter().filter(|held| is_held(held) && !idle.contains(&held.object.uid)).collect();
    let renewed = |net: Text| held.iter().filter(move |held| held.net == net);
    let unlock = |deadlock: &crate::diagnosis::Deadlock| Act::Unlock {
        renew: renewed(deadlock.net).map(|held| held.object.id("Endpoint")).collect(),
        net: deadlock.net,
        bouncer: deadlock.bouncer.clone(),
        hold: by_net.remove(&deadlock.net).unwrap_or_default(),
        reason: "the operator was restarted on a finished network and wires no new pod".to_owned(),
    };
    found.deadlocks.iter().map(unlock).collect()
}

/// Gives free the addresses of pods that are gone; keeps those that are used and that the operator does not know, unless
/// another remedy does that.
fn placeholders(facts: &Facts, found: &Diagnosis, restarts: bool, renews: bool) -> Vec<Act> {
    let mut acts = deletions(found, |cause| cause == LeakCause::HeldForNobody);
    let Some(run) = operator_run(facts).filter(|_| !restarts) else { return acts };
    let is_locked = |net: Text| found.deadlocks.iter().any(|deadlock| deadlock.net == net);
    let hold: Vec<Placeholder> =
        missing(facts, Some(run.knows_since())).into_iter().filter(|held| !is_locked(held.net)).collect();
    let idle: BTreeSet<Uid> = found.leaks.iter().map(|leak| leak.object.uid.as_str().into()).collect();
    let known = forgotten_placeholders(facts);
    let all = facts.endpoints.items().iter().filter(|held| renews && held.object.holds_for.is_some());
    let renew: BTreeMap<Text, &EndpointFact> =
        known.into_iter().chain(all).map(|held| (held.object.name, held)).collect();
    let renew = renew
        .into_values()
        .filter(|held| held.object.deleting.is_none() && !is_locked(held.net) && !idle.contains(&held.object.uid));
    let renew: Vec<ObjectId> = renew.map(|held| held.object.id("Endpoint")).collect();
    if !hold.is_empty() || !renew.is_empty() {
        let reason = "the operator does not know that they are used and would give them to new pods".to_owned();
        acts.push(Act::Hold { hold, renew, reason });
    }
    acts
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

/// Recreates the younger pods that somebody creates again; then the Bouncers are told of the older ones again, since the end
/// of the younger took their entry away.
fn other_addresses(facts: &Facts, duplicates: &[Duplicate], resend: bool) -> Vec<Act> {
    let mut acts = Vec::new();
    let mut nets = BTreeSet::new();
    for duplicate in duplicates {
        let keeper = format!("{}/{}", duplicate.keeper.pod.namespace, duplicate.keeper.pod.name);
        for other in duplicate.others.iter().filter(|other| other.can_move()) {
            nets.insert(duplicate.net);
            let reason = format!("it has the address {} of {keeper}", duplicate.ip);
            acts.push(Act::Recreate { pod: other.pod.clone(), object: other.id.clone(), reason });
        }
    }
    let again = |bouncer: &&BouncerFact| resend || nets.contains(&bouncer.net);
    let bouncers = facts.bouncers.items().iter().filter(|bouncer| bouncer.object.deleting.is_none()).filter(again);
    let mut bouncers: Vec<&BouncerFact> = bouncers.collect();
    bouncers.sort_by_key(|bouncer| bouncer.object.name);
    acts.extend(bouncers.into_iter().map(|bouncer| Act::PlaceAnew {
        object: bouncer.object.id("Bouncer"),
        reason: "the pods that keep their address are told to it again".to_owned(),
    }));
    acts
}

fn recreations(found: &Diagnosis) -> Vec<Act> {
    let doubled: BTreeSet<&str> = found
        .duplicates
        .iter()
        .flat_map(|duplicate| &duplicate.others)
        .filter(|other| other.can_move())
        .map(|other| other.id.uid.as_str())
        .collect();
    let pods = found.cut_off_pods.iter();
    let pods = pods.filter(|pod| !pod.pod.is_ownerless() && !doubled.contains(pod.id.uid.as_str()));
    let recreate = |pod: &crate::diagnosis::CutOffPod| Act::Recreate {
        pod: pod.pod.clone(),
        object: pod.id.clone(),
        reason: pod.cut_off.reason().to_owned(),
    };
    pods.map(recreate).collect()
}

fn cuts(remedy: Remedy, acts: &[Act]) -> Vec<Cut> {
    let cut = |what: String, how_long: &str| vec![Cut { what, how_long: how_long.to_owned() }];
    let recreated: Vec<String> = acts
        .iter()
        .filter_map(|act| match act {
            Act::Recreate { pod, .. } => Some(format!("{}/{}", pod.namespace, pod.name)),
            _ => None,
        })
        .collect();
    match remedy {
        Remedy::Leaks | Remedy::Placeholders | Remedy::StalledObjects => Vec::new(),
        Remedy::Placement => cut(
            "traffic through these Dividers and Bouncers, which forward nothing now".to_owned(),
            "below a second each, while they are placed",
        ),
        Remedy::OperatorMemory => cut(
            "no new pod and no new service is wired, and nodes are cordoned; running pods keep their network"
                .to_owned(),
            "about a minute",
        ),
        Remedy::Deadlock => cut(
            "traffic through one Bouncer, while it is placed anew".to_owned(),
            "below a second; new pods wait up to 20 s",
        ),
        Remedy::NodeProgramming => {
            cut("the way between these nodes themselves and all pods".to_owned(), "a few seconds a node")
        }
        Remedy::DuplicateAddresses | Remedy::CutOffPods => {
            cut(format!("{}: {}", counted(recreated.len(), "pod"), recreated.join(", ")), "until their successors run")
        }
    }
}

fn beyond(found: &Diagnosis) -> Vec<Beyond> {
    let hanging = found.hanging_deletions.iter().map(deleted_for_ever);
    let ownerless = |pod: &PodOnNetwork, what: &str| Beyond {
        what: format!("Pod {}/{} {what}, and nobody would create it again", pod.namespace, pod.name),
        advice: format!(
            "save it with `kubectl get pod {0} -n {1} -o yaml`, then delete it and create it again",
            pod.name, pod.namespace
        ),
    };
    let doubled = found.duplicates.iter().flat_map(|duplicate| {
        let others = duplicate.others.iter().filter(|other| !other.host_network && other.pod.is_ownerless());
        others.map(|other| ownerless(&other.pod, &format!("has the address {} of another pod", duplicate.ip)))
    });
    let cut_off = found.cut_off_pods.iter().filter(|pod| pod.pod.is_ownerless());
    let cut_off = cut_off.map(|pod| ownerless(&pod.pod, &format!("is {}", pod.cut_off.reason())));
    hanging.chain(doubled).chain(cut_off).collect()
}

/// What stood in it is left behind by no operator's fault, and would keep the next one waiting for it.
fn deleted_for_ever(hanging: &HangingDeletion) -> Beyond {
    let (kind, name) = (hanging.object.object.kind.to_lowercase(), &hanging.object.object.name);
    let (inside, field) = if kind == "vpc" { ("dividers", "vpc") } else { ("bouncers", "net") };
    Beyond {
        what: format!("{} is being deleted for ever: a thread of the operator spins over it", hanging.object),
        advice: format!(
            "if nothing uses it any more, let it go with `kubectl patch {kind}s.mizar.com {name} -n default --type merge -p \
             '{{\"metadata\":{{\"finalizers\":null}}}}'`, delete what stood in it with `kubectl get \
             {inside}.mizar.com,endpoints.mizar.com -n default -o jsonpath='{{range .items[?(@.spec.{field}==\"{name}\")]}}\
             {{.kind}}.mizar.com/{{.metadata.name}}{{\"\\n\"}}{{end}}' | xargs kubectl delete -n default`, then \
             `kubectl mizar repair --restart-operator`"
        ),
    }
}

fn waits_in_vain(waiting: &WaitingObject) -> Beyond {
    let says = if waiting.message.is_empty() { "without saying why" } else { &waiting.message };
    Beyond {
        what: format!("{} does not get done: the operator tries again and again: {says}", waiting.object),
        advice: "`kubectl logs -n mizar-system deployment/mizar-operator` tells what it waits for; as soon as that is \
                 there, it goes on by itself"
            .to_owned(),
    }
}

fn notes(found: &Diagnosis, restarts: bool) -> Vec<String> {
    if restarts || found.forgotten_subnets.is_empty() {
        return Vec::new();
    }
    let names: Vec<&str> = found.forgotten_subnets.iter().map(|subnet| subnet.net.as_str()).collect();
    vec![format!(
        "the operator started after Subnet {} was finished, and cannot connect a node that is added: `kubectl mizar repair \
         --restart-operator` at a quiet time",
        names.join(", ")
    )]
}
