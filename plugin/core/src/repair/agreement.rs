//! What a person has agreed to: the objects of the plan that was shown. While a repair is at work the cluster goes on, so
//! that a later plan may hold more.

use std::collections::BTreeSet;

use super::{Act, Remedy, RepairPlan, Step};

/// Something that an act cuts, and that needs a yes of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cutting<'a> {
    /// The operator is restarted.
    Operator,
    /// A node is connected anew, by its UID.
    Node(&'a str),
    /// A Bouncer in use is placed anew, by its UID.
    Bouncer(&'a str),
    /// A pod is recreated, by its UID.
    Pod(&'a str),
}

/// Returns what an act of a remedy cuts; nothing where nobody notices.
fn cutting(remedy: Remedy, act: &Act) -> Option<Cutting<'_>> {
    match act {
        Act::RestartOperator { .. } => Some(Cutting::Operator),
        Act::Reprogram { node, .. } => Some(Cutting::Node(&node.uid)),
        Act::Recreate { object, .. } => Some(Cutting::Pod(&object.uid)),
        // One that the operator has given up forwards nothing.
        Act::Unlock { bouncer, .. } if remedy != Remedy::StalledObjects => Some(Cutting::Bouncer(&bouncer.uid)),
        // Elsewhere they stand where nothing forwards for them.
        Act::PlaceAnew { object, .. } if remedy == Remedy::DuplicateAddresses => Some(Cutting::Bouncer(&object.uid)),
        Act::Unlock { .. } | Act::PlaceAnew { .. } => None,
        Act::Delete { .. } | Act::ShowAgain { .. } | Act::Reserve { .. } | Act::Hold { .. } => None,
    }
}

/// What a person has agreed to. What cuts nobody may follow from it without asking again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agreement {
    restart: bool,
    nodes: BTreeSet<String>,
    bouncers: BTreeSet<String>,
    pods: BTreeSet<String>,
}

impl Agreement {
    /// Agrees to all of a plan.
    #[must_use]
    pub fn to(plan: &RepairPlan) -> Self {
        let mut agreement = Self::default();
        for (remedy, act) in plan.acts() {
            match cutting(remedy, act) {
                None => {}
                Some(Cutting::Operator) => agreement.restart = true,
                Some(Cutting::Node(uid)) => _ = agreement.nodes.insert(uid.to_owned()),
                Some(Cutting::Bouncer(uid)) => _ = agreement.bouncers.insert(uid.to_owned()),
                Some(Cutting::Pod(uid)) => _ = agreement.pods.insert(uid.to_owned()),
            }
        }
        agreement
    }

    /// Whether an act of a remedy may be done: it was agreed to, or it cuts nobody.
    #[must_use]
    pub fn allows(&self, remedy: Remedy, act: &Act) -> bool {
        match cutting(remedy, act) {
            None => true,
            Some(Cutting::Operator) => self.restart,
            Some(Cutting::Node(uid)) => self.nodes.contains(uid),
            Some(Cutting::Bouncer(uid)) => self.bouncers.contains(uid),
            Some(Cutting::Pod(uid)) => self.pods.contains(uid),
        }
    }

    /// Whether the whole of a plan may be done.
    #[must_use]
    pub fn covers(&self, plan: &RepairPlan) -> bool {
        plan.acts().all(|(remedy, act)| self.allows(remedy, act))
    }

    /// Returns what of a step may be done; nothing if that is nothing.
    #[must_use]
    pub fn part_of(&self, step: &Step) -> Option<Step> {
        let (allowed, news): (Vec<&Act>, Vec<&Act>) = step.acts.iter().partition(|act| self.allows(step.remedy, act));
        let is_recreation = |act: &&Act| matches!(act, Act::Recreate { .. });
        let is_pointless = step.acts.iter().any(|act| is_recreation(&act)) && !allowed.iter().any(is_recreation);
        // When a pod gives up an address that it shared, every Bouncer has to be told who keeps it.
        let is_half = news.iter().any(|act| !is_recreation(act));
        if allowed.is_empty() || step.remedy == Remedy::DuplicateAddresses && (is_pointless || is_half) {
            return None;
        }
        Some(Step::of(step.remedy, allowed.into_iter().cloned().collect()))
    }

    /// The operator has been restarted; to do so again needs another yes.
    #[must_use]
    pub fn after(self, step: &Step) -> Self {
        Self { restart: self.restart && step.remedy != Remedy::OperatorMemory, ..self }
    }
}
