//! Facts that stay up to date: one list and one watch for each kind, and what is no list read again now and then.

use std::collections::BTreeSet;

use futures::FutureExt as _;
use futures::future::select_all;
use mizar_core::facts::{ChangeFact, Changes, ClientFact, Facts, Fetched, Gap, Key, Plan, Request, Roll, Source};
use mizar_core::kind;
use tokio::time::{Duration, Instant, timeout_at};

use super::gather::{Wanted, gather};
use crate::cluster::feed::{Feed, News, WatchScope};
use crate::cluster::{ApiFailure, Cluster};
use crate::failure::{Failure, Kind};

const FORBIDDEN: u16 = 403;
const NOT_FOUND: u16 = 404;

/// How many objects wait to become facts: only so many are in memory as JSON.
const WAITING: usize = 200;

/// What is read once at first, and again when asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fixed {
    /// The sources that no watch can follow.
    pub sources: Vec<Source>,
    /// The namespaces whose rights are asked for.
    pub namespaces: Vec<String>,
    /// What an install would bring.
    pub plan: Option<Plan>,
    /// What is known of this machine.
    pub client: ClientFact,
}

/// The facts, and the watches that keep them true.
pub(crate) struct Followed {
    facts: Facts,
    fixed: Fixed,
    fixed_read: Instant,
    lists: Vec<List>,
}

/// A list that is followed.
struct List {
    source: Source,
    feed: Feed,
    roll: Roll,
    changes: Changes,
    /// While the list is read: what it has held so far.
    held: Option<BTreeSet<Key>>,
}

impl Followed {
    /// Reads what cannot be followed, and starts to follow the rest.
    pub(crate) async fn start(cluster: &Cluster, sources: &[Source], rest: Fixed) -> Result<Self, ApiFailure> {
        let lists = lists(cluster, sources, &WatchScope::default());
        let is_followed = |source: &Source| lists.iter().any(|list| list.source == *source);
        let unwatched = sources.iter().copied().filter(|source| !is_followed(source)).collect();
        let fixed = Fixed { sources: unwatched, ..rest };
        let facts = read(cluster, &fixed).await?;
        Ok(Self { facts, fixed, fixed_read: Instant::now(), lists })
    }

    /// Starts to follow lists, and reads nothing else.
    pub(crate) fn lists(cluster: &Cluster, sources: &[Source], scope: &WatchScope<'_>) -> Self {
        let lists = lists(cluster, sources, scope);
        Self { facts: Facts::new(cluster.now()), fixed: Fixed::default(), fixed_read: Instant::now(), lists }
    }

    /// Notes what the record of the last change says, which is no source.
    pub(crate) fn note_change(&mut self, change: &Fetched<ChangeFact>) {
        self.facts.change = change.clone();
    }

    /// Ends to follow.
    pub(crate) fn into_facts(self) -> Facts {
        self.facts
    }

    /// The facts as of the last change. A list that is not complete yet has only some of its objects: see
    /// [`Self::unlisted`].
    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The sources that no watch follows.
    pub(crate) fn unwatched(&self) -> &[Source] {
        &self.fixed.sources
    }

    /// How long ago those were read.
    pub(crate) fn unwatched_age(&self) -> Duration {
        self.fixed_read.elapsed()
    }

    /// The lists that the server has not told everything about yet, and how much of each it has.
    pub(crate) fn unlisted(&self) -> Vec<(Source, usize)> {
        let waiting = self.lists.iter().filter(|list| list.is_awaited(&self.facts));
        waiting.map(|list| (list.source, list.roll.keys().len())).collect()
    }

    /// How many lists are followed.
    pub(crate) fn len(&self) -> usize {
        self.lists.len()
    }

    /// The lists that are not complete, whatever keeps them from it.
    pub(crate) fn not_listed(&self) -> impl Iterator<Item = Source> {
        self.lists.iter().filter(|list| !list.feed.is_listed()).map(|list| list.source)
    }

    /// Gives up on lists that did not come in time: a part of a list is no list.
    pub(crate) fn give_up_unlisted(&mut self) {
        for (source, _) in self.unlisted() {
            self.facts.mark(source, Gap::Failed("time was up before all of it was read".to_owned()));
        }
    }

    /// What keeps a watch from telling the present at the moment.
    pub(crate) fn trouble(&self) -> Option<String> {
        let stale = self.lists.iter().filter(|list| list.feed.is_listed());
        let told = stale.filter_map(|list| Some((list.source.noun(), list.feed.trouble()?)));
        told.map(|(noun, trouble)| format!("the watch of {noun}: {trouble}")).next()
    }

    /// Waits for a change and takes it in, with all that follow within `burst`. Fails when the server lists a kind but
    /// refuses to have it watched: then a wait would never hear of anything. Cancel-safe: what was told is kept.
    pub(crate) async fn changed(&mut self, burst: Duration) -> Result<(), Failure> {
        self.hear().await?;
        self.hear_until(Instant::now() + burst).await
    }

    /// As [`Self::changed`], and not before `calm`.
    pub(crate) async fn changed_by(&mut self, calm: Instant) -> Result<(), Failure> {
        self.hear().await?;
        self.hear_until(calm).await
    }

    async fn hear_until(&mut self, end: Instant) -> Result<(), Failure> {
        let heard = async {
            loop {
                self.hear().await?;
            }
        };
        // There is no end of news, so that time runs out unless it is bad news.
        timeout_at(end, heard).await.unwrap_or(Ok(()))
    }

    /// Waits for news of one list, and takes in with them what else has come of it.
    async fn hear(&mut self) -> Result<(), Failure> {
        let (index, news) = next(&mut self.lists).await;
        let list = &mut self.lists[index];
        list.take(news, &mut self.facts);
        for _ in 0..WAITING {
            let Some(news) = list.feed.next().now_or_never() else { break };
            list.take(news, &mut self.facts);
        }
        if !list.changes.is_empty() {
            list.work_in(&mut self.facts);
        }
        if list.feed.is_listed() && list.feed.refusal() == Some(FORBIDDEN) {
            let noun = list.source.noun();
            return Err(Failure::new(Kind::Unreachable, format!("you are not allowed to watch {noun}"))
                .hint(format!("ask for it: kubectl auth can-i watch {noun} --all-namespaces")));
        }
        if self.facts.gap(list.source) == Some(Gap::Denied) {
            // The watch would ask for ever; what is refused is asked again with the rest, slowly.
            self.fixed.sources.push(self.lists.remove(index).source);
        }
        Ok(())
    }

    /// Reads again what cannot be followed.
    pub(crate) async fn read_again(&mut self, cluster: &Cluster) -> Result<(), ApiFailure> {
        let mut fresh = read(cluster, &self.fixed).await?;
        self.fixed_read = Instant::now();
        self.facts.gathered_at = fresh.gathered_at;
        for source in self.fixed.sources.iter().copied().chain([Source::Version]) {
            self.facts.adopt(source, &mut fresh);
        }
        Ok(())
    }
}

impl List {
    /// Whether it is still to come, and nothing is known to keep it from coming.
    fn is_awaited(&self, facts: &Facts) -> bool {
        !self.feed.is_listed() && matches!(facts.gap(self.source), None | Some(Gap::NotAsked))
    }

    fn take(&mut self, news: News, facts: &mut Facts) {
        match news {
            News::Begins => self.held = Some(BTreeSet::new()),
            News::Is(object) => {
                let key = Key::of(&object);
                if let Some(held) = &mut self.held {
                    held.insert(key);
                }
                self.changes.insert(key, Some(object));
                if self.changes.len() >= WAITING {
                    self.work_in(facts);
                }
            }
            News::Gone(object) => drop(self.changes.insert(Key::of(&object), None)),
            News::Listed => {
                let held = self.held.take().unwrap_or_default();
                let gone = self.roll.keys().iter().filter(|key| !held.contains(key));
                self.changes.extend(gone.map(|key| (*key, None)));
                self.work_in(facts);
            }
            News::Trouble => self.mark(facts),
        }
    }

    fn work_in(&mut self, facts: &mut Facts) {
        // What could not be read may be there by now: kinds come to be, rights are given.
        if facts.gap(self.source).is_some_and(|gap| gap != Gap::NotAsked) {
            facts.mark(self.source, Gap::NotAsked);
            self.roll = Roll::default();
        }
        facts.follow(self.source, &mut self.roll, &std::mem::take(&mut self.changes));
    }

    /// Says why there is no list yet. One that was complete stays as it was: it is only old.
    fn mark(&mut self, facts: &mut Facts) {
        if self.feed.is_listed() {
            return;
        }
        self.changes.clear();
        let gap = match self.feed.refusal() {
            Some(FORBIDDEN) => Gap::Denied,
            Some(NOT_FOUND) => Gap::Absent,
            _ => Gap::Failed(self.feed.trouble().unwrap_or("the list was not read").to_owned()),
        };
        facts.mark(self.source, gap);
    }
}

/// Waits until one of the lists has news; returns which.
async fn next(lists: &mut [List]) -> (usize, News) {
    if lists.is_empty() {
        return std::future::pending().await;
    }
    let news =
        lists.iter_mut().enumerate().map(|(index, list)| Box::pin(list.feed.next().map(move |news| (index, news))));
    select_all(news).await.0
}

async fn read(cluster: &Cluster, fixed: &Fixed) -> Result<Facts, ApiFailure> {
    let wanted = Wanted {
        sources: &fixed.sources,
        namespaces: fixed.namespaces.clone(),
        plan: fixed.plan.clone(),
        client: fixed.client.clone(),
        ..Wanted::default()
    };
    Ok(gather(cluster, wanted).await?.facts)
}

fn lists(cluster: &Cluster, sources: &[Source], scope: &WatchScope<'_>) -> Vec<List> {
    let list = |source: &Source| {
        let feed = feed(cluster, *source, scope)?;
        Some(List { source: *source, feed, roll: Roll::default(), changes: Changes::new(), held: None })
    };
    sources.iter().filter_map(list).collect()
}

/// Starts to follow a source; nothing if it is no list, or of a kind that is not in our table.
fn feed(cluster: &Cluster, source: Source, scope: &WatchScope<'_>) -> Option<Feed> {
    // Whether all secrets may be listed, or those of one namespace only, is asked before: see `releases`.
    if source == Source::Releases {
        return None;
    }
    let Request::List { path, label_selector, field_selector, .. } = source.request() else { return None };
    let kind = kind::lookup_path(path)?;
    let given = |selector: &'static str| Some(selector).filter(|selector| !selector.is_empty());
    let scope = WatchScope {
        namespace: scope.namespace,
        fields: given(field_selector).or(scope.fields),
        labels: given(label_selector).or(scope.labels),
    };
    Some(cluster.feed(&kind, &scope, Some(source)))
}
