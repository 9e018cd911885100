//! Changes that an installation must not make to objects that exist already: because the server refuses them, or
//! because they would restart what must not restart. One table.

use serde_json::Value;

use super::equality::Place;
use super::{FieldChange, Refusal};
use crate::kind::MIZAR_GROUP;
use crate::object::{Object, ObjectRef};

struct Rule {
    group: &'static str,
    kinds: &'static [&'static str],
    paths: &'static [&'static str],
    why: &'static str,
    hint: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        group: "apps",
        kinds: &["DaemonSet", "Deployment", "StatefulSet"],
        paths: &[".spec.template"],
        why: "exists and would get another pod template, which restarts its pods",
        hint: "use `kubectl mizar upgrade`, which replaces pods in the agreed order",
    },
    Rule {
        group: "apps",
        kinds: &["DaemonSet", "Deployment", "StatefulSet"],
        paths: &[".spec.selector"],
        why: "exists with another selector, which can never change",
        hint: "uninstall first: `kubectl mizar uninstall`",
    },
    Rule {
        group: "rbac.authorization.k8s.io",
        kinds: &["RoleBinding", "ClusterRoleBinding"],
        paths: &[".roleRef"],
        why: "exists and is bound to another role, which can never change",
        hint: "delete the binding and run the command again",
    },
    Rule {
        group: "apiextensions.k8s.io",
        kinds: &["CustomResourceDefinition"],
        paths: &[".spec.group", ".spec.scope", ".spec.names.kind", ".spec.names.plural"],
        why: "exists with another name or scope, which can never change",
        hint: "uninstall with its objects first: `kubectl mizar uninstall`",
    },
    Rule {
        group: "batch",
        kinds: &["Job"],
        paths: &[".spec.template", ".spec.selector"],
        why: "exists, and what a Job runs can never change",
        hint: "delete the Job and run the command again",
    },
    Rule {
        group: "scheduling.k8s.io",
        kinds: &["PriorityClass"],
        paths: &[".value", ".preemptionPolicy"],
        why: "exists with another priority, which can never change",
        hint: "delete the priority class and run the command again",
    },
];

/// Returns what must not change of an object, rule by rule.
pub(super) fn refusals(object: &ObjectRef, changes: &[FieldChange]) -> Vec<Refusal> {
    RULES
        .iter()
        .filter(|rule| rule.group == object.group() && rule.kinds.contains(&object.kind.as_str()))
        .filter_map(|rule| {
            let fields: Vec<FieldChange> = changes
                .iter()
                .filter(|change| rule.paths.iter().any(|path| is_below(&change.path, path)))
                .cloned()
                .collect();
            (!fields.is_empty()).then(|| Refusal {
                object: object.clone(),
                fields,
                why: rule.why.to_owned(),
                hint: rule.hint.to_owned(),
            })
        })
        .collect()
}

/// Refuses to take away what carries the network.
pub(super) fn removal(object: &ObjectRef) -> Option<Refusal> {
    let carries = object.group() == "apps" && ["DaemonSet", "Deployment"].contains(&object.kind.as_str());
    carries.then(|| Refusal {
        object: object.clone(),
        fields: Vec::new(),
        why: "is installed and is not part of this configuration; taking it away would stop the network".to_owned(),
        hint: "set the value that switched it off back, or use `kubectl mizar uninstall`".to_owned(),
    })
}

/// The range of an existing pod network cannot change: its addresses are in use on the nodes.
pub(super) fn changed_range(desired: &Object, live: &Object) -> Option<Refusal> {
    let object = desired.reference();
    if object.group() != MIZAR_GROUP || !["Vpc", "Subnet"].contains(&object.kind.as_str()) {
        return None;
    }
    let fields: Vec<FieldChange> = ["ip", "prefix"]
        .into_iter()
        .filter_map(|field| {
            let of = |object: &Object| object.value().pointer("/spec").and_then(|spec| spec.get(field)).cloned();
            let (before, after) = (of(live), of(desired));
            let place = Place { field, parent: "spec", built_in: false };
            let same = match (&before, &after) {
                (Some(before), Some(after)) => place.same(before, after),
                (before, after) => {
                    before.as_ref().is_none_or(Value::is_null) && after.as_ref().is_none_or(Value::is_null)
                }
            };
            (!same).then(|| FieldChange { path: format!(".spec.{field}"), before, after })
        })
        .collect();
    (!fields.is_empty()).then(|| Refusal {
        object,
        fields,
        why: format!("exists with the range {}, which cannot change while it is in use", range(live)),
        hint: format!(
            "set the pod network's range back to {}, or uninstall first: `kubectl mizar uninstall`",
            range(live)
        ),
    })
}

fn range(network: &Object) -> String {
    let text = |field: &str| match network.value().pointer("/spec").and_then(|spec| spec.get(field)) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "?".to_owned(),
        Some(other) => other.to_string(),
    };
    format!("{}/{}", text("ip"), text("prefix"))
}

/// Whether a change at `path` is one of what is at `top`.
pub(super) fn is_below(path: &str, top: &str) -> bool {
    path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        // A change of a whole map above the field includes the field.
        || top.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reference(api_version: &str, kind: &str) -> ObjectRef {
        ObjectRef { api_version: api_version.into(), kind: kind.into(), namespace: None, name: "x".into() }
    }

    fn refused(api_version: &str, kind: &str, path: &str) -> Vec<String> {
        let change = FieldChange { path: path.into(), before: None, after: Some(json!(1)) };
        refusals(&reference(api_version, kind), &[change]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_pod_template_is_for_upgrade() {
        let path = ".spec.template.spec.containers[a].image";
        assert_eq!(
            refused("apps/v1", "DaemonSet", path),
            [format!("DaemonSet x exists and would get another pod template, which restarts its pods ({path})")]
        );
        assert!(refused("apps/v1", "DaemonSet", ".spec.updateStrategy.type").is_empty());
        assert!(refused("apps/v1", "DaemonSet", ".spec.templates").is_empty());
        assert!(refused("v1", "ReplicationController", path).is_empty());
    }

    #[test]
    fn what_the_server_never_changes_is_refused_beforehand() {
        assert_eq!(refused("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", ".roleRef.name").len(), 1);
        assert_eq!(refused("apiextensions.k8s.io/v1", "CustomResourceDefinition", ".spec.scope").len(), 1);
        assert_eq!(refused("apiextensions.k8s.io/v1", "CustomResourceDefinition", ".spec.versions").len(), 0);
        assert_eq!(refused("batch/v1", "Job", ".spec").len(), 1);
    }

    #[test]
    fn a_changed_range_is_refused_and_another_spelling_is_not() {
        let subnet = |ip: &str, prefix: Value| {
            Object::new(json!({"apiVersion": "mizar.com/v1", "kind": "Subnet", "metadata": {"name": "net0"},
                               "spec": {"ip": ip, "prefix": prefix}}))
            .unwrap()
        };
        assert_eq!(changed_range(&subnet("10.1.0.0", json!(16)), &subnet("10.1.0.0", json!("16"))), None);
        let refusal = changed_range(&subnet("10.2.0.0", json!(16)), &subnet("10.1.0.0", json!("16"))).unwrap();
        assert_eq!(
            refusal.to_string(),
            "Subnet net0 exists with the range 10.1.0.0/16, which cannot change while it is in use (.spec.ip)"
        );
        assert!(refusal.hint.contains("back to 10.1.0.0/16"));
    }
}
