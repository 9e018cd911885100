//! Health of pods, and what is the matter with one that is not ready: which container on which node, why, since when,
//! and whether waiting longer can help.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::{Health, condition, is_terminating};
use crate::object::Object;

/// After this many restarts a crash loop is taken for one; a daemon may well fail once while its node is starting.
const CRASH_LOOP_RESTARTS: u64 = 3;

/// Reasons for which a container waits and which do not go away by waiting. A pull error is among them: the kubelet
/// tries again, but what it lacks (a name, a right, a route) has to be given by somebody.
const LASTING_REASONS: &[&str] = &[
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
    "CreateContainerConfigError",
    "CreateContainerError",
];

/// Reasons that only say that nothing has gone wrong yet.
const STARTING_REASONS: &[&str] = &["ContainerCreating", "PodInitializing"];

/// What keeps a pod from being ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodTrouble {
    /// The node it runs on, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The pod as `namespace/name`; where none could be made, `of DaemonSet namespace/name`.
    pub pod: String,
    /// The container it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// One word: `ImagePullBackOff`, `Unschedulable`, `NotReady` …
    pub reason: String,
    /// What the cluster says about it; may be empty.
    pub message: String,
    /// How often the container has been restarted.
    pub restarts: u64,
    /// Since when, as far as the pod tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Whether waiting longer cannot help.
    pub ends_early: bool,
}

impl fmt::Display for PodTrouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(node) = &self.node {
            write!(formatter, "node {node}: ")?;
        }
        write!(formatter, "pod {}", self.pod)?;
        if let Some(container) = &self.container {
            write!(formatter, ", container {container}")?;
        }
        write!(formatter, ": {}", self.reason)?;
        if self.restarts > 0 {
            write!(formatter, ", {} restarts", self.restarts)?;
        }
        if !self.message.is_empty() {
            write!(formatter, " ({})", self.message)?;
        }
        Ok(())
    }
}

/// Judges a Pod.
#[must_use]
pub fn assess(object: &Object) -> Health {
    if is_terminating(object) {
        return Health::Terminating;
    }
    match trouble(object) {
        None => Health::Current,
        Some(trouble) if trouble.ends_early => Health::failed(trouble.to_string()),
        Some(trouble) => Health::progressing(trouble.to_string()),
    }
}

/// Returns what keeps a pod from being ready; nothing if it is ready or has completed.
#[must_use]
pub fn trouble(object: &Object) -> Option<PodTrouble> {
    let status = object.value().get("status").unwrap_or(&Value::Null);
    let phase = text(status, "phase");
    if phase == "Succeeded" || condition(object, "Ready").is_some_and(|ready| ready.is_true()) {
        return None;
    }
    let about = About::new(object, status);
    if phase == "Failed" {
        let reason = Some(text(status, "reason")).filter(|reason| !reason.is_empty()).unwrap_or("Failed");
        return Some(about.pod(reason, text(status, "message")));
    }
    if let Some(scheduled) = condition(object, "PodScheduled").filter(super::Condition::is_false) {
        return Some(about.pod(scheduled.reason, scheduled.message));
    }
    about
        .init_containers()
        .or_else(|| about.containers())
        .or_else(|| {
            let not_ready = condition(object, "Ready").filter(super::Condition::is_false)?;
            Some(about.pod("NotReady", not_ready.message))
        })
        .or_else(|| {
            let message = if about.node.is_none() { "no node has been chosen yet" } else { "" };
            Some(about.pod(if phase.is_empty() { "Pending" } else { phase }, message))
        })
}

/// The pod that a trouble is about.
struct About<'a> {
    object: &'a Object,
    status: &'a Value,
    node: Option<&'a str>,
}

impl<'a> About<'a> {
    fn new(object: &'a Object, status: &'a Value) -> Self {
        let node = object.value().pointer("/spec/nodeName").and_then(Value::as_str).filter(|node| !node.is_empty());
        Self { object, status, node }
    }

    /// An init container that has not done its part: they run one after the other, so the first one is the culprit.
    fn init_containers(&self) -> Option<PodTrouble> {
        let pending = self.statuses("initContainerStatuses").find(|container| {
            let succeeded = container.pointer("/state/terminated/exitCode").and_then(Value::as_i64) == Some(0);
            // A side container among them never ends; having started is its part.
            let started = container.get("started").and_then(Value::as_bool) == Some(true);
            !(succeeded || started && self.is_side_container(text(container, "name")))
        })?;
        let running = pending.pointer("/state/running").is_some_and(|running| !running.is_null());
        if running {
            return Some(self.container(pending, "InitRunning", "an init container is still running"));
        }
        self.stopped(pending).or_else(|| Some(self.container(pending, "PodInitializing", "")))
    }

    fn is_side_container(&self, name: &str) -> bool {
        self.object
            .value()
            .pointer("/spec/initContainers")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .any(|container| text(container, "name") == name && text(container, "restartPolicy") == "Always")
    }

    /// The container that is furthest from being ready: one that cannot start before one that has not passed its probe.
    fn containers(&self) -> Option<PodTrouble> {
        let unready = || {
            self.statuses("containerStatuses")
                .filter(|container| container.get("ready").and_then(Value::as_bool) != Some(true))
        };
        let stopped: Vec<PodTrouble> = unready().filter_map(|container| self.stopped(container)).collect();
        let worst = stopped.iter().position(|trouble| trouble.ends_early).unwrap_or(0);
        stopped.into_iter().nth(worst).or_else(|| {
            unready()
                .next()
                .map(|container| self.container(container, "NotReady", "its readiness probe has not passed"))
        })
    }

    /// What keeps a container from running, if it does not run.
    fn stopped(&self, container: &Value) -> Option<PodTrouble> {
        let restarts = container.get("restartCount").and_then(Value::as_u64).unwrap_or(0);
        let last_message = ["/state/terminated", "/lastState/terminated"].into_iter().find_map(|path| {
            let ended = container.pointer(path)?;
            let exit = ended.get("exitCode").and_then(Value::as_i64)?;
            let message = text(ended, "message");
            let reason = text(ended, "reason");
            let why = if message.is_empty() { reason } else { message };
            Some(if why.is_empty() { format!("exit code {exit}") } else { format!("exit code {exit}: {why}") })
        });
        if let Some(waiting) = container.pointer("/state/waiting").filter(|waiting| !waiting.is_null()) {
            let reason = text(waiting, "reason");
            let said = text(waiting, "message");
            if reason == "CrashLoopBackOff" {
                let mut trouble = self.container(container, reason, &last_message.unwrap_or_else(|| said.to_owned()));
                trouble.ends_early = restarts >= CRASH_LOOP_RESTARTS;
                return Some(trouble);
            }
            let reason = if reason.is_empty() { "Waiting" } else { reason };
            let mut trouble = self.container(container, reason, said);
            trouble.ends_early = LASTING_REASONS.contains(&reason);
            return Some(trouble);
        }
        let terminated = container.pointer("/state/terminated").filter(|terminated| !terminated.is_null())?;
        let reason = Some(text(terminated, "reason")).filter(|reason| !reason.is_empty()).unwrap_or("Terminated");
        Some(self.container(container, reason, &last_message.unwrap_or_default()))
    }

    fn statuses(&self, list: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
        self.status.get(list).and_then(Value::as_array).into_iter().flatten()
    }

    fn pod(&self, reason: &str, message: &str) -> PodTrouble {
        PodTrouble {
            node: self.node.map(str::to_owned),
            pod: match self.object.namespace() {
                Some(namespace) => format!("{namespace}/{}", self.object.name()),
                None => self.object.name().to_owned(),
            },
            container: None,
            reason: reason.to_owned(),
            message: message.to_owned(),
            restarts: 0,
            since: self.since(None),
            ends_early: false,
        }
    }

    fn container(&self, container: &Value, reason: &str, message: &str) -> PodTrouble {
        PodTrouble {
            container: Some(text(container, "name").to_owned()),
            restarts: container.get("restartCount").and_then(Value::as_u64).unwrap_or(0),
            since: self.since(Some(container)),
            ..self.pod(reason, message)
        }
    }

    /// A waiting container carries no time of its own, so the end of its last run, or the start of the pod, must do.
    fn since(&self, container: Option<&Value>) -> Option<Timestamp> {
        let in_container =
            ["/state/running/startedAt", "/state/terminated/finishedAt", "/lastState/terminated/finishedAt"];
        let time = |value: &Value, path: &str| value.pointer(path)?.as_str()?.parse().ok();
        container
            .and_then(|container| in_container.into_iter().find_map(|path| time(container, path)))
            .or_else(|| time(self.status, "/startTime"))
            .or_else(|| time(self.object.value(), "/metadata/creationTimestamp"))
    }
}

impl PodTrouble {
    /// Whether the pod is merely starting: nothing is known to be wrong.
    #[must_use]
    pub fn is_only_starting(&self) -> bool {
        self.restarts == 0 && STARTING_REASONS.contains(&self.reason.as_str())
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::tests::object;

    fn pod(status: &str) -> Object {
        object(&format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: mizar-daemon-x, namespace: mizar-system}},
               spec: {{nodeName: node-1}}, status: {status}}}"
        ))
    }

    fn found(status: &str) -> PodTrouble {
        trouble(&pod(status)).expect("this pod is not ready")
    }

    #[test]
    fn a_ready_or_completed_pod_has_no_trouble() {
        assert_eq!(trouble(&pod("{phase: Running, conditions: [{type: Ready, status: 'True'}]}")), None);
        assert_eq!(trouble(&pod("{phase: Succeeded}")), None);
        assert_eq!(assess(&pod("{phase: Succeeded}")), Health::Current);
    }

    #[test]
    fn a_pull_error_names_node_container_and_message_and_ends_the_wait() {
        let it = found(
            "{phase: Pending, startTime: '2026-01-01T00:00:00Z', containerStatuses: [
              {name: mizar-daemon, ready: false, restartCount: 0,
               state: {waiting: {reason: ImagePullBackOff, message: Back-off pulling image x}}}]}",
        );
        assert_eq!(
            it.to_string(),
            "node node-1: pod mizar-system/mizar-daemon-x, container mizar-daemon: ImagePullBackOff (Back-off pulling image x)"
        );
        assert!(it.ends_early);
        assert_eq!(it.since, Some("2026-01-01T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn every_lasting_reason_ends_the_wait() {
        for reason in LASTING_REASONS {
            let status =
                format!("{{containerStatuses: [{{name: c, ready: false, state: {{waiting: {{reason: {reason}}}}}}}]}}");
            assert!(found(&status).ends_early, "{reason}");
        }
    }

    #[test]
    fn a_crash_is_a_loop_only_after_some_restarts() {
        let crash = |restarts: u64| {
            found(&format!(
                "{{phase: Running, containerStatuses: [{{name: c, ready: false, restartCount: {restarts},
                   state: {{waiting: {{reason: CrashLoopBackOff, message: back-off 10s}}}},
                   lastState: {{terminated: {{exitCode: 1, reason: Error, finishedAt: '2026-01-01T00:01:00Z'}}}}}}]}}"
            ))
        };
        assert!(!crash(1).ends_early);
        let loop_ = crash(3);
        assert!(loop_.ends_early);
        assert_eq!(
            loop_.to_string(),
            "node node-1: pod mizar-system/mizar-daemon-x, container c: CrashLoopBackOff, 3 restarts (exit code 1: Error)"
        );
        assert_eq!(loop_.since, Some("2026-01-01T00:01:00Z".parse().unwrap()));
    }

    #[test]
    fn a_container_that_has_just_crashed_is_trouble_but_may_recover() {
        let it = found("{containerStatuses: [{name: c, ready: false, state: {terminated: {exitCode: 2}}}]}");
        assert_eq!((it.reason.as_str(), it.message.as_str(), it.ends_early), ("Terminated", "exit code 2", false));
    }

    #[test]
    fn an_init_container_comes_before_the_containers_that_wait_for_it() {
        let rest = "containerStatuses: [{name: c, ready: false, state: {waiting: {reason: PodInitializing}}}]";
        let running = found(&format!(
            "{{initContainerStatuses: [{{name: done, state: {{terminated: {{exitCode: 0}}}}}},
                {{name: node-init, state: {{running: {{startedAt: '2026-01-01T00:00:00Z'}}}}}}], {rest}}}"
        ));
        assert_eq!((running.container.as_deref(), running.reason.as_str()), (Some("node-init"), "InitRunning"));
        let failing = found(&format!(
            "{{initContainerStatuses: [{{name: node-init, state: {{waiting: {{reason: ErrImagePull}}}}}}], {rest}}}"
        ));
        assert_eq!((failing.container.as_deref(), failing.ends_early), (Some("node-init"), true));
    }

    #[test]
    fn a_side_container_that_runs_is_not_waited_for() {
        let pod = object(
            "{apiVersion: v1, kind: Pod, metadata: {name: p},
              spec: {nodeName: n, initContainers: [{name: side, restartPolicy: Always}]},
              status: {phase: Pending,
                initContainerStatuses: [{name: side, started: true, state: {running: {}}}],
                containerStatuses: [{name: c, ready: false, state: {waiting: {reason: ContainerCreating}}}]}}",
        );
        let it = trouble(&pod).unwrap();
        assert_eq!(it.container.as_deref(), Some("c"));
        assert!(it.is_only_starting());
    }

    #[test]
    fn the_worst_container_is_the_one_that_is_named() {
        let it = found(
            "{containerStatuses: [
              {name: slow, ready: false, state: {waiting: {reason: ContainerCreating}}},
              {name: broken, ready: false, state: {waiting: {reason: InvalidImageName}}}]}",
        );
        assert_eq!(it.container.as_deref(), Some("broken"));
    }

    #[test]
    fn a_running_container_that_fails_its_probe_is_not_ready() {
        let it = found("{phase: Running, containerStatuses: [{name: c, ready: false, state: {running: {}}}]}");
        assert_eq!((it.reason.as_str(), it.ends_early), ("NotReady", false));
        let gate = found(
            "{phase: Running, conditions: [{type: Ready, status: 'False', message: gates}],
                           containerStatuses: [{name: c, ready: true, state: {running: {}}}]}",
        );
        assert_eq!((gate.reason.as_str(), gate.message.as_str()), ("NotReady", "gates"));
    }

    #[test]
    fn a_pod_without_node_says_what_the_scheduler_says() {
        let pod = object(
            "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: one}, status: {phase: Pending, conditions: [
              {type: PodScheduled, status: 'False', reason: Unschedulable, message: 0/3 nodes are available}]}}",
        );
        assert_eq!(trouble(&pod).unwrap().to_string(), "pod one/p: Unschedulable (0/3 nodes are available)");
        let fresh = object("{apiVersion: v1, kind: Pod, metadata: {name: p}, status: {phase: Pending}}");
        assert_eq!(trouble(&fresh).unwrap().to_string(), "pod p: Pending (no node has been chosen yet)");
    }

    #[test]
    fn a_failed_pod_names_its_own_reason() {
        assert_eq!(found("{phase: Failed, reason: Evicted, message: disk}").reason, "Evicted");
        assert_eq!(found("{phase: Failed}").reason, "Failed");
    }
}
