//! Services: each with an address of its own gets a scaled Endpoint.

use std::net::Ipv4Addr;

use super::{
    endpoint::NewEndpoint,
    handling::{Action, Call, Handled, World},
    memory::{DEFAULT_SUBNET, DEFAULT_VNI, DEFAULT_VPC, Endpoint, EndpointType},
};
use crate::object::{Kind, Object};

/// The annotation by which the operator knows the core Endpoints that it follows.
pub(crate) const SCALED_ENDPOINT: &str = "mizar.com/scaled-endpoint";

fn endpoint_name(service: &Object) -> String {
    format!("{}-{}", service.name(), service.namespace())
}

pub(crate) fn seen(world: &mut World<'_>, call: &Call<'_>) -> Handled {
    let service = call.object;
    let Some(address) = service.text("/spec/clusterIP") else {
        return Handled::fail("KeyError: 'clusterIP'");
    };
    if address.parse::<Ipv4Addr>().is_err() {
        return Handled::fail(format!("ValueError: '{address}' does not appear to be an IPv4 or IPv6 address"));
    }
    let name = endpoint_name(service);
    let annotate =
        Action::AnnotateCoreEndpoints { namespace: service.namespace().to_owned(), name: service.name().to_owned() };
    if world.memory.endpoints.contains_key(&name) {
        return Handled::done(vec![annotate]);
    }
    let vpc = service.annotation("mizar.com/vpc").unwrap_or(DEFAULT_VPC);
    let net = service.annotation("mizar.com/subnet").unwrap_or(DEFAULT_SUBNET);
    let vni = world.memory.vpcs.get(vpc).map_or(DEFAULT_VNI.to_owned(), |vpc| vpc.vni.clone());
    let mac = world.chance.scaled_mac();
    let spec = NewEndpoint { kind: "scaled", ip: address, mac: &mac, net, vni: &vni, vpc, ..NewEndpoint::default() }
        .spec(world);
    let endpoint = Endpoint {
        kind: EndpointType::Scaled,
        net: net.to_owned(),
        vni,
        ip: address.to_owned(),
        resolved: true,
        pod: None,
        droplet_ip: String::new(),
    };
    world.memory.endpoints.insert(name.clone(), endpoint);
    Handled::done(vec![Action::Create { kind: Kind::Endpoint, name, spec }, annotate])
}

pub(crate) fn deleted(world: &mut World<'_>, call: &Call<'_>) -> Handled {
    let name = endpoint_name(call.object);
    if world.memory.endpoints.contains_key(&name) {
        Handled::done(vec![Action::Delete { kind: Kind::Endpoint, name }])
    } else {
        Handled::nothing()
    }
}

/// The backends of a service changed. They live in the data plane, which is not simulated.
pub(crate) fn backends_seen(_: &mut World<'_>, _: &Call<'_>) -> Handled {
    Handled::nothing()
}
