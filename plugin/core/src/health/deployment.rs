//! Health of Deployments, by the rules of `kubectl rollout status`, except that "nothing wanted" is not success.

use super::{Health, condition, count, is_terminating, number, unobserved};
use crate::object::Object;

/// Judges a Deployment.
#[must_use]
pub fn assess(object: &Object) -> Health {
    if is_terminating(object) {
        return Health::Terminating;
    }
    if let Some(health) = unobserved(object) {
        return health;
    }
    let progressing = condition(object, "Progressing");
    if let Some(stuck) = progressing.filter(|it| it.is_false() && it.reason == "ProgressDeadlineExceeded") {
        return Health::failed(stuck.explanation());
    }
    let wanted = number(object, "/spec/replicas").unwrap_or(1);
    if wanted == 0 {
        return Health::progressing("scaled to 0: no pod is wanted");
    }
    let updated = count(object, "/status/updatedReplicas");
    let total = count(object, "/status/replicas");
    let available = count(object, "/status/availableReplicas");
    // A quota or a missing service account shows only here; the controller goes on trying.
    if let Some(failure) = condition(object, "ReplicaFailure").filter(super::Condition::is_true) {
        return Health::progressing(format!("pods cannot be created ({})", failure.explanation()));
    }
    if updated < wanted {
        return Health::progressing(format!("{updated} of {wanted} pods have the new template"));
    }
    if total > updated {
        return Health::progressing(format!("{} old pods have not ended yet", total - updated));
    }
    if available < wanted {
        return Health::progressing(format!("{available} of {wanted} pods available"));
    }
    Health::Current
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::tests::{failed, object, progressing};

    fn operator(status: &str) -> Object {
        object(&format!(
            "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: mizar-operator, generation: 2}},
               spec: {{replicas: 1}}, status: {status}}}"
        ))
    }

    #[test]
    fn counts_of_an_older_generation_mean_nothing() {
        let stale = operator("{observedGeneration: 1, replicas: 1, updatedReplicas: 1, availableReplicas: 1}");
        assert_eq!(progressing(assess(&stale)), "its controller has seen generation 1 of 2");
    }

    #[test]
    fn a_deployment_needs_updated_pods_no_old_ones_and_availability() {
        let reason = |counts: &str| progressing(assess(&operator(&format!("{{observedGeneration: 2, {counts}}}"))));
        assert_eq!(reason("replicas: 1"), "0 of 1 pods have the new template");
        assert_eq!(reason("replicas: 2, updatedReplicas: 1"), "1 old pods have not ended yet");
        assert_eq!(reason("replicas: 1, updatedReplicas: 1"), "0 of 1 pods available");
        let done = operator("{observedGeneration: 2, replicas: 1, updatedReplicas: 1, availableReplicas: 1}");
        assert_eq!(assess(&done), Health::Current);
    }

    #[test]
    fn an_exceeded_deadline_is_a_failure() {
        let stuck = operator(
            "{observedGeneration: 2, replicas: 1, updatedReplicas: 1, conditions: [
              {type: Progressing, status: 'False', reason: ProgressDeadlineExceeded, message: has timed out}]}",
        );
        assert_eq!(failed(assess(&stuck)), "ProgressDeadlineExceeded: has timed out");
    }

    #[test]
    fn pods_that_cannot_be_created_are_named() {
        let refused = operator(
            "{observedGeneration: 2, conditions: [
              {type: ReplicaFailure, status: 'True', reason: FailedCreate, message: 'exceeded quota: q'}]}",
        );
        assert_eq!(progressing(assess(&refused)), "pods cannot be created (FailedCreate: exceeded quota: q)");
    }

    #[test]
    fn nothing_wanted_is_not_success() {
        let scaled_down = object(
            "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d, generation: 1}, spec: {replicas: 0},
              status: {observedGeneration: 1}}",
        );
        assert_eq!(progressing(assess(&scaled_down)), "scaled to 0: no pod is wanted");
    }
}
