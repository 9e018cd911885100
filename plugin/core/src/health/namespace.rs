//! Health of namespaces: usable until somebody deletes them.

use serde_json::Value;

use super::{Health, is_terminating};
use crate::object::Object;

/// Judges a Namespace.
#[must_use]
pub fn assess(object: &Object) -> Health {
    let phase = object.value().pointer("/status/phase").and_then(Value::as_str);
    match phase {
        _ if is_terminating(object) => Health::Terminating,
        Some("Terminating") => Health::Terminating,
        // The phase is filled in at creation; an answer without one comes from a dry run or a stand-in.
        Some("Active") | None => Health::Current,
        Some(other) => Health::Unknown { reason: format!("its phase is {other}") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::tests::object;

    #[test]
    fn a_namespace_is_usable_until_it_is_deleted() {
        let active = object("{apiVersion: v1, kind: Namespace, metadata: {name: one}, status: {phase: Active}}");
        assert_eq!(assess(&active), Health::Current);
        let going = object("{apiVersion: v1, kind: Namespace, metadata: {name: one}, status: {phase: Terminating}}");
        assert_eq!(assess(&going), Health::Terminating);
    }
}
