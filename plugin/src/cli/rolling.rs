//! How nodes are treated when their daemon is replaced: the flags of `kubectl drain`, and what goes beyond a drain.

use std::time::Duration;

use clap::{Args, ValueEnum};
use mizar_core::upgrade::{DrainTerms, Order};

use super::wait::parse_duration;
use crate::flow::rolling::{DRAIN_TIMEOUT, Terms};
use crate::flow::upgrade::OnFailure;

/// What happens when a change fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailureArg {
    /// Stop where it is; the same command goes on, rollback goes back
    Stop,
    /// Go back to what was deployed before
    Rollback,
}

impl From<FailureArg> for OnFailure {
    fn from(asked: FailureArg) -> Self {
        match asked {
            FailureArg::Stop => Self::Stop,
            FailureArg::Rollback => Self::Rollback,
        }
    }
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Node options")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that a person may type")]
pub(crate) struct RollingArgs {
    /// Longest time for draining one node; a disruption budget that allows no eviction is waited for, never broken [default: 15m]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    drain_timeout: Option<Duration>,

    /// Do not drain nodes: their pods lose the network until they are recreated; needs --accept-outage
    #[arg(long)]
    no_drain: bool,

    /// Pods may lose their network where they are: on a cluster of one node, without draining, or in a maintenance window
    #[arg(long)]
    pub(crate) accept_outage: bool,

    /// Replace all daemons at once with the operator stopped, where old and new versions misunderstand each other
    #[arg(long)]
    pub(crate) maintenance_window: bool,

    /// Evict pods that nobody creates again
    #[arg(long)]
    force: bool,

    /// Evict pods that keep data in an emptyDir, which is lost with them
    #[arg(long)]
    delete_emptydir_data: bool,

    /// Seconds that evicted pods get to end; their own if not given
    #[arg(long, value_name = "SECONDS")]
    grace_period: Option<u32>,
}

impl RollingArgs {
    /// The flags by which somebody agrees to something, and whether they were typed.
    pub(crate) fn given(&self) -> [(&'static str, bool); 6] {
        [
            ("--no-drain", self.no_drain),
            ("--accept-outage", self.accept_outage),
            ("--maintenance-window", self.maintenance_window),
            ("--force", self.force),
            ("--delete-emptydir-data", self.delete_emptydir_data),
            ("--grace-period", self.grace_period.is_some()),
        ]
    }

    /// The terms for the nodes; `limit` replaces the limits of all other waits.
    pub(crate) fn terms(&self, limit: Option<Duration>, order: Order) -> Terms {
        Terms {
            drain: !self.no_drain,
            allowed: DrainTerms { force: self.force, delete_emptydir_data: self.delete_emptydir_data },
            drain_timeout: self.drain_timeout.unwrap_or(DRAIN_TIMEOUT),
            grace_period: self.grace_period,
            limit,
            order,
            window: false,
        }
    }
}
