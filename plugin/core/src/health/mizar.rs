//! Health of Mizar's own objects. They have no status: the operator writes how far it is into `spec.status`.

use serde_json::Value;

use super::{Health, is_terminating};
use crate::object::Object;

/// What the operator writes when an object is in place on the nodes.
pub const PROVISIONED: &str = "Provisioned";

/// Judges a Vpc, Subnet, Droplet, Divider, Bouncer or Endpoint.
#[must_use]
pub fn assess(object: &Object) -> Health {
    if is_terminating(object) {
        return Health::Terminating;
    }
    match object.value().pointer("/spec/status").and_then(Value::as_str) {
        Some(PROVISIONED) => Health::Current,
        Some(status) if !status.is_empty() => Health::progressing(format!("its status is {status}")),
        _ => Health::progressing("its status is blank: the operator ignores it until the status is Init"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::tests::{object, progressing};

    fn subnet(spec: &str) -> Object {
        object(&format!("{{apiVersion: mizar.com/v1, kind: Subnet, metadata: {{name: net0}}, spec: {spec}}}"))
    }

    #[test]
    fn only_provisioned_counts() {
        assert_eq!(assess(&subnet("{status: Provisioned}")), Health::Current);
        assert_eq!(progressing(assess(&subnet("{status: Init}"))), "its status is Init");
    }

    #[test]
    fn a_blank_or_absent_status_is_named() {
        for spec in ["{}", "{status: ''}", "{status: null}"] {
            assert!(progressing(assess(&subnet(spec))).starts_with("its status is blank"), "{spec}");
        }
    }
}
