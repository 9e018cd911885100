//! How a pod's life looks in the API: its status, and the Events about it.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::lifecycle::{LastExit, Lifecycle, Notice, Phase};
use crate::object::Object;

/// The end of an image's tag by which a test says that it does not exist.
pub(crate) const UNPULLABLE: &str = "-nopull";

/// Returns the status of a pod, whole.
pub(crate) fn of(pod: &Object, life: &Lifecycle, host_ip: &str) -> Value {
    let mut status = json!({
        "phase": phase(life),
        "startTime": moment(life.accepted),
        "hostIP": host_ip,
        "hostIPs": [{"ip": host_ip}],
        "conditions": conditions(pod, life),
        "containerStatuses": containers(pod, life),
    });
    if !pod.list("/spec/initContainers").is_empty() {
        status["initContainerStatuses"] = init_containers(pod, life);
    }
    if let Some(address) = &life.address {
        status["podIP"] = json!(address);
        status["podIPs"] = json!([{"ip": address}]);
    }
    json!({ "status": status })
}

fn phase(life: &Lifecycle) -> &'static str {
    match life.phase {
        Phase::Ended { exit_code: 0 } => "Succeeded",
        Phase::Ended { .. } => "Failed",
        Phase::Creating | Phase::Initializing { .. } | Phase::PullFailing { .. } if life.started.is_none() => "Pending",
        _ => "Running",
    }
}

fn conditions(pod: &Object, life: &Lifecycle) -> Value {
    let scheduled =
        pod.list("/status/conditions").iter().find(|condition| condition["type"] == "PodScheduled").cloned();
    let scheduled = scheduled.unwrap_or_else(|| condition("PodScheduled", None, life.accepted));
    let initialized = (!life.initialized).then_some("ContainersNotInitialized");
    let ready = (!life.is_ready()).then_some("ContainersNotReady");
    json!([
        scheduled,
        condition("Initialized", initialized, if life.initialized { life.accepted } else { life.since }),
        condition("ContainersReady", ready, life.since),
        condition("Ready", ready, life.since),
    ])
}

fn condition(kind: &str, reason: Option<&str>, since: Timestamp) -> Value {
    let mut condition = json!({
        "type": kind,
        "status": if reason.is_none() { "True" } else { "False" },
        "lastProbeTime": null,
        "lastTransitionTime": moment(since),
    });
    if let Some(reason) = reason {
        condition["reason"] = json!(reason);
    }
    condition
}

fn containers(pod: &Object, life: &Lifecycle) -> Value {
    let back_off = |name: &Value| {
        format!("back-off restarting failed container={} pod={}_{}", text(name), pod.name(), pod.namespace())
    };
    let all = pod.list("/spec/containers").iter().map(|container| {
        let state = match &life.phase {
            Phase::Creating if life.initialized || !has_init_containers(pod) => waiting("ContainerCreating", None),
            Phase::PullFailing { backing_off } if main_pull_fails(pod, life) => {
                pull_failure(&container["image"], *backing_off)
            }
            Phase::Creating | Phase::Initializing { .. } | Phase::PullFailing { .. } => {
                waiting("PodInitializing", None)
            }
            Phase::Running { .. } => running(life),
            Phase::Crashed => terminated(life.last_exit, life.since),
            Phase::BackingOff => waiting("CrashLoopBackOff", Some(&back_off(&container["name"]))),
            Phase::Ended { exit_code } => ended(life, *exit_code),
        };
        let last_state = match life.phase {
            Phase::Crashed | Phase::Ended { .. } => json!({}),
            _ => life.last_exit.map_or(json!({}), |exit| terminated(Some(exit), life.since)),
        };
        container_status(container, &state, &last_state, life)
    });
    Value::Array(all.collect())
}

fn init_containers(pod: &Object, life: &Lifecycle) -> Value {
    let all = pod.list("/spec/initContainers").iter().enumerate().map(|(position, container)| {
        let finished = json!({"terminated": {
            "exitCode": 0,
            "reason": "Completed",
            "startedAt": moment(life.accepted),
            "finishedAt": moment(if life.initialized { life.accepted } else { life.since }),
        }});
        let (state, done) = match &life.phase {
            Phase::Initializing { index } if position < *index => (finished, true),
            Phase::Initializing { index } if position == *index => {
                (json!({"running": {"startedAt": moment(life.since)}}), false)
            }
            _ if life.initialized => (finished, true),
            Phase::PullFailing { .. } if main_pull_fails(pod, life) => (finished, true),
            Phase::PullFailing { backing_off } if position == 0 => {
                (pull_failure(&container["image"], *backing_off), false)
            }
            _ => (waiting("PodInitializing", None), false),
        };
        json!({
            "name": container["name"],
            "image": container["image"],
            "imageID": if done { image_id(&container["image"]) } else { String::new() },
            "ready": done,
            "started": false,
            "restartCount": 0,
            "state": state,
            "lastState": {},
        })
    });
    Value::Array(all.collect())
}

/// Whether a pull error is one of the containers proper, not of the init containers before them.
fn main_pull_fails(pod: &Object, life: &Lifecycle) -> bool {
    let names_itself = |container: &Value| text(&container["image"]).ends_with(UNPULLABLE);
    let only_main = pod.list("/spec/containers").iter().any(names_itself)
        && !pod.list("/spec/initContainers").iter().any(names_itself);
    life.initialized || !has_init_containers(pod) || only_main
}

fn has_init_containers(pod: &Object) -> bool {
    !pod.list("/spec/initContainers").is_empty()
}

fn container_status(container: &Value, state: &Value, last_state: &Value, life: &Lifecycle) -> Value {
    let pulled = life.started.is_some();
    let mut status = Map::new();
    for (name, value) in [
        ("name", container["name"].clone()),
        ("image", container["image"].clone()),
        ("imageID", json!(if pulled { image_id(&container["image"]) } else { String::new() })),
        ("ready", json!(life.is_ready())),
        ("started", json!(life.is_running())),
        ("restartCount", json!(life.restarts)),
        ("state", state.clone()),
        ("lastState", last_state.clone()),
    ] {
        status.insert(name.to_owned(), value);
    }
    if pulled {
        status.insert("containerID".to_owned(), json!(format!("containerd://{:08x}", life.restarts)));
    }
    Value::Object(status)
}

/// A digest names itself; a tag gets one made of its text, so that equal images have equal identifiers.
fn image_id(image: &Value) -> String {
    let image = text(image);
    if image.contains('@') {
        return image.to_owned();
    }
    let halves =
        ["a", "b"].map(|half| uuid::Uuid::new_v3(&uuid::Uuid::NAMESPACE_OID, format!("{half}{image}").as_bytes()));
    let name = image.rsplit_once(':').map_or(image, |(name, _)| name);
    format!("{name}@sha256:{}{}", halves[0].simple(), halves[1].simple())
}

fn waiting(reason: &str, message: Option<&str>) -> Value {
    let mut state = json!({"waiting": {"reason": reason}});
    if let Some(message) = message {
        state["waiting"]["message"] = json!(message);
    }
    state
}

fn pull_failure(image: &Value, backing_off: bool) -> Value {
    if backing_off {
        waiting("ImagePullBackOff", Some(&format!("Back-off pulling image \"{}\"", text(image))))
    } else {
        waiting("ErrImagePull", Some(&not_found(text(image))))
    }
}

fn not_found(image: &str) -> String {
    format!("failed to pull and unpack image \"{image}\": failed to resolve reference \"{image}\": {image}: not found")
}

fn running(life: &Lifecycle) -> Value {
    json!({"running": {"startedAt": moment(life.started.unwrap_or(life.since))}})
}

fn terminated(exit: Option<LastExit>, now: Timestamp) -> Value {
    let exit = exit.unwrap_or(LastExit { code: 1, started: now, finished: now });
    json!({"terminated": {
        "exitCode": exit.code,
        "reason": if exit.code == 0 { "Completed" } else { "Error" },
        "startedAt": moment(exit.started),
        "finishedAt": moment(exit.finished),
    }})
}

fn ended(life: &Lifecycle, exit_code: i64) -> Value {
    let started = life.started.unwrap_or(life.since);
    terminated(Some(LastExit { code: exit_code, started, finished: life.since }), life.since)
}

/// Returns type, reason and message of the Event about something that happened to a pod.
pub(crate) fn event_texts(pod: &Object, life: &Lifecycle, notice: &Notice) -> (&'static str, &'static str, String) {
    let image = failing_image(pod);
    let container = text(&pod.list("/spec/containers").first().cloned().unwrap_or_default()["name"]).to_owned();
    match notice {
        Notice::PullFailed => ("Warning", "Failed", format!("Failed to pull image \"{image}\": {}", not_found(image))),
        Notice::PullBackOff => ("Normal", "BackOff", format!("Back-off pulling image \"{image}\"")),
        Notice::NoNetwork => (
            "Warning",
            "FailedCreatePodSandBox",
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox: plugin \
             type=\"mizarcni\" failed (add): interface not produced within 8 s"
                .to_owned(),
        ),
        Notice::Unhealthy => {
            let (address, port) = (life.address.clone().unwrap_or_default(), probe_port(pod));
            let message =
                format!("Readiness probe failed: dial tcp {address}:{port}: connect: connection refused");
            ("Warning", "Unhealthy", message)
        }
        Notice::BackOff => (
            "Warning",
            "BackOff",
            format!("Back-off restarting failed container {container} in pod {}_{}", pod.name(), pod.namespace()),
        ),
    }
}

/// Returns the image that cannot be pulled: one that says so by its tag, or else the first.
fn failing_image(pod: &Object) -> &str {
    let images: Vec<&str> = images(pod).collect();
    let named = images.iter().find(|image| image.ends_with(UNPULLABLE));
    named.or(images.first()).copied().unwrap_or_default()
}

/// Returns the images of all containers in the order in which they are pulled.
pub(crate) fn images(pod: &Object) -> impl Iterator<Item = &str> {
    let all = pod.list("/spec/initContainers").iter().chain(pod.list("/spec/containers"));
    all.filter_map(|container| container["image"].as_str())
}

/// Returns the port that the readiness probe dials; the daemon's own where the pod names none by number.
fn probe_port(pod: &Object) -> u64 {
    let probe = pod.at("/spec/containers/0/readinessProbe").cloned().unwrap_or_default();
    let port = [&probe["tcpSocket"]["port"], &probe["grpc"]["port"], &probe["httpGet"]["port"]];
    port.into_iter().find_map(Value::as_u64).unwrap_or(50051)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Kind;

    fn a_daemon_pod() -> Object {
        Object::new(
            Kind::Pod,
            json!({
                "metadata": {"name": "mizar-daemon-x", "namespace": "mizar-system"},
                "spec": {
                    "initContainers": [{"name": "node-init", "image": "mizar:1"}],
                    "containers": [{"name": "mizar-daemon", "image": "dropletd:1-nopull"}],
                },
            }),
        )
    }

    fn life_in(phase: Phase) -> Lifecycle {
        let mut life = Lifecycle::new(Timestamp::UNIX_EPOCH);
        life.phase = phase;
        life
    }

    #[test]
    fn a_new_pod_is_pending_on_its_host() {
        let status = of(&a_daemon_pod(), &life_in(Phase::Creating), "127.1.0.1")["status"].clone();
        assert_eq!((&status["phase"], &status["hostIP"]), (&json!("Pending"), &json!("127.1.0.1")));
        assert!(status.get("podIP").is_none());
        assert_eq!(status["containerStatuses"][0]["state"]["waiting"]["reason"], "PodInitializing");
    }

    #[test]
    fn a_crash_loop_shows_the_last_exit() {
        let exit = LastExit { code: 1, started: Timestamp::UNIX_EPOCH, finished: Timestamp::UNIX_EPOCH };
        let mut life = life_in(Phase::BackingOff);
        life.last_exit = Some(exit);
        life.initialized = true;
        let container = of(&a_daemon_pod(), &life, "127.1.0.1")["status"]["containerStatuses"][0].clone();
        assert_eq!(container["state"]["waiting"]["reason"], "CrashLoopBackOff");
        assert_eq!(container["lastState"]["terminated"]["exitCode"], 1);
    }

    #[test]
    fn a_pull_error_names_the_image() {
        let life = life_in(Phase::PullFailing { backing_off: false });
        let (kind, reason, message) = event_texts(&a_daemon_pod(), &life, &Notice::PullFailed);
        assert_eq!((kind, reason), ("Warning", "Failed"));
        assert!(message.starts_with("Failed to pull image \"dropletd:1-nopull\""), "{message}");
    }

    #[test]
    fn equal_images_have_equal_identifiers_and_digests_their_own() {
        assert_eq!(image_id(&json!("a:1")), image_id(&json!("a:1")));
        assert_ne!(image_id(&json!("a:1")), image_id(&json!("a:2")));
        assert_eq!(image_id(&json!("a@sha256:00")), "a@sha256:00");
    }
}
