//! `cargo xtask picture`: draws the picture of the README from a real run on a test bed.
//!
//! `recording` runs the product under a pseudo-terminal, `screen` replays what it wrote there, `drawing` makes an SVG of it.

mod drawing;
mod recording;
mod screen;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use clap::Args;
use mizar_bed::lifecycle::{self, StartOptions};
use mizar_bed::{bed, cargo};

use crate::failure::Failure;
use crate::report;

const NAME: &str = "picture";
/// As in the demo: Mizar's operator looks every 15 s otherwise.
const ROUND: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(180);
/// What fits into a README without being too small to read.
const COLUMNS: u16 = 108;

/// What is typed: the words after `kubectl`.
const TYPED: [&[&str]; 2] = [&["mizar", "install", "--profile", "dev"], &["mizar", "check"]];

#[derive(Args)]
pub(crate) struct Arguments {
    /// Where to write the picture [default: docs/picture.svg]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let file = arguments.output.clone().unwrap_or_else(|| cargo::workspace().join("docs/picture.svg"));
    lifecycle::sweep()?;
    report::status("==> building kubectl-mizar");
    let plugin = cargo::build("kubectl-mizar")?;
    let lock = lifecycle::lock(NAME)?;
    if let Some(old) = lifecycle::find(NAME)? {
        lifecycle::stop(&old, &lock)?;
    }
    let bed = lifecycle::start(&StartOptions { round: ROUND, ..StartOptions::named(NAME) }, &lock)?;
    report::status("==> recording a run");
    let recorded = TYPED.iter().map(|words| {
        let mut command = Command::new(&plugin);
        command.args(&words[1..]).envs(bed::environment(&bed.layout));
        let typed = format!("kubectl {}", words.join(" "));
        recording::record(command, typed, COLUMNS, PATIENCE)
    });
    let recorded: Result<Vec<_>, Failure> = recorded.collect();
    lifecycle::stop(&bed, &lock)?;
    let lines = screen::replay(&recorded?.concat(), COLUMNS);
    let written = std::fs::write(&file, drawing::svg(&lines, COLUMNS));
    written.map_err(|source| Failure::Run { program: format!("the drawing: {}", file.display()), source })?;
    report::status(&format!("drew {} lines: {}", lines.len(), file.display()));
    Ok(ExitCode::SUCCESS)
}
