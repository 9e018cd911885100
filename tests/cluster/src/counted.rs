//! A counted bed as a benchmark uses it, from code that blocks: nodes put in, everything else taken out between two runs,
//! requests looked up in the audit log.

use tokio::runtime::Runtime;

use crate::audit::{self, AuditMark, AuditTrail};
use crate::baseline::Baseline;
use crate::bed::{BedError, audit_is_complete, without_sentinels};
use crate::client;
use crate::layout::Layout;
use crate::lifecycle::FoundBed;
use crate::reset::{self, ResetError};
use crate::seed::{self, SeedError};
use crate::users::Role;

/// Why a benchmark cannot use its bed.
#[derive(Debug, thiserror::Error)]
pub enum CountedError {
    /// The bed.
    #[error(transparent)]
    Bed(#[from] BedError),
    /// Taking out what was put in.
    #[error(transparent)]
    Reset(#[from] ResetError),
    /// The nodes.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// No runtime could be started.
    #[error("cannot start a runtime")]
    Runtime(#[source] std::io::Error),
}

/// The API server of a bed, and what was there at first.
pub struct CountedBed {
    runtime: Runtime,
    client: kube::Client,
    layout: Layout,
    baseline: Baseline,
}

impl CountedBed {
    /// Puts `nodes` nodes into a fresh bed; from now on that is what [`Self::clean`] goes back to.
    pub fn open(bed: &FoundBed, nodes: usize) -> Result<Self, CountedError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(CountedError::Runtime)?;
        let layout = bed.layout.clone();
        let (client, baseline) = runtime.block_on(async {
            let client = client::connect(&layout.kubeconfig(Role::Admin)).await.map_err(BedError::from)?;
            seed::add_nodes(&client, nodes).await?;
            let baseline = reset::record(&client).await.map_err(BedError::from)?;
            Ok::<_, CountedError>((client, baseline))
        })?;
        Ok(Self { runtime, client, layout, baseline })
    }

    /// Takes out everything that was not there at first.
    pub fn clean(&self) -> Result<(), CountedError> {
        Ok(self.runtime.block_on(reset::clean(&self.client, &self.baseline))?)
    }

    /// The end of the audit log, once it shows all that was answered.
    pub fn mark(&self) -> Result<AuditMark, CountedError> {
        let end = self.read_mark()?;
        self.runtime.block_on(audit_is_complete(&self.client, &self.layout, end))?;
        self.read_mark()
    }

    /// The requests since a mark.
    pub fn requests_since(&self, mark: AuditMark) -> Result<AuditTrail, CountedError> {
        let trail = self.runtime.block_on(audit_is_complete(&self.client, &self.layout, mark))?;
        Ok(without_sentinels(&trail))
    }

    fn read_mark(&self) -> Result<AuditMark, CountedError> {
        Ok(audit::mark(&self.layout.audit_log()).map_err(BedError::from)?)
    }
}
