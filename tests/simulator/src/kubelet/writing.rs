//! Writes the kubelet's news: pod status, and Events that are counted instead of repeated.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    api::{Objects, RequestError, outlasting},
    object::{Key, Kind, Object},
};

/// What has been written about one pod.
pub(crate) struct Written {
    pub(crate) key: Key,
    pub(crate) status: bool,
}

/// What is new about one pod.
pub(crate) struct Update {
    pub(crate) key: Key,
    pub(crate) status: Option<Value>,
    pub(crate) posts: Vec<Post>,
    /// The identifier of a pod that is to be removed, because its containers are gone.
    pub(crate) remove: Option<String>,
}

impl Update {
    /// Writes it. A pod that has gone meanwhile takes its news with it.
    pub(crate) async fn carry_out(self, objects: Objects) -> Written {
        if let Some(status) = &self.status
            && let Err(error) = outlasting(|| objects.merge_status(&self.key, status), warn).await
            && error.code() != Some(404)
        {
            warn(&error);
        }
        for post in &self.posts {
            let result = match post {
                Post::New { key, body } => objects.create(key, body).await,
                Post::Again { key, patch } => objects.merge(key, patch).await,
            };
            if let Err(error) = result {
                tracing::debug!("simulated kubelet: {error}");
            }
        }
        if let Some(uid) = &self.remove {
            remove(&objects, &self.key, uid).await;
        }
        Written { key: self.key, status: self.status.is_some() }
    }
}

async fn remove(objects: &Objects, key: &Key, uid: &str) {
    match outlasting(|| objects.remove(key, uid), warn).await {
        Err(error) if error.code() != Some(404) => warn(&error),
        _ => {}
    }
}

fn warn(error: &RequestError) {
    tracing::warn!("simulated kubelet: {error}");
}

/// An Event to write.
pub(crate) enum Post {
    New { key: Key, body: Value },
    Again { key: Key, patch: Value },
}

struct Posted {
    pod: String,
    key: Key,
    count: u64,
}

/// The Events that were posted, by pod, reason and message.
#[derive(Default)]
pub(crate) struct EventLog {
    posted: BTreeMap<String, Posted>,
    number: u64,
}

impl EventLog {
    pub(crate) fn forget(&mut self) {
        self.posted.clear();
    }

    pub(crate) fn forget_pod(&mut self, uid: &str) {
        self.posted.retain(|_, posted| posted.pod != uid);
    }

    /// Returns how to tell it: as a new Event, or as one more of those that were told.
    pub(crate) fn post(
        &mut self,
        pod: &Object,
        (kind, reason, message): (&'static str, &'static str, String),
        now: Timestamp,
    ) -> Post {
        let now = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let same = format!("{}/{reason}/{message}", pod.uid());
        if let Some(posted) = self.posted.get_mut(&same) {
            posted.count += 1;
            let patch = json!({"count": posted.count, "lastTimestamp": now});
            return Post::Again { key: posted.key.clone(), patch };
        }
        self.number += 1;
        let started = uuid::Uuid::new_v4().as_fields().0;
        let key =
            Key::namespaced(Kind::Event, pod.namespace(), format!("{}.{started:08x}{:04x}", pod.name(), self.number));
        let body = json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": key.name, "namespace": key.namespace},
            "type": kind,
            "reason": reason,
            "message": message,
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {"component": "kubelet", "host": pod.text("/spec/nodeName")},
            "reportingComponent": "kubelet",
            "reportingInstance": pod.text("/spec/nodeName"),
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": pod.name(),
                "namespace": pod.namespace(),
                "uid": pod.uid(),
            },
        });
        self.posted.insert(same, Posted { pod: pod.uid().to_owned(), key: key.clone(), count: 1 });
        Post::New { key, body }
    }
}
