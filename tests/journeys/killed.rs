//! Ends that nobody planned: killed at any moment, stopped for a while, interrupted, begun twice.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::time::{Duration, Instant};

use mizar_bed::{Bed, Fault, FaultOrder};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::cli::{Mizar, Running};
use crate::cluster::{assert_healthy_and_nothing_doubled, bed, changes, operation, requests};

const PATIENCE: Duration = Duration::from_secs(30);

/// After so many writes a first install waits for the network; two more end it. The points are spread over them.
const WRITES: u64 = 23;

/// Follows the audit log as it is written: asking for it in the harness's way takes longer than a write does.
pub(crate) struct Writes {
    log: BufReader<File>,
    line: String,
    seen: u64,
}

impl Writes {
    /// Counts from now on.
    pub(crate) fn of(bed: &Bed) -> Self {
        let mut log = File::open(bed.dir().join("audit.log")).unwrap();
        log.seek(SeekFrom::End(0)).unwrap();
        Self { log: BufReader::new(log), line: String::new(), seen: 0 }
    }

    pub(crate) fn count(&mut self) -> u64 {
        while self.log.read_line(&mut self.line).unwrap() > 0 && self.line.ends_with('\n') {
            let entry: Value = serde_json::from_str(&self.line).unwrap();
            let ours = entry["userAgent"].as_str().is_some_and(|agent| agent.starts_with("kubectl-mizar/"));
            let verb = entry["verb"].as_str().unwrap_or_default();
            let writes = matches!(verb, "create" | "update" | "patch" | "delete")
                && !entry["requestURI"].as_str().unwrap_or_default().contains("selfsubject");
            self.seen += u64::from(ours && writes && entry["stage"] == "ResponseComplete");
            self.line.clear();
        }
        self.seen
    }

    /// Waits until the program has made so many writes, or has ended.
    pub(crate) async fn until(&mut self, running: &mut Running, number: u64) {
        let begun = Instant::now();
        while self.count() < number && !running.is_over() {
            assert!(begun.elapsed() < PATIENCE, "only {} of {number} writes", self.seen);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Kills an install after a number of writes and a pause, then runs it again.
async fn kill_and_run_again(seed: u64) {
    let bed = bed().await;
    let (writes, pause) = point(seed);
    let mut writes_seen = Writes::of(&bed);
    let mut install = Mizar::install(&bed).start();
    writes_seen.until(&mut install, writes).await;
    tokio::time::sleep(pause).await;
    install.signal(Signal::SIGKILL);
    let killed = install.end().await;
    println!("seed {seed}: killed after write {} (meant: {writes}) and {pause:?}", writes_seen.count());
    assert_eq!(killed.code, None, "seed {seed}: it ended before it was killed\n{killed}");
    Mizar::install(&bed).run().await.exits(0);
    assert_healthy_and_nothing_doubled(&bed).await;
}

/// The moment of a seed: after which write, and how long after it. Every third falls into a wait.
fn point(seed: u64) -> (u64, Duration) {
    // xorshift: the same points on every machine.
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut random = |bound: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % bound
    };
    let step = WRITES / 10;
    let writes = ((seed - 1) * step + random(step + 1) + seed / 3).clamp(1, WRITES);
    let pause = match writes {
        WRITES => random(2000),
        _ if seed.is_multiple_of(3) => random(40 * seed),
        _ => 0,
    };
    (writes, Duration::from_millis(pause))
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_of_five_early_points_a_rerun_finishes_and_doubles_nothing() {
    for seed in 1..=5 {
        kill_and_run_again(seed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_of_five_late_points_a_rerun_finishes_and_doubles_nothing() {
    for seed in 6..=10 {
        kill_and_run_again(seed).await;
    }
}

#[tokio::test]
async fn of_two_at_once_the_second_is_told_who_is_at_it_and_since_when() {
    let bed = bed().await;
    bed.fault(FaultOrder { fault: Fault::SlowStart { seconds: 6 }, node: None }).await.unwrap();
    let mut writes = Writes::of(&bed);
    let mut first = Mizar::install(&bed).env("USER", "ann").start();
    writes.until(&mut first, 3).await;
    let mark = bed.mark().await.unwrap();
    let second = Mizar::install(&bed).env("USER", "bob").run().await;
    let begun = operation(&bed).await;
    let since = begun.started_at.to_string();
    second.exits(3).tells(&["ann on ", &format!("process {}", begun.holder.pid), &since, "nothing was changed"]);
    first.end().await.exits(0);
    let pid = begun.holder.pid;
    assert_eq!(operation(&bed).await.holder.pid, pid, "the second wrote nothing");
    let requests = bed.audit_since(mark).await.unwrap();
    println!("{} requests of both since the second began", requests.agent("kubectl-mizar/").count());
    assert_healthy_and_nothing_doubled(&bed).await;
}

#[tokio::test]
async fn who_stands_still_past_the_lease_is_relieved_and_changes_nothing_more() {
    const SCALE: f64 = 0.1;
    let bed = bed().await;
    bed.fault(FaultOrder { fault: Fault::DaemonNeverReady, node: Some("node-1".to_owned()) }).await.unwrap();
    let mut first = Mizar::install(&bed).env("USER", "ann").impatient(SCALE).start();
    until_applied(&bed, &mut first, "daemonsets").await;
    first.signal(Signal::SIGSTOP);
    let stopped = operation(&bed).await.holder.pid;
    // The claim runs out after 15 s, here after 4.5 s.
    tokio::time::sleep(Duration::from_secs(5)).await;
    bed.clear_faults().await.unwrap();
    let second = Mizar::install(&bed).env("USER", "bob").impatient(SCALE).run().await;
    second.exits(0).tells(&["ann on "]);
    let mark = bed.mark().await.unwrap();
    let before = operation(&bed).await;
    assert_ne!(before.holder.pid, stopped);
    first.signal(Signal::SIGCONT);
    let first = first.end().await;
    first.exits(5).tells(&["the claim on this change was lost"]);
    assert_eq!(operation(&bed).await, before, "who lost the claim leaves the record alone");
    let stored = changes(&bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/"));
    let stored = stored.filter(|entry| (200..300).contains(&entry.code));
    assert!(stored.is_empty(), "{}", stored.summary());
    assert_healthy_and_nothing_doubled(&bed).await;
}

#[tokio::test]
async fn an_interrupted_install_says_so_and_a_rerun_goes_on() {
    let bed = bed().await;
    bed.fault(FaultOrder { fault: Fault::DaemonNeverReady, node: None }).await.unwrap();
    let mut install = Mizar::install(&bed).start();
    until_applied(&bed, &mut install, "daemonsets").await;
    install.signal(Signal::SIGINT);
    let interrupted = install.end().await;
    interrupted.exits(130).tells(&["interrupted", "run the same command again"]);
    assert!(operation(&bed).await.outcome.is_some(), "it let go of its claim");
    bed.clear_faults().await.unwrap();
    Mizar::install(&bed).run().await.exits(0).tells(&["going on"]);
    assert_healthy_and_nothing_doubled(&bed).await;
}

/// Waits until the program has written an object of a kind and waits for it.
async fn until_applied(bed: &Bed, running: &mut Running, plural: &str) {
    let begun = Instant::now();
    while changes(&requests(bed).await).resource(plural).is_empty() {
        assert!(!running.is_over() && begun.elapsed() < PATIENCE, "{plural} were not written");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
}
