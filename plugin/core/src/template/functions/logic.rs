//! Comparison, defaults, kinds, and the two ways for a template to stop: `required` and `fail`.

use super::{Outcome, as_text, wrong_type};
use crate::template::format::plain;
use crate::template::value::{is_nil, is_truthy, kind, type_name};
use std::cmp::Ordering;
use tera::Value;

#[derive(PartialEq)]
enum Basic {
    Bool,
    Integer,
    Float,
    Text,
    Other,
}

fn basic(value: &Value) -> Basic {
    match kind(value) {
        "bool" => Basic::Bool,
        "int" | "int64" => Basic::Integer,
        "float64" => Basic::Float,
        "string" => Basic::Text,
        _ => Basic::Other,
    }
}

fn equal(left: &Value, right: &Value) -> Result<bool, String> {
    if basic(left) != basic(right) {
        if is_nil(left) || is_nil(right) {
            return Ok(false);
        }
        let advice = match (basic(left), basic(right)) {
            (Basic::Float, Basic::Integer) | (Basic::Integer, Basic::Float) => {
                " (numbers of values files are floats; use int)"
            }
            _ => "",
        };
        return Err(format!("incompatible types for comparison: {} and {}{advice}", type_name(left), type_name(right)));
    }
    match basic(left) {
        Basic::Bool => Ok(left.as_bool() == right.as_bool()),
        Basic::Integer => Ok(left.as_i128() == right.as_i128()),
        #[expect(clippy::float_cmp, reason = "Go compares the same bits")]
        Basic::Float => Ok(left.as_f64().unwrap_or_default() == right.as_f64().unwrap_or_default()),
        Basic::Text => Ok(left.as_str() == right.as_str()),
        Basic::Other if is_nil(left) || is_nil(right) => Ok(is_nil(left) == is_nil(right)),
        Basic::Other => Err(format!("non-comparable type {}: {}", type_name(left), plain(left))),
    }
}

pub(super) fn eq(arguments: &[Value]) -> Outcome {
    for other in &arguments[1..] {
        if equal(&arguments[0], other)? {
            return Ok(true.into());
        }
    }
    Ok(false.into())
}

pub(super) fn ne(arguments: &[Value]) -> Outcome {
    equal(&arguments[0], &arguments[1]).map(|equal| (!equal).into())
}

fn compare(arguments: &[Value], accepts: fn(Ordering) -> bool) -> Outcome {
    let (left, right) = (&arguments[0], &arguments[1]);
    let ordering = match (basic(left), basic(right)) {
        (Basic::Integer, Basic::Integer) => left.as_i128().cmp(&right.as_i128()),
        (Basic::Text, Basic::Text) => left.as_str().cmp(&right.as_str()),
        (Basic::Float, Basic::Float) => {
            let ordering = left.as_f64().partial_cmp(&right.as_f64());
            return Ok(ordering.is_some_and(accepts).into());
        }
        (Basic::Bool | Basic::Other, _) | (_, Basic::Bool | Basic::Other) => {
            return Err(format!("invalid type for comparison: {} and {}", type_name(left), type_name(right)));
        }
        _ => return equal(left, right).map(Into::into),
    };
    Ok(accepts(ordering).into())
}

pub(super) fn lt(arguments: &[Value]) -> Outcome {
    compare(arguments, Ordering::is_lt)
}

pub(super) fn le(arguments: &[Value]) -> Outcome {
    compare(arguments, Ordering::is_le)
}

pub(super) fn gt(arguments: &[Value]) -> Outcome {
    compare(arguments, Ordering::is_gt)
}

pub(super) fn ge(arguments: &[Value]) -> Outcome {
    compare(arguments, Ordering::is_ge)
}

pub(super) fn empty(arguments: &[Value]) -> Outcome {
    Ok((!is_truthy(&arguments[0])).into())
}

pub(super) fn default(arguments: &[Value]) -> Outcome {
    Ok(arguments.get(1).filter(|given| is_truthy(given)).unwrap_or(&arguments[0]).clone())
}

pub(super) fn coalesce(arguments: &[Value]) -> Outcome {
    Ok(arguments.iter().find(|value| is_truthy(value)).cloned().unwrap_or_else(Value::undefined))
}

pub(super) fn ternary(arguments: &[Value]) -> Outcome {
    let condition = arguments[2].as_bool().ok_or_else(|| wrong_type("bool", &arguments[2]))?;
    Ok(arguments[usize::from(!condition)].clone())
}

pub(super) fn required(arguments: &[Value]) -> Outcome {
    let message = as_text(&arguments[0])?;
    let missing = is_nil(&arguments[1]) || arguments[1].as_str() == Some("");
    if missing { Err(message.to_string()) } else { Ok(arguments[1].clone()) }
}

pub(super) fn fail(arguments: &[Value]) -> Outcome {
    Err(as_text(&arguments[0])?.to_string())
}

pub(super) fn kind_of(arguments: &[Value]) -> Outcome {
    Ok(kind(&arguments[0]).into())
}

pub(super) fn kind_is(arguments: &[Value]) -> Outcome {
    Ok((as_text(&arguments[0])? == kind(&arguments[1])).into())
}

pub(super) fn type_of(arguments: &[Value]) -> Outcome {
    Ok(type_name(&arguments[0]).into())
}

pub(super) fn type_is(arguments: &[Value]) -> Outcome {
    Ok((as_text(&arguments[0])? == type_name(&arguments[1])).into())
}
