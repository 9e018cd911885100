//! What a handler is given and what it answers, and which handler looks at which object.
//!
//! Handlers decide; they write nothing to the cluster. One file per kind of object holds them.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    bouncer, divider, droplet, endpoint,
    memory::{INIT, Memory, PROVISIONED},
    node, pod, service, subnet, vpc,
};
use crate::{
    address::Chance,
    daemon::Daemons,
    fault::{Fault, Faults},
    object::{Kind, Object},
};

/// What a handler may look at and change besides the cluster.
pub(crate) struct World<'a> {
    pub(crate) memory: &'a mut Memory,
    pub(crate) daemons: &'a Daemons,
    pub(crate) faults: &'a Faults,
    pub(crate) chance: &'a mut Chance,
    pub(crate) now: Timestamp,
}

/// A write that a handler wants.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    Create { kind: Kind, name: String, spec: Value },
    Patch { kind: Kind, name: String, spec: Map<String, Value> },
    Delete { kind: Kind, name: String },
    AnnotateCoreEndpoints { namespace: String, name: String },
}

/// How a handler ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// Tried again one round later.
    Retry(String),
    /// Not tried again before the object changes.
    Fail(String),
    /// Never ends, and keeps the process from ending.
    Hang,
}

/// A handler's whole answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Handled {
    pub(crate) actions: Vec<Action>,
    pub(crate) outcome: Outcome,
}

impl Handled {
    pub(crate) fn done(actions: Vec<Action>) -> Self {
        Self { actions, outcome: Outcome::Done }
    }

    pub(crate) fn nothing() -> Self {
        Self::done(Vec::new())
    }

    pub(crate) fn retry(message: impl Into<String>) -> Self {
        Self { actions: Vec::new(), outcome: Outcome::Retry(message.into()) }
    }

    pub(crate) fn fail(message: impl Into<String>) -> Self {
        Self { actions: Vec::new(), outcome: Outcome::Fail(message.into()) }
    }
}

/// Why an object is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Create,
    Update,
    Resume,
    Delete,
}

impl Purpose {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Resume => "resume",
            Self::Delete => "delete",
        }
    }
}

/// What a handler is called for: the object and what was last handled of it.
pub(crate) struct Call<'a> {
    pub(crate) object: &'a Object,
    pub(crate) previous: Option<&'a Value>,
}

impl Call<'_> {
    /// Returns a count of the specification as it was handled last, if it was.
    pub(crate) fn previous_count(&self, field: &str) -> Option<u64> {
        let value = self.previous?.get("spec")?.get(field)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    }
}

/// A handler: the name under which kopf keeps its progress, and what it does.
#[derive(Clone, Copy)]
pub(crate) struct Handler {
    pub(crate) name: &'static str,
    run: fn(&mut World<'_>, &Call<'_>) -> Handled,
}

impl Handler {
    const fn new(name: &'static str, run: fn(&mut World<'_>, &Call<'_>) -> Handled) -> Self {
        Self { name, run }
    }

    /// Lets the handler look at an object, unless a fault puts that off.
    pub(crate) fn answer(self, world: &mut World<'_>, call: &Call<'_>) -> Handled {
        put_off_by_fault(world.faults, call.object).unwrap_or_else(|| (self.run)(world, call))
    }

    /// Returns the handler that looks at an object for this purpose; `None` if none does.
    pub(crate) fn of(object: &Object, purpose: Purpose) -> Option<Self> {
        if purpose == Purpose::Delete {
            return Self::of_deletion(object.kind());
        }
        match object.kind() {
            Kind::Node => Some(Self::new("droplet_opr_on_node", node::seen)),
            Kind::Pod => Some(Self::new("builtins_on_pod_create", pod::seen)),
            Kind::Service => Some(Self::new("services_opr_on_services", service::seen)),
            Kind::CoreEndpoints => object
                .annotation(service::SCALED_ENDPOINT)
                .map(|_| Self::new("services_opr_on_endpoints", service::backends_seen)),
            Kind::Namespace => Some(Self::new("builtins_on_namespace_create", nothing_to_do)),
            Kind::NetworkPolicy => Some(Self::new("builtins_on_networkpolicy_create", nothing_to_do)),
            _ => match object.spec("status").as_str() {
                INIT => Self::of_init(object.kind()),
                PROVISIONED => Self::of_provisioned(object.kind()),
                _ => None,
            },
        }
    }

    fn of_init(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Droplet => Some(Self::new("droplet_opr_on_droplet_init", droplet::init)),
            Kind::Vpc => Some(Self::new("vpc_opr_on_vpc_init", vpc::init)),
            Kind::Divider => Some(Self::new("divider_opr_on_divider_init", divider::init)),
            Kind::Subnet => Some(Self::new("net_opr_on_net_init", subnet::init)),
            Kind::Bouncer => Some(Self::new("bouncer_opr_on_bouncer_init", bouncer::init)),
            Kind::Endpoint => Some(Self::new("endpoint_opr_on_endpoint_init", endpoint::init)),
            _ => None,
        }
    }

    fn of_provisioned(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Droplet => Some(Self::new("droplet_opr_on_droplet_provisioned", droplet::provisioned)),
            Kind::Vpc => Some(Self::new("vpc_opr_on_vpc_provisioned", vpc::provisioned)),
            Kind::Divider => Some(Self::new("divider_opr_on_divider_provisioned", divider::provisioned)),
            Kind::Subnet => Some(Self::new("net_opr_on_net_provisioned", subnet::provisioned)),
            Kind::Bouncer => Some(Self::new("bouncer_opr_on_bouncer_provisioned", bouncer::provisioned)),
            Kind::Endpoint => Some(Self::new("endpoint_opr_on_endpoint_provisioned", endpoint::provisioned)),
            _ => None,
        }
    }

    fn of_deletion(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Node => Some(Self::new("droplet_opr_on_node_delete", node::deleted)),
            Kind::Pod => Some(Self::new("builtins_on_pod_delete", pod::deleted)),
            Kind::Service => Some(Self::new("services_opr_on_services_delete", service::deleted)),
            Kind::Namespace => Some(Self::new("builtins_on_namespace_delete", nothing_to_do)),
            Kind::NetworkPolicy => Some(Self::new("builtins_on_networkpolicy_delete", nothing_to_do)),
            Kind::Droplet => Some(Self::new("droplet_opr_on_droplet_delete", droplet::deleted)),
            Kind::Vpc => Some(Self::new("vpc_opr_on_vpc_delete", never_ends)),
            Kind::Divider => Some(Self::new("divider_opr_on_divider_delete", divider::deleted)),
            Kind::Subnet => Some(Self::new("net_opr_on_net_delete", never_ends)),
            Kind::Bouncer => Some(Self::new("bouncer_opr_on_bouncer_delete", bouncer::deleted)),
            Kind::Endpoint => Some(Self::new("endpoint_opr_on_endpoint_delete", endpoint::deleted)),
            Kind::CoreEndpoints | Kind::ConfigMap | Kind::CustomResourceDefinition | Kind::Event => None,
        }
    }
}

fn put_off_by_fault(faults: &Faults, object: &Object) -> Option<Handled> {
    let is_new = Kind::MIZAR.contains(&object.kind()) && !object.is_deleting() && object.spec("status") == INIT;
    if !is_new || !faults.hit(Fault::StuckInit, &node_of(object.kind(), object.name(), &object.spec("droplet"))) {
        return None;
    }
    let kind = object.kind().name();
    Some(Handled::retry(format!("Task: {kind}Create {kind}: {} Droplet operator not ready.", object.name())))
}

/// Returns the node that one of Mizar's objects is on: droplets have the names of their nodes. Blank for those that are
/// on none, or not yet.
pub(crate) fn node_of(kind: Kind, name: &str, droplet: &str) -> String {
    if kind == Kind::Droplet { name.to_owned() } else { droplet.to_owned() }
}

fn nothing_to_do(_: &mut World<'_>, _: &Call<'_>) -> Handled {
    Handled::nothing()
}

/// Mizar's delete handlers of Vpc and Subnet wait for a condition that never comes.
fn never_ends(_: &mut World<'_>, _: &Call<'_>) -> Handled {
    Handled { actions: Vec::new(), outcome: Outcome::Hang }
}

/// Returns a moment as Python writes it: without a zone.
pub(crate) fn create_time(now: Timestamp) -> Value {
    json!(now.strftime("%Y-%m-%dT%H:%M:%S.%6f").to_string())
}

/// Returns the patch that marks an object as provisioned, with the delay since its creation where that is known.
pub(crate) fn provision(object: &Object, now: Timestamp, values: &[(&str, Value)]) -> Action {
    let mut spec: Map<String, Value> = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    if let Ok(created) = format!("{}Z", object.spec("createtime")).parse::<Timestamp>() {
        let delay = now.duration_since(created);
        spec.insert("provisiondelay".to_owned(), json!(format!("{:.6}", delay.as_secs_f64().max(0.0))));
    }
    spec.insert("status".to_owned(), json!(PROVISIONED));
    Action::Patch { kind: object.kind(), name: object.name().to_owned(), spec }
}
