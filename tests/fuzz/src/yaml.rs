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
    if has_merge_key(&value) {
        return;
    }
    let text = write(&value);
    let again =
        read(&text, DuplicateKeys::Refuse).unwrap_or_else(|error| panic!("{error} in what was written:\n{text}"));
    assert_eq!(with_plain_numbers(again), with_plain_numbers(value), "written as:\n{text}");
}

/// The key `<<` is written plain, as Helm does, and merges when it is read.
fn has_merge_key(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(key, value)| key == "<<" || has_merge_key(value)),
        Value::Array(items) => items.iter().any(has_merge_key),
        _ => false,
    }
}
