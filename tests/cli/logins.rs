//! How the program shows who it is: what goes into the requests, and what plugins and token files have to do with it.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::fake_server::{Fake, SelfSigned, refusal};
use crate::program::{Outcome, Place};

/// Lets everybody in and shows nobody anything.
fn server() -> Fake {
    Fake::secure(|_| refusal(403, "Forbidden", "no"))
}

/// Lets in whoever says `word`.
fn server_for(word: &'static str) -> Fake {
    Fake::secure(move |head| {
        let code = if head.contains(word) { (403, "Forbidden") } else { (401, "Unauthorized") };
        refusal(code.0, code.1, "no")
    })
}

fn kubeconfig(server: &Fake, user: &Value) -> Place {
    let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": server.url(), "certificate-authority": "ca.pem"}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]});
    Place::with("k", config.to_string()).and("ca.pem", &server.certificate)
}

fn plugin(exec: &Value) -> Value {
    let mut all = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "./login", "interactiveMode": "IfAvailable"});
    for (key, value) in exec.as_object().unwrap() {
        all[key] = value.clone();
    }
    json!({"exec": all})
}

/// A plugin that notes each run and then does this.
fn with_plugin(place: Place, script: &str) -> Place {
    let place = place.and("login", format!("#!/bin/sh\necho run >> \"$HOME/runs\"\n{script}\n"));
    std::fs::set_permissions(place.path("login"), std::fs::Permissions::from_mode(0o755)).unwrap();
    place
}

/// Prints a credential with this status.
fn issuing(status: &Value) -> String {
    let answer = json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status});
    format!("cat <<'END'\n{answer}\nEND")
}

fn runs(place: &Place) -> usize {
    std::fs::read_to_string(place.path("runs")).map_or(0, |text| text.lines().count())
}

fn env(place: &Place) -> Outcome {
    place.run(&["env", "--kubeconfig", "k"])
}

#[test]
fn flags_work_before_and_after_the_command_and_without_any_kubeconfig() {
    let flags = |server: &Fake| {
        let url = server.url();
        [
            "--server",
            &url,
            "--certificate-authority",
            "ca.pem",
            "--token",
            "secret",
            "--as",
            "boss",
            "--as-uid",
            "7",
            "--as-group",
            "a",
            "--as-group",
            "b",
            "--as-user-extra",
            "Scopes.io/x=v",
            "--as-user-extra",
            "Scopes.io/x=w",
            "--disable-compression",
        ]
        .map(str::to_owned)
    };
    for before in [true, false] {
        let server = server();
        let flags = flags(&server);
        let mut arguments: Vec<&str> = flags.iter().map(String::as_str).collect();
        arguments.insert(if before { arguments.len() } else { 0 }, "env");
        Place::with("ca.pem", &server.certificate).run(&arguments);
        let heard = server.heard();
        for line in [
            "authorization: bearer secret\r\n",
            "impersonate-user: boss\r\n",
            "impersonate-uid: 7\r\n",
            "impersonate-group: a\r\n",
            "impersonate-group: b\r\n",
            "impersonate-extra-scopes.io%2fx: v\r\n",
            "impersonate-extra-scopes.io%2fx: w\r\n",
            "user-agent: kubectl-mizar/",
        ] {
            assert!(heard.iter().all(|head| head.contains(line)), "{line} is not in {heard:?}");
        }
        assert!(!heard[0].contains("gzip"), "{heard:?}");
    }
    let server = server();
    Place::with("ca.pem", &server.certificate).run(&[
        "env",
        "--server",
        &server.url(),
        "--certificate-authority",
        "ca.pem",
    ]);
    assert!(server.heard()[0].contains("accept-encoding: gzip\r\n"), "{:?}", server.heard());
}

#[test]
fn more_about_nobody_to_act_as_is_wrong_usage() {
    for flags in [["--as-group", "a"], ["--as-uid", "7"], ["--as-user-extra", "a=b"]] {
        let outcome = Place::empty().run(&["env", "--server", "https://127.0.0.1:1", flags[0], flags[1]]);
        assert_eq!(outcome.code, 2, "{}", outcome.stderr);
        assert!(outcome.stderr.contains("--as <USER>"), "{}", outcome.stderr);
    }
}

#[test]
fn an_insecure_connection_is_warned_of() {
    let server = server();
    let outcome = Place::empty().run(&["env", "--server", &server.url(), "--insecure-skip-tls-verify"]);
    assert!(outcome.stderr.starts_with("Warning: the server's certificate is not checked"), "{}", outcome.stderr);
    assert!(!server.heard().is_empty());
}

#[test]
fn a_plugin_is_run_once_for_all_requests() {
    let server = server_for("Bearer fresh");
    let place = with_plugin(kubeconfig(&server, &plugin(&json!({}))), &issuing(&json!({"token": "fresh"})));
    env(&place);
    assert_eq!(runs(&place), 1);
    assert!(server.heard().len() > 5 && server.heard().iter().all(|head| head.contains("bearer fresh")));
}

#[test]
fn a_plugin_whose_answer_is_refused_is_run_once_more_and_no_more() {
    let server = server_for("Bearer 2");
    let script = "n=$(wc -l < \"$HOME/runs\" | tr -d ' ')\necho \"{\\\"apiVersion\\\": \\\"client.authentication.k8s.io/v1\\\", \\\"kind\\\": \\\"ExecCredential\\\", \\\"status\\\": {\\\"token\\\": \\\"$n\\\"}}\"";
    let place = with_plugin(kubeconfig(&server, &plugin(&json!({}))), script).variable("PATH", "/usr/bin:/bin");
    let outcome = env(&place);
    assert!(!outcome.stderr.contains("logged in"), "{}", outcome.stderr);
    assert_eq!(runs(&place), 2);

    let closed = server_for("Bearer never");
    let place = with_plugin(kubeconfig(&closed, &plugin(&json!({}))), &issuing(&json!({"token": "old"})));
    let outcome = env(&place);
    assert!(outcome.stderr.contains("You must be logged in to the server"), "{}", outcome.stderr);
    assert_eq!((outcome.code, runs(&place)), (4, 2));
}

#[test]
fn what_has_expired_is_fetched_again() {
    let server = server();
    let status = json!({"token": "short", "expirationTimestamp": "2020-01-01T00:00:00Z"});
    let place = with_plugin(kubeconfig(&server, &plugin(&json!({}))), &issuing(&status));
    env(&place);
    assert!(runs(&place) > 1);
    let status = json!({"token": "long", "expirationTimestamp": "2999-01-01T00:00:00Z"});
    let place = with_plugin(kubeconfig(&server, &plugin(&json!({}))), &issuing(&status));
    env(&place);
    assert_eq!(runs(&place), 1);
}

#[test]
fn a_plugin_is_told_what_it_asks_for() {
    let server = server();
    let exec = json!({"provideClusterInfo": true, "args": ["one"], "env": [{"name": "EXTRA", "value": "set"}]});
    let script = format!(
        "echo \"$1 $EXTRA $KUBERNETES_EXEC_INFO\" > \"$HOME/told\"\necho working >&2\n{}",
        issuing(&json!({"token": "t"}))
    );
    let place = with_plugin(kubeconfig(&server, &plugin(&exec)), &script);
    let outcome = env(&place);
    assert!(outcome.stderr.starts_with("working\n"), "its words are passed on: {}", outcome.stderr);
    let told = std::fs::read_to_string(place.path("told")).unwrap();
    let info: Value = serde_json::from_str(told.strip_prefix("one set ").unwrap()).unwrap();
    assert_eq!(info["kind"], "ExecCredential");
    assert_eq!(info["spec"]["interactive"], false, "stdin is no terminal");
    assert_eq!(info["spec"]["cluster"]["server"], server.url());
    assert!(info["spec"]["cluster"]["certificate-authority-data"].as_str().unwrap().len() > 100);
}

#[test]
fn a_plugin_may_hand_out_a_certificate() {
    let me = SelfSigned::of(&["me"], |_| {});
    let server = server();
    let status = json!({"clientCertificateData": me.certificate, "clientKeyData": me.key});
    let place = with_plugin(kubeconfig(&server, &plugin(&json!({}))), &issuing(&status));
    env(&place);
    assert!(!server.heard().is_empty() && runs(&place) == 1);
    let other = SelfSigned::of(&["me"], |_| {});
    let status = json!({"clientCertificateData": me.certificate, "clientKeyData": other.key});
    let place = with_plugin(kubeconfig(&server, &plugin(&json!({}))), &issuing(&status));
    let outcome = env(&place);
    assert!(
        outcome.stderr.contains("answers a clientKeyData that is not the key of the client certificate"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn what_goes_wrong_with_a_plugin_is_told_in_its_own_words() {
    let by_hand = "run it by hand, or log in again as your provider says";
    let config = "see what kubectl makes of it: kubectl config view";
    for (script, error, hint) in [
        (
            "echo 'hunter2'\necho 'token has expired, run: login --now' >&2\nexit 3".to_owned(),
            "failed with exit code 3: token has expired, run: login --now",
            by_hand,
        ),
        ("echo hunter2".to_owned(), "answers no ExecCredential", config),
        ("echo '[hunter2'".to_owned(), "answers neither JSON nor YAML", config),
        (issuing(&json!({})), "answers neither a token nor a certificate", config),
        (issuing(&json!({"clientKeyData": "hunter2"})), "answers only one of certificate and key", config),
        (
            issuing(&json!({"token": "a\nhunter2"})),
            "answers a token that holds characters that no HTTP header may hold",
            config,
        ),
        (
            issuing(&json!({"token": "t", "expirationTimestamp": "soon"})),
            "answers an expirationTimestamp that is no time",
            config,
        ),
        (
            issuing(&json!({"token": "t"})).replace("io/v1", "io/v1beta1"),
            "answers in another apiVersion than client.authentication.k8s.io/v1",
            config,
        ),
    ] {
        let place = with_plugin(kubeconfig(&server(), &plugin(&json!({}))), &script);
        let outcome = env(&place);
        let error = format!(
            "error: kubeconfig k, line 1: user \"u\", exec: the credential plugin ./login {error}\nhint: {hint}\n"
        );
        assert!(outcome.stderr.ends_with(&error), "{error}\n{}", outcome.stderr);
        assert_eq!(outcome.code, 4);
        assert!(!outcome.stderr.contains("hunter2"), "{}", outcome.stderr);
    }
}

#[test]
fn a_plugin_that_is_not_there_is_named_with_its_hint() {
    let exec = json!({"command": "mizar-no-such-login", "installHint": "Get it:\n  brew install login"});
    let outcome = env(&kubeconfig(&server(), &plugin(&exec)));
    outcome.fails(
        4,
        "error: kubeconfig k, line 1: user \"u\", exec: the credential plugin mizar-no-such-login was not found\n\
         hint: Get it:\nhint: brew install login\n",
    );
}

#[test]
fn a_plugin_that_needs_a_terminal_is_not_run_without_one() {
    let place = with_plugin(kubeconfig(&server(), &plugin(&json!({"interactiveMode": "Always"}))), "true");
    let outcome = env(&place);
    assert!(outcome.stderr.contains("needs a terminal to ask, and there is none"), "{}", outcome.stderr);
    assert_eq!((outcome.code, runs(&place)), (4, 0));
}

#[test]
fn a_plugin_that_does_not_end_is_ended() {
    let place = with_plugin(kubeconfig(&server(), &plugin(&json!({}))), "exec sleep 50")
        .variable("PATH", "/usr/bin:/bin")
        .variable("MIZAR_TIME_SCALE", "0.01");
    let outcome = env(&place);
    assert!(outcome.stderr.contains("the credential plugin ./login did not end within 0.6 s"), "{}", outcome.stderr);
    assert_eq!(outcome.code, 4);
}

#[test]
fn nothing_secret_is_sent_and_no_plugin_run_over_plain_http() {
    let plain = Fake::plain(|_| refusal(403, "Forbidden", "no"));
    // The kubeconfig names an authority, which has to be one even where nothing is encrypted.
    let server = Fake { certificate: SelfSigned::of(&["h"], |_| {}).certificate, ..plain };
    let place = with_plugin(kubeconfig(&server, &plugin(&json!({}))), &issuing(&json!({"token": "t"})));
    env(&place);
    assert_eq!(runs(&place), 0);
    place.run(&["env", "--kubeconfig", "k", "--token", "hunter2"]);
    assert!(server.heard().len() > 1 && server.heard().iter().all(|head| !head.contains("authorization: ")));
}

#[test]
fn a_token_file_may_end_in_a_newline_and_is_read_again_when_its_token_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "old\n").unwrap();
    let rewritten = path.clone();
    let server = Fake::secure(move |head| {
        if head.contains("Bearer new\r\n") {
            return refusal(403, "Forbidden", "no");
        }
        std::fs::write(&rewritten, "new\n").unwrap();
        refusal(401, "Unauthorized", "no")
    });
    let outcome = env(&kubeconfig(&server, &json!({"tokenFile": path})));
    assert!(!outcome.stderr.contains("logged in"), "{}", outcome.stderr);
    assert!(server.heard()[0].contains("authorization: bearer old\r\n"), "{:?}", server.heard());
}

#[test]
fn name_and_password_go_as_basic_authentication() {
    let server = server_for("Basic bWU6aHVudGVyMg==");
    let outcome = env(&kubeconfig(&server, &json!({"username": "me", "password": "hunter2"})));
    assert!(!outcome.stderr.contains("logged in") && !outcome.stderr.contains("hunter2"), "{}", outcome.stderr);
}
