//! Mizar's own objects as its operator leaves them when all is done.

use serde_json::{Value, json};

use super::bodies::{hardware_address, namespace, node_of, pod_address, service_address, system_pod_address};
use super::components::{CORE_DNS, service_name};
use super::pods::pod_name;
use super::{FINALIZER, Write, handled};
use crate::nodes::{node_address, node_name};

const MADE: &str = "2026-01-01T00:00:05.000000";

/// One of Mizar's objects, with the marks of the operator's framework.
fn object(kind: &str, name: &str, mut spec: Value) -> Write {
    spec["status"] = json!("Provisioned");
    spec["createtime"] = json!(MADE);
    spec["provisiondelay"] = json!("0.412");
    let body = json!({
        "apiVersion": "mizar.com/v1", "kind": kind,
        "metadata": {
            "name": name, "namespace": "default", "finalizers": [FINALIZER],
            "annotations": handled(&json!({ "spec": spec })),
        },
        "spec": spec,
    });
    let plural = kind.to_lowercase();
    Write::create(format!("/apis/mizar.com/v1/namespaces/default/{plural}s?fieldManager=kopf"), body)
}

/// The network that every installation has.
pub(super) fn parts() -> [Write; 4] {
    let mac = hardware_address(1);
    let vpc = json!({"ip": "10.20.0.0", "prefix": "16", "vni": "1", "dividers": 1});
    let subnet = json!({"ip": "10.20.0.0", "prefix": "16", "vni": "1", "vpc": "vpc0", "bouncers": 1});
    let divider = json!({"vpc": "vpc0", "vni": "", "ip": node_address(1), "mac": mac, "droplet": node_name(1)});
    let bouncer = json!({
        "vpc": "vpc0", "net": "net0", "vni": "1", "nip": "10.20.0.0", "prefix": "16", "ip": node_address(1), "mac": mac,
        "droplet": node_name(1),
    });
    [
        object("Vpc", "vpc0", vpc),
        object("Subnet", "net0", subnet),
        object("Divider", "vpc0-d-5f0e6c1a-8a4e-4c19-9a53-0d6c8f5d3b11", divider),
        object("Bouncer", "net0-b-9b2f7f0c-1f7c-4f5e-8c55-3c1f0b7a2d44", bouncer),
    ]
}

pub(super) fn droplet(number: usize) -> Write {
    let address = node_address(number);
    let spec = json!({"main_ip": address, "ip": address, "mac": hardware_address(number), "itf": "eth0"});
    object("Droplet", &node_name(number), spec)
}

/// What the Endpoints of all types have.
fn endpoint(name: &str, kind: &str, ip: &str, values: Value) -> Write {
    let mut spec = json!({
        "type": kind, "ip": ip, "vpc": "vpc0", "net": "net0", "vni": "1", "gw": "10.20.0.1", "prefix": "16",
        "cnidelay": "", "netns": "", "mac": "", "pod": "", "droplet": "", "hostip": "", "hostmac": "", "itf": "",
        "veth": "",
    });
    if let (Value::Object(spec), Value::Object(values)) = (&mut spec, values) {
        spec.extend(values);
    }
    object("Endpoint", name, spec)
}

fn placed(node: usize) -> Value {
    json!({
        "droplet": node_name(node), "hostip": node_address(node), "hostmac": hardware_address(node),
        "mac": hardware_address(node), "itf": "eth0",
    })
}

pub(super) fn host_endpoint(number: usize) -> Write {
    let mut values = placed(number);
    values["itf"] = json!("ehost-1");
    values["veth"] = json!("vehost-1");
    endpoint(&format!("{}-default--hostep-1", node_name(number)), "host", &node_address(number), values)
}

fn simple(namespace: &str, pod: &str, ip: &str, node: usize) -> Write {
    let mut values = placed(node);
    values["pod"] = json!(pod);
    values["veth"] = json!("veth-0d6c8f5d");
    values["netns"] = json!("/run/netns/cni-5f0e6c1a-8a4e-4c19-9a53-0d6c8f5d3b11");
    endpoint(&format!("{pod}-{namespace}--eth0"), "simple", ip, values)
}

pub(super) fn pod_endpoint(index: usize) -> Write {
    simple(&namespace(index), &pod_name(index), &pod_address(index), node_of(index))
}

pub(super) fn service_endpoints(count: usize) -> impl Iterator<Item = Write> {
    (0..count).map(|index| {
        let name = format!("{}-{}", service_name(index), namespace(index));
        endpoint(&name, "scaled", &service_address(index), json!({}))
    })
}

/// The Endpoints of what every cluster has: its two services, and the pods of the name service.
pub(super) fn system_endpoints() -> impl Iterator<Item = Write> {
    let services = [("kubernetes-default", "10.96.0.1"), ("kube-dns-kube-system", "10.96.0.10")];
    let services = services.into_iter().map(|(name, ip)| endpoint(name, "scaled", ip, json!({})));
    let core_dns = CORE_DNS.iter().enumerate();
    services.chain(core_dns.map(|(index, pod)| simple("kube-system", pod, &system_pod_address(index), 1)))
}
