//! kubectl's flags for saying which cluster, and as whom.

use std::path::PathBuf;

use clap::Args;

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

    /// Do not check the server's certificate; makes the connection insecure
    #[arg(long, global = true)]
    pub(crate) insecure_skip_tls_verify: bool,

    /// User to act as
    #[arg(long = "as", value_name = "USER", global = true, value_parser = super::name::plain)]
    pub(crate) act_as: Option<String>,

    /// Group to act as; may be repeated
    #[arg(long, value_name = "GROUP", global = true, requires = "act_as")]
    pub(crate) as_group: Vec<String>,

    /// Longest time for one request, such as 10s or 1m; 0 means no limit of ours
    #[arg(long, value_name = "DURATION", global = true, value_parser = super::wait::parse_duration)]
    pub(crate) request_timeout: Option<std::time::Duration>,
}

impl TargetArgs {
    /// What the flags and the environment say.
    pub(crate) fn to_target(&self) -> Target {
        Target {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            cluster: self.cluster.clone(),
            user: self.user.clone(),
            server: self.server.clone(),
            token: self.token.clone(),
            certificate_authority: self.certificate_authority.clone(),
            insecure: self.insecure_skip_tls_verify,
            impersonate: self.act_as.clone(),
            impersonate_groups: self.as_group.clone(),
            kubeconfig_variable: std::env::var_os("KUBECONFIG"),
            home: std::env::home_dir(),
        }
    }
}
