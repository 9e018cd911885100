//! What every command is handed: where to connect, which namespace, how to report, how long things may take.

use mizar_core::timing::Timing;

use crate::cli::Cli;
use crate::cluster::connect::{Target, connect};
use crate::cluster::{Access, Cluster};
use crate::failure::Failure;
use crate::report::Verbosity;
use crate::settings;

/// The namespace of the release unless `-n` names another (a record found elsewhere wins over this default).
pub(crate) const RELEASE_NAMESPACE: &str = "mizar-system";

/// Built once from the flags.
pub(crate) struct Context {
    /// Which cluster.
    pub target: Target,
    /// `-n`.
    pub namespace: Option<String>,
    /// Every duration.
    pub timing: Timing,
    /// How much to show.
    pub verbosity: Verbosity,
}

impl Context {
    pub(crate) fn new(cli: &Cli) -> Self {
        let mut timing = settings::timing();
        match cli.target.request_timeout {
            Some(limit) if limit.is_zero() => timing.request = std::time::Duration::from_secs(24 * 3600),
            Some(limit) => timing.request = limit,
            None => {}
        }
        Self {
            target: cli.target.to_target(),
            namespace: cli.target.namespace.clone(),
            timing,
            verbosity: if cli.quiet { Verbosity::Quiet } else { Verbosity::Normal },
        }
    }

    /// Makes the client. No request is sent yet.
    pub(crate) async fn connect(&self, command: &'static str, access: Access) -> Result<Cluster, Failure> {
        let cluster = connect(&self.target, command, access, self.timing.clone()).await?;
        if self.target.insecure {
            tracing::warn!("the server's certificate is not checked");
        }
        Ok(cluster)
    }
}
