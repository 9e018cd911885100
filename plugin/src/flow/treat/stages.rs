//! Telling that a part of a treatment begins and ends.

use mizar_core::event::{Event, StepResult};
use mizar_core::site::Site;
use tokio::time::Instant;

use crate::flow::run::Run;

/// Tells that a part begins and returns when.
pub(crate) fn stage_begins(run: &Run, stage: &str, total: usize) -> Instant {
    run.tell(Event::StageStarted { stage: stage.to_owned(), site: Site::Management, total });
    Instant::now()
}

/// Tells that a part has ended as it should.
pub(crate) fn stage_ends(run: &Run, stage: &str, summary: String, begun: Instant) {
    let result = StepResult::Succeeded;
    run.tell(Event::StageFinished { stage: stage.to_owned(), summary, result, elapsed: begun.elapsed() });
}
