//! Treating a running network: a look, the plan made of it, and the remedies carried out one by one. A repair takes them for what has
//! gone wrong; an upgrade, for what replacing the daemon of a node takes away.

mod acts;
mod hold;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use mizar_core::diagnosis::{OperatorRun, operator_run, told_apart_from};
use mizar_core::facts::{Facts, Gap, Source};
use mizar_core::repair::{self, Agreement, Remedy, RepairPlan, Wish};

use super::gather::{Wanted, gather};
use super::judge;
use super::run::Run;
use crate::failure::{Failure, Kind};

/// How often a remedy is taken: what it brings about may need it again, and somebody may work against us.
const TURNS: usize = 4;

/// What is read to find out what is wrong.
pub(crate) const SOURCES: &[Source] = &[
    Source::Nodes,
    Source::Pods,
    Source::DaemonSets,
    Source::Deployments,
    Source::Droplets,
    Source::Vpcs,
    Source::Dividers,
    Source::Subnets,
    Source::Bouncers,
    Source::Endpoints,
];

/// Who treats, and what the last look has told.
pub(crate) struct Treatment<'a> {
    run: &'a Run,
    /// Replaces the limits of all waits.
    limit: Option<Duration>,
    /// What is wanted.
    pub(crate) wish: Wish,
    /// The run of the operator that was seen last.
    pub(crate) operator: Option<OperatorRun>,
    /// From when on what is programmed is told from what a daemon lost that has just started.
    told_apart_from: Option<Timestamp>,
    /// What did not follow a restart of the operator in time: told at the end, when everything else is done.
    pub(crate) unsettled: Option<Failure>,
}

impl<'a> Treatment<'a> {
    /// A treatment that has not looked yet.
    pub(crate) fn new(run: &'a Run, wish: Wish, limit: Option<Duration>) -> Self {
        Self { run, limit, wish, operator: None, told_apart_from: None, unsettled: None }
    }

    /// Notes what the facts tell of the operator and the daemons, for which all is done that was planned of them.
    pub(crate) fn see(&mut self, facts: &Facts) {
        self.operator = operator_run(facts);
        self.told_apart_from = told_apart_from(facts);
    }

    /// Reads everything and plans what to do about it.
    pub(crate) async fn plan(&mut self) -> Result<(RepairPlan, Facts), Failure> {
        self.run.enter("look");
        let facts = gather(self.run.cluster(), Wanted { sources: SOURCES, ..Wanted::default() }).await?.facts;
        refuse_gaps(&facts, self.run.held.is_some())?;
        self.see(&facts);
        let moment = judge::options(self.run.namespace(), facts.gathered_at).moment();
        Ok((repair::plan(&facts, &moment, &self.wish), facts))
    }

    /// Takes one remedy after the other, each as planned from what is there by then, as far as it was agreed to. Returns what
    /// is left, and how often each was taken.
    pub(crate) async fn treat(
        &mut self,
        mut plan: RepairPlan,
        agreement: &mut Agreement,
    ) -> Result<(RepairPlan, BTreeMap<Remedy, usize>), Failure> {
        let mut turns: BTreeMap<Remedy, usize> = BTreeMap::new();
        loop {
            let next = plan.steps.iter().filter_map(|step| agreement.part_of(step));
            let next = next.into_iter().find(|step| turns.get(&step.remedy).copied().unwrap_or_default() < TURNS);
            let Some(step) = next else { break };
            *turns.entry(step.remedy).or_default() += 1;
            self.run.go_on()?;
            self.carry_out(&step).await?;
            if step.remedy == Remedy::OperatorMemory {
                self.wish.restart_operator = false;
            }
            agreement.used_for(&step);
            plan = self.plan().await?.0;
        }
        self.forget_what_nobody_needs().await?;
        Ok((plan, turns))
    }

    /// Takes off what is owed to nobody any more. Only a running operator shows whom it does not know.
    async fn forget_what_nobody_needs(&mut self) -> Result<(), Failure> {
        if self.wish.owed.is_nothing() {
            return Ok(());
        }
        let (plan, _) = self.plan().await?;
        if let Some(held) = self.run.held.as_ref().filter(|_| self.operator.is_some_and(|run| run.ready)) {
            held.pay(self.wish.owed.without(plan.still_owed(self.wish.owed))).await?;
        }
        Ok(())
    }
}

/// Fails if anything could not be read. Once the change has begun, nobody knows any more that nothing was changed.
pub(crate) fn refuse_gaps(facts: &Facts, has_begun: bool) -> Result<(), Failure> {
    let so_far = if has_begun { "" } else { "; nothing was changed" };
    for source in SOURCES {
        match facts.gap(*source) {
            None => {}
            Some(Gap::Absent) => {
                return Err(Failure::new(Kind::Refused, "Mizar is not installed here: there is nothing to repair")
                    .hint("install it: kubectl mizar install"));
            }
            Some(Gap::Denied) => {
                let message = format!("you are not allowed to {}{so_far}", source.right());
                return Err(
                    Failure::new(Kind::Unreachable, message).hint("see what you may do: kubectl auth can-i --list")
                );
            }
            Some(Gap::Failed(reason)) => {
                let message = format!("could not read {}: {reason}{so_far}", source.noun());
                return Err(
                    Failure::new(Kind::Unreachable, message).hint("does the server answer? kubectl get --raw /readyz")
                );
            }
            Some(Gap::NotAsked) => {
                return Err(Failure::new(Kind::Bug, format!("nobody read {}", source.noun())));
            }
        }
    }
    Ok(())
}
