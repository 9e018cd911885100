//! One run of a target: what it took, and what libFuzzer says of it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::failure::Failure;

/// What a run came to.
pub(super) struct Ran {
    /// Whether nothing was found.
    pub(super) ended_well: bool,
    /// How long it kept the processor busy.
    pub(super) busy: Duration,
    /// The most memory it had at once, in MB.
    pub(super) megabytes: f64,
    said: String,
}

/// Runs a target through `bench measure`, which knows what a child took; `once` leaves out what the targets check besides reading.
pub(super) fn run(program: &Path, arguments: &[&str], once: bool) -> Result<Ran, Failure> {
    let own = std::env::current_exe()
        .map_err(|source| Failure::Run { program: "this program once more".to_owned(), source })?;
    let output = Command::new(&own)
        .args(["bench", "measure", "--"])
        .arg(program)
        .args(arguments)
        .envs(once.then_some(("MIZAR_FUZZ_ONCE", "1")))
        .stdin(Stdio::null())
        .output()
        .map_err(|source| Failure::Run { program: own.display().to_string(), source })?;
    let answer: Value = serde_json::from_slice(&output.stdout)
        .map_err(|source| Failure::Garbled { program: own.display().to_string(), source })?;
    Ok(Ran {
        ended_well: answer["code"] == 0,
        busy: Duration::from_secs_f64(answer["cpuSeconds"].as_f64().unwrap_or_default()),
        megabytes: answer["kibibytes"].as_f64().unwrap_or_default() * 1024.0 / 1e6,
        said: answer["stderr"].as_str().unwrap_or_default().to_owned(),
    })
}

impl Ran {
    /// A number of the statistics at the end.
    pub(super) fn statistic(&self, name: &str) -> String {
        let line =
            self.said.lines().find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or("?").trim().to_owned()
    }

    /// The last word that stands behind `name` in the lines of progress, `cov: 123 ft: 456 corp: 78/9Kb`.
    pub(super) fn coverage(&self, name: &str) -> String {
        let word = self.said.lines().rev().find_map(|line| line.split_once(name)?.1.split_whitespace().next());
        word.unwrap_or("?").to_owned()
    }

    /// What was found, in libFuzzer's words, and the file with the input.
    pub(super) fn finding(&self) -> String {
        let start = |prefix: &str| self.said.lines().find_map(|line| line.split_once(prefix)).map(|(_, rest)| rest);
        let what = start("SUMMARY: libFuzzer: ").unwrap_or("ended early");
        format!("{what}: {}", start("Test unit written to ").unwrap_or("no input was kept"))
    }

    /// The last lines of what it said.
    pub(super) fn tail(&self) -> String {
        const LINES: usize = 40;
        let lines: Vec<&str> = self.said.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }
}

/// Writes an input.
pub(super) fn write(path: &Path, input: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, input).map_err(|source| Failure::File { path: path.to_owned(), source })
}
