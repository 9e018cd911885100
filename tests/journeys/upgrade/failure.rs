//! Daemons that do not come back well: stopped, or taken back.

use super::{OF_DAEMON, mizar_pods, upgrade};
use crate::audit_oracle::Journey;
use crate::cluster::{NAMESPACE, items};
use crate::order::{assert_in_order, watched};
use crate::repair::{at_work, deployment, prove};

/// A daemon whose image cannot be had.
pub(super) const MISSING: &str = "--set images.daemon.tag=0.91-nopull";

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_does_not_come_back_stops_the_rest_and_the_rerun_goes_on() {
    let bed = at_work().await;
    deployment(&bed, "web", 2).await;
    let before = mizar_pods(&bed).await;
    let stopped = watched(&bed, upgrade(&bed, &format!("{MISSING} --timeout 5s"))).await;
    stopped.tells(&["the daemon of node-", "is not ready", "ImagePullBackOff"]);
    assert!(stopped.code == Some(6) || stopped.code == Some(5), "{stopped}");
    let other = super::replaced(&before, &mizar_pods(&bed).await);
    assert_eq!(other.len(), 1, "no second node is touched: {other:?}");
    // What was chosen wrongly is chosen anew; the node that waits comes first.
    watched(&bed, upgrade(&bed, &format!("--set images.daemon.tag= {OF_DAEMON}"))).await.exits(0);
    assert_eq!(super::replaced(&before, &mizar_pods(&bed).await).len(), 3);
    assert_in_order(&bed, &Journey::default()).await;
    prove(&bed, "rerun").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_failure_rollback_takes_back_the_nodes_that_were_touched_and_no_others() {
    let bed = at_work().await;
    deployment(&bed, "web", 2).await;
    let before = mizar_pods(&bed).await;
    let path = format!("/apis/apps/v1/namespaces/{NAMESPACE}/controllerrevisions");
    let first = items(&bed, &path).await.remove(0);
    let words = format!("{MISSING} --timeout 6s --on-failure rollback");
    let failed = watched(&bed, upgrade(&bed, &words)).await;
    assert!(failed.code == Some(6) || failed.code == Some(5), "{failed}");
    failed.tells(&["going back to revision 1", "everything that was changed is back at revision 1"]);
    let pods = items(&bed, &format!("/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=job=mizar-daemon")).await;
    let hash = &first["metadata"]["labels"]["controller-revision-hash"];
    for pod in &pods {
        assert_eq!(&pod["metadata"]["labels"]["controller-revision-hash"], hash, "{}", pod["spec"]["nodeName"]);
    }
    let touched = super::replaced(&before, &mizar_pods(&bed).await);
    assert!(touched.len() == 1 && touched[0].starts_with("node-"), "the first node and nothing else: {touched:?}");
    assert_in_order(&bed, &Journey::default()).await;
    prove(&bed, "undone").await;
}
