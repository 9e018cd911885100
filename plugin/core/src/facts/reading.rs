//! Loose reading of server objects: a missing or oddly typed field gives nothing instead of an error, and numbers may be
//! text, as they are in Mizar's own objects. Paths are JSON pointers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::{Text, Uid};

/// The finalizers that the operator of any version puts on whatever it watches.
pub const FINALIZERS: [&str; 2] = ["kopf.zalando.org/KopfFinalizerMarker", "KopfFinalizerMarker"];

/// Returns a text, or a number or boolean as text; nothing when it is missing or blank.
pub(super) fn text(object: &Value, pointer: &str) -> Option<String> {
    let text = match object.pointer(pointer)? {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// Returns a text, blank when it is missing.
pub(super) fn text_or_blank(object: &Value, pointer: &str) -> String {
    text(object, pointer).unwrap_or_default()
}

/// Returns a text as [`Text`]; nothing when it is missing or blank.
pub(super) fn symbol(object: &Value, pointer: &str) -> Option<Text> {
    match object.pointer(pointer)? {
        Value::String(text) if !text.trim().is_empty() => Some(Text::from(text.trim())),
        _ => text(object, pointer).map(|text| Text::from(text.as_str())),
    }
}

/// Returns a text as [`Text`], blank when it is missing.
pub(super) fn symbol_or_blank(object: &Value, pointer: &str) -> Text {
    symbol(object, pointer).unwrap_or_default()
}

/// Returns `metadata.uid`.
pub(super) fn uid(object: &Value) -> Uid {
    object.pointer("/metadata/uid").and_then(Value::as_str).map(|uid| uid.trim().into()).unwrap_or_default()
}

/// Whether a finalizer of the operator's framework is on an object; older ones had no prefix.
pub(super) fn has_finalizer(object: &Value) -> bool {
    let ours = |name: &Value| name.as_str().is_some_and(|name| FINALIZERS.contains(&name));
    list(object, "/metadata/finalizers").iter().any(ours)
}

/// Returns a count, written as number or text.
pub(super) fn count(object: &Value, pointer: &str) -> Option<u32> {
    text(object, pointer)?.parse().ok()
}

/// Returns a generation, zero when it is missing.
pub(super) fn generation(object: &Value, pointer: &str) -> i64 {
    text(object, pointer).and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// Returns a boolean, false when it is missing.
pub(super) fn flag(object: &Value, pointer: &str) -> bool {
    object.pointer(pointer).and_then(Value::as_bool).unwrap_or_default()
}

/// Returns a time.
pub(super) fn time(object: &Value, pointer: &str) -> Option<Timestamp> {
    moment(&text(object, pointer)?)
}

/// Returns a time that may lack a zone, which then is UTC: kopf writes such.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>()
        .ok()
        .or_else(|| text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp()))
}

/// Returns the elements of a list, none when it is missing.
pub(super) fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Returns the texts of a list.
pub(super) fn texts(object: &Value, pointer: &str) -> Vec<String> {
    list(object, pointer).iter().filter_map(|value| text(value, "")).collect()
}

/// Returns a map of texts: labels, annotations, selectors.
pub(super) fn map(object: &Value, pointer: &str) -> BTreeMap<String, String> {
    let entries = object.pointer(pointer).and_then(Value::as_object).into_iter().flatten();
    entries.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

/// Returns the `status` of a condition and the time it last changed.
pub(super) fn condition(object: &Value, name: &str) -> Option<(String, Option<Timestamp>)> {
    let condition = list(object, "/status/conditions")
        .iter()
        .find(|entry| text(entry, "/type").is_some_and(|kind| kind == name))?;
    Some((text_or_blank(condition, "/status"), time(condition, "/lastTransitionTime")))
}
