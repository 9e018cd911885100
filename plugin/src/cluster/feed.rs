//! What a watch tells, object by object. A [`Feed`] reconnects with backoff for ever; the deadline belongs to whoever waits on it.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use futures::stream::{BoxStream, StreamExt as _};
use kube::api::{ApiResource, ObjectMeta};
use kube::core::DynamicResourceScope;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Resource};
use mizar_core::facts::{Request, Source, Unread, read_object};
use mizar_core::kind::KindInfo;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::Cluster;

/// Objects on a page of a list, where no source says otherwise: bounds memory.
const PAGE: u32 = 500;

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

/// One piece of news.
pub(crate) enum News {
    /// The list begins to be read, from its start: also when it is read again because the watch was too late.
    Begins,
    /// An object as it is now.
    Is(Value),
    /// An object as it was last.
    Gone(Value),
    /// The list has been read to its end: what it did not hold is not there.
    Listed,
    /// The watch does not work at the moment.
    Trouble,
}

/// The news of a collection: first its list, then its changes.
pub(crate) struct Feed {
    news: BoxStream<'static, Result<News, watcher::Error>>,
    last_error: Option<String>,
    refusal: Option<u16>,
    listed: bool,
    api_version: String,
    kind: &'static str,
}

impl Cluster {
    /// Starts to follow a collection; costs one list and one watch. Where it is a `source`, what no fact is made of does not
    /// come.
    pub(crate) fn feed(&self, kind: &KindInfo, scope: &WatchScope<'_>, source: Option<Source>) -> Feed {
        let config = watcher::Config {
            field_selector: scope.fields.map(ToOwned::to_owned),
            label_selector: scope.labels.map(ToOwned::to_owned),
            ..watcher::Config::default()
        };
        // A silent connection is noticed a little after the watch's own time is over.
        let seconds = u32::try_from(self.timing().watch.as_secs()).unwrap_or(u32::MAX).max(1);
        let config = config.timeout(seconds).page_size(match source.map(Source::request) {
            Some(Request::List { page_limit, .. }) => page_limit,
            _ => PAGE,
        });
        let news = match source {
            Some(Source::Pods) => self.news::<Pods>(kind, scope, config),
            Some(Source::Nodes) => self.news::<Nodes>(kind, scope, config),
            Some(Source::Definitions) => self.news::<Definitions>(kind, scope, config),
            _ => self.news::<Others>(kind, scope, config),
        };
        Feed { news, last_error: None, refusal: None, listed: false, api_version: kind.api_version(), kind: kind.kind }
    }

    fn news<S: Shape>(
        &self,
        kind: &KindInfo,
        scope: &WatchScope<'_>,
        config: watcher::Config,
    ) -> BoxStream<'static, Result<News, watcher::Error>> {
        let resource = ApiResource {
            group: kind.group.to_owned(),
            version: kind.version.to_owned(),
            api_version: kind.api_version(),
            kind: kind.kind.to_owned(),
            plural: kind.plural.to_owned(),
        };
        let api: Api<Seen<S>> = match scope.namespace {
            Some(namespace) => Api::namespaced_with(self.client(), namespace, &resource),
            None => Api::all_with(self.client(), &resource),
        };
        watcher(api, config).default_backoff().map(|event| event.map(told)).boxed()
    }
}

fn told<S>(event: watcher::Event<Seen<S>>) -> News {
    match event {
        watcher::Event::Init => News::Begins,
        watcher::Event::InitApply(seen) | watcher::Event::Apply(seen) => News::Is(seen.object),
        watcher::Event::InitDone => News::Listed,
        watcher::Event::Delete(seen) => News::Gone(seen.object),
    }
}

impl Feed {
    /// Whether the collection has been listed: before that, what was not told may still be there.
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

    /// Waits for what comes next. Cancel-safe.
    pub(crate) async fn next(&mut self) -> News {
        match self.news.next().await {
            Some(Ok(news)) => {
                // A list that begins anew after a failure has not succeeded yet.
                if !matches!(news, News::Begins) {
                    (self.last_error, self.refusal) = (None, None);
                }
                self.listed |= matches!(news, News::Listed);
                self.named(news)
            }
            Some(Err(error)) => {
                self.refusal = refusal(&error);
                self.last_error = Some(error.to_string());
                News::Trouble
            }
            // These streams never end; if one does, there is nothing more to hear.
            None => futures::future::pending().await,
        }
    }

    /// The items of a list do not say what they are; those of a watch do.
    fn named(&self, mut news: News) -> News {
        if let News::Is(object) | News::Gone(object) = &mut news {
            object["apiVersion"] = self.api_version.as_str().into();
            object["kind"] = self.kind.into();
        }
        news
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

/// What is passed over while an object is read, so that it is never in memory.
trait Shape: Clone + Send + 'static {
    const UNREAD: &'static [Unread];
}

#[derive(Clone)]
struct Pods;

impl Shape for Pods {
    const UNREAD: &'static [Unread] = Source::Pods.unread();
}

#[derive(Clone)]
struct Nodes;

impl Shape for Nodes {
    const UNREAD: &'static [Unread] = Source::Nodes.unread();
}

#[derive(Clone)]
struct Definitions;

impl Shape for Definitions {
    const UNREAD: &'static [Unread] = Source::Definitions.unread();
}

/// All other sources pass over the same.
#[derive(Clone)]
struct Others;

impl Shape for Others {
    const UNREAD: &'static [Unread] = Source::Droplets.unread();
}

/// An object as a watch reads it.
#[derive(Clone)]
struct Seen<S> {
    /// What a watch goes on by.
    metadata: ObjectMeta,
    object: Value,
    shape: PhantomData<S>,
}

impl<'de, S: Shape> Deserialize<'de> for Seen<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = read_object(deserializer, S::UNREAD)?;
        let resource_version = object["metadata"]["resourceVersion"].as_str().map(ToOwned::to_owned);
        Ok(Self { metadata: ObjectMeta { resource_version, ..ObjectMeta::default() }, object, shape: PhantomData })
    }
}

impl<S> fmt::Debug for Seen<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.object.fmt(formatter)
    }
}

impl<S> Resource for Seen<S> {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_read_without_what_nobody_reads() {
        let pod = json!({"metadata": {"name": "a", "resourceVersion": "7", "managedFields": [{"manager": "x"}]},
            "spec": {"nodeName": "n", "volumes": [{"name": "v", "secret": {}}, {"emptyDir": {}}], "containers": [{"name": "c", "env": [{"name": "E"}]}]}});
        let text = pod.to_string();
        let seen: Seen<Pods> = serde_json::from_str(&text).unwrap();
        assert_eq!(seen.metadata.resource_version.as_deref(), Some("7"));
        assert_eq!(
            seen.object,
            json!({"metadata": {"name": "a", "resourceVersion": "7"}, "spec": {
                "nodeName": "n", "volumes": [{}, {"emptyDir": {}}], "containers": [{"name": "c"}]}})
        );
        let other: Seen<Others> = serde_json::from_str(&text).unwrap();
        assert_eq!(other.object["spec"], pod["spec"]);
    }

    #[test]
    fn every_source_passes_over_what_its_shape_does() {
        let shaped = [Source::Pods, Source::Nodes, Source::Definitions];
        for source in Source::ALL.iter().filter(|source| source.is_list() && !shaped.contains(source)) {
            assert!(source.unread() == Others::UNREAD, "{source:?} needs a shape of its own");
        }
    }
}
