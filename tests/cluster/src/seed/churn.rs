//! A filled bed on which something changes all the time, as it does on a busy cluster.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::json;

use super::bodies::namespace;
use super::pods::pod_name;
use super::{SeedError, runtime};
use crate::client;
use crate::lifecycle::FoundBed;
use crate::users::Role;

/// Requests in flight.
const AT_ONCE: usize = 16;
/// The operator's Deployment, which is healthy with one replica.
const OPERATOR: &str = "/apis/apps/v1/namespaces/mizar-system/deployments/mizar-operator";
/// Pods change in an order that spreads over all namespaces and nodes.
const STRIDE: usize = 7919;

/// Changes of pods, so many a second, until it is stopped; and an operator that is not as it should be, so that whoever
/// waits for all to be well waits.
pub struct Churn {
    stop: Arc<AtomicBool>,
    begun: Instant,
    thread: JoinHandle<Result<usize, SeedError>>,
}

impl Churn {
    /// Begins to change a bed that was filled with so many pods.
    pub fn start(bed: &FoundBed, pods: usize, per_second: u32) -> Self {
        let kubeconfig = bed.layout.kubeconfig(Role::Admin);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            runtime()?.block_on(async {
                let client = client::connect(&kubeconfig).await?;
                let scale = async |replicas: u32| {
                    client::merge(&client, OPERATOR, &json!({"spec": {"replicas": replicas}})).await
                };
                scale(2).await?;
                let changed = change(&client, pods, per_second, &stopped).await;
                scale(1).await?;
                changed
            })
        });
        Self { stop, begun: Instant::now(), thread }
    }

    /// Ends the changes, and makes all well again; returns how many there were a second.
    pub fn stop(self) -> Result<f64, SeedError> {
        self.stop.store(true, Ordering::Relaxed);
        let seconds = self.begun.elapsed().as_secs_f64();
        let changes = self.thread.join().map_err(|_| SeedError::Store("the changes ended in a panic".to_owned()))??;
        Ok(f64::from(u32::try_from(changes).unwrap_or(u32::MAX)) / seconds)
    }
}

async fn change(client: &kube::Client, pods: usize, per_second: u32, stopped: &AtomicBool) -> Result<usize, SeedError> {
    let ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
    let numbers = stream::unfold((ticks, 0_usize), |(mut ticks, number)| async move {
        ticks.tick().await;
        (!stopped.load(Ordering::Relaxed)).then_some((number, (ticks, number + 1)))
    });
    let changes = numbers.map(|number| async move {
        let index = number * STRIDE % pods;
        let path = format!("/api/v1/namespaces/{}/pods/{}", namespace(index), pod_name(index));
        let change = json!({"metadata": {"labels": {"changed": number.to_string()}}});
        client::write_unread(client, "PATCH", &path, &change).await
    });
    let counted = changes.buffer_unordered(AT_ONCE).try_fold(0, |count, ()| async move { Ok(count + 1) });
    Ok(counted.await?)
}
