//! What is known of the operator from outside: its runs, what it was refused, and its log.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::KOPF_AGENT;
use crate::api::RequestError;

const LOG_LINES: usize = 1000;

#[derive(Debug, Default)]
struct Inner {
    generation: u64,
    pod: String,
    running_since: Option<Timestamp>,
    last_exit_code: Option<i64>,
    forbidden: Vec<String>,
    log: VecDeque<String>,
}

/// Shared by the processes, which write it, and the simulator, which shows it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Status(Arc<Mutex<Inner>>);

impl Status {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn started(&self, run: u64, pod: &str) {
        let mut inner = self.inner();
        inner.generation = run;
        pod.clone_into(&mut inner.pod);
        inner.running_since = Some(Timestamp::now());
        drop(inner);
        self.log(format!("process {run} starts in pod {pod}"));
    }

    pub(crate) fn stopped(&self, run: u64, exit_code: i64) {
        let mut inner = self.inner();
        if inner.generation == run {
            inner.running_since = None;
            inner.last_exit_code = Some(exit_code);
        }
        drop(inner);
        self.log(format!("process {run} ended with {exit_code}"));
    }

    pub(crate) fn log(&self, line: impl AsRef<str>) {
        let line = line.as_ref();
        tracing::debug!(target: "mizar_simulator::operator", "{line}");
        let mut inner = self.inner();
        if inner.log.len() == LOG_LINES {
            inner.log.pop_front();
        }
        inner.log.push_back(format!("{} {line}", Timestamp::now()));
    }

    /// Notes a request that failed; one for lack of permission is kept for ever.
    pub(crate) fn failed(&self, error: &RequestError) {
        let line = error.to_string();
        self.log(&line);
        // A post into a namespace that is being deleted is refused to everybody.
        if error.code() == Some(403) && !line.contains("being terminated") {
            self.inner().forbidden.push(line);
        }
    }

    /// Notes a watch that failed; one for lack of permission is kept for ever.
    pub(crate) fn watch_failed(&self, resource: &str, code: Option<u16>, message: &str) {
        let line = format!("watch {resource}: {message}");
        self.log(&line);
        if code == Some(403) {
            self.inner().forbidden.push(line);
        }
    }

    pub(crate) fn forget(&self) {
        let mut inner = self.inner();
        *inner = Inner { generation: inner.generation, ..Inner::default() };
    }

    pub(crate) fn state(&self) -> Value {
        let inner = self.inner();
        json!({
            "generation": inner.generation,
            "pod": inner.pod,
            "runningSince": inner.running_since.map(|time| time.to_string()),
            "lastExitCode": inner.last_exit_code,
            "userAgent": KOPF_AGENT,
            "forbidden": inner.forbidden,
            "log": inner.log,
        })
    }
}
