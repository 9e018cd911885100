//! No secret in any output, whatever fails and however much is logged.

use serde_json::json;
use std::os::unix::fs::PermissionsExt as _;

use crate::fake_server::{Fake, Reply, SelfSigned, http, refusal};
use crate::program::Place;

/// What each place holds; none of it may come out.
const SECRETS: [&str; 6] = [
    "planted-flag-token",
    "planted-token",
    "planted-file-token",
    "planted-exec-token",
    "planted-password",
    "planted-proxy",
];

const COMMANDS: [&[&str]; 7] = [
    &["check"],
    &["check", "--pre", "-o", "json"],
    &["status", "-o", "json"],
    &["env", "-o", "yaml"],
    &["install", "--profile", "dev", "-y", "-o", "json"],
    &["repair", "-y"],
    &["bundle"],
];

/// Servers that fail in different ways; some say back what they heard.
fn servers() -> Vec<Fake> {
    let own = SelfSigned::of(&["127.0.0.1"], |_| {});
    let answers: [fn(&str) -> Reply; 4] = [
        |_| refusal(401, "Unauthorized", "no"),
        |_| refusal(403, "Forbidden", "no"),
        |_| http("200 OK", "text/html", "<html>log in</html>"),
        // A Secret that is cut off is not shown as an answer that cannot be read.
        |_| http("200 OK", "application/json", "{\"kind\": \"Secret\", \"data\": {\"a\": \"planted-password"),
    ];
    answers.map(|answer| Fake::with(&own, answer)).into()
}

fn place(server: &Fake, user: &serde_json::Value, proxy: Option<&str>) -> (Place, String) {
    let me = SelfSigned::of(&["me"], |_| {});
    let config = json!({"current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": server.url(), "certificate-authority": "ca.pem", "proxy-url": proxy}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]});
    let key = me.key.lines().nth(1).unwrap().to_owned();
    let script = "#!/bin/sh\ncat <<'END'\n{\"apiVersion\": \"client.authentication.k8s.io/v1\", \"kind\": \"ExecCredential\", \"status\": {\"token\": \"planted-exec-token\"}}\nEND\n";
    let place = Place::with(".kube/config", config.to_string())
        .and(".kube/ca.pem", &server.certificate)
        .and(".kube/me.pem", &me.certificate)
        .and(".kube/me.key", &me.key)
        .and(".kube/token", "planted-file-token\n")
        .and(".kube/login", script)
        .variable("PATH", "/usr/bin:/bin")
        .variable("MIZAR_TIME_SCALE", "0.3");
    std::fs::set_permissions(place.path(".kube/login"), std::fs::Permissions::from_mode(0o755)).unwrap();
    (place, key)
}

#[test]
fn no_command_shows_a_secret_however_much_it_logs() {
    let certificate = json!({"client-certificate": "me.pem", "client-key": "me.key"});
    let exec = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./login", "interactiveMode": "Never"}});
    let users = [
        json!({"token": "planted-token"}),
        json!({"tokenFile": "token"}),
        json!({"username": "me", "password": "planted-password"}),
        certificate,
        exec,
    ];
    let servers = servers();
    for (number, user) in users.iter().enumerate() {
        let server = &servers[number % servers.len()];
        let (place, key) = place(server, user, None);
        for command in COMMANDS {
            for flag in [&[][..], &["--token", "planted-flag-token"]] {
                let arguments: Vec<&str> = command.iter().chain(flag).chain(&["-v", "9"]).copied().collect();
                if !flag.is_empty() && user.get("username").is_none() {
                    continue;
                }
                let outcome = place.run(&arguments);
                let said = format!("{}{}", outcome.stdout, outcome.stderr);
                for secret in SECRETS.into_iter().chain([key.as_str()]) {
                    assert!(!said.contains(secret), "{arguments:?} as {user} shows {secret}:\n{said}");
                }
                assert!(outcome.stderr.contains("status="), "the log is on: {}", outcome.stderr);
            }
        }
    }
}

#[test]
fn the_password_of_a_proxy_is_not_shown() {
    let proxy = Fake::plain(|_| http("407 Proxy Authentication Required", "text/plain", "no"));
    let url = proxy.url().replace("http://", "http://me:planted-proxy@");
    let server = servers().remove(0);
    let (in_file, _) = place(&server, &json!({"token": "planted-token"}), Some(&url));
    let in_variable = Place::empty().variable("HTTPS_PROXY", &url);
    for outcome in [
        in_file.run(&["check", "-v", "9"]),
        in_variable.run(&[
            "check",
            "-v",
            "9",
            "--server",
            "https://api.mizar.invalid",
            "--token",
            "planted-flag-token",
        ]),
    ] {
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert_eq!(outcome.code, 4, "{said}");
        assert!(SECRETS.iter().all(|secret| !said.contains(secret)), "{said}");
        assert!(said.contains("through the proxy http://127.0.0.1:"), "{said}");
    }
}
