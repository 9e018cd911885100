//! Where the release is: the namespace that hints must name when nobody gave one.

use crate::facts::Facts;
use crate::network::daemon_set;

/// Returns the namespace in which Mizar was found: that of its record, else that of its daemon or operator, which
/// older installations have without a record.
#[must_use]
pub fn release_namespace(facts: &Facts) -> Option<&str> {
    let recorded = || facts.releases.items().iter().map(|release| release.namespace.as_str()).next();
    let daemon = || daemon_set(facts.daemon_sets.items()).map(|set| set.namespace.as_str());
    let operator = || {
        let mut deployments = facts.deployments.items().iter();
        deployments.find(|deployment| deployment.name == "mizar-operator").map(|found| found.namespace.as_str())
    };
    recorded().or_else(daemon).or_else(operator).filter(|namespace| !namespace.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Fetched;
    use crate::facts::samples::{a_daemon_set, an_operator};

    #[test]
    fn the_release_is_found_wherever_it_is() {
        let mut facts = Facts::default();
        assert_eq!(release_namespace(&facts), None);
        let mut operator = an_operator();
        operator.namespace = "by-operator".into();
        facts.deployments = Fetched::Known(vec![operator]);
        assert_eq!(release_namespace(&facts), Some("by-operator"));
        let mut daemon = a_daemon_set();
        daemon.namespace = "by-daemon".into();
        facts.daemon_sets = Fetched::Known(vec![daemon]);
        assert_eq!(release_namespace(&facts), Some("by-daemon"));
    }
}
