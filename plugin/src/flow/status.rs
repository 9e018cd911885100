//! What runs: read once, or followed for as long as a person looks.

use jiff::Timestamp;
use mizar_core::check::{Phase, sources_of};
use mizar_core::environment::Environment;
use mizar_core::facts::{Facts, Source};
use mizar_core::installed::Installed;
use mizar_core::kind;
use mizar_core::operation::SECRET_NAME;
use mizar_core::status::change::Change;
use mizar_core::status::{SOURCES, Seen, Status};
use serde_json::Value;
use tokio::time::sleep;

use super::follow::{Fixed, Followed};
use super::gather::{Wanted, gather};
use super::records::DEFAULT_NAMESPACE;
use super::releases::{self, Reading};
use crate::cluster::Cluster;
use crate::cluster::watch::{WatchScope, Watched};
use crate::failure::Failure;

/// What a person asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Question {
    /// The namespace of the release, if named.
    pub namespace: Option<String>,
    /// The environment, if named.
    pub environment: Option<Environment>,
}

/// Everything that the table of checks and the screen look at.
fn sources() -> Vec<Source> {
    let mut sources = sources_of(Phase::Health);
    sources.extend(SOURCES);
    sources.sort_unstable();
    sources.dedup();
    sources
}

/// Reads once.
pub(crate) async fn once(cluster: &Cluster, question: &Question) -> Result<Status, Failure> {
    let sources = sources();
    let wanted = Wanted { sources: &sources, release_namespace: question.namespace.as_deref(), ..Wanted::default() };
    let mut facts = gather(cluster, wanted).await?.facts;
    let namespace = namespace(&facts, question);
    let change = releases::change(cluster, &namespace).await?;
    facts.change = change.fact();
    Ok(judge(&facts, cluster.now(), question, Some(cluster.server()), change))
}

/// Makes a status of facts from a file, judged at their own time.
pub(crate) fn replayed(facts: &Facts, question: &Question) -> Status {
    let change = Change::Unread { why: "a file of facts does not hold it".to_owned() };
    judge(facts, facts.gathered_at, question, None, change)
}

fn judge(facts: &Facts, now: Timestamp, question: &Question, server: Option<&str>, change: Change) -> Status {
    let options = super::judge::options(&namespace(facts, question), now);
    let plugin = env!("CARGO_PKG_VERSION");
    Status::of(facts, &options, Seen { server, plugin, environment: question.environment, change })
}

fn namespace(facts: &Facts, question: &Question) -> String {
    let found = || Installed::of(facts).namespace;
    question.namespace.clone().or_else(found).unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned())
}

/// A status that stays up to date: one list and one watch for each kind, and no request while nothing changes.
pub(crate) struct Watching {
    cluster: Cluster,
    question: Question,
    followed: Followed,
    record: Record,
    /// Whether the status changed since that was read which no watch tells.
    stale: bool,
}

/// The operation record, as far as we may see it.
enum Record {
    Followed(Box<Watched>),
    Fixed(Change),
}

impl Watching {
    /// Starts to follow, and waits until everything has been listed once.
    pub(crate) async fn start(cluster: &Cluster, question: Question) -> Result<Self, Failure> {
        let mut followed = Followed::start(cluster, &sources(), Fixed::default()).await?;
        while !followed.unlisted().is_empty() {
            hear(&mut followed, cluster).await?;
        }
        let namespace = namespace(followed.facts(), &question);
        let record = match releases::reading(cluster, &namespace).await? {
            Reading::Followed => Record::Followed(Box::new(follow_record(cluster, &namespace).await)),
            Reading::Once => Record::Fixed(releases::change(cluster, &namespace).await?),
            Reading::Refused => Record::Fixed(releases::refused(&namespace)),
        };
        let cluster = cluster.clone();
        Ok(Self { cluster, question, followed, record, stale: false })
    }

    /// The status as of now.
    pub(crate) fn status(&mut self) -> Status {
        let change = self.record.change(self.cluster.now());
        self.followed.note_change(&change.fact());
        judge(self.followed.facts(), self.cluster.now(), &self.question, Some(self.cluster.server()), change)
    }

    /// What keeps it from being the present at the moment.
    pub(crate) fn trouble(&self) -> Option<String> {
        let record = match &self.record {
            Record::Followed(watched) => watched.trouble().map(|trouble| format!("the operation record: {trouble}")),
            Record::Fixed(_) => None,
        };
        self.followed.trouble().or(record)
    }

    /// Notes that the status has changed: what no watch tells may have, too, and is read again a while later.
    pub(crate) fn doubt_the_rest(&mut self) {
        self.stale = true;
    }

    /// Waits until something has changed, or so much time has passed that a verdict may have.
    pub(crate) async fn changed(&mut self) -> Result<(), Failure> {
        let timing = self.cluster.timing().clone();
        let stale = self.stale && !self.followed.unwatched().is_empty();
        let due = timing.look.saturating_sub(self.followed.unwatched_age());
        tokio::select! {
            changed = hear(&mut self.followed, &self.cluster) => changed?,
            () = self.record.changed() => {}
            () = sleep(due), if stale => {
                self.followed.read_again(&self.cluster).await?;
                self.stale = false;
            }
            () = sleep(timing.look) => {}
        }
        Ok(())
    }
}

impl Record {
    fn change(&self, now: Timestamp) -> Change {
        match self {
            Self::Followed(watched) => {
                watched.objects().next().map_or(Change::None, |secret| releases::change_of(secret, now))
            }
            Self::Fixed(change) => change.clone(),
        }
    }

    async fn changed(&mut self) {
        match self {
            Self::Followed(watched) => watched.changed().await,
            Self::Fixed(_) => std::future::pending().await,
        }
    }
}

async fn hear(followed: &mut Followed, cluster: &Cluster) -> Result<(), Failure> {
    let heard = followed.changed(cluster.timing().burst).await;
    heard.map_err(|failure| failure.hint("or leave out --watch, which is all that needs it"))
}

/// Starts to follow the record; whether it exists is known afterwards.
async fn follow_record(cluster: &Cluster, namespace: &str) -> Watched {
    let fields = format!("metadata.name={SECRET_NAME}");
    let scope = WatchScope { namespace: Some(namespace), fields: Some(&fields), labels: None };
    let kind = kind::lookup("v1", "Secret").expect("secrets are in the table of kinds");
    let mut watched = cluster.watch(&kind, &scope, |secret: Value| secret);
    while !watched.is_listed() && watched.trouble().is_none() {
        watched.changed().await;
    }
    watched
}
