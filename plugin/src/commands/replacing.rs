//! What `upgrade`, `rollback` and `install --adopt` have in common: they replace daemons node by node, on terms that are typed alike.

use std::process::ExitCode;
use std::time::Duration;

use mizar_core::upgrade::Order;

use crate::cli::evidence::EvidenceArgs;
use crate::cli::plan::PlanArgs;
use crate::cli::rolling::RollingArgs;
use crate::cluster::Access;
use crate::context::Context;
use crate::failure::Failure;
use crate::flow::consent::Consent;
use crate::flow::install::Extent;
use crate::flow::saved_plan::PlanFile;
use crate::flow::upgrade::{OnFailure, Options, Request, Target, upgrade};
use crate::report::format::Format;
use crate::report::{self, Output, style};

/// What was typed, as far as it is not the same for all of them.
pub(super) struct Replacing<'a> {
    /// The command by whose name requests are told apart.
    pub(super) command: &'static str,
    pub(super) target: Target,
    pub(super) order: Order,
    pub(super) on_failure: OnFailure,
    pub(super) file: PlanFile,
    /// What the one who saved the plan has agreed to.
    pub(super) agreed: Option<Options>,
    pub(super) plan: &'a PlanArgs,
    pub(super) rolling: &'a RollingArgs,
    pub(super) evidence: &'a EvidenceArgs,
    pub(super) history_max: usize,
    pub(super) timeout: Option<Duration>,
    pub(super) yes: bool,
    pub(super) output: Format,
}

impl Replacing<'_> {
    pub(super) async fn carry_out(self, context: &Context) -> Result<ExitCode, Failure> {
        let only_shows = self.plan.only_shows();
        let access = if only_shows { Access::ReadOnly } else { Access::ReadWrite };
        let cluster = context.connect(self.command, access).await?;
        let output = self.output.output();
        let asks = style::stdin_is_terminal() && output == Output::Text;
        let mut request = Request {
            target: self.target,
            namespace: context.namespace.clone().or(self.file.namespace()),
            terms: self.rolling.terms(self.timeout, self.order),
            accept_outage: self.rolling.accept_outage,
            maintenance_window: self.rolling.maintenance_window,
            on_failure: self.on_failure,
            extent: if only_shows { Extent::PlanOnly } else { Extent::Everything },
            consent: Consent::of(self.yes || self.agreed.is_some(), asks),
            intent: None,
            history_max: self.history_max,
            evidence: self.evidence.wanted(),
            output: self.output,
            file: self.file,
        };
        if let Some(agreed) = self.agreed {
            agreed.put_into(&mut request);
        }
        Box::pin(upgrade(cluster, report::reporter(output, context.verbosity), request)).await?;
        Ok(ExitCode::SUCCESS)
    }
}
