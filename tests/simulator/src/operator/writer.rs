//! Carries out what handlers and bookkeeping want written, under the operator's two client names.

use serde_json::{Value, json};

use super::{
    handling::{Action, node_of},
    service::SCALED_ENDPOINT,
    status::Status,
};
use crate::{
    api::{Objects, RequestError, outlasting},
    arktos::GRPC_SERVICE,
    fault::{Fault, Faults},
    object::{Key, Kind},
};

/// The clients of one process.
#[derive(Clone)]
pub(crate) struct Writer {
    pub(crate) kopf: Objects,
    pub(crate) mizar: Objects,
    pub(crate) faults: Faults,
}

/// One write, about one object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Request {
    Act(Action),
    Merge(Value),
    MergeStatus(Value),
    PostEvent(Value),
}

/// An update that fails is repeated by Mizar without end or pause; this is enough to outlast a busy server.
const UPDATE_TRIES: u32 = 5;

impl Writer {
    /// Carries out all writes about an object, in order. A failure is noted and the rest goes on, as in Mizar.
    pub(crate) async fn carry_out(&self, key: &Key, requests: Vec<Request>, status: &Status) {
        for request in requests {
            let once = || self.carry_out_once(key, &request, status);
            match outlasting(once, |error| status.failed(error)).await {
                Ok(()) => {}
                Err(error) if error.code() == Some(404) => {}
                Err(error) => status.failed(&error),
            }
        }
    }

    async fn carry_out_once(&self, key: &Key, request: &Request, status: &Status) -> Result<(), RequestError> {
        match request {
            Request::Act(action) => self.act(action, status).await,
            Request::Merge(patch) => self.kopf.merge(key, patch).await,
            Request::MergeStatus(patch) => self.kopf.merge_status(key, patch).await,
            Request::PostEvent(event) => self.post_event(event).await,
        }
    }

    async fn act(&self, action: &Action, status: &Status) -> Result<(), RequestError> {
        match action {
            Action::Create { kind, name, spec } => self.create(*kind, name, spec).await,
            Action::Patch { kind, name, spec } => {
                let key = Key::mizar(*kind, name);
                let patch = json!({ "spec": spec });
                for _ in 1..UPDATE_TRIES {
                    match self.mizar.merge(&key, &patch).await {
                        Err(error) if error.code() != Some(404) => status.failed(&error),
                        other => return other,
                    }
                }
                self.mizar.merge(&key, &patch).await
            }
            Action::Delete { kind, name } => self.mizar.delete(&Key::mizar(*kind, name)).await,
            Action::AnnotateCoreEndpoints { namespace, name } => self.annotate_backends(namespace, name).await,
        }
    }

    /// Creates one of Mizar's objects. One that exists is left as it is.
    pub(crate) async fn create(&self, kind: Kind, name: &str, spec: &Value) -> Result<(), RequestError> {
        let key = Key::mizar(kind, name);
        let mut body = json!({
            "apiVersion": kind.api_version(),
            "kind": kind.name(),
            "metadata": {"name": name, "namespace": key.namespace},
            "spec": spec,
        });
        let droplet = spec["droplet"].as_str().unwrap_or_default();
        if self.faults.hit(Fault::CreateRefused, &node_of(kind, name, droplet)) {
            // The server itself refuses it, with 422, as it does where a definition does not allow what Mizar writes.
            body["metadata"]["labels"] = json!({"mizar.com/refused": "not a label value"});
        }
        self.create_unless_there(&key, &body).await
    }

    /// Publishes where the operator listens for Arktos' controllers. What an earlier run has published stays.
    pub(crate) async fn publish(&self, host: &str) -> Result<(), RequestError> {
        let (namespace, name) = GRPC_SERVICE;
        let body = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace, "labels": {"service": "mizar"}},
            "data": {"host": host},
        });
        self.create_unless_there(&Key::namespaced(Kind::ConfigMap, namespace, name), &body).await
    }

    async fn create_unless_there(&self, key: &Key, body: &Value) -> Result<(), RequestError> {
        match self.mizar.create(key, body).await {
            Err(error) if error.code() == Some(409) => Ok(()),
            other => other,
        }
    }

    /// Annotates the backends of a service, but only those that carry an annotation already, or the API server's own.
    async fn annotate_backends(&self, namespace: &str, name: &str) -> Result<(), RequestError> {
        let key = Key::namespaced(Kind::CoreEndpoints, namespace, name);
        let Some(backends) = self.mizar.get(&key).await? else {
            return Ok(());
        };
        let followed = backends.has_annotations() || (namespace, name) == ("default", "kubernetes");
        if !followed || backends.annotation(SCALED_ENDPOINT).is_some() {
            return Ok(());
        }
        self.mizar.merge(&key, &json!({"metadata": {"annotations": {SCALED_ENDPOINT: "scaled-endpoint"}}})).await
    }

    async fn post_event(&self, event: &Value) -> Result<(), RequestError> {
        let namespace = event["metadata"]["namespace"].as_str().unwrap_or("default");
        self.kopf.create(&Key::namespaced(Kind::Event, namespace, ""), event).await
    }
}
