//! The waits that follow acts on Mizar's objects: watches, judged by the same functions that found what was wrong.
//!
//! A cluster may have tens of thousands of Endpoints: of each object only what decides is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mizar_core::diagnosis::{blocked_by_bouncers, forgotten_message};
use mizar_core::facts::{Facts, HOLD_LABEL, MizarObject, Retry, Source, Text, Uid};
use mizar_core::kind::{self, KindInfo, MIZAR_GROUP};
use mizar_core::object::ObjectId;
use serde_json::Value;

use crate::cluster::watch::{WatchScope, Watched};
use crate::failure::Failure;
use crate::flow::follow::Followed;
use crate::flow::run::Run;
use crate::flow::wait::{Patience, Sight, Standing, Watches, listed, wait};
use crate::flow::workloads::OPERATOR_PODS;

/// Mizar's objects always live here.
const NAMESPACE: &str = "default";

/// Mizar's kinds, in the order in which they come to be.
const KINDS: [&str; 6] = ["Droplet", "Vpc", "Divider", "Subnet", "Bouncer", "Endpoint"];

/// How long to wait.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Extent {
    /// Replaces the limit of every wait, when a person named one.
    pub(crate) limit: Option<Duration>,
    /// What is there must stay so for this long.
    pub(crate) settle: Duration,
}

/// Waits until none of these very objects is there.
pub(crate) async fn until_gone(run: &Run, stage: &str, ids: &[ObjectId], extent: Extent) -> Result<(), Failure> {
    let wanted = names_of(ids);
    let mut watches = watches_of(run, ids);
    wait_for(run, stage, extent, &mut watches, |watched| {
        let present = watched.iter().flat_map(Watched::objects).filter_map(|object| wanted.get(&object.uid));
        standing(wanted.len(), present.map(|name| format!("{name} is still there")).collect())
    })
    .await
    .map_err(|failure| failure.hint("what keeps an object: kubectl get KIND NAME -o yaml, under metadata.finalizers"))
}

/// Waits until each of these very objects is Provisioned, or gone.
pub(crate) async fn until_provisioned(run: &Run, stage: &str, ids: &[ObjectId], extent: Extent) -> Result<(), Failure> {
    let wanted = names_of(ids);
    let mut watches = watches_of(run, ids);
    wait_for(run, stage, extent, &mut watches, |watched| {
        let left = watched.iter().flat_map(Watched::objects).filter_map(|object| {
            let name = wanted.get(&object.uid)?;
            (object.status != "Provisioned").then(|| format!("{name} is {}", shown(object.status)))
        });
        standing(wanted.len(), left.collect())
    })
    .await
}

/// Waits until every object of Mizar is Provisioned and no handler of the operator has to be tried again.
pub(crate) async fn until_settled(run: &Run, stage: &str, extent: Extent) -> Result<(), Failure> {
    until_all(run, stage, extent, unsettled).await
}

/// Waits until no handler of the operator has to be tried again. What a Droplet says of a forgotten Subnet does not end, and
/// keeps nothing from working.
pub(crate) async fn until_quiet(run: &Run, stage: &str, extent: Extent) -> Result<(), Failure> {
    until_all(run, stage, extent, unquiet).await
}

/// Waits until the Bouncers of a Subnet and what waits for them have come back.
pub(crate) async fn until_unlocked(run: &Run, stage: &str, net: Text, extent: Extent) -> Result<(), Failure> {
    let mut followed = followed(run, &[Source::Bouncers, Source::Endpoints]);
    wait_for(run, stage, extent, &mut followed, |facts: &Facts| {
        let of_net = facts.endpoints.items().iter().filter(|endpoint| endpoint.net == net).count();
        standing(of_net, blocked_by_bouncers(facts, net))
    })
    .await
}

/// Waits until every placeholder is Provisioned: from then on its address is not given to anybody.
pub(crate) async fn until_held(run: &Run, stage: &str, extent: Extent) -> Result<(), Failure> {
    let scope = WatchScope { namespace: Some(NAMESPACE), labels: Some(HOLD_LABEL), ..WatchScope::default() };
    let mut followed = Followed::lists(run.cluster(), &[Source::Endpoints], &scope);
    wait_for(run, stage, extent, &mut followed, |facts: &Facts| {
        let held = facts.endpoints.items().iter().map(|endpoint| &endpoint.object);
        let left = held.filter(|object| !object.is_provisioned());
        let left = left.map(|object| format!("Endpoint {} is {}", object.name, shown(object.status)));
        standing(facts.endpoints.items().len(), left.collect())
    })
    .await
}

/// Waits until a node has a Droplet again, and a host Endpoint in every Vpc.
pub(crate) async fn until_connected(
    run: &Run,
    stage: &str,
    node: &str,
    addresses: &[String],
    vpcs: &[Text],
    extent: Extent,
) -> Result<(), Failure> {
    let mut followed = followed(run, &[Source::Droplets, Source::Endpoints]);
    wait_for(run, stage, extent, &mut followed, |facts: &Facts| {
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

/// Waits until no object of Mizar has anything left to say by `what_is_left`, which is all that is kept of it.
async fn until_all(
    run: &Run,
    stage: &str,
    extent: Extent,
    what_is_left: fn(&str, &MizarObject) -> Option<String>,
) -> Result<(), Failure> {
    let scope = WatchScope { namespace: Some(NAMESPACE), ..WatchScope::default() };
    let kinds = KINDS.iter().filter_map(|kind| kind::lookup(&format!("{MIZAR_GROUP}/v1"), kind));
    let watch = |info: KindInfo| {
        let keep = move |object: Value| what_is_left(info.kind, &MizarObject::from_object(&object));
        run.cluster().watch(&info, &scope, keep)
    };
    let mut watches: Watches<Option<String>> = Watches(kinds.map(watch).collect());
    wait_for(run, stage, extent, &mut watches, |watched| {
        let objects = || watched.iter().flat_map(Watched::objects);
        standing(objects().count(), objects().flatten().cloned().collect())
    })
    .await
}

/// Says what an object still waits for.
fn unsettled(kind: &str, object: &MizarObject) -> Option<String> {
    let name = object.name;
    if let Some(retry) = object.retries.first() {
        return Some(format!("{kind} {name}: {}", told(retry)));
    }
    if object.deleting.is_some() {
        return Some(format!("{kind} {name} is being deleted"));
    }
    (!object.is_provisioned()).then(|| format!("{kind} {name} is {}", shown(object.status)))
}

fn unquiet(kind: &str, object: &MizarObject) -> Option<String> {
    let retry = object.retries.iter().find(|retry| !forgotten_message(retry))?;
    Some(format!("{kind} {}: {}", object.name, told(retry)))
}

fn told(retry: &Retry) -> String {
    let message = retry.message.as_deref().unwrap_or("no reason given");
    format!("{} is tried again ({message})", retry.handler)
}

fn shown(status: Text) -> &'static str {
    if status.is_empty() { "blank" } else { status.as_str() }
}

fn standing(total: usize, left: Vec<String>) -> Standing {
    let done = total.saturating_sub(left.len());
    Standing { done, total, complete: left.is_empty(), waiting_for: left, failed: None }
}

fn followed(run: &Run, sources: &[Source]) -> Followed {
    let scope = WatchScope { namespace: Some(NAMESPACE), ..WatchScope::default() };
    Followed::lists(run.cluster(), sources, &scope)
}

/// Which object it is and how far, of which there may be tens of thousands.
struct Known {
    uid: Uid,
    status: Text,
}

impl Known {
    fn of(object: &Value) -> Self {
        let text = |value: &Value| Text::from(value.as_str().unwrap_or_default());
        Self {
            uid: object["metadata"]["uid"].as_str().unwrap_or_default().into(),
            status: text(&object["spec"]["status"]),
        }
    }
}

fn names_of(ids: &[ObjectId]) -> BTreeMap<Uid, String> {
    ids.iter().map(|id| (id.uid.as_str().into(), id.to_string())).collect()
}

/// One watch for each kind and namespace; of one object, where it is about one.
fn watches_of(run: &Run, ids: &[ObjectId]) -> Watches<Known> {
    let one = if let [id] = ids { Some(format!("metadata.name={}", id.object.name)) } else { None };
    let collections: BTreeSet<(&str, &str, Option<&str>)> = ids
        .iter()
        .map(|id| (id.object.api_version.as_str(), id.object.kind.as_str(), id.object.namespace.as_deref()))
        .collect();
    let watch = |(api_version, kind, namespace): (&str, &str, Option<&str>)| {
        let kind: KindInfo = kind::lookup(api_version, kind)?;
        let scope = WatchScope { namespace, fields: one.as_deref(), ..WatchScope::default() };
        Some(run.cluster().watch(&kind, &scope, |object: Value| Known::of(&object)))
    };
    Watches(collections.into_iter().filter_map(watch).collect())
}

/// Waits until `judge` says that all is there, with the limits that all these waits have.
pub(crate) async fn wait_for<S: Sight>(
    run: &Run,
    stage: &str,
    extent: Extent,
    sight: &mut S,
    judge: impl FnMut(&S::Seen) -> Standing,
) -> Result<(), Failure> {
    if sight.unlisted().0 == 0 {
        return Ok(());
    }
    run.go_on()?;
    run.enter("wait");
    let timing = run.timing();
    let patience = Patience {
        stage,
        limit: extent.limit.unwrap_or(timing.part_timeout),
        // The operator works in rounds: silence between two of them is no trouble.
        look: timing.operator_rounds,
        settle: extent.settle,
        stall: timing.stall,
        pods: OPERATOR_PODS,
    };
    let waited = async {
        listed(run, &patience, sight).await?;
        wait(run, &patience, sight, judge).await
    };
    let waited = waited.await;
    run.enter("apply");
    waited
}
