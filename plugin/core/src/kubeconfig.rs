//! kubectl's configuration: which clusters there are, who talks to them, and what of it flags and contexts choose.
//! Texts come in and a [`Destination`] comes out; files, programs and connections are for the caller.

mod choose;
mod field;
mod parse;
pub mod proxy;

use std::path::PathBuf;

use secrecy::SecretString;
use serde_json::Value;

pub use choose::{ChooseError, Flags, choose};
pub use field::{Origin, Wrong};
pub use parse::parse;

/// One file, or several merged.
#[derive(Debug, Clone, Default)]
pub struct Kubeconfig {
    /// The context to use where no flag names one.
    pub current_context: Option<String>,
    /// Clusters by name.
    pub clusters: Vec<Named<Cluster>>,
    /// Users by name.
    pub users: Vec<Named<User>>,
    /// Contexts by name.
    pub contexts: Vec<Named<Context>>,
}

/// An entry of one of the lists.
#[derive(Debug, Clone)]
pub struct Named<T> {
    /// What contexts and flags call it.
    pub name: String,
    /// Where it stands.
    pub origin: Origin,
    /// What it says.
    pub entry: T,
}

/// Where a server is and how it is trusted.
#[derive(Debug, Clone, Default)]
pub struct Cluster {
    /// Its address as it was written.
    pub server: Option<Said<String>>,
    /// The name its certificate has, where that is not its address.
    pub tls_server_name: Option<Said<String>>,
    /// Any certificate is taken.
    pub insecure: bool,
    /// Who signs its certificate; the system's authorities where there is none.
    pub authority: Option<Said<Material>>,
    /// The proxy before it.
    pub proxy: Option<Said<String>>,
    /// Answers come uncompressed.
    pub disable_compression: bool,
    /// What a credential plugin is told about the cluster, as it was written.
    pub exec_config: Option<Value>,
}

/// How somebody shows who they are.
#[derive(Debug, Clone, Default)]
pub struct User {
    /// A bearer token.
    pub token: Option<Said<SecretString>>,
    /// A file that holds one; where it can be read, it wins over `token`.
    pub token_file: Option<Said<PathBuf>>,
    /// Name and password.
    pub basic: Option<Said<(String, SecretString)>>,
    /// A client certificate.
    pub certificate: Option<Said<Material>>,
    /// Its key.
    pub key: Option<Said<Material>>,
    /// A program that hands out credentials.
    pub exec: Option<Said<Exec>>,
    /// A way built into kubectl.
    pub auth_provider: Option<Said<AuthProvider>>,
    /// Somebody else to act as.
    pub act_as: ActAs,
}

/// Whom to act as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActAs {
    /// The name.
    pub user: Option<String>,
    /// The uid.
    pub uid: Option<String>,
    /// The groups.
    pub groups: Vec<String>,
    /// Anything else: a key and one value of it, keys may repeat.
    pub extra: Vec<(String, String)>,
}

/// Certificates or a key, in PEM.
#[derive(Clone)]
pub enum Material {
    /// Base64 of the PEM text.
    Data(SecretString),
    /// A file of PEM text.
    File(PathBuf),
}

/// A program that hands out credentials.
#[derive(Debug, Clone)]
pub struct Exec {
    /// The version in which it is spoken to.
    pub api_version: String,
    /// The program.
    pub command: String,
    /// What it is given.
    pub arguments: Vec<String>,
    /// Variables it gets besides ours.
    pub variables: Vec<(String, String)>,
    /// What to tell whoever lacks it.
    pub install_hint: Option<String>,
    /// Whether it may ask a person.
    pub interactive: InteractiveMode,
    /// Whether it is told about the cluster.
    pub wants_cluster: bool,
}

/// Whether a credential plugin may ask a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InteractiveMode {
    /// It never does.
    Never,
    /// It does where there is a terminal.
    IfAvailable,
    /// It cannot do without.
    Always,
}

/// A way of logging in that is built into kubectl.
#[derive(Debug, Clone)]
pub struct AuthProvider {
    /// Which.
    pub name: String,
    /// The token that `oidc` keeps in the file.
    pub id_token: Option<SecretString>,
}

/// Something with the place where it was said.
#[derive(Debug, Clone)]
pub struct Said<T> {
    /// What.
    pub what: T,
    /// Where.
    pub origin: Origin,
}

/// What is to be connected to, and as whom.
#[derive(Debug, Clone)]
pub struct Destination {
    /// Where.
    pub cluster: Cluster,
    /// The address; always with a scheme.
    pub server: Said<String>,
    /// As whom.
    pub user: User,
    /// With what.
    pub credential: Credential,
}

/// The one credential that goes into the requests; a client certificate may come besides.
#[derive(Debug, Clone)]
pub enum Credential {
    /// None.
    None,
    /// A token that does not change.
    Token(Said<SecretString>),
    /// A token that others keep fresh, and the one to start with where the file cannot be read.
    TokenFile(Said<PathBuf>, Option<Said<SecretString>>),
    /// Name and password.
    Basic(Said<(String, SecretString)>),
    /// Whatever the program hands out.
    Exec(Said<Exec>),
}

impl Kubeconfig {
    /// Takes over what a later file says and an earlier one does not.
    #[must_use]
    pub fn merged_with(mut self, later: Self) -> Self {
        fn add<T>(mine: &mut Vec<Named<T>>, later: Vec<Named<T>>) {
            for named in later {
                if !mine.iter().any(|known| known.name == named.name) {
                    mine.push(named);
                }
            }
        }
        self.current_context = self.current_context.or(later.current_context);
        add(&mut self.clusters, later.clusters);
        add(&mut self.users, later.users);
        add(&mut self.contexts, later.contexts);
        self
    }
}

/// Which cluster and which user go together.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The cluster's name.
    pub cluster: String,
    /// The user's name.
    pub user: String,
}

impl<T> Said<T> {
    /// Something that a flag says.
    #[must_use]
    pub fn by_flag(flag: &'static str, what: T) -> Self {
        Self { what, origin: Origin::Flag(flag) }
    }
}

impl std::fmt::Debug for Material {
    /// Keys are never shown.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Data(_) => out.write_str("Data"),
            Self::File(path) => out.debug_tuple("File").field(path).finish(),
        }
    }
}

#[cfg(test)]
mod tests;
