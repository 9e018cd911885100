//! The plan of a repair: what is done, in which order, what it cuts, and what it cannot heal.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::treatment::Case;
use super::{Act, Beyond, Cut, Remedy, beyond, cut};
use crate::diagnosis::{Diagnosis, LeakCause, Moment, Settling, diagnose, operator_run};
use crate::facts::{Facts, Text};
use crate::network::Part;
use crate::operation::Owed;
use crate::restart::missing_parts;

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
    /// A remedy with its acts.
    #[must_use]
    pub(super) fn of(remedy: Remedy, acts: Vec<Act>) -> Self {
        let cuts = cut::cuts(remedy, &acts);
        Self { remedy, acts, cuts }
    }

    /// What must follow as soon as this is begun, noted before it: the cluster does not show it.
    #[must_use]
    pub fn owes(&self) -> Owed {
        Owed { resend: self.remedy == Remedy::DuplicateAddresses }
    }
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
    /// What may still come by itself, and until when; afterwards something is done about it.
    pub settling: Vec<Settling>,
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
        let remedy = Remedy::DuplicateAddresses;
        Owed { resend: owed.resend && (self.left.contains(&remedy) || self.step(remedy).is_some()) }
    }

    /// Returns all that is done, in order.
    pub fn acts(&self) -> impl Iterator<Item = (Remedy, &Act)> {
        self.steps.iter().flat_map(|step| step.acts.iter().map(|act| (step.remedy, act)))
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
    let run = operator_run(facts);
    let case = Case::new(facts, &found, restart.as_deref(), wish.owed.resend);
    let mut plan = RepairPlan {
        beyond: beyond::beyond(facts, &found),
        notes: beyond::notes(&found, restart.is_some()),
        settling: found.settling.clone(),
        ..RepairPlan::default()
    };
    let needed: Vec<(Remedy, Vec<Act>)> = Remedy::ALL.map(|remedy| (remedy, case.acts(remedy))).into();
    let wanted: BTreeSet<Remedy> = needed
        .iter()
        .filter(|(remedy, acts)| !acts.is_empty() && (*remedy == Remedy::OperatorMemory || wish.includes(*remedy)))
        .map(|(remedy, _)| *remedy)
        .collect();
    for (remedy, acts) in needed {
        let is_first_for_others = |act: &Act| wanted.iter().any(|later| comes_before(act, *later));
        let (taken, left): (Vec<Act>, Vec<Act>) =
            acts.into_iter().partition(|act| wanted.contains(&remedy) || is_first_for_others(act));
        if !taken.is_empty() {
            plan.steps.push(Step::of(remedy, taken));
        }
        if !left.is_empty() {
            plan.left.push(remedy);
        }
    }
    if plan.steps.is_empty() && plan.left.is_empty() {
        // Whatever is done may be what they wait for.
        plan.beyond.extend(found.waiting_objects.iter().map(beyond::waits_in_vain));
    }
    plan.notes.extend(beyond::trusted_owners(&plan.steps));
    if run.is_none() && restart.is_none() {
        plan.beyond.push(beyond::no_operator());
    }
    if !run.is_some_and(|run| run.ready) {
        // Only an operator that runs lets go of what is deleted, and places what is set back.
        plan.steps.sort_by_key(|step| step.remedy != Remedy::OperatorMemory);
    }
    plan
}

/// Whether an act has to be done before a remedy can work, also for who asked for that remedy only: on a locked Subnet no
/// new host Endpoint and no new pod is wired, and a pod that is created gets an address that is in use unless that is held.
fn comes_before(act: &Act, remedy: Remedy) -> bool {
    let makes_pods = matches!(remedy, Remedy::DuplicateAddresses | Remedy::CutOffPods);
    match act {
        Act::Unlock { .. } => makes_pods || remedy == Remedy::NodeProgramming,
        Act::Hold { .. } => makes_pods,
        _ => false,
    }
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
