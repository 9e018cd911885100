//! What became of the cleaning of a node, as its pod tells.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How far a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeState {
    /// Its Job has not ended.
    Pending,
    /// Nothing of Mizar is left on it, and what was saved is restored.
    Clean,
    /// Its Job failed, or could not run.
    Failed,
    /// Nobody wanted it cleaned.
    Skipped,
}

/// What is kept of a node in the record of an uninstall: a later run does only what is not clean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeRecord {
    /// How far it is.
    pub state: NodeState,
    /// What the Job did, or what kept it from it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<String>,
}

impl NodeRecord {
    /// A record without a word.
    #[must_use]
    pub const fn of(state: NodeState) -> Self {
        Self { state, told: Vec::new() }
    }

    /// A node that is not clean, and why.
    #[must_use]
    pub fn failed(why: impl Into<String>) -> Self {
        Self { state: NodeState::Failed, told: vec![why.into()] }
    }

    /// Reads what an earlier run recorded; what cannot be read has to be done again.
    #[must_use]
    pub fn read(recorded: &Value) -> Option<Self> {
        serde_json::from_value(recorded.clone()).ok()
    }

    /// Returns it as it is recorded.
    #[must_use]
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// How the pod of a node's Job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeOutcome {
    /// It has not; where it is.
    Running(String),
    /// It has.
    Ended(NodeRecord),
}

/// What the script writes where the kubelet finds it.
#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    done: Vec<String>,
    #[serde(default)]
    problems: Vec<String>,
}

/// Reads the end of a pod that cleans a node.
#[must_use]
pub fn judge_pod(pod: &Value) -> NodeOutcome {
    let status = &pod["status"]["containerStatuses"][0];
    let terminated = &status["state"]["terminated"];
    if let Some(code) = terminated["exitCode"].as_i64() {
        return NodeOutcome::Ended(ended(code, terminated["message"].as_str().unwrap_or_default()));
    }
    let phase = pod["status"]["phase"].as_str().unwrap_or("Pending");
    if phase == "Failed" {
        let why = pod["status"]["message"].as_str().or_else(|| pod["status"]["reason"].as_str());
        return NodeOutcome::Ended(NodeRecord::failed(why.unwrap_or("its pod failed and does not say why")));
    }
    let waiting = status["state"]["waiting"]["reason"].as_str().unwrap_or(phase);
    NodeOutcome::Running(waiting.to_owned())
}

fn ended(code: i64, message: &str) -> NodeRecord {
    let told: Option<Told> = message.lines().last().and_then(|line| serde_json::from_str(line).ok());
    match (code, told) {
        (0, Some(told)) if told.problems.is_empty() => NodeRecord { state: NodeState::Clean, told: told.done },
        (_, Some(told)) if !told.problems.is_empty() => NodeRecord { state: NodeState::Failed, told: told.problems },
        // Without a word of the script nobody knows what it did.
        _ => NodeRecord::failed(format!("the clean-up ended with exit code {code} and told nothing that can be read")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn terminated(code: i64, message: &str) -> NodeOutcome {
        let state = json!({"terminated": {"exitCode": code, "message": message}});
        judge_pod(&json!({"status": {"phase": "Succeeded", "containerStatuses": [{"state": state}]}}))
    }

    #[test]
    fn a_node_is_clean_only_if_its_script_says_so() {
        let clean = terminated(0, r#"{"done": ["stopped transitd"], "problems": []}"#);
        let record = NodeRecord { state: NodeState::Clean, told: vec!["stopped transitd".into()] };
        assert_eq!(clean, NodeOutcome::Ended(record.clone()));
        assert_eq!(NodeRecord::read(&record.to_value()), Some(record));
        let is_failed = |outcome: &NodeOutcome| matches!(outcome, NodeOutcome::Ended(NodeRecord { state: NodeState::Failed, told }) if !told.is_empty());
        for (code, message) in
            [(0, ""), (0, "what?"), (1, ""), (1, r#"{"done": []}"#), (0, r#"{"problems": ["MTU not restored"]}"#)]
        {
            assert!(is_failed(&terminated(code, message)), "{code} {message}");
        }
        assert!(is_failed(&judge_pod(&json!({"status": {"phase": "Failed", "reason": "DeadlineExceeded"}}))));
    }

    #[test]
    fn a_pod_that_has_not_ended_says_where_it_is() {
        assert_eq!(judge_pod(&json!({})), NodeOutcome::Running("Pending".into()));
        let waiting = json!([{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]);
        let pod = json!({"status": {"phase": "Pending", "containerStatuses": waiting}});
        assert_eq!(judge_pod(&pod), NodeOutcome::Running("ImagePullBackOff".into()));
    }
}
