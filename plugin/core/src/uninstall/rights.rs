//! The rights that an uninstall needs, told before anything is changed.

use super::{CUSTOM_KINDS, MARKED_KINDS, NAMESPACED};
use crate::facts::{Need, Right};
use crate::kind::{self, MIZAR_GROUP};
use crate::object::ObjectRef;
use crate::operation::SECRET_NAME;

/// What an uninstall is going to do, as far as rights depend on it.
#[derive(Debug, Clone, Copy)]
pub struct Extent<'a> {
    /// The namespace of the releases.
    pub namespace: &'a str,
    /// Where record and Jobs are: another one where that namespace is going or gone.
    pub home: &'a str,
    /// Definitions and namespace go too.
    pub crds: bool,
    /// Nodes are cleaned.
    pub cleans_nodes: bool,
}

fn need(right: Right, purpose: &str) -> Need {
    Need { right, unless: Vec::new(), purpose: purpose.to_owned() }
}

/// Returns the rights that are needed to delete these objects and to do all that goes with it.
#[must_use]
pub fn needs(extent: Extent<'_>, objects: &[ObjectRef]) -> Vec<Need> {
    let mut needs = Vec::new();
    let mut all = |verbs: &[&str], right: &dyn Fn(&str) -> Right, purpose: &str| {
        needs.extend(verbs.iter().map(|verb| need(right(verb), purpose)));
    };
    for (api_version, kind) in MARKED_KINDS {
        let Some(info) = kind::lookup(api_version, kind) else { continue };
        let purpose = "to take off what the operator left on it";
        all(&["list", "get", "patch"], &|verb| Right::new(verb, info.group, info.plural), purpose);
    }
    all(&["watch"], &|verb| Right::new(verb, "", "pods"), "to see that Mizar's pods are gone");
    for kind in CUSTOM_KINDS {
        let Some(info) = kind::lookup(&format!("{MIZAR_GROUP}/v1"), kind) else { continue };
        let purpose = "to save and delete custom resources";
        all(&["list", "watch", "get", "patch", "delete"], &|verb| Right::new(verb, MIZAR_GROUP, info.plural), purpose);
    }
    for plural in ["daemonsets", "deployments"] {
        all(&["list"], &|verb| Right::new(verb, "apps", plural), "to find Mizar");
    }
    all(
        &["list"],
        &|verb| Right::new(verb, "apiextensions.k8s.io", "customresourcedefinitions"),
        "to find Mizar's definitions",
    );
    for object in objects {
        let Some(info) = kind::lookup(&object.api_version, &object.kind) else { continue };
        if info.group == MIZAR_GROUP {
            continue;
        }
        let right = |verb: &str| {
            let right = Right::new(verb, info.group, info.plural).on(&object.name);
            match &object.namespace {
                Some(namespace) => right.in_namespace(namespace),
                None => right,
            }
        };
        // Definitions are known from their list.
        let verbs: &[&str] = if object.kind == "CustomResourceDefinition" { &["delete"] } else { &["get", "delete"] };
        all(verbs, &right, &format!("to delete {object}"));
        if object.kind == "Deployment" {
            all(&["patch"], &right, "to stop the operator");
        }
    }
    let secrets = |verb: &str, namespace: &str| Right::new(verb, "", "secrets").in_namespace(namespace);
    all(
        &["list", "get", "update", "delete"],
        &|verb| secrets(verb, extent.namespace),
        "to end the records of the releases",
    );
    all(&["create"], &|verb| secrets(verb, extent.home), "to record the uninstall");
    all(&["get", "update"], &|verb| secrets(verb, extent.home).on(SECRET_NAME), "to record the uninstall");
    if extent.cleans_nodes {
        let jobs = |verb: &str| Right::new(verb, "batch", "jobs").in_namespace(extent.home);
        all(&["list", "watch", "get", "create", "delete"], &jobs, "to clean the nodes");
    }
    if extent.crds {
        all(
            &["watch"],
            &|verb| Right::new(verb, "apiextensions.k8s.io", "customresourcedefinitions"),
            "to see that the definitions are gone",
        );
        all(&["delete"], &|verb| secrets(verb, extent.home).on(SECRET_NAME), "to delete the record at the end");
        let of_namespace = objects.iter().any(|object| object.kind == "Namespace");
        for (api_version, kind) in NAMESPACED.iter().filter(|_| of_namespace) {
            let Some(info) = kind::lookup(api_version, kind) else { continue };
            let right = |verb: &str| Right::new(verb, info.group, info.plural).in_namespace(extent.namespace);
            all(&["list"], &right, "to see whether anybody else uses the namespace");
        }
        if of_namespace {
            all(&["watch"], &|verb| Right::new(verb, "", "namespaces"), "to see that the namespace is gone");
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    needs.retain(|need| seen.insert(need.right.clone()));
    needs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(crds: bool, cleans_nodes: bool) -> Vec<String> {
        let object = |api_version: &str, kind: &str, namespace: Option<&str>, name: &str| ObjectRef {
            api_version: api_version.into(),
            kind: kind.into(),
            namespace: namespace.map(Into::into),
            name: name.into(),
        };
        let objects = [
            object("apps/v1", "Deployment", Some("network"), "mizar-operator"),
            object("rbac.authorization.k8s.io/v1", "ClusterRole", None, "mizar:operator"),
            object("v1", "Namespace", None, "network"),
        ];
        let extent = Extent { namespace: "network", home: "network", crds, cleans_nodes };
        needs(extent, &objects).iter().map(|need| need.right.to_string()).collect()
    }

    #[test]
    fn whatever_is_done_is_asked_for_where_it_is_done() {
        let told = told(true, true);
        for right in [
            "patch nodes",
            "patch endpoints",
            "patch networkpolicies.networking.k8s.io",
            "delete endpoints.mizar.com",
            "patch deployments.apps mizar-operator in namespace network",
            "delete clusterroles.rbac.authorization.k8s.io mizar:operator",
            "create jobs.batch in namespace network",
            "update secrets in namespace network",
            "delete namespaces network",
            "list persistentvolumeclaims in namespace network",
        ] {
            assert!(told.contains(&right.to_owned()), "{right} is not in {told:#?}");
        }
    }

    #[test]
    fn who_cleans_no_node_and_leaves_the_definitions_needs_less() {
        let told = told(false, false);
        assert!(!told.iter().any(|right| right.contains("jobs") || right.contains("persistentvolumeclaims")));
    }
}
