//! What must not be, or needs a word more: refused before anything is changed.

use mizar_bed::Fault;
use serde_json::json;

use super::{OF_DAEMON, budget, mizar_pods, upgrade};
use crate::audit_oracle::Journey;
use crate::cli::Mizar;
use crate::cluster::{bed, bed_of, changes, create, identities, requests};
use crate::order::assert_in_order;
use crate::repair::{at_work, deployment, fault};
use crate::restart::until;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_changes_nothing() {
    let bed = bed().await;
    Mizar::on(&bed).args("upgrade -y").run().await.exits(3).tells(&["not installed", "kubectl mizar install"]);
    Mizar::install(&bed).args("--recreate-pods").run().await.exits(0);
    let before = identities(&bed).await;
    let written = changes(&requests(&bed).await).count();

    let versions = "--set images.init.tag=dev-next --set images.daemon.tag=dev-next --set images.operator.tag=dev-next";
    let refused = upgrade(&bed, versions).await;
    refused.exits(3).tells(&["misunderstand each other", "--maintenance-window --accept-outage"]);
    upgrade(&bed, &format!("{versions} --maintenance-window")).await.exits(3).tells(&["--accept-outage"]);
    upgrade(&bed, &format!("{OF_DAEMON} --no-drain")).await.exits(3).tells(&["not drained", "--accept-outage"]);

    let pod = |name: &str, volumes| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"volumes": volumes, "containers": [{"name": "main", "image": "registry.example/any:1"}]}})
    };
    create(&bed, "/api/v1/namespaces/default/pods", &pod("alone", json!([]))).await;
    until("it runs", async || !crate::restart::addresses(&bed).await.iter().any(|(_, address)| address.is_empty()))
        .await;
    upgrade(&bed, OF_DAEMON).await.exits(3).tells(&["pod default/alone", "nobody would create it again", "--force"]);
    assert_eq!(identities(&bed).await, before);
    assert_eq!(changes(&requests(&bed).await).count(), written, "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_of_one_node_is_cut_only_with_a_word() {
    let bed = bed_of(1).await;
    Mizar::install(&bed).args("--recreate-pods").run().await.exits(0);
    deployment(&bed, "web", 2).await;
    upgrade(&bed, OF_DAEMON).await.exits(3).tells(&["no other node", "--accept-outage"]);
    upgrade(&bed, &format!("{OF_DAEMON} --accept-outage")).await.exits(0);
    assert_in_order(&bed, &Journey::default()).await;
    crate::repair::prove(&bed, "one").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unwell_network_is_healed_first() {
    let bed = at_work().await;
    deployment(&bed, "web", 2).await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    fault(&bed, Fault::DaemonRestart, Some("node-2")).await;
    until("it is seen", async || crate::repair::check(&bed).await.code == Some(1)).await;
    upgrade(&bed, OF_DAEMON).await.exits(3).tells(&["node-programming", "kubectl mizar repair"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_is_waited_for_and_never_broken() {
    let bed = at_work().await;
    deployment(&bed, "web", 3).await;
    budget(&bed, "web").await;
    let before = mizar_pods(&bed).await;
    let stopped = upgrade(&bed, &format!("{OF_DAEMON} --drain-timeout 3s")).await;
    stopped.exits(6).tells(&[
        "could not be drained in",
        "is kept: The disruption budget web needs",
        "poddisruptionbudgets",
    ]);
    assert_eq!(mizar_pods(&bed).await, before, "no daemon was replaced");
    assert_in_order(&bed, &Journey::default()).await;
    let path = "/apis/policy/v1/namespaces/default/poddisruptionbudgets/web";
    crate::cluster::send(&bed, "DELETE", path, None).await.unwrap();
    upgrade(&bed, OF_DAEMON).await.exits(0);
    assert_eq!(super::replaced(&before, &mizar_pods(&bed).await).len(), 3);
    crate::repair::prove(&bed, "budget").await;
}
