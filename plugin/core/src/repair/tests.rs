//! Plans for what can go wrong.

use super::*;
use crate::check::Options;
use crate::diagnosis::Moment;
use crate::facts::samples::*;
use crate::facts::{Facts, Owner, PodFact, PodRole, Text, Uid};
use crate::operation::Owed;

pub(super) fn moment() -> Moment {
    Options::at(now()).moment()
}

pub(super) fn plan_of(facts: &Facts) -> RepairPlan {
    plan(facts, &moment(), &Wish::default())
}

fn remedies(plan: &RepairPlan) -> Vec<Remedy> {
    plan.steps.iter().map(|step| step.remedy).collect()
}

pub(super) fn operator_restarted(facts: &mut Facts) {
    let pod = facts.pods.edit().iter_mut().find(|pod| pod.role == PodRole::Operator).unwrap();
    pod.created = minutes_ago(5);
    pod.containers[0].started = minutes_ago(5);
}

pub(super) fn operator_runs(facts: &mut Facts) {
    let pod = facts.pods.edit().iter_mut().find(|pod| pod.role == PodRole::Operator).unwrap();
    pod.containers[0].started = minutes_ago(31);
}

/// Adds a pod with its Endpoint, which is never older.
fn push_young(facts: &mut Facts, pod: PodFact) {
    let mut endpoint = a_pod_endpoint(&pod.name, &pod.ip);
    (endpoint.object.created, endpoint.object.provisioned) = (pod.created, pod.created);
    facts.endpoints.edit().push(endpoint);
    facts.pods.edit().push(pod);
}

fn deadlocked() -> Facts {
    let mut facts = a_healthy_cluster();
    operator_restarted(&mut facts);
    let retry = || Box::new([a_retry("handler", minutes_ago(4))]);
    facts.bouncers.edit()[0].object.retries = retry();
    facts.endpoints.edit().iter_mut().for_each(|endpoint| endpoint.object.retries = retry());
    facts
}

pub(super) fn daemon_restarted(facts: &mut Facts) {
    let daemon = facts.pods.edit().iter_mut().find(|pod| pod.role == PodRole::Daemon).unwrap();
    (daemon.containers[0].restarts, daemon.containers[0].started) = (1, minutes_ago(5));
}

#[test]
fn a_healthy_network_needs_nothing() {
    assert_eq!(plan_of(&a_healthy_cluster()), RepairPlan::default());
}

#[test]
fn a_deadlock_is_ended_by_one_bouncer_after_the_used_addresses_are_kept() {
    let plan = plan_of(&deadlocked());
    assert_eq!(remedies(&plan), [Remedy::Deadlock]);
    let Act::Unlock { net, bouncer, hold, .. } = &plan.steps[0].acts[0] else { panic!("{plan:?}") };
    assert_eq!((net.as_str(), bouncer.object.name.as_str()), ("net0", "net0-b-1"));
    assert_eq!(hold.iter().map(|held| held.ip.as_str()).collect::<Vec<_>>(), ["10.20.0.2"]);
    assert!(plan.notes[0].contains("--restart-operator"), "the Subnet stays forgotten: {plan:?}");
}

#[test]
fn nothing_is_set_back_where_nothing_can_be_placed() {
    let mut facts = a_healthy_cluster();
    facts.dividers.edit()[0].droplet = "host-9".into();
    assert!(plan_of(&facts).step(Remedy::Placement).is_some());
    for droplet in facts.droplets.edit() {
        droplet.main_ip = "127.254.0.1".into();
    }
    assert!(plan_of(&facts).step(Remedy::Placement).is_none(), "it would lose the place that it has");
}

#[test]
fn an_operator_that_does_not_run_is_named_with_the_safe_way_to_start_it() {
    let mut facts = a_healthy_cluster();
    facts.pods.edit().retain(|pod| pod.role != PodRole::Operator);
    let beyond = plan_of(&facts).beyond;
    assert!(beyond[0].advice.contains("--restart-operator"), "{beyond:?}");
    let asked = plan(&facts, &moment(), &Wish { restart_operator: true, ..Wish::default() });
    assert_eq!(asked.beyond, Vec::new());
}

#[test]
fn an_address_that_is_kept_already_is_not_kept_twice() {
    let mut facts = deadlocked();
    let mut held = a_pod_endpoint("hold", "10.20.0.2");
    (held.kind, held.object.holds_for) = ("scaled".into(), Some(Uid::default()));
    facts.endpoints.edit().push(held);
    let plan = plan_of(&facts);
    let Act::Unlock { hold, .. } = &plan.step(Remedy::Deadlock).unwrap().acts[0] else { panic!("{plan:?}") };
    assert!(hold.is_empty());
}

#[test]
fn a_node_that_a_forgetful_operator_cannot_connect_brings_the_restart_which_also_ends_the_deadlock() {
    let mut facts = deadlocked();
    facts.endpoints.edit().retain(|endpoint| endpoint.droplet != "host-3");
    let plan = plan_of(&facts);
    assert_eq!(remedies(&plan), [Remedy::OperatorMemory]);
    assert!(plan.steps[0].acts[0].reason().contains("cannot connect host-3"), "{plan:?}");
}

#[test]
fn what_an_earlier_repair_owes_is_done_and_what_nobody_needs_is_forgotten() {
    let owed = Owed { resend: true };
    let mut facts = a_healthy_cluster();
    let all = plan(&facts, &moment(), &Wish { owed, ..Wish::default() });
    assert_eq!(remedies(&all), [Remedy::DuplicateAddresses], "{all:?}");
    assert!(all.steps[0].acts.iter().all(|act| matches!(act, Act::PlaceAnew { .. })), "{all:?}");
    assert_eq!((all.steps[0].owes(), all.still_owed(owed)), (owed, owed));
    assert!(all.steps[0].cuts[0].what.contains("Bouncers"), "{all:?}");
    let only = [Remedy::Leaks].into();
    let another = plan(&facts, &moment(), &Wish { only, owed, ..Wish::default() });
    assert_eq!((remedies(&another), another.still_owed(owed)), (Vec::new(), owed));
    facts.bouncers.edit().clear();
    assert!(plan_of(&facts).still_owed(owed).is_nothing(), "there is nobody to tell");
}

#[test]
fn a_forgotten_subnet_alone_is_no_reason_for_a_restart() {
    let mut facts = a_healthy_cluster();
    operator_restarted(&mut facts);
    let plan = plan_of(&facts);
    assert_eq!(remedies(&plan), [Remedy::Placeholders], "only the address in use is kept: {plan:?}");
    assert_eq!(plan.notes.len(), 1);
}

#[test]
fn a_restarted_daemon_brings_its_node_then_what_was_placed_there_and_its_pods() {
    let mut facts = a_healthy_cluster();
    operator_runs(&mut facts);
    daemon_restarted(&mut facts);
    let plan = plan_of(&facts);
    assert_eq!(remedies(&plan), [Remedy::NodeProgramming, Remedy::CutOffPods]);
    let Act::Reprogram { node, droplets, host_endpoints, vpcs, .. } = &plan.steps[0].acts[0] else { panic!() };
    assert_eq!((node.object.name.as_str(), droplets.len(), host_endpoints.len()), ("node-1", 1, 1));
    assert_eq!(vpcs.iter().map(Text::as_str).collect::<Vec<_>>(), ["vpc0"]);
    let after = plan.steps[0].acts[1..].iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(after.len(), 1, "the Divider was on host-1, the Bouncer was not: {after:?}");
    assert!(after[0].contains("vpc0-d-1"), "{after:?}");
    assert!(plan.steps[1].cuts[0].what.contains("default/web"));
}

#[test]
fn a_node_is_not_programmed_by_an_operator_that_cannot_connect_it() {
    let mut facts = a_healthy_cluster();
    operator_restarted(&mut facts);
    facts.bouncers.edit()[0].object.provisioned = minutes_ago(4);
    daemon_restarted(&mut facts);
    assert_eq!(remedies(&plan_of(&facts))[0], Remedy::OperatorMemory);
    let only = Wish { only: [Remedy::CutOffPods].into(), ..Wish::default() };
    let plan = plan(&facts, &moment(), &only);
    assert_eq!(
        remedies(&plan),
        [Remedy::Placeholders, Remedy::CutOffPods],
        "what was not asked for needs no restart; new pods must not get an address that is in use"
    );
    assert_eq!(plan.left, [Remedy::NodeProgramming]);
}

#[test]
fn dividers_and_bouncers_of_a_node_that_is_gone_are_placed_anew_dividers_first() {
    let mut facts = a_healthy_cluster();
    facts.dividers.edit()[0].droplet = "host-9".into();
    facts.bouncers.edit()[0].droplet = "host-9".into();
    let plan = plan_of(&facts);
    let step = plan.step(Remedy::Placement).unwrap();
    let acts: Vec<String> = step.acts.iter().map(ToString::to_string).collect();
    assert!(acts[0].contains("Divider") && acts[1].contains("Bouncer"), "{acts:?}");
}

#[test]
fn a_leak_that_shares_its_address_waits_for_a_restart() {
    let mut facts = a_healthy_cluster();
    facts.endpoints.edit().extend([a_pod_endpoint("gone", "10.20.0.2"), a_pod_endpoint("left", "10.20.0.9")]);
    let plan = plan_of(&facts);
    assert_eq!(remedies(&plan), [Remedy::Leaks, Remedy::OperatorMemory]);
    assert_eq!(plan.steps[0].acts.len(), 1);
    assert!(plan.steps[0].acts[0].to_string().contains("left-default--eth0"));
    assert!(plan.steps[1].acts[0].reason().contains("gone-default--eth0"));
}

#[test]
fn of_two_pods_the_younger_is_recreated_and_the_bouncers_are_told_again() {
    let mut facts = a_healthy_cluster();
    push_young(&mut facts, PodFact { created: minutes_ago(3), ..a_pod("young", "10.20.0.2") });
    let plan = plan_of(&facts);
    let acts = &plan.step(Remedy::DuplicateAddresses).unwrap().acts;
    let [Act::Reserve { hold: noted, .. }, Act::Recreate { pod, .. }, Act::Hold { hold, .. }, again] = &acts[..] else {
        panic!("{acts:?}")
    };
    assert_eq!((pod.name.as_str(), noted), ("young", hold));
    assert_eq!(hold.iter().map(|held| held.ip.as_str()).collect::<Vec<_>>(), ["10.20.0.2"], "its end gives it free");
    assert!(matches!(again, Act::PlaceAnew { object, .. } if object.object.kind == "Bouncer"), "{acts:?}");
}

fn hold_address_of_web(facts: &mut Facts, ip: &str) {
    facts.pods.edit().iter_mut().filter(|pod| pod.name == "web").for_each(|pod| pod.uid = "uid-web".into());
    facts.endpoints.edit().push(a_placeholder(ip, "uid-web"));
}

/// A Bouncer that was Init when the operator started.
pub(super) fn bouncer_given_up(facts: &mut Facts) {
    operator_restarted(facts);
    facts.bouncers.edit()[0].object.status = "Init".into();
}

#[test]
fn a_bouncer_that_was_given_up_comes_back_only_after_the_used_addresses_are_kept() {
    let mut facts = a_healthy_cluster();
    bouncer_given_up(&mut facts);
    hold_address_of_web(&mut facts, "10.20.0.3");
    let plan = plan_of(&facts);
    assert_eq!(remedies(&plan), [Remedy::StalledObjects]);
    let [Act::Unlock { bouncer, hold, renew, .. }] = &plan.steps[0].acts[..] else { panic!("{plan:?}") };
    assert_eq!((bouncer.object.name.as_str(), hold.len(), renew.len()), ("net0-b-1", 1, 1));
    assert_eq!(plan.steps[0].cuts, Vec::new(), "nothing goes through it");
}

#[test]
fn of_several_bouncers_that_were_given_up_the_first_unlocks_and_the_others_are_shown() {
    let mut facts = a_healthy_cluster();
    bouncer_given_up(&mut facts);
    facts.bouncers.edit().push(a_bouncer("net0-b-2"));
    facts.bouncers.edit()[1].object.status = "Init".into();
    let acts = plan_of(&facts).steps[0].acts.clone();
    assert!(matches!(&acts[0], Act::Unlock { bouncer, .. } if bouncer.object.name == "net0-b-1"), "{acts:?}");
    assert!(matches!(&acts[1], Act::ShowAgain { object, .. } if object.object.name == "net0-b-2"), "{acts:?}");
}

#[test]
fn a_restart_brings_back_what_was_given_up() {
    let mut facts = a_healthy_cluster();
    bouncer_given_up(&mut facts);
    let plan = plan(&facts, &moment(), &Wish { restart_operator: true, ..Wish::default() });
    assert_eq!(remedies(&plan), [Remedy::OperatorMemory]);
}

#[test]
fn what_needs_a_network_that_goes_on_has_it_unlocked_first_also_when_asked_for_alone() {
    for lock in [|facts: &mut Facts| *facts = deadlocked(), bouncer_given_up] {
        for (only, sick) in [
            (Remedy::NodeProgramming, daemon_restarted as fn(&mut Facts)),
            (Remedy::CutOffPods, daemon_restarted),
            (Remedy::DuplicateAddresses, |facts| {
                push_young(facts, PodFact { created: minutes_ago(3), ..a_pod("young", "10.20.0.2") });
            }),
        ] {
            let mut facts = a_healthy_cluster();
            lock(&mut facts);
            // The operator knows its Subnets, so that nothing but the lock is in the way.
            facts.subnets.edit()[0].kind = "Provisioned".into();
            sick(&mut facts);
            let plan = plan(&facts, &moment(), &Wish { only: [only].into(), ..Wish::default() });
            assert_eq!(plan.steps.len(), 2, "{only}: {plan:?}");
            assert!(matches!(plan.steps[0].acts[..], [Act::Unlock { .. }]), "{only}: {plan:?}");
            assert_eq!(plan.steps[1].remedy, only);
        }
    }
}

#[test]
fn addresses_are_kept_before_any_pod_is_created() {
    let before = |one: Remedy, other: Remedy| {
        let place = |it| Remedy::ALL.iter().position(|remedy| *remedy == it);
        assert!(place(one) < place(other), "{one} {other}");
    };
    for later in [Remedy::DuplicateAddresses, Remedy::CutOffPods] {
        for sooner in [Remedy::StalledObjects, Remedy::OperatorMemory, Remedy::Deadlock, Remedy::Placeholders] {
            before(sooner, later);
        }
    }
}

/// Which placeholders have to be made known to the operator again.
fn renewed(facts: &Facts) -> usize {
    let plan = plan_of(facts);
    let acts = plan.step(Remedy::Placeholders).map(|step| step.acts.clone()).unwrap_or_default();
    acts.iter().map(|act| if let Act::Hold { renew, .. } = act { renew.len() } else { 0 }).sum()
}

#[test]
fn a_placeholder_of_an_earlier_run_is_made_known_again_when_a_bouncer_was_set_back_by_hand() {
    let mut facts = a_healthy_cluster();
    hold_address_of_web(&mut facts, "10.20.0.2");
    operator_restarted(&mut facts);
    facts.bouncers.edit()[0].object.provisioned = minutes_ago(4);
    assert_eq!(renewed(&facts), 1, "the operator notes no time on it, and it is older than the operator");
    let run = crate::diagnosis::operator_run(&facts).unwrap();
    let last = facts.endpoints.items().len() - 1;
    let mut known_to = |mark: Option<&str>, created| {
        let object = &mut facts.endpoints.edit()[last].object;
        (object.known_to, object.created) = (mark.map(Text::from), created);
        renewed(&facts)
    };
    assert_eq!(known_to(Some(&run.mark()), minutes_ago(30)), 0, "it was made known to this very run");
    assert_eq!(known_to(Some("another_5"), minutes_ago(30)), 1);
    assert_eq!(known_to(None, minutes_ago(4)), 0, "this run has made it known itself");
    assert_eq!(known_to(Some(""), minutes_ago(4)), 1, "its address was given free since");
}

#[test]
fn a_pod_is_recreated_only_if_another_one_follows_and_nothing_else_comes_of_it() {
    for (kind, node, recreated, says) in [
        ("ReplicaSet", "node-1", true, ""),
        ("StatefulSet", "node-9", true, ""),
        ("DaemonSet", "node-1", true, ""),
        ("DaemonSet", "node-9", false, "has no node any more"),
        ("Job", "node-1", false, "count its deletion as a failure"),
        ("Node", "node-1", false, "manifests of the kubelet"),
        ("CloneSet", "node-1", true, "controller that we do not know, of CloneSet set"),
    ] {
        let mut facts = a_healthy_cluster();
        let owner = Some(Owner { kind: kind.into(), name: "set".into() });
        push_young(&mut facts, PodFact { owner, created: minutes_ago(3), ..a_pod("young", "10.20.0.2") });
        let young = facts.pods.edit().iter_mut().find(|pod| pod.name == "young").unwrap();
        young.node = node.into();
        // The other one must move as little, or it would be the one that moves.
        facts.pods.edit().iter_mut().filter(|pod| pod.name == "web").for_each(|pod| pod.owner = None);
        let plan = plan_of(&facts);
        assert_eq!(plan.step(Remedy::DuplicateAddresses).is_some(), recreated, "{kind}: {plan:?}");
        let told: Vec<String> = plan.beyond.iter().map(|it| format!("{} {}", it.what, it.advice)).collect();
        assert!(told.iter().chain(&plan.notes).any(|line| line.contains(says)) || says.is_empty(), "{kind}: {plan:?}");
        assert_eq!(told.is_empty(), recreated, "{kind}: {plan:?}");
    }
}

#[test]
fn a_pod_of_a_job_keeps_its_address_and_the_other_moves() {
    let mut facts = a_healthy_cluster();
    let owner = Some(Owner { kind: "Job".into(), name: "backup".into() });
    push_young(&mut facts, PodFact { owner, created: minutes_ago(3), ..a_pod("backup-1", "10.20.0.2") });
    let acts = plan_of(&facts).step(Remedy::DuplicateAddresses).unwrap().acts.clone();
    assert!(matches!(&acts[1], Act::Recreate { pod, .. } if pod.name == "web"), "{acts:?}");
}

#[test]
fn an_ownerless_pod_keeps_its_address_and_two_of_them_are_a_persons_matter() {
    let mut facts = a_healthy_cluster();
    push_young(&mut facts, PodFact { owner: None, created: minutes_ago(3), ..a_pod("lonely", "10.20.0.2") });
    let acts = plan_of(&facts).step(Remedy::DuplicateAddresses).unwrap().acts.clone();
    assert!(matches!(&acts[1], Act::Recreate { pod, .. } if pod.name == "web"), "{acts:?}");
    facts.pods.edit().iter_mut().filter(|pod| pod.name == "web").for_each(|pod| pod.owner = None);
    let plan = plan_of(&facts);
    assert!(plan.step(Remedy::DuplicateAddresses).is_none());
    assert!(plan.beyond[0].what.contains("default/lonely has the address 10.20.0.2"), "{plan:?}");
}

#[test]
fn a_deletion_that_hangs_is_named_with_what_a_person_can_do() {
    let mut facts = a_healthy_cluster();
    let object = &mut facts.subnets.edit()[0].object;
    (object.deleting, object.finalizer) = (minutes_ago(5), true);
    let plan = plan_of(&facts);
    assert!(plan.beyond[0].advice.contains("kubectl patch subnets.mizar.com net0 -n default"), "{plan:?}");
}

#[test]
fn every_remedy_has_a_name_of_its_own_and_names_checks_that_exist() {
    for remedy in Remedy::ALL {
        assert_eq!(remedy.id().parse(), Ok(remedy));
        for check in remedy.heals() {
            assert!(crate::check::CHECKS.iter().any(|row| row.id == *check), "{check}");
        }
    }
    assert!("no-such".parse::<Remedy>().unwrap_err().contains("deadlock"));
}
