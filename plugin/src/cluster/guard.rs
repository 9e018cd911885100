//! The layer that every request passes: it counts, names the sender for the audit log, collects the server's
//! warnings, and refuses anything but reads and self-reviews to commands that only look.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::{HeaderValue, Method, Request, Response, header};
use jiff::Timestamp;
use kube::client::Body;
use tower::{BoxError, Layer, Service};

use super::clock::ServerClock;
use super::failure::{ApiFailure, ReadOnlyRefusal};
use crate::machine;

/// What a command may do to a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// GET, HEAD and self-subject reviews only.
    ReadOnly,
    /// Everything.
    ReadWrite,
}

/// What was sent, by whom, and what the server said besides the answers.
#[derive(Debug)]
pub(crate) struct Ledger {
    access: Access,
    command: &'static str,
    phase: Mutex<&'static str>,
    requests: AtomicUsize,
    answered: AtomicBool,
    warnings: Mutex<BTreeSet<String>>,
    unseen: Mutex<Vec<String>>,
    clock: ServerClock,
    clock_differs: AtomicBool,
}

impl Ledger {
    /// A ledger for one run of `command`.
    pub(crate) fn new(command: &'static str, access: Access) -> Self {
        Self {
            access,
            command,
            phase: Mutex::new("start"),
            requests: AtomicUsize::new(0),
            answered: AtomicBool::new(false),
            warnings: Mutex::default(),
            unseen: Mutex::default(),
            clock: ServerClock::default(),
            clock_differs: AtomicBool::new(false),
        }
    }

    /// From now on requests belong to `phase`; it is part of the User-Agent.
    pub(crate) fn enter(&self, phase: &'static str) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    /// `kubectl-mizar/<version> (<os>/<arch>) <command>/<phase>`.
    pub(crate) fn user_agent(&self, phase: Option<&'static str>) -> String {
        let phase = phase.unwrap_or_else(|| *self.phase.lock().unwrap_or_else(PoisonError::into_inner));
        format!(
            "kubectl-mizar/{} ({}/{}) {}/{phase}",
            env!("CARGO_PKG_VERSION"),
            std::env::consts::OS,
            std::env::consts::ARCH,
            self.command
        )
    }

    /// Whether the server has answered anything.
    pub(crate) fn was_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    pub(super) fn note_answer(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }

    /// Requests sent so far.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    pub(super) fn note_retry(&self, failure: &ApiFailure, pause: Duration) {
        tracing::debug!(%failure, ?pause, "trying again");
        self.say(format!("{failure}; trying again in {:.1} s", pause.as_secs_f32()));
    }

    /// The server's warnings and our retries that nobody has been told yet, each once.
    pub(crate) fn take_messages(&self) -> Vec<String> {
        std::mem::take(&mut *self.unseen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn say(&self, message: String) {
        if self.warnings.lock().unwrap_or_else(PoisonError::into_inner).insert(message.clone()) {
            self.unseen.lock().unwrap_or_else(PoisonError::into_inner).push(message);
        }
    }

    fn note_warnings<B>(&self, path: &str, response: &Response<B>) {
        // The server calls core Endpoints old. We ask for them on purpose: old servers and Arktos have nothing newer.
        if path.contains("/endpoints/") || path.ends_with("/endpoints") {
            return;
        }
        for value in response.headers().get_all(header::WARNING) {
            if let Some(text) = value.to_str().ok().and_then(warning_text) {
                self.say(text);
            }
        }
    }

    /// Compares the clocks; a person is told once that they differ.
    fn note_date<B>(&self, response: &Response<B>) {
        let told = self.clock.note(response.headers(), machine::now());
        if let Some(difference) = told.filter(|_| !self.clock_differs.swap(true, Ordering::Relaxed)) {
            self.say(difference);
        }
    }

    /// The time by the server's clock, if it ever told.
    pub(super) fn server_time(&self) -> Option<Timestamp> {
        self.clock.at(machine::now())
    }

    fn refuses(&self, method: &Method, path: &str) -> bool {
        self.access == Access::ReadOnly && !is_read(method, path)
    }
}

/// The text of a `299 - "…"` header.
fn warning_text(value: &str) -> Option<String> {
    let quoted = value.strip_prefix("299 ")?.split_once('"')?.1;
    let text = quoted.rsplit_once('"')?.0;
    Some(text.replace("\\\"", "\"").replace("\\\\", "\\"))
}

fn is_read(method: &Method, path: &str) -> bool {
    const REVIEWS: [&str; 3] = [
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
        "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    ];
    *method == Method::GET || *method == Method::HEAD || (*method == Method::POST && REVIEWS.contains(&path))
}

/// Puts a [`Ledger`] in front of a client.
#[derive(Clone)]
pub(super) struct GuardLayer(pub(super) Arc<Ledger>);

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { inner, ledger: self.0.clone() }
    }
}

/// The service made by [`GuardLayer`].
pub(super) struct Guard<S> {
    inner: S,
    ledger: Arc<Ledger>,
}

impl<S, B> Service<Request<Body>> for Guard<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let ledger = self.ledger.clone();
        if ledger.refuses(request.method(), request.uri().path()) {
            let refusal = ReadOnlyRefusal(format!("{} {}", request.method(), request.uri().path()));
            return Box::pin(async move { Err(refusal.into()) });
        }
        ledger.requests.fetch_add(1, Ordering::Relaxed);
        if !request.headers().contains_key(header::USER_AGENT)
            && let Ok(agent) = HeaderValue::from_str(&ledger.user_agent(None))
        {
            request.headers_mut().insert(header::USER_AGENT, agent);
        }
        let (method, uri, begun) = (request.method().clone(), request.uri().clone(), Instant::now());
        tracing::trace!(%method, %uri, "request");
        let path = request.uri().path().to_owned();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await.map_err(Into::into)?;
            let milliseconds = begun.elapsed().as_millis();
            tracing::debug!(%method, %uri, status = response.status().as_u16(), milliseconds, "answered");
            ledger.note_date(&response);
            ledger.note_warnings(&path, &response);
            Ok(response)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_looking_command_may_read_and_review_itself_and_nothing_else() {
        let ledger = Ledger::new("check", Access::ReadOnly);
        let refused = |method: Method, path: &str| ledger.refuses(&method, path);
        assert!(!refused(Method::GET, "/api/v1/pods"));
        assert!(!refused(Method::POST, "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"));
        assert!(refused(Method::POST, "/apis/authorization.k8s.io/v1/subjectaccessreviews"));
        assert!(refused(Method::POST, "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews/x"));
        assert!(refused(Method::PATCH, "/api/v1/nodes/n1"));
        assert!(refused(Method::DELETE, "/api/v1/namespaces/default/pods/p"));
        assert!(!Ledger::new("install", Access::ReadWrite).refuses(&Method::DELETE, "/api/v1/nodes/n1"));
    }

    #[test]
    fn warnings_are_unquoted() {
        assert_eq!(warning_text(r#"299 - "v1 Endpoints is \"old\"""#).as_deref(), Some(r#"v1 Endpoints is "old""#));
        assert_eq!(warning_text("199 - x"), None);
    }
}
