//! Fills a bare bed with a cluster as large as asked for, on which Mizar is installed and healthy: nodes, daemons, pods,
//! services, and the objects that Mizar keeps about them. Through the API server, so that every object has what a real
//! one has (defaults, managed fields, UIDs); nothing moves afterwards.

mod bodies;
mod components;
mod network;
mod pods;

use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};

use crate::client::{self, ClientError};
use crate::lifecycle::FoundBed;
use crate::progress::Progress;
use crate::users::Role;

/// How many pods run on each node, the daemon apart.
pub const PODS_PER_NODE: usize = 10;

/// Requests in flight: enough to keep a small machine's API server busy.
const AT_ONCE: usize = 48;
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
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(SeedError::Runtime)?;
    runtime.block_on(async {
        let client = client::connect(&bed.layout.kubeconfig(Role::Admin)).await?;
        let mut progress = Progress::start(format!("filling bed {} with {nodes} nodes", bed.name));
        let filled = fill_all(&client, nodes, manifests, &mut progress).await;
        match &filled {
            Ok(objects) => progress.finish(&format!("{objects} objects")),
            Err(_) => progress.abandon(),
        }
        filled
    })
}

/// In the order in which they come to be on a real cluster: the daemons before what they program.
async fn fill_all(
    client: &kube::Client,
    nodes: usize,
    manifests: &str,
    progress: &mut Progress,
) -> Result<usize, SeedError> {
    let installed = components::of_manifests(manifests)?;
    let count = nodes * PODS_PER_NODE;
    let mut made = 0;
    made += write_all(client, progress, "namespaces", components::namespaces().into_iter()).await?;
    made += write_all(client, progress, "manifests", installed.into_iter()).await?;
    until_served(client).await?;
    made += write_all(client, progress, "release records", components::releases().into_iter()).await?;
    made += write_all(client, progress, "nodes", (1..=nodes).map(bodies::node)).await?;
    made += write_pods(client, progress, "daemons", (1..=nodes).map(components::daemon_pod)).await?;
    made += write_pods(client, progress, "system pods", components::system_pods().into_iter()).await?;
    write_all(client, progress, "workloads' status", components::statuses(nodes).into_iter()).await?;
    made += write_all(client, progress, "network", network::parts().into_iter()).await?;
    made += write_all(client, progress, "droplets", (1..=nodes).map(network::droplet)).await?;
    made += write_all(client, progress, "host endpoints", (1..=nodes).map(network::host_endpoint)).await?;
    made += write_all(client, progress, "services", components::services(nodes)).await?;
    made += write_all(client, progress, "service endpoints", network::service_endpoints(nodes)).await?;
    made += write_all(client, progress, "system endpoints", network::system_endpoints()).await?;
    made += write_pods(client, progress, "pods", (0..count).map(pods::pod)).await?;
    made += write_all(client, progress, "pod endpoints", (0..count).map(network::pod_endpoint)).await?;
    Ok(made)
}

/// A pod is bound when it is made; what its kubelet says comes after.
async fn write_pods(
    client: &kube::Client,
    progress: &mut Progress,
    what: &str,
    pods: impl Iterator<Item = [Write; 2]>,
) -> Result<usize, SeedError> {
    let written = many(client, progress, what, pods).await?;
    Ok(written)
}

async fn write_all(
    client: &kube::Client,
    progress: &mut Progress,
    what: &str,
    writes: impl Iterator<Item = Write>,
) -> Result<usize, SeedError> {
    many(client, progress, what, writes.map(|write| [write])).await
}

/// Makes many objects at once, each by its own writes one after the other.
async fn many<const N: usize>(
    client: &kube::Client,
    progress: &mut Progress,
    what: &str,
    objects: impl Iterator<Item = [Write; N]>,
) -> Result<usize, SeedError> {
    let mut written = stream::iter(objects)
        .map(|writes| async move {
            for write in writes {
                client::write_unread(client, write.method, &write.path, &write.body).await?;
            }
            Ok::<_, ClientError>(())
        })
        .buffer_unordered(AT_ONCE);
    let mut count = 0;
    while let Some(()) = written.try_next().await? {
        count += 1;
        progress.update(&format!("{count} {what}"));
    }
    Ok(count)
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
