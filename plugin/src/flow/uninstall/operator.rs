//! The operator ends first, and is really gone: a running one puts its finalizer on again whatever is taken off, and hangs
//! over the deletion of its own objects.

use std::time::Duration;

use mizar_core::event::StepResult;
use mizar_core::object::{Object, ObjectId};
use serde_json::{Value, json};

use super::survey::{ids, known, list};
use super::{Uninstall, refused};
use crate::cluster::watch::{WatchScope, Watched};
use crate::failure::Failure;
use crate::flow::treat;
use crate::flow::wait::{Patience, Standing, Watches, listed, wait};
use crate::flow::workloads::{DAEMON_PODS, OPERATOR_PODS};

/// A pod of an operator, as far as its end is concerned.
struct Ending {
    name: String,
    node: String,
    /// It is being deleted, and no process of it runs any more: what keeps it is a finalizer.
    ended: bool,
}

impl Ending {
    fn of(pod: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let statuses = pod["status"]["containerStatuses"].as_array();
        let all_terminated =
            statuses.is_some_and(|all| !all.is_empty() && all.iter().all(|one| one["state"]["terminated"].is_object()));
        let phase = pod["status"]["phase"].as_str();
        // One that no node ever took has no process.
        let never_placed = pod["spec"]["nodeName"].as_str().is_none_or(str::is_empty);
        let over = all_terminated || never_placed || matches!(phase, Some("Succeeded" | "Failed"));
        Self {
            name: format!("{}/{}", text(&pod["metadata"]["namespace"]), text(&pod["metadata"]["name"])),
            node: text(&pod["spec"]["nodeName"]),
            ended: over && pod["metadata"]["deletionTimestamp"].is_string(),
        }
    }
}

impl Uninstall {
    /// Scales every operator to zero, waits until no process of one is left, and deletes what would start another.
    pub(super) async fn stop_operators(&mut self) -> Result<(), Failure> {
        let deployment = known("apps/v1", "Deployment")?;
        let mut survey = mizar_core::uninstall::Survey::default();
        for item in list(self.run.cluster(), &deployment, None, "", false).await? {
            survey.absorb(&deployment, &item);
        }
        let deployments: Vec<Object> = survey.workloads_of("Deployment").cloned().collect();
        let part = self.part_begins("operator-gone", deployments.len()).await?;
        for deployment in &deployments {
            let decide = |live: &Value| (live["spec"]["replicas"] != 0).then(|| json!({"spec": {"replicas": 0}}));
            treat::change_named(&self.run, &deployment.reference(), decide).await?;
        }
        self.delete_ownerless().await?;
        self.until_operators("no process of an operator is left", |pod| pod.ended).await?;
        // Its own pod carries the finalizer that only it would take off.
        for id in self.operator_pods().await? {
            treat::strip(&self.run, &id).await?;
        }
        self.until_operators("no pod of an operator is left", |_| false).await?;
        for deployment in &deployments {
            let uid = deployment.uid().unwrap_or_default().to_owned();
            self.delete(&ObjectId { object: deployment.reference(), uid }).await?;
        }
        let result = if deployments.is_empty() { StepResult::Skipped } else { StepResult::Succeeded };
        self.part_ends(part, "no pod of an operator is left".to_owned(), result).await;
        Ok(())
    }

    /// A pod that nobody owns is not ended by scaling anything.
    async fn delete_ownerless(&self) -> Result<(), Failure> {
        let pod = known("v1", "Pod")?;
        let pods = list(self.run.cluster(), &pod, None, OPERATOR_PODS, false).await?;
        let is_ownerless = |pod: &&Value| pod["metadata"]["ownerReferences"].as_array().is_none_or(Vec::is_empty);
        let ownerless: Vec<Value> = pods.iter().filter(is_ownerless).cloned().collect();
        for id in ids(&pod, &ownerless) {
            treat::delete(&self.run, &id).await?;
        }
        Ok(())
    }

    /// The pods of operators, wherever they are and whoever installed them.
    async fn operator_pods(&self) -> Result<Vec<ObjectId>, Failure> {
        let pod = known("v1", "Pod")?;
        Ok(ids(&pod, &list(self.run.cluster(), &pod, None, OPERATOR_PODS, true).await?))
    }

    /// Fails if an operator has come back: nothing of the network may be deleted while one runs.
    pub(super) async fn refuse_operators(&self) -> Result<(), Failure> {
        let Some(pod) = self.operator_pods().await?.into_iter().next() else { return Ok(()) };
        Err(refused(format!("an operator was started while Mizar is taken out: {}", pod.object))
            .hint("find out who starts it, and stop that"))
    }

    async fn until_operators(&self, what: &str, may_stay: impl Fn(&Ending) -> bool) -> Result<(), Failure> {
        let timing = self.run.timing();
        let patience = Patience {
            stage: "operator-gone",
            limit: self.limit(),
            look: timing.look,
            settle: Duration::ZERO,
            stall: timing.stall,
            pods: DAEMON_PODS,
        };
        let scope = WatchScope { labels: Some(OPERATOR_PODS), ..WatchScope::default() };
        let watch = self.run.cluster().watch(&known("v1", "Pod")?, &scope, |pod: Value| Ending::of(&pod));
        let mut watches = Watches(vec![watch]);
        self.run.enter("wait");
        let waited = async {
            listed(&self.run, &patience, &mut watches).await?;
            wait(&self.run, &patience, &mut watches, |watched: &[Watched<Ending>]| {
                let left = watched.iter().flat_map(Watched::objects).filter(|pod| !may_stay(pod));
                let waiting_for: Vec<String> =
                    left.map(|pod| format!("pod {} on node {} is still there", pod.name, pod.node)).collect();
                let complete = waiting_for.is_empty();
                Standing { done: usize::from(complete), total: 1, waiting_for, failed: None, complete }
            })
            .await
        };
        let waited = waited.await;
        self.run.enter("apply");
        waited.map_err(|failure| {
            failure
                .detail(format!("nothing of the network is deleted before {what}"))
                .hint("is its node lost? when it is switched off for certain: kubectl delete pod NAME --force")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_has_ended_only_when_it_is_being_deleted_and_none_of_its_processes_runs() {
        let pod = |deleting: bool, state: Value| {
            let mut pod = json!({"metadata": {"name": "o", "namespace": "n"}, "spec": {"nodeName": "node-1"},
                "status": {"phase": "Running", "containerStatuses": [{"state": state}]}});
            if deleting {
                pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            }
            Ending::of(&pod).ended
        };
        let terminated = json!({"terminated": {"exitCode": 137}});
        assert!(pod(true, terminated.clone()));
        assert!(!pod(false, terminated), "it is started again");
        assert!(!pod(true, json!({"running": {}})), "it ignores the signal");
        let unplaced = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": {}});
        assert!(Ending::of(&unplaced).ended);
    }
}
