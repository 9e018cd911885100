//! The bed's nodes: what each looks like, creating the missing, removing the superfluous, waiting until they are Ready.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};

use crate::client::{self, ClientError};

const AT_ONCE: usize = 32;
const PATIENCE: Duration = Duration::from_secs(60);
/// Types of conditions that KWOK writes; others are traces of a test.
const OWN_CONDITIONS: [&str; 2] = ["Ready", "MemoryPressure"];

/// Why the nodes are not as asked.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The server said no.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// KWOK does not play them.
    #[error("nodes not Ready after {} s: {}", PATIENCE.as_secs(), names.join(", "))]
    NotReady {
        /// Which.
        names: Vec<String>,
    },
}

/// The name of a node, counted from 1.
pub fn node_name(number: usize) -> String {
    format!("node-{number}")
}

/// The loopback address of a node, of its own so that something may listen there.
pub fn node_address(number: usize) -> String {
    let index = number - 1;
    format!("127.1.{}.{}", index / 250, index % 250 + 1)
}

fn manifest(number: usize) -> Value {
    let name = node_name(number);
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels(&name)},
        "status": {"addresses": [
            {"type": "InternalIP", "address": node_address(number)},
            {"type": "Hostname", "address": name},
            // Where the API server finds KWOK for `kubectl logs`; otherwise it would ask DNS for the node's name.
            {"type": "InternalDNS", "address": "localhost"},
        ]},
    })
}

fn labels(name: &str) -> Value {
    json!({
        "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": "amd64",
    })
}

/// Makes the nodes exactly `count` fresh-looking ones, without waiting for them.
pub(crate) async fn converge(client: &kube::Client, count: usize) -> Result<(), ClientError> {
    let list = client::get(client, "/api/v1/nodes").await?;
    let existing: BTreeMap<&str, &Value> =
        items(&list).filter_map(|node| Some((node["metadata"]["name"].as_str()?, node))).collect();
    let wanted: BTreeSet<String> = (1..=count).map(node_name).collect();
    let superfluous = existing.iter().filter(|(name, _)| !wanted.contains(**name)).map(|(_, node)| *node);
    stream::iter(superfluous).map(Ok).try_for_each_concurrent(AT_ONCE, |node| remove(client, node)).await?;
    stream::iter((1..=count).map(Ok))
        .try_for_each_concurrent(AT_ONCE, |number| {
            let present = existing.get(node_name(number).as_str()).copied();
            async move {
                match present {
                    None => client::create(client, "/api/v1/nodes", &manifest(number)).await.map(drop),
                    Some(node) if says_as_before(node, number) => restore(client, node).await,
                    Some(node) => {
                        remove(client, node).await?;
                        client::create(client, "/api/v1/nodes", &manifest(number)).await.map(drop)
                    }
                }
            }
        })
        .await
}

/// Whether a node tells of itself what we and KWOK had it tell; a test may have had it tell something else.
fn says_as_before(node: &Value, number: usize) -> bool {
    let stages = include_str!("stages.yaml");
    let is_of_kwok = |(field, value): (&String, &Value)| {
        let text = value.as_str().unwrap_or_default();
        !value.is_string()
            || [format!("{field}: {text},"), format!("{field}: \"{text}\"")].iter().any(|it| stages.contains(it))
    };
    let info = node["status"]["nodeInfo"].as_object();
    info.is_some_and(|info| info.iter().all(is_of_kwok))
        && node["status"]["addresses"] == manifest(number)["status"]["addresses"]
}

async fn remove(client: &kube::Client, node: &Value) -> Result<(), ClientError> {
    let path = path(node);
    if node["metadata"]["finalizers"].is_array() {
        client::merge(client, &path, &json!({"metadata": {"finalizers": null}})).await?;
    }
    match client::delete(client, &path).await {
        Err(error) if error.code() == Some(404) => Ok(()),
        other => other,
    }
}

/// Takes back what a test or Mizar wrote on a node.
async fn restore(client: &kube::Client, node: &Value) -> Result<(), ClientError> {
    let path = path(node);
    let name = node["metadata"]["name"].as_str().unwrap_or_default();
    let wanted_labels = labels(name);
    let metadata = &node["metadata"];
    let untouched = metadata["labels"] == wanted_labels
        && metadata["finalizers"].is_null()
        && foreign_annotations(metadata).next().is_none()
        && node["spec"]["taints"].is_null()
        && node["spec"]["unschedulable"].is_null();
    if !untouched {
        let mut restored = node.clone();
        let annotations: Vec<String> = foreign_annotations(metadata).map(str::to_owned).collect();
        for annotation in annotations {
            if let Some(present) = restored["metadata"]["annotations"].as_object_mut() {
                present.shift_remove(&annotation);
            }
        }
        restored["metadata"]["labels"] = wanted_labels;
        restored["metadata"]["finalizers"] = Value::Null;
        restored["spec"]["taints"] = Value::Null;
        restored["spec"]["unschedulable"] = Value::Null;
        // Without it the server does not care what changed in between, and nothing of that is to be kept.
        restored["metadata"]["resourceVersion"] = Value::Null;
        client::replace(client, &path, &restored).await?;
    }
    let conditions = node["status"]["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    let own = |condition: &&Value| condition["type"].as_str().is_some_and(|it| OWN_CONDITIONS.contains(&it));
    let kept: Vec<&Value> = conditions.iter().filter(own).collect();
    if kept.len() != conditions.len() {
        client::merge(client, &format!("{path}/status"), &json!({"status": {"conditions": kept}})).await?;
    }
    Ok(())
}

/// Annotations that are neither the controllers' nor KWOK's.
fn foreign_annotations(metadata: &Value) -> impl Iterator<Item = &str> {
    let annotations = metadata["annotations"].as_object();
    annotations.into_iter().flatten().map(|(name, _)| name.as_str()).filter(|name| {
        !name.starts_with("node.alpha.kubernetes.io/")
            && !name.starts_with("volumes.kubernetes.io/")
            && !name.starts_with("kwok.x-k8s.io/")
    })
}

/// Waits until `count` nodes are Ready and none is tainted any more.
pub(crate) async fn until_ready(client: &kube::Client, count: usize) -> Result<(), NodeError> {
    let started = Instant::now();
    loop {
        let list = client::get(client, "/api/v1/nodes").await?;
        let (ready, waiting): (Vec<&Value>, Vec<&Value>) = items(&list).partition(|node| is_ready(node));
        if ready.len() == count && waiting.is_empty() {
            return Ok(());
        }
        if started.elapsed() >= PATIENCE {
            let names = waiting.iter().filter_map(|node| node["metadata"]["name"].as_str()).map(str::to_owned);
            return Err(NodeError::NotReady { names: names.collect() });
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn is_ready(node: &Value) -> bool {
    let conditions = node["status"]["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    // The taint of a new node goes a moment after it became Ready; until then nothing is scheduled on it.
    node["spec"]["taints"].is_null() && conditions.iter().any(|it| it["type"] == "Ready" && it["status"] == "True")
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list["items"].as_array().into_iter().flatten()
}

fn path(node: &Value) -> String {
    format!("/api/v1/nodes/{}", node["metadata"]["name"].as_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_has_a_loopback_address_of_its_own() {
        let addresses: BTreeSet<String> = (1..=600).map(node_address).collect();
        assert_eq!(addresses.len(), 600);
        assert_eq!(node_address(1), "127.1.0.1");
        assert_eq!(node_address(251), "127.1.1.1");
        assert!(!addresses.iter().any(|address| address.ends_with(".0") || address.ends_with(".255")));
    }

    #[test]
    fn a_node_that_a_test_had_tell_something_else_is_known() {
        let mut node = manifest(1);
        node["status"]["nodeInfo"] = json!({"architecture": "amd64", "kernelVersion": "5.15.0-118-generic", "machineID": "", "kubeletVersion": "v1.36.4"});
        assert!(says_as_before(&node, 1));
        assert!(!says_as_before(&node, 2), "another address");
        node["status"]["nodeInfo"]["kernelVersion"] = json!("");
        assert!(!says_as_before(&node, 1));
    }

    #[test]
    fn annotations_of_a_test_are_told_from_those_of_the_controllers() {
        let metadata = json!({"annotations": {"node.alpha.kubernetes.io/ttl": "0", "kopf.zalando.org/last-handled-configuration": "{}"}});
        assert_eq!(foreign_annotations(&metadata).collect::<Vec<_>>(), ["kopf.zalando.org/last-handled-configuration"]);
    }
}
