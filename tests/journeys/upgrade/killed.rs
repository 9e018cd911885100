//! An upgrade that is killed between any two writes is finished by running it again.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::{OF_DAEMON, OF_OPERATOR, assert_no_cordon, mizar_pods, replaced, upgrade, upgrading};
use crate::cluster::{changes, requests};
use crate::repair::{at_work, deployment, prove};

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
    upgrade(&bed, &words).await.exits(0);
    assert_eq!(replaced(&before, &mizar_pods(&bed).await).len(), 4);
    assert_no_cordon(&bed).await;
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
