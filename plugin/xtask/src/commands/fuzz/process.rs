//! One run of a target: what it took, and what libFuzzer says of it.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use crate::commands::bench::measured::observe;
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

/// Runs a target; `once` leaves out what the targets check besides reading.
pub(super) fn run(program: &Path, arguments: &[&str], once: bool) -> Result<Ran, Failure> {
    let environment = once.then_some(("MIZAR_FUZZ_ONCE", OsStr::new("1")));
    let run = observe(environment.as_slice(), program, arguments)?;
    Ok(Ran { ended_well: run.code == 0, busy: run.cpu, megabytes: run.megabytes, said: run.stderr })
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
