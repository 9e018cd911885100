use super::set::{Filling, SetFlag, apply};
use super::*;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const SCHEMA: &str = r#"{
  "type": "object", "additionalProperties": false,
  "properties": {
    "profile": {"enum": ["dev", "prod"]},
    "image": {"type": "object", "additionalProperties": false, "properties": {"tag": {"type": "string"}, "digest": {"type": "string", "pattern": "^sha256:"}}},
    "replicas": {"type": "integer", "minimum": 1},
    "list": {"type": "array"}
  }
}"#;

const VALUES: &str = "profile: dev\nimage:\n  tag: v1\n  digest: \"\"\nreplicas: 1\nlist: [a, b]\n";

fn files(extra: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
    let base = [
        ("Chart.yaml", "apiVersion: v2\nname: sample\nversion: 1.0.0\nappVersion: 1.10\n"),
        ("values.yaml", VALUES),
        ("values.schema.json", SCHEMA),
    ];
    base.iter().chain(extra).map(|(path, text)| ((*path).to_string(), text.as_bytes().to_vec())).collect()
}

fn a_chart(extra: &[(&str, &str)]) -> Chart {
    let plain = SCHEMA.replace("\"^sha256:\"", "\"^(sha256:.*)?$\"");
    let mut all = files(extra);
    all.iter_mut()
        .filter(|(path, _)| path == "values.schema.json")
        .for_each(|(_, data)| *data = plain.clone().into_bytes());
    Chart::load(all).unwrap()
}

fn release() -> ReleaseInfo {
    ReleaseInfo { name: "sample".into(), namespace: "default".into(), revision: 1, is_install: true }
}

fn path(dotted: &str) -> Vec<String> {
    dotted.split('.').map(str::to_string).collect()
}

#[test]
fn a_chart_is_sorted_into_its_parts() {
    let chart = a_chart(&[
        ("templates/a.yaml", "a"),
        ("templates/.hidden", "x"),
        ("README.md", "r"),
        ("ci/x.yaml", "c"),
        (".helmignore", "# comment\n/ci/\n*.md\n"),
        ("values-dev.yaml", "replicas: 2\n"),
    ]);
    assert_eq!(chart.metadata.app_version.as_deref(), Some("1.1"));
    assert_eq!(chart.templates.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["templates/a.yaml"]);
    assert_eq!(
        chart.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(),
        [".helmignore", "values-dev.yaml"]
    );
    assert_eq!(chart.profiles(), ["dev"]);
}

#[test]
fn what_is_no_chart_says_what_is_missing() {
    let error = |files: Vec<(&str, &str)>| {
        Chart::load(files.into_iter().map(|(path, text)| (path.to_string(), text.as_bytes().to_vec())))
            .unwrap_err()
            .to_string()
    };
    let metadata = ("Chart.yaml", "name: x\nversion: 1.0.0\n");
    assert_eq!(error(vec![]), "Chart.yaml is missing: this is no chart");
    assert_eq!(error(vec![("Chart.yaml", "version: 1\n")]), "Chart.yaml: `name` is missing");
    assert_eq!(
        error(vec![metadata, ("values.yaml", "a: 1\nb: 2\na: 3\n")]),
        "values.yaml:3:1: the key `a` is set twice in this mapping, first in line 1"
    );
    assert_eq!(
        error(vec![metadata, ("values.yaml", "- a\n")]),
        "values.yaml:1: must hold a mapping, `key: value`, and holds a list"
    );
    assert_eq!(
        error(vec![metadata, ("charts/other/Chart.yaml", "x")]),
        "chart x has dependencies (other), which are not supported; render it with helm template instead"
    );
}

#[test]
fn later_layers_win_and_every_leaf_knows_where_it_comes_from() {
    let chart = a_chart(&[("values-prod.yaml", "# prod\nprofile: prod\nreplicas: 3\n")]);
    let mut layers = ValueLayers::new();
    layers.add_profile(&chart, "prod").unwrap();
    layers.add_detected(json!({"image": {"tag": "detected"}}).as_object().unwrap().clone());
    layers.add_file("mine.yaml", "\nlist: [c]\nreplicas: 4\n").unwrap();
    layers.add_set(SetFlag::Text, "image.tag=5");
    layers.add_set(SetFlag::Typed, "image.tag=6,list[1]=d");
    let merged = layers.merge(&chart).unwrap();
    assert_eq!(merged.values["image"]["tag"], "5");
    assert_eq!(merged.values["list"], json!(["c", "d"]));
    for (field, origin) in [
        ("profile", "values-prod.yaml:2"),
        ("replicas", "mine.yaml:3"),
        ("image.tag", "--set-string image.tag=5"),
        ("image.digest", "values.yaml:4"),
    ] {
        assert_eq!(merged.origin(&path(field)).unwrap().to_string(), origin, "{field}");
    }
    assert_eq!(merged.config, json!({"profile": "prod", "replicas": 4, "image": {"tag": "5"}, "list": ["c", "d"]}));
}

#[test]
fn null_deletes_a_default() {
    let chart = a_chart(&[]);
    let mut layers = ValueLayers::new();
    layers.add_set(SetFlag::Typed, "image.tag=null,list=null");
    let merged = layers.merge(&chart).unwrap();
    assert_eq!(merged.values, json!({"profile": "dev", "image": {"digest": ""}, "replicas": 1.0}));
    assert_eq!(merged.config, json!({"image": {"tag": null}, "list": null}));
}

#[test]
fn wrong_values_are_one_line_each_with_place_field_and_hint() {
    let chart = a_chart(&[]);
    let failures = |text: &str, sets: &[&str]| {
        let mut layers = ValueLayers::new();
        layers.add_file("mine.yaml", text).unwrap();
        for set in sets {
            layers.add_set(SetFlag::Typed, set);
        }
        layers.merge(&chart).unwrap_err().to_string()
    };
    assert_eq!(
        failures("image:\n  tga: x\n", &[]),
        "1 value of the chart sample is wrong:\n  mine.yaml:2: image.tga: unknown value; did you mean \"tag\"?"
    );
    assert_eq!(
        failures("image:\n  tag: 1\nprofile: prd\n", &["replicas=0"]),
        "3 values of the chart sample are wrong:\n  mine.yaml:2: image.tag: must be a text, is 1\n  \
         mine.yaml:3: profile: is \"prd\", must be one of \"dev\", \"prod\"; did you mean \"prod\"?\n  --set replicas=0: replicas: is 0, must be at least 1"
    );
}

#[test]
fn an_unknown_profile_names_the_known_ones() {
    let chart = a_chart(&[("values-dev.yaml", ""), ("values-prod.yaml", "")]);
    let error = ValueLayers::new().add_profile(&chart, "test").unwrap_err();
    assert_eq!(error.to_string(), "chart sample has no profile \"test\"; it has dev, prod");
}

fn set(flag: SetFlag, text: &str) -> Result<Value, String> {
    let mut values = Map::new();
    apply(flag, text, &mut values, &mut Filling::default(), &mut |path| Ok(format!("<{path}>")))
        .map_err(|error| error.to_string())?;
    Ok(Value::Object(values))
}

#[test]
fn set_knows_helms_grammar() {
    for (text, expected) in [
        ("a=1,b.c=x", json!({"a": 1, "b": {"c": "x"}})),
        ("a={1,x,true}", json!({"a": [1, "x", true]})),
        ("a[1].b=2", json!({"a": [null, {"b": 2}]})),
        ("a\\.b=c\\,d", json!({"a.b": "c,d"})),
        ("a=01,b=0,c=null,d=TRUE,e=", json!({"a": "01", "b": 0, "c": null, "d": true, "e": ""})),
    ] {
        assert_eq!(set(SetFlag::Typed, text).unwrap(), expected, "{text}");
    }
    assert_eq!(set(SetFlag::Text, "a=1,b=null").unwrap(), json!({"a": "1", "b": "null"}));
    assert_eq!(set(SetFlag::Json, "a={\"b\":[1]},c=null").unwrap(), json!({"a": {"b": [1.0]}, "c": null}));
    assert_eq!(set(SetFlag::File, "a=x,b={y,z}").unwrap(), json!({"a": "<x>", "b": ["<y>", "<z>"]}));
}

#[test]
fn errors_of_set_name_the_flag_and_the_place() {
    for (flag, text, message) in [
        (SetFlag::Typed, "a", "--set \"a\": at character 1: key \"a\" has no value"),
        (SetFlag::Typed, "ab,c=1", "--set \"ab,c=1\": at character 3: key \"ab\" has no value (cannot end with ,)"),
        (SetFlag::Typed, "a=b,c[x]=1", "--set \"a=b,c[x]=1\": at character 8: \"x\" is no index"),
        (SetFlag::Typed, "a={1", "--set \"a={1\": at character 4: list must terminate with '}'"),
        (SetFlag::Typed, "a=1,a.b=2", "--set \"a=1,a.b=2\": at character 6: \"a\" is a number, not a map"),
        (SetFlag::Json, "a={b", "--set-json \"a={b\": at character 4: not JSON: key must be a string"),
    ] {
        assert_eq!(set(flag, text).unwrap_err(), message);
    }
}

const RESOURCES: &str = "\
# only a comment
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: d}
---

kind: ServiceAccount
apiVersion: v1
metadata: {name: s}

---
apiVersion: x/v1
kind: Zebra
metadata: {name: z}
";

#[test]
fn documents_are_split_ordered_and_joined_as_helm_does_it() {
    let hook = "kind: Pod\napiVersion: v1\nmetadata:\n  name: h\n  annotations:\n    helm.sh/hook: pre-install, post-delete\n    helm.sh/hook-weight: -5\n    helm.sh/hook-delete-policy: hook-failed\n";
    let chart = a_chart(&[
        ("templates/stage/all.yaml", RESOURCES),
        ("templates/hook.yaml", hook),
        ("templates/empty.yaml", "{{ if false }}x{{ end }}\n"),
        ("templates/NOTES.txt", "Hello {{ .Release.Name }}\n"),
    ]);
    let rendered = render(&chart, &chart.values, &release()).unwrap();
    let kinds: Vec<&str> = rendered
        .documents
        .iter()
        .map(|document| document.value.as_ref().map_or("", |value| value["kind"].as_str().unwrap()))
        .collect();
    assert_eq!(kinds, ["ServiceAccount", "DaemonSet", "", "Zebra"]);
    assert_eq!(rendered.documents[0].path, "sample/templates/stage/all.yaml");
    assert_eq!(rendered.documents[0].stage.as_deref(), Some("stage"));
    assert_eq!(rendered.notes.as_deref(), Some("Hello sample\n"));
    let hook = &rendered.hooks[0];
    assert_eq!((hook.name.as_str(), hook.kind.as_str(), hook.weight), ("h", "Pod", -5));
    assert_eq!(hook.events.iter().map(|event| event.as_str()).collect::<Vec<_>>(), ["pre-install", "post-delete"]);
    assert_eq!(hook.delete_policies, ["hook-failed"]);
    let source = "# Source: sample/templates/stage/all.yaml\n";
    assert!(rendered.manifest().starts_with(&format!(
        "---\n{source}kind: ServiceAccount\napiVersion: v1\nmetadata: {{name: s}}\n\n\n---\n{source}"
    )));
    assert!(rendered.manifest().ends_with("metadata: {name: z}\n\n"));
    assert!(rendered.template_output().contains("{name: z}\n---\n# Source: sample/templates/hook.yaml\nkind: Pod\n"));
}

#[test]
fn what_is_no_object_is_an_error_with_its_template() {
    let error = |text: &str| {
        let chart = a_chart(&[("templates/a.yaml", text)]);
        render(&chart, &chart.values, &release()).unwrap_err().to_string()
    };
    assert_eq!(
        error("- a\n"),
        "sample/templates/a.yaml gives a document that is no object: it is a text, a number or a list"
    );
    assert!(error("a: b: c\n").starts_with("YAML parse error on sample/templates/a.yaml: line 1, column 5"));
    assert_eq!(error("a: 1\n{{ fail \"no\" }}"), "execution error at (sample/templates/a.yaml:2): no");
}

#[test]
fn flags_made_to_exhaust_us_are_refused() {
    let deep = format!("a{}=1", "[0]".repeat(100_000));
    assert!(set(SetFlag::Typed, &deep).unwrap_err().contains("nested deeper than 60 levels"));
    let deep = format!("a{}=1", "[0].b".repeat(100_000));
    assert!(set(SetFlag::Typed, &deep).unwrap_err().contains("nested deeper than"));
    let long: Vec<String> = (0..5).map(|at| format!("a{at}[65000]=1")).collect();
    assert!(set(SetFlag::Typed, &long.join(",")).unwrap_err().contains("lists of more than 262144 items"));
    let mut layers = ValueLayers::new();
    for flag in &long {
        layers.add_set(SetFlag::Typed, flag);
    }
    let error = layers.merge(&a_chart(&[])).unwrap_err().to_string();
    assert!(error.starts_with("--set \"a4[65000]=1\": at character") && error.contains("more than 262144"), "{error}");
}

#[test]
fn json_that_fails_behind_letters_of_two_bytes_names_the_character() {
    for text in ["a={\"\u{e4}\u{e4}", "{\"\u{e4}\u{e4}\u{e4}"] {
        let error = set(SetFlag::Json, text).unwrap_err();
        assert!(error.contains(": at character 6: not JSON: EOF") || error.contains(": at character 5:"), "{error}");
    }
}

#[test]
fn a_hundred_thousand_values_take_no_time_for_each_other() {
    let assignments: Vec<String> = (0..20_000).map(|at| format!("a.b{at}=1")).collect();
    let mut layers = ValueLayers::new();
    layers.add_set(SetFlag::Typed, &assignments.join(","));
    for flag in &assignments {
        layers.add_set(SetFlag::Json, flag);
    }
    let error = layers.merge(&a_chart(&[])).unwrap_err().to_string();
    assert!(error.contains(" of the chart sample ") && error.len() < 1000, "{}", error.len());
    let many = (0..20_000).map(|at| format!("b{at}: 1\n")).collect::<Vec<_>>().concat();
    let mut layers = ValueLayers::new();
    layers.add_file("mine.yaml", &many).unwrap();
    let error = layers.merge(&a_chart(&[])).unwrap_err().to_string();
    assert!(error.starts_with("more than 100 values of the chart sample are wrong:\n  mine.yaml:1: b0: unknown value"));
    assert_eq!(error.lines().count(), 101);
}

#[test]
fn a_pattern_of_ignored_files_takes_no_more_than_its_length_times_that_of_the_path() {
    let stars = format!("{}b\n", "*a".repeat(1000));
    let path = "a".repeat(3000);
    let chart = a_chart(&[(".helmignore", &stars), (&path, "x")]);
    assert_eq!(chart.files.iter().filter(|file| file.path == path).count(), 1);
    let error = |text: &str| {
        let files = files(&[(".helmignore", text)]);
        Chart::load(files).unwrap_err().to_string()
    };
    assert_eq!(error(&"x\n".repeat(1001)), ".helmignore:1001: more than 1000 lines");
    assert_eq!(error(&"x".repeat(5000)), ".helmignore:1: longer than 4096 bytes");
}

#[test]
fn patterns_match_as_in_go() {
    for (pattern, ignored, kept) in [
        ("*.md", "a.md", "a.mdx"),
        ("a*b*c", "axxbyyc", "axxbyy"),
        ("/x/*/z", "x/y/z", "x/y/y/z"),
        ("a?c", "abc", "ac"),
        ("[a-c]x", "bx", "dx"),
        ("[^a-c]x", "dx", "bx"),
        ("a\\*", "a*", "ab"),
        ("*a", "ba", "b"),
        ("/*/*", "a/b", "ab"),
    ] {
        let chart = a_chart(&[(".helmignore", pattern), (ignored, "x"), (kept, "x")]);
        let there = |path: &str| chart.files.iter().any(|file| file.path == path);
        assert!(!there(ignored) && there(kept), "{pattern}");
    }
}

proptest! {
    #[test]
    fn no_set_text_panics(text in "[a-c.=,{}\\[\\]0-9\\\\\" ]{0,30}", kind in 0usize..4) {
        let flag = [SetFlag::Typed, SetFlag::Text, SetFlag::Json, SetFlag::File][kind];
        drop(set(flag, &text));
    }

    #[test]
    fn no_chart_files_panic(metadata in "[ -~\n]{0,60}", ignore in "[a-z*?\\[\\]/!.\n-]{0,30}", values in "[ -~\n]{0,60}") {
        let files = [("Chart.yaml", metadata), (".helmignore", ignore), ("values.yaml", values), ("templates/a/b.yaml", String::new())];
        drop(Chart::load(files.into_iter().map(|(path, text)| (path.to_string(), text.into_bytes()))));
    }
}
