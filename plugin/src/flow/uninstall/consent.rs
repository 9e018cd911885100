//! Showing the plan and having it agreed to: by a flag, or by typing a name, since nothing of this can be taken back.

use mizar_core::event::Event;

use super::ground::Ground;
use super::{Uninstall, refused};
use crate::failure::{Failure, Kind};
use crate::flow::consent::Consent;
use crate::report;
use crate::report::format::Format;

/// What has to be typed.
const NAME: &str = "mizar";

impl Uninstall {
    /// Shows the plan.
    pub(super) fn show(&self, ground: &Ground) -> Result<(), Failure> {
        let export = ground.export.display().to_string();
        let made = Event::plan_made(ground.plan.objects.clone(), ground.plan.impact.clone());
        let planned = Event::UninstallPlanned { plan: Box::new(ground.plan.clone()), export: export.clone() };
        self.run.reporter().pause();
        if self.request.output != Format::Json {
            if self.request.plan_only {
                report::data(&report::uninstall::alone(&self.request.output, &planned, &ground.plan, &export)?)?;
            } else {
                report::note(report::uninstall::text(&ground.plan, &export).trim_end());
            }
        }
        self.run.tell(made);
        self.run.tell(planned);
        Ok(())
    }

    /// Fails unless the plan is agreed to.
    pub(super) fn agree(&self, ground: &Ground) -> Result<(), Failure> {
        match self.request.consent {
            Consent::Given => Ok(()),
            Consent::CannotAsk => Err(refused(
                "an uninstall needs --yes, or a terminal on which the name of the release can be typed; nothing was changed",
            )
            .hint("read the plan above, then add --yes")),
            Consent::Ask => {
                self.run.reporter().pause();
                let server = self.run.cluster().server();
                let pods = match ground.plan.pods() {
                    0 => String::new(),
                    count => format!(" and cut {count} pods off"),
                };
                let question =
                    format!("To take Mizar out of {server}{pods}, type the name of the release, {NAME}:");
                if report::prompt::confirm_by_typing(&question, NAME) {
                    Ok(())
                } else {
                    Err(Failure::new(Kind::Refused, "not carried out: nothing was changed"))
                }
            }
        }
    }
}
