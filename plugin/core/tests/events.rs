//! docs/events.schema.json holds every event, and describes every field of it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use mizar_core::check::Status;
use mizar_core::event::{ApplyResult, ClusterName, Event, ReadSoFar, Step, StepResult};
use mizar_core::health::PodTrouble;
use mizar_core::object::{ObjectId, ObjectRef};
use mizar_core::operation::Outcome;
use mizar_core::plan::{FieldChange, Impact, Plan};
use mizar_core::repair::RepairPlan;
use mizar_core::restart::RestartPlan;
use mizar_core::site::Site;
use mizar_core::uninstall::{NodeState, UninstallPlan};
use mizar_core::upgrade::{Pair, Turn, UpgradePlan, ValueChanges};
use serde_json::{Value, json};

const SECOND: Duration = Duration::from_millis(1_234);

fn now() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

fn schema() -> Value {
    serde_json::from_str(include_str!("../../../docs/events.schema.json")).unwrap()
}

/// The same, but strict: a field that it does not describe is refused, so that none can be added in silence.
fn strict() -> Value {
    let mut schema = schema();
    let events: Vec<String> = names(&schema);
    for event in events {
        schema["$defs"][event]["additionalProperties"] = json!(false);
    }
    schema
}

fn names(schema: &Value) -> Vec<String> {
    let references = schema["oneOf"].as_array().unwrap().iter();
    references.map(|one| one["$ref"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()).collect()
}

/// Each event, with and without what it may leave out. A new one does not compile before it stands here, too.
fn samples() -> Vec<Event> {
    let object = || ObjectRef {
        api_version: "apps/v1".into(),
        kind: "DaemonSet".into(),
        namespace: Some("mizar-system".into()),
        name: "mizar-daemon".into(),
    };
    let trouble = || PodTrouble {
        node: Some("node-1".into()),
        pod: "mizar-system/mizar-daemon-x".into(),
        container: Some("mizar-daemon".into()),
        reason: "ImagePullBackOff".into(),
        message: "not found".into(),
        restarts: 3,
        since: Some(now()),
        ends_early: true,
    };
    let text = || "a\nb \u{1f} ü".to_owned();
    let cluster = |context: Option<&str>| ClusterName {
        site: Site::Management,
        context: context.map(str::to_owned),
        server: "https://x".into(),
    };
    let finished =
        |outcome, error: Option<String>| Event::Finished { requests: 7, outcome, exit: 5, elapsed: SECOND, error };
    vec![
        Event::Started {
            command: "install".into(),
            version: "1".into(),
            clusters: vec![cluster(None), cluster(Some("c"))],
            namespace: "n".into(),
        },
        Event::StepStarted { step: Step::BinaryReady },
        Event::StepFinished { summary: text(), step: Step::SanityCheck, result: StepResult::TimedOut, elapsed: SECOND },
        Event::FindingMade { check: "daemon".into(), status: Status::Fail, message: text(), hint: Some(text()) },
        Event::FindingMade { check: "daemon".into(), status: Status::Unknown, message: text(), hint: None },
        Event::ReadingProgressed { read: vec![ReadSoFar { what: "pods".into(), count: 3 }], elapsed: SECOND },
        Event::plan_made(Plan::default(), Impact::default()),
        Event::RepairPlanned { plan: Box::new(RepairPlan::default()), restart: None },
        Event::RepairPlanned { plan: Box::new(RepairPlan::default()), restart: Some(Box::new(RestartPlan::default())) },
        Event::UninstallPlanned { plan: Box::new(UninstallPlan::default()), export: "mizar-export.yaml".into() },
        Event::NodeCleaned { node: "n".into(), state: NodeState::Clean, told: vec![text()] },
        Event::UpgradePlanned { plan: Box::new(upgrade(object(), text())) },
        Event::Resumed { id: "i".into(), from: "h".into(), stage: Some("daemon".into()) },
        Event::WaitedForHolder { holder: "h".into(), since: now(), expires_in: SECOND },
        Event::StageStarted { stage: "daemon".into(), site: Site::Compute, total: 3 },
        Event::StageProgressed {
            stage: "daemon".into(),
            done: 1,
            total: 3,
            waiting_for: vec![text()],
            elapsed: SECOND,
        },
        Event::StageFinished { summary: text(), stage: "daemon".into(), result: StepResult::Skipped, elapsed: SECOND },
        Event::ObjectApplied { object: object(), site: Site::Compute, result: ApplyResult::Deleted },
        Event::WaitingLooked {
            stage: "daemon".into(),
            troubles: vec![trouble()],
            last_event: Some(text()),
            elapsed: SECOND,
        },
        Event::EvidenceCollected { path: text(), missing: 2 },
        Event::Warning { message: text(), object: Some(object()) },
        Event::Hint { message: text() },
        finished(Outcome::Done, None),
        finished(Outcome::NothingToDo, None),
        finished(Outcome::Planned, None),
        finished(Outcome::Failed, Some(text())),
        finished(Outcome::PartlyApplied, Some(text())),
        finished(Outcome::TimedOut, Some(text())),
        finished(Outcome::Interrupted, Some(text())),
        Event::Failed { exit_code: 130, error: text(), details: vec![text()], hints: Vec::new() },
    ]
}

fn upgrade(object: ObjectRef, text: String) -> UpgradePlan {
    let change = FieldChange { path: "a.b".into(), before: None, after: Some(1.into()) };
    let node = ObjectId { object, uid: "u".into() };
    let turn = Turn {
        node: "node-1".into(),
        daemon: node.clone(),
        leaving: vec![text.clone()],
        coming_back: vec![text.clone()],
        moving: vec![node],
        has_operator: true,
        ready: true,
    };
    UpgradePlan {
        turns: vec![turn],
        unreachable: vec![text.clone()],
        drains: true,
        restarts_operator: true,
        window: false,
        pair: Pair::Incompatible { from: "0.9".into(), to: "0.91".into(), why: text },
        values: ValueChanges { choices: vec![change.clone()], defaults: vec![change] },
    }
}

/// Fails to compile when there is an event that this file does not know.
fn is_known(event: &Event) -> bool {
    match event {
        Event::Started { .. }
        | Event::StepStarted { .. }
        | Event::StepFinished { .. }
        | Event::FindingMade { .. }
        | Event::ReadingProgressed { .. }
        | Event::PlanMade { .. }
        | Event::RepairPlanned { .. }
        | Event::UninstallPlanned { .. }
        | Event::NodeCleaned { .. }
        | Event::UpgradePlanned { .. }
        | Event::Resumed { .. }
        | Event::WaitedForHolder { .. }
        | Event::StageStarted { .. }
        | Event::StageProgressed { .. }
        | Event::StageFinished { .. }
        | Event::ObjectApplied { .. }
        | Event::WaitingLooked { .. }
        | Event::EvidenceCollected { .. }
        | Event::Warning { .. }
        | Event::Hint { .. }
        | Event::Finished { .. }
        | Event::Failed { .. } => true,
    }
}

#[test]
fn every_event_is_a_line_that_the_schema_takes_and_describes() {
    let validator = jsonschema::validator_for(&strict()).unwrap();
    let mut seen = BTreeSet::new();
    for event in samples().iter().filter(|event| is_known(event)) {
        let line = event.to_json_line(now());
        assert!(!line.contains('\n'), "{line}");
        let value: Value = serde_json::from_str(&line).unwrap();
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{line}\n{errors:#?}");
        seen.insert(value["type"].as_str().unwrap().to_owned());
    }
    let described: BTreeSet<String> = names(&schema()).into_iter().collect();
    assert_eq!(seen, described, "the schema describes the events that there are, and no others");
}

#[test]
fn the_schema_refuses_what_is_no_event() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let hint = json!({"schema": "mizar.dev/v1", "time": "2026-01-31T12:00:00Z", "type": "hint", "message": "m"});
    assert!(validator.is_valid(&hint));
    let with = |field: &str, value: Value| {
        let mut changed = hint.clone();
        changed[field] = value;
        changed
    };
    assert!(validator.is_valid(&with("new", json!(1))), "fields may be added");
    for wrong in [with("schema", json!("mizar.dev/v2")), with("type", json!("other")), with("message", json!(7))] {
        assert!(!validator.is_valid(&wrong), "{wrong}");
    }
}
