//! What nodes look like, and how everything on them is called and addressed.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::{FINALIZER, Write, handled};
use crate::nodes::{node_address, node_name};

/// The base of Mizar's own subnet.
const POD_NETWORK: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 0);
/// The base of the addresses of services; its first ones belong to the server and the name service.
const SERVICE_NETWORK: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 0);
const NAMESPACES: usize = 20;

/// The node of a pod, counted from 1.
pub(super) fn node_of(pod: usize) -> usize {
    pod / super::PODS_PER_NODE + 1
}

/// The address of a pod: those of the system come first.
pub(super) fn pod_address(index: usize) -> String {
    above(POD_NETWORK, index + 16)
}

/// The address of the name servers' pods.
pub(super) fn system_pod_address(index: usize) -> String {
    above(POD_NETWORK, index + 2)
}

/// The virtual address of a service.
pub(super) fn service_address(index: usize) -> String {
    above(SERVICE_NETWORK, index + 256)
}

fn above(base: Ipv4Addr, offset: usize) -> String {
    let offset = u32::try_from(offset).expect("clusters of this size fit into IPv4");
    Ipv4Addr::from_bits(base.to_bits() + offset).to_string()
}

/// A hardware address as Mizar's daemons report it.
pub(super) fn hardware_address(number: usize) -> String {
    let [.., a, b, c] = number.to_be_bytes();
    format!("0e:73:ae:{a:02x}:{b:02x}:{c:02x}")
}

/// The namespace of a pod or a service.
pub(super) fn namespace(index: usize) -> String {
    format!("team-{}", index % NAMESPACES + 1)
}

/// All namespaces of pods.
pub(super) fn namespaces() -> impl Iterator<Item = String> {
    (0..NAMESPACES).map(namespace)
}

/// A UID that is told from others by its kind and number.
pub(super) fn uid(kind: u16, number: usize) -> String {
    format!("00000000-{kind:04x}-4000-8000-{number:012x}")
}

/// A ready Ubuntu node as its kubelet registered it, and as the operator marked it.
pub(super) fn node(number: usize) -> Write {
    let name = node_name(number);
    let labels = json!({
        "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": "amd64",
        "node.kubernetes.io/instance-type": "m5.2xlarge", "topology.kubernetes.io/region": "eu-1",
        "topology.kubernetes.io/zone": format!("eu-1{}", ["a", "b", "c"][number % 3]),
    });
    let mut annotations = handled(&json!({"metadata": {"labels": labels}, "spec": {"podCIDR": "10.244.0.0/24"}}));
    annotations["node.alpha.kubernetes.io/ttl"] = json!("0");
    annotations["volumes.kubernetes.io/controller-managed-attach-detach"] = json!("true");
    let body = json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": annotations, "finalizers": [FINALIZER]},
        "spec": {"providerID": format!("aws:///eu-1a/i-{number:017x}")},
        "status": node_status(&name, &node_address(number)),
    });
    Write::create("/api/v1/nodes?fieldManager=kubelet", body)
}

fn node_status(name: &str, address: &str) -> Value {
    let condition = |kind: &str, status: &str, reason: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": "kubelet has reported this",
            "lastHeartbeatTime": "2026-01-01T00:00:00Z", "lastTransitionTime": "2026-01-01T00:00:00Z",
        })
    };
    let image = |number: usize| {
        let name = format!("registry.example.com/team/application-{number}");
        json!({
            "names": [format!("{name}@sha256:{number:064x}"), format!("{name}:v1.{number}.0")],
            "sizeBytes": 40_000_000 + number * 1_000_003,
        })
    };
    json!({
        "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
        "capacity": {"cpu": "8", "memory": "32461568Ki", "pods": "110", "ephemeral-storage": "101430960Ki"},
        "allocatable": {"cpu": "7910m", "memory": "31443712Ki", "pods": "110", "ephemeral-storage": "92404972Ki"},
        "conditions": [
            condition("MemoryPressure", "False", "KubeletHasSufficientMemory"),
            condition("DiskPressure", "False", "KubeletHasNoDiskPressure"),
            condition("PIDPressure", "False", "KubeletHasSufficientPID"),
            condition("Ready", "True", "KubeletReady"),
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "images": (1..=25).map(image).collect::<Vec<_>>(),
        "nodeInfo": {
            "architecture": "amd64", "operatingSystem": "linux", "kernelVersion": "5.15.0-118-generic",
            "osImage": "Ubuntu 22.04.4 LTS", "containerRuntimeVersion": "containerd://1.7.20",
            "kubeletVersion": "v1.36.2", "kubeProxyVersion": "v1.36.2", "bootID": "5d5e9d6a-2f0d-4d5e-8f7e-9a8b7c6d5e4f",
            "machineID": "ec2a7c1f9a0f4b1e8c6d5e4f3a2b1c0d", "systemUUID": "ec2a7c1f-9a0f-4b1e-8c6d-5e4f3a2b1c0d",
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn fifty_thousand_pods_have_addresses_of_their_own_inside_the_subnet() {
        let addresses: BTreeSet<String> = (0..50_000).map(pod_address).chain((0..2).map(system_pod_address)).collect();
        assert_eq!(addresses.len(), 50_002);
        assert!(addresses.iter().all(|address| address.starts_with("10.20.")));
        assert!(service_address(49_999).starts_with("10.96.") || service_address(49_999).starts_with("10.97."));
    }

    #[test]
    fn ten_pods_share_a_node() {
        assert_eq!((node_of(0), node_of(9), node_of(10)), (1, 1, 2));
    }
}
