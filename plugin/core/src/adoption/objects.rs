//! Which objects an old installation consists of. A name alone is not enough: what somebody else claims is never taken.

use serde_json::{Map, Value, json};

use crate::kind::MIZAR_GROUP;
use crate::object::{Object, ObjectRef};
use crate::plan::fields::{entries, text};
use crate::plan::ownership::{MANAGED_BY, RELEASE_NAME};
use crate::uninstall::known_objects;

/// The names under which kubectl writes. What it has set becomes ours when an object is taken over; what anybody else
/// has set stays theirs, and stands in the way where it would change.
pub const MANAGERS: &[&str] = &[
    "kubectl",
    "kubectl-annotate",
    "kubectl-apply",
    "kubectl-client-side-apply",
    "kubectl-create",
    "kubectl-edit",
    "kubectl-label",
    "kubectl-last-applied",
    "kubectl-patch",
    "kubectl-replace",
    "kubectl-rollout",
    "kubectl-scale",
    "kubectl-set",
    // How a server calls what it does not remember the writer of.
    "before-first-apply",
];

/// The binding by which the operator of an old installation is an administrator of the cluster.
pub const OLD_BINDING: &str = "mizar-operator";

/// The account that it binds.
const OPERATOR_ACCOUNT: &str = "mizar-operator";

/// What kubectl notes of what it has applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Labels and annotations by which other tools say that an object is theirs; they would put back what we change.
const CLAIMS: &[&str] = &[
    RELEASE_NAME,
    "argocd.argoproj.io/instance",
    "argocd.argoproj.io/tracking-id",
    "helm.toolkit.fluxcd.io/name",
    "kapp.k14s.io/app",
    "kustomize.toolkit.fluxcd.io/name",
];

/// Whether a live object is of an old installation in `namespace`, and of nobody else.
#[must_use]
pub fn is_old(live: &Object, namespace: &str) -> bool {
    is_unclaimed(live) && (is_known(live, namespace) || is_definition(live) || says_arktos(live))
}

fn is_unclaimed(live: &Object) -> bool {
    let is_claimed = CLAIMS.iter().any(|key| live.label(key).is_some() || live.annotation(key).is_some());
    let is_owned = live.value().pointer("/metadata/ownerReferences").and_then(Value::as_array);
    let managed_by_helm = live.label(MANAGED_BY).is_none_or(|manager| manager == "Helm");
    !is_claimed && managed_by_helm && is_owned.is_none_or(Vec::is_empty)
}

fn is_known(live: &Object, namespace: &str) -> bool {
    let object = live.reference();
    known_objects(&[namespace.to_owned()]).iter().any(|known| known.same_object(&object))
}

fn is_definition(live: &Object) -> bool {
    live.kind() == "CustomResourceDefinition"
        && live.value().pointer("/spec/group").and_then(Value::as_str) == Some(MIZAR_GROUP)
}

/// The ConfigMap by which the operator knows Arktos.
fn says_arktos(live: &Object) -> bool {
    (live.kind(), live.namespace(), live.name()) == ("ConfigMap", Some("kube-system"), "system-source")
        && live.value().pointer("/data/name").and_then(Value::as_str) == Some("arktos")
}

/// Returns the managers of [`MANAGERS`] that have set anything of a live object.
#[must_use]
pub fn managers_in(live: &Object) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for entry in entries(live.value()) {
        let manager = text(entry, "manager");
        if MANAGERS.contains(&manager) && !found.iter().any(|known| known == manager) {
            found.push(manager.to_owned());
        }
    }
    found
}

/// Returns what was applied before a live object is taken over: of that, what is not wanted any more goes.
///
/// Parameters of a rolling update go with it in any case: the server fills them in, and refuses them beside another strategy.
pub(crate) fn before(live: &Object) -> Option<Object> {
    let applied = live.annotation(LAST_APPLIED).and_then(|text| {
        let mut applied: Value = serde_json::from_str(text).ok()?;
        let metadata = applied.get_mut("metadata")?.as_object_mut()?;
        let annotations = metadata.entry("annotations").or_insert(Value::Null);
        if !annotations.is_object() {
            *annotations = Value::Object(Map::new());
        }
        annotations.as_object_mut()?.insert(LAST_APPLIED.to_owned(), json!(text));
        Some(applied)
    });
    let before = match applied {
        Some(applied) => applied,
        // The notes of the server say whose it is.
        None if !entries(live.value()).is_empty() => return Some(live.clone()),
        None => json!({"apiVersion": live.api_version(), "kind": live.kind(), "metadata": {"name": live.name()}}),
    };
    Object::new(with_rolling_update(before, live.value())).ok()
}

fn with_rolling_update(mut before: Value, live: &Value) -> Value {
    for strategy in ["strategy", "updateStrategy"] {
        let Some(parameters) = live.pointer(&format!("/spec/{strategy}/rollingUpdate")) else { continue };
        let Some(fields) = before.as_object_mut() else { continue };
        let spec = fields.entry("spec").or_insert_with(|| json!({}));
        let Some(spec) = spec.as_object_mut() else { continue };
        let strategy = spec.entry(strategy).or_insert_with(|| json!({}));
        if let Some(strategy) = strategy.as_object_mut() {
            strategy.insert("rollingUpdate".to_owned(), parameters.clone());
        }
    }
    before
}

/// Returns a definition that also says that the server does not keep just anything: those of the first API version did.
pub(crate) fn definition_without_leniency(desired: Object) -> Object {
    if desired.kind() != "CustomResourceDefinition" {
        return desired;
    }
    let before = desired.clone();
    let mut value = desired.into_value();
    if let Some(spec) = value.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert("preserveUnknownFields".to_owned(), json!(false));
    }
    Object::new(value).unwrap_or(before)
}

/// Says why the old binding must stay, if it must; `wanted` are the objects that there will be.
#[must_use]
pub fn binding_stays<'a>(
    live: &Object,
    namespace: &str,
    mut wanted: impl Iterator<Item = &'a ObjectRef>,
) -> Option<&'static str> {
    if let Some(why) = binds_others(live, Some(namespace)) {
        Some(why)
    } else if !is_unclaimed(live) {
        Some("another tool says that it is its own")
    } else if !wanted.any(|object| object.kind == "ClusterRoleBinding" && object.name == "mizar:operator") {
        Some("the operator needs it: these values make no role for it")
    } else {
        None
    }
}

/// Why the old binding is somebody else's as well; `namespace` is that of the operator, where it is known.
#[must_use]
pub fn binds_others(live: &Object, namespace: Option<&str>) -> Option<&'static str> {
    let subjects = live.value().get("subjects").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let is_operator = |subject: &Value| {
        text(subject, "kind") == "ServiceAccount"
            && text(subject, "name") == OPERATOR_ACCOUNT
            && namespace.is_none_or(|namespace| text(subject, "namespace") == namespace)
    };
    if live.value().pointer("/roleRef/name").and_then(Value::as_str) != Some("cluster-admin") {
        Some("it binds another role than those of the old installations")
    } else if !subjects.iter().all(is_operator) {
        Some("it binds others than the operator, too")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Object {
        Object::new(value).unwrap()
    }

    fn daemon(metadata: &Value) -> Object {
        let mut value = json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "mizar-daemon", "namespace": "default"}});
        for (key, content) in metadata.as_object().unwrap() {
            value["metadata"][key] = content.clone();
        }
        object(value)
    }

    #[test]
    fn only_what_is_of_an_old_installation_is_taken() {
        for (metadata, taken) in [
            (json!({}), true),
            (json!({"labels": {"a": "b"}}), true),
            (json!({"labels": {"app.kubernetes.io/managed-by": "Helm"}}), true),
            (json!({"labels": {"app.kubernetes.io/managed-by": "ops-tool"}}), false),
            (json!({"labels": {"argocd.argoproj.io/instance": "net"}}), false),
            (json!({"annotations": {"meta.helm.sh/release-name": "net"}}), false),
            (json!({"annotations": {"argocd.argoproj.io/tracking-id": "net:apps"}}), false),
            (json!({"ownerReferences": [{"kind": "Network"}]}), false),
            (json!({"namespace": "other"}), false),
            (json!({"name": "other"}), false),
        ] {
            assert_eq!(is_old(&daemon(&metadata), "default"), taken, "{metadata}");
        }
    }

    #[test]
    fn definitions_of_the_group_and_the_sign_of_arktos_are_taken_and_their_likes_are_not() {
        let definition = |group: &str| {
            object(json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                          "metadata": {"name": format!("vpcs.{group}")}, "spec": {"group": group}}))
        };
        assert!(is_old(&definition("mizar.com"), "default"));
        assert!(!is_old(&definition("example.com"), "default"));
        let source = |name: &str| {
            object(json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"name": name},
                          "metadata": {"name": "system-source", "namespace": "kube-system"}}))
        };
        assert!(is_old(&source("arktos"), "default"));
        assert!(!is_old(&source("other"), "default"));
    }

    #[test]
    fn the_managers_of_kubectl_are_told_once_and_nobody_else_is() {
        let mut live = daemon(&json!({})).into_value();
        live["metadata"]["managedFields"] = json!([
            {"manager": "kubectl-client-side-apply", "operation": "Update"},
            {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status"},
            {"manager": "kubectl-client-side-apply", "operation": "Update"},
            {"manager": "kubectl-edit", "operation": "Update"},
            {"manager": "ops-tool", "operation": "Apply"},
        ]);
        assert_eq!(managers_in(&object(live)), ["kubectl-client-side-apply", "kubectl-edit"]);
    }

    #[test]
    fn what_was_applied_is_known_from_its_note_or_from_the_notes_of_the_server() {
        let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}});
        let live = |annotations: &Value, entries: &Value| {
            let mut value = daemon(&json!({"annotations": annotations})).into_value();
            value["metadata"]["managedFields"] = entries.clone();
            value["spec"] = json!({"updateStrategy": strategy, "minReadySeconds": 0});
            object(value)
        };
        let note = r#"{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{"name":"mizar-daemon"},"spec":{"a":1}}"#;
        let noted = before(&live(&json!({LAST_APPLIED: note}), &json!([]))).unwrap().into_value();
        assert_eq!(noted["spec"], json!({"a": 1, "updateStrategy": {"rollingUpdate": {"maxUnavailable": 1}}}));
        assert_eq!(noted["metadata"]["annotations"][LAST_APPLIED], note, "it goes, too");

        let entries = json!([{"manager": "kubectl-create", "operation": "Update", "fieldsV1": {"f:spec": {}}}]);
        let created = live(&json!({}), &entries);
        assert_eq!(before(&created), Some(created.clone()));

        for odd in ["", "[]", "\"text\"", "{\"spec\":1}", "{\"metadata\":1}"] {
            let unknown = before(&live(&json!({LAST_APPLIED: odd}), &json!([]))).unwrap().into_value();
            assert_eq!(unknown["spec"], json!({"updateStrategy": {"rollingUpdate": {"maxUnavailable": 1}}}), "{odd}");
        }
    }

    #[test]
    fn the_old_binding_goes_only_if_it_is_the_operators_and_another_takes_its_place() {
        let binding = |role: &str, subjects: Value| {
            object(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
                "metadata": {"name": OLD_BINDING}, "roleRef": {"name": role}, "subjects": subjects}))
        };
        let account =
            |name: &str, namespace: &str| json!({"kind": "ServiceAccount", "name": name, "namespace": namespace});
        let ours = ObjectRef {
            api_version: "rbac.authorization.k8s.io/v1".into(),
            kind: "ClusterRoleBinding".into(),
            namespace: None,
            name: "mizar:operator".into(),
        };
        let why = |live: &Object, wanted: &[&ObjectRef]| binding_stays(live, "default", wanted.iter().copied());
        let operator = account("mizar-operator", "default");
        let old = binding("cluster-admin", json!([operator]));
        assert_eq!(why(&old, &[&ours]), None);
        assert!(why(&old, &[]).unwrap().contains("needs it"));
        assert!(why(&binding("edit", json!([operator])), &[&ours]).unwrap().contains("another role"));
        for others in [json!([operator, account("me", "default")]), json!([account("mizar-operator", "other")])] {
            assert!(why(&binding("cluster-admin", others), &[&ours]).unwrap().contains("others than"));
        }
    }

    #[test]
    fn a_definition_stops_keeping_just_anything() {
        let definition = object(json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "vpcs.mizar.com"}, "spec": {"group": "mizar.com"}}));
        assert_eq!(definition_without_leniency(definition).value()["spec"]["preserveUnknownFields"], false);
        let other = daemon(&json!({}));
        assert_eq!(definition_without_leniency(other.clone()), other);
    }
}
