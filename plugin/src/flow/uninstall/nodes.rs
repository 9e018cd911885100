//! One Job a node gives it back what was saved before Mizar changed it. A node on which that fails keeps no other waiting; it is
//! named, and a later run does it again.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use mizar_core::event::{Event, StepResult};
use mizar_core::object::ObjectId;
use mizar_core::uninstall::{CleanUp, JOB_LABEL, JobTemplate, NodeOutcome, NodeRecord, NodeState, job_name, judge_pod};
use mizar_core::words::counted;
use serde_json::Value;

use super::Uninstall;
use super::ground::{Ground, memory};
use super::survey::{ids, known, list};
use crate::assets;
use crate::cluster::Cause;
use crate::cluster::watch::{WatchScope, Watched};
use crate::cluster::write::Commit;
use crate::failure::{Failure, Kind};
use crate::flow::gather::CONCURRENCY;
use crate::flow::operation::MANAGER;
use crate::flow::wait::{Patience, Standing, Watches, listed, wait};

impl Uninstall {
    /// Cleans the nodes of the plan.
    pub(super) async fn clean_nodes(&mut self, ground: &Ground) -> Result<(), Failure> {
        let nodes = &ground.plan.nodes;
        let part = self.part_begins("clean-nodes", nodes.len()).await?;
        let Some(clean_up) = ground.clean_up.as_ref().filter(|_| !nodes.is_empty()) else {
            self.forget_jobs(&[]).await?;
            let why = if self.request.keep_node_state { "they are left as they are" } else { "there is none to clean" };
            self.part_ends(part, why.to_owned(), StepResult::Skipped).await;
            return Ok(());
        };
        self.start_jobs(nodes, clean_up).await?;
        let outcomes = self.until_ended(nodes).await?;
        for (node, record) in outcomes {
            self.run.tell(Event::NodeCleaned { node: node.clone(), state: record.state, told: record.told.clone() });
            self.result.nodes.insert(node, record);
        }
        if let Some(held) = &self.run.held {
            held.set_uninstall(memory(ground), self.recorded_nodes()).await?;
        }
        let failed: Vec<String> = self.result.unclean().map(|(node, _)| node.clone()).collect();
        // Those that failed stay, so that their logs can be read.
        self.forget_jobs(&failed).await?;
        let clean = nodes.len() - nodes.iter().filter(|node| failed.contains(node)).count();
        let (summary, result) = match failed.len() {
            0 => (format!("{} clean", counted(clean, "node")), StepResult::Succeeded),
            count => (format!("{} clean, {count} not", counted(clean, "node")), StepResult::Failed),
        };
        self.part_ends(part, summary, result).await;
        Ok(())
    }

    /// Makes the Jobs that are not there. One that an earlier run made and that failed is made anew.
    async fn start_jobs(&self, nodes: &[String], clean_up: &CleanUp) -> Result<(), Failure> {
        let kind = known("batch/v1", "Job")?;
        let namespace = self.run.namespace();
        let jobs = list(self.run.cluster(), &kind, Some(namespace), JOB_LABEL, false).await?;
        let failed: Vec<Value> = jobs.into_iter().filter(|job| ending_of(job).is_some_and(|(ok, _)| !ok)).collect();
        self.delete_jobs(&ids(&kind, &failed)).await?;
        let files = assets::clean_node_files()?;
        let broken = |error: mizar_core::uninstall::JobError| Failure::new(Kind::Bug, error.to_string());
        let template = JobTemplate::new(&files.job, &files.script).map_err(broken)?;
        let (run, seconds) = (&self.run, self.limit().as_secs());
        stream::iter(nodes)
            .map(|node| {
                let job = template.job(node, namespace, clean_up, seconds).map_err(broken);
                async move {
                    run.go_on()?;
                    match run.cluster().create(&job?, MANAGER, Commit::Store).await {
                        Err(failure) if failure.cause == Cause::AlreadyExists => Ok(()),
                        made => Ok(made.map(drop)?),
                    }
                }
            })
            .buffer_unordered(CONCURRENCY)
            .try_collect::<Vec<()>>()
            .await
            .map(drop)
    }

    /// Waits until every Job has ended, or time is up: then those that have not are named.
    async fn until_ended(&self, nodes: &[String]) -> Result<BTreeMap<String, NodeRecord>, Failure> {
        let timing = self.run.timing();
        let limit = self.limit();
        let patience = Patience {
            stage: "clean-nodes",
            limit,
            look: limit,
            settle: Duration::ZERO,
            stall: limit,
            pods: JOB_LABEL,
        };
        let scope =
            WatchScope { namespace: Some(self.run.namespace()), labels: Some(JOB_LABEL), ..WatchScope::default() };
        let keep = |value: Value| value;
        let (job, pod) = (known("batch/v1", "Job")?, known("v1", "Pod")?);
        let mut watches: Watches<Value> =
            Watches(vec![self.run.cluster().watch(&job, &scope, keep), self.run.cluster().watch(&pod, &scope, keep)]);
        let mut outcomes = BTreeMap::new();
        self.run.enter("wait");
        let waited = async {
            listed(&self.run, &Patience { look: timing.look, ..patience.clone() }, &mut watches).await?;
            wait(&self.run, &patience, &mut watches, |watched: &[Watched<Value>]| {
                let (jobs, pods): (Vec<&Value>, Vec<&Value>) =
                    (watched[0].objects().collect(), watched[1].objects().collect());
                outcomes = nodes.iter().map(|node| (node.clone(), judge(node, &jobs, &pods))).collect();
                standing(&outcomes)
            })
            .await
        };
        let waited = waited.await;
        self.run.enter("apply");
        match waited {
            Err(failure) if !matches!(failure.kind, Kind::TimedOut) => return Err(failure),
            _ => {}
        }
        let seconds = limit.as_secs();
        let record = |outcome| match outcome {
            NodeOutcome::Ended(record) => record,
            NodeOutcome::Running(at) => NodeRecord::failed(format!("its Job did not end within {seconds} s ({at})")),
        };
        Ok(outcomes.into_iter().map(|(node, outcome)| (node, record(outcome))).collect())
    }

    /// Deletes the Jobs of all nodes but these, and waits until their pods are gone.
    async fn forget_jobs(&self, but: &[String]) -> Result<(), Failure> {
        if self.request.keep_node_state {
            return Ok(());
        }
        let kind = known("batch/v1", "Job")?;
        let kept: Vec<String> = but.iter().map(|node| job_name(node)).collect();
        let jobs = list(self.run.cluster(), &kind, Some(self.run.namespace()), JOB_LABEL, true).await?;
        let mut going = ids(&kind, &jobs);
        going.retain(|id| !kept.contains(&id.object.name));
        self.delete_jobs(&going).await
    }

    async fn delete_jobs(&self, jobs: &[ObjectId]) -> Result<(), Failure> {
        if jobs.is_empty() {
            return Ok(());
        }
        let pod = known("v1", "Pod")?;
        let pods = list(self.run.cluster(), &pod, Some(self.run.namespace()), JOB_LABEL, true).await?;
        let of_jobs = |pod: &&Value| {
            let owners = pod["metadata"]["ownerReferences"].as_array().into_iter().flatten();
            owners.into_iter().any(|owner| jobs.iter().any(|job| owner["uid"] == job.uid.as_str()))
        };
        let pods: Vec<Value> = pods.iter().filter(of_jobs).cloned().collect();
        let run = &self.run;
        stream::iter(jobs)
            .map(|job| async move {
                run.go_on()?;
                match run.cluster().delete_with_dependents(&job.object, &job.uid).await {
                    // Another Job has its name by now.
                    Err(failure) if matches!(failure.cause, Cause::Conflict { .. }) => Ok(()),
                    deleted => Ok::<_, Failure>(deleted?),
                }
            })
            .buffer_unordered(CONCURRENCY)
            .try_collect::<Vec<()>>()
            .await?;
        self.until_gone("clean-nodes", jobs).await?;
        self.until_gone("clean-nodes", &ids(&pod, &pods)).await
    }
}

/// Whether a Job has ended well, and what it says; none while it runs.
fn ending_of(job: &Value) -> Option<(bool, String)> {
    let conditions = job["status"]["conditions"].as_array().into_iter().flatten();
    let mut ended = conditions.into_iter().filter(|condition| condition["status"] == "True");
    ended.find_map(|condition| match condition["type"].as_str() {
        Some("Complete") => Some((true, String::new())),
        Some("Failed") => Some((false, condition["reason"].as_str().unwrap_or("Failed").to_owned())),
        _ => None,
    })
}

/// How far a node is, by its Job and the pods of it.
fn judge(node: &str, jobs: &[&Value], pods: &[&Value]) -> NodeOutcome {
    let outcomes = || {
        pods.iter()
            .filter(|pod| pod["spec"]["nodeName"] == node && pod["metadata"]["deletionTimestamp"].is_null())
            .map(|pod| judge_pod(pod))
    };
    let is_clean =
        |outcome: &NodeOutcome| matches!(outcome, NodeOutcome::Ended(record) if record.state == NodeState::Clean);
    if let Some(clean) = outcomes().find(is_clean) {
        return clean;
    }
    let name = job_name(node);
    let job = jobs.iter().find(|job| job["metadata"]["name"] == name.as_str());
    match job.and_then(|job| ending_of(job)) {
        Some((_, why)) => {
            let told = outcomes().rfind(|outcome| matches!(outcome, NodeOutcome::Ended(_)));
            told.unwrap_or_else(|| NodeOutcome::Ended(NodeRecord::failed(format!("its Job failed: {why}"))))
        }
        None => outcomes()
            .find(|outcome| matches!(outcome, NodeOutcome::Running(_)))
            .unwrap_or_else(|| NodeOutcome::Running("no pod yet".to_owned())),
    }
}

fn standing(outcomes: &BTreeMap<String, NodeOutcome>) -> Standing {
    let waiting_for: Vec<String> = outcomes
        .iter()
        .filter_map(|(node, outcome)| match outcome {
            NodeOutcome::Running(at) => Some(format!("node {node} ({at})")),
            NodeOutcome::Ended(_) => None,
        })
        .collect();
    let done = outcomes.len() - waiting_for.len();
    Standing { done, total: outcomes.len(), complete: waiting_for.is_empty(), waiting_for, failed: None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn job(kind: &str, reason: &str) -> Value {
        let condition = json!({"type": kind, "status": "True", "reason": reason});
        json!({"metadata": {"name": job_name("a")}, "status": {"conditions": [condition]}})
    }

    fn pod(code: i64, message: &str) -> Value {
        let state = json!({"terminated": {"exitCode": code, "message": message}});
        json!({"metadata": {"name": "p"}, "spec": {"nodeName": "a"},
            "status": {"phase": "Running", "containerStatuses": [{"state": state}]}})
    }

    #[test]
    fn a_second_try_counts_and_a_job_that_failed_says_why() {
        let failed = pod(1, r#"{"problems": ["the link veth-0a1b2c3d cannot be deleted"]}"#);
        let clean = pod(0, r#"{"done": [], "problems": []}"#);
        let of = |job: &Value, pods: &[&Value]| judge("a", &[job], pods);
        let running = json!({"metadata": {"name": job_name("a")}});
        assert!(matches!(of(&running, &[&failed]), NodeOutcome::Running(_)), "it is tried once more");
        assert!(matches!(of(&running, &[]), NodeOutcome::Running(_)));
        let ended = |outcome: NodeOutcome| match outcome {
            NodeOutcome::Ended(record) => record,
            NodeOutcome::Running(at) => panic!("{at}"),
        };
        assert_eq!(ended(of(&job("Complete", ""), &[&failed, &clean])).state, NodeState::Clean);
        let twice = ended(of(&job("Failed", "BackoffLimitExceeded"), &[&failed, &failed]));
        assert_eq!(twice.told, ["the link veth-0a1b2c3d cannot be deleted"]);
        let late = ended(of(&job("Failed", "DeadlineExceeded"), &[]));
        assert_eq!(late.told, ["its Job failed: DeadlineExceeded"]);
    }
}
