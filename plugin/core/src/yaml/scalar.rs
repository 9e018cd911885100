//! What a plain scalar means in YAML 1.1: the resolver of go-yaml v2, used by the reader, and by the writer to know what needs quotes.

/// The meaning of a plain scalar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    /// Kept as text when read, quoted when written.
    Timestamp,
    Text,
}

pub(super) fn resolve(text: &str) -> Scalar {
    if let Some(word) = resolve_word(text) {
        return word;
    }
    match text.as_bytes().first() {
        Some(b'.') => finite(&without_separators(text)).map_or(Scalar::Text, Scalar::Float),
        Some(b'+' | b'-' | b'0'..=b'9') => resolve_number(text),
        _ => Scalar::Text,
    }
}

fn resolve_word(text: &str) -> Option<Scalar> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Scalar::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Scalar::Bool(false),
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
        _ => return None,
    })
}

fn resolve_number(text: &str) -> Scalar {
    if is_timestamp(text) {
        return Scalar::Timestamp;
    }
    let plain = text.replace('_', "");
    if let Some(integer) = parse_integer(&plain) {
        return integer;
    }
    if is_decimal_float(&plain)
        && let Some(float) = finite(&plain)
    {
        return Scalar::Float(float);
    }
    Scalar::Text
}

/// Here the library lets an underscore stand between two digits only.
fn without_separators(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let separates = |at: usize| digit(at.checked_sub(1)) && digit(Some(at + 1));
    if text.match_indices('_').all(|(at, _)| separates(at)) { text.replace('_', "") } else { text.to_string() }
}

fn finite(text: &str) -> Option<f64> {
    if !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) {
        return None;
    }
    text.parse::<f64>().ok().filter(|float| float.is_finite())
}

/// Go's `ParseInt(text, 0, 64)`: the prefix gives the base, and a leading zero means octal.
fn parse_integer(text: &str) -> Option<Scalar> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.get(..2).map(str::to_ascii_lowercase);
    let (base, digits) = match lower.as_deref() {
        Some("0x") => (16, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        Some("0b") => (2, &digits[2..]),
        Some(two) if two.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, base).ok()?;
    if negative {
        return 0i64.checked_sub_unsigned(magnitude).map(Scalar::Integer);
    }
    match i64::try_from(magnitude) {
        Ok(integer) => Some(Scalar::Integer(integer)),
        Err(_) if text.starts_with('+') => None,
        Err(_) => Some(Scalar::Unsigned(magnitude)),
    }
}

/// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`
fn is_decimal_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && digits(fraction),
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        let unsigned = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !unsigned.is_empty() && digits(unsigned)
    });
    mantissa_fits && exponent_fits
}

/// Base 60 is read as text, but quoted when written, for readers that still know it.
/// `^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$`
pub(super) fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (sixties, fraction) = match unsigned.split_once('.') {
        Some((sixties, fraction)) => (sixties, fraction),
        None => (unsigned, ""),
    };
    let mut parts = sixties.split(':');
    let first = parts.next().unwrap_or_default();
    let digit_or_underscore = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let mut count = 0;
    let rest_fits = parts.all(|part| {
        count += 1;
        match part.as_bytes() {
            [last] => last.is_ascii_digit(),
            [tens, last] => (b'0'..=b'5').contains(tens) && last.is_ascii_digit(),
            _ => false,
        }
    });
    first.starts_with(|digit: char| digit.is_ascii_digit())
        && digit_or_underscore(first)
        && rest_fits
        && count > 0
        && digit_or_underscore(fraction)
}

/// The four layouts go-yaml tries: a date alone, or with a time after `T`, `t` (with a zone) or one space (without).
fn is_timestamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || !bytes[..4].iter().all(u8::is_ascii_digit) || bytes[4] != b'-' {
        return false;
    }
    let mut rest = Cursor(&text[5..]);
    let year: u32 = text[..4].parse().unwrap_or_default();
    let (Some(month), true) = (rest.number(1..=2), rest.eat('-')) else { return false };
    let Some(day) = rest.number(1..=2) else { return false };
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return false;
    }
    if rest.0.is_empty() {
        return true;
    }
    let zoned = !rest.0.starts_with(' ');
    if !(rest.eat('T') || rest.eat('t') || rest.eat(' ')) {
        return false;
    }
    // Go reads a field written as 15 with one or two digits, like the 4 and the 5.
    let (Some(hour), true) = (rest.number(1..=2), rest.eat(':')) else { return false };
    let (Some(minute), true) = (rest.number(1..=2), rest.eat(':')) else { return false };
    let Some(second) = rest.number(1..=2) else { return false };
    if hour > 23 || minute > 59 || second > 59 {
        return false;
    }
    if rest.0.starts_with(['.', ',']) {
        let digits = rest.0[1..].bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            rest.0 = &rest.0[1 + digits..];
        }
    }
    if zoned { is_zone(rest.0) } else { rest.0.is_empty() }
}

fn is_zone(text: &str) -> bool {
    if text == "Z" {
        return true;
    }
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes[at].is_ascii_digit();
    bytes.len() == 6
        && matches!(bytes[0], b'+' | b'-')
        && bytes[3] == b':'
        && [1, 2, 4, 5].into_iter().all(digit)
        && text[1..3].parse::<u32>().is_ok_and(|hours| hours <= 24)
        && text[4..6].parse::<u32>().is_ok_and(|minutes| minutes < 60)
}

fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

struct Cursor<'a>(&'a str);

impl Cursor<'_> {
    fn number(&mut self, width: std::ops::RangeInclusive<usize>) -> Option<u32> {
        let digits = self.0.bytes().take(*width.end()).take_while(u8::is_ascii_digit).count();
        if digits < *width.start() {
            return None;
        }
        let number = self.0[..digits].parse().ok();
        self.0 = &self.0[digits..];
        number
    }

    fn eat(&mut self, expected: char) -> bool {
        match self.0.strip_prefix(expected) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }
}
