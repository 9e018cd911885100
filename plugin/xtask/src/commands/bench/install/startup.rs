//! How fast each tool starts: the first byte of its help, and its version.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::stage::{Link, Stage};
use super::tool::Tool;
use crate::commands::bench::table::median;
use crate::failure::Failure;

/// Starts are short and vary much.
const STARTS: usize = 21;

/// The medians of one tool's starts.
pub(super) struct Starts {
    pub(super) tool: Tool,
    /// Until the first byte of `--help`.
    pub(super) first_byte: Duration,
    /// All of `version --client`.
    pub(super) version: Duration,
}

pub(super) fn measure(stage: &Stage) -> Result<Vec<Starts>, Failure> {
    let mut times = Tool::ALL.map(|tool| (tool, Vec::new(), Vec::new()));
    for _ in 0..STARTS {
        for (tool, helps, versions) in &mut times {
            helps.push(start(stage, *tool, &["--help"], Until::FirstByte)?);
            let version: &[&str] = if *tool == Tool::Helm { &["version"] } else { &["version", "--client"] };
            versions.push(start(stage, *tool, version, Until::End)?);
        }
    }
    let middle = |times: Vec<f64>| Duration::from_secs_f64(median(times));
    let starts = times.into_iter().map(|(tool, helps, versions)| Starts {
        tool,
        first_byte: middle(helps),
        version: middle(versions),
    });
    Ok(starts.collect())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    FirstByte,
    End,
}

/// Returns seconds.
fn start(stage: &Stage, tool: Tool, arguments: &[&str], until: Until) -> Result<f64, Failure> {
    let program = stage.program(tool);
    let failed = |source| Failure::Run { program: program.display().to_string(), source };
    let mut command = Command::new(program);
    command.args(arguments).envs(stage.environment(Link::Direct));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let begun = Instant::now();
    let mut child = command.spawn().map_err(failed)?;
    let mut stdout = child.stdout.take().expect("stdout was asked to be a pipe");
    stdout.read_exact(&mut [0]).map_err(failed)?;
    let first_byte = begun.elapsed();
    stdout.read_to_end(&mut Vec::new()).map_err(failed)?;
    let status = child.wait().map_err(failed)?;
    let end = begun.elapsed();
    if !status.success() {
        let command = format!("{} {}", program.display(), arguments.join(" "));
        return Err(Failure::Command { command, status });
    }
    Ok(if until == Until::FirstByte { first_byte } else { end }.as_secs_f64())
}
