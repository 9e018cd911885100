//! Following a collection: what is there now, and a nudge whenever it changes.
//!
//! A [`Watched`] reconnects with backoff for ever; the deadline belongs to whoever waits on it.

use std::collections::BTreeMap;

use futures::stream::{BoxStream, StreamExt as _};
use kube::Api;
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::{WatchStreamExt as _, watcher};
use mizar_core::kind::KindInfo;
use serde_json::Value;

use super::Cluster;

/// A live copy of a collection, as small as `keep` makes each object.
pub(crate) struct Watched {
    objects: BTreeMap<String, Value>,
    incoming: BTreeMap<String, Value>,
    events: BoxStream<'static, Result<watcher::Event<DynamicObject>, watcher::Error>>,
    keep: fn(Value) -> Value,
    last_error: Option<String>,
    refusal: Option<u16>,
    listed: bool,
    api_version: String,
    kind: &'static str,
}

/// Which part of a collection to follow.
#[derive(Debug, Clone, Default)]
pub(crate) struct WatchScope<'a> {
    /// One namespace instead of all.
    pub namespace: Option<&'a str>,
    /// A field selector, such as `metadata.name=x`.
    pub fields: Option<&'a str>,
    /// A label selector.
    pub labels: Option<&'a str>,
}

impl Cluster {
    /// Starts to follow a collection; costs one list and one watch.
    pub(crate) fn watch(&self, kind: &KindInfo, scope: &WatchScope<'_>, keep: fn(Value) -> Value) -> Watched {
        let resource = ApiResource {
            group: kind.group.to_owned(),
            version: kind.version.to_owned(),
            api_version: kind.api_version(),
            kind: kind.kind.to_owned(),
            plural: kind.plural.to_owned(),
        };
        let api: Api<DynamicObject> = match scope.namespace {
            Some(namespace) => Api::namespaced_with(self.client(), namespace, &resource),
            None => Api::all_with(self.client(), &resource),
        };
        let mut config = watcher::Config::default();
        if let Some(fields) = scope.fields {
            config = config.fields(fields);
        }
        if let Some(labels) = scope.labels {
            config = config.labels(labels);
        }
        // A silent connection is noticed when the watch's own time is over: keep that short.
        let config = config.timeout(60);
        let events = watcher(api, config).default_backoff().boxed();
        Watched {
            objects: BTreeMap::new(),
            incoming: BTreeMap::new(),
            events,
            keep,
            last_error: None,
            refusal: None,
            listed: false,
            api_version: kind.api_version(),
            kind: kind.kind,
        }
    }
}

impl Watched {
    /// The objects as of the last change.
    pub(crate) fn objects(&self) -> impl Iterator<Item = &Value> {
        self.objects.values()
    }

    /// Whether the collection has been listed: before that, what is not here may still be there.
    pub(crate) fn is_listed(&self) -> bool {
        self.listed
    }

    /// What is followed, `Pod`.
    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    /// Why the watch is not working at the moment, if it is not.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// The status code by which the server refuses it at the moment, if it answers and refuses.
    pub(crate) fn refusal(&self) -> Option<u16> {
        self.refusal
    }

    /// Waits for the next change, or for trouble. Cancel-safe.
    pub(crate) async fn changed(&mut self) {
        loop {
            match self.events.next().await {
                Some(Ok(event)) => {
                    self.last_error = None;
                    self.refusal = None;
                    if self.take(event) {
                        return;
                    }
                }
                Some(Err(error)) => {
                    self.refusal = refusal(&error);
                    self.last_error = Some(error.to_string());
                    return;
                }
                // watcher streams never end; if one does, there is nothing more to hear.
                None => futures::future::pending().await,
            }
        }
    }

    fn take(&mut self, event: watcher::Event<DynamicObject>) -> bool {
        match event {
            watcher::Event::Init => self.incoming.clear(),
            watcher::Event::InitApply(object) => {
                let (key, value) = self.kept(object);
                self.incoming.insert(key, value);
            }
            watcher::Event::InitDone => {
                self.objects = std::mem::take(&mut self.incoming);
                self.listed = true;
                return true;
            }
            watcher::Event::Apply(object) => {
                let (key, value) = self.kept(object);
                self.objects.insert(key, value);
                return true;
            }
            watcher::Event::Delete(object) => {
                let (key, _) = self.kept(object);
                self.objects.remove(&key);
                return true;
            }
        }
        false
    }

    fn kept(&self, object: DynamicObject) -> (String, Value) {
        let key = format!(
            "{}/{}",
            object.metadata.namespace.as_deref().unwrap_or_default(),
            object.metadata.name.as_deref().unwrap_or_default()
        );
        let mut value = serde_json::to_value(object).expect("an object that was JSON serialises again");
        // The items of a list carry neither; those of a watch do.
        value["apiVersion"] = self.api_version.as_str().into();
        value["kind"] = self.kind.into();
        (key, (self.keep)(value))
    }
}

fn refusal(error: &watcher::Error) -> Option<u16> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => Some(status.code),
        _ => None,
    }
}
