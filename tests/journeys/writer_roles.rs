//! The roles that docs/rbac/installer.yaml and repairer.yaml publish are enough for an install and for a repair, and every
//! right in them is used, or there is a reason why these runs do not use it. Who lacks one is told before anything is changed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mizar_bed::{AuditEntry, AuditTrail, Bed, Fault, FaultOrder, Role};
use mizar_core::facts::{PolicyRule, Right};
use mizar_core::yaml::{DuplicateKeys, read_all};
use serde_json::{Value, json};

use crate::cli::{Mizar, root};
use crate::cluster::{address_of_new_pod, bed, changes, installed, items, send};
use crate::repair::{deployment, restart_operator};

const UNINSTALLER: Role = Role::Spare1;
const INSTALLER: Role = Role::Spare2;
const REPAIRER: Role = Role::Spare3;
/// The program is as impatient as the bed's operator, whose rounds take a second instead of fifteen.
const SCALE: f64 = 0.1;
const PATIENCE: Duration = Duration::from_secs(20);

/// The objects of a published file.
fn published(file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(root().join(file)).unwrap();
    read_all(&text, DuplicateKeys::Refuse).unwrap().into_iter().map(|(object, _)| object).collect()
}

/// Every single right of a published file, and the namespace in which it is given.
fn rights(file: &str) -> Vec<Right> {
    let mut all = Vec::new();
    for role in published(file) {
        let namespace = role["metadata"]["namespace"].as_str();
        for rule in role["rules"].as_array().into_iter().flatten() {
            all.extend(PolicyRule::from_object(rule).rights(namespace));
        }
    }
    all
}

/// Types what the head of a published file says, for one person instead of a group, and waits until it holds.
async fn grant(bed: &Bed, file: &str, person: Role) {
    let text = std::fs::read_to_string(root().join(file)).unwrap();
    let typed = text.lines().filter_map(|line| line.strip_prefix("#   kubectl "));
    let person_instead = format!("--user {}", person.name());
    for line in typed {
        let line = line.replace("--group NAME", &person_instead);
        let output = bed.kubectl().unwrap().args(line.split_whitespace()).current_dir(root()).output().unwrap();
        assert!(output.status.success(), "kubectl {line}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let mut last: BTreeMap<Option<String>, Right> = BTreeMap::new();
    for right in rights(file).into_iter().filter(|right| right.path.is_none()) {
        last.insert(right.namespace.clone(), right);
    }
    for right in last.values() {
        until_it_holds(bed, person, right).await;
    }
}

/// Roles take effect a moment after they are written.
async fn until_it_holds(bed: &Bed, person: Role, right: &Right) {
    let mut review = right.access_review();
    review["kind"] = json!("SubjectAccessReview");
    review["spec"]["user"] = json!(person.name());
    let begun = Instant::now();
    loop {
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        let answer = send(bed, "POST", path, Some(&review)).await.unwrap();
        if answer["status"]["allowed"] == true {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{right} is not given after {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Asserts that the server refused nothing but the look for releases in all namespaces, after which the one is looked into.
fn assert_nothing_was_refused(trail: &AuditTrail) {
    let is_look = |entry: &AuditEntry| entry.resource == "secrets" && entry.namespace.is_empty();
    let refused = trail.filter(|entry| entry.code == 403 && !is_look(entry));
    assert!(refused.is_empty(), "{}", refused.summary());
    assert!(trail.count() > 50, "{}", trail.summary());
}

/// Whether a request needed a right.
fn needs(entry: &AuditEntry, right: &Right) -> bool {
    if let Some(path) = &right.path {
        return entry.verb == right.verb && entry.uri.split('?').next() == Some(path);
    }
    let plural = match entry.subresource.as_str() {
        "" => entry.resource.clone(),
        subresource => format!("{}/{subresource}", entry.resource),
    };
    // What is applied and not there is created.
    let creates = entry.verb == "patch" && entry.code == 201 && right.verb == "create";
    (entry.verb == right.verb || creates)
        && (&entry.group, &plural) == (&right.group, &right.resource)
        && right.namespace.as_ref().is_none_or(|namespace| entry.namespace == *namespace)
        && right.name.as_ref().is_none_or(|name| entry.name == *name)
}

/// Asserts that every right was used, those apart for which there is a reason.
fn assert_all_were_used(rights: &[Right], trail: &AuditTrail, reason: impl Fn(&Right) -> Option<&'static str>) {
    let is_used = |right: &Right| trail.entries().iter().any(|entry| needs(entry, right));
    let idle: Vec<String> =
        rights.iter().filter(|right| !is_used(right) && reason(right).is_none()).map(ToString::to_string).collect();
    assert!(idle.is_empty(), "published, and used by nothing: {idle:#?}");
}

/// Why an install has a right that this one did not use.
fn why_installers_have(right: &Right, operators: &[Right]) -> Option<&'static str> {
    if operators.iter().any(|granted| Right { namespace: None, ..granted.clone() } == *right) {
        return Some("the operator gets it, and nobody can grant what he does not have");
    }
    match (right.verb.as_str(), right.resource.as_str(), right.namespace.as_deref()) {
        ("get", _, _) if right.name.is_some() => Some("an object whose write was not answered is read"),
        ("delete", "secrets", _) => Some("of more than ten revisions the oldest goes"),
        ("create", "namespaces", _) => Some("the file itself makes the namespace"),
        (_, "networks", _) | (_, _, Some("default")) | (_, "configmaps", Some("kube-system")) => Some("Arktos only"),
        ("list", "customresourcedefinitions" | "configmaps", _) => Some("as part of the whole cluster"),
        _ => None,
    }
}

#[tokio::test]
async fn the_role_of_who_installs_is_enough_and_all_of_it_is_used() {
    let file = "docs/rbac/installer.yaml";
    let bed = bed().await;
    grant(&bed, file, INSTALLER).await;
    let by = || Mizar::by(&bed, INSTALLER);
    by().args("check --pre").run().await.exits(0).prints(&["You may do what the install does (all "]);
    by().args("install --profile dev -y --recreate-pods").run().await.exits(0);
    by().args("install -y").run().await.exits(0).tells(&["nothing was written"]);
    by().args("install -y --set resourceQuota.create=true").run().await.exits(0);
    by().args("check --wait").run().await.exits(0);
    by().args("status").run().await.exits(0).prints(&["mizar revision 2 deployed", "install by"]);

    let trail = bed.audit().await.unwrap().by(INSTALLER);
    assert_nothing_was_refused(&trail);
    let role = send(&bed, "GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/mizar:operator", None).await.unwrap();
    let rules = role["rules"].as_array().unwrap().iter();
    let operators: Vec<Right> = rules.flat_map(|rule| PolicyRule::from_object(rule).rights(None)).collect();
    assert!(operators.len() > 40, "{operators:?}");
    assert_all_were_used(&rights(file), &trail, |right| why_installers_have(right, &operators));
}

/// Where the operator, which chooses at random, has placed the only Divider: a repair of that node's daemon wires it anew.
async fn node_of_the_divider(bed: &Bed) -> String {
    let dividers = items(bed, "/apis/mizar.com/v1/namespaces/default/dividers").await;
    dividers.first().and_then(|divider| divider["spec"]["droplet"].as_str()).expect("a placed Divider").to_owned()
}

/// Why a repair has a right that these did not use.
fn why_repairers_have(right: &Right) -> Option<&'static str> {
    match (right.verb.as_str(), right.resource.as_str()) {
        (_, "networks") => Some("Arktos only"),
        ("get", "configmaps") if right.name.as_deref() == Some("mizar-grpc-service") => Some("Arktos only"),
        ("create", "bouncers" | "dividers") => Some("one that somebody has deleted is made again"),
        ("create", "secrets") => Some("there is a record since the install"),
        ("get", "pods") => Some("one that waits for an address is looked at before a restart deletes it"),
        ("get" | "patch", "droplets") => Some("one that leaks goes while the operator is down, its finalizer first"),
        ("watch", "configmaps" | "endpoints") => Some("nothing to follow"),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_of_who_repairs_is_enough_and_all_of_it_is_used() {
    let file = "docs/rbac/repairer.yaml";
    let bed = installed().await;
    grant(&bed, file, REPAIRER).await;
    for pod in ["a", "b"] {
        address_of_new_pod(&bed, pod).await;
    }
    let by = || Mizar::by(&bed, REPAIRER).impatient(SCALE);
    restart_operator(&bed).await;
    let node = Some(node_of_the_divider(&bed).await);
    bed.fault(FaultOrder { fault: Fault::DaemonRestart, node }).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    by().args("check").run().await.exits(1);
    let healed = by().args("repair -y").run().await;
    assert!(matches!(healed.code, Some(0 | 1)), "a pod that nobody would create again is left: {healed}");
    by().args("repair --restart-operator -y").run().await.tells(&["nodes uncordoned"]);
    by().args("check --wait --timeout 20s").run().await;
    by().args("status").run().await.exits(0).prints(&["mizar revision 1 deployed", "install by"]);
    by().args("env").run().await.exits(0);

    let trail = bed.audit().await.unwrap().by(REPAIRER);
    assert_nothing_was_refused(&trail);
    assert_all_were_used(&rights(file), &trail, why_repairers_have);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_roles_of_who_upgrades_are_enough_and_all_of_the_last_is_used() {
    let file = "docs/rbac/upgrader.yaml";
    let bed = installed().await;
    for file in ["docs/rbac/installer.yaml", "docs/rbac/repairer.yaml", file] {
        grant(&bed, file, INSTALLER).await;
    }
    let by = || Mizar::by(&bed, INSTALLER).impatient(SCALE);
    deployment(&bed, "web", 2).await;
    let both = "--set daemon.resources.requests.memory=96Mi --set operator.resources.requests.memory=96Mi";
    by().args("upgrade -y").args(both).run().await.exits(0);
    by().args("rollback -y").run().await.exits(0);
    by().args("resume -y").run().await.exits(0);
    by().args("abort -y").run().await.exits(0);
    let trail = bed.audit().await.unwrap().by(INSTALLER);
    assert_nothing_was_refused(&trail);
    assert_all_were_used(&rights(file), &trail, |_| None);
}

/// Why an adoption has a right that this one did not use.
fn why_adopters_have(right: &Right) -> Option<&'static str> {
    match (right.verb.as_str(), right.resource.as_str()) {
        ("delete", "secrets") => Some("of more than ten revisions the oldest goes"),
        ("create", "daemonsets" | "deployments") => Some("one that was lost is made again"),
        (_, "resourcequotas") => Some("where the quota was chosen"),
        ("get", "serviceaccounts") => Some("an object whose write was not answered is read"),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_roles_of_who_takes_over_are_enough_and_all_of_the_last_is_used() {
    let file = "docs/rbac/adopter.yaml";
    let bed = crate::adopt::old_installation().await;
    for file in ["docs/rbac/installer.yaml", "docs/rbac/repairer.yaml", "docs/rbac/upgrader.yaml", file] {
        grant(&bed, file, INSTALLER).await;
    }
    let by = || Mizar::by(&bed, INSTALLER).impatient(SCALE);
    by().args("install --adopt --plan").run().await.exits(0);
    by().args("install --adopt -y").run().await.exits(0).tells(&["Mizar is healthy on 3 nodes"]);
    let trail = bed.audit().await.unwrap().by(INSTALLER);
    assert_nothing_was_refused(&trail);
    assert_all_were_used(&rights(file), &trail, why_adopters_have);
}

/// Why an uninstall has a right that this one did not use.
fn why_uninstallers_have(right: &Right) -> Option<&'static str> {
    let name = right.name.as_deref().unwrap_or_default();
    match (right.verb.as_str(), right.resource.as_str(), name) {
        (_, _, "mizar:grpc-service" | "mizar-grpc-service" | "system-source") => Some("Arktos only"),
        (_, _, "mizar-critical-pods") => Some("where the quota was chosen"),
        (_, "clusterrolebindings", "mizar-operator") => Some("an installation without Helm"),
        ("get" | "patch", "networkpolicies", _) => Some("there is none here"),
        ("create", "secrets", _) => Some("there is a record since the install"),
        ("watch", _, _) => Some("what is gone when it is listed is not followed"),
        ("get", "jobs", _) => Some("one whose making was not answered is read"),
        ("create", "selfsubjectaccessreviews", _) => Some("the rules tell all here"),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_of_who_uninstalls_is_enough_and_all_of_it_is_used() {
    let file = "docs/rbac/uninstaller.yaml";
    let bed = installed().await;
    grant(&bed, file, UNINSTALLER).await;
    let folder = tempfile::TempDir::new().unwrap();
    let by = || Mizar::by(&bed, UNINSTALLER).args("uninstall --yes --export").arg(folder.path().join("mizar.yaml"));
    by().run().await.exits(0).tells(&["3 nodes clean"]);
    by().args("--crds").run().await.exits(0);
    let trail = bed.audit().await.unwrap().by(UNINSTALLER);
    assert_nothing_was_refused(&trail);
    assert_all_were_used(&rights(file), &trail, why_uninstallers_have);
}

#[tokio::test]
async fn who_may_not_repair_is_told_every_missing_right_before_anything_is_changed() {
    let bed = installed().await;
    let mark = bed.mark().await.unwrap();
    let refused = Mizar::by(&bed, Role::Checker).args("repair --restart-operator -y").run().await;
    refused.exits(4).tells(&[
        "you are not allowed to do what a repair does; nothing was changed",
        "you may not patch nodes, which is needed to cordon nodes, and to show them to the operator",
        "you may not update secrets mizar-operation in namespace mizar-system",
        "you may not patch deployments.apps mizar-operator in namespace mizar-system",
        "docs/rbac/repairer.yaml",
    ]);
    let trail = bed.audit_since(mark).await.unwrap().by(Role::Checker);
    assert!(changes(&trail).is_empty(), "{}", trail.summary());
    assert!(trail.filter(|entry| entry.code == 403).is_empty(), "nothing was even tried: {}", trail.summary());
}
