//! One run of a program with its time and its peak memory.
//!
//! The kernel tells the peak of ended children only as the largest of all, so each run has a parent of its own: this
//! program, which does nothing else.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::report;

/// The exit code of a run that could not be started.
const NOT_STARTED: i64 = -1;
/// How often the program's own peak of memory is looked up while it runs.
const LOOK: Duration = Duration::from_millis(2);

#[derive(Args)]
pub(crate) struct Arguments {
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

/// Runs the program, and prints what it took as one line of JSON.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let (program, rest) = arguments.command.split_first().expect("clap asks for at least one");
    let cannot_run = |source| Failure::Run { program: program.to_string_lossy().into_owned(), source };
    let started = Instant::now();
    let mut command = Command::new(program);
    command.args(rest).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().map_err(cannot_run)?;
    let (own, ended, process) = (AtomicU64::new(0), AtomicBool::new(false), child.id());
    let output = std::thread::scope(|scope| {
        scope.spawn(|| watch_memory(process, &own, &ended));
        let output = child.wait_with_output();
        ended.store(true, Ordering::Relaxed);
        output
    });
    let output = output.map_err(cannot_run)?;
    let elapsed = started.elapsed();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| cannot_run(error.into()))?;
    report::data(
        &json!({
            "seconds": elapsed.as_secs_f64(),
            "kibibytes": usage.max_rss(),
            "ownKibibytes": own.into_inner(),
            "cpuSeconds": seconds(usage.user_time()) + seconds(usage.system_time()),
            "code": output.status.code().map_or(NOT_STARTED, i64::from),
            "stdout": String::from_utf8_lossy(&output.stdout),
            "stderr": String::from_utf8_lossy(&output.stderr),
        })
        .to_string(),
    );
    Ok(ExitCode::SUCCESS)
}

/// Notes the peak of one process, without those that it starts, again and again until it has ended.
fn watch_memory(process: u32, peak: &AtomicU64, ended: &AtomicBool) {
    let status = format!("/proc/{process}/status");
    while !ended.load(Ordering::Relaxed) {
        // A process that has just ended has none, and not every system tells.
        if let Some(kibibytes) = std::fs::read_to_string(&status).ok().and_then(|text| high_water(&text)) {
            peak.fetch_max(kibibytes, Ordering::Relaxed);
        }
        std::thread::sleep(LOOK);
    }
}

fn high_water(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

#[expect(clippy::cast_precision_loss, reason = "a run takes no years")]
fn seconds(time: TimeVal) -> f64 {
    time.num_microseconds() as f64 / 1e6
}

/// How a run must end.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ended {
    /// With exit code 0.
    Well,
    /// With this one.
    With(i64),
}

/// What one run took.
#[derive(Debug, Clone)]
pub(in crate::commands) struct Run {
    /// The exit code.
    pub(in crate::commands) code: i64,
    /// From start to end.
    pub(super) elapsed: Duration,
    /// The most memory it had at once, in MB.
    pub(in crate::commands) megabytes: f64,
    /// The same without the programs that it started, as far as it could be seen.
    pub(super) own_megabytes: f64,
    /// What the processor worked for it, all cores together.
    pub(in crate::commands) cpu: Duration,
    /// What it printed.
    pub(super) stdout: String,
    /// What it said besides.
    pub(in crate::commands) stderr: String,
}

/// Runs a program in a process of its own, which must end as expected.
pub(super) fn measure(program: &Path, arguments: &[&str], kubeconfig: &Path, ended: Ended) -> Result<Run, Failure> {
    measure_in(&[("KUBECONFIG", kubeconfig.as_os_str())], program, arguments, ended)
}

/// As [`measure`], with these variables in its environment.
pub(super) fn measure_in(
    environment: &[(&str, &OsStr)],
    program: &Path,
    arguments: &[&str],
    ended: Ended,
) -> Result<Run, Failure> {
    let run = observe(environment, program, arguments)?;
    let expected = match ended {
        Ended::Well => 0,
        Ended::With(code) => code,
    };
    if run.code != expected {
        let command = format!("{} {}", program.display(), arguments.join(" "));
        let said = format!("{}{}", run.stdout, run.stderr);
        return Err(Failure::Benchmark { command, code: run.code.to_string(), said });
    }
    Ok(run)
}

/// This program, even where cargo has put another build in its place meanwhile, as it does in the middle of `cargo xtask test`.
pub(in crate::commands) fn own() -> Result<PathBuf, Failure> {
    let running = Path::new("/proc/self/exe");
    if running.exists() {
        return Ok(running.to_owned());
    }
    std::env::current_exe().map_err(|source| Failure::Run { program: "this program once more".to_owned(), source })
}

/// As [`measure_in`], however it ends.
pub(in crate::commands) fn observe(
    environment: &[(&str, &OsStr)],
    program: &Path,
    arguments: &[&str],
) -> Result<Run, Failure> {
    let own = own()?;
    let output = Command::new(&own)
        .args(["bench", "measure", "--"])
        .arg(program)
        .args(arguments)
        .envs(environment.iter().copied())
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .map_err(|source| Failure::Run { program: own.display().to_string(), source })?;
    let answer: Value = serde_json::from_slice(&output.stdout)
        .map_err(|source| Failure::Garbled { program: own.display().to_string(), source })?;
    let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
    let megabytes = |key: &str| answer[key].as_f64().unwrap_or_default() * 1024.0 / 1e6;
    Ok(Run {
        code: answer["code"].as_i64().unwrap_or(NOT_STARTED),
        elapsed: Duration::from_secs_f64(answer["seconds"].as_f64().unwrap_or_default()),
        megabytes: megabytes("kibibytes"),
        own_megabytes: megabytes("ownKibibytes"),
        cpu: Duration::from_secs_f64(answer["cpuSeconds"].as_f64().unwrap_or_default()),
        stdout: text("stdout"),
        stderr: text("stderr"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_from_what_linux_tells_of_a_process() {
        assert_eq!(high_water("Name:\tx\nVmPeak:\t  9 kB\nVmHWM:\t   14320 kB\nVmRSS:\t 1 kB\n"), Some(14320));
        assert_eq!(high_water("Name:\tx\n"), None);
    }
}
