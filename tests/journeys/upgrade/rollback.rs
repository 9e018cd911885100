//! The way back.

use super::{OF_DAEMON, OF_OPERATOR, mizar_pods, replaced, upgrade};
use crate::audit_oracle::Journey;
use crate::cli::Mizar;
use crate::cluster::{NAMESPACE, get};
use crate::order::{assert_in_order, watched};
use crate::repair::{SCALE, at_work, deployment, prove};

fn rollback(bed: &mizar_bed::Bed) -> Mizar {
    Mizar::on(bed).args("rollback -y").impatient(SCALE).within(super::DEADLINE)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_takes_back_what_differs_and_touches_nothing_else() {
    let bed = at_work().await;
    deployment(&bed, "web", 2).await;
    upgrade(&bed, OF_DAEMON).await.exits(0);
    let before = mizar_pods(&bed).await;
    watched(&bed, rollback(&bed).run()).await.exits(0).tells(&["Mizar is healthy on 3 nodes"]);
    assert_eq!(replaced(&before, &mizar_pods(&bed).await), ["node-1", "node-2", "node-3"], "not the operator");
    let set = get(&bed, &format!("/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets/mizar-daemon")).await;
    assert_ne!(set["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["memory"], "96Mi");
    assert_in_order(&bed, &Journey::default()).await;
    prove(&bed, "back").await;
    let helm = bed.helm4().unwrap().args(["history", "mizar", "-n", NAMESPACE]).output().unwrap();
    let history = String::from_utf8(helm.stdout).unwrap();
    assert!(history.contains("Rollback to 1"), "{history}");
    // What runs is what the last revision says: nothing is left to do.
    upgrade(&bed, "").await.exits(0).tells(&["nothing was written"]);
    rollback(&bed).args("99").run().await.exits(3).tells(&["no revision 99 (it has 1, 2, 3)"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_of_the_operator_restarts_it_the_safe_way() {
    let bed = at_work().await;
    deployment(&bed, "web", 2).await;
    upgrade(&bed, OF_OPERATOR).await.exits(0);
    let before = mizar_pods(&bed).await;
    rollback(&bed).args("1").run().await.exits(0);
    assert_eq!(replaced(&before, &mizar_pods(&bed).await), ["operator"]);
    assert_in_order(&bed, &Journey::default()).await;
    prove(&bed, "operator-back").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_earlier_revision_there_is_no_way_back() {
    let bed = at_work().await;
    rollback(&bed).run().await.exits(3).tells(&["no earlier revision", "kubectl mizar history"]);
}
