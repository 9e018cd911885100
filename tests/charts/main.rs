//! The charts as Helm's users meet them: linted by the real Helm 4 and 3, rendered by our program as by theirs, and the
//! script that saves a node's state run against made-up nodes.

mod practice;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mizar_bed::{Program, programs};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("plugin/ has a parent").to_path_buf()
}

/// A program with an empty environment and a home of its own, so that nothing of the person's Helm counts.
fn run(program: &Path, arguments: &[String]) -> Output {
    let home = tempfile::tempdir().expect("a temporary folder");
    Command::new(program)
        .args(arguments)
        .current_dir(root())
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(ToOwned::to_owned).collect()
}

/// The chart mizar with each set of values that it is made for.
fn value_sets() -> Vec<String> {
    let mut sets = vec![String::new(), "-f charts/mizar/values-dev.yaml".to_owned()];
    let folder = std::fs::read_dir(root().join("charts/mizar/ci")).expect("the chart has a ci folder");
    let mut names: Vec<String> =
        folder.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.ends_with("-values.yaml"));
    names.sort();
    assert!(names.len() >= 6, "few ci values: {names:?}");
    for name in names {
        let profile = if name.starts_with("prod") { "-f charts/mizar/values-prod.yaml " } else { "" };
        sets.push(format!("{profile}-f charts/mizar/ci/{name}"));
    }
    sets
}

fn helm(program: Program) -> PathBuf {
    programs::ensure(&[program]).expect("helm can be built").remove(&program).expect("it was asked for")
}

#[test]
fn helm_4_and_3_lint_the_charts_without_a_finding() {
    for program in [Program::Helm4, Program::Helm3] {
        let helm = helm(program);
        let mut lines = vec!["lint --strict charts/mizar-crds".to_owned()];
        lines.extend(value_sets().iter().map(|values| format!("lint --strict charts/mizar {values}")));
        for line in lines {
            let output = run(&helm, &words(&line));
            let said = text(&output.stdout) + &text(&output.stderr);
            assert!(output.status.success() && !said.contains('['), "{program:?} {line}:\n{said}");
        }
    }
}

#[test]
fn the_program_renders_both_charts_as_helm_does() {
    let helm = helm(Program::Helm4);
    let ours = Path::new(env!("CARGO_BIN_EXE_kubectl-mizar"));
    for values in value_sets() {
        let theirs: Vec<u8> = ["mizar-crds", "mizar"]
            .into_iter()
            .flat_map(|chart| {
                let values = if chart == "mizar" { values.as_str() } else { "" };
                let line = format!("template {chart} charts/{chart} -n mizar-system {values}");
                let output = run(&helm, &words(&line));
                assert!(output.status.success(), "{line}: {}", text(&output.stderr));
                output.stdout
            })
            .collect();
        let output = run(ours, &words(&format!("render {values}")));
        assert!(output.status.success(), "render {values}: {}", text(&output.stderr));
        assert!(output.stdout == theirs, "render {values} differs from helm template");
    }
}

#[test]
fn a_profile_is_the_same_as_its_values_file_named_first() {
    let ours = Path::new(env!("CARGO_BIN_EXE_kubectl-mizar"));
    let by_name = run(ours, &words("render --profile prod -f charts/mizar/ci/prod-values.yaml"));
    let by_file = run(ours, &words("render -f charts/mizar/values-prod.yaml -f charts/mizar/ci/prod-values.yaml"));
    assert!(by_name.status.success(), "{}", text(&by_name.stderr));
    assert_eq!(text(&by_name.stdout), text(&by_file.stdout));
}

#[test]
fn the_script_that_saves_a_nodes_state_does_what_it_says() {
    let output = run(Path::new("sh"), &words("charts/mizar/ci/save-node-state-test.sh"));
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn the_script_that_cleans_a_node_gives_back_what_was_saved() {
    let output = run(Path::new("sh"), &words("charts/mizar/ci/clean-node-test.sh"));
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}
