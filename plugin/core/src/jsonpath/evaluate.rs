//! From template and document to text.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::{Fault, Operator, Piece, Step, What};

/// Prints what the pieces select.
pub(super) fn print(pieces: &[Piece], document: &Value) -> Result<String, Fault> {
    let mut text = String::new();
    print_into(&mut text, pieces, document)?;
    Ok(text)
}

fn print_into(text: &mut String, pieces: &[Piece], document: &Value) -> Result<(), Fault> {
    for piece in pieces {
        match piece {
            Piece::Text(literal) => text.push_str(literal),
            Piece::Print(steps) => {
                let found: Vec<String> = walk(steps, vec![document])?.into_iter().map(printed).collect();
                text.push_str(&found.join(" "));
            }
            Piece::Range { over, body } => {
                for value in walk(over, vec![document])? {
                    print_into(text, body, value)?;
                }
            }
        }
    }
    Ok(())
}

/// A value as kubectl prints it: text as it is, everything else as Go writes JSON.
fn printed(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(_) | Value::Array(_) => {
            let json = sorted(value).to_string();
            json.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e")
        }
        other => other.to_string(),
    }
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort();
            Value::Object(names.into_iter().map(|name| (name.clone(), sorted(&fields[name]))).collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

fn walk<'a>(steps: &'a [Step], mut values: Vec<&'a Value>) -> Result<Vec<&'a Value>, Fault> {
    for step in steps {
        values = take(step, values)?;
    }
    Ok(values)
}

fn take<'a>(step: &'a Step, values: Vec<&'a Value>) -> Result<Vec<&'a Value>, Fault> {
    Ok(match &step.what {
        What::Field(name) => values.into_iter().filter_map(|value| value.as_object()?.get(name)).collect(),
        What::Wildcard => values.into_iter().flat_map(inside).collect(),
        What::Recursive => {
            let mut found = Vec::new();
            for value in values {
                descend(value, &mut found);
            }
            found
        }
        What::Index(index) => {
            let mut found = Vec::new();
            for items in lists(step, &values)? {
                let place = if *index < 0 { *index + length(items) } else { *index };
                let item = usize::try_from(place).ok().and_then(|place| items.get(place));
                found.push(item.ok_or_else(|| out_of_bounds(step, place, items))?);
            }
            found
        }
        What::Slice { from, to, step: stride } => {
            let mut found = Vec::new();
            for items in lists(step, &values)? {
                found.extend(slice(step, items, (*from, *to, *stride))?);
            }
            found
        }
        What::Union(parts) => {
            let mut found = Vec::new();
            for part in parts {
                found.extend(walk(part, values.clone())?);
            }
            found
        }
        What::Filter { left, comparison } => {
            let mut found = Vec::new();
            for items in lists(step, &values)? {
                for item in items {
                    if passes(step, item, left, comparison.as_ref())? {
                        found.push(item);
                    }
                }
            }
            found
        }
        What::Text(text) => vec![text],
        What::Constant(constant) => values.iter().map(|_| constant).collect(),
    })
}

fn inside(value: &Value) -> Vec<&Value> {
    match value {
        Value::Object(fields) => fields.values().collect(),
        Value::Array(items) => items.iter().collect(),
        _ => Vec::new(),
    }
}

/// Adds a value and all that is in it, unless there is nothing in it.
fn descend<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::String(text) if !text.is_empty() => found.push(value),
        Value::Object(_) | Value::Array(_) => {
            let parts = inside(value);
            if !parts.is_empty() {
                found.push(value);
                for part in parts {
                    descend(part, found);
                }
            }
        }
        _ => {}
    }
}

/// The values as lists; what is nothing is passed over.
fn lists<'a>(step: &Step, values: &[&'a Value]) -> Result<Vec<&'a Vec<Value>>, Fault> {
    let there = values.iter().filter(|value| !value.is_null());
    let list = |value: &&'a Value| {
        value.as_array().ok_or_else(|| Fault::new(step.at, format!("this is {}, not a list", kind(value))))
    };
    there.map(list).collect()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a truth",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn length(items: &[Value]) -> i64 {
    i64::try_from(items.len()).unwrap_or(i64::MAX)
}

fn out_of_bounds(step: &Step, index: i64, items: &[Value]) -> Fault {
    Fault::new(step.at, format!("array index out of bounds: index {index}, length {}", items.len()))
}

fn slice<'a>(
    step: &Step,
    items: &'a [Value],
    (from, to, stride): (Option<i64>, Option<i64>, Option<i64>),
) -> Result<impl Iterator<Item = &'a Value>, Fault> {
    let length = length(items);
    let counted = |index: i64| if index < 0 { index.saturating_add(length) } else { index };
    let (from, to) = (counted(from.unwrap_or(0)), counted(to.unwrap_or(length)));
    if from != to && !(0..length).contains(&from) {
        return Err(out_of_bounds(step, from, items));
    }
    if from != to && !(0..=length).contains(&to) {
        return Err(out_of_bounds(step, to - 1, items));
    }
    if from > to {
        return Err(Fault::new(step.at, format!("starting index {from} is greater than ending index {to}")));
    }
    let stride = usize::try_from(stride.unwrap_or(1)).ok().filter(|stride| *stride > 0);
    let stride = stride.ok_or_else(|| Fault::new(step.at, "step must be > 0"))?;
    let place = |index: i64| usize::try_from(index).unwrap_or(0).min(items.len());
    Ok(items[place(from)..place(to)].iter().step_by(stride))
}

fn passes<'a>(
    step: &Step,
    item: &'a Value,
    left: &'a [Step],
    comparison: Option<&'a (Operator, Vec<Step>)>,
) -> Result<bool, Fault> {
    let found = walk(left, vec![item]);
    let Some((operator, right)) = comparison else {
        // What cannot be reached is not there.
        return Ok(found.is_ok_and(|found| !found.is_empty()));
    };
    let one = |values: Vec<&'a Value>| match values.as_slice() {
        [] => Ok(None),
        [value] => Ok(Some(*value)),
        _ => Err(Fault::new(step.at, "can only compare one element at a time")),
    };
    let (Some(left), Some(right)) = (one(found?)?, one(walk(right, vec![item])?)?) else { return Ok(false) };
    compare(*operator, left, right)
        .ok_or_else(|| Fault::new(step.at, format!("{} cannot be compared with {} like this", kind(left), kind(right))))
}

fn compare(operator: Operator, left: &Value, right: &Value) -> Option<bool> {
    let order = match (left, right) {
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => left.as_f64()?.partial_cmp(&right.as_f64()?)?,
        },
        (Value::Bool(left), Value::Bool(right)) if matches!(operator, Operator::Equal | Operator::NotEqual) => {
            left.cmp(right)
        }
        _ => return None,
    };
    Some(match operator {
        Operator::Equal => order == Ordering::Equal,
        Operator::NotEqual => order != Ordering::Equal,
        Operator::Less => order == Ordering::Less,
        Operator::LessOrEqual => order != Ordering::Greater,
        Operator::Greater => order == Ordering::Greater,
        Operator::GreaterOrEqual => order != Ordering::Less,
    })
}
