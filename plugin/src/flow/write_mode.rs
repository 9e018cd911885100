//! Whether a server applies server-side, or has to be told what changes.

use std::sync::atomic::{AtomicBool, Ordering};

use mizar_core::object::Object;
use mizar_core::plan::FieldManager;
use serde_json::Value;

use crate::cluster::write::{Applied, Commit};
use crate::cluster::{ApiFailure, Cause, Cluster};

/// How this server takes changes; found out by its first answer, never from its version.
#[derive(Debug, Default)]
pub(crate) struct WriteMode {
    without_apply: AtomicBool,
}

impl WriteMode {
    /// Applies server-side; nothing is done and nothing returned if this server cannot.
    pub(super) async fn apply(
        &self,
        cluster: &Cluster,
        wanted: &Object,
        manager: FieldManager,
        commit: Commit,
    ) -> Result<Option<(Applied, Value)>, ApiFailure> {
        if self.without_apply.load(Ordering::Relaxed) {
            return Ok(None);
        }
        match cluster.apply(wanted, manager.as_str(), commit).await {
            Err(failure) if failure.cause == Cause::UnsupportedPatch => {
                self.without_apply.store(true, Ordering::Relaxed);
                Ok(None)
            }
            answer => answer.map(Some),
        }
    }
}
