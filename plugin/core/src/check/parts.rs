//! The network as the operator builds it: each part is done by the definition that the installer waits with, and its
//! objects stand where they say.

use super::Options;
use super::nodes::served;
use super::verdict::{Evidence, Problem, Status, Verdict, grouped, reasons};
use crate::facts::{DropletFact, Facts, Text};
use crate::network::{Network, Part, PartState};

fn state(facts: &Facts, part: Part) -> PartState {
    let nodes = served(facts);
    Network::of(facts, &nodes).part(part)
}

/// Returns what a part's state means for a network that should be finished; nothing when it is.
fn unfinished(state: &PartState) -> Option<Verdict> {
    let waits =
        state.waiting_for.iter().map(|wait| Evidence::new(&wait.object, "spec.status", &wait.reason, "Provisioned"));
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
    Some(Verdict::fail(message).with(evidence))
}

/// Returns the verdict on a part: Fail while it is not done, else what the closer look finds.
fn judged(facts: &Facts, part: Part, closer: impl Fn(&PartState) -> Verdict) -> Verdict {
    let state = state(facts, part);
    unfinished(&state).unwrap_or_else(|| closer(&state))
}

fn fine(state: &PartState) -> Verdict {
    let part = state.part.to_string();
    let noun = if state.done == 1 { part.trim_end_matches('s') } else { part.as_str() };
    Verdict::pass(format!("{} {noun} Provisioned", state.done))
}

pub(super) fn droplets(facts: &Facts, _: &Options) -> Verdict {
    judged(facts, Part::Droplets, |state| {
        let strays: Vec<Problem> =
            facts.droplets.items().iter().filter(|droplet| !has_node(facts, droplet)).map(stray).collect();
        if strays.is_empty() {
            return fine(state);
        }
        grouped("Droplets", facts.droplets.items().len(), strays, Status::Warn)
    })
}

/// Whether any node, also one that is lost, has the Droplet's address.
pub(super) fn has_node(facts: &Facts, droplet: &DropletFact) -> bool {
    facts.nodes.items().iter().any(|node| node.has_address(&droplet.main_ip))
}

fn stray(droplet: &DropletFact) -> Problem {
    let name = droplet.object.name;
    let evidence =
        Evidence::new(format!("Droplet {name}"), "spec.main_ip", droplet.main_ip, "the InternalIP of a node");
    Problem::new(name, "belongs to no node", evidence)
}

pub(super) fn vpcs(facts: &Facts, _: &Options) -> Verdict {
    judged(facts, Part::Vpcs, fine)
}

pub(super) fn subnets(facts: &Facts, _: &Options) -> Verdict {
    judged(facts, Part::Subnets, fine)
}

pub(super) fn dividers(facts: &Facts, _: &Options) -> Verdict {
    judged(facts, Part::Dividers, |state| {
        let dividers = facts.dividers.items();
        let placed = dividers.iter().map(|divider| ("Divider", divider.object.name, divider.droplet));
        let misplaced = misplaced(facts, placed);
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

pub(super) fn bouncers(facts: &Facts, _: &Options) -> Verdict {
    judged(facts, Part::Bouncers, |state| {
        let bouncers = facts.bouncers.items();
        let placed = bouncers.iter().map(|bouncer| ("Bouncer", bouncer.object.name, bouncer.droplet));
        let misplaced = misplaced(facts, placed);
        if misplaced.is_empty() {
            return fine(state);
        }
        grouped("Bouncers", bouncers.len(), misplaced, Status::Fail)
    })
}

/// Returns those that name a Droplet which does not exist; what they should forward goes nowhere.
fn misplaced(facts: &Facts, placed: impl Iterator<Item = (&'static str, Text, Text)>) -> Vec<Problem> {
    let exists = |name: Text| facts.droplets.items().iter().any(|droplet| droplet.object.name == name);
    placed
        .filter(|(_, _, droplet)| !exists(*droplet))
        .map(|(kind, name, droplet)| {
            let evidence = Evidence::new(format!("{kind} {name}"), "spec.droplet", droplet, "an existing Droplet");
            Problem::new(name, format!("is on Droplet {:?}, which does not exist", droplet.as_str()), evidence)
        })
        .collect()
}

pub(super) fn host_endpoints(facts: &Facts, _: &Options) -> Verdict {
    judged(facts, Part::HostEndpoints, fine)
}
