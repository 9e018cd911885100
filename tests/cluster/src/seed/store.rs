//! Many objects of a kind, quickly: the API server makes the first one, and the others are laid beside it in etcd as
//! copies, with their own names, addresses and so on. They are what the server would have made, defaults and managed
//! fields included, at a hundredth of its work. Lists come from the server's cache, which reads etcd but once, so that
//! how an object was stored says nothing about how fast it is listed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{SeedError, Write};
use crate::client::{self, ClientError};

/// Objects in one transaction; etcd takes 128 and 1.5 MiB.
pub(super) const TOGETHER: usize = 64;

/// A bed's etcd.
#[derive(Clone)]
pub(super) struct Store(kube::Client);

impl Store {
    /// Connects to etcd's JSON gateway.
    pub(super) fn connect(address: &str) -> Result<Self, SeedError> {
        let address = address.parse().map_err(|_| SeedError::Store(format!("{address:?} is no address")))?;
        let mut config = kube::Config::new(address);
        config.proxy_url = None;
        kube::Client::try_from(config).map(Self).map_err(|error| SeedError::Store(error.to_string()))
    }

    /// Stores objects, all or none.
    pub(super) async fn put(&self, objects: &[(String, Value)]) -> Result<(), SeedError> {
        let puts = objects.iter().map(|(key, object)| {
            json!({"requestPut": {"key": STANDARD.encode(key), "value": STANDARD.encode(object.to_string())}})
        });
        let body = json!({"success": puts.collect::<Vec<_>>()}).to_string().into_bytes();
        let request = Request::post("/v3/kv/txn").header(CONTENT_TYPE, "application/json").body(body);
        let request = request.expect("this path is a valid URI");
        self.0.request_text(request).await.map(drop).map_err(|error| SeedError::Store(error.to_string()))
    }
}

/// What a copy is made from.
pub(super) struct Sample {
    registry: &'static str,
    object: Value,
}

impl Sample {
    /// Reads the first object of a kind as the server keeps it. `registry` is the folder of its kind in etcd.
    pub(super) async fn read(
        client: &kube::Client,
        registry: &'static str,
        first: &Write,
    ) -> Result<Self, ClientError> {
        let collection = first.path.split('?').next().unwrap_or_default();
        let name = first.body["metadata"]["name"].as_str().unwrap_or_default();
        let mut object = client::get(client, &format!("{collection}/{name}")).await?;
        if let Some(metadata) = object["metadata"].as_object_mut() {
            // The number of etcd's own revision, which a stored object does not have.
            metadata.shift_remove("resourceVersion");
        }
        Ok(Self { registry, object })
    }

    /// Returns the key and the value of another object of the kind.
    pub(super) fn copy<const N: usize>(&self, writes: &[Write; N]) -> (String, Value) {
        let mut object = self.object.clone();
        for write in writes {
            lay_over(&mut object, &write.body);
        }
        object["metadata"]["uid"] = Uuid::new_v4().to_string().into();
        let metadata = &object["metadata"];
        let text = |field: &str| metadata[field].as_str().unwrap_or_default();
        let key = match text("namespace") {
            "" => format!("/registry/{}/{}", self.registry, text("name")),
            namespace => format!("/registry/{}/{namespace}/{}", self.registry, text("name")),
        };
        (key, object)
    }
}

/// Writes what is asked for over what the server made of the same request for another object. What it added stays.
fn lay_over(object: &mut Value, asked: &Value) {
    match (object, asked) {
        (Value::Object(object), Value::Object(asked)) => {
            for (key, value) in asked {
                match object.get_mut(key) {
                    Some(present) => lay_over(present, value),
                    None => {
                        object.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (Value::Array(object), Value::Array(asked)) if object.len() == asked.len() => {
            object.iter_mut().zip(asked).for_each(|(object, asked)| lay_over(object, asked));
        }
        (object, asked) => object.clone_from(asked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_what_was_asked_for_and_what_the_server_added() {
        let object = json!({
            "metadata": {"name": "a", "namespace": "b", "uid": "1", "managedFields": [{"manager": "x"}]},
            "spec": {"containers": [{"name": "c", "image": "i:1", "terminationMessagePath": "/dev/log"}]},
        });
        let asked = json!({"metadata": {"name": "z"}, "spec": {"containers": [{"name": "c", "image": "i:2"}]}});
        let sample = Sample { registry: "pods", object };
        let (key, copy) = sample.copy(&[Write::create("/api/v1/namespaces/b/pods", asked)]);
        assert_eq!(key, "/registry/pods/b/z");
        assert_eq!(
            copy["spec"]["containers"][0],
            json!({"name": "c", "image": "i:2", "terminationMessagePath": "/dev/log"})
        );
        assert_eq!(copy["metadata"]["managedFields"], json!([{"manager": "x"}]));
        assert_ne!(copy["metadata"]["uid"], "1");
    }
}
