//! Values in layers: chart < profile < detected < files < `--set-json` < `--set` < `--set-string` < `--set-file`. Maps merge, lists replace,
//! null deletes a default. Every leaf remembers the layer, and where there is one the file and line, that it came from.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::merged::{Merged, Origin, Origins, Source};
use super::schema::{self, MOST_FAILURES, SchemaFailure};
use super::set::{self, Filling, SetError, SetFlag};
use super::tree::{coalesce, leaves, maps_of, merge_maps};
use super::{Chart, ChartError, read_values};
use crate::yaml::{Locations, with_float_numbers, with_plain_numbers};

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
    match failures {
        1 => "1 value".into(),
        2..=MOST_FAILURES => format!("{failures} values"),
        _ => format!("more than {MOST_FAILURES} values"),
    }
}

fn lines(failures: &[SchemaFailure]) -> String {
    failures.iter().take(MOST_FAILURES).map(|failure| format!("  {failure}")).collect::<Vec<_>>().join("\n")
}

/// The layers above the chart, in the order of their weight.
#[derive(Debug, Clone, Default)]
pub struct ValueLayers {
    files: Vec<(Source, Map<String, Value>, Locations)>,
    /// In the order in which they were typed.
    flags: Vec<Flag>,
}

#[derive(Debug, Clone)]
struct Flag {
    kind: SetFlag,
    text: Arc<str>,
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

    /// Adds a `--set`, `--set-string` or `--set-json` flag. It is read when all layers are merged, since it may change a list that a file
    /// gave. For `--set-file` there is [`Self::add_set_file`].
    pub fn add_set(&mut self, flag: SetFlag, text: &str) {
        self.flags.push(Flag { kind: flag, text: text.into(), contents: Vec::new() });
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
        set::apply(SetFlag::File, text, &mut Map::new(), &mut Filling::default(), &mut read_and_keep)?;
        self.flags.push(Flag { kind: SetFlag::File, text: text.into(), contents });
        Ok(())
    }

    /// Whether all that was added can be read, whatever the chart is.
    pub fn check(&self) -> Result<(), ValuesError> {
        self.user_values().map(drop)
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
        let mut flags: Vec<&Flag> = self.flags.iter().collect();
        flags.sort_by_key(|flag| flag.kind);
        let mut filling = Filling::default();
        for Flag { kind, text, contents } in flags {
            let mut contents = contents.iter();
            let mut read_file = |_: &str| Ok(contents.next().cloned().unwrap_or_default());
            for path in set::apply(*kind, text, &mut user, &mut filling, &mut read_file)? {
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
    let parts: Vec<Vec<String>> = below(origins, path).map(|(part, _)| part.clone()).collect();
    for part in parts {
        origins.remove(&part);
    }
    origins.insert(path.to_vec(), origin);
}

/// What is known of a path and of all that is inside it: they stand together in the order of paths.
pub(super) fn below<'a>(
    origins: &'a Origins,
    path: &'a [String],
) -> impl Iterator<Item = (&'a Vec<String>, &'a Origin)> {
    let from = (Bound::Included(path), Bound::Unbounded);
    origins.range::<[String], _>(from).take_while(move |(known, _)| known.starts_with(path))
}

fn origins(chart: &Chart, values: &Value, user: &Origins) -> Origins {
    let mut origins = BTreeMap::new();
    leaves(values, &mut Vec::new(), &mut |path, _| {
        let known = (1..=path.len()).rev().find_map(|length| user.get(&path[..length]));
        // A flag may have set a part of a list.
        let inside = || below(user, path).next().map(|(_, origin)| origin);
        let origin = known.or_else(inside).cloned().unwrap_or_else(|| Origin {
            source: Source::Chart,
            line: chart.value_locations.nearest(path).map(|position| position.line),
        });
        origins.insert(path.to_vec(), origin);
    });
    origins
}
