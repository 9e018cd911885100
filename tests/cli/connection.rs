//! No cluster to talk to: what was looked for, where, and what to type. Exit code 4.

use std::time::{Duration, Instant};

use crate::program::Place;

const NAME_ONE: &str = "hint: name one: --kubeconfig FILE, or set KUBECONFIG\n";
const SEE_CONFIG: &str = "hint: see what kubectl makes of it: kubectl config view\n";
const SEE_CONTEXTS: &str = "hint: see them: kubectl config get-contexts\n";

const KUBECONFIG: &str = "apiVersion: v1
kind: Config
clusters:
- name: here
  cluster: {server: 'https://127.0.0.1:1'}
users:
- name: me
  user: {token: secret-token}
contexts:
- name: work
  context: {cluster: here, user: me}
";

#[test]
fn without_a_kubeconfig_every_command_that_needs_one_says_where_it_looked() {
    for arguments in
        [&["check"][..], &["check", "--pre"], &["install", "--profile", "dev", "-y"], &["install", "--plan"]]
    {
        Place::empty()
            .run(arguments)
            .fails(4, &format!("error: no kubeconfig found; looked at HOME/.kube/config (home)\n{NAME_ONE}"));
    }
}

#[test]
fn missing_files_of_kubeconfig_are_all_named() {
    Place::empty().variable("KUBECONFIG", "/no/one:/no/two").run(&["check"]).fails(
        4,
        &format!("error: no kubeconfig found; looked at /no/one (KUBECONFIG), /no/two (KUBECONFIG)\n{NAME_ONE}"),
    );
}

#[test]
fn a_missing_file_among_several_is_passed_over_as_kubectl_does() {
    let place = Place::with("config", KUBECONFIG).variable("KUBECONFIG", "/no/one:config");
    let outcome = place.run(&["check", "--context", "work"]);
    assert!(
        outcome.stderr.starts_with("error: The connection to the server 127.0.0.1:1 was refused - "),
        "{}",
        outcome.stderr
    );
    assert_eq!(outcome.code, 4);
}

#[test]
fn a_kubeconfig_that_is_named_must_exist() {
    Place::empty()
        .run(&["check", "--kubeconfig", "nowhere"])
        .fails(4, &format!("error: kubeconfig nowhere: No such file or directory (os error 2)\n{SEE_CONFIG}"));
}

#[test]
fn a_folder_is_no_kubeconfig() {
    Place::with("folder/file", "")
        .run(&["check", "--kubeconfig", "folder"])
        .fails(4, &format!("error: kubeconfig folder: it is no file of at most 16 MiB\n{SEE_CONFIG}"));
}

#[test]
fn a_kubeconfig_that_is_no_yaml_is_named_with_its_line() {
    let outcome = Place::with("config", "clusters: [}\n").run(&["check", "--kubeconfig", "config"]);
    assert!(outcome.stderr.starts_with("error: kubeconfig config, line 1: is no YAML: "), "{}", outcome.stderr);
    assert!(outcome.stderr.ends_with(SEE_CONFIG), "{}", outcome.stderr);
    assert_eq!(outcome.code, 4);
}

#[test]
fn no_current_context_says_how_to_see_them() {
    Place::with("config", KUBECONFIG)
        .run(&["check", "--kubeconfig", "config"])
        .fails(4, &format!("error: the kubeconfig has no current context; there are: work\n{SEE_CONTEXTS}"));
}

#[test]
fn a_missing_context_is_named() {
    let outcome = Place::with("config", KUBECONFIG).run(&["check", "--kubeconfig", "config", "--context", "wrok"]);
    assert!(outcome.stderr.contains("wrok"), "{}", outcome.stderr);
    assert!(outcome.stderr.ends_with(SEE_CONTEXTS), "{}", outcome.stderr);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (4, ""));
}

#[test]
fn a_server_that_refuses_connections_is_named_at_once() {
    let begun = Instant::now();
    Place::empty().run(&["check", "--server", "https://127.0.0.1:1"]).fails(
        4,
        "error: The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?
hint: is this the right cluster? kubectl config current-context
hint: does it answer? kubectl get --raw /readyz
",
    );
    assert!(begun.elapsed() < Duration::from_secs(10), "took {:?}", begun.elapsed());
}

#[test]
fn credentials_are_never_shown_whatever_the_log_level() {
    let place = Place::with("config", KUBECONFIG);
    let outcome = place.run(&["check", "--kubeconfig", "config", "--context", "work", "-v", "9"]);
    assert_eq!(outcome.code, 4);
    assert!(!outcome.stderr.contains("secret-token"), "{}", outcome.stderr);
}

#[test]
fn machines_get_the_failure_as_data_too() {
    let outcome = Place::empty().run(&["install", "--profile", "dev", "-y", "-o", "json"]);
    assert_eq!(outcome.code, 4);
    let line: serde_json::Value = serde_json::from_str(&outcome.stdout).expect("one JSON line");
    assert_eq!(line["type"], "failed");
    assert_eq!(line["exitCode"], 4);
    assert_eq!(line["error"], "no kubeconfig found; looked at HOME/.kube/config (home)");
}

#[test]
fn an_endless_kubeconfig_is_not_read_to_its_end() {
    Place::empty()
        .run(&["check", "--kubeconfig", "/dev/zero"])
        .fails(4, &format!("error: kubeconfig /dev/zero: it is no file of at most 16 MiB\n{SEE_CONFIG}"));
}

#[test]
fn a_token_that_no_header_may_hold_is_refused_before_it_is_sent() {
    let hint = "hint: log in again, or copy the token without line breaks\n";
    let broken = KUBECONFIG.replace("secret-token", "\"a\\nb\"");
    let outcome = Place::with("config", broken).run(&["check", "--kubeconfig", "config", "--context", "work"]);
    let error = "holds characters that no HTTP header may hold";
    outcome.fails(4, &format!("error: kubeconfig config, line 8: user \"me\", token: {error}\n{hint}"));
    Place::with("config", KUBECONFIG)
        .run(&["check", "--kubeconfig", "config", "--context", "work", "--token", "a\nb"])
        .fails(4, &format!("error: --token: {error}\n{hint}"));
}

#[test]
fn a_server_that_is_no_address_is_named() {
    Place::empty()
        .run(&["check", "--server", "not a url"])
        .fails(4, "error: --server: is no URL of a server\nhint: write it like https://HOST:PORT\n");
}
