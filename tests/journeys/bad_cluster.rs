//! Clusters whose own rules stand in the way: quotas, limits, policies, webhooks, a namespace that is going, definitions of
//! others. The rule is named in the server's words, with what to do; once it is gone, the same command finishes the job.

use std::time::{Duration, Instant};

use mizar_bed::Bed;
use serde_json::{Value, json};

use crate::cli::{Ended, Mizar};
use crate::cluster::{
    NAMESPACE, assert_healthy_and_nothing_doubled, bed, changes, create, get, names, patch, requests, send,
};

const SCALE: f64 = 0.1;
const PATIENCE: Duration = Duration::from_secs(20);
const NAMESPACES: &str = "/api/v1/namespaces";
const POLICIES: &str = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";
const BINDINGS: &str = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings";
const WEBHOOKS: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

fn own(plural: &str) -> String {
    format!("{NAMESPACES}/{NAMESPACE}/{plural}")
}

async fn install(bed: &Bed) -> Ended {
    Mizar::install(bed).impatient(SCALE).within(Duration::from_secs(60)).run().await
}

async fn delete(bed: &Bed, path: &str) {
    send(bed, "DELETE", path, None).await.unwrap_or_else(|error| panic!("DELETE {path}: {error}"));
}

/// The namespace as the plugin itself would make it, so that nothing of it is changed.
async fn own_namespace(bed: &Bed) {
    let level = "privileged";
    let labels = json!({"pod-security.kubernetes.io/enforce": level, "pod-security.kubernetes.io/audit": level,
        "pod-security.kubernetes.io/warn": level});
    create(bed, NAMESPACES, &json!({"metadata": {"name": NAMESPACE, "labels": labels}})).await;
}

/// Waits until the server refuses an object, for rules take a moment to hold.
async fn until_refused(bed: &Bed, path: &str, object: &Value) {
    let begun = Instant::now();
    while send(bed, "POST", &format!("{path}?dryRun=All"), Some(object)).await.is_ok() {
        assert!(begun.elapsed() < PATIENCE, "{path}: the rule does not hold");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn assert_nothing_changed(bed: &Bed) {
    let changes = changes(&requests(bed).await).filter(|entry| entry.code < 400);
    assert!(changes.is_empty(), "{}", changes.summary());
}

async fn assert_a_rerun_finishes_the_job(bed: &Bed) {
    install(bed).await.exits(0);
    assert_healthy_and_nothing_doubled(bed).await;
}

#[tokio::test]
async fn a_quota_on_secrets_refuses_the_first_write_of_all() {
    let bed = bed().await;
    own_namespace(&bed).await;
    create(
        &bed,
        &own("resourcequotas"),
        &json!({"metadata": {"name": "tight"}, "spec": {"hard": {"count/secrets": "0"}}}),
    )
    .await;
    until_refused(&bed, &own("secrets"), &json!({"metadata": {"name": "probe"}})).await;
    let refused = install(&bed).await;
    refused.exits(3).tells(&[
        "mizar-operation",
        "exceeded quota: tight",
        "nothing was changed\n",
        "kubectl describe resourcequota",
    ]);
    assert_nothing_changed(&bed).await;

    delete(&bed, &own("resourcequotas/tight")).await;
    assert_a_rerun_finishes_the_job(&bed).await;
}

#[tokio::test]
async fn a_policy_that_refuses_is_named_and_only_the_namespace_is_there() {
    let bed = bed().await;
    let everything = json!({"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["secrets"],
        "operations": ["CREATE", "UPDATE"]}]});
    let validations =
        json!([{"expression": "object.metadata.namespace != 'mizar-system'", "message": "ask the network team"}]);
    let spec = json!({"matchConstraints": everything, "validations": validations, "failurePolicy": "Fail"});
    create(&bed, POLICIES, &json!({"metadata": {"name": "no-secrets"}, "spec": spec})).await;
    let spec = json!({"policyName": "no-secrets", "validationActions": ["Deny"]});
    create(&bed, BINDINGS, &json!({"metadata": {"name": "no-secrets"}, "spec": spec})).await;
    own_namespace(&bed).await;
    until_refused(&bed, &own("secrets"), &json!({"metadata": {"name": "probe"}})).await;
    delete(&bed, &format!("{NAMESPACES}/{NAMESPACE}")).await;
    until_gone(&bed, NAMESPACES, NAMESPACE).await;

    let refused = install(&bed).await;
    refused.exits(3).tells(&[
        "no-secrets",
        "ask the network team",
        "nothing was changed but namespace mizar-system",
        "kubectl get validatingadmissionpolicies",
        "run the same command again",
    ]);
    for path in [format!("{BINDINGS}/no-secrets"), format!("{POLICIES}/no-secrets")] {
        delete(&bed, &path).await;
    }
    until_admitted(&bed).await;
    assert_a_rerun_finishes_the_job(&bed).await;
}

async fn until_gone(bed: &Bed, path: &str, name: &str) {
    let begun = Instant::now();
    while names(bed, path).await.contains(&name.to_owned()) {
        assert!(begun.elapsed() < PATIENCE, "{name} does not go");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn until_admitted(bed: &Bed) {
    let (path, probe) = (format!("{}?dryRun=All", own("secrets")), json!({"metadata": {"name": "probe"}}));
    let begun = Instant::now();
    while send(bed, "POST", &path, Some(&probe)).await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "the rule still holds");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_webhook_that_answers_nobody_stops_the_daemon_and_is_named() {
    let bed = bed().await;
    let rules =
        json!([{"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["daemonsets"], "operations": ["CREATE"]}]);
    let webhook = json!({"name": "guard.example.com", "rules": rules, "failurePolicy": "Fail", "timeoutSeconds": 1,
        "sideEffects": "None", "admissionReviewVersions": ["v1"], "clientConfig": {"url": "https://127.0.0.1:1/guard"}});
    create(&bed, WEBHOOKS, &json!({"metadata": {"name": "guard"}, "webhooks": [webhook]})).await;
    let probe = json!({"metadata": {"name": "probe"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template":
        {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "b"}]}}}});
    until_refused(&bed, "/apis/apps/v1/namespaces/default/daemonsets", &probe).await;
    let stopped = install(&bed).await;
    stopped.exits(5).tells(&[
        "DaemonSet mizar-system/mizar-daemon",
        "failed calling webhook \"guard.example.com\"",
        "kubectl get validatingwebhookconfigurations",
        "run the same command again",
    ]);
    delete(&bed, &format!("{WEBHOOKS}/guard")).await;
    assert_a_rerun_finishes_the_job(&bed).await;
}

#[tokio::test]
async fn pods_that_are_not_admitted_end_the_wait_early_with_the_rule() {
    let bed = bed().await;
    own_namespace(&bed).await;
    let quota = json!({"metadata": {"name": "tight"}, "spec": {"hard": {"pods": "0"}}});
    create(&bed, &own("resourcequotas"), &quota).await;
    let pod = json!({"metadata": {"name": "probe"}, "spec": {"containers": [{"name": "a", "image": "b"}]}});
    let begun = Instant::now();
    while get(&bed, &own("resourcequotas/tight")).await["status"]["hard"].is_null() {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let stopped = install(&bed).await;
    stopped.exits(5).tells(&[
        "pod of DaemonSet mizar-system/mizar-daemon: FailedCreate",
        "exceeded quota: tight",
        "waiting longer cannot help",
        "kubectl describe resourcequota",
        "kubectl -n mizar-system describe daemonset mizar-daemon",
        "run the same command again",
    ]);
    assert!(stopped.took < Duration::from_secs(30), "{stopped}");

    delete(&bed, &own("resourcequotas/tight")).await;
    let limit = json!({"metadata": {"name": "small"}, "spec": {"limits": [{"type": "Pod", "max": {"memory": "1Mi"}}]}});
    create(&bed, &own("limitranges"), &limit).await;
    until_refused(&bed, &own("pods"), &pod).await;
    let stopped = install(&bed).await;
    stopped.exits(5).tells(&["FailedCreate", "usage per Pod is 1Mi", "kubectl describe limitrange"]);

    delete(&bed, &own("limitranges/small")).await;
    assert_a_rerun_finishes_the_job(&bed).await;
}

#[tokio::test]
async fn a_namespace_that_is_going_or_forbids_privileged_pods_is_refused_before_anything_is_written() {
    let bed = bed().await;
    let namespace = json!({"metadata": {"name": NAMESPACE, "finalizers": ["example.com/hold"]}});
    create(&bed, NAMESPACES, &namespace).await;
    delete(&bed, &format!("{NAMESPACES}/{NAMESPACE}")).await;
    install(&bed).await.exits(3).tells(&[NAMESPACE, "nothing was changed"]);
    let path = format!("{NAMESPACES}/{NAMESPACE}");
    patch(&bed, &path, &json!({"metadata": {"finalizers": null}})).await;
    until_gone(&bed, NAMESPACES, NAMESPACE).await;

    let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
    let path = format!("{NAMESPACES}?fieldManager=security-team");
    create(&bed, &path, &json!({"metadata": {"name": NAMESPACE, "labels": labels}})).await;
    let refused = install(&bed).await;
    refused.exits(3).tells(&["pod-security.kubernetes.io/enforce", "security-team", "nothing was changed"]);
    assert_nothing_changed(&bed).await;
    delete(&bed, &format!("{NAMESPACES}/{NAMESPACE}")).await;
    until_gone(&bed, NAMESPACES, NAMESPACE).await;
    assert_a_rerun_finishes_the_job(&bed).await;
}

#[tokio::test]
async fn definitions_of_somebody_else_are_named() {
    let bed = bed().await;
    let definition = json!({"metadata": {"name": "vpcs.mizar.com"}, "spec": {"group": "mizar.com", "scope": "Cluster",
        "names": {"plural": "vpcs", "singular": "vpc", "kind": "Vpc"},
        "versions": [{"name": "v2", "served": true, "storage": true,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "string"}}}}}]}});
    create(&bed, DEFINITIONS, &definition).await;
    let refused = install(&bed).await;
    refused.exits(3).tells(&["CustomResourceDefinition vpcs.mizar.com", "helm list -A", "nothing was changed"]);
    assert_nothing_changed(&bed).await;
    delete(&bed, &format!("{DEFINITIONS}/vpcs.mizar.com")).await;
    until_gone(&bed, DEFINITIONS, "vpcs.mizar.com").await;
    assert_a_rerun_finishes_the_job(&bed).await;
}
