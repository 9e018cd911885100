//! Upgrades, ways back, adoptions and uninstalls on an old server: all by what it has, which is creations, merge patches and
//! evictions of the first version.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::{APPLY, MERGE, OLD_POLICY, Old};
use crate::adopt::old_installation;
use crate::cli::Mizar;
use crate::cluster::{NAMESPACE, assert_healthy_and_nothing_doubled, create, get, items, names};
use crate::proxy::Asked;
use crate::repair::{SCALE, deployment, prove};
use crate::restart::{pods_of, runs, until};

/// Three nodes one after the other.
const DEADLINE: Duration = Duration::from_secs(240);

/// What makes every daemon old, and the operator.
const OTHER: &str = "--set daemon.resources.requests.memory=96Mi --set operator.resources.requests.memory=96Mi";

impl Old {
    fn changing(&self, line: &str) -> Mizar {
        self.mizar().args(line).impatient(SCALE).within(DEADLINE)
    }

    /// Three nodes on which everything is on the network.
    async fn at_work() -> Self {
        let old = Self::cluster().await;
        old.install("--profile dev --recreate-pods").run().await.exits(0);
        deployment(&old.bed, "web", 2).await;
        old.proxy.take_asked();
        old
    }

    /// The memory that the daemon asks for.
    async fn daemon_memory(&self) -> Value {
        let set = get(&self.bed, &format!("/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets/mizar-daemon")).await;
        set["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["memory"].clone()
    }
}

/// The evictions that were asked for, by version of the request.
fn evictions(changes: &[Asked], version: &str) -> usize {
    let asked = changes.iter().filter(|asked| asked.uri.ends_with("/eviction"));
    asked.filter(|asked| asked.body["apiVersion"] == version).count()
}

/// Whether an object was changed by a merge patch that says of which state it is a change.
fn was_merged(changes: &[Asked], name: &str) -> bool {
    changes.iter().any(|asked| {
        let metadata = &asked.body["metadata"];
        asked.content_type == MERGE
            && asked.uri.contains(name)
            && metadata["uid"].is_string()
            && metadata["resourceVersion"].is_string()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_drains_by_the_old_evictions_and_a_rollback_goes_back() {
    let old = Old::at_work().await;
    let budget = json!({"metadata": {"name": "web"}, "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}}});
    create(&old.bed, "/apis/policy/v1/namespaces/default/poddisruptionbudgets", &budget).await;
    let plan = old.changing("upgrade --plan").args(OTHER).run().await;
    plan.exits(0).prints(&["3 nodes get a new daemon, one at a time, drained first"]);
    assert!(!plan.stdout.contains("Unknown"), "budgets are read by their old version: {plan}");

    old.changing("upgrade -y").args(OTHER).run().await.exits(0).tells(&["Mizar is healthy on 3 nodes"]);
    let changes = old.take_changes();
    assert!(evictions(&changes, OLD_POLICY) >= 2, "{changes:#?}");
    let applied: Vec<&Asked> = changes.iter().filter(|asked| asked.content_type == APPLY).collect();
    assert!(applied.len() <= 8, "the first answer decides: {applied:#?}");
    for name in ["daemonsets/mizar-daemon", "deployments/mizar-operator"] {
        assert!(was_merged(&changes, name), "{name}: {changes:#?}");
    }
    assert_eq!(old.daemon_memory().await, "96Mi");
    let recorded = old.recorded("mizar").await;
    assert_eq!(recorded.last(), Some(&(2, "deployed".to_owned(), "csa".to_owned())), "{recorded:?}");

    old.changing("rollback -y").run().await.exits(0).tells(&["Mizar is healthy on 3 nodes"]);
    assert_ne!(old.daemon_memory().await, "96Mi");
    old.take_changes();
    old.changing("upgrade -y").run().await.exits(0).tells(&["nothing was written"]);
    let changes = old.take_changes();
    assert!(changes.is_empty(), "{changes:#?}");
    until("all pods run", async || pods_of(&old.bed, "web", runs).await == 2).await;
    assert_healthy_and_nothing_doubled(&old.bed).await;
    prove(&old.bed, "old").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_was_killed_while_no_operator_ran_is_gone_on_with() {
    let old = Old::at_work().await;
    let operator = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/mizar-operator");
    let upgrade = "upgrade -y --set operator.resources.requests.memory=96Mi";
    let mut running = old.changing(upgrade).start();
    while !running.is_over() && get(&old.bed, &operator).await["spec"]["replicas"] != 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running.signal(Signal::SIGKILL);
    running.end().await;
    old.changing("resume -y").run().await.exits(0).tells(&["Mizar is healthy on 3 nodes"]);
    let resumed = get(&old.bed, &operator).await;
    assert_eq!(resumed["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["memory"], "96Mi");
    prove(&old.bed, "resumed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_installation_is_taken_over_and_taken_out() {
    let old = Old::before(old_installation().await).await;
    let plan = old.changing("install --adopt --plan").run().await;
    plan.exits(0).prints(&["DaemonSet default/mizar-daemon", "- ClusterRoleBinding mizar-operator"]);
    old.changing("install --adopt -y").run().await.exits(0).tells(&["Mizar is healthy on 3 nodes"]);
    let changes = old.take_changes();
    assert!(was_merged(&changes, "daemonsets/mizar-daemon"), "{changes:#?}");
    let bindings = names(&old.bed, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings").await;
    assert!(!bindings.contains(&"mizar-operator".to_owned()), "{bindings:?}");
    let set = get(&old.bed, "/apis/apps/v1/namespaces/default/daemonsets/mizar-daemon").await;
    assert_eq!(set["spec"]["updateStrategy"], json!({"type": "OnDelete"}));
    assert_eq!(set["metadata"]["annotations"]["meta.helm.sh/release-name"], "mizar");
    old.changing("install --adopt -y").run().await.exits(0).tells(&["nothing was written"]);
    assert!(old.take_changes().is_empty());

    let folder = tempfile::tempdir().unwrap();
    let export = folder.path().join("mizar.yaml");
    old.changing("uninstall --yes --crds --export").arg(export).run().await.exits(0).tells(&["3 nodes clean"]);
    let definitions = names(&old.bed, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions").await;
    assert!(definitions.iter().all(|name| !name.ends_with(".mizar.com")), "{definitions:?}");
    for path in ["/api/v1/nodes", "/api/v1/pods", "/api/v1/namespaces", "/api/v1/services"] {
        for item in items(&old.bed, path).await {
            assert!(!item["metadata"].to_string().contains("kopf"), "{item:#}");
        }
    }
}
