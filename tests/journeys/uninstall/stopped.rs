//! Killed anywhere, the same command finishes, and nothing that was saved is lost.

use nix::sys::signal::Signal;

use super::{Place, assert_orderly};
use crate::killed::Writes;

/// Kills an uninstall after each of some numbers of writes, one after the other, and lets the last run finish.
async fn kill_again_and_again(writes: &[u64], flags: &str, left: &[&str]) {
    let place = Place::installed().await;
    let mark = place.bed.mark().await.unwrap();
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
    assert_orderly(&place.bed.audit_since(mark).await.unwrap());
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
