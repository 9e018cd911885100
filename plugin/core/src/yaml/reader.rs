//! Turns YAML text into JSON values, with the position of every key, and limits against texts made to exhaust us.

use super::position::{Locations, Position};
use super::scalar::{Scalar, resolve};
use base64::Engine as _;
use serde_json::{Map, Number, Value};
use serde_yaml::granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};
use std::borrow::Cow;
use std::collections::HashMap;

/// Texts nested deeper than this are refused; no chart or manifest comes near it.
const MAX_DEPTH: usize = 100;
/// Bytes that the values of one text take, aliases counted as what they stand for.
const MAX_WEIGHT: usize = 64 * 1024 * 1024;
/// The same for values, which are copied from layer to layer.
const MAX_WEIGHT_OF_VALUES: usize = 24 * 1024 * 1024;
/// What a value takes besides its text.
const VALUE_WEIGHT: usize = size_of::<Value>();
/// What the first entry of a mapping takes: room for four at once.
const MAPPING_WEIGHT: usize = 4 * ENTRY_WEIGHT;
/// What another entry of a mapping takes: a hash, a key and its place in the table.
const ENTRY_WEIGHT: usize = VALUE_WEIGHT + 48;
/// Bytes of one text.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// What to do when a mapping has a key twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DuplicateKeys {
    /// Refuse: right for files a person of ours wrote.
    Refuse,
    /// Take the last one, as Helm and kubectl do: right for what others rendered.
    TakeLast,
}

/// Why a text is not usable YAML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {}, column {}: {message}", .position.line, .position.column)]
pub struct YamlError {
    /// Where.
    pub position: Position,
    /// What, as a lower-case fragment.
    pub message: String,
}

impl YamlError {
    fn new(at: Position, message: impl Into<String>) -> Self {
        Self { position: at, message: message.into() }
    }
}

/// Reads the first document of a text; an empty text is null.
pub fn read(text: &str, duplicates: DuplicateKeys) -> Result<Value, YamlError> {
    read_located(text, duplicates).map(|(value, _)| value)
}

/// What several texts may take together.
#[derive(Debug)]
pub struct Room(usize);

impl Default for Room {
    fn default() -> Self {
        Self(MAX_WEIGHT)
    }
}

/// Reads the first document of a text, one of several that together may take no more than one alone.
pub fn read_within(text: &str, duplicates: DuplicateKeys, room: &mut Room) -> Result<Value, YamlError> {
    let mut reader = Reader::new(text, duplicates, room.0)?;
    let document = reader.next_document()?;
    room.0 -= reader.weight;
    Ok(document.unwrap_or_default().0)
}

/// Reads the first document of a text and where each of its keys stands.
pub fn read_located(text: &str, duplicates: DuplicateKeys) -> Result<(Value, Locations), YamlError> {
    let mut reader = Reader::new(text, duplicates, MAX_WEIGHT)?;
    Ok(reader.next_document()?.unwrap_or_default())
}

/// Reads all documents of a text, each with the places of its keys.
pub fn read_all(text: &str, duplicates: DuplicateKeys) -> Result<Vec<(Value, Locations)>, YamlError> {
    read_documents(text, duplicates, MAX_WEIGHT)
}

/// Reads all documents of a values file; it may hold less than other texts.
pub fn read_values(text: &str) -> Result<Vec<(Value, Locations)>, YamlError> {
    let documents = read_documents(text, DuplicateKeys::Refuse, MAX_WEIGHT_OF_VALUES)?;
    match documents.iter().find_map(|(_, places)| places.incomplete_from()) {
        Some(position) => {
            Err(YamlError::new(position, "there are too many values; everything up to here is counted with its path"))
        }
        None => Ok(documents),
    }
}

fn read_documents(text: &str, duplicates: DuplicateKeys, most: usize) -> Result<Vec<(Value, Locations)>, YamlError> {
    let mut reader = Reader::new(text, duplicates, most)?;
    let mut documents = Vec::new();
    while let Some(document) = reader.next_document()? {
        documents.push(document);
    }
    Ok(documents)
}

struct Anchored {
    value: Value,
    weight: usize,
}

struct Reader<'text> {
    events: Box<dyn Iterator<Item = Result<(Event<'text>, Span), ScanError>> + 'text>,
    duplicates: DuplicateKeys,
    anchors: HashMap<usize, Anchored>,
    weight: usize,
    max_weight: usize,
    locations: Locations,
    path: Vec<String>,
    last: Position,
}

impl<'text> Reader<'text> {
    fn new(text: &'text str, duplicates: DuplicateKeys, max_weight: usize) -> Result<Self, YamlError> {
        let start = Position { line: 1, column: 1 };
        if text.len() > MAX_BYTES {
            return Err(YamlError::new(start, format!("the text is larger than {} MiB", MAX_BYTES >> 20)));
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        refuse_control_characters(text)?;
        Ok(Self {
            events: Box::new(Parser::new_from_str(text)),
            duplicates,
            anchors: HashMap::new(),
            weight: 0,
            max_weight,
            locations: Locations::default(),
            path: Vec::new(),
            last: start,
        })
    }

    fn next_event(&mut self) -> Result<Option<(Event<'text>, Position)>, YamlError> {
        loop {
            match self.events.next() {
                None => return Ok(None),
                Some(Err(error)) => {
                    let marker = error.marker();
                    let at = Position { line: marker.line().max(1), column: marker.col() + 1 };
                    return Err(YamlError::new(at, error.info()));
                }
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok((event, span))) => {
                    self.last = Position { line: span.start.line().max(1), column: span.start.col() + 1 };
                    return Ok(Some((event, self.last)));
                }
            }
        }
    }

    fn expect_event(&mut self) -> Result<(Event<'text>, Position), YamlError> {
        self.next_event()?.ok_or_else(|| YamlError::new(self.last, "the text ends too early"))
    }

    fn next_document(&mut self) -> Result<Option<(Value, Locations)>, YamlError> {
        while let Some((event, _)) = self.next_event()? {
            if let Event::DocumentStart(..) = event {
                self.anchors.clear();
                let (event, at) = self.expect_event()?;
                self.locations.start_at(at);
                let (value, _) = self.node(event, at, 0)?;
                return Ok(Some((value, std::mem::take(&mut self.locations))));
            }
        }
        Ok(None)
    }

    /// Reads one node; the second result is what it weighs.
    fn node(&mut self, event: Event<'text>, at: Position, depth: usize) -> Result<(Value, usize), YamlError> {
        if depth > MAX_DEPTH {
            return Err(YamlError::new(at, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let (value, weight, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let weight = self.weigh(VALUE_WEIGHT + text.len(), at)?;
                (scalar(&text, style, tag.as_ref(), at)?, weight, anchor)
            }
            Event::SequenceStart(_, anchor, _) => {
                let (value, weight) = self.sequence(at, depth)?;
                (value, weight, anchor)
            }
            Event::MappingStart(_, anchor, _) => {
                let (value, weight) = self.mapping(at, depth)?;
                (value, weight, anchor)
            }
            Event::Alias(anchor) => {
                let found = self.anchors.get(&anchor);
                let found = found.ok_or_else(|| YamlError::new(at, "an alias refers to the node it stands in"))?;
                let weight = found.weight;
                self.weigh(weight, at)?;
                return Ok((self.anchors[&anchor].value.clone(), weight));
            }
            other => return Err(YamlError::new(at, format!("expected a value, found {other:?}"))),
        };
        if anchor > 0 {
            self.weigh(weight, at)?;
            self.anchors.insert(anchor, Anchored { value: value.clone(), weight });
        }
        Ok((value, weight))
    }

    /// Counts what is about to be kept, and gives it back.
    fn weigh(&mut self, weight: usize, at: Position) -> Result<usize, YamlError> {
        self.weight = self.weight.saturating_add(weight);
        if self.weight > self.max_weight {
            let message = "the values take too much memory, aliases counted as what they repeat";
            return Err(YamlError::new(at, message));
        }
        Ok(weight)
    }

    fn sequence(&mut self, at: Position, depth: usize) -> Result<(Value, usize), YamlError> {
        let mut items = Vec::new();
        let mut weight = self.weigh(VALUE_WEIGHT, at)?;
        loop {
            let (event, at) = self.expect_event()?;
            if event == Event::SequenceEnd {
                return Ok((Value::Array(items), weight));
            }
            self.path.push(items.len().to_string());
            self.locations.insert(&self.path, at);
            let (item, size) = self.node(event, at, depth + 1)?;
            self.path.pop();
            weight += size;
            items.push(item);
        }
    }

    fn mapping(&mut self, at: Position, depth: usize) -> Result<(Value, usize), YamlError> {
        let mut fields = Map::new();
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut weight = self.weigh(VALUE_WEIGHT, at)?;
        loop {
            let (event, at) = self.expect_event()?;
            if event == Event::MappingEnd {
                return Ok((Value::Object(fields), weight));
            }
            let key = self.key(event, at, depth)?;
            let (event, value_at) = self.expect_event()?;
            let Some(key) = key else {
                let (value, size) = self.node(event, value_at, depth + 1)?;
                weight += size;
                merge(&mut fields, value, value_at)?;
                continue;
            };
            if let Some(first) = seen.insert(key.clone(), at.line)
                && self.duplicates == DuplicateKeys::Refuse
            {
                let message = format!("the key `{key}` is set twice in this mapping, first in line {first}");
                return Err(YamlError::new(at, message));
            }
            self.path.push(key.clone());
            self.locations.insert(&self.path, at);
            let (value, size) = self.node(event, value_at, depth + 1)?;
            self.path.pop();
            weight += size + self.weigh(if fields.is_empty() { MAPPING_WEIGHT } else { ENTRY_WEIGHT }, at)?;
            fields.insert(key, value);
        }
    }

    /// Reads a key as text, the way JSON would have it; nothing for a merge key.
    fn key(&mut self, event: Event<'text>, at: Position, depth: usize) -> Result<Option<String>, YamlError> {
        if let Event::Scalar(text, ScalarStyle::Plain, _, None) = &event
            && text == "<<"
        {
            return Ok(None);
        }
        match self.node(event, at, depth + 1)?.0 {
            Value::String(text) => Ok(Some(text)),
            Value::Bool(value) => Ok(Some(value.to_string())),
            Value::Number(number) => Ok(Some(number_key(&number))),
            Value::Null => Err(YamlError::new(at, "a key cannot be null")),
            Value::Array(_) | Value::Object(_) => {
                Err(YamlError::new(at, "a key cannot be a list or a mapping; quote text that begins with { or ["))
            }
        }
    }
}

/// Go's library takes no control characters anywhere, and they are the surest sign of a file that is no text.
fn refuse_control_characters(text: &str) -> Result<(), YamlError> {
    let Some((offset, character)) = text.char_indices().find(|(_, character)| is_control(*character)) else {
        return Ok(());
    };
    let message =
        format!("the control character U+{:04X} cannot stand in YAML; is this a text file?", character as u32);
    Err(YamlError::new(Position::in_text(text, offset), message))
}

fn is_control(character: char) -> bool {
    !matches!(character, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
}

/// The Go library prints float keys with the precision of a 32-bit float.
#[expect(clippy::cast_possible_truncation, reason = "the loss is the library's, and wanted")]
fn number_key(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => {
            let short: f64 = (float as f32).to_string().parse().unwrap_or(float);
            super::format_float(short)
        }
        _ => number.to_string(),
    }
}

fn merge(fields: &mut Map<String, Value>, value: Value, at: Position) -> Result<(), YamlError> {
    match value {
        Value::Object(merged) => fields.extend(merged),
        Value::Array(items) => {
            // Of several, the earlier one wins.
            for item in items.into_iter().rev() {
                let Value::Object(merged) = item else {
                    return Err(YamlError::new(at, "`<<` takes a mapping or a list of mappings"));
                };
                fields.extend(merged);
            }
        }
        _ => return Err(YamlError::new(at, "`<<` takes a mapping or a list of mappings")),
    }
    Ok(())
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Cow<'_, Tag>>, at: Position) -> Result<Value, YamlError> {
    let Some(tag) = tag else {
        return if style == ScalarStyle::Plain { plain(resolve(text), text, at) } else { Ok(Value::from(text)) };
    };
    match tag.suffix_in_namespace("tag:yaml.org,2002:").as_deref() {
        Some("binary") => {
            let compact: String = text.split_ascii_whitespace().collect();
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(compact)
                .map_err(|error| YamlError::new(at, format!("a !!binary value is not base64: {error}")))?;
            Ok(Value::from(String::from_utf8_lossy(&bytes)))
        }
        Some("float") => match resolve(text) {
            #[expect(clippy::cast_precision_loss, reason = "the tag asks for a float")]
            Scalar::Integer(integer) => plain(Scalar::Float(integer as f64), text, at),
            scalar @ Scalar::Float(_) => plain(scalar, text, at),
            _ => Err(YamlError::new(at, format!("`{text}` is no !!float"))),
        },
        Some(kind @ ("int" | "bool" | "null")) => {
            let value = plain(resolve(text), text, at)?;
            let fits = match kind {
                "int" => value.is_i64() || value.is_u64(),
                "bool" => value.is_boolean(),
                _ => value.is_null(),
            };
            if fits { Ok(value) } else { Err(YamlError::new(at, format!("`{text}` is no !!{kind}"))) }
        }
        _ => Ok(Value::from(text)),
    }
}

fn plain(scalar: Scalar, text: &str, at: Position) -> Result<Value, YamlError> {
    Ok(match scalar {
        Scalar::Null => Value::Null,
        Scalar::Bool(value) => Value::Bool(value),
        Scalar::Integer(value) => Value::from(value),
        Scalar::Unsigned(value) => Value::from(value),
        Scalar::Float(value) => Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| YamlError::new(at, format!("`{text}` is a number that JSON does not have")))?,
        Scalar::Timestamp | Scalar::Text => Value::from(text),
    })
}
