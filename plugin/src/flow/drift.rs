//! Finding drift: each recorded object is read by its name, so that nothing else need be listed, and compared in core.

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use mizar_core::object::Object;
use mizar_core::release::drift::{Compared, Drift, Found, RecordedObject, recorded};
use mizar_core::release::{History, Release, Status};

use super::gather::CONCURRENCY;
use super::gather::gap::ends_everything;
use super::records::{self, none_recorded};
use crate::cluster::{ApiFailure, Cause, Cluster};
use crate::failure::{Failure, Kind};

/// What was found, and what people should know besides.
pub(crate) struct Findings {
    /// In what the cluster differs.
    pub(crate) drift: Drift,
    /// Records that cannot be read.
    pub(crate) damaged: Vec<String>,
}

/// Compares what is there with what is recorded as deployed, or else as last tried.
pub(crate) async fn find(cluster: &Cluster, namespace: Option<&str>) -> Result<Findings, Failure> {
    let histories = records::look(cluster, namespace).await?;
    let damaged = histories.iter().flat_map(|history| &history.damaged).map(ToString::to_string).collect();
    let releases: Vec<&Release> = histories.iter().filter_map(compared).collect();
    if releases.is_empty() {
        return Err(none_recorded(namespace));
    }
    let mut objects = Vec::new();
    for release in &releases {
        let of_release = recorded(release).map_err(|error| {
            let (name, revision) = (&release.name, release.revision);
            Failure::new(Kind::Failed, format!("revision {revision} of release {name}: {error}"))
        })?;
        objects.extend(of_release);
    }
    let found = stream::iter(objects)
        .map(|recorded| read(cluster, recorded))
        .buffered(CONCURRENCY)
        .try_collect::<Vec<(RecordedObject, Found)>>()
        .await?;
    let compared = releases.into_iter().map(Compared::of).collect();
    Ok(Findings { drift: Drift::of(compared, &found), damaged })
}

/// The record that says what should be there; none of a release that was uninstalled.
fn compared(history: &History) -> Option<&Release> {
    let base = history.base().map(|stored| &stored.release);
    base.filter(|release| release.info.status != Status::Uninstalled)
}

async fn read(cluster: &Cluster, recorded: RecordedObject) -> Result<(RecordedObject, Found), ApiFailure> {
    let reference = recorded.object.reference();
    let found = match cluster.get(&reference).await {
        Ok(None) => Found::Missing,
        Ok(Some(value)) => match Object::new(value) {
            Ok(object) => Found::Live(Box::new(object)),
            Err(error) => Found::Unread { why: error.to_string() },
        },
        Err(failure) if ends_everything(&failure) => return Err(failure),
        Err(failure) if matches!(failure.cause, Cause::Forbidden(_)) => {
            Found::Unread { why: format!("you are not allowed to get {}", reference.resource_name()) }
        }
        Err(failure) => Found::Unread { why: failure.to_string() },
    };
    Ok((recorded, found))
}
