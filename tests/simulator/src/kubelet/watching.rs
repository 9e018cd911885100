//! What the kubelet learns of nodes, pods and Endpoints by watching them.

use std::{collections::BTreeSet, net::Ipv4Addr};

use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    Kubelet, Node, Pod, Wired,
    pod::{self, Role},
};
use crate::{
    api::Watched,
    object::{Key, Kind, Object},
};

impl Kubelet {
    pub(super) fn observe(&mut self, event: Watched) {
        match event {
            Watched::ListBegan(kind) => {
                self.listed.insert(kind, BTreeSet::new());
            }
            Watched::Listed(object) => {
                self.listed.entry(object.kind()).or_default().insert(object.key());
                self.seen(object);
            }
            Watched::ListEnded(kind) => {
                let listed = self.listed.remove(&kind).unwrap_or_default();
                for key in self.known(kind).into_iter().filter(|key| !listed.contains(key)) {
                    self.gone(&key);
                }
            }
            Watched::Changed(object) => self.seen(object),
            Watched::Gone(object) => self.gone(&object.key()),
            // Before Mizar's definitions are installed there are no Endpoints to watch.
            Watched::Failed { kind: Kind::Endpoint, code: Some(404), .. } => {
                for key in self.known(Kind::Endpoint) {
                    self.gone(&key);
                }
            }
            Watched::Failed { kind, message, .. } => {
                tracing::warn!("simulated kubelet cannot watch {}: {message}", kind.resource().plural);
            }
        }
    }

    fn known(&self, kind: Kind) -> Vec<Key> {
        let global = |name: &String| Key { kind, namespace: None, name: name.clone() };
        match kind {
            Kind::Node => self.nodes.keys().map(global).collect(),
            Kind::Endpoint => self.endpoints.keys().map(|name| Key::mizar(kind, name)).collect(),
            _ => self.pods.keys().cloned().collect(),
        }
    }

    fn seen(&mut self, object: Object) {
        match object.kind() {
            Kind::Node => self.node_seen(&object),
            Kind::Endpoint => {
                let provisioned = object.spec("status") == "Provisioned";
                let wired = Wired { address: object.spec("ip"), provisioned };
                let name = object.name().to_owned();
                if self.endpoints.insert(name.clone(), wired.clone()) != Some(wired) {
                    self.look_at_pods_of_endpoint(&name);
                }
            }
            _ => self.pod_seen(object),
        }
    }

    fn node_seen(&mut self, object: &Object) {
        let address = object.address("InternalIP").map(str::to_owned);
        self.daemons.set_address(object.name(), address.as_deref().and_then(|text| text.parse::<Ipv4Addr>().ok()));
        let free = (1..=u16::MAX).find(|index| self.nodes.values().all(|node| node.index != *index)).unwrap_or(0);
        let node = self.nodes.entry(object.name().to_owned()).or_insert(Node { address: None, index: free });
        let news = node.address != address;
        node.address = address;
        if news {
            self.look_at_pods_on(object.name());
        }
    }

    fn pod_seen(&mut self, object: Object) {
        let key = object.key();
        let role = Role::of(&object);
        let finished = matches!(object.text("/status/phase"), Some("Succeeded" | "Failed"));
        if role == Role::Foreign || (finished && !self.pods.contains_key(&key)) {
            return;
        }
        if finished && role == Role::Networked {
            self.gone(&key);
            return;
        }
        let same = self.pods.get_mut(&key).filter(|pod| pod.object.uid() == object.uid());
        if let Some(pod) = same {
            pod.object = object;
        } else {
            self.gone(&key);
            let life = pod::take_up(&object, Timestamp::now());
            let (run, exited, kill_at, killed, told) = (None, None, None, None, None);
            let pod =
                Pod { object, role, life, written: None, busy: false, due: None, run, exited, kill_at, killed, told };
            self.pods.insert(key.clone(), pod);
        }
        self.schedule(&key, Instant::now());
    }

    fn gone(&mut self, key: &Key) {
        match key.kind {
            Kind::Node => {
                self.nodes.remove(&key.name);
                self.daemons.forget_node(&key.name);
            }
            Kind::Endpoint => {
                self.endpoints.remove(&key.name);
            }
            _ => self.pod_gone(key),
        }
    }

    fn pod_gone(&mut self, key: &Key) {
        let Some(pod) = self.pods.remove(key) else {
            return;
        };
        if let Some(due) = pod.due {
            self.schedule.remove(&(due, key.clone()));
        }
        self.events.forget_pod(pod.object.uid());
        let node = pod.object.text("/spec/nodeName").unwrap_or_default().to_owned();
        match pod.role {
            Role::Operator => self.operator.kill(pod.object.uid()),
            Role::Daemon => {
                self.daemons.set_running(&node, false, false);
                self.daemons.wipe(&node);
                self.look_at_pods_on(&node);
            }
            Role::CleanUp | Role::Networked | Role::Foreign => {}
        }
    }
}
