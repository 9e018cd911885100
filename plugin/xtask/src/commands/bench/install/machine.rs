//! What the numbers were made on, and of which versions they are.

use std::fs;
use std::process::Command;

use jiff::Timestamp;

use super::stage::Stage;
use super::tool::Tool;
use crate::failure::Failure;

pub(super) struct Machine {
    pub(super) date: String,
    pub(super) hardware: String,
    /// How busy it was before and after, as Linux counts.
    pub(super) load: (String, String),
    /// Of the tools and the server.
    pub(super) versions: Vec<String>,
}

impl Machine {
    /// Asks the tools and this machine; `before` is what [`load`] told before the first run.
    pub(super) fn of(stage: &Stage, before: String) -> Result<Self, Failure> {
        Ok(Self {
            date: Timestamp::now().strftime("%Y-%m-%d").to_string(),
            hardware: hardware(),
            load: (before, load()),
            versions: vec![
                first_line(stage, Tool::Mizar, &["--version"])?,
                format!("helm {}", first_line(stage, Tool::Helm, &["version", "--short"])?),
                format!("kubectl {}", first_line(stage, Tool::Kubectl, &["version", "--client"])?),
                format!("kube-apiserver {}", stage.kubernetes()),
            ],
        })
    }
}

/// The load of the last minute.
pub(super) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}

fn hardware() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kibibytes = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap_or_default();
    let kibibytes: u64 = kibibytes.trim().trim_end_matches(" kB").parse().unwrap_or_default();
    let model = model.trim_start_matches([' ', '\t', ':']);
    format!("{} {}, {cores} cores of {model}, {} GiB", std::env::consts::OS, std::env::consts::ARCH, kibibytes >> 20)
}

fn first_line(stage: &Stage, tool: Tool, arguments: &[&str]) -> Result<String, Failure> {
    let program = stage.program(tool);
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|source| Failure::Run { program: program.display().to_string(), source })?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().next().unwrap_or_default().trim_start_matches("Client Version: ").to_owned())
}
