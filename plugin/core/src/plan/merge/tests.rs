use proptest::prelude::*;
use serde_json::json;

use super::*;

/// A merge of something inside a ConfigMap-like built-in object.
fn merged(recorded: &Value, desired: &Value, live: &Value) -> Value {
    let object = |content: &Value| {
        let mut object = json!({"apiVersion": "apps/v1", "kind": "DaemonSet"});
        for (key, value) in content.as_object().unwrap() {
            object[key] = value.clone();
        }
        object
    };
    let mut result = merge(Some(&object(recorded)), &object(desired), &object(live), Owned::Whole);
    for key in ["apiVersion", "kind"] {
        result.as_object_mut().unwrap().shift_remove(key);
    }
    result
}

#[test]
fn what_the_server_added_is_no_difference() {
    let desired = json!({"spec": {"containers": [{"name": "a", "image": "x", "ports": [{"containerPort": 1}]}],
                         "hostIPC": false, "tolerations": [{"operator": "Exists"}], "nodeSelector": {}, "x": null}});
    let live = json!({"spec": {"containers": [
        {"name": "a", "image": "x", "imagePullPolicy": "Always", "ports": [{"containerPort": 1, "protocol": "TCP"}]},
        {"name": "injected", "image": "y"}], "tolerations": [{"operator": "Exists"}], "dnsPolicy": "ClusterFirst"},
        "status": {"numberReady": 1}});
    assert_eq!(merged(&json!({}), &desired, &live), live);
}

#[test]
fn wanted_fields_win_and_foreign_ones_stay() {
    let live = json!({"metadata": {"labels": {"a": "1", "theirs": "2"}}, "spec": {"replicas": 1, "other": true}});
    let desired = json!({"metadata": {"labels": {"a": "9"}}, "spec": {"replicas": 2}});
    assert_eq!(
        merged(&json!({}), &desired, &live),
        json!({"metadata": {"labels": {"a": "9", "theirs": "2"}}, "spec": {"replicas": 2, "other": true}})
    );
}

#[test]
fn what_was_recorded_and_is_not_wanted_any_more_goes() {
    let recorded =
        json!({"metadata": {"labels": {"a": "1", "b": "1"}}, "spec": {"x": {"y": 1}, "env": [{"name": "E"}]}});
    let live = json!({"metadata": {"labels": {"a": "1", "b": "1", "theirs": "1"}},
                      "spec": {"x": {"y": 1, "defaulted": 2}, "env": [{"name": "E"}, {"name": "THEIRS"}], "z": 1}});
    let desired = json!({"metadata": {"labels": {"a": "1"}}, "spec": {}});
    assert_eq!(
        merged(&recorded, &desired, &live),
        json!({"metadata": {"labels": {"a": "1", "theirs": "1"}}, "spec": {"env": [{"name": "THEIRS"}], "z": 1}})
    );
}

#[test]
fn what_somebody_else_set_again_is_not_taken_away() {
    let fields = json!({"f:spec": {"f:mine": {}}});
    let recorded = json!({"kind": "X", "apiVersion": "x/v1", "spec": {"mine": 1, "theirs": 1}});
    let live = recorded.clone();
    let desired = json!({"kind": "X", "apiVersion": "x/v1", "spec": {"kept": 1}});
    let result = merge(Some(&recorded), &desired, &live, Owned::Part(&fields));
    assert_eq!(result["spec"], json!({"theirs": 1, "kept": 1}));
}

#[test]
fn a_volume_of_another_kind_replaces_the_old_one_with_its_defaults() {
    let volumes = |source: &Value| json!({"spec": {"volumes": [source]}});
    let recorded = volumes(&json!({"name": "v", "configMap": {"name": "c"}}));
    let live = volumes(&json!({"name": "v", "configMap": {"name": "c", "defaultMode": 420}}));
    let desired = volumes(&json!({"name": "v", "emptyDir": {}}));
    assert_eq!(merged(&recorded, &desired, &live), desired);
}

#[test]
fn plain_lists_are_replaced_whole() {
    let live = json!({"spec": {"tolerations": [{"key": "a"}, {"key": "b"}]}});
    let desired = json!({"spec": {"tolerations": [{"key": "b"}]}});
    assert_eq!(merged(&json!({}), &desired, &live), desired);
}

#[test]
fn a_field_dropped_from_an_element_of_a_plain_list_is_seen() {
    let recorded = json!({"spec": {"tolerations": [{"key": "a", "effect": "NoSchedule"}]}});
    let desired = json!({"spec": {"tolerations": [{"key": "a"}]}});
    assert_eq!(merged(&recorded, &desired, &recorded), desired);
    assert_eq!(merged(&json!({}), &desired, &recorded), recorded);
}

#[test]
fn lists_of_custom_resources_are_one_value() {
    let object = |ports: &Value| json!({"apiVersion": "mizar.com/v1", "kind": "Vpc", "spec": {"ports": ports}});
    let desired = object(&json!([{"port": 1}]));
    let live = object(&json!([{"port": 1}, {"port": 2}]));
    assert_eq!(merge(None, &desired, &live, Owned::Whole), desired);
}

#[test]
fn finalizers_of_others_stay() {
    let recorded = json!({"metadata": {"finalizers": ["ours", "old"]}});
    let desired = json!({"metadata": {"finalizers": ["ours", "new"]}});
    let live = json!({"metadata": {"finalizers": ["ours", "old", "theirs"]}});
    assert_eq!(merged(&recorded, &desired, &live), json!({"metadata": {"finalizers": ["ours", "theirs", "new"]}}));
}

#[test]
fn plain_text_of_a_secret_equals_its_encoded_form() {
    let desired = json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"password": "secret"}});
    let live = json!({"apiVersion": "v1", "kind": "Secret", "data": {"password": "c2VjcmV0"}, "type": "Opaque"});
    assert_eq!(merge(None, &desired, &live, Owned::Whole), live);
}

#[test]
fn server_fields_in_a_template_are_ignored() {
    let desired =
        json!({"metadata": {"creationTimestamp": "2020-01-01T00:00:00Z", "labels": {"a": "1"}}, "status": {"x": 1}});
    let live = json!({"metadata": {"creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"a": "1"}}});
    assert_eq!(merged(&json!({}), &desired, &live), live);
}

#[test]
fn a_merge_patch_removes_adds_and_changes() {
    let live = json!({"a": 1, "b": {"c": 1, "d": 1}, "l": [1, 2]});
    let target = json!({"b": {"c": 1, "d": 2}, "l": [1], "n": {}});
    assert_eq!(merge_patch(&live, &target), Some(json!({"a": null, "b": {"d": 2}, "l": [1], "n": {}})));
    assert_eq!(merge_patch(&live, &live), None);
}

/// Objects over few names, so that the three sides meet often.
fn content() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        (0..3_i64).prop_map(Value::from),
        "[a-b]{0,1}".prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
    ];
    let env = proptest::collection::btree_map("[A-C]", scalar.clone(), 0..3).prop_map(|map| {
        Value::Array(map.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect())
    });
    let args = proptest::collection::vec(scalar.clone(), 0..3).prop_map(Value::from);
    let labels = proptest::collection::btree_map("[a-d]", "[a-b]{0,1}", 0..3).prop_map(|map| json!(map));
    scalar.prop_recursive(3, 24, 4, move |inner| {
        let pair = prop_oneof![
            ("[p-s]", inner).prop_map(|(key, value)| (key, value)),
            env.clone().prop_map(|value| ("env".to_owned(), value)),
            args.clone().prop_map(|value| ("args".to_owned(), value)),
            labels.clone().prop_map(|value| ("labels".to_owned(), value)),
        ];
        proptest::collection::vec(pair, 0..4).prop_map(|pairs| Value::Object(pairs.into_iter().collect()))
    })
}

fn object() -> impl Strategy<Value = Value> {
    content().prop_map(
        |spec| json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "x"}, "spec": {"at": spec}}),
    )
}

/// Whether every wanted field is in the result, by the rules of comparing.
fn holds(desired: &Value, result: Option<&Value>, place: Place<'_>) -> bool {
    // An empty map or list asks for nothing, and what is blank may be left out.
    let is_collection = desired.is_array() || desired.is_object();
    if place.is_blank(desired) && (is_collection || result.is_none()) {
        return true;
    }
    match (desired, result) {
        (_, None) => false,
        (Value::Object(desired), Some(Value::Object(result))) => {
            desired.iter().all(|(key, value)| holds(value, result.get(key), place.inside(key)))
        }
        (Value::Array(desired), Some(Value::Array(result))) => {
            desired.iter().all(|wanted| result.iter().any(|found| holds(wanted, Some(found), place)))
        }
        (desired, Some(result)) => place.same(desired, result),
    }
}

/// Whether everything that only the live side has at the level of names is still there.
fn foreign_stay(recorded: &Value, desired: &Value, live: &Value, result: &Value) -> bool {
    let (Value::Object(live), Value::Object(result)) = (live, result) else { return true };
    live.iter().all(|(key, value)| match (recorded.get(key), desired.get(key)) {
        (None, None) => result.get(key) == Some(value),
        (before, Some(wanted)) if wanted.is_object() && value.is_object() => {
            foreign_stay(before.unwrap_or(&Value::Null), wanted, value, &result[key])
        }
        _ => true,
    })
}

proptest! {
    #[test]
    fn a_patched_object_has_all_that_is_wanted_and_needs_no_second_patch(
        recorded in object(), desired in object(), live in object(),
    ) {
        let target = merge(Some(&recorded), &desired, &live, Owned::Whole);
        let patched = merge_patch(&live, &target).map_or_else(|| live.clone(), |patch| patched(&live, &patch));
        prop_assert_eq!(&patched, &target);
        let place = Place { field: "", parent: "", built_in: true };
        prop_assert!(holds(&desired, Some(&patched), place), "{} lacks something of {}", patched, desired);
        prop_assert!(foreign_stay(&recorded, &desired, &live, &patched));
        let again = merge(Some(&desired), &desired, &patched, Owned::Whole);
        prop_assert_eq!(merge_patch(&patched, &again), None);
    }

    #[test]
    fn an_object_laid_over_itself_does_not_change(live in object()) {
        prop_assert_eq!(merge(Some(&live), &live, &live, Owned::Whole), live);
    }

    #[test]
    fn nothing_is_taken_away_from_fields_that_are_not_ours(recorded in object(), live in object()) {
        let nothing = json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "x"}});
        prop_assert_eq!(merge(Some(&recorded), &nothing, &live, Owned::Nothing), live);
    }
}

#[test]
fn a_patch_means_the_same_where_only_a_status_and_the_number_of_pods_have_moved() {
    let at = |version: &str, replicas: u32, image: &str| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "o", "resourceVersion": version, "generation": replicas},
            "spec": {"replicas": replicas, "template": {"image": image}}, "status": {"replicas": replicas}})
    };
    assert!(still_applies(&at("1", 1, "a"), &at("2", 0, "a")));
    assert!(!still_applies(&at("1", 1, "a"), &at("2", 1, "b")), "what somebody has set could be undone");
}

#[test]
fn a_patch_that_was_sent_before_is_in_effect() {
    let live = json!({"metadata": {"name": "o", "resourceVersion": "2"}, "spec": {"template": {"image": "b"}, "x": 1}});
    assert!(is_in_effect(&json!({"spec": {"template": {"image": "b"}, "gone": null}}), &live));
    assert!(!is_in_effect(&json!({"spec": {"template": {"image": "c"}}}), &live));
    assert!(!is_in_effect(&json!({"spec": {"x": null}}), &live));
}
