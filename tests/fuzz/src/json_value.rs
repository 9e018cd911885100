//! Any JSON value, made of bytes.

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use serde_json::{Map, Number, Value};

const TEXTS: [&str; 24] = [
    "",
    "yes",
    "No",
    "~",
    "null",
    "0x1F",
    "0o7",
    "1_000",
    "1e3",
    ".5",
    "12:30:45",
    "2001-01-01",
    "<<",
    "=",
    "- a",
    "? a",
    ": ",
    "#",
    "a: b",
    " a",
    "a\n\n",
    "\n",
    "\t",
    "\u{feff}",
];

/// Makes a value; short bytes make short values.
pub(crate) fn any(from: &mut Unstructured<'_>, depth: usize) -> Result<Value> {
    Ok(match from.int_in_range(0..=if depth < 8 { 8 } else { 6 })? {
        0 => Value::Null,
        1 => Value::Bool(from.arbitrary()?),
        2 => Value::from(from.arbitrary::<i64>()?),
        3 => Value::from(from.arbitrary::<u64>()?),
        4 => Number::from_f64(from.arbitrary()?).map_or(Value::Null, Value::Number),
        5 => Value::from(*from.choose(&TEXTS)?),
        6 => Value::from(from.arbitrary::<&str>()?),
        7 => {
            let mut items = Vec::new();
            while items.len() < 40 && from.arbitrary()? {
                items.push(any(from, depth + 1)?);
            }
            Value::Array(items)
        }
        _ => {
            let mut fields = Map::new();
            while fields.len() < 40 && from.arbitrary()? {
                let key = if from.arbitrary()? { from.arbitrary::<&str>()? } else { *from.choose(&TEXTS)? };
                fields.insert(key.to_owned(), any(from, depth + 1)?);
            }
            Value::Object(fields)
        }
    })
}
