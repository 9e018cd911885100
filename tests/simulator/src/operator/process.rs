//! One run of the operator: start-up, watches, and the schedule of who is looked at when.
//!
//! Each object is looked at by one handler at a time; different objects at the same time. What a look means is
//! decided by `bookkeeping` and the handlers, what it writes is carried out by `writer`.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::{
    StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream, FuturesUnordered},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::{
    sync::oneshot,
    time::{Instant, sleep, sleep_until},
};

use super::{
    SYSTEM_SOURCE, Source,
    bookkeeping::{self, Cause, Tries},
    handling::{Call, Handled, Handler, Outcome, Purpose, World, create_time},
    memory::{DEFAULT_IP, DEFAULT_PREFIX, DEFAULT_SUBNET, DEFAULT_VNI, DEFAULT_VPC, Memory},
    status::Status,
    writer::{Request, Writer},
};
use crate::{
    Rounds,
    address::Chance,
    api::{Objects, RequestError, Watched},
    daemon::Daemons,
    object::{Key, Kind, Object, fields},
};

/// After so many tries a handler is given up for good.
const MAXIMUM_TRIES: u32 = 240;

const WATCHED: [Kind; 13] = [
    Kind::CustomResourceDefinition,
    Kind::Droplet,
    Kind::Vpc,
    Kind::Divider,
    Kind::Subnet,
    Kind::Bouncer,
    Kind::Endpoint,
    Kind::Node,
    Kind::Pod,
    Kind::Service,
    Kind::Namespace,
    Kind::NetworkPolicy,
    Kind::CoreEndpoints,
];

/// The times of the operator, all in proportion to the round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) round: Duration,
    pub(crate) rounds: Rounds,
}

impl Pace {
    /// From a watch event to the look at the object.
    fn reaction(self) -> Duration {
        (self.round / 100).max(Duration::from_millis(5))
    }

    /// From the start of the process to its first request.
    fn start_up(self) -> Duration {
        self.round / 15
    }

    /// From SIGTERM to the end of an idle process.
    fn stop(self) -> Duration {
        self.round / 5
    }
}

#[derive(Debug, Error)]
enum StartError {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("custom resource definition {0} is missing")]
    DefinitionMissing(String),
    #[error("the cluster is Arktos, which this simulator does not play")]
    Arktos,
}

/// Whether somebody is at work on an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Idle,
    Busy,
    /// The object changed during the work.
    BusyAndChanged,
}

/// One object that the process has seen.
struct Tracked {
    object: Object,
    /// It was there when the process began to watch and has not been handled since.
    first_sight: bool,
    due: Option<Instant>,
    work: Work,
    tries: Option<Tries>,
    /// What was handled of it last. Kept beside the annotation, because an event may still show it without that.
    handled: Option<Value>,
    /// Its finalizer has been taken off.
    released: bool,
}

impl Tracked {
    fn new(object: Object, first_sight: bool) -> Self {
        let handled = bookkeeping::last_handled(&object);
        Self { object, first_sight, due: None, work: Work::Idle, tries: None, handled, released: false }
    }

    fn cause(&self) -> Cause {
        if self.released {
            return Cause::Nothing;
        }
        bookkeeping::cause(&self.object, self.handled.as_ref(), self.first_sight)
    }
}

/// What is to be done about an object after its writes.
enum Next {
    Rest,
    TryAgain(Instant),
    Never,
}

pub(crate) struct Process {
    writer: Writer,
    daemons: Daemons,
    pace: Pace,
    status: Status,
    memory: Memory,
    chance: Chance,
    tracked: BTreeMap<Key, Tracked>,
    schedule: BTreeSet<(Instant, Key)>,
    listed: BTreeMap<Kind, BTreeSet<Key>>,
    kinds_seen: BTreeSet<Kind>,
    busy: FuturesUnordered<BoxFuture<'static, (Key, Next)>>,
    spurious_failure_due: bool,
    stuck: bool,
}

impl Process {
    pub(crate) fn new(writer: Writer, daemons: Daemons, pace: Pace, status: Status) -> Self {
        Self {
            writer,
            daemons,
            pace,
            status,
            memory: Memory::default(),
            chance: Chance::fresh(),
            tracked: BTreeMap::new(),
            schedule: BTreeSet::new(),
            listed: BTreeMap::new(),
            kinds_seen: BTreeSet::new(),
            busy: FuturesUnordered::new(),
            spurious_failure_due: pace.rounds == Rounds::Three,
            stuck: false,
        }
    }

    /// Runs until it is told to end or fails. Returns the exit code.
    pub(crate) async fn run(mut self, mut terminated: oneshot::Receiver<()>) -> i64 {
        let started = tokio::select! {
            started = self.start() => started,
            _ = &mut terminated => return 0,
        };
        match started {
            Ok(Source::Unreadable) => {
                self.status.log("start-up handler failed: KeyError: 'name' in ConfigMap system-source");
                // The end of the channel without a word means that the simulator itself ends.
                terminated.await.ok();
                0
            }
            Ok(_) => self.watch(terminated).await,
            Err(error) => {
                if let StartError::Request(error) = &error {
                    self.status.failed(error);
                }
                self.status.log(format!("start-up failed: {error}"));
                1
            }
        }
    }

    async fn start(&mut self) -> Result<Source, StartError> {
        sleep(self.pace.start_up()).await;
        let (namespace, name) = SYSTEM_SOURCE;
        let config_map = self.writer.mizar.get(&Key::namespaced(Kind::ConfigMap, namespace, name)).await?;
        match Source::of(config_map.as_ref()) {
            Source::Kubernetes => {}
            Source::Unreadable => return Ok(Source::Unreadable),
            Source::Arktos => return Err(StartError::Arktos),
        }
        // In the order of Mizar's loader, which lists droplets where it means bouncers.
        let mut objects = Vec::new();
        for kind in [Kind::Droplet, Kind::Divider, Kind::Vpc, Kind::Droplet, Kind::Subnet, Kind::Endpoint] {
            objects.extend(list(&self.writer.mizar, kind).await?);
        }
        let definitions = self.writer.kopf.list(Kind::CustomResourceDefinition).await?;
        for kind in Kind::MIZAR {
            let name = kind.definition_name();
            if !definitions.iter().any(|definition| definition.name() == name) {
                return Err(StartError::DefinitionMissing(name));
            }
        }
        self.memory = Memory::load(&objects);
        for kind in self.memory.add_built_in_network() {
            let (name, spec) = built_in(kind);
            self.writer.create(kind, name, &spec).await?;
        }
        self.status.log("started; watching");
        Ok(Source::Kubernetes)
    }

    async fn watch(mut self, terminated: oneshot::Receiver<()>) -> i64 {
        let pause = self.pace.round / 10;
        let mut events: stream::SelectAll<BoxStream<'static, Watched>> =
            stream::select_all(WATCHED.map(|kind| self.writer.kopf.watch(kind, pause)));
        let mut terminated = Some(terminated);
        let mut end: Option<Instant> = None;
        loop {
            let next_look = self.schedule.first().map(|(due, _)| *due);
            tokio::select! {
                Some(event) = events.next() => self.observe(event),
                Some((key, next)) = self.busy.next() => self.rest(&key, &next),
                () = sleep_until(next_look.unwrap_or_else(Instant::now)), if next_look.is_some() => self.look_at_due(),
                () = sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() && !self.stuck => return 0,
                () = told(&mut terminated), if terminated.is_some() => {
                    terminated = None;
                    self.status.log("SIGTERM");
                    end = Some(Instant::now() + self.pace.stop());
                }
            }
        }
    }

    fn observe(&mut self, event: Watched) {
        match event {
            Watched::ListBegan(kind) => {
                self.listed.insert(kind, BTreeSet::new());
            }
            Watched::Listed(object) => {
                self.listed.entry(object.kind()).or_default().insert(object.key());
                let first_sight = !self.kinds_seen.contains(&object.kind());
                self.seen(object, first_sight);
            }
            Watched::ListEnded(kind) => {
                self.kinds_seen.insert(kind);
                let listed = self.listed.remove(&kind).unwrap_or_default();
                let gone: Vec<_> =
                    self.tracked.keys().filter(|key| key.kind == kind && !listed.contains(*key)).cloned().collect();
                for key in gone {
                    self.gone(&key);
                }
            }
            Watched::Changed(object) => self.seen(object, false),
            Watched::Gone(object) => self.gone(&object.key()),
            Watched::Failed { kind, code, message } => {
                self.status.watch_failed(&kind.resource().plural, code, &message);
            }
        }
    }

    fn gone(&mut self, key: &Key) {
        if let Some(tracked) = self.tracked.remove(key)
            && let Some(due) = tracked.due
        {
            self.schedule.remove(&(due, key.clone()));
        }
    }

    fn seen(&mut self, object: Object, first_sight: bool) {
        if object.kind() == Kind::CustomResourceDefinition {
            return;
        }
        let key = object.key();
        let mut due = Instant::now() + self.pace.reaction();
        // Droplets first: then the network is there one round earlier.
        if first_sight && self.pace.rounds == Rounds::One && matches!(key.kind, Kind::Vpc | Kind::Subnet) {
            due += self.pace.reaction() * 12;
        }
        let same = self.tracked.get_mut(&key).filter(|tracked| tracked.object.uid() == object.uid());
        let Some(tracked) = same else {
            self.gone(&key);
            self.tracked.insert(key.clone(), Tracked::new(object, first_sight));
            self.schedule(&key, due);
            return;
        };
        tracked.object = object;
        if tracked.work != Work::Idle {
            tracked.work = Work::BusyAndChanged;
        } else if !is_waiting_for_the_same_handler(tracked) && tracked.due.is_none_or(|present| due < present) {
            self.schedule(&key, due);
        }
    }

    fn schedule(&mut self, key: &Key, due: Instant) {
        if let Some(tracked) = self.tracked.get_mut(key) {
            if let Some(before) = tracked.due.replace(due) {
                self.schedule.remove(&(before, key.clone()));
            }
            self.schedule.insert((due, key.clone()));
        }
    }

    fn look_at_due(&mut self) {
        let now = Instant::now();
        while let Some((due, key)) = self.schedule.first().cloned().filter(|(due, _)| *due <= now) {
            self.schedule.remove(&(due, key.clone()));
            if let Some(mut tracked) = self.tracked.remove(&key) {
                tracked.due = None;
                self.look_at(&key, &mut tracked);
                self.tracked.insert(key, tracked);
            }
        }
    }

    fn look_at(&mut self, key: &Key, tracked: &mut Tracked) {
        match tracked.cause() {
            Cause::Nothing => {}
            Cause::Finalizer => {
                let patch = Request::Merge(bookkeeping::finalizer_patch(&tracked.object));
                self.begin(key, tracked, vec![patch], Next::Rest);
            }
            Cause::Handle(purpose) => match Handler::of(&tracked.object, purpose) {
                Some(handler) => self.handle(key, tracked, purpose, handler),
                None => tracked.first_sight = false,
            },
        }
    }

    fn handle(&mut self, key: &Key, tracked: &mut Tracked, purpose: Purpose, handler: Handler) {
        let now = Timestamp::now();
        let failed_at = Instant::now();
        let before = tracked.tries.take().filter(|tries| tries.handler == handler.name);
        let mut requests = Vec::new();
        if before.is_some() {
            requests.push(Request::Merge(bookkeeping::touch(now)));
        }
        let count = before.as_ref().map_or(0, |tries| tries.count) + 1;
        let started = before.as_ref().map_or(now, |tries| tries.started);
        let mut answer = self.call(handler, tracked, now);
        if let Outcome::Retry(message) = &answer.outcome
            && count >= MAXIMUM_TRIES
        {
            answer.outcome = Outcome::Fail(format!("given up after {count} tries: {message}"));
        }
        requests.extend(answer.actions.into_iter().map(Request::Act));
        let (message, next) = match answer.outcome {
            Outcome::Done => (format!("Handler '{}' succeeded.", handler.name), Next::Rest),
            Outcome::Fail(message) => (format!("Handler '{}' failed permanently: {message}", handler.name), Next::Rest),
            Outcome::Hang => {
                self.stuck = true;
                self.status.log(format!("{key}: handler '{}' hangs", handler.name));
                self.begin(key, tracked, requests, Next::Never);
                return;
            }
            Outcome::Retry(message) => {
                let tries = Tries { handler: handler.name, started, count };
                let until = now.checked_add(self.pace.round).unwrap_or(now);
                let record = bookkeeping::put_off(key.kind, &tries, purpose, until, &message);
                requests.push(Request::Merge(record.object));
                requests.extend(record.status.map(Request::MergeStatus));
                tracked.tries = Some(tries);
                let message = format!("Handler '{}' failed temporarily: {message}", handler.name);
                (message, Next::TryAgain(failed_at + self.pace.round))
            }
        };
        let went_well = message.ends_with("succeeded.");
        if matches!(next, Next::Rest) {
            tracked.first_sight = false;
            tracked.released = purpose == Purpose::Delete;
            tracked.handled = Some(bookkeeping::essence(&tracked.object));
            requests.extend(settle(&tracked.object, purpose, before.as_ref()));
        }
        let event_type = if went_well { "Normal" } else { "Error" };
        requests.push(Request::PostEvent(bookkeeping::event(&tracked.object, event_type, &message, now)));
        self.status.log(format!("{key}: {message}"));
        self.begin(key, tracked, requests, next);
    }

    fn call(&mut self, handler: Handler, tracked: &Tracked, now: Timestamp) -> Handled {
        if self.spurious_failure_due && tracked.object.kind() == Kind::Divider {
            self.spurious_failure_due = false;
            return Handled::retry("error: spurious output of transit");
        }
        let mut world = World { memory: &mut self.memory, daemons: &self.daemons, chance: &mut self.chance, now };
        (handler.run)(&mut world, &Call { object: &tracked.object, previous: tracked.handled.as_ref() })
    }

    fn begin(&mut self, key: &Key, tracked: &mut Tracked, requests: Vec<Request>, next: Next) {
        tracked.work = Work::Busy;
        let (writer, status, key) = (self.writer.clone(), self.status.clone(), key.clone());
        self.busy.push(Box::pin(async move {
            writer.carry_out(&key, requests, &status).await;
            (key, next)
        }));
    }

    fn rest(&mut self, key: &Key, next: &Next) {
        if matches!(next, Next::Never) {
            return;
        }
        let Some(tracked) = self.tracked.get_mut(key) else {
            return;
        };
        let changed = std::mem::replace(&mut tracked.work, Work::Idle) == Work::BusyAndChanged;
        if let Next::TryAgain(at) = next {
            self.schedule(key, *at);
        }
        if changed && self.tracked.get(key).is_some_and(|tracked| !is_waiting_for_the_same_handler(tracked)) {
            self.schedule(key, Instant::now() + self.pace.reaction());
        }
    }
}

async fn list(objects: &Objects, kind: Kind) -> Result<Vec<Object>, StartError> {
    match objects.list(kind).await {
        Err(error) if error.code() == Some(404) => Err(StartError::DefinitionMissing(kind.definition_name())),
        other => Ok(other?),
    }
}

/// Whether a retry is pending that a change of the object does not bring forward.
fn is_waiting_for_the_same_handler(tracked: &Tracked) -> bool {
    let (Some(tries), Some(_)) = (&tracked.tries, tracked.due) else {
        return false;
    };
    match tracked.cause() {
        Cause::Handle(purpose) => {
            Handler::of(&tracked.object, purpose).is_some_and(|handler| handler.name == tries.handler)
        }
        Cause::Finalizer | Cause::Nothing => false,
    }
}

/// Returns the writes by which kopf closes a matter.
fn settle(object: &Object, purpose: Purpose, tries: Option<&Tries>) -> Vec<Request> {
    if purpose == Purpose::Delete {
        return vec![Request::Merge(bookkeeping::release_patch(object))];
    }
    let record = bookkeeping::finished(object, tries);
    let status = record.status.map(Request::MergeStatus);
    [Some(Request::Merge(record.object)), status].into_iter().flatten().collect()
}

/// Returns name and specification of the network that the operator makes by itself.
fn built_in(kind: Kind) -> (&'static str, Value) {
    let now = create_time(Timestamp::now());
    if kind == Kind::Vpc {
        let spec = fields([
            ("createtime", now),
            ("dividers", json!(1)),
            ("ip", json!(DEFAULT_IP)),
            ("prefix", json!(DEFAULT_PREFIX)),
            ("status", json!("Init")),
            ("vni", json!(DEFAULT_VNI)),
        ]);
        return (DEFAULT_VPC, spec);
    }
    let spec = fields([
        ("bouncers", json!(1)),
        ("createtime", now),
        ("ip", json!(DEFAULT_IP)),
        ("prefix", json!(DEFAULT_PREFIX)),
        ("status", json!("Init")),
        ("vni", json!(DEFAULT_VNI)),
        ("vpc", json!(DEFAULT_VPC)),
    ]);
    (DEFAULT_SUBNET, spec)
}

/// Waits for the request to end; for ever if it was made before.
async fn told(terminated: &mut Option<oneshot::Receiver<()>>) {
    match terminated {
        // The end of the channel without a word means that the simulator itself ends.
        Some(terminated) => drop(terminated.await),
        None => std::future::pending().await,
    }
}
