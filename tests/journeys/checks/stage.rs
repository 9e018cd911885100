//! A bed on which situations are made one after the other: every change is taken back by itself.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use mizar_bed::{Bed, Fault, FaultOrder, Role};
use serde_json::{Value, json};

use crate::cli::Mizar;
use crate::cluster::{create, get, names, patch, send};
use crate::proxy::{Manner, Proxy};

/// The finalizer of the operator's framework.
pub(crate) const FINALIZER: &str = "kopf.zalando.org/KopfFinalizerMarker";

const PATIENCE: Duration = Duration::from_secs(15);
/// How long a running operator may need to take its finalizer off.
const TAKES_OFF: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(50);

/// A bed, how the program is run against it, and what must be taken back.
pub(crate) struct Stage<'a> {
    /// The bed.
    pub(crate) bed: &'a Bed,
    /// Who asks.
    pub(crate) role: Role,
    /// Whether kubectl can be found.
    pub(crate) has_kubectl: bool,
    proxy: Option<Proxy>,
    undo: Vec<Undo>,
    kept: usize,
}

enum Undo {
    Remove(String),
    Patch(String, Value),
    Create(String, Value),
}

impl<'a> Stage<'a> {
    pub(crate) fn new(bed: &'a Bed) -> Self {
        Self { bed, role: Role::Admin, has_kubectl: true, proxy: None, undo: Vec::new(), kept: 0 }
    }

    /// The program, as this stage wants it run.
    pub(crate) fn mizar(&self) -> Mizar {
        let mizar = Mizar::by(self.bed, self.role);
        let mizar = if self.has_kubectl { mizar } else { mizar.env("PATH", "") };
        match &self.proxy {
            Some(proxy) => mizar.env("KUBECONFIG", proxy.kubeconfig()),
            None => mizar,
        }
    }

    /// Makes an object.
    pub(crate) async fn create(&mut self, collection: &str, object: Value) {
        let name = object["metadata"]["name"].as_str().unwrap();
        self.undo.push(Undo::Remove(format!("{collection}/{name}")));
        create(self.bed, collection, &object).await;
    }

    /// Changes an object by a merge patch.
    pub(crate) async fn edit(&mut self, path: &str, change: Value) {
        let before = get(self.bed, path).await;
        self.undo.push(Undo::Patch(path.to_owned(), inverse(&change, &before)));
        patch(self.bed, path, &change).await;
    }

    /// Changes the status of an object by a merge patch of its `status`.
    pub(crate) async fn edit_status(&mut self, path: &str, change: Value) {
        self.edit(&format!("{path}/status"), json!({ "status": change })).await;
    }

    /// Deletes an object, finalizers or not; it is made again when the situation is over.
    pub(crate) async fn delete(&mut self, path: &str) {
        let mut object = get(self.bed, path).await;
        for field in ["uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"] {
            object["metadata"].as_object_mut().unwrap().shift_remove(field);
        }
        let (collection, _) = path.rsplit_once('/').unwrap();
        self.undo.push(Undo::Create(collection.to_owned(), object));
        remove(self.bed, path).await;
    }

    /// Deletes an object for good, after all that it owns.
    pub(crate) async fn destroy(&mut self, path: &str) {
        let after_all = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Foreground"});
        send(self.bed, "DELETE", path, Some(&after_all)).await.unwrap();
        until_gone(self.bed, path).await;
    }

    /// Takes an object away when the situation is over, whoever made it.
    pub(crate) fn remove_afterwards(&mut self, path: &str) {
        self.undo.push(Undo::Remove(path.to_owned()));
    }

    /// Makes changes of the operator's template wait, as they would restart it.
    pub(crate) async fn pause_operator(&mut self) {
        self.edit(&workload("deployments/mizar-operator"), json!({"spec": {"paused": true}})).await;
    }

    /// Makes a pod on the network of node-1 itself and waits until it runs; returns its path.
    pub(crate) async fn create_host_pod(&mut self, namespace: &str, name: &str) -> String {
        let path = self.create_pod(namespace, name, json!({})).await;
        let begun = Instant::now();
        while get(self.bed, &path).await["status"]["phase"] != "Running" {
            assert!(begun.elapsed() < PATIENCE, "pod {name} does not run");
            tokio::time::sleep(PAUSE).await;
        }
        path
    }

    /// Makes a pod on the network of node-1 itself that nobody ever starts; returns its path.
    pub(crate) async fn create_stuck_pod(&mut self, namespace: &str, name: &str) -> String {
        self.create_pod(namespace, name, json!({"bed.mizar.test/never-ready": "true"})).await
    }

    async fn create_pod(&mut self, namespace: &str, name: &str, annotations: Value) -> String {
        let spec = json!({"hostNetwork": true, "nodeName": "node-1",
            "containers": [{"name": "main", "image": "registry.example/any:1"}]});
        let pods = format!("/api/v1/namespaces/{namespace}/pods");
        self.create(&pods, json!({"metadata": {"name": name, "annotations": annotations}, "spec": spec})).await;
        format!("{pods}/{name}")
    }

    /// Has the server begin to delete an object of this stage, which something holds.
    pub(crate) async fn start_deleting(&mut self, path: &str) {
        send(self.bed, "DELETE", path, None).await.unwrap();
    }

    /// The Endpoint of a pod of Deployment web.
    pub(crate) async fn endpoint_of_a_web_pod(&self) -> String {
        let names = names(self.bed, &mizar("endpoints")).await;
        names.into_iter().find(|name| name.starts_with("web-") && name.contains("--")).unwrap()
    }

    /// Has the simulator do something wrong.
    pub(crate) async fn fault(&mut self, fault: Fault, node: Option<&str>) {
        self.bed.fault(FaultOrder { fault, node: node.map(str::to_owned) }).await.unwrap();
    }

    /// Puts a server that behaves differently before the bed's.
    pub(crate) async fn behind(&mut self, manner: impl Manner) {
        self.proxy = Some(Proxy::before(self.bed, manner).await);
    }

    /// Keeps what was changed until now.
    pub(crate) fn mark(&mut self) {
        self.kept = self.undo.len();
    }

    /// Takes back everything since the mark, the last change first.
    pub(crate) async fn clear(&mut self) {
        self.bed.clear_faults().await.unwrap();
        for undo in self.undo.split_off(self.kept).into_iter().rev() {
            match undo {
                Undo::Remove(path) => remove(self.bed, &path).await,
                Undo::Patch(path, change) => drop(patch(self.bed, &path, &change).await),
                Undo::Create(collection, object) => drop(create(self.bed, &collection, &object).await),
            }
        }
        (self.role, self.has_kubectl, self.proxy) = (Role::Admin, true, None);
    }
}

/// Deletes an object without grace and waits until it is gone; finalizers that nobody takes off in time are taken.
async fn remove(bed: &Bed, path: &str) {
    let at_once = json!({"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0});
    // It may be gone already.
    let _gone = send(bed, "DELETE", path, Some(&at_once)).await;
    if !is_gone_within(bed, path, TAKES_OFF).await {
        let _gone = send(bed, "PATCH", path, Some(&json!({"metadata": {"finalizers": null}}))).await;
        until_gone(bed, path).await;
    }
}

async fn until_gone(bed: &Bed, path: &str) {
    assert!(is_gone_within(bed, path, PATIENCE).await, "{path} does not go");
}

async fn is_gone_within(bed: &Bed, path: &str, patience: Duration) -> bool {
    let begun = Instant::now();
    while send(bed, "GET", path, None).await.is_ok() {
        if begun.elapsed() > patience {
            return false;
        }
        tokio::time::sleep(PAUSE).await;
    }
    true
}

/// A time of so many minutes ago.
pub(crate) fn recently(minutes: i64) -> Value {
    let time = Timestamp::now() - SignedDuration::from_mins(minutes);
    json!(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// The merge patch that takes another one back from what was there before it.
fn inverse(change: &Value, before: &Value) -> Value {
    match (change, before) {
        (Value::Object(change), Value::Object(before)) => {
            let fields = change.iter().map(|(field, change)| {
                let before = before.get(field).unwrap_or(&Value::Null);
                (field.clone(), inverse(change, before))
            });
            Value::Object(fields.collect())
        }
        (_, before) => before.clone(),
    }
}

/// The path of a node.
pub(crate) fn node(name: &str) -> String {
    format!("/api/v1/nodes/{name}")
}

/// The path of an object of Mizar's own kinds, `vpcs/vpc0`.
pub(crate) fn mizar(rest: &str) -> String {
    format!("/apis/mizar.com/v1/namespaces/default/{rest}")
}

/// The path of a workload of Mizar's, `deployments/mizar-operator`.
pub(crate) fn workload(rest: &str) -> String {
    format!("/apis/apps/v1/namespaces/{}/{rest}", crate::cluster::NAMESPACE)
}

/// A file of the bed that only the running test uses.
pub(crate) fn scratch(bed: &Bed, name: &str) -> PathBuf {
    bed.dir().join(name)
}

#[test]
fn a_change_is_taken_back_by_its_inverse() {
    let before = json!({"spec": {"replicas": 1, "strategy": {"type": "Recreate"}}, "metadata": {"labels": {"a": "b"}}});
    let change =
        json!({"spec": {"replicas": 2, "paused": true}, "metadata": {"labels": {"c": "d"}, "annotations": {"x": "y"}}});
    let back =
        json!({"spec": {"replicas": 1, "paused": null}, "metadata": {"labels": {"c": null}, "annotations": null}});
    assert_eq!(inverse(&change, &before), back);
}
