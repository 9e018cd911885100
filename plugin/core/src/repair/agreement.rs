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
        Act::Unlock { .. }
        | Act::PlaceAnew { .. }
        | Act::Delete { .. }
        | Act::ShowAgain { .. }
        | Act::Reserve { .. }
        | Act::Hold { .. } => None,
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

    /// Agrees to whatever is done to these nodes and these pods, by their UIDs.
    #[must_use]
    pub fn to_node(nodes: impl IntoIterator<Item = String>, pods: impl IntoIterator<Item = String>) -> Self {
        Self { nodes: nodes.into_iter().collect(), pods: pods.into_iter().collect(), ..Self::default() }
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

    /// Notes that a step is done: to restart the operator another time needs another yes.
    pub fn used_for(&mut self, step: &Step) {
        self.restart &= step.remedy != Remedy::OperatorMemory;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::samples::{a_pod, a_subnet};
    use crate::network::PodOnNetwork;
    use crate::object::{ObjectId, ObjectRef};
    use crate::repair::tests::plan_of;

    fn object(kind: &str, uid: &str) -> ObjectId {
        let object = ObjectRef {
            api_version: "v1".to_owned(),
            kind: kind.to_owned(),
            namespace: None,
            name: format!("name-of-{uid}"),
        };
        ObjectId { object, uid: uid.to_owned() }
    }

    fn reason() -> String {
        "a reason".to_owned()
    }

    fn recreate(uid: &str) -> Act {
        let pod = PodOnNetwork::of(&a_pod(uid, "10.20.0.2"));
        Act::Recreate { pod, object: object("Pod", uid), reason: reason() }
    }

    fn reprogram(uid: &str) -> Act {
        Act::Reprogram {
            node: object("Node", uid),
            droplets: Vec::new(),
            host_endpoints: Vec::new(),
            addresses: Vec::new(),
            vpcs: Vec::new(),
            reason: reason(),
        }
    }

    fn unlock(uid: &str) -> Act {
        let net = a_subnet().object.name;
        Act::Unlock { net, bouncer: object("Bouncer", uid), hold: Vec::new(), renew: Vec::new(), reason: reason() }
    }

    fn place(uid: &str) -> Act {
        Act::PlaceAnew { object: object("Bouncer", uid), reason: reason() }
    }

    fn hold() -> Act {
        Act::Hold { hold: Vec::new(), renew: Vec::new(), reason: reason() }
    }

    fn restart() -> Act {
        Act::RestartOperator { reason: reason() }
    }

    fn delete() -> Act {
        Act::Delete { object: object("Endpoint", "left"), reason: reason() }
    }

    fn shown(steps: Vec<(Remedy, Vec<Act>)>) -> RepairPlan {
        let steps = steps.into_iter().map(|(remedy, acts)| Step::of(remedy, acts)).collect();
        RepairPlan { steps, ..RepairPlan::default() }
    }

    #[test]
    fn what_cuts_something_needs_a_yes_to_that_very_object() {
        use Remedy::{CutOffPods, Deadlock, DuplicateAddresses, NodeProgramming, OperatorMemory};
        for (remedy, same, other) in [
            (CutOffPods, recreate("a"), Some(recreate("b"))),
            (DuplicateAddresses, recreate("a"), Some(recreate("b"))),
            (DuplicateAddresses, place("a"), Some(place("b"))),
            (NodeProgramming, reprogram("a"), Some(reprogram("b"))),
            (Deadlock, unlock("a"), Some(unlock("b"))),
            (OperatorMemory, restart(), None),
        ] {
            let agreement = Agreement::to(&shown(vec![(remedy, vec![same.clone()])]));
            assert!(agreement.allows(remedy, &same), "{same}");
            assert!(!other.is_some_and(|other| agreement.allows(remedy, &other)), "{remedy}: another {same}");
            assert!(!Agreement::default().allows(remedy, &same), "{same}: nobody agreed to it");
        }
    }

    #[test]
    fn what_cuts_nobody_may_follow_unasked() {
        use Remedy::{DuplicateAddresses, Leaks, NodeProgramming, Placeholders, Placement, StalledObjects};
        let nothing = Agreement::default();
        for (remedy, act) in [
            (Leaks, delete()),
            (Placeholders, delete()),
            (Placeholders, hold()),
            (DuplicateAddresses, hold()),
            // They forward nothing where they stand.
            (Placement, place("a")),
            (NodeProgramming, place("a")),
            (StalledObjects, unlock("a")),
            (StalledObjects, Act::ShowAgain { object: object("Bouncer", "a"), reason: reason() }),
        ] {
            assert!(nothing.allows(remedy, &act), "{remedy}: {act}");
        }
    }

    #[test]
    fn a_later_plan_is_done_as_far_as_it_was_agreed_to() {
        use Remedy::{CutOffPods, DuplicateAddresses, Leaks, NodeProgramming};
        let agreed = [recreate("a"), reprogram("n"), place("b")];
        let agreement = Agreement::to(&shown(vec![
            (CutOffPods, vec![agreed[0].clone()]),
            (NodeProgramming, vec![agreed[1].clone()]),
            (DuplicateAddresses, vec![agreed[2].clone()]),
        ]));
        for (remedy, acts, done) in [
            (CutOffPods, vec![recreate("a"), recreate("new")], vec![recreate("a")]),
            (CutOffPods, vec![recreate("new")], vec![]),
            (NodeProgramming, vec![reprogram("new"), reprogram("n"), place("b")], vec![reprogram("n"), place("b")]),
            (Leaks, vec![delete()], vec![delete()]),
            // A pod that was agreed to, at another's address by now.
            (DuplicateAddresses, vec![recreate("a"), hold(), place("b")], vec![recreate("a"), hold(), place("b")]),
            (DuplicateAddresses, vec![recreate("a"), recreate("new"), place("b")], vec![recreate("a"), place("b")]),
            (DuplicateAddresses, vec![recreate("new"), hold(), place("b")], vec![]),
            (DuplicateAddresses, vec![recreate("a"), hold(), place("new")], vec![]),
            (DuplicateAddresses, vec![place("b")], vec![place("b")]),
        ] {
            let step = Step::of(remedy, acts);
            let part = agreement.part_of(&step).map(|part| part.acts).unwrap_or_default();
            assert_eq!(part, done, "{step:?}");
            assert_eq!(agreement.covers(&shown(vec![(remedy, step.acts.clone())])), part == step.acts, "{step:?}");
        }
    }

    #[test]
    fn the_operator_is_restarted_once_for_one_yes() {
        let plan = shown(vec![(Remedy::OperatorMemory, vec![restart()]), (Remedy::Leaks, vec![delete()])]);
        let mut agreement = Agreement::to(&plan);
        agreement.used_for(&plan.steps[1]);
        assert!(agreement.covers(&plan));
        agreement.used_for(&plan.steps[0]);
        assert!(!agreement.covers(&plan));
    }

    #[test]
    fn the_plan_that_was_shown_is_agreed_to_as_a_whole() {
        let mut facts = crate::facts::samples::a_healthy_cluster();
        crate::repair::tests::operator_restarted(&mut facts);
        crate::repair::tests::daemon_restarted(&mut facts);
        let plan = plan_of(&facts);
        assert!(!plan.is_empty() && Agreement::to(&plan).covers(&plan));
        assert!(!Agreement::default().covers(&plan));
    }
}
