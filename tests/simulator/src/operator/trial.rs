//! Objects and a world for the unit tests of the operator.

use std::net::Ipv4Addr;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    handling::{Action, Call, Handled, Handler, Purpose, World},
    memory::Memory,
};
use crate::{
    address::Chance,
    daemon::Daemons,
    fault::Faults,
    object::{Kind, Object},
};

pub(crate) fn an_object(kind: Kind, name: &str, spec: &Value) -> Object {
    Object::new(kind, json!({"metadata": {"name": name, "namespace": "default"}, "spec": spec}))
}

pub(crate) fn a_node(name: &str, address: &str) -> Object {
    let addresses = json!([{"type": "InternalIP", "address": address}]);
    Object::new(Kind::Node, json!({"metadata": {"name": name}, "spec": {}, "status": {"addresses": addresses}}))
}

pub(crate) fn a_pending_pod(name: &str, host: &str) -> Object {
    let metadata = json!({"name": name, "namespace": "default"});
    Object::new(Kind::Pod, json!({"metadata": metadata, "spec": {}, "status": {"phase": "Pending", "hostIP": host}}))
}

/// An operator process without its shell: handlers are called by hand, and what they write is kept.
pub(crate) struct Trial {
    pub(crate) memory: Memory,
    pub(crate) daemons: Daemons,
    pub(crate) faults: Faults,
    /// The time at which handlers are called, in seconds.
    pub(crate) now: i64,
    chance: Chance,
}

impl Trial {
    /// A process that remembers nothing, with a ready daemon on each of so many nodes.
    pub(crate) fn with_nodes(count: u8) -> Self {
        let (memory, daemons, faults) = (Memory::default(), Daemons::default(), Faults::default());
        let trial = Self { memory, daemons, faults, now: 1_000, chance: Chance::seeded(7) };
        for index in 1..=count {
            let node = format!("n{index}");
            trial.daemons.set_address(&node, Some(Ipv4Addr::new(127, 1, 0, index)));
            trial.daemons.set_running(&node, true, true);
        }
        trial
    }

    /// Calls the handler that would look at the object.
    pub(crate) fn look(&mut self, object: &Object, purpose: Purpose) -> Handled {
        self.look_after(object, purpose, None)
    }

    /// Calls the handler that would look at the object, which was handled before as `previous`.
    pub(crate) fn look_after(&mut self, object: &Object, purpose: Purpose, previous: Option<&Value>) -> Handled {
        let handler = Handler::of(object, purpose).expect("a handler looks at it");
        let now = Timestamp::from_second(self.now).expect("in range");
        let (daemons, faults) = (&self.daemons, &self.faults);
        let mut world = World { memory: &mut self.memory, daemons, faults, chance: &mut self.chance, now };
        handler.answer(&mut world, &Call { object, previous })
    }

    /// Calls handlers until the objects that they create or change need no more, as a cluster without races would.
    pub(crate) fn settle(&mut self, start: Vec<Object>) -> Vec<Object> {
        let mut objects: Vec<Object> = Vec::new();
        let mut queue = std::collections::VecDeque::from(start);
        for _ in 0..1_000 {
            let Some(object) = queue.pop_front() else {
                break;
            };
            if Handler::of(&object, Purpose::Create).is_none() {
                continue;
            }
            let handled = self.look(&object, Purpose::Create);
            if matches!(handled.outcome, super::handling::Outcome::Retry(_)) {
                queue.push_back(object.clone());
            }
            keep(&mut objects, object);
            for action in handled.actions {
                match action {
                    Action::Create { kind, name, spec } => queue.push_back(an_object(kind, &name, &spec)),
                    Action::Patch { kind, name, spec } => {
                        let found = objects.iter().find(|known| known.kind() == kind && known.name() == name);
                        let mut value = found.expect("patched objects exist").value().clone();
                        for (field, text) in spec {
                            value["spec"][field] = text;
                        }
                        let patched = Object::new(kind, value);
                        keep(&mut objects, patched.clone());
                        queue.push_back(patched);
                    }
                    Action::Delete { kind, name } => {
                        objects.retain(|known| known.kind() != kind || known.name() != name);
                    }
                    Action::AnnotateCoreEndpoints { .. } => {}
                }
            }
        }
        assert!(queue.is_empty(), "some objects never settle: {queue:?}");
        objects
    }
}

fn keep(objects: &mut Vec<Object>, object: Object) {
    objects.retain(|known| known.key() != object.key());
    objects.push(object);
}
