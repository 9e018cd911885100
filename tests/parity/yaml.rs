//! `toYaml` and `toJson` of thousands of generated values, rendered once by each.

use crate::generator::Generator;
use crate::helm::{arguments, decoded, ours, same, scratch, theirs};
use serde_json::{Value, json};

const CASES: usize = 6000;

/// One line for each case, in base64, so that Helm does not read the results as YAML of a manifest.
const TEMPLATE: &str =
    "{{- range .Values.cases }}\n- {{ toYaml . | b64enc | quote }}\n- {{ toJson . | b64enc | quote }}\n{{- end }}\n";

fn cases() -> Vec<Value> {
    let mut generator = Generator::new(20);
    let mut cases: Vec<Value> = (0..CASES).map(|_| generator.value(3)).collect();
    let long = "word ".repeat(40);
    cases.push(json!({long.clone(): long.clone(), "q": format!("'{long}"), "d": format!("\t{long}  two  spaces")}));
    cases.push(json!({"k".repeat(128): 1, "k".repeat(129): [1, {"a": [2]}], "multi\nline": {"b": "c"}}));
    cases
}

#[test]
fn values_are_written_as_helm_writes_them() {
    let cases = cases();
    let chart = scratch("cases: []\n", &[("all.yaml", &format!("cases:{TEMPLATE}"))]);
    let file = chart.path().join("given.json");
    std::fs::write(&file, json!({"cases": cases}).to_string().replace('\u{2028}', "\\u2028")).unwrap();
    let flags = arguments(&["-f", file.to_str().unwrap()]);
    let theirs = theirs(chart.path(), &flags).unwrap();
    let ours = ours(chart.path(), &flags).unwrap();
    let differing: Vec<String> = theirs
        .lines()
        .zip(ours.lines())
        .enumerate()
        .filter(|(_, (left, right))| left != right)
        .map(|(at, (left, right))| format!("case {}:\nhelm: {}\nours: {}", at, decoded(left), decoded(right)))
        .collect();
    assert!(
        differing.is_empty(),
        "{} of {CASES} differ, for example\n{}",
        differing.len(),
        differing[..differing.len().min(5)].join("\n")
    );
    same(&theirs, &ours, "all cases");
}

#[test]
fn values_files_are_read_as_helm_reads_them() {
    let values = "\
words: [yes, No, on, OFF, y, N, true, ~, null, Null, '']\nnumbers: [0400, 0o17, 0b11, 0x1F, 1_000, 08, 1e3, 1.50, .5, -.5, +1, 1:30, 1__0, 0x, 0b2, 1e400]\n\
times: [2001-01-01, 2001-1-1, 2001-12-14T21:59:43.10Z, 2001-12-14 21:59:43, 2001-13-01]\nkeys: {yes: 1, 0400: 2, 1.5: 3, ~x: 4}\n\
base: &base {a: 1, b: 2}\nmerged: {<<: *base, b: 3}\nbinary: !!binary aGVsbG8=\ntexts: [!!str 12, !custom x]\nfolded: >\n  a\n  b\n\n  c\nkept: |+\n  a\n\n\
nothing:\n---\nsecond: document\nbase: {c: 3}\n";
    let chart = scratch(values, &[("all.yaml", "all: {{ toYaml .Values | b64enc }}\n")]);
    assert_eq!(crate::helm::agree(chart.path(), &[]), crate::helm::Agreement::Rendered);
}
