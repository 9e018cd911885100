//! The objects of the releases: accounts, roles and configuration, and at last the definitions.

use mizar_core::event::StepResult;
use mizar_core::object::{Object, ObjectId, ObjectRef};
use mizar_core::plan::{Action, StageName};
use mizar_core::words::counted;
use tokio::time::Instant;

use super::Uninstall;
use super::ground::Ground;
use super::survey::{ids, known, list};
use crate::failure::{Failure, Kind};

impl Uninstall {
    /// Deletes what is left of release `mizar`.
    pub(super) async fn delete_release(&mut self, ground: &Ground) -> Result<(), Failure> {
        let earlier = [StageName::Operator, StageName::Network, StageName::Daemon];
        let later = [StageName::Definitions, StageName::Namespace];
        let stages = ground.plan.objects.stages.iter();
        let here = stages.filter(|stage| !earlier.contains(&stage.name) && !later.contains(&stage.name));
        let going = here.flat_map(|stage| &stage.changes).filter(|change| change.action == Action::Delete);
        let live: Vec<ObjectId> = going
            .filter_map(|change| ground.survey.objects.iter().find_map(|object| id_of(object, &change.object)))
            .collect();
        let part = self.part_begins("release", live.len()).await?;
        for id in &live {
            self.delete(id).await?;
        }
        self.until_unread(&live).await?;
        let (summary, result) = match live.len() {
            0 => ("there are none".to_owned(), StepResult::Skipped),
            count => (format!("{} deleted", counted(count, "object")), StepResult::Succeeded),
        };
        self.part_ends(part, summary, result).await;
        Ok(())
    }

    /// Waits until none of these can be read any more: they are few, of many kinds, and go at once unless a finalizer keeps them.
    async fn until_unread(&self, going: &[ObjectId]) -> Result<(), Failure> {
        let references: Vec<ObjectRef> = going.iter().map(|id| id.object.clone()).collect();
        let deadline = Instant::now() + self.limit();
        loop {
            self.run.go_on()?;
            let live = self.read_objects(&references).await?;
            let is_same = |object: &Object| going.iter().any(|id| object.uid() == Some(id.uid.as_str()));
            let left: Vec<String> =
                live.iter().filter(|object| is_same(object)).map(|object| object.reference().to_string()).collect();
            if left.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let message =
                    format!("release stopped after {} s: something keeps what was deleted", self.limit().as_secs());
                let failure = left.into_iter().fold(Failure::new(Kind::TimedOut, message), Failure::detail);
                return Err(
                    failure.hint("what keeps an object: kubectl get KIND NAME -o yaml, under metadata.finalizers")
                );
            }
            tokio::time::sleep(self.run.timing().burst).await;
        }
    }

    /// Deletes the definitions, if that was asked for, and waits until they are gone.
    pub(super) async fn delete_definitions(&mut self, ground: &Ground) -> Result<(), Failure> {
        if !self.request.crds {
            return Ok(());
        }
        let kind = known("apiextensions.k8s.io/v1", "CustomResourceDefinition")?;
        let named: Vec<&str> = ground.survey.definitions.iter().map(Object::name).collect();
        let mut all = ids(&kind, &list(self.run.cluster(), &kind, None, "", true).await?);
        all.retain(|id| named.contains(&id.object.name.as_str()));
        let part = self.part_begins("definitions-gone", all.len()).await?;
        self.refuse_operators().await?;
        for id in &all {
            self.delete(id).await?;
        }
        self.until_gone("definitions-gone", &all).await?;
        let result = if all.is_empty() { StepResult::Skipped } else { StepResult::Succeeded };
        self.part_ends(part, format!("{} gone", counted(all.len(), "definition")), result).await;
        Ok(())
    }
}

fn id_of(live: &Object, wanted: &ObjectRef) -> Option<ObjectId> {
    let uid = live.uid()?.to_owned();
    live.reference().same_object(wanted).then(|| ObjectId { object: live.reference(), uid })
}
