//! Ctrl-C and SIGTERM before anything is changed: the program ends at once, and says that nothing was.

use std::process::Child;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::fake_server::silent;
use crate::program::{Outcome, Place, finish};

/// Lets a command begin to ask a server that never answers, and sends it a signal.
fn interrupted(arguments: &[&str], signal: Signal) -> Outcome {
    let (listener, url) = silent();
    let place = Place::empty();
    let server = ["--server", &url, "--insecure-skip-tls-verify"];
    let child = place.command(&[arguments, &server].concat()).spawn().unwrap();
    let _asking = listener.accept().unwrap();
    let begun = Instant::now();
    kill(id(&child), signal).unwrap();
    let outcome = finish(child, &place);
    assert!(begun.elapsed() < Duration::from_secs(2), "it did not leave at once");
    outcome
}

fn id(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap())
}

#[test]
fn a_change_that_has_not_begun_says_that_nothing_was_changed() {
    for command in ["install", "repair"] {
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            let profile: &[&str] = if command == "install" { &["--profile", "dev"] } else { &[] };
            let outcome = interrupted(&[&[command, "-y"], profile].concat(), signal);
            assert_eq!(outcome.code, 130, "{}", outcome.stderr);
            let end = "error: interrupted; nothing was changed\nhint: run the same command again\n";
            assert!(outcome.stderr.ends_with(end), "{}", outcome.stderr);
        }
    }
}

#[test]
fn machines_are_told_so_by_the_last_two_events() {
    let outcome = interrupted(&["install", "--profile", "dev", "-y", "-o", "json"], Signal::SIGINT);
    let events: Vec<Value> = outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [.., finished, failed] = events.as_slice() else { panic!("{}", outcome.stdout) };
    assert_eq!((finished["type"].as_str(), finished["exit"].as_u64()), (Some("finished"), Some(130)), "{finished}");
    assert_eq!((failed["type"].as_str(), failed["exitCode"].as_u64()), (Some("failed"), Some(130)), "{failed}");
}

#[test]
fn a_command_that_only_looks_ends_at_once() {
    assert_eq!(interrupted(&["check"], Signal::SIGINT).code, 130);
}
