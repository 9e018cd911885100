//! Evicting the pods of a node, as their disruption budgets allow. A budget that allows none is told and waited for, never broken.

use std::collections::BTreeMap;

use mizar_core::event::Event;
use mizar_core::facts::{Facts, Fetched, PodFact};
use mizar_core::upgrade::drain::{Fate, fate, obstacles};
use tokio::time::Instant;

use super::Terms;
use crate::cluster::read::Listing;
use crate::cluster::write::Eviction;
use crate::failure::{Failure, Kind};
use crate::flow::run::Run;

/// Evicts the pods of a node that use Mizar's network, and waits until they are gone.
pub(super) async fn drain(run: &Run, stage: &str, node: &str, terms: &Terms) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut pause = run.timing().retry_pause;
    let mut total = 0;
    let mut told: Vec<String> = Vec::new();
    loop {
        run.go_on()?;
        let pods = pods_on(run, node).await?;
        let leaving: Vec<&PodFact> = pods.iter().filter(|pod| fate(pod) == Fate::Leaves).collect();
        if leaving.is_empty() {
            return Ok(());
        }
        // Pods may have come since the plan was made.
        refuse_obstacles(&pods, node, terms)?;
        total = total.max(leaving.len());
        let mut withheld: BTreeMap<String, String> = BTreeMap::new();
        for pod in leaving.iter().filter(|pod| pod.deleting.is_none()) {
            run.go_on()?;
            let id = pod.id();
            if let Eviction::Withheld(why) = run.cluster().evict(&id.object, &id.uid, terms.grace_period).await? {
                withheld.insert(pod.path(), why);
            }
        }
        let waiting_for: Vec<String> = leaving
            .iter()
            .map(|pod| match withheld.get(&pod.path()) {
                Some(why) => format!("pod {} is kept: {why}", pod.path()),
                None => format!("pod {} ends", pod.path()),
            })
            .collect();
        if waiting_for != told {
            run.tell(Event::StageProgressed {
                stage: stage.to_owned(),
                done: total - leaving.len(),
                total,
                waiting_for: waiting_for.clone(),
                elapsed: begun.elapsed(),
            });
            told.clone_from(&waiting_for);
            pause = run.timing().retry_pause;
        }
        if begun.elapsed() >= terms.drain_timeout {
            return Err(stalled(node, &waiting_for, &withheld, begun.elapsed().as_secs()));
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(run.timing().retry_pause_limit),
            failure = run.stopped() => return Err(failure),
        }
    }
}

async fn pods_on(run: &Run, node: &str) -> Result<Vec<PodFact>, Failure> {
    let fields = format!("spec.nodeName={node}");
    let listing = Listing {
        path: "/api/v1/pods",
        noun: "pods",
        labels: "",
        fields: &fields,
        page_limit: 250,
        metadata_only: false,
    };
    let mut pods = Vec::new();
    run.cluster().items(&listing, |pod| pods.push(PodFact::from_object(&pod))).await?;
    Ok(pods)
}

fn refuse_obstacles(pods: &[PodFact], node: &str, terms: &Terms) -> Result<(), Failure> {
    let facts = Facts { pods: Fetched::Known(pods.to_vec()), ..Facts::default() };
    let obstacles = obstacles(&facts, node, terms.allowed);
    if obstacles.is_empty() {
        return Ok(());
    }
    let mut failure =
        Failure::new(Kind::PartlyApplied, format!("node {node} cannot be drained; its daemon was left as it is"));
    for obstacle in &obstacles {
        failure = failure.detail(obstacle.to_string());
    }
    let mut flags: Vec<&str> = obstacles.iter().map(mizar_core::upgrade::Obstacle::flag).collect();
    flags.dedup();
    Err(failure.hint(format!("move those pods, or let them go: {}", flags.join(" "))))
}

fn stalled(node: &str, waiting_for: &[String], withheld: &BTreeMap<String, String>, seconds: u64) -> Failure {
    let message = format!("node {node} could not be drained in {seconds} s; its daemon was left as it is");
    let failure =
        waiting_for.iter().fold(Failure::new(Kind::TimedOut, message), |failure, line| failure.detail(line.clone()));
    if withheld.is_empty() {
        return failure
            .hint("what keeps a pod from ending: kubectl describe pod NAME -n NAMESPACE")
            .hint("when that is over, run the same command again: it goes on with this node");
    }
    failure
        .hint("see the budgets: kubectl get poddisruptionbudgets -A")
        .hint("give the pods another replica or the budget more room, then run the same command again: it goes on with this node")
}
