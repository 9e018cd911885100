//! One run of the operator: watches, and the schedule of who is looked at when.
//!
//! Each object is looked at by one handler at a time; different objects at the same time. What a look means is
//! decided by `bookkeeping` and the handlers, what it writes is carried out by `writer`.

use std::collections::{BTreeMap, BTreeSet};

use futures::{
    StreamExt,
    future::{BoxFuture, ready},
    stream::{self, BoxStream, FuturesUnordered},
};
use jiff::Timestamp;
use tokio::{
    sync::oneshot,
    time::{Instant, sleep, sleep_until},
};

use super::{
    Setting, Source,
    bookkeeping::{self, Cause, Tries},
    handling::{Action, Call, Handled, Handler, Outcome, Purpose, World},
    memory::{Memory, PROVISIONED},
    pace::Pace,
    start_up::{self, StartError, Started},
    tracked::{Tracked, Work},
    writer::{Request, Writer},
};
use crate::{
    Rounds,
    address::Chance,
    api::Watched,
    object::{Key, Kind, Object},
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

/// What is to be done about an object after its writes.
enum Next {
    Rest,
    TryAgain(Instant),
    Never,
}

pub(crate) struct Process {
    writer: Writer,
    setting: Setting,
    host: String,
    pace: Pace,
    source: Source,
    memory: Memory,
    chance: Chance,
    tracked: BTreeMap<Key, Tracked>,
    schedule: BTreeSet<(Instant, Key)>,
    listed: BTreeMap<Kind, BTreeSet<Key>>,
    kinds_seen: BTreeSet<Kind>,
    busy: FuturesUnordered<BoxFuture<'static, (Key, Next)>>,
    spurious_failure_due: bool,
    began: Instant,
    /// A handler hangs, or a thread of its own does not end.
    ignores_sigterm: bool,
}

impl Process {
    pub(crate) fn new(writer: Writer, setting: Setting, host: String) -> Self {
        let rounds = setting.faults.rounds().unwrap_or(setting.pace.rounds);
        let pace = Pace { rounds, ..setting.pace };
        Self {
            writer,
            setting,
            host,
            pace,
            source: Source::Kubernetes,
            memory: Memory::default(),
            chance: Chance::fresh(),
            tracked: BTreeMap::new(),
            schedule: BTreeSet::new(),
            listed: BTreeMap::new(),
            kinds_seen: BTreeSet::new(),
            busy: FuturesUnordered::new(),
            spurious_failure_due: pace.rounds == Rounds::Three,
            began: Instant::now(),
            ignores_sigterm: false,
        }
    }

    /// Runs until it is told to end or fails. Returns the exit code.
    pub(crate) async fn run(mut self, mut terminated: oneshot::Receiver<()>) -> i64 {
        let started = tokio::select! {
            started = async {
                sleep(self.pace.start_up()).await;
                start_up::start(&self.writer, &self.setting.status, &self.host).await
            } => started,
            _ = &mut terminated => return 0,
        };
        match started {
            Ok(Started { source: Source::Unreadable, .. }) => {
                self.setting.status.log("start-up handler failed: KeyError: 'name' in ConfigMap system-source");
                // The end of the channel without a word means that the simulator itself ends.
                terminated.await.ok();
                0
            }
            Ok(Started { source, memory }) => {
                self.memory = memory;
                self.source = source;
                // The thread that serves Arktos' controllers never ends.
                self.ignores_sigterm = source == Source::Arktos;
                self.watch(terminated).await
            }
            Err(error) => {
                if let StartError::Request(error) = &error {
                    self.setting.status.failed(error);
                }
                self.setting.status.log(format!("start-up failed: {error}"));
                1
            }
        }
    }

    async fn watch(mut self, terminated: oneshot::Receiver<()>) -> i64 {
        let mut events = self.events();
        let mut terminated = Some(terminated);
        let mut end: Option<Instant> = None;
        loop {
            let next_look = self.schedule.first().map(|(due, _)| *due);
            tokio::select! {
                Some(event) = events.next() => self.observe(event),
                Some((key, next)) = self.busy.next() => self.rest(&key, &next),
                () = sleep_until(next_look.unwrap_or_else(Instant::now)), if next_look.is_some() => self.look_at_due(),
                () = sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() && !self.ignores_sigterm => return 0,
                () = told(&mut terminated), if terminated.is_some() => {
                    terminated = None;
                    self.setting.status.log("SIGTERM");
                    end = Some(Instant::now() + self.pace.stop());
                }
            }
        }
    }

    /// Returns what the process learns of the cluster: all from its own watches, or in Arktos what is not Mizar's own
    /// from Arktos' controllers. The watches are opened even if nobody looks at them.
    fn events(&self) -> stream::SelectAll<BoxStream<'static, Watched>> {
        let pause = self.pace.round / 10;
        let source = self.source;
        let watches = WATCHED.map(|kind| {
            let events = self.writer.kopf.watch(kind, pause);
            events.filter(move |event| ready(!is_told_by_arktos(source, kind) || event.is_failure())).boxed()
        });
        let mut events = stream::select_all(watches);
        if source == Source::Arktos {
            events.push(self.setting.controllers.calls(pause));
        }
        events
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
                self.setting.status.watch_failed(&kind.resource().plural, code, &message);
            }
        }
    }

    fn gone(&mut self, key: &Key) {
        let Some(mut tracked) = self.tracked.remove(key) else {
            return;
        };
        if let Some(due) = tracked.due {
            self.schedule.remove(&(due, key.clone()));
        }
        // Arktos' controllers call once more when the object is gone; nothing holds it till then.
        if tracked.told
            && let Some(handler) = Handler::of(&tracked.object, Purpose::Delete)
        {
            self.handle(key, &mut tracked, Purpose::Delete, handler);
        }
    }

    fn track(&self, object: Object, first_sight: bool) -> Tracked {
        let told = is_told_by_arktos(self.source, object.kind());
        let handled =
            if told { self.setting.controllers.last_told(&object) } else { bookkeeping::last_handled(&object) };
        Tracked { object, first_sight, due: None, work: Work::Idle, tries: None, handled, released: false, told }
    }

    fn seen(&mut self, object: Object, first_sight: bool) {
        if object.kind() == Kind::CustomResourceDefinition {
            return;
        }
        let key = object.key();
        let mut due = Instant::now() + self.pace.reaction();
        if first_sight && key.kind == Kind::Divider && object.spec("status") == PROVISIONED {
            due += self.pace.divider_resumes();
        }
        let same = self.tracked.get_mut(&key).filter(|tracked| tracked.object.uid() == object.uid());
        let Some(tracked) = same else {
            self.gone(&key);
            let tracked = self.track(object, first_sight);
            self.tracked.insert(key.clone(), tracked);
            self.schedule(&key, due);
            return;
        };
        tracked.object = object;
        if tracked.work != Work::Idle {
            tracked.work = Work::BusyAndChanged;
        } else if !tracked.waits_for_the_same_handler() && tracked.due.is_none_or(|present| due < present) {
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

    /// Returns when another part of the network is tried again, which this one then is too. Vpc and Subnet are both put off
    /// at the start, and how many rounds that costs must not depend on how busy the machine was in between.
    fn in_one_breath(&self, key: &Key) -> Option<Instant> {
        let is_part = |key: &Key| matches!(key.kind, Kind::Vpc | Kind::Subnet);
        let is_put_off = |key: &Key| self.tracked.get(key).is_some_and(|tracked| tracked.tries.is_some());
        let mut others = self.schedule.iter().filter(|(_, other)| other != key && is_part(other) && is_put_off(other));
        others.next().filter(|_| is_part(key)).map(|(due, _)| *due)
    }

    fn look_at_due(&mut self) {
        let now = Instant::now();
        while let Some((due, key)) = self.schedule.first().cloned().filter(|(due, _)| *due <= now) {
            self.schedule.remove(&(due, key.clone()));
            if self.waits_for_droplets(&key) {
                self.schedule(&key, now + self.pace.reaction());
                continue;
            }
            if let Some(mut tracked) = self.tracked.remove(&key) {
                tracked.due = None;
                self.look_at(&key, &mut tracked);
                self.tracked.insert(key, tracked);
            }
        }
    }

    /// Whether the network is to be looked at after the first Droplet, which saves it a round.
    fn waits_for_droplets(&self, key: &Key) -> bool {
        self.pace.rounds == Rounds::One
            && matches!(key.kind, Kind::Vpc | Kind::Subnet)
            && self.memory.droplets.is_empty()
            && self.began.elapsed() < self.pace.round * 3
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
        let last = tracked.tries.take();
        let put_off = last.as_ref().map(|tries| tries.handler);
        let before = last.filter(|tries| tries.handler == handler.name);
        // What an earlier process put off goes on in this one, and its note goes when it is done.
        let before = before.or_else(|| bookkeeping::noted(&tracked.object, handler.name));
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
                self.ignores_sigterm = true;
                self.setting.status.log(format!("{key}: handler '{}' hangs", handler.name));
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
            requests.extend(settle(&tracked.object, purpose, put_off));
            if let (true, Some(essence)) = (tracked.told, &tracked.handled) {
                self.setting.controllers.note(&tracked.object, essence.clone());
            }
        }
        let event_type = if went_well { "Normal" } else { "Error" };
        requests.push(Request::PostEvent(bookkeeping::event(&tracked.object, event_type, &message, now)));
        self.setting.status.log(format!("{key}: {message}"));
        if tracked.told {
            requests.retain(is_written_in_arktos);
        }
        self.begin(key, tracked, requests, next);
    }

    fn call(&mut self, handler: Handler, tracked: &Tracked, now: Timestamp) -> Handled {
        if self.spurious_failure_due && tracked.object.kind() == Kind::Divider {
            self.spurious_failure_due = false;
            return Handled::retry("error: spurious output of transit");
        }
        let (daemons, faults) = (&self.setting.daemons, &self.setting.faults);
        let mut world = World { memory: &mut self.memory, daemons, faults, chance: &mut self.chance, now };
        handler.answer(&mut world, &Call { object: &tracked.object, previous: tracked.handled.as_ref() })
    }

    fn begin(&mut self, key: &Key, tracked: &mut Tracked, requests: Vec<Request>, next: Next) {
        tracked.work = Work::Busy;
        let (writer, status, key) = (self.writer.clone(), self.setting.status.clone(), key.clone());
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
            self.schedule(key, self.in_one_breath(key).unwrap_or(*at));
        }
        if changed && self.tracked.get(key).is_some_and(|tracked| !tracked.waits_for_the_same_handler()) {
            self.schedule(key, Instant::now() + self.pace.reaction());
        }
    }
}

/// Whether the operator learns of a kind from Arktos' controllers instead of its own watches.
fn is_told_by_arktos(source: Source, kind: Kind) -> bool {
    source == Source::Arktos && !Kind::MIZAR.contains(&kind)
}

/// Whether a write about an object that is not Mizar's own is made in Arktos too: kopf's marks are not.
fn is_written_in_arktos(request: &Request) -> bool {
    matches!(request, Request::Act(action) if !matches!(action, Action::AnnotateCoreEndpoints { .. }))
}

/// Returns the writes by which kopf closes a matter.
fn settle(object: &Object, purpose: Purpose, put_off: Option<&str>) -> Vec<Request> {
    if purpose == Purpose::Delete {
        return vec![Request::Merge(bookkeeping::release_patch(object))];
    }
    let record = bookkeeping::finished(object, put_off);
    let status = record.status.map(Request::MergeStatus);
    [Some(Request::Merge(record.object)), status].into_iter().flatten().collect()
}

/// Waits for the request to end; for ever if it was made before.
async fn told(terminated: &mut Option<oneshot::Receiver<()>>) {
    match terminated {
        // The end of the channel without a word means that the simulator itself ends.
        Some(terminated) => drop(terminated.await),
        None => std::future::pending().await,
    }
}
