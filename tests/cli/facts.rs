//! Facts from a file need no cluster, and a file that holds none is named with the field that tells so.

use crate::program::Place;

const HINT: &str = "hint: write one with this version: kubectl mizar check --save-facts FILE\n";

/// Facts of a cluster with one node and nothing else.
pub(crate) const FACTS: &str = r#"{"apiVersion": "mizar.dev/v1", "kind": "Facts", "facts": {
    "gatheredAt": "2026-03-01T12:00:00Z",
    "version": {"known": {"gitVersion": "v1.36.2", "major": "1", "minor": "36"}},
    "coreApi": {"known": {"resources": ["pods"]}}, "apiGroups": {"known": {"versions": ["apps/v1"]}},
    "nodes": {"known": [{"name": "n1", "readiness": "ready", "providerId": "aws:///z/i-1"}]},
    "namespaces": {"known": []}, "services": {"known": []}, "daemonSets": {"known": []}, "deployments": {"known": []},
    "releases": {"known": []}, "systemSource": "absent"}}"#;

#[test]
fn facts_are_looked_at_without_any_cluster() {
    let place = Place::with("facts.json", FACTS);
    let env = place.run(&["env", "--facts", "facts.json"]);
    assert!(env.data().starts_with("Environment: Kubernetes on AWS machines (aws-vm)\n"), "{}", env.stdout);
    let named = place.run(&["env", "--facts", "facts.json", "--environment", "kind"]);
    assert!(named.data().contains("the signs tell of Kubernetes on AWS machines (aws-vm)"), "{}", named.stdout);
    let status = place.run(&["status", "--facts", "facts.json"]);
    assert!(status.data().contains("  not installed\n"), "{}", status.stdout);
    // What nobody asked for is unknown, and that stops an install.
    let check = place.run(&["check", "--facts", "facts.json"]);
    assert_eq!(check.code, 1, "{}", check.stdout);
    assert!(check.stdout.contains("nobody read pods"), "{}", check.stdout);
}

#[test]
fn facts_may_come_by_stdin_and_go_through_env_unchanged() {
    let place = Place::empty();
    let once = place.run_with_stdin(&["env", "-o", "json", "--facts", "-"], FACTS);
    let twice = place.run_with_stdin(&["env", "-o", "json", "--facts", "-"], once.data());
    assert_eq!(once.data(), twice.data());
    assert!(once.data().contains("\"environment\": \"aws-vm\""));
}

#[test]
fn a_file_without_facts_is_refused_by_name_and_field() {
    let newer = FACTS.replace("mizar.dev/v1", "mizar.dev/v2");
    let damaged = FACTS.replace("\"ready\"", "\"perhaps\"");
    let place = Place::with("pod.json", r#"{"apiVersion": "v1", "kind": "Pod"}"#)
        .and("newer.json", newer)
        .and("damaged.json", damaged);
    let fails = |arguments: &[&str], message: &str| {
        place.run(arguments).fails(1, &format!("error: {message}\n{HINT}"));
    };
    fails(&["check", "--facts", "pod.json"], "pod.json is no file of facts: field kind is \"Pod\", wanted \"Facts\"");
    fails(
        &["status", "--facts", "newer.json"],
        "newer.json is no file of facts: field apiVersion is \"mizar.dev/v2\", and this version of kubectl-mizar reads \
         \"mizar.dev/v1\"",
    );
    fails(
        &["env", "--facts", "damaged.json"],
        "damaged.json is no file of facts: field facts.nodes.known[0].readiness: unknown variant `perhaps`, expected one \
         of `ready`, `notReady`, `lost`, `unreported`",
    );
    place.run(&["env", "--facts", "none.json"]).fails(
        1,
        "error: cannot read facts from none.json: No such file or directory (os error 2)
hint: write such a file where the cluster is: kubectl mizar check --save-facts FILE
",
    );
}

#[test]
fn facts_cannot_be_waited_for_watched_or_saved_again() {
    let place = Place::with("facts.json", FACTS);
    for arguments in [
        &["check", "--facts", "facts.json", "--wait"][..],
        &["check", "--facts", "facts.json", "--save-facts", "x"],
        &["status", "--facts", "facts.json", "--watch"],
        &["status", "--timeout", "5s"],
        &["env", "--environment", "minikube"],
    ] {
        let outcome = place.run(arguments);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{arguments:?}\n{}", outcome.stderr);
    }
}
