//! The report of checks in all its forms. Each is a text made from one [`View`]; who prints it is the command.

pub(crate) mod explain;
pub(crate) mod junit;
pub(crate) mod short;
pub(crate) mod table;

#[cfg(test)]
mod samples;

use mizar_core::check::{Category, CheckResult, Comparison, Evidence, Heading, Report, Selection, word};
use serde_json::Value;

use super::format;

/// Where the pages of the program are.
const PAGES: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/");

/// A report, and what it is about.
pub(crate) struct View<'a> {
    /// What the checks came to.
    pub report: &'a Report,
    /// Which were asked.
    pub selection: &'a Selection,
    /// When and where.
    pub heading: Heading<'a>,
    /// How it differs from an earlier one, if it was compared.
    pub comparison: Option<&'a Comparison>,
}

impl View<'_> {
    /// The results by category, each in the order of the table.
    fn by_category(&self) -> Vec<(Category, Vec<&CheckResult>)> {
        let mut categories: Vec<Category> = self.report.results.iter().map(|result| result.category).collect();
        categories.sort_unstable();
        categories.dedup();
        let of = |category| self.report.results.iter().filter(move |result| result.category == category).collect();
        categories.into_iter().map(|category| (category, of(category))).collect()
    }

    /// Whether a check found what the earlier report did not have.
    fn is_new(&self, result: &CheckResult) -> bool {
        self.comparison.is_some_and(|comparison| comparison.is_new(&result.id))
    }
}

/// The document, for machines.
pub(crate) fn document(view: &View<'_>) -> Value {
    view.report.document(&view.heading, view.comparison)
}

/// The names of the checks that are not fine, `check/ID`, as kubectl prints names; nothing when all is well.
pub(crate) fn names(view: &View<'_>) -> String {
    let wrong = view.report.results.iter().filter(|result| result.status.asks_for_action());
    format::names(wrong.map(|result| format!("check/{}", result.id)))
}

/// A category as a heading.
fn title(category: Category) -> String {
    let word = word(&category);
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// `Node node-7 spec.unschedulable: true, wanted false`.
fn sentence(seen: &Evidence) -> String {
    format!("{} {}: {}, wanted {}", seen.object, seen.field, or_nothing(&seen.seen), or_nothing(&seen.wanted))
}

fn or_nothing(text: &str) -> &str {
    if text.is_empty() { "nothing" } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_what_is_not_fine() {
        samples::mixed(|view| assert_eq!(names(view), "check/droplets\ncheck/stuck-objects\ncheck/leaked-endpoints\n"));
        samples::healthy(|view| assert_eq!(names(view), ""));
    }

    #[test]
    fn the_document_holds_what_differs_from_an_earlier_one() {
        samples::compared(|view| {
            let document = document(view);
            assert_eq!(document["baseline"]["new"][0]["check"], "droplets");
            assert_eq!(document["checks"][1]["evidence"][0]["object"], "Node node-2");
        });
    }

    #[test]
    fn categories_read_as_headings() {
        assert_eq!(title(Category::Network), "Network");
    }
}
