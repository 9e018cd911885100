//! Maps and lists: making them, looking into them, and the versions of Sprig's changing functions that give the changed map.

use super::{Outcome, as_int, as_map, as_text, wrong_type};
use crate::template::budget;
use crate::template::format::plain;
use crate::template::value::{fields, is_nil, is_truthy, key_text, kind, map, type_name};
use std::collections::BTreeSet;
use tera::Value;
use tera::value::Key;

/// A longer list is a mistake in a chart.
const MAX_ITEMS: i64 = 100_000;

/// What a loop runs over: an ordered map from index or key to item. The first argument is the length of the loop's code.
pub(super) fn range(arguments: &[Value]) -> Outcome {
    let (code, value) = (as_length(&arguments[0]), &arguments[1]);
    let indexed = |items: &mut dyn Iterator<Item = Value>| {
        let map: tera::Map = (0i64..).map(Key::I64).zip(items).collect();
        Value::from(map)
    };
    match kind(value) {
        "invalid" => Ok(Value::from(tera::Map::new())),
        "slice" => {
            budget::begin_loop(value.as_array().map_or(0, <[Value]>::len), code)?;
            Ok(indexed(&mut value.as_array().unwrap_or_default().iter().cloned()))
        }
        "map" => {
            budget::begin_loop(value.as_map().map_or(0, tera::Map::len), code)?;
            Ok(map(fields(value).map(|(key, value)| (key, value.clone()))))
        }
        "int" | "int64" => {
            let count = value.as_i64().unwrap_or_default();
            if count > MAX_ITEMS {
                return Err(format!("range over {count}: more than {MAX_ITEMS}"));
            }
            budget::begin_loop(usize::try_from(count).unwrap_or_default(), code)?;
            Ok(indexed(&mut (0..count).map(Value::from)))
        }
        _ => Err(format!("range can't iterate over {}", plain(value))),
    }
}

/// What every define begins with: pays for it, and prints nothing. The argument is the length of its code.
pub(super) fn entered(arguments: &[Value]) -> Outcome {
    budget::begin_define(as_length(&arguments[0]))?;
    Ok("".into())
}

fn as_length(value: &Value) -> usize {
    value.as_u64().and_then(|length| usize::try_from(length).ok()).unwrap_or_default()
}

/// `(value).a.b`: nothing of a missing value is missing too.
pub(super) fn field(arguments: &[Value]) -> Outcome {
    let mut value = arguments[0].clone();
    for (at, name) in arguments[1..].iter().enumerate() {
        let name = as_text(name)?;
        if is_nil(&value) {
            if at == 0 {
                return Ok(Value::undefined());
            }
            return Err(format!("nil pointer evaluating interface {{}}.{name}"));
        }
        let Some(fields) = value.as_map() else {
            return Err(format!("can't evaluate field {name} in type {}", type_name(&value)));
        };
        value = fields.get(&Key::Str(name)).cloned().unwrap_or_else(Value::undefined);
    }
    Ok(value)
}

pub(super) fn files_get(arguments: &[Value]) -> Outcome {
    let content = as_map(&arguments[0])?.get(&Key::Str(as_text(&arguments[1])?));
    Ok(content.cloned().unwrap_or_else(|| Value::from("")))
}

pub(super) fn versions_has(arguments: &[Value]) -> Outcome {
    let wanted = as_text(&arguments[1])?;
    let known = arguments[0].as_array().unwrap_or_default();
    Ok(known.iter().any(|version| version.as_str() == Some(wanted)).into())
}

pub(super) fn len(arguments: &[Value]) -> Outcome {
    let value = &arguments[0];
    let length = match kind(value) {
        "string" => value.as_str().map(str::len),
        "slice" => value.as_array().map(<[Value]>::len),
        "map" => value.as_map().map(tera::Map::len),
        "invalid" => return Err("len of nil pointer".into()),
        other => return Err(format!("len of type {other}")),
    };
    Ok(i64::try_from(length.unwrap_or_default()).unwrap_or(i64::MAX).into())
}

pub(super) fn index(arguments: &[Value]) -> Outcome {
    let mut value = arguments[0].clone();
    if is_nil(&value) {
        return Err("index of untyped nil".into());
    }
    for step in &arguments[1..] {
        value = match kind(&value) {
            "map" => match step.as_str() {
                Some(key) => as_map(&value)?.get(&Key::Str(key)).cloned().unwrap_or_else(Value::undefined),
                None if is_nil(step) => return Err("value is nil; should be of type string".into()),
                None => return Err(format!("value has type {}; should be string", type_name(step))),
            },
            "slice" => item(value.as_array().unwrap_or_default(), step, Value::clone)?,
            "string" => {
                let bytes = value.as_str().unwrap_or_default().as_bytes();
                item(bytes, step, |byte| i64::from(*byte).into())?
            }
            "invalid" => return Err("index of nil pointer".into()),
            other => return Err(format!("can't index item of type {other}")),
        };
    }
    Ok(value)
}

fn item<T>(items: &[T], step: &Value, as_value: impl Fn(&T) -> Value) -> Outcome {
    if !matches!(kind(step), "int" | "int64") {
        return Err(format!("cannot index slice/array with type {}", type_name(step)));
    }
    let at = step.as_i64().and_then(|at| usize::try_from(at).ok());
    at.and_then(|at| items.get(at)).map(as_value).ok_or_else(|| format!("index out of range: {step}"))
}

pub(super) fn dict(arguments: &[Value]) -> Outcome {
    let pairs = arguments.chunks(2).map(|pair| (plain(&pair[0]), pair.get(1).cloned().unwrap_or_else(|| "".into())));
    Ok(map(pairs))
}

pub(super) fn list(arguments: &[Value]) -> Outcome {
    Ok(Value::from(arguments.to_vec()))
}

fn items<'a>(function: &str, value: &'a Value) -> Result<&'a [Value], String> {
    value.as_array().ok_or_else(|| format!("cannot find {function} on type {}", type_name(value)))
}

pub(super) fn first(arguments: &[Value]) -> Outcome {
    Ok(items("first", &arguments[0])?.first().cloned().unwrap_or_else(Value::undefined))
}

pub(super) fn last(arguments: &[Value]) -> Outcome {
    Ok(items("last", &arguments[0])?.last().cloned().unwrap_or_else(Value::undefined))
}

pub(super) fn rest(arguments: &[Value]) -> Outcome {
    Ok(Value::from(items("rest", &arguments[0])?.get(1..).unwrap_or_default().to_vec()))
}

pub(super) fn initial(arguments: &[Value]) -> Outcome {
    let items = items("initial", &arguments[0])?;
    Ok(Value::from(items[..items.len().saturating_sub(1)].to_vec()))
}

pub(super) fn reverse(arguments: &[Value]) -> Outcome {
    Ok(Value::from(items("reverse", &arguments[0])?.iter().rev().cloned().collect::<Vec<_>>()))
}

fn same(left: &Value, right: &Value) -> bool {
    // Go compares deeply and by type: 1 and 1.0 differ. Most values differ, which is seen soonest.
    (left == right || is_nil(left)) && type_name(left) == type_name(right)
}

pub(super) fn uniq(arguments: &[Value]) -> Outcome {
    let mut kept: Vec<Value> = Vec::new();
    for item in items("uniq", &arguments[0])? {
        budget::compare(item, kept.len())?;
        if !kept.iter().any(|known| same(known, item)) {
            kept.push(item.clone());
        }
    }
    Ok(Value::from(kept))
}

pub(super) fn compact(arguments: &[Value]) -> Outcome {
    Ok(Value::from(items("compact", &arguments[0])?.iter().filter(|item| is_truthy(item)).cloned().collect::<Vec<_>>()))
}

pub(super) fn without(arguments: &[Value]) -> Outcome {
    let list = items("without", &arguments[0])?;
    for cut in &arguments[1..] {
        budget::compare(cut, list.len())?;
    }
    let kept = list.iter().filter(|item| !arguments[1..].iter().any(|cut| same(cut, item)));
    Ok(Value::from(kept.cloned().collect::<Vec<_>>()))
}

pub(super) fn concat(arguments: &[Value]) -> Outcome {
    let mut all = Vec::new();
    for list in arguments {
        budget::make(std::mem::size_of_val(items("concat", list)?))?;
        all.extend_from_slice(items("concat", list)?);
    }
    Ok(Value::from(all))
}

pub(super) fn has(arguments: &[Value]) -> Outcome {
    if is_nil(&arguments[1]) {
        return Ok(false.into());
    }
    let list = items("has", &arguments[1])?;
    budget::compare(&arguments[0], list.len())?;
    Ok(list.iter().any(|item| same(item, &arguments[0])).into())
}

pub(super) fn append(arguments: &[Value]) -> Outcome {
    let mut list = items("append", &arguments[0])?.to_vec();
    list.push(arguments[1].clone());
    Ok(Value::from(list))
}

pub(super) fn prepend(arguments: &[Value]) -> Outcome {
    let mut list = vec![arguments[1].clone()];
    list.extend_from_slice(items("prepend", &arguments[0])?);
    Ok(Value::from(list))
}

pub(super) fn get(arguments: &[Value]) -> Outcome {
    let found = as_map(&arguments[0])?.get(&Key::Str(as_text(&arguments[1])?));
    Ok(found.cloned().unwrap_or_else(|| "".into()))
}

pub(super) fn set(arguments: &[Value]) -> Outcome {
    let key = as_text(&arguments[1])?.to_string();
    as_map(&arguments[0])?;
    let others = fields(&arguments[0]).filter(|(name, _)| *name != key).map(|(name, value)| (name, value.clone()));
    Ok(map(others.chain([(key.clone(), arguments[2].clone())]).collect::<Vec<_>>()))
}

pub(super) fn unset(arguments: &[Value]) -> Outcome {
    let key = as_text(&arguments[1])?;
    as_map(&arguments[0])?;
    Ok(map(fields(&arguments[0]).filter(|(name, _)| name != key).map(|(name, value)| (name, value.clone()))))
}

pub(super) fn merge(arguments: &[Value]) -> Outcome {
    let mut merged = arguments[0].clone();
    for source in arguments {
        as_map(source)?;
        merged = merged_pair(&merged, source);
    }
    Ok(merged)
}

/// The first wins wherever it is not empty; maps merge.
fn merged_pair(target: &Value, source: &Value) -> Value {
    let mut all: std::collections::BTreeMap<String, Value> =
        fields(target).map(|(key, value)| (key, value.clone())).collect();
    for (key, value) in fields(source) {
        match all.get(&key) {
            Some(old) if old.as_map().is_some() && value.as_map().is_some() => {
                let deeper = merged_pair(old, value);
                all.insert(key, deeper);
            }
            Some(old) if is_truthy(old) => {}
            Some(_) if is_nil(value) => {}
            _ => {
                all.insert(key, value.clone());
            }
        }
    }
    map(all)
}

pub(super) fn has_key(arguments: &[Value]) -> Outcome {
    Ok(as_map(&arguments[0])?.contains_key(&Key::Str(as_text(&arguments[1])?)).into())
}

/// Sprig's order is random; this one is sorted.
pub(super) fn keys(arguments: &[Value]) -> Outcome {
    let mut keys = Vec::new();
    for dict in arguments {
        let sorted: BTreeSet<String> = as_map(dict)?.keys().map(key_text).collect();
        keys.extend(sorted.into_iter().map(Value::from));
    }
    Ok(Value::from(keys))
}

pub(super) fn values(arguments: &[Value]) -> Outcome {
    let dict: std::collections::BTreeMap<String, &Value> = fields(&arguments[0]).collect();
    as_map(&arguments[0])?;
    Ok(Value::from(dict.into_values().cloned().collect::<Vec<_>>()))
}

fn names(arguments: &[Value]) -> Result<BTreeSet<&str>, String> {
    arguments.iter().map(as_text).collect()
}

pub(super) fn pick(arguments: &[Value]) -> Outcome {
    let names = names(&arguments[1..])?;
    as_map(&arguments[0])?;
    Ok(map(fields(&arguments[0])
        .filter(|(key, _)| names.contains(key.as_str()))
        .map(|(key, value)| (key, value.clone()))))
}

pub(super) fn omit(arguments: &[Value]) -> Outcome {
    let names = names(&arguments[1..])?;
    as_map(&arguments[0])?;
    Ok(map(fields(&arguments[0])
        .filter(|(key, _)| !names.contains(key.as_str()))
        .map(|(key, value)| (key, value.clone()))))
}

pub(super) fn dig(arguments: &[Value]) -> Outcome {
    let (dict, rest) = arguments.split_last().expect("the table asks for three arguments");
    let (default, path) = rest.split_last().expect("the table asks for three arguments");
    as_map(dict)?;
    let mut value = dict;
    for step in path {
        let found =
            value.as_map().ok_or_else(|| wrong_type("map[string]interface {}", value))?.get(&Key::Str(as_text(step)?));
        match found {
            Some(found) => value = found,
            None => return Ok(default.clone()),
        }
    }
    Ok(value.clone())
}

pub(super) fn deep_copy(arguments: &[Value]) -> Outcome {
    Ok(arguments[0].clone())
}

pub(super) fn until(arguments: &[Value]) -> Outcome {
    let count = as_int(&arguments[0])?;
    if count.abs() > MAX_ITEMS {
        return Err(format!("until {count}: more than {MAX_ITEMS}"));
    }
    let step = if count < 0 { -1 } else { 1 };
    Ok(Value::from((0..count.abs()).map(|at| Value::from(at * step)).collect::<Vec<_>>()))
}

pub(super) fn split_list(arguments: &[Value]) -> Outcome {
    let (separator, text) = (as_text(&arguments[0])?, as_text(&arguments[1])?);
    let most = usize::try_from(MAX_ITEMS).unwrap_or_default();
    let is_longer = if separator.is_empty() {
        text.chars().nth(most).is_some()
    } else {
        text.matches(separator).nth(most).is_some()
    };
    if is_longer {
        return Err(format!("splitList: more than {MAX_ITEMS} parts"));
    }
    let parts: Vec<Value> = if separator.is_empty() {
        text.chars().map(|character| Value::from(character.to_string())).collect()
    } else {
        text.split(separator).map(Value::from).collect()
    };
    Ok(Value::from(parts))
}

fn texts(value: &Value) -> Vec<String> {
    match value.as_array() {
        Some(items) => items.iter().filter(|item| !is_nil(item)).map(plain).collect(),
        None if is_nil(value) => Vec::new(),
        None => vec![plain(value)],
    }
}

pub(super) fn sort_alpha(arguments: &[Value]) -> Outcome {
    let mut texts = texts(&arguments[0]);
    texts.sort();
    Ok(Value::from(texts.into_iter().map(Value::from).collect::<Vec<_>>()))
}

pub(super) fn join(arguments: &[Value]) -> Outcome {
    let (separator, texts) = (as_text(&arguments[0])?, texts(&arguments[1]));
    budget::check_text(separator.len().saturating_mul(texts.len()))?;
    Ok(texts.join(separator).into())
}
