//! Writes YAML byte for byte as go-yaml v2 does: a port of its emitter for block documents. Lines fold after column 80, sequences are not
//! indented inside mappings, keys are in its natural order, and quotes stand where a plain text would mean something else.

use super::number::whole;
use super::scalar::{Scalar, is_base_60, resolve};
use serde_json::{Map, Value};
use std::cmp::Ordering;

const BEST_WIDTH: usize = 80;
const BEST_INDENT: i32 = 2;
/// A longer key is written with `? `.
const SIMPLE_KEY_LENGTH: usize = 128;

/// Writes a value as one document, with a newline at the end. Helm's `toYaml` is this without that newline.
#[must_use]
pub fn write(value: &Value) -> String {
    let mut emitter = Emitter { out: String::new(), column: 0, indent: -1, whitespace: true, indention: true };
    emitter.node(value, Context { mapping: false, simple_key: false });
    emitter.indent = 0;
    emitter.write_indent();
    emitter.out
}

#[derive(Clone, Copy)]
struct Context {
    mapping: bool,
    simple_key: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
}

#[expect(clippy::struct_excessive_bools, reason = "the library's own flags")]
/// What a text allows; names and rules are those of the C library that go-yaml is a port of.
struct Analysis {
    multiline: bool,
    plain: bool,
    single_quoted: bool,
    block: bool,
}

struct Emitter {
    out: String,
    column: usize,
    indent: i32,
    whitespace: bool,
    indention: bool,
}

impl Emitter {
    fn node(&mut self, value: &Value, context: Context) {
        match value {
            Value::Object(fields) if fields.is_empty() => self.empty_collection('{', '}'),
            Value::Object(fields) => self.mapping(fields),
            Value::Array(items) if items.is_empty() => self.empty_collection('[', ']'),
            Value::Array(items) => self.sequence(items, context),
            Value::String(text) => self.string(text, context),
            Value::Null => self.scalar("null", Style::Plain),
            Value::Bool(value) => self.scalar(if *value { "true" } else { "false" }, Style::Plain),
            Value::Number(number) => {
                let text = match number.as_f64() {
                    Some(float) if number.is_f64() => {
                        whole(float).map_or_else(|| super::format_float(float), |integer| integer.to_string())
                    }
                    _ => number.to_string(),
                };
                self.scalar(&text, Style::Plain);
            }
        }
    }

    fn empty_collection(&mut self, open: char, close: char) {
        self.indicator(open.encode_utf8(&mut [0; 4]), true, true, false);
        self.indicator(close.encode_utf8(&mut [0; 4]), false, false, false);
    }

    fn sequence(&mut self, items: &[Value], context: Context) {
        let outer = self.indent;
        self.increase_indent(false, context.mapping && !self.indention);
        for item in items {
            self.write_indent();
            self.indicator("-", true, false, true);
            self.node(item, Context { mapping: false, simple_key: false });
        }
        self.indent = outer;
    }

    fn mapping(&mut self, fields: &Map<String, Value>) {
        let outer = self.indent;
        self.increase_indent(false, false);
        let mut keys: Vec<&String> = fields.keys().collect();
        sort_keys(&mut keys);
        for key in keys {
            self.write_indent();
            if key.len() <= SIMPLE_KEY_LENGTH && !analyze(key).multiline {
                self.string(key, Context { mapping: true, simple_key: true });
                self.indicator(":", false, false, false);
            } else {
                self.indicator("?", true, false, true);
                self.string(key, Context { mapping: true, simple_key: false });
                self.write_indent();
                self.indicator(":", true, false, true);
            }
            self.node(&fields[key], Context { mapping: true, simple_key: false });
        }
        self.indent = outer;
    }

    fn string(&mut self, text: &str, context: Context) {
        let analysis = analyze(text);
        let wanted = if text.contains('\n') {
            Style::Literal
        } else if resolve(text) == Scalar::Text && !is_base_60(text) {
            Style::Plain
        } else {
            Style::DoubleQuoted
        };
        let mut style = wanted;
        if context.simple_key && analysis.multiline {
            style = Style::DoubleQuoted;
        }
        if style == Style::Plain && (!analysis.plain || (text.is_empty() && context.simple_key)) {
            style = Style::SingleQuoted;
        }
        if style == Style::SingleQuoted && !analysis.single_quoted {
            style = Style::DoubleQuoted;
        }
        if style == Style::Literal && (!analysis.block || context.simple_key) {
            style = Style::DoubleQuoted;
        }
        self.styled(text, style, !context.simple_key);
    }

    fn scalar(&mut self, text: &str, style: Style) {
        self.styled(text, style, true);
    }

    fn styled(&mut self, text: &str, style: Style, allow_breaks: bool) {
        let outer = self.indent;
        self.increase_indent(true, false);
        match style {
            Style::Plain => self.plain(text, allow_breaks),
            Style::SingleQuoted => self.single_quoted(text, allow_breaks),
            Style::DoubleQuoted => self.double_quoted(text, allow_breaks),
            Style::Literal => self.literal(text),
        }
        self.indent = outer;
    }

    fn plain(&mut self, text: &str, allow_breaks: bool) {
        if !self.whitespace {
            self.put(' ');
        }
        let mut spaces = false;
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            if character == ' ' {
                if allow_breaks && !spaces && self.column > BEST_WIDTH && characters.peek() != Some(&' ') {
                    self.write_indent();
                } else {
                    self.put(' ');
                }
                spaces = true;
            } else {
                self.put(character);
                self.indention = false;
                spaces = false;
            }
        }
        self.whitespace = false;
        self.indention = false;
    }

    fn single_quoted(&mut self, text: &str, allow_breaks: bool) {
        self.indicator("'", true, false, false);
        let mut spaces = false;
        let mut breaks = false;
        let mut characters = text.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            if character == ' ' {
                let next_is_space = matches!(characters.peek(), Some((_, ' ')));
                let inside = at > 0 && at < text.len() - 1;
                if allow_breaks && !spaces && self.column > BEST_WIDTH && inside && !next_is_space {
                    self.write_indent();
                } else {
                    self.put(' ');
                }
                spaces = true;
            } else if is_break(character) {
                if !breaks && character == '\n' {
                    self.put_break();
                }
                self.write_break(character);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                if character == '\'' {
                    self.put('\'');
                }
                self.put(character);
                self.indention = false;
                spaces = false;
                breaks = false;
            }
        }
        self.indicator("'", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    fn double_quoted(&mut self, text: &str, allow_breaks: bool) {
        self.indicator("\"", true, false, false);
        // The library looks for a byte order mark at the start of the text, whatever character it is at.
        let escape_all = text.starts_with('\u{feff}');
        let mut spaces = false;
        let mut characters = text.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            if escape_all || !is_printable(character) || is_break(character) || matches!(character, '"' | '\\') {
                self.escape(character);
                spaces = false;
            } else if character == ' ' {
                let inside = at > 0 && at < text.len() - 1;
                if allow_breaks && !spaces && self.column > BEST_WIDTH && inside {
                    self.write_indent();
                    if matches!(characters.peek(), Some((_, ' '))) {
                        self.put('\\');
                    }
                } else {
                    self.put(' ');
                }
                spaces = true;
            } else {
                self.put(character);
                spaces = false;
            }
        }
        self.indicator("\"", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    fn escape(&mut self, character: char) {
        let short = match character {
            '\0' => "0",
            '\x07' => "a",
            '\x08' => "b",
            '\t' => "t",
            '\n' => "n",
            '\x0b' => "v",
            '\x0c' => "f",
            '\r' => "r",
            '\x1b' => "e",
            '"' => "\"",
            '\\' => "\\",
            '\u{85}' => "N",
            '\u{a0}' => "_",
            '\u{2028}' => "L",
            '\u{2029}' => "P",
            _ => "",
        };
        let code = u32::from(character);
        let escaped = match code {
            _ if !short.is_empty() => short.to_string(),
            0..=0xFF => format!("x{code:02X}"),
            0x100..=0xFFFF => format!("u{code:04X}"),
            _ => format!("U{code:08X}"),
        };
        self.put('\\');
        for character in escaped.chars() {
            self.put(character);
        }
    }

    fn literal(&mut self, text: &str) {
        self.indicator("|", true, false, false);
        if text.starts_with(' ') || text.starts_with(is_break) {
            self.indicator(&BEST_INDENT.to_string(), false, false, false);
        }
        let mut backwards = text.chars().rev();
        let chomp = match (backwards.next(), backwards.next()) {
            (Some(last), _) if !is_break(last) => "-",
            (Some(_), None) => "+",
            (Some(_), Some(before)) if is_break(before) => "+",
            _ => "",
        };
        if !chomp.is_empty() {
            self.indicator(chomp, false, false, false);
        }
        self.put_break();
        self.indention = true;
        self.whitespace = true;
        let mut breaks = true;
        for character in text.chars() {
            if is_break(character) {
                self.write_break(character);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                self.put(character);
                self.indention = false;
                breaks = false;
            }
        }
    }

    fn increase_indent(&mut self, flow: bool, indentless: bool) {
        if self.indent < 0 {
            self.indent = if flow { BEST_INDENT } else { 0 };
        } else if !indentless {
            self.indent += BEST_INDENT;
        }
    }

    fn write_indent(&mut self) {
        let indent = usize::try_from(self.indent).unwrap_or_default();
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.put_break();
        }
        while self.column < indent {
            self.put(' ');
        }
        self.whitespace = true;
        self.indention = true;
    }

    fn indicator(&mut self, text: &str, need_whitespace: bool, is_whitespace: bool, is_indention: bool) {
        if need_whitespace && !self.whitespace {
            self.put(' ');
        }
        for character in text.chars() {
            self.put(character);
        }
        self.whitespace = is_whitespace;
        self.indention = self.indention && is_indention;
    }

    fn put(&mut self, character: char) {
        self.out.push(character);
        self.column += 1;
    }

    fn put_break(&mut self) {
        self.out.push('\n');
        self.column = 0;
    }

    fn write_break(&mut self, character: char) {
        self.out.push(character);
        self.column = 0;
    }
}

fn is_break(character: char) -> bool {
    matches!(character, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Characters beyond the basic plane count as not printable for the library, and are escaped.
fn is_printable(character: char) -> bool {
    matches!(character, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}') && character != '\u{feff}'
}

#[expect(clippy::fn_params_excessive_bools, reason = "one pass over a text with the library's own flags")]
fn allowed(leading_or_trailing: bool, trailing_space: bool, break_space: bool, other: bool) -> (bool, bool, bool) {
    let plain = !(leading_or_trailing || break_space || other);
    let single_quoted = !(break_space || other);
    let block = !(trailing_space || other);
    (plain, single_quoted, block)
}

fn analyze(text: &str) -> Analysis {
    if text.is_empty() {
        return Analysis { multiline: false, plain: true, single_quoted: true, block: false };
    }
    let mut indicators = text.starts_with("---") || text.starts_with("...");
    let (mut line_breaks, mut special, mut break_space, mut space_break) = (false, false, false, false);
    let (mut preceded_by_whitespace, mut previous_space, mut previous_break) = (true, false, false);
    let mut characters = text.chars().peekable();
    let mut first = true;
    while let Some(character) = characters.next() {
        let followed_by_whitespace = characters.peek().is_none_or(|next| matches!(next, ' ' | '\t'));
        indicators |= if first {
            match character {
                '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => true,
                '?' | ':' | '-' => followed_by_whitespace,
                _ => false,
            }
        } else {
            match character {
                ':' => followed_by_whitespace,
                '#' => preceded_by_whitespace,
                _ => false,
            }
        };
        special |= !is_printable(character);
        if character == ' ' {
            break_space |= previous_break;
            (previous_space, previous_break) = (true, false);
        } else if is_break(character) {
            line_breaks = true;
            space_break |= previous_space;
            (previous_space, previous_break) = (false, true);
        } else {
            (previous_space, previous_break) = (false, false);
        }
        preceded_by_whitespace = matches!(character, ' ' | '\t' | '\0') || is_break(character);
        first = false;
    }
    let edge = |character: Option<char>| character.is_some_and(|edge| edge == ' ' || is_break(edge));
    let leading_or_trailing = edge(text.chars().next()) || edge(text.chars().next_back());
    let (plain, single_quoted, block) =
        allowed(leading_or_trailing, text.ends_with(' '), break_space, space_break || special);
    Analysis { multiline: line_breaks, plain: plain && !line_breaks && !indicators, single_quoted, block }
}

/// Sorts by merging. The library's order is none in the strict sense (`a1b`, `a01`, … can go in circles), over which the standard library's
/// sort may panic.
fn sort_keys(keys: &mut Vec<&String>) {
    if keys.len() < 2 {
        return;
    }
    let mut later = keys.split_off(keys.len() / 2);
    sort_keys(keys);
    sort_keys(&mut later);
    let (mut earlier, mut later) = (std::mem::take(keys).into_iter().peekable(), later.into_iter().peekable());
    while let (Some(left), Some(right)) = (earlier.peek(), later.peek()) {
        let next = if key_less(right, left) { later.next() } else { earlier.next() };
        keys.extend(next);
    }
    keys.extend(earlier);
    keys.extend(later);
}

/// The library's natural order: runs of digits by value, letters after everything else.
pub(super) fn compare_keys(left: &str, right: &str) -> Ordering {
    if left == right {
        return Ordering::Equal;
    }
    if key_less(left, right) { Ordering::Less } else { Ordering::Greater }
}

fn key_less(left: &str, right: &str) -> bool {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let Some(at) = left.iter().zip(&right).position(|(one, other)| one != other) else {
        return left.len() < right.len();
    };
    let (one, other) = (left[at], right[at]);
    match (one.is_alphabetic(), other.is_alphabetic()) {
        (true, true) => return one < other,
        (false, false) => {}
        (_, other_is_letter) => return other_is_letter,
    }
    let mut start = 0i64;
    if one == '0' || other == '0' {
        let digits_before = left[..at].iter().rev().take_while(|character| character.is_ascii_digit());
        if digits_before.into_iter().any(|digit| *digit != '0') {
            start = 1;
        }
    }
    let run = |characters: &[char]| {
        let digits: Vec<char> = characters[at..].iter().copied().take_while(char::is_ascii_digit).collect();
        let value = digits.iter().fold(start, |value, digit| {
            value.wrapping_mul(10).wrapping_add(i64::from(u32::from(*digit)) - i64::from(u32::from('0')))
        });
        (value, digits.len())
    };
    let (left_run, right_run) = (run(&left), run(&right));
    if left_run != right_run {
        return left_run < right_run;
    }
    one < other
}
