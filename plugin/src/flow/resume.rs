//! Going on with a change that has stopped in the middle, or giving it up. What is intended is in its record, so that nobody has to
//! remember what was typed.

use std::sync::Arc;
use std::time::Duration;

use mizar_core::adoption;
use mizar_core::event::Event;
use mizar_core::operation::{Intent, Operation, Outcome};
use mizar_core::repair::Wish;
use mizar_core::upgrade::Order;
use serde_json::Value;

use super::bundle::evidence::Evidence;
use super::consent::Consent;
use super::ground::{self, is_unfinished};
use super::install::{self, Extent};
use super::operation;
use super::records::{self, DEFAULT_NAMESPACE};
use super::repair;
use super::rolling::Terms;
use super::saved_plan::PlanFile;
use super::upgrade::{self, Keep, OnFailure, Options, Target};
use super::value_sources::ValueSources;
use crate::cluster::Cluster;
use crate::failure::{Failure, Kind};
use crate::report::Reporter;
use crate::report::format::Format;

/// What the person asked for.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// `-n`.
    pub(crate) namespace: Option<String>,
    /// How nodes are treated, as far as the record does not say it.
    pub(crate) terms: Terms,
    /// Whether to go on without asking.
    pub(crate) consent: Consent,
    /// Replaces the limits of all waits.
    pub(crate) timeout: Option<Duration>,
    /// How many revisions of each release are kept; 0 keeps all.
    pub(crate) history_max: usize,
    /// What is taken if it fails.
    pub(crate) evidence: Evidence,
    /// What stdout is for.
    pub(crate) output: Format,
}

/// Goes on with whatever has stopped in the middle.
pub(crate) async fn resume(cluster: Cluster, reporter: Arc<dyn Reporter>, request: Request) -> Result<(), Failure> {
    cluster.ledger().enter("records");
    let Some(stopped) = unfinished(&cluster, request.namespace.as_deref()).await? else {
        reporter.event(&Event::Hint {
            message: "nothing has stopped in the middle: there is nothing to go on with".to_owned(),
        });
        return Ok(());
    };
    let namespace = Some(stopped.namespace.clone());
    match stopped.command.as_str() {
        "install" => {
            let options: install::Options = options_of(&stopped.intent)?;
            let request = install::Request {
                values: ValueSources::default(),
                namespace,
                take_over_cni: options.take_over_cni,
                recreate_pods: options.recreate_pods,
                file: PlanFile::None,
                extent: Extent::Everything,
                consent: request.consent,
                on_failure: OnFailure::Stop,
                wait: true,
                timeout: request.timeout,
                history_max: request.history_max,
                evidence: request.evidence,
                output: request.output,
            };
            Box::pin(install::install(cluster, reporter, request)).await
        }
        command @ ("upgrade" | "rollback" | adoption::COMMAND) => {
            let options: Options = options_of(&stopped.intent)?;
            let goes_back = command == "rollback";
            // What was chosen is in the record already.
            let target = match command {
                "rollback" => Target::Revision(options.revision),
                adoption::COMMAND => Target::Adoption { values: Box::default() },
                _ => Target::Charts { values: Box::default(), keep: Keep::Chosen },
            };
            let order = if goes_back { Order::NewestFirst } else { Order::LeastFirst };
            let mut resumed = upgrade::Request {
                target,
                namespace,
                terms: Terms { order, ..request.terms },
                accept_outage: false,
                maintenance_window: false,
                on_failure: OnFailure::Stop,
                file: PlanFile::None,
                extent: Extent::Everything,
                consent: request.consent,
                intent: Some(stopped.intent.intent_digest.clone()),
                history_max: request.history_max,
                evidence: request.evidence,
                output: request.output,
            };
            options.put_into(&mut resumed);
            Box::pin(upgrade::upgrade(cluster, reporter, resumed)).await
        }
        "repair" => {
            let request = repair::Request {
                namespace,
                only: Wish::default().only,
                restart_operator: false,
                plan_only: false,
                consent: request.consent,
                timeout: request.timeout,
                evidence: request.evidence,
                output: request.output,
            };
            Box::pin(repair::repair(cluster, reporter, request)).await
        }
        other => Err(Failure::new(Kind::Refused, format!("{other} has stopped in the middle; nothing was changed"))
            .hint(format!("run it again, it goes on where it stopped: kubectl mizar {other}"))),
    }
}

fn options_of<T: serde::de::DeserializeOwned>(intent: &Intent) -> Result<T, Failure> {
    serde_json::from_value(Value::Object(intent.options.clone())).map_err(|error| {
        let message = format!("the record of the change cannot be used: intent.options: {error}; nothing was changed");
        Failure::new(Kind::Refused, message).hint("run the command as it was typed then: it goes on where it stopped")
    })
}

/// The change that has stopped in the middle, wherever its release is.
pub(super) async fn unfinished(cluster: &Cluster, asked: Option<&str>) -> Result<Option<Operation>, Failure> {
    let records = records::read(cluster, asked.unwrap_or(DEFAULT_NAMESPACE)).await?;
    let namespace = ground::namespace(asked, &records)?;
    let mut stored = operation::read(cluster, &namespace).await?;
    if stored.is_none() && asked.is_none() && records.namespace.is_none() {
        // Taking over an old installation has stopped before its first release was recorded.
        stored = operation::read(cluster, adoption::NAMESPACE).await?;
    }
    Ok(stored.map(|stored| stored.operation).filter(is_unfinished))
}

/// How a change that was given up is recorded.
pub(super) const GIVEN_UP: Outcome = Outcome::Aborted;
