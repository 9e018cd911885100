//! `mizar-bed supervise DIR` runs one bed; `mizar-bed build PROGRAM` builds one program and prints its path.
//!
//! Neither is for people: `cargo xtask cluster` and the harness start the first, the commands of a bed the second.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use mizar_bed::programs::{self, Program};
use mizar_bed::progress::{explain, say};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        ["supervise", folder] => supervise(Path::new(folder)),
        ["build", program] => build(program),
        _ => {
            say("usage: mizar-bed supervise DIR | mizar-bed build PROGRAM");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {}", explain(error.as_ref())));
            ExitCode::FAILURE
        }
    }
}

fn supervise(folder: &Path) -> Result<(), Box<dyn Error>> {
    // Of its own session, so that it outlives the terminal it was started from.
    nix::unistd::setsid()?;
    let filter =
        tracing_subscriber::EnvFilter::try_from_env("MIZAR_BED_LOG").unwrap_or_else(|_| "info,kube_client=off".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    Ok(runtime.block_on(mizar_bed::supervise(folder))?)
}

fn build(program: &str) -> Result<(), Box<dyn Error>> {
    let program: Program = program.parse()?;
    let built = programs::ensure(&[program])?;
    let path = built.get(&program).ok_or("the program was not built")?;
    Ok(writeln!(std::io::stdout(), "{}", path.display())?)
}
