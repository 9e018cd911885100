//! Disruption budgets in the way of emptying a node: an eviction that a budget does not allow waits, and is never forced.

use serde::{Deserialize, Serialize};

use super::surroundings::PodOnNode;
use crate::facts::DisruptionBudgetFact;

/// A PodDisruptionBudget that does not allow all its pods on a node to be evicted at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BudgetInTheWay {
    /// `namespace/name` of the budget.
    pub budget: String,
    /// How many of its pods may be disrupted at the moment; with 0 no eviction begins.
    pub allowed: u32,
    /// `namespace/name` of its pods on the node.
    pub pods: Vec<String>,
}

/// Returns the budgets that stand in the way of evicting these pods, in the order of their names.
pub(super) fn in_the_way(budgets: &[DisruptionBudgetFact], pods: &[&PodOnNode]) -> Vec<BudgetInTheWay> {
    let mut found: Vec<BudgetInTheWay> = budgets
        .iter()
        .filter_map(|budget| {
            let covered = pods.iter().filter(|pod| {
                let namespace = pod.pod.split('/').next().unwrap_or_default();
                namespace == budget.namespace && budget.selector.accepts(&pod.labels)
            });
            let pods: Vec<String> = covered.map(|pod| pod.pod.clone()).collect();
            let blocks = u32::try_from(pods.len()).unwrap_or(u32::MAX) > budget.allowed;
            blocks.then(|| BudgetInTheWay {
                budget: format!("{}/{}", budget.namespace, budget.name),
                allowed: budget.allowed,
                pods,
            })
        })
        .collect();
    found.sort_by(|one, other| one.budget.cmp(&other.budget));
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn budget(selector: &serde_json::Value, allowed: u32) -> DisruptionBudgetFact {
        DisruptionBudgetFact::from_object(&json!({"metadata": {"name": "b", "namespace": "n"},
            "spec": {"selector": selector}, "status": {"disruptionsAllowed": allowed}}))
    }

    fn blocked(selector: &serde_json::Value, allowed: u32) -> Vec<String> {
        let pod = |path: &str, app: &str| PodOnNode {
            pod: path.into(),
            labels: [("app".to_owned(), app.to_owned())].into(),
            ..PodOnNode::default()
        };
        let pods = [pod("n/a", "web"), pod("n/b", "web"), pod("n/c", "db"), pod("other/d", "web")];
        in_the_way(&[budget(selector, allowed)], &pods.iter().collect::<Vec<_>>())
            .into_iter()
            .flat_map(|budget| budget.pods)
            .collect()
    }

    #[test]
    fn a_budget_is_in_the_way_when_it_allows_fewer_than_there_are_of_its_namespace() {
        let web = json!({"matchLabels": {"app": "web"}});
        assert_eq!(blocked(&web, 0), ["n/a", "n/b"]);
        assert_eq!(blocked(&web, 1), ["n/a", "n/b"]);
        assert!(blocked(&web, 2).is_empty());
        assert_eq!(blocked(&json!({}), 0), ["n/a", "n/b", "n/c"], "an empty selector is one for all");
        assert!(blocked(&json!(null), 0).is_empty(), "and none is one for nothing");
        assert_eq!(
            blocked(&json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}), 0),
            ["n/c"]
        );
    }
}
