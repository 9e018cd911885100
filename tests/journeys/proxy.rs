//! A server on loopback in front of a bed's API server that answers as its [`Manner`] says: as an older server would, or
//! as one that is not well.
//!
//! What the manner lets through is sent on as a role of the bed, whoever asks, and under the sender's own User-Agent, so
//! the audit log shows what has got through. Watches are passed on event by event. The proxy ends when it is dropped.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{self, Stream, StreamExt as _};
use http::request::Parts;
use http::{HeaderName, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use mizar_bed::{Bed, Role};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

const PATIENCE: Duration = Duration::from_secs(30);

/// In what the proxy differs from the API server behind it.
pub(crate) trait Manner: Send + Sync + 'static {
    /// Decides about a request, and may change it before it is sent on.
    fn receive(&self, request: &mut Parts) -> Verdict;

    /// Changes a document of an answer: an object, a list, or one event of a watch.
    fn rewrite(&self, _path: &str, _document: &mut Value) {}
}

/// What becomes of a request.
pub(crate) enum Verdict {
    /// It is sent on.
    Forward,
    /// It is answered, and the API server never hears of it.
    Answer(Response<String>),
    /// It is never answered.
    Silence,
    /// It is sent on, and the connection is cut before the answer.
    Lose,
    /// The connection is cut, and the API server never hears of it.
    Cut,
    /// Something happens first; then this becomes of it, also if the sender does not wait for it any more.
    After(BoxFuture<'static, ()>, Box<Self>),
    /// It is sent on, and when it was answered this happens and the connection is cut.
    ThenLose(BoxFuture<'static, ()>),
    /// It is sent on, its answer begins, and the connection is cut before anything is said.
    CutShort,
    /// It is answered with a success that says nothing and never ends, as a watch behind a middlebox that forgot it.
    Mute,
}

/// The name of the object in a request's body, among the extensions of the request.
#[derive(Debug, Clone, Default)]
pub(crate) struct NameInBody(pub(crate) String);

/// The `apiVersion` in a request's body, among the extensions of the request.
#[derive(Debug, Clone, Default)]
pub(crate) struct VersionInBody(pub(crate) String);

/// A request as it was asked, whatever became of it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The HTTP method.
    pub(crate) method: String,
    /// Path and query.
    pub(crate) uri: String,
    /// What kind of body, or empty.
    pub(crate) content_type: String,
    /// The body, if it was JSON.
    pub(crate) body: Value,
    /// What the sender calls itself.
    pub(crate) user_agent: String,
}

/// An error as API servers send it.
pub(crate) fn status(code: u16, reason: &str, message: &str) -> Response<String> {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code});
    answer(code, "application/json", status.to_string())
}

/// What API servers say of paths that they do not know.
pub(crate) fn page_not_found() -> Response<String> {
    answer(404, "text/plain; charset=utf-8", "404 page not found\n".to_owned())
}

fn answer(code: u16, content_type: &str, body: String) -> Response<String> {
    Response::builder().status(code).header(header::CONTENT_TYPE, content_type).body(body).unwrap()
}

/// Whether a request is to change something; asking for one's own rights is not.
pub(crate) fn is_write(request: &Parts) -> bool {
    request.method != "GET" && !request.uri.path().contains("/selfsubject")
}

/// Takes one of a number, unless there is none left.
pub(crate) fn take_one(number: &AtomicUsize) -> bool {
    number.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

/// The proxy; dropping it ends it and every connection.
pub(crate) struct Proxy {
    inner: Arc<Inner>,
    kubeconfig: PathBuf,
    _folder: TempDir,
    _server: JoinSet<()>,
}

impl Proxy {
    /// Starts a proxy that acts as the bed's administrator.
    pub(crate) async fn before(bed: &Bed, manner: impl Manner) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        let address = format!("http://{}", listener.local_addr().unwrap());
        std::fs::write(&kubeconfig, kubeconfig_of(&address).to_string()).unwrap();
        let client = client(&bed.kubeconfig(Role::Admin)).await;
        let inner =
            Arc::new(Inner { client, manner: Box::new(manner), asked: Mutex::default(), silence: Notify::new() });
        let mut server = JoinSet::new();
        server.spawn(accept(listener, inner.clone()));
        Self { inner, kubeconfig, _folder: folder, _server: server }
    }

    /// The kubeconfig that leads here.
    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Ends when a request has been met with silence.
    pub(crate) async fn silence(&self) {
        let met = tokio::time::timeout(PATIENCE, self.inner.silence.notified()).await;
        met.expect("the run ends before it is met with silence");
    }

    /// What kubectl-mizar asked for since this was last called, in the order in which it came.
    pub(crate) fn take_asked(&self) -> Vec<Asked> {
        let asked = std::mem::take(&mut *self.inner.asked.lock().unwrap());
        asked.into_iter().filter(|asked| asked.user_agent.starts_with("kubectl-mizar/")).collect()
    }
}

fn kubeconfig_of(server: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Config", "current-context": "proxy",
        "clusters": [{"name": "proxy", "cluster": {"server": server}}],
        "users": [{"name": "anybody", "user": {"token": "the-proxy-has-its-own"}}],
        "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "anybody"}}]})
}

/// A client without a name of its own: that of the sender is kept.
async fn client(kubeconfig: &Path) -> kube::Client {
    let read = Kubeconfig::read_from(kubeconfig).unwrap();
    let mut config = kube::Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await.unwrap();
    config.default_retry = false;
    // A proxy of the environment must not be asked for a loopback address.
    config.proxy_url = None;
    config.read_timeout = None;
    kube::Client::try_from(config).unwrap()
}

async fn accept(listener: TcpListener, inner: Arc<Inner>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A caller that has gone before it was served is no trouble of ours.
                if let Ok((stream, _)) = accepted {
                    connections.spawn(serve(stream, inner.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, inner: Arc<Inner>) {
    let service = service_fn(move |request| {
        let inner = inner.clone();
        async move { inner.handle(request).await }
    });
    // Callers that are killed cut their connections: that is no error here.
    let _cut = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

type Answer = Response<UnsyncBoxBody<Bytes, io::Error>>;

struct Inner {
    client: kube::Client,
    manner: Box<dyn Manner>,
    asked: Mutex<Vec<Asked>>,
    silence: Notify,
}

impl Inner {
    /// Answers a request; an error cuts the connection.
    async fn handle(self: Arc<Self>, request: Request<Incoming>) -> io::Result<Answer> {
        let (mut parts, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let noted = self.note(&parts, &body);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        parts.extensions.insert(NameInBody(text(&noted["metadata"]["name"])));
        parts.extensions.insert(VersionInBody(text(&noted["apiVersion"])));
        let verdict = self.manner.receive(&mut parts);
        self.carry_out(verdict, parts, body).await
    }

    /// Does what becomes of a request; a box, since what follows after something else is done by itself.
    fn carry_out(
        self: Arc<Self>,
        verdict: Verdict,
        parts: Parts,
        body: Bytes,
    ) -> BoxFuture<'static, io::Result<Answer>> {
        async move {
            match verdict {
                Verdict::Forward => self.forward(parts, body).await,
                Verdict::Answer(answer) => Ok(whole(answer)),
                Verdict::Lose => {
                    self.forward(parts, body).await?;
                    Err(io::Error::other("the answer is lost"))
                }
                Verdict::Cut => Err(io::Error::other("the connection is cut")),
                Verdict::After(first, then) => {
                    // Not dropped with the connection: what was sent arrives, however late.
                    let late = tokio::spawn(async move {
                        first.await;
                        self.carry_out(*then, parts, body).await
                    });
                    late.await.map_err(io::Error::other)?
                }
                Verdict::ThenLose(act) => {
                    self.forward(parts, body).await?;
                    act.await;
                    Err(io::Error::other("the answer is lost"))
                }
                Verdict::CutShort => {
                    let (head, _) = self.forward(parts, body).await?.into_parts();
                    let cut = stream::once(async { Err(io::Error::other("the connection is cut")) });
                    Ok(Response::from_parts(head, StreamBody::new(cut).boxed_unsync()))
                }
                Verdict::Mute => {
                    let nothing = StreamBody::new(stream::pending()).boxed_unsync();
                    Ok(Response::builder().header(header::CONTENT_TYPE, "application/json").body(nothing).unwrap())
                }
                Verdict::Silence => {
                    self.silence.notify_one();
                    std::future::pending().await
                }
            }
        }
        .boxed()
    }

    /// Notes what was asked, and returns the body if it is JSON.
    fn note(&self, parts: &Parts, body: &Bytes) -> Value {
        let header = |name: HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
        let asked = Asked {
            method: parts.method.to_string(),
            uri: parts.uri.to_string(),
            content_type: header(header::CONTENT_TYPE).to_owned(),
            body: serde_json::from_slice(body).unwrap_or_default(),
            user_agent: header(header::USER_AGENT).to_owned(),
        };
        let body = asked.body.clone();
        self.asked.lock().unwrap().push(asked);
        body
    }

    async fn forward(self: Arc<Self>, mut parts: Parts, body: Bytes) -> io::Result<Answer> {
        for own in [header::HOST, header::AUTHORIZATION, header::ACCEPT_ENCODING, header::CONTENT_LENGTH] {
            parts.headers.remove(own);
        }
        let path = parts.uri.path().to_owned();
        let is_watch = parts.uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "watch=true"));
        let answer = self.client.send(Request::from_parts(parts, Body::from(body))).await.map_err(io::Error::other)?;
        let (mut head, body) = answer.into_parts();
        head.headers.remove(header::CONTENT_LENGTH);
        head.headers.remove(header::TRANSFER_ENCODING);
        let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let is_json = content_type.starts_with("application/json");
        if is_json && is_watch && head.status == StatusCode::OK {
            let body = StreamBody::new(self.events(path, body)).boxed_unsync();
            return Ok(Response::from_parts(head, body));
        }
        let mut body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        if is_json {
            body = self.rewritten(&path, &body);
        }
        Ok(Response::from_parts(head, full(body)))
    }

    /// The events of a watch, each sent as soon as its line is complete.
    fn events(self: Arc<Self>, path: String, body: Body) -> impl Stream<Item = io::Result<Frame<Bytes>>> {
        let begun = (body.into_data_stream(), Vec::new());
        stream::try_unfold(begun, move |(mut data, mut pending)| {
            let (inner, path) = (self.clone(), path.clone());
            async move {
                loop {
                    if let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                        let line: Vec<u8> = pending.drain(..=end).collect();
                        let mut event = inner.rewritten(&path, &line).to_vec();
                        event.push(b'\n');
                        return Ok(Some((Frame::data(Bytes::from(event)), (data, pending))));
                    }
                    match data.next().await {
                        Some(chunk) => pending.extend_from_slice(&chunk.map_err(io::Error::other)?),
                        None => return Ok(None),
                    }
                }
            }
        })
    }

    fn rewritten(&self, path: &str, document: &[u8]) -> Bytes {
        let mut document: Value = serde_json::from_slice(document).unwrap();
        self.manner.rewrite(path, &mut document);
        Bytes::from(serde_json::to_vec(&document).unwrap())
    }
}

fn whole(answer: Response<String>) -> Answer {
    answer.map(|text| full(Bytes::from(text)))
}

fn full(bytes: Bytes) -> UnsyncBoxBody<Bytes, io::Error> {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}
