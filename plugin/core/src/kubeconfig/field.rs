//! Reading one entry of a kubeconfig field by field, and saying where something wrong stands.

use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::{Map, Value};

use crate::yaml::Locations;

/// Where something was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// By a flag, with its dashes.
    Flag(&'static str),
    /// By a variable of the environment.
    Variable(&'static str),
    /// In a file.
    File {
        /// As it was named.
        file: String,
        /// The line, where it is known.
        line: Option<usize>,
        /// Entry and field: `user "me", exec.command`. Blank for the file as a whole.
        field: String,
    },
}

impl Origin {
    /// A file as a whole.
    #[must_use]
    pub fn file(path: &Path) -> Self {
        Self::File { file: path.display().to_string(), line: None, field: String::new() }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) | Self::Variable(name) => out.write_str(name),
            Self::File { file, line, field } => {
                write!(out, "kubeconfig {file}")?;
                if let Some(line) = line {
                    write!(out, ", line {line}")?;
                }
                if field.is_empty() { Ok(()) } else { write!(out, ": {field}") }
            }
        }
    }
}

/// Something that cannot be used, and where it was said. Never holds the value itself: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {message}")]
pub struct Wrong {
    /// Where.
    pub origin: Origin,
    /// What is wrong.
    pub message: String,
    /// What to do about it, where there is more to say than to look.
    pub hint: Option<String>,
}

impl Wrong {
    /// Without a hint.
    #[must_use]
    pub fn new(origin: Origin, message: impl Into<String>) -> Self {
        Self { origin, message: message.into(), hint: None }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// What all entries of one file share.
pub(super) struct Source {
    pub(super) file: String,
    pub(super) folder: PathBuf,
    pub(super) locations: Locations,
}

/// A mapping of the file, with its way from the top.
pub(super) struct Entry<'value> {
    source: Rc<Source>,
    fields: &'value Map<String, Value>,
    path: Vec<String>,
    /// `user "me"`.
    title: String,
    /// The fields between the titled entry and this mapping: `exec`.
    below: String,
}

impl<'value> Entry<'value> {
    pub(super) fn new(
        source: Rc<Source>,
        value: &'value Value,
        path: Vec<String>,
        title: String,
    ) -> Result<Self, Wrong> {
        let fields = value.as_object();
        let mut entry = Self { source, fields: no_fields(), path, title, below: String::new() };
        match fields {
            Some(fields) => entry.fields = fields,
            None if value.is_null() => {}
            None => return Err(Wrong::new(entry.here(), format!("must be a mapping, not {}", kind(value)))),
        }
        Ok(entry)
    }

    /// Where the whole entry stands.
    pub(super) fn here(&self) -> Origin {
        self.at(&[])
    }

    /// Where a field of it stands.
    pub(super) fn origin(&self, field: &str) -> Origin {
        self.at(&[field])
    }

    fn at(&self, fields: &[&str]) -> Origin {
        let mut path = self.path.clone();
        path.extend(fields.iter().map(|field| (*field).to_owned()));
        let line = self.source.locations.nearest(&path).map(|position| position.line);
        let below: Vec<&str> =
            [self.below.as_str()].into_iter().filter(|below| !below.is_empty()).chain(fields.iter().copied()).collect();
        let parts: Vec<String> =
            [self.title.clone(), below.join(".")].into_iter().filter(|part| !part.is_empty()).collect();
        Origin::File { file: self.source.file.clone(), line, field: parts.join(", ") }
    }

    pub(super) fn wrong(&self, field: &str, message: impl Into<String>) -> Wrong {
        Wrong::new(self.origin(field), message)
    }

    /// A field that holds something.
    fn value(&self, field: &str) -> Option<&'value Value> {
        self.fields.get(field).filter(|value| !value.is_null())
    }

    /// A text; a blank one says nothing, as in Go.
    pub(super) fn text(&self, field: &str) -> Result<Option<&'value str>, Wrong> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(other) => Err(self.wrong(field, not_text(other))),
        }
    }

    pub(super) fn flag(&self, field: &str) -> Result<bool, Wrong> {
        match self.value(field) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(self.wrong(field, format!("must be true or false, not {}", kind(other)))),
        }
    }

    /// A file; relative to the folder of the kubeconfig.
    pub(super) fn file(&self, field: &str) -> Result<Option<PathBuf>, Wrong> {
        Ok(self.text(field)?.map(|path| self.source.folder.join(path)))
    }

    /// A program: relative to the folder of the kubeconfig where it is more than a name.
    pub(super) fn program(&self, field: &str) -> Result<Option<String>, Wrong> {
        Ok(self.text(field)?.map(|command| {
            if command.contains('/') || command.contains(std::path::MAIN_SEPARATOR) {
                self.source.folder.join(command).display().to_string()
            } else {
                command.to_owned()
            }
        }))
    }

    pub(super) fn list(&self, field: &str) -> Result<&'value [Value], Wrong> {
        match self.value(field) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(other) => Err(self.wrong(field, format!("must be a list, not {}", kind(other)))),
        }
    }

    pub(super) fn texts(&self, field: &str) -> Result<Vec<String>, Wrong> {
        let items = self.list(field)?.iter();
        items
            .map(|item| match item {
                Value::String(text) => Ok(text.clone()),
                other => Err(self.wrong(field, format!("each item {}", not_text(other)))),
            })
            .collect()
    }

    /// A mapping below; none where the field is not there.
    pub(super) fn below(&self, field: &str) -> Result<Option<Self>, Wrong> {
        let Some(value) = self.value(field) else {
            return Ok(None);
        };
        let Value::Object(fields) = value else {
            return Err(self.wrong(field, format!("must be a mapping, not {}", kind(value))));
        };
        let below = if self.below.is_empty() { field.to_owned() } else { format!("{}.{field}", self.below) };
        let mut path = self.path.clone();
        path.push(field.to_owned());
        Ok(Some(Entry { source: self.source.clone(), fields, path, title: self.title.clone(), below }))
    }

    /// The keys and values of this mapping, as they stand there.
    pub(super) fn fields(&self) -> &'value Map<String, Value> {
        self.fields
    }
}

fn no_fields() -> &'static Map<String, Value> {
    static NONE: std::sync::OnceLock<Map<String, Value>> = std::sync::OnceLock::new();
    NONE.get_or_init(Map::new)
}

fn not_text(value: &Value) -> String {
    match value {
        Value::Number(_) | Value::Bool(_) => format!("must be text, not {}: put it in quotes", kind(value)),
        _ => format!("must be text, not {}", kind(value)),
    }
}

pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}
