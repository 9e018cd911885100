//! Reading objects: single ones, and collections page by page.

use mizar_core::object::ObjectRef;
use serde_json::Value;

use super::path::{object, query_value};
use super::{ApiFailure, Call, Cluster};

/// A collection to list, page by page.
#[derive(Debug, Clone)]
pub(crate) struct Listing<'a> {
    /// The path of the collection.
    pub path: &'a str,
    /// What it is, for error texts: "pods".
    pub noun: &'a str,
    /// A label selector, blank for all.
    pub labels: &'a str,
    /// A field selector, blank for all.
    pub fields: &'a str,
    /// Objects per page: bounds memory.
    pub page_limit: u32,
    /// Says that names, labels and annotations are enough.
    pub metadata_only: bool,
}

impl Cluster {
    /// Reads one object; none if it is not there.
    pub(crate) async fn get(&self, reference: &ObjectRef) -> Result<Option<Value>, ApiFailure> {
        let what = format!("read {reference}");
        let Some(path) = object(reference) else {
            return Err(self.unknown_kind(&what));
        };
        self.get_path(&path, what).await
    }

    /// Reads any path, for `/version` and API groups; none on 404.
    pub(crate) async fn get_path(&self, path: &str, what: impl Into<String>) -> Result<Option<Value>, ApiFailure> {
        match self.send(&Call::get(path, what)).await {
            Ok(value) => Ok(Some(value)),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Hands a collection to `each`, page by page, so that no more than one page is in memory.
    ///
    /// Fails with `NotFound` if the kind is not served.
    pub(crate) async fn pages(&self, listing: &Listing<'_>, mut each: impl FnMut(&Value)) -> Result<(), ApiFailure> {
        let mut position = String::new();
        loop {
            let mut uri = format!("{}?limit={}", listing.path, listing.page_limit);
            for (key, value) in
                [("labelSelector", listing.labels), ("fieldSelector", listing.fields), ("continue", &position)]
            {
                if !value.is_empty() {
                    uri.extend(["&", key, "=", &query_value(value)]);
                }
            }
            let mut call = Call::get(uri, format!("list {}", listing.noun));
            call.metadata_only = listing.metadata_only;
            let page = self.send(&call).await?;
            each(&page);
            match page["metadata"]["continue"].as_str() {
                Some(next) if !next.is_empty() => next.clone_into(&mut position),
                _ => return Ok(()),
            }
        }
    }

    pub(super) fn unknown_kind(&self, what: &str) -> ApiFailure {
        ApiFailure {
            what: what.to_owned(),
            server: self.server().to_owned(),
            cause: super::Cause::Broken("this kind of object is not in our table".to_owned()),
        }
    }
}
