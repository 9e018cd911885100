//! Taking over an old installation: one that the bash script or `kubectl apply` made, of which no release is recorded.
//!
//! - `objects`: which objects are of it, whose field entries become ours with them, and what of it goes at the end;
//! - `values`: what was chosen in it, as values of our chart, so that it goes on as it was;
//! - `rights`: what that takes beside an upgrade.
//!
//! All else is an upgrade: the same plan, the same way of replacing daemons and the operator.

mod objects;
mod rights;
mod values;

pub use objects::{MANAGERS, OLD_BINDING, binding_stays, binds_others, is_old, managers_in};
pub(crate) use objects::{before, definition_without_leniency};
pub use rights::needs;
pub use values::kept_values;

use crate::facts::{DaemonSetFact, DeploymentFact, Facts};
use crate::network::daemon_set;

/// The command that takes over an old installation, as it is typed and recorded.
pub const COMMAND: &str = "install --adopt";

/// Where the old installations are: their files name no namespace, and their binding names this one.
pub const NAMESPACE: &str = "default";

/// What people are told to type first.
pub const FIRST_LOOK: &str = "kubectl mizar install --adopt --plan";

/// A Mizar that works here and that no release is recorded of.
#[derive(Debug, Clone, Copy)]
pub struct OldInstallation<'a> {
    /// Its daemons.
    pub daemon: &'a DaemonSetFact,
    /// Its operator.
    pub operator: &'a DeploymentFact,
}

/// Finds an old installation: daemon and operator in one namespace, with no mark of a release on either.
#[must_use]
pub fn find(facts: &Facts) -> Option<OldInstallation<'_>> {
    let daemon = daemon_set(facts.daemon_sets.items()).filter(|set| set.helm.is_none())?;
    let mut operators = facts.deployments.items().iter();
    let operator = operators.find(|it| it.name == "mizar-operator" && it.namespace == daemon.namespace)?;
    operator.helm.is_none().then_some(OldInstallation { daemon, operator })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::samples::*;

    #[test]
    fn what_no_release_marks_is_an_old_installation_and_what_one_marks_is_none() {
        let mut facts = a_healthy_cluster();
        assert!(find(&facts).is_none());
        facts.daemon_sets.edit()[0].helm = None;
        assert!(find(&facts).is_none(), "the operator is of a release");
        facts.deployments.edit()[0].helm = None;
        assert_eq!(find(&facts).unwrap().daemon.namespace, "mizar-system");
        facts.deployments.edit()[0].namespace = "elsewhere".into();
        assert!(find(&facts).is_none());
        assert!(find(&a_cluster_before()).is_none());
    }
}
