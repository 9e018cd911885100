//! The sequence against a small model of the operator: killed at any point and run again, while pods come and the operator
//! crashes, it always ends, and never are two living pods given one address.
//!
//! The model keeps what mizar-observed found: a starting operator reads Subnets by their `type`, takes no address of what
//! is Provisioned as used, knows no Bouncer, gives up one that is Init too early, and waits in a circle.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::facts::samples::{
    a_bouncer, a_healthy_cluster, a_node, a_pod, a_pod_endpoint, a_subnet, an_operator_pod, now,
};
use crate::facts::{EndpointFact, Fetched, MizarObject, NodeFact};

const NODES: usize = 2;
/// More looks mean that it does not end.
const PATIENCE: usize = 200;

#[derive(Debug, Clone)]
struct Pod {
    name: String,
    uid: String,
    node: Option<usize>,
    running: bool,
    /// Nobody would create it again.
    alone: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Endpoint {
    ip: u8,
    /// The pod's name; none for a placeholder.
    pod: Option<String>,
    holds_for: Option<String>,
    provisioned: bool,
    deleting: bool,
}

/// What the running process remembers.
#[derive(Debug, Clone, Default)]
struct Memory {
    started: i64,
    age: u32,
    used: BTreeSet<u8>,
    resolved: BTreeSet<String>,
    bouncer: bool,
    bouncer_given_up: bool,
    subnet: bool,
}

#[derive(Debug, Clone)]
struct World {
    clock: i64,
    born: usize,
    cordoned: Vec<Option<String>>,
    pods: Vec<Pod>,
    endpoints: BTreeMap<String, Endpoint>,
    bouncer_is_init: bool,
    subnet_typed: bool,
    replicas: u32,
    operator_pod: Option<usize>,
    memory: Option<Memory>,
    /// An Endpoint was deleted before the operator's eyes while a living pod had its address.
    cut: bool,
    /// Pods that waited on a node when the operator crashed before they could be sent back, and those that nobody would create
    /// again: nothing keeps an operator that just starts from giving them an address that is in use.
    at_risk: BTreeSet<String>,
}

impl World {
    fn new(running: usize, waiting: usize, leaks: &[u8], with_operator: bool) -> Self {
        let mut world = Self {
            clock: 0,
            born: 0,
            cordoned: vec![None; NODES],
            pods: Vec::new(),
            endpoints: BTreeMap::new(),
            bouncer_is_init: false,
            subnet_typed: false,
            replicas: 1,
            operator_pod: None,
            memory: None,
            cut: false,
            at_risk: BTreeSet::new(),
        };
        for ip in 2..2 + u8::try_from(running).unwrap() {
            let name = world.create_pod();
            let pod = world.pods.last_mut().unwrap();
            (pod.node, pod.running) = (Some(0), true);
            world.endpoints.insert(
                format!("{name}-default--eth0"),
                Endpoint { ip, pod: Some(name), holds_for: None, provisioned: true, deleting: false },
            );
        }
        for (at, ip) in leaks.iter().enumerate() {
            let gone = format!("gone{at}");
            world.endpoints.insert(
                format!("{gone}-default--eth0"),
                Endpoint { ip: *ip, pod: Some(gone), holds_for: None, provisioned: true, deleting: false },
            );
        }
        for _ in 0..waiting {
            world.create_pod();
            world.pods.last_mut().unwrap().node = Some(1);
        }
        if with_operator {
            world.start_process();
        } else {
            world.replicas = 0;
        }
        world
    }

    fn create_pod(&mut self) -> String {
        self.born += 1;
        let name = format!("pod{}", self.born);
        self.pods.push(Pod {
            name: name.clone(),
            uid: format!("uid{}", self.born),
            node: None,
            running: false,
            alone: false,
        });
        name
    }

    fn create_pod_alone(&mut self) {
        let name = self.create_pod();
        self.pods.last_mut().unwrap().alone = true;
        self.at_risk.insert(name);
    }

    fn start_process(&mut self) {
        if self.operator_pod.is_none() {
            self.born += 1;
            self.operator_pod = Some(self.born);
        }
        self.clock += 1;
        let memory = Memory {
            started: self.clock,
            subnet: self.subnet_typed,
            bouncer_given_up: self.bouncer_is_init,
            ..Memory::default()
        };
        self.memory = Some(memory);
    }

    /// While nodes are open, nobody can keep a crash from handing addresses out twice, nor for pods that it finds waiting on
    /// a node.
    fn crash(&mut self) {
        if self.memory.is_some() && self.cordoned.iter().all(Option::is_some) {
            let waiting = self.pods.iter().filter(|pod| pod.node.is_some() && !pod.running);
            self.at_risk.extend(waiting.map(|pod| pod.name.clone()));
            self.start_process();
        }
    }

    /// The scheduler: pods go to nodes that are not cordoned.
    fn schedule(&mut self) {
        let open = self.cordoned.iter().position(Option::is_none);
        for pod in self.pods.iter_mut().filter(|pod| pod.node.is_none()) {
            pod.node = open;
        }
    }

    /// One round of the operator: every handler is tried once.
    fn round(&mut self) {
        self.clock += 1;
        match (self.replicas, self.operator_pod) {
            (0, Some(_)) => (self.operator_pod, self.memory) = (None, None),
            (1, None) => self.start_process(),
            _ => {}
        }
        let Some(mut memory) = self.memory.take() else { return };
        memory.age += 1;
        self.bouncer(&mut memory);
        let names: Vec<String> = self.endpoints.keys().cloned().collect();
        for name in names {
            self.endpoint(&mut memory, &name);
        }
        for pod in self.pods.iter_mut().filter(|pod| pod.node.is_some() && !pod.running) {
            let name = format!("{}-default--eth0", pod.name);
            if let Some(endpoint) = self.endpoints.get(&name) {
                pod.running = endpoint.provisioned;
                continue;
            }
            let ip = (2..u8::MAX).find(|ip| !memory.used.contains(ip)).unwrap();
            memory.used.insert(ip);
            memory.resolved.insert(name.clone());
            let pod = Some(pod.name.clone());
            self.endpoints.insert(name, Endpoint { ip, pod, holds_for: None, provisioned: false, deleting: false });
        }
        self.memory = Some(memory);
    }

    fn bouncer(&mut self, memory: &mut Memory) {
        if self.bouncer_is_init {
            if memory.age > 1 && !memory.bouncer_given_up {
                (self.bouncer_is_init, memory.bouncer) = (false, true);
            }
            return;
        }
        let simple = self.endpoints.iter().filter(|(_, endpoint)| endpoint.provisioned && endpoint.pod.is_some());
        memory.bouncer |= simple.into_iter().all(|(name, _)| memory.resolved.contains(name));
    }

    fn endpoint(&mut self, memory: &mut Memory, name: &str) {
        let Some(endpoint) = self.endpoints.get_mut(name) else { return };
        if endpoint.deleting {
            let ip = endpoint.ip;
            self.endpoints.remove(name);
            memory.used.remove(&ip);
            self.cut |= self.living().iter().any(|(_, living)| *living == ip);
        } else if memory.bouncer {
            if !endpoint.provisioned {
                memory.used.insert(endpoint.ip);
                endpoint.provisioned = true;
            }
            memory.resolved.insert(name.to_owned());
        }
    }

    /// The running pods and their addresses.
    fn living(&self) -> Vec<(String, u8)> {
        let running = self.pods.iter().filter(|pod| pod.running);
        let address = |pod: &Pod| self.endpoints.get(&format!("{}-default--eth0", pod.name)).map(|it| it.ip);
        running.filter_map(|pod| Some((pod.name.clone(), address(pod)?))).collect()
    }

    fn facts(&self) -> Facts {
        let mut facts = a_healthy_cluster();
        let object = |mut object: MizarObject, uid: &str, provisioned: bool| {
            object.uid = uid.into();
            object.status = if provisioned { "Provisioned" } else { "Init" }.into();
            object
        };
        let mut bouncer = a_bouncer("b");
        bouncer.object = object(bouncer.object, "b", !self.bouncer_is_init);
        facts.bouncers = Fetched::Known(vec![bouncer]);
        let mut subnet = a_subnet();
        subnet.object = object(subnet.object, "n", true);
        subnet.kind = if self.subnet_typed { "Provisioned" } else { "" }.into();
        facts.subnets = Fetched::Known(vec![subnet]);
        let nodes = self.cordoned.iter().zip(1..).map(|(cordoned, number)| NodeFact {
            unschedulable: cordoned.is_some(),
            cordoned_by: cordoned.clone(),
            ..a_node(number)
        });
        facts.nodes = Fetched::Known(nodes.collect());
        facts.droplets.edit().truncate(NODES);
        facts.deployments.edit()[0].replicas = self.replicas;
        let endpoints = self.endpoints.iter().map(|(name, it)| {
            let mut endpoint = a_pod_endpoint(it.pod.as_deref().unwrap_or_default(), &format!("10.20.0.{}", it.ip));
            endpoint.object = object(endpoint.object, name, it.provisioned);
            endpoint.object.name = name.as_str().into();
            endpoint.object.deleting = it.deleting.then(now);
            endpoint.object.holds_for = it.holds_for.as_deref().map(Into::into);
            let kind = if it.pod.is_some() { "simple" } else { "scaled" };
            EndpointFact { kind: kind.into(), ..endpoint }
        });
        facts.endpoints = Fetched::Known(endpoints.collect());
        let mut pods: Vec<PodFact> = self.pods.iter().map(pod_fact).collect();
        pods.extend(self.operator_pod.zip(self.memory.as_ref()).map(|(uid, memory)| {
            let mut pod = PodFact { uid: format!("op{uid}").as_str().into(), ..an_operator_pod() };
            pod.containers[0].started = Some(now() + SignedDuration::from_secs(memory.started));
            pod
        }));
        facts.pods = Fetched::Known(pods);
        facts
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Delete { object } => {
                if let Some(endpoint) = self.endpoints.get_mut(&object.uid) {
                    endpoint.deleting = true;
                }
            }
            Act::DeleteUnseen { object } => {
                assert!(self.memory.is_none(), "{object} was deleted behind a running operator's back");
                self.endpoints.remove(&object.uid);
            }
            Act::SendBack { pod, .. } => self.send_back(&pod.uid),
            Act::Cordon { node } => self.cordoned[at(node)] = Some("ours".to_owned()),
            Act::Uncordon { node } => self.cordoned[at(node)] = None,
            Act::Scale { replicas } => self.replicas = *replicas,
            Act::Remember { .. } => self.subnet_typed = true,
            Act::Hold { placeholder } => {
                let ip = placeholder.ip.rsplit('.').next().unwrap().parse().unwrap();
                let holds_for = Some(placeholder.pod.to_string());
                let held = Endpoint { ip, pod: None, holds_for, provisioned: false, deleting: false };
                self.endpoints.entry(placeholder.name()).or_insert(held);
            }
            Act::Show { node } => panic!("node {node} has its Droplet"),
            Act::Make { part } => panic!("{part}: this network has all its parts"),
            Act::Status { object, status } => {
                let provisioned = status == "Provisioned";
                if object.object.kind == "Bouncer" {
                    // Written again, it is looked at again.
                    if let Some(memory) = &mut self.memory {
                        memory.bouncer_given_up = false;
                    }
                    self.bouncer_is_init = !provisioned;
                } else if let Some(endpoint) = self.endpoints.get_mut(&object.uid) {
                    endpoint.provisioned = provisioned;
                }
            }
        }
    }

    /// A pod that somebody owns comes again, under another name and without a node. One that runs by now is left alone.
    fn send_back(&mut self, uid: &str) {
        if let Some(at) = self.pods.iter().position(|pod| pod.uid == uid && waits_on_a_node(&pod_fact(pod))) {
            let pod = self.pods.remove(at);
            // The operator that wired it takes its Endpoint along.
            if let Some(memory) = &mut self.memory
                && let Some(endpoint) = self.endpoints.remove(&format!("{}-default--eth0", pod.name))
            {
                memory.used.remove(&endpoint.ip);
            }
            self.create_pod();
        }
    }
}

fn at(node: &str) -> usize {
    node.strip_prefix("node-").unwrap().parse::<usize>().unwrap() - 1
}

fn pod_fact(pod: &Pod) -> PodFact {
    PodFact {
        uid: pod.uid.as_str().into(),
        node: pod.node.map(|node| format!("node-{}", node + 1)).unwrap_or_default().as_str().into(),
        phase: if pod.running { "Running" } else { "Pending" }.into(),
        owner: a_pod(&pod.name, "").owner.filter(|_| !pod.alone),
        ..a_pod(&pod.name, "")
    }
}

/// What happens besides, after an act.
#[derive(Debug, Clone, Copy)]
enum Incident {
    Nothing,
    NewPod,
    NewPodAlone,
    Rounds(u8),
    OperatorCrashes,
    WeAreKilled,
}

fn incident() -> impl Strategy<Value = Incident> {
    prop_oneof![
        8 => Just(Incident::Nothing),
        3 => Just(Incident::NewPod),
        1 => Just(Incident::NewPodAlone),
        3 => (1..4_u8).prop_map(Incident::Rounds),
        1 => Just(Incident::OperatorCrashes),
        2 => Just(Incident::WeAreKilled),
    ]
}

/// The loop of the flow, as short as it can be. Returns whether it came to its end.
struct Runner {
    world: World,
    record: RestartRecord,
    incidents: Vec<Incident>,
}

impl Runner {
    /// Lets something happen; says whether we are still there.
    fn survives(&mut self) -> bool {
        let incident = self.incidents.pop().unwrap_or(Incident::Nothing);
        match incident {
            Incident::Nothing => {}
            Incident::NewPod => drop(self.world.create_pod()),
            Incident::NewPodAlone => self.world.create_pod_alone(),
            Incident::Rounds(rounds) => (0..rounds).for_each(|_| self.world.round()),
            Incident::OperatorCrashes => self.world.crash(),
            Incident::WeAreKilled => return false,
        }
        self.world.schedule();
        true
    }

    fn current_run(&self) -> Option<String> {
        operators(&self.world.facts(), "mizar-system").next().map(run_of)
    }

    /// One process of ours: true if it finished.
    fn process(&mut self) -> bool {
        for _ in 0..PATIENCE {
            let facts = self.world.facts();
            let mark = Mark { id: "ours", namespace: "mizar-system", record: &self.record };
            let Next::Do(step, acts) = next(&facts, mark) else { return true };
            match step {
                Step::Stop => self.record = RestartRecord::default(),
                Step::Start => self.record.prepared = true,
                _ => {}
            }
            let before = self.current_run();
            if step == Step::Wire {
                // The settling of the operator.
                (0..2).for_each(|_| self.world.round());
            }
            for act in &acts {
                self.world.act(act);
                if !self.survives() {
                    return false;
                }
            }
            (0..4).for_each(|_| self.world.round());
            let held =
                self.world.endpoints.values().all(|endpoint| endpoint.holds_for.is_none() || endpoint.provisioned);
            if step == Step::Wire && held && before.is_some() && before == self.current_run() {
                self.record.wired = before;
            }
        }
        panic!("it does not end: {:#?}", self.world);
    }
}

/// What is there at first, and what happens meanwhile, the last first.
#[derive(Debug, Clone)]
struct Story {
    running: usize,
    waiting: usize,
    leaks: Vec<u8>,
    with_operator: bool,
    rounds: usize,
    incidents: Vec<Incident>,
}

fn story() -> impl Strategy<Value = Story> {
    let leaks = proptest::collection::vec(2..8_u8, 0..3);
    let incidents = proptest::collection::vec(incident(), 0..40);
    (0..4_usize, 0..3_usize, leaks, any::<bool>(), 0..4_usize, incidents).prop_map(
        |(running, waiting, leaks, with_operator, rounds, incidents)| Story {
            running,
            waiting,
            leaks,
            with_operator,
            rounds,
            incidents,
        },
    )
}

/// Plays it until a process of ours has come to its end; panics where something was broken.
fn play(story: Story) {
    let mut world = World::new(story.running, story.waiting, &story.leaks, story.with_operator);
    (0..story.rounds).for_each(|_| world.round());
    let before = world.living();
    let mut runner = Runner { world, record: RestartRecord::default(), incidents: story.incidents };
    let mut processes = 1;
    while !runner.process() {
        processes += 1;
        assert!(processes < 60, "killed again and again");
    }
    let mut world = runner.world;
    world.schedule();
    (0..6).for_each(|_| world.round());
    let living = world.living();
    for (pod, address) in before {
        assert!(living.contains(&(pod.clone(), address)), "{pod} lost {address}: {living:?}");
    }
    let safe = || living.iter().filter(|(pod, _)| !world.at_risk.contains(pod));
    let addresses: BTreeSet<u8> = safe().map(|(_, address)| *address).collect();
    assert_eq!(addresses.len(), safe().count(), "{living:?}");
    assert!(world.pods.iter().all(|pod| pod.running), "{world:#?}");
    assert!(world.cordoned.iter().all(Option::is_none));
    assert!(world.subnet_typed && !world.cut);
    assert!(world.memory.unwrap().subnet);
}

proptest! {
    #[test]
    fn killed_anywhere_it_ends_and_no_two_living_pods_share_an_address(story in story()) {
        play(story);
    }
}

#[test]
fn an_address_of_two_leaks_is_not_freed_again_when_a_new_pod_has_it() {
    let incidents = vec![Incident::NewPod, Incident::Rounds(1)];
    play(Story { running: 0, waiting: 1, leaks: vec![2, 2], with_operator: true, rounds: 0, incidents });
}

#[test]
fn a_pod_that_begins_to_run_before_it_is_sent_back_is_left_alone() {
    for rounds in 1..4 {
        for quiet in 0..8 {
            let mut incidents = vec![Incident::Rounds(rounds), Incident::NewPod];
            incidents.extend(vec![Incident::Nothing; quiet]);
            play(Story { running: 0, waiting: 2, leaks: Vec::new(), with_operator: true, rounds: 0, incidents });
        }
    }
}

#[test]
fn the_model_has_the_deadlock_and_hands_addresses_out_twice() {
    let mut world = World::new(1, 0, &[], true);
    world.create_pod();
    world.schedule();
    (0..10).for_each(|_| world.round());
    assert!(!world.pods[1].running, "an operator that just starts wires nothing");
    world.bouncer_is_init = true;
    (0..10).for_each(|_| world.round());
    assert_eq!(world.living()[0].1, world.living()[1].1, "and then it gives an address that is in use");
}
