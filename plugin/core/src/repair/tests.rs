//! Plans for what can go wrong, and what holds for all of them.

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::check::Options;
use crate::diagnosis::Moment;
use crate::facts::samples::*;
use crate::facts::{EndpointFact, Facts, PodFact, PodRole, Text, Uid};
use crate::operation::Owed;

fn moment() -> Moment {
    Options::at(now()).moment()
}

fn plan_of(facts: &Facts) -> RepairPlan {
    plan(facts, &moment(), &Wish::default())
}

fn remedies(plan: &RepairPlan) -> Vec<Remedy> {
    plan.steps.iter().map(|step| step.remedy).collect()
}

fn operator_restarted(facts: &mut Facts) {
    let pod = facts.pods.edit().iter_mut().find(|pod| pod.role == PodRole::Operator).unwrap();
    pod.created = minutes_ago(5);
    pod.containers[0].started = minutes_ago(5);
}

fn operator_runs(facts: &mut Facts) {
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

fn daemon_restarted(facts: &mut Facts) {
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
    let owed = Owed { resend: true, renew: true };
    let resend = Owed { resend: true, renew: false };
    let facts = a_healthy_cluster();
    let all = plan(&facts, &moment(), &Wish { owed, ..Wish::default() });
    assert_eq!(remedies(&all), [Remedy::DuplicateAddresses], "{all:?}");
    assert!(all.steps[0].acts.iter().all(|act| matches!(act, Act::PlaceAnew { .. })), "{all:?}");
    assert_eq!(all.steps[0].pays(owed), resend);
    assert_eq!(all.still_owed(owed), resend, "there is no placeholder");
    let only = [Remedy::Leaks].into();
    let another = plan(&facts, &moment(), &Wish { only, owed, ..Wish::default() });
    assert_eq!((remedies(&another), another.still_owed(owed)), (Vec::new(), resend));
    assert!(plan_of(&facts).still_owed(owed).is_nothing());
}

#[test]
fn unlocking_one_network_pays_for_its_own_placeholders_only() {
    let plan = plan_of(&deadlocked());
    let unlock = plan.step(Remedy::Deadlock).unwrap();
    let renew = Owed { resend: false, renew: true };
    assert_eq!((unlock.owes(), unlock.pays(Owed::default()), unlock.pays(renew)), (renew, renew, Owed::default()));
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
    assert_eq!(remedies(&plan), [Remedy::CutOffPods], "what was not asked for needs no restart");
    assert_eq!(plan.left, [Remedy::NodeProgramming, Remedy::Placeholders]);
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
    assert!(matches!(&acts[0], Act::Recreate { pod, .. } if pod.name == "young"), "{acts:?}");
    assert!(matches!(&acts[1], Act::PlaceAnew { object, .. } if object.object.kind == "Bouncer"), "{acts:?}");
}

#[test]
fn an_ownerless_pod_keeps_its_address_and_two_of_them_are_a_persons_matter() {
    let mut facts = a_healthy_cluster();
    push_young(&mut facts, PodFact { owner: None, created: minutes_ago(3), ..a_pod("lonely", "10.20.0.2") });
    let acts = plan_of(&facts).step(Remedy::DuplicateAddresses).unwrap().acts.clone();
    assert!(matches!(&acts[0], Act::Recreate { pod, .. } if pod.name == "web"), "{acts:?}");
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

/// What a cluster does when an act is carried out, as far as it was seen.
fn apply(facts: &mut Facts, act: &Act, stamp: i64) {
    let at = now().checked_sub(SignedDuration::from_secs(60)).ok();
    let is_gone = |uid: &Uid, doomed: &crate::object::ObjectId| *uid == doomed.uid;
    match act {
        Act::Delete { object, .. } => {
            facts.endpoints.edit().retain(|endpoint| !is_gone(&endpoint.object.uid, object));
            facts.droplets.edit().retain(|droplet| !is_gone(&droplet.object.uid, object));
        }
        Act::PlaceAnew { object, .. } | Act::ShowAgain { object, .. } => place(facts, &object.object.name, at),
        Act::RestartOperator { .. } => {
            let moment = moment();
            let leaks = crate::diagnosis::leaks(facts, &moment);
            facts
                .endpoints
                .edit()
                .retain(|endpoint| !leaks.iter().any(|leak| is_gone(&endpoint.object.uid, &leak.object)));
            facts.subnets.edit().iter_mut().for_each(|subnet| subnet.kind = "Provisioned".into());
            let held = crate::restart::missing(facts, None);
            keep(facts, &held, &[], at, stamp);
            unlock(facts, at);
            connect(facts, at);
        }
        Act::Hold { hold, renew, .. } => keep(facts, hold, renew, at, stamp),
        Act::Unlock { hold, renew, .. } => {
            keep(facts, hold, renew, at, stamp);
            unlock(facts, at);
        }
        Act::Reprogram { droplets, host_endpoints, .. } => {
            facts
                .endpoints
                .edit()
                .retain(|endpoint| !host_endpoints.iter().any(|host| is_gone(&endpoint.object.uid, host)));
            facts.droplets.edit().retain(|one| !droplets.iter().any(|droplet| is_gone(&one.object.uid, droplet)));
            connect(facts, at);
        }
        Act::Recreate { pod, .. } => {
            facts.pods.edit().retain(|one| one.name != pod.name.as_str());
            facts.endpoints.edit().retain(|endpoint| endpoint.pod != pod.name.as_str());
            let (name, ip) = (format!("{}x", pod.name), format!("10.20.{}.{}", 1 + stamp / 200, 1 + stamp % 200));
            facts.pods.edit().push(PodFact {
                created: at,
                uid: format!("uid-{name}").as_str().into(),
                ..a_pod(&name, &ip)
            });
            let mut endpoint = a_pod_endpoint(&name, &ip);
            (endpoint.object.created, endpoint.object.provisioned) = (at, at);
            facts.endpoints.edit().push(endpoint);
        }
    }
}

fn keep(
    facts: &mut Facts,
    hold: &[crate::restart::Placeholder],
    renew: &[crate::object::ObjectId],
    at: Option<jiff::Timestamp>,
    stamp: i64,
) {
    for held in hold {
        let mut endpoint = a_pod_endpoint("hold", &held.ip);
        endpoint.object.name = held.name().as_str().into();
        endpoint.object.uid = format!("uid-{stamp}-{}", held.ip).as_str().into();
        (endpoint.kind, endpoint.pod) = ("scaled".into(), Text::default());
        (endpoint.object.holds_for, endpoint.object.provisioned) = (Some(held.pod), at);
        facts.endpoints.edit().push(endpoint);
    }
    for endpoint in facts.endpoints.edit() {
        if renew.iter().any(|object| endpoint.object.uid == object.uid) {
            endpoint.object.provisioned = at;
        }
    }
}

fn place(facts: &mut Facts, name: &str, at: Option<jiff::Timestamp>) {
    for divider in facts.dividers.edit().iter_mut().filter(|divider| divider.object.name == name) {
        (divider.droplet, divider.object.provisioned) = ("host-2".into(), at);
    }
    for bouncer in facts.bouncers.edit().iter_mut().filter(|bouncer| bouncer.object.name == name) {
        (bouncer.droplet, bouncer.object.provisioned) = ("host-2".into(), at);
        bouncer.object.status = "Provisioned".into();
    }
}

fn unlock(facts: &mut Facts, at: Option<jiff::Timestamp>) {
    let names: Vec<Text> = facts.bouncers.items().iter().map(|bouncer| bouncer.object.name).collect();
    for name in names {
        place(facts, name.as_str(), at);
    }
    facts.bouncers.edit().iter_mut().for_each(|bouncer| bouncer.object.retries = Box::default());
    for endpoint in facts.endpoints.edit() {
        endpoint.object.retries = Box::default();
        endpoint.object.status = "Provisioned".into();
    }
}

/// The operator gives every node a Droplet, and every Droplet a host Endpoint.
fn connect(facts: &mut Facts, at: Option<jiff::Timestamp>) {
    for number in 1..=3 {
        let mut droplet = a_droplet(number);
        droplet.object.uid = format!("uid-new-droplet-{number}").as_str().into();
        if !facts.droplets.items().iter().any(|one| one.object.name == droplet.object.name) {
            facts.droplets.edit().push(droplet);
        }
        let mut host = a_host_endpoint(number);
        (host.object.created, host.object.provisioned) = (at, at);
        host.object.uid = format!("uid-new-host-{number}").as_str().into();
        if !facts.endpoints.items().iter().any(|one| one.object.name == host.object.name) {
            facts.endpoints.edit().push(host);
        }
    }
}

/// Something that goes wrong.
#[derive(Debug, Clone)]
enum Trouble {
    OperatorRestarts,
    DaemonRestarts,
    PodsLeave(usize),
    TwoPodsAtOneAddress(u8),
    PlacedNowhere,
    HostEndpointLost,
    LeakOfUsedAddress,
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        Just(Trouble::OperatorRestarts),
        Just(Trouble::DaemonRestarts),
        (0_usize..4).prop_map(Trouble::PodsLeave),
        (2_u8..6).prop_map(Trouble::TwoPodsAtOneAddress),
        Just(Trouble::PlacedNowhere),
        Just(Trouble::HostEndpointLost),
        Just(Trouble::LeakOfUsedAddress),
    ]
}

fn cause(facts: &mut Facts, trouble: &Trouble, number: usize) {
    match trouble {
        Trouble::OperatorRestarts => {
            operator_restarted(facts);
            let retry = || Box::new([a_retry("handler", minutes_ago(4))]);
            facts.bouncers.edit().iter_mut().for_each(|bouncer| bouncer.object.retries = retry());
            facts.endpoints.edit().iter_mut().for_each(|endpoint| endpoint.object.retries = retry());
        }
        Trouble::DaemonRestarts => daemon_restarted(facts),
        Trouble::PodsLeave(count) => {
            for left in 0..*count {
                facts
                    .endpoints
                    .edit()
                    .push(a_pod_endpoint(&format!("left-{number}-{left}"), &format!("10.20.9.{left}")));
            }
        }
        Trouble::TwoPodsAtOneAddress(last) => {
            let (name, ip) = (format!("twin-{number}"), format!("10.20.0.{last}"));
            facts.pods.edit().push(PodFact { uid: name.as_str().into(), ..a_pod(&name, &ip) });
            facts.endpoints.edit().push(a_pod_endpoint(&name, &ip));
        }
        Trouble::PlacedNowhere => facts.bouncers.edit()[0].droplet = "host-9".into(),
        Trouble::HostEndpointLost => {
            facts.endpoints.edit().retain(|endpoint| endpoint.kind != "host" || endpoint.droplet != "host-2");
        }
        Trouble::LeakOfUsedAddress => {
            facts.endpoints.edit().push(a_pod_endpoint(&format!("old-{number}"), "10.20.0.2"));
        }
    }
}

proptest! {
    #[test]
    fn carried_out_act_by_act_a_plan_leaves_nothing_that_a_remedy_heals(
        troubles in proptest::collection::vec(trouble(), 0..6),
        kill_after in 0_usize..5,
    ) {
        let mut facts = a_healthy_cluster();
        operator_runs(&mut facts);
        for (number, trouble) in troubles.iter().enumerate() {
            cause(&mut facts, trouble, number);
        }
        let mut done = 0;
        for _ in 0..60 {
            // Killed and begun again after any act: the plan is made of what is there.
            let plan = plan_of(&facts);
            let Some(step) = plan.steps.first() else { break };
            for act in step.acts.iter().take(kill_after + 1) {
                if let Act::Delete { object, .. } = act {
                    let doomed = facts.endpoints.items().iter().find(|endpoint| endpoint.object.uid == object.uid.as_str());
                    let shares = |doomed: &EndpointFact| facts.endpoints.items().iter().any(|other| {
                        other.object.uid != doomed.object.uid && (other.vni, other.ip) == (doomed.vni, doomed.ip)
                            && facts.pods.items().iter().any(|pod| other.belongs_to(&pod.namespace, &pod.name))
                    });
                    prop_assert!(!doomed.is_some_and(shares), "{act} would cut a pod");
                }
                apply(&mut facts, act, done);
                done += 1;
            }
        }
        prop_assert_eq!(plan_of(&facts).steps, Vec::new(), "after {} acts", done);
    }
}
