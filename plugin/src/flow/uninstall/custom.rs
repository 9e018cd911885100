//! The custom resources: saved whole, then deleted, which only works once no operator runs and its finalizer is taken off.

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use mizar_core::event::StepResult;
use mizar_core::object::ObjectId;
use mizar_core::uninstall::custom_kinds;
use mizar_core::words::counted;

use super::ground::Ground;
use super::survey::{ids, list};
use super::{Uninstall, ending};
use crate::failure::Failure;
use crate::flow::gather::CONCURRENCY;
use crate::flow::treat;

impl Uninstall {
    /// Saves all that is left of the custom resources beside what an earlier run has saved.
    pub(super) async fn save(&mut self, ground: &Ground) -> Result<(), Failure> {
        let part = self.part_begins("export", ground.survey.customs.len()).await?;
        let mut found = Vec::new();
        for kind in custom_kinds() {
            for mut item in list(self.run.cluster(), &kind, None, "", false).await? {
                item["apiVersion"] = kind.api_version().into();
                item["kind"] = kind.kind.into();
                found.push(item);
            }
        }
        if found.is_empty() {
            self.part_ends(part, "there are none".to_owned(), StepResult::Skipped).await;
            return Ok(());
        }
        let cluster = self.cluster_id().await?;
        let mut export = ending::earlier_export(&ground.export, &cluster)?.unwrap_or_default();
        for object in &found {
            export.add(object);
        }
        ending::write(&ground.export, &export.write(&cluster))?;
        self.result.export = Some(ground.export.display().to_string());
        let summary = format!("{} in {}", counted(export.len(), "object"), ground.export.display());
        self.part_ends(part, summary, StepResult::Succeeded).await;
        Ok(())
    }

    /// What tells one cluster from another.
    pub(super) async fn cluster_id(&self) -> Result<String, Failure> {
        let uid = self.run.cluster().get_path("/api/v1/namespaces/kube-system", "read Namespace kube-system").await?;
        let uid = uid.and_then(|namespace| namespace["metadata"]["uid"].as_str().map(ToOwned::to_owned));
        Ok(uid.unwrap_or_else(|| self.run.cluster().server().to_owned()))
    }

    /// Deletes them and takes the operator's finalizer off each.
    pub(super) async fn delete_customs(&mut self) -> Result<(), Failure> {
        let mut all: Vec<ObjectId> = Vec::new();
        for kind in custom_kinds() {
            all.extend(ids(&kind, &list(self.run.cluster(), &kind, None, "", true).await?));
        }
        let part = self.part_begins("custom-resources", all.len()).await?;
        for some in all.chunks(CHUNK) {
            self.refuse_operators().await?;
            let run = &self.run;
            let deleted = stream::iter(some).map(|id| treat::delete_unseen(run, id)).buffer_unordered(CONCURRENCY);
            deleted.try_collect::<Vec<()>>().await?;
            for id in some {
                self.deleted(id.object.clone());
            }
        }
        self.until_gone("custom-resources", &all).await?;
        let (summary, result) = match all.len() {
            0 => ("there are none".to_owned(), StepResult::Skipped),
            count => (format!("{} gone", counted(count, "object")), StepResult::Succeeded),
        };
        self.part_ends(part, summary, result).await;
        Ok(())
    }
}

/// After so many deletions it is made sure again that no operator runs.
const CHUNK: usize = 200;
