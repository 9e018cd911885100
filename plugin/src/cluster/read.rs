//! Reading objects: single ones, and collections page by page.

use mizar_core::kind::KindInfo;
use mizar_core::object::ObjectRef;
use serde_json::{Value, json};

use super::path::{collection, object, query_value};
use super::{ApiFailure, Call, Cluster};

/// Which part of a collection to list.
#[derive(Debug, Clone, Default)]
pub struct ListScope<'a> {
    /// One namespace instead of all.
    pub namespace: Option<&'a str>,
    /// A label selector.
    pub labels: Option<&'a str>,
    /// A field selector.
    pub fields: Option<&'a str>,
    /// Objects per page; 500 when none. Big kinds take less, to bound memory.
    pub page: Option<u32>,
}

impl Cluster {
    /// Reads one object; none if it is not there.
    pub async fn get(&self, reference: &ObjectRef) -> Result<Option<Value>, ApiFailure> {
        let what = format!("read {reference}");
        let Some(path) = object(reference) else {
            return Err(self.unknown_kind(&what));
        };
        match self.send(&Call::get(path, what)).await {
            Ok(value) => Ok(Some(value)),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Reads any path, for `/version` and API groups; none on 404.
    pub async fn get_path(&self, path: &str, what: &str) -> Result<Option<Value>, ApiFailure> {
        match self.send(&Call::get(path, what)).await {
            Ok(value) => Ok(Some(value)),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Hands every object of a collection to `each`, page by page, so that no more than one page is in memory.
    ///
    /// Items of a list carry no apiVersion and kind; they are added here. Returns false if the kind is not served.
    pub async fn list(
        &self,
        kind: &KindInfo,
        scope: &ListScope<'_>,
        mut each: impl FnMut(Value),
    ) -> Result<bool, ApiFailure> {
        let base = collection(kind, scope.namespace);
        let api_version = kind.api_version();
        let mut position = String::new();
        loop {
            let mut uri = format!("{base}?limit={}", scope.page.unwrap_or(500));
            for (key, value) in [("labelSelector", scope.labels), ("fieldSelector", scope.fields)] {
                if let Some(value) = value {
                    uri += &format!("&{key}={}", query_value(value));
                }
            }
            if !position.is_empty() {
                uri += &format!("&continue={}", query_value(&position));
            }
            let mut page = match self.send(&Call::get(uri, format!("list {}", kind.plural))).await {
                Ok(page) => page,
                Err(failure) if failure.is_not_found() => return Ok(false),
                Err(failure) => return Err(failure),
            };
            position = page["metadata"]["continue"].as_str().unwrap_or_default().to_owned();
            if let Some(items) = page.get_mut("items").and_then(Value::as_array_mut) {
                for mut item in items.drain(..) {
                    if let Some(fields) = item.as_object_mut() {
                        fields.insert("apiVersion".to_owned(), json!(api_version));
                        fields.insert("kind".to_owned(), json!(kind.kind));
                        each(item);
                    }
                }
            }
            if position.is_empty() {
                return Ok(true);
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
