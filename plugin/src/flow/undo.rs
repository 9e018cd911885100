//! Taking back an install that failed: to what was deployed before it, or, if nothing was, to a cluster without Mizar.

use std::collections::BTreeSet;
use std::sync::Arc;

use mizar_core::event::Event;
use mizar_core::facts::{ContainerFact, PodFact, PodRole, Source};
use mizar_core::upgrade::{DrainTerms, Order};

use super::consent::Consent;
use super::gather::{Wanted, gather};
use super::ground::Ground;
use super::install::{Extent, Request};
use super::rolling::Terms;
use super::saved_plan::PlanFile;
use super::uninstall;
use super::upgrade::{self, OnFailure, Target};
use crate::cluster::Cluster;
use crate::failure::{Failure, Kind};
use crate::report::Reporter;

/// Where a change that failed goes back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Undo {
    /// A cluster without Mizar.
    Nothing {
        /// The namespace of the release.
        namespace: String,
    },
    /// What was deployed before.
    Revision(u64),
}

impl Undo {
    /// Where an install from here would go back to.
    pub(crate) fn of(ground: &Ground, namespace: &str) -> Self {
        match ground.records.histories[1].deployed() {
            Some(base) => Self::Revision(base.release.revision),
            None => Self::Nothing { namespace: namespace.to_owned() },
        }
    }

    /// Whether a failure is one to take a change back for: not one that a person has asked for, or that somebody else has brought
    /// about by going on with the change.
    pub(crate) fn is_for(failure: &Failure) -> bool {
        matches!(failure.kind, Kind::Failed | Kind::TimedOut | Kind::PartlyApplied | Kind::Unreachable)
    }
}

/// Takes an install back, and says so in its failure.
pub(crate) async fn take_back(
    cluster: Cluster,
    reporter: Arc<dyn Reporter>,
    request: &Request,
    failure: Failure,
    undo: Undo,
) -> Failure {
    let (goal, by_hand) = match &undo {
        Undo::Nothing { .. } => ("a cluster without Mizar".to_owned(), "kubectl mizar uninstall --crds".to_owned()),
        Undo::Revision(base) => (format!("revision {base}"), format!("kubectl mizar rollback {base}")),
    };
    let message = format!("{}; going back to {goal}", failure.message);
    reporter.event(&Event::Warning { message, object: None });
    let done = match undo {
        Undo::Nothing { namespace } => {
            let untouched = untouched_nodes(&cluster).await;
            Box::pin(uninstall::take_out(cluster, reporter, of_uninstall(request, namespace, untouched))).await
        }
        Undo::Revision(base) => Box::pin(upgrade::go_back(cluster, reporter, of_rollback(request, base))).await,
    };
    match done {
        Ok(_) => failure.detail(format!("everything that was changed is taken back, to {goal}")),
        Err(second) => failure
            .detail(format!("going back to {goal} failed too"))
            .and(second)
            .hint(format!("when that is mended: {by_hand}")),
    }
}

/// The nodes on which nothing of the daemon has ever run: there is nothing to clean, and often nothing that could, where its image
/// cannot be had. A list that fails tells of none.
async fn untouched_nodes(cluster: &Cluster) -> BTreeSet<String> {
    let wanted = Wanted { sources: &[Source::Pods], ..Wanted::default() };
    let Ok(gathered) = gather(cluster, wanted).await else { return BTreeSet::new() };
    let has_run = |container: &ContainerFact| {
        container.started.is_some() || container.exit_code.is_some() || container.restarts > 0
    };
    let daemons = gathered.facts.pods.items().iter().filter(|pod| pod.role == PodRole::Daemon);
    let (touched, untouched): (Vec<&PodFact>, Vec<&PodFact>) =
        daemons.partition(|daemon| daemon.containers.iter().any(has_run));
    let names = |pods: Vec<&PodFact>| pods.iter().map(|pod| pod.node.to_string()).collect::<BTreeSet<String>>();
    names(untouched).difference(&names(touched)).cloned().collect()
}

fn of_uninstall(request: &Request, namespace: String, skip: BTreeSet<String>) -> uninstall::Request {
    uninstall::Request {
        namespace: Some(namespace),
        crds: true,
        // Of a network that nobody has used yet, and not among the person's files.
        export: Some(std::env::temp_dir().join(format!("mizar-export-{}.yaml", std::process::id()))),
        keep_node_state: false,
        skip,
        keep_history: false,
        file: PlanFile::None,
        plan_only: false,
        consent: Consent::Given,
        timeout: request.timeout,
        evidence: request.evidence.clone(),
        output: request.output.clone(),
    }
}

fn of_rollback(request: &Request, base: u64) -> upgrade::Request {
    let terms = Terms {
        drain: true,
        allowed: DrainTerms::default(),
        drain_timeout: super::rolling::DRAIN_TIMEOUT,
        grace_period: None,
        limit: request.timeout,
        order: Order::NewestFirst,
        window: false,
    };
    upgrade::Request {
        target: Target::Revision(Some(base)),
        namespace: request.namespace.clone(),
        terms,
        accept_outage: false,
        maintenance_window: false,
        on_failure: OnFailure::Stop,
        file: PlanFile::None,
        extent: Extent::Everything,
        consent: Consent::Given,
        intent: None,
        history_max: request.history_max,
        evidence: request.evidence.clone(),
        output: request.output.clone(),
    }
}
