//! The logs of Mizar's pods, a few at a time, each masked while it comes.

use futures::stream::{self, StreamExt as _};
use mizar_core::bundle::index::Why;
use mizar_core::bundle::logs::{Log, PodLogs, plan};
use mizar_core::bundle::{objects as wanted, place};
use tokio::time::timeout_at;

use super::{Collection, Known, objects, spool, whole_seconds};

/// Few: each is fetched by the API server from a kubelet.
const AT_ONCE: usize = 4;

/// No log may take more than this part of the room, before it is packed.
const SHARE: u64 = 4;

pub(super) async fn collect(collection: &Collection<'_>, known: &Known) {
    let mut pods = Vec::new();
    for listed in wanted::PODS {
        objects::list(collection, known, &listed, |pod| pods.push(PodLogs::of(pod))).await;
    }
    let (logs, left_out) = plan(pods);
    if let Some(missing) = left_out {
        collection.sink.miss(&missing.what, missing.why, &missing.message);
    }
    for log in &logs {
        collection.sink.begin(&log.path());
    }
    collection.sink.end(place::LOGS);
    stream::iter(&logs)
        .map(|log| async move { take(collection, log).await })
        .buffer_unordered(AT_ONCE)
        .collect::<()>()
        .await;
}

async fn take(collection: &Collection<'_>, log: &Log) {
    let path = log.path();
    let limits = &collection.request.limits;
    let uri = log.request(limits.log_lines, limits.log_age.map(whole_seconds), limits.size / SHARE);
    let what = format!("read the log of container {} of pod {}/{}", log.container, log.namespace, log.pod);
    let mut spooled = match spool::Log::begin() {
        Ok(spooled) => spooled,
        Err(error) => {
            collection.sink.miss(&path, Why::Failed, &format!("no room for it beside the bundle: {error}"));
            return collection.sink.end(&path);
        }
    };
    let read = collection.cluster.text(uri, what, |piece| spooled.take(piece));
    let read = timeout_at(collection.limit_of_one(), read).await;
    // What has come of a log that ends early is worth keeping.
    match spooled.finish() {
        Ok((mut file, bytes)) if bytes > 0 || matches!(read, Ok(Ok(()))) => collection.sink.put_file(&path, &mut file),
        Ok(_) => {}
        Err(error) => collection.sink.miss(&path, Why::Failed, &error.to_string()),
    }
    collection.settle(&path, read);
}
