//! Pods: each that is seen Pending on a known droplet gets an interface and a simple Endpoint.

use super::{
    endpoint::NewEndpoint,
    handling::{Action, Call, Handled, World},
    memory::{DEFAULT_SUBNET, DEFAULT_VPC, Endpoint, EndpointType},
};
use crate::{
    address::{AddressPool, link_digits},
    fault::Fault,
    object::Kind,
};

const INTERFACE: &str = "eth0";

/// Returns the name of a pod's Endpoint. The blank between the hyphens is Arktos' tenant.
pub(crate) fn endpoint_name(namespace: &str, pod: &str) -> String {
    format!("{pod}-{namespace}--{INTERFACE}")
}

pub(crate) fn seen(world: &mut World<'_>, call: &Call<'_>) -> Handled {
    let pod = call.object;
    let Some(host) = pod.text("/status/hostIP").filter(|host| !host.is_empty()) else {
        return Handled::retry("Pod spec not ready.");
    };
    let Some(droplet) = world.memory.droplet_by_main_ip(host).cloned() else {
        return Handled::retry("Droplet not yet created.");
    };
    if pod.text("/status/phase") != Some("Pending") {
        // The answer does not matter: the daemon only drops what it had cached.
        return world.daemons.remove_cached(&droplet.ip).map_or_else(|_| Handled::nothing(), |()| Handled::nothing());
    }
    let vpc = pod.annotation("mizar.com/vpc").unwrap_or(DEFAULT_VPC);
    let net = pod.annotation("mizar.com/subnet").unwrap_or(DEFAULT_SUBNET);
    let Some(vni) = world.memory.vpcs.get(vpc).map(|vpc| vpc.vni.clone()) else {
        return Handled::retry(format!("VPC {vpc} not ready."));
    };
    let pool = world.memory.subnets.get_mut(net).and_then(|subnet| subnet.pool.as_mut());
    let Some(mut ip) = pool.and_then(AddressPool::allocate).map(|ip| ip.to_string()) else {
        return Handled::retry(format!("Net {net} has no free address."));
    };
    // From here on every failed try has burnt an address, as in Mizar.
    let name = endpoint_name(pod.namespace(), pod.name());
    if world.memory.endpoints.get(&name).is_some_and(|known| known.pod.is_some()) {
        return Handled::fail(format!("Endpoint {} already exists!", pod.name()));
    }
    let mac = match world.daemons.initialize(&droplet.ip, &name) {
        Ok(mac) => mac,
        Err(error) => return Handled::retry(format!("Daemon not ready {error}")),
    };
    if let Some(used) = address_to_give_out_twice(world, net, &droplet.name) {
        ip = used;
    }
    let digits = link_digits(pod.name(), pod.namespace(), INTERFACE);
    let spec = NewEndpoint {
        kind: "simple",
        droplet: Some(&droplet),
        ip: &ip,
        itf: &format!("eth-{digits}"),
        mac: &mac,
        net,
        pod: pod.name(),
        veth: &format!("veth-{digits}"),
        vni: &vni,
        vpc,
        ..NewEndpoint::default()
    }
    .spec(world);
    let endpoint = Endpoint {
        kind: EndpointType::Simple,
        net: net.to_owned(),
        vni,
        ip,
        resolved: true,
        pod: Some((pod.namespace().to_owned(), pod.name().to_owned())),
        droplet_ip: droplet.ip,
    };
    world.memory.endpoints.insert(name.clone(), endpoint);
    Handled::done(vec![Action::Create { kind: Kind::Endpoint, name, spec }])
}

/// Returns the address of another pod, if a fault wants it given out again and there is one.
fn address_to_give_out_twice(world: &World<'_>, net: &str, node: &str) -> Option<String> {
    if !world.faults.is_due(Fault::DuplicateAddress, node) {
        return None;
    }
    let mut of_pods = world.memory.endpoints.values().filter(|known| known.net == net);
    let used = of_pods.find(|known| known.kind == EndpointType::Simple)?.ip.clone();
    world.faults.spend(Fault::DuplicateAddress, node);
    Some(used)
}

/// The Endpoint of a pod that an earlier run of the operator wired stays behind.
pub(crate) fn deleted(world: &mut World<'_>, call: &Call<'_>) -> Handled {
    let name = endpoint_name(call.object.namespace(), call.object.name());
    let Some(endpoint) = world.memory.endpoints.get(&name) else {
        return Handled::nothing();
    };
    if endpoint.pod.is_none() {
        return Handled::fail("AttributeError: 'NoneType' object has no attribute 'interface_id'");
    }
    let removed = world.daemons.delete(&endpoint.droplet_ip, &name);
    let actions = vec![Action::Delete { kind: Kind::Endpoint, name }];
    match removed {
        Ok(()) => Handled::done(actions),
        Err(error) => Handled::retry(format!("Daemon not ready {error}")),
    }
}
