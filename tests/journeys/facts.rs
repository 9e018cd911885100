//! What was read is kept in a file and judged again without any cluster: the same verdicts, and no secret in it.

use std::path::Path;

use base64::Engine as _;
use mizar_bed::{Bed, Role};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cli::Mizar;
use crate::cluster::{address_of_new_pod, bed, create, installed, items};

/// A call without kubeconfig and cluster, with a file of facts.
async fn replayed(line: &str, facts: &Path) -> crate::cli::Ended {
    Mizar::nowhere().args(line).arg("--facts").arg(facts).run().await
}

#[tokio::test]
async fn saved_facts_are_judged_as_they_were_on_the_cluster() {
    let bed = installed().await;
    let folder = TempDir::new().unwrap();
    let saved = folder.path().join("facts.json");
    address_of_new_pod(&bed, "web").await;
    // Something to find, too.
    let leak = json!({"apiVersion": "mizar.com/v1", "kind": "Droplet", "metadata": {"name": "gone", "namespace": "default"},
        "spec": {"status": "Provisioned", "mac": "02:00:00:00:00:09", "ip": "10.9.9.9", "main_ip": "10.9.9.9", "itf": "eth0"}});
    create(&bed, "/apis/mizar.com/v1/namespaces/default/droplets", &leak).await;

    let live = Mizar::on(&bed).args("check -o json --save-facts").arg(&saved).run().await;
    let again = replayed("check -o json", &saved).await;
    assert_eq!((again.code, &again.stdout), (live.code, &live.stdout), "{live}\n{again}");
    let table = replayed("check", &saved).await;
    table.prints(&["gone"]);

    // Facts of `env` hold what both phases of the check need.
    let env = Mizar::on(&bed).args("env -o json").run().await;
    env.exits(0);
    let whole = folder.path().join("env.json");
    std::fs::write(&whole, &env.stdout).unwrap();
    let again = replayed("check -o json", &whole).await;
    let statuses = |text: &str| {
        let report: Value = serde_json::from_str(text).unwrap();
        report["checks"].as_array().unwrap().iter().map(|check| check["status"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(statuses(&again.stdout), statuses(&live.stdout));
    replayed("env", &whole).await.exits(0).prints(&["Environment: Kubernetes", "in namespace mizar-system"]);
    replayed("status", &whole).await.exits(0).prints(&["daemon ready on 3 of 3", "gone", "from a file"]);
    let refused = replayed("check --wait", &whole).await;
    refused.exits(2).tells(&["--facts", "--wait"]);

    assert_holds_no_secret(&bed, &env.stdout).await;
    assert_holds_no_secret(&bed, &std::fs::read_to_string(&saved).unwrap()).await;
}

/// Puts a mark into everything of a pod that may hold a secret, then looks for it and for all that the cluster's secrets hold.
async fn assert_holds_no_secret(bed: &Bed, facts: &str) {
    let kubeconfig = std::fs::read_to_string(bed.kubeconfig(Role::Admin)).unwrap();
    let kubeconfig: Value = serde_json::from_str(&kubeconfig).unwrap();
    let token = kubeconfig["users"][0]["user"]["token"].as_str().unwrap();
    assert!(!facts.contains(token), "the token of the kubeconfig");
    let mut looked_for = 0;
    for secret in items(bed, "/api/v1/secrets").await {
        for (key, value) in secret["data"].as_object().into_iter().flatten() {
            let plain = base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap()).unwrap();
            let plain = String::from_utf8_lossy(&plain);
            assert!(
                !facts.contains(value.as_str().unwrap()) && !facts.contains(&*plain),
                "{}: {key}",
                secret["metadata"]
            );
            looked_for += 1;
        }
    }
    assert!(looked_for > 2, "there are secrets to look for");
}

#[tokio::test]
async fn a_pod_full_of_secrets_leaves_none_of_them_in_the_facts() {
    const MARK: &str = "hunter2";
    let bed = bed().await;
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "vault", "annotations": {"note": MARK}}, "spec": {
        "imagePullSecrets": [{"name": MARK}], "volumes": [{"name": "v", "secret": {"secretName": MARK}}],
        "containers": [{"name": "main", "image": "registry.example/any:1", "args": [MARK],
            "env": [{"name": "PASSWORD", "value": MARK}]}]}});
    create(&bed, "/api/v1/namespaces/default/pods", &pod).await;
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "system-source"},
        "data": {"name": "kubernetes", "password": MARK}});
    create(&bed, "/api/v1/namespaces/kube-system/configmaps", &map).await;
    for format in ["json", "yaml"] {
        let env = Mizar::on(&bed).args("env -o").args(format).run().await;
        env.exits(0).prints(&["vault"]);
        assert!(!env.stdout.contains(MARK), "{env}");
    }
}
