//! A restart of the operator that is killed, stopped or begun twice: the rerun finishes it, and nobody gets an address that
//! is in use.

use std::time::{Duration, Instant};

use mizar_bed::Bed;
use nix::sys::signal::Signal;

use crate::cli::{Mizar, Running};
use crate::cluster::{
    address_of_new_pod, assert_healthy_and_nothing_doubled, changes, get, installed, items, operation,
};
use crate::restart::{addresses, assert_all_addresses_differ, assert_no_handler_waits, restart};

/// The bed's operator works in rounds of one second instead of fifteen.
const SCALE: f64 = 0.3;
const PATIENCE: Duration = Duration::from_secs(40);

/// Waits until a step has begun.
async fn until_in(bed: &Bed, running: &mut Running, step: &str) {
    let begun = Instant::now();
    loop {
        let operation = operation(bed).await;
        if operation.is_repair() && operation.stage(step).is_some_and(|stage| stage.started_at.is_some()) {
            return;
        }
        assert!(!running.is_over() && begun.elapsed() < PATIENCE, "step {step} did not begin: {:?}", operation.stages);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Kills a restart when a step has begun, and runs it again.
async fn kill_and_run_again(bed: &Bed, step: &str, pause: Duration) {
    let before = addresses(bed).await;
    let mut first = restart(bed).impatient(SCALE).start();
    until_in(bed, &mut first, step).await;
    tokio::time::sleep(pause).await;
    first.signal(Signal::SIGKILL);
    let killed = first.end().await;
    assert_eq!(killed.code, None, "{step}: it ended before it was killed\n{killed}");
    let stage = operation(bed).await.current_stage().map(|stage| stage.name.clone());
    println!("killed {pause:?} after {step} had begun; the record is at {stage:?}");
    if step == "stop-operator" {
        let install = Mizar::install(bed).impatient(SCALE).run().await;
        install.exits(3).tells(&["half done", "nodes are cordoned", "kubectl mizar repair"]);
        let check = Mizar::on(bed).args("check --check unfinished-restart").run().await;
        check.exits(1).prints(&["a restart of the operator was cut off", "kubectl mizar repair --restart-operator"]);
    }
    restart(bed).impatient(SCALE).run().await.exits(0);
    assert_no_handler_waits(bed).await;
    assert_eq!(addresses(bed).await, before, "{step}: pods keep their addresses");
    address_of_new_pod(bed, &format!("after-{step}-{}", pause.as_millis())).await;
    assert_all_addresses_differ(bed).await;
    let cordoned: Vec<_> =
        items(bed, "/api/v1/nodes").await.into_iter().filter(|node| node["spec"]["unschedulable"] == true).collect();
    assert!(cordoned.is_empty(), "{step}: {cordoned:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_an_early_step_the_rerun_finishes_it() {
    let bed = installed().await;
    for pod in ["a", "b"] {
        address_of_new_pod(&bed, pod).await;
    }
    for (step, pause) in [("cordon", 0), ("stop-operator", 0), ("stop-operator", 60), ("hold-addresses", 0)] {
        kill_and_run_again(&bed, step, Duration::from_millis(pause)).await;
    }
    assert_healthy_and_nothing_doubled(&bed).await;
    assert_the_install_is_what_is_recorded(&bed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_a_late_step_the_rerun_finishes_it() {
    let bed = installed().await;
    for pod in ["a", "b"] {
        address_of_new_pod(&bed, pod).await;
    }
    for (step, pause) in
        [("start-operator", 0), ("start-operator", 300), ("rewire", 0), ("rewire", 2300), ("uncordon", 0)]
    {
        kill_and_run_again(&bed, step, Duration::from_millis(pause)).await;
    }
    assert_healthy_and_nothing_doubled(&bed).await;
    assert_the_install_is_what_is_recorded(&bed).await;
}

/// A repair gives the record back, with all that a later install goes on from.
async fn assert_the_install_is_what_is_recorded(bed: &Bed) {
    let operation = operation(bed).await;
    assert_eq!((operation.command.as_str(), operation.intent.profile.as_deref()), ("install", Some("dev")));
    Mizar::on(bed).args("install -y").run().await.exits(0).tells(&["nothing was written"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_at_once_the_second_is_told_who_and_a_stopped_one_is_relieved() {
    let bed = installed().await;
    address_of_new_pod(&bed, "a").await;
    let mut first = restart(&bed).env("USER", "ann").impatient(SCALE).start();
    until_in(&bed, &mut first, "stop-operator").await;
    let second = restart(&bed).env("USER", "bob").impatient(SCALE).run().await;
    second.exits(3).tells(&["ann on ", "repair since", "nothing was changed"]);
    first.signal(Signal::SIGSTOP);
    // The claim runs out after 15 s, here after 4.5 s.
    tokio::time::sleep(Duration::from_secs(5)).await;
    restart(&bed).env("USER", "bob").impatient(SCALE).run().await.exits(0).tells(&["going on"]);
    let mark = bed.mark().await.unwrap();
    first.signal(Signal::SIGCONT);
    first.end().await.exits(5).tells(&["the claim on this change was lost"]);
    let stored = changes(&bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/"));
    let stored = stored.filter(|entry| (200..300).contains(&entry.code));
    assert!(stored.is_empty(), "{}", stored.summary());
    assert_healthy_and_nothing_doubled(&bed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_restart_says_that_nodes_stay_cordoned_and_how_to_go_on() {
    let bed = installed().await;
    address_of_new_pod(&bed, "a").await;
    let mut first = restart(&bed).impatient(SCALE).start();
    until_in(&bed, &mut first, "rewire").await;
    first.signal(Signal::SIGINT);
    let interrupted = first.end().await;
    interrupted.exits(130).tells(&["nodes stay cordoned", "kubectl mizar repair"]);
    let node = get(&bed, "/api/v1/nodes/node-1").await;
    assert!(node["metadata"]["annotations"]["mizar.dev/cordoned-by"].as_str().unwrap().starts_with("repair-"));
    restart(&bed).impatient(SCALE).run().await.exits(0);
    assert_healthy_and_nothing_doubled(&bed).await;
}
