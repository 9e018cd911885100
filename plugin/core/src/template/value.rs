//! Values as Go sees them, kept in the engine's value type: `int` is `I64`, `int64` (what `--set` gives) is `I128`, and `float64` (what
//! files give) is `F64`. A missing or null value is undefined, so that reading a field of it is an error, as in Go.

use serde_json::{Map, Number};
use tera::Value;
use tera::value::{Key, ValueKind};

/// Makes a template value; integers become `int64`.
pub(crate) fn from_json(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::undefined(),
        serde_json::Value::Bool(value) => Value::from(*value),
        serde_json::Value::Number(number) => from_number(number),
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Array(items) => Value::from(items.iter().map(from_json).collect::<Vec<_>>()),
        serde_json::Value::Object(fields) => map(fields.iter().map(|(key, value)| (key.clone(), from_json(value)))),
    }
}

fn from_number(number: &Number) -> Value {
    if let Some(integer) = number.as_i64() {
        return Value::from(i128::from(integer));
    }
    number
        .as_u64()
        .map_or_else(|| Value::from(number.as_f64().unwrap_or_default()), |unsigned| Value::from(i128::from(unsigned)))
}

/// Makes a map with its keys in byte order, which is the order Go ranges in.
pub(super) fn map(fields: impl IntoIterator<Item = (String, Value)>) -> Value {
    let sorted: std::collections::BTreeMap<String, Value> = fields.into_iter().collect();
    let map: tera::Map = sorted.into_iter().map(|(key, value)| (Key::from(key), value)).collect();
    Value::from(map)
}

pub(super) fn to_json(value: &Value) -> serde_json::Value {
    match value.kind() {
        ValueKind::Bool => value.as_bool().unwrap_or_default().into(),
        ValueKind::String => value.as_str().unwrap_or_default().into(),
        ValueKind::F64 => value.as_f64().and_then(Number::from_f64).map_or(serde_json::Value::Null, Into::into),
        ValueKind::I64 | ValueKind::U64 | ValueKind::I128 | ValueKind::U128 => value
            .as_i64()
            .map(Number::from)
            .or_else(|| value.as_u64().map(Number::from))
            .map_or(serde_json::Value::Null, Into::into),
        ValueKind::Array => value.as_array().unwrap_or_default().iter().map(to_json).collect(),
        ValueKind::Map => {
            let fields: Map<_, _> = fields(value).map(|(key, value)| (key, to_json(value))).collect();
            serde_json::Value::Object(fields)
        }
        _ => serde_json::Value::Null,
    }
}

/// The fields of a map with their keys as text; nothing for other values.
pub(super) fn fields(value: &Value) -> impl Iterator<Item = (String, &Value)> {
    value.as_map().into_iter().flatten().map(|(key, value)| (key_text(key), value))
}

pub(super) fn key_text(key: &Key<'_>) -> String {
    key.as_str().map_or_else(|| key.as_value().to_string(), str::to_string)
}

pub(super) fn is_nil(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Undefined | ValueKind::None)
}

/// The kind of a value in Go's reflection.
pub(super) fn kind(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::Bool => "bool",
        ValueKind::String | ValueKind::Bytes => "string",
        ValueKind::F64 => "float64",
        ValueKind::I64 => "int",
        ValueKind::I128 | ValueKind::U64 | ValueKind::U128 => "int64",
        ValueKind::Array => "slice",
        ValueKind::Map => "map",
        _ => "invalid",
    }
}

/// The type of a value as Go's `%T` prints it.
pub(super) fn type_name(value: &Value) -> &'static str {
    match kind(value) {
        "slice" => "[]interface {}",
        "map" => "map[string]interface {}",
        "invalid" => "<nil>",
        basic => basic,
    }
}

/// Go's notion of an empty value.
pub(super) fn is_truthy(value: &Value) -> bool {
    value.is_truthy()
}
