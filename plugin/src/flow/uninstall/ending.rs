//! The end of an uninstall: its record closed or gone, the proof that nothing is left, and the result in a file.

use std::path::{Path, PathBuf};

use mizar_core::event::{Event, Step, StepResult};
use mizar_core::operation::Outcome;
use mizar_core::uninstall::{Export, UNINSTALL, UninstallResult, job_name};
use mizar_core::words::counted;
use tokio::time::Instant;

use super::ground::Ground;
use super::{Uninstall, refused};
use crate::failure::{Failure, Kind};
use crate::flow::apply;
use crate::flow::bundle::evidence::with_evidence;
use crate::private_file;
use crate::report;

impl Uninstall {
    /// Closes the record, proves that nothing is left, and writes the result.
    pub(super) async fn end(mut self, ground: &Ground, done: Result<(), Failure>) -> Result<Outcome, Failure> {
        let done = done.and_then(|()| self.unclean_nodes());
        // As long as its record tells how far it came.
        let done = with_evidence(&self.run, UNINSTALL, done).await;
        let done = self.close(ground, done).await;
        let done = match done {
            Ok(()) => {
                let proven = self.prove().await;
                with_evidence(&self.run, UNINSTALL, proven).await
            }
            Err(failure) => Err(failure),
        };
        self.result.outcome = done.as_ref().map_or_else(|failure| failure.kind.outcome(), |()| Outcome::Done);
        self.result.error = done.as_ref().err().map(|failure| failure.message.clone());
        let path = result_path(&ground.export);
        let written = write(&path, &text_of(&self.result));
        if written.is_ok() {
            self.run.tell(Event::Hint { message: format!("what was removed and what remains: {}", path.display()) });
        }
        // The reason why it stopped matters more than a file that could not be written.
        done.and(written).map(|()| Outcome::Done)
    }

    /// Fails, before anything is changed, if the custom resources could not be saved where they are to be.
    pub(super) async fn refuse_export(&self, ground: &Ground) -> Result<(), Failure> {
        let path = &ground.export;
        private_file::probe(path).map_err(|error| {
            refused(format!("{} cannot be written: {error}; nothing was changed", path.display()))
                .hint("name another place: --export FILE")
        })?;
        if path.exists() {
            earlier_export(path, &self.cluster_id().await?)?;
        }
        Ok(())
    }

    /// A failure that names the nodes that are not clean.
    fn unclean_nodes(&self) -> Result<(), Failure> {
        let unclean: Vec<_> = self.result.unclean().collect();
        let Some((first, _)) = unclean.first() else { return Ok(()) };
        let message =
            format!("{} not cleaned; everything else of Mizar that was to go is gone", counted(unclean.len(), "node"));
        let failure = unclean.iter().fold(Failure::new(Kind::PartlyApplied, message), |failure, (node, record)| {
            failure.detail(format!("node {node}: {}", record.told.join(", ")))
        });
        Err(failure
            .hint(format!("why: kubectl -n {} logs job/{}", self.run.namespace(), job_name(first)))
            .hint("when they are well, run the same command again: it does only these")
            .hint(format!("leave one out: --skip-node {first}")))
    }

    /// Lets go of the record: it ends, or goes with everything else.
    async fn close(&mut self, ground: &Ground, done: Result<(), Failure>) -> Result<(), Failure> {
        self.run.enter("apply");
        let namespace = match &done {
            Ok(()) if self.request.crds => match self.namespace_to_delete(ground).await {
                Ok(namespace) => namespace,
                Err(failure) => return self.let_go(Err(apply::while_applying(failure))).await,
            },
            _ => None,
        };
        if done.is_err() || !self.request.crds {
            return self.let_go(done).await;
        }
        if let Some(held) = self.run.held.take() {
            held.vanish().await.map_err(apply::while_applying)?;
        }
        match namespace {
            Some(id) => self.delete_namespace(&id).await.map_err(apply::while_applying),
            None => Ok(()),
        }
    }

    async fn let_go(&mut self, done: Result<(), Failure>) -> Result<(), Failure> {
        let Some(held) = self.run.held.take() else { return done };
        let (outcome, message) = match &done {
            Ok(()) => (Outcome::Done, String::new()),
            Err(failure) => (failure.kind.outcome(), failure.message.clone()),
        };
        let ended = held.end(outcome, &message).await.map_err(apply::while_applying);
        // The reason why it stopped matters more than a record that could not be written because of it.
        done.and(ended)
    }

    /// Looks at everything once more.
    async fn prove(&mut self) -> Result<(), Failure> {
        let begun = Instant::now();
        let step = Step::SanityCheck;
        self.run.tell(Event::StepStarted { step });
        self.run.enter("proof");
        let survey = self.survey().await?;
        let mut left: Vec<String> = survey.workloads.iter().map(|object| object.reference().to_string()).collect();
        left.extend(survey.customs.iter().map(|object| object.reference().to_string()));
        left.extend(survey.traced.iter().map(|traced| format!("{}, with traces of the operator", traced.object)));
        if self.request.crds {
            left.extend(survey.definitions.iter().map(|object| object.reference().to_string()));
        }
        if !left.is_empty() {
            let message = format!("{} of Mizar still there: somebody made it anew", counted(left.len(), "object"));
            let failure =
                left.into_iter().take(SHOWN).fold(Failure::new(Kind::PartlyApplied, message), Failure::detail);
            return Err(failure.hint("find out who, then run the same command again"));
        }
        let mut text = String::new();
        report::uninstall::stays(&mut text, &self.result.remains);
        for line in text.lines() {
            self.run.reporter().pause();
            report::note(&format!("  {line}"));
        }
        let summary = match self.result.remains.len() {
            0 => "nothing of Mizar is left".to_owned(),
            count => format!("nothing of Mizar is left but {} that stay", counted(count, "thing")),
        };
        let result = StepResult::Succeeded;
        self.run.tell(Event::StepFinished { step, summary, result, elapsed: begun.elapsed() });
        Ok(())
    }
}

/// How many of what is left are named.
const SHOWN: usize = 10;

fn text_of(result: &UninstallResult) -> String {
    let text = serde_json::to_string_pretty(result);
    format!("{}\n", text.expect("a result is plain data, which JSON can always hold"))
}

/// Beside the export: `mizar-export-result.json`.
fn result_path(export: &Path) -> PathBuf {
    let stem = export.file_stem().unwrap_or_default().to_string_lossy();
    export.with_file_name(format!("{stem}-result.json"))
}

/// Reads what an earlier run has saved in the file, if it is there.
pub(super) fn earlier_export(path: &Path, cluster: &str) -> Result<Option<Export>, Failure> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|error| refused(format!("{} cannot be read: {error}", path.display())))?,
    };
    Export::read(&text, cluster).map(Some).map_err(|error| {
        refused(format!("{} is there already and cannot be added to: {error}", path.display()))
            .hint("name another file: --export FILE")
    })
}

/// Writes a file for its owner alone, whole or not at all.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    private_file::write(path, text.as_bytes()).map_err(|error| {
        refused(format!("{} cannot be written: {error}", path.display())).hint("name another place: --export FILE")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_lies_beside_the_export() {
        assert_eq!(result_path(Path::new("/x/mizar.yaml")), Path::new("/x/mizar-result.json"));
        assert_eq!(result_path(Path::new("mizar")), Path::new("mizar-result.json"));
    }
}
