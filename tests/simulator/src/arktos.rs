//! Arktos' controller manager, as far as Mizar has to do with it: it calls the operator about nodes, pods and services.
//!
//! On Arktos the operator does not look at these objects by itself. It publishes its address in a ConfigMap, and the
//! controller manager calls it there. The calls are played as events that the operator's process takes in; what it does
//! about them is its own matter. The controller manager outlives the operator: a new process is not told again what an
//! earlier one has heard.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{
    StreamExt,
    future::ready,
    stream::{self, BoxStream},
};
use serde_json::Value;

use crate::{
    api::{Objects, Watched},
    object::{Key, Kind, Object},
};

/// The ConfigMap in which the operator publishes its address.
pub(crate) const GRPC_SERVICE: (&str, &str) = ("default", "mizar-grpc-service");

/// The definition by which the controller manager is known to be Arktos'.
const NETWORKS: &str = "networks.arktos.futurewei.com";

const KINDS: [Kind; 3] = [Kind::Node, Kind::Pod, Kind::Service];

/// The controllers that call the operator, and what they have told it.
#[derive(Clone)]
pub(crate) struct Controllers {
    objects: Objects,
    told: Arc<Mutex<BTreeMap<String, Value>>>,
}

impl Controllers {
    pub(crate) fn new(objects: Objects) -> Self {
        Self { objects, told: Arc::default() }
    }

    fn told(&self) -> MutexGuard<'_, BTreeMap<String, Value>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what an operator has been told of an object last, and has accepted.
    pub(crate) fn last_told(&self, object: &Object) -> Option<Value> {
        self.told().get(object.uid()).cloned()
    }

    pub(crate) fn note(&self, object: &Object, essence: Value) {
        self.told().insert(object.uid().to_owned(), essence);
    }

    pub(crate) fn forget(&self) {
        self.told().clear();
    }

    /// Returns the calls: none before there is somebody to call, and somebody who calls.
    pub(crate) fn calls(&self, pause: Duration) -> BoxStream<'static, Watched> {
        let objects = self.objects.clone();
        let waiting = objects.clone();
        stream::once(async move { until_called_for(&waiting, pause).await })
            .flat_map(move |()| stream::select_all(KINDS.map(|kind| objects.watch(kind, pause))))
            .filter(|event| ready(!is_of_the_hosts_network(event)))
            .boxed()
    }
}

async fn until_called_for(objects: &Objects, pause: Duration) {
    let (namespace, name) = GRPC_SERVICE;
    let wanted = [
        Key::namespaced(Kind::ConfigMap, namespace, name),
        Key { kind: Kind::CustomResourceDefinition, namespace: None, name: NETWORKS.to_owned() },
    ];
    for key in wanted {
        // A server that does not answer now is asked again like one that does not have it.
        while !matches!(objects.get(&key).await, Ok(Some(_))) {
            tokio::time::sleep(pause).await;
        }
    }
}

/// The controller manager leaves out the pods that need no network of their own.
fn is_of_the_hosts_network(event: &Watched) -> bool {
    match event {
        Watched::Listed(object) | Watched::Changed(object) | Watched::Gone(object) => {
            object.at("/spec/hostNetwork").and_then(Value::as_bool) == Some(true)
        }
        Watched::ListBegan(_) | Watched::ListEnded(_) | Watched::Failed { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_controllers_leave_out_pods_on_the_hosts_network() {
        let pod = |spec: Value| Watched::Changed(Object::new(Kind::Pod, json!({"metadata": {}, "spec": spec})));
        assert!(is_of_the_hosts_network(&pod(json!({"hostNetwork": true}))));
        assert!(!is_of_the_hosts_network(&pod(json!({}))));
        assert!(!is_of_the_hosts_network(&Watched::ListEnded(Kind::Pod)));
    }
}
