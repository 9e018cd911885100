//! A Helm chart: loaded from paths and bytes that are handed in, its values merged and checked, its templates rendered to documents.
//! Follows Helm 4 to the byte, because the same chart is installed by both. Applying what comes out is for others.

mod capabilities;
mod ignore;
mod merged;
mod metadata;
mod nearest;
mod package;
pub mod render;
mod schema;
pub mod set;
pub(crate) mod tree;
pub mod values;

pub use capabilities::Capabilities;
pub use merged::{Merged, Origin, Source};
pub use metadata::Metadata;
pub(crate) use nearest::nearest;
pub use package::{Package, digest_of, package};
pub use render::{Document, Hook, HookEvent, ReleaseInfo, RenderError, Rendered, render, render_with};
pub use schema::SchemaFailure;
pub use values::{ValueLayers, ValuesError};

use crate::yaml::{self, Locations, YamlError, with_float_numbers};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

#[cfg(test)]
mod tests;

/// One file of a chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The path in the chart, for example `templates/daemon/daemonset.yaml`.
    pub path: String,
    /// The bytes as they are stored.
    pub data: Vec<u8>,
}

/// A chart without dependencies.
#[derive(Debug, Clone)]
pub struct Chart {
    /// Chart.yaml.
    pub metadata: Metadata,
    /// The defaults of values.yaml; numbers are floats, as Helm has them.
    pub values: Value,
    /// Where each default stands in values.yaml.
    pub value_locations: Locations,
    /// The text of values.schema.json.
    pub schema: Option<String>,
    /// Everything below `templates/`, NOTES.txt and helpers included, by path.
    pub templates: Vec<File>,
    /// Everything else except Chart.yaml, Chart.lock, values.yaml and the schema, by path.
    pub files: Vec<File>,
}

/// Why files are not a usable chart.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ChartError {
    /// There is no Chart.yaml.
    #[error("Chart.yaml is missing: this is no chart")]
    NoMetadata,
    /// A file of the chart is not valid YAML.
    #[error("{path}:{}:{}: {message}", .position.line, .position.column)]
    Yaml {
        /// The file.
        path: String,
        /// Where in it.
        position: yaml::Position,
        /// What is wrong.
        message: String,
    },
    /// A field of Chart.yaml is missing or wrong.
    #[error("Chart.yaml: {message}")]
    Metadata {
        /// What is wrong.
        message: String,
    },
    /// A file that must hold a mapping holds something else.
    #[error("{path}:{line}: must hold a mapping, `key: value`, and holds {found}")]
    NotAMapping {
        /// The file.
        path: String,
        /// The line in which something else begins.
        line: usize,
        /// What that is.
        found: String,
    },
    /// A file that must be text is not UTF-8.
    #[error("{path} is not UTF-8 text")]
    NotText {
        /// The file.
        path: String,
    },
    /// values.schema.json is no JSON schema.
    #[error("values.schema.json: {message}")]
    Schema {
        /// What is wrong.
        message: String,
    },
    /// The chart has dependencies.
    #[error("chart {chart} has dependencies ({names}), which are not supported; render it with helm template instead")]
    Dependencies {
        /// The chart.
        chart: String,
        /// Their names.
        names: String,
    },
    /// A library chart.
    #[error("chart {chart} is a library, which cannot be installed")]
    Library {
        /// The chart.
        chart: String,
    },
    /// A file cannot be put into an archive.
    #[error("the chart cannot be packed: {message}")]
    Package {
        /// What is wrong.
        message: String,
    },
    /// A pattern in .helmignore is malformed.
    #[error(".helmignore:{line}: {message}")]
    Ignore {
        /// The line.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

impl ChartError {
    fn yaml(path: &str, error: YamlError) -> Self {
        Self::Yaml { path: path.into(), position: error.position, message: error.message }
    }

    fn not_a_mapping(path: &str, found: &Value, places: &Locations) -> Self {
        let found = match found {
            Value::Null => "nothing".to_owned(),
            Value::String(text) => described_text(text),
            other => set::type_of(other).to_owned(),
        };
        Self::NotAMapping { path: path.into(), line: places.start().map_or(1, |start| start.line), found }
    }
}

impl Chart {
    /// Loads a chart from its files; the paths are relative to the folder that holds Chart.yaml.
    pub fn load(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Result<Self, ChartError> {
        let mut files = kept(files)?;
        let metadata_text = files.remove("Chart.yaml").ok_or(ChartError::NoMetadata)?;
        let metadata = Metadata::parse(&text("Chart.yaml", &metadata_text)?)?;
        refuse_dependencies(&metadata, files.keys())?;
        files.remove("Chart.lock");
        let (values, value_locations) = match files.remove("values.yaml") {
            Some(data) => read_values("values.yaml", &text("values.yaml", &data)?)?,
            None => (Value::Object(Map::new()), Locations::default()),
        };
        let schema = files.remove("values.schema.json").map(|data| text("values.schema.json", &data)).transpose()?;
        let (templates, files) = files
            .into_iter()
            .map(|(path, data)| File { path, data })
            .partition(|file| file.path.starts_with("templates/"));
        let chart = Self { metadata, values, value_locations, schema, templates, files };
        schema::compile(&chart)?;
        Ok(chart)
    }

    /// Returns a file outside of `templates/` as text.
    pub fn file_text(&self, path: &str) -> Result<Option<String>, ChartError> {
        self.files.iter().find(|file| file.path == path).map(|file| text(path, &file.data)).transpose()
    }

    /// The profiles that the chart ships as `values-<profile>.yaml`.
    #[must_use]
    pub fn profiles(&self) -> Vec<&str> {
        let names = self.files.iter().filter_map(|file| file.path.strip_prefix("values-")?.strip_suffix(".yaml"));
        names.filter(|name| !name.contains('/')).collect()
    }
}

/// A text where a mapping should be; the most frequent reason is a colon without a blank.
fn described_text(text: &str) -> String {
    const LONGEST: usize = 40;
    let start: String = text.chars().take(LONGEST).collect();
    let more = if start.len() < text.len() { "…" } else { "" };
    let blank = if text.contains(':') { "; a colon needs a blank after it" } else { "" };
    format!("the text {start:?}{more}{blank}")
}

/// The files of a chart that .helmignore leaves in it, by path and without byte order marks.
fn kept(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Result<BTreeMap<String, Vec<u8>>, ChartError> {
    let mut files: BTreeMap<String, Vec<u8>> =
        files.into_iter().map(|(path, data)| (path, without_byte_order_mark(data))).collect();
    let rules = match files.get(".helmignore") {
        Some(data) => ignore::Rules::parse(&text(".helmignore", data)?)?,
        None => ignore::Rules::default(),
    };
    files.retain(|path, _| !rules.ignores(path));
    Ok(files)
}

/// Reads a values file: all its documents merged, numbers as floats.
fn read_values(path: &str, source: &str) -> Result<(Value, Locations), ChartError> {
    let documents = yaml::read_values(source).map_err(|error| ChartError::yaml(path, error))?;
    let mut merged = Map::new();
    let mut locations = Locations::default();
    for (value, places) in documents {
        match value {
            Value::Object(fields) => tree::merge_maps(&mut merged, fields),
            Value::Null => {}
            other => return Err(ChartError::not_a_mapping(path, &other, &places)),
        }
        locations.extend(places);
    }
    Ok((with_float_numbers(Value::Object(merged)), locations))
}

fn refuse_dependencies<'a>(metadata: &Metadata, paths: impl Iterator<Item = &'a String>) -> Result<(), ChartError> {
    let mut names = metadata.dependencies.clone();
    for path in paths {
        let folder = path.strip_prefix("charts/").and_then(|rest| rest.split('/').next());
        if let Some(folder) = folder.filter(|folder| !folder.starts_with(['_', '.']) && *folder != "README.md")
            && !names.iter().any(|name| folder.starts_with(name.as_str()))
        {
            names.push(folder.to_string());
        }
    }
    if names.is_empty() {
        return Ok(());
    }
    Err(ChartError::Dependencies { chart: metadata.name.clone(), names: names.join(", ") })
}

fn text(path: &str, data: &[u8]) -> Result<String, ChartError> {
    String::from_utf8(data.to_vec()).map_err(|_| ChartError::NotText { path: path.into() })
}

fn without_byte_order_mark(data: Vec<u8>) -> Vec<u8> {
    data.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(data)
}
