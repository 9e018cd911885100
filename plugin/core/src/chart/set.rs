//! The grammar of `--set`, `--set-string`, `--set-json` and `--set-file`, as Helm has it: `a.b[0].c=v,d={x,y}`, a backslash before any
//! character that would mean something. Errors name the flag and the place in its text.

use super::merged::shown;
use super::tree::{leaves, merge_maps};
use crate::yaml::with_float_numbers;
use serde_json::{Map, Value};

/// The longest list that an index may make.
const MAX_INDEX: usize = 65_536;
/// How many names may stand behind each other.
const MAX_DEPTH: usize = 30;
/// How many names and indexes together may.
const MAX_PATH: usize = 2 * MAX_DEPTH;
/// How many empty items all indexes of a command together may make: an index of eight characters makes thousands.
const MAX_FILLING: usize = 4 * MAX_INDEX;

/// The flags that set values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SetFlag {
    /// `--set-json`: JSON values, or a whole JSON object.
    Json,
    /// `--set`: booleans, null and integers are recognised.
    Typed,
    /// `--set-string`: everything is text.
    Text,
    /// `--set-file`: the value is the path of a file whose content is the value.
    File,
}

impl SetFlag {
    /// How it is used.
    #[must_use]
    pub fn example(self) -> &'static str {
        match self {
            Self::Json => "--set-json 'daemon.tolerations=[{\"operator\":\"Exists\"}]'",
            Self::Typed => "--set vni=2,images.registry=registry.example",
            Self::Text => "--set-string images.daemon.tag=1",
            Self::File => "--set-file networkInterface=FILE",
        }
    }

    /// The flag as it is typed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "--set-json",
            Self::Typed => "--set",
            Self::Text => "--set-string",
            Self::File => "--set-file",
        }
    }
}

/// What is wrong with the text of a flag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} {:?}: at character {position}: {message}", .flag.name(), shown(.text))]
pub struct SetError {
    /// The flag.
    pub flag: SetFlag,
    /// Its whole text.
    pub text: String,
    /// The character it fails at, from 1.
    pub position: usize,
    /// What is wrong.
    pub message: String,
}

/// What the flags of one command may still fill lists with.
#[derive(Debug)]
pub struct Filling(usize);

impl Default for Filling {
    fn default() -> Self {
        Self(MAX_FILLING)
    }
}

/// Sets what `text` says in `values` and returns the paths it has set. After a failure, `values` are of no more use.
/// `read_file` gives the content of a file that `--set-file` names.
pub fn apply(
    flag: SetFlag,
    text: &str,
    values: &mut Map<String, Value>,
    filling: &mut Filling,
    read_file: &mut dyn FnMut(&str) -> Result<String, String>,
) -> Result<Vec<Vec<String>>, SetError> {
    if flag == SetFlag::Json && text.trim_start().starts_with('{') {
        return apply_object(text, values);
    }
    let (starts, characters) = text.char_indices().unzip();
    let (path, touched) = (Vec::new(), Vec::new());
    let mut parser = Parser { flag, text, characters, starts, at: 0, path, touched, filling, read_file };
    while parser.key(values, 0)? == Progress::More {}
    Ok(parser.touched)
}

fn apply_object(text: &str, values: &mut Map<String, Value>) -> Result<Vec<Vec<String>>, SetError> {
    let parsed: Map<String, Value> = serde_json::from_str(text.trim()).map_err(|error| SetError {
        flag: SetFlag::Json,
        text: text.into(),
        position: position_of(&error, text.trim(), text.chars().take_while(|blank| blank.is_whitespace()).count()),
        message: not_json(&error),
    })?;
    let Value::Object(parsed) = with_float_numbers(Value::Object(parsed)) else { return Ok(Vec::new()) };
    let mut touched = Vec::new();
    leaves(&Value::Object(parsed.clone()), &mut Vec::new(), &mut |path, _| touched.push(path.to_vec()));
    merge_maps(values, parsed);
    Ok(touched)
}

/// Whether to look for another key; only a key that is missing, or one without a value, ends a text.
#[derive(Debug, PartialEq)]
enum Progress {
    More,
    End,
}

struct Parser<'a> {
    flag: SetFlag,
    text: &'a str,
    characters: Vec<char>,
    /// The byte at which each character begins.
    starts: Vec<usize>,
    at: usize,
    path: Vec<String>,
    touched: Vec<Vec<String>>,
    filling: &'a mut Filling,
    read_file: &'a mut dyn FnMut(&str) -> Result<String, String>,
}

impl Parser<'_> {
    fn failure(&self, message: impl Into<String>) -> SetError {
        SetError { flag: self.flag, text: self.text.into(), position: self.at.max(1), message: message.into() }
    }

    fn next(&mut self) -> Option<char> {
        let character = self.characters.get(self.at).copied();
        self.at += usize::from(character.is_some());
        character
    }

    /// Reads up to one of `stops`, which it eats; nothing where the text ends first.
    fn until(&mut self, stops: &[char]) -> (String, Option<char>) {
        let mut read = String::new();
        while let Some(character) = self.next() {
            if stops.contains(&character) {
                return (read, Some(character));
            }
            if character == '\\' {
                match self.next() {
                    Some(escaped) => read.push(escaped),
                    None => return (read, None),
                }
            } else {
                read.push(character);
            }
        }
        (read, None)
    }

    fn touch(&mut self, key: &str) {
        let mut path = self.path.clone();
        path.push(key.to_string());
        self.touched.push(path);
    }

    fn set(&mut self, data: &mut Map<String, Value>, key: String, value: Value) {
        // Helm ignores an empty name.
        if !key.is_empty() {
            self.touch(&key);
            data.insert(key, value);
        }
    }

    fn key(&mut self, data: &mut Map<String, Value>, depth: usize) -> Result<Progress, SetError> {
        let (key, stop) = self.until(&['=', '[', ',', '.']);
        match stop {
            None if key.is_empty() => Ok(Progress::End),
            None => Err(self.failure(format!("key {key:?} has no value"))),
            Some('[') => {
                let index = self.index()?;
                let mut list = match take(data, &key) {
                    None => Vec::new(),
                    Some(Value::Array(list)) => list,
                    Some(other) => return Err(self.failure(format!("{key:?} is {}, not a list", type_of(&other)))),
                };
                self.path.push(key.clone());
                let progress = self.list_item(&mut list, index, depth);
                self.path.pop();
                let progress = progress?;
                if !key.is_empty() {
                    data.insert(key, Value::Array(list));
                }
                Ok(progress)
            }
            Some('=') => {
                let (value, progress) = self.value()?;
                self.set(data, key, value);
                Ok(progress)
            }
            Some(',') => Err(self.failure(format!("key {key:?} has no value (cannot end with ,)"))),
            Some(_) => self.inner(data, key, depth + 1),
        }
    }

    fn inner(&mut self, data: &mut Map<String, Value>, key: String, depth: usize) -> Result<Progress, SetError> {
        if depth > MAX_DEPTH {
            return Err(self.failure(format!("names are nested deeper than {MAX_DEPTH} levels")));
        }
        let known = take(data, &key);
        let is_known = known.is_some();
        let mut inner = match known {
            None => Map::new(),
            Some(Value::Object(inner)) => inner,
            Some(other) => return Err(self.failure(format!("{key:?} is {}, not a map", type_of(&other)))),
        };
        self.path.push(key.clone());
        let progress = self.key(&mut inner, depth);
        self.path.pop();
        let progress = progress?;
        if inner.is_empty() && progress == Progress::More {
            return Err(self.failure(format!("key map {key:?} has no value")));
        }
        if !key.is_empty() && (is_known || !inner.is_empty()) {
            data.insert(key, Value::Object(inner));
        }
        Ok(progress)
    }

    fn index(&mut self) -> Result<usize, SetError> {
        let (digits, stop) = self.until(&[']']);
        if stop.is_none() {
            return Err(self.failure("an index is not closed with ]"));
        }
        let (sign, number) = digits.split_at(usize::from(digits.starts_with(['-', '+'])));
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(self.failure(format!("{digits:?} is no index")));
        }
        if sign == "-" && number.bytes().any(|digit| digit != b'0') {
            return Err(self.failure(format!("the index {digits} is negative")));
        }
        let index = number.parse().ok().filter(|index| *index <= MAX_INDEX);
        index.ok_or_else(|| self.failure(format!("the index {digits} is greater than {MAX_INDEX}")))
    }

    fn list_item(&mut self, list: &mut Vec<Value>, index: usize, depth: usize) -> Result<Progress, SetError> {
        if self.path.len() > MAX_PATH {
            return Err(self.failure(format!("names and indexes are nested deeper than {MAX_PATH} levels")));
        }
        let (rest, stop) = self.until(&['[', '.', '=']);
        if !rest.is_empty() {
            return Err(self.failure(format!("unexpected text {rest:?} after an index")));
        }
        let present = list.get_mut(index).map(Value::take);
        let (value, progress) = match stop {
            // Helm takes this silently, and an empty list with it.
            None => return Err(self.failure(format!("item {index} has no value"))),
            Some('=') => {
                let set = self.value()?;
                self.touch(&index.to_string());
                set
            }
            Some('[') => {
                let next = self.index()?;
                let mut inner = match present {
                    None | Some(Value::Null) => Vec::new(),
                    Some(Value::Array(inner)) => inner,
                    Some(other) => return Err(self.failure(format!("item {index} is {}, not a list", type_of(&other)))),
                };
                self.path.push(index.to_string());
                let progress = self.list_item(&mut inner, next, depth);
                self.path.pop();
                (Value::Array(inner), progress?)
            }
            Some(_) => {
                let mut inner = match present {
                    Some(Value::Object(inner)) => inner,
                    _ => Map::new(),
                };
                self.path.push(index.to_string());
                let progress = self.key(&mut inner, depth);
                self.path.pop();
                (Value::Object(inner), progress?)
            }
        };
        if list.len() <= index {
            self.fill(list, index + 1)?;
        }
        list[index] = value;
        Ok(progress)
    }

    fn fill(&mut self, list: &mut Vec<Value>, length: usize) -> Result<(), SetError> {
        let left = self.filling.0.checked_sub(length - list.len());
        let left =
            left.ok_or_else(|| self.failure(format!("the indexes make lists of more than {MAX_FILLING} items")))?;
        self.filling.0 = left;
        list.resize(length, Value::Null);
        Ok(())
    }

    fn value(&mut self) -> Result<(Value, Progress), SetError> {
        if self.flag == SetFlag::Json {
            return self.json();
        }
        if self.at >= self.characters.len() {
            return Ok((Value::from(""), Progress::End));
        }
        if self.characters[self.at] == '{' {
            self.at += 1;
            let list = self.list()?;
            return Ok((list, Progress::More));
        }
        let (text, _) = self.until(&[',']);
        Ok((self.typed(text)?, Progress::More))
    }

    fn list(&mut self) -> Result<Value, SetError> {
        let mut items = Vec::new();
        loop {
            let (text, stop) = self.until(&[',', '}']);
            match stop {
                None => return Err(self.failure("list must terminate with '}'")),
                Some(',') => items.push(self.typed(text)?),
                Some(_) => {
                    if self.characters.get(self.at) == Some(&',') {
                        self.at += 1;
                    }
                    items.push(self.typed(text)?);
                    return Ok(Value::Array(items));
                }
            }
        }
    }

    fn typed(&mut self, text: String) -> Result<Value, SetError> {
        match self.flag {
            SetFlag::Text | SetFlag::Json => Ok(Value::from(text)),
            SetFlag::File => (self.read_file)(&text).map(Value::from).map_err(|message| self.failure(message)),
            SetFlag::Typed => Ok(typed(text)),
        }
    }

    fn json(&mut self) -> Result<(Value, Progress), SetError> {
        if self.empty_json() {
            return Ok((Value::Null, Progress::More));
        }
        let rest = self.starts.get(self.at).map_or("", |start| &self.text[*start..]);
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        let value = match stream.next() {
            Some(Ok(value)) => value,
            Some(Err(error)) => {
                self.at = position_of(&error, rest, self.at);
                return Err(self.failure(not_json(&error)));
            }
            None => Value::Null,
        };
        self.at += rest[..stream.byte_offset()].chars().count();
        self.empty_json();
        Ok((with_float_numbers(value), Progress::More))
    }

    /// Skips blanks and one comma; whether nothing else stood there.
    fn empty_json(&mut self) -> bool {
        loop {
            match self.characters.get(self.at) {
                None => return true,
                Some(',') => {
                    self.at += 1;
                    return true;
                }
                Some(blank) if blank.is_whitespace() => self.at += 1,
                Some(_) => return false,
            }
        }
    }
}

/// Takes what a name has so far, to be put back with more in it; Helm ignores an empty name.
fn take(data: &mut Map<String, Value>, key: &str) -> Option<Value> {
    data.get_mut(key).filter(|_| !key.is_empty()).map(Value::take)
}

/// The character at which JSON fails, where the JSON begins after `before` characters.
fn position_of(error: &serde_json::Error, json: &str, before: usize) -> usize {
    let lines = json.lines().take(error.line().saturating_sub(1));
    let in_lines: usize = lines.map(|line| line.chars().count() + 1).sum();
    // The column counts bytes.
    let line = json.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
    let column = line.char_indices().take_while(|(start, _)| *start < error.column()).count();
    before + in_lines + column.max(1)
}

/// What is wrong with JSON, without the place: that is told for the whole flag.
fn not_json(error: &serde_json::Error) -> String {
    let text = error.to_string();
    format!("not JSON: {}", text.split(" at line ").next().unwrap_or(&text))
}

/// What `--set` makes of a text: a leading zero keeps it text.
fn typed(text: String) -> Value {
    match text.to_lowercase().as_str() {
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        "null" => return Value::Null,
        "0" => return Value::from(0),
        _ => {}
    }
    match text.parse::<i64>() {
        Ok(integer) if !text.starts_with('0') => Value::from(integer),
        _ => Value::from(text),
    }
}

pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
