//! What the plan of an uninstall was made from, so that one that was saved is carried out only if it still means the same.
//!
//! Pods and Services come and go, and with them their Endpoints, and what the operator has left on pods: these bind nothing. What
//! there is of them is saved and taken away when it is carried out, and told then.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::UninstallPlan;
use crate::kind::MIZAR_GROUP;
use crate::plan::Change;
use crate::plan::saved::{Binding, chart_digest};

/// Where a plan was made, and by what nodes are cleaned.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The UID of the cluster's namespace kube-system.
    pub cluster: String,
    /// The namespace of the releases.
    pub namespace: String,
    /// The releases that are recorded, with their newest revision.
    pub releases: BTreeMap<String, u64>,
    /// What the Jobs are made of.
    pub clean_up: Value,
}

/// Notes what a plan was made from.
#[must_use]
pub fn binding(plan: &UninstallPlan, origin: Origin) -> Binding {
    let mut lasting = plan.objects.clone();
    for stage in &mut lasting.stages {
        stage.changes.retain(|change| !comes_and_goes(change));
    }
    let Origin { cluster, namespace, releases, clean_up } = origin;
    let mut binding = Binding::of(&lasting, cluster, &namespace, BTreeMap::new(), releases);
    for (bound, change) in binding.objects.iter_mut().zip(lasting.changes()) {
        let generation = change.live.as_ref().and_then(|live| live.value().pointer("/metadata/generation"));
        if let (Some(live), Some(generation)) = (&mut bound.live, generation) {
            // Of some only the metadata is read: this says whether the rest has changed.
            live.content = format!("{} of generation {generation}", live.content);
        }
    }
    binding.nodes = nodes(plan);
    binding.plan_digest = chart_digest(&json!([binding.plan_digest, plan.releases, clean_up]));
    binding
}

fn comes_and_goes(change: &Change) -> bool {
    change.object.group() == MIZAR_GROUP && change.object.kind == "Endpoint"
}

fn nodes(plan: &UninstallPlan) -> BTreeMap<String, String> {
    let cleaned = plan.nodes.iter().map(|node| (node.clone(), "to be cleaned".to_owned()));
    let left = plan.left.iter().map(|node| (node.clone(), "left as it is".to_owned()));
    let later = plan.unreachable.iter().map(|node| (node.node.clone(), format!("not cleaned now: {}", node.why)));
    cleaned.chain(left).chain(later).collect()
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::{absorb, installed, node, pod, wish};
    use super::*;
    use crate::plan::saved::compare;
    use crate::uninstall::{Survey, Wish, plan};

    fn bound(survey: &Survey, wish: &Wish) -> Binding {
        let origin = Origin { cluster: "c".into(), clean_up: json!({"image": "a"}), ..Origin::default() };
        binding(&plan(survey, wish), origin)
    }

    fn told(now: &Survey, wish_now: &Wish) -> Vec<String> {
        let comparison = compare(&bound(&installed(), &wish()), &bound(now, wish_now));
        comparison.mismatches.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_pods_and_services_bring_with_them_binds_nothing() {
        let mut survey = installed();
        let endpoint = json!({"metadata": {"name": "e", "namespace": "default", "uid": "e1"}});
        absorb(&mut survey, "mizar.com/v1", "Endpoint", &endpoint);
        assert_eq!(told(&survey, &wish()), [""; 0]);
    }

    #[test]
    fn what_has_moved_is_named() {
        let with = |kind: &str, name: &str, metadata: Value| {
            let mut survey = installed();
            survey.customs.retain(|object| (object.kind(), object.name()) != (kind, name));
            absorb(&mut survey, "mizar.com/v1", kind, &json!({"metadata": metadata}));
            told(&survey, &wish())
        };
        let again = with("Vpc", "vpc0", json!({"name": "vpc0", "namespace": "default", "uid": "other"}));
        assert_eq!(again, ["Vpc default/vpc0 was deleted and made anew"]);
        let new = with("Vpc", "vpc1", json!({"name": "vpc1", "namespace": "default", "uid": "u1"}));
        assert_eq!(new, ["Vpc default/vpc1 did not exist, and does now"]);
        // Its status is in its spec, and moves.
        let moved = json!({"name": "vpc0", "namespace": "default", "resourceVersion": "9"});
        assert_eq!(with("Vpc", "vpc0", moved), [""; 0]);
    }

    #[test]
    fn a_definition_of_another_generation_is_another_one() {
        let all = Wish { crds: true, ..wish() };
        let at = |generation: u64, version: &str| {
            let mut survey = installed();
            survey.definitions.clear();
            let metadata =
                json!({"name": "vpcs.mizar.com", "uid": "d", "generation": generation, "resourceVersion": version});
            let kind = "CustomResourceDefinition";
            absorb(&mut survey, "apiextensions.k8s.io/v1", kind, &json!({"metadata": metadata}));
            bound(&survey, &all)
        };
        let comparison = compare(&at(1, "7"), &at(2, "9"));
        let told: Vec<String> = comparison.mismatches.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["CustomResourceDefinition vpcs.mizar.com was changed (resourceVersion 7 → 9)"]);
        assert!(compare(&at(1, "7"), &at(1, "9")).mismatches.is_empty());
    }

    #[test]
    fn what_would_become_of_a_node_is_part_of_it() {
        let mut survey = installed();
        survey.nodes.clear();
        for (name, ready) in [("node-1", "True"), ("node-2", "Unknown"), ("node-4", "True")] {
            absorb(&mut survey, "v1", "Node", &node(name, ready));
        }
        absorb(&mut survey, "v1", "Pod", &pod("d2", "node-2", &json!({"job": "mizar-daemon"})));
        assert_eq!(
            told(&survey, &wish()),
            [
                "node node-2 is not cleaned now: its kubelet does not report, so that no pod can clean it, and was to be cleaned",
                "node node-3 is no part of the plan any more",
                "node node-4 is to be cleaned, and was no part of the plan",
            ]
        );
        let unrecorded = Wish { recorded: BTreeMap::new(), ..wish() };
        assert_eq!(told(&installed(), &unrecorded), ["something else would be done now"]);
    }
}
