//! Our record of a change: what is intended, how far it is, and who is at it.
//!
//! One Secret `mizar-operation` in the release's namespace. It is written before the first change, so that a killed
//! process leaves behind what it was about to do, and renewed while the process lives, so that nobody else starts and
//! nobody waits for the dead. What to do with another's record is decided by [`claim`]; reading and writing is done
//! elsewhere.

mod claim;

#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use claim::{Claim, HolderState, claim};

/// The Secret's name.
pub const SECRET: &str = "mizar-operation";

/// The version of the format. It grows when a field gains a meaning that an older program must not overlook.
pub const FORMAT: u32 = 1;

/// Who carries out a change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Holder {
    /// The person's name on their machine.
    pub user: String,
    /// The machine.
    pub host: String,
    /// Which start of the machine; a process id means nothing after another.
    pub boot_id: String,
    /// The process.
    pub pid: u32,
    /// When the process began, in the units of its operating system; a process id may be given out again.
    pub start_time: u64,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} on {} (process {})", self.user, self.host, self.pid)
    }
}

/// How far a stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StageState {
    /// Its objects are being applied, or it is waited for.
    Running,
    /// It is done.
    Done,
}

/// One stage that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// How far it is.
    pub state: StageState,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended: Option<Timestamp>,
}

/// How a change ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Outcome {
    /// All was done.
    Done,
    /// It stopped.
    Failed {
        /// Why.
        reason: String,
    },
    /// Somebody stopped it.
    Interrupted,
}

/// The values a change was made with, each layer by itself, so that a later change can keep the choices and take new
/// defaults.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Layers {
    /// `dev` or `prod`.
    pub profile: Option<String>,
    /// What was found out about the cluster.
    pub detected: Value,
    /// What the person said, files and flags merged.
    pub user: Value,
}

/// The record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// The format's version.
    pub format: u32,
    /// `install`.
    pub command: String,
    /// The program's version.
    pub program: String,
    /// Digest of the plan that is carried out.
    pub plan: String,
    /// The values.
    pub layers: Layers,
    /// Who is at it; nobody once it has ended.
    pub holder: Option<Holder>,
    /// When it began.
    pub began: Timestamp,
    /// When the holder last said that it is alive.
    pub renewed: Timestamp,
    /// The stages that were begun.
    pub stages: Vec<Stage>,
    /// How it ended, if it did.
    pub outcome: Option<Outcome>,
}

/// Why a record cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperationError {
    /// A newer program wrote it.
    #[error("the record {SECRET} has format {found}, and this program knows formats up to {FORMAT}; use the newer kubectl-mizar")]
    Newer {
        /// Its format.
        found: u64,
    },
    /// It cannot be read.
    #[error("the record {SECRET} is damaged: {0}")]
    Damaged(String),
}

impl Operation {
    /// A change that is about to begin.
    #[must_use]
    pub fn begin(command: &str, program: &str, plan: &str, layers: Layers, holder: Holder, now: Timestamp) -> Self {
        Self {
            format: FORMAT,
            command: command.to_owned(),
            program: program.to_owned(),
            plan: plan.to_owned(),
            layers,
            holder: Some(holder),
            began: now,
            renewed: now,
            stages: Vec::new(),
            outcome: None,
        }
    }

    /// Notes that a stage began; one that began before, in a process that died, begins again.
    pub fn begin_stage(&mut self, name: &str, now: Timestamp) {
        self.stages.retain(|stage| stage.name != name);
        self.stages.push(Stage { name: name.to_owned(), state: StageState::Running, began: now, ended: None });
    }

    /// Notes that a stage is done.
    pub fn end_stage(&mut self, name: &str, now: Timestamp) {
        if let Some(stage) = self.stages.iter_mut().find(|stage| stage.name == name) {
            stage.state = StageState::Done;
            stage.ended = Some(now);
        }
    }

    /// Notes how it ended, and that nobody is at it any more.
    pub fn end(&mut self, outcome: Outcome, now: Timestamp) {
        self.outcome = Some(outcome);
        self.holder = None;
        self.renewed = now;
    }

    /// Whether something was begun and not brought to its end.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        self.outcome != Some(Outcome::Done)
    }

    /// Makes the Secret; `stored` is the one to replace, whose identity it keeps.
    #[must_use]
    pub fn to_secret(&self, namespace: &str, stored: Option<&Value>) -> Value {
        let json = serde_json::to_string(self).expect("plain fields always serialise");
        let mut metadata = json!({
            "name": SECRET,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/part-of": "mizar", "app.kubernetes.io/managed-by": "kubectl-mizar"},
        });
        for field in ["uid", "resourceVersion"] {
            if let Some(value) = stored.and_then(|secret| secret["metadata"].get(field)) {
                metadata[field] = value.clone();
            }
        }
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata,
            "type": "mizar.dev/operation",
            "data": {"operation": STANDARD.encode(json)},
        })
    }

    /// Reads the Secret.
    pub fn from_secret(secret: &Value) -> Result<Self, OperationError> {
        let damaged = |reason: &str| OperationError::Damaged(reason.to_owned());
        let data = secret["data"]["operation"].as_str().ok_or_else(|| damaged("it has no key \"operation\""))?;
        let bytes = STANDARD.decode(data).map_err(|_| damaged("its data is not base64"))?;
        let json: Value = serde_json::from_slice(&bytes).map_err(|_| damaged("its data is not JSON"))?;
        match json["format"].as_u64() {
            Some(found) if found > u64::from(FORMAT) => Err(OperationError::Newer { found }),
            Some(_) => serde_json::from_value(json).map_err(|error| OperationError::Damaged(error.to_string())),
            None => Err(damaged("it has no format number")),
        }
    }
}
