//! What happened, in the past tense. Flows tell events, reporters show them; the JSON form is our public event format,
//! one object a line. Nothing here formats for people.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::health::PodTrouble;
use crate::object::ObjectRef;

/// The version of the event format; it changes when a field changes its meaning or goes.
pub const SCHEMA: &str = "mizar.dev/events/v1";

/// One of the four steps of every change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Charts rendered, images named.
    BinaryReady,
    /// The cluster can take it.
    EnvironmentReady,
    /// Objects applied, stage by stage.
    Deploy,
    /// What runs was looked at once more.
    SanityCheck,
}

impl Step {
    /// Returns the step's name for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::BinaryReady => "Binary Ready",
            Self::EnvironmentReady => "Environment Ready",
            Self::Deploy => "Deploy",
            Self::SanityCheck => "Sanity Check",
        }
    }
}

/// What an apply did to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It did not exist.
    Created,
    /// It was different.
    Changed,
    /// It was like this already; nothing was sent.
    Unchanged,
}

/// Something that happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// A command began to work on a cluster.
    Started {
        /// `install`.
        command: String,
        /// The API server's address.
        server: String,
    },
    /// A step began.
    StepStarted {
        /// Which.
        step: Step,
    },
    /// A step ended well.
    StepFinished {
        /// Which.
        step: Step,
        /// What it came to, one line.
        summary: String,
    },
    /// A check had something to say.
    FindingMade {
        /// The check's id.
        check: String,
        /// `warn`, `fail`, `unknown`.
        status: String,
        /// One line.
        message: String,
        /// What to do.
        hint: String,
    },
    /// What would be done is known.
    PlanMade {
        /// The plan in its public JSON form.
        plan: Value,
    },
    /// A part of Deploy began.
    StageStarted {
        /// Its name, such as `daemon`.
        stage: String,
        /// What it does, for people.
        title: String,
    },
    /// An object was applied.
    ObjectApplied {
        /// The part of Deploy.
        stage: String,
        /// Which object.
        object: ObjectRef,
        /// What it came to.
        change: Change,
    },
    /// A wait went on.
    StageProgressed {
        /// The part of Deploy.
        stage: String,
        /// How many are done.
        done: usize,
        /// How many there must be.
        total: usize,
        /// What is missing, the first few.
        waiting_for: Vec<String>,
        /// Since the part began.
        #[serde(serialize_with = "seconds")]
        elapsed: Duration,
    },
    /// A wait stood still, so the pods were looked at.
    TroubleSeen {
        /// The part of Deploy.
        stage: String,
        /// What keeps pods from being ready.
        troubles: Vec<PodTrouble>,
        /// Since the part began.
        #[serde(serialize_with = "seconds")]
        elapsed: Duration,
    },
    /// A part of Deploy ended well.
    StageFinished {
        /// Its name.
        stage: String,
        /// What it came to, one line.
        summary: String,
        /// How long it took.
        #[serde(serialize_with = "seconds")]
        elapsed: Duration,
    },
    /// Something a person should know.
    Warned {
        /// One line.
        message: String,
    },
    /// Something a person may want to do next.
    Advised {
        /// A command, or where to look.
        advice: String,
    },
    /// The command ended.
    Finished {
        /// `done`, `failed`, `refused`, `timed-out`, `interrupted`.
        outcome: String,
        /// The program's exit code.
        exit_code: u8,
        /// One line.
        message: String,
        /// Requests that were sent.
        requests: usize,
        /// How long it took.
        #[serde(serialize_with = "seconds")]
        elapsed: Duration,
    },
}

impl Event {
    /// Returns the event as one line of JSON, without the line break.
    #[must_use]
    pub fn to_json_line(&self, now: Timestamp) -> String {
        let mut line = json!({"schema": SCHEMA, "time": now.to_string()});
        let event = serde_json::to_value(self).unwrap_or_else(|error| json!({"type": "broken", "error": error.to_string()}));
        if let (Some(line), Value::Object(fields)) = (line.as_object_mut(), event) {
            line.extend(fields);
        }
        line.to_string()
    }
}

/// Durations are seconds with one millisecond as the smallest part.
fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    #[expect(clippy::cast_precision_loss, reason = "no command runs for 2^52 milliseconds")]
    serializer.serialize_f64(duration.as_millis() as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_schema_time_and_type() {
        let event = Event::StageProgressed {
            stage: "daemon".into(),
            done: 2,
            total: 3,
            waiting_for: vec!["node-3".into()],
            elapsed: Duration::from_millis(1500),
        };
        assert_eq!(
            event.to_json_line(Timestamp::UNIX_EPOCH),
            r#"{"schema":"mizar.dev/events/v1","time":"1970-01-01T00:00:00Z","type":"stageProgressed","stage":"daemon","done":2,"total":3,"waitingFor":["node-3"],"elapsed":1.5}"#
        );
    }
}
