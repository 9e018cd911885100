//! Health of Jobs: current when they have completed.

use serde_json::Value;

use super::{Health, condition, count, is_terminating};
use crate::object::Object;

/// Judges a Job.
#[must_use]
pub fn assess(object: &Object) -> Health {
    if is_terminating(object) {
        return Health::Terminating;
    }
    if let Some(failed) = condition(object, "Failed").filter(super::Condition::is_true) {
        return Health::failed(failed.explanation());
    }
    if condition(object, "Complete").is_some_and(|complete| complete.is_true()) {
        return Health::Current;
    }
    if object.value().pointer("/spec/suspend").and_then(Value::as_bool) == Some(true) {
        return Health::progressing("it is suspended");
    }
    let (active, failures) = (count(object, "/status/active"), count(object, "/status/failed"));
    match (active, failures) {
        (0, 0) => Health::progressing("no pod has started yet"),
        (_, 0) => Health::progressing(format!("{active} running")),
        _ => Health::progressing(format!("{active} running, {failures} failed so far")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::tests::{failed, object, progressing};

    fn job(status: &str) -> Object {
        object(&format!("{{apiVersion: batch/v1, kind: Job, metadata: {{name: j}}, status: {status}}}"))
    }

    #[test]
    fn a_job_is_current_when_complete_and_failed_when_it_gave_up() {
        assert_eq!(assess(&job("{conditions: [{type: Complete, status: 'True'}]}")), Health::Current);
        let gave_up =
            job("{conditions: [{type: Failed, status: 'True', reason: BackoffLimitExceeded, message: over}]}");
        assert_eq!(failed(assess(&gave_up)), "BackoffLimitExceeded: over");
    }

    #[test]
    fn a_job_under_way_counts_its_pods() {
        assert_eq!(progressing(assess(&job("{}"))), "no pod has started yet");
        assert_eq!(progressing(assess(&job("{active: 2}"))), "2 running");
        assert_eq!(progressing(assess(&job("{active: 1, failed: 3}"))), "1 running, 3 failed so far");
    }
}
