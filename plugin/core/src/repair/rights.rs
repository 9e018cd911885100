//! The rights that a repair needs, told before anything is changed: one remedy may bring about the need of another, so that
//! it is the same list for all.

use crate::facts::{Need, Right};
use crate::kind::MIZAR_GROUP;
use crate::operation::SECRET_NAME;

/// What is followed while the operator does its part, in the whole cluster.
const WATCHED: &[(&str, &str)] = &[
    ("", "nodes"),
    ("", "pods"),
    ("apps", "daemonsets"),
    ("apps", "deployments"),
    (MIZAR_GROUP, "droplets"),
    (MIZAR_GROUP, "vpcs"),
    (MIZAR_GROUP, "dividers"),
    (MIZAR_GROUP, "subnets"),
    (MIZAR_GROUP, "bouncers"),
    (MIZAR_GROUP, "endpoints"),
];

/// What is changed in the whole cluster, and what for.
const CHANGED: &[(&str, &[&str], &str)] = &[
    ("nodes", &["get", "patch"], "to cordon nodes, and to show them to the operator"),
    ("pods", &["get", "delete"], "to have pods created again"),
];

/// What is changed of Mizar's own objects, all of which are in [`HOME`].
const CHANGED_OBJECTS: &[(&str, &[&str], &str)] = &[
    ("bouncers", &["get", "create", "patch"], "to place Bouncers anew"),
    ("dividers", &["get", "create", "patch"], "to place Dividers anew"),
    ("subnets", &["get", "patch"], "to mark Subnets for a new operator"),
    ("droplets", &["get", "patch", "delete"], "to connect nodes anew"),
    ("endpoints", &["get", "create", "patch", "delete"], "to keep addresses, and to delete what leaks"),
];

/// Where the operator has its objects.
const HOME: &str = "default";

/// Returns what any repair of a release in `namespace` needs.
#[must_use]
pub fn needs(namespace: &str) -> Vec<Need> {
    let need = |right: Right, purpose: &str| Need { right, unless: Vec::new(), purpose: purpose.to_owned() };
    let mut needs = Vec::new();
    for (group, resource) in WATCHED {
        needs
            .extend(["list", "watch"].map(|verb| need(Right::new(verb, group, resource), "to see what becomes of it")));
    }
    for (resource, verbs, purpose) in CHANGED {
        needs.extend(verbs.iter().map(|verb| need(Right::new(verb, "", resource), purpose)));
    }
    for (resource, verbs, purpose) in CHANGED_OBJECTS {
        let right = |verb: &&str| Right::new(verb, MIZAR_GROUP, resource).in_namespace(HOME);
        needs.extend(verbs.iter().map(|verb| need(right(verb), purpose)));
    }
    let records = |verb| Right::new(verb, "", "secrets").in_namespace(namespace);
    needs.push(need(records("list"), "to find the release"));
    needs.push(need(records("create"), "to record the repair"));
    needs.extend(["get", "update"].map(|verb| need(records(verb).on(SECRET_NAME), "to record the repair")));
    let operator = |verb| Right::new(verb, "apps", "deployments").in_namespace(namespace).on("mizar-operator");
    needs.extend(["get", "patch"].map(|verb| need(operator(verb), "to restart the operator")));
    needs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_done_is_asked_for_where_it_is_done() {
        let told: Vec<String> = needs("network").iter().map(|need| need.right.to_string()).collect();
        for right in [
            "watch endpoints.mizar.com",
            "patch nodes",
            "delete pods",
            "delete endpoints.mizar.com in namespace default",
            "update secrets mizar-operation in namespace network",
            "patch deployments.apps mizar-operator in namespace network",
        ] {
            assert!(told.contains(&right.to_owned()), "{right} is not in {told:#?}");
        }
    }
}
