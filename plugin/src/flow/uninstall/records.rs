//! Helm's records go through the states that Helm gives them: uninstalling before the first object goes; gone, or
//! uninstalled, at the end.

use mizar_core::event::StepResult;
use mizar_core::object::{ObjectId, ObjectRef};
use mizar_core::release::secret::{Writing, to_secret};
use mizar_core::release::{Release, Status, StoredRelease};
use mizar_core::words::counted;

use super::Uninstall;
use super::ground::Ground;
use crate::failure::Failure;
use crate::flow::records::NAMES;
use crate::flow::treat;

/// Helm's own name as the manager of its records.
const RECORD_MANAGER: &str = "Helm";

impl Uninstall {
    /// Writes that the releases are being uninstalled: from now on nobody installs or upgrades them.
    pub(super) async fn begin_records(&self, ground: &Ground) -> Result<(), Failure> {
        let now = self.run.cluster().now();
        for stored in ending(ground).filter_map(|records| records.last()) {
            if stored.release.info.status != Status::Uninstalling {
                self.write(stored, stored.release.clone().begin_uninstall(now)).await?;
            }
        }
        Ok(())
    }

    /// Deletes all records of the releases, or writes that they are uninstalled.
    pub(super) async fn end_records(&mut self, ground: &Ground) -> Result<(), Failure> {
        let all: Vec<&[StoredRelease]> = ending(ground).collect();
        let part = self.part_begins("records", all.iter().map(|records| records.len()).sum()).await?;
        let mut ended = 0;
        for records in all {
            if self.request.keep_history {
                if let Some(last) = records.last() {
                    self.write_last(last).await?;
                    ended += 1;
                }
                continue;
            }
            for stored in records {
                let id = ObjectId { object: reference(stored), uid: stored.uid.clone().unwrap_or_default() };
                treat::delete(&self.run, &id).await?;
                self.deleted(id.object);
                ended += 1;
            }
        }
        let what = if self.request.keep_history { "kept as uninstalled" } else { "deleted" };
        let result = if ended == 0 { StepResult::Skipped } else { StepResult::Succeeded };
        self.part_ends(part, format!("{} {what}", counted(ended, "record")), result).await;
        Ok(())
    }

    /// The record has another version since it was read: we wrote it.
    async fn write_last(&self, read: &StoredRelease) -> Result<(), Failure> {
        let Some(live) = self.run.cluster().get(&reference(read)).await? else { return Ok(()) };
        let stored = mizar_core::release::secret::from_secret(&live)?;
        let uninstalled = stored.release.clone().uninstalled();
        self.write(&stored, uninstalled).await
    }

    async fn write(&self, stored: &StoredRelease, release: Release) -> Result<(), Failure> {
        self.run.go_on()?;
        let resource_version = stored.resource_version.clone().unwrap_or_default();
        let secret =
            to_secret(&release, Writing::Again { resource_version: &resource_version }, self.run.cluster().now())?;
        self.run.cluster().replace(&secret, RECORD_MANAGER, None).await?;
        Ok(())
    }
}

/// The records of the releases that end, Mizar's before that of its definitions.
fn ending(ground: &Ground) -> impl Iterator<Item = &[StoredRelease]> {
    let named = NAMES.iter().zip(&ground.records.histories).rev();
    named
        .filter(|(name, _)| ground.plan.releases.iter().any(|release| release == *name))
        .map(|(_, history)| history.records.as_slice())
}

fn reference(stored: &StoredRelease) -> ObjectRef {
    ObjectRef {
        api_version: "v1".into(),
        kind: "Secret".into(),
        namespace: Some(stored.release.namespace.clone()),
        name: stored.secret.clone(),
    }
}
