//! The node daemons: whom the operator can reach, and what it has programmed on each node.
//!
//! A daemon answers only while the kubelet says that its pod is Ready. What was programmed goes with its container, and
//! otherwise only if somebody takes it away: nobody does so where a bouncer or divider was before it moved.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;
use thiserror::Error;

use crate::{address, host::Host};

/// The daemon on a node cannot be reached.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("failed to connect to all addresses: {address}:50051")]
pub(crate) struct Unreachable {
    address: String,
}

/// A daemon's answer to GetDropletInfo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DropletInfo {
    pub(crate) hostname: String,
    pub(crate) ip: String,
    pub(crate) itf: String,
    pub(crate) mac: String,
}

/// How far the wiring of a link has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Wiring {
    Initialized,
    Produced,
    Activated,
}

#[derive(Debug, Default, Serialize)]
struct Daemon {
    ready: bool,
    /// Whether the daemon has ever started here: from then on the node's pods are Mizar's.
    present: bool,
    address: Option<Ipv4Addr>,
    interfaces: BTreeMap<String, Wiring>,
    host_endpoints: BTreeMap<String, Wiring>,
    bouncers: BTreeSet<String>,
    dividers: BTreeSet<String>,
    /// Which address each wired endpoint holds here.
    addresses: BTreeMap<String, Address>,
    /// Whom each bouncer finds at an address.
    tables: BTreeMap<String, BTreeMap<Address, String>>,
    /// The node itself.
    host: Host,
}

/// An address with the network identifier within which it is unique, as in `1/10.20.0.2`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub(crate) struct Address(String);

impl Address {
    pub(crate) fn new(vni: &str, ip: &str) -> Self {
        Self(format!("{vni}/{ip}"))
    }
}

impl Daemon {
    fn forget_programs(&mut self) {
        self.interfaces.clear();
        self.host_endpoints.clear();
        self.bouncers.clear();
        self.dividers.clear();
        self.addresses.clear();
        self.tables.clear();
    }
}

/// All daemons of the cluster, by node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Daemons {
    nodes: Arc<Mutex<BTreeMap<String, Daemon>>>,
}

impl Daemons {
    fn nodes(&self) -> MutexGuard<'_, BTreeMap<String, Daemon>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells on which address a node's daemon listens.
    pub(crate) fn set_address(&self, node: &str, address: Option<Ipv4Addr>) {
        self.nodes().entry(node.to_owned()).or_default().address = address;
    }

    /// Tells what the kubelet sees of a node's daemon.
    pub(crate) fn set_running(&self, node: &str, present: bool, ready: bool) {
        let mut nodes = self.nodes();
        let daemon = nodes.entry(node.to_owned()).or_default();
        if present && !daemon.present {
            daemon.host.take_over();
        }
        daemon.present = present;
        daemon.ready = ready;
    }

    /// Forgets what was programmed on a node: its daemon started anew or is gone.
    pub(crate) fn wipe(&self, node: &str) {
        if let Some(daemon) = self.nodes().get_mut(node) {
            daemon.forget_programs();
        }
    }

    /// Gives a node back what was there before Mizar. Returns what the script that does so writes at its end.
    pub(crate) fn clean(&self, node: &str) -> String {
        self.nodes().entry(node.to_owned()).or_default().host.clean()
    }

    pub(crate) fn forget_node(&self, node: &str) {
        self.nodes().remove(node);
    }

    pub(crate) fn forget_all(&self) {
        self.nodes().clear();
    }

    /// Whether the daemon on a node has started, so that the node's pods wait for Mizar.
    pub(crate) fn is_present(&self, node: &str) -> bool {
        self.nodes().get(node).is_some_and(|daemon| daemon.present)
    }

    /// Whether the daemon on a node answers.
    pub(crate) fn is_ready(&self, node: &str) -> bool {
        self.nodes().get(node).is_some_and(|daemon| daemon.ready)
    }

    /// Returns what is known of every node, for people and tests.
    pub(crate) fn state(&self) -> serde_json::Value {
        serde_json::to_value(&*self.nodes()).unwrap_or_default()
    }

    /// Returns who holds each address: one endpoint, unless something is wrong.
    pub(crate) fn addresses(&self) -> serde_json::Value {
        let nodes = self.nodes();
        let mut holders: BTreeMap<&Address, BTreeSet<&str>> = BTreeMap::new();
        for (endpoint, address) in nodes.values().flat_map(|daemon| &daemon.addresses) {
            holders.entry(address).or_default().insert(endpoint);
        }
        serde_json::to_value(holders).unwrap_or_default()
    }

    fn call<T>(&self, address: &str, act: impl FnOnce(&str, &mut Daemon) -> T) -> Result<T, Unreachable> {
        let unreachable = || Unreachable { address: address.to_owned() };
        let wanted: Ipv4Addr = address.parse().map_err(|_| unreachable())?;
        let mut nodes = self.nodes();
        let (node, daemon) = nodes
            .iter_mut()
            .find(|(_, daemon)| daemon.ready && daemon.address == Some(wanted))
            .ok_or_else(unreachable)?;
        Ok(act(node, daemon))
    }

    pub(crate) fn droplet_info(&self, address: &str) -> Result<DropletInfo, Unreachable> {
        self.call(address, |node, daemon| {
            let ip = daemon.address.unwrap_or(Ipv4Addr::UNSPECIFIED);
            DropletInfo {
                hostname: node.to_owned(),
                ip: ip.to_string(),
                itf: "eth0".to_owned(),
                mac: address::node_mac(ip),
            }
        })
    }

    /// Makes the links of an endpoint and returns the MAC of the pod's side.
    pub(crate) fn initialize(&self, address: &str, endpoint: &str) -> Result<String, Unreachable> {
        self.call(address, |node, daemon| {
            daemon.interfaces.insert(endpoint.to_owned(), Wiring::Initialized);
            daemon.host.link(endpoint);
            address::link_mac(&format!("{node}/{endpoint}"))
        })
    }

    pub(crate) fn initialize_host(&self, address: &str, endpoint: &str) -> Result<String, Unreachable> {
        self.call(address, |node, daemon| {
            daemon.host_endpoints.entry(endpoint.to_owned()).or_insert(Wiring::Initialized);
            daemon.host.link(endpoint);
            address::link_mac(&format!("{node}/{endpoint}"))
        })
    }

    pub(crate) fn produce(&self, address: &str, endpoint: &str, at: Address) -> Result<(), Unreachable> {
        self.call(address, |_, daemon| {
            daemon.interfaces.insert(endpoint.to_owned(), Wiring::Produced);
            daemon.addresses.insert(endpoint.to_owned(), at);
        })
    }

    pub(crate) fn activate_host(&self, address: &str, endpoint: &str, at: Address) -> Result<(), Unreachable> {
        self.call(address, |_, daemon| {
            daemon.host_endpoints.insert(endpoint.to_owned(), Wiring::Activated);
            daemon.addresses.insert(endpoint.to_owned(), at);
        })
    }

    pub(crate) fn delete(&self, address: &str, endpoint: &str) -> Result<(), Unreachable> {
        self.call(address, |_, daemon| {
            daemon.interfaces.remove(endpoint);
            daemon.addresses.remove(endpoint);
        })
    }

    /// Drops what is kept of a pod that was wired before.
    pub(crate) fn remove_cached(&self, address: &str) -> Result<(), Unreachable> {
        self.call(address, |_, _| ())
    }

    pub(crate) fn place_bouncer(&self, address: &str, bouncer: &str) -> Result<(), Unreachable> {
        self.call(address, |_, daemon| {
            daemon.bouncers.insert(bouncer.to_owned());
            daemon.tables.entry(bouncer.to_owned()).or_default();
        })
    }

    /// Tells a bouncer who is at an address. One that is not placed on that node does not take it in.
    pub(crate) fn enter(&self, address: &str, bouncer: &str, at: Address, endpoint: &str) -> Result<(), Unreachable> {
        self.call(address, |_, daemon| {
            if let Some(table) = daemon.tables.get_mut(bouncer) {
                table.insert(at, endpoint.to_owned());
            }
        })
    }

    /// Tells a bouncer who is at an address, unless it knows somebody there.
    pub(crate) fn enter_if_free(
        &self,
        address: &str,
        bouncer: &str,
        at: Address,
        endpoint: &str,
    ) -> Result<(), Unreachable> {
        self.call(address, |_, daemon| {
            if let Some(table) = daemon.tables.get_mut(bouncer) {
                table.entry(at).or_insert_with(|| endpoint.to_owned());
            }
        })
    }

    /// Tells a bouncer that nobody is at an address, whoever was there.
    pub(crate) fn strike(&self, address: &str, bouncer: &str, at: &Address) -> Result<(), Unreachable> {
        self.call(address, |_, daemon| {
            if let Some(table) = daemon.tables.get_mut(bouncer) {
                table.remove(at);
            }
        })
    }

    pub(crate) fn place_divider(&self, address: &str, divider: &str) -> Result<(), Unreachable> {
        self.call(address, |_, daemon| {
            daemon.dividers.insert(divider.to_owned());
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_ready_daemon() -> Daemons {
        let daemons = Daemons::default();
        daemons.set_address("n1", Some(Ipv4Addr::new(127, 1, 0, 1)));
        daemons.set_running("n1", true, true);
        daemons
    }

    #[test]
    fn a_daemon_names_its_node_and_card() {
        let info = one_ready_daemon().droplet_info("127.1.0.1").unwrap();
        assert_eq!((info.hostname.as_str(), info.itf.as_str(), info.mac.as_str()), ("n1", "eth0", "02:42:7f:01:00:01"));
    }

    #[test]
    fn a_daemon_that_is_not_ready_cannot_be_reached() {
        let daemons = one_ready_daemon();
        daemons.set_running("n1", true, false);
        assert!(daemons.droplet_info("127.1.0.1").is_err());
        assert!(daemons.is_present("n1"));
    }

    #[test]
    fn a_new_start_of_the_daemon_loses_what_was_programmed() {
        let daemons = one_ready_daemon();
        daemons.initialize("127.1.0.1", "web").unwrap();
        daemons.place_bouncer("127.1.0.1", "net0-b-1").unwrap();
        daemons.produce("127.1.0.1", "web", Address::new("1", "10.20.0.2")).unwrap();
        assert_eq!(daemons.addresses(), serde_json::json!({"1/10.20.0.2": ["web"]}));
        daemons.wipe("n1");
        let state = daemons.state();
        assert_eq!(state["n1"]["interfaces"], serde_json::json!({}));
        assert_eq!(state["n1"]["bouncers"], serde_json::json!([]));
        assert_eq!(daemons.addresses(), serde_json::json!({}));
    }

    #[test]
    fn a_bouncer_knows_only_whom_it_was_told_of_where_it_is() {
        let daemons = one_ready_daemon();
        let at = || Address::new("1", "10.20.0.2");
        daemons.enter("127.1.0.1", "net0-b-1", at(), "web").unwrap();
        assert_eq!(daemons.state()["n1"]["tables"], serde_json::json!({}), "it is not here");
        daemons.place_bouncer("127.1.0.1", "net0-b-1").unwrap();
        daemons.enter("127.1.0.1", "net0-b-1", at(), "web").unwrap();
        assert_eq!(daemons.state()["n1"]["tables"]["net0-b-1"], serde_json::json!({"1/10.20.0.2": "web"}));
        daemons.strike("127.1.0.1", "net0-b-1", &at()).unwrap();
        assert_eq!(daemons.state()["n1"]["tables"]["net0-b-1"], serde_json::json!({}));
    }
}
