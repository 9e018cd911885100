//! docs/conventions.md names a test for every row, and all of them exist.

use crate::program::repository;

/// The cells of the page's tables.
fn rows(page: &str) -> impl Iterator<Item = Vec<String>> {
    let lines = page.lines().filter(|line| line.starts_with("| **"));
    lines.map(|line| {
        // A bar inside a cell is written `\|`.
        let cells = line.trim_matches('|').replace("\\|", "\u{1}");
        cells.split('|').map(|cell| cell.trim().replace('\u{1}', "|")).collect()
    })
}

/// The tests that a cell names.
fn tests(cell: &str) -> impl Iterator<Item = (&str, &str)> {
    cell.split('`').skip(1).step_by(2).map(|name| name.split_once("::").unwrap_or((name, "")))
}

#[test]
fn every_row_names_a_test_and_every_test_exists() {
    let page = std::fs::read_to_string(repository().join("docs/conventions.md")).unwrap();
    let mut held = 0;
    for row in rows(&page) {
        assert_eq!(row.len(), 3, "{row:?}");
        assert!(tests(&row[2]).next().is_some(), "no test holds the row: {row:?}");
        for (file, function) in tests(&row[2]) {
            let path = repository().join(format!("{file}.rs"));
            let source = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let (_, rest) = source
                .split_once(&format!("fn {function}()"))
                .unwrap_or_else(|| panic!("docs/conventions.md names {file}::{function}, which does not exist"));
            assert!(!rest.is_empty(), "{file}::{function} has a body");
            held += 1;
        }
    }
    assert!(held > 20, "the rows are found; {held} tests are named");
}
