//! The one way to an API server: connecting, reading, writing and watching objects as JSON.
//!
//! Only this folder knows kube and HTTP. It carries out what others decide: which object, which page size, which
//! deadline. Everything that goes over the wire passes [`guard`], which counts, attributes and, for commands that
//! only look, refuses writes.

pub(crate) mod admission;
mod clock;
pub(crate) mod connect;
pub(crate) mod failure;
pub(crate) mod feed;
pub(crate) mod guard;
pub(crate) mod path;
pub(crate) mod read;
pub(crate) mod review;
pub(crate) mod tls;
pub(crate) mod watch;
pub(crate) mod write;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use kube::client::Body;
use mizar_core::timing::Timing;
use serde_json::Value;

use crate::machine;
pub(crate) use failure::{ApiFailure, Cause};
pub(crate) use guard::{Access, Ledger};
pub(crate) use tls::TlsTrouble;

const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json";

/// A connection to one API server, cheap to clone.
#[derive(Clone)]
pub(crate) struct Cluster {
    client: kube::Client,
    ledger: Arc<Ledger>,
    server: String,
    /// What stands between us and the server, as it is shown.
    proxy: Option<String>,
    timing: Timing,
}

/// No object is larger, nor any answer that is no list: etcd takes none.
const ANSWER_LIMIT: usize = 32 << 20;
/// Nor any page of a list.
pub(crate) const PAGE_LIMIT: usize = 256 << 20;
/// What a failure has to say fits in here.
const FAILURE_LIMIT: usize = 1 << 20;

/// One request, before it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The HTTP method.
    pub method: Method,
    /// Path and query, starting with `/`.
    pub uri: String,
    /// What the request is about, for error texts: "list pods", "apply DaemonSet mizar-system/mizar-daemon".
    pub what: String,
    /// Content type and body.
    pub body: Option<(&'static str, Vec<u8>)>,
    /// Says that sending it twice does no more than sending it once, so a lost answer may be tried again.
    pub idempotent: bool,
    /// Asks for names, labels and annotations only.
    pub metadata_only: bool,
    /// A phase of its own for the audit log (lease renewals), otherwise the ledger's.
    pub phase: Option<&'static str>,
    /// About how many bytes the answer will have, where that is known: its memory is then taken at once.
    pub expected: usize,
    /// How many bytes of it are taken at most.
    pub limit: usize,
}

impl Call {
    /// A GET.
    pub(crate) fn get(uri: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            uri: uri.into(),
            what: what.into(),
            body: None,
            idempotent: true,
            metadata_only: false,
            phase: None,
            expected: 0,
            limit: ANSWER_LIMIT,
        }
    }

    /// A request with a JSON body.
    pub(crate) fn with_json(
        method: Method,
        uri: impl Into<String>,
        what: impl Into<String>,
        content_type: &'static str,
        body: &Value,
    ) -> Self {
        let bytes = serde_json::to_vec(body).expect("a JSON value always serialises");
        Self {
            method,
            uri: uri.into(),
            what: what.into(),
            body: Some((content_type, bytes)),
            idempotent: false,
            metadata_only: false,
            phase: None,
            expected: 0,
            limit: ANSWER_LIMIT,
        }
    }
}

impl Cluster {
    pub(crate) fn new(
        client: kube::Client,
        ledger: Arc<Ledger>,
        server: String,
        proxy: Option<String>,
        timing: Timing,
    ) -> Self {
        Self { client, ledger, server, proxy, timing }
    }

    /// The address of the API server.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// What was sent so far, and under which name.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The time by the server's clock; ours until it has answered.
    pub(crate) fn now(&self) -> Timestamp {
        self.server_time().unwrap_or_else(machine::now)
    }

    /// The time by the server's clock, if it ever told.
    pub(crate) fn server_time(&self) -> Option<Timestamp> {
        self.ledger.server_time()
    }

    /// Every duration of the product.
    pub(crate) fn timing(&self) -> &Timing {
        &self.timing
    }

    pub(crate) fn client(&self) -> kube::Client {
        self.client.clone()
    }

    /// Sends one request and returns its JSON answer.
    ///
    /// Bounded by the request timeout. Answers that ask for patience (429, 503, 504) and, for idempotent requests, lost
    /// connections are tried again for a short time, and the person is told.
    pub(crate) async fn send(&self, call: &Call) -> Result<Value, ApiFailure> {
        Ok(self.send_for_status(call).await?.1)
    }

    /// As [`Cluster::send`], with the status code: 201 says that the request made the object.
    pub(crate) async fn send_for_status(&self, call: &Call) -> Result<(u16, Value), ApiFailure> {
        let (status, bytes) = self.send_for_bytes(call).await?;
        let value = serde_json::from_slice(&bytes).map_err(|_| self.failure(call, Cause::not_json(status, &bytes)))?;
        Ok((status, value))
    }

    /// As [`Cluster::send_for_status`], with the answer as it came.
    pub(crate) async fn send_for_bytes(&self, call: &Call) -> Result<(u16, Vec<u8>), ApiFailure> {
        let begun = tokio::time::Instant::now();
        let mut attempt = 0;
        loop {
            let failure = match self.send_once(call).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let pause = failure.asked_pause().unwrap_or_else(|| self.timing.retry_pause_before(attempt));
            // A server that answered before is being restarted; nothing was sent to it.
            let restarting =
                matches!(failure.cause, Cause::Unreachable(_) | Cause::ConnectionRefused) && self.ledger.was_answered();
            if !(restarting || failure.may_retry(call.idempotent)) || begun.elapsed() + pause > self.patience() {
                return Err(failure);
            }
            self.ledger.note_retry(&failure, pause);
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    /// For how long a request is tried again.
    fn patience(&self) -> Duration {
        let patience = self.timing.retry_for;
        if self.ledger.was_answered() { patience } else { patience.min(self.timing.first_answer) }
    }

    async fn send_once(&self, call: &Call) -> Result<(u16, Vec<u8>), ApiFailure> {
        // A server that never answered is not waited for as long as one that is only slow at times.
        let first = !self.ledger.was_answered();
        let limit = if first { self.timing.request.min(self.timing.first_answer) } else { self.timing.request };
        match tokio::time::timeout(limit, self.exchange(call)).await {
            Ok(answer) => answer,
            Err(_) => Err(self.failure(call, Cause::TimedOut { after: limit })),
        }
    }

    async fn exchange(&self, call: &Call) -> Result<(u16, Vec<u8>), ApiFailure> {
        let (status, mut body) = self.open(call).await?;
        let mut bytes = Vec::with_capacity(call.expected);
        while let Some(data) = self.piece(call, &mut body).await? {
            if bytes.len() + data.len() > call.limit {
                return Err(self.failure(call, Cause::TooLarge { limit: call.limit }));
            }
            bytes.extend_from_slice(&data);
        }
        Ok((status, bytes))
    }

    /// Sends a request; returns its answer, of which nothing is read yet, if it is a success.
    async fn open(&self, call: &Call) -> Result<(u16, Body), ApiFailure> {
        let mut request = Request::builder().method(call.method.clone()).uri(&call.uri);
        let accept = if call.metadata_only { METADATA_LIST } else { "application/json" };
        request = request.header(header::ACCEPT, accept);
        if let Some((content_type, _)) = &call.body {
            request = request.header(header::CONTENT_TYPE, *content_type);
        }
        if let Some(phase) = call.phase {
            request = request.header(header::USER_AGENT, self.ledger.user_agent(Some(phase)));
        }
        let body = call.body.as_ref().map_or_else(Body::empty, |(_, bytes)| Body::from(bytes.clone()));
        let request = request.body(body).map_err(|error| self.failure(call, Cause::Broken(error.to_string())))?;
        let response = self.client.send(request).await.map_err(|error| self.failure(call, Cause::from_kube(error)))?;
        self.ledger.note_answer();
        let (parts, mut body) = response.into_parts();
        let status = parts.status.as_u16();
        if parts.status.is_success() {
            return Ok((status, body));
        }
        let mut bytes = Vec::new();
        while let Some(data) = self.piece(call, &mut body).await? {
            if bytes.len() + data.len() > FAILURE_LIMIT {
                break;
            }
            bytes.extend_from_slice(&data);
        }
        if parts.status.is_redirection() {
            let to = parts.headers.get(header::LOCATION).and_then(|to| to.to_str().ok());
            return Err(self.failure(call, Cause::redirect(status, to)));
        }
        let retry_after = parts
            .headers
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.parse().ok())
            .map(Duration::from_secs);
        Err(self.failure(call, Cause::from_answer(status, retry_after, &bytes)))
    }

    /// The next piece of an answer; nothing at its end.
    async fn piece(&self, call: &Call, body: &mut Body) -> Result<Option<Bytes>, ApiFailure> {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| self.failure(call, Cause::lost(&error)))?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    fn failure(&self, call: &Call, cause: Cause) -> ApiFailure {
        let cause = match &self.proxy {
            Some(proxy) => cause.through(proxy),
            None => cause,
        };
        ApiFailure { what: call.what.clone(), server: self.server.clone(), cause }
    }
}
