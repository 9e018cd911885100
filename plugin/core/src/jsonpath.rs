//! kubectl's JSONPath: templates such as `{range .items[*]}{.name}{"\n"}{end}`.
//!
//! A dialect of its own, older than the standard: text outside braces stands for itself, `$` and `@` are both the value at
//! hand, `['a.b']` is the path `a.b`, a field that is not there prints nothing and an index that is not there is an error.
//! People know it from `kubectl get -o jsonpath=…`, so that is what is spoken here, down to the printed bytes; a test
//! compares both.
//!
//! - [`parser`]: text to [`Template`];
//! - [`evaluate`]: template and document to text.

mod evaluate;
mod parser;
#[cfg(test)]
mod tests;

use serde_json::Value;

/// A template, understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    text: String,
    pieces: Vec<Piece>,
}

/// What is wrong with a template, or why it does not fit the document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("jsonpath {template:?}, character {character}: {reason}")]
pub struct JsonPathError {
    /// The template.
    pub template: String,
    /// Where, counted from 1.
    pub character: usize,
    /// What is wrong.
    pub reason: String,
}

impl Template {
    /// Reads a template.
    pub fn parse(text: &str) -> Result<Self, JsonPathError> {
        match parser::parse(text) {
            Ok(pieces) => Ok(Self { text: text.to_owned(), pieces }),
            Err(fault) => Err(fault.in_template(text)),
        }
    }

    /// Prints what the template selects of a document.
    pub fn print(&self, document: &Value) -> Result<String, JsonPathError> {
        evaluate::print(&self.pieces, document).map_err(|fault| fault.in_template(&self.text))
    }
}

/// What is wrong, and at which byte.
#[derive(Debug)]
struct Fault {
    at: usize,
    reason: String,
}

impl Fault {
    fn new(at: usize, reason: impl Into<String>) -> Self {
        Self { at, reason: reason.into() }
    }

    fn in_template(self, template: &str) -> JsonPathError {
        let before = template.char_indices().take_while(|(index, _)| *index < self.at).count();
        JsonPathError { template: template.to_owned(), character: before + 1, reason: self.reason }
    }
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq)]
enum Piece {
    /// Text that stands for itself.
    Text(String),
    /// `{…}`: what it selects is printed.
    Print(Vec<Step>),
    /// `{range …}…{end}`: the body for each value that is selected.
    Range { over: Vec<Step>, body: Vec<Self> },
}

/// One step from the values at hand to the next.
#[derive(Debug, Clone, PartialEq)]
struct Step {
    /// The byte of the template at which it stands.
    at: usize,
    what: What,
}

#[derive(Debug, Clone, PartialEq)]
enum What {
    /// `.name`.
    Field(String),
    /// `.*`: everything inside.
    Wildcard,
    /// `..`: everything inside, however deep.
    Recursive,
    /// `[from:to:step]`.
    Slice { from: Option<i64>, to: Option<i64>, step: Option<i64> },
    /// `[n]`.
    Index(i64),
    /// `[a,b]`.
    Union(Vec<Vec<Step>>),
    /// `[?(left operator right)]`; without an operator, whether `left` is there.
    Filter { left: Vec<Step>, comparison: Option<(Operator, Vec<Step>)> },
    /// Quoted text: once, whatever is at hand.
    Text(Value),
    /// A number or a truth: once for each value at hand.
    Constant(Value),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}
