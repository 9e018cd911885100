//! The very end: our record, and the namespace if an install of ours made it and nobody else uses it.
//!
//! A namespace takes the record with it. So the record goes first, and the mark of the namespace tells a later run that it is
//! still to go.

use mizar_core::event::StepResult;
use mizar_core::object::{ObjectId, ObjectRef};
use mizar_core::plan::StageName;
use mizar_core::uninstall::{NAMESPACED, Stays, foreign};

use super::Uninstall;
use super::ground::Ground;
use super::survey::{ids, known, list};
use crate::failure::Failure;

impl Uninstall {
    /// Whether anybody else has put something into the namespace: then it stays and is named.
    pub(super) async fn namespace_to_delete(&mut self, ground: &Ground) -> Result<Option<ObjectId>, Failure> {
        let mut stages = ground.plan.objects.stages.iter();
        let Some(stage) = stages.find(|stage| stage.name == StageName::Namespace) else { return Ok(None) };
        let Some(change) = stage.changes.iter().find(|change| change.writes()) else { return Ok(None) };
        let Some(live) = self.run.cluster().get(&change.object).await? else { return Ok(None) };
        let uid = live["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        let foreign = self.foreign_objects(&change.object.name).await?;
        if let Some(first) = foreign.first() {
            let why = format!("others use it: {} things are in it, {first} among them", foreign.len());
            self.result.remains.push(Stays { what: change.object.to_string(), why });
            return Ok(None);
        }
        Ok(Some(ObjectId { object: change.object.clone(), uid }))
    }

    async fn foreign_objects(&self, namespace: &str) -> Result<Vec<ObjectRef>, Failure> {
        let mut found = Vec::new();
        for (api_version, kind) in NAMESPACED {
            let kind = known(api_version, kind)?;
            // Only of a Secret its type tells whose it is.
            let items = list(self.run.cluster(), &kind, Some(namespace), "", kind.kind != "Secret").await?;
            let objects = ids(&kind, &items).into_iter().map(|id| id.object).zip(&items);
            found.extend(objects.filter(|(object, live)| foreign(object, live)).map(|(object, _)| object));
        }
        Ok(found)
    }

    /// Deletes the namespace and waits until it is gone.
    pub(super) async fn delete_namespace(&mut self, id: &ObjectId) -> Result<(), Failure> {
        let part = self.part_begins("namespace-gone", 1).await?;
        self.delete(id).await?;
        self.until_gone("namespace-gone", std::slice::from_ref(id)).await?;
        self.part_ends(part, "it is gone".to_owned(), StepResult::Succeeded).await;
        Ok(())
    }
}
