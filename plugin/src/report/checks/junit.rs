//! The report as JUnit XML, which every CI system reads: a suite for each category, a case for each check.
//!
//! A Fail is a failure, an Unknown an error, a Skipped skipped. A Warn has passed: what it says is its output.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use mizar_core::check::{CheckResult, Status, word};

use super::{PAGES, View, sentence};

/// Lays out a report.
pub(crate) fn junit(view: &View<'_>) -> String {
    let at = view.heading.at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S");
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let all: Vec<&CheckResult> = view.report.results.iter().collect();
    let phase = word(&view.heading.phase);
    say(&mut text, format_args!("<testsuites name=\"kubectl mizar check ({phase})\" {}>", counts(&all)));
    for (category, results) in view.by_category() {
        let name = word(&category);
        say(&mut text, format_args!("  <testsuite name=\"{name}\" timestamp=\"{at}\" {}>", counts(&results)));
        for result in results {
            case(&mut text, view, &name, result);
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

fn say(text: &mut String, line: std::fmt::Arguments<'_>) {
    let _infallible = writeln!(text, "{line}");
}

fn counts(results: &[&CheckResult]) -> String {
    let of = |status| results.iter().filter(|result| result.status == status).count();
    let (failures, errors, skipped) = (of(Status::Fail), of(Status::Unknown), of(Status::Skipped));
    format!("tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" time=\"0\"", results.len())
}

fn case(text: &mut String, view: &View<'_>, category: &str, result: &CheckResult) {
    let start = format!("    <testcase name=\"{}\" classname=\"mizar.{category}\" time=\"0\"", escaped(&result.id));
    let message = escaped(&result.message);
    let element = match result.status {
        Status::Pass => return say(text, format_args!("{start}/>")),
        Status::Skipped => {
            return say(text, format_args!("{start}>\n      <skipped message=\"{message}\"/>\n    </testcase>"));
        }
        Status::Warn => {
            let said = format!("{}\n{}", result.message, body(view, result));
            return say(
                text,
                format_args!("{start}>\n      <system-out>{}</system-out>\n    </testcase>", escaped(&said)),
            );
        }
        Status::Fail => "failure",
        Status::Unknown => "error",
    };
    let severity = word(&result.severity);
    let body = escaped(&body(view, result));
    say(text, format_args!("{start}>"));
    say(text, format_args!("      <{element} message=\"{message}\" type=\"{severity}\">{body}</{element}>"));
    text.push_str("    </testcase>\n");
}

/// What was seen, what to do, where to read on.
fn body(view: &View<'_>, result: &CheckResult) -> String {
    let mut lines: Vec<String> = result.evidence.iter().map(sentence).collect();
    lines.extend(result.hint.iter().map(|hint| format!("hint: {hint}")));
    if view.comparison.is_some() {
        let age = if view.is_new(result) { "new" } else { "known before" };
        lines.push(format!("compared with the baseline: {age}"));
    }
    lines.push(format!("{PAGES}{}", result.doc));
    lines.join("\n")
}

/// A text as it may stand in an element or an attribute. XML knows no control characters but three.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' => safe.push_str("&#10;"),
            '\t' => safe.push_str("&#9;"),
            '\r' => safe.push_str("&#13;"),
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            _ if letter.is_ascii_control() => safe.push('\u{fffd}'),
            _ => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use roxmltree::{Document, Node};

    use super::super::samples;
    use super::*;

    fn cases<'a>(document: &'a Document<'a>) -> Vec<Node<'a, 'a>> {
        document.descendants().filter(|node| node.has_tag_name("testcase")).collect()
    }

    fn child<'a>(case: Node<'a, 'a>) -> (&'a str, &'a str, &'a str) {
        let child = case.first_element_child().unwrap();
        let message = child.attribute("message").unwrap_or_default();
        (child.tag_name().name(), message, child.text().unwrap_or_default())
    }

    #[test]
    fn a_parser_reads_every_suite_case_and_text_as_they_were() {
        samples::mixed(|view| {
            let text = junit(view);
            let document = Document::parse(&text).unwrap();
            let root = document.root_element();
            let count = |name| root.attribute(name).unwrap();
            assert_eq!(["tests", "failures", "errors", "skipped"].map(count), ["5", "1", "1", "1"]);
            let suites: Vec<_> =
                root.children().filter(Node::is_element).map(|suite| suite.attribute("name").unwrap()).collect();
            assert_eq!(suites, ["nodes", "network", "pods"]);
            let cases = cases(&document);
            assert_eq!(cases[0].attribute("name"), Some("nodes-ready"));
            assert!(cases[0].first_element_child().is_none(), "a pass says nothing");
            assert_eq!(cases[1].attribute("classname"), Some("mizar.network"));
            assert_eq!(
                child(cases[1]),
                (
                    "failure",
                    "2 of 3 nodes fine; node-2: has no Droplet <yet> & \"waits\"",
                    "Node node-2 Droplet: nothing, wanted <one> & \"Provisioned\"\nhint: `look at droplets`\n\
                     https://github.com/CentaurusInfra/kubectl-mizar/blob/main/docs/checks.md#droplets"
                )
            );
            assert_eq!(child(cases[2]).0, "error");
            let (element, _, said) = child(cases[3]);
            assert_eq!(element, "system-out");
            assert!(said.starts_with("3 of 10 Endpoints fine"), "{said}");
            assert_eq!(child(cases[4]), ("skipped", "there is no Subnet yet", ""));
        });
    }

    #[test]
    fn a_case_says_whether_it_is_new() {
        samples::compared(|view| {
            let text = junit(view);
            let document = Document::parse(&text).unwrap();
            assert!(child(cases(&document)[1]).2.contains("compared with the baseline: new"));
            assert!(child(cases(&document)[3]).2.contains("compared with the baseline: known before"));
        });
    }

    #[test]
    fn any_text_makes_good_xml() {
        let nasty = "]]> <!-- \u{0}\u{1b}[31m\u{8} 'é' \u{ffff} & \r\n\t";
        let text = format!("<a b=\"{0}\">{0}</a>", escaped(nasty));
        let document = Document::parse(&text).unwrap();
        let expected = "]]> <!-- \u{fffd}\u{fffd}[31m\u{fffd} 'é' \u{fffd} & \r\n\t";
        assert_eq!(document.root_element().attribute("b"), Some(expected));
        assert_eq!(document.root_element().text(), Some(expected));
    }
}
