//! Keeping addresses by placeholders, and seeing to it that the operator's present run knows of them.
//!
//! The operator writes no time on a placeholder. That a run of it knows one is noted on the placeholder, in the same write
//! that has the run look at it: whoever comes later, after a kill or another restart, sees what is still to be done.

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use mizar_core::diagnosis::forgotten_placeholders;
use mizar_core::facts::{HOLD_LABEL, KNOWN_LABEL};
use mizar_core::object::ObjectId;
use mizar_core::restart::{Placeholder, operators, run_of};
use serde_json::{Value, json};

use super::Treatment;
use crate::cluster::Cause;
use crate::cluster::write::Commit;
use crate::failure::Failure;
use crate::flow::gather::CONCURRENCY;
use crate::flow::operation::MANAGER;
use crate::flow::treat;

impl Treatment<'_> {
    /// Keeps addresses that pods use and the operator does not know of. One of the name keeps its address already.
    pub(super) async fn hold(&self, placeholders: &[Placeholder]) -> Result<(), Failure> {
        self.create(placeholders, &self.mark()).await
    }

    /// Keeps addresses that the operator is about to give free, and notes that it has to learn of them again.
    pub(super) async fn reserve(&self, stage: &str, missing: &[Placeholder], held: &[ObjectId]) -> Result<(), Failure> {
        let mark = self.operator.map(|run| run.ending_mark()).unwrap_or_default();
        self.create(missing, &mark).await?;
        self.label(held, &mark).await?;
        treat::until_held(self.run, stage, self.extent()).await
    }

    /// Has the operator learn of addresses, whatever it knew of them, and waits until it has.
    pub(super) async fn make_known(
        &self,
        stage: &str,
        addresses: &[Placeholder],
        held: &[ObjectId],
    ) -> Result<(), Failure> {
        let mark = self.mark();
        self.create(addresses, &mark).await?;
        // What another repair, or this one a moment ago, has made is there already.
        let back_if_old = |live: &Value| {
            let labels = &live["metadata"]["labels"];
            (labels[HOLD_LABEL].is_string() && labels[KNOWN_LABEL] != mark.as_str()).then(|| set_back(&mark))
        };
        let named = stream::iter(addresses).map(Ok::<_, Failure>);
        named
            .try_for_each_concurrent(CONCURRENCY, |placeholder| async move {
                treat::change_named(self.run, &placeholder.reference(), back_if_old).await.map(drop)
            })
            .await?;
        self.renew(stage, held).await
    }

    /// Has the operator learn of placeholders that an earlier run of it knew, and waits until it has.
    pub(super) async fn renew(&self, stage: &str, held: &[ObjectId]) -> Result<(), Failure> {
        let mark = self.mark();
        let mark = mark.as_str();
        let renewals = stream::iter(held).map(Ok::<_, Failure>);
        renewals
            .try_for_each_concurrent(CONCURRENCY, |object| async move {
                treat::change(self.run, object, |_| Some(set_back(mark))).await.map(drop)
            })
            .await?;
        treat::until_held(self.run, stage, self.extent()).await
    }

    /// Notes which placeholders the run of the operator knows that a restart has seen take over everything. Another run,
    /// which may have begun since, is told of them by their remedy.
    pub(crate) async fn note_known(&mut self, wired: Option<&str>) -> Result<(), Failure> {
        let (_, facts) = self.plan().await?;
        self.run.enter("apply");
        let running = operators(&facts, self.run.namespace()).find(|pod| pod.ready).map(run_of);
        if wired.is_none() || running.as_deref() != wired {
            return Ok(());
        }
        let held: Vec<ObjectId> =
            forgotten_placeholders(&facts).into_iter().map(|held| held.object.id("Endpoint")).collect();
        self.label(&held, &self.mark()).await
    }

    /// The mark of the run of the operator for which all was planned. A later run takes none of it for its own.
    fn mark(&self) -> String {
        self.operator.map(|run| run.mark()).unwrap_or_default()
    }

    async fn create(&self, placeholders: &[Placeholder], mark: &str) -> Result<(), Failure> {
        let missing = stream::iter(placeholders).map(Ok::<_, Failure>);
        missing
            .try_for_each_concurrent(CONCURRENCY, |placeholder| async move {
                self.run.go_on()?;
                match self.run.cluster().create(&placeholder.known_to(mark), MANAGER, Commit::Store).await {
                    Err(failure) if failure.cause == Cause::AlreadyExists => Ok(()),
                    created => Ok(created.map(drop)?),
                }
            })
            .await
    }

    async fn label(&self, held: &[ObjectId], mark: &str) -> Result<(), Failure> {
        let labels = stream::iter(held).map(Ok::<_, Failure>);
        labels
            .try_for_each_concurrent(CONCURRENCY, |object| async move {
                treat::label(self.run, object, KNOWN_LABEL, mark).await.map(drop)
            })
            .await
    }
}

/// Sets a placeholder back before the eyes of a run of the operator.
fn set_back(mark: &str) -> Value {
    json!({"spec": {"status": "Init"}, "metadata": {"labels": {KNOWN_LABEL: mark}}})
}
