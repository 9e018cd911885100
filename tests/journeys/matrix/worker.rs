//! Runs cases on one bed: prepare, let the fault befall a run, run the same command again until it ends well, judge.

use std::time::Duration;

use mizar_bed::{AuditMark, Bed};
use mizar_core::timing::Timing;
use nix::sys::signal::Signal;
use tokio::sync::{Mutex, mpsc};

use super::case::Case;
use super::fault::Fault;
use super::gate::{Gate, Outage, Passed};
use super::ground::{Errand, Ground};
use super::request::Request;
use super::results::Outcome;
use super::scenario::{SCALE, Scenario};
use super::{lifecycle, oracle};
use crate::cli::{Ended, Mizar, Running};
use crate::cluster::{changes, operation_in, send};
use crate::order::programmed_throughout;
use crate::proxy::Proxy;
use crate::restart::until;

/// Nothing of the matrix takes longer; what does hangs.
const DEADLINE: Duration = Duration::from_secs(120);
/// Two are enough for one to be done and the other not.
const NODES: usize = 2;
/// How often the same command may be run again until it ends well.
const RERUNS: usize = 2;
/// How long the program may take to leave after the second Ctrl-C on a busy machine.
const LEAVES_WITHIN: Duration = Duration::from_secs(5);

/// What a command asks for when nothing goes wrong, and what it leaves.
#[derive(Debug, Clone)]
pub(crate) struct Clean {
    /// The requests in their order.
    pub(crate) requests: Vec<Request>,
    /// What there is afterwards.
    pub(crate) census: Vec<String>,
}

/// What came of a case, and why its first run stopped.
pub(crate) struct Tried {
    pub(crate) outcome: Outcome,
    pub(crate) reason: String,
}

/// A bed, the proxy before it, and how far it is prepared.
pub(crate) struct Worker {
    bed: Bed,
    gate: Gate,
    proxy: Proxy,
    outages: Mutex<mpsc::UnboundedReceiver<Outage>>,
    timing: Timing,
    /// For what the bed is founded.
    founded: Option<Ground>,
}

impl Worker {
    pub(crate) async fn new() -> Self {
        let bed = crate::cluster::bed_of(NODES).await;
        let timing = Timing::default().scaled(SCALE);
        // Just longer than the program waits for an answer.
        let (gate, outages) = Gate::new(timing.request + timing.request / 10);
        let proxy = Proxy::before(&bed, gate.clone()).await;
        Self { bed, gate, proxy, outages: Mutex::new(outages), timing, founded: None }
    }

    /// What is to be known of a command before anything goes wrong.
    pub(crate) async fn record(&mut self, scenario: Scenario) -> Clean {
        let is_founded = self.founded == Some(scenario.ground());
        let clean = self.run_clean(scenario).await;
        if scenario.ground().has_a_past() && !is_founded {
            // The second one finds what all later ones will find.
            return self.run_clean(scenario).await;
        }
        clean
    }

    async fn run_clean(&mut self, scenario: Scenario) -> Clean {
        let errand = self.ground(scenario).await;
        self.gate.set(None);
        self.through_the_gate(scenario, &errand).run().await.exits(0);
        let requests = self.gate.open().requests;
        // For whoever wants to know what a command asks for.
        if std::env::var_os("MIZAR_TELL").is_some() {
            for request in &requests {
                println!("{scenario}: {} {}", request.phase, request.key());
            }
        }
        if scenario.replaces_daemons() {
            lifecycle::until_all_pods_run(&self.bed).await;
        }
        let census = oracle::census(&self.bed).await;
        scenario.judge(&self.bed, &errand, &census).await;
        self.founded = self.founded.filter(|_| scenario.ground().lasts());
        Clean { requests, census }
    }

    /// Forgets what is on the bed: a case has gone wrong.
    pub(crate) fn distrust(&mut self) {
        self.founded = None;
    }

    /// Tries a case; panics if anything is not as it must be.
    pub(crate) async fn try_case(&mut self, case: &Case, clean: &Clean) -> Tried {
        let errand = self.ground(case.scenario).await;
        // Until it has gone well, nobody knows what it leaves.
        let founded = self.founded.take();
        let tried = if case.scenario.replaces_daemons() {
            programmed_throughout(&self.bed, self.carry_out(case, &errand, clean)).await.0
        } else {
            self.carry_out(case, &errand, clean).await
        };
        self.founded = founded.filter(|_| case.scenario.ground().lasts());
        tried
    }

    /// Brings the bed to where a case begins.
    async fn ground(&mut self, scenario: Scenario) -> Errand {
        let ground = scenario.ground();
        if self.founded != Some(ground) {
            self.bed.reset().await.unwrap();
            ground.found(&self.bed).await;
            self.founded = Some(ground);
        }
        Ground::prepare(&self.bed, scenario).await
    }

    fn through_the_gate(&self, scenario: Scenario, errand: &Errand) -> Mizar {
        scenario.command(&self.bed, errand).env("KUBECONFIG", self.proxy.kubeconfig()).within(DEADLINE)
    }

    async fn carry_out(&self, case: &Case, errand: &Errand, clean: &Clean) -> Tried {
        let scenario = case.scenario;
        let mark = self.bed.mark().await.unwrap();
        let runs_before = oracle::operator_runs(&self.bed).await;
        self.gate.set(Some((case.fault, case.point.clone())));
        let first = self.through_the_gate(scenario, errand).env("USER", "ann").start();
        self.gate.program(first.id());
        let (first, relieved) = self.accompany(first, case, errand).await;
        self.assert_nothing_was_written_since(relieved).await;
        let passed = self.gate.open();
        self.until_it_is_over(case.fault, &passed).await;
        if passed.hit.is_none() {
            first.exits(0);
            scenario.judge(&self.bed, errand, &clean.census).await;
            return Tried { outcome: Outcome::NotMet, reason: String::new() };
        }
        let ended_well = is_as_it_must_be(case, &first, &passed);
        self.assert_the_exit_code_is_true(scenario, &first, &passed).await;
        let half_done = !ended_well && scenario.is_half_done(&self.bed).await;
        let (pods, runs_between) =
            (oracle::pods(&self.bed, scenario.namespace()).await, oracle::operator_runs(&self.bed).await);
        // Who has relieved a stale holder has ended the work.
        let is_done = case.fault == Fault::Stale || ended_well && !scenario.is_repeatable();
        if !is_done {
            let last = self.run_again(scenario, errand).await;
            if ended_well {
                last.tells(&[scenario.says_when_done()]);
            }
        }
        scenario.judge(&self.bed, errand, &clean.census).await;
        lifecycle::assert_replaced_as_planned(&self.bed, scenario, errand, &pods).await;
        // A server that is killed may not have written all of its log.
        if scenario.is_of_the_lifecycle() && case.fault != Fault::ServerRestart {
            lifecycle::assert_orderly(&self.bed.audit_since(mark).await.unwrap(), scenario);
        }
        let runs = oracle::operator_runs(&self.bed).await - runs_before;
        // A restart that had come to its end is asked for again by a rerun.
        let asked_twice = runs_between > runs_before && !half_done && !ended_well || case.fault == Fault::Stale;
        let allowed = if asked_twice { 2 } else { 1 };
        assert!(
            !matches!(scenario, Scenario::Restart | Scenario::Adopt) || (1..=allowed).contains(&runs),
            "the operator was restarted {runs} times"
        );
        let reason = first.stderr.lines().find(|line| line.starts_with("error:")).unwrap_or_default().to_owned();
        let outcome = if ended_well { Outcome::Overcome } else { Outcome::Rerun(first.code) };
        Tried { outcome, reason }
    }

    /// Waits for the end of a run, and meanwhile brings about the outages that it meets. Returns from when on the run may not
    /// have changed anything, if somebody has relieved it of a change that it held.
    async fn accompany(&self, running: Running, case: &Case, errand: &Errand) -> (Ended, Option<AuditMark>) {
        let id = running.id();
        let end = running.end();
        tokio::pin!(end);
        let mut relieved = None;
        let mut outages = self.outages.lock().await;
        loop {
            let outage = tokio::select! {
                ended = &mut end => return (ended, relieved),
                Some(outage) = outages.recv() => outage,
            };
            match outage.fault {
                Fault::ServerRestart => {
                    let restarted = self.bed.restart_api_server();
                    tokio::pin!(restarted);
                    // The request comes while the server is gone.
                    let is_up = tokio::select! {
                        () = until_nobody_listens(self.bed.api_server()) => false,
                        restarted = &mut restarted => { restarted.unwrap(); true }
                    };
                    let _gone = outage.begun.send(());
                    if !is_up {
                        restarted.await.unwrap();
                    }
                }
                Fault::StoreStopped => {
                    self.bed.pause_etcd(self.timing.request).await.unwrap();
                    let _gone = outage.begun.send(());
                }
                _ => {
                    relieved = self.relieve(id, case, errand).await;
                    let _gone = outage.begun.send(());
                }
            }
        }
    }

    /// Somebody else takes over from a program that stands still, and ends the work; then it goes on. Returns from when on it
    /// may change nothing, if it held the change: whatever it is about to do, it must find out first that it has lost its claim.
    async fn relieve(&self, id: Option<u32>, case: &Case, errand: &Errand) -> Option<AuditMark> {
        let stored = self.held_by(id, case.scenario.namespace()).await;
        tokio::time::sleep(self.timing.lease_ttl + self.timing.lease_renew / 3).await;
        let second = case.scenario.command(&self.bed, errand).env("USER", "bob").within(DEADLINE).run().await;
        second.exits(0);
        let mark = self.bed.mark().await.unwrap();
        signal(id, Signal::SIGCONT);
        if stored {
            tokio::time::sleep(self.timing.lease_renew).await;
        }
        stored.then_some(mark)
    }

    async fn assert_nothing_was_written_since(&self, relieved: Option<AuditMark>) {
        let Some(mark) = relieved else { return };
        let written = changes(&self.bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/"));
        let written = written.filter(|entry| (200..300).contains(&entry.code));
        assert!(written.is_empty(), "who was relieved has written: {}", written.summary());
    }

    /// Whether the record says that this process holds a change.
    async fn held_by(&self, id: Option<u32>, namespace: &str) -> bool {
        let path = format!("/api/v1/namespaces/{namespace}/secrets/mizar-operation");
        if !lifecycle::is_there(&self.bed, &path).await {
            return false;
        }
        let operation = operation_in(&self.bed, namespace).await;
        operation.is_running() && Some(operation.holder.pid) == id
    }

    /// That nothing was changed is said of nothing that was begun and did not end.
    async fn assert_the_exit_code_is_true(&self, scenario: Scenario, first: &Ended, passed: &Passed) {
        let before = passed.hit.map_or(0, |(before, _)| before);
        let has_begun = |request: &Request| request.resource == "secrets" && request.is_write();
        if matches!(first.code, Some(3 | 4)) && passed.requests[..before].iter().any(has_begun) {
            let ended = operation_in(&self.bed, scenario.namespace()).await.outcome;
            assert!(ended.is_some_and(|end| end.outcome.is_success()), "exit {:?} after changes\n{first}", first.code);
        }
    }

    /// What stood still arrives late: that counts too.
    async fn until_it_is_over(&self, fault: Fault, passed: &Passed) {
        let Some((_, since)) = passed.hit else { return };
        let lasts = match fault {
            Fault::Stall => self.timing.request + self.timing.request / 5,
            Fault::StoreStopped => self.timing.request,
            _ => return,
        };
        tokio::time::sleep(lasts.saturating_sub(since.elapsed())).await;
        if fault == Fault::StoreStopped {
            let path = "/api/v1/nodes";
            until("the store answers", async || send(&self.bed, "GET", path, None).await.is_ok()).await;
        }
    }

    /// Runs the same command until it ends well.
    async fn run_again(&self, scenario: Scenario, errand: &Errand) -> Ended {
        let mut last = None;
        for _ in 0..=RERUNS {
            let ended = scenario.command(&self.bed, errand).env("USER", "ann").within(DEADLINE).run().await;
            if ended.code == Some(0) {
                return ended;
            }
            last = Some(ended);
        }
        panic!("the same command does not end well however often it is run\n{}", last.unwrap());
    }
}

async fn until_nobody_listens(api_server: &str) {
    let address = api_server.trim_start_matches("https://");
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn signal(id: Option<u32>, signal: Signal) {
    if let Some(id) = id.and_then(|id| i32::try_from(id).ok()) {
        // It may have ended by then.
        let _gone = nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), signal);
    }
}

/// Asserts that a run which something befell ended as it must: killed, well, or with a name for what is wrong and what to
/// do about it. Returns whether it ended well.
fn is_as_it_must_be(case: &Case, first: &Ended, passed: &Passed) -> bool {
    let (before, since) = passed.hit.expect("it was met");
    let has_written =
        passed.requests[..before].iter().any(|request| request.is_write() && !request.verb.starts_with("try-"));
    match (case.fault, first.code) {
        (fault, None) => {
            assert!(fault.kills(), "it was ended by a signal that nobody sent\n{first}");
            false
        }
        (fault, Some(code)) if fault.kills() => panic!("it ended with {code} instead of being killed\n{first}"),
        (Fault::InterruptTwice, code) => {
            assert_eq!(code, Some(130), "{first}");
            assert!(since.elapsed() < LEAVES_WITHIN, "it did not leave at once\n{first}");
            false
        }
        (Fault::Interrupt, Some(130)) => {
            first.tells(&["interrupted", "hint:"]);
            assert!(!(has_written && first.stderr.contains("nothing was changed")), "{first}");
            false
        }
        (_, Some(0)) => true,
        (Fault::Interrupt, Some(code)) => panic!("it was interrupted and ended with {code}\n{first}"),
        (_, Some(code)) => {
            assert!([1, 3, 4, 5, 6].contains(&code), "exit {code} says nothing\n{first}");
            first.tells(&["error:", "hint:"]);
            false
        }
    }
}
