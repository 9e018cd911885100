//! Dividers: each serves one VPC on one droplet, chosen at random.

use serde_json::json;

use super::{
    handling::{Call, Handled, World, provision},
    memory::Divider,
};

pub(crate) fn init(world: &mut World<'_>, call: &Call<'_>) -> Handled {
    let name = call.object.name();
    let Some(droplet) = world.chance.pick(world.memory.droplets.values()).cloned() else {
        return Handled::retry(format!("Task: DividerCreate Divider: {name} Droplet operator not ready."));
    };
    if let Err(error) = world.daemons.place_divider(&droplet.ip, name) {
        return Handled::retry(error.to_string());
    }
    let divider = Divider { vpc: call.object.spec("vpc"), droplet: droplet.name.clone(), resolved: true };
    world.memory.dividers.insert(name.to_owned(), divider);
    let placed =
        [("droplet", json!(droplet.name)), ("ip", json!(droplet.ip)), ("mac", json!(droplet.mac)), ("vni", json!(""))];
    Handled::done(vec![provision(call.object, world.now, &placed)])
}

pub(crate) fn provisioned(world: &mut World<'_>, call: &Call<'_>) -> Handled {
    let droplet = call.object.spec("droplet");
    let resolved = world.memory.droplets.contains_key(&droplet);
    let divider = Divider { vpc: call.object.spec("vpc"), droplet, resolved };
    world.memory.dividers.insert(call.object.name().to_owned(), divider);
    Handled::nothing()
}

/// The object goes all the same; the data plane is not cleaned.
pub(crate) fn deleted(world: &mut World<'_>, call: &Call<'_>) -> Handled {
    world.memory.dividers.remove(call.object.name());
    Handled::fail(format!("KeyError: {}", json!(call.object.name())))
}
