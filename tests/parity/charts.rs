//! Our own charts: every profile, every `ci/` file, every switch flipped alone, and seeded mixtures of switches.

use crate::generator::Generator;
use crate::helm::{Agreement, agree, arguments, load};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn chart(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts").join(name).canonicalize().unwrap()
}

#[test]
fn the_crds_and_the_defaults_render_as_with_helm() {
    for name in ["mizar-crds", "mizar"] {
        assert_eq!(agree(&chart(name), &[]), Agreement::Rendered);
    }
}

#[test]
fn every_profile_and_ci_file_renders_as_with_helm() {
    let chart = chart("mizar");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(chart.join("ci")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.to_str().unwrap().ends_with("-values.yaml"));
    files.sort();
    assert!(files.len() > 3, "the chart has its ci files: {files:?}");
    for file in &files {
        assert_eq!(agree(&chart, &arguments(&["-f", file.to_str().unwrap()])), Agreement::Rendered);
    }
    let profile = |name: &str| chart.join(name).to_str().unwrap().to_string();
    let digests = chart.join("ci/prod-values.yaml");
    assert_eq!(agree(&chart, &arguments(&["-f", &profile("values-dev.yaml")])), Agreement::Rendered);
    assert_eq!(
        agree(&chart, &arguments(&["-f", &profile("values-prod.yaml")])),
        Agreement::Refused,
        "prod without digests"
    );
    let prod = arguments(&["-f", &profile("values-prod.yaml"), "-f", digests.to_str().unwrap()]);
    assert_eq!(agree(&chart, &prod), Agreement::Rendered);
}

/// Every way to change one value, as the text of a `--set-json`.
fn switches(chart: &Path) -> Vec<String> {
    let loaded = load(chart);
    let schema: Value = serde_json::from_str(loaded.schema.as_deref().unwrap()).unwrap();
    let mut switches = Vec::new();
    collect(&loaded.values, &schema, &schema, "", &mut switches);
    switches
}

fn collect(value: &Value, schema: &Value, root: &Value, path: &str, switches: &mut Vec<String>) {
    let schema = resolve(schema, root);
    for option in schema["enum"].as_array().into_iter().flatten().filter(|option| *option != value) {
        switches.push(format!("{path}={option}"));
    }
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{}", key.replace('.', "\\.")) };
                collect(value, &schema["properties"][key.as_str()], root, &path, switches);
            }
        }
        Value::Object(_) => switches.extend(samples_of_maps().map(|sample| format!("{path}={sample}"))),
        Value::Array(_) => {
            let toleration = json!([{"key": "k", "operator": "Exists"}]);
            switches.extend([json!([]), json!([{"name": "one"}]), toleration].map(|sample| format!("{path}={sample}")));
        }
        Value::Bool(value) => switches.push(format!("{path}={}", !value)),
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            switches
                .extend([json!(number + 1.0), json!(number * 1000.0 + 7.0)].map(|sample| format!("{path}={sample}")));
        }
        Value::String(_) => switches.extend(samples_of_texts().map(|sample| format!("{path}={sample}"))),
        Value::Null => {}
    }
}

fn resolve<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    let reference = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    reference.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

fn samples_of_maps() -> impl Iterator<Item = Value> {
    [
        json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m"}}),
        json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}),
        json!({"one": "two"}),
    ]
    .into_iter()
}

fn samples_of_texts() -> impl Iterator<Item = Value> {
    let digest = format!("sha256:{}", "ab".repeat(32));
    let texts =
        ["", "sample", "10.30.0.0/16", "192.168.7.9", "/var/lib/sample", "v1.2.3", "0400", "yes"].map(str::to_string);
    texts.into_iter().chain([digest]).map(Value::from)
}

#[test]
fn every_single_switch_renders_as_with_helm() {
    let chart = chart("mizar");
    let switches = switches(&chart);
    let runs: Vec<Vec<String>> = switches.iter().map(|switch| arguments(&["--set-json", switch])).collect();
    let rendered = count_rendered(&chart, &runs);
    assert!(rendered > 60, "only {rendered} switches render");
}

#[test]
fn mixtures_of_switches_render_as_with_helm() {
    let chart = chart("mizar");
    let switches = switches(&chart);
    let mut generator = Generator::new(7);
    let everything = chart.join("ci/everything-values.yaml").to_str().unwrap().to_string();
    let mixtures = (0..60).map(|at| {
        let mut words = if at % 2 == 0 { arguments(&["-f", &everything]) } else { Vec::new() };
        for _ in 0..=generator.below(3) {
            words.extend(arguments(&["--set-json", &switches[generator.below(switches.len())]]));
        }
        words
    });
    let mixtures: Vec<Vec<String>> = mixtures.collect();
    let rendered = count_rendered(&chart, &mixtures);
    assert!(rendered > 5, "only {rendered} mixtures render");
}

fn count_rendered(chart: &Path, runs: &[Vec<String>]) -> usize {
    runs.iter().filter(|words| agree(chart, words) == Agreement::Rendered).count()
}
