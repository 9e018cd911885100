//! `check` and `explain` before any cluster is asked: wrong names, baselines that are none, and what explaining prints.

use crate::program::Place;

#[track_caller]
fn misused(arguments: &[&str], stderr: &str) {
    Place::empty().run(arguments).fails(2, stderr);
}

#[test]
fn an_unknown_check_is_refused_and_the_nearest_is_named() {
    misused(
        &["check", "--check", "daemon,node-ready"],
        "error: there is no check \"node-ready\"; did you mean nodes-ready?
hint: see all checks: kubectl mizar explain
",
    );
    misused(
        &["explain", "check/node-ready"],
        "error: there is no check \"node-ready\"; did you mean nodes-ready?
hint: see all checks: kubectl mizar explain
",
    );
}

#[test]
fn a_check_of_the_other_phase_is_refused_with_the_line_that_asks_it() {
    misused(
        &["check", "--check", "node-kernel"],
        "error: the check node-kernel is asked before an install only
hint: kubectl mizar check --pre --check node-kernel
",
    );
    misused(
        &["check", "--pre", "--check", "daemon"],
        "error: the check daemon is not asked before an install
hint: leave out --pre: kubectl mizar check --check daemon
",
    );
}

#[test]
fn an_unknown_category_or_severity_is_refused_and_the_known_ones_are_named() {
    let outcome = Place::empty().run(&["check", "--category", "node"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    let said = outcome.stderr;
    assert!(said.starts_with("error: there is no category \"node\"; did you mean nodes?\n"), "{said}");
    assert!(said.contains("hint: the categories are access, nodes, "), "{said}");
    misused(
        &["check", "--severity", "fatal"],
        "error: invalid value 'fatal' for '--severity <SEVERITY>'
  [possible values: blocker, warning, note]

For more information, try '--help'.
",
    );
}

#[test]
fn filters_that_leave_nothing_are_refused() {
    misused(
        &["check", "--category", "services", "--severity", "blocker"],
        "error: no check is left: none of that category is so severe
hint: see all checks: kubectl mizar explain
",
    );
}

#[test]
fn a_check_that_another_filter_leaves_out_is_named() {
    misused(
        &["check", "--category", "pods", "--check", "pod-endpoints,daemon"],
        "error: the check daemon is of category components, which was not asked for
hint: leave out --category: kubectl mizar check --check daemon
",
    );
}

#[test]
fn a_limit_without_a_wait_is_refused() {
    let outcome = Place::empty().run(&["check", "--timeout", "5s"]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("--wait"), "{}", outcome.stderr);
}

#[test]
fn a_baseline_that_is_none_is_refused_with_file_and_field() {
    let hint = "hint: make one: kubectl mizar check --save old.json\n";
    Place::empty()
        .run(&["check", "--baseline", "old.json"])
        .fails(1, &format!("error: cannot use old.json as a baseline: No such file or directory (os error 2)\n{hint}"));
    for (content, reason) in [
        ("{\"kind\":\"List\"}", "kind is \"List\", wanted \"CheckReport\""),
        (
            "{\"kind\":\"CheckReport\",\"apiVersion\":\"mizar.dev/v9\"}",
            "apiVersion is \"mizar.dev/v9\", wanted \"mizar.dev/v1\"",
        ),
        (
            "{\"kind\":\"CheckReport\",\"apiVersion\":\"mizar.dev/v1\",\"phase\":\"preflight\"}",
            "phase is \"preflight\", wanted \"health\"",
        ),
    ] {
        let place = Place::with("old.json", content);
        let expected = format!("error: cannot use old.json as a baseline: {reason}\n{hint}");
        place.run(&["check", "--baseline", "old.json"]).fails(1, &expected);
    }
}

#[test]
fn who_compares_with_a_yaml_report_is_told_that_a_baseline_is_json() {
    Place::with("old.yaml", "kind: CheckReport\n").run(&["check", "--baseline", "old.yaml"]).fails(
        1,
        "error: cannot use old.yaml as a baseline: it is not JSON: expected value at line 1 column 1
hint: a baseline is JSON, as --save and -o json write it: kubectl mizar check --save old.json
",
    );
}

#[test]
fn explaining_makes_no_request_and_every_form_tells_the_same() {
    let place = Place::empty();
    let list = place.run(&["explain"]);
    let ids: Vec<&str> = list.data().lines().skip(1).map(|line| line.split_whitespace().next().unwrap()).collect();
    assert!(ids.len() > 20 && ids.contains(&"nodes-ready"), "{ids:?}");
    let all: serde_json::Value = serde_json::from_str(place.run(&["explain", "-o", "json"]).data()).unwrap();
    let listed: Vec<&str> = all.as_array().unwrap().iter().map(|check| check["id"].as_str().unwrap()).collect();
    assert_eq!(listed, ids);
    let one = place.run(&["explain", "nodes-ready"]);
    for part in ["nodes-ready: Every node is ready", "list nodes", "blocker", "docs/checks.md#nodes-ready"] {
        assert!(one.data().contains(part), "{part} in {}", one.stdout);
    }
    let yaml = place.run(&["explain", "nodes-ready", "-o", "yaml"]);
    assert!(yaml.data().contains("id: nodes-ready\n"), "{}", yaml.stdout);
    let page = std::fs::read_to_string(crate::program::repository().join("docs/checks.md")).unwrap();
    for id in ids {
        assert!(page.contains(&format!("\n### {id}\n")), "{id} has no place on the page that it is told to be on");
    }
}
