//! Showing a plan and having it agreed to. While a person reads the cluster goes on: what is agreed to is the plan that was
//! read, and what has come up since and cuts something is shown and asked for again.

use mizar_core::diagnosis::operator_run;
use mizar_core::event::Event;
use mizar_core::facts::Facts;
use mizar_core::repair::{Agreement, Remedy, RepairPlan};
use mizar_core::restart::RestartPlan;

use super::Repair;
use crate::failure::{Failure, Kind};
use crate::flow::restart;
use crate::report;
use crate::report::format::Format;

impl Repair {
    /// Shows a plan, also to who reads events.
    pub(super) fn show(&self, plan: &RepairPlan, facts: &Facts) -> Result<(), Failure> {
        let restart = match plan.step(Remedy::OperatorMemory) {
            Some(_) => Some(self.restart_plan(facts)?),
            None => None,
        };
        self.run.reporter().pause();
        let planned = Event::RepairPlanned { plan: Box::new(plan.clone()), restart: restart.clone().map(Box::new) };
        if self.request.output != Format::Json && self.request.plan_only {
            report::data(&report::repair::alone(&self.request.output, &planned, plan, restart.as_ref())?)?;
        } else if self.request.output != Format::Json {
            report::note(report::repair::text(plan, restart.as_ref()).trim_end());
        }
        self.run.tell(planned);
        Ok(())
    }

    fn restart_plan(&self, facts: &Facts) -> Result<RestartPlan, Failure> {
        mizar_core::restart::plan(facts, self.run.namespace()).map_err(|obstacle| restart::refused(&obstacle))
    }

    /// Has a plan that was shown agreed to. Returns what was agreed to, and what is planned by then.
    pub(super) async fn agree(
        &mut self,
        mut plan: RepairPlan,
        mut facts: Facts,
    ) -> Result<(Agreement, RepairPlan), Failure> {
        loop {
            self.refuse_without_operator(&plan, &facts)?;
            let agreement = Agreement::to(&plan);
            if plan.is_empty() || !self.ask()? {
                return Ok((agreement, plan));
            }
            (plan, facts) = self.plan().await?;
            if agreement.covers(&plan) {
                return Ok((agreement, plan));
            }
            let message = "the cluster has changed while you were asked: this is what would be done now".to_owned();
            self.run.tell(Event::Warning { message, object: None });
            self.show(&plan, &facts)?;
        }
    }

    fn refuse_without_operator(&self, plan: &RepairPlan, facts: &Facts) -> Result<(), Failure> {
        if !plan.needs_operator() || operator_run(facts).is_some_and(|run| run.ready) {
            return Ok(());
        }
        let namespace = self.run.namespace();
        let message = "the operator does not run, and only it can do what is planned; nothing was changed";
        Err(Failure::new(Kind::Refused, message)
            .hint(format!("why: kubectl describe pod -n {namespace} -l app=mizar-operator"))
            .hint("start it so that no address is given twice: kubectl mizar repair --restart-operator"))
    }

    /// Gets the yes of a person, if it was not given before. Returns whether somebody was asked, which takes time.
    fn ask(&self) -> Result<bool, Failure> {
        self.request.consent.to_plan(&self.run, "Carry out this plan?")
    }
}
