//! Values in layers: chart < profile < detected < files < `--set-json` < `--set` < `--set-string` < `--set-file`. Maps merge, lists replace,
//! null deletes a default. Every leaf remembers the layer, and where there is one the file and line, that it came from.

use super::schema::{self, SchemaFailure};
use super::set::{self, SetError, SetFlag};
use super::{Chart, ChartError, read_values};
use crate::yaml::{Locations, with_float_numbers, with_plain_numbers};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;

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
    /// A flag with its text.
    Flag(SetFlag, String),
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
            Source::Flag(flag, text) => write!(formatter, "{} {text}", flag.name())?,
        }
        self.line.map_or(Ok(()), |line| write!(formatter, ":{line}"))
    }
}

type Origins = BTreeMap<Vec<String>, Origin>;

/// Why values cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ValuesError {
    /// The chart has no such profile.
    #[error("chart {chart} has no profile {profile:?}; it has {known}")]
    UnknownProfile {
        /// The chart.
        chart: String,
        /// The profile that was asked for.
        profile: String,
        /// The ones there are.
        known: String,
    },
    /// A values file cannot be read.
    #[error(transparent)]
    File(#[from] ChartError),
    /// A flag cannot be read.
    #[error(transparent)]
    Set(#[from] SetError),
    /// The values do not fit the chart's schema.
    #[error("{} of the chart {chart} {}:\n{}", count(.failures.len()), if .failures.len() == 1 { "is wrong" } else { "are wrong" }, lines(.failures))]
    Schema {
        /// The chart.
        chart: String,
        /// One for each wrong value.
        failures: Vec<SchemaFailure>,
    },
}

fn count(failures: usize) -> String {
    if failures == 1 { "1 value".into() } else { format!("{failures} values") }
}

fn lines(failures: &[SchemaFailure]) -> String {
    failures.iter().map(|failure| format!("  {failure}")).collect::<Vec<_>>().join("\n")
}

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

/// The layers above the chart, in the order of their weight.
#[derive(Debug, Clone, Default)]
pub struct ValueLayers {
    files: Vec<(Source, Map<String, Value>, Locations)>,
    /// In the order of their weight.
    flags: Vec<Flag>,
}

#[derive(Debug, Clone)]
struct Flag {
    kind: SetFlag,
    text: String,
    /// Of the files that `--set-file` names, in order.
    contents: Vec<String>,
}

impl ValueLayers {
    /// Starts with the chart's defaults only.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the chart's `values-<profile>.yaml`.
    pub fn add_profile(&mut self, chart: &Chart, profile: &str) -> Result<(), ValuesError> {
        let path = format!("values-{profile}.yaml");
        let Some(text) = chart.file_text(&path)? else {
            let known = chart.profiles().join(", ");
            let known = if known.is_empty() { "none".to_string() } else { known };
            return Err(ValuesError::UnknownProfile {
                chart: chart.metadata.name.clone(),
                profile: profile.into(),
                known,
            });
        };
        self.add_text(Source::Profile(profile.into()), &path, &text)
    }

    /// Adds what was detected in the cluster.
    pub fn add_detected(&mut self, values: Map<String, Value>) {
        self.add_map(Source::Detected, values);
    }

    /// Adds the user's values that a release has recorded.
    pub fn add_recorded(&mut self, values: Map<String, Value>) {
        self.add_map(Source::Recorded, values);
    }

    fn add_map(&mut self, source: Source, values: Map<String, Value>) {
        if let Value::Object(values) = with_float_numbers(Value::Object(values)) {
            self.files.push((source, values, Locations::default()));
        }
    }

    /// Adds a values file; `name` is what messages call it.
    pub fn add_file(&mut self, name: &str, text: &str) -> Result<(), ValuesError> {
        self.add_text(Source::File(name.into()), name, text)
    }

    fn add_text(&mut self, source: Source, name: &str, text: &str) -> Result<(), ValuesError> {
        let (values, locations) = read_values(name, text)?;
        if let Value::Object(values) = values {
            self.files.push((source, values, locations));
        }
        Ok(())
    }

    /// Adds a `--set`, `--set-string` or `--set-json` flag, and reads it against the layers so far, since it may change a list that a file
    /// gave. For `--set-file` there is [`Self::add_set_file`].
    pub fn add_set(&mut self, flag: SetFlag, text: &str) -> Result<(), ValuesError> {
        self.add_flag(Flag { kind: flag, text: text.into(), contents: Vec::new() })
    }

    /// Adds a `--set-file` flag; `read_file` gives the content of a path.
    pub fn add_set_file(
        &mut self,
        text: &str,
        read_file: &mut dyn FnMut(&str) -> Result<String, String>,
    ) -> Result<(), ValuesError> {
        let mut contents = Vec::new();
        let mut read_and_keep = |path: &str| {
            let content = read_file(path)?;
            contents.push(content.clone());
            Ok(content)
        };
        set::apply(SetFlag::File, text, &mut Map::new(), &mut read_and_keep)?;
        self.add_flag(Flag { kind: SetFlag::File, text: text.into(), contents })
    }

    fn add_flag(&mut self, flag: Flag) -> Result<(), ValuesError> {
        self.flags.push(flag);
        self.flags.sort_by_key(|flag| flag.kind);
        self.user_values().map(|_| ())
    }

    /// What the layers above the chart come to, and the origins of what they set.
    fn user_values(&self) -> Result<(Map<String, Value>, Origins), ValuesError> {
        let mut user = Map::new();
        let mut origins = BTreeMap::new();
        for (source, values, locations) in &self.files {
            leaves(&Value::Object(values.clone()), &mut Vec::new(), &mut |path, _| {
                let line = locations.nearest(path).map(|position| position.line);
                remember(&mut origins, path, Origin { source: source.clone(), line });
            });
            merge_maps(&mut user, values.clone());
        }
        for Flag { kind, text, contents } in &self.flags {
            let mut contents = contents.iter();
            let mut read_file = |_: &str| Ok(contents.next().cloned().unwrap_or_default());
            for path in set::apply(*kind, text, &mut user, &mut read_file)? {
                remember(&mut origins, &path, Origin { source: Source::Flag(*kind, text.clone()), line: None });
            }
        }
        Ok((user, origins))
    }

    /// Where each map of the files was written last.
    fn maps(&self) -> Origins {
        let mut maps = BTreeMap::new();
        for (source, values, locations) in &self.files {
            maps_of(&Value::Object(values.clone()), &mut Vec::new(), &mut |path| {
                let line = locations.get(path).map(|position| position.line);
                maps.insert(path.to_vec(), Origin { source: source.clone(), line });
            });
        }
        maps
    }

    /// Merges all layers over the chart's defaults and checks the result against its schema.
    pub fn merge(&self, chart: &Chart) -> Result<Merged, ValuesError> {
        let merged = self.merge_unchecked(chart)?;
        let failures = schema::validate(chart, &merged)?;
        if failures.is_empty() {
            return Ok(merged);
        }
        Err(ValuesError::Schema { chart: chart.metadata.name.clone(), failures })
    }

    /// Merges all layers without asking the schema.
    pub fn merge_unchecked(&self, chart: &Chart) -> Result<Merged, ValuesError> {
        let (user, user_origins) = self.user_values()?;
        let config = with_plain_numbers(Value::Object(user.clone()));
        let values = Value::Object(coalesce(user, &chart.values));
        let origins = origins(chart, &values, &user_origins);
        Ok(Merged { values, config, origins, maps: self.maps() })
    }
}

/// A later origin of a whole replaces those of its parts.
fn remember(origins: &mut Origins, path: &[String], origin: Origin) {
    origins.retain(|known, _| !known.starts_with(path));
    origins.insert(path.to_vec(), origin);
}

fn origins(chart: &Chart, values: &Value, user: &Origins) -> Origins {
    let mut origins = BTreeMap::new();
    leaves(values, &mut Vec::new(), &mut |path, _| {
        let known = (1..=path.len()).rev().find_map(|length| user.get(&path[..length]));
        // A flag may have set a part of a list.
        let inside = || user.iter().find(|(known, _)| known.starts_with(path)).map(|(_, origin)| origin);
        let origin = known.or_else(inside).cloned().unwrap_or_else(|| Origin {
            source: Source::Chart,
            line: chart.value_locations.nearest(path).map(|position| position.line),
        });
        origins.insert(path.to_vec(), origin);
    });
    origins
}

/// Visits everything that is no map with something in it.
pub(super) fn leaves(value: &Value, path: &mut Vec<String>, visit: &mut dyn FnMut(&[String], &Value)) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                path.push(key.clone());
                leaves(value, path, visit);
                path.pop();
            }
        }
        Value::Object(_) if path.is_empty() => {}
        leaf => visit(path, leaf),
    }
}

/// Visits every map below the top.
fn maps_of(value: &Value, path: &mut Vec<String>, visit: &mut dyn FnMut(&[String])) {
    for (key, value) in value.as_object().into_iter().flatten().filter(|(_, value)| value.is_object()) {
        path.push(key.clone());
        visit(path);
        maps_of(value, path, visit);
        path.pop();
    }
}

/// Merges a later values file over earlier ones; null stays, to delete a default later.
pub(super) fn merge_maps(target: &mut Map<String, Value>, source: Map<String, Value>) {
    for (key, value) in source {
        match (target.get_mut(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge_maps(old, new),
            (_, value) => {
                target.insert(key, value);
            }
        }
    }
}

/// Puts the chart's defaults under the user's values, as Helm 4 does it.
fn coalesce(mut user: Map<String, Value>, defaults: &Value) -> Map<String, Value> {
    let Value::Object(defaults) = defaults else { return user };
    for (key, default) in defaults {
        match user.get_mut(key) {
            None => {
                let mut default = default.clone();
                if !default.is_null() {
                    drop_nulls(&mut default);
                    user.insert(key.clone(), default);
                }
            }
            Some(Value::Null) => {
                user.shift_remove(key);
            }
            Some(Value::Object(inner)) => {
                let mut default = default.clone();
                drop_nulls(&mut default);
                if let Value::Object(default) = default {
                    coalesce_tables(inner, default);
                }
            }
            Some(_) => {}
        }
    }
    user
}

fn coalesce_tables(user: &mut Map<String, Value>, defaults: Map<String, Value>) {
    for (key, default) in defaults {
        match (user.get_mut(&key), default) {
            (None, default) => {
                user.insert(key, default);
            }
            (Some(Value::Null), _) => {
                user.shift_remove(&key);
            }
            (Some(Value::Object(inner)), Value::Object(default)) => coalesce_tables(inner, default),
            _ => {}
        }
    }
}

fn drop_nulls(value: &mut Value) {
    if let Value::Object(fields) = value {
        fields.retain(|_, value| !value.is_null());
        fields.values_mut().for_each(drop_nulls);
    }
}
