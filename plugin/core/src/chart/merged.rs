//! The values that templates see, each with the place that it came from.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::set::SetFlag;

/// The layer a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The chart's own values.yaml.
    Chart,
    /// A profile of the chart, by name.
    Profile(String),
    /// Read from the cluster.
    Detected,
    /// A file that the user gave.
    File(String),
    /// What a release recorded of an earlier command.
    Recorded,
    /// A flag with its text, which may set thousands of values.
    Flag(SetFlag, Arc<str>),
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The layer.
    pub source: Source,
    /// The line in its file.
    pub line: Option<usize>,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Chart => formatter.write_str("values.yaml")?,
            Source::Profile(name) => write!(formatter, "values-{name}.yaml")?,
            Source::Detected => formatter.write_str("detected")?,
            Source::File(path) => formatter.write_str(path)?,
            Source::Recorded => formatter.write_str("recorded")?,
            Source::Flag(flag, text) => write!(formatter, "{} {}", flag.name(), shown(text))?,
        }
        self.line.map_or(Ok(()), |line| write!(formatter, ":{line}"))
    }
}

/// The text of a flag where it is only named: all of it, or its beginning.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 200;
    match text.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_string(),
    }
}

pub(super) type Origins = BTreeMap<Vec<String>, Origin>;

/// The values that templates see, and where they come from.
#[derive(Debug, Clone)]
pub struct Merged {
    /// All values; numbers of files are floats, those of `--set` integers.
    pub values: Value,
    /// What the layers above the chart set, for the release record; plain numbers.
    pub config: Value,
    /// The origin of every leaf.
    pub origins: BTreeMap<Vec<String>, Origin>,
    /// Where each map was written last, for messages about a whole map.
    pub(super) maps: Origins,
}

impl Merged {
    /// Returns the origin of a value, or of the nearest thing around it that has one.
    #[must_use]
    pub fn origin(&self, path: &[String]) -> Option<&Origin> {
        (1..=path.len()).rev().find_map(|length| self.origins.get(&path[..length]))
    }
}
