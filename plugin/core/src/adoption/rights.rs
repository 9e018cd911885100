//! The rights that taking over an old installation needs beside those of an install, an upgrade and a repair.

use super::OLD_BINDING;
use crate::facts::{Need, Right};

/// Returns what it needs.
#[must_use]
pub fn needs() -> Vec<Need> {
    let of_binding = |verb: &str| Right::new(verb, "rbac.authorization.k8s.io", "clusterrolebindings").on(OLD_BINDING);
    let need = |right: Right| Need {
        right,
        unless: Vec::new(),
        purpose: "to take the old installation's rights of a cluster administrator away".to_owned(),
    };
    vec![need(of_binding("get")), need(of_binding("delete"))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_old_binding_may_go() {
        let told: Vec<String> = needs().iter().map(|need| need.right.to_string()).collect();
        assert_eq!(
            told,
            [
                "get clusterrolebindings.rbac.authorization.k8s.io mizar-operator",
                "delete clusterrolebindings.rbac.authorization.k8s.io mizar-operator"
            ]
        );
    }
}
