//! Which releases are recorded, and the change that is under way, for commands that only look. Both lie in secrets, which
//! most people may not read: the server is asked first whether we may, so that nothing is even tried that it refuses.

use jiff::Timestamp;
use mizar_core::facts::{Facts, Gap, Request, Right, Source};
use mizar_core::object::ObjectRef;
use mizar_core::operation::SECRET_NAME;
use mizar_core::operation::storage::from_secret;
use mizar_core::status::change::Change;
use serde_json::{Value, json};

use super::gather::gap::{ends_everything, gap_of};
use super::records::DEFAULT_NAMESPACE;
use crate::cluster::read::Listing;
use crate::cluster::{ApiFailure, Cause, Cluster};
use crate::failure::{Failure, Kind};
use crate::machine;

/// Adds the releases of all namespaces to the facts; where that is refused, those of one namespace.
pub(crate) async fn read(cluster: &Cluster, namespace: Option<&str>, facts: &mut Facts) -> Result<(), ApiFailure> {
    let Request::List { path, page_limit, label_selector, .. } = Source::Releases.request() else { return Ok(()) };
    let Some(path) = readable(cluster, path, namespace.unwrap_or(DEFAULT_NAMESPACE)).await? else {
        facts.mark(Source::Releases, Gap::Denied);
        return Ok(());
    };
    let listing = Listing {
        path: &path,
        noun: Source::Releases.noun(),
        labels: label_selector,
        fields: "",
        page_limit,
        metadata_only: true,
    };
    facts.absorb_page(Source::Releases, &json!({"items": []}));
    match cluster.items(&listing, |record| facts.absorb(Source::Releases, &record)).await {
        Err(failure) if ends_everything(&failure) => return Err(failure),
        Err(failure) => facts.mark(Source::Releases, gap_of(&failure)),
        Ok(()) => {}
    }
    Ok(())
}

/// Where we may list the records: at `everywhere`, in one namespace, or nowhere.
pub(super) async fn readable(
    cluster: &Cluster,
    everywhere: &str,
    namespace: &str,
) -> Result<Option<String>, ApiFailure> {
    if may(cluster, &Right::new("list", "", "secrets")).await? {
        return Ok(Some(everywhere.to_owned()));
    }
    readable_in(cluster, namespace).await
}

/// The same for one namespace alone.
async fn readable_in(cluster: &Cluster, namespace: &str) -> Result<Option<String>, ApiFailure> {
    let may = may(cluster, &Right::new("list", "", "secrets").in_namespace(namespace)).await?;
    Ok(may.then(|| format!("/api/v1/namespaces/{namespace}/secrets")))
}

/// Where to list the records for who only looks at them: in the namespace that is named, or else in all that we may.
pub(crate) async fn place(cluster: &Cluster, namespace: Option<&str>) -> Result<String, Failure> {
    let place = match namespace {
        Some(namespace) => readable_in(cluster, namespace).await?,
        None => readable(cluster, "/api/v1/secrets", DEFAULT_NAMESPACE).await?,
    };
    place.ok_or_else(|| {
        let namespace = namespace.unwrap_or(DEFAULT_NAMESPACE);
        let message =
            format!("the records lie in secrets, and you are not allowed to list secrets in namespace {namespace}");
        Failure::new(Kind::Unreachable, message)
            .hint("docs/rbac/reader.yaml holds the rights of who looks, these in a part of its own")
    })
}

/// Whether the server would let us. A server that does not say so is tried.
pub(super) async fn may(cluster: &Cluster, right: &Right) -> Result<bool, ApiFailure> {
    match cluster.review_access(&right.access_review()).await {
        Ok(review) => Ok(review.pointer("/status/allowed").and_then(Value::as_bool).unwrap_or_default()),
        Err(failure) if ends_everything(&failure) => Err(failure),
        Err(_) => Ok(true),
    }
}

/// What may be done with the operation record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// It may be read, and nobody tells when it changes.
    Once,
    /// It may be followed.
    Followed,
    /// Neither.
    Refused,
}

/// Asks what we may do with the operation record.
pub(crate) async fn reading(cluster: &Cluster, namespace: &str) -> Result<Reading, ApiFailure> {
    let right = |verb| Right::new(verb, "", "secrets").in_namespace(namespace).on(SECRET_NAME);
    if may(cluster, &right("list")).await? && may(cluster, &right("watch")).await? {
        Ok(Reading::Followed)
    } else if may(cluster, &right("get")).await? {
        Ok(Reading::Once)
    } else {
        Ok(Reading::Refused)
    }
}

/// Reads the operation record, if we may.
pub(crate) async fn change(cluster: &Cluster, namespace: &str) -> Result<Change, ApiFailure> {
    if !may(cluster, &Right::new("get", "", "secrets").in_namespace(namespace).on(SECRET_NAME)).await? {
        return Ok(refused(namespace));
    }
    let reference = ObjectRef {
        api_version: "v1".into(),
        kind: "Secret".into(),
        namespace: Some(namespace.to_owned()),
        name: SECRET_NAME.into(),
    };
    match cluster.get(&reference).await {
        Ok(Some(secret)) => Ok(change_of(&secret, cluster.now())),
        Ok(None) => Ok(Change::None),
        Err(failure) if matches!(failure.cause, Cause::Forbidden(_)) => Ok(refused(namespace)),
        Err(failure) if ends_everything(&failure) => Err(failure),
        Err(failure) => Ok(Change::Unread { why: failure.to_string() }),
    }
}

/// What a record says; `now` is by the server's clock.
pub(crate) fn change_of(secret: &Value, now: Timestamp) -> Change {
    match from_secret(secret) {
        Ok(stored) => {
            let operation = &stored.operation;
            Change::of(operation, machine::state_of(&operation.holder), now)
        }
        Err(error) => error.into(),
    }
}

/// Says which right is missing.
pub(crate) fn refused(namespace: &str) -> Change {
    Change::Denied { right: format!("get secrets {namespace}/{SECRET_NAME}") }
}
