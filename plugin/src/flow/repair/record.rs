//! The record of a repair: begun anew, or gone on with where an earlier repair has left it.

use jiff::Timestamp;
use mizar_core::event::Event;
use mizar_core::operation::{Claim, Intent, NewOperation, REPAIR};

use crate::failure::Failure;
use crate::flow::operation::{Held, Settled};
use crate::flow::run::Run;

/// Holds the record for a repair, from now on in `run`. Fails if anybody wrote the record since it was settled.
pub(crate) async fn hold(run: &mut Run, stages: &[&str], settled: Settled) -> Result<(), Failure> {
    if let (Claim::Resume | Claim::TakeOver { .. }, Some(stored)) = (&settled.claim, &settled.stored)
        && stored.operation.is_repair()
    {
        run.tell(Event::Resumed {
            id: stored.operation.id.clone(),
            from: stored.operation.holder.to_string(),
            stage: stored.operation.current_stage().map(|stage| stage.name.clone()),
        });
    }
    let new = NewOperation {
        id: format!("{REPAIR}-{}-{}", Timestamp::now().as_millisecond(), std::process::id()),
        command: REPAIR.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        namespace: run.namespace().to_owned(),
        intent: Intent::default(),
        stages: stages.iter().map(|stage| (*stage).to_owned()).collect(),
    };
    run.held = Some(Held::begin(run.cluster(), new, settled.stored, &settled.claim).await?);
    Ok(())
}
