//! The Job that cleans a node: a template beside the chart, filled in for one node.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::object::Object;
use crate::yaml::{self, DuplicateKeys};

/// The label of the Jobs and their pods.
pub const JOB_LABEL: &str = "app.kubernetes.io/name=mizar-clean-node";

/// Where the node's state from before Mizar is, unless the DaemonSet says another place.
const STATE_DIRECTORY: &str = "/var/lib/mizar";

/// What the Jobs need to know of an installation. It is recorded before the first change: by the time of the Jobs the
/// DaemonSet is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CleanUp {
    /// The image that prepared the nodes; it is on them.
    pub image: String,
    /// How it is pulled.
    pub pull_policy: String,
    /// The names of the Secrets for its registry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pull_secrets: Vec<String>,
    /// The network interface, where one was chosen.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub interface: String,
    /// Where the node's state from before Mizar is.
    pub state_directory: String,
}

/// Why there is no Job.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the template of the Job that cleans a node cannot be read: {0}")]
pub struct JobError(String);

impl CleanUp {
    /// Reads it from the DaemonSet of the daemons, live or recorded; none where it has no init container.
    #[must_use]
    pub fn of_daemon_set(daemon_set: &Value) -> Option<Self> {
        let spec = &daemon_set["spec"]["template"]["spec"];
        let all = |list: &Value| list.as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let containers = [all(&spec["initContainers"]), all(&spec["containers"])].concat();
        let init = all(&spec["initContainers"]).into_iter().next()?;
        let variables = containers.iter().flat_map(|container| all(&container["env"]));
        let interface = variables.filter(|variable| variable["name"] == "MIZAR_ITF");
        let volumes = all(&spec["volumes"]);
        let state = volumes.iter().find(|volume| volume["name"] == "node-state");
        Some(Self {
            image: init["image"].as_str().filter(|image| !image.is_empty())?.to_owned(),
            pull_policy: init["imagePullPolicy"].as_str().unwrap_or("IfNotPresent").to_owned(),
            pull_secrets: all(&spec["imagePullSecrets"]).iter().map(|secret| text(&secret["name"])).collect(),
            interface: interface.map(|variable| text(&variable["value"])).next().unwrap_or_default(),
            state_directory: state
                .and_then(|volume| volume["hostPath"]["path"].as_str())
                .unwrap_or(STATE_DIRECTORY)
                .to_owned(),
        })
    }
}

/// Returns the name of the Job of a node, always the same one: a name of a node may be longer than that of a Job.
#[must_use]
pub fn job_name(node: &str) -> String {
    let digest = Sha256::digest(node.as_bytes());
    let mut name = "mizar-clean-node-".to_owned();
    for byte in digest.iter().take(6) {
        let _infallible = write!(name, "{byte:02x}");
    }
    name
}

/// The template with its script.
#[derive(Debug, Clone)]
pub struct JobTemplate {
    job: Value,
    script: String,
}

impl JobTemplate {
    /// Reads the two files that lie beside the chart.
    pub fn new(template: &str, script: &str) -> Result<Self, JobError> {
        let documents = yaml::read_all(template, DuplicateKeys::Refuse).map_err(|error| JobError(error.to_string()))?;
        let job = documents.into_iter().map(|(job, _)| job).find(|job| job["kind"] == "Job");
        let job = job.ok_or_else(|| JobError("it holds no Job".to_owned()))?;
        if !job["spec"]["template"]["spec"]["containers"][0].is_object() {
            return Err(JobError("it has no container".to_owned()));
        }
        Ok(Self { job, script: script.to_owned() })
    }

    /// Returns the Job of a node; `seconds` is how long it may take.
    pub fn job(&self, node: &str, namespace: &str, clean_up: &CleanUp, seconds: u64) -> Result<Object, JobError> {
        let mut job = self.job.clone();
        job["metadata"]["name"] = json!(job_name(node));
        job["metadata"]["namespace"] = json!(namespace);
        job["spec"]["activeDeadlineSeconds"] = json!(seconds.max(1));
        let spec = &mut job["spec"]["template"]["spec"];
        spec["nodeName"] = json!(node);
        if !clean_up.pull_secrets.is_empty() {
            let names = clean_up.pull_secrets.iter().map(|name| json!({"name": name}));
            spec["imagePullSecrets"] = names.collect();
        }
        let container = &mut spec["containers"][0];
        container["image"] = json!(clean_up.image);
        container["imagePullPolicy"] = json!(clean_up.pull_policy);
        container["env"] = json!([
            {"name": "CLEAN_NODE", "value": self.script},
            {"name": "NODE_STATE_DIRECTORY", "value": clean_up.state_directory},
            {"name": "MIZAR_ITF", "value": clean_up.interface},
        ]);
        Object::new(job).map_err(|error| JobError(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template() -> JobTemplate {
        let job = include_str!("../../../../charts/mizar/files/clean-node-job.yaml");
        JobTemplate::new(job, include_str!("../../../../charts/mizar/files/clean-node.sh")).unwrap()
    }

    fn daemon_set() -> Value {
        json!({"spec": {"template": {"spec": {
            "imagePullSecrets": [{"name": "registry-one"}],
            "initContainers": [{"name": "save-node-state", "image": "r/mizar:1", "imagePullPolicy": "Always",
                "env": [{"name": "MIZAR_ITF", "value": "ens5"}]}],
            "containers": [{"name": "mizar-daemon", "image": "r/dropletd:1"}],
            "volumes": [{"name": "node-state", "hostPath": {"path": "/data/mizar"}}],
        }}}})
    }

    #[test]
    fn the_job_takes_image_and_places_from_the_daemon() {
        let clean_up = CleanUp::of_daemon_set(&daemon_set()).unwrap();
        let job = template().job("node-1", "mizar-system", &clean_up, 300).unwrap().into_value();
        let pod = &job["spec"]["template"]["spec"];
        assert_eq!((&pod["nodeName"], &job["spec"]["activeDeadlineSeconds"]), (&json!("node-1"), &json!(300)));
        for (field, wanted) in [
            ("/hostPID", json!(true)),
            ("/hostNetwork", json!(true)),
            ("/restartPolicy", json!("Never")),
            ("/tolerations", json!([{"operator": "Exists"}])),
            ("/containers/0/securityContext/privileged", json!(true)),
            ("/containers/0/image", json!("r/mizar:1")),
            ("/containers/0/imagePullPolicy", json!("Always")),
            ("/containers/0/env/1/value", json!("/data/mizar")),
            ("/containers/0/env/2/value", json!("ens5")),
            ("/imagePullSecrets", json!([{"name": "registry-one"}])),
        ] {
            assert_eq!(pod.pointer(field), Some(&wanted), "{field}");
        }
        let (key, value) = JOB_LABEL.split_once('=').unwrap();
        assert_eq!(job["metadata"]["labels"][key], value);
        assert_eq!(job["spec"]["template"]["metadata"]["labels"][key], value, "by which the pods are found");
    }

    #[test]
    fn an_installation_without_charts_has_an_image_and_no_chosen_places() {
        let old = json!({"spec": {"template": {"spec": {
            "initContainers": [{"name": "node-init", "image": "mizarnet/mizar:0.91"}], "containers": []}}}});
        let clean_up = CleanUp::of_daemon_set(&old).unwrap();
        assert_eq!(
            (clean_up.image.as_str(), clean_up.state_directory.as_str()),
            ("mizarnet/mizar:0.91", STATE_DIRECTORY)
        );
        assert_eq!(CleanUp::of_daemon_set(&json!({})), None);
    }

    #[test]
    fn a_node_of_any_name_has_one_job_of_its_own() {
        let long = "n".repeat(253);
        assert!(job_name(&long).len() <= 63);
        assert_eq!(job_name("node-1"), job_name("node-1"));
        assert_ne!(job_name("node-1"), job_name("node-2"));
    }
}
