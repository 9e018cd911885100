//! Carrying out one remedy: its acts, and the waits that belong to them.

use std::time::Duration;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use mizar_core::event::{ApplyResult, Event};
use mizar_core::object::ObjectId;
use mizar_core::repair::{Act, Remedy, Step};
use mizar_core::site::Site;

use super::Treatment;
use crate::failure::Failure;
use crate::flow::gather::CONCURRENCY;
use crate::flow::recreate::{self, Doomed};
use crate::flow::restart;
use crate::flow::treat::{self, Changed, Extent};
use mizar_core::words::counted;

/// Shows a node to the operator again, and tells people why.
const REPROGRAMMED_AT: &str = "mizar.dev/reprogrammed-at";

/// So long a daemon that has just started is waited for at the most: times are cut to the second.
const DAEMON_SETTLES: Duration = Duration::from_secs(2);

impl Treatment<'_> {
    /// Does what a remedy has to do, and records that it is at it.
    pub(crate) async fn carry_out(&mut self, step: &Step) -> Result<(), Failure> {
        let stage = step.remedy.id();
        if let Some(held) = &self.run.held {
            held.begin_stage_owing(stage, step.owes()).await?;
        }
        self.run.enter("apply");
        let begun = treat::stage_begins(self.run, stage, step.acts.len());
        match step.remedy {
            Remedy::Leaks => self.delete(stage, &step.acts).await?,
            Remedy::Placeholders => {
                self.delete(stage, &step.acts).await?;
                self.one_by_one(stage, &step.acts).await?;
            }
            Remedy::CutOffPods => {
                self.let_daemons_settle().await?;
                self.recreate(stage, &step.acts).await?;
            }
            Remedy::DuplicateAddresses => {
                let is_before = |act: &&Act| matches!(act, Act::Reserve { .. });
                let (before, after): (Vec<&Act>, Vec<&Act>) = step.acts.iter().partition(is_before);
                self.one_by_one(stage, before).await?;
                self.recreate(stage, &step.acts).await?;
                self.one_by_one(stage, after).await?;
            }
            _ => self.one_by_one(stage, &step.acts).await?,
        }
        if let Some(held) = &self.run.held {
            held.end_stage(stage).await;
            held.pay(step.owes()).await?;
        }
        self.wish.owed = self.wish.owed.without(step.owes());
        treat::stage_ends(self.run, stage, summary(&step.acts), begun);
        Ok(())
    }

    pub(super) fn extent(&self) -> Extent {
        Extent { limit: self.limit, ..Extent::default() }
    }

    /// Deletes what belongs to nothing, and waits until it is gone.
    async fn delete(&self, stage: &str, acts: &[Act]) -> Result<(), Failure> {
        let doomed: Vec<ObjectId> = acts
            .iter()
            .filter_map(|act| match act {
                Act::Delete { object, .. } => Some(object.clone()),
                _ => None,
            })
            .collect();
        let deletions = stream::iter(&doomed).map(Ok::<_, Failure>);
        deletions
            .try_for_each_concurrent(CONCURRENCY, |object| async move {
                treat::delete(self.run, object).await?;
                self.tell(object, ApplyResult::Deleted);
                Ok(())
            })
            .await?;
        treat::until_gone(self.run, stage, &doomed, self.extent()).await
    }

    /// Recreates pods, name servers first.
    async fn recreate(&self, stage: &str, acts: &[Act]) -> Result<(), Failure> {
        let pods: Vec<Doomed> = acts
            .iter()
            .filter_map(|act| match act {
                Act::Recreate { pod, object, .. } => Some(Doomed { pod: pod.clone(), uid: object.uid.clone() }),
                _ => None,
            })
            .collect();
        recreate::recreate_pods(self.run, stage, self.limit, pods).await
    }

    /// What must not happen at once: each act is over before the next begins.
    async fn one_by_one(&mut self, stage: &str, acts: impl IntoIterator<Item = &Act>) -> Result<(), Failure> {
        for act in acts {
            self.run.go_on()?;
            match act {
                Act::PlaceAnew { object, .. } => self.place_anew(stage, object).await?,
                Act::ShowAgain { object, .. } => {
                    treat::label(self.run, object, treat::SHOWN_AT, &treat::present()).await?;
                    self.tell(object, ApplyResult::Changed);
                    treat::until_provisioned(self.run, stage, std::slice::from_ref(object), self.extent()).await?;
                }
                Act::RestartOperator { .. } => {
                    let restarted = restart::restart(self.run, self.limit).await?;
                    // Addresses are held: what comes after it goes on, and looks for doubled ones all the more.
                    self.unsettled = restarted.unsettled;
                    self.note_known(restarted.wired.as_deref()).await?;
                }
                Act::Reserve { hold, held, .. } => self.reserve(stage, hold, held).await?,
                Act::Hold { hold, renew, .. } => self.make_known(stage, hold, renew).await?,
                Act::Unlock { net, bouncer, hold, renew, .. } => {
                    self.hold(hold).await?;
                    self.let_operator_settle().await?;
                    self.bring_back(bouncer).await?;
                    treat::until_unlocked(self.run, stage, *net, self.extent()).await?;
                    // Not before: what waits in one state must not be put into another.
                    self.renew(stage, renew).await?;
                }
                Act::Reprogram { node, droplets, host_endpoints, addresses, vpcs, .. } => {
                    self.let_daemons_settle().await?;
                    for objects in [host_endpoints, droplets] {
                        for object in objects {
                            treat::delete(self.run, object).await?;
                            self.tell(object, ApplyResult::Deleted);
                        }
                        treat::until_gone(self.run, stage, objects, self.extent()).await?;
                    }
                    treat::label(self.run, node, REPROGRAMMED_AT, &treat::present()).await?;
                    self.tell(node, ApplyResult::Changed);
                    let name = &node.object.name;
                    treat::until_connected(self.run, stage, name, addresses, vpcs, self.extent()).await?;
                }
                // Many at once: see above.
                Act::Delete { .. } | Act::Recreate { .. } => {}
            }
        }
        Ok(())
    }

    /// Has the operator make a Bouncer anew. One that is Init was given up: only a change of it makes the operator look.
    async fn bring_back(&self, bouncer: &ObjectId) -> Result<(), Failure> {
        if treat::set_to_init(self.run, bouncer).await? == Changed::Unneeded {
            treat::label(self.run, bouncer, treat::SHOWN_AT, &treat::present()).await?;
        }
        self.tell(bouncer, ApplyResult::Changed);
        Ok(())
    }

    async fn place_anew(&self, stage: &str, object: &ObjectId) -> Result<(), Failure> {
        treat::set_to_init(self.run, object).await?;
        self.tell(object, ApplyResult::Changed);
        treat::until_provisioned(self.run, stage, std::slice::from_ref(object), self.extent()).await
    }

    /// A Bouncer that is Init too soon after the operator's start is given up for good.
    async fn let_operator_settle(&mut self) -> Result<(), Failure> {
        self.plan().await?;
        self.run.enter("apply");
        let needed = self.run.timing().operator_settle;
        let started = self.operator.map(|run| run.started);
        // A node's clock may be ahead of ours.
        let runs_for = started.map_or(Duration::ZERO, |started| {
            Duration::try_from(self.run.cluster().now().duration_since(started)).unwrap_or_default()
        });
        self.pause(needed.saturating_sub(runs_for)).await
    }

    /// What is programmed in the second in which a daemon starts looks lost, and would be done once more.
    async fn let_daemons_settle(&self) -> Result<(), Failure> {
        let left = self.told_apart_from.map(|from| from.duration_since(self.run.cluster().now()));
        let left = left.and_then(|left| Duration::try_from(left).ok()).unwrap_or_default();
        // A node's clock may be ahead of ours.
        self.pause(left.min(DAEMON_SETTLES)).await
    }

    async fn pause(&self, pause: Duration) -> Result<(), Failure> {
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok(()),
            failure = self.run.stopped() => Err(failure),
        }
    }

    fn tell(&self, object: &ObjectId, result: ApplyResult) {
        self.run.tell(Event::ObjectApplied { object: object.object.clone(), site: Site::Management, result });
    }
}

fn summary(acts: &[Act]) -> String {
    match acts {
        [one] => one.to_string(),
        many => counted(many.len(), "act"),
    }
}
