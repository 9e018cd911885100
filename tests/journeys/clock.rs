//! A machine whose clock is an hour off: it is told, and nobody is taken for dead or alive because of it.

use std::time::Duration;

use jiff::Timestamp;
use mizar_bed::Bed;
use mizar_core::operation::Operation;
use mizar_core::operation::storage::to_secret;

use crate::cli::{Ended, Mizar};
use crate::cluster::{NAMESPACE, assert_healthy_and_nothing_doubled, bed, installed, operation, patch};

const AHEAD: &str = "MIZAR_CLOCK_AHEAD";

#[tokio::test]
async fn with_a_wrong_clock_all_is_installed_and_checked_by_the_servers() {
    let bed = bed().await;
    let begun = Timestamp::now();
    let install = Mizar::install(&bed).env(AHEAD, "-3600").run().await;
    install.exits(0).tells(&["the clock of this machine is 1 h 00 min behind the server's"]);
    let recorded = operation(&bed).await;
    assert!(recorded.started_at.duration_since(begun).abs().as_secs() < 120, "{}", recorded.started_at);
    for (ahead, told) in [("3600", "1 h 00 min ahead of"), ("-3600", "1 h 00 min behind")] {
        let check = Mizar::on(&bed).args("check").env(AHEAD, ahead).run().await;
        check.exits(0).tells(&[told]);
        let status = Mizar::on(&bed).args("status").env(AHEAD, ahead).run().await;
        status.exits(0).tells(&[told]);
    }
    let right = Mizar::on(&bed).args("check").run().await;
    assert!(!right.stderr.contains("clock"), "{right}");
    assert_healthy_and_nothing_doubled(&bed).await;
}

/// Writes the record as if somebody on another machine were at work.
async fn held_elsewhere(bed: &Bed, renewed_at: Timestamp) -> Operation {
    let mut held = operation(bed).await;
    held.outcome = None;
    "elsewhere".clone_into(&mut held.holder.host);
    held.renewed_at = renewed_at;
    write(bed, &held).await;
    held
}

async fn write(bed: &Bed, operation: &Operation) {
    let secret = to_secret(operation, None);
    let path = format!("/api/v1/namespaces/{NAMESPACE}/secrets/mizar-operation");
    patch(bed, &path, &serde_json::json!({"data": secret.value()["data"]})).await;
}

async fn install(bed: &Bed, ahead: &str) -> Ended {
    Mizar::install(bed).impatient(0.2).env(AHEAD, ahead).run().await
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_wrong_clock_a_holder_that_renews_is_left_alone_and_a_silent_one_relieved() {
    let bed = installed().await;
    for ahead in ["3600", "-3600"] {
        let mut held = held_elsewhere(&bed, Timestamp::now()).await;
        let renewing = async {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            held.renewed_at = Timestamp::now();
            write(&bed, &held).await;
        };
        let (refused, ()) = tokio::join!(install(&bed, ahead), renewing);
        refused.exits(3).tells(&["on elsewhere", "is at it", "nothing was changed"]);
        // Nobody renews any more: after the time that a claim counts, somebody else may go on.
        install(&bed, ahead).await.exits(0).tells(&["on elsewhere"]);
        assert_healthy_and_nothing_doubled(&bed).await;
    }
}
