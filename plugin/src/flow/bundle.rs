//! A support bundle: reads the cluster and packs what is found, part by part. A part that cannot be had is noted and the others
//! go on; when time or room is up, what is there by then is the bundle.
//!
//! - [`sink`]: the archive that everything goes into, and what is noted beside it;
//! - [`facts`]: the facts, and what is judged from them;
//! - [`objects`], [`events`], [`records`], [`logs`]: what their names say;
//! - [`evidence`]: the small bundle that is taken when a change has failed.

mod events;
pub(crate) mod evidence;
mod facts;
mod logs;
mod objects;
mod records;
mod sink;
mod spool;

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use mizar_core::bundle::index::{Index, Limits, Why};
use mizar_core::bundle::{mask, place};
use mizar_core::event::{Event, StepResult};
use mizar_core::object::ObjectRef;
use mizar_core::site::Site;
use mizar_core::words::counted;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

use self::sink::Sink;
use super::gather::gap::ends_everything;
use super::records::DEFAULT_NAMESPACE;
use crate::cluster::{ApiFailure, Cluster};
use crate::failure::{Failure, Kind};
use crate::private_file::Draft;
use crate::report::Reporter;

/// Where a bundle goes.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// Into this file.
    File(PathBuf),
    /// Into this folder, under a name that tells the time.
    Folder(PathBuf),
}

/// What is asked for.
pub(crate) struct Request<'a> {
    /// The namespace of the release, if a person named one.
    pub(crate) namespace: Option<&'a str>,
    /// Where the bundle goes.
    pub(crate) place: Place,
    /// What it may cost.
    pub(crate) limits: Limits,
    /// Why it is taken, for whoever reads it.
    pub(crate) reason: String,
    /// Is told how far it is.
    pub(crate) reporter: &'a dyn Reporter,
}

/// A bundle that was taken.
pub(crate) struct Taken {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// What is in it.
    pub(crate) index: Index,
}

/// Takes a bundle. Fails only if the cluster cannot be reached at all or the file cannot be written.
pub(crate) async fn take(cluster: &Cluster, request: &Request<'_>) -> Result<Taken, Failure> {
    let begun = Instant::now();
    cluster.ledger().enter("bundle");
    let sent_before = cluster.ledger().requests();
    let unwell = match timeout_at(begun + request.limits.time / 3, reach(cluster)).await {
        Ok(reached) => reached?,
        Err(_) => return Err(silent(cluster)),
    };
    let now = cluster.now();
    let name = format!("mizar-bundle-{}", now.strftime("%Y%m%dT%H%M%SZ"));
    let path = match &request.place {
        Place::File(path) => path.clone(),
        Place::Folder(folder) => folder.join(format!("{name}.tar.gz")),
    };
    let unwritten = |error: &std::io::Error| unwritten(&path, error);
    let draft = Draft::begin(&path).map_err(|error| unwritten(&error))?;
    let sink = Sink::new(draft, &name, now, request.limits.size);
    if let Some(failure) = unwell {
        sink.miss(place::VERSION, Why::Failed, &failure.to_string());
    }
    let collection = Collection { cluster, request, sink: &sink, deadline: begun + request.limits.time };
    let namespace = collection.collect().await;
    let index = sink.close(|contents, missing| Index {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        reason: mask::text::mask(&request.reason),
        server: mask::text::mask(cluster.server()),
        namespace,
        taken_at: now,
        elapsed: begun.elapsed(),
        requests: cluster.ledger().requests() - sent_before,
        limits: request.limits,
        contents,
        missing,
    });
    let index = index.map_err(|error| unwritten(&error))?;
    Ok(Taken { path, index })
}

fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Kind::Failed, format!("cannot write the bundle to {}: {error}", path.display()))
        .hint("name another place: kubectl mizar bundle --output-file FILE")
}

fn silent(cluster: &Cluster) -> Failure {
    Failure::new(Kind::Unreachable, format!("the server {} does not answer", cluster.server()))
        .hint("does the server answer? kubectl get --raw /readyz")
}

/// Asks the server for its version, which tells an unreachable cluster from one that is not well, and what time it is there.
/// Returns what went wrong where that is no reason to give up.
async fn reach(cluster: &Cluster) -> Result<Option<ApiFailure>, Failure> {
    match cluster.get_path("/version", "read the server version").await {
        Ok(_) => Ok(None),
        Err(failure) if ends_everything(&failure) || !cluster.ledger().was_answered() => {
            Err(Failure { kind: Kind::Unreachable, ..failure.into() })
        }
        Err(failure) => Ok(Some(failure)),
    }
}

/// What the parts of a bundle share.
struct Collection<'a> {
    cluster: &'a Cluster,
    request: &'a Request<'a>,
    sink: &'a Sink,
    deadline: Instant,
}

/// What is known once the facts have been read, or have not.
struct Known {
    /// The namespace of the release.
    home: String,
    /// Whether this is Arktos.
    is_arktos: bool,
    /// Other people's pods and services that a check complains about.
    in_question: Vec<ObjectRef>,
}

impl Collection<'_> {
    /// Reads everything there is time for; returns the namespace of the release.
    async fn collect(&self) -> String {
        let begun = self.tell_start("facts");
        let known = facts::collect(self).await;
        self.tell_end("facts", begun);
        let begun = self.tell_start("objects");
        // Noted before anything is asked for: whatever is not reached in time is then missing by its name.
        self.expect(&known);
        let parts = async {
            tokio::join!(
                objects::collect(self, &known),
                logs::collect(self, &known),
                events::collect(self, &known),
                records::collect(self, &known),
            )
        };
        // What is still open is noted when the archive is closed.
        let _time_is_up = timeout_at(self.deadline, parts).await;
        self.tell_end("objects", begun);
        known.home
    }

    fn expect(&self, known: &Known) {
        objects::expect(self, known);
        self.sink.begin(place::LOGS);
        events::expect(self, known);
        self.sink.begin(place::OPERATION);
        self.sink.begin(place::RELEASES);
    }

    /// The moment until which one request may take, with all its attempts, so that others still have their time.
    fn limit_of_one(&self) -> Instant {
        self.deadline.min(Instant::now() + self.request.limits.time / 2)
    }

    fn tell_start(&self, stage: &str) -> Instant {
        self.request.reporter.event(&Event::StageStarted { stage: stage.to_owned(), site: Site::Management, total: 0 });
        Instant::now()
    }

    fn tell_end(&self, stage: &str, begun: Instant) {
        let files = self.sink.files();
        self.request.reporter.event(&Event::StageFinished {
            stage: stage.to_owned(),
            summary: format!("{} so far", counted(files, "file")),
            result: StepResult::Succeeded,
            elapsed: begun.elapsed(),
        });
    }

    /// Notes how a part has ended. One that time has cut off stays open, and so is missing.
    fn settle(&self, what: &str, read: Result<Result<(), ApiFailure>, Elapsed>) {
        match read {
            Ok(Ok(())) => self.sink.end(what),
            Ok(Err(failure)) => {
                self.miss(what, &failure);
                self.sink.end(what);
            }
            Err(_) => {}
        }
    }

    /// Notes why a part could not be read.
    fn miss(&self, what: &str, failure: &ApiFailure) {
        let (why, message) = why(failure);
        self.sink.miss(what, why, &message);
    }
}

/// Why a request that failed leaves a gap, and what is told of it.
fn why(failure: &ApiFailure) -> (Why, String) {
    use crate::cluster::Cause;
    match failure.cause {
        Cause::NotFound => (Why::Absent, "not in this cluster".to_owned()),
        Cause::Forbidden(_) => (Why::Denied, failure.to_string()),
        _ => (Why::Failed, failure.to_string()),
    }
}

/// How long ago something is, in whole seconds; a part of one counts as one.
fn whole_seconds(age: Duration) -> u64 {
    age.as_secs() + u64::from(age.subsec_nanos() > 0)
}

/// Seconds since 1970; what is before that is of no bundle.
fn since_1970(now: Timestamp) -> u64 {
    u64::try_from(now.as_second()).unwrap_or_default()
}

/// The namespace of the release where nothing tells it.
fn home_of(asked: Option<&str>, found: Option<&str>) -> String {
    asked.or(found).unwrap_or(DEFAULT_NAMESPACE).to_owned()
}
