//! The bookkeeping of kopf, the framework under Mizar's operator: finalizers, what was last handled, retries, Events.
//!
//! Pure: objects in, patches out.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::handling::Purpose;
use crate::object::{Kind, Object};

pub(crate) const FINALIZER: &str = "kopf.zalando.org/KopfFinalizerMarker";
const LAST_HANDLED: &str = "kopf.zalando.org/last-handled-configuration";
const TOUCH_DUMMY: &str = "kopf.zalando.org/touch-dummy";
const PREFIX: &str = "kopf.zalando.org/";

/// What an object needs now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The operator's finalizer, before anything else.
    Finalizer,
    Handle(Purpose),
    Nothing,
}

/// Returns what an object needs. `handled` is what was handled of it last; `first_sight` holds for objects that were
/// there when the process began to watch.
pub(crate) fn cause(object: &Object, handled: Option<&Value>, first_sight: bool) -> Cause {
    let marked = object.finalizers().contains(&FINALIZER);
    if object.is_deleting() {
        return if marked { Cause::Handle(Purpose::Delete) } else { Cause::Nothing };
    }
    if !marked && takes_finalizer(object.kind()) {
        return Cause::Finalizer;
    }
    match handled {
        None => Cause::Handle(Purpose::Create),
        Some(before) if *before != essence(object) => Cause::Handle(Purpose::Update),
        Some(_) if first_sight => Cause::Handle(Purpose::Resume),
        Some(_) => Cause::Nothing,
    }
}

/// Returns what an object needs that the operator is called about, as in Arktos: no mark is put on it, and it is held by
/// nothing.
pub(crate) fn cause_of_call(object: &Object, handled: Option<&Value>) -> Cause {
    match handled {
        None => Cause::Handle(Purpose::Create),
        Some(before) if *before != essence(object) => Cause::Handle(Purpose::Update),
        Some(_) => Cause::Nothing,
    }
}

/// There is no delete handler for core Endpoints, so kopf does not hold them.
fn takes_finalizer(kind: Kind) -> bool {
    kind != Kind::CoreEndpoints
}

/// Returns the part of an object that kopf compares: all but the status and what the server or kopf itself writes.
pub(crate) fn essence(object: &Object) -> Value {
    let mut essence = object.value().as_object().cloned().unwrap_or_default();
    for field in ["apiVersion", "kind", "status"] {
        essence.shift_remove(field);
    }
    let mut metadata = Map::new();
    if let Some(labels) = object.at("/metadata/labels") {
        metadata.insert("labels".to_owned(), labels.clone());
    }
    let annotations: Map<String, Value> = object
        .at("/metadata/annotations")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter(|(name, _)| !name.starts_with(PREFIX) && *name != "kubectl.kubernetes.io/last-applied-configuration")
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if !annotations.is_empty() {
        metadata.insert("annotations".to_owned(), Value::Object(annotations));
    }
    essence.shift_remove("metadata");
    if !metadata.is_empty() {
        essence.insert("metadata".to_owned(), Value::Object(metadata));
    }
    Value::Object(essence)
}

/// Returns the part of an object that was handled last, by this or an earlier process.
pub(crate) fn last_handled(object: &Object) -> Option<Value> {
    object.annotation(LAST_HANDLED).and_then(|text| serde_json::from_str(text).ok())
}

pub(crate) fn finalizer_patch(object: &Object) -> Value {
    let mut finalizers = object.finalizers();
    finalizers.push(FINALIZER);
    json!({"metadata": {"finalizers": finalizers}})
}

pub(crate) fn release_patch(object: &Object) -> Value {
    let mut finalizers = object.finalizers();
    finalizers.retain(|name| *name != FINALIZER);
    json!({"metadata": {"finalizers": finalizers}})
}

/// The tries of one handler at one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tries {
    pub(crate) handler: &'static str,
    pub(crate) started: Timestamp,
    pub(crate) count: u32,
}

/// Returns the tries of a handler as an object notes them.
pub(crate) fn noted(object: &Object, handler: &'static str) -> Option<Tries> {
    let progress: Value = serde_json::from_str(object.annotation(&format!("{PREFIX}{handler}"))?).ok()?;
    let started = progress["started"].as_str().and_then(|text| format!("{text}Z").parse().ok());
    let count = progress["retries"].as_u64().and_then(|count| u32::try_from(count).ok());
    Some(Tries { handler, started: started?, count: count? })
}

/// A patch of an object and, where its kind keeps the status apart, one of the status.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) object: Value,
    pub(crate) status: Option<Value>,
}

impl Record {
    fn new(kind: Kind, annotations: &Value, progress: Option<&Value>) -> Self {
        let object = json!({"metadata": {"annotations": annotations}});
        let Some(progress) = progress else {
            return Self { object, status: None };
        };
        let status = json!({"status": {"kopf": {"progress": progress}}});
        if kind.has_status_subresource() {
            return Self { object, status: Some(status) };
        }
        let mut object = object;
        object["status"] = status["status"].clone();
        Self { object, status: None }
    }
}

/// Records that no handler will be called again for what was handled. The notes of all handlers of the kind go, as kopf purges
/// them: those that the object shows, and that of the handler which this process has put off last.
pub(crate) fn finished(object: &Object, put_off: Option<&str>) -> Record {
    let mut handlers = noted_handlers(object);
    handlers.extend(put_off);
    let mut annotations = Map::new();
    annotations.insert(LAST_HANDLED.to_owned(), json!(format!("{}\n", essence(object))));
    if handlers.is_empty() {
        return Record::new(object.kind(), &Value::Object(annotations), None);
    }
    annotations.extend(handlers.iter().map(|handler| (format!("{PREFIX}{handler}"), Value::Null)));
    annotations.insert(TOUCH_DUMMY.to_owned(), Value::Null);
    let progress: Map<String, Value> = handlers.iter().map(|handler| ((*handler).to_owned(), Value::Null)).collect();
    Record::new(object.kind(), &Value::Object(annotations), Some(&Value::Object(progress)))
}

/// The handlers whose tries an object notes.
fn noted_handlers(object: &Object) -> BTreeSet<&str> {
    let annotations = object.at("/metadata/annotations").and_then(Value::as_object);
    let names = annotations.into_iter().flatten().map(|(name, _)| name.as_str());
    names
        .filter(|name| ![LAST_HANDLED, TOUCH_DUMMY].contains(name))
        .filter_map(|name| name.strip_prefix(PREFIX))
        .collect()
}

/// Records that a handler is put off.
pub(crate) fn put_off(kind: Kind, tries: &Tries, purpose: Purpose, until: Timestamp, message: &str) -> Record {
    let moment = |time: Timestamp| time.strftime("%Y-%m-%dT%H:%M:%S.%6f").to_string();
    let progress = json!({
        "started": moment(tries.started),
        "delayed": moment(until),
        "purpose": purpose.name(),
        "retries": tries.count,
        "success": false,
        "failure": false,
        "message": message,
    });
    let annotations = json!({ format!("{PREFIX}{}", tries.handler): progress.to_string(), TOUCH_DUMMY: Value::Null });
    Record::new(kind, &annotations, Some(&json!({ tries.handler: progress })))
}

/// Returns the patch with which kopf wakes itself for another try.
pub(crate) fn touch(now: Timestamp) -> Value {
    json!({"metadata": {"annotations": {TOUCH_DUMMY: now.strftime("%Y-%m-%dT%H:%M:%S.%6f").to_string()}}})
}

/// Returns an Event about an object; it goes where the object is, or into `default`.
pub(crate) fn event(object: &Object, kind: &str, message: &str, now: Timestamp) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": "kopf-event-", "namespace": object.namespace()},
        "action": "Action?",
        "type": kind,
        "reason": "Logging",
        "message": message,
        "reportingComponent": "kopf",
        "reportingInstance": "dev",
        "source": {"component": "kopf"},
        "firstTimestamp": whole_seconds(now),
        "lastTimestamp": whole_seconds(now),
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string(),
        "involvedObject": {
            "apiVersion": object.kind().api_version(),
            "kind": object.kind().name(),
            "name": object.name(),
            "namespace": object.at("/metadata/namespace").cloned().unwrap_or_default(),
            "uid": object.uid(),
        },
    })
}

/// Returns a moment as Kubernetes writes it where fractions are not allowed.
pub(crate) fn whole_seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::trial::an_object;

    fn handled(object: &Object) -> Object {
        let mut value = object.value().clone();
        value["metadata"]["finalizers"] = json!([FINALIZER]);
        value["metadata"]["annotations"] = finished(object, None).object["metadata"]["annotations"].clone();
        Object::new(object.kind(), value)
    }

    fn cause(object: &Object, first_sight: bool) -> Cause {
        super::cause(object, last_handled(object).as_ref(), first_sight)
    }

    #[test]
    fn the_finalizer_comes_first_but_not_on_core_endpoints() {
        assert_eq!(cause(&an_object(Kind::Vpc, "vpc0", &json!({})), true), Cause::Finalizer);
        assert_eq!(
            cause(&an_object(Kind::CoreEndpoints, "kubernetes", &json!({})), true),
            Cause::Handle(Purpose::Create)
        );
    }

    #[test]
    fn an_object_is_created_then_quiet_and_resumed_by_the_next_process() {
        let object = handled(&an_object(Kind::Vpc, "vpc0", &json!({"status": "Init"})));
        assert_eq!(cause(&object, false), Cause::Nothing);
        assert_eq!(cause(&object, true), Cause::Handle(Purpose::Resume));
    }

    #[test]
    fn a_change_of_the_status_triggers_nothing_and_one_of_a_label_does() {
        let pod = handled(&an_object(Kind::Pod, "web", &json!({"nodeName": "n1"})));
        let mut value = pod.value().clone();
        value["status"] = json!({"phase": "Running"});
        assert_eq!(cause(&Object::new(Kind::Pod, value.clone()), false), Cause::Nothing);
        value["metadata"]["labels"] = json!({"a": "b"});
        assert_eq!(cause(&Object::new(Kind::Pod, value), false), Cause::Handle(Purpose::Update));
    }

    #[test]
    fn last_handled_is_one_line_of_json_with_a_line_end() {
        let record = finished(&an_object(Kind::Vpc, "vpc0", &json!({"status": "Init"})), None);
        let text = record.object["metadata"]["annotations"][LAST_HANDLED].as_str().unwrap();
        assert_eq!(text, "{\"spec\":{\"status\":\"Init\"}}\n");
    }

    #[test]
    fn what_an_earlier_process_put_off_is_taken_up_and_its_note_removed() {
        let started = "2026-03-01T12:00:00.25Z".parse().unwrap();
        let tries = Tries { handler: "droplet_opr_on_droplet_provisioned", started, count: 3 };
        let mut value = an_object(Kind::Droplet, "n1", &json!({"status": "Provisioned"})).value().clone();
        let note = put_off(Kind::Droplet, &tries, Purpose::Resume, started, "Subnet net0 not yet provisioned!");
        value["metadata"]["annotations"] = note.object["metadata"]["annotations"].clone();
        let object = Object::new(Kind::Droplet, value);
        assert_eq!(noted(&object, tries.handler), Some(tries.clone()));
        assert_eq!(noted(&object, "another"), None);
        let key = format!("{PREFIX}{}", tries.handler);
        // Also by the end of another handler; and what was put off last may not be seen yet.
        assert_eq!(finished(&object, None).object["metadata"]["annotations"].get(&key), Some(&Value::Null));
        let unseen = an_object(Kind::Droplet, "n1", &json!({"status": "Provisioned"}));
        let end = finished(&unseen, Some(tries.handler));
        assert_eq!(end.object["metadata"]["annotations"].get(&key), Some(&Value::Null));
    }

    #[test]
    fn progress_goes_to_the_status_subresource_of_built_in_kinds_only() {
        let tries = Tries { handler: "droplet_opr_on_node", started: Timestamp::UNIX_EPOCH, count: 1 };
        let on_node = put_off(Kind::Node, &tries, Purpose::Create, Timestamp::UNIX_EPOCH, "Daemon not ready.");
        assert!(on_node.status.is_some() && on_node.object.get("status").is_none());
        let on_vpc = put_off(Kind::Vpc, &tries, Purpose::Create, Timestamp::UNIX_EPOCH, "x");
        assert!(on_vpc.status.is_none() && on_vpc.object.get("status").is_some());
    }
}
