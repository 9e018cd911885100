//! Plans that take over an old installation: what becomes ours, what stays others', what goes at the end.

use super::*;

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// As kubectl has put it there.
fn by_kubectl(value: &Value, set: &Value) -> (Site, Object) {
    let mut live = value.clone();
    live["metadata"]["annotations"][LAST_APPLIED] = json!(value.to_string());
    live["metadata"]["uid"] = json!("u1");
    live["metadata"]["resourceVersion"] = json!("7");
    live["metadata"]["managedFields"] = json!([{"manager": "kubectl-client-side-apply", "operation": "Update",
        "apiVersion": value["apiVersion"], "fieldsType": "FieldsV1", "fieldsV1": set}]);
    (Site::Management, object(live))
}

fn old_daemon() -> (Site, Object) {
    let value = json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "mizar-daemon", "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"job": "mizar-daemon"}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
            "template": {"metadata": {"labels": {"job": "mizar-daemon"}},
                "spec": {"containers": [{"name": "mizar-daemon", "image": "old"}]}}}});
    let set = json!({"f:metadata": {"f:annotations": {format!("f:{LAST_APPLIED}"): {}}}, "f:spec": {
        "f:updateStrategy": {"f:type": {}, "f:rollingUpdate": {".": {}, "f:maxUnavailable": {}}},
        "f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"mizar-daemon\"}": {".": {}, "f:image": {}}}}}}});
    by_kubectl(&value, &set)
}

fn wanted_daemon() -> Object {
    let mut value = daemon("new").into_value();
    value["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    object(value)
}

fn binding(name: &str, role: &str) -> Value {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
        "roleRef": {"kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": "mizar-operator", "namespace": "default"}]})
}

fn operator() -> Object {
    object(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "mizar-operator"}}))
}

fn adopting(objects: &[(&str, Object)], live: Vec<(Site, Object)>) -> Plan {
    let mut release = release(objects);
    release.namespace = "default".to_owned();
    release.first_install = false;
    decide(&PlanInput { releases: vec![release], live, adopts: true, ..PlanInput::default() })
}

#[test]
fn a_daemon_of_old_gets_strategy_and_template_in_one_and_its_fields_become_ours() {
    let plan = adopting(&[("daemon", wanted_daemon())], vec![old_daemon()]);
    assert!(plan.conflicts.is_empty(), "{:?}", plan.conflicts);
    let change = plan.changes().next().unwrap();
    assert_eq!(change.takes_over, Some(vec!["kubectl-client-side-apply".to_owned()]));
    let Action::Update { fields } = &change.action else { panic!("{:?}", change.action) };
    let paths: Vec<&str> = fields.iter().map(|field| field.path.as_str()).collect();
    for path in [
        ".spec.template.spec.containers[mizar-daemon].image",
        ".spec.updateStrategy.type",
        ".spec.updateStrategy.rollingUpdate",
        ".metadata.labels",
    ] {
        assert!(paths.iter().any(|found| found.starts_with(path)), "{path} in {paths:?}");
    }
    let patch = change.merge_patch.as_ref().unwrap();
    assert_eq!(patch["spec"]["updateStrategy"], json!({"type": "OnDelete", "rollingUpdate": null}));
    assert_eq!(patch["metadata"]["annotations"][LAST_APPLIED], Value::Null);
    let folded = &change.fold.as_ref().unwrap()[0]["value"];
    assert_eq!((&folded[0]["manager"], &folded[0]["operation"]), (&json!("helm"), &json!("Apply")));
    assert!(plan.refusals.iter().all(crate::upgrade::permits), "{:?}", plan.refusals);
}

#[test]
fn without_being_asked_nothing_is_taken_and_the_hint_says_how() {
    let mut release = release(&[("daemon", wanted_daemon())]);
    release.namespace = "default".to_owned();
    let plan = decide(&PlanInput { releases: vec![release], live: vec![old_daemon()], ..PlanInput::default() });
    assert!(plan.conflicts[0].hint.contains("kubectl mizar install --adopt --plan"), "{}", plan.conflicts[0].hint);
    assert_eq!(plan.changes().next().unwrap().takes_over, None);
}

#[test]
fn what_others_claim_or_have_set_stands_in_the_way() {
    let (site, live) = old_daemon();
    let mut claimed = live.clone().into_value();
    claimed["metadata"]["labels"]["argocd.argoproj.io/instance"] = json!("net");
    let plan = adopting(&[("daemon", wanted_daemon())], vec![(site, object(claimed))]);
    assert_eq!(plan.conflicts.len(), 1);
    assert_eq!(plan.changes().next().unwrap().takes_over, None);

    let mut edited = live.into_value();
    let theirs = json!({"f:spec": {"f:updateStrategy": {"f:type": {}}}});
    edited["metadata"]["managedFields"]
        .as_array_mut()
        .unwrap()
        .push(json!({"manager": "ops-tool", "operation": "Update", "apiVersion": "apps/v1", "fieldsV1": theirs}));
    let plan = adopting(&[("daemon", wanted_daemon())], vec![(site, object(edited))]);
    let fields: Vec<String> = plan.conflicts[0].fields.iter().map(ToString::to_string).collect();
    assert_eq!(fields, [".spec.updateStrategy.type is owned by ops-tool"]);
}

#[test]
fn the_old_binding_goes_last_and_only_for_another() {
    let old = || by_kubectl(&binding("mizar-operator", "cluster-admin"), &json!({}));
    let ours = object(binding("mizar:operator", "mizar:operator"));
    let wanted = [("access", ours), ("operator", operator())];
    let told = actions(&adopting(&wanted, vec![old()]));
    assert_eq!(told.last().unwrap(), "removal: delete ClusterRoleBinding mizar-operator");
    let told = actions(&adopting(&wanted[1..], vec![old()]));
    assert_eq!(told.last().unwrap(), "removal: keep ClusterRoleBinding mizar-operator");
    let told = actions(&adopting(&wanted[..1], vec![old()]));
    assert_eq!(told, ["access: create ClusterRoleBinding mizar:operator"], "the release with the definitions");
    let told = actions(&adopting(&wanted, vec![by_kubectl(&binding("other", "cluster-admin"), &json!({}))]));
    assert!(!told.iter().any(|act| act.starts_with("removal")), "{told:?}");
}

#[test]
fn what_is_taken_over_already_is_taken_over_once() {
    let (_, live) = old_daemon();
    let marked = Marks { release: "mizar", namespace: "default" }.put_on(live);
    let plan = adopting(&[("daemon", wanted_daemon())], vec![(Site::Management, marked)]);
    assert_eq!(plan.changes().next().unwrap().takes_over, None);
    assert!(!plan.conflicts.is_empty(), "what somebody sets with kubectl afterwards is his");
}

#[test]
fn namespace_default_stays_everybodys_where_daemons_run_in_it() {
    let namespace = |name: &str| {
        let labels = json!({"pod-security.kubernetes.io/enforce": "privileged"});
        object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}))
    };
    let of = |name: &str, daemons: bool| {
        let own = vec![OwnObject { site: Site::Management, object: namespace(name) }];
        let mut bare = namespace(name).into_value();
        bare["metadata"].as_object_mut().unwrap().remove("labels");
        let mut live = vec![(Site::Management, object(bare))];
        live.extend(daemons.then(old_daemon));
        actions(&decide(&PlanInput { own, live, ..PlanInput::default() })).remove(0)
    };
    assert_eq!(of("default", true), "namespace: keep Namespace default");
    assert!(of("default", false).starts_with("namespace: update"));
    assert!(of("mizar-system", true).starts_with("namespace: update"));
}
