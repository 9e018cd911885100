//! kubectl's flags for saying which cluster, and as whom.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::Args;
use mizar_core::kubeconfig::proxy::Environment;
use mizar_core::kubeconfig::{ActAs, Flags};

use crate::cluster::connect::Target;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cluster options")]
pub(crate) struct TargetArgs {
    /// Kubeconfig file to use
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig to use
    #[arg(long, value_name = "NAME", global = true)]
    pub(crate) context: Option<String>,

    /// Cluster of the kubeconfig to use
    #[arg(long, value_name = "NAME", global = true)]
    pub(crate) cluster: Option<String>,

    /// User of the kubeconfig to use
    #[arg(long, value_name = "NAME", global = true)]
    pub(crate) user: Option<String>,

    /// Namespace of the Mizar release; Mizar's own resources always live in default
    #[arg(short, long, value_name = "NAME", global = true, value_parser = super::name::parse)]
    pub(crate) namespace: Option<String>,

    /// Address of the API server
    #[arg(short, long, value_name = "URL", global = true)]
    pub(crate) server: Option<String>,

    /// Bearer token for the API server
    #[arg(long, value_name = "TOKEN", global = true)]
    pub(crate) token: Option<String>,

    /// Certificate file of the authority that signed the server's certificate
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) certificate_authority: Option<PathBuf>,

    /// Client certificate file for TLS
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) client_certificate: Option<PathBuf>,

    /// Key file of the client certificate
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) client_key: Option<PathBuf>,

    /// Name that the server's certificate must have, instead of its address
    #[arg(long, value_name = "NAME", global = true)]
    pub(crate) tls_server_name: Option<String>,

    /// Do not check the server's certificate; makes the connection insecure
    #[arg(long, global = true)]
    pub(crate) insecure_skip_tls_verify: bool,

    /// Ask the server for uncompressed answers
    #[arg(long, global = true)]
    pub(crate) disable_compression: bool,

    /// User to act as
    #[arg(long = "as", value_name = "USER", global = true, value_parser = super::name::plain)]
    pub(crate) act_as: Option<String>,

    /// Group to act as; may be repeated
    #[arg(long, value_name = "GROUP", global = true, requires = "act_as")]
    pub(crate) as_group: Vec<String>,

    /// Uid to act as
    #[arg(long, value_name = "UID", global = true, requires = "act_as")]
    pub(crate) as_uid: Option<String>,

    /// More about the user to act as; may be repeated, also for one key
    #[arg(long, value_name = "KEY=VALUE", global = true, requires = "act_as", value_parser = parse_extra)]
    pub(crate) as_user_extra: Vec<(String, String)>,

    /// Longest time for one request, such as 10s or 1m; 0 means no limit of ours
    #[arg(long, value_name = "DURATION", global = true, value_parser = super::wait::parse_duration)]
    pub(crate) request_timeout: Option<std::time::Duration>,
}

impl TargetArgs {
    /// What the flags and the environment say.
    pub(crate) fn to_target(&self) -> Target {
        Target {
            kubeconfig: self.kubeconfig.clone(),
            flags: self.flags(),
            kubeconfig_variable: std::env::var_os("KUBECONFIG"),
            home: std::env::home_dir(),
            proxies: Environment::read(|name| std::env::var(name).ok()),
            service: service(),
            has_terminal: std::io::stdin().is_terminal(),
        }
    }

    fn flags(&self) -> Flags {
        Flags {
            context: self.context.clone(),
            cluster: self.cluster.clone(),
            user: self.user.clone(),
            server: self.server.clone(),
            tls_server_name: self.tls_server_name.clone(),
            authority: self.certificate_authority.clone(),
            insecure: self.insecure_skip_tls_verify,
            disable_compression: self.disable_compression,
            token: self.token.clone().map(Into::into),
            certificate: self.client_certificate.clone(),
            key: self.client_key.clone(),
            act_as: ActAs {
                user: self.act_as.clone(),
                uid: self.as_uid.clone(),
                groups: self.as_group.clone(),
                extra: self.as_user_extra.clone(),
            },
        }
    }
}

/// What the kubelet tells every pod.
fn service() -> Option<(String, String)> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    Some((variable("KUBERNETES_SERVICE_HOST")?, variable("KUBERNETES_SERVICE_PORT")?))
}

fn parse_extra(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it like KEY=VALUE".to_owned()),
    }
}
