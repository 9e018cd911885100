//! How every change begins and ends, for whoever reads its events.

use mizar_core::event::{ClusterName, Event};
use mizar_core::operation::Outcome;
use mizar_core::site::Site;
use tokio::time::Instant;

use super::records::DEFAULT_NAMESPACE;
use super::run::Run;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::report::Reporter;

/// Tells that a command has begun.
pub(crate) fn begun(run: &Run, command: &str, namespace: Option<&str>) {
    let server = run.cluster().server().to_owned();
    run.tell(Event::Started {
        command: command.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        clusters: vec![ClusterName { site: Site::Management, context: None, server }],
        namespace: namespace.unwrap_or(DEFAULT_NAMESPACE).to_owned(),
    });
}

/// Tells how a command has ended.
pub(crate) fn ended(cluster: &Cluster, reporter: &dyn Reporter, begun: Instant, result: &Result<Outcome, Failure>) {
    let (outcome, exit, error) = match result {
        Ok(outcome) => (*outcome, 0, None),
        Err(failure) => (failure.kind.outcome(), failure.kind.code(), Some(failure.message.clone())),
    };
    let requests = cluster.ledger().requests();
    reporter.event(&Event::Finished { outcome, exit, requests, elapsed: begun.elapsed(), error });
}
