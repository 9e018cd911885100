//! The rights that an upgrade needs beside those of an install and of a repair; deleting pods is one of a repair's.

use crate::facts::{Need, Right};

/// Returns what replacing the daemons of nodes needs for a release in `namespace`.
#[must_use]
pub fn needs(namespace: &str) -> Vec<Need> {
    let need = |right: Right, purpose: &str| Need { right, unless: Vec::new(), purpose: purpose.to_owned() };
    vec![
        need(
            Right::new("list", "apps", "controllerrevisions").in_namespace(namespace),
            "to tell which daemons are old",
        ),
        need(
            Right::new("get", "apps", "daemonsets").in_namespace(namespace).on("mizar-daemon"),
            "to tell which daemons are old",
        ),
        need(Right::new("create", "", "pods/eviction"), "to drain nodes before their daemon is replaced"),
        need(Right::new("list", "policy", "poddisruptionbudgets"), "to name the budgets that are in the way"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_upgrade_does_is_asked_for() {
        let told: Vec<String> = needs("network").iter().map(|need| need.right.to_string()).collect();
        assert!(told.contains(&"create pods/eviction".to_owned()), "{told:?}");
        assert!(told.contains(&"list controllerrevisions.apps in namespace network".to_owned()), "{told:?}");
    }
}
