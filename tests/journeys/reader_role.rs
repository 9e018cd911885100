//! The role that docs/rbac/reader.yaml publishes is enough for every command that only looks, so that none of them is refused
//! anything; and without one of its rights, the checks that need it say so and no other check changes.

use std::path::Path;
use std::time::{Duration, Instant};

use mizar_bed::{Bed, Role};
use mizar_core::check::{Category, Check, Phase, checks_of};
use mizar_core::facts::{Request, Source};
use mizar_core::yaml::{DuplicateKeys, read_all};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cli::{Ended, Mizar, root};
use crate::cluster::{bed, installed, patch, send};

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const READER: Role = Role::Spare1;
const PATIENCE: Duration = Duration::from_secs(10);

/// Every option of the commands that only look. They may end with 1, where a check fails; never with 4, denied.
fn lines() -> Vec<&'static str> {
    vec![
        "check",
        "check -o json",
        "check --wait --timeout 2s",
        "check --pre",
        "check --pre -o json",
        "check -n mizar-system",
        "env",
        "env -o json",
        "env -o yaml",
        "env --environment aws-vm",
        "status",
        "status -o json",
        "status -o yaml",
        "status --environment kind",
        "status --watch --timeout 3s",
        "status --watch --timeout 2s -o json",
        "status --watch --timeout 2s -o yaml",
        "check -o junit --category network",
        "check --node node-1 -o wide",
        "check --check daemon,operator -o short",
        "explain",
        "explain daemon",
        "values --profile dev --show-origin",
        "render --profile dev",
        "render --profile dev --set vni=7",
    ]
}

/// The lines that show what is recorded, which nobody sees without the part for records.
const OF_RECORDS: [&str; 6] =
    ["history", "history -n mizar-system -o json", "get values", "get plan", "get manifest 1", "status --drift"];

/// The published roles: of the cluster, and of the namespace of the release.
fn published() -> [Value; 2] {
    let text = std::fs::read_to_string(root().join("docs/rbac/reader.yaml")).unwrap();
    let roles: Vec<Value> = read_all(&text, DuplicateKeys::Refuse).unwrap().into_iter().map(|(role, _)| role).collect();
    roles.try_into().unwrap()
}

/// Gives the reader the published role, and the one of the namespace where there is one.
async fn grant(bed: &Bed, with_records: bool) {
    let [cluster_role, role] = published();
    let subjects = json!([{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": READER.name()}]);
    let binding = |kind: &str, of: &str| {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": "mizar-readers"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": of, "name": "mizar:reader"}, "subjects": subjects})
    };
    apply(bed, &format!("{RBAC}/clusterroles/mizar:reader"), &cluster_role).await;
    apply(bed, &format!("{RBAC}/clusterrolebindings/mizar-readers"), &binding("ClusterRoleBinding", "ClusterRole"))
        .await;
    if with_records {
        let namespace = format!("{RBAC}/namespaces/mizar-system");
        apply(bed, &format!("{namespace}/roles/mizar:reader"), &role).await;
        apply(bed, &format!("{namespace}/rolebindings/mizar-readers"), &binding("RoleBinding", "Role")).await;
        until_it_may(
            bed,
            &json!({"verb": "watch", "resource": "secrets", "namespace": "mizar-system", "name": "mizar-operation"}),
            true,
        )
        .await;
    }
    until_it_may(bed, &json!({"verb": "list", "resource": "nodes"}), true).await;
}

async fn apply(bed: &Bed, path: &str, object: &Value) {
    let path = format!("{path}?fieldManager=test&force=true");
    send(bed, "PATCH", &path, Some(object)).await.unwrap();
}

/// Roles take effect a moment after they are written.
async fn until_it_may(bed: &Bed, right: &Value, wanted: bool) {
    let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": {"user": READER.name(), "resourceAttributes": right}});
    let begun = Instant::now();
    loop {
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        let answer = send(bed, "POST", path, Some(&review)).await.unwrap();
        if answer["status"]["allowed"].as_bool().unwrap_or_default() == wanted {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{right} is not {wanted} after {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Runs every line as the reader; returns what was printed.
async fn look(bed: &Bed, folder: &Path) -> Vec<Ended> {
    let mut all = Vec::new();
    for line in lines() {
        let ended = Mizar::by(bed, READER).args(line).run().await;
        assert!(matches!(ended.code, Some(0 | 1 | 6)), "{ended}");
        all.push(ended);
    }
    let saved = folder.join("facts.json");
    all.push(Mizar::by(bed, READER).args("check --save-facts").arg(&saved).run().await);
    for line in ["check --facts", "env --facts", "status --facts"] {
        all.push(Mizar::by(bed, READER).args(line).arg(&saved).run().await);
    }
    all
}

async fn assert_nothing_was_written_or_refused(bed: &Bed) {
    let trail = bed.audit().await.unwrap().by(READER);
    assert!(trail.count() > 100, "it did look: {}", trail.summary());
    assert!(trail.writes().is_empty(), "{}", trail.writes().summary());
    let refused = trail.filter(|entry| entry.code >= 400 && entry.code != 404);
    assert!(refused.is_empty(), "{}", refused.summary());
}

#[tokio::test]
async fn the_published_role_is_enough_and_nothing_is_refused() {
    let folder = TempDir::new().unwrap();
    let bed = bed().await;
    grant(&bed, false).await;
    look(&bed, folder.path()).await;
    assert_nothing_was_written_or_refused(&bed).await;
    drop(bed);

    let bed = installed().await;
    grant(&bed, true).await;
    Mizar::by(&bed, READER).args("check").run().await.exits(0);
    Mizar::by(&bed, READER).args("status").run().await.exits(0).prints(&["mizar revision 1 deployed", "install by"]);
    for line in OF_RECORDS {
        Mizar::by(&bed, READER).args(line).run().await.exits(0);
    }
    look(&bed, folder.path()).await;
    assert_nothing_was_written_or_refused(&bed).await;
}

#[tokio::test]
async fn without_the_part_for_records_they_are_unknown_and_nothing_is_refused() {
    let folder = TempDir::new().unwrap();
    let bed = installed().await;
    grant(&bed, false).await;
    Mizar::by(&bed, READER).args("check").run().await.exits(0);
    Mizar::by(&bed, READER).args("status").run().await.exits(0).prints(&[
        "release      unknown in namespace mizar-system",
        "unknown: you are not allowed to get secrets mizar-system/mizar-operation",
        "list secrets",
    ]);
    for line in OF_RECORDS {
        let denied = Mizar::by(&bed, READER).args(line).run().await;
        denied
            .exits(4)
            .tells(&["you are not allowed to list secrets in namespace mizar-system", "docs/rbac/reader.yaml"]);
    }
    look(&bed, folder.path()).await;
    assert_nothing_was_written_or_refused(&bed).await;
}

/// The statuses of a report, by check.
async fn report(bed: &Bed, line: &str) -> Vec<(String, Value)> {
    let ended = Mizar::by(bed, READER).args(line).run().await;
    let report: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended}"));
    let checks = report["checks"].as_array().unwrap();
    checks.iter().map(|check| (check["id"].as_str().unwrap().to_owned(), check.clone())).collect()
}

/// Group and resource of what a path reads, and the name of the object if it is one.
fn resource(path: &str) -> Option<(String, String, Option<String>)> {
    let parts: Vec<String> = path.trim_matches('/').split('/').map(str::to_owned).collect();
    match parts.as_slice() {
        [_, _, namespaces, _, plural, name] if namespaces == "namespaces" => {
            Some((String::new(), plural.clone(), Some(name.clone())))
        }
        [api, _, plural] if api == "api" => Some((String::new(), plural.clone(), None)),
        [_, group, _, plural] => Some((group.clone(), plural.clone(), None)),
        _ => None,
    }
}

/// The published role without the right to one resource; `name` is that of the one object that is read.
fn without(group: &str, plural: &str, name: Option<&str>) -> Value {
    let [mut role, _] = published();
    for rule in role["rules"].as_array_mut().unwrap() {
        let is_of_group = rule["apiGroups"].as_array().is_some_and(|groups| groups.iter().any(|it| it == group));
        if !is_of_group || !rule["resources"].as_array().unwrap().iter().any(|it| it == plural) {
            continue;
        }
        match name {
            Some(name) => rule["resourceNames"].as_array_mut().unwrap().retain(|it| it != name),
            None => rule["resources"].as_array_mut().unwrap().retain(|it| it != plural),
        }
        // A rule for no name at all would hold for every object.
        if rule["resourceNames"].as_array().is_some_and(Vec::is_empty) || rule["resources"] == json!([]) {
            rule["verbs"] = json!(["get"]);
            rule["resources"] = json!(["nothing"]);
        }
    }
    role
}

#[tokio::test]
async fn each_missing_right_makes_its_checks_unknown_and_no_other() {
    let bed = installed().await;
    grant(&bed, true).await;
    let before = report(&bed, "check -o json").await;
    assert!(before.iter().all(|(_, check)| check["status"] != "unknown"), "{before:#?}");
    let mut tried = 0;
    for source in Source::ALL.iter().filter(|source| **source != Source::Releases && !source.is_arktos()) {
        let (verb, path) = match source.request() {
            Request::Get { path } => ("get", path),
            Request::List { path, .. } => ("list", path),
            Request::Local | Request::SelfReview => continue,
        };
        let Some((group, plural, name)) = resource(path) else { continue };
        // What is about Arktos is skipped here, whatever may be read.
        let is_concerned = |check: &&Check| check.sources.contains(source) && check.category != Category::Arktos;
        let concerned: Vec<&str> = checks_of(Phase::Health).filter(is_concerned).map(|check| check.id).collect();
        if concerned.is_empty() {
            continue;
        }
        let role = without(&group, &plural, name.as_deref());
        patch(&bed, &format!("{RBAC}/clusterroles/mizar:reader"), &json!({"rules": role["rules"]})).await;
        let right = json!({"verb": verb, "group": group, "resource": plural, "name": name.unwrap_or_default()});
        until_it_may(&bed, &right, false).await;
        for (id, check) in report(&bed, "check -o json").await {
            let is_unknown = check["status"] == "unknown";
            assert_eq!(is_unknown, concerned.contains(&id.as_str()), "{source:?}: {check:#}");
            if is_unknown {
                assert!(check["message"].as_str().unwrap().contains(&source.right()), "{source:?}: {check:#}");
            }
        }
        apply(&bed, &format!("{RBAC}/clusterroles/mizar:reader"), &published()[0]).await;
        until_it_may(&bed, &right, true).await;
        tried += 1;
    }
    assert!(tried >= 10, "only {tried} rights were tried");
}
