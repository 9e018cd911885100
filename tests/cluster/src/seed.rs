//! Fills a bare bed with a cluster as large as asked for, on which Mizar is installed and healthy: nodes, daemons, pods,
//! services, and the objects that Mizar keeps about them. Every object has what a real one has (defaults, managed fields,
//! UIDs); nothing moves afterwards.

mod bodies;
mod churn;
mod components;
mod network;
mod pods;
mod store;

use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};

pub use self::churn::Churn;
use self::store::{Sample, Store};
use crate::client::{self, ClientError};
use crate::lifecycle::FoundBed;
use crate::progress::Progress;
use crate::users::Role;

/// How many pods run on each node, the daemon apart.
pub const PODS_PER_NODE: usize = 10;

/// How many nodes there are to a service.
const NODES_PER_SERVICE: usize = 5;
/// Requests in flight: enough to keep a small machine's API server busy.
const AT_ONCE: usize = 48;
const TRANSACTIONS_AT_ONCE: usize = 4;
const SERVED_PATIENCE: Duration = Duration::from_secs(60);

/// Why a bed could not be filled.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The server said no.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The manifests of an installation cannot be read.
    #[error("the rendered charts cannot be read: {0}")]
    Manifests(String),
    /// The server does not serve a kind of Mizar's.
    #[error("{path} is not served {} s after its definition was made", SERVED_PATIENCE.as_secs())]
    NotServed {
        /// The collection.
        path: String,
    },
    /// etcd.
    #[error("cannot store objects in etcd: {0}")]
    Store(String),
    /// No runtime could be started.
    #[error("cannot start a runtime")]
    Runtime(#[source] std::io::Error),
}

/// One write.
pub(crate) struct Write {
    method: &'static str,
    path: String,
    body: Value,
}

impl Write {
    fn create(collection: impl Into<String>, body: Value) -> Self {
        Self { method: "POST", path: collection.into(), body }
    }

    /// What a kubelet or a controller reports about an object.
    fn status(object: impl std::fmt::Display, body: Value) -> Self {
        Self { method: "PATCH", path: format!("{object}/status?fieldManager=kubelet"), body }
    }
}

/// Fills a bed with `nodes` nodes and [`PODS_PER_NODE`] pods on each. `manifests` is what `kubectl mizar render` prints.
/// Blocks until all is written; returns how many objects were made.
pub fn fill(bed: &FoundBed, nodes: usize, manifests: &str) -> Result<usize, SeedError> {
    let etcd = bed.state.as_ref().map(|state| state.etcd.clone()).unwrap_or_default();
    runtime()?.block_on(async {
        let client = client::connect(&bed.layout.kubeconfig(Role::Admin)).await?;
        let store = Store::connect(&etcd)?;
        let progress = Progress::start(format!("filling bed {} with {nodes} nodes", bed.name));
        let mut seeding = Seeding { client, store, progress, made: 0 };
        match seeding.fill(nodes, manifests).await {
            Ok(()) => seeding.progress.finish(&format!("{} objects", seeding.made)),
            Err(error) => {
                seeding.progress.abandon();
                return Err(error);
            }
        }
        Ok(seeding.made)
    })
}

/// Makes nodes alone, as kubelets register them, without what an operator of Mizar leaves on them.
pub(crate) async fn add_nodes(client: &kube::Client, nodes: usize) -> Result<(), SeedError> {
    for number in 1..=nodes {
        let Write { method, path, mut body } = bodies::node(number);
        body["metadata"]["annotations"] = json!({});
        body["metadata"]["finalizers"] = json!([]);
        client::write_unread(client, method, &path, &body).await?;
    }
    Ok(())
}

fn runtime() -> Result<tokio::runtime::Runtime, SeedError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(SeedError::Runtime)
}

struct Seeding {
    client: kube::Client,
    store: Store,
    progress: Progress,
    made: usize,
}

impl Seeding {
    /// In the order in which they come to be on a real cluster: the daemons before what they program.
    async fn fill(&mut self, nodes: usize, manifests: &str) -> Result<(), SeedError> {
        let (pods, services) = (nodes * PODS_PER_NODE, nodes.div_ceil(NODES_PER_SERVICE));
        self.create("namespaces", components::namespaces().into_iter().map(one)).await?;
        self.create("manifests", components::of_manifests(manifests)?.into_iter().map(one)).await?;
        until_served(&self.client).await?;
        self.create("release records", components::releases().into_iter().map(one)).await?;
        self.multiply("nodes", "minions", (1..=nodes).map(bodies::node).map(one)).await?;
        self.multiply("daemons", "pods", (1..=nodes).map(components::daemon_pod)).await?;
        self.create("system pods", components::system_pods().into_iter()).await?;
        self.create("states of workloads", components::statuses(nodes).into_iter().map(one)).await?;
        self.create("parts of the network", network::parts().into_iter().map(one)).await?;
        self.multiply("droplets", "mizar.com/droplets", (1..=nodes).map(network::droplet).map(one)).await?;
        let endpoints = "mizar.com/endpoints";
        self.multiply("host endpoints", endpoints, (1..=nodes).map(network::host_endpoint).map(one)).await?;
        self.create("services", components::services(services).map(one)).await?;
        self.create("system endpoints", network::system_endpoints().map(one)).await?;
        self.multiply("service endpoints", endpoints, network::service_endpoints(services).map(one)).await?;
        self.multiply("pods", "pods", (0..pods).map(pods::pod)).await?;
        self.multiply("pod endpoints", endpoints, (0..pods).map(network::pod_endpoint).map(one)).await
    }

    /// Makes objects through the API server, several at once, each by its own writes one after the other.
    async fn create<const N: usize>(
        &mut self,
        what: &str,
        objects: impl Iterator<Item = [Write; N]>,
    ) -> Result<(), SeedError> {
        let client = &self.client;
        let mut written = stream::iter(objects)
            .map(|writes| async move {
                for write in writes {
                    client::write_unread(client, write.method, &write.path, &write.body).await?;
                }
                Ok::<_, ClientError>(())
            })
            .buffer_unordered(AT_ONCE);
        while let Some(()) = written.try_next().await? {
            self.made += 1;
            self.progress.update(&format!("{} objects, now {what}", self.made));
        }
        Ok(())
    }

    /// Makes the first object through the API server, and all others as copies of what it made of it.
    async fn multiply<const N: usize>(
        &mut self,
        what: &str,
        registry: &'static str,
        mut objects: impl Iterator<Item = [Write; N]>,
    ) -> Result<(), SeedError> {
        let Some(first) = objects.next() else { return Ok(()) };
        for write in &first {
            client::write_unread(&self.client, write.method, &write.path, &write.body).await?;
        }
        let sample = Sample::read(&self.client, registry, &first[0]).await?;
        self.made += 1;
        let store = &self.store;
        let copies = objects.map(|writes| sample.copy(&writes));
        let mut stored = stream::iter(copies)
            .chunks(store::TOGETHER)
            .map(|copies| async move { store.put(&copies).await.map(|()| copies.len()) })
            .buffer_unordered(TRANSACTIONS_AT_ONCE);
        while let Some(count) = stored.try_next().await? {
            self.made += count;
            self.progress.update(&format!("{} objects, now {what}", self.made));
        }
        Ok(())
    }
}

const fn one(write: Write) -> [Write; 1] {
    [write]
}

async fn until_served(client: &kube::Client) -> Result<(), SeedError> {
    let started = Instant::now();
    for plural in ["bouncers", "dividers", "droplets", "endpoints", "subnets", "vpcs"] {
        let path = format!("/apis/mizar.com/v1/namespaces/default/{plural}");
        while client::get(client, &format!("{path}?limit=1")).await.is_err() {
            if started.elapsed() > SERVED_PATIENCE {
                return Err(SeedError::NotServed { path });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}

/// What the operator's framework leaves on everything it watches.
fn handled(essence: &Value) -> Value {
    json!({"kopf.zalando.org/last-handled-configuration": format!("{essence}\n")})
}

const FINALIZER: &str = "kopf.zalando.org/KopfFinalizerMarker";
