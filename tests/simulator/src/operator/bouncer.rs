//! Bouncers: each serves one subnet on one droplet, chosen at random.

use serde_json::json;

use super::{
    endpoint,
    handling::{Call, Handled, World, provision},
    memory::Bouncer,
};
use crate::daemon::Unreachable;

pub(crate) fn init(world: &mut World<'_>, call: &Call<'_>) -> Handled {
    let name = call.object.name();
    let [net, vpc] = ["net", "vpc"].map(|field| call.object.spec(field));
    if !world.memory.subnets.contains_key(&net) {
        return Handled::retry(format!("Task: BouncerCreate Bouncer: {name} Net {net} not ready."));
    }
    let Some(droplet) = world.chance.pick(world.memory.droplets.values()).cloned() else {
        return Handled::retry(format!("Task: BouncerCreate Bouncer: {name} Droplet operator not ready."));
    };
    // Seen when a Bouncer is Init at the operator's start: the divider has not found its droplet again yet.
    if world.memory.dividers.values().any(|divider| divider.vpc == vpc && !divider.resolved) {
        return Handled::fail("AttributeError: 'NoneType' object has no attribute 'ip'");
    }
    if let Err(error) = world.daemons.place_bouncer(&droplet.ip, name) {
        return Handled::retry(error.to_string());
    }
    world.memory.bouncers.insert(name.to_owned(), Bouncer { net, droplet: droplet.name.clone() });
    let placed = [("droplet", json!(droplet.name)), ("ip", json!(droplet.ip)), ("mac", json!(droplet.mac))];
    Handled::done(vec![provision(call.object, world.now, &placed)])
}

/// Half of the deadlock after a restart: no bouncer is stored before every endpoint has its droplet, and no endpoint
/// gets its droplet before a bouncer is stored.
pub(crate) fn provisioned(world: &mut World<'_>, call: &Call<'_>) -> Handled {
    let net = call.object.spec("net");
    let unresolved = world
        .memory
        .endpoints
        .values()
        .any(|endpoint| endpoint.net == net && endpoint.kind.needs_droplet() && !endpoint.resolved);
    if unresolved {
        return Handled::retry("Droplet Object not ready");
    }
    let droplet = call.object.spec("droplet");
    if let Some(address) = world.memory.droplets.get(&droplet).map(|droplet| droplet.ip.clone())
        && let Err(error) = send_endpoints(world, call.object.name(), &net, &address)
    {
        return Handled::retry(format!("error: {error}"));
    }
    world.memory.bouncers.insert(call.object.name().to_owned(), Bouncer { net, droplet });
    Handled::nothing()
}

/// Tells a bouncer of all endpoints that it serves.
fn send_endpoints(world: &World<'_>, name: &str, net: &str, address: &str) -> Result<(), Unreachable> {
    for (endpoint, known) in world.memory.endpoints.iter().filter(|(_, endpoint)| endpoint.net == net) {
        endpoint::enter(world.daemons, address, name, endpoint, known)?;
    }
    Ok(())
}

/// The object goes all the same; the process keeps the bouncer in mind and the data plane is not cleaned.
pub(crate) fn deleted(_: &mut World<'_>, _: &Call<'_>) -> Handled {
    Handled::fail("TypeError: delete_endpoints_from_bouncers() missing 1 required positional argument: 'task'")
}
