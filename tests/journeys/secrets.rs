//! No secret of a person or of the cluster comes out of a command that speaks to a real server, however much it logs, nor lies
//! in a file that it writes. What servers do that are none is tried in tests/cli/secrets.rs.

use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mizar_bed::{Bed, Role};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cli::{Ended, Mizar};
use crate::cluster::{NAMESPACE, bed, create, get, operation};

/// In the values of a release, by a file and by a flag.
const VALUES: [&str; 2] = ["planted-in-values", "planted-by-flag"];
/// In Secrets that are in the way of every list.
const SECRET: &str = "planted-secret";

/// All that must not come out, and the token that logs us in.
fn planted(bed: &Bed) -> Vec<String> {
    let kubeconfig = std::fs::read_to_string(bed.kubeconfig(Role::Admin)).unwrap();
    let kubeconfig: Value = serde_json::from_str(&kubeconfig).unwrap();
    let token = kubeconfig["users"][0]["user"]["token"].as_str().unwrap().to_owned();
    let plain = VALUES.into_iter().chain([SECRET]).map(str::to_owned).chain([token]);
    plain.flat_map(|plain| [STANDARD.encode(&plain), plain]).collect()
}

#[track_caller]
fn shows_none_of(planted: &[String], ended: &Ended) {
    for secret in planted {
        assert!(!ended.stdout.contains(secret) && !ended.stderr.contains(secret), "{secret} is in\n{ended}");
    }
}

#[tokio::test]
async fn nothing_secret_is_shown_logged_or_saved_while_a_network_is_installed_checked_and_repaired() {
    let bed = bed().await;
    for (namespace, name, kind) in [("kube-system", "any", "Opaque"), ("default", "login", "example.com/login")] {
        let secret = json!({"metadata": {"name": name}, "type": kind, "stringData": {"password": SECRET}});
        create(&bed, &format!("/api/v1/namespaces/{namespace}/secrets"), &secret).await;
    }
    let planted = planted(&bed);
    let folder = TempDir::new().unwrap();
    let (values, facts) = (folder.path().join("values.yaml"), folder.path().join("facts.json"));
    std::fs::write(&values, format!("global: {{password: {}}}\n", VALUES[0])).unwrap();
    let with_values = |line: &str| {
        let flags = [format!("-f={}", values.display()), format!("--set=global.key={}", VALUES[1])];
        flags.iter().fold(Mizar::on(&bed).args(line), Mizar::arg)
    };

    let mut ended = Vec::new();
    for line in
        ["install --profile dev --plan", "install --profile dev --plan -o json", "install --profile dev -y -o json"]
    {
        ended.push(with_values(line).args("-v 9").run().await);
    }
    let intent = json!(operation(&bed).await.intent).to_string();
    assert!(VALUES.iter().all(|value| intent.contains(value)), "what is planted is in the cluster: {intent}");
    for line in
        ["check", "check --pre -o json", "status -o json", "env -o yaml", "repair --plan", "repair -y", "install -y"]
    {
        ended.push(Mizar::on(&bed).args(line).args("-v 9").run().await);
    }
    ended.push(Mizar::on(&bed).args("check -v 9 --save-facts").arg(&facts).run().await);
    for ended in &ended {
        ended.exits(0).tells(&["status=200"]);
        shows_none_of(&planted, ended);
    }
    let mode = std::fs::metadata(&facts).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "{mode:o}");
    let facts = std::fs::read_to_string(&facts).unwrap();
    assert!(facts.contains("mizar-daemon") && planted.iter().all(|secret| !facts.contains(secret)));

    // Nor does a record that is damaged come out with what tells that it is.
    let record = format!("/api/v1/namespaces/{NAMESPACE}/secrets/mizar-operation");
    let mut content: Value = serde_json::to_value(operation(&bed).await).unwrap();
    content["startedAt"] = json!(SECRET);
    let mut secret = get(&bed, &record).await;
    secret["data"]["operation"] = json!(STANDARD.encode(content.to_string()));
    crate::cluster::send(&bed, "PUT", &record, Some(&secret)).await.unwrap();
    for (line, code) in [("status -v 9", 0), ("check -v 9", 0), ("repair -y -v 9", 3), ("install -y -v 9", 3)] {
        let ended = Mizar::on(&bed).args(line).run().await;
        ended.exits(code);
        assert!(ended.stdout.contains("mizar-operation") || ended.stderr.contains("mizar-operation"), "{ended}");
        shows_none_of(&planted, &ended);
    }
}
