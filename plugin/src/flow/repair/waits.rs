//! The waits of remedies: watches, judged by the same functions that found what was wrong.

use std::collections::BTreeSet;
use std::time::Duration;

use mizar_core::diagnosis::{blocked_by_bouncers, forgotten_message};
use mizar_core::facts::{Facts, MizarObject, Source, Text};
use mizar_core::kind::{self, MIZAR_GROUP};
use serde_json::{Value, json};

use crate::cluster::watch::{WatchScope, Watched};
use crate::failure::Failure;
use crate::flow::run::Run;
use crate::flow::treat::{Extent, wait_for};
use crate::flow::wait::{Standing, Watches};

/// Mizar's objects always live here.
const NAMESPACE: &str = "default";

fn watches(run: &Run, kinds: &[&str]) -> Watches {
    let scope = WatchScope { namespace: Some(NAMESPACE), ..WatchScope::default() };
    let infos = kinds.iter().filter_map(|kind| kind::lookup(&format!("{MIZAR_GROUP}/v1"), kind));
    Watches(infos.map(|info| run.cluster().watch(&info, &scope, essentials)).collect())
}

/// What is watched, as facts.
fn facts(watched: &[Watched]) -> Facts {
    let mut facts = Facts::default();
    for watch in watched {
        let source = match watch.kind() {
            "Droplet" => Source::Droplets,
            "Bouncer" => Source::Bouncers,
            _ => Source::Endpoints,
        };
        watch.objects().for_each(|object| facts.absorb(source, object));
    }
    facts
}

fn standing(total: usize, left: Vec<String>) -> Standing {
    let done = total.saturating_sub(left.len());
    Standing { done, total, complete: left.is_empty(), waiting_for: left, failed: None }
}

/// Waits until the Bouncers of a Subnet and what waits for them have come back.
pub(super) async fn until_unlocked(run: &Run, stage: &str, net: Text, extent: Extent) -> Result<(), Failure> {
    let mut watches = watches(run, &["Bouncer", "Endpoint"]);
    wait_for(run, stage, extent, &mut watches, |watched| {
        let facts = facts(watched);
        let of_net = facts.endpoints.items().iter().filter(|endpoint| endpoint.net == net).count();
        standing(of_net, blocked_by_bouncers(&facts, net))
    })
    .await
}

/// Waits until every placeholder is Provisioned: from then on its address is not given to anybody.
pub(super) async fn until_held(run: &Run, stage: &str, extent: Extent) -> Result<(), Failure> {
    let mut watches = watches(run, &["Endpoint"]);
    wait_for(run, stage, extent, &mut watches, |watched| {
        let facts = facts(watched);
        let held = facts.endpoints.items().iter().filter(|endpoint| endpoint.object.holds_for.is_some());
        let held: Vec<_> = held.map(|endpoint| &endpoint.object).collect();
        let left = held.iter().filter(|object| !object.is_provisioned());
        standing(held.len(), left.map(|object| format!("Endpoint {} is {}", object.name, object.status)).collect())
    })
    .await
}

/// Waits until a node has a Droplet again, and a host Endpoint in every Vpc.
pub(super) async fn until_connected(
    run: &Run,
    stage: &str,
    node: &str,
    addresses: &[String],
    vpcs: &[Text],
    extent: Extent,
) -> Result<(), Failure> {
    let mut watches = watches(run, &["Droplet", "Endpoint"]);
    wait_for(run, stage, extent, &mut watches, |watched| {
        let facts = facts(watched);
        let is_new = |object: &MizarObject| object.is_provisioned() && object.deleting.is_none();
        let droplets = facts.droplets.items().iter();
        let droplet = droplets
            .filter(|droplet| is_new(&droplet.object))
            .find(|droplet| addresses.iter().any(|address| droplet.main_ip == address.as_str()));
        let Some(droplet) = droplet else {
            return standing(1 + vpcs.len(), vec![format!("node {node} has no Droplet yet")]);
        };
        let hosts =
            facts.endpoints.items().iter().filter(|endpoint| endpoint.kind == "host" && is_new(&endpoint.object));
        let connected: BTreeSet<Text> =
            hosts.filter(|host| host.droplet == droplet.object.name).map(|host| host.vpc).collect();
        let left = vpcs.iter().filter(|vpc| !connected.contains(vpc));
        standing(1 + vpcs.len(), left.map(|vpc| format!("node {node} has no host Endpoint in {vpc} yet")).collect())
    })
    .await
}

/// Waits until no handler of the operator has to be tried again. What a Droplet says of a forgotten Subnet does not end, and
/// keeps nothing from working.
pub(super) async fn until_quiet(run: &Run, limit: Option<Duration>) -> Result<(), Failure> {
    let kinds = ["Droplet", "Vpc", "Divider", "Subnet", "Bouncer", "Endpoint"];
    let mut watches = watches(run, &kinds);
    let extent = Extent { limit: Some(limit.unwrap_or(run.timing().operator_rounds)), ..Extent::default() };
    wait_for(run, "proof", extent, &mut watches, |watched| {
        let objects = watched.iter().flat_map(|watch| watch.objects().map(|object| (watch.kind(), object)));
        let mut total = 0;
        let left = objects.filter_map(|(kind, object)| {
            total += 1;
            unquiet(kind, &MizarObject::from_object(object))
        });
        let left = left.collect();
        standing(total, left)
    })
    .await
}

fn unquiet(kind: &str, object: &MizarObject) -> Option<String> {
    let retry = object.retries.iter().find(|retry| !forgotten_message(retry))?;
    let message = retry.message.as_deref().unwrap_or("no reason given");
    Some(format!("{kind} {}: {} is tried again ({message})", object.name, retry.handler))
}

/// Managed fields and handler progress are most of an object, and nobody waits for them.
#[expect(clippy::needless_pass_by_value, reason = "a watch hands each object over")]
fn essentials(object: Value) -> Value {
    let metadata = &object["metadata"];
    json!({
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "creationTimestamp": metadata["creationTimestamp"],
            "deletionTimestamp": metadata["deletionTimestamp"],
            "labels": metadata["labels"],
            "annotations": metadata["annotations"],
        },
        "spec": object["spec"],
    })
}
