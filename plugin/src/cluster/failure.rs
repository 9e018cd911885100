//! What went wrong with a request. The only place that looks at kube's errors and at server texts.

use std::time::Duration;

use mizar_core::answer::{Refusal, beginning};

pub(crate) use mizar_core::answer::FieldConflict;
pub(super) use mizar_core::answer::one_line;

use super::admission::Rule;
use super::connect::NoCredential;
use super::tls::TlsTrouble;

/// One request that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot {what}: {cause}")]
pub(crate) struct ApiFailure {
    /// What was tried: "list pods".
    pub what: String,
    /// The address it was sent to.
    pub server: String,
    /// Why it failed.
    pub cause: Cause,
}

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Cause {
    /// No connection could be made.
    #[error("the server cannot be reached ({0})")]
    Unreachable(String),
    /// Nobody listens there.
    #[error("the server cannot be reached (connection refused)")]
    ConnectionRefused,
    /// The server's certificate is not trusted, or ours not accepted.
    #[error("the secure connection failed ({0})")]
    Tls(TlsTrouble),
    /// No credentials could be had for the request.
    #[error("{message}")]
    Credentials {
        /// Why.
        message: String,
        /// What to do, where there is more to say than to look.
        hint: Option<String>,
    },
    /// The connection ended before the answer; the request may have been carried out.
    #[error("the connection was lost before the answer came ({0})")]
    Lost(String),
    /// No answer within the request timeout; the request may have been carried out.
    #[error("no answer within {} s", after.as_secs_f32())]
    TimedOut {
        /// The limit.
        after: Duration,
    },
    /// 401.
    #[error("the server does not accept the credentials")]
    Unauthorized,
    /// 403.
    #[error("{0}")]
    Forbidden(String),
    /// A rule of the cluster does not admit the object: a quota, a policy, a webhook.
    #[error("{message}")]
    NotAdmitted {
        /// The rule.
        rule: Rule,
        /// The server's words.
        message: String,
    },
    /// 404.
    #[error("not found")]
    NotFound,
    /// 409 on create.
    #[error("it exists already")]
    AlreadyExists,
    /// 409: somebody changed the object, or owns fields of it.
    #[error("{message}")]
    Conflict {
        /// The server's words.
        message: String,
        /// Field managers and the fields they own.
        fields: Vec<FieldConflict>,
    },
    /// 422, 400.
    #[error("the server refused it: {0}")]
    Invalid(String),
    /// 415: this server knows no such patch.
    #[error("the server does not know this kind of patch")]
    UnsupportedPatch,
    /// 410: the watch or list position is too old.
    #[error("the position in the list has expired")]
    Expired,
    /// 429 for an eviction: a disruption budget does not allow it now.
    #[error("{0}")]
    Budget(String),
    /// 429, 503, 504 and other signs of an overloaded server.
    #[error("the server is busy (HTTP {status}: {message})")]
    Busy {
        /// The HTTP status.
        status: u16,
        /// The server's words.
        message: String,
        /// When it asks us to come back.
        retry_after: Option<Duration>,
    },
    /// Any other status.
    #[error("the server answered HTTP {status}: {message}")]
    Server {
        /// The HTTP status.
        status: u16,
        /// The server's words.
        message: String,
    },
    /// 3xx: nothing is sent anywhere else, least of all credentials.
    #[error("the server answers HTTP {status} and points to {to}")]
    Redirect {
        /// The HTTP status.
        status: u16,
        /// Where to, without what may be secret in it.
        to: String,
    },
    /// An answer that should be JSON and is none.
    #[error("the answer cannot be read: {0}")]
    Garbled(String),
    /// An answer of a size that no API server gives.
    #[error("the answer is larger than {} MiB", limit >> 20)]
    TooLarge {
        /// What is taken at most.
        limit: usize,
    },
    /// An answer that no API server gives.
    #[error("the answer is not from a Kubernetes API server ({}{start})", status_words(*status))]
    NotKubernetes {
        /// The HTTP status, 0 where there was none.
        status: u16,
        /// How the answer starts, one line.
        start: String,
    },
    /// A write by a command that only reads.
    #[error("{0}")]
    Refused(String),
    /// A request that could not be built.
    #[error("{0}")]
    Broken(String),
}

/// The TLS library's error, which others wrap and none has as its source.
fn tls_in(error: &std::io::Error) -> Option<&rustls::Error> {
    let inner = error.get_ref()?;
    inner.downcast_ref::<rustls::Error>().or_else(|| tls_in(inner.downcast_ref::<std::io::Error>()?))
}

fn status_words(status: u16) -> String {
    if status == 0 { String::new() } else { format!("HTTP {status}: ") }
}

impl ApiFailure {
    /// Says whether the same request may be sent again.
    pub(super) fn may_retry(&self, idempotent: bool) -> bool {
        match &self.cause {
            // The server says that it did not do it.
            Cause::Busy { status: 429, .. } => true,
            Cause::Busy { .. } | Cause::Lost(_) => idempotent,
            _ => false,
        }
    }

    /// When the server asks us to come back.
    pub(super) fn asked_pause(&self) -> Option<Duration> {
        match &self.cause {
            Cause::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Says whether the object is simply not there.
    pub(crate) fn is_not_found(&self) -> bool {
        self.cause == Cause::NotFound
    }
}

/// A write that a looking command tried: a bug of ours, stopped before it left the process.
#[derive(Debug, thiserror::Error)]
#[error("refused {0}: this command only reads")]
pub(crate) struct ReadOnlyRefusal(pub(super) String);

impl Cause {
    pub(super) fn from_kube(error: kube::Error) -> Self {
        match error {
            kube::Error::Service(error) if error.is::<ReadOnlyRefusal>() => Self::Refused(error.to_string()),
            kube::Error::Service(error) if error.is::<NoCredential>() => {
                let hint = error.downcast_ref::<NoCredential>().and_then(NoCredential::hint);
                Self::Credentials { message: one_line(&error.to_string()), hint }
            }
            kube::Error::Api(status) => Self::from_status(status.code, None, &status.message, &status.reason),
            other => Self::from_chain(&other),
        }
    }

    /// Tells a refused connection from a lost one by the chain of sources: hyper has no public kinds for it.
    fn from_chain(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut texts = Vec::new();
        let (mut refused, mut unreachable, mut timed_out) = (false, false, false);
        let mut source = Some(error);
        while let Some(current) = source {
            let text = current.to_string();
            if let Some(io) = current.downcast_ref::<std::io::Error>() {
                use std::io::ErrorKind::{
                    AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkUnreachable, TimedOut,
                };
                refused |= io.kind() == ConnectionRefused;
                unreachable |= matches!(io.kind(), HostUnreachable | NetworkUnreachable | AddrNotAvailable | TimedOut);
                timed_out |= io.kind() == TimedOut;
                if let Some(tls) = tls_in(io) {
                    return Self::Tls(tls.into());
                }
            }
            texts.push(text);
            source = current.source();
        }
        let whole = texts.join(": ");
        let last =
            if timed_out { "no connection in time" } else { texts.last().map_or("unknown reason", String::as_str) };
        let last = one_line(last);
        if refused {
            Self::ConnectionRefused
        } else if NOT_HTTP.iter().any(|sign| whole.contains(sign)) {
            Self::NotKubernetes { status: 0, start: last }
        } else if unreachable
            || ["dns error", "client error (Connect)", "tcp connect error"].iter().any(|sign| whole.contains(sign))
        {
            Self::Unreachable(last)
        } else {
            Self::Lost(last)
        }
    }

    /// What begins like JSON is not shown: it may be a Secret.
    pub(super) fn not_json(status: u16, body: &[u8]) -> Self {
        match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
            None => Self::Garbled(format!("it is empty (HTTP {status})")),
            Some(b'{' | b'[' | b'"') => match serde_json::from_slice::<serde::de::IgnoredAny>(body) {
                Err(error) => Self::Garbled(format!("{error} (HTTP {status})")),
                Ok(_) => Self::Garbled(format!("it is not what was asked for (HTTP {status})")),
            },
            Some(_) => Self::NotKubernetes { status, start: beginning(body) },
        }
    }

    /// A connection that broke while the answer came.
    pub(super) fn lost(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut last = error;
        while let Some(source) = last.source() {
            last = source;
        }
        Self::Lost(one_line(&last.to_string()))
    }

    /// The same when a proxy stood between: it may be its fault.
    pub(super) fn through(self, proxy: &str) -> Self {
        match self {
            Self::ConnectionRefused => Self::Unreachable(format!("connection refused, through the proxy {proxy}")),
            Self::Unreachable(reason) => Self::Unreachable(format!("{reason}, through the proxy {proxy}")),
            Self::Lost(reason) => Self::Lost(format!("{reason}, through the proxy {proxy}")),
            other => other,
        }
    }

    /// The query of an address may hold a secret.
    pub(super) fn redirect(status: u16, to: Option<&str>) -> Self {
        let to = one_line(to.and_then(|to| to.split(['?', '#']).next()).unwrap_or("nowhere"));
        Self::Redirect { status, to }
    }

    pub(super) fn from_answer(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let Some(Refusal { message, reason, conflicts, budget }) = Refusal::read(body) else {
            let text = beginning(body);
            return match status {
                401 => Self::Unauthorized,
                // Arktos and old servers answer an unknown group in plain text.
                404 if text.contains("page not found") => Self::NotFound,
                415 => Self::UnsupportedPatch,
                429 | 503 | 504 => Self::Busy { status, message: text, retry_after },
                _ => Self::NotKubernetes { status, start: text },
            };
        };
        if !conflicts.is_empty() {
            return Self::Conflict { message, fields: conflicts };
        }
        if let Some(budget) = budget {
            return Self::Budget(budget);
        }
        Self::from_status(status, retry_after, &message, &reason)
    }

    fn from_status(status: u16, retry_after: Option<Duration>, message: &str, reason: &str) -> Self {
        let message = one_line(message);
        if let Some(rule) = Rule::of(&message).filter(|_| status != 409 && status != 429) {
            return Self::NotAdmitted { rule, message };
        }
        match (status, reason) {
            (401, _) => Self::Unauthorized,
            (403, _) => Self::Forbidden(message),
            (404, _) => Self::NotFound,
            (409, "AlreadyExists") => Self::AlreadyExists,
            (409, _) => Self::Conflict { message, fields: Vec::new() },
            (410, _) => Self::Expired,
            (415, _) => Self::UnsupportedPatch,
            (400 | 422, _) => Self::Invalid(message),
            (429 | 503 | 504, _) => Self::Busy { status, message, retry_after },
            _ => Self::Server { status, message },
        }
    }
}

/// What hyper says of an answer that is no HTTP; it has no public kinds for it.
const NOT_HTTP: [&str; 4] =
    ["invalid HTTP version", "invalid HTTP status-code", "message head is too large", "invalid HTTP header"];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_field_conflict_names_manager_and_field() {
        let body = json!({"kind": "Status", "code": 409, "reason": "Conflict", "message": "Apply failed with 1 conflict",
            "details": {"causes": [{"reason": "FieldManagerConflict", "message": "conflict with \"kubectl\" using apps/v1", "field": ".spec.replicas"}]}});
        let Cause::Conflict { fields, .. } = Cause::from_answer(409, None, body.to_string().as_bytes()) else {
            panic!("not a conflict")
        };
        assert_eq!(fields, [FieldConflict { manager: "kubectl using apps/v1".into(), field: ".spec.replicas".into() }]);
    }

    #[test]
    fn a_page_of_html_becomes_one_short_line() {
        let page = format!("<html>\n<body>{}</body>", "x".repeat(5000));
        let Cause::NotKubernetes { status: 502, start } = Cause::from_answer(502, None, page.as_bytes()) else {
            panic!("taken for an API server")
        };
        assert!(start.starts_with("<html> <body>") && start.len() < 320);
    }

    #[test]
    fn only_idempotent_requests_are_sent_again_after_a_lost_answer() {
        let lost = ApiFailure { what: "x".into(), server: "s".into(), cause: Cause::Lost("reset".into()) };
        assert!(lost.may_retry(true) && !lost.may_retry(false));
        let busy = Cause::Busy { status: 429, message: String::new(), retry_after: Some(Duration::from_secs(1)) };
        let busy = ApiFailure { what: "x".into(), server: "s".into(), cause: busy };
        assert!(busy.may_retry(false));
        assert_eq!(busy.asked_pause(), Some(Duration::from_secs(1)));
    }
}
