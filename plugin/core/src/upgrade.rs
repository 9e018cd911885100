//! Moving an installed Mizar to another version or other values: which nodes are cut one after the other, what each loses, and
//! what must not be done.
//!
//! - [`interface`]: which versions of Mizar's parts understand each other;
//! - [`definitions`]: whether new definitions keep what is stored;
//! - [`turn`]: the nodes whose daemon is replaced, in order, each with what that takes;
//! - [`drain`]: which pods leave a node first, and which keep it from being drained;
//! - [`chosen`]: defaults that changed, told apart from choices that did;
//! - `plan`: all of it, for people.

pub mod chosen;
pub mod definitions;
pub mod drain;
pub mod interface;
mod plan;
mod rights;
pub mod turn;

pub use chosen::ValueChanges;
pub use drain::{DrainTerms, Obstacle};
pub use interface::Pair;
pub use plan::UpgradePlan;
pub use rights::needs;
pub use turn::{Order, Turn, daemons_to_replace, turns};

use crate::plan::{Action, Change, Plan, Refusal};

/// Below this, a change of a workload makes its pods old.
const TEMPLATE: &str = ".spec.template";

/// Whether a change gives a workload another pod template.
#[must_use]
pub fn changes_template(change: &Change, kind: &str) -> bool {
    let is_template = |path: &str| path == TEMPLATE || path.starts_with(&format!("{TEMPLATE}."));
    match &change.action {
        Action::Update { fields } => change.object.kind == kind && fields.iter().any(|field| is_template(&field.path)),
        _ => false,
    }
}

/// Whether a plan gives a workload of this kind another pod template.
#[must_use]
pub fn replaces_pods(plan: &Plan, kind: &str) -> bool {
    plan.changes().any(|change| changes_template(change, kind))
}

/// Returns the plan without a word about how many operators there are: the one who restarts it stops and starts it.
#[must_use]
pub fn without_replicas(mut plan: Plan) -> Plan {
    const REPLICAS: &str = ".spec.replicas";
    let operators = plan.stages.iter_mut().flat_map(|stage| &mut stage.changes);
    for change in operators.filter(|change| change.object.kind == "Deployment") {
        if let Action::Update { fields } = &mut change.action {
            fields.retain(|field| field.path != REPLICAS);
            if fields.is_empty() {
                change.action = Action::Unchanged;
            }
        }
        *change = change.clone().without_replicas();
    }
    plan.conflicts.retain_mut(|conflict| {
        let is_in_the_way = conflict.object.kind != "Deployment" || conflict.fields.is_empty();
        conflict.fields.retain(|field| is_in_the_way || field.path != REPLICAS);
        is_in_the_way || !conflict.fields.is_empty()
    });
    plan
}

/// Whether an upgrade may make a change that an installation must not: it replaces the pods of a workload in the agreed order.
#[must_use]
pub fn permits(refusal: &Refusal) -> bool {
    let is_workload =
        refusal.object.group() == "apps" && ["DaemonSet", "Deployment"].contains(&refusal.object.kind.as_str());
    let is_template = |path: &str| path == TEMPLATE || path.starts_with(&format!("{TEMPLATE}."));
    is_workload && !refusal.fields.is_empty() && refusal.fields.iter().all(|field| is_template(&field.path))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::object::ObjectRef;
    use crate::plan::{Conflict, ContestedField, FieldChange};

    fn refusal(api_version: &str, kind: &str, paths: &[&str]) -> Refusal {
        let object =
            ObjectRef { api_version: api_version.into(), kind: kind.into(), namespace: None, name: "x".into() };
        let field = |path: &&str| FieldChange { path: (*path).to_owned(), before: None, after: Some(json!(1)) };
        Refusal { object, fields: paths.iter().map(field).collect(), why: String::new(), hint: String::new() }
    }

    fn conflict(kind: &str, paths: &[&str]) -> Conflict {
        let field = |path: &&str| ContestedField { path: (*path).to_owned(), manager: "kubectl-mizar".to_owned() };
        let fields = paths.iter().map(field).collect();
        Conflict { object: refusal("apps/v1", kind, &[]).object, why: String::new(), fields, hint: String::new() }
    }

    #[test]
    fn that_we_have_stopped_an_operator_is_not_in_the_way_of_starting_it() {
        let stopped = conflict("Deployment", &[".spec.replicas"]);
        let edited = conflict("Deployment", &[".spec.replicas", ".spec.template.spec.nodeName"]);
        let others = [conflict("Deployment", &[]), conflict("StatefulSet", &[".spec.replicas"])];
        let [foreign, other_kind] = others;
        let conflicts = vec![stopped, edited, foreign.clone(), other_kind.clone()];
        let plan = without_replicas(Plan { conflicts, ..Plan::default() });
        let template = conflict("Deployment", &[".spec.template.spec.nodeName"]);
        assert_eq!(plan.conflicts, [template, foreign, other_kind]);
    }

    #[test]
    fn how_many_operators_there_are_is_said_in_neither_way_of_writing_it() {
        let deployment = |replicas: u32, image: &str| {
            crate::object::Object::new(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "o"},
                "spec": {"replicas": replicas, "template": {"image": image}}}))
            .unwrap()
        };
        let own = vec![crate::plan::OwnObject { site: crate::site::Site::Management, object: deployment(1, "b") }];
        let live = vec![(crate::site::Site::Management, deployment(0, "a"))];
        let input = crate::plan::PlanInput { own, live, ..crate::plan::PlanInput::default() };
        let plan = without_replicas(crate::plan::decide(&input));
        let change = plan.changes().next().unwrap();
        assert_eq!(change.merge_patch, Some(json!({"spec": {"template": {"image": "b"}}})));
        assert_eq!(change.desired.as_ref().unwrap().value()["spec"], json!({"template": {"image": "b"}}));
    }

    #[test]
    fn an_upgrade_may_replace_pods_and_nothing_else_that_is_refused() {
        assert!(permits(&refusal("apps/v1", "DaemonSet", &[".spec.template.spec.containers[a].image"])));
        assert!(permits(&refusal("apps/v1", "Deployment", &[".spec.template"])));
        assert!(!permits(&refusal("apps/v1", "DaemonSet", &[".spec.template.spec", ".spec.selector"])));
        assert!(!permits(&refusal("apps/v1", "DaemonSet", &[".spec.templates"])));
        assert!(!permits(&refusal("apps/v1", "DaemonSet", &[])), "a removal is refused without fields");
        assert!(!permits(&refusal("batch/v1", "Job", &[".spec.template"])));
    }
}
