//! The daemons end; a node that does not answer keeps its pod, and keeps nothing else waiting.

use std::collections::BTreeSet;

use mizar_core::event::StepResult;
use mizar_core::object::ObjectId;
use mizar_core::uninstall::Survey;
use mizar_core::words::counted;

use super::Uninstall;
use super::ground::Ground;
use super::survey::{ids, known, list};
use crate::failure::Failure;
use crate::flow::workloads::DAEMON_PODS;

impl Uninstall {
    /// Deletes the DaemonSets and waits until their pods are gone.
    pub(super) async fn stop_daemons(&mut self, ground: &Ground) -> Result<(), Failure> {
        let kind = known("apps/v1", "DaemonSet")?;
        let mut survey = Survey::default();
        for item in list(self.run.cluster(), &kind, None, "", false).await? {
            survey.absorb(&kind, &item);
        }
        let sets: Vec<ObjectId> = survey
            .workloads_of("DaemonSet")
            .map(|set| ObjectId { object: set.reference(), uid: set.uid().unwrap_or_default().to_owned() })
            .collect();
        let pod = known("v1", "Pod")?;
        let part = self.part_begins("daemon-gone", sets.len()).await?;
        for set in &sets {
            self.delete(set).await?;
        }
        let lost: BTreeSet<&str> = ground.plan.unreachable.iter().map(|node| node.node.as_str()).collect();
        let pods = list(self.run.cluster(), &pod, None, DAEMON_PODS, false).await?;
        let on_lost =
            |item: &serde_json::Value| item["spec"]["nodeName"].as_str().is_some_and(|node| lost.contains(node));
        let (left, going): (Vec<_>, Vec<_>) = pods.into_iter().partition(on_lost);
        self.until_gone("daemon-gone", &ids(&pod, &going)).await?;
        let (mut summary, result) = match sets.len() {
            0 => ("there is none".to_owned(), StepResult::Skipped),
            _ => ("no daemon is left".to_owned(), StepResult::Succeeded),
        };
        if !left.is_empty() {
            summary = format!("{} on nodes that do not answer", counted(left.len(), "pod"));
        }
        self.part_ends(part, summary, result).await;
        Ok(())
    }
}
