use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::object::{Object, ObjectRef};
use crate::plan::{OwnObject, PlanInput, decide};
use crate::site::Site;

fn live(name: &str, uid: &str, version: &str, data: &str) -> Object {
    Object::new(json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "n", "uid": uid, "resourceVersion": version, "managedFields": [
            {"manager": "first", "time": "2026-01-01T00:00:00Z"},
            {"manager": "second", "time": "2026-01-02T00:00:00Z"},
            {"manager": "kubelet", "subresource": "status", "time": "2026-01-03T00:00:00Z"}]},
        "data": {"x": data}}))
    .unwrap()
}

/// What a plan that wants `x: wanted` in the ConfigMaps `a` and `b` was made from.
fn binding(wanted: &str, live: Vec<Object>) -> Binding {
    let own = ["a", "b"].map(|name| OwnObject {
        site: Site::Management,
        object: Object::new(json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "n"}, "data": {"x": wanted}}))
        .unwrap(),
    });
    let live = live.into_iter().map(|object| (Site::Management, object)).collect();
    let plan = decide(&PlanInput { own: own.into(), live, ..PlanInput::default() });
    let charts = [("mizar".to_owned(), "sha256:1".to_owned())].into();
    Binding::of(&plan, "cluster-1".to_owned(), "n", charts, [("mizar".to_owned(), 3)].into())
}

fn mismatches(saved: &Binding, now: &Binding) -> Vec<String> {
    compare(saved, now).mismatches.iter().map(ToString::to_string).collect()
}

#[test]
fn a_plan_of_an_unmoved_cluster_is_still_the_same() {
    let at = || binding("new", vec![live("a", "u1", "7", "old")]);
    assert_eq!(compare(&at(), &at()), Comparison::default());
}

#[test]
fn what_became_of_an_object_is_named() {
    let saved = binding("new", vec![live("a", "u1", "7", "old")]);
    for (now, told) in [
        (vec![], "ConfigMap n/a is gone"),
        (vec![live("a", "u2", "9", "old")], "ConfigMap n/a was deleted and made anew, last by second"),
        (vec![live("a", "u1", "9", "other")], "ConfigMap n/a was changed (resourceVersion 7 → 9), last by second"),
        (
            vec![live("a", "u1", "7", "old"), live("b", "u3", "8", "new")],
            "ConfigMap n/b did not exist, and does now, last by second",
        ),
    ] {
        assert_eq!(mismatches(&saved, &binding("new", now)), [told]);
    }
}

#[test]
fn a_status_may_move_and_everything_else_may_not() {
    let saved = binding("new", vec![live("a", "u1", "7", "old")]);
    let moved = |change: &dyn Fn(&mut Value)| {
        let mut value = live("a", "u1", "9", "old").into_value();
        change(&mut value);
        compare(&saved, &binding("new", vec![Object::new(value).unwrap()]))
    };
    let status = moved(&|value| value["status"] = json!({"ready": 1}));
    assert!(status.mismatches.is_empty());
    assert_eq!(status.touched.iter().map(ToString::to_string).collect::<Vec<_>>(), ["ConfigMap n/a"]);
    for path in
        ["/metadata/labels", "/metadata/annotations", "/metadata/finalizers", "/metadata/deletionTimestamp", "/spec"]
    {
        let comparison = moved(&|value| {
            let (parent, field) = path.rsplit_once('/').unwrap();
            value.pointer_mut(parent).unwrap()[field] = json!({"a": "b"});
        });
        assert_eq!(comparison.mismatches.len(), 1, "{path}");
    }
}

#[test]
fn what_a_plan_leaves_alone_may_move_as_long_as_it_stays_alone() {
    let saved = binding("new", vec![live("a", "u1", "7", "new")]);
    let labelled = |data: &str| {
        let mut value = live("a", "u1", "9", data).into_value();
        value["metadata"]["labels"] = json!({"by": "somebody"});
        Object::new(value).unwrap()
    };
    assert_eq!(compare(&saved, &binding("new", vec![labelled("new")])), Comparison::default());
    let told = mismatches(&saved, &binding("new", vec![labelled("old")]));
    assert_eq!(told, ["ConfigMap n/a was changed (resourceVersion 7 → 9), last by second"]);
}

#[test]
fn another_cluster_chart_release_or_plan_is_named() {
    let saved = binding("new", vec![]);
    let with = |change: &dyn Fn(&mut Binding)| {
        let mut now = saved.clone();
        change(&mut now);
        mismatches(&saved, &now)
    };
    assert_eq!(
        with(&|now| {
            now.cluster = "cluster-2".into();
            now.plan_digest = "sha256:2".into();
        }),
        ["it was made for another cluster (namespace kube-system has UID cluster-2 here, and cluster-1 there)"]
    );
    assert_eq!(with(&|now| now.namespace = "m".into()), ["the releases are in namespace m, not n"]);
    assert_eq!(with(&|now| drop(now.charts.insert("mizar".into(), "2".into()))), ["the chart mizar is another one"]);
    assert_eq!(with(&|now| now.charts.clear()), ["the chart mizar is another one"]);
    assert_eq!(
        with(&|now| now.releases = [("mizar".into(), 4)].into()),
        ["release mizar is at revision 4, and was at 3"]
    );
    assert_eq!(with(&|now| now.releases.clear()), ["release mizar is not recorded any more"]);
    assert_eq!(
        with(&|now| now.releases.extend([("mizar-crds".into(), 1)])),
        ["release mizar-crds was not recorded, and is at revision 1"]
    );
    assert_eq!(with(&|now| now.plan_digest = "sha256:2".into()), ["something else would be done now"]);
}

fn saved() -> SavedPlan {
    SavedPlan {
        program: "0.1.0".into(),
        command: "install".into(),
        saved_at: Timestamp::UNIX_EPOCH,
        inputs: Inputs {
            values: GivenValues {
                profile: Some("dev".into()),
                files: vec![GivenFile { name: "v.yaml".into(), text: "a: hunter2\n".into() }],
                sets: vec![GivenSet { flag: SetFlag::Typed, text: "b=1".into() }],
                contents: BTreeMap::new(),
            },
            own_chart: false,
            options: Map::new(),
        },
        binding: binding("new", vec![live("a", "u1", "7", "old")]),
        shown: "what was shown".into(),
    }
}

#[test]
fn a_plan_comes_back_as_it_was() {
    let text = format!("{:#}", saved().to_json());
    assert_eq!(SavedPlan::from_json(&text, "install").unwrap(), saved());
}

#[test]
fn what_is_no_plan_of_this_command_is_refused_by_the_field() {
    let of = |change: &dyn Fn(&mut Value)| {
        let mut file = saved().to_json();
        change(&mut file);
        SavedPlan::from_json(&file.to_string(), "install").unwrap_err().to_string()
    };
    for (text, told) in [
        ("", "it is not JSON: EOF while parsing a value at line 1 column 0"),
        ("[]", "field kind is missing, wanted \"SavedPlan\""),
        (r#"{"kind": "Facts"}"#, "field kind is \"Facts\", wanted \"SavedPlan\""),
        (r#"{"kind": "SavedPlan"}"#, "field apiVersion is missing, wanted \"mizar.dev/v1\""),
        (r#"{"kind": "SavedPlan", "apiVersion": "mizar.dev/v1"}"#, "field format is missing, wanted \"1\""),
    ] {
        assert_eq!(SavedPlan::from_json(text, "install").unwrap_err().to_string(), told);
    }
    assert_eq!(
        of(&|file| file["apiVersion"] = json!("mizar.dev/v2")),
        "it is of format mizar.dev/v2, and this version of kubectl-mizar reads up to mizar.dev/v1 1"
    );
    assert_eq!(
        of(&|file| file["format"] = json!(2)),
        "it is of format mizar.dev/v1 2, and this version of kubectl-mizar reads up to mizar.dev/v1 1"
    );
    assert_eq!(
        of(&|file| file["plan"]["command"] = json!("uninstall")),
        "it is a plan of `kubectl mizar uninstall`, not of `kubectl mizar install`"
    );
    assert_eq!(of(&|file| file["plan"] = json!(null)), "field plan: invalid type: null, expected struct SavedPlan");
    assert!(of(&|file| file["plan"]["binding"]["cluster"] = json!(7)).starts_with("field plan.binding.cluster: "));
    assert!(of(&|file| file["plan"]["new"] = json!(7)).starts_with("field plan.new: unknown field"));
    let wrong_flag = of(&|file| file["plan"]["inputs"]["values"]["sets"][0]["flag"] = json!("--unset"));
    assert!(wrong_flag.starts_with("field plan.inputs.values.sets[0].flag: there is no flag"), "{wrong_flag}");
}

#[test]
fn what_is_told_of_a_damaged_plan_holds_nothing_of_its_values() {
    let mut file = saved().to_json();
    file["plan"]["inputs"]["values"]["files"] = json!("password: hunter2");
    let told = SavedPlan::from_json(&file.to_string(), "install").unwrap_err().to_string();
    assert!(
        told.starts_with("field plan.inputs.values.files: invalid type: string") && !told.contains("hunter2"),
        "{told}"
    );
}

#[test]
fn what_somebody_wrote_into_a_plan_moves_no_cursor() {
    let mut file = saved().to_json();
    file["plan"]["\u{1b}[2J"] = json!(1);
    let told = SavedPlan::from_json(&file.to_string(), "install").unwrap_err().to_string();
    assert!(told.contains("unknown field") && !told.contains('\u{1b}'), "{told:?}");
}

#[test]
fn a_file_that_is_cut_or_far_too_large_is_refused() {
    let text = saved().to_json().to_string();
    for end in (0..text.len()).step_by(7) {
        assert!(SavedPlan::from_json(&text[..end], "install").is_err());
    }
    let heavy = format!("[{}]", "{},".repeat(400_000));
    assert!(SavedPlan::from_json(&heavy, "install").unwrap_err().to_string().contains("MiB"));
}

fn bound() -> impl Strategy<Value = BoundObject> {
    let state = ("[a-b]", "[1-3]", "[x-y]", proptest::option::of("[m-n]"))
        .prop_map(|(uid, resource_version, content, writer)| LiveState { uid, resource_version, content, writer });
    ("[a-c]", any::<bool>(), proptest::option::of(state)).prop_map(|(name, written, live)| BoundObject {
        object: ObjectRef { api_version: "v1".into(), kind: "ConfigMap".into(), namespace: None, name },
        site: Site::Management,
        written,
        live,
    })
}

fn some_binding() -> impl Strategy<Value = Binding> {
    let objects = proptest::collection::vec(bound(), 0..3).prop_map(|mut objects| {
        objects.sort_by(|one, other| one.object.cmp(&other.object));
        objects.dedup_by(|one, other| one.object == other.object);
        objects
    });
    (objects, "[p-q]", "[c-d]", proptest::collection::btree_map("[r-s]", 1..3_u64, 0..2)).prop_map(
        |(objects, plan_digest, cluster, releases)| Binding {
            cluster,
            namespace: "n".into(),
            charts: BTreeMap::new(),
            releases,
            plan_digest,
            objects,
            nodes: BTreeMap::new(),
        },
    )
}

proptest! {
    #[test]
    fn any_plan_comes_back_as_it_was(binding in some_binding(), text in ".*", shown in ".*") {
        let mut plan = SavedPlan { binding, shown, ..saved() };
        plan.inputs.values.files[0].text = text;
        let read = SavedPlan::from_json(&plan.to_json().to_string(), "install");
        prop_assert_eq!(read.as_ref(), Ok(&plan));
    }

    #[test]
    fn only_the_same_plan_on_the_same_objects_is_let_through(saved in some_binding(), now in some_binding()) {
        let may = compare(&saved, &now).mismatches.is_empty();
        let found = |object: &BoundObject| now.objects.iter().find(|other| other.object == object.object).and_then(|other| other.live.as_ref());
        let unmoved = |object: &BoundObject| match (&object.live, found(object)) {
            (None, None) => true,
            (Some(before), Some(after)) => before.uid == after.uid && (before.resource_version == after.resource_version || before.content == after.content),
            _ => false,
        };
        if may {
            prop_assert_eq!(&saved.plan_digest, &now.plan_digest);
            prop_assert_eq!(&saved.cluster, &now.cluster);
            prop_assert_eq!(&saved.releases, &now.releases);
            prop_assert!(saved.objects.iter().filter(|object| object.written).all(unmoved));
        }
        prop_assert!(compare(&saved, &saved).mismatches.is_empty());
    }
}
