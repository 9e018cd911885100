//! Daemons that do not come back well: stopped, or taken back.

use mizar_bed::Fault;

use super::{OF_DAEMON, assert_no_cordon, mizar_pods, upgrade};
use crate::cluster::{NAMESPACE, items};
use crate::repair::{at_work, deployment, fault, prove};

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_does_not_come_back_stops_the_rest_and_the_rerun_goes_on() {
    let bed = at_work().await;
    deployment(&bed, "web", 2).await;
    let before = mizar_pods(&bed).await;
    // Of the present daemons none is touched by it, of those to come each one is.
    fault(&bed, Fault::ImagePullError, None).await;
    let stopped = upgrade(&bed, &format!("{OF_DAEMON} --timeout 5s")).await;
    stopped.tells(&["the daemon of node-", "is not ready", "ErrImagePull"]);
    assert!(stopped.code == Some(6) || stopped.code == Some(5), "{stopped}");
    let other = super::replaced(&before, &mizar_pods(&bed).await);
    assert_eq!(other.len(), 1, "no second node is touched: {other:?}");
    bed.clear_faults().await.unwrap();
    upgrade(&bed, OF_DAEMON).await.exits(0);
    assert_eq!(super::replaced(&before, &mizar_pods(&bed).await).len(), 3);
    assert_no_cordon(&bed).await;
    prove(&bed, "rerun").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_failure_rollback_takes_back_the_nodes_that_were_touched_and_no_others() {
    let bed = at_work().await;
    deployment(&bed, "web", 2).await;
    let before = mizar_pods(&bed).await;
    let path = format!("/apis/apps/v1/namespaces/{NAMESPACE}/controllerrevisions");
    let first = items(&bed, &path).await.remove(0);
    // Only the new image cannot be had.
    fault(&bed, Fault::ImagePullError, Some("node-2")).await;
    let failed = upgrade(&bed, &format!("{OF_DAEMON} --timeout 6s --on-failure rollback")).await;
    assert_ne!(failed.code, Some(0), "{failed}");
    failed.tells(&["going back to revision 1"]);
    bed.clear_faults().await.unwrap();
    let pods = items(&bed, &format!("/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=job=mizar-daemon")).await;
    let hash = &first["metadata"]["labels"]["controller-revision-hash"];
    for pod in &pods {
        assert_eq!(&pod["metadata"]["labels"]["controller-revision-hash"], hash, "{}", pod["spec"]["nodeName"]);
    }
    let touched = super::replaced(&before, &mizar_pods(&bed).await);
    assert!(touched.contains(&"node-2".to_owned()) && !touched.contains(&"operator".to_owned()), "{touched:?}");
    // What could not be taken back while the node was broken is finished by the same command.
    crate::cli::Mizar::on(&bed).args("rollback 1 -y").impatient(crate::repair::SCALE).run().await.exits(0);
    assert_no_cordon(&bed).await;
    prove(&bed, "undone").await;
}
