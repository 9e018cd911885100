//! Vpcs: a range of addresses with its network identifier, served by Dividers.

use serde_json::{Value, json};

use super::{
    handling::{Action, Call, Handled, World, create_time, provision},
    memory::{DEFAULT_VPC, Vpc},
};
use crate::object::{Kind, fields};

pub(crate) fn init(world: &mut World<'_>, call: &Call<'_>) -> Handled {
    let name = call.object.name();
    if world.memory.droplets.is_empty() {
        return Handled::retry(format!("Task: VpcCreate Vpc: {name} No droplets available."));
    }
    let (vpc, values) = if name == DEFAULT_VPC { built_in(world, call) } else { of_a_user(world, call) };
    let vni = vpc.vni.clone();
    world.memory.vpcs.insert(name.to_owned(), vpc);
    let count = call.object.spec_count("dividers", 1);
    let mut actions: Vec<_> = (0..count).map(|_| new_divider(world, name, &vni)).collect();
    actions.push(provision(call.object, world.now, &values));
    Handled::done(actions)
}

/// The built-in VPC loses a range of its own: the operator writes back what it remembers.
fn built_in(world: &World<'_>, call: &Call<'_>) -> (Vpc, Vec<(&'static str, Value)>) {
    let mut vpc = world.memory.vpcs.get(DEFAULT_VPC).cloned().unwrap_or_else(|| as_written(call));
    vpc.vni = call.object.spec("vni");
    let values = vec![("ip", json!(vpc.ip)), ("prefix", json!(vpc.prefix))];
    (vpc, values)
}

fn of_a_user(world: &mut World<'_>, call: &Call<'_>) -> (Vpc, Vec<(&'static str, Value)>) {
    let vpc = Vpc { vni: world.chance.network_identifier(), ..as_written(call) };
    let values = vec![("vni", json!(vpc.vni))];
    (vpc, values)
}

fn as_written(call: &Call<'_>) -> Vpc {
    let [ip, prefix, vni] = ["ip", "prefix", "vni"].map(|field| call.object.spec(field));
    Vpc { ip, prefix, vni }
}

fn new_divider(world: &mut World<'_>, vpc: &str, vni: &str) -> Action {
    let spec = fields([
        ("createtime", create_time(world.now)),
        ("droplet", json!("")),
        ("ip", json!("")),
        ("mac", json!("")),
        ("status", json!("Init")),
        ("vni", json!(vni)),
        ("vpc", json!(vpc)),
    ]);
    Action::Create { kind: Kind::Divider, name: format!("{vpc}-d-{}", world.chance.uuid()), spec }
}

pub(crate) fn provisioned(world: &mut World<'_>, call: &Call<'_>) -> Handled {
    let name = call.object.name();
    if !world.memory.vpcs.contains_key(name) {
        world.memory.store_vpc(call.object);
    }
    let wanted = call.object.spec_count("dividers", 1);
    let Some(before) = call.previous_count("dividers") else {
        return Handled::nothing();
    };
    let vni = world.memory.vpcs[name].vni.clone();
    let added = (before..wanted).map(|_| new_divider(world, name, &vni)).collect::<Vec<_>>();
    let removed = (wanted..before).filter_map(|_| remove_divider(world, name)).collect::<Vec<_>>();
    Handled::done(added.into_iter().chain(removed).collect())
}

fn remove_divider(world: &mut World<'_>, vpc: &str) -> Option<Action> {
    let of_vpc = world.memory.dividers.iter().filter(|(_, divider)| divider.vpc == vpc).map(|(name, _)| name);
    let name = world.chance.pick(of_vpc)?.clone();
    world.memory.dividers.remove(&name);
    Some(Action::Delete { kind: Kind::Divider, name })
}
