//! Things that go wrong while Mizar is installed: each ends the install in time with its right name, and once it is over
//! the same command finishes the job.
//!
//! The program runs ten times as impatient, as the bed's operator works in rounds of one second instead of fifteen.

use std::time::Duration;

use mizar_bed::{Bed, Fault, FaultOrder};

use crate::cli::{Ended, Mizar};
use crate::cluster::{assert_healthy_and_nothing_doubled, bed};

const SCALE: f64 = 0.1;

/// Installs under a fault, then again without it.
async fn install_under(bed: &Bed, fault: Fault, node: Option<&str>, flags: &str) -> Ended {
    bed.fault(FaultOrder { fault, node: node.map(str::to_owned) }).await.unwrap();
    Mizar::install(bed).args(flags).impatient(SCALE).within(Duration::from_secs(50)).run().await
}

async fn assert_a_rerun_finishes_the_job(bed: &Bed) {
    bed.clear_faults().await.unwrap();
    Mizar::install(bed).impatient(SCALE).run().await.exits(0);
    assert_healthy_and_nothing_doubled(bed).await;
}

#[tokio::test]
async fn a_daemon_that_is_never_ready_is_named_with_its_node_when_time_is_up() {
    let bed = bed().await;
    let ended = install_under(&bed, Fault::DaemonNeverReady, Some("node-2"), "--timeout 8s").await;
    ended.exits(6).tells(&[
        "daemon",
        "2 of 3",
        "node-2",
        "mizar-daemon-",
        "describe pod",
        "run the same command again",
    ]);
    assert!(ended.took < Duration::from_secs(15), "{ended}");
    assert_a_rerun_finishes_the_job(&bed).await;
}

#[tokio::test]
async fn a_slow_daemon_is_waited_for() {
    let bed = bed().await;
    let ended = install_under(&bed, Fault::SlowStart { seconds: 5 }, Some("node-1"), "").await;
    ended.exits(0).tells(&["node-1"]);
    assert!(ended.took > Duration::from_secs(5), "{ended}");
    assert_healthy_and_nothing_doubled(&bed).await;
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_ends_the_install_early() {
    let bed = bed().await;
    let ended = install_under(&bed, Fault::ImagePullError, Some("node-3"), "").await;
    ended.exits(5).tells(&["node-3", "mizar-daemon-", "container", "docker.io/mizarnet/", "describe pod"]);
    assert!(ended.stderr.contains("ImagePullBackOff") || ended.stderr.contains("ErrImagePull"), "{ended}");
    assert!(ended.took < Duration::from_secs(30), "{ended}");
    assert_a_rerun_finishes_the_job(&bed).await;
}

#[tokio::test]
async fn a_daemon_that_crashes_again_and_again_ends_the_install_early() {
    let bed = bed().await;
    let ended = install_under(&bed, Fault::CrashLoop, Some("node-1"), "").await;
    ended.exits(5).tells(&["node-1", "mizar-daemon-", "CrashLoopBackOff", "--previous"]);
    assert!(ended.took < Duration::from_secs(45), "{ended}");
    assert_a_rerun_finishes_the_job(&bed).await;
}

#[tokio::test]
async fn an_operator_that_crashes_again_and_again_ends_the_install_early() {
    let bed = bed().await;
    let ended = install_under(&bed, Fault::OperatorCrashLoop, None, "").await;
    ended.exits(5).tells(&["operator", "mizar-operator-", "node-", "CrashLoopBackOff", "--previous"]);
    assert!(ended.took < Duration::from_secs(45), "{ended}");
    assert_a_rerun_finishes_the_job(&bed).await;
}
