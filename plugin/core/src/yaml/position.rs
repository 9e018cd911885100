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

/// The position of every key path of a YAML file; members of lists have their index as key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Locations(BTreeMap<Vec<String>, Position>);

impl Locations {
    /// Returns the position of exactly this path.
    #[must_use]
    pub fn get(&self, path: &[String]) -> Option<Position> {
        self.0.get(path).copied()
    }

    /// Returns the position of this path, or of the nearest parent that stands in the file.
    #[must_use]
    pub fn nearest(&self, path: &[String]) -> Option<Position> {
        (0..=path.len()).rev().find_map(|length| self.get(&path[..length]))
    }

    /// Iterates over all paths in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[String], Position)> {
        self.0.iter().map(|(path, position)| (path.as_slice(), *position))
    }

    /// Takes over the positions of a later document of the same file.
    pub fn extend(&mut self, later: Self) {
        self.0.extend(later.0);
    }

    pub(super) fn insert(&mut self, path: Vec<String>, position: Position) {
        self.0.insert(path, position);
    }
}
