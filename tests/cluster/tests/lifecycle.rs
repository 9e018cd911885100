//! Beds by name: two at once, older versions, and what is left after a supervisor was killed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its builders too")]

use std::time::{Duration, Instant};

use mizar_bed::lifecycle::{self, FoundBed, LifecycleError, StartOptions};
use mizar_bed::process::ProcessId;
use mizar_bed::{Role, client};
use nix::sys::signal::Signal;

/// A bed that is stopped even if its test fails.
struct Stopped(FoundBed);

impl Drop for Stopped {
    fn drop(&mut self) {
        if let (Ok(Some(bed)), Ok(lock)) = (lifecycle::find(&self.0.name), lifecycle::lock(&self.0.name)) {
            lifecycle::stop(&bed, &lock).expect("the bed of this test can be stopped");
        }
    }
}

fn options(name: &str) -> StartOptions {
    // A name of its own, so that two runs of the tests do not meet; a short life, in case the test is killed.
    let lifetime = Duration::from_secs(300);
    StartOptions { lifetime, ..StartOptions::named(format!("{name}-{}", std::process::id())) }
}

fn start(options: &StartOptions) -> Stopped {
    let lock = lifecycle::lock(&options.name).unwrap();
    Stopped(lifecycle::start(options, &lock).unwrap())
}

fn children(bed: &FoundBed) -> Vec<ProcessId> {
    bed.state.as_ref().unwrap().children.values().cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bed_comes_up_in_seconds_as_the_version_asked_for_and_leaves_nothing_behind() {
    let options = StartOptions { version: "1.33".parse().unwrap(), ..options("old") };
    lifecycle::supervisor_program().unwrap();
    mizar_bed::programs::ensure(&mizar_bed::Program::CONTROL_PLANE).unwrap();
    let started = Instant::now();
    let bed = start(&options);
    println!("ready in {:.2} s", started.elapsed().as_secs_f64());
    assert!(matches!(
        lifecycle::start(&options, &lifecycle::lock(&options.name).unwrap()),
        Err(LifecycleError::Runs(name)) if name == options.name
    ));
    let admin = client::connect(&bed.0.layout.kubeconfig(Role::Admin)).await.unwrap();
    let version: serde_json::Value =
        admin.request(http::Request::get("/version").body(Vec::new()).unwrap()).await.unwrap();
    // The server says both what it is and what it behaves as.
    assert_eq!(version["emulationMinor"], "33", "{version}");
    let (children, folder) = (children(&bed.0), bed.0.layout.folder().to_owned());
    assert_eq!(children.len(), 5);
    drop(bed);
    assert!(!children.iter().any(ProcessId::is_alive));
    assert!(!folder.exists());
}

#[test]
fn a_killed_supervisor_s_programs_are_swept_while_another_bed_goes_on() {
    let (killed, other) = (start(&options("killed")), start(&options("other")));
    let supervisor = killed.0.state.as_ref().unwrap().supervisor.clone();
    supervisor.signal(Signal::SIGKILL);
    assert!(supervisor.wait(Duration::from_secs(5)));
    assert!(children(&killed.0).iter().all(ProcessId::is_alive), "nobody has told them");
    assert!(matches!(lifecycle::find_ready(&killed.0.name), Err(LifecycleError::NotReady { .. })));

    // Another process that sweeps at the same moment is as good.
    lifecycle::sweep().unwrap();
    let started = Instant::now();
    while lifecycle::find(&killed.0.name).unwrap().is_some() {
        assert!(started.elapsed() < Duration::from_secs(15));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(!children(&killed.0).iter().any(ProcessId::is_alive));
    assert!(lifecycle::find_ready(&other.0.name).is_ok());
    assert!(children(&other.0).iter().all(ProcessId::is_alive));
}

#[test]
fn a_program_that_ends_by_itself_ends_its_bed_with_a_reason() {
    let bed = start(&options("broken"));
    let scheduler = bed.0.state.as_ref().unwrap().children["kube-scheduler"].clone();
    scheduler.signal(Signal::SIGKILL);
    assert!(bed.0.state.as_ref().unwrap().supervisor.wait(Duration::from_secs(20)));
    let error = lifecycle::find_ready(&bed.0.name).unwrap_err().to_string();
    assert!(error.contains("kube-scheduler ended by itself"), "{error}");
    assert!(!children(&bed.0).iter().any(ProcessId::is_alive));
}

#[test]
fn a_bed_of_the_tests_stays_while_it_is_held_and_ends_when_nobody_wants_it() {
    let options = StartOptions { idle: Some(Duration::from_secs(1)), ..options("idle") };
    let lock = lifecycle::lock(&options.name).unwrap();
    let bed = Stopped(lifecycle::start(&options, &lock).unwrap());
    let supervisor = bed.0.state.as_ref().unwrap().supervisor.clone();
    assert!(!supervisor.wait(Duration::from_secs(3)), "it is held");
    drop(lock);
    assert!(supervisor.wait(Duration::from_secs(15)), "nobody holds it");
    assert!(lifecycle::find(&options.name).unwrap().is_none());
}

#[test]
fn a_bed_ends_when_its_time_is_over() {
    let options = StartOptions { lifetime: Duration::from_secs(1), ..options("short") };
    let bed = start(&options);
    assert!(bed.0.state.as_ref().unwrap().supervisor.wait(Duration::from_secs(15)));
    assert!(!bed.0.layout.folder().exists());
}

#[test]
fn an_unknown_bed_is_named_with_those_that_run() {
    let error = lifecycle::find_ready("no-such-bed").err().unwrap();
    assert!(matches!(&error, LifecycleError::Unknown { name, .. } if name == "no-such-bed"), "{error}");
}
