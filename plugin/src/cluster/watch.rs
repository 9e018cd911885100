//! Following a collection: what is there now, and a nudge whenever it changes.

use std::collections::BTreeMap;

use futures::FutureExt as _;
use mizar_core::facts::Key;
use mizar_core::kind::KindInfo;
use serde_json::Value;

use super::Cluster;
pub(crate) use super::feed::WatchScope;
use super::feed::{Feed, News};

/// What is taken in at once: a list of tens of thousands does not keep everything else from being heard.
const AT_ONCE: usize = 500;

/// A live copy of a collection: of each object what `keep` makes of it, which is all that is in memory.
pub(crate) struct Watched<T = Value> {
    objects: BTreeMap<Key, T>,
    incoming: Option<BTreeMap<Key, T>>,
    feed: Feed,
    keep: Box<dyn Fn(Value) -> T + Send + Sync>,
}

impl Cluster {
    /// Starts to follow a collection; costs one list and one watch.
    pub(crate) fn watch<T>(
        &self,
        kind: &KindInfo,
        scope: &WatchScope<'_>,
        keep: impl Fn(Value) -> T + Send + Sync + 'static,
    ) -> Watched<T> {
        let feed = self.feed(kind, scope, None);
        Watched { objects: BTreeMap::new(), incoming: None, feed, keep: Box::new(keep) }
    }
}

impl<T> Watched<T> {
    /// The objects as of the last change.
    pub(crate) fn objects(&self) -> impl Iterator<Item = &T> {
        self.objects.values()
    }

    /// Whether the collection has been listed: before that, what is not here may still be there.
    pub(crate) fn is_listed(&self) -> bool {
        self.feed.is_listed()
    }

    /// What is followed, `Pod`.
    pub(crate) fn kind(&self) -> &'static str {
        self.feed.kind()
    }

    /// Why the watch is not working at the moment, if it is not.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.feed.trouble()
    }

    /// Waits for the next change, or for trouble; takes in with it what has come by then. Cancel-safe.
    pub(crate) async fn changed(&mut self) {
        loop {
            let news = self.feed.next().await;
            let mut is_change = self.take(news);
            for _ in 0..AT_ONCE {
                let Some(news) = self.feed.next().now_or_never() else { break };
                is_change |= self.take(news);
            }
            if is_change {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Takes news in; returns whether what is there may be another than before.
    fn take(&mut self, news: News) -> bool {
        match news {
            News::Begins => self.incoming = Some(BTreeMap::new()),
            News::Is(object) => {
                let key = Key::of(&object);
                let kept = (self.keep)(object);
                let is_list = self.incoming.is_some();
                self.incoming.as_mut().unwrap_or(&mut self.objects).insert(key, kept);
                return !is_list;
            }
            News::Gone(object) => {
                self.objects.remove(&Key::of(&object));
                return true;
            }
            News::Listed => {
                self.objects = self.incoming.take().unwrap_or_default();
                return true;
            }
            News::Trouble => return true,
        }
        false
    }
}
