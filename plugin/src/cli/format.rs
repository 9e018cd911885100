//! `-o`: which forms a command has, and how they are typed.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Command};
use mizar_core::jsonpath::Template;

use crate::report::format::Format;

/// What is typed before a template.
const JSONPATH: &str = "jsonpath=";

/// A form as it is typed, and what it shows.
type Form = (&'static str, &'static str);

const JSON: Form = ("json", "The whole document");
const YAML: Form = ("yaml", "The same document");
const TEMPLATE: Form = (JSONPATH, "What a template selects of it, in kubectl's dialect: jsonpath={.kind}");

/// The forms of a command, in the order of the alphabet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Formats(&'static [Form]);

/// `check`.
pub(crate) const OF_CHECKS: Formats = Formats(&[
    JSON,
    TEMPLATE,
    ("junit", "JUnit XML: a suite for each category"),
    ("name", "The names of the checks that are not fine"),
    ("short", "What is not fine, one line each"),
    ("table", "By category, with evidence and hints where something is to be done"),
    ("wide", "The same with what was seen where all is well, since when, and where to read on"),
    YAML,
]);

/// `status` and `env`.
pub(crate) const OF_VIEWS: Formats =
    Formats(&[JSON, TEMPLATE, ("name", "Names only, as kubectl prints them"), ("table", "For people"), YAML]);

/// `diff`.
pub(crate) const OF_DIFFS: Formats = Formats(&[
    JSON,
    TEMPLATE,
    ("name", "The names of the objects that would change"),
    ("text", "For people, and for programs that read patches"),
    YAML,
]);

/// `explain`.
pub(crate) const OF_EXPLANATIONS: Formats =
    Formats(&[JSON, TEMPLATE, ("name", "The names of the checks"), ("text", "For people"), YAML]);

/// `version`.
pub(crate) const OF_VERSIONS: Formats = Formats(&[JSON, TEMPLATE, ("text", "For people"), YAML]);

/// `bundle`.
pub(crate) const OF_BUNDLES: Formats = Formats(&[
    ("json", "What is in it and what is missing: index.json, and the name of the file"),
    TEMPLATE,
    ("text", "The name of the file"),
    YAML,
]);

/// `values`.
pub(crate) const OF_VALUES: Formats = Formats(&[JSON, TEMPLATE, ("table", "With --show-origin: for people"), YAML]);

/// `get`.
pub(crate) const OF_RECORDS: Formats = Formats(&[
    ("json", "Values, a List of objects, or a document that holds the notes"),
    (JSONPATH, "What a template selects of that: jsonpath={.items[*].kind}"),
    ("yaml", "The same document"),
]);

/// `render`.
pub(crate) const OF_MANIFESTS: Formats = Formats(&[
    ("json", "A List of all objects"),
    (JSONPATH, "What a template selects of that List: jsonpath={.items[*].kind}"),
    ("name", "The names of the objects"),
    ("yaml", "Manifests, as helm template prints them"),
]);

/// Commands that change something.
pub(crate) const OF_CHANGES: Formats = Formats(&[
    ("json", "One event per line"),
    (JSONPATH, "With --plan: what a template selects of the plan"),
    ("name", "With --plan: the names of the objects that it touches"),
    ("text", "For people"),
    ("yaml", "With --plan: the plan, as the event that tells it"),
]);

impl Formats {
    fn read(self, text: &str) -> Result<Format, String> {
        if let Some(template) = text.strip_prefix(JSONPATH) {
            if template.is_empty() {
                return Err("there is no template; write it like jsonpath={.kind}".to_owned());
            }
            return Template::parse(template).map(Format::JsonPath).map_err(|error| error.to_string());
        }
        let known = self.0.iter().any(|(name, _)| *name == text);
        match text {
            "json" if known => Ok(Format::Json),
            "yaml" if known => Ok(Format::Yaml),
            "name" if known => Ok(Format::Name),
            "wide" if known => Ok(Format::Wide),
            "junit" if known => Ok(Format::Junit),
            "short" if known => Ok(Format::Short),
            "table" | "text" if known => Ok(Format::Text),
            _ => {
                let known: Vec<&str> = self.0.iter().map(|(name, _)| *name).collect();
                Err(format!("there is no such format; allowed formats are: {}", known.join(", ")))
            }
        }
    }
}

impl TypedValueParser for Formats {
    type Value = Format;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<Format, clap::Error> {
        let forms = *self;
        StringValueParser::new().try_map(move |text| forms.read(&text)).parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(|(name, help)| PossibleValue::new(*name).help(*help))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Formats; 10] = [
        OF_CHECKS,
        OF_VIEWS,
        OF_DIFFS,
        OF_EXPLANATIONS,
        OF_VERSIONS,
        OF_BUNDLES,
        OF_VALUES,
        OF_RECORDS,
        OF_MANIFESTS,
        OF_CHANGES,
    ];

    #[test]
    fn every_form_can_be_typed_and_they_are_listed_in_order() {
        for forms in ALL {
            let names: Vec<&str> = forms.0.iter().map(|(name, _)| *name).collect();
            assert!(names.is_sorted(), "{names:?}");
            for name in names {
                let typed = if name == JSONPATH { "jsonpath={.kind}" } else { name };
                assert!(forms.read(typed).is_ok(), "{typed}");
            }
        }
    }

    #[test]
    fn what_is_no_form_is_refused_with_those_there_are() {
        let refused = OF_VERSIONS.read("wide").unwrap_err();
        assert_eq!(refused, "there is no such format; allowed formats are: json, jsonpath=, text, yaml");
        assert!(OF_VIEWS.read("jsonpath=").is_err());
        let broken = OF_VIEWS.read("jsonpath={.a").unwrap_err();
        assert_eq!(broken, "jsonpath \"{.a\", character 1: this { is never closed");
    }
}
