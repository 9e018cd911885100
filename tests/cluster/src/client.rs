//! Clients of a bed's API server, and the few raw requests that need no types.

use std::path::Path;
use std::time::{Duration, Instant};

use http::Request;
use http::header::{ACCEPT, CONTENT_TYPE};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;

/// No request of ours may hang on a stopped server.
const REQUEST_PATIENCE: Duration = Duration::from_secs(30);
const BUSY_PAUSE: Duration = Duration::from_millis(100);
const METADATA: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// Why a client cannot be made or a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The kubeconfig is unusable.
    #[error("cannot use the kubeconfig {path}")]
    Kubeconfig {
        /// Its path.
        path: String,
        /// Why.
        source: Box<kube::config::KubeconfigError>,
    },
    /// The server said no, or nothing.
    #[error("{method} {path}")]
    Request {
        /// The verb of HTTP.
        method: &'static str,
        /// What was asked for.
        path: String,
        /// The answer.
        source: Box<kube::Error>,
    },
    /// The server did not answer in time.
    #[error("{method} {path} got no answer within {} s", REQUEST_PATIENCE.as_secs())]
    Silence {
        /// The verb of HTTP.
        method: &'static str,
        /// What was asked for.
        path: String,
    },
}

impl ClientError {
    /// The status code of the server's answer, if it gave one.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Request { source, .. } => match source.as_ref() {
                kube::Error::Api(status) => Some(status.code),
                _ => None,
            },
            Self::Kubeconfig { .. } | Self::Silence { .. } => None,
        }
    }
}

/// Makes a client from a kubeconfig; it identifies itself as `mizar-bed` and never retries in silence.
pub async fn connect(kubeconfig: &Path) -> Result<kube::Client, ClientError> {
    // Another caller may have installed it already: either is the same provider.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let failed = |source| ClientError::Kubeconfig { path: kubeconfig.display().to_string(), source: Box::new(source) };
    let read = Kubeconfig::read_from(kubeconfig).map_err(failed)?;
    let mut config = kube::Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await.map_err(failed)?;
    config.default_retry = false;
    // A proxy of the environment must not be asked for a loopback address.
    config.proxy_url = None;
    config.headers.push((http::header::USER_AGENT, http::HeaderValue::from_static("mizar-bed")));
    kube::Client::try_from(config)
        .map_err(|source| request_error("connect to", &kubeconfig.display().to_string(), source))
}

fn request_error(method: &'static str, path: &str, source: kube::Error) -> ClientError {
    ClientError::Request { method, path: path.to_owned(), source: Box::new(source) }
}

/// GETs a path that answers in text.
pub(crate) async fn get_text(client: &kube::Client, path: &str) -> Result<String, ClientError> {
    let request = Request::get(path).body(Vec::new()).expect("our paths are valid URIs");
    within("GET", path, client.request_text(request)).await
}

/// GETs an object or a list.
pub(crate) async fn get(client: &kube::Client, path: &str) -> Result<Value, ClientError> {
    send(client, "GET", path, None, None).await
}

/// GETs a list of which only the metadata is wanted.
pub(crate) async fn list_metadata(client: &kube::Client, path: &str) -> Result<Vec<Value>, ClientError> {
    let mut list = send(client, "GET", path, Some(METADATA), None).await?;
    Ok(match list["items"].take() {
        Value::Array(items) => items,
        _ => Vec::new(),
    })
}

/// POSTs an object.
pub(crate) async fn create(client: &kube::Client, path: &str, object: &Value) -> Result<Value, ClientError> {
    send(client, "POST", path, None, Some(("application/json", object))).await
}

/// PUTs an object.
pub(crate) async fn replace(client: &kube::Client, path: &str, object: &Value) -> Result<Value, ClientError> {
    send(client, "PUT", path, None, Some(("application/json", object))).await
}

/// PATCHes an object with a merge patch.
pub(crate) async fn merge(client: &kube::Client, path: &str, changes: &Value) -> Result<Value, ClientError> {
    send(client, "PATCH", path, None, Some(("application/merge-patch+json", changes))).await
}

/// Applies an object as field manager `mizar-bed`, whoever owned its fields before.
pub(crate) async fn apply(client: &kube::Client, path: &str, object: &Value) -> Result<Value, ClientError> {
    let path = format!("{path}?fieldManager=mizar-bed&force=true");
    send(client, "PATCH", &path, None, Some(("application/apply-patch+yaml", object))).await
}

/// DELETEs an object, or a whole collection, at once.
pub(crate) async fn delete(client: &kube::Client, path: &str) -> Result<(), ClientError> {
    let options = serde_json::json!({
        "apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0, "propagationPolicy": "Background",
    });
    send(client, "DELETE", path, None, Some(("application/json", &options))).await.map(drop)
}

/// Writes an object and does not look at the answer, as long as it is a good one.
pub(crate) async fn write_unread(
    client: &kube::Client,
    method: &'static str,
    path: &str,
    body: &Value,
) -> Result<(), ClientError> {
    let content_type = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
    let bytes = serde_json::to_vec(body).expect("a JSON value is always serializable");
    let request = Request::builder().method(method).uri(path).header(CONTENT_TYPE, content_type).body(bytes);
    let request = request.expect("our paths are valid URIs");
    within(method, path, client.request_text(request)).await.map(drop)
}

/// A server whose storage of a kind is being set up anew says 429 for a moment, and has done nothing.
async fn send(
    client: &kube::Client,
    method: &'static str,
    path: &str,
    accept: Option<&'static str>,
    body: Option<(&'static str, &Value)>,
) -> Result<Value, ClientError> {
    let started = Instant::now();
    loop {
        match send_once(client, method, path, accept, body).await {
            Err(error) if error.code() == Some(429) && started.elapsed() < REQUEST_PATIENCE => {
                tokio::time::sleep(BUSY_PAUSE).await;
            }
            other => return other,
        }
    }
}

async fn send_once(
    client: &kube::Client,
    method: &'static str,
    path: &str,
    accept: Option<&'static str>,
    body: Option<(&'static str, &Value)>,
) -> Result<Value, ClientError> {
    let mut request = Request::builder().method(method).uri(path).header(ACCEPT, accept.unwrap_or("application/json"));
    let mut bytes = Vec::new();
    if let Some((content_type, value)) = body {
        request = request.header(CONTENT_TYPE, content_type);
        bytes = serde_json::to_vec(value).expect("a JSON value is always serializable");
    }
    let request = request.body(bytes).expect("our paths are valid URIs");
    within(method, path, client.request(request)).await
}

async fn within<T>(
    method: &'static str,
    path: &str,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, ClientError> {
    match tokio::time::timeout(REQUEST_PATIENCE, request).await {
        Ok(answer) => answer.map_err(|source| request_error(method, path, source)),
        Err(_) => Err(ClientError::Silence { method, path: path.to_owned() }),
    }
}
