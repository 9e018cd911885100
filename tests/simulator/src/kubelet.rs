//! The kubelet of the pods that matter: Mizar's own, and all on the pod network.
//!
//! This is the shell: it watches, asks `lifecycle` what happens next, writes what `status` makes of it, and tells
//! operator and daemons whether their containers run. It removes the operator's deleted pods when their process has
//! ended; nodes, other pods on the host network, the completion of Jobs and the removal of other pods are KWOK's.

mod lifecycle;
mod pod;
mod status;
mod watching;
mod wiring;
mod writing;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::{
    StreamExt,
    future::BoxFuture,
    stream::{self, FuturesUnordered},
};
use jiff::Timestamp;
use serde_json::Value;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, sleep_until},
};

use self::{
    lifecycle::{KILLED, Lifecycle, Pace},
    pod::{Role, Surroundings},
    writing::{EventLog, Post, Update, Written},
};
use crate::{
    api::Objects,
    daemon::Daemons,
    fault::{Fault, FaultOrder, Faults},
    object::{Key, Kind, Object},
    operator::{Operator, ProcessEnded, endpoint_name},
    tampering,
};

const WATCHED: [Kind; 3] = [Kind::Node, Kind::Pod, Kind::Endpoint];

/// What the simulator asks of its kubelet.
#[derive(Debug)]
pub(crate) enum Order {
    /// The faults in force are others, and these are new.
    Faults(Vec<FaultOrder>),
    Wipe(oneshot::Sender<()>),
}

#[derive(Clone, Debug)]
struct Node {
    address: Option<String>,
    index: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Wired {
    address: String,
    provisioned: bool,
}

struct Pod {
    object: Object,
    role: Role,
    life: Lifecycle,
    written: Option<Value>,
    busy: bool,
    due: Option<Instant>,
    /// The run of the operator process in it.
    run: Option<u64>,
    exited: Option<i64>,
    /// When the containers are killed although they have not ended yet.
    kill_at: Option<Timestamp>,
    /// The code with which a fault ends the containers, which then start anew.
    killed: Option<i64>,
    /// What the container wrote for its end, if it has come to it.
    told: Option<String>,
}

pub(crate) struct Kubelet {
    objects: Objects,
    daemons: Daemons,
    operator: Operator,
    processes: mpsc::UnboundedReceiver<ProcessEnded>,
    orders: mpsc::UnboundedReceiver<Order>,
    round: Duration,
    pace: Pace,
    faults: Faults,
    tampering: JoinSet<()>,
    nodes: BTreeMap<String, Node>,
    endpoints: BTreeMap<String, Wired>,
    pods: BTreeMap<Key, Pod>,
    schedule: BTreeSet<(Instant, Key)>,
    listed: BTreeMap<Kind, BTreeSet<Key>>,
    foreign_addresses: BTreeMap<String, u16>,
    events: EventLog,
    writes: FuturesUnordered<BoxFuture<'static, Written>>,
}

/// The channels by which the rest of the simulator reaches the kubelet.
pub(crate) struct Channels {
    pub(crate) processes: mpsc::UnboundedReceiver<ProcessEnded>,
    pub(crate) orders: mpsc::UnboundedReceiver<Order>,
}

impl Kubelet {
    pub(crate) fn new(
        objects: Objects,
        daemons: Daemons,
        operator: Operator,
        channels: Channels,
        faults: Faults,
        round: Duration,
        longest_back_off: Duration,
    ) -> Self {
        let pace = Pace {
            step: (round / 100).clamp(Duration::from_millis(20), Duration::from_millis(300)),
            crash: round / 15,
            back_off: (longest_back_off / 4).max(Duration::from_millis(100)),
            longest_back_off,
            sandbox: round * 2 / 3,
            probe: round * 2 / 3,
        };
        Self {
            objects,
            daemons,
            operator,
            processes: channels.processes,
            orders: channels.orders,
            round,
            pace,
            faults,
            tampering: JoinSet::new(),
            nodes: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            pods: BTreeMap::new(),
            schedule: BTreeSet::new(),
            listed: BTreeMap::new(),
            foreign_addresses: BTreeMap::new(),
            events: EventLog::default(),
            writes: FuturesUnordered::new(),
        }
    }

    /// Runs until the simulator hangs up.
    pub(crate) async fn run(mut self) {
        let pause = Duration::from_millis(500);
        let mut events = stream::select_all(WATCHED.map(|kind| self.objects.watch(kind, pause)));
        loop {
            let next_look = self.schedule.first().map(|(due, _)| *due);
            tokio::select! {
                Some(event) = events.next() => self.observe(event),
                Some(written) = self.writes.next() => self.written(&written),
                Some(ended) = self.processes.recv() => self.process_ended(&ended),
                () = sleep_until(next_look.unwrap_or_else(Instant::now)), if next_look.is_some() => self.look_at_due(),
                order = self.orders.recv() => match order {
                    Some(Order::Faults(news)) => self.begin_faults(news),
                    Some(Order::Wipe(done)) => {
                        self.wipe();
                        // Whoever asked may have given up waiting.
                        done.send(()).ok();
                    }
                    None => return,
                },
            }
        }
    }

    /// Lets new faults act at once. Those that happen once hit the pods and objects that are there now.
    fn begin_faults(&mut self, news: Vec<FaultOrder>) {
        for pod in self.pods.values_mut().filter(|pod| pod.life.is_running()) {
            let fault = match pod.role {
                Role::Daemon => Fault::DaemonRestart,
                Role::Operator => Fault::OperatorRestart,
                Role::CleanUp | Role::Networked | Role::Foreign => continue,
            };
            let node = pod.object.text("/spec/nodeName").unwrap_or_default();
            if news.iter().any(|order| order.fault == fault && order.holds_on(node)) {
                pod.killed = Some(KILLED);
            }
        }
        // Those that are done need no memory.
        while self.tampering.try_join_next().is_some() {}
        let tampering: Vec<_> = news.into_iter().filter(tampering::is_wanted).collect();
        if !tampering.is_empty() {
            self.tampering.spawn(tampering::carry_out(self.objects.clone(), tampering));
        }
        self.look_at_all();
    }

    fn wipe(&mut self) {
        self.operator.kill_all();
        self.operator.forget();
        self.daemons.forget_all();
        self.tampering.abort_all();
        self.events.forget();
        self.foreign_addresses.clear();
        for (name, node) in &self.nodes {
            self.daemons.set_address(name, node.address.as_deref().and_then(|text| text.parse().ok()));
        }
        let now = Timestamp::now();
        for pod in self.pods.values_mut() {
            pod.life = pod::take_up(&pod.object, now);
            pod.written = None;
            pod.run = None;
            pod.exited = None;
            pod.killed = None;
            pod.told = None;
        }
        self.look_at_all();
    }

    fn process_ended(&mut self, ended: &ProcessEnded) {
        if !self.operator.has_ended(ended) {
            return;
        }
        let found = self.pods.iter_mut().find(|(_, pod)| pod.object.uid() == ended.pod && pod.run == Some(ended.run));
        if let Some((key, pod)) = found {
            pod.exited = Some(ended.exit_code);
            let key = key.clone();
            self.schedule(&key, Instant::now());
        }
    }

    fn look_at_all(&mut self) {
        self.look_at_those(|_| true);
    }

    fn look_at_pods_on(&mut self, node: &str) {
        self.look_at_those(|pod| pod.object.text("/spec/nodeName") == Some(node));
    }

    fn look_at_pods_of_endpoint(&mut self, name: &str) {
        self.look_at_those(|pod| {
            pod.role == Role::Networked && endpoint_name(pod.object.namespace(), pod.object.name()) == name
        });
    }

    fn look_at_those(&mut self, wanted: impl Fn(&Pod) -> bool) {
        let keys: Vec<_> = self.pods.iter().filter(|(_, pod)| wanted(pod)).map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.schedule(&key, Instant::now());
        }
    }

    fn schedule(&mut self, key: &Key, due: Instant) {
        if let Some(pod) = self.pods.get_mut(key) {
            if let Some(before) = pod.due.replace(due) {
                self.schedule.remove(&(before, key.clone()));
            }
            self.schedule.insert((due, key.clone()));
        }
    }

    fn look_at_due(&mut self) {
        let now = Instant::now();
        while let Some((due, key)) = self.schedule.first().cloned().filter(|(due, _)| *due <= now) {
            self.schedule.remove(&(due, key.clone()));
            if let Some(mut pod) = self.pods.remove(&key) {
                pod.due = None;
                let pause = self.look_at(&key, &mut pod);
                self.pods.insert(key.clone(), pod);
                if let Some(pause) = pause {
                    self.schedule(&key, Instant::now() + pause);
                }
            }
        }
    }

    /// Lets a pod make its moves. Returns after how long to look again.
    fn look_at(&mut self, key: &Key, pod: &mut Pod) -> Option<Duration> {
        let now = Timestamp::now();
        let node_name = pod.object.text("/spec/nodeName").unwrap_or_default().to_owned();
        let host_ip = self.nodes.get(&node_name)?.address.clone()?;
        let ended = self.ending(pod, now).or_else(|| self.cleaning(pod, &node_name));
        let network_address = self.network_address(pod, &node_name);
        let orders = self.faults.orders();
        let around = Surroundings {
            orders: &orders,
            host_ip: &host_ip,
            network_address,
            exited: pod.exited.take(),
            ended,
            killed: pod.killed.take(),
            scale: self.round.as_secs_f64() / 15.0,
        };
        let situation = pod::situation(&pod.object, pod.role, &around);
        let before = pod.life.clone();
        let notices = pod.life.advance(now, &situation, &self.pace);
        self.tell_others(pod, &before, &node_name);
        let news: Vec<Post> = notices
            .iter()
            .map(|notice| self.events.post(&pod.object, status::event_texts(&pod.object, &pod.life, notice), now))
            .collect();
        self.write(key, pod, &host_ip, news);
        let to_the_kill = pod.kill_at.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
        let to_the_kill = to_the_kill.filter(|_| situation.ended.is_none());
        [pod.life.pause(now, &situation, &self.pace), to_the_kill].into_iter().flatten().min()
    }

    /// Ends the containers of a pod that is being deleted. Returns their exit code once they are gone.
    fn ending(&mut self, pod: &mut Pod, now: Timestamp) -> Option<i64> {
        if !pod.object.is_deleting() {
            return None;
        }
        if pod.role != Role::Operator || !self.operator.has_process(pod.object.uid()) {
            return Some(pod.exited.unwrap_or(0));
        }
        self.operator.terminate(pod.object.uid());
        let seconds = pod.object.at("/metadata/deletionGracePeriodSeconds").and_then(Value::as_u64).unwrap_or(30);
        let grace = Duration::from_secs(seconds).mul_f64(self.round.as_secs_f64() / 15.0);
        let kill_at = *pod.kill_at.get_or_insert(now.checked_add(grace).unwrap_or(now));
        (now >= kill_at).then_some(137)
    }

    /// Has a pod that runs clean its node. Returns its exit code.
    fn cleaning(&self, pod: &mut Pod, node: &str) -> Option<i64> {
        if pod.role != Role::CleanUp || !pod.life.is_running() || self.faults.hit(Fault::CleanUpHangs, node) {
            return None;
        }
        let problem = self.faults.hit(Fault::CleanUpFails, node).then_some("the link veth-0a1b2c3d cannot be deleted");
        let problem = problem.or_else(|| pod::unable_to_clean(&pod.object));
        pod.told = Some(match problem {
            Some(problem) => serde_json::json!({"done": [], "problems": [problem]}).to_string(),
            None => self.daemons.clean(node),
        });
        Some(i64::from(problem.is_some()))
    }

    fn write(&mut self, key: &Key, pod: &mut Pod, host_ip: &str, posts: Vec<Post>) {
        let mut status = status::of(&pod.object, &pod.life, host_ip);
        if let Some(told) = pod.told.as_ref().filter(|_| pod.life.is_at_its_end()) {
            status["status"]["containerStatuses"][0]["state"]["terminated"]["message"] = told.as_str().into();
        }
        // A pod that nothing holds is being removed at this moment.
        let leaving = pod.object.is_deleting() && pod.object.finalizers().is_empty();
        let news = !pod.busy && !leaving && pod.written.as_ref() != Some(&status);
        let remove = leaving && !pod.busy && pod.role == Role::Operator && pod.life.is_at_its_end();
        if !news && !remove && posts.is_empty() {
            return;
        }
        pod.busy |= remove;
        let status = news.then(|| {
            pod.busy = true;
            pod.written = Some(status.clone());
            status
        });
        let remove = remove.then(|| pod.object.uid().to_owned());
        let update = Update { key: key.clone(), status, posts, remove };
        let objects = self.objects.clone();
        self.writes.push(Box::pin(update.carry_out(objects)));
    }

    fn written(&mut self, written: &Written) {
        // An Event that overtakes a status must not let the next status overtake it too.
        if written.status
            && let Some(pod) = self.pods.get_mut(&written.key)
        {
            pod.busy = false;
            self.schedule(&written.key, Instant::now());
        }
    }
}
