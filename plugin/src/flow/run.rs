//! What every step of a change is handed: the cluster, whom to tell, and whether it may go on.

use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt as _;
use mizar_core::event::Event;
use mizar_core::release::history::DEFAULT_LIMIT;
use mizar_core::timing::Timing;

use super::bundle::evidence::Evidence;
use super::operation::Held;
use super::write_mode::WriteMode;
use crate::cluster::Cluster;
use crate::failure::{Failure, Kind};
use crate::interrupt::Interrupt;
use crate::report::{self, Output, Reporter};

/// A change that is being made.
pub(crate) struct Run {
    cluster: Cluster,
    reporter: Arc<dyn Reporter>,
    interrupt: Interrupt,
    write_mode: WriteMode,
    /// The namespace of the release.
    pub(crate) namespace: String,
    /// How many revisions of each release are kept; 0 keeps all.
    pub(crate) history_max: usize,
    /// The record of the change and its lease, once it has begun.
    pub(crate) held: Option<Held>,
    /// What is taken if it fails.
    pub(crate) evidence: Evidence,
}

impl Run {
    /// A change that has not begun: Ctrl-C ends the process at once. `output` is what stdout is for.
    pub(crate) fn new(cluster: Cluster, reporter: Arc<dyn Reporter>, output: Output) -> Self {
        let (known, told, begun) = (cluster.clone(), reporter.clone(), Instant::now());
        let interrupt = Interrupt::new(move || {
            let failure =
                Failure::new(Kind::Interrupted, "interrupted; nothing was changed").hint("run the same command again");
            told.event(&Event::Finished {
                outcome: failure.kind.outcome(),
                exit: failure.kind.code(),
                requests: known.ledger().requests(),
                elapsed: begun.elapsed(),
                error: Some(failure.message.clone()),
            });
            report::failure(&failure, output);
        });
        let (write_mode, namespace) = (WriteMode::default(), String::new());
        Self {
            cluster,
            reporter,
            interrupt,
            write_mode,
            namespace,
            history_max: DEFAULT_LIMIT,
            held: None,
            evidence: Evidence::wanted(true),
        }
    }

    /// From now on Ctrl-C waits for a safe place to stop.
    pub(crate) fn stop_gently(&self) {
        self.interrupt.changes_begin();
    }

    /// Whom to tell.
    pub(crate) fn reporter(&self) -> &dyn Reporter {
        &*self.reporter
    }

    /// From now on requests belong to `phase` in the audit log.
    pub(crate) fn enter(&self, phase: &'static str) {
        self.cluster.ledger().enter(phase);
    }

    /// The API server.
    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The namespace of the release.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Every duration.
    pub(crate) fn timing(&self) -> &Timing {
        self.cluster.timing()
    }

    /// How this server takes changes.
    pub(crate) fn write_mode(&self) -> &WriteMode {
        &self.write_mode
    }

    /// Tells what happened, and what the server said besides.
    #[expect(clippy::needless_pass_by_value, reason = "events are made to be told")]
    pub(crate) fn tell(&self, event: Event) {
        for message in self.cluster.ledger().take_messages() {
            self.reporter.event(&Event::Warning { message, object: None });
        }
        self.reporter.event(&event);
    }

    /// Ends when the change must not go on: Ctrl-C, or the lease is lost.
    pub(crate) async fn stopped(&self) -> Failure {
        let lost_claim = async {
            match &self.held {
                Some(held) => held.lost().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.interrupt.asked() => Failure::new(Kind::Interrupted, "interrupted")
                .hint("run the same command again: it goes on where it stopped"),
            reason = lost_claim => lost(&reason),
        }
    }

    /// Fails if the change must not go on.
    pub(crate) fn go_on(&self) -> Result<(), Failure> {
        if self.held.as_ref().is_some_and(Held::is_lost) {
            return Err(lost("it was not renewed in time"));
        }
        self.stopped().now_or_never().map_or(Ok(()), Err)
    }
}

fn lost(reason: &str) -> Failure {
    Failure::new(Kind::PartlyApplied, format!("stopped: the claim on this change was lost: {reason}"))
        .hint("see who holds it, then run the same command again")
}
