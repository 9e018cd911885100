//! Texts: printing, quoting, indenting, trimming. Lengths count bytes, as in Go.

use super::{Outcome, as_int, as_text};
use crate::template::budget;
use crate::template::format::{self, plain, quoted, sprint, sprintf};
use crate::template::value::is_nil;
use std::collections::HashSet;
use tera::Value;

/// What the translator prints every value with.
pub(super) fn text(arguments: &[Value]) -> Outcome {
    Ok(format::text(&arguments[0]).into())
}

pub(super) fn quote(arguments: &[Value]) -> Outcome {
    let parts: Vec<String> =
        arguments.iter().filter(|value| !is_nil(value)).map(|value| quoted(&plain(value))).collect();
    Ok(parts.join(" ").into())
}

pub(super) fn squote(arguments: &[Value]) -> Outcome {
    let parts: Vec<String> =
        arguments.iter().filter(|value| !is_nil(value)).map(|value| format!("'{}'", plain(value))).collect();
    Ok(parts.join(" ").into())
}

pub(super) fn to_string(arguments: &[Value]) -> Outcome {
    Ok(plain(&arguments[0]).into())
}

pub(super) fn print(arguments: &[Value]) -> Outcome {
    Ok(sprint(arguments).into())
}

pub(super) fn println(arguments: &[Value]) -> Outcome {
    let parts: Vec<String> = arguments.iter().map(plain).collect();
    Ok(format!("{}\n", parts.join(" ")).into())
}

pub(super) fn printf(arguments: &[Value]) -> Outcome {
    sprintf(as_text(&arguments[0])?, &arguments[1..]).map(Into::into)
}

pub(super) fn cat(arguments: &[Value]) -> Outcome {
    let parts: Vec<String> = arguments.iter().filter(|value| !is_nil(value)).map(plain).collect();
    Ok(parts.join(" ").into())
}

fn padded(arguments: &[Value]) -> Result<String, String> {
    let width = usize::try_from(as_int(&arguments[0])?)
        .map_err(|_| "a text cannot be indented by less than nothing".to_string())?;
    let text = as_text(&arguments[1])?;
    let lines = text.matches('\n').count() + 1;
    budget::check_text(width.saturating_mul(lines).saturating_add(text.len()))?;
    let padding = " ".repeat(width);
    Ok(format!("{padding}{}", text.replace('\n', &format!("\n{padding}"))))
}

pub(super) fn indent(arguments: &[Value]) -> Outcome {
    padded(arguments).map(Into::into)
}

pub(super) fn nindent(arguments: &[Value]) -> Outcome {
    padded(arguments).map(|text| format!("\n{text}").into())
}

pub(super) fn trim(arguments: &[Value]) -> Outcome {
    Ok(as_text(&arguments[0])?.trim().into())
}

pub(super) fn trim_all(arguments: &[Value]) -> Outcome {
    let cut: HashSet<char> = as_text(&arguments[0])?.chars().collect();
    Ok(as_text(&arguments[1])?.trim_matches(|edge| cut.contains(&edge)).into())
}

pub(super) fn trim_prefix(arguments: &[Value]) -> Outcome {
    let (prefix, text) = (as_text(&arguments[0])?, as_text(&arguments[1])?);
    Ok(text.strip_prefix(prefix).unwrap_or(text).into())
}

pub(super) fn trim_suffix(arguments: &[Value]) -> Outcome {
    let (suffix, text) = (as_text(&arguments[0])?, as_text(&arguments[1])?);
    Ok(text.strip_suffix(suffix).unwrap_or(text).into())
}

pub(super) fn trunc(arguments: &[Value]) -> Outcome {
    let (length, text) = (as_int(&arguments[0])?, as_text(&arguments[1])?);
    let wanted = usize::try_from(length.unsigned_abs()).unwrap_or(usize::MAX);
    let bytes = text.as_bytes();
    let kept = match bytes.len().checked_sub(wanted) {
        None | Some(0) => bytes,
        Some(cut) if length < 0 => &bytes[cut..],
        Some(_) => &bytes[..wanted],
    };
    Ok(String::from_utf8_lossy(kept).as_ref().into())
}

pub(super) fn replace(arguments: &[Value]) -> Outcome {
    let (old, new, text) = (as_text(&arguments[0])?, as_text(&arguments[1])?, as_text(&arguments[2])?);
    budget::check_text(text.matches(old).count().saturating_mul(new.len()).saturating_add(text.len()))?;
    Ok(text.replace(old, new).into())
}

pub(super) fn repeat(arguments: &[Value]) -> Outcome {
    let count =
        usize::try_from(as_int(&arguments[0])?).map_err(|_| "a text cannot be repeated less than never".to_string())?;
    let text = as_text(&arguments[1])?;
    budget::check_text(count.saturating_mul(text.len()))?;
    Ok(text.repeat(count).into())
}

pub(super) fn lower(arguments: &[Value]) -> Outcome {
    Ok(as_text(&arguments[0])?.to_lowercase().into())
}

pub(super) fn upper(arguments: &[Value]) -> Outcome {
    Ok(as_text(&arguments[0])?.to_uppercase().into())
}

pub(super) fn title(arguments: &[Value]) -> Outcome {
    let mut out = String::new();
    let mut previous = ' ';
    for character in as_text(&arguments[0])?.chars() {
        let inside_word = if previous.is_ascii() {
            previous.is_ascii_alphanumeric() || previous == '_'
        } else {
            !previous.is_whitespace()
        };
        if inside_word {
            out.push(character);
        } else {
            out.extend(character.to_uppercase());
        }
        previous = character;
    }
    Ok(out.into())
}

pub(super) fn nospace(arguments: &[Value]) -> Outcome {
    Ok(as_text(&arguments[0])?.chars().filter(|character| !character.is_whitespace()).collect::<String>().into())
}

pub(super) fn contains(arguments: &[Value]) -> Outcome {
    Ok(as_text(&arguments[1])?.contains(as_text(&arguments[0])?).into())
}

pub(super) fn has_prefix(arguments: &[Value]) -> Outcome {
    Ok(as_text(&arguments[1])?.starts_with(as_text(&arguments[0])?).into())
}

pub(super) fn has_suffix(arguments: &[Value]) -> Outcome {
    Ok(as_text(&arguments[1])?.ends_with(as_text(&arguments[0])?).into())
}
