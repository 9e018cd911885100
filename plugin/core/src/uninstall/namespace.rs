//! Whether a namespace is ours to delete: we made it, and nothing of anybody else is in it.

use serde_json::Value;

use crate::object::ObjectRef;
use crate::operation::SECRET_NAME;

/// The annotation of a namespace that an install made and did not find.
pub const MADE_BY: &str = "mizar.dev/made-by";

/// The kinds that are looked for in a namespace before it is deleted, as `apiVersion` and kind.
pub const NAMESPACED: [(&str, &str); 9] = [
    ("v1", "Pod"),
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("v1", "Secret"),
    ("v1", "PersistentVolumeClaim"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "StatefulSet"),
    ("batch/v1", "Job"),
];

/// Whether an install of ours made this namespace.
#[must_use]
pub fn is_made_by_us(namespace: &Value) -> bool {
    namespace["metadata"]["annotations"][MADE_BY].is_string()
}

/// Whether something that was found in a namespace is neither ours nor put into every namespace by the cluster itself.
#[must_use]
pub fn foreign(object: &ObjectRef, live: &Value) -> bool {
    let going = live["metadata"]["deletionTimestamp"].is_string();
    let by_the_cluster = match object.kind.as_str() {
        "ConfigMap" => object.name == "kube-root-ca.crt",
        "Secret" => object.name == SECRET_NAME || live["type"] == "kubernetes.io/service-account-token",
        _ => false,
    };
    !going && !by_the_cluster
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_every_namespace_has_and_what_is_ours_keeps_nothing() {
        let named = |kind: &str, name: &str| ObjectRef {
            api_version: "v1".into(),
            kind: kind.into(),
            namespace: Some("mizar-system".into()),
            name: name.into(),
        };
        let is_foreign = |kind: &str, name: &str, live: Value| foreign(&named(kind, name), &live);
        assert!(!is_foreign("ConfigMap", "kube-root-ca.crt", json!({})));
        assert!(!is_foreign("Secret", "mizar-operation", json!({})));
        assert!(!is_foreign("Secret", "x-token", json!({"type": "kubernetes.io/service-account-token"})));
        assert!(!is_foreign("Pod", "p", json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})));
        assert!(is_foreign("Pod", "p", json!({"metadata": {}})));
        assert!(is_foreign("Secret", "sh.helm.release.v1.other.v1", json!({"type": "helm.sh/release.v1"})));
    }

    #[test]
    fn only_a_mark_says_who_made_a_namespace() {
        assert!(is_made_by_us(&json!({"metadata": {"annotations": {MADE_BY: "kubectl-mizar"}}})));
        assert!(!is_made_by_us(&json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}})));
    }
}
