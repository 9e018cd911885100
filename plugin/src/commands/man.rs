//! `kubectl mizar man`, hidden: man pages, made from the same flags and texts as the help. For who packages the program.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use clap_mangen::Man;

use crate::cli;
use crate::failure::{Failure, Kind};
use crate::report;

/// Print the man page of the program, or write those of all commands into a folder
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  # Read the page of the program
  kubectl mizar man | man -l -

  # Write all pages
  kubectl mizar man --dir man/")]
pub(crate) struct ManArgs {
    /// Write one page for each command into this folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(args: &ManArgs) -> Result<ExitCode, Failure> {
    let command = cli::command(OsStr::new("kubectl-mizar"));
    if let Some(folder) = &args.dir {
        write(command, folder).map_err(|error| unwritten(folder, &error))?;
    } else {
        let mut page = Vec::new();
        Man::new(command).render(&mut page).map_err(|error| Failure::new(Kind::Bug, error.to_string()))?;
        report::data(&String::from_utf8_lossy(&page))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn write(command: clap::Command, folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(command, folder)
}

fn unwritten(folder: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Kind::Failed, format!("cannot write into {}: {error}", folder.display()))
}
