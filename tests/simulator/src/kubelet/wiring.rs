//! What the kubelet's pods have to do with the rest of Mizar: the addresses they get, and who learns of their containers.

use std::collections::BTreeSet;

use super::{Kubelet, Pod, lifecycle::Lifecycle, pod::Role};
use crate::operator::endpoint_name;

impl Kubelet {
    /// Returns the address of a pod on the pod network, once the node's network has one for it.
    pub(super) fn network_address(&mut self, pod: &Pod, node: &str) -> Option<String> {
        if pod.role != Role::Networked || pod.life.address.is_some() {
            return None;
        }
        if !self.daemons.is_present(node) {
            return self.foreign_address(node);
        }
        let name = endpoint_name(pod.object.namespace(), pod.object.name());
        let wired = self.endpoints.get(&name).filter(|wired| wired.provisioned && !wired.address.is_empty());
        wired.filter(|_| self.daemons.is_ready(node)).map(|wired| wired.address.clone())
    }

    /// Returns a new address of the kind that another network would give.
    fn foreign_address(&mut self, node: &str) -> Option<String> {
        let index = self.nodes.get(node)?.index;
        let [high, low] = index.to_be_bytes();
        let in_use: BTreeSet<&str> = self.pods.values().filter_map(|pod| pod.life.address.as_deref()).collect();
        let last = self.foreign_addresses.get(node).copied().unwrap_or(1);
        let candidates = (1..=253).map(|step| (last - 1 + step) % 253 + 2);
        let (number, address) = candidates
            .map(|number| (number, format!("10.{}.{low}.{number}", 244 + u16::from(high) % 12)))
            .find(|(_, address)| !in_use.contains(address.as_str()))?;
        self.foreign_addresses.insert(node.to_owned(), number);
        Some(address)
    }

    /// Tells operator and daemons what has become of their containers.
    pub(super) fn tell_others(&mut self, pod: &mut Pod, before: &Lifecycle, node: &str) {
        let restarted = pod.life.is_running() && pod.life.started != before.started;
        match pod.role {
            Role::Operator if !pod.life.is_running() => {
                if pod.run.take().is_some() {
                    self.operator.kill(pod.object.uid());
                }
            }
            // An adopted container has no process yet either: it ended with the simulator before this one.
            Role::Operator if restarted || pod.run.is_none() => {
                let address = pod.life.address.as_deref().unwrap_or_default();
                pod.run = Some(self.operator.start(&pod.object, address));
            }
            Role::Daemon => {
                let was_present = self.daemons.is_present(node);
                if restarted || (before.is_running() && !pod.life.is_running()) {
                    self.daemons.wipe(node);
                }
                self.daemons.set_running(node, pod.life.has_started(), pod.life.is_ready());
                if pod.life.is_ready() != before.is_ready() || was_present != pod.life.has_started() {
                    self.look_at_pods_on(node);
                }
            }
            Role::Operator | Role::CleanUp | Role::Networked | Role::Foreign => {}
        }
    }
}
