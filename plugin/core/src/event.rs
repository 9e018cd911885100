//! What happened, for whoever reports it: a terminal, plain lines, or a program that reads JSON. Events are named in
//! the past tense and hold values, no text made for people; the JSON form is public and versioned.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::check::Status;
use crate::health::PodTrouble;
use crate::object::ObjectRef;
use crate::operation::Outcome;
use crate::plan::{Counts, Impact, Plan};
use crate::repair::RepairPlan;
use crate::restart::RestartPlan;
use crate::site::Site;
use crate::uninstall::{NodeState, UninstallPlan};
use crate::upgrade::UpgradePlan;

/// The version of the JSON form. Fields may be added to it; a field that goes or changes makes a new version.
pub const SCHEMA: &str = "mizar.dev/v1";

/// Something that happened while a command was at work.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// A command has begun.
    Started {
        /// The command, `install`.
        command: String,
        /// The version of this program.
        version: String,
        /// The clusters it works on.
        clusters: Vec<ClusterName>,
        /// The namespace of the releases.
        namespace: String,
    },
    /// One of the four steps has begun.
    StepStarted {
        /// Which.
        step: Step,
    },
    /// One of the four steps has ended.
    StepFinished {
        /// What it came to, one line.
        summary: String,
        /// Which.
        step: Step,
        /// How.
        result: StepResult,
        /// How long it took.
        #[serde(rename = "elapsedSeconds", serialize_with = "seconds")]
        elapsed: Duration,
    },
    /// A check had something to say.
    FindingMade {
        /// The check's id.
        check: String,
        /// What it came to: `warn`, `unknown`, `fail`.
        status: Status,
        /// What was found, one line.
        message: String,
        /// What to type next.
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
    /// Reading the cluster takes longer and goes on.
    ReadingProgressed {
        /// How many objects of each kind have been read, most first.
        read: Vec<ReadSoFar>,
        /// Since it began.
        #[serde(rename = "elapsedSeconds", serialize_with = "seconds")]
        elapsed: Duration,
    },
    /// It is known what will be done.
    PlanMade {
        /// The number of the plan.
        digest: String,
        /// How many objects meet which fate.
        counts: Counts,
        /// What it means for the people on the cluster.
        impact: Impact,
        /// The plan, with secrets masked.
        plan: Box<Plan>,
    },
    /// It is known what will be repaired.
    RepairPlanned {
        /// The plan.
        plan: Box<RepairPlan>,
        /// What a restart of the operator touches, if one is planned.
        #[serde(skip_serializing_if = "Option::is_none")]
        restart: Option<Box<RestartPlan>>,
    },
    /// It is known what will be taken out.
    UninstallPlanned {
        /// The plan.
        plan: Box<UninstallPlan>,
        /// The file in which the custom resources will be saved.
        export: String,
    },
    /// What became of a node that was to be cleaned.
    NodeCleaned {
        /// Its name.
        node: String,
        /// How far it is.
        state: NodeState,
        /// What was done there, or what kept it from being done.
        told: Vec<String>,
    },
    /// It is known what an upgrade or a rollback restarts.
    UpgradePlanned {
        /// What.
        plan: Box<UpgradePlan>,
    },
    /// An operation that was interrupted goes on.
    Resumed {
        /// The operation.
        id: String,
        /// Who had it.
        from: String,
        /// The part at which it stopped.
        #[serde(skip_serializing_if = "Option::is_none")]
        stage: Option<String>,
    },
    /// Somebody else is at work; we wait for them.
    WaitedForHolder {
        /// Who.
        holder: String,
        /// Since when.
        since: Timestamp,
        /// When the claim runs out if they are gone.
        #[serde(rename = "expiresInSeconds", serialize_with = "seconds")]
        expires_in: Duration,
    },
    /// A part has begun.
    StageStarted {
        /// Which.
        stage: String,
        /// The cluster.
        site: Site,
        /// How many things it is about.
        total: usize,
    },
    /// A part has moved on, or says that it still waits.
    StageProgressed {
        /// Which.
        stage: String,
        /// How many things are as they should be.
        done: usize,
        /// Of how many.
        total: usize,
        /// What it waits for.
        waiting_for: Vec<String>,
        /// Since it began.
        #[serde(rename = "elapsedSeconds", serialize_with = "seconds")]
        elapsed: Duration,
    },
    /// A part has ended.
    StageFinished {
        /// What it came to, one line.
        summary: String,
        /// Which.
        stage: String,
        /// How.
        result: StepResult,
        /// How long it took.
        #[serde(rename = "elapsedSeconds", serialize_with = "seconds")]
        elapsed: Duration,
    },
    /// An object has been written, or did not have to be.
    ObjectApplied {
        /// The object.
        object: ObjectRef,
        /// The cluster.
        site: Site,
        /// What became of it.
        result: ApplyResult,
    },
    /// A wait on which nothing moved has looked at the pods.
    WaitingLooked {
        /// The part that waits.
        stage: String,
        /// What keeps pods from being ready; empty if nothing is known to be wrong.
        troubles: Vec<PodTrouble>,
        /// The last thing the cluster said about it.
        #[serde(skip_serializing_if = "Option::is_none")]
        last_event: Option<String>,
        /// Since the part began.
        #[serde(rename = "elapsedSeconds", serialize_with = "seconds")]
        elapsed: Duration,
    },
    /// A change has failed, and what the cluster was like then is in a support bundle.
    EvidenceCollected {
        /// The file, as whoever ran the command names it.
        path: String,
        /// How many things could not be had; its index.json names them.
        missing: usize,
    },
    /// Something a person should know and perhaps act on.
    Warning {
        /// In a sentence.
        message: String,
        /// What it is about.
        #[serde(skip_serializing_if = "Option::is_none")]
        object: Option<ObjectRef>,
    },
    /// What to type or look at next.
    Hint {
        /// In a sentence.
        message: String,
    },
    /// The program has failed: always the last line, of commands that only look, too.
    Failed {
        /// The exit code.
        exit_code: u8,
        /// What failed, one line.
        error: String,
        /// Causes, or each of many problems.
        details: Vec<String>,
        /// Commands to type or places to look.
        hints: Vec<String>,
    },
    /// The command has ended.
    Finished {
        /// Requests that were sent, those of watches included.
        requests: usize,
        /// How.
        outcome: Outcome,
        /// The exit code.
        exit: u8,
        /// How long it took.
        #[serde(rename = "elapsedSeconds", serialize_with = "seconds")]
        elapsed: Duration,
        /// Why, if it did not end well.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
}

/// How many objects of a kind have been read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadSoFar {
    /// What they are, `pods`.
    pub what: String,
    /// How many.
    pub count: usize,
}

/// A cluster that a command works on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterName {
    /// Which side it is.
    pub site: Site,
    /// The context in the kubeconfig.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The address of its API server.
    pub server: String,
}

/// The four steps of every change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Programs, charts and images are there.
    BinaryReady,
    /// The clusters can take it.
    EnvironmentReady,
    /// Objects are written and waited for.
    Deploy,
    /// The result is looked at.
    SanityCheck,
}

impl Step {
    /// All steps, in order.
    pub const ALL: [Self; 4] = [Self::BinaryReady, Self::EnvironmentReady, Self::Deploy, Self::SanityCheck];
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::BinaryReady => "Binary Ready",
            Self::EnvironmentReady => "Environment Ready",
            Self::Deploy => "Deploy",
            Self::SanityCheck => "Sanity Check",
        })
    }
}

/// How a step or a part ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepResult {
    /// As it should.
    Succeeded,
    /// There was nothing to do.
    Skipped,
    /// Otherwise.
    Failed,
    /// It took longer than it may.
    TimedOut,
}

/// What became of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApplyResult {
    /// It is new.
    Created,
    /// It has changed.
    Changed,
    /// It is as it was.
    Unchanged,
    /// It was left alone.
    Kept,
    /// It is gone.
    Deleted,
}

impl fmt::Display for ApplyResult {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Kept => "kept",
            Self::Deleted => "deleted",
        })
    }
}

impl Event {
    /// Returns the event of a plan.
    #[must_use]
    pub fn plan_made(plan: Plan, impact: Impact) -> Self {
        Self::PlanMade { digest: plan.digest(), counts: plan.counts(), impact, plan: Box::new(plan) }
    }

    /// Returns the event as one line of JSON, without the line's end.
    #[must_use]
    pub fn to_json_line(&self, now: Timestamp) -> String {
        self.fields(Some(now)).to_string()
    }

    /// Returns the event as a document that stands alone and so has no time.
    #[must_use]
    pub fn document(&self) -> Value {
        self.fields(None)
    }

    fn fields(&self, time: Option<Timestamp>) -> Value {
        let mut fields = Map::new();
        fields.insert("schema".to_owned(), Value::from(SCHEMA));
        fields.extend(time.map(|time| ("time".to_owned(), Value::from(time.to_string()))));
        let event = serde_json::to_value(self).expect("events are plain data, which JSON can always hold");
        if let Value::Object(event) = event {
            fields.extend(event);
        }
        Value::Object(fields)
    }
}

/// Seconds with three places: precise enough for people and for budgets.
fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1000.0).round() / 1000.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(event: &Event) -> Value {
        let text = event.to_json_line("2026-01-31T12:00:00Z".parse().unwrap());
        assert!(!text.contains('\n'), "{text}");
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn every_line_says_its_schema_time_and_type() {
        let started = Event::StepStarted { step: Step::BinaryReady };
        assert_eq!(
            started.to_json_line("2026-01-31T12:00:00Z".parse().unwrap()),
            r#"{"schema":"mizar.dev/v1","time":"2026-01-31T12:00:00Z","type":"stepStarted","step":"binary-ready"}"#
        );
    }

    #[test]
    fn fields_are_in_camel_case_and_times_in_seconds() {
        let progressed = Event::StageProgressed {
            stage: "daemon".into(),
            done: 2,
            total: 3,
            waiting_for: vec!["node-3".into()],
            elapsed: Duration::from_micros(1_234_567),
        };
        assert_eq!(
            line(&progressed),
            json!({"schema": SCHEMA, "time": "2026-01-31T12:00:00Z", "type": "stageProgressed", "stage": "daemon",
                   "done": 2, "total": 3, "waitingFor": ["node-3"], "elapsedSeconds": 1.235})
        );
    }

    #[test]
    fn messages_with_line_ends_stay_on_one_line() {
        assert_eq!(line(&Event::Hint { message: "one\ntwo".into() })["message"], "one\ntwo");
    }

    #[test]
    fn a_plan_comes_with_its_number_and_counts() {
        let made = line(&Event::plan_made(Plan::default(), Impact::default()));
        assert_eq!(made["digest"], Plan::default().digest());
        assert_eq!(made["plan"]["stages"], json!([]));
        assert_eq!(made["counts"]["create"], 0);
        assert_eq!(made["impact"]["expected"]["atMostSeconds"], 0);
    }

    #[test]
    fn the_end_carries_outcome_and_exit_code() {
        let finished = Event::Finished {
            requests: 40,
            outcome: Outcome::TimedOut,
            exit: 6,
            elapsed: Duration::from_secs(300),
            error: Some("daemon".into()),
        };
        let finished = line(&finished);
        assert_eq!((&finished["outcome"], &finished["exit"]), (&json!("timed-out"), &json!(6)));
    }

    #[test]
    fn the_four_steps_have_the_names_that_people_know() {
        let names = Step::ALL.map(|step| step.to_string());
        assert_eq!(names, ["Binary Ready", "Environment Ready", "Deploy", "Sanity Check"]);
    }
}
