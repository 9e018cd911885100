//! What must be said before an upgrade begins: why it must not be, or a person's yes.

use mizar_core::check::Report;
use mizar_core::event::Event;
use mizar_core::upgrade::{Pair, UpgradePlan};
use mizar_core::words::counted;

use super::{Planned, Upgrade};
use crate::failure::{Failure, Kind};
use crate::flow::ground::Ground;
use crate::flow::install::{Extent, refuse_forbidden};
use crate::report;
use crate::report::format::Format;

impl Upgrade {
    /// Shows the plan, also to who reads events.
    pub(super) fn show(&self, planned: &Planned) -> Result<(), Failure> {
        let Planned { ground, upgrade } = planned;
        let impact = ground.impact();
        let made = Event::plan_made(ground.plan.clone(), impact.clone());
        let restarts = Event::UpgradePlanned { plan: Box::new(upgrade.clone()) };
        if self.request.output == Format::Json {
            self.run.tell(made);
            self.run.tell(restarts);
            return Ok(());
        }
        self.run.reporter().pause();
        if self.request.extent != Extent::Everything {
            let mut text = report::plan::alone(&self.request.output, &made, &ground.plan, &impact)?;
            if self.request.output == Format::Text {
                text += &report::upgrade::text(upgrade);
            }
            report::data(&text)?;
        } else if !ground.plan.is_empty() || !upgrade.restarts_nothing() {
            report::note(report::plan::text(&ground.plan, &impact).trim_end());
            report::note(report::upgrade::text(upgrade).trim_end());
        }
        self.run.tell(made);
        self.run.tell(restarts);
        Ok(())
    }

    /// Refuses what must not be, or was not agreed to by a flag.
    pub(super) fn refuse(&self, planned: &Planned) -> Result<(), Failure> {
        let Planned { ground, upgrade } = planned;
        refuse_forbidden(&ground.plan)?;
        let restarts = !upgrade.restarts_nothing();
        if restarts && upgrade.pair != Pair::Compatible && !upgrade.window {
            let message = format!("{}; nothing was changed", upgrade.pair);
            return Err(Failure::new(Kind::Refused, message)
                .detail("while old and new run side by side, packets would be lost where nobody sees it")
                .hint("replace everything at once, in a time in which every pod may lose its network: --maintenance-window --accept-outage"));
        }
        let cuts = !upgrade.turns.is_empty() && (!upgrade.drains || upgrade.window);
        if cuts && !self.request.accept_outage {
            let why = match (upgrade.window, self.request.terms.drain) {
                (true, _) => "all daemons are replaced at once",
                (false, true) => "there is no other node to which pods could go",
                (false, false) => "nodes are not drained",
            };
            let message = format!("{why}, so that pods lose their network where they are; nothing was changed");
            return Err(Failure::new(Kind::Refused, message).hint("say that this may be: --accept-outage"));
        }
        let obstacles =
            if upgrade.window { Vec::new() } else { upgrade.obstacles(&ground.facts, self.request.terms.allowed) };
        if !obstacles.is_empty() {
            let message = format!("{} cannot simply be evicted; nothing was changed", counted(obstacles.len(), "pod"));
            let mut flags: Vec<&str> = obstacles.iter().map(mizar_core::upgrade::Obstacle::flag).collect();
            flags.sort_unstable();
            flags.dedup();
            let failure = obstacles
                .iter()
                .take(20)
                .fold(Failure::new(Kind::Refused, message), |failure, obstacle| failure.detail(obstacle.to_string()));
            return Err(failure.hint(format!("move those pods yourself, or let them go: {}", flags.join(" "))));
        }
        self.refuse_unwell(ground, upgrade)
    }

    /// Gets the yes of a person, if it was not given before.
    pub(super) fn ask(&self, ground: &Ground, upgrade: &UpgradePlan) -> Result<(), Failure> {
        let restarts = match (upgrade.turns.len(), upgrade.restarts_operator) {
            (0, false) => String::new(),
            (0, true) => ", a restart of the operator".to_owned(),
            (nodes, false) => format!(", {} one by one", counted(nodes, "node")),
            (nodes, true) => format!(", {} one by one, then the operator", counted(nodes, "node")),
        };
        let question = format!("Carry out this plan ({}{restarts})?", ground.plan.counts());
        self.request.consent.to_plan(&self.run, &question).map(drop)
    }
}

/// What keeps a cluster from being changed, by the preflight.
pub(super) fn unready(report: &Report) -> Failure {
    let message = format!("Mizar cannot be changed here yet: {}; nothing was changed", report.summary());
    let mut failure = Failure::new(Kind::Refused, message);
    for result in report.blocking() {
        failure = failure.detail(format!("{}: {}", result.id, result.message));
    }
    let mut hints: Vec<&String> = report.blocking().filter_map(|result| result.hint.as_ref()).collect();
    hints.dedup();
    hints.into_iter().fold(failure, |failure, hint| failure.hint(hint.clone()))
}
