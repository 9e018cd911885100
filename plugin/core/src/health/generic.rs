//! Health of every kind without rules of its own: deletion, generation, and a `Ready` condition where there is one.

use super::{Health, condition, is_terminating, number, unobserved};
use crate::object::Object;

/// Judges an object by what all kinds have in common.
#[must_use]
pub fn assess(object: &Object) -> Health {
    if is_terminating(object) {
        return Health::Terminating;
    }
    // Kinds whose controller does not report a generation would otherwise never become current.
    if number(object, "/status/observedGeneration").is_some()
        && let Some(health) = unobserved(object)
    {
        return health;
    }
    match condition(object, "Ready") {
        Some(ready) if !ready.is_true() => Health::progressing(format!("not ready ({})", ready.explanation())),
        _ => Health::Current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::tests::{object, progressing};

    #[test]
    fn an_object_without_status_is_current_as_soon_as_it_exists() {
        let role = object("{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: r, generation: 3}}");
        assert_eq!(assess(&role), Health::Current);
    }

    #[test]
    fn a_deleted_object_that_still_exists_is_terminating() {
        let config =
            object("{apiVersion: v1, kind: ConfigMap, metadata: {name: c, deletionTimestamp: '2026-01-01T00:00:00Z'}}");
        assert_eq!(assess(&config), Health::Terminating);
    }

    #[test]
    fn an_old_generation_and_a_false_ready_condition_are_progress() {
        let stale = object(
            "{apiVersion: x.io/v1, kind: Thing, metadata: {name: t, generation: 2}, status: {observedGeneration: 1}}",
        );
        assert_eq!(progressing(assess(&stale)), "its controller has seen generation 1 of 2");
        let waiting = object(
            "{apiVersion: x.io/v1, kind: Thing, metadata: {name: t},
              status: {conditions: [{type: Ready, status: 'False', reason: Waiting, message: for a friend}]}}",
        );
        assert_eq!(progressing(assess(&waiting)), "not ready (Waiting: for a friend)");
    }
}
