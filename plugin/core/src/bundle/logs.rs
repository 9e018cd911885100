//! Whose logs are taken: those of Mizar's pods, the operator's first and then those of pods that are not well, since there may
//! not be time or room for all.

use std::cmp::Reverse;

use serde_json::Value;

use super::index::{Missing, Why};
use super::{file_name, place};

/// Of how many daemons that are well the logs are taken: one says what the other does.
pub const MOST_WELL: usize = 20;

/// One container's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The namespace of its pod.
    pub namespace: String,
    /// Its pod.
    pub pod: String,
    /// Its container.
    pub container: String,
    /// Whether it is that of the container before the last restart.
    pub previous: bool,
}

impl Log {
    /// Its place in the archive.
    #[must_use]
    pub fn path(&self) -> String {
        let previous = if self.previous { ".previous" } else { "" };
        format!("{}/{}/{}{previous}.log", place::LOGS, file_name(&self.pod), file_name(&self.container))
    }

    /// Where the server has it.
    #[must_use]
    pub fn request(&self, lines: u32, age_seconds: Option<u64>, bytes: u64) -> String {
        let Self { namespace, pod, container, previous } = self;
        let age = age_seconds.map(|age| format!("&sinceSeconds={age}")).unwrap_or_default();
        let previous = if *previous { "&previous=true" } else { "" };
        format!(
            "/api/v1/namespaces/{namespace}/pods/{pod}/log?container={container}&timestamps=true&tailLines={lines}&limitBytes={bytes}{age}{previous}"
        )
    }
}

/// What of a pod decides about its logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodLogs {
    namespace: String,
    pod: String,
    is_operator: bool,
    is_well: bool,
    /// Name, and whether it was restarted.
    containers: Vec<(String, bool)>,
}

impl PodLogs {
    /// Reads a pod. A container that was never started has no log.
    #[must_use]
    pub fn of(pod: &Value) -> Self {
        let text = |pointer: &str| pod.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let statuses = ["/status/initContainerStatuses", "/status/containerStatuses"];
        let statuses = statuses.into_iter().filter_map(|pointer| pod.pointer(pointer)?.as_array()).flatten();
        let containers = statuses.filter_map(|status| {
            let restarted = status["restartCount"].as_u64().unwrap_or_default() > 0
                || status["lastState"]["terminated"].is_object();
            let began = restarted || !status["state"]["running"].is_null() || !status["state"]["terminated"].is_null();
            began.then(|| (status["name"].as_str().unwrap_or_default().to_owned(), restarted))
        });
        let containers: Vec<(String, bool)> = containers.filter(|(name, _)| !name.is_empty()).collect();
        let ready = pod.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
        let mut ready = ready.filter(|condition| condition["type"] == "Ready");
        let is_ready = ready.any(|condition| condition["status"] == "True");
        Self {
            namespace: text("/metadata/namespace"),
            pod: text("/metadata/name"),
            is_operator: text("/metadata/labels/app") == "mizar-operator",
            is_well: is_ready && containers.iter().all(|(_, restarted)| !restarted),
            containers,
        }
    }

    fn logs(&self) -> impl Iterator<Item = Log> + '_ {
        self.containers.iter().flat_map(|(container, restarted)| {
            // What went wrong stands in the one before.
            let before = restarted.then_some(true);
            before.into_iter().chain([false]).map(|previous| Log {
                namespace: self.namespace.clone(),
                pod: self.pod.clone(),
                container: container.clone(),
                previous,
            })
        })
    }
}

/// Returns the logs to take, the most telling first, and what is left out because enough others say the same.
#[must_use]
pub fn plan(mut pods: Vec<PodLogs>) -> (Vec<Log>, Option<Missing>) {
    pods.sort_by_key(|pod| (Reverse(pod.is_operator), pod.is_well, pod.namespace.clone(), pod.pod.clone()));
    pods.dedup_by(|a, b| (&a.namespace, &a.pod) == (&b.namespace, &b.pod));
    let is_one_of_many = |pod: &PodLogs| pod.is_well && !pod.is_operator;
    let well = pods.iter().filter(|pod| is_one_of_many(pod)).count();
    let surplus = well.saturating_sub(MOST_WELL);
    pods.truncate(pods.len() - surplus);
    let left_out = (surplus > 0).then(|| Missing {
        what: place::LOGS.to_owned(),
        why: Why::Surplus,
        message: format!("{surplus} more pods are well and were never restarted; {MOST_WELL} of such are here"),
    });
    (pods.iter().flat_map(PodLogs::logs).collect(), left_out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, operator: bool, ready: bool, restarts: u64) -> Value {
        let app = if operator { json!({"app": "mizar-operator"}) } else { json!({"job": "mizar-daemon"}) };
        json!({
            "metadata": {"name": name, "namespace": "mizar-system", "labels": app},
            "status": {
                "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}],
                "initContainerStatuses": [{"name": "save", "state": {"terminated": {"exitCode": 0}}, "restartCount": 0}],
                "containerStatuses": [{"name": "main", "state": {"running": {}}, "restartCount": restarts}],
            },
        })
    }

    fn paths(pods: &[Value]) -> Vec<String> {
        plan(pods.iter().map(PodLogs::of).collect()).0.iter().map(Log::path).collect()
    }

    #[test]
    fn the_operator_comes_first_and_then_who_is_not_well() {
        let pods = [pod("d-well", false, true, 0), pod("d-sick", false, false, 2), pod("op", true, true, 0)];
        assert_eq!(
            paths(&pods),
            [
                "logs/op/save.log",
                "logs/op/main.log",
                "logs/d-sick/save.log",
                "logs/d-sick/main.previous.log",
                "logs/d-sick/main.log",
                "logs/d-well/save.log",
                "logs/d-well/main.log",
            ]
        );
    }

    #[test]
    fn a_container_that_never_began_has_no_log() {
        let mut waiting = pod("d", false, false, 0);
        waiting["status"]["containerStatuses"][0]["state"] = json!({"waiting": {"reason": "ImagePullBackOff"}});
        assert_eq!(paths(&[waiting, json!({}), json!({"status": {"containerStatuses": "x"}})]), ["logs/d/save.log"]);
        let mut crashed = pod("d", false, false, 3);
        crashed["status"]["containerStatuses"][0]["state"] = json!({"waiting": {"reason": "CrashLoopBackOff"}});
        assert_eq!(paths(&[crashed]), ["logs/d/save.log", "logs/d/main.previous.log", "logs/d/main.log"]);
    }

    #[test]
    fn many_that_are_well_say_the_same() {
        let pods: Vec<Value> = (0..50).map(|number| pod(&format!("d{number:02}"), false, true, 0)).collect();
        let (logs, left_out) = plan(pods.iter().map(PodLogs::of).collect());
        assert_eq!(logs.len(), 2 * MOST_WELL);
        let left_out = left_out.unwrap();
        assert_eq!(left_out.message, "30 more pods are well and were never restarted; 20 of such are here");
        let sick: Vec<Value> = (0..50).map(|number| pod(&format!("d{number:02}"), false, false, 0)).collect();
        assert_eq!(plan(sick.iter().map(PodLogs::of).collect()).1, None);
        // Two lists may hold the same pod.
        assert_eq!(paths(&[pod("d", false, true, 0), pod("d", false, true, 0)]).len(), 2);
    }

    #[test]
    fn a_log_is_asked_for_with_its_limits() {
        let log = Log { namespace: "n".into(), pod: "p".into(), container: "c".into(), previous: true };
        assert_eq!(
            log.request(100, Some(60), 1024),
            "/api/v1/namespaces/n/pods/p/log?container=c&timestamps=true&tailLines=100&limitBytes=1024&sinceSeconds=60&previous=true"
        );
    }
}
