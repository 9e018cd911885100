//! What every command is handed: where to connect, which namespace, how to report, how long things may take.

use std::time::Duration;

use mizar_core::timing::Timing;

use crate::cluster::connect::{Target, connect};
use crate::cluster::{Access, Cluster};
use crate::failure::Failure;
use crate::report::{Verbosity, note};
use crate::settings;

/// Longer than anybody waits.
const NO_LIMIT: Duration = Duration::from_secs(24 * 3600);

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
    /// The durations of this run; `request_timeout` is what the person said about single requests, 0 for no limit.
    pub(crate) fn new(
        target: Target,
        namespace: Option<String>,
        request_timeout: Option<Duration>,
        verbosity: Verbosity,
    ) -> Self {
        let mut timing = settings::timing();
        if let Some(limit) = request_timeout {
            timing.request = if limit.is_zero() { NO_LIMIT } else { limit };
            // A person who names a limit knows a server that takes so long, also for its first answer.
            timing.first_answer = timing.request;
        }
        Self { target, namespace, timing, verbosity }
    }

    /// Makes the client. No request is sent yet.
    pub(crate) async fn connect(&self, command: &'static str, access: Access) -> Result<Cluster, Failure> {
        let cluster = connect(&self.target, command, access, self.timing.clone(), note).await?;
        if self.target.flags.insecure {
            note(
                "Warning: the server's certificate is not checked; anybody between here and there can read and change what is sent",
            );
        }
        Ok(cluster)
    }
}
