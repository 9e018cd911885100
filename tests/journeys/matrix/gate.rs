//! The manner of the proxy that counts every request and has one fault befall one of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::request::Parts;
use http::{HeaderValue, Response, header};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use tokio::sync::{mpsc, oneshot, watch};

use super::case::Point;
use super::fault::Fault;
use super::request::Request;
use crate::proxy::{Manner, Verdict, status};

/// How long after the first Ctrl-C the second one comes.
const IMPATIENCE: Duration = Duration::from_millis(150);

/// Something that befalls not the request but the servers behind it; told back when it has begun.
pub(crate) struct Outage {
    pub(crate) fault: Fault,
    pub(crate) begun: oneshot::Sender<()>,
}

/// What went through since the gate was set.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    /// Every request of kubectl-mizar, in the order in which they came.
    pub(crate) requests: Vec<Request>,
    /// How many of them came before the fault, and when it began; nothing if its point did not come.
    pub(crate) hit: Option<(usize, Instant)>,
}

/// A handle of the gate: one is the proxy's manner, the other is the runner's.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    program: watch::Sender<Option<i32>>,
    outages: mpsc::UnboundedSender<Outage>,
    stall: Duration,
}

#[derive(Default)]
struct State {
    armed: Option<(Fault, Point)>,
    counts: BTreeMap<String, usize>,
    passed: Passed,
}

impl Gate {
    /// A gate that lets everything pass, and where outages are ordered. A request that stands still does so for `stall`.
    pub(crate) fn new(stall: Duration) -> (Self, mpsc::UnboundedReceiver<Outage>) {
        let (outages, ordered) = mpsc::unbounded_channel();
        let program = watch::Sender::new(None);
        (Self(Arc::new(Inner { state: Mutex::default(), program, outages, stall })), ordered)
    }

    /// From now on counts anew, and waits for the point.
    pub(crate) fn set(&self, armed: Option<(Fault, Point)>) {
        self.0.program.send_replace(None);
        *self.0.state() = State { armed, ..State::default() };
    }

    /// Says which process is meant.
    pub(crate) fn program(&self, id: Option<u32>) {
        self.0.program.send_replace(id.and_then(|id| i32::try_from(id).ok()));
    }

    /// What has passed; from now on nothing befalls anybody.
    pub(crate) fn open(&self) -> Passed {
        std::mem::take(&mut *self.0.state()).passed
    }
}

impl Inner {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends signals to the program, one after the other.
    fn signal(self: &Arc<Self>, signals: &'static [Signal]) -> BoxFuture<'static, ()> {
        let mut program = self.program.subscribe();
        async move {
            let Ok(id) = program.wait_for(Option::is_some).await.map(|id| *id) else { return };
            for (number, signal) in signals.iter().enumerate() {
                if number > 0 {
                    tokio::time::sleep(IMPATIENCE).await;
                }
                // It may have ended by then.
                let _gone = id.map(|id| kill(Pid::from_raw(id), *signal));
            }
        }
        .boxed()
    }

    /// Orders an outage and waits until it has begun.
    fn outage(self: &Arc<Self>, fault: Fault) -> BoxFuture<'static, ()> {
        let outages = self.outages.clone();
        async move {
            let (begun, told) = oneshot::channel();
            // Nobody listens when the run is over.
            if outages.send(Outage { fault, begun }).is_ok() {
                told.await.ok();
            }
        }
        .boxed()
    }

    fn befall(self: &Arc<Self>, fault: Fault) -> Verdict {
        let after = |act, then| Verdict::After(act, Box::new(then));
        match fault {
            Fault::KillBefore => after(self.signal(&[Signal::SIGKILL]), Verdict::Cut),
            Fault::KillAfter => Verdict::ThenLose(self.signal(&[Signal::SIGKILL])),
            Fault::Lost => Verdict::Lose,
            Fault::Reset => Verdict::Cut,
            Fault::TooMany => Verdict::Answer(too_many()),
            Fault::Internal => Verdict::Answer(status(500, "InternalError", "etcdserver: leader changed")),
            Fault::Unavailable => Verdict::Answer(status(503, "ServiceUnavailable", "the server is shutting down")),
            Fault::GatewayTimeout => Verdict::Answer(status(504, "Timeout", "the request did not complete in time")),
            Fault::WatchCut => Verdict::CutShort,
            Fault::WatchGone => Verdict::Answer(status(410, "Expired", "too old resource version")),
            Fault::WatchExpired => Verdict::Answer(expired_event()),
            Fault::WatchSilent => Verdict::Mute,
            Fault::Stall => after(tokio::time::sleep(self.stall).boxed(), Verdict::Forward),
            Fault::ServerRestart | Fault::StoreStopped => after(self.outage(fault), Verdict::Forward),
            Fault::Interrupt => after(self.signal(&[Signal::SIGINT]), Verdict::Forward),
            Fault::InterruptTwice => after(self.signal(&[Signal::SIGINT, Signal::SIGINT]), Verdict::Silence),
            Fault::Stale => {
                let (stop, relief) = (self.signal(&[Signal::SIGSTOP]), self.outage(fault));
                Verdict::ThenLose(stop.then(|()| relief).boxed())
            }
        }
    }
}

/// What flow control sends: plain text, and when to come back.
fn too_many() -> Response<String> {
    let text = "Too many requests, please try again later.\n".to_owned();
    let retry_after = HeaderValue::from_static("1");
    Response::builder().status(429).header(header::RETRY_AFTER, retry_after).body(text).expect("a fixed answer")
}

/// A watch that begins and says that its start has been forgotten.
fn expired_event() -> Response<String> {
    let object = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 410,
        "reason": "Expired", "message": "too old resource version"});
    let event = format!("{}\n", json!({"type": "ERROR", "object": object}));
    Response::builder().header(header::CONTENT_TYPE, "application/json").body(event).expect("a fixed answer")
}

impl Manner for Gate {
    fn receive(&self, parts: &mut Parts) -> Verdict {
        let request = Request::of(parts);
        let mut state = self.0.state();
        let mut count = |key: String| {
            let count = state.counts.entry(key).or_default();
            *count += 1;
            *count
        };
        // Counted apart: a request without a name has the same words for both.
        let (nth_of_kind, nth) = (count(format!("kind {}", request.kind())), count(request.key()));
        let is_met = match &state.armed {
            Some((_, Point::Nth(key, wanted))) => *key == request.key() && *wanted == nth,
            Some((_, Point::FirstOf(kind))) => *kind == request.kind() && nth_of_kind == 1,
            None => false,
        };
        let before = state.passed.requests.len();
        state.passed.requests.push(request);
        match state.armed.take_if(|_| is_met) {
            Some((fault, _)) => {
                state.passed.hit = Some((before, Instant::now()));
                drop(state);
                self.0.befall(fault)
            }
            None => Verdict::Forward,
        }
    }
}
