//! Which objects are Mizar's: those of the record, those with the marks of a release, those of a name that only Mizar uses.

use crate::adoption::{OLD_BINDING, binds_others};
use crate::kind::{self, KindInfo, MIZAR_GROUP};
use crate::object::{Object, ObjectRef};
use crate::plan::ownership::{RELEASE_NAME, RELEASE_NAMESPACE, is_kept};

/// The kinds of Mizar's custom resources.
pub const CUSTOM_KINDS: [&str; 6] = ["Endpoint", "Bouncer", "Divider", "Subnet", "Vpc", "Droplet"];

/// Returns how the custom resources are addressed.
#[must_use = "iterators do nothing unless they are used"]
pub fn custom_kinds() -> impl Iterator<Item = KindInfo> {
    CUSTOM_KINDS.iter().filter_map(|kind| kind::lookup(&format!("{MIZAR_GROUP}/v1"), kind))
}

/// Whose an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Belongs {
    /// Mizar's.
    Ours,
    /// It stays, and why.
    Stays(String),
}

/// Decides whose a live object is that was recorded for a release, or that has a name which only Mizar uses.
#[must_use]
pub fn belongs(live: &Object, releases: &[&str]) -> Belongs {
    if is_kept(live) {
        return Belongs::Stays("it asks to be kept (helm.sh/resource-policy)".to_owned());
    }
    let is_old_binding = live.kind() == "ClusterRoleBinding" && live.name() == OLD_BINDING;
    // Who has taken the workloads out by hand has left no trace of where the operator was.
    if let Some(why) = is_old_binding.then(|| binds_others(live, None)).flatten() {
        return Belongs::Stays(why.to_owned());
    }
    match live.annotation(RELEASE_NAME) {
        Some(release) if !releases.contains(&release) => {
            let place = live.annotation(RELEASE_NAMESPACE).unwrap_or("its namespace");
            Belongs::Stays(format!("it belongs to the release {release} in {place}"))
        }
        _ => Belongs::Ours,
    }
}

const RBAC: &str = "rbac.authorization.k8s.io/v1";

/// Those that live in the namespace of the workloads.
const BESIDE_WORKLOADS: [(&str, &str, &str); 5] = [
    ("apps/v1", "DaemonSet", "mizar-daemon"),
    ("apps/v1", "Deployment", "mizar-operator"),
    ("v1", "ServiceAccount", "mizar-daemon"),
    ("v1", "ServiceAccount", "mizar-operator"),
    ("v1", "ResourceQuota", "mizar-critical-pods"),
];

/// Those that live elsewhere: kind, namespace, name. The second binding is that of installations without Helm.
const ELSEWHERE: [(&str, &str, &str, &str); 8] = [
    (RBAC, "ClusterRole", "", "mizar:operator"),
    (RBAC, "ClusterRoleBinding", "", "mizar:operator"),
    (RBAC, "ClusterRoleBinding", "", "mizar-operator"),
    (RBAC, "Role", "default", "mizar:grpc-service"),
    (RBAC, "RoleBinding", "default", "mizar:grpc-service"),
    (RBAC, "Role", "kube-system", "mizar:system-source"),
    (RBAC, "RoleBinding", "kube-system", "mizar:system-source"),
    ("v1", "ConfigMap", "default", "mizar-grpc-service"),
];

/// Returns the objects of a Mizar that nothing is recorded of, where its workloads are or were in these namespaces.
#[must_use]
pub fn known_objects(namespaces: &[String]) -> Vec<ObjectRef> {
    let object = |api_version: &str, kind: &str, namespace: Option<&str>, name: &str| ObjectRef {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.map(ToOwned::to_owned),
        name: name.to_owned(),
    };
    let beside = namespaces.iter().flat_map(|namespace| {
        BESIDE_WORKLOADS.map(|(api_version, kind, name)| object(api_version, kind, Some(namespace), name))
    });
    let elsewhere = ELSEWHERE.map(|(api_version, kind, namespace, name)| {
        object(api_version, kind, Some(namespace).filter(|namespace| !namespace.is_empty()), name)
    });
    beside.chain(elsewhere).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn role(annotations: &Value) -> Object {
        let metadata = json!({"name": "mizar:operator", "annotations": annotations});
        Object::new(json!({"apiVersion": RBAC, "kind": "ClusterRole", "metadata": metadata})).unwrap()
    }

    #[test]
    fn what_another_release_owns_or_what_is_to_be_kept_stays() {
        let of = |annotations: Value| belongs(&role(&annotations), &["mizar"]);
        assert_eq!(of(json!({})), Belongs::Ours);
        assert_eq!(of(json!({RELEASE_NAME: "mizar", RELEASE_NAMESPACE: "x"})), Belongs::Ours);
        let other = of(json!({RELEASE_NAME: "net", RELEASE_NAMESPACE: "x"}));
        assert_eq!(other, Belongs::Stays("it belongs to the release net in x".into()));
        assert!(matches!(of(json!({"helm.sh/resource-policy": "keep"})), Belongs::Stays(_)));
    }

    #[test]
    fn the_old_binding_goes_unless_it_binds_others_too() {
        let of = |subjects: Value| {
            let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"});
            let binding = json!({"apiVersion": RBAC, "kind": "ClusterRoleBinding",
                "metadata": {"name": "mizar-operator"}, "roleRef": role, "subjects": subjects});
            belongs(&Object::new(binding).unwrap(), &["mizar"])
        };
        let operator = json!({"kind": "ServiceAccount", "name": "mizar-operator", "namespace": "default"});
        assert_eq!(of(json!([operator])), Belongs::Ours);
        let others = of(json!([operator, {"kind": "User", "name": "ann"}]));
        assert_eq!(others, Belongs::Stays("it binds others than the operator, too".into()));
    }

    #[test]
    fn the_six_kinds_and_all_known_objects_can_be_addressed() {
        assert_eq!(custom_kinds().count(), CUSTOM_KINDS.len());
        let known = known_objects(&["mizar-system".into(), "default".into()]);
        assert_eq!(known.len(), 2 * BESIDE_WORKLOADS.len() + ELSEWHERE.len());
        for object in known {
            let kind = kind::lookup(&object.api_version, &object.kind).unwrap();
            assert_eq!(kind.namespaced, object.namespace.is_some(), "{object}");
        }
    }
}
