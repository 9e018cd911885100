//! What a saved plan keeps of an upgrade or a rollback besides the values: what was agreed to about nodes, and what is kept of
//! the values of before.

use mizar_core::plan::saved::Inputs;
use serde::{Deserialize, Serialize};

use super::{Keep, Request, Target};
use crate::flow::saved_plan;

/// Everything that the plan is made with, and that whoever carries it out may not say otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that a person may type")]
pub(crate) struct Options {
    /// Of a rollback, the revision that was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) revision: Option<u64>,
    /// Of an upgrade, which values of before are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) keep: Option<Keep>,
    drain: bool,
    force: bool,
    delete_emptydir_data: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grace_period: Option<u32>,
    accept_outage: bool,
    maintenance_window: bool,
}

impl Options {
    /// Takes over what was agreed to.
    pub(crate) fn put_into(self, request: &mut Request) {
        request.terms.drain = self.drain;
        request.terms.allowed.force = self.force;
        request.terms.allowed.delete_emptydir_data = self.delete_emptydir_data;
        request.terms.grace_period = self.grace_period;
        request.accept_outage = self.accept_outage;
        request.maintenance_window = self.maintenance_window;
    }
}

impl Request {
    /// What a saved plan keeps of it.
    pub(super) fn inputs(&self) -> Inputs {
        let terms = &self.terms;
        let options = Options {
            revision: if let Target::Revision(revision) = self.target { revision } else { None },
            keep: if let Target::Charts { keep, .. } = &self.target { Some(*keep) } else { None },
            drain: terms.drain,
            force: terms.allowed.force,
            delete_emptydir_data: terms.allowed.delete_emptydir_data,
            grace_period: terms.grace_period,
            accept_outage: self.accept_outage,
            maintenance_window: self.maintenance_window,
        };
        let options = saved_plan::options(&options);
        match &self.target {
            Target::Charts { values, .. } | Target::Adoption { values } => {
                Inputs { values: values.to_given(), own_chart: values.chart.is_some(), options }
            }
            Target::Revision(_) => Inputs { options, ..Inputs::default() },
        }
    }
}
