//! Arithmetic of Sprig, which is done in `int64`, and conversions to numbers.

use super::Outcome;
use crate::template::value::kind;
use tera::Value;

fn long(value: i64) -> Value {
    Value::from(i128::from(value))
}

/// What Sprig makes of any value as an integer; what is no number is 0.
#[expect(clippy::cast_possible_truncation, reason = "Go truncates floats the same way")]
pub(super) fn to_integer(value: &Value) -> i64 {
    match kind(value) {
        "int" | "int64" => value.as_i64().unwrap_or_default(),
        "float64" => value.as_f64().unwrap_or_default() as i64,
        "bool" => i64::from(value.as_bool().unwrap_or_default()),
        "string" => parse(value.as_str().unwrap_or_default()),
        _ => 0,
    }
}

/// A text with Go's prefixes for bases; zero decimals are dropped.
fn parse(text: &str) -> i64 {
    let whole = match text.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0') => whole,
        _ => text,
    };
    let (negative, digits) = match whole.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, whole.strip_prefix('+').unwrap_or(whole)),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        Some(two) if two.starts_with('0') => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if digits.starts_with(['+', '-']) {
        return 0;
    }
    let magnitude = u64::from_str_radix(digits, base).unwrap_or_default();
    if negative {
        0i64.checked_sub_unsigned(magnitude).unwrap_or_default()
    } else {
        i64::try_from(magnitude).unwrap_or_default()
    }
}

pub(super) fn int(arguments: &[Value]) -> Outcome {
    Ok(to_integer(&arguments[0]).into())
}

pub(super) fn int64(arguments: &[Value]) -> Outcome {
    Ok(long(to_integer(&arguments[0])))
}

pub(super) fn float64(arguments: &[Value]) -> Outcome {
    let value = &arguments[0];
    Ok(match kind(value) {
        "float64" => value.clone(),
        "string" => value.as_str().and_then(|text| text.parse::<f64>().ok()).unwrap_or_default().into(),
        #[expect(clippy::cast_precision_loss, reason = "Go loses the same digits")]
        _ => (to_integer(value) as f64).into(),
    })
}

pub(super) fn add(arguments: &[Value]) -> Outcome {
    Ok(long(arguments.iter().map(to_integer).fold(0, i64::wrapping_add)))
}

pub(super) fn add1(arguments: &[Value]) -> Outcome {
    Ok(long(to_integer(&arguments[0]).wrapping_add(1)))
}

pub(super) fn sub(arguments: &[Value]) -> Outcome {
    Ok(long(to_integer(&arguments[0]).wrapping_sub(to_integer(&arguments[1]))))
}

pub(super) fn mul(arguments: &[Value]) -> Outcome {
    Ok(long(arguments.iter().map(to_integer).fold(1, i64::wrapping_mul)))
}

pub(super) fn div(arguments: &[Value]) -> Outcome {
    let divisor = to_integer(&arguments[1]);
    if divisor == 0 {
        return Err("integer divide by zero".into());
    }
    Ok(long(to_integer(&arguments[0]).wrapping_div(divisor)))
}

pub(super) fn modulo(arguments: &[Value]) -> Outcome {
    let divisor = to_integer(&arguments[1]);
    if divisor == 0 {
        return Err("integer divide by zero".into());
    }
    Ok(long(to_integer(&arguments[0]).wrapping_rem(divisor)))
}

pub(super) fn max(arguments: &[Value]) -> Outcome {
    Ok(long(arguments.iter().map(to_integer).max().unwrap_or_default()))
}

pub(super) fn min(arguments: &[Value]) -> Outcome {
    Ok(long(arguments.iter().map(to_integer).min().unwrap_or_default()))
}
