//! An upgrade that is killed between any two writes is finished by running it again.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::{OF_DAEMON, OF_OPERATOR, mizar_pods, replaced, upgrade, upgrading};
use crate::audit_oracle::Journey;
use crate::cli::Mizar;
use crate::cluster::{changes, get, names, operation, requests};
use crate::order::{assert_in_order, watched};
use crate::repair::{SCALE, at_work, deployment, prove};

async fn killed_after(writes: usize) {
    let bed = at_work().await;
    deployment(&bed, "web", 3).await;
    let before = mizar_pods(&bed).await;
    let so_far = changes(&requests(&bed).await).count();
    let words = format!("{OF_DAEMON} {OF_OPERATOR}");
    let mut running = upgrading(&bed).args(&words).start();
    while !running.is_over() && changes(&requests(&bed).await).count() < so_far + writes {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running.signal(Signal::SIGKILL);
    running.end().await;
    watched(&bed, upgrade(&bed, &words)).await.exits(0);
    assert_eq!(replaced(&before, &mizar_pods(&bed).await).len(), 4);
    assert_in_order(&bed, &Journey::default()).await;
    prove(&bed, "killed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_objects_are_written() {
    killed_after(6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_on_the_way_from_node_to_node() {
    killed_after(22).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_the_operator_is_restarted() {
    killed_after(60).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_stay_closed_until_a_restart_that_was_killed_is_finished() {
    let bed = at_work().await;
    deployment(&bed, "web", 3).await;
    let before = mizar_pods(&bed).await;
    let mut running = upgrading(&bed).args(OF_OPERATOR).start();
    let stopped =
        async || names(&bed, "/api/v1/namespaces/mizar-system/pods?labelSelector=app=mizar-operator").await.is_empty();
    while !running.is_over() && !stopped().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running.signal(Signal::SIGKILL);
    running.end().await;
    assert!(operation(&bed).await.restart.is_some(), "the restart is half done");
    Mizar::on(&bed).args("abort -y").run().await.exits(3).tells(&["half done", "kubectl mizar repair"]);
    let mark = bed.mark().await.unwrap();
    upgrade(&bed, OF_OPERATOR).await.exits(0);
    let trail = changes(&bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/"));
    let at = |resource: &str| trail.entries().iter().position(|it| it.resource == resource && it.verb == "patch");
    let (node, operator) = (at("nodes").unwrap(), at("deployments").unwrap());
    assert!(operator < node, "a node was opened before the operator was started: {}", trail.summary());
    assert_eq!(replaced(&before, &mizar_pods(&bed).await), ["operator"]);
    assert_in_order(&bed, &Journey::default()).await;
    prove(&bed, "half").await;
}

/// Kills an upgrade between two nodes; returns the pods as they were before it.
async fn stopped_in_the_middle(bed: &mizar_bed::Bed) -> std::collections::BTreeMap<String, String> {
    deployment(bed, "web", 3).await;
    let before = mizar_pods(bed).await;
    let mut running = upgrading(bed).args(OF_DAEMON).start();
    let deleted = async || super::acts(&requests(bed).await).iter().filter(|act| act.starts_with("delete")).count();
    while !running.is_over() && deleted().await < 1 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running.signal(Signal::SIGKILL);
    running.end().await;
    before
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_killed_is_resumed_without_anybody_remembering_what_was_typed() {
    let bed = at_work().await;
    Mizar::on(&bed).args("resume -y").run().await.exits(0).tells(&["nothing has stopped in the middle"]);
    let before = stopped_in_the_middle(&bed).await;
    let install = Mizar::on(&bed).args("install -y").run().await;
    install.exits(3).tells(&["upgrade, begun by", "kubectl mizar resume", "kubectl mizar abort"]);
    let resumed = Mizar::on(&bed).args("resume -y").impatient(SCALE).within(super::DEADLINE).run();
    watched(&bed, resumed).await.exits(0);
    assert_eq!(replaced(&before, &mizar_pods(&bed).await), ["node-1", "node-2", "node-3"]);
    assert_in_order(&bed, &Journey::default()).await;
    prove(&bed, "resumed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_killed_is_given_up_and_then_taken_back() {
    let bed = at_work().await;
    Mizar::on(&bed).args("abort -y").run().await.exits(0);
    let before = stopped_in_the_middle(&bed).await;
    Mizar::on(&bed).args("abort").run().await.exits(2).tells(&["add -y"]);
    Mizar::on(&bed).args("abort -y").impatient(SCALE).run().await.exits(0).tells(&["is given up"]);
    assert_in_order(&bed, &Journey::default()).await;
    Mizar::on(&bed).args("abort -y").run().await.exits(0).tells(&["nothing to do"]);
    assert_eq!(operation(&bed).await.outcome.unwrap().outcome.to_string(), "aborted");
    let given_up = mizar_pods(&bed).await;
    let rollback = Mizar::on(&bed).args("rollback 1 -y").impatient(SCALE).within(super::DEADLINE);
    watched(&bed, rollback.run()).await.exits(0);
    let taken_back = replaced(&given_up, &mizar_pods(&bed).await);
    assert_eq!(taken_back, replaced(&before, &given_up), "nodes that it had not reached are left alone");
    prove(&bed, "given-up").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_that_was_killed_goes_where_it_was_going() {
    let bed = at_work().await;
    deployment(&bed, "web", 2).await;
    upgrade(&bed, OF_DAEMON).await.exits(0);
    let before = mizar_pods(&bed).await;
    let deletions = async || super::acts(&requests(&bed).await).iter().filter(|act| act.starts_with("delete")).count();
    let so_far = deletions().await;
    let rollback = || Mizar::on(&bed).args("rollback -y").impatient(SCALE).within(super::DEADLINE);
    let mut running = rollback().start();
    while !running.is_over() && deletions().await <= so_far {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running.signal(Signal::SIGKILL);
    running.end().await;
    watched(&bed, rollback().run()).await.exits(0);
    assert_eq!(replaced(&before, &mizar_pods(&bed).await).len(), 3);
    let set = get(&bed, "/apis/apps/v1/namespaces/mizar-system/daemonsets/mizar-daemon").await;
    assert!(
        set["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"].is_null(),
        "as revision 1 has it"
    );
    assert_in_order(&bed, &Journey::default()).await;
    prove(&bed, "rolled").await;
}
