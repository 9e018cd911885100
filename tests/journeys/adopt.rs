//! `kubectl mizar install --adopt`: an installation of the old script goes on as one of our releases, in place. Proven by what
//! the API server's audit log saw, and by what the simulated daemons have programmed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mizar_bed::{AuditEntry, AuditMark, Bed};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::audit_oracle::Journey;
use crate::cli::{Ended, Mizar, root};
use crate::cluster::{address_of_new_pod, bed_of, get, items, names};
use crate::order::{assert_in_order, watched};
use crate::repair::{SCALE, assert_programmed, check, deployment, mizar};
use crate::restart::{pods_of, runs, until};

/// Three nodes one after the other, then the operator.
const DEADLINE: Duration = Duration::from_secs(240);

const DAEMON_SET: &str = "/apis/apps/v1/namespaces/default/daemonsets/mizar-daemon";
const OPERATOR: &str = "/apis/apps/v1/namespaces/default/deployments/mizar-operator";
const BINDINGS: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";

fn kubectl(bed: &Bed, arguments: &[&str]) -> String {
    let output = bed.kubectl().unwrap().args(arguments).output().unwrap();
    assert!(output.status.success(), "kubectl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A bed on which the files of old were applied, with a network that pods use.
pub(crate) async fn old_installation() -> Bed {
    old_installation_of(3).await
}

async fn old_installation_of(nodes: usize) -> Bed {
    let bed = bed_of(nodes).await;
    apply_old_installation(&bed).await;
    bed
}

/// Applies the files of old, and waits until pods use their network.
pub(crate) async fn apply_old_installation(bed: &Bed) {
    install_as_of_old(bed).await;
    // What was there before the network has none.
    kubectl(bed, &["delete", "pods", "-n", "kube-system", "-l", "k8s-app=kube-dns", "--wait=false"]);
    deployment(bed, "web", 3).await;
    until("the name servers run", async || {
        let pods = items(bed, "/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app=kube-dns").await;
        !pods.is_empty() && pods.iter().all(|pod| runs(pod) && pod["metadata"]["deletionTimestamp"].is_null())
    })
    .await;
}

/// Applies the files of old, and waits until the network is there.
pub(crate) async fn install_as_of_old(bed: &Bed) {
    let file = root().join("tests/fixtures/old-installation.yaml");
    kubectl(bed, &["apply", "-f", &file.display().to_string()]);
    until("the old operator has built the network", async || {
        // Before its definition is served there is no list.
        let bouncers = crate::cluster::send(bed, "GET", &mizar("bouncers"), None).await.unwrap_or_default();
        bouncers["items"].as_array().is_some_and(|all| all.iter().any(|it| it["spec"]["status"] == "Provisioned"))
    })
    .await;
}

fn adopting(bed: &Bed) -> Mizar {
    Mizar::on(bed).args("install --adopt -y").impatient(SCALE).within(DEADLINE)
}

async fn adopt(bed: &Bed) -> Ended {
    adopting(bed).run().await
}

/// UID of the daemon by node.
async fn daemons(bed: &Bed) -> BTreeMap<String, String> {
    let pods = items(bed, "/api/v1/namespaces/default/pods?labelSelector=job=mizar-daemon").await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let live = pods.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    live.map(|pod| (text(&pod["spec"]["nodeName"]), text(&pod["metadata"]["uid"]))).collect()
}

/// Looks again and again how many daemons each node has; returns the most that one ever had.
fn most_daemons(bed: &Bed) -> (Arc<AtomicBool>, tokio::task::JoinHandle<usize>) {
    let over = Arc::new(AtomicBool::new(false));
    let (client, stop) = (bed.admin(), over.clone());
    let task = tokio::spawn(async move {
        let mut most = 0;
        while !stop.load(Ordering::Relaxed) {
            let path = "/api/v1/namespaces/default/pods?labelSelector=job=mizar-daemon";
            let request = http::Request::get(path).body(Vec::new()).unwrap();
            let pods: Value = client.request(request).await.unwrap();
            let mut by_node: BTreeMap<String, usize> = BTreeMap::new();
            for pod in pods["items"].as_array().unwrap() {
                if pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null() {
                    *by_node.entry(pod["spec"]["nodeName"].to_string()).or_default() += 1;
                }
            }
            most = most.max(by_node.into_values().max().unwrap_or_default());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        most
    });
    (over, task)
}

/// What our program did since the mark, in order: `patch deployments mizar-operator`.
async fn acts(bed: &Bed, since: AuditMark) -> Vec<String> {
    let trail = bed.audit_since(since).await.unwrap();
    let ours = |entry: &&AuditEntry| {
        entry.user_agent.starts_with("kubectl-mizar/")
            && entry.is_write()
            && !entry.uri.contains("dryRun")
            && entry.code < 300
    };
    trail.entries().iter().filter(ours).map(|it| format!("{} {} {}", it.verb, it.resource, it.name)).collect()
}

fn last(acts: &[String], act: &str) -> usize {
    acts.iter().rposition(|done| done == act).unwrap_or_else(|| panic!("no {act} in {acts:#?}"))
}

/// No two pods have one address; those of Mizar have their nodes'.
async fn assert_addresses_differ(bed: &Bed) {
    let pods = items(bed, "/api/v1/namespaces/default/pods").await;
    let on_network = pods.iter().filter(|pod| pod["spec"]["hostNetwork"] != true && runs(pod));
    let addresses: Vec<String> = on_network.map(|pod| pod["status"]["podIP"].to_string()).collect();
    let distinct: BTreeSet<&String> = addresses.iter().collect();
    assert_eq!(distinct.len(), addresses.len(), "{addresses:?}");
}

/// New pods are wired, everything is programmed, and the check finds nothing.
async fn assert_works(bed: &Bed, tag: &str) {
    for number in 1..=3 {
        address_of_new_pod(bed, &format!("proof-{tag}-{number}")).await;
    }
    assert_addresses_differ(bed).await;
    assert_programmed(bed).await;
    check(bed).await.exits(0);
}

/// Everything that must be so when an old installation is taken over.
async fn assert_taken_over(bed: &Bed, before: &BTreeMap<String, String>) {
    let now = daemons(bed).await;
    assert_eq!(before.keys().collect::<Vec<_>>(), now.keys().collect::<Vec<_>>());
    assert!(before.iter().all(|(node, uid)| now[node] != *uid), "every daemon is a new one");
    assert!(!names(bed, BINDINGS).await.contains(&"mizar-operator".to_owned()));
    assert!(names(bed, BINDINGS).await.contains(&"mizar:operator".to_owned()));
    let set = get(bed, DAEMON_SET).await;
    assert_eq!(set["spec"]["updateStrategy"], json!({"type": "OnDelete"}));
    assert_eq!(set["spec"]["template"]["spec"]["serviceAccountName"], "mizar-daemon");
    let operator = get(bed, OPERATOR).await;
    assert_eq!(
        (&operator["spec"]["strategy"], &operator["spec"]["replicas"]),
        (&json!({"type": "Recreate"}), &json!(1))
    );
    for object in [&set, &operator, &get(bed, "/api/v1/namespaces/default/serviceaccounts/mizar-operator").await] {
        let managers = object["metadata"]["managedFields"].to_string();
        assert!(!managers.contains("kubectl-client-side-apply"), "{managers}");
        assert_eq!(object["metadata"]["annotations"]["meta.helm.sh/release-namespace"], "default");
        assert!(!object["metadata"]["annotations"].to_string().contains("last-applied"), "{object}");
    }
    assert_in_order(bed, &Journey { operator_ran: true, ..Journey::default() }).await;
    until("all pods run", async || pods_of(bed, "web", runs).await == 3).await;
    assert_addresses_differ(bed).await;
    let namespaces = names(bed, "/api/v1/namespaces").await;
    assert!(!namespaces.contains(&"mizar-system".to_owned()), "{namespaces:?}");
    let default = get(bed, "/api/v1/namespaces/default").await;
    assert!(!default["metadata"]["labels"].to_string().contains("pod-security"), "{default}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_installation_is_named_refused_shown_and_taken_over_in_place() {
    let bed = old_installation().await;
    let check = Mizar::on(&bed).args("check").impatient(SCALE).run().await;
    check.exits(0).prints(&["an old installation works in namespace default", "install --adopt --plan"]);
    let status = Mizar::on(&bed).args("status").run().await;
    status.exits(0).prints(&["no release is recorded of it", "next: `kubectl mizar install --adopt --plan`"]);
    let refused = Mizar::install(&bed).run().await;
    refused.exits(3).tells(&["nothing was changed", "kubectl mizar install --adopt --plan"]);
    let upgrade = Mizar::on(&bed).args("upgrade -y").run().await;
    upgrade.exits(3).tells(&["is not installed here", "kubectl mizar install --adopt --plan"]);

    let before = daemons(&bed).await;
    let (set, net0) = (get(&bed, DAEMON_SET).await, get(&bed, &mizar("subnets/net0")).await);
    let mark = bed.mark().await.unwrap();
    let plan = Mizar::on(&bed).args("install --adopt --plan").run().await;
    plan.exits(0).prints(&[
        "DaemonSet default/mizar-daemon (taken over, with the fields that kubectl-client-side-apply has set)",
        "- ClusterRoleBinding mizar-operator (of the old installation)",
        "3 nodes get a new daemon, one at a time, drained first",
    ]);
    let plan = Mizar::on(&bed).args("install --adopt --plan -o json").run().await;
    plan.exits(0).prints(&["\".spec.updateStrategy.type\"", "\".spec.updateStrategy.rollingUpdate\""]);
    assert_eq!(acts(&bed, mark).await, Vec::<String>::new(), "a plan changes nothing");

    let mark = bed.mark().await.unwrap();
    let (over, most) = most_daemons(&bed);
    let done = watched(&bed, adopt(&bed)).await;
    over.store(true, Ordering::Relaxed);
    done.exits(0).tells(&["node node-1", "node node-2", "node node-3", "Mizar is healthy on 3 nodes"]);
    assert_eq!(most.await.unwrap(), 1, "never two daemons on a node");
    assert_taken_over(&bed, &before).await;
    let generation = |set: &Value| set["metadata"]["generation"].as_i64().unwrap();
    assert_eq!(generation(&get(&bed, DAEMON_SET).await), generation(&set) + 1, "strategy and template in one");
    let now = get(&bed, &mizar("subnets/net0")).await;
    assert_eq!((&now["spec"]["ip"], &now["metadata"]["uid"]), (&net0["spec"]["ip"], &net0["metadata"]["uid"]));
    let acts = acts(&bed, mark).await;
    let deleted = acts.iter().filter(|act| act.starts_with("delete pods mizar-daemon-")).count();
    assert_eq!(deleted, 3, "{acts:#?}");
    let gone = last(&acts, "delete clusterrolebindings mizar-operator");
    assert!(gone > last(&acts, "patch deployments mizar-operator"), "{acts:#?}");
    assert!(acts.iter().position(|act| act == "patch clusterrolebindings mizar:operator").unwrap() < gone);
    assert_works(&bed, "adopted").await;

    let helm = bed.helm4().unwrap().args(["list", "-n", "default", "-o", "json"]).output().unwrap();
    let releases: Vec<Value> = serde_json::from_slice(&helm.stdout).unwrap();
    let told: Vec<String> = releases.iter().map(|it| format!("{} {}", it["name"], it["status"])).collect();
    assert_eq!(told, ["\"mizar\" \"deployed\"", "\"mizar-crds\" \"deployed\""]);

    let mark = bed.mark().await.unwrap();
    adopt(&bed).await.exits(0).tells(&["nothing was written"]);
    let upgrade = Mizar::on(&bed).args("upgrade -y").impatient(SCALE).run().await;
    upgrade.exits(0).tells(&["nothing was written"]);
    let writes = self::acts(&bed, mark).await;
    assert_eq!(writes, Vec::<String>::new());
    let out = Mizar::on(&bed).args("uninstall --plan").run().await;
    out.exits(0).prints(&["DaemonSet default/mizar-daemon", "Deployment default/mizar-operator"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_killed_in_the_middle_is_gone_on_with_by_resume() {
    let bed = old_installation().await;
    let before = daemons(&bed).await;
    let mark = bed.mark().await.unwrap();
    let mut running = adopting(&bed).start();
    let deleted = async || acts(&bed, mark).await.iter().any(|act| act.starts_with("delete pods mizar-daemon-"));
    while !running.is_over() && !deleted().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running.signal(Signal::SIGKILL);
    running.end().await;
    let install = Mizar::install(&bed).run().await;
    install.exits(3).tells(&["install --adopt, begun by", "kubectl mizar resume"]);
    let resume = Mizar::on(&bed).args("resume -y").impatient(SCALE).within(DEADLINE);
    let resumed = watched(&bed, resume.run()).await;
    resumed.exits(0).tells(&["Mizar is healthy on 3 nodes"]);
    assert_taken_over(&bed, &before).await;
    assert_works(&bed, "resumed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_killed_at_its_first_write_is_gone_on_with_by_the_same_command() {
    let bed = old_installation().await;
    let before = daemons(&bed).await;
    let mark = bed.mark().await.unwrap();
    let mut running = adopting(&bed).start();
    while !running.is_over() && acts(&bed, mark).await.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running.signal(Signal::SIGKILL);
    running.end().await;
    Mizar::install(&bed).run().await.exits(3);
    watched(&bed, adopt(&bed)).await.exits(0).tells(&["Mizar is healthy on 3 nodes"]);
    assert_taken_over(&bed, &before).await;
    assert_works(&bed, "again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_killed_while_no_operator_ran_is_gone_on_with_by_resume() {
    let bed = old_installation().await;
    let before = daemons(&bed).await;
    let mut running = adopting(&bed).start();
    while !running.is_over() && get(&bed, OPERATOR).await["spec"]["replicas"] != 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running.signal(Signal::SIGKILL);
    running.end().await;
    assert!(names(&bed, BINDINGS).await.contains(&"mizar-operator".to_owned()), "it goes last");
    let resume = Mizar::on(&bed).args("resume -y").impatient(SCALE).within(DEADLINE);
    let resumed = watched(&bed, resume.run()).await;
    resumed.exits(0).tells(&["Mizar is healthy on 3 nodes"]);
    assert_taken_over(&bed, &before).await;
    assert_works(&bed, "restarted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_hold_is_not_taken() {
    let bed = old_installation().await;
    let mark = bed.mark().await.unwrap();
    kubectl(&bed, &["label", "daemonset", "mizar-daemon", "argocd.argoproj.io/instance=net"]);
    let claimed = adopt(&bed).await;
    claimed.exits(3).tells(&["DaemonSet default/mizar-daemon exists and is not part of release mizar"]);
    kubectl(&bed, &["label", "daemonset", "mizar-daemon", "argocd.argoproj.io/instance-"]);
    // As somebody who means it: with a name of his own.
    let label = r#"{"metadata": {"labels": {"app.kubernetes.io/name": "net"}}}"#;
    kubectl(&bed, &["patch", "deployment", "mizar-operator", "--field-manager=ops-tool", "--type=merge", "-p", label]);
    let contested = adopt(&bed).await;
    contested.exits(3).tells(&[".metadata.labels.app.kubernetes.io/name is owned by ops-tool"]);
    assert_eq!(acts(&bed, mark).await, Vec::<String>::new(), "nothing was changed");
    let nowhere = Mizar::on(&bed).args("install --adopt -y -n elsewhere").run().await;
    nowhere.exits(3).tells(&["no installation can be taken over in namespace elsewhere"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_nodes_are_taken_over_one_after_the_other() {
    let bed = old_installation_of(50).await;
    let before = daemons(&bed).await;
    let (over, most) = most_daemons(&bed);
    let done = watched(&bed, adopting(&bed).within(Duration::from_secs(600)).run()).await;
    over.store(true, Ordering::Relaxed);
    done.exits(0).tells(&["Mizar is healthy on 50 nodes"]);
    assert_eq!(most.await.unwrap(), 1, "never two daemons on a node");
    assert_taken_over(&bed, &before).await;
    assert_works(&bed, "fifty").await;
}
