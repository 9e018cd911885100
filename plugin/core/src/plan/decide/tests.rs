mod adopting;

use serde_json::{Value, json};

use super::*;
use crate::plan::Counts;

fn object(value: Value) -> Object {
    Object::new(value).unwrap()
}

fn daemon(image: &str) -> Object {
    object(json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "mizar-daemon"},
        "spec": {"selector": {"matchLabels": {"job": "mizar-daemon"}}, "template": {
            "metadata": {"labels": {"job": "mizar-daemon"}},
            "spec": {"containers": [{"name": "mizar-daemon", "image": image}]}}},
    }))
}

fn account(name: &str) -> Object {
    object(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}))
}

fn role(verb: &str) -> Object {
    object(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
                  "metadata": {"name": "mizar:operator"}, "rules": [{"verbs": [verb]}]}))
}

fn vpc(ip: &str) -> Object {
    object(json!({"apiVersion": "mizar.com/v1", "kind": "Vpc",
                  "metadata": {"name": "vpc0", "namespace": "default"}, "spec": {"ip": ip, "prefix": "16"}}))
}

fn release(objects: &[(&str, Object)]) -> ReleaseInput {
    ReleaseInput {
        name: "mizar".to_owned(),
        namespace: "mizar-system".to_owned(),
        site: Site::Management,
        first_install: true,
        objects: objects.iter().map(|(folder, object)| StagedObject::new(Some(folder), object.clone())).collect(),
        hooks: Vec::new(),
        recorded: Vec::new(),
    }
}

/// Makes a live object of a wanted one: what applying it leaves on the server.
fn applied(wanted: &Object) -> (Site, Object) {
    let namespaced = kind::lookup(wanted.api_version(), wanted.kind()).unwrap().namespaced;
    let placed = if namespaced { wanted.clone().in_namespace("mizar-system") } else { wanted.clone() };
    let mut value = Marks { release: "mizar", namespace: "mizar-system" }.put_on(placed).into_value();
    value["metadata"]["uid"] = json!("u1");
    value["metadata"]["resourceVersion"] = json!("7");
    (Site::Management, object(value))
}

fn plan(release: ReleaseInput, live: Vec<(Site, Object)>) -> Plan {
    decide(&PlanInput { releases: vec![release], live, ..PlanInput::default() })
}

fn actions(plan: &Plan) -> Vec<String> {
    let name = |action: &Action| match action {
        Action::Create => "create".to_owned(),
        Action::Update { fields } => {
            format!("update {}", fields.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        }
        Action::Unchanged => "unchanged".to_owned(),
        Action::Keep { .. } => "keep".to_owned(),
        Action::Delete => "delete".to_owned(),
    };
    plan.stages
        .iter()
        .flat_map(|stage| {
            stage.changes.iter().map(|change| format!("{}: {} {}", stage.name, name(&change.action), change.object))
        })
        .collect()
}

#[test]
fn an_empty_cluster_gets_everything_in_the_order_of_stages() {
    let namespace = object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mizar-system"}}));
    let plan = decide(&PlanInput {
        own: vec![OwnObject { site: Site::Management, object: namespace }],
        releases: vec![release(&[
            ("daemon", daemon("a")),
            ("access", account("mizar-daemon")),
            ("access", role("get")),
        ])],
        ..PlanInput::default()
    });
    assert_eq!(
        actions(&plan),
        [
            "namespace: create Namespace mizar-system",
            "access: create ServiceAccount mizar-system/mizar-daemon",
            "access: create ClusterRole mizar:operator",
            "daemon: create DaemonSet mizar-system/mizar-daemon",
        ]
    );
    assert!(plan.is_allowed() && !plan.is_empty());
    assert_eq!(plan.counts(), Counts { create: 4, ..Counts::default() });
    assert_eq!(plan.counts().to_string(), "4 to create");
    let daemon = plan.changes().last().unwrap().desired.clone().unwrap();
    assert_eq!(daemon.annotation("meta.helm.sh/release-name"), Some("mizar"));
    assert_eq!(daemon.namespace(), Some("mizar-system"));
    assert_eq!(plan.changes().next().unwrap().manager, FieldManager::KubectlMizar);
}

#[test]
fn what_is_there_as_wanted_needs_nothing() {
    let plan = plan(release(&[("daemon", daemon("a"))]), vec![applied(&daemon("a"))]);
    assert_eq!(actions(&plan), ["daemon: unchanged DaemonSet mizar-system/mizar-daemon"]);
    assert!(plan.is_empty());
}

#[test]
fn a_changed_object_says_what_changes_and_on_which_state_it_relies() {
    let plan = plan(release(&[("access", role("list"))]), vec![applied(&role("get"))]);
    assert_eq!(actions(&plan), [r#"access: update .rules[0].verbs: ["get"] → ["list"] ClusterRole mizar:operator"#]);
    let change = plan.changes().next().unwrap();
    let relies_on = Precondition { uid: "u1".to_owned(), resource_version: "7".to_owned() };
    assert_eq!(change.precondition, Some(relies_on));
    assert_eq!(change.merge_patch, Some(json!({"rules": [{"verbs": ["list"]}]})));
    assert!(plan.is_allowed() && plan.changes_release("mizar") && !plan.changes_release("mizar-crds"));
}

#[test]
fn a_pod_template_is_not_changed_by_an_installation() {
    let plan = plan(release(&[("daemon", daemon("b"))]), vec![applied(&daemon("a"))]);
    assert!(!plan.is_allowed());
    assert_eq!(
        plan.refusals[0].to_string(),
        "DaemonSet mizar-system/mizar-daemon exists and would get another pod template, which restarts its pods \
         (.spec.template.spec.containers[mizar-daemon].image)"
    );
    assert!(plan.refusals[0].hint.contains("kubectl mizar upgrade"));
}

#[test]
fn all_foreign_objects_are_reported_at_once() {
    let unmarked = |object: &Object| (Site::Management, object.clone().in_namespace("mizar-system"));
    let (one, two) = (account("one"), account("two"));
    let plan = plan(release(&[("access", one.clone()), ("access", two.clone())]), vec![unmarked(&one), unmarked(&two)]);
    assert_eq!(plan.conflicts.len(), 2);
    assert!(plan.is_empty() && !plan.is_allowed());
    let left_alone = |change: &Change| matches!(change.action, Action::Keep { .. }) && change.live.is_some();
    assert!(plan.changes().count() == 2 && plan.changes().all(left_alone), "what a saved plan meets later is known");
}

#[test]
fn a_recorded_object_is_ours_even_without_marks() {
    let mut input = release(&[("access", account("one"))]);
    input.recorded = vec![account("one")];
    let plan = plan(input, vec![(Site::Management, account("one").in_namespace("mizar-system"))]);
    assert!(plan.conflicts.is_empty());
    assert_eq!(plan.counts(), Counts { update: 1, ..Counts::default() });
}

#[test]
fn what_the_last_record_had_and_is_not_wanted_goes_unless_it_is_kept_or_foreign() {
    let mut kept = account("kept").into_value();
    kept["metadata"]["annotations"] = json!({"helm.sh/resource-policy": "keep"});
    let kept = object(kept);
    let mut input = release(&[]);
    input.recorded = vec![account("gone"), kept.clone(), account("foreign"), account("missing")];
    let foreign = (Site::Management, account("foreign").in_namespace("mizar-system"));
    let plan = plan(input, vec![applied(&account("gone")), applied(&kept), foreign]);
    assert_eq!(
        actions(&plan),
        [
            "removal: delete ServiceAccount mizar-system/gone",
            "removal: keep ServiceAccount mizar-system/kept",
            "removal: keep ServiceAccount mizar-system/foreign",
        ]
    );
}

#[test]
fn a_recorded_field_that_is_not_wanted_any_more_is_removed_if_we_set_it() {
    let labelled = |labels: Value| {
        let mut value = account("one").into_value();
        value["metadata"]["labels"] = labels;
        object(value)
    };
    let mut input = release(&[("access", labelled(json!({"a": "1"})))]);
    input.recorded = vec![labelled(json!({"a": "1", "ours": "1", "taken": "1"}))];
    let (site, live) = applied(&labelled(json!({"a": "1", "ours": "1", "taken": "1", "theirs": "1"})));
    let mut live = live.into_value();
    live["metadata"]["managedFields"] = json!([{"manager": "helm", "operation": "Apply", "fieldsV1":
        {"f:metadata": {"f:labels": {"f:a": {}, "f:ours": {}}}}}]);
    let plan = plan(input, vec![(site, object(live))]);
    assert_eq!(
        actions(&plan),
        [r#"access: update .metadata.labels.ours: removed "1" ServiceAccount mizar-system/one"#]
    );
}

#[test]
fn the_daemon_is_not_taken_away_by_an_installation() {
    let mut input = release(&[]);
    input.recorded = vec![daemon("a")];
    let plan = plan(input, vec![applied(&daemon("a"))]);
    assert_eq!(plan.refusals.len(), 1);
    assert!(plan.refusals[0].hint.contains("kubectl mizar uninstall"));
}

#[test]
fn hooks_are_created_once_and_left_alone_after() {
    let with_hook = |first_install| {
        let mut input = release(&[]);
        input.first_install = first_install;
        input.hooks = vec![StagedObject::new(Some("network"), vpc("10.1.0.0"))];
        input
    };
    assert_eq!(actions(&plan(with_hook(true), Vec::new())), ["network: create Vpc default/vpc0"]);
    assert_eq!(actions(&plan(with_hook(false), Vec::new())), ["network: keep Vpc default/vpc0"]);
    let there = vec![(Site::Management, vpc("10.1.0.0"))];
    let kept = plan(with_hook(true), there);
    assert_eq!(actions(&kept), ["network: keep Vpc default/vpc0"]);
    assert!(kept.is_allowed() && kept.is_empty());
    let other_range = plan(with_hook(true), vec![(Site::Management, vpc("10.9.0.0"))]);
    assert!(other_range.refusals[0].hint.contains("10.9.0.0/16"));
}

#[test]
fn an_object_wanted_twice_is_a_conflict() {
    let twice = plan(release(&[("access", account("one")), ("access", account("one"))]), Vec::new());
    assert_eq!(twice.conflicts[0].to_string(), "ServiceAccount mizar-system/one is wanted twice");
    let mut other = release(&[("access", account("one"))]);
    other.name = "other".to_owned();
    let both =
        decide(&PlanInput { releases: vec![release(&[("access", account("one"))]), other], ..PlanInput::default() });
    assert!(both.conflicts[0].to_string().ends_with("is wanted by release mizar too"));
}

#[test]
fn the_same_name_in_the_other_cluster_is_another_object() {
    let (_, there) = applied(&account("one"));
    let plan = plan(release(&[("access", account("one"))]), vec![(Site::Compute, there)]);
    assert_eq!(plan.counts().create, 1);
}

#[test]
fn an_older_helms_entries_are_folded_even_where_nothing_changes() {
    let (site, live) = applied(&account("one"));
    let mut live = live.into_value();
    live["metadata"]["managedFields"] =
        json!([{"manager": "helm", "operation": "Update", "fieldsV1": {"f:metadata": {"f:labels": {}}}}]);
    let plan = plan(release(&[("access", account("one"))]), vec![(site, object(live))]);
    assert!(plan.is_empty());
    assert!(plan.changes().next().unwrap().fold.is_some());
}

#[test]
fn unknown_kinds_are_in_namespaces_unless_said_otherwise() {
    let gadget = object(json!({"apiVersion": "x.io/v1", "kind": "Gadget", "metadata": {"name": "g"}}));
    let mut input = PlanInput { releases: vec![release(&[("other", gadget)])], ..PlanInput::default() };
    assert_eq!(actions(&decide(&input)), ["other: create Gadget mizar-system/g"]);
    input.cluster_wide.insert(("x.io".to_owned(), "Gadget".to_owned()));
    assert_eq!(actions(&decide(&input)), ["other: create Gadget g"]);
}

#[test]
fn digests_follow_what_is_done_and_what_is_wanted() {
    let fresh = plan(release(&[("access", role("get"))]), Vec::new());
    let resumed = plan(release(&[("access", role("get"))]), vec![applied(&role("get"))]);
    let other = plan(release(&[("access", role("list"))]), Vec::new());
    assert_ne!(fresh.digest(), resumed.digest());
    assert_eq!(fresh.intent_digest(), resumed.intent_digest());
    assert_ne!(fresh.intent_digest(), other.intent_digest());

    let (site, newer) = applied(&role("get"));
    let mut newer = newer.into_value();
    newer["metadata"]["resourceVersion"] = json!("8");
    let changed = |live| plan(release(&[("access", role("list"))]), vec![live]).digest();
    assert_eq!(changed(applied(&role("get"))), changed((site, object(newer))));
}

#[test]
fn the_content_of_secrets_is_in_the_digest_and_never_in_the_output() {
    let secret = |password: &str| {
        object(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"password": password}}))
    };
    let change = |to: &str| plan(release(&[("configuration", secret(to))]), vec![applied(&secret("b25l"))]);
    assert_ne!(change("dHdv").digest(), change("dHJl").digest());
    let shown = serde_json::to_string(&change("dHdv")).unwrap();
    assert!(!shown.contains("dHdv") && !shown.contains("b25l"), "{shown}");
    let created = serde_json::to_string(&plan(release(&[("configuration", secret("dHdv"))]), Vec::new())).unwrap();
    assert!(!created.contains("dHdv"), "{created}");
}

fn config(data: &Value) -> Object {
    object(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}))
}

#[test]
fn what_a_change_that_stopped_in_the_middle_has_set_is_taken_away_too() {
    let (complete, stopped) = (config(&json!({"a": "1", "b": "1"})), config(&json!({"a": "1", "c": "1"})));
    // It had come so far that its own field was there.
    for live in [json!({"a": "1", "c": "1"}), json!({"a": "1", "b": "1"}), json!({"a": "1", "b": "1", "c": "1"})] {
        let mut release = release(&[("configuration", config(&json!({"a": "1"})))]);
        release.recorded = vec![complete.clone(), stopped.clone()];
        let plan = plan(release, vec![applied(&config(&live))]);
        let Action::Update { fields } = &plan.changes().next().unwrap().action else { panic!("{live}: {plan:?}") };
        assert_eq!(fields.len(), live.as_object().unwrap().len() - 1, "{live}: {fields:?}");
    }
    let mut release = release(&[]);
    release.recorded = vec![complete.clone(), stopped];
    assert_eq!(plan(release, vec![applied(&complete)]).counts().delete, 1, "once, though two revisions have it");
}
