//! The reader and the writer of YAML.

use libfuzzer_sys::arbitrary::Unstructured;
use mizar_core::yaml::{DuplicateKeys, read, read_all, read_located, with_plain_numbers, write};
use serde_json::Value;

/// Reads any text. What was read is written and read again as the same.
pub fn yaml_reader(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for duplicates in [DuplicateKeys::Refuse, DuplicateKeys::TakeLast] {
        match read_located(text, duplicates) {
            Ok((value, places)) => {
                // A carriage return alone ends a line, too.
                let lines = text.matches(['\n', '\r']).count() + 1;
                assert!(places.iter().all(|(_, at)| (1..=lines).contains(&at.line) && at.column > 0));
                if crate::once() {
                    return;
                }
                comes_back(value);
            }
            Err(error) => crate::check(&error),
        }
        if crate::once() {
            return;
        }
        if let Err(error) = read_all(text, duplicates) {
            crate::check(&error);
        }
    }
}

/// Writes any value.
pub fn yaml_writer(data: &[u8]) {
    if let Ok(value) = crate::json_value::any(&mut Unstructured::new(data), 0) {
        comes_back(value);
    }
}

fn comes_back(value: Value) {
    if is_read_otherwise(&value) {
        return;
    }
    let text = write(&value);
    let again =
        read(&text, DuplicateKeys::Refuse).unwrap_or_else(|error| panic!("{error} in what was written:\n{text}"));
    assert_eq!(with_plain_numbers(again), with_plain_numbers(value), "written as:\n{text}");
}

/// Whether a value is written as Helm writes it, and read otherwise here: the key `<<` is written plain and merges, and the breaks that
/// only YAML 1.1 knows are written as such, while the scanner takes them for letters.
fn is_read_otherwise(value: &Value) -> bool {
    let has_old_break = |text: &str| text.contains(['\u{85}', '\u{2028}', '\u{2029}']);
    match value {
        Value::Object(fields) => {
            fields.iter().any(|(key, value)| key == "<<" || has_old_break(key) || is_read_otherwise(value))
        }
        Value::Array(items) => items.iter().any(is_read_otherwise),
        Value::String(text) => has_old_break(text),
        _ => false,
    }
}
