//! From flags and kubeconfig files to a [`Cluster`].
//!
//! What is chosen is decided in `mizar_core::kubeconfig`; here files are read, credentials fetched and a client is built.
//! kube's own loader takes no part: it differs from kubectl in files, proxies, tokens and plugins (docs/connecting.md).

mod door;
mod exec;
mod files;
mod identity;
mod in_cluster;

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use http::{HeaderValue, Uri};
use kube::client::ClientBuilder;
use kube::config::AuthInfo;
use mizar_core::kubeconfig::proxy::{self, proxy_for};
use mizar_core::kubeconfig::{ActAs, ChooseError, Credential, Destination, Flags, Origin, Said, Wrong, choose};
use mizar_core::timing::Timing;

use super::guard::GuardLayer;
use super::{Access, Cluster, Ledger};
pub(crate) use door::NoCredential;
use door::{Door, Source};
use exec::Plugin;

/// What the person and the environment say about where to connect.
#[derive(Debug, Clone, Default)]
pub(crate) struct Target {
    /// `--kubeconfig`.
    pub kubeconfig: Option<PathBuf>,
    /// The flags that choose and change what the kubeconfig says.
    pub flags: Flags,
    /// `KUBECONFIG` of the environment.
    pub kubeconfig_variable: Option<OsString>,
    /// The home directory.
    pub home: Option<PathBuf>,
    /// The proxies of the environment.
    pub proxies: proxy::Environment,
    /// `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT`: we run in a pod.
    pub service: Option<(String, String)>,
    /// Whether somebody sits at stdin.
    pub has_terminal: bool,
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// Nothing says where the cluster is.
    #[error("no kubeconfig found; looked at {}", looked_at.join(", "))]
    NoKubeconfig {
        /// The places that were looked at.
        looked_at: Vec<String>,
    },
    /// A kubeconfig file cannot be read.
    #[error("kubeconfig {}: {reason}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Nothing can be chosen from it.
    #[error(transparent)]
    Choose(#[from] ChooseError),
    /// A field, flag or variable cannot be used.
    #[error(transparent)]
    Wrong(#[from] Wrong),
    /// The client could not be built from it.
    #[error("cannot make a client: {0}")]
    Client(String),
}

/// Builds the client, and runs the credential plugin if there is one. Sends no request. `tell` passes on to the person what a
/// plugin says.
pub(crate) async fn connect(
    target: &Target,
    command: &'static str,
    access: Access,
    timing: Timing,
    tell: fn(&str),
) -> Result<Cluster, ConnectError> {
    let destination = choose(&files::load(target)?, &target.flags)?;
    let uri = address(&destination.server)?;
    let proxy = proxy(&uri, &destination, &target.proxies)?;
    let mut config = kube::Config::new(uri.clone());
    config.default_retry = false;
    config.connect_timeout = Some(timing.connect);
    // Watches are silent between bookmarks, so only single requests have a deadline (Cluster::send).
    config.read_timeout = None;
    config.proxy_url = proxy.as_ref().map(|(uri, _)| uri.clone());
    config.disable_compression = destination.cluster.disable_compression;
    config.tls_server_name = identity::server_name(destination.cluster.tls_server_name.as_ref())?;
    config.accept_invalid_certs = destination.cluster.insecure;
    if let Some(authority) = &destination.cluster.authority {
        config.root_cert = Some(identity::authorities(authority)?);
        config.root_cert_file = in_cluster::authority_file(authority);
    }
    config.auth_info = act_as(&destination.user.act_as)?;
    let own = identity::of_user(&destination.user)?;

    let source = source(&destination, target, &timing, tell)?;
    let door = Door::open(config, own, source, timing.token_reread).await?;
    let ledger = Arc::new(Ledger::new(command, access));
    let client = ClientBuilder::new(door, "default").with_layer(&GuardLayer(ledger.clone())).build();
    let server = uri.to_string().trim_end_matches('/').to_owned();
    Ok(Cluster::new(client, ledger, server, proxy.map(|(_, shown)| shown), timing))
}

/// The address of the server. One with a name or password in it is refused: it would be shown in every message.
fn address(server: &Said<String>) -> Result<Uri, ConnectError> {
    let wrong = |message: &str| {
        ConnectError::Wrong(Wrong::new(server.origin.clone(), message).hint("write it like https://HOST:PORT"))
    };
    let uri: Uri = server.what.parse().map_err(|_| wrong("is no URL of a server"))?;
    let authority = uri.authority().ok_or_else(|| wrong("is no URL of a server"))?;
    if authority.as_str().contains('@') {
        return Err(wrong("holds a user name: that belongs into the user of the kubeconfig"));
    }
    if !matches!(uri.scheme_str(), Some("https" | "http")) || authority.host().is_empty() {
        return Err(wrong("is no URL of a server"));
    }
    if authority.port_u16().is_none() && authority.as_str() != authority.host() {
        return Err(wrong("has a port that is no port"));
    }
    Ok(uri)
}

/// The proxy before the server, and how it is shown: without its password.
fn proxy(
    server: &Uri,
    destination: &Destination,
    environment: &proxy::Environment,
) -> Result<Option<(Uri, String)>, Wrong> {
    let scheme = server.scheme_str().unwrap_or("https");
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = server.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
    let server = proxy::Server { scheme, host, port };
    let Some(proxy) = proxy_for(server, destination.cluster.proxy.as_ref(), environment)? else {
        return Ok(None);
    };
    let wrong = |message: &str| Wrong::new(proxy.origin.clone(), message);
    let uri: Uri = proxy.what.parse().map_err(|_| {
        wrong("is no proxy address: it is no URL").hint("write it like http://HOST:PORT or socks5://HOST:PORT")
    })?;
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let (login, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    if uri.scheme_str() == Some("socks5") && !login.is_empty() {
        return Err(wrong("names a user: a SOCKS proxy that asks for one cannot be used")
            .hint("use its HTTP port, or one that trusts this machine"));
    }
    let shown = format!("{}://{host} ({})", uri.scheme_str().unwrap_or("http"), proxy.origin);
    Ok(Some((uri, shown)))
}

/// kube puts these into the headers of every request.
fn act_as(who: &ActAs) -> Result<AuthInfo, ConnectError> {
    let mut extra: HashMap<String, Vec<String>> = HashMap::new();
    for (key, value) in &who.extra {
        extra.entry(key.clone()).or_default().push(value.clone());
    }
    let values = who.user.iter().chain(&who.uid).chain(&who.groups).chain(extra.values().flatten());
    if values.clone().any(|value| HeaderValue::from_str(value).is_err()) {
        return Err(Wrong::new(Origin::Flag("--as"), "holds characters that no HTTP header may hold").into());
    }
    Ok(AuthInfo {
        impersonate: who.user.clone(),
        impersonate_uid: who.uid.clone(),
        impersonate_groups: (!who.groups.is_empty()).then(|| who.groups.clone()),
        impersonate_user_extra: (!extra.is_empty()).then_some(extra),
        ..AuthInfo::default()
    })
}

fn source(destination: &Destination, target: &Target, timing: &Timing, tell: fn(&str)) -> Result<Source, ConnectError> {
    Ok(match &destination.credential {
        Credential::None => Source::None,
        Credential::Token(token) => Source::Token(token.clone()),
        Credential::TokenFile(path, first) => Source::File(path.clone(), first.clone()),
        Credential::Basic(basic) => Source::Basic(basic.clone()),
        Credential::Exec(exec) => {
            Source::Plugin(Plugin::new(exec, destination, target.has_terminal, timing.login, tell)?)
        }
    })
}
