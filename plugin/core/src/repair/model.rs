//! A cluster that does what the acts of a repair make of it, as far as that was seen; and what holds whatever has gone
//! wrong there, and wherever a repair is killed.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::tests::{bouncer_given_up, daemon_restarted, operator_restarted, operator_runs, plan_of};
use super::*;
use crate::diagnosis::{leaks, operator_run};
use crate::facts::samples::*;
use crate::facts::{EndpointFact, Facts, PodFact, PodRole, Text, Uid};
use crate::object::ObjectId;
use crate::restart::Placeholder;

/// A cluster, and what nobody sees of it.
struct World {
    facts: Facts,
    /// The addresses that the operator's present run knows to be in use.
    known: BTreeSet<Text>,
    /// How much was done.
    done: i64,
}

fn a_minute_ago() -> Option<Timestamp> {
    now().checked_sub(SignedDuration::from_secs(60)).ok()
}

impl World {
    /// A cluster whose operator is the one that has built everything.
    fn new() -> Self {
        let mut facts = a_healthy_cluster();
        operator_runs(&mut facts);
        for pod in facts.pods.edit() {
            pod.uid = format!("uid-of-pod-{}", pod.name).as_str().into();
        }
        let known = facts.endpoints.items().iter().map(|endpoint| endpoint.ip).collect();
        Self { facts, known, done: 0 }
    }

    fn used(&self) -> BTreeSet<Text> {
        self.pods().map(|(endpoint, _)| endpoint.ip).collect()
    }

    /// The pods with an Endpoint.
    fn pods(&self) -> impl Iterator<Item = (&EndpointFact, &PodFact)> {
        let simple = self.facts.endpoints.items().iter().filter(|endpoint| endpoint.kind == "simple");
        simple.filter_map(|endpoint| {
            let mut pods = self.facts.pods.items().iter();
            Some((endpoint, pods.find(|pod| endpoint.belongs_to(&pod.namespace, &pod.name))?))
        })
    }

    /// What a cluster does when an act is carried out.
    fn carry_out(&mut self, act: &Act) {
        self.done += 1;
        match act {
            Act::Delete { object, .. } => {
                let is_gone = |uid: &Uid| *uid == object.uid;
                let gone = self.facts.endpoints.items().iter().filter(|endpoint| is_gone(&endpoint.object.uid));
                let freed: Vec<Text> = gone.map(|endpoint| endpoint.ip).collect();
                self.known.retain(|ip| !freed.contains(ip));
                self.facts.endpoints.edit().retain(|endpoint| !is_gone(&endpoint.object.uid));
                self.facts.droplets.edit().retain(|droplet| !is_gone(&droplet.object.uid));
            }
            Act::PlaceAnew { object, .. } | Act::ShowAgain { object, .. } => self.place(&object.object.name),
            Act::RestartOperator { .. } => self.restart_operator(),
            Act::Reserve { hold, held, .. } => self.reserve(hold, held),
            Act::Hold { hold, renew, .. } => self.hold(hold, renew),
            Act::Unlock { bouncer, hold, renew, .. } => {
                self.place(&bouncer.object.name);
                self.hold(hold, renew);
                self.go_on();
            }
            Act::Reprogram { droplets, host_endpoints, .. } => {
                let names = |objects: &[ObjectId], uid: &Uid| objects.iter().any(|object| *uid == object.uid);
                self.facts.endpoints.edit().retain(|endpoint| !names(host_endpoints, &endpoint.object.uid));
                self.facts.droplets.edit().retain(|droplet| !names(droplets, &droplet.object.uid));
                self.connect();
            }
            Act::Recreate { object, .. } => self.recreate(object),
        }
    }

    /// The safe sequence: afterwards the operator knows everything.
    fn restart_operator(&mut self) {
        let leaked = leaks(&self.facts, &super::tests::moment());
        let is_leaked = |uid: &Uid| leaked.iter().any(|leak| *uid == leak.object.uid);
        self.facts.endpoints.edit().retain(|endpoint| !is_leaked(&endpoint.object.uid));
        self.facts.subnets.edit().iter_mut().for_each(|subnet| subnet.kind = "Provisioned".into());
        self.known.clear();
        let held: Vec<ObjectId> = self.placeholders().map(|held| held.object.id("Endpoint")).collect();
        self.hold(&crate::restart::missing(&self.facts, None), &held);
        self.go_on();
        self.connect();
    }

    fn placeholders(&self) -> impl Iterator<Item = &EndpointFact> {
        self.facts.endpoints.items().iter().filter(|endpoint| endpoint.object.holds_for.is_some())
    }

    fn hold(&mut self, hold: &[Placeholder], renew: &[ObjectId]) {
        let mark = operator_run(&self.facts).map(|run| Text::from(run.mark().as_str()));
        self.create_missing(hold, mark);
        for endpoint in self.facts.endpoints.edit().iter_mut().filter(|held| held.object.holds_for.is_some()) {
            let is_named = renew.iter().any(|object| endpoint.object.uid == object.uid);
            if is_named || hold.iter().any(|held| held.ip == endpoint.ip) {
                endpoint.object.known_to = mark;
                self.known.insert(endpoint.ip);
            }
        }
    }

    fn reserve(&mut self, missing: &[Placeholder], held: &[ObjectId]) {
        let not_known = self.ending();
        self.create_missing(missing, not_known);
        for endpoint in self.facts.endpoints.edit() {
            if held.iter().any(|object| endpoint.object.uid == object.uid) {
                endpoint.object.known_to = not_known;
            }
        }
    }

    fn ending(&self) -> Option<Text> {
        operator_run(&self.facts).map(|run| run.ending_mark().as_str().into())
    }

    /// One of its name already keeps the address.
    fn create_missing(&mut self, hold: &[Placeholder], known_to: Option<Text>) {
        for held in hold {
            if self.placeholders().any(|placeholder| placeholder.ip == held.ip) {
                continue;
            }
            let mut endpoint = a_placeholder(&held.ip, "");
            endpoint.object.uid = format!("uid-{}-{}", self.done, held.ip).as_str().into();
            endpoint.object.created = a_minute_ago();
            (endpoint.object.holds_for, endpoint.object.known_to) = (Some(held.pod), known_to);
            self.known.insert(held.ip);
            self.facts.endpoints.edit().push(endpoint);
        }
    }

    fn place(&mut self, name: &str) {
        let at = a_minute_ago();
        for divider in self.facts.dividers.edit().iter_mut().filter(|divider| divider.object.name == name) {
            (divider.droplet, divider.object.provisioned) = ("host-2".into(), at);
        }
        for bouncer in self.facts.bouncers.edit().iter_mut().filter(|bouncer| bouncer.object.name == name) {
            (bouncer.droplet, bouncer.object.provisioned) = ("host-2".into(), at);
            bouncer.object.status = "Provisioned".into();
        }
    }

    /// A Bouncer was made before the operator's eyes: nothing waits any more.
    fn go_on(&mut self) {
        let names: Vec<Text> = self.facts.bouncers.items().iter().map(|bouncer| bouncer.object.name).collect();
        for name in names {
            self.place(&name);
        }
        self.facts.bouncers.edit().iter_mut().for_each(|bouncer| bouncer.object.retries = Box::default());
        for endpoint in self.facts.endpoints.edit() {
            endpoint.object.retries = Box::default();
            endpoint.object.status = "Provisioned".into();
        }
    }

    /// The operator gives every node a Droplet, and every Droplet a host Endpoint.
    fn connect(&mut self) {
        let at = a_minute_ago();
        for number in 1..=3 {
            let mut droplet = a_droplet(number);
            droplet.object.uid = format!("uid-new-droplet-{number}").as_str().into();
            if !self.facts.droplets.items().iter().any(|one| one.object.name == droplet.object.name) {
                self.facts.droplets.edit().push(droplet);
            }
            let mut host = a_host_endpoint(number);
            (host.object.created, host.object.provisioned) = (at, at);
            host.object.uid = format!("uid-new-host-{number}").as_str().into();
            if !self.facts.endpoints.items().iter().any(|one| one.object.name == host.object.name) {
                self.facts.endpoints.edit().push(host);
            }
        }
    }

    /// The end of a pod gives its address free, whoever else has it.
    fn recreate(&mut self, doomed: &ObjectId) {
        let Some((pod, address)) =
            self.pods().find(|(_, pod)| pod.uid == doomed.uid).map(|(endpoint, pod)| (pod.name, endpoint.ip))
        else {
            return;
        };
        self.facts.pods.edit().retain(|one| one.uid != doomed.uid);
        self.facts.endpoints.edit().retain(|endpoint| endpoint.pod != pod);
        self.known.remove(&address);
        let (name, ip) = (format!("{pod}x"), format!("10.20.{}.{}", 1 + self.done / 200, 1 + self.done % 200));
        let at = a_minute_ago();
        let uid = format!("uid-of-pod-{name}").as_str().into();
        self.facts.pods.edit().push(PodFact { created: at, uid, ..a_pod(&name, &ip) });
        let mut endpoint = a_pod_endpoint(&name, &ip);
        (endpoint.object.created, endpoint.object.provisioned) = (at, at);
        self.known.insert(endpoint.ip);
        self.facts.endpoints.edit().push(endpoint);
    }
}

/// Something that goes wrong.
#[derive(Debug, Clone)]
enum Trouble {
    OperatorRestarts,
    /// And somebody sets its Bouncer back by hand.
    OperatorRestartsAndIsUnlocked,
    BouncerGivenUp,
    DaemonRestarts,
    PodsLeave(usize),
    TwoPodsAtOneAddress(u8),
    PlacedNowhere,
    HostEndpointLost,
    LeakOfUsedAddress,
    AddressesHeld,
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        Just(Trouble::OperatorRestarts),
        Just(Trouble::OperatorRestartsAndIsUnlocked),
        Just(Trouble::BouncerGivenUp),
        Just(Trouble::DaemonRestarts),
        (0_usize..4).prop_map(Trouble::PodsLeave),
        (2_u8..6).prop_map(Trouble::TwoPodsAtOneAddress),
        Just(Trouble::PlacedNowhere),
        Just(Trouble::HostEndpointLost),
        Just(Trouble::LeakOfUsedAddress),
        Just(Trouble::AddressesHeld),
    ]
}

/// Another run of the operator, which finds everything older than itself and knows none of it.
fn restart(world: &mut World, number: usize) {
    let facts = &mut world.facts;
    operator_restarted(facts);
    let operator = facts.pods.edit().iter_mut().filter(|pod| pod.role == PodRole::Operator);
    operator.for_each(|pod| pod.uid = format!("uid-of-operator-{number}").as_str().into());
    facts.bouncers.edit().iter_mut().for_each(|bouncer| bouncer.object.provisioned = minutes_ago(30));
    world.known.clear();
}

fn cause(world: &mut World, trouble: &Trouble, number: usize) {
    let retry = || Box::new([a_retry("handler", minutes_ago(4))]);
    match trouble {
        Trouble::OperatorRestarts | Trouble::OperatorRestartsAndIsUnlocked | Trouble::BouncerGivenUp => {
            restart(world, number);
        }
        _ => {}
    }
    let facts = &mut world.facts;
    match trouble {
        Trouble::OperatorRestarts => {
            facts.bouncers.edit().iter_mut().for_each(|bouncer| bouncer.object.retries = retry());
            facts.endpoints.edit().iter_mut().for_each(|endpoint| endpoint.object.retries = retry());
        }
        Trouble::OperatorRestartsAndIsUnlocked => world.go_on(),
        Trouble::BouncerGivenUp => {
            bouncer_given_up(facts);
            facts.endpoints.edit().iter_mut().for_each(|endpoint| endpoint.object.retries = retry());
        }
        Trouble::DaemonRestarts => daemon_restarted(facts),
        Trouble::PodsLeave(count) => {
            for left in 0..*count {
                let endpoint = a_pod_endpoint(&format!("left-{number}-{left}"), &format!("10.20.9.{left}"));
                facts.endpoints.edit().push(endpoint);
            }
        }
        Trouble::TwoPodsAtOneAddress(last) => {
            let (name, ip) = (format!("twin-{number}"), format!("10.20.0.{last}"));
            let uid = format!("uid-of-pod-{name}").as_str().into();
            facts.pods.edit().push(PodFact { uid, ..a_pod(&name, &ip) });
            let endpoint = a_pod_endpoint(&name, &ip);
            // Wired half an hour ago, by the run of that time.
            if operator_run(facts).is_some_and(|run| Some(run.started) < endpoint.object.provisioned) {
                world.known.insert(endpoint.ip);
            }
            facts.endpoints.edit().push(endpoint);
        }
        Trouble::PlacedNowhere => facts.bouncers.edit()[0].droplet = "host-9".into(),
        Trouble::HostEndpointLost => {
            facts.endpoints.edit().retain(|endpoint| endpoint.kind != "host" || endpoint.droplet != "host-2");
        }
        Trouble::LeakOfUsedAddress => {
            facts.endpoints.edit().push(a_pod_endpoint(&format!("old-{number}"), "10.20.0.2"));
        }
        Trouble::AddressesHeld => {
            let run = operator_run(facts).map(|run| run.mark());
            let missing = crate::restart::missing(facts, None);
            for held in missing {
                let mut endpoint = a_placeholder(&held.ip, "");
                endpoint.object.uid = format!("uid-{number}-{}", held.ip).as_str().into();
                endpoint.object.holds_for = Some(held.pod);
                endpoint.object.known_to = run.as_deref().map(Text::from);
                world.known.insert(held.ip);
                facts.endpoints.edit().push(endpoint);
            }
        }
    }
}

/// What must never be done, at the moment when it would be.
fn forbidden(world: &World, act: &Act) -> Option<String> {
    match act {
        Act::Delete { object, .. } => {
            let mut doomed = world.facts.endpoints.items().iter();
            let doomed = doomed.find(|endpoint| endpoint.object.uid == object.uid.as_str())?;
            let mut pods = world.pods();
            let shares = pods.any(|(other, _)| {
                other.object.uid != doomed.object.uid && (other.vni, other.ip) == (doomed.vni, doomed.ip)
            });
            shares.then(|| format!("{act} would cut a pod"))
        }
        Act::Recreate { object, .. } => {
            // What the pod itself gives free, and others have, comes next; the operator does not turn to it at once.
            let own = world.pods().find(|(_, pod)| pod.uid == object.uid).map(|(endpoint, _)| endpoint.ip);
            let mut unknown = world.used().into_iter().filter(|ip| !world.known.contains(ip) && Some(*ip) != own);
            let freed =
                |ip: &Text| world.placeholders().any(|held| held.ip == *ip && held.object.known_to == world.ending());
            unknown.find(|ip| !freed(ip)).map(|ip| format!("{act}: its successor might get {ip}, which is in use"))
        }
        _ => None,
    }
}

proptest! {
    #[test]
    fn carried_out_act_by_act_a_plan_leaves_nothing_that_a_remedy_heals(
        troubles in proptest::collection::vec(trouble(), 0..6),
        kill_after in 0_usize..5,
    ) {
        let mut world = World::new();
        for (number, trouble) in troubles.iter().enumerate() {
            cause(&mut world, trouble, number);
        }
        for _ in 0..60 {
            // Killed and begun again after any act: the plan is made of what is there.
            let plan = plan_of(&world.facts);
            let Some(step) = plan.steps.first() else { break };
            for act in step.acts.iter().take(kill_after + 1) {
                let forbidden = forbidden(&world, act);
                prop_assert!(forbidden.is_none(), "{}", forbidden.unwrap_or_default());
                world.carry_out(act);
            }
        }
        prop_assert_eq!(plan_of(&world.facts).steps, Vec::new(), "after {} acts", world.done);
        let unknown: Vec<Text> = world.used().difference(&world.known).copied().collect();
        prop_assert!(unknown.is_empty(), "{unknown:?} may be given away again");
    }
}
