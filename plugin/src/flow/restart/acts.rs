//! Carrying out one step: its acts, and the wait that belongs to it.

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use mizar_core::facts::{Facts, PodFact, Source};
use mizar_core::kind;
use mizar_core::object::{ObjectId, ObjectRef};
use mizar_core::restart::{self, Act, NewPart, OPERATOR, Step};
use serde_json::{Value, json};

use super::Sequence;
use crate::cluster::watch::{WatchScope, Watched};
use crate::failure::{Failure, Kind};
use crate::flow::apply;
use crate::flow::cordon::{cordon, uncordon};
use crate::flow::gather::CONCURRENCY;
use crate::flow::treat::{self, Extent};
use crate::flow::wait::{Standing, Watches};
use crate::flow::workloads::OPERATOR_PODS;
use mizar_core::words::counted;

impl Sequence<'_> {
    /// Does a step and waits for it; returns one line about what it came to.
    pub(super) async fn step(&mut self, step: Step, acts: &[Act], facts: &Facts) -> Result<String, Failure> {
        match step {
            Step::Leaks | Step::Waiting => {
                let going = self.all(acts).await?;
                self.until_gone_or_late(step, &going).await?;
                Ok(format!("{} deleted", going.len()))
            }
            Step::Cordon => {
                self.all(acts).await?;
                Ok(format!("{} cordoned", counted(acts.len(), "node")))
            }
            Step::Stop => {
                self.all(acts).await?;
                self.until_operators(step, <[PodFact]>::is_empty, "is still there", Extent::default()).await?;
                Ok("the operator is gone".to_owned())
            }
            Step::Prepare => {
                let going = self.all(acts).await?;
                treat::until_gone(self.run, step.as_str(), &going, self.extent()).await?;
                Ok(prepared(acts))
            }
            Step::Start => {
                if let Some(successor) = self.successor.as_ref().filter(|_| !acts.is_empty()) {
                    apply::apply_stage(self.run, successor).await?;
                }
                self.all(acts).await?;
                self.until_ready(Extent::default()).await?;
                Ok("the operator is ready".to_owned())
            }
            Step::Wire => self.wire(acts, facts).await,
            Step::Uncordon => {
                self.all(acts).await?;
                Ok(format!("{} uncordoned", counted(acts.len(), "node")))
            }
        }
    }

    fn extent(&self) -> Extent {
        Extent { limit: self.limit, ..Extent::default() }
    }

    /// Does all of them, many at a time; returns what has to go by that.
    async fn all(&self, acts: &[Act]) -> Result<Vec<ObjectId>, Failure> {
        let done = stream::iter(acts).map(|act| self.act(act)).buffer_unordered(CONCURRENCY);
        done.try_filter_map(|going| async { Ok(going) }).try_collect().await
    }

    /// Does one; returns what has to go by it.
    async fn act(&self, act: &Act) -> Result<Option<ObjectId>, Failure> {
        let run = self.run;
        match act {
            Act::Delete { object } => {
                treat::delete(run, object).await?;
                return Ok(Some(object.clone()));
            }
            Act::DeleteUnseen { object } => {
                treat::delete_unseen(run, object).await?;
                return Ok(Some(object.clone()));
            }
            Act::SendBack { pod, unseen } => {
                let sent_back = treat::delete_if(run, pod, still_waits).await?;
                if sent_back && *unseen {
                    treat::strip(run, pod).await?;
                }
                return Ok(sent_back.then(|| pod.clone()));
            }
            Act::Cordon { node } => cordon(run, node, &self.id).await.map(drop),
            Act::Uncordon { node } => uncordon(run, node).await.map(drop),
            Act::Scale { replicas } => self.scale(*replicas).await,
            Act::Remember { object } => {
                let decide = |live: &Value| {
                    (live["spec"]["type"] != "Provisioned").then(|| json!({"spec": {"type": "Provisioned"}}))
                };
                treat::change(run, object, decide).await.map(drop)
            }
            Act::Hold { placeholder } => treat::hold(run, placeholder).await,
            Act::Show { node } => self.show_again(node).await,
            Act::Make { part } => treat::make(run, &part.object()).await.map(drop),
            Act::Status { object, status } => treat::set_status(run, object, status).await.map(drop),
        }?;
        Ok(None)
    }

    async fn scale(&self, replicas: u32) -> Result<(), Failure> {
        let deployment = ObjectRef {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: Some(self.run.namespace().to_owned()),
            name: OPERATOR.to_owned(),
        };
        let decide =
            |live: &Value| (live["spec"]["replicas"] != replicas).then(|| json!({"spec": {"replicas": replicas}}));
        treat::change_named(self.run, &deployment, decide).await.map(drop)
    }

    /// Changes a node in nothing but a label, which makes the operator look at it.
    async fn show_again(&self, node: &str) -> Result<(), Failure> {
        let reference =
            ObjectRef { api_version: "v1".to_owned(), kind: "Node".to_owned(), namespace: None, name: node.to_owned() };
        let label = json!({"metadata": {"labels": {treat::SHOWN_AT: treat::present()}}});
        treat::change_named(self.run, &reference, |_| Some(label.clone())).await.map(drop)
    }

    /// What the operator does not let go in time is deleted when it has stopped.
    async fn until_gone_or_late(&self, step: Step, going: &[ObjectId]) -> Result<(), Failure> {
        let extent = Extent { limit: Some(self.run.timing().operator_rounds), ..Extent::default() };
        match treat::until_gone(self.run, step.as_str(), going, extent).await {
            Err(failure) if failure.kind == Kind::TimedOut => Ok(()),
            waited => waited,
        }
    }

    /// Placeholders first, so that the new operator knows the addresses; then what ends the wait of all others, one by one.
    async fn wire(&mut self, acts: &[Act], facts: &Facts) -> Result<String, Failure> {
        let run = self.run;
        let settle = Extent { settle: run.timing().operator_settle, ..self.extent() };
        self.until_ready(settle).await?;
        let before = self.running().await?;
        let (one_by_one, together): (Vec<&Act>, Vec<&Act>) = acts.iter().partition(|act| is_placed(act));
        let together: Vec<Act> = together.into_iter().cloned().collect();
        self.all(&together).await?;
        let placed = match one_by_one.len() {
            1 => "1 Bouncer or Divider".to_owned(),
            count => format!("{count} Bouncers and Dividers"),
        };
        for act in one_by_one {
            match act {
                Act::Status { object, .. } => treat::reprovision(run, object).await?,
                Act::Make { part } => self.make(part).await?,
                _ => {}
            }
        }
        self.until_held().await?;
        // What does not follow for a reason of its own must not keep the nodes cordoned: every address is held.
        let rounds = run.timing().operator_rounds_for(facts.nodes.items().len()) * 2;
        let extent = Extent { limit: Some(self.limit.unwrap_or(rounds)), ..Extent::default() };
        self.unsettled = match treat::until_settled(run, Step::Wire.as_str(), extent).await {
            Ok(()) => None,
            Err(failure) if failure.kind == Kind::TimedOut => Some(failure),
            Err(failure) => return Err(failure),
        };
        let after = self.running().await?;
        // Another run of it has begun in between and knows nothing: the next look starts this step again.
        if before.is_some() && before == after {
            let mut record = self.held.restart().await.unwrap_or_default();
            record.wired = after;
            self.held.set_restart(Some(record)).await?;
        }
        Ok(format!("{placed} made anew, {} held", counted(held_by(facts, &together), "address")))
    }

    /// Makes a Bouncer or a Divider, if it is still missing, and waits until the operator has placed it.
    async fn make(&self, part: &NewPart) -> Result<(), Failure> {
        let facts = super::read(self.run.cluster()).await?;
        if !restart::missing_parts(&facts).contains(part) {
            return Ok(());
        }
        let id = treat::make(self.run, &part.object()).await?;
        treat::until_provisioned(self.run, Step::Wire.as_str(), &[id], self.extent()).await
    }

    /// Which run of the operator is at work, if one is.
    async fn running(&self) -> Result<Option<String>, Failure> {
        let facts = super::read(self.run.cluster()).await?;
        let run = restart::operators(&facts, self.run.namespace()).find(|pod| pod.ready).map(restart::run_of);
        Ok(run)
    }

    /// Waits until the operator has seen every placeholder: from then on it hands out none of their addresses.
    async fn until_held(&self) -> Result<(), Failure> {
        let facts = super::read(self.run.cluster()).await?;
        let placeholders = facts.endpoints.items().iter().filter(|endpoint| endpoint.object.holds_for.is_some());
        let ids: Vec<ObjectId> = placeholders.map(|endpoint| endpoint.object.id("Endpoint")).collect();
        treat::until_provisioned(self.run, Step::Wire.as_str(), &ids, self.extent()).await
    }

    async fn until_ready(&self, extent: Extent) -> Result<(), Failure> {
        let is_ready = |pods: &[PodFact]| {
            let [pod] = pods else { return false };
            pod.ready && pod.deleting.is_none()
        };
        self.until_operators(Step::Start, is_ready, "is not ready", extent).await
    }

    async fn until_operators(
        &self,
        step: Step,
        complete: impl Fn(&[PodFact]) -> bool,
        reason: &str,
        extent: Extent,
    ) -> Result<(), Failure> {
        let Some(info) = kind::lookup("v1", "Pod") else { return Ok(()) };
        let scope =
            WatchScope { namespace: Some(self.run.namespace()), labels: Some(OPERATOR_PODS), ..WatchScope::default() };
        let mut watches = Watches(vec![self.run.cluster().watch(&info, &scope, whole)]);
        let extent = Extent { limit: extent.limit.or(self.limit), ..extent };
        treat::wait_for(self.run, step.as_str(), extent, &mut watches, |watched| {
            let facts = pods(watched);
            let pods: Vec<PodFact> = restart::operators(&facts, self.run.namespace()).cloned().collect();
            let complete = complete(&pods);
            let mut waiting_for: Vec<String> =
                pods.iter().filter(|_| !complete).map(|pod| format!("pod {} {reason}", pod.path())).collect();
            if !complete && pods.is_empty() {
                waiting_for.push("the operator has no pod yet".to_owned());
            }
            Standing { done: usize::from(complete), total: 1, waiting_for, failed: None, complete }
        })
        .await
    }
}

fn is_placed(act: &Act) -> bool {
    match act {
        Act::Status { object, .. } => object.object.kind != "Endpoint",
        Act::Make { .. } => true,
        _ => false,
    }
}

/// Whether a pod still has to be sent back.
fn still_waits(live: &Value) -> bool {
    let mut facts = Facts::default();
    facts.absorb(Source::Pods, live);
    facts.pods.items().iter().any(restart::waits_on_a_node)
}

fn prepared(acts: &[Act]) -> String {
    let count = |wanted: fn(&Act) -> bool| acts.iter().filter(|act| wanted(act)).count();
    format!(
        "{} held, {} marked, {} deleted",
        counted(count(|act| matches!(act, Act::Hold { .. } | Act::Status { .. })), "address"),
        counted(count(|act| matches!(act, Act::Remember { .. })), "Subnet"),
        counted(count(|act| matches!(act, Act::DeleteUnseen { .. })), "leak"),
    )
}

fn held_by(facts: &Facts, acts: &[Act]) -> usize {
    let there = facts.endpoints.items().iter().filter(|endpoint| endpoint.object.holds_for.is_some()).count();
    there + acts.iter().filter(|act| matches!(act, Act::Hold { .. })).count()
}

fn pods(watched: &[Watched]) -> Facts {
    let mut facts = Facts::default();
    for pod in watched.iter().flat_map(Watched::objects) {
        facts.absorb(Source::Pods, pod);
    }
    facts
}

fn whole(object: Value) -> Value {
    object
}
