//! The support bundle: what is in it on a cluster that is well, on one that is not, and where rights, time or room are missing.

mod evidence;
mod limits;
mod planted;
mod rights;
mod unpacked;

use mizar_bed::{Bed, Fault, FaultOrder, Role};
use mizar_core::yaml::{DuplicateKeys, read_all};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use tempfile::TempDir;

use crate::cli::Mizar;
use crate::cluster::{bed, create, get, installed, patch, send};
use crate::restart::until;
use unpacked::Unpacked;

/// Takes a bundle as a role and unpacks it.
async fn taken(bed: &Bed, role: Role, flags: &str) -> Unpacked {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("taken.tar.gz");
    let ended = Mizar::by(bed, role).args("bundle").args(flags).arg("-f").arg(&path).run().await;
    ended.exits(0);
    assert_eq!(ended.stdout, format!("{}\n", path.display()), "{ended}");
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing is left beside it: {names:?}");
    Unpacked::read(&path, ended.stderr)
}

#[tokio::test]
async fn on_a_cluster_that_is_well_everything_is_in_it_and_nothing_was_written() {
    let bed = installed().await;
    // A pod that has waited for its network, so that a check has something to say of somebody else's.
    let folder = TempDir::new().unwrap();
    let mark = bed.mark().await.unwrap();
    let ended = Mizar::on(&bed).inside(folder.path()).args("bundle -o json").run().await;
    ended.exits(0);
    let trail = bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/");
    assert!(trail.count() > 30 && trail.writes().is_empty(), "{}", trail.summary());

    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    let name = told["file"].as_str().unwrap();
    assert!(name.starts_with("mizar-bundle-20") && name.ends_with("Z.tar.gz"), "{name}");
    let path = folder.path().join(name);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let bundle = Unpacked::read(&path, ended.stderr.clone());
    assert_eq!(format!("{}.tar.gz", bundle.root), name);
    assert_eq!(bundle.index()["missing"], json!([]), "{ended}");
    for (key, value) in bundle.index().as_object().unwrap() {
        assert_eq!(*value, told[key], "{key}");
    }
    assert!(!ended.stderr.contains("not in the bundle"), "{ended}");

    for path in [
        "version.json",
        "environment.json",
        "check.json",
        "facts.json",
        "operation.json",
        "releases/mizar/v1/metadata.json",
        "releases/mizar/v1/values.yaml",
        "releases/mizar-crds/v1/manifest.yaml",
        "objects/daemonsets.apps/mizar-system/mizar-daemon.yaml",
        "objects/deployments.apps/mizar-system/mizar-operator.yaml",
        "objects/vpcs.mizar.com/default/vpc0.yaml",
        "objects/nodes/node-3.yaml",
        "objects/customresourcedefinitions.apiextensions.k8s.io/vpcs.mizar.com.yaml",
        "objects/clusterroles.rbac.authorization.k8s.io/mizar_operator.yaml",
        "events/mizar-system.yaml",
    ] {
        assert!(bundle.files.contains_key(path), "{path} is not in {:?}", bundle.files.keys());
    }
    let pods = bundle.paths("objects/pods/mizar-system/");
    assert_eq!(pods.len(), 4, "three daemons and an operator: {pods:?}");
    let logs = bundle.paths("logs/");
    assert!(logs.iter().any(|path| path.ends_with("/mizar-operator.log")), "{logs:?}");
    assert_eq!(logs.iter().filter(|path| path.ends_with("/mizar-daemon.log")).count(), 3, "{logs:?}");
    assert!(bundle.text(&logs[0]).contains("a pod of the test bed"), "{}", bundle.text(&logs[0]));
    assert!(bundle.files.keys().all(|path| !path.contains("secrets")), "{:?}", bundle.files.keys());
    bundle.is_well_formed();
    let definitions = bundle.text("releases/mizar-crds/v1/manifest.yaml");
    assert_eq!(definitions.matches("kind: CustomResourceDefinition").count(), 6, "{definitions}");
    assert!(bundle.text("check.txt").contains("\n  ✓ A daemon is ready on every node"), "{}", bundle.text("check.txt"));
    assert!(!bundle.text("check.txt").contains('\u{1b}'), "colours are for terminals");
    assert_eq!(bundle.json("operation.json")["command"], "install");
    assert_eq!(bundle.json("version.json")["mizar"]["namespace"], "mizar-system");

    // Somebody else can judge it without the cluster, and compare it with what comes later.
    let place = TempDir::new().unwrap();
    for name in ["facts.json", "check.json"] {
        std::fs::write(place.path().join(name), bundle.text(name)).unwrap();
    }
    let judged = Mizar::nowhere().inside(place.path()).args("check --facts facts.json -o json").run().await;
    judged.exits(0);
    let [judged, packed]: [Value; 2] =
        [judged.stdout.as_str(), bundle.text("check.json")].map(|text| serde_json::from_str(text).unwrap());
    let statuses = |report: &Value| {
        report["checks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|check| [check["id"].clone(), check["status"].clone()])
            .collect::<Vec<_>>()
    };
    // The record of the last change is in no file of facts.
    let differing: Vec<_> = statuses(&judged).into_iter().zip(statuses(&packed)).filter(|(a, b)| a != b).collect();
    assert!(differing.is_empty(), "{differing:?}");
    Mizar::on(&bed).inside(place.path()).args("check --baseline check.json").run().await.exits(0);
}

#[tokio::test]
async fn before_an_install_what_the_cluster_does_not_have_is_only_noted() {
    let bed = bed().await;
    let bundle = taken(&bed, Role::Admin, "").await;
    assert_eq!(bundle.missing("objects/vpcs.mizar.com"), Some("absent"));
    assert_eq!(bundle.missing("releases"), Some("absent"));
    assert_eq!(bundle.missing("operation.json"), Some("absent"));
    assert!(!bundle.told.contains("not in the bundle"), "{}", bundle.told);
    assert_eq!(bundle.paths("objects/nodes/").len(), 3);
    bundle.is_well_formed();
}

#[tokio::test]
async fn on_a_half_broken_cluster_what_is_left_is_in_it() {
    let bed = installed().await;
    bed.fault(FaultOrder { fault: Fault::OperatorCrashLoop, node: None }).await.unwrap();
    let is_crashing = async || {
        let pods = get(&bed, "/api/v1/namespaces/mizar-system/pods?labelSelector=app=mizar-operator").await;
        pods["items"][0]["status"]["containerStatuses"][0]["restartCount"].as_u64().unwrap_or_default() > 0
    };
    until("the operator crashes", is_crashing).await;
    // The definition of one kind is gone, with all that it defined.
    let vpc = "/apis/mizar.com/v1/namespaces/default/vpcs/vpc0";
    patch(&bed, vpc, &json!({"metadata": {"finalizers": null}})).await;
    let definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/vpcs.mizar.com";
    send(&bed, "DELETE", definition, None).await.unwrap();
    until("the definition is gone", async || send(&bed, "GET", definition, None).await.is_err()).await;
    // And a record cannot be read.
    let record = "/api/v1/namespaces/mizar-system/secrets/mizar-operation";
    patch(&bed, record, &json!({"data": {"operation": "AAAA"}})).await;

    let bundle = taken(&bed, Role::Admin, "").await;
    assert_eq!(bundle.missing("objects/vpcs.mizar.com"), Some("absent"));
    assert_eq!(bundle.missing("operation.json"), Some("failed"));
    assert!(bundle.told.contains("not in the bundle: operation.json: "), "{}", bundle.told);
    let before = bundle.paths("logs/").into_iter().find(|path| path.ends_with("/mizar-operator.previous.log"));
    assert!(before.is_some(), "{:?}\n{:#}\n{}", bundle.paths("logs/"), bundle.index()["missing"], bundle.told);
    let report = bundle.json("check.json");
    let failed = report["checks"].as_array().unwrap().iter().filter(|check| check["status"] == "fail");
    assert!(failed.into_iter().any(|check| check["id"] == "operator"), "{report:#}");
    assert_eq!(bundle.paths("objects/subnets.mizar.com/").len(), 1);
    bundle.is_well_formed();
}

#[tokio::test]
async fn what_a_check_complains_about_is_in_it_without_what_its_owner_would_not_show() {
    let bed = installed().await;
    // Whoever made it before there was a network, and on a node of its own choice.
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "lost", "annotations": {"note": "planted-note"}},
        "spec": {"nodeName": "node-1", "containers": [{"name": "main", "image": "registry.example/any:1",
            "args": ["planted-argument"], "env": [{"name": "PLAIN", "value": "planted-variable"}]}]}});
    bed.fault(FaultOrder { fault: Fault::StuckInit, node: Some("node-1".to_owned()) }).await.unwrap();
    create(&bed, "/api/v1/namespaces/default/pods", &pod).await;
    let complains = async || {
        let report = Mizar::on(&bed).impatient(0.05).args("check -o json").run().await.stdout;
        report.contains("Pod default/lost")
    };
    until("a check complains about the pod", complains).await;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("b.tar.gz");
    Mizar::on(&bed).impatient(0.05).args("bundle -f").arg(&path).run().await.exits(0);
    let bundle = Unpacked::read(&path, String::new());
    let kept = bundle.text("objects/pods/default/lost.yaml");
    let (kept, _) = read_all(kept, DuplicateKeys::Refuse).unwrap().remove(0);
    assert_eq!(kept["spec"]["nodeName"], "node-1");
    assert_eq!(kept["spec"]["containers"][0]["env"][0]["name"], "PLAIN");
    bundle.holds_none_of(&["planted-note", "planted-argument", "planted-variable"]);
}
