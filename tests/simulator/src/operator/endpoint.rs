//! Endpoints: the addresses of pods (simple), services (scaled) and nodes (host) in a subnet.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::{
    handling::{Action, Call, Handled, World, create_time, provision},
    memory::{Droplet, Endpoint, EndpointType, Memory, Subnet},
};
use crate::{
    daemon::{Address, Daemons, Unreachable},
    object::{Kind, fields},
};

/// The texts that differ between the endpoints at their creation; all else is blank.
#[derive(Default)]
pub(crate) struct NewEndpoint<'a> {
    pub(crate) kind: &'a str,
    pub(crate) droplet: Option<&'a Droplet>,
    pub(crate) gw: &'a str,
    pub(crate) ip: &'a str,
    pub(crate) itf: &'a str,
    pub(crate) mac: &'a str,
    pub(crate) net: &'a str,
    pub(crate) pod: &'a str,
    pub(crate) prefix: &'a str,
    pub(crate) veth: &'a str,
    pub(crate) vni: &'a str,
    pub(crate) vpc: &'a str,
}

impl NewEndpoint<'_> {
    pub(crate) fn spec(&self, world: &World<'_>) -> Value {
        let droplet = |field: fn(&Droplet) -> &String| json!(self.droplet.map(field).cloned().unwrap_or_default());
        fields([
            ("cnidelay", json!("")),
            ("createtime", create_time(world.now)),
            ("droplet", droplet(|droplet| &droplet.name)),
            ("gw", json!(self.gw)),
            ("hostip", droplet(|droplet| &droplet.ip)),
            ("hostmac", droplet(|droplet| &droplet.mac)),
            ("ip", json!(self.ip)),
            ("itf", json!(self.itf)),
            ("mac", json!(self.mac)),
            ("net", json!(self.net)),
            ("netns", json!("")),
            ("pod", json!(self.pod)),
            ("prefix", json!(self.prefix)),
            ("provisiondelay", json!("")),
            ("status", json!("Init")),
            ("type", json!(self.kind)),
            ("veth", json!(self.veth)),
            ("vni", json!(self.vni)),
            ("vpc", json!(self.vpc)),
        ])
    }
}

/// Connects a droplet with a VPC. Returns the host endpoint to create; `None` if it is known already.
pub(crate) fn connect_host(
    world: &mut World<'_>,
    droplet: &str,
    vpc: &str,
    net: &str,
) -> Result<Option<Action>, String> {
    let (Some(droplet), Some(vni), Some(subnet)) = (
        world.memory.droplets.get(droplet).cloned(),
        world.memory.vpcs.get(vpc).map(|vpc| vpc.vni.clone()),
        world.memory.subnets.get(net).map(Subnet::gateway),
    ) else {
        return Err(format!("Host ep creation failed: droplet {droplet}, VPC {vpc} or subnet {net} not ready"));
    };
    let name = format!("{}-default--hostep-{vni}", droplet.name);
    let mac = world.daemons.initialize_host(&droplet.ip, &name).map_err(|error| error.to_string())?;
    world.memory.wired.insert((vpc.to_owned(), droplet.name.clone()));
    if world.memory.endpoints.contains_key(&name) {
        return Ok(None);
    }
    let (itf, veth) = (format!("ehost-{vni}"), format!("vehost-{vni}"));
    let spec = NewEndpoint {
        kind: "host",
        droplet: Some(&droplet),
        gw: &subnet,
        ip: &droplet.ip,
        itf: &itf,
        mac: &mac,
        net,
        prefix: "32",
        veth: &veth,
        vni: &vni,
        vpc,
        ..NewEndpoint::default()
    }
    .spec(world);
    let endpoint = Endpoint {
        kind: EndpointType::Host,
        net: net.to_owned(),
        vni,
        ip: droplet.ip.clone(),
        resolved: true,
        pod: None,
        droplet_ip: droplet.ip,
    };
    world.memory.endpoints.insert(name.clone(), endpoint);
    Ok(Some(Action::Create { kind: Kind::Endpoint, name, spec }))
}

pub(crate) fn init(world: &mut World<'_>, call: &Call<'_>) -> Handled {
    let object = call.object;
    let (name, net) = (object.name(), object.spec("net"));
    if world.memory.bouncers_of(&net).next().is_none() {
        return Handled::retry("Bouncers not yet ready!");
    }
    let Some(subnet) = world.memory.subnets.get(&net).cloned() else {
        return Handled::retry(format!("Net {net} not ready."));
    };
    let kind = EndpointType::parse(&object.spec("type"));
    let droplet = world.memory.droplets.get(&object.spec("droplet")).cloned();
    if kind.needs_droplet() && droplet.is_none() {
        return Handled::retry("Droplet Object not ready");
    }
    let mut values = vec![];
    let mut ip = object.spec("ip");
    if ip.is_empty() {
        let pool = world.memory.subnets.get_mut(&net).and_then(|subnet| subnet.pool.as_mut());
        let Some(free) = pool.and_then(crate::address::AddressPool::allocate) else {
            return Handled::retry(format!("Net {net} has no free address."));
        };
        ip = free.to_string();
        values.push(("ip", json!(ip)));
    }
    let vni = if object.spec("vni").is_empty() { subnet.vni.clone() } else { object.spec("vni") };
    let at = Address::new(&vni, &ip);
    let wired = droplet.as_ref().map_or(Ok(()), |droplet| match kind {
        EndpointType::Simple => world.daemons.produce(&droplet.ip, name, at),
        EndpointType::Host => world.daemons.activate_host(&droplet.ip, name, at),
        EndpointType::Scaled | EndpointType::Other => Ok(()),
    });
    if let Err(error) = wired {
        return Handled::retry(format!("Daemon not ready {error}"));
    }
    if kind != EndpointType::Host {
        values.extend([("gw", json!(subnet.gateway())), ("prefix", json!(subnet.prefix))]);
    }
    if object.spec("vni").is_empty() {
        values.push(("vni", json!(subnet.vni)));
    }
    remember(world, call, droplet.is_some());
    Handled::done(vec![provision(object, world.now, &values)])
}

/// Stores the endpoint and marks its address as used; a pod that it was wired for is kept.
fn remember(world: &mut World<'_>, call: &Call<'_>, resolved: bool) {
    let name = call.object.name();
    let pod = world.memory.endpoints.get(name).and_then(|known| known.pod.clone());
    world.memory.store_endpoint(call.object);
    let Some(endpoint) = world.memory.endpoints.get_mut(name) else {
        return;
    };
    endpoint.resolved = resolved;
    endpoint.pod = pod;
    let pool = world.memory.subnets.get_mut(&endpoint.net).and_then(|subnet| subnet.pool.as_mut());
    if let (Some(pool), Ok(address)) = (pool, endpoint.ip.parse::<Ipv4Addr>()) {
        pool.mark(address);
    }
}

/// Sends the endpoint to its bouncers. The object is Provisioned already, whatever comes of this.
pub(crate) fn provisioned(world: &mut World<'_>, call: &Call<'_>) -> Handled {
    let (name, net) = (call.object.name(), call.object.spec("net"));
    if !world.memory.endpoints.contains_key(name) {
        world.memory.store_endpoint(call.object);
    }
    if world.memory.bouncers_of(&net).next().is_none() {
        return Handled::retry("Bouncers not yet ready!");
    }
    let own_droplet = call.object.spec("droplet");
    let kind = EndpointType::parse(&call.object.spec("type"));
    if kind.needs_droplet() && !world.memory.droplets.contains_key(&own_droplet) {
        return Handled::retry("Droplet Object not ready");
    }
    if let Some(endpoint) = world.memory.endpoints.get_mut(name) {
        endpoint.resolved = true;
    }
    if let Some(endpoint) = world.memory.endpoints.get(name) {
        let bouncers: Vec<_> = placed_bouncers(world.memory, &net).collect();
        for (bouncer, droplet_ip) in bouncers {
            if let Err(error) = enter(world.daemons, droplet_ip, bouncer, name, endpoint) {
                return Handled::retry(format!("error: {error}"));
            }
        }
    }
    Handled::nothing()
}

/// Returns the bouncers of a subnet with the addresses of their droplets. One on a droplet that is gone is not
/// programmed, and nobody is told.
fn placed_bouncers<'a>(memory: &'a Memory, net: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    memory.bouncers_of(net).filter_map(|(name, bouncer)| {
        let droplet = memory.droplets.get(&bouncer.droplet)?;
        Some((name.as_str(), droplet.ip.as_str()))
    })
}

/// Tells a bouncer of an endpoint. The place of a pod or node is not taken by a service or placeholder.
pub(crate) fn enter(
    daemons: &Daemons,
    droplet_ip: &str,
    bouncer: &str,
    name: &str,
    endpoint: &Endpoint,
) -> Result<(), Unreachable> {
    if endpoint.kind.needs_droplet() {
        daemons.enter(droplet_ip, bouncer, endpoint.address(), name)
    } else {
        daemons.enter_if_free(droplet_ip, bouncer, endpoint.address(), name)
    }
}

/// Bouncers forget the address, even if another endpoint is there too.
pub(crate) fn deleted(world: &mut World<'_>, call: &Call<'_>) -> Handled {
    let Some(endpoint) = world.memory.endpoints.remove(call.object.name()) else {
        return Handled::nothing();
    };
    for (bouncer, droplet_ip) in placed_bouncers(world.memory, &endpoint.net) {
        // A daemon that is down has nothing to strike out: it starts with nothing.
        world.daemons.strike(droplet_ip, bouncer, &endpoint.address()).ok();
    }
    let pool = world.memory.subnets.get_mut(&endpoint.net).and_then(|subnet| subnet.pool.as_mut());
    if let (Some(pool), Ok(address)) = (pool, endpoint.ip.parse::<Ipv4Addr>()) {
        pool.release(address);
    }
    Handled::nothing()
}
