//! docs/conventions.md and docs/bad-input.md name a test for every row, and all of them exist and are run.

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
    for (page, least) in [("docs/conventions.md", 20), ("docs/bad-input.md", 30)] {
        let text = std::fs::read_to_string(repository().join(page)).unwrap();
        let mut held = 0;
        for row in rows(&text) {
            assert_eq!(row.len(), 3, "{row:?}");
            assert!(tests(&row[2]).next().is_some(), "no test holds the row: {row:?}");
            for (file, function) in tests(&row[2]) {
                assert_is_run(page, file, function);
                held += 1;
            }
        }
        assert!(held > least, "the rows are found; {held} tests are named");
    }
}

fn assert_is_run(page: &str, file: &str, function: &str) {
    let path = repository().join(format!("{file}.rs"));
    let source = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (before, _) = source
        .split_once(&format!("fn {function}()"))
        .unwrap_or_else(|| panic!("{page} names {file}::{function}, which does not exist"));
    let above = before.rsplit_once('\n').unwrap_or_default().0.lines().rev();
    let attributes: Vec<&str> = above.take_while(|line| line.trim_start().starts_with("#[")).collect();
    let is_test = |line: &str| line.contains("#[test]") || line.contains("#[tokio::test");
    assert!(attributes.iter().any(|line| is_test(line)), "{file}::{function} is no test: {attributes:?}");
    assert!(!attributes.iter().any(|line| line.contains("ignore")), "{file}::{function} is not run");
}
