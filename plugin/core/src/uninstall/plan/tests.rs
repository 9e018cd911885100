use serde_json::{Value, json};

use super::*;
use crate::kind::lookup;

pub(in crate::uninstall) fn absorb(survey: &mut Survey, api_version: &str, kind: &str, value: &Value) {
    survey.absorb(&lookup(api_version, kind).unwrap(), value);
}

pub(in crate::uninstall) fn node(name: &str, ready: &str) -> Value {
    json!({"metadata": {"name": name, "finalizers": ["kopf.zalando.org/KopfFinalizerMarker"]},
        "status": {"nodeInfo": {"operatingSystem": "linux"}, "conditions": [{"type": "Ready", "status": ready}]}})
}

pub(in crate::uninstall) fn pod(name: &str, node: &str, labels: &Value) -> Value {
    let host = labels.get("job").is_some() || labels.get("app").is_some();
    json!({"metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": {"nodeName": node, "hostNetwork": host},
        "status": {"phase": "Running", "podIP": "10.20.0.2", "conditions": [{"type": "Ready", "status": "True"}]}})
}

fn workload(kind: &str, name: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "mizar-system"}, "spec": {"template": {"spec": {}}}, "kind": kind})
}

pub(in crate::uninstall) fn installed() -> Survey {
    let mut survey = Survey::default();
    for (name, ready) in [("node-1", "True"), ("node-2", "True"), ("node-3", "Unknown")] {
        absorb(&mut survey, "v1", "Node", &node(name, ready));
    }
    absorb(&mut survey, "v1", "Pod", &pod("web", "node-1", &json!({})));
    absorb(&mut survey, "v1", "Pod", &pod("d3", "node-3", &json!({"job": "mizar-daemon"})));
    absorb(
        &mut survey,
        "v1",
        "Service",
        &json!({"metadata": {"name": "web", "namespace": "default"},
        "spec": {"clusterIP": "10.0.0.7"}}),
    );
    let made = json!({"metadata": {"name": "mizar-system", "annotations": {"mizar.dev/made-by": "kubectl-mizar"}}});
    absorb(&mut survey, "v1", "Namespace", &made);
    absorb(&mut survey, "apps/v1", "DaemonSet", &workload("DaemonSet", "mizar-daemon"));
    absorb(&mut survey, "apps/v1", "Deployment", &workload("Deployment", "mizar-operator"));
    for (kind, name) in [("Bouncer", "net0-b-1"), ("Divider", "vpc0-d-1"), ("Vpc", "vpc0")] {
        absorb(&mut survey, "mizar.com/v1", kind, &json!({"metadata": {"name": name, "namespace": "default"}}));
    }
    absorb(
        &mut survey,
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        &json!({"metadata": {"name": "vpcs.mizar.com"}, "spec": {"group": "mizar.com"}}),
    );
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "mizar:operator"}});
    survey.objects = [role, survey.workloads[0].value().clone()].map(|value| Object::new(value).unwrap()).into();
    survey
}

pub(in crate::uninstall) fn wish() -> Wish {
    Wish {
        namespace: "mizar-system".into(),
        recorded: [("mizar".to_owned(), 1), ("mizar-crds".to_owned(), 1)].into(),
        ..Wish::default()
    }
}

fn deleted(plan: &UninstallPlan) -> Vec<String> {
    plan.objects.changes().filter(|change| change.writes()).map(|change| change.object.to_string()).collect()
}

fn stays(plan: &UninstallPlan) -> Vec<&str> {
    plan.stays.iter().map(|stays| stays.what.as_str()).collect()
}

#[test]
fn the_operator_comes_before_the_network_and_the_network_before_the_daemon() {
    let plan = plan(&installed(), &wish());
    let deleted = deleted(&plan);
    let at = |name: &str| deleted.iter().position(|object| object == name).unwrap_or_else(|| panic!("{deleted:?}"));
    assert!(at("Deployment mizar-system/mizar-operator") < at("Vpc default/vpc0"));
    assert!(at("Vpc default/vpc0") < at("DaemonSet mizar-system/mizar-daemon"));
    assert!(at("DaemonSet mizar-system/mizar-daemon") < at("ClusterRole mizar:operator"));
    assert_eq!(deleted.len(), 6, "nothing twice: {deleted:?}");
}

#[test]
fn without_crds_definitions_their_release_and_the_namespace_stay_and_are_named() {
    let plan = plan(&installed(), &wish());
    assert_eq!(
        stays(&plan),
        ["CustomResourceDefinition vpcs.mizar.com", "release mizar-crds", "Namespace mizar-system"]
    );
    assert_eq!(plan.releases, ["mizar"]);
}

#[test]
fn with_crds_nothing_stays_unless_nobody_knows_who_made_the_namespace() {
    let all = Wish { crds: true, ..wish() };
    let mut survey = installed();
    let everything = plan(&survey, &all);
    assert!(everything.stays.is_empty(), "{:?}", everything.stays);
    assert_eq!(deleted(&everything).last().unwrap(), "Namespace mizar-system");
    assert_eq!(everything.releases, ["mizar", "mizar-crds"]);
    survey.namespaces[0].made_by_us = false;
    assert_eq!(stays(&plan(&survey, &all)), ["Namespace mizar-system"]);
    survey.namespaces[0].made_by_us = true;
    assert_eq!(stays(&plan(&survey, &Wish { keep_history: true, ..all })), ["Namespace mizar-system"]);
}

#[test]
fn nodes_are_cleaned_where_a_pod_can_run_and_once() {
    let names = |plan: &UninstallPlan| plan.nodes.clone();
    let planned = plan(&installed(), &wish());
    assert_eq!(names(&planned), ["node-1", "node-2"]);
    assert_eq!(planned.unreachable.iter().map(|node| node.node.as_str()).collect::<Vec<_>>(), ["node-3"]);
    let later = Wish { cleaned: ["node-1".to_owned()].into(), skip: ["node-3".to_owned()].into(), ..wish() };
    let later = plan(&installed(), &later);
    assert_eq!((names(&later), later.unreachable.len()), (vec!["node-2".to_owned()], 0));
    let kept = plan(&installed(), &Wish { keep_node_state: true, ..wish() });
    assert!(kept.nodes.is_empty() && kept.unreachable.is_empty());
    assert_eq!(kept.left, ["node-1", "node-2", "node-3"], "a later run may still clean them");
    assert!(stays(&kept).contains(&"what Mizar changed on the nodes"));
}

#[test]
fn who_loses_the_network_and_what_depends_on_it_is_told() {
    let plan = plan(&installed(), &wish());
    assert_eq!(plan.pods_losing_network, [("node-1".to_owned(), vec!["default/web".to_owned()])].into());
    assert_eq!(plan.depends, Depends { services: vec!["default/web".into()], bouncers: 1, dividers: 1 });
    assert_eq!(plan.traces, [("Node".to_owned(), 3)].into());
}

#[test]
fn what_helm_left_is_cleaned_on_all_nodes_that_could_have_had_a_daemon() {
    let mut survey = installed();
    survey.workloads.clear();
    survey.objects.clear();
    survey.customs.clear();
    let bare = Wish { namespace: "mizar-system".into(), ..Wish::default() };
    let finalizers_only = plan(&survey, &bare);
    assert!(finalizers_only.nodes.is_empty(), "nothing says that there was a daemon");
    assert!(!finalizers_only.is_empty());
    let after_helm = plan(&survey, &Wish { had_daemon: true, ..bare.clone() });
    assert_eq!(after_helm.nodes, ["node-1", "node-2"]);
    let resumed = plan(&survey, &Wish { had_daemon: true, planned: ["node-2".to_owned()].into(), ..bare });
    // The pod of the daemon on node-3 is still there.
    assert_eq!((resumed.nodes.len(), resumed.unreachable.len()), (1, 1));
}

#[test]
fn a_cluster_without_mizar_leaves_nothing_to_do() {
    let mut survey = Survey::default();
    absorb(&mut survey, "v1", "Node", &json!({"metadata": {"name": "node-1"}}));
    assert!(plan(&survey, &Wish::default()).is_empty());
}

#[test]
fn an_object_of_another_release_stays_and_is_named() {
    let mut survey = installed();
    let foreign = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "mizar-operator",
        "namespace": "default", "annotations": {"meta.helm.sh/release-name": "net"}}});
    survey.objects.push(Object::new(foreign).unwrap());
    let plan = plan(&survey, &wish());
    assert!(stays(&plan).contains(&"ServiceAccount default/mizar-operator"));
    assert!(!deleted(&plan).contains(&"ServiceAccount default/mizar-operator".to_owned()));
}

#[test]
fn it_is_a_plan_as_any_other_with_what_it_means_for_the_people_on_the_cluster() {
    let plan = plan(&installed(), &Wish { crds: true, ..wish() });
    assert_eq!(plan.impact.operator, crate::plan::OperatorImpact::Stops);
    assert_eq!(plan.impact.nodes_losing_daemon, ["node-1", "node-2", "node-3"]);
    assert_eq!(plan.impact.pods_losing_network, plan.pods_losing_network);
    assert!(plan.impact.expected.at_most > plan.impact.expected.at_least);
    assert!(plan.objects.changes().all(|change| change.live.is_some()), "what goes is known by its UID");
    let kept = super::plan(&installed(), &wish());
    assert_eq!((kept.objects.counts().delete, kept.objects.counts().keep), (6, 2), "{:?}", kept.objects.counts());
}
