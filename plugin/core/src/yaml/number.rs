//! Numbers as Go prints and keeps them.

use serde_json::{Number, Value};

/// Formats a float as Go's `%v` does: the shortest digits, with an exponent from 1e+06 up and below 1e-04.
#[must_use]
pub fn format_float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf".into() } else { "-Inf".into() };
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').expect("`{:e}` always writes an exponent");
    let exponent: i32 = exponent.parse().expect("`{:e}` writes a decimal exponent");
    if (-4..21).contains(&exponent) && exponent < shortest_threshold(value) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// Go decides with six digits when it was asked for the shortest form; only zero never gets an exponent.
fn shortest_threshold(value: f64) -> i32 {
    if value == 0.0 { 21 } else { 6 }
}

/// Turns every number into a float, because Helm reads values files that way (an integer prints as `1e+06` there).
#[must_use]
pub fn with_float_numbers(value: Value) -> Value {
    map_numbers(value, &|number| number.as_f64().and_then(Number::from_f64).unwrap_or(number))
}

/// Turns whole floats back into integers, for everything that people or other programs read.
#[must_use]
pub fn with_plain_numbers(value: Value) -> Value {
    map_numbers(value, &|number| match number.as_f64() {
        Some(float) if number.is_f64() => whole(float).unwrap_or(number),
        _ => number,
    })
}

/// Returns the integer a float stands for, where JSON text of Go would have no decimal point.
pub(super) fn whole(float: f64) -> Option<Number> {
    if float.fract() != 0.0 || float.abs() >= 1e20 {
        return None;
    }
    let digits = format!("{float:.0}");
    // Go prints the shortest digits padded with zeros, which is what `{}` does, not the exact value.
    let digits = if float.abs() >= 9_007_199_254_740_992.0 { format!("{float}") } else { digits };
    let digits = if digits == "-0" { "0".to_string() } else { digits };
    digits.parse::<i64>().map(Number::from).or_else(|_| digits.parse::<u64>().map(Number::from)).ok()
}

fn map_numbers(value: Value, change: &impl Fn(Number) -> Number) -> Value {
    match value {
        Value::Number(number) => Value::Number(change(number)),
        Value::Array(items) => Value::Array(items.into_iter().map(|item| map_numbers(item, change)).collect()),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(key, item)| (key, map_numbers(item, change))).collect())
        }
        other => other,
    }
}
