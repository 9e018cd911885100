//! Processes by pid and start time, so that a number used again is never taken for the process that once had it.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// One process, told apart from later ones with the same pid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    pid: i32,
    started: String,
}

impl ProcessId {
    /// The process that has `pid` now, if there is one that is not a zombie.
    pub fn of(pid: u32) -> Option<Self> {
        let pid = i32::try_from(pid).ok()?;
        Some(Self { pid, started: start_time(pid)? })
    }

    /// This process.
    pub fn own() -> Option<Self> {
        Self::of(std::process::id())
    }

    /// The number.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        start_time(self.pid).is_some_and(|started| started == self.started)
    }

    /// Sends a signal, if it still runs.
    pub fn signal(&self, signal: Signal) {
        if self.is_alive() {
            // It may end in between: then there is nobody left to tell.
            let _gone = kill(Pid::from_raw(self.pid), signal);
        }
    }

    /// Waits until it has ended; says whether it has.
    pub fn wait(&self, patience: Duration) -> bool {
        let started = Instant::now();
        while self.is_alive() {
            if started.elapsed() >= patience {
                return false;
            }
            // Not our child, so there is nothing to wait on.
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }
}

/// Ends processes: a polite signal to all, then, after `patience`, the other one to those that remain.
pub(crate) fn end_all(processes: &[ProcessId], patience: Duration) {
    for process in processes {
        process.signal(Signal::SIGTERM);
    }
    let started = Instant::now();
    for process in processes {
        if !process.wait(patience.saturating_sub(started.elapsed())) {
            process.signal(Signal::SIGKILL);
            process.wait(Duration::from_secs(2));
        }
    }
}

#[cfg(target_os = "linux")]
fn start_time(pid: i32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name, in parentheses, may hold anything; after it come the state (3rd) and the start time (22nd field).
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    let started = fields.nth(18)?;
    (!matches!(state, "Z" | "X")).then(|| started.to_owned())
}

#[cfg(not(target_os = "linux"))]
fn start_time(pid: i32) -> Option<String> {
    let output =
        std::process::Command::new("ps").args(["-o", "stat=,lstart=", "-p", &pid.to_string()]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (state, started) = text.trim().split_once(char::is_whitespace)?;
    (!state.starts_with('Z')).then(|| started.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_alive_until_it_ends_and_a_zombie_is_not() {
        let mut child = std::process::Command::new("sleep").arg("30").spawn().unwrap();
        let process = ProcessId::of(child.id()).unwrap();
        assert!(process.is_alive());
        end_all(std::slice::from_ref(&process), Duration::from_secs(5));
        assert!(!process.is_alive());
        child.wait().unwrap();
    }

    #[test]
    fn the_same_number_with_another_start_is_another_process() {
        let own = ProcessId::own().unwrap();
        assert!(own.is_alive());
        assert!(!ProcessId { started: "0".to_owned(), ..own }.is_alive());
    }
}
