//! The matrix of faults: a command is killed, its server falls ill, its requests get lost, at every request that it makes;
//! then the same command is run again. It must always end well, with nothing doubled and nothing left over; or the run that
//! something befell has stopped and said what is wrong.
//!
//! By default a sample is tried, by `MIZAR_SEED` if that is set. `cargo xtask test --exhaustive` tries everything and writes
//! down what came of each case.

mod case;
mod fault;
mod gate;
mod ground;
mod lifecycle;
mod oracle;
mod report;
mod request;
mod results;
mod scenario;
mod worker;

use std::collections::{BTreeMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use futures::FutureExt as _;
use futures::future::join_all;

use case::{Case, Point, cases};
use fault::Fault;
use ground::Ground;
use results::{Line, Outcome, Results};
use scenario::Scenario;
use worker::{Clean, Tried, Worker};

use crate::cli::program;

/// How many cases of a sample, besides one of each fault, are about writes of installs and repairs that are cut off.
const CUT_OFF: usize = 4;
/// A case that was wrong or not met is tried so often: a busy machine may come late.
const ATTEMPTS: u64 = 2;

/// How many cases of a sample need not meet their point: how many requests a repair makes depends on the case before it.
const NOT_MET: usize = 2;

/// After so many cases the report is written anew: a run takes hours.
const REPORT_EVERY: usize = 20;

/// What is to be tried.
enum Wanted {
    /// A few, by a seed.
    Sample(u64),
    /// All of these commands that is not done yet.
    All(Vec<Scenario>),
    /// Cases by their names, or by the part of a name that several have in common.
    Named(Vec<String>),
}

impl Wanted {
    fn from_environment() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        match variable("MIZAR_FAULTS") {
            None => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
                Self::Sample(variable("MIZAR_SEED").map_or(now, |seed| seed.parse().unwrap()))
            }
            Some(all) if all == "all" => {
                let named = variable("MIZAR_FAULTS_OF").unwrap_or_default();
                let named: Vec<Scenario> =
                    named.split(',').filter(|name| !name.is_empty()).map(|name| name.parse().unwrap()).collect();
                Self::All(if named.is_empty() { Scenario::ALL.to_vec() } else { named })
            }
            Some(names) => Self::Named(names.split(',').map(str::to_owned).collect()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_befalls_a_run_it_ends_well_or_the_same_command_does() {
    let wanted = Wanted::from_environment();
    let fresh = std::env::var_os("MIZAR_FAULTS_FRESH").is_some();
    let mut workers = Vec::new();
    for _ in 0..number_of_workers() {
        workers.push(Worker::new().await);
    }
    let clean = record(&mut workers, &wanted).await;
    let all: Vec<Case> = cases(clean.iter().map(|(scenario, clean)| (*scenario, clean.requests.as_slice())));
    let results = Results::open(fresh && matches!(wanted, Wanted::All(_)));
    let chosen = choose(&wanted, &all, &results);
    println!("{} of {} cases", chosen.len(), all.len());
    let queue = Queue::new(chosen, matches!(wanted, Wanted::All(_)));
    let report = || match wanted {
        Wanted::All(_) => report::write(&all, &results),
        Wanted::Sample(_) | Wanted::Named(_) => {}
    };
    report();
    join_all(workers.into_iter().map(|worker| work(worker, &queue, &clean, &results, &report))).await;
    report();
    if let Wanted::Sample(_) = wanted {
        let not_met = queue.not_met.load(Ordering::Relaxed);
        assert!(not_met <= NOT_MET, "{not_met} cases did not meet their point");
    }
    let wrong = queue.wrong.lock().unwrap();
    assert!(wrong.is_empty(), "{} cases went wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// As many as there are beds.
fn number_of_workers() -> usize {
    std::env::var("MIZAR_TEST_BEDS").ok().and_then(|number| number.parse().ok()).unwrap_or(2).max(2)
}

/// Who runs which commands without faults, so that each founds as little as can be.
const RECORDED_BY: [&[Scenario]; 2] = [
    &[Scenario::Install, Scenario::Uninstall, Scenario::Adopt],
    &[Scenario::Restart, Scenario::Deadlock, Scenario::Upgrade, Scenario::Rollback],
];

/// Runs every command that is wanted without faults.
async fn record(workers: &mut [Worker], wanted: &Wanted) -> BTreeMap<Scenario, Clean> {
    let is_wanted = |scenario: &Scenario| match wanted {
        // A part of a name may be that of any.
        Wanted::Named(names) => names
            .iter()
            .any(|name| Scenario::ALL.iter().all(|it| !name.starts_with(it.id())) || name.starts_with(scenario.id())),
        Wanted::All(named) => named.contains(scenario),
        Wanted::Sample(_) => true,
    };
    let [one, other, ..] = workers else { panic!("a matrix takes two workers at least") };
    let recorded_by = async |worker: &mut Worker, scenarios: &[Scenario]| {
        let mut recorded = Vec::new();
        for scenario in scenarios.iter().copied().filter(is_wanted) {
            recorded.push((scenario, worker.record(scenario).await));
        }
        recorded
    };
    let (some, others) = futures::join!(recorded_by(one, RECORDED_BY[0]), recorded_by(other, RECORDED_BY[1]));
    some.into_iter().chain(others).collect()
}

fn choose(wanted: &Wanted, all: &[Case], results: &Results) -> Vec<Case> {
    match wanted {
        Wanted::All(_) => {
            let mut left: Vec<Case> = all.iter().filter(|case| !results.has(case)).cloned().collect();
            // In the order of their harm, for all commands alike.
            left.sort_by_key(order);
            left
        }
        Wanted::Named(names) => {
            let of_name = |name: &String| {
                let matching: Vec<Case> = all.iter().filter(|case| case.to_string().contains(name)).cloned().collect();
                if matching.is_empty() { vec![name.parse().unwrap()] } else { matching }
            };
            names.iter().flat_map(of_name).collect()
        }
        Wanted::Sample(seed) => {
            println!("MIZAR_SEED={seed}");
            sample(*seed, all)
        }
    }
}

/// When it is a case's turn: each write before kinds of requests, and what harms most before the rest.
fn order(case: &Case) -> (bool, Option<usize>) {
    (reads(case), Fault::ALL.iter().position(|fault| *fault == case.fault))
}

/// Whether a case is about a kind of request.
fn reads(case: &Case) -> bool {
    matches!(case.point, Point::FirstOf(_))
}

/// One case of every fault, and some more of those that are cut off in the middle of a write: one of each command that moves an
/// installation or takes it out, and some of the others.
fn sample(seed: u64, all: &[Case]) -> Vec<Case> {
    // xorshift: the same cases on every machine.
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut one_of = |cases: Vec<&Case>| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let at = usize::try_from(state % cases.len().max(1) as u64).unwrap();
        cases.get(at).map(|case| (*case).clone())
    };
    let mut chosen: Vec<Case> = Vec::new();
    for fault in Fault::ALL {
        // What an adoption begins with takes longest to be made.
        let is_meant = |case: &&Case| case.fault == fault && case.scenario != Scenario::Adopt;
        let of_fault = one_of(all.iter().filter(is_meant).collect());
        chosen.push(of_fault.unwrap_or_else(|| panic!("there is no case of {fault}")));
    }
    let is_cut_off = |case: &&Case| !reads(case) && (case.fault.kills() || case.fault == Fault::Lost);
    for scenario in Scenario::ALL.into_iter().filter(|scenario| scenario.is_of_the_lifecycle()) {
        let of_command = all.iter().filter(is_cut_off).filter(|case| case.scenario == scenario);
        chosen.extend(one_of(of_command.filter(|case| !chosen.contains(case)).collect()));
    }
    for _ in 0..CUT_OFF {
        let others = all.iter().filter(is_cut_off).filter(|case| !case.scenario.is_of_the_lifecycle());
        chosen.extend(one_of(others.filter(|case| !chosen.contains(case)).collect()));
    }
    chosen
}

/// What is still to be tried, and what went wrong.
struct Queue {
    left: Mutex<VecDeque<Case>>,
    total: usize,
    /// Whether what harms most comes first.
    is_ordered: bool,
    wrong: Mutex<Vec<String>>,
    not_met: AtomicUsize,
    begun: Instant,
    pause: PathBuf,
}

impl Queue {
    fn new(chosen: Vec<Case>, is_ordered: bool) -> Self {
        let pause = mizar_bed::cache::folder("faults").unwrap().join("pause");
        Self {
            total: chosen.len(),
            left: Mutex::new(chosen.into()),
            is_ordered,
            wrong: Mutex::default(),
            not_met: AtomicUsize::default(),
            begun: Instant::now(),
            pause,
        }
    }

    /// The next case; one that begins where the last one ended, if there is one whose turn it is.
    fn next(&self, last: Option<Ground>) -> Option<Case> {
        let mut left = self.left.lock().unwrap();
        let turn = left.front().map(order);
        let is_its_turn = |case: &Case| !self.is_ordered || turn == Some(order(case));
        let begins_there = |case: &Case| is_its_turn(case) && last == Some(case.scenario.ground());
        let at = left.iter().position(begins_there).unwrap_or_default();
        left.remove(at)
    }

    fn done(&self) -> usize {
        self.total - self.left.lock().unwrap().len()
    }

    /// Waits while the file `pause` is there.
    async fn may_go_on(&self) {
        while self.pause.exists() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

async fn work(
    mut worker: Worker,
    queue: &Queue,
    clean: &BTreeMap<Scenario, Clean>,
    results: &Results,
    report: &impl Fn(),
) {
    let build = build_of(&program());
    let mut last = None;
    while let Some(case) = queue.next(last) {
        queue.may_go_on().await;
        last = Some(case.scenario.ground());
        let begun = Instant::now();
        let (mut attempts, mut first) = (0, String::new());
        let tried = loop {
            attempts += 1;
            let tried = try_once(&mut worker, &case, &clean[&case.scenario]).await;
            if attempts >= ATTEMPTS || !matches!(tried.outcome, Outcome::Wrong(_) | Outcome::NotMet) {
                break tried;
            }
            first = tried.outcome.word();
            println!("again: {case}: {first}");
        };
        let millis = u64::try_from(begun.elapsed().as_millis()).unwrap();
        let word = tried.outcome.word();
        println!("[{}/{} {:.0?}] {case}: {word} ({millis} ms)", queue.done(), queue.total, queue.begun.elapsed());
        if let Outcome::Wrong(why) = &tried.outcome {
            println!("--- {case}\n{why}\n---");
            queue.wrong.lock().unwrap().push(format!("cargo xtask test --exhaustive --case '{case}'"));
        }
        if tried.outcome == Outcome::NotMet {
            queue.not_met.fetch_add(1, Ordering::Relaxed);
        }
        let line = Line { outcome: tried.outcome, reason: tried.reason, millis, build: build.clone(), attempts, first };
        results.add(&case, &line);
        if queue.done().is_multiple_of(REPORT_EVERY) {
            report();
        }
    }
}

/// Tries a case; what must be true and is not, is what came of it.
async fn try_once(worker: &mut Worker, case: &Case, clean: &Clean) -> Tried {
    let tried = AssertUnwindSafe(worker.try_case(case, clean)).catch_unwind().await;
    tried.unwrap_or_else(|panic| {
        worker.distrust();
        let why = panic.downcast_ref::<String>().cloned();
        let why = why.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default();
        Tried { outcome: Outcome::Wrong(why), reason: String::new() }
    })
}

/// Tells one build of the program from another.
fn build_of(program: &Path) -> String {
    use std::hash::{DefaultHasher, Hasher as _};
    let mut hasher = DefaultHasher::new();
    hasher.write(&std::fs::read(program).unwrap());
    format!("{:012x}", hasher.finish() & 0xffff_ffff_ffff)
}
