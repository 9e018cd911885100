//! Requests to the API server, each with a deadline, and watches that come back after any failure.
//!
//! What is asked and what an answer means is decided by the callers.

use std::time::Duration;

use futures::{Stream, StreamExt, stream::BoxStream};
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions},
    runtime::{WatchStreamExt, utils::Backoff, watcher},
};
use serde_json::Value;
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout};

use crate::object::{Key, Kind, Object};

const DEADLINE: Duration = Duration::from_secs(10);
const BUSY_PAUSE: Duration = Duration::from_millis(250);

/// A request that did not succeed.
#[derive(Debug, Error)]
pub(crate) enum RequestError {
    #[error("{verb} {what} was refused with {code}: {message}")]
    Refused { verb: &'static str, what: String, code: u16, message: String, names_object: bool },
    #[error("{verb} {what} got no answer within {} s", DEADLINE.as_secs())]
    TimedOut { verb: &'static str, what: String },
    #[error("{verb} {what} failed")]
    Failed { verb: &'static str, what: String, source: Box<kube::Error> },
}

impl RequestError {
    pub(crate) fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::TimedOut { .. } | Self::Failed { .. } => None,
        }
    }

    /// Whether nobody has answered who knows the object and who asks. A server that has just been started knows neither roles
    /// nor custom resources for a moment, and says so by 401 and 403 as by 404 and 503.
    pub(crate) fn is_unanswered(&self) -> bool {
        match self {
            Self::Refused { code: 401 | 500.., .. } | Self::TimedOut { .. } | Self::Failed { .. } => true,
            // A post into a namespace that is being deleted is refused to everybody.
            Self::Refused { code: 403, message, .. } => !message.contains("being terminated"),
            Self::Refused { code, names_object, .. } => *code == 404 && !names_object,
        }
    }
}

/// Requests under one identity.
#[derive(Clone)]
pub(crate) struct Objects {
    client: Client,
}

impl Objects {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    fn api(&self, kind: Kind, namespace: Option<&str>) -> Api<DynamicObject> {
        let resource = kind.resource();
        match namespace.filter(|_| kind.is_namespaced()) {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }

    /// Reads one object; `None` if there is no such object.
    pub(crate) async fn get(&self, key: &Key) -> Result<Option<Object>, RequestError> {
        let api = self.api(key.kind, key.namespace.as_deref());
        let found = within("get", key.to_string(), || api.get_opt(&key.name)).await?;
        Ok(found.map(|object| Object::from_dynamic(key.kind, &object)))
    }

    pub(crate) async fn list(&self, kind: Kind) -> Result<Vec<Object>, RequestError> {
        let api = self.api(kind, None);
        let parameters = kube::api::ListParams::default();
        let found = within("list", kind.resource().plural, || api.list(&parameters)).await?;
        Ok(found.items.iter().map(|object| Object::from_dynamic(kind, object)).collect())
    }

    pub(crate) async fn create(&self, key: &Key, body: &Value) -> Result<(), RequestError> {
        let api = self.api(key.kind, key.namespace.as_deref());
        let object: DynamicObject = serde_json::from_value(body.clone()).map_err(|error| RequestError::Failed {
            verb: "create",
            what: key.to_string(),
            source: Box::new(kube::Error::SerdeError(error)),
        })?;
        let parameters = PostParams::default();
        within("create", key.to_string(), || api.create(&parameters, &object)).await.map(drop)
    }

    pub(crate) async fn merge(&self, key: &Key, patch: &Value) -> Result<(), RequestError> {
        let api = self.api(key.kind, key.namespace.as_deref());
        let parameters = PatchParams::default();
        let patch = Patch::Merge(patch);
        within("patch", key.to_string(), || api.patch(&key.name, &parameters, &patch)).await.map(drop)
    }

    pub(crate) async fn merge_status(&self, key: &Key, patch: &Value) -> Result<(), RequestError> {
        let api = self.api(key.kind, key.namespace.as_deref());
        let parameters = PatchParams::default();
        let patch = Patch::Merge(patch);
        within("patch status of", key.to_string(), || api.patch_status(&key.name, &parameters, &patch)).await.map(drop)
    }

    pub(crate) async fn delete(&self, key: &Key) -> Result<(), RequestError> {
        let api = self.api(key.kind, key.namespace.as_deref());
        let parameters = DeleteParams::default();
        within("delete", key.to_string(), || api.delete(&key.name, &parameters)).await.map(drop)
    }

    /// Removes an object at once, without the time that its deletion may take; not one of the same name that came later.
    pub(crate) async fn remove(&self, key: &Key, uid: &str) -> Result<(), RequestError> {
        let api = self.api(key.kind, key.namespace.as_deref());
        let preconditions = Preconditions { uid: Some(uid.to_owned()), ..Preconditions::default() };
        let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() }.grace_period(0);
        match within("remove", key.to_string(), || api.delete(&key.name, &parameters)).await {
            // Another one has its name: this one is gone.
            Err(error) if error.code() == Some(409) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Watches all objects of a kind, for ever: a broken or refused watch is reported and tried again after `pause`.
    pub(crate) fn watch(&self, kind: Kind, pause: Duration) -> BoxStream<'static, Watched> {
        let events = watcher(self.api(kind, None), watcher::Config::default()).backoff(Steady(pause));
        to_watched(kind, events).boxed()
    }
}

/// What a watch tells.
#[derive(Debug)]
pub(crate) enum Watched {
    /// A list begins; objects it does not name are gone when it ends.
    ListBegan(Kind),
    /// The object is part of a list.
    Listed(Object),
    ListEnded(Kind),
    Changed(Object),
    Gone(Object),
    Failed {
        kind: Kind,
        code: Option<u16>,
        message: String,
    },
}

impl Watched {
    pub(crate) fn is_failure(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }
}

fn to_watched(
    kind: Kind,
    events: impl Stream<Item = watcher::Result<watcher::Event<DynamicObject>>>,
) -> impl Stream<Item = Watched> {
    events.map(move |event| match event {
        Ok(watcher::Event::Init) => Watched::ListBegan(kind),
        Ok(watcher::Event::InitApply(object)) => Watched::Listed(Object::from_dynamic(kind, &object)),
        Ok(watcher::Event::InitDone) => Watched::ListEnded(kind),
        Ok(watcher::Event::Apply(object)) => Watched::Changed(Object::from_dynamic(kind, &object)),
        Ok(watcher::Event::Delete(object)) => Watched::Gone(Object::from_dynamic(kind, &object)),
        Err(error) => Watched::Failed { kind, code: watch_failure_code(&error), message: error.to_string() },
    })
}

fn watch_failure_code(error: &watcher::Error) -> Option<u16> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => Some(status.code),
        watcher::Error::InitialListFailed(_)
        | watcher::Error::WatchStartFailed(_)
        | watcher::Error::WatchFailed(_)
        | watcher::Error::NoResourceVersion => None,
    }
}

/// Tries again after the same pause each time: a test bed should notice at once that a definition has come.
struct Steady(Duration);

impl Iterator for Steady {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.0)
    }
}

impl Backoff for Steady {
    fn reset(&mut self) {}
}

/// Makes a request until it is answered with something else than "too many": a new definition's storage starts so.
async fn within<T, F: Future<Output = kube::Result<T>>>(
    verb: &'static str,
    what: impl Into<String>,
    mut request: impl FnMut() -> F,
) -> Result<T, RequestError> {
    let what = what.into();
    let answered = async {
        loop {
            match request().await {
                Err(kube::Error::Api(status)) if status.code == 429 => sleep(BUSY_PAUSE).await,
                other => return other,
            }
        }
    };
    match timeout(DEADLINE, answered).await {
        Err(_) => Err(RequestError::TimedOut { verb, what }),
        Ok(Err(kube::Error::Api(status))) => {
            let names_object = status.details.as_ref().is_some_and(|details| !details.name.is_empty());
            Err(RequestError::Refused { verb, what, code: status.code, message: status.message.clone(), names_object })
        }
        Ok(Err(source)) => Err(RequestError::Failed { verb, what, source: Box::new(source) }),
        Ok(Ok(answer)) => Ok(answer),
    }
}

/// How long a write is repeated while nobody answers: kubelets and kopf's client do so with growing pauses, and Mizar without
/// end. An API server that is started anew is back by then.
const PATIENCE: Duration = Duration::from_secs(60);

/// Before a write is repeated.
const PAUSE: Duration = Duration::from_millis(200);

/// Makes a request again and again while nobody answers it. Each time is told.
pub(crate) async fn outlasting<T, F: Future<Output = Result<T, RequestError>>>(
    mut request: impl FnMut() -> F,
    unanswered: impl Fn(&RequestError),
) -> Result<T, RequestError> {
    let begun = Instant::now();
    loop {
        match request().await {
            Err(error) if error.is_unanswered() && begun.elapsed() < PATIENCE => {
                unanswered(&error);
                sleep(PAUSE).await;
            }
            other => return other,
        }
    }
}
