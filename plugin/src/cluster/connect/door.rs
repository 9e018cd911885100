//! Puts credentials on every request, and keeps them fresh: a plugin is run once, and again when what it handed out has
//! expired or is no longer taken; a token file is read again each minute.

use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Request, Response, StatusCode, header};
use jiff::Timestamp;
use kube::client::{Body, ClientBuilder};
use mizar_core::kubeconfig::{Origin, Said, Wrong};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;
use tower::{BoxError, Service};

use super::ConnectError;
use super::exec::Plugin;
use super::files::bounded;
use super::identity::Identity;

/// No token is larger.
const TOKEN_LIMIT: u64 = 1024 * 1024;

/// Where the credential of a run comes from.
pub(super) enum Source {
    /// There is none, or a client certificate is all.
    None,
    /// It stays as it is.
    Token(Said<SecretString>),
    /// It stays as it is.
    Basic(Said<(String, SecretString)>),
    /// Others keep the file fresh; the token is what to start with where it cannot be read.
    File(Said<std::path::PathBuf>, Option<Said<SecretString>>),
    /// A program hands it out.
    Plugin(Plugin),
}

/// No credentials could be had for a request.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct NoCredential(ConnectError);

impl NoCredential {
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match &self.0 {
            ConnectError::Wrong(wrong) => wrong.hint.clone(),
            _ => None,
        }
    }
}

/// The service that every request goes through; cheap to clone.
#[derive(Clone)]
pub(super) struct Door(Arc<Shared>);

struct Shared {
    config: kube::Config,
    source: Source,
    reread: Duration,
    pass: Mutex<Pass>,
    /// Held while a new credential is fetched, so that only one is.
    renewing: tokio::sync::Mutex<()>,
}

/// What a request needs to get through.
#[derive(Clone)]
struct Pass {
    client: kube::Client,
    header: Option<HeaderValue>,
    due: Due,
    /// Counts renewals.
    number: u64,
    /// Whether the server took it.
    was_taken: bool,
}

/// When a pass must be renewed.
#[derive(Debug, Clone, Copy)]
enum Due {
    Never,
    At(Instant),
    Expires(Timestamp),
}

impl Due {
    fn is_over(self) -> bool {
        match self {
            Self::Never => false,
            Self::At(time) => Instant::now() >= time,
            Self::Expires(time) => Timestamp::now() >= time,
        }
    }
}

impl Door {
    /// Fetches the first credential. `own` is the client certificate of the kubeconfig.
    pub(super) async fn open(
        mut config: kube::Config,
        own: Option<Identity>,
        source: Source,
        reread: Duration,
    ) -> Result<Self, ConnectError> {
        if let Some(own) = own {
            own.put_into(&mut config.auth_info);
        }
        let (header, identity, due) = match &source {
            Source::File(path, Some(first)) => {
                let now = read_token(path).or_else(|_| bearer(&first.what, &first.origin))?;
                (Some(now), None, Due::At(Instant::now() + reread))
            }
            other => fetch(other, reread).await?,
        };
        let client = client(&config, identity.as_ref())?;
        let pass = Mutex::new(Pass { client, header, due, number: 0, was_taken: false });
        Ok(Self(Arc::new(Shared { config, source, reread, pass, renewing: tokio::sync::Mutex::default() })))
    }
}

impl Shared {
    fn pass(&self) -> MutexGuard<'_, Pass> {
        self.pass.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> Pass {
        self.pass().clone()
    }

    /// A pass that is not due.
    async fn fresh(self: &Arc<Self>) -> Result<Pass, BoxError> {
        let pass = self.current();
        if pass.due.is_over() { self.renewed_after(pass.number).await } else { Ok(pass) }
    }

    /// A pass newer than `number`. A request that is given up does not end a plugin that asks a person.
    async fn renewed_after(self: &Arc<Self>, number: u64) -> Result<Pass, BoxError> {
        let shared = self.clone();
        tokio::spawn(async move { shared.renew(number).await }).await?.map_err(|error| NoCredential(error).into())
    }

    async fn renew(&self, number: u64) -> Result<Pass, ConnectError> {
        let _only_one = self.renewing.lock().await;
        let known = self.current();
        if known.number != number {
            return Ok(known);
        }
        let (header, identity, due) = match fetch(&self.source, self.reread).await {
            Ok(fetched) => fetched,
            // Whoever hands tokens out by file may take the file away: the last one serves, as in client-go.
            Err(_) if matches!(self.source, Source::File(..)) => {
                (known.header.clone(), None, Due::At(Instant::now() + self.reread))
            }
            Err(error) => return Err(error),
        };
        let client = match &identity {
            // Connections that are open were made with the certificate before.
            Some(identity) => client(&self.config, Some(identity))?,
            None => known.client,
        };
        let is_same = identity.is_none() && header == known.header;
        let was_taken = is_same && known.was_taken;
        let pass = Pass { client, header, due, number: number + 1, was_taken };
        *self.pass() = pass.clone();
        Ok(pass)
    }

    /// Another pass for a request that was refused with this one; none where another would be no better.
    async fn instead_of(self: &Arc<Self>, refused: &Pass) -> Result<Option<Pass>, BoxError> {
        if !matches!(self.source, Source::File(..) | Source::Plugin(_)) {
            return Ok(None);
        }
        // A plugin whose second answer is refused too would only be run for nothing, again and again.
        let may_renew = refused.number == 0 || refused.was_taken || self.current().number != refused.number;
        if !may_renew {
            return Ok(None);
        }
        let pass = self.renewed_after(refused.number).await?;
        let is_other = matches!(self.source, Source::Plugin(_)) || pass.header != refused.header;
        Ok(is_other.then_some(pass))
    }

    fn note_taken(&self, number: u64) {
        let mut pass = self.pass();
        if pass.number == number {
            pass.was_taken = true;
        }
    }

    async fn send(self: Arc<Self>, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let pass = self.fresh().await?;
        let copy = copy(&request);
        let response = through(&pass, request).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            self.note_taken(pass.number);
            return Ok(response);
        }
        let refused = Pass { was_taken: self.current().was_taken, ..pass };
        let Some(copy) = copy else { return Ok(response) };
        let Some(pass) = self.instead_of(&refused).await? else { return Ok(response) };
        let response = through(&pass, copy).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            self.note_taken(pass.number);
        }
        Ok(response)
    }
}

async fn through(pass: &Pass, mut request: Request<Body>) -> Result<Response<Body>, BoxError> {
    if let Some(header) = &pass.header {
        request.headers_mut().insert(header::AUTHORIZATION, header.clone());
    }
    Ok(pass.client.send(request).await?)
}

fn copy(request: &Request<Body>) -> Option<Request<Body>> {
    let mut copy = Request::new(request.body().try_clone()?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    Some(copy)
}

impl Service<Request<Body>> for Door {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.clone().send(request))
    }
}

type Fetched = (Option<HeaderValue>, Option<Identity>, Due);

async fn fetch(source: &Source, reread: Duration) -> Result<Fetched, ConnectError> {
    Ok(match source {
        Source::None => (None, None, Due::Never),
        Source::Token(token) => (Some(bearer(&token.what, &token.origin)?), None, Due::Never),
        Source::Basic(basic) => {
            let (name, password) = &basic.what;
            let login = STANDARD.encode(format!("{name}:{}", password.expose_secret()));
            (Some(authorization(&format!("Basic {login}"), &basic.origin)?), None, Due::Never)
        }
        Source::File(path, _) => (Some(read_token(path)?), None, Due::At(Instant::now() + reread)),
        Source::Plugin(plugin) => {
            let issued = plugin.run().await?;
            let header = match &issued.token {
                Some(token) => Some(plugin_bearer(plugin, token)?),
                None => None,
            };
            (header, issued.identity, issued.expires.map_or(Due::Never, Due::Expires))
        }
    })
}

fn plugin_bearer(plugin: &Plugin, token: &SecretString) -> Result<HeaderValue, Wrong> {
    bearer(token, &Origin::Flag("token"))
        .map_err(|_| plugin.wrong("answers a token that holds characters that no HTTP header may hold"))
}

fn read_token(path: &Said<std::path::PathBuf>) -> Result<HeaderValue, Wrong> {
    let text = token_text(&path.what)
        .map_err(|reason| Wrong::new(path.origin.clone(), format!("cannot read {}: {reason}", path.what.display())))?;
    if text.expose_secret().is_empty() {
        return Err(Wrong::new(path.origin.clone(), format!("{} holds no token", path.what.display())));
    }
    bearer(&text, &path.origin)
}

fn token_text(path: &Path) -> Result<SecretString, String> {
    let bytes = bounded(path, TOKEN_LIMIT)?;
    let text = String::from_utf8(bytes).map_err(|_| "it is no text".to_owned())?;
    Ok(text.trim().into())
}

fn bearer(token: &SecretString, origin: &Origin) -> Result<HeaderValue, Wrong> {
    authorization(&format!("Bearer {}", token.expose_secret()), origin)
}

fn authorization(text: &str, origin: &Origin) -> Result<HeaderValue, Wrong> {
    // HTTP allows more; no credential has it, so it was copied badly.
    let is_sound = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let Some(mut value) = HeaderValue::from_str(text).ok().filter(|_| is_sound) else {
        return Err(Wrong::new(origin.clone(), "holds characters that no HTTP header may hold")
            .hint("log in again, or copy the token without line breaks"));
    };
    value.set_sensitive(true);
    Ok(value)
}

fn client(config: &kube::Config, identity: Option<&Identity>) -> Result<kube::Client, ConnectError> {
    let mut config = config.clone();
    if let Some(identity) = identity {
        identity.put_into(&mut config.auth_info);
    }
    let builder = ClientBuilder::try_from(config).map_err(|error| ConnectError::Client(error.to_string()))?;
    Ok(builder.build())
}
