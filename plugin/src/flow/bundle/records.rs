//! Helm's records and the record of the last change. They lie in secrets: the server is asked first whether we may read them.

use mizar_core::bundle::index::Why;
use mizar_core::bundle::place;
use mizar_core::bundle::records::{files_of, operation};
use mizar_core::facts::Right;
use mizar_core::object::ObjectRef;
use mizar_core::operation::{SECRET_NAME, storage};
use mizar_core::release::secret;
use serde_json::Value;
use tokio::time::timeout_at;

use super::{Collection, Known};
use crate::cluster::ApiFailure;
use crate::cluster::read::Listing;
use crate::flow::releases::{may, readable};

/// The releases that make up Mizar.
const OF_MIZAR: &str = "owner=helm,name in (mizar-crds,mizar)";

pub(super) async fn collect(collection: &Collection<'_>, known: &Known) {
    let mut chart = Newest::default();
    let read = timeout_at(collection.limit_of_one(), releases(collection, known, &mut chart)).await;
    collection.settle(place::RELEASES, read);
    let read = timeout_at(collection.limit_of_one(), change(collection, known, chart.values.as_ref())).await;
    collection.settle(place::OPERATION, read);
}

/// The chart's own values, as the newest record of it has them.
#[derive(Default)]
struct Newest {
    revision: u64,
    values: Option<Value>,
}

async fn releases(collection: &Collection<'_>, known: &Known, chart: &mut Newest) -> Result<(), ApiFailure> {
    let (cluster, home) = (collection.cluster, &known.home);
    let Some(path) = readable(cluster, "/api/v1/secrets", home).await? else {
        let message = format!("you are not allowed to list secrets in namespace {home}");
        collection.sink.miss(place::RELEASES, Why::Denied, &message);
        return Ok(());
    };
    let listing =
        Listing { path: &path, noun: "secrets", labels: OF_MIZAR, fields: "", page_limit: 20, metadata_only: false };
    let mut count = 0;
    cluster
        .items(&listing, |record| {
            count += 1;
            keep(collection, &record, chart);
        })
        .await?;
    if count == 0 {
        collection.sink.miss(place::RELEASES, Why::Absent, "no release of Mizar is recorded");
    }
    Ok(())
}

fn keep(collection: &Collection<'_>, record: &Value, chart: &mut Newest) {
    let release = match secret::from_secret(record) {
        Ok(stored) => stored.release,
        Err(error) => return collection.sink.miss(place::RELEASES, Why::Failed, &error.to_string()),
    };
    let (files, unreadable) = files_of(&release);
    for (path, text) in files {
        collection.sink.put(&path, text.as_bytes());
    }
    if let Some(unreadable) = unreadable {
        collection.sink.miss(&unreadable.what, Why::Failed, &unreadable.why);
    }
    if release.name == "mizar" && release.revision >= chart.revision {
        *chart = Newest { revision: release.revision, values: Some(release.chart.values) };
    }
}

async fn change(collection: &Collection<'_>, known: &Known, chart: Option<&Value>) -> Result<(), ApiFailure> {
    let home = known.home.clone();
    if !may(collection.cluster, &Right::new("get", "", "secrets").in_namespace(&home).on(SECRET_NAME)).await? {
        let message = format!("you are not allowed to get secrets {home}/{SECRET_NAME}");
        collection.sink.miss(place::OPERATION, Why::Denied, &message);
        return Ok(());
    }
    let reference =
        ObjectRef { api_version: "v1".into(), kind: "Secret".into(), namespace: Some(home), name: SECRET_NAME.into() };
    match collection.cluster.get(&reference).await? {
        None => collection.sink.miss(place::OPERATION, Why::Absent, "no change of Mizar is recorded"),
        Some(record) => match storage::from_secret(&record) {
            Ok(stored) => {
                let document = operation(&stored.operation, chart);
                collection.sink.put(place::OPERATION, format!("{document:#}\n").as_bytes());
            }
            Err(error) => collection.sink.miss(place::OPERATION, Why::Failed, &error.to_string()),
        },
    }
    Ok(())
}
