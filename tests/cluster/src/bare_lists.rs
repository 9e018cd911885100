//! Reads lists page by page and throws them away: the least time in which what a check looks at can be fetched. The
//! same client library, parallelism, page sizes and headers as the product's, and nothing done with the answers.

use std::path::Path;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use http::Request;
use http::header::ACCEPT;
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde::{Deserialize, Serialize};

use crate::client::{self, ClientError};

/// As the product asks for metadata only.
const METADATA: &str = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json";
/// At most as much of a page is kept as may hold its position.
const KEPT: usize = 64 * 1024;

/// One list.
#[derive(Debug, Clone)]
pub struct BareList {
    /// The path with the first page's query, `/api/v1/pods?limit=500`.
    pub uri: String,
    /// Whether names, labels and annotations are enough.
    pub metadata_only: bool,
}

/// What was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// How many requests were sent.
    pub requests: usize,
    /// How many bytes of JSON came, decompressed.
    pub bytes: usize,
}

/// Reads every list, `at_once` of them at a time. Blocks until all are read.
pub fn read(kubeconfig: &Path, lists: &[BareList], at_once: usize) -> Result<Amount, BareListError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(BareListError::Runtime)?.block_on(async {
        let client = client::connect(kubeconfig).await?;
        let amounts = stream::iter(lists)
            .map(|list| read_list(&client, list))
            .buffer_unordered(at_once)
            .try_collect::<Vec<Amount>>()
            .await?;
        let add =
            |sum: Amount, one: Amount| Amount { requests: sum.requests + one.requests, bytes: sum.bytes + one.bytes };
        Ok(amounts.into_iter().fold(Amount::default(), add))
    })
}

/// Why the lists could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BareListError {
    /// The kubeconfig.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// No runtime could be started.
    #[error("cannot start a runtime")]
    Runtime(#[source] std::io::Error),
    /// A request.
    #[error("GET {uri}: {reason}")]
    Request {
        /// What was asked for.
        uri: String,
        /// What happened.
        reason: String,
    },
}

async fn read_list(client: &kube::Client, list: &BareList) -> Result<Amount, BareListError> {
    let mut amount = Amount::default();
    let mut uri = list.uri.clone();
    loop {
        let (bytes, next) = read_page(client, &uri, list.metadata_only).await?;
        amount.requests += 1;
        amount.bytes += bytes;
        match next {
            Some(position) => uri = format!("{}&continue={position}", list.uri),
            None => return Ok(amount),
        }
    }
}

/// Returns the length of a page and the position of the next one.
async fn read_page(
    client: &kube::Client,
    uri: &str,
    metadata_only: bool,
) -> Result<(usize, Option<String>), BareListError> {
    let failed = |reason: String| BareListError::Request { uri: uri.to_owned(), reason };
    let accept = if metadata_only { METADATA } else { "application/json" };
    let request = Request::get(uri).header(ACCEPT, accept).body(Body::empty()).expect("our paths are valid URIs");
    let response = client.send(request).await.map_err(|error| failed(error.to_string()))?;
    let status = response.status();
    // A group that is not served is an answer: the product asks for it too.
    if !status.is_success() && status != http::StatusCode::NOT_FOUND {
        return Err(failed(format!("HTTP {status}")));
    }
    let mut body = response.into_body();
    let (mut length, mut head, mut tail) = (0, Vec::new(), Vec::new());
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| failed(error.to_string()))?.into_data() else { continue };
        length += data.len();
        if head.len() < KEPT {
            head.extend_from_slice(&data);
        }
        tail.extend_from_slice(&data);
        tail.drain(..tail.len().saturating_sub(KEPT));
    }
    Ok((length, position(&head).or_else(|| position(&tail))))
}

/// Finds the position of the next page: built-in kinds have it in front of the items, custom ones behind them.
fn position(part: &[u8]) -> Option<String> {
    const KEY: &[u8] = b"\"metadata\":{\"";
    let text = String::from_utf8_lossy(part);
    let of_list = |metadata: &str| {
        let fields = metadata.split_once('}')?.0;
        let rest = fields.split_once("continue\":\"")?.1;
        // Only a list has both at once.
        fields.contains("resourceVersion\"").then(|| rest.split('"').next().unwrap_or_default().to_owned())
    };
    let key = std::str::from_utf8(KEY).unwrap_or_default();
    text.split(key).skip(1).find_map(of_list).filter(|position| !position.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_position_is_found_before_and_behind_the_items() {
        let before = br#"{"kind":"PodList","metadata":{"resourceVersion":"7","continue":"abc","remainingItemCount":3},"items":[{"metadata":{"name":"continue\":\""}}]}"#;
        let behind = br#"{"items":[{"metadata":{"name":"x","resourceVersion":"3"}}],"kind":"EndpointList","metadata":{"continue":"def","resourceVersion":"7"}}"#;
        assert_eq!(position(before).as_deref(), Some("abc"));
        assert_eq!(position(behind).as_deref(), Some("def"));
        assert_eq!(position(br#"{"metadata":{"resourceVersion":"7"},"items":[]}"#), None);
    }
}
