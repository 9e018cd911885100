//! One pod as the kubelet knows it: whose it is, and what is true of it now.
//!
//! Pure: what the rest of the simulator knows comes in as `Surroundings`.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    lifecycle::{Lifecycle, Situation},
    status,
};
use crate::{
    fault::{FaultOrder, PodFaults},
    object::Object,
};

/// Whose pod it is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Daemon,
    Operator,
    /// A pod that cleans its node when Mizar is taken out.
    CleanUp,
    /// A pod on the pod network.
    Networked,
    /// A pod that somebody else plays, or that has no node yet.
    Foreign,
}

impl Role {
    pub(crate) fn of(pod: &Object) -> Self {
        if pod.text("/spec/nodeName").is_none() {
            Self::Foreign
        } else if pod.label("job") == Some("mizar-daemon") {
            Self::Daemon
        } else if pod.label("app") == Some("mizar-operator") {
            Self::Operator
        } else if pod.label("app.kubernetes.io/name") == Some("mizar-clean-node") {
            Self::CleanUp
        } else if pod.at("/spec/hostNetwork").and_then(Value::as_bool) == Some(true) {
            Self::Foreign
        } else {
            Self::Networked
        }
    }
}

/// What is known around a pod.
pub(crate) struct Surroundings<'a> {
    pub(crate) orders: &'a [FaultOrder],
    pub(crate) host_ip: &'a str,
    /// The address that the network has for the pod, if it is on the pod network.
    pub(crate) network_address: Option<String>,
    pub(crate) exited: Option<i64>,
    pub(crate) ended: Option<i64>,
    pub(crate) killed: Option<i64>,
    /// How much shorter than a real second a second is here.
    pub(crate) scale: f64,
}

/// Returns what is true of a pod now.
pub(crate) fn situation(pod: &Object, role: Role, around: &Surroundings<'_>) -> Situation {
    let node = pod.text("/spec/nodeName").unwrap_or_default();
    let faults = match role {
        Role::Daemon => PodFaults::of_daemon(around.orders, node),
        Role::Operator => PodFaults::of_operator(around.orders, node),
        Role::CleanUp | Role::Networked | Role::Foreign => PodFaults::default(),
    };
    let images: Vec<String> = status::images(pod).map(str::to_owned).collect();
    let on_host = pod.at("/spec/hostNetwork").and_then(Value::as_bool) == Some(true);
    let address = if on_host { Some(around.host_ip.to_owned()) } else { around.network_address.clone() };
    Situation {
        init_containers: pod.list("/spec/initContainers").len(),
        pull_fails: faults.pull_fails || images.iter().any(|image| image.ends_with(status::UNPULLABLE)),
        images,
        crashes: faults.crashes,
        never_ready: faults.never_ready,
        ready_after: faults.slow_start.max(probe_delay(pod).mul_f64(around.scale)),
        address,
        exited: around.exited,
        ended: around.ended,
        killed: around.killed,
    }
}

/// Says what a pod lacks that is to clean its node: then the real one could not.
pub(crate) fn unable_to_clean(pod: &Object) -> Option<&'static str> {
    let is = |pointer: &str| pod.at(pointer).and_then(Value::as_bool) == Some(true);
    let has_script = pod.list("/spec/containers/0/env").iter().any(|variable| {
        variable["name"] == "CLEAN_NODE" && variable["value"].as_str().is_some_and(|text| text.starts_with("#!/bin/sh"))
    });
    if !is("/spec/hostPID") || !is("/spec/hostNetwork") || !is("/spec/containers/0/securityContext/privileged") {
        Some("the pod may not enter the namespaces of its node")
    } else if !has_script {
        Some("the pod has no script")
    } else {
        None
    }
}

/// Returns the longest time that a readiness probe waits before it first asks.
fn probe_delay(pod: &Object) -> Duration {
    let delays = pod
        .list("/spec/containers")
        .iter()
        .map(|container| container.pointer("/readinessProbe/initialDelaySeconds").and_then(Value::as_u64).unwrap_or(0));
    Duration::from_secs(delays.max().unwrap_or(0))
}

/// Takes up a pod: from the start, or where its status says that it stands.
pub(crate) fn take_up(pod: &Object, now: Timestamp) -> Lifecycle {
    let container = pod.at("/status/containerStatuses/0");
    let started = container
        .and_then(|container| container.pointer("/state/running/startedAt"))
        .and_then(Value::as_str)
        .and_then(|text| text.parse::<Timestamp>().ok());
    let (Some(container), Some(started), Some(address)) = (container, started, pod.text("/status/podIP")) else {
        return Lifecycle::new(now);
    };
    let restarts = container["restartCount"].as_i64().unwrap_or(0);
    let ready = container["ready"].as_bool().unwrap_or(false);
    let images = status::images(pod).map(str::to_owned).collect();
    Lifecycle::adopt(started, restarts, address, ready, images)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{fault::Fault, object::Kind};

    fn a_pod(labels: &Value, spec: &Value) -> Object {
        Object::new(Kind::Pod, json!({"metadata": {"name": "p", "labels": labels}, "spec": spec}))
    }

    fn around(orders: &[FaultOrder]) -> Surroundings<'_> {
        let (network_address, exited, ended, killed) = (None, None, None, None);
        Surroundings { orders, host_ip: "127.1.0.1", network_address, exited, ended, killed, scale: 0.1 }
    }

    #[test]
    fn mizars_pods_are_known_by_their_labels_and_host_network_pods_are_left_to_others() {
        let on_node = json!({"nodeName": "n1"});
        assert_eq!(Role::of(&a_pod(&json!({"job": "mizar-daemon"}), &on_node)), Role::Daemon);
        assert_eq!(Role::of(&a_pod(&json!({"app": "mizar-operator"}), &on_node)), Role::Operator);
        assert_eq!(Role::of(&a_pod(&json!({"app.kubernetes.io/name": "mizar-clean-node"}), &on_node)), Role::CleanUp);
        assert_eq!(Role::of(&a_pod(&json!({}), &on_node)), Role::Networked);
        assert_eq!(Role::of(&a_pod(&json!({}), &json!({"nodeName": "n1", "hostNetwork": true}))), Role::Foreign);
        assert_eq!(Role::of(&a_pod(&json!({"job": "mizar-daemon"}), &json!({}))), Role::Foreign);
    }

    #[test]
    fn an_image_may_say_by_its_tag_that_it_cannot_be_pulled() {
        let pod = a_pod(&json!({}), &json!({"nodeName": "n1", "containers": [{"name": "a", "image": "a:1-nopull"}]}));
        assert!(situation(&pod, Role::Networked, &around(&[])).pull_fails);
    }

    #[test]
    fn the_probe_delay_is_scaled_and_a_slow_start_is_not() {
        let probe = json!({"initialDelaySeconds": 20});
        let containers = json!([{"name": "a", "image": "a", "readinessProbe": probe}]);
        let pod = a_pod(&json!({}), &json!({"nodeName": "n1", "containers": containers}));
        assert_eq!(situation(&pod, Role::Daemon, &around(&[])).ready_after, Duration::from_secs(2));
        let slow = [FaultOrder { fault: Fault::SlowStart { seconds: 30 }, node: None }];
        assert_eq!(situation(&pod, Role::Daemon, &around(&slow)).ready_after, Duration::from_secs(30));
    }

    #[test]
    fn a_pod_that_runs_already_is_taken_up_where_it_stands() {
        let running = json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}});
        let container = json!({"restartCount": 3, "ready": true, "state": running});
        let value = json!({
            "metadata": {"name": "p"},
            "spec": {"containers": []},
            "status": {"podIP": "10.20.0.2", "containerStatuses": [container]},
        });
        let life = take_up(&Object::new(Kind::Pod, value), Timestamp::UNIX_EPOCH);
        assert!(life.is_ready());
        assert_eq!((life.restarts, life.address.as_deref()), (3, Some("10.20.0.2")));
    }
}
