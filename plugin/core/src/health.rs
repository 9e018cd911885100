//! Whether a live object has become what it should be, judged from the object alone. One file a kind; every state that
//! is not `Current` says why. Who waits, and for how long, is decided elsewhere.

pub mod custom_resource_definition;
pub mod daemon_set;
pub mod deployment;
pub mod generic;
pub mod job;
pub mod mizar;
pub mod namespace;
pub mod pod;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kind::MIZAR_GROUP;
use crate::object::Object;

pub use daemon_set::DaemonProgress;
pub use pod::PodTrouble;

/// The state of a live object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum Health {
    /// It is what it should be.
    Current,
    /// It is on its way, or at least may be.
    Progressing {
        /// What is missing.
        reason: String,
    },
    /// It will not get there by itself.
    Failed {
        /// What went wrong.
        reason: String,
    },
    /// It is being deleted.
    Terminating,
    /// It does not exist.
    Missing,
    /// Nothing can be said.
    Unknown {
        /// Why nothing can be said.
        reason: String,
    },
}

impl Health {
    /// Whether the object is what it should be.
    #[must_use]
    pub fn is_current(&self) -> bool {
        matches!(self, Self::Current)
    }

    /// Whether waiting longer cannot help.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }

    fn progressing(reason: impl Into<String>) -> Self {
        Self::Progressing { reason: reason.into() }
    }

    fn failed(reason: impl Into<String>) -> Self {
        Self::Failed { reason: reason.into() }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => formatter.write_str("ready"),
            Self::Progressing { reason } => write!(formatter, "in progress: {reason}"),
            Self::Failed { reason } => write!(formatter, "failed: {reason}"),
            Self::Terminating => formatter.write_str("being deleted"),
            Self::Missing => formatter.write_str("missing"),
            Self::Unknown { reason } => write!(formatter, "unknown: {reason}"),
        }
    }
}

/// Judges a live object, or the lack of one, by the rules of its kind.
///
/// A DaemonSet is judged by its own count of nodes here; who knows how many nodes should have a pod asks
/// [`daemon_set::assess`].
#[must_use]
pub fn assess(live: Option<&Object>) -> Health {
    let Some(object) = live else { return Health::Missing };
    let group = object.api_version().split_once('/').map_or("", |(group, _)| group);
    match (group, object.kind()) {
        ("apps", "DaemonSet") => daemon_set::assess(object, None),
        ("apps", "Deployment") => deployment::assess(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => custom_resource_definition::assess(object),
        ("", "Pod") => pod::assess(object),
        ("", "Namespace") => namespace::assess(object),
        ("batch", "Job") => job::assess(object),
        (MIZAR_GROUP, _) => mizar::assess(object),
        _ => generic::assess(object),
    }
}

fn is_terminating(object: &Object) -> bool {
    object.value().pointer("/metadata/deletionTimestamp").is_some_and(|stamp| !stamp.is_null())
}

/// Says that the controller has not looked at the newest generation yet, in which case its counts mean nothing.
fn unobserved(object: &Object) -> Option<Health> {
    let generation = number(object, "/metadata/generation")?;
    let observed = number(object, "/status/observedGeneration").unwrap_or(0);
    (observed < generation)
        .then(|| Health::progressing(format!("its controller has seen generation {observed} of {generation}")))
}

fn number(object: &Object, pointer: &str) -> Option<u64> {
    object.value().pointer(pointer)?.as_u64()
}

fn count(object: &Object, pointer: &str) -> u64 {
    number(object, pointer).unwrap_or(0)
}

/// One entry of `status.conditions`.
struct Condition<'a> {
    status: &'a str,
    reason: &'a str,
    message: &'a str,
}

impl Condition<'_> {
    fn is_true(&self) -> bool {
        self.status == "True"
    }

    fn is_false(&self) -> bool {
        self.status == "False"
    }

    /// Says reason and message, whichever are there.
    fn explanation(&self) -> String {
        match (self.reason, self.message) {
            ("", "") => "no reason given".to_owned(),
            (reason, "") => reason.to_owned(),
            ("", message) => message.to_owned(),
            (reason, message) => format!("{reason}: {message}"),
        }
    }
}

fn condition<'a>(object: &'a Object, kind: &str) -> Option<Condition<'a>> {
    let text = |entry: &'a Value, key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
    object.value().pointer("/status/conditions")?.as_array()?.iter().find(|entry| text(entry, "type") == kind).map(
        |entry| Condition {
            status: text(entry, "status"),
            reason: text(entry, "reason"),
            message: text(entry, "message"),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads an object written as short YAML in a test.
    pub(super) fn object(text: &str) -> Object {
        Object::new(serde_yaml::from_str::<Value>(text).unwrap()).unwrap()
    }

    /// Returns the reason of a state that must be `Progressing`.
    pub(super) fn progressing(health: Health) -> String {
        match health {
            Health::Progressing { reason } => reason,
            other => panic!("expected progress, got {other}"),
        }
    }

    /// Returns the reason of a state that must be `Failed`.
    pub(super) fn failed(health: Health) -> String {
        match health {
            Health::Failed { reason } => reason,
            other => panic!("expected a failure, got {other}"),
        }
    }

    #[test]
    fn an_object_that_is_not_there_is_missing() {
        assert_eq!(assess(None), Health::Missing);
    }

    #[test]
    fn kinds_are_judged_by_their_own_rules() {
        let vpc = object("{apiVersion: mizar.com/v1, kind: Vpc, metadata: {name: vpc0}, spec: {status: Init}}");
        assert_eq!(progressing(assess(Some(&vpc))), "its status is Init");
        let config = object("{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}");
        assert_eq!(assess(Some(&config)), Health::Current);
    }

    #[test]
    fn states_print_as_a_person_would_say_them() {
        assert_eq!(Health::progressing("1 of 3 pods ready").to_string(), "in progress: 1 of 3 pods ready");
        assert_eq!(Health::Missing.to_string(), "missing");
        let json = serde_json::to_value(Health::failed("x")).unwrap();
        assert_eq!(json, serde_json::json!({"state": "failed", "reason": "x"}));
    }
}
