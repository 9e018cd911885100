//! What is known of this machine and this process: who holds a change, and whether another holder still lives.

use jiff::Timestamp;
use mizar_core::operation::{Holder, HolderState};

use crate::settings;

/// The time by this machine's clock. Only to be compared with what this machine wrote: for all else there is the server's.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    now.checked_add(settings::clock_ahead()).unwrap_or(now)
}

/// What this program runs on, in Go's words, as kubectl prints it: `linux/amd64`.
pub(crate) fn platform() -> String {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{system}/{architecture}")
}

/// This process as a holder.
pub(crate) fn me() -> Holder {
    let pid = std::process::id();
    Holder {
        user: std::env::var("USER").or_else(|_| std::env::var("USERNAME")).unwrap_or_else(|_| "somebody".to_owned()),
        host: host_name(),
        boot_id: boot_id(),
        pid,
        start_time: start_time(pid).unwrap_or_default(),
    }
}

/// What can be known of another holder from here.
pub(crate) fn state_of(holder: &Holder) -> HolderState {
    let me = me();
    if me.boot_id.is_empty() {
        // A system that tells nothing about processes: only renewals show who lives.
        return HolderState::OtherHost;
    }
    holder.seen_from(&me, |pid, began| start_time(pid) == Some(began))
}

fn host_name() -> String {
    #[cfg(unix)]
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").ok();
    name.unwrap_or_else(|| "unknown".to_owned())
}

/// Which start of which machine, and whose process numbers: a container may share the first without the second.
fn boot_id() -> String {
    let Ok(boot) = std::fs::read_to_string("/proc/sys/kernel/random/boot_id") else { return String::new() };
    let processes = std::fs::read_link("/proc/self/ns/pid").map(|link| link.display().to_string()).unwrap_or_default();
    format!("{} {processes}", boot.trim())
}

/// When a process began, in clock ticks since the machine's start; none if there is no such process.
fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name stands in brackets and may hold anything: count from its end.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    // A zombie holds nothing any more.
    if fields.first() == Some(&"Z") { None } else { fields.get(19)?.parse().ok() }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_its_predecessors_do_not() {
        assert_eq!(state_of(&me()), HolderState::AliveOnThisHost);
        assert_eq!(state_of(&Holder { start_time: 1, ..me() }), HolderState::DeadOnThisHost);
        assert_eq!(state_of(&Holder { host: "other".into(), ..me() }), HolderState::OtherHost);
    }
}
