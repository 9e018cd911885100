//! Go's `fmt`: how values print with `%v` and the other verbs of `printf`.

use super::budget;
use super::value::{fields, is_nil, kind, type_name};
use crate::yaml::format_float;
use tera::Value;

/// What a missing value prints as; Helm takes this text out of the whole result.
pub(super) const NO_VALUE: &str = "<no value>";

/// Prints a value as `{{ value }}` does.
pub(super) fn text(value: &Value) -> String {
    if is_nil(value) { NO_VALUE.into() } else { plain(value) }
}

/// `%v`
pub(super) fn plain(value: &Value) -> String {
    match kind(value) {
        "invalid" => "<nil>".into(),
        "float64" => format_float(value.as_f64().unwrap_or_default()),
        "slice" => {
            let items: Vec<String> = value.as_array().unwrap_or_default().iter().map(plain).collect();
            format!("[{}]", items.join(" "))
        }
        "map" => {
            let mut pairs: Vec<(String, &Value)> = fields(value).collect();
            pairs.sort_by(|left, right| left.0.cmp(&right.0));
            let pairs: Vec<String> = pairs.into_iter().map(|(key, value)| format!("{key}:{}", plain(value))).collect();
            format!("map[{}]", pairs.join(" "))
        }
        _ => value.to_string(),
    }
}

/// `%q` of a text.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        push_escaped(&mut out, character, '"');
    }
    out.push('"');
    out
}

fn push_escaped(out: &mut String, character: char, quote: char) {
    let short = match character {
        '\x07' => "\\a",
        '\x08' => "\\b",
        '\x0c' => "\\f",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        '\x0b' => "\\v",
        '\\' => "\\\\",
        _ => "",
    };
    let code = u32::from(character);
    if !short.is_empty() {
        out.push_str(short);
    } else if character == quote {
        out.push('\\');
        out.push(quote);
    } else if is_printable(character) {
        out.push(character);
    } else {
        let escaped = match code {
            0..0x80 => format!("\\x{code:02x}"),
            0x80..0x10000 => format!("\\u{code:04x}"),
            _ => format!("\\U{code:08x}"),
        };
        out.push_str(&escaped);
    }
}

/// Go prints letters, marks, numbers, punctuation, symbols and the plain space.
fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return matches!(character, ' '..='~');
    }
    // `escape_debug` escapes the same characters, and combining marks besides, which Go prints.
    let unescaped = character.escape_debug().count() == 1;
    !character.is_whitespace() && (unescaped || matches!(u32::from(character), 0x300..=0x36f))
}

/// `print`: a space between two operands when neither is a text.
pub(super) fn sprint(values: &[Value]) -> String {
    let mut out = String::new();
    for (at, value) in values.iter().enumerate() {
        if at > 0 && !value.is_string() && !values[at - 1].is_string() {
            out.push(' ');
        }
        out.push_str(&plain(value));
    }
    out
}

#[expect(clippy::struct_excessive_bools, reason = "the five flags of a verb")]
#[derive(Default, Clone)]
struct Verb {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
    letter: char,
}

/// Wider fields than this are refused by Go's own parser too.
const MAX_WIDTH: usize = 1_000_000;

/// `printf`
pub(super) fn sprintf(format: &str, values: &[Value]) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = format;
    let mut used = 0;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let (verb, after) = parse_verb(&rest[at + 1..], values, &mut used);
        rest = after;
        match verb {
            None => out.push_str("%!(NOVERB)"),
            Some(verb) if verb.letter == '%' => out.push('%'),
            Some(verb) => {
                budget::check_text(out.len().saturating_add(longest(&verb, values.get(used))?))?;
                let result = match values.get(used) {
                    None => format!("%!{}(MISSING)", verb.letter),
                    Some(value) => padded(&verb, formatted(&verb, value)),
                };
                out.push_str(&result);
                used += 1;
            }
        }
    }
    out.push_str(rest);
    if used < values.len() {
        let extra: Vec<String> = values[used..]
            .iter()
            .map(|value| if is_nil(value) { "<nil>".into() } else { format!("{}={}", type_name(value), plain(value)) })
            .collect();
        let extra = format!("%!(EXTRA {})", extra.join(", "));
        out.push_str(&extra);
    }
    Ok(out)
}

/// The most that a verb can write: each number in a value may be filled up to the precision, the whole up to the width.
fn longest(verb: &Verb, value: Option<&Value>) -> Result<usize, String> {
    let parts = value.map(budget::measure).transpose()?.unwrap_or_default().parts;
    Ok(verb.width.unwrap_or(0).saturating_add(verb.precision.unwrap_or(0).saturating_mul(parts)))
}

fn parse_verb<'a>(text: &'a str, values: &[Value], used: &mut usize) -> (Option<Verb>, &'a str) {
    let mut verb = Verb::default();
    let flags = text.find(|next: char| !"+-# 0".contains(next)).unwrap_or(text.len());
    for flag in text[..flags].chars() {
        match flag {
            '-' => verb.minus = true,
            '+' => verb.plus = true,
            '#' => verb.sharp = true,
            ' ' => verb.space = true,
            _ => verb.zero = !verb.minus,
        }
    }
    let mut rest = &text[flags..];
    verb.width = number(&mut rest, values, used);
    if let Some(after) = rest.strip_prefix('.') {
        rest = after;
        verb.precision = Some(number(&mut rest, values, used).unwrap_or(0));
    }
    let Some(letter) = rest.chars().next() else { return (None, "") };
    verb.letter = letter;
    (Some(verb), &rest[letter.len_utf8()..])
}

fn number(rest: &mut &str, values: &[Value], used: &mut usize) -> Option<usize> {
    if let Some(after) = rest.strip_prefix('*') {
        *rest = after;
        let value = values.get(*used).and_then(Value::as_u64).and_then(|value| usize::try_from(value).ok());
        *used += 1;
        return value.filter(|value| *value <= MAX_WIDTH);
    }
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let value = rest[..digits].parse().ok().filter(|value| *value <= MAX_WIDTH);
    *rest = &rest[digits..];
    value
}

fn padded(verb: &Verb, text: String) -> String {
    let missing = verb.width.unwrap_or(0).saturating_sub(text.chars().count());
    let zeros = verb.zero && !verb.minus;
    if missing == 0 {
        text
    } else if verb.minus {
        text + &" ".repeat(missing)
    } else if zeros {
        let sign = usize::from(text.starts_with(['-', '+']));
        format!("{}{}{}", &text[..sign], "0".repeat(missing), &text[sign..])
    } else {
        " ".repeat(missing) + &text
    }
}

fn formatted(verb: &Verb, value: &Value) -> String {
    match (verb.letter, kind(value)) {
        ('T', _) => type_name(value).into(),
        ('v', "invalid") => "<nil>".into(),
        (letter, "invalid") => format!("%!{letter}(<nil>)"),
        ('v', "slice" | "map") if !verb.sharp => plain(value),
        (_, "slice") => {
            let items: Vec<String> =
                value.as_array().unwrap_or_default().iter().map(|item| formatted(verb, item)).collect();
            format!("[{}]", items.join(" "))
        }
        (_, "map") => {
            let pairs: Vec<String> = fields(value)
                .map(|(key, item)| format!("{}:{}", formatted(verb, &Value::from(key)), formatted(verb, item)))
                .collect();
            format!("map[{}]", pairs.join(" "))
        }
        ('v' | 's', "string") => truncated(verb, &value.to_string()),
        ('q', "string") if verb.sharp && !value.to_string().contains('`') => format!("`{value}`"),
        ('q', "string") => quoted(&truncated(verb, &value.to_string())),
        ('x', "string") => hex(value.to_string().as_bytes()),
        ('X', "string") => hex(value.to_string().as_bytes()).to_uppercase(),
        ('v' | 't', "bool") => value.to_string(),
        (_, "int" | "int64") => integer(verb, value),
        (_, "float64") => float(verb, value),
        _ => wrong_verb(verb, value),
    }
}

/// Two digits a byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn truncated(verb: &Verb, text: &str) -> String {
    verb.precision.map_or_else(|| text.to_string(), |precision| text.chars().take(precision).collect())
}

fn wrong_verb(verb: &Verb, value: &Value) -> String {
    format!("%!{}({}={})", verb.letter, type_name(value), plain(value))
}

fn integer(verb: &Verb, value: &Value) -> String {
    let number = value.as_i128().unwrap_or_default();
    let magnitude = number.unsigned_abs();
    let digits = match verb.letter {
        'v' | 'd' => magnitude.to_string(),
        'x' => format!("{}{magnitude:x}", if verb.sharp { "0x" } else { "" }),
        'X' => format!("{}{magnitude:X}", if verb.sharp { "0X" } else { "" }),
        'o' => format!("{}{magnitude:o}", if verb.sharp { "0" } else { "" }),
        'b' => format!("{magnitude:b}"),
        'c' | 'q' => {
            let character = u32::try_from(number).ok().and_then(char::from_u32).unwrap_or('\u{fffd}');
            if verb.letter == 'c' {
                return character.to_string();
            }
            let mut out = String::from("'");
            push_escaped(&mut out, character, '\'');
            return out + "'";
        }
        'U' => format!("U+{magnitude:04X}"),
        _ => return wrong_verb(verb, value),
    };
    let zeros = "0".repeat(verb.precision.unwrap_or(0).saturating_sub(digits.len()));
    format!("{}{zeros}{digits}", sign(verb, number < 0))
}

fn sign(verb: &Verb, negative: bool) -> &'static str {
    match (negative, verb.plus, verb.space) {
        (true, _, _) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        (false, false, false) => "",
    }
}

/// Splits a precision into digits that a number can have and zeros after them: formatting takes no more than 65535.
fn exact_digits(precision: Option<usize>) -> (usize, String) {
    // A float has at most 1074 digits after the point.
    const MOST: usize = 1100;
    let precision = precision.unwrap_or(6);
    (precision.min(MOST), "0".repeat(precision.saturating_sub(MOST)))
}

fn float(verb: &Verb, value: &Value) -> String {
    let number = value.as_f64().unwrap_or_default();
    let magnitude = number.abs();
    let text = match (verb.letter, verb.precision) {
        ('v' | 'g', None) => format_float(magnitude),
        ('f' | 'F', precision) => {
            let (digits, zeros) = exact_digits(precision);
            format!("{magnitude:.digits$}{zeros}")
        }
        ('e' | 'E', precision) => {
            let (digits, zeros) = exact_digits(precision);
            let text = format!("{magnitude:.digits$e}");
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let mantissa = format!("{mantissa}{zeros}");
            let exponent: i32 = exponent.parse().unwrap_or_default();
            let sign = if exponent < 0 { '-' } else { '+' };
            let text = format!("{mantissa}e{sign}{:02}", exponent.abs());
            if verb.letter == 'E' { text.to_uppercase() } else { text }
        }
        _ => return wrong_verb(verb, value),
    };
    format!("{}{text}", sign(verb, number.is_sign_negative()))
}
