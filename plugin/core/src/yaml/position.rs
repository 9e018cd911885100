//! Where in a file a key stands: a map from the path of a key to its line and column.

use std::collections::BTreeMap;

/// A line and a column of a text, both counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
}

/// How many keys of all paths together are kept: a text of a megabyte can have a hundred million. Past that, what is inside a key is where
/// that key is.
const MAX_KEYS: usize = 500_000;
impl Position {
    /// The position of the byte at `offset`, which must be the first of a character.
    #[must_use]
    pub fn in_text(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
        Self { line, column: 1 + before[line_start..].chars().count() }
    }
}

/// The position of every key path of a YAML file; members of lists have their index as key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Locations {
    keys: BTreeMap<Vec<String>, Position>,
    count: usize,
    incomplete_from: Option<Position>,
    start: Option<Position>,
}

impl Locations {
    /// Returns the position of exactly this path.
    #[must_use]
    pub fn get(&self, path: &[String]) -> Option<Position> {
        self.keys.get(path).copied()
    }

    /// Returns the position of this path, or of the nearest parent that stands in the file.
    #[must_use]
    pub fn nearest(&self, path: &[String]) -> Option<Position> {
        (0..=path.len()).rev().find_map(|length| self.get(&path[..length]))
    }

    /// Where the first key stands that is not known here, if there were too many.
    #[must_use]
    pub fn incomplete_from(&self) -> Option<Position> {
        self.incomplete_from
    }

    /// Iterates over all paths in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[String], Position)> {
        self.keys.iter().map(|(path, position)| (path.as_slice(), *position))
    }

    /// Takes over the positions of a later document of the same file.
    pub fn extend(&mut self, later: Self) {
        self.count += later.count;
        self.keys.extend(later.keys);
    }

    /// Where the document begins, past comments and markers.
    #[must_use]
    pub fn start(&self) -> Option<Position> {
        self.start
    }

    pub(super) fn start_at(&mut self, position: Position) {
        self.start = Some(position);
    }

    pub(super) fn insert(&mut self, path: &[String], position: Position) {
        let count = self.count + path.len();
        if count <= MAX_KEYS {
            self.count = count;
            self.keys.insert(path.to_vec(), position);
        } else if self.incomplete_from.is_none() {
            self.incomplete_from = Some(position);
        }
    }
}
