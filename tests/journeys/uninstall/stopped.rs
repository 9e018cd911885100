//! Killed anywhere, the same command finishes, and nothing that was saved is lost.

use mizar_bed::{Fault, FaultOrder};
use nix::sys::signal::Signal;

use super::{Place, assert_orderly};
use crate::cluster::{names, operation};
use crate::killed::Writes;
use crate::restart::until;

/// Kills an uninstall after each of some numbers of writes, one after the other, and lets the last run finish.
async fn kill_again_and_again(writes: &[u64], flags: &str, left: &[&str]) {
    let place = Place::installed().await;
    for number in writes {
        let mut seen = Writes::of(&place.bed);
        let mut running = place.uninstall().args(flags).start();
        seen.until(&mut running, *number).await;
        running.signal(Signal::SIGKILL);
        let code = running.end().await.code;
        println!("killed after {} writes (meant: {number}): {code:?}", seen.count());
    }
    place.uninstall().args(flags).run().await.exits(0);
    place.is_as_before_but_for(left).await;
    place.nodes_are_clean(&[]).await;
    assert_orderly(&place, flags.contains("--crds")).await;
    let saved = place.written("mizar.yaml");
    for kind in ["kind: Vpc", "kind: Subnet", "kind: Divider", "kind: Bouncer", "kind: Droplet", "kind: Endpoint"] {
        assert!(saved.contains(kind), "{kind} was saved by one of the runs");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_many_early_points_a_rerun_finishes() {
    kill_again_and_again(&[1, 2, 3, 5, 6, 9], "", &super::STAYS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_each_part_a_rerun_finishes() {
    kill_again_and_again(&[20, 15, 12, 30, 8, 6], "--crds", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_near_the_end_a_rerun_finishes() {
    kill_again_and_again(&[110, 4, 7, 9], "--crds", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_uninstall_says_so_and_a_rerun_goes_on() {
    let place = Place::installed().await;
    place.bed.fault(FaultOrder { fault: Fault::CleanUpHangs, node: None }).await.unwrap();
    let mut running = place.uninstall().start();
    let jobs = "/apis/batch/v1/namespaces/mizar-system/jobs";
    until("the nodes are being cleaned", async || names(&place.bed, jobs).await.len() == 3).await;
    assert!(!running.is_over());
    running.signal(Signal::SIGINT);
    running.end().await.exits(130).tells(&["interrupted", "run the same command again"]);
    assert!(operation(&place.bed).await.outcome.is_some(), "it let go of its claim");
    place.bed.clear_faults().await.unwrap();
    place.uninstall().run().await.exits(0).tells(&["going on", "3 nodes clean"]);
    place.is_as_before_but_for(&super::STAYS).await;
    assert_orderly(&place, false).await;
}
