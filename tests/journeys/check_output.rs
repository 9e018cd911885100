//! What `check` prints, saves and compares on a real cluster, and how it waits: by watch, never by asking again.

use std::collections::BTreeMap;
use std::time::Duration;

use mizar_bed::{AuditTrail, Bed, Fault, FaultOrder, Role};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cli::{Ended, Mizar};
use crate::cluster::{bed, create, installed, send};

const DAEMON_SETS: &str = "/apis/apps/v1/namespaces/kube-system/daemonsets";

/// Another pod network that waits for a node which never comes: it does no harm, and `check` has something to find.
async fn add_another_network(bed: &Bed) {
    let labels = json!({"app": "calico-node"});
    let set = json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "calico-node"}, "spec": {
        "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {
            "nodeSelector": {"kubernetes.io/os": "linux"}, "tolerations": [{"operator": "Exists"}],
            "hostNetwork": true, "containers": [{"name": "main", "image": "registry.example/calico:1"}]}}}});
    create(bed, DAEMON_SETS, &set).await;
    let begun = std::time::Instant::now();
    while crate::cluster::get(bed, &format!("{DAEMON_SETS}/calico-node")).await["status"]["desiredNumberScheduled"] != 3
    {
        assert!(begun.elapsed() < Duration::from_secs(20), "the controller does not see it");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn remove_the_other_network(bed: &Bed) {
    send(bed, "DELETE", &format!("{DAEMON_SETS}/calico-node"), None).await.unwrap();
}

/// How often each list, watch and single object was asked for; the pages of one list count once.
fn asked(trail: &AuditTrail) -> BTreeMap<(String, String), usize> {
    let mut asked = BTreeMap::new();
    for entry in trail.entries().iter().filter(|entry| !entry.uri.contains("continue=")) {
        let what = if entry.verb == "get" { entry.uri.clone() } else { format!("{}/{}", entry.group, entry.resource) };
        *asked.entry((entry.verb.clone(), what)).or_default() += 1;
    }
    asked
}

fn document(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}\n{ended}"))
}

#[tokio::test]
async fn a_wait_hears_of_the_cure_by_watch_and_asks_for_nothing_twice() {
    let bed = installed().await;
    add_another_network(&bed).await;
    let mark = bed.mark().await.unwrap();
    let waiting = Mizar::on(&bed).args("check --wait --timeout 60s").start();
    // Long enough for a word on what is waited for, and for a poll to betray itself.
    tokio::time::sleep(Duration::from_secs(14)).await;
    remove_the_other_network(&bed).await;
    let ended = waiting.end().await;
    ended.exits(0).tells(&["waiting until all is well …", ": other-networks: "]).prints(&["no other pod network"]);
    assert!(ended.took < Duration::from_secs(20), "it heard of the end, and did not wait for a round: {ended}");

    let trail = bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/");
    let asked = asked(&trail);
    println!("{}", trail.summary());
    let of = |verb: &str| asked.keys().filter(|(seen, _)| seen == verb).map(|(_, what)| what).collect::<Vec<_>>();
    let watched = of("watch");
    for ((verb, what), times) in &asked {
        // What is not watched is read at first, and once more before all is called well.
        let budget = if watched.contains(&what) { 1 } else { 2 };
        assert!(*times <= budget, "{verb} {what} {times} times");
    }
    // Arktos' networks are of no kind that a server of Kubernetes could watch.
    let lists: Vec<_> = of("list").into_iter().filter(|what| !what.starts_with("arktos.")).collect();
    assert_eq!(lists, watched, "one list and one watch for each kind");
    assert!(of("watch").contains(&&"apps/daemonsets".to_owned()));
    assert!(trail.writes().is_empty());
}

#[tokio::test]
async fn a_wait_in_vain_ends_in_time_with_what_is_left() {
    let bed = installed().await;
    add_another_network(&bed).await;
    let ended = Mizar::on(&bed).args("check --wait --timeout 3s -o short").run().await;
    ended
        .exits(6)
        .prints(&["FAIL other-networks: "])
        .tells(&["error: time is up after 3.0 s; still open: other-networks"]);
    assert!(ended.took < Duration::from_secs(6), "{ended}");
    // What was not read is not well: all that was asked for is, or might be.
    let hurried = Mizar::on(&bed).args("check --wait --timeout 1ms --category nodes").run().await;
    hurried.exits(6).tells(&["error: time is up after 0.0 s; "]).prints(&["time was up before all of it was read"]);
    // No time at all is one whole look.
    let once = Mizar::on(&bed).args("check --wait --timeout 0 -o short").run().await;
    once.exits(6)
        .prints(&["FAIL other-networks: "])
        .tells(&["error: time is up after 0.0 s; still open: other-networks"]);
    Mizar::on(&bed).args("check --wait --timeout 0 --category nodes").run().await.exits(0);
    // Silence is kept where it was asked for, and only what was asked for is waited for.
    Mizar::on(&bed).args("check --wait --timeout 30s --category nodes -q").run().await.exits(0);
}

#[tokio::test]
async fn what_is_young_is_no_failure_and_a_wait_waits_for_it() {
    let bed = installed().await;
    bed.fault(FaultOrder { fault: Fault::StuckInit, node: None }).await.unwrap();
    let spec = json!({"ip": "10.98.0.0", "prefix": "16", "vni": "98", "dividers": 1, "status": "Init"});
    let vpc = json!({"apiVersion": "mizar.com/v1", "kind": "Vpc", "metadata": {"name": "young"}, "spec": spec});
    create(&bed, "/apis/mizar.com/v1/namespaces/default/vpcs", &vpc).await;
    // By the watch of an impatient person it is overdue after three seconds.
    let look = |factor: f64| Mizar::on(&bed).args("check --check vpcs,dividers").impatient(factor).run();
    let young = look(1.0).await;
    young.exits(0).prints(&["Vpc young: is Init; it may still come", "look again in ", "What was asked works"]);
    tokio::time::sleep(Duration::from_secs(4)).await;
    look(0.05).await.exits(1).prints(&["Vpc young: is Init [vpcs]", "kubectl logs -n mizar-system"]);
    // Nothing fails, and yet a wait goes on until it is there.
    let waiting = Mizar::on(&bed).args("check --wait --timeout 60s --check vpcs,dividers").start();
    tokio::time::sleep(Duration::from_secs(12)).await;
    bed.clear_faults().await.unwrap();
    let ended = waiting.end().await;
    ended.exits(0).tells(&["waiting until all is well …", ": vpcs, dividers: "]).prints(&["2 Vpcs Provisioned"]);
    assert!(ended.took > Duration::from_secs(12), "{ended}");
}

#[tokio::test]
async fn without_the_right_to_watch_a_wait_says_so_and_does_not_hang() {
    let bed = installed().await;
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "only-lists"},
        "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}]});
    create(&bed, "/apis/rbac.authorization.k8s.io/v1/clusterroles", &role).await;
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": "only-lists"}, "subjects": [{"kind": "User", "name": Role::Spare1.name(), "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "only-lists"}});
    create(&bed, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", &binding).await;
    // The authorizer learns of a binding a moment after it is made.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let by = || Mizar::by(&bed, Role::Spare1);
    by().args("check --check nodes-ready").run().await.exits(0);
    // What can be decided without a watch is decided; what cannot is refused.
    let cordoned = json!({"spec": {"unschedulable": true}});
    crate::cluster::patch(&bed, "/api/v1/nodes/node-1", &cordoned).await;
    let ended = by().args("check --check nodes-ready,daemon --wait --timeout 20s").run().await;
    ended.exits(4).tells(&["you are not allowed to watch nodes", "leave out --wait"]);
}

#[tokio::test]
async fn every_form_says_the_same_and_a_saved_report_is_a_baseline() {
    let bed = installed().await;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("before.json");
    let healthy = Mizar::on(&bed).args("check -o name --save").arg(&file).run().await;
    // Name servers from before Mizar are worth a warning; the other network is not there yet.
    assert!(!healthy.exits(0).stdout.contains("other-networks"), "{healthy}");
    add_another_network(&bed).await;

    for (form, part) in [
        ("table", "[other-networks]\n"),
        ("wide", "docs/checks.md#other-networks\n"),
        ("yaml", "  id: other-networks\n"),
        ("short", "FAIL other-networks: "),
        ("name", "check/other-networks\n"),
        ("junit", "<testcase name=\"other-networks\""),
        ("json", "\"id\": \"other-networks\""),
    ] {
        let ended = Mizar::on(&bed).args("check -o").args(form).run().await;
        ended.exits(1).prints(&[part]);
        assert_eq!(ended.stderr, "", "{form}");
    }
    let junit = Mizar::on(&bed).args("check -o junit").run().await;
    let xml = roxmltree::Document::parse(&junit.stdout).unwrap();
    let failures: Vec<_> = xml.descendants().filter(|node| node.has_tag_name("failure")).collect();
    assert_eq!(failures.len(), 1, "{junit}");
    assert_eq!(failures[0].parent().unwrap().attribute("name"), Some("other-networks"));

    // What is new fails; once it is known it does not.
    let compared = Mizar::on(&bed).args("check -o json --baseline").arg(&file).run().await;
    let document = document(compared.exits(1));
    assert_eq!(document["baseline"]["new"][0]["check"], "other-networks");
    assert_eq!(document["baseline"]["gone"], json!([]));
    std::fs::write(&file, &compared.stdout).unwrap();
    let known = Mizar::on(&bed).args("check --baseline").arg(&file).run().await;
    known.exits(0).prints(&["0 new, 0 gone, ", "Mizar is not healthy, as it was before"]);
    remove_the_other_network(&bed).await;
    Mizar::on(&bed).args("check --baseline").arg(&file).run().await.exits(0).prints(&["0 new, 1 gone, "]);
}

#[tokio::test]
async fn a_part_of_the_checks_reads_a_part_of_the_cluster() {
    let bed = installed().await;
    let mark = bed.mark().await.unwrap();
    let ended = Mizar::on(&bed).args("check --check nodes-ready --node node-2 -o json").run().await;
    let document = document(ended.exits(0));
    assert_eq!((&document["node"], document["checks"].as_array().unwrap().len()), (&json!("node-2"), 1));
    let trail = bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/");
    let lists: Vec<String> = trail.verb("list").entries().iter().map(|entry| entry.resource.clone()).collect();
    assert_eq!(lists, ["nodes"]);
    let ended = Mizar::on(&bed).args("check --node node-22").run().await;
    ended.exits(2).tells(&["there is no node \"node-22\"; did you mean node-2?", "kubectl get nodes"]);
}

#[tokio::test]
async fn a_release_elsewhere_is_found_and_hints_name_its_namespace() {
    let bed = bed().await;
    Mizar::install(&bed).args("-n net").run().await.exits(0);
    Mizar::on(&bed).args("check").run().await.exits(0);
    let vpc = "/apis/mizar.com/v1/namespaces/default/vpcs/none";
    // A Vpc without a range is never provisioned, and the operator's log would tell why.
    let _made = send(
        &bed,
        "POST",
        vpc.trim_end_matches("/none"),
        Some(&json!({"apiVersion": "mizar.com/v1", "kind": "Vpc",
        "metadata": {"name": "none"}, "spec": {}})),
    )
    .await;
    let ended = Mizar::on(&bed).args("check -o json --check vpcs").run().await;
    let document = document(ended.exits(1));
    assert_eq!(document["namespace"], "net");
    let hint = document["checks"][0]["hint"].as_str().unwrap();
    assert!(hint.contains("-n net"), "{hint}");
}
