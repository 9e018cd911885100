//! The rights that taking over an old installation needs beside those of an install, an upgrade and a repair.

use super::OLD_BINDING;
use crate::facts::{Need, Right};

/// Returns what it needs.
#[must_use]
pub fn needs() -> Vec<Need> {
    vec![Need {
        right: Right::new("delete", "rbac.authorization.k8s.io", "clusterrolebindings").on(OLD_BINDING),
        unless: Vec::new(),
        purpose: "to take the old installation's rights of a cluster administrator away".to_owned(),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_old_binding_may_go() {
        let told: Vec<String> = needs().iter().map(|need| need.right.to_string()).collect();
        assert_eq!(told, ["delete clusterrolebindings.rbac.authorization.k8s.io mizar-operator"]);
    }
}
