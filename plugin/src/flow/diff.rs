//! What an install, or on a cluster that has Mizar an upgrade, with these values would change, object by object. Only reads: the records, and the objects that the plan
//! is about. Nothing is judged: whether it may be done at all is told by the preflight of who does it.

use std::sync::Arc;

use mizar_core::plan::Plan;
use mizar_core::upgrade::{self, ValueChanges};

use super::consent::Consent;
use super::ground::{Wish, look, wish};
use super::run::Run;
use super::upgrade::values_between;
use super::value_sources::ValueSources;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::report::{Output, Reporter};

/// What would change.
pub(crate) struct Differences {
    /// What would be done.
    pub plan: Plan,
    /// The values that are not what was recorded last.
    pub values: ValueChanges,
}

/// Finds out what would change.
pub(crate) async fn diff(
    cluster: Cluster,
    reporter: Arc<dyn Reporter>,
    namespace: Option<&str>,
    values: &ValueSources,
    consent: Consent,
) -> Result<Differences, Failure> {
    let mut run = Run::new(cluster, reporter, Output::Text);
    let wish = wish(&mut run, namespace, values, consent, false).await?;
    let mut plan = look(&run, &wish).await?;
    if wish.records.histories[1].was_ever_deployed() {
        plan.refusals.retain(|refusal| !upgrade::permits(refusal));
    }
    Ok(Differences { plan, values: changed_values(&wish) })
}

/// The values that are not what they were; none where no release was recorded.
fn changed_values(wish: &Wish) -> ValueChanges {
    let base = wish.records.histories[1].base();
    base.map(|base| values_between(base, &wish.prepared)).unwrap_or_default()
}
