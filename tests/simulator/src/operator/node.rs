//! Nodes: each whose daemon answers gets a Droplet.

use serde_json::json;

use super::handling::{Action, Call, Handled, World, create_time};
use crate::{
    fault::Fault,
    object::{Kind, fields},
};

/// What becomes of a node that was made without addresses: it is not looked at again before it changes.
const NO_ADDRESS: &str = "KeyError: 'addresses'";

pub(crate) fn seen(world: &mut World<'_>, call: &Call<'_>) -> Handled {
    let Some(address) = call.object.address("InternalIP") else {
        return Handled::fail(NO_ADDRESS);
    };
    if world.faults.hit(Fault::DropletMissing, call.object.name()) {
        return Handled::fail(NO_ADDRESS);
    }
    let Ok(info) = world.daemons.droplet_info(address) else {
        return Handled::retry("Daemon not ready.");
    };
    if world.memory.droplets.contains_key(&info.hostname) {
        return Handled::nothing();
    }
    let spec = fields([
        ("createtime", create_time(world.now)),
        ("ip", json!(info.ip)),
        ("itf", json!(info.itf)),
        ("mac", json!(info.mac)),
        ("main_ip", json!(address)),
        ("status", json!("Init")),
    ]);
    Handled::done(vec![Action::Create { kind: Kind::Droplet, name: info.hostname, spec }])
}

/// The node's host endpoint stays: nobody deletes it.
pub(crate) fn deleted(world: &mut World<'_>, call: &Call<'_>) -> Handled {
    let name = call.object.name().to_owned();
    if !world.memory.droplets.contains_key(&name) {
        return Handled::fail(format!("AttributeError: no droplet {name}"));
    }
    Handled::done(vec![Action::Delete { kind: Kind::Droplet, name }])
}
