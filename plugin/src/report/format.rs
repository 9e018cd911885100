//! The forms in which data is printed. Those for machines are made here, from one document; those for people belong to
//! each command.

use mizar_core::jsonpath::{JsonPathError, Template};
use mizar_core::yaml;
use serde_json::Value;

use super::Output;
use crate::failure::{Failure, Kind};

/// A form of data.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For people, with more columns.
    Wide,
    /// What is not fine, one line each.
    Short,
    /// Names only, one a line.
    Name,
    /// JUnit XML.
    Junit,
    /// The document as JSON.
    Json,
    /// The same document as YAML.
    Yaml,
    /// What a template selects of the document.
    JsonPath(Template),
}

impl Format {
    /// What stdout is for, so that a failure is shown in the same form.
    pub(crate) fn output(&self) -> Output {
        if *self == Self::Json { Output::Json } else { Output::Text }
    }

    /// Writes a document, if this is a form for machines.
    pub(crate) fn write(&self, document: impl FnOnce() -> Value) -> Result<Option<String>, Failure> {
        Ok(Some(match self {
            Self::Json => format!("{:#}\n", document()),
            Self::Yaml => yaml::write(&document()),
            Self::JsonPath(template) => template.print(&document())?,
            Self::Text | Self::Wide | Self::Short | Self::Name | Self::Junit => return Ok(None),
        }))
    }

    /// Writes a document in a form for machines, or what `text` makes.
    pub(crate) fn write_or(
        &self,
        document: impl FnOnce() -> Value,
        text: impl FnOnce() -> String,
    ) -> Result<String, Failure> {
        Ok(self.write(document)?.unwrap_or_else(text))
    }
}

impl From<JsonPathError> for Failure {
    fn from(error: JsonPathError) -> Self {
        Self::new(Kind::Failed, error.to_string()).hint("see the whole document: -o json")
    }
}

/// Names, one a line, as `kubectl -o name` prints them.
pub(crate) fn names<Name: std::fmt::Display>(names: impl IntoIterator<Item = Name>) -> String {
    names.into_iter().map(|name| format!("{name}\n")).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_form_for_machines_writes_the_same_document() {
        let document = || json!({"kind": "Status", "nodes": [{"name": "a"}, {"name": "b"}]});
        let written = |format: &Format| format.write(document).unwrap().unwrap();
        let as_json: Value = serde_json::from_str(&written(&Format::Json)).unwrap();
        let as_yaml = yaml::read(&written(&Format::Yaml), yaml::DuplicateKeys::Refuse).unwrap();
        assert_eq!((as_json, as_yaml), (document(), document()));
        let template = Template::parse("{.nodes[*].name}").unwrap();
        assert_eq!(written(&Format::JsonPath(template)), "a b");
        assert_eq!(Format::Name.write(document).unwrap(), None);
    }

    #[test]
    fn a_template_that_does_not_fit_names_its_place() {
        let format = Format::JsonPath(Template::parse("{.nodes[7]}").unwrap());
        let failure = format.write(|| json!({"nodes": []})).unwrap_err();
        assert_eq!(failure.kind.code(), 1);
        assert!(failure.message.contains("character 8: array index out of bounds"), "{failure}");
    }
}
