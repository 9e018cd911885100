//! `status --drift`: what somebody has changed past the records, field by field and with whom the server noted, and nothing
//! that the server fills in by itself.

use mizar_bed::{Bed, Role};
use serde_json::{Value, json};

use crate::cli::{Mizar, root};
use crate::cluster::{NAMESPACE, bed, changes, get, installed, patch, send};
use crate::restart::OPERATOR;

const ACCOUNT: &str = "/api/v1/namespaces/mizar-system/serviceaccounts/mizar-operator";

/// As a person does it.
fn kubectl(bed: &Bed, arguments: &[&str]) {
    let output = bed.kubectl().unwrap().args(arguments).output().unwrap();
    assert!(output.status.success(), "kubectl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

async fn assert_none(bed: &Bed) {
    let none = Mizar::on(bed).args("status --drift").run().await;
    none.exits(0).prints(&["No drift: all ", " objects are as they were recorded"]);
}

#[tokio::test]
async fn every_change_past_the_records_is_told_with_who_made_it() {
    let bed = bed().await;
    Mizar::on(&bed).args("status --drift").run().await.exits(1).tells(&["no release of Mizar is recorded"]);
    Mizar::install(&bed).run().await.exits(0);
    let mark = bed.mark().await.unwrap();
    assert_none(&bed).await;

    let role = r#"[{"op": "replace", "path": "/rules/0/verbs", "value": ["get"]}]"#;
    kubectl(&bed, &["patch", "clusterrole", "mizar:operator", "--type=json", "-p", role]);
    kubectl(&bed, &["label", "crd", "vpcs.mizar.com", "app.kubernetes.io/managed-by=me", "--overwrite"]);
    kubectl(&bed, &["annotate", "crd", "vpcs.mizar.com", "note=ours-is-not-touched"]);
    let account = get(&bed, ACCOUNT).await;
    kubectl(&bed, &["delete", "serviceaccount", "-n", NAMESPACE, "mizar-operator"]);

    let drift = Mizar::on(&bed).args("status --drift").run().await;
    drift.exits(10).prints(&[
        "Recorded: mizar revision 1 deployed, in namespace mizar-system",
        "~ ClusterRole mizar:operator (release mizar)",
        ".rules[0].verbs: [\"get\",\"list\",",
        "→ [\"get\"], set by kubectl-patch at 20",
        "~ CustomResourceDefinition vpcs.mizar.com (release mizar-crds)",
        ".metadata.labels[app.kubernetes.io/managed-by]: \"Helm\" → \"me\", set by kubectl-label at 20",
        "- ServiceAccount mizar-system/mizar-operator (release mizar): is missing",
        "Drift: 3 of ",
    ]);
    drift.tells(&["kubectl mizar install --plan"]);
    assert!(!drift.stdout.contains("ours-is-not-touched"), "{drift}");
    let document = Mizar::on(&bed).args("status --drift -o json").run().await;
    document.exits(10);
    let document: Value = serde_json::from_str(&document.stdout).unwrap();
    assert_eq!((&document["kind"], &document["drifted"]), (&json!("Drift"), &json!(true)));
    let kinds: Vec<&str> =
        document["objects"].as_array().unwrap().iter().filter_map(|it| it["drift"].as_str()).collect();
    assert_eq!(kinds, ["changed", "missing", "changed"], "{document:#}");
    let missing = Mizar::on(&bed).args("status --drift -o name").run().await;
    missing
        .exits(10)
        .prints(&["serviceaccount/mizar-operator\n", "clusterrole.rbac.authorization.k8s.io/mizar:operator\n"]);
    let trail = changes(&bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/"));
    assert!(trail.is_empty(), "who looks writes nothing: {}", trail.summary());

    kubectl(&bed, &["label", "crd", "vpcs.mizar.com", "app.kubernetes.io/managed-by=Helm", "--overwrite"]);
    let recorded = r#"[{"op": "replace", "path": "/rules/0/verbs", "value": ["get", "list", "watch", "create", "patch", "delete"]}]"#;
    kubectl(&bed, &["patch", "clusterrole", "mizar:operator", "--type=json", "-p", recorded]);
    Mizar::on(&bed).args("install -y").run().await.exits(0);
    assert_ne!(get(&bed, ACCOUNT).await["metadata"]["uid"], account["metadata"]["uid"], "it was made again");
    assert_none(&bed).await;
}

#[tokio::test]
async fn what_helm_changed_is_recorded_and_so_no_drift_and_a_scaled_operator_is() {
    let bed = installed().await;
    for mut helm in [bed.helm4().unwrap(), bed.helm3().unwrap()] {
        let line = format!("upgrade mizar charts/mizar --reuse-values --set resourceQuota.create=true -n {NAMESPACE}");
        let output = helm.args(line.split_whitespace()).current_dir(root()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_none(&bed).await;
    }
    kubectl(&bed, &["scale", "deployment", "-n", NAMESPACE, "mizar-operator", "--replicas=0"]);
    let drift = Mizar::on(&bed).args("status --drift").run().await;
    // Of a scale to 0 the server notes nobody: a Scale leaves that number out.
    drift.exits(10).prints(&["Deployment mizar-system/mizar-operator", ".spec.replicas: 1 → 0\n"]);
    patch(&bed, OPERATOR, &json!({"spec": {"replicas": 1}})).await;
    assert_none(&bed).await;
}

#[tokio::test]
async fn what_may_not_be_read_is_unknown_and_not_passed_over() {
    let bed = installed().await;
    // May read secrets and nothing else that the charts make.
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": "records", "namespace": NAMESPACE},
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}]});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "records", "namespace": NAMESPACE},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "records"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": Role::Spare1.name()}]});
    let path = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}");
    for (plural, object) in [("roles", role), ("rolebindings", binding)] {
        send(&bed, "POST", &format!("{path}/{plural}"), Some(&object)).await.unwrap();
    }
    crate::restart::until("the role has taken effect", async || {
        Mizar::by(&bed, Role::Spare1).args(&format!("history -n {NAMESPACE}")).run().await.code == Some(0)
    })
    .await;
    let unknown = Mizar::by(&bed, Role::Spare1).args("status --drift").run().await;
    unknown.exits(4).prints(&["you are not allowed to get clusterrole.rbac.authorization.k8s.io/mizar:operator"]);
    unknown.prints(&["Unknown: "]).tells(&["docs/rbac/reader.yaml"]);
}
