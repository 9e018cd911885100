//! Evidence of a change that has failed: a small bundle, taken at once and before anything is undone, since what it shows is
//! gone soon after. Nothing of it may make the failure worse: it only reads, has little time, and that it cannot be had is worth
//! one line.

use std::path::{Path, PathBuf};

use mizar_core::bundle::index::Limits;
use mizar_core::event::Event;

use super::{Place, Request, Taken, take};
use crate::failure::{Failure, Kind};
use crate::flow::run::Run;
use crate::report::Reporter;
use crate::settings;

/// How large it may get.
const SIZE: u64 = 10 << 20;

/// How many lines of each log it holds.
const LOG_LINES: u32 = 1_000;

/// Whether evidence is wanted, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// Into the folder where the command was started, or among the temporary files if nothing can be written there.
    Here,
    /// Into this folder.
    In(PathBuf),
    /// It is not wanted.
    Unwanted,
}

impl Evidence {
    /// What a person says by a flag, then what the environment says.
    pub(crate) fn wanted(flag: bool) -> Self {
        match settings::evidence() {
            _ if !flag => Self::Unwanted,
            None => Self::Here,
            Some(place) if ["false", "0"].iter().any(|no| place == *no) => Self::Unwanted,
            Some(place) if place == "true" => Self::Here,
            Some(place) => Self::In(place.into()),
        }
    }

    /// The folders that are tried, in this order.
    fn folders(&self) -> Vec<PathBuf> {
        match self {
            Self::Here => vec![std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")), std::env::temp_dir()],
            Self::In(folder) => vec![folder.clone()],
            Self::Unwanted => Vec::new(),
        }
    }
}

/// Takes evidence if a change of `command` has failed, and says where it is: in the failure and as an event.
pub(crate) async fn with_evidence<T>(run: &Run, command: &str, done: Result<T, Failure>) -> Result<T, Failure> {
    let Err(failure) = done else { return done };
    match on_failure(run, command, &failure).await {
        Some(path) => Err(failure.detail(format!("evidence: {}", path.display()))),
        None => Err(failure),
    }
}

/// Takes evidence of a failure after changes, and returns where it is. An interruption asks for haste, and a refusal has
/// changed nothing: of those none is taken.
pub(crate) async fn on_failure(run: &Run, command: &str, failure: &Failure) -> Option<PathBuf> {
    let is_evidence = matches!(failure.kind, Kind::Failed | Kind::TimedOut | Kind::PartlyApplied);
    let folders = if is_evidence { run.evidence.folders() } else { Vec::new() };
    let mut unwritten = None;
    for folder in folders {
        let taken = tokio::select! {
            taken = collect(run, command, failure, &folder) => taken,
            _ = run.stopped() => return None,
        };
        match taken {
            Ok(taken) => {
                let path = std::path::absolute(&taken.path).unwrap_or(taken.path);
                let missing = taken.index.lost().count();
                run.tell(Event::EvidenceCollected { path: path.display().to_string(), missing });
                return Some(path);
            }
            // Only another place can help.
            Err(failure) if failure.kind == Kind::Failed => unwritten = Some(failure),
            Err(failure) => {
                unwritten = Some(failure);
                break;
            }
        }
    }
    if let Some(failure) = unwritten {
        let message = format!("no evidence could be collected: {}", failure.message);
        run.tell(Event::Warning { message, object: None });
    }
    None
}

async fn collect(run: &Run, command: &str, failure: &Failure, folder: &Path) -> Result<Taken, Failure> {
    let limits = Limits { size: SIZE, time: run.timing().evidence, log_lines: LOG_LINES, log_age: None };
    let request = Request {
        namespace: Some(run.namespace()),
        place: Place::Folder(folder.to_owned()),
        limits,
        reason: format!("{command} failed: {failure}"),
        reporter: &Silent,
    };
    take(run.cluster(), &request).await
}

/// Whoever waits for a failure to be told needs not hear what is read for it.
struct Silent;

impl Reporter for Silent {
    fn event(&self, _event: &Event) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_was_named_is_the_only_one() {
        assert_eq!(Evidence::In("/x".into()).folders(), [PathBuf::from("/x")]);
        assert!(Evidence::Unwanted.folders().is_empty());
        assert_eq!(Evidence::Here.folders().len(), 2);
    }
}
