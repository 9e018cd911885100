//! Who may read less gets less, by name; with the published roles nothing is refused.

use mizar_bed::{Bed, Role};
use mizar_core::yaml::{DuplicateKeys, read_all};
use serde_json::{Value, json};

use super::taken;
use crate::cli::root;
use crate::cluster::{installed, send};
use crate::restart::until;

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";

/// Gives a role of the bed what a published file says.
async fn grant(bed: &Bed, role: Role, file: &str) {
    let text = std::fs::read_to_string(root().join(file)).unwrap();
    let subjects = json!([{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": role.name()}]);
    for (object, _) in read_all(&text, DuplicateKeys::Refuse).unwrap() {
        let (kind, name) = (object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
        let (place, plural) = match object["metadata"]["namespace"].as_str() {
            Some(namespace) => (format!("{RBAC}/namespaces/{namespace}"), "role"),
            None => (RBAC.to_owned(), "clusterrole"),
        };
        let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": format!("{kind}Binding"),
            "metadata": {"name": name}, "subjects": subjects,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}});
        apply(bed, &format!("{place}/{plural}s/{name}"), &object).await;
        apply(bed, &format!("{place}/{plural}bindings/{name}"), &binding).await;
    }
}

async fn apply(bed: &Bed, path: &str, object: &Value) {
    send(bed, "PATCH", &format!("{path}?fieldManager=test&force=true"), Some(object)).await.unwrap();
}

/// Roles take effect a moment after they are written.
async fn until_it_may(bed: &Bed, role: Role, right: &Value) {
    let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": {"user": role.name(), "resourceAttributes": right}});
    until("the role takes effect", async || {
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        send(bed, "POST", path, Some(&review)).await.unwrap()["status"]["allowed"] == true
    })
    .await;
}

#[tokio::test]
async fn with_the_published_roles_nothing_is_refused_and_nothing_is_missing() {
    let bed = installed().await;
    let role = Role::Spare2;
    grant(&bed, role, "docs/rbac/reader.yaml").await;
    grant(&bed, role, "docs/rbac/bundle.yaml").await;
    let logs = json!({"verb": "get", "resource": "pods", "subresource": "log", "namespace": "mizar-system"});
    until_it_may(&bed, role, &logs).await;
    until_it_may(&bed, role, &json!({"verb": "list", "resource": "secrets", "namespace": "mizar-system"})).await;
    let bundle = taken(&bed, role, "").await;
    assert_eq!(bundle.index()["missing"], json!([]), "{}", bundle.told);
    let trail = bed.audit().await.unwrap().by(role);
    assert!(trail.count() > 30 && trail.writes().is_empty(), "{}", trail.summary());
    let refused = trail.filter(|entry| entry.code >= 400 && entry.code != 404);
    assert!(refused.is_empty(), "{}", refused.summary());
}

#[tokio::test]
async fn a_reader_gets_a_bundle_without_logs_and_is_told_so() {
    let bed = installed().await;
    let role = Role::Spare3;
    grant(&bed, role, "docs/rbac/reader.yaml").await;
    until_it_may(&bed, role, &json!({"verb": "list", "resource": "secrets", "namespace": "mizar-system"})).await;
    until_it_may(&bed, role, &json!({"verb": "list", "resource": "nodes"})).await;
    let bundle = taken(&bed, role, "").await;
    assert_eq!(bundle.paths("logs/").len(), 0);
    assert_eq!(bundle.missing("objects/replicasets.apps"), Some("denied"));
    assert!(bundle.told.contains("mizar-operator.log: cannot read the log"), "{}", bundle.told);
    assert!(bundle.files.contains_key("check.json") && bundle.files.contains_key("releases/mizar/v1/values.yaml"));
    assert_eq!(bundle.paths("objects/droplets.mizar.com/").len(), 3);
}

#[tokio::test]
async fn who_may_read_nothing_gets_a_bundle_that_says_so() {
    let bed = installed().await;
    let bundle = taken(&bed, Role::Nobody, "").await;
    for what in
        ["objects/nodes", "objects/pods (app=mizar-operator)", "releases", "operation.json", "events/default.yaml"]
    {
        assert_eq!(bundle.missing(what), Some("denied"), "{what}: {}", bundle.told);
    }
    assert!(bundle.told.contains("which index.json names"), "not everything is told: {}", bundle.told);
    assert!(bundle.files.contains_key("version.json") && bundle.files.contains_key("check.txt"));
    bundle.is_well_formed();
    assert!(bed.audit().await.unwrap().by(Role::Nobody).writes().is_empty());
}
