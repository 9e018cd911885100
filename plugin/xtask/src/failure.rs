//! What can go wrong in a command, and what to type next.

use std::path::PathBuf;
use std::time::Duration;

use mizar_bed::control::ControlError;
use mizar_bed::lifecycle::LifecycleError;
use mizar_bed::programs::ProgramError;

/// Why a command of xtask failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A bed.
    #[error(transparent)]
    Lifecycle(#[from] LifecycleError),
    /// A program of the bed.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// A bed's supervisor.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// A program of the workspace.
    #[error(transparent)]
    Cargo(#[from] mizar_bed::cargo::CargoError),
    /// The cache.
    #[error(transparent)]
    Cache(#[from] mizar_bed::cache::CacheError),
    /// A program cannot be run.
    #[error("cannot run {program}")]
    Run {
        /// Which.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// A program failed.
    #[error("`{command}` failed ({status})")]
    Command {
        /// As it could be typed.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
    },
    /// An input breaks its reader.
    #[error("an input was found that a reader does not survive; it is named above")]
    Found,
    /// Something did not happen.
    #[error("{what} did not happen within {} s; last seen:\n{seen}", patience.as_secs())]
    Late {
        /// What was waited for.
        what: String,
        /// How long.
        patience: Duration,
        /// The state at the end.
        seen: String,
    },
    /// A cluster could not be filled.
    #[error(transparent)]
    Seed(#[from] mizar_bed::seed::SeedError),
    /// The lists could not be read.
    #[error(transparent)]
    BareLists(#[from] mizar_bed::bare_lists::BareListError),
    /// A program that is measured did not end well, so that its time says nothing.
    #[error("`{command}` ended with {code}:\n{said}")]
    Benchmark {
        /// As it could be typed.
        command: String,
        /// Its exit code.
        code: String,
        /// What it printed.
        said: String,
    },
    /// The bed of a benchmark.
    #[error(transparent)]
    Counted(#[from] mizar_bed::counted::CountedError),
    /// The page of results has no place for them.
    #[error("{} has no lines {begin:?} and {end:?}, between which the results go", path.display())]
    NoPlace {
        /// The page.
        path: PathBuf,
        /// What begins the place.
        begin: &'static str,
        /// What ends it.
        end: &'static str,
    },
    /// An answer that cannot be read.
    #[error("{program} printed what is no JSON")]
    Garbled {
        /// Who.
        program: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A file cannot be read or written.
    #[error("{}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A chart cannot be packed.
    #[error("charts/{chart}")]
    Chart {
        /// Which.
        chart: &'static str,
        /// Why.
        source: mizar_core::chart::ChartError,
    },
    /// A platform that is not released.
    #[error("{0}")]
    Platform(String),
    /// Completion scripts and the man page come from the program, which must run here for that.
    #[error("none of the programs runs here, so none can be asked for its completion scripts and its man page")]
    NothingRuns {
        /// Of this machine.
        platform: String,
    },
    /// A release that differs between machines.
    #[error("{} holds the path {path}: it would differ from machine to machine", program.display())]
    TellsPath {
        /// The program.
        program: PathBuf,
        /// What it tells.
        path: String,
    },
    /// The demo failed; its cluster is kept to look at.
    #[error("the demo failed; its cluster is kept: {}", folder.display())]
    Demo {
        /// Where the bed lies.
        folder: PathBuf,
        /// Why.
        source: Box<Self>,
    },
}

impl Failure {
    /// What to type next, if anything helps.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Lifecycle(LifecycleError::Unknown { name, .. }) => {
                Some(format!("cargo xtask cluster up --name {name}"))
            }
            Self::Lifecycle(LifecycleError::Runs(name)) => Some(format!(
                "use it: eval \"$(cargo xtask cluster env --name {name})\", or stop it: cargo xtask cluster down --name {name}"
            )),
            Self::Lifecycle(LifecycleError::NotReady { name, .. } | LifecycleError::DidNotStart { name, .. }) => {
                Some(format!("cargo xtask cluster down --name {name}, then up again"))
            }
            Self::NothingRuns { platform } => Some(format!("add --binary {platform}=FILE")),
            Self::Demo { .. } => Some(
                "look: eval \"$(cargo xtask cluster env --name demo)\"; then: cargo xtask cluster down --name demo"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}
