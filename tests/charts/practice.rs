//! What Helm's guide and the practice of other cluster networks ask of charts, and no linter looks at.

use std::path::{Path, PathBuf};

use mizar_core::yaml::{DuplicateKeys, read_all};
use serde_json::{Value, json};

use crate::{root, run, text, value_sets, words};

const CHARTS: [&str; 2] = ["mizar-crds", "mizar"];

fn source(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn documents(yaml: &str) -> Vec<Value> {
    let read = read_all(yaml, DuplicateKeys::Refuse).unwrap_or_else(|error| panic!("{error}:\n{yaml}"));
    read.into_iter().map(|(document, _)| document).filter(|document| !document.is_null()).collect()
}

/// What both charts come to with these values.
fn rendered(values: &str) -> Vec<Value> {
    let ours = Path::new(env!("CARGO_BIN_EXE_kubectl-mizar"));
    let output = run(ours, &words(&format!("render {values}")));
    assert!(output.status.success(), "render {values}: {}", text(&output.stderr));
    documents(&text(&output.stdout))
}

/// Every file of a chart's templates.
fn templates(chart: &str) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![root().join("charts").join(chart).join("templates")]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the chart").flatten() {
            if entry.path().is_dir() { folders.push(entry.path()) } else { found.push(entry.path()) }
        }
    }
    assert!(found.len() > 5, "{chart} has templates: {found:?}");
    found
}

/// Small letters, digits and single dashes, as in names of the DNS.
fn is_dashed(name: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit());
    name.len() <= 63 && name.split('-').all(part)
}

#[test]
fn charts_are_named_and_numbered_as_helm_s_guide_says() {
    for chart in CHARTS {
        let metadata = source(&root().join("charts").join(chart).join("Chart.yaml"));
        let metadata = documents(&metadata).remove(0);
        assert!(is_dashed(chart), "{chart}");
        assert_eq!((&metadata["name"], &metadata["apiVersion"]), (&json!(chart), &json!("v2")));
        assert_eq!(metadata["type"], "application");
        assert!(metadata["appVersion"].is_string(), "{chart}: a number would lose its last zero");
        let version = metadata["version"].as_str().expect("a version in quotes or with two dots");
        assert_eq!(version, env!("CARGO_PKG_VERSION"), "{chart} goes with the program");
    }
}

/// One object a file, with its kind in the name; a definition's file has the name of what it defines.
#[test]
fn templates_are_named_after_the_one_object_that_they_hold() {
    for path in CHARTS.iter().flat_map(|chart| templates(chart)) {
        let (name, content) = (path.file_name().unwrap_or_default().to_string_lossy(), source(&path));
        let (stem, ending) = name.rsplit_once('.').expect("a file with an ending");
        let kinds: Vec<&str> = content.lines().filter_map(|line| line.strip_prefix("kind: ")).collect();
        assert!(!content.lines().any(|line| line.starts_with("---")), "{} holds more than one", path.display());
        match (ending, kinds.as_slice()) {
            ("txt", []) => assert_eq!(stem, "NOTES", "{}", path.display()),
            ("tpl", []) => assert_eq!(stem, "_helpers", "{}", path.display()),
            ("yaml", []) => assert_eq!(stem, "validate", "{}", path.display()),
            ("yaml", ["CustomResourceDefinition"]) => {
                assert!(content.contains(&format!("\n  name: {stem}.mizar.com\n")), "{}", path.display());
            }
            ("yaml", [kind]) => assert!(stem.ends_with(&kind.to_lowercase()), "{}: {kind}", path.display()),
            _ => panic!("{} holds {kinds:?}", path.display()),
        }
        assert!(is_dashed(stem) || matches!(stem, "NOTES" | "_helpers"), "{}", path.display());
        let chart = if path.to_string_lossy().contains("/mizar-crds/") { "mizar-crds" } else { "mizar" };
        for defined in content.split("define \"").skip(1) {
            let defined = defined.split('"').next().unwrap_or_default();
            assert!(defined.starts_with(&format!("{chart}.")), "{}: {defined}", path.display());
        }
    }
}

#[test]
fn every_object_carries_helm_s_labels_and_no_selector_uses_one_that_changes() {
    for values in value_sets() {
        for object in rendered(&values) {
            let what = format!("{} {} with {values:?}", object["kind"], object["metadata"]["name"]);
            let labels = &object["metadata"]["labels"];
            for (label, value) in [("name", "mizar"), ("part-of", "mizar"), ("managed-by", "Helm"), ("version", "0.91")]
            {
                assert_eq!(labels[format!("app.kubernetes.io/{label}")], value, "{what}: {label}");
            }
            for label in ["app.kubernetes.io/instance", "app.kubernetes.io/component", "helm.sh/chart"] {
                assert!(labels[label].as_str().is_some_and(|value| !value.is_empty()), "{what}: {label}");
            }
            let selector = &object["spec"]["selector"]["matchLabels"];
            if selector.is_object() {
                assert_eq!(*selector, object["spec"]["template"]["metadata"]["labels"], "{what}");
                let text = selector.to_string();
                assert!(!text.contains("helm.sh/chart") && !text.contains("version"), "{what}: {selector}");
            }
        }
    }
}

fn workload(objects: &[Value], kind: &str) -> Value {
    let found = objects.iter().find(|object| object["kind"] == kind);
    found.unwrap_or_else(|| panic!("there is no {kind}"))["spec"].clone()
}

/// With the values of people who change nothing about it.
#[test]
fn the_network_runs_everywhere_goes_last_and_is_not_restarted_by_an_update() {
    for values in ["--profile dev", "--profile prod -f charts/mizar/ci/prod-values.yaml"] {
        let objects = rendered(values);
        let (daemon, operator) = (workload(&objects, "DaemonSet"), workload(&objects, "Deployment"));
        assert_eq!(daemon["updateStrategy"], json!({"type": "OnDelete"}), "{values}");
        assert_eq!(operator["strategy"], json!({"type": "Recreate"}), "{values}: never two operators");
        let every_taint = json!({"operator": "Exists"});
        // A cordoned node keeps its operator, and one without a network does not evict it.
        let every_cordon = json!({"operator": "Exists", "effect": "NoSchedule"});
        for (spec, class, tolerated) in
            [(daemon, "system-node-critical", every_taint), (operator, "system-cluster-critical", every_cordon)]
        {
            let pod = &spec["template"]["spec"];
            assert_eq!((&pod["priorityClassName"], &pod["hostNetwork"]), (&json!(class), &json!(true)), "{values}");
            assert!(pod["tolerations"].as_array().is_some_and(|all| all.contains(&tolerated)), "{values}: {pod:#}");
        }
    }
}

/// Whatever else is set.
#[test]
fn no_values_make_an_update_restart_the_daemons() {
    let mut seen = 0;
    for values in value_sets() {
        for object in rendered(&values).iter().filter(|object| object["kind"] == "DaemonSet") {
            assert_eq!(object["spec"]["updateStrategy"], json!({"type": "OnDelete"}), "{values}");
            seen += 1;
        }
    }
    assert!(seen > 3, "{seen} DaemonSets");
}
