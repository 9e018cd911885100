//! Droplets: the nodes as Mizar knows them, each connected to each VPC by a host endpoint.

use serde_json::json;

use super::{
    endpoint,
    handling::{Action, Call, Handled, Outcome, World, provision},
    memory::PROVISIONED,
};

pub(crate) fn init(world: &mut World<'_>, call: &Call<'_>) -> Handled {
    world.memory.store_droplet(call.object);
    Handled::done(vec![provision(call.object, world.now, &[])])
}

pub(crate) fn provisioned(world: &mut World<'_>, call: &Call<'_>) -> Handled {
    world.memory.store_droplet(call.object);
    let vpcs: Vec<String> = world.memory.vpcs.keys().cloned().collect();
    let mut actions = Vec::new();
    for vpc in vpcs.iter().filter(|vpc| !world.memory.is_wired(vpc, call.object.name())).cloned().collect::<Vec<_>>() {
        match connect(world, call.object.name(), &vpc) {
            Ok(action) => actions.extend(action),
            Err(message) => return Handled { actions, outcome: Outcome::Retry(message) },
        }
    }
    Handled::done(actions)
}

fn connect(world: &mut World<'_>, droplet: &str, vpc: &str) -> Result<Option<Action>, String> {
    let (name, subnet) = world
        .memory
        .subnets
        .iter()
        .find(|(_, subnet)| subnet.vpc == vpc)
        .ok_or_else(|| format!("Host ep creation failed: no subnet created yet for VPC {vpc}"))?;
    if subnet.status != PROVISIONED {
        return Err(format!("Subnet {name} not yet provisioned!"));
    }
    let name = name.clone();
    endpoint::connect_host(world, droplet, vpc, &name)
}

pub(crate) fn deleted(world: &mut World<'_>, call: &Call<'_>) -> Handled {
    let name = call.object.name();
    world.memory.droplets.remove(name);
    let before = world.memory.wired.len();
    world.memory.wired.retain(|(_, droplet)| droplet != name);
    if world.memory.wired.len() == before {
        return Handled::fail(format!("KeyError: {}", json!(name)));
    }
    Handled::nothing()
}
