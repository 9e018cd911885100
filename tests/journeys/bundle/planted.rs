//! Secrets that somebody left wherever one may be: none is in a bundle, packed or told.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Response;
use http::request::Parts;
use mizar_bed::Role;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::unpacked::Unpacked;
use crate::cli::Mizar;
use crate::cluster::{NAMESPACE, bed, create, operation, patch};
use crate::proxy::{Manner, Proxy, Verdict};

/// What is planted, each in a place of its own.
const PLANTED: [&str; 16] = [
    "planted-in-values",
    "planted-by-flag",
    "planted-secret",
    "planted-variable",
    "planted-argument",
    "planted-flag",
    "planted-applied",
    "planted-bearer-in-event",
    "planted-in-log",
    "planted-bearer-in-log",
    "planted-key-in-log",
    "planted-in-kubeconfig",
    "planted-user",
    "planted-in-condition",
    "planted-token-in-map",
    "planted-in-status",
];

/// Logs in which programs say what they should not.
struct Talkative;

impl Manner for Talkative {
    fn receive(&self, request: &mut Parts) -> Verdict {
        if !request.uri.path().ends_with("/log") {
            return Verdict::Forward;
        }
        let log = "2026-01-01T00:00:00Z the first line\n\
            2026-01-01T00:00:01Z password=planted-in-log\n\
            2026-01-01T00:00:02Z > GET /api Authorization: Bearer planted-bearer-in-log\n\
            2026-01-01T00:00:03Z -----BEGIN RSA PRIVATE KEY-----\n\
            2026-01-01T00:00:03Z planted-key-in-log\n\
            2026-01-01T00:00:03Z -----END RSA PRIVATE KEY-----\n\
            2026-01-01T00:00:04Z from https://planted-user:planted-user@registry.example/v2\n\
            2026-01-01T00:00:05Z the last line\n";
        Verdict::Answer(Response::builder().header("Content-Type", "text/plain").body(log.to_owned()).unwrap())
    }
}

fn all_forms(token: &str) -> Vec<String> {
    let plain = PLANTED.into_iter().map(str::to_owned).chain([token.to_owned()]);
    plain.flat_map(|plain| [STANDARD.encode(&plain), plain]).collect()
}

#[tokio::test]
async fn no_secret_that_somebody_left_anywhere_is_in_a_bundle() {
    let bed = bed().await;
    let folder = TempDir::new().unwrap();
    let values = folder.path().join("values.yaml");
    std::fs::write(&values, format!("global: {{any: {}}}\n", PLANTED[0])).unwrap();
    let set = format!("--set=global.key={}", PLANTED[1]);
    Mizar::install(&bed).arg(format!("-f={}", values.display())).arg(set).run().await.exits(0);
    let intent = json!(operation(&bed).await.intent).to_string();
    assert!(PLANTED[..2].iter().all(|value| intent.contains(value)), "what is planted is in the cluster: {intent}");

    let applied = json!({"kind": "Secret", "data": {"x": PLANTED[6]}}).to_string();
    let secret = json!({"metadata": {"name": "mizar-login", "annotations":
        {"kubectl.kubernetes.io/last-applied-configuration": applied}}, "stringData": {"password": PLANTED[2]}});
    create(&bed, &format!("/api/v1/namespaces/{NAMESPACE}/secrets"), &secret).await;
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "mizar-beside", "annotations":
            {"kubectl.kubernetes.io/last-applied-configuration": applied}},
        "spec": {"hostNetwork": true, "containers": [{"name": "main", "image": "registry.example/any:1",
            "args": [format!("--password={}", PLANTED[4]), "--auth-token", PLANTED[5]],
            "env": [{"name": "API_TOKEN", "value": PLANTED[3]}, {"name": "LEVEL", "value": "debug"}]}]}});
    create(&bed, &format!("/api/v1/namespaces/{NAMESPACE}/pods"), &pod).await;
    let event = json!({"metadata": {"name": "mizar-x.1"}, "type": "Warning", "reason": "Failed",
        "message": format!("cannot pull: Authorization: Bearer {}", PLANTED[7]),
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": NAMESPACE, "name": "mizar-x"}});
    create(&bed, &format!("/api/v1/namespaces/{NAMESPACE}/events"), &event).await;
    let kubeconfig = format!("users:\n- name: a\n  user:\n    token: {}\n    password: {0} and more\n", PLANTED[11]);
    let map = json!({"metadata": {"name": "system-source"}, "data": {"name": "kubernetes", "config": kubeconfig, "token": PLANTED[14]}});
    create(&bed, "/api/v1/namespaces/kube-system/configmaps", &map).await;
    let annotation = json!({"metadata": {"annotations": {"client-secret": PLANTED[13],
        "note": format!("log in: https://me:{}@host/", PLANTED[15])}}});
    patch(&bed, "/api/v1/nodes/node-1", &annotation).await;

    let proxy = Proxy::before(&bed, Talkative).await;
    let path = folder.path().join("b.tar.gz");
    let ended = Mizar::on(&bed).env("KUBECONFIG", proxy.kubeconfig()).args("bundle -v 9 -f").arg(&path).run().await;
    ended.exits(0);
    let bundle = Unpacked::read(&path, ended.stderr.clone());
    let config: Value = serde_json::from_str(&std::fs::read_to_string(bed.kubeconfig(Role::Admin)).unwrap()).unwrap();
    let secrets = all_forms(config["users"][0]["user"]["token"].as_str().unwrap());
    bundle.holds_none_of(&secrets);
    for secret in &secrets {
        assert!(!ended.stdout.contains(secret) && !ended.stderr.contains(secret), "{secret} is in\n{ended}");
    }

    // It is not for want of looking: what stands around the secrets is there.
    bundle.is_well_formed();
    assert_eq!(bundle.index()["missing"], json!([]), "{ended}");
    let log = bundle.paths("logs/").into_iter().find(|path| path.ends_with("/mizar-operator.log")).unwrap();
    let log = bundle.text(&log);
    assert!(log.contains("the first line") && log.contains("the last line") && log.contains("(masked)"), "{log}");
    let pod = bundle.text(&format!("objects/pods/{NAMESPACE}/mizar-beside.yaml"));
    assert!(pod.contains("API_TOKEN") && pod.contains("value: debug") && pod.contains("--auth-token"), "{pod}");
    assert!(bundle.text(&format!("events/{NAMESPACE}.yaml")).contains("cannot pull: Authorization: (masked)"));
    assert!(bundle.text("objects/configmaps/kube-system/system-source.yaml").contains("name: kubernetes"));
    assert!(bundle.text("releases/mizar/v1/values.yaml").contains("any: (masked)"));
    assert!(bundle.text("operation.json").contains("\"any\": \"(masked)\""));
}
