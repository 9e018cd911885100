//! The network as the operator builds it: each part is done by the definition that the installer waits with, and its
//! objects stand where they say.

use std::collections::HashSet;

use super::Options;
use super::verdict::{Evidence, Problem, Status, Verdict, grouped, reasons};
use crate::diagnosis::{Displaced, Misplaced, displaced, settles};
use crate::facts::{DropletFact, Facts};
use crate::network::{Network, Part, PartState, served_nodes};
use crate::object::ObjectId;

fn state(facts: &Facts, part: Part) -> PartState {
    let nodes = served_nodes(facts);
    Network::of(facts, &nodes).part(part)
}

/// Returns what a part's state means for a network that should be finished; nothing when it is.
fn unfinished(facts: &Facts, state: &PartState, options: &Options) -> Option<Verdict> {
    let waits = state.waiting_for.iter().map(|wait| {
        Evidence::new(&wait.object, "spec.status", &wait.reason, "Provisioned")
            .on(wait.node.as_deref().unwrap_or_default())
            .since(wait.since)
    });
    let evidence: Vec<Evidence> = waits.collect();
    if let Some(reason) = &state.failed {
        return Some(Verdict::fail(reason).with(evidence));
    }
    if state.is_done() {
        return None;
    }
    let problems: Vec<Problem> =
        state.waiting_for.iter().map(|wait| Problem::new(&wait.object, &wait.reason, Evidence::default())).collect();
    let message = format!("{} of {} {} done; {}", state.done, state.total, state.part, reasons(&problems));
    Some(match settles(facts, state, &options.moment()) {
        None => Verdict::fail(message).with(evidence),
        Some(until) => Verdict::warn(format!("{message}; it may still come")).with(evidence).settling(until),
    })
}

/// Returns the verdict on a part: Fail while it is not done, Warn while it may still come, else what the closer look finds.
fn judged(facts: &Facts, part: Part, options: &Options, closer: impl Fn(&PartState) -> Verdict) -> Verdict {
    let state = state(facts, part);
    unfinished(facts, &state, options).unwrap_or_else(|| closer(&state))
}

fn fine(state: &PartState) -> Verdict {
    let part = state.part.to_string();
    let noun = if state.done == 1 { part.trim_end_matches('s') } else { part.as_str() };
    Verdict::pass(format!("{} {noun} Provisioned", state.done))
}

pub(super) fn droplets(facts: &Facts, options: &Options) -> Verdict {
    judged(facts, Part::Droplets, options, |state| {
        let addresses: HashSet<&str> =
            facts.nodes.items().iter().flat_map(|node| &node.internal_ips).map(String::as_str).collect();
        let has_none = |droplet: &&DropletFact| !addresses.contains(droplet.main_ip.as_str());
        let strays: Vec<Problem> = facts.droplets.items().iter().filter(has_none).map(stray).collect();
        if strays.is_empty() {
            return fine(state);
        }
        grouped("Droplets", facts.droplets.items().len(), strays, Status::Warn)
    })
}

fn stray(droplet: &DropletFact) -> Problem {
    let name = droplet.object.name;
    let evidence =
        Evidence::new(format!("Droplet {name}"), "spec.main_ip", droplet.main_ip, "the InternalIP of a node");
    Problem::new(name, "belongs to no node", evidence)
}

pub(super) fn vpcs(facts: &Facts, options: &Options) -> Verdict {
    judged(facts, Part::Vpcs, options, fine)
}

pub(super) fn subnets(facts: &Facts, options: &Options) -> Verdict {
    judged(facts, Part::Subnets, options, fine)
}

pub(super) fn dividers(facts: &Facts, options: &Options) -> Verdict {
    judged(facts, Part::Dividers, options, |state| {
        let dividers = facts.dividers.items();
        let misplaced = misplaced(facts, "Divider");
        if !misplaced.is_empty() {
            return grouped("Dividers", dividers.len(), misplaced, Status::Fail);
        }
        let surplus = facts.vpcs.items().iter().filter_map(|vpc| {
            let wanted = vpc.dividers.unwrap_or(1) as usize;
            let seen = dividers.iter().filter(|divider| divider.vpc == vpc.object.name).count();
            let object = format!("Vpc {}", vpc.object.name);
            (seen > wanted).then(|| {
                let evidence = Evidence::new(&object, "spec.dividers", seen.to_string(), wanted.to_string());
                Problem::new(&object, format!("has {seen} Dividers and wants {wanted}"), evidence)
            })
        });
        let surplus: Vec<Problem> = surplus.collect();
        if surplus.is_empty() {
            return fine(state);
        }
        grouped("Vpcs", facts.vpcs.items().len(), surplus, Status::Warn)
    })
}

pub(super) fn bouncers(facts: &Facts, options: &Options) -> Verdict {
    judged(facts, Part::Bouncers, options, |state| {
        let bouncers = facts.bouncers.items();
        let misplaced = misplaced(facts, "Bouncer");
        if misplaced.is_empty() {
            return fine(state);
        }
        grouped("Bouncers", bouncers.len(), misplaced, Status::Fail)
    })
}

/// Returns those of a kind that stand on a Droplet without a node; what they should forward goes nowhere.
fn misplaced(facts: &Facts, kind: &str) -> Vec<Problem> {
    let gone =
        |displaced: &Displaced| displaced.object.object.kind == kind && displaced.misplaced == Misplaced::DropletGone;
    let problem = |displaced: Displaced| {
        let droplet = displaced.droplet;
        let evidence =
            Evidence::new(kind_and_name(&displaced.object), "spec.droplet", droplet, "the Droplet of a node");
        Problem::new(
            displaced.object.object.name,
            format!("is on Droplet {:?}, which does not exist", droplet.as_str()),
            evidence,
        )
    };
    displaced(facts).into_iter().filter(gone).map(problem).collect()
}

pub(super) fn host_endpoints(facts: &Facts, options: &Options) -> Verdict {
    judged(facts, Part::HostEndpoints, options, fine)
}

/// Names an object as evidence does, `Bouncer net0-b-1`.
pub(super) fn kind_and_name(id: &ObjectId) -> String {
    format!("{} {}", id.object.kind, id.object.name)
}
