//! One run of a program with its time and its peak memory.
//!
//! The kernel tells the peak of ended children only as the largest of all, so each run has a parent of its own: this
//! program, which does nothing else.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::report;

/// The exit code of a run that could not be started.
const NOT_STARTED: i64 = -1;

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
    let output = Command::new(program).args(rest).stdin(Stdio::null()).output().map_err(cannot_run)?;
    let elapsed = started.elapsed();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| cannot_run(error.into()))?;
    report::data(
        &json!({
            "seconds": elapsed.as_secs_f64(),
            "kibibytes": usage.max_rss(),
            "cpuSeconds": seconds(usage.user_time()) + seconds(usage.system_time()),
            "code": output.status.code().map_or(NOT_STARTED, i64::from),
            "stdout": String::from_utf8_lossy(&output.stdout),
            "stderr": String::from_utf8_lossy(&output.stderr),
        })
        .to_string(),
    );
    Ok(ExitCode::SUCCESS)
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
pub(super) struct Run {
    /// From start to end.
    pub(super) elapsed: Duration,
    /// The most memory it had at once, in MB.
    pub(super) megabytes: f64,
    /// What the processor worked for it, all cores together.
    pub(super) cpu: Duration,
    /// What it printed.
    pub(super) stdout: String,
    /// What it said besides.
    pub(super) stderr: String,
}

/// Runs a program in a process of its own, which must end as expected.
pub(super) fn measure(program: &Path, arguments: &[&str], kubeconfig: &Path, ended: Ended) -> Result<Run, Failure> {
    let own = std::env::current_exe()
        .map_err(|source| Failure::Run { program: "this program once more".to_owned(), source })?;
    let output = Command::new(&own)
        .args(["bench", "measure", "--"])
        .arg(program)
        .args(arguments)
        .env("KUBECONFIG", kubeconfig)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .map_err(|source| Failure::Run { program: own.display().to_string(), source })?;
    let typed = format!("{} {}", program.display(), arguments.join(" "));
    let answer: Value = serde_json::from_slice(&output.stdout)
        .map_err(|source| Failure::Garbled { program: own.display().to_string(), source })?;
    let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
    let expected = match ended {
        Ended::Well => 0,
        Ended::With(code) => code,
    };
    if answer["code"] != expected {
        let said = format!("{}{}", text("stdout"), text("stderr"));
        return Err(Failure::Benchmark { command: typed, code: answer["code"].to_string(), said });
    }
    Ok(Run {
        elapsed: Duration::from_secs_f64(answer["seconds"].as_f64().unwrap_or_default()),
        megabytes: answer["kibibytes"].as_f64().unwrap_or_default() * 1024.0 / 1e6,
        cpu: Duration::from_secs_f64(answer["cpuSeconds"].as_f64().unwrap_or_default()),
        stdout: text("stdout"),
        stderr: text("stderr"),
    })
}
