//! YAML, JSON, base64 and checksums.

use super::{Outcome, as_text};
use crate::template::budget;
use crate::template::format::hex;
use crate::template::value;
use crate::yaml::{self, DuplicateKeys, format_float, with_float_numbers, with_plain_numbers};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use tera::Value;

pub(super) fn to_yaml(arguments: &[Value]) -> Outcome {
    let text = yaml::write(&value::to_json(&arguments[0]));
    budget::parse(text.len())?;
    Ok(text.strip_suffix('\n').unwrap_or(&text).into())
}

pub(super) fn to_json(arguments: &[Value]) -> Outcome {
    let mut out = String::new();
    write_json(&value::to_json(&arguments[0]), &mut out);
    Ok(out.into())
}

/// Go's JSON: sorted keys, shortest numbers, and the characters that matter in HTML escaped.
fn write_json(value: &serde_json::Value, out: &mut String) {
    match value {
        serde_json::Value::Object(fields) => {
            let mut keys: Vec<&String> = fields.keys().collect();
            keys.sort();
            out.push('{');
            for (at, key) in keys.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_json_text(key, out);
                out.push(':');
                write_json(&fields[key], out);
            }
            out.push('}');
        }
        serde_json::Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_json(item, out);
            }
            out.push(']');
        }
        serde_json::Value::String(text) => write_json_text(text, out),
        serde_json::Value::Number(number) => out.push_str(&json_number(number)),
        other => out.push_str(&other.to_string()),
    }
}

fn json_number(number: &serde_json::Number) -> String {
    let Some(float) = number.as_f64().filter(|_| number.is_f64()) else { return number.to_string() };
    let exponential = float != 0.0 && !(1e-6..1e21).contains(&float.abs());
    if !exponential {
        return format!("{float}");
    }
    // JSON of Go writes e-7 where the rest of Go writes e-07.
    format_float(float).replace("e-0", "e-")
}

fn write_json_text(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\x1f' => {
                let escaped = format!("\\u{:04x}", u32::from(character));
                out.push_str(&escaped);
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Like Helm, an unusable text gives a map with the reason under `Error`.
pub(super) fn from_yaml(arguments: &[Value]) -> Outcome {
    budget::parse(as_text(&arguments[0])?.len())?;
    let read = yaml::read(as_text(&arguments[0])?, DuplicateKeys::TakeLast).map_err(|error| error.to_string());
    Ok(map_or_error(read))
}

pub(super) fn from_json(arguments: &[Value]) -> Outcome {
    let text = as_text(&arguments[0])?;
    budget::parse(text.len())?;
    let read = match crate::json::check_weight(text.as_bytes()) {
        Ok(()) => serde_json::from_str(text).map_err(|error| error.to_string()),
        Err(too_large) => Err(too_large.to_string()),
    };
    Ok(map_or_error(read))
}

fn map_or_error(read: Result<serde_json::Value, String>) -> Value {
    let map = match read {
        Ok(map @ serde_json::Value::Object(_)) => map,
        Ok(serde_json::Value::Null) => serde_json::json!({}),
        Ok(_) => serde_json::json!({"Error": "the text is not a map"}),
        Err(message) => serde_json::json!({"Error": message}),
    };
    value::from_json(&with_float_numbers(with_plain_numbers(map)))
}

pub(super) fn b64enc(arguments: &[Value]) -> Outcome {
    Ok(STANDARD.encode(as_text(&arguments[0])?).into())
}

/// Like Sprig, gives the reason as the result when the text is not base64.
pub(super) fn b64dec(arguments: &[Value]) -> Outcome {
    let compact: String =
        as_text(&arguments[0])?.chars().filter(|character| !matches!(character, '\r' | '\n')).collect();
    Ok(match STANDARD.decode(compact) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).as_ref().into(),
        Err(error) => error.to_string().into(),
    })
}

pub(super) fn sha256sum(arguments: &[Value]) -> Outcome {
    let digest = Sha256::digest(as_text(&arguments[0])?.as_bytes());
    Ok(hex(&digest).into())
}
