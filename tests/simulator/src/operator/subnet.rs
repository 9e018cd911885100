//! Subnets: ranges of pod addresses inside a VPC, served by Bouncers.

use serde_json::json;

use super::{
    endpoint,
    handling::{Action, Call, Handled, World, create_time, provision},
    memory::{PROVISIONED, Subnet},
};
use crate::object::{Kind, fields};

pub(crate) fn init(world: &mut World<'_>, call: &Call<'_>) -> Handled {
    let name = call.object.name();
    let vni = match vni_of_ready_vpc(world, call) {
        Ok(vni) => vni,
        Err(message) => return Handled::retry(message),
    };
    // The object's own range counts: a net0 made by somebody else is kept as it is.
    let pool = world.memory.subnets.get(name).and_then(|known| known.pool.clone());
    let mut subnet = Subnet::from_object(call.object, PROVISIONED);
    let as_before =
        world.memory.subnets.get(name).is_some_and(|known| (&known.ip, &known.prefix) == (&subnet.ip, &subnet.prefix));
    if as_before {
        subnet.pool = pool;
    }
    subnet.vni.clone_from(&vni);
    let vpc = subnet.vpc.clone();
    world.memory.subnets.insert(name.to_owned(), subnet);

    let count = call.object.spec_count("bouncers", 1);
    let mut actions: Vec<_> = (0..count).map(|_| new_bouncer(world, call)).collect();
    actions.push(provision(call.object, world.now, &[("vni", json!(vni))]));
    let unwired: Vec<_> =
        world.memory.droplets.keys().filter(|droplet| !world.memory.is_wired(&vpc, droplet)).cloned().collect();
    for droplet in unwired {
        // A daemon that is down now is connected later, when its droplet is looked at again.
        if let Ok(action) = endpoint::connect_host(world, &droplet, &vpc, name) {
            actions.extend(action);
        }
    }
    Handled::done(actions)
}

fn vni_of_ready_vpc(world: &World<'_>, call: &Call<'_>) -> Result<String, String> {
    let name = call.object.name();
    if world.memory.droplets.is_empty() {
        return Err(format!("Task: NetCreate Net: {name} No droplets available."));
    }
    let vpc = call.object.spec("vpc");
    let known =
        world.memory.vpcs.get(&vpc).ok_or_else(|| format!("Task: NetCreate Net: {name} VPC {vpc} not ready."))?;
    if !world.memory.dividers.values().any(|divider| divider.vpc == vpc) {
        return Err(format!("Task: NetCreate Net: {name} Dividers not available"));
    }
    if known.vni.is_empty() {
        return Err(format!("Net {name} does not yet have a vni!"));
    }
    Ok(known.vni.clone())
}

fn new_bouncer(world: &mut World<'_>, call: &Call<'_>) -> Action {
    let net = call.object.name();
    let vpc = call.object.spec("vpc");
    let vni = world.memory.vpcs.get(&vpc).map(|vpc| vpc.vni.clone()).unwrap_or_default();
    let spec = fields([
        ("createtime", create_time(world.now)),
        ("droplet", json!("")),
        ("ip", json!("")),
        ("mac", json!("")),
        ("net", json!(net)),
        ("nip", json!(call.object.spec("ip"))),
        ("prefix", json!(call.object.spec("prefix"))),
        ("status", json!("Init")),
        ("vni", json!(vni)),
        ("vpc", json!(vpc)),
    ]);
    Action::Create { kind: Kind::Bouncer, name: format!("{net}-b-{}", world.chance.uuid()), spec }
}

/// More bouncers are added at once; fewer are ignored.
pub(crate) fn provisioned(world: &mut World<'_>, call: &Call<'_>) -> Handled {
    let name = call.object.name();
    if !world.memory.subnets.contains_key(name) {
        let subnet = Subnet::from_object(call.object, PROVISIONED);
        world.memory.subnets.insert(name.to_owned(), subnet);
    }
    let wanted = call.object.spec_count("bouncers", 1);
    let before = call.previous_count("bouncers").unwrap_or(wanted);
    Handled::done((before..wanted).map(|_| new_bouncer(world, call)).collect())
}
