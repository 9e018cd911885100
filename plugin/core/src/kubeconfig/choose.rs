//! From a kubeconfig and flags to one [`Destination`]: flags win over files, by kubectl's rules.

use std::path::PathBuf;

use secrecy::SecretString;

use super::{
    ActAs, AuthProvider, Cluster, Credential, Destination, Kubeconfig, Material, Named, Origin, Said, User, Wrong,
};

/// What a person said besides the files.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--context`.
    pub context: Option<String>,
    /// `--cluster`.
    pub cluster: Option<String>,
    /// `--user`.
    pub user: Option<String>,
    /// `--server`.
    pub server: Option<String>,
    /// `--tls-server-name`.
    pub tls_server_name: Option<String>,
    /// `--certificate-authority`.
    pub authority: Option<PathBuf>,
    /// `--insecure-skip-tls-verify`.
    pub insecure: bool,
    /// `--disable-compression`.
    pub disable_compression: bool,
    /// `--token`.
    pub token: Option<SecretString>,
    /// `--client-certificate`.
    pub certificate: Option<PathBuf>,
    /// `--client-key`.
    pub key: Option<PathBuf>,
    /// `--as` and its companions.
    pub act_as: ActAs,
}

/// Why nothing could be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChooseError {
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
    /// A flag names a cluster or user that is in none of the files.
    #[error("{flag}: {name:?} does not exist in the kubeconfig{}", known(available))]
    NotThere {
        /// The flag.
        flag: &'static str,
        /// What was asked for.
        name: String,
        /// Those that exist.
        available: Vec<String>,
    },
    /// Flags that do not go together.
    #[error("{0}")]
    Usage(String),
    /// A field that cannot be used.
    #[error(transparent)]
    Wrong(#[from] Wrong),
}

fn known(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!("; there are: {}", names.join(", ")) }
}

/// Chooses cluster and user, and what of both counts.
pub fn choose(config: &Kubeconfig, flags: &Flags) -> Result<Destination, ChooseError> {
    let context = context(config, flags)?;
    let cluster = named(&config.clusters, flags.cluster.as_deref(), "--cluster", context, |context| {
        ("cluster", &context.cluster)
    });
    let user = named(&config.users, flags.user.as_deref(), "--user", context, |context| ("user", &context.user));
    // Flags that say all there is to say about one need none in the file.
    let cluster = if flags.server.is_some() && flags.cluster.is_none() { cluster.or(Ok(None)) } else { cluster }?;
    let says_who = flags.token.is_some() || flags.certificate.is_some();
    let user = if says_who && flags.user.is_none() { user.or(Ok(None)) } else { user }?;

    let entry = with_cluster_flags(cluster.map(|named| named.entry.clone()).unwrap_or_default(), flags);
    let server = server(&entry, flags, cluster.map(|named| named.origin.clone()))?;
    refuse_contradictions(&entry)?;
    let user = with_user_flags(user.map(|named| named.entry.clone()).unwrap_or_default(), flags)?;
    let (user, credential) = if server.what.starts_with("https://") {
        let credential = credential(&user)?;
        (user, credential)
    } else {
        // Nobody's secret goes over an open line; who somebody acts as is none.
        (User { act_as: user.act_as, ..User::default() }, Credential::None)
    };
    Ok(Destination { cluster: entry, server, user, credential })
}

fn context<'c>(config: &'c Kubeconfig, flags: &Flags) -> Result<Option<&'c Named<super::Context>>, ChooseError> {
    let available = || names(&config.contexts);
    let name = flags.context.as_ref().or(config.current_context.as_ref()).filter(|name| !name.is_empty());
    let Some(name) = name else {
        let enough = flags.server.is_some() || flags.cluster.is_some();
        return if enough { Ok(None) } else { Err(ChooseError::NoCurrentContext { available: available() }) };
    };
    match config.contexts.iter().find(|context| context.name == *name) {
        Some(context) => Ok(Some(context)),
        None if flags.context.is_none() && flags.server.is_some() => Ok(None),
        None => Err(ChooseError::NoContext { name: name.clone(), available: available() }),
    }
}

/// The entry that a flag or else the context names; none where neither does.
fn named<'c, T>(
    entries: &'c [Named<T>],
    asked: Option<&str>,
    flag: &'static str,
    context: Option<&'c Named<super::Context>>,
    of_context: impl Fn(&super::Context) -> (&'static str, &String),
) -> Result<Option<&'c Named<T>>, ChooseError> {
    let find = |name: &str| entries.iter().find(|named| named.name == name);
    if let Some(name) = asked {
        let missing = || ChooseError::NotThere { flag, name: name.to_owned(), available: names(entries) };
        return find(name).map(Some).ok_or_else(missing);
    }
    let Some(context) = context else { return Ok(None) };
    let (noun, name) = of_context(&context.entry);
    if name.is_empty() {
        return Ok(None);
    }
    let missing = || {
        let message = format!("names the {noun} {name:?}, which does not exist{}", known(&names(entries)));
        ChooseError::Wrong(Wrong::new(context.origin.clone(), message))
    };
    find(name).map(Some).ok_or_else(missing)
}

fn names<T>(entries: &[Named<T>]) -> Vec<String> {
    entries.iter().map(|named| named.name.clone()).collect()
}

fn with_cluster_flags(mut cluster: Cluster, flags: &Flags) -> Cluster {
    if flags.insecure || flags.authority.is_some() {
        cluster.insecure = flags.insecure;
        cluster.authority = None;
    }
    if let Some(path) = &flags.authority {
        cluster.authority = Some(Said::by_flag("--certificate-authority", Material::File(path.clone())));
    }
    // Another server has another name.
    if flags.server.is_some() || flags.tls_server_name.is_some() {
        cluster.tls_server_name = flags.tls_server_name.clone().map(|name| Said::by_flag("--tls-server-name", name));
    }
    cluster.disable_compression |= flags.disable_compression;
    cluster
}

fn refuse_contradictions(cluster: &Cluster) -> Result<(), ChooseError> {
    match &cluster.authority {
        Some(authority) if cluster.insecure => {
            let message = "a certificate authority and insecure-skip-tls-verify exclude each other";
            Err(Wrong::new(authority.origin.clone(), message).hint("remove one of them").into())
        }
        _ => Ok(()),
    }
}

/// The address with its scheme; without one it is https where anything is said about certificates, as in kubectl.
fn server(cluster: &Cluster, flags: &Flags, origin: Option<Origin>) -> Result<Said<String>, ChooseError> {
    let said = flags.server.clone().map(|server| Said::by_flag("--server", server)).or_else(|| cluster.server.clone());
    let Some(mut said) = said else {
        let origin = origin.unwrap_or(Origin::Flag("--server"));
        return Err(Wrong::new(origin, "no server is named").into());
    };
    let text = said.what.trim().to_owned();
    let secure = cluster.authority.is_some() || cluster.insecure || flags.certificate.is_some();
    said.what = match text.split_once("://") {
        Some((scheme, rest)) => format!("{}://{rest}", scheme.to_ascii_lowercase()),
        None if secure => format!("https://{text}"),
        None => format!("http://{text}"),
    };
    Ok(said)
}

fn with_user_flags(mut user: User, flags: &Flags) -> Result<User, ChooseError> {
    if let Some(token) = &flags.token {
        (user.token_file, user.basic, user.exec, user.auth_provider) = (None, None, None, None);
        user.token = Some(Said::by_flag("--token", token.clone()));
    }
    if let Some(path) = &flags.certificate {
        user.certificate = Some(Said::by_flag("--client-certificate", Material::File(path.clone())));
    }
    if let Some(path) = &flags.key {
        user.key = Some(Said::by_flag("--client-key", Material::File(path.clone())));
    }
    let (act_as, asked) = (&mut user.act_as, &flags.act_as);
    if asked.user.is_some() {
        act_as.user.clone_from(&asked.user);
    }
    if asked.uid.is_some() {
        act_as.uid.clone_from(&asked.uid);
    }
    if !asked.groups.is_empty() {
        act_as.groups.clone_from(&asked.groups);
    }
    if !asked.extra.is_empty() {
        act_as.extra.clone_from(&asked.extra);
    }
    if act_as.user.is_none() && (act_as.uid.is_some() || !act_as.groups.is_empty() || !act_as.extra.is_empty()) {
        let message = "--as-uid, --as-group and --as-user-extra need --as: they say more about the user to act as";
        return Err(ChooseError::Usage(message.to_owned()));
    }
    Ok(user)
}

/// The one way in; kubectl, too, takes no two.
fn credential(user: &User) -> Result<Credential, Wrong> {
    if let Some(exec) = &user.exec
        && user.auth_provider.is_some()
    {
        return Err(Wrong::new(exec.origin.clone(), "exec and auth-provider exclude each other"));
    }
    if let Some(basic) = &user.basic {
        if user.token.is_some() || user.token_file.is_some() {
            let message = "a token and a user name exclude each other: one way to log in is enough";
            return Err(Wrong::new(basic.origin.clone(), message));
        }
        return Ok(Credential::Basic(basic.clone()));
    }
    if let Some(path) = &user.token_file {
        return Ok(Credential::TokenFile(path.clone(), user.token.clone()));
    }
    if let Some(token) = &user.token {
        return Ok(Credential::Token(token.clone()));
    }
    if let Some(provider) = &user.auth_provider {
        return from_provider(provider);
    }
    Ok(user.exec.clone().map_or(Credential::None, Credential::Exec))
}

fn from_provider(provider: &Said<AuthProvider>) -> Result<Credential, Wrong> {
    let wrong = |message: &str, hint: &str| Err(Wrong::new(provider.origin.clone(), message).hint(hint));
    match (provider.what.name.as_str(), &provider.what.id_token) {
        ("oidc", Some(token)) => Ok(Credential::Token(Said { what: token.clone(), origin: provider.origin.clone() })),
        ("oidc", None) => wrong(
            "oidc has no id-token in the file",
            "log in with kubectl once, or use a credential plugin: kubectl oidc-login setup",
        ),
        ("gcp", _) => wrong(
            "the gcp auth-provider was removed from Kubernetes",
            "use the plugin: gke-gcloud-auth-plugin, then gcloud container clusters get-credentials CLUSTER",
        ),
        ("azure", _) => {
            wrong("the azure auth-provider was removed from Kubernetes", "use the plugin: kubelogin convert-kubeconfig")
        }
        _ => wrong("this auth-provider is not known", "use a credential plugin: users[].user.exec"),
    }
}
