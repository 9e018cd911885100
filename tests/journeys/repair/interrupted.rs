//! Repairs that are killed, and two at once.

use std::time::{Duration, Instant};

use mizar_bed::Bed;
use nix::sys::signal::Signal;

use super::{SCALE, check, deployment, prove, repair, restart_operator};
use crate::cli::Mizar;
use crate::cluster::{changes, installed, requests};

const PATIENCE: Duration = Duration::from_secs(30);

/// Repairs until nothing is left. What a repair finds only while it is at work was in no plan that anybody agreed to: it is
/// named, and the next one heals it.
async fn repair_to_the_end(bed: &Bed) {
    let first = repair(bed).await;
    if first.code != Some(0) {
        first.exits(1).tells(&["still to", "kubectl mizar repair"]);
        repair(bed).await.exits(0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_any_write_a_rerun_finishes() {
    let bed = installed().await;
    deployment(&bed, "web", 3).await;
    for kill_after in [1, 2, 4, 5, 6] {
        restart_operator(&bed).await;
        let mark = bed.mark().await.unwrap();
        let mut running = Mizar::on(&bed).args("repair -y").impatient(SCALE).start();
        let begun = Instant::now();
        loop {
            let trail = changes(&bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/"));
            if trail.count() >= kill_after || running.is_over() {
                break;
            }
            assert!(begun.elapsed() < PATIENCE);
        }
        running.signal(Signal::SIGKILL);
        println!("killed after {kill_after} writes: {:?}", running.end().await.code);
        repair_to_the_end(&bed).await;
        assert!(check(&bed).await.code == Some(0));
    }
    prove(&bed, "killed").await;
    Mizar::install(&bed).run().await.exits(0).tells(&["nothing was written"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_repairs_at_once_the_second_is_told_who() {
    let bed = installed().await;
    restart_operator(&bed).await;
    let mark = bed.mark().await.unwrap();
    let first = Mizar::on(&bed).args("repair -y --only deadlock").env("USER", "ann").start();
    let begun = Instant::now();
    while changes(&bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/")).is_empty() {
        assert!(begun.elapsed() < PATIENCE);
    }
    let second = Mizar::on(&bed).args("repair -y").env("USER", "bob").run().await;
    second.exits(3).tells(&["ann on ", "repair", "nothing was changed"]);
    first.end().await.exits(0);
    let requests = requests(&bed).await;
    println!("{} requests", requests.count());
}
