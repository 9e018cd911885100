//! From flags and kubeconfig files to a [`Cluster`].
//!
//! Differs from kube's own loader where kubectl does: missing files in KUBECONFIG are skipped, a token file may end in
//! a newline, flags win over files, and the environment's proxy is never used for loopback.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError, NamedAuthInfo, NamedCluster, NamedContext};
use mizar_core::timing::Timing;

use super::guard::GuardLayer;
use super::{Access, Cluster, Ledger};

/// What the person said about where to connect, as kubectl's flags say it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Target {
    /// `--kubeconfig`.
    pub kubeconfig: Option<PathBuf>,
    /// `--context`.
    pub context: Option<String>,
    /// `--cluster`.
    pub cluster: Option<String>,
    /// `--user`.
    pub user: Option<String>,
    /// `--server`.
    pub server: Option<String>,
    /// `--token`.
    pub token: Option<String>,
    /// `--certificate-authority`.
    pub certificate_authority: Option<PathBuf>,
    /// `--insecure-skip-tls-verify`.
    pub insecure: bool,
    /// `--as`.
    pub impersonate: Option<String>,
    /// `--as-group`.
    pub impersonate_groups: Vec<String>,
    /// `KUBECONFIG` of the environment.
    pub kubeconfig_variable: Option<std::ffi::OsString>,
    /// The home directory.
    pub home: Option<PathBuf>,
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
    /// A kubeconfig file cannot be used.
    #[error("kubeconfig {}: {reason}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The context is in none of the files.
    #[error("context {name:?} does not exist in the kubeconfig{}", known(available))]
    NoContext {
        /// The context that was asked for.
        name: String,
        /// Those that exist.
        available: Vec<String>,
    },
    /// The kubeconfig names no context and none was asked for.
    #[error("the kubeconfig has no current context{}", known(available))]
    NoCurrentContext {
        /// Those that exist.
        available: Vec<String>,
    },
    /// A token that cannot be sent.
    #[error("the token of user {user:?} holds characters that no HTTP header may hold")]
    BadToken {
        /// The user of the kubeconfig, or the flag.
        user: String,
    },
    /// `--server` is no address.
    #[error("--server: {address:?} is no URL")]
    BadServer {
        /// What was typed.
        address: String,
    },
    /// Anything else in the kubeconfig.
    #[error("kubeconfig: {0}")]
    Kubeconfig(String),
    /// The client could not be built from it.
    #[error("cannot make a client: {0}")]
    Client(String),
}

/// No kubeconfig is larger; a device or a file of another kind may be endless.
const FILE_LIMIT: u64 = 16 * 1024 * 1024;

fn known(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!("; there are: {}", names.join(", ")) }
}

/// Builds the client. Makes no request.
pub(crate) async fn connect(
    target: &Target,
    command: &'static str,
    access: Access,
    timing: Timing,
) -> Result<Cluster, ConnectError> {
    let mut kubeconfig = load(target)?;
    let options = choose(&mut kubeconfig, target)?;
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|error| ConnectError::Kubeconfig(first_line(&error.to_string())))?;
    config.default_retry = false;
    config.connect_timeout = Some(timing.connect);
    // Watches are silent between bookmarks, so only single requests have a deadline (Cluster::send).
    config.read_timeout = None;
    if is_loopback(config.cluster_url.host().unwrap_or_default()) && proxy_from_environment(target) {
        config.proxy_url = None;
    }
    let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
    let ledger = Arc::new(Ledger::new(command, access));
    let client = ClientBuilder::try_from(config)
        .map_err(|error| ConnectError::Client(error.to_string()))?
        .with_layer(&GuardLayer(ledger.clone()))
        .build();
    Ok(Cluster::new(client, ledger, server, timing))
}

/// The kubeconfig's own `proxy-url` must be used, also for loopback; kube merges both into one field.
fn proxy_from_environment(target: &Target) -> bool {
    load(target).is_ok_and(|config| {
        config.clusters.iter().all(|named| named.cluster.as_ref().is_none_or(|cluster| cluster.proxy_url.is_none()))
    })
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn load(target: &Target) -> Result<Kubeconfig, ConnectError> {
    if let Some(path) = &target.kubeconfig {
        return read(path);
    }
    let (paths, named) = match &target.kubeconfig_variable {
        Some(variable) if !variable.is_empty() => (std::env::split_paths(variable).collect::<Vec<_>>(), "KUBECONFIG"),
        _ => (target.home.iter().map(|home| home.join(".kube/config")).collect(), "home"),
    };
    let mut merged: Option<Kubeconfig> = None;
    for path in paths.iter().filter(|path| path.exists()) {
        let next = read(path)?;
        merged = Some(match merged {
            None => next,
            Some(earlier) => earlier
                .merge(next)
                .map_err(|error| ConnectError::BadFile { path: path.clone(), reason: error.to_string() })?,
        });
    }
    match merged {
        Some(config) => Ok(config),
        None if target.server.is_some() => Ok(Kubeconfig::default()),
        None => Err(ConnectError::NoKubeconfig {
            looked_at: if paths.is_empty() {
                vec!["--kubeconfig".into(), "KUBECONFIG".into(), "~/.kube/config".into()]
            } else {
                paths.iter().map(|path| format!("{} ({named})", path.display())).collect()
            },
        }),
    }
}

fn read(path: &Path) -> Result<Kubeconfig, ConnectError> {
    let size = std::fs::metadata(path).map(|file| if file.is_file() { file.len() } else { u64::MAX });
    if size.is_ok_and(|size| size > FILE_LIMIT) {
        let reason = format!("it is no file of at most {} MiB", FILE_LIMIT / 1024 / 1024);
        return Err(ConnectError::BadFile { path: path.to_owned(), reason });
    }
    Kubeconfig::read_from(path).map_err(|error| {
        let reason = match error {
            KubeconfigError::ReadConfig(error, _) => error.to_string(),
            KubeconfigError::Parse(error) => first_line(&error.to_string()).trim_start_matches("error: ").to_owned(),
            other => other.to_string(),
        };
        ConnectError::BadFile { path: path.to_owned(), reason }
    })
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}

/// Writes the flags into the kubeconfig and names the context to use.
fn choose(config: &mut Kubeconfig, target: &Target) -> Result<KubeConfigOptions, ConnectError> {
    if config.contexts.is_empty() && target.server.is_some() {
        add_bare_context(config);
    }
    let available: Vec<String> = config.contexts.iter().map(|context| context.name.clone()).collect();
    let name = match target.context.clone().or_else(|| config.current_context.clone()) {
        Some(name) if !name.is_empty() => name,
        _ => return Err(ConnectError::NoCurrentContext { available }),
    };
    let Some(context) = config.contexts.iter().find(|context| context.name == name) else {
        return Err(ConnectError::NoContext { name, available });
    };
    let context = context.context.clone().unwrap_or_default();
    let cluster = target.cluster.clone().unwrap_or(context.cluster);
    // A context without a user takes what the flags say about one.
    let about_user = target.token.is_some() || target.impersonate.is_some();
    let user = target.user.clone().or(context.user).or_else(|| about_user.then(|| "flags".to_owned()));
    for named in config.clusters.iter_mut().filter(|named| named.name == cluster) {
        let cluster = named.cluster.get_or_insert_default();
        if let Some(server) = &target.server {
            let address = server.parse::<http::Uri>().ok().filter(|address| address.scheme().is_some());
            if address.is_none() {
                return Err(ConnectError::BadServer { address: server.clone() });
            }
            cluster.server = Some(server.clone());
        }
        if let Some(path) = &target.certificate_authority {
            cluster.certificate_authority_data = None;
            cluster.certificate_authority = Some(path.display().to_string());
        }
        if target.insecure {
            cluster.insecure_skip_tls_verify = Some(true);
            cluster.certificate_authority = None;
            cluster.certificate_authority_data = None;
        }
    }
    if about_user {
        let wanted = user.clone().unwrap_or_default();
        if !config.auth_infos.iter().any(|named| named.name == wanted) {
            config.auth_infos.push(NamedAuthInfo { name: wanted, ..Default::default() });
        }
    }
    for named in config.auth_infos.iter_mut().filter(|named| Some(&named.name) == user.as_ref()) {
        let name = if target.token.is_some() { "--token".to_owned() } else { named.name.clone() };
        apply_user_flags(named.auth_info.get_or_insert_default(), target)?;
        refuse_bad_token(&name, named.auth_info.as_ref())?;
    }
    Ok(KubeConfigOptions { context: Some(name), cluster: Some(cluster), user })
}

/// Whoever sends it would panic.
fn refuse_bad_token(user: &str, info: Option<&kube::config::AuthInfo>) -> Result<(), ConnectError> {
    use secrecy::ExposeSecret as _;
    let token = info.and_then(|info| info.token.as_ref());
    match token.map(|token| http::HeaderValue::from_str(token.expose_secret())) {
        Some(Err(_)) => Err(ConnectError::BadToken { user: user.to_owned() }),
        _ => Ok(()),
    }
}

fn apply_user_flags(user: &mut kube::config::AuthInfo, target: &Target) -> Result<(), ConnectError> {
    if let Some(token) = &target.token {
        // kube prefers these over a token; kubectl lets the flag win.
        user.auth_provider = None;
        user.exec = None;
        user.username = None;
        user.password = None;
        user.token_file = None;
        user.token = Some(token.clone().into());
    } else if let Some(path) = user.token_file.take() {
        let text = std::fs::read_to_string(&path)
            .map_err(|error| ConnectError::BadFile { path: path.into(), reason: error.to_string() })?;
        user.token = Some(text.trim().to_owned().into());
    }
    if let Some(name) = &target.impersonate {
        user.impersonate = Some(name.clone());
        user.impersonate_groups = Some(target.impersonate_groups.clone());
    }
    Ok(())
}

/// `--server` works without any kubeconfig.
fn add_bare_context(config: &mut Kubeconfig) {
    const NAME: &str = "flags";
    config.clusters.push(NamedCluster {
        name: NAME.into(),
        cluster: Some(kube::config::Cluster::default()),
        ..Default::default()
    });
    config.auth_infos.push(NamedAuthInfo { name: NAME.into(), ..Default::default() });
    let context =
        kube::config::Context { cluster: NAME.into(), user: Some(NAME.into()), ..kube::config::Context::default() };
    config.contexts.push(NamedContext { name: NAME.into(), context: Some(context), ..Default::default() });
    config.current_context = Some(NAME.into());
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters:\n- name: c\n  cluster: {server: 'https://127.0.0.1:1'}\nusers:\n- name: u\n  user: {token: t}\ncontexts:\n- name: a\n  context: {cluster: c, user: u}\n";

    fn folder_with(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn missing_files_of_the_variable_are_skipped() {
        let (_folder, path) = folder_with("k", FILE);
        let variable = std::env::join_paths([Path::new("/nowhere/x"), &path]).unwrap();
        let target = Target { kubeconfig_variable: Some(variable), ..Target::default() };
        assert_eq!(load(&target).unwrap().current_context.as_deref(), Some("a"));
    }

    #[test]
    fn an_explicit_file_must_exist() {
        let target = Target { kubeconfig: Some("/nowhere/config".into()), ..Target::default() };
        let text = load(&target).unwrap_err().to_string();
        assert!(text.starts_with("kubeconfig /nowhere/config: "), "{text}");
    }

    #[test]
    fn a_wrong_context_is_named_with_those_that_exist() {
        let (_folder, path) = folder_with("k", FILE);
        let target = Target { kubeconfig: Some(path), context: Some("b".into()), ..Target::default() };
        let text =
            choose(&mut load(&target).unwrap(), &target).err().map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(text, "context \"b\" does not exist in the kubeconfig; there are: a");
    }

    #[test]
    fn no_kubeconfig_says_where_it_looked() {
        let target = Target { home: Some("/nowhere".into()), ..Target::default() };
        let text = load(&target).unwrap_err().to_string();
        assert_eq!(text, "no kubeconfig found; looked at /nowhere/.kube/config (home)");
    }

    #[test]
    fn a_server_flag_needs_no_file() {
        let target = Target { server: Some("https://127.0.0.1:1".into()), ..Target::default() };
        let mut config = load(&target).unwrap();
        assert!(choose(&mut config, &target).is_ok());
    }
}
