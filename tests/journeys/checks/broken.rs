//! Situations that do not go by taking back what made them: each list is of one bed, and every situation comes on top of
//! the one before it.

use std::time::Duration;

use mizar_bed::Fault;

use super::situation::Situation;
use super::stage::{Stage, workload};

const BLUR: Duration = Duration::from_secs(4);

/// A daemon whose container started anew.
pub(crate) fn daemon() -> Vec<Situation> {
    vec![
        Situation::after(
            "daemon-restarted",
            "the container of a daemon started anew, and what it had programmed is gone",
        )
        .fails("unprogrammed-nodes", "node-2")
        .warns("pods-older-than-mizar", "Pod default/web-")
        .lasting(5)
        .made_by(async |stage: &mut Stage<'_>| {
            // What is wired within seconds of a restart may be of before or after it.
            tokio::time::sleep(BLUR).await;
            stage.fault(Fault::DaemonRestart, Some("node-2")).await;
        }),
        Situation::after("daemon-crashing", "a daemon crashes again and again")
            .fails("daemon", "node-3")
            .fails("unprogrammed-nodes", "node-2")
            .warns("pods-older-than-mizar", "Pod ")
            .made_by(async |stage: &mut Stage<'_>| {
                stage.fault(Fault::CrashLoop, Some("node-3")).await;
                stage.fault(Fault::DaemonRestart, Some("node-3")).await;
            }),
    ]
}

/// An operator whose container started anew.
pub(crate) fn operator() -> Vec<Situation> {
    vec![
        Situation::after(
            "operator-restarted",
            "the operator's container started anew on a finished network: a deadlock",
        )
        .fails("unfinished-handlers", "Bouncer net0-b-")
        .warns("operator-memory", "Subnet net0")
        .warns("unknown-addresses", "10.20.0.")
        .lasting(5)
        .made_by(async |stage: &mut Stage<'_>| stage.fault(Fault::OperatorRestart, None).await),
        Situation::after("operator-crashing", "the operator crashes again and again")
            .fails("operator", "CrashLoopBackOff")
            .fails("unfinished-handlers", "Bouncer net0-b-")
            .lasting(5)
            .made_by(async |stage: &mut Stage<'_>| {
                stage.fault(Fault::OperatorCrashLoop, None).await;
                stage.fault(Fault::OperatorRestart, None).await;
            }),
    ]
}

/// An operator that was taken away.
pub(crate) fn removal() -> Vec<Situation> {
    vec![
        Situation::after("operator-gone", "somebody deleted the operator, and left its objects and finalizers")
            .warns("left-objects", "mizar.com")
            .fails("operator", "mizar-operator")
            .warns("left-finalizers", "node")
            .lasting(5)
            .made_by(async |stage: &mut Stage<'_>| stage.destroy(&workload("deployments/mizar-operator")).await),
        Situation::after("deletion-stuck", "a service was deleted, and nobody takes the operator's finalizer off")
            .fails("stuck-deletions", "service default/web")
            .fails("operator", "mizar-operator")
            .warns("left-objects", "mizar.com")
            .warns("left-finalizers", "node")
            .lasting(5)
            .made_by(async |stage: &mut Stage<'_>| {
                stage.start_deleting("/api/v1/namespaces/default/services/web").await;
            }),
    ]
}
