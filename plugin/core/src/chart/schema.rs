//! Checks values against the chart's values.schema.json and says what is wrong in a person's terms: where it was set, which field, what is
//! allowed, which key was probably meant.

use super::merged::Merged;
use super::values::below;
use super::{Chart, ChartError, nearest};
use crate::yaml::with_plain_numbers;
use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;
use std::fmt;

/// Nobody reads more at once; a values file may have a hundred thousand wrong keys.
pub(super) const MOST_FAILURES: usize = 100;

/// One value that the schema does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaFailure {
    /// Where the value was set: `values.yaml:12`, `--set daemon.imge=x`.
    pub origin: Option<String>,
    /// The field, for example `daemon.image`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for SchemaFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(formatter, "{origin}: ")?;
        }
        if self.field.is_empty() {
            return formatter.write_str(&self.message);
        }
        write!(formatter, "{}: {}", self.field, self.message)
    }
}

/// Compiles the schema, so that a broken one is found when the chart is loaded. References to other files are not followed.
pub(super) fn compile(chart: &Chart) -> Result<Option<Validator>, ChartError> {
    let Some(text) = &chart.schema else { return Ok(None) };
    let schema: Value =
        serde_json::from_str(text).map_err(|error| ChartError::Schema { message: format!("not JSON: {error}") })?;
    let validator =
        jsonschema::validator_for(&schema).map_err(|error| ChartError::Schema { message: error.to_string() })?;
    Ok(Some(validator))
}

pub(super) fn validate(chart: &Chart, merged: &Merged) -> Result<Vec<SchemaFailure>, ChartError> {
    let (Some(validator), Some(text)) = (compile(chart)?, &chart.schema) else { return Ok(Vec::new()) };
    let schema: Value = serde_json::from_str(text).unwrap_or_default();
    // Whole floats are integers to people and in messages.
    let values = with_plain_numbers(merged.values.clone());
    let mut failures = Vec::new();
    for error in validator.iter_errors(&values) {
        describe(&error, &schema, merged, &mut failures);
        failures.dedup();
        if failures.len() > MOST_FAILURES {
            break;
        }
    }
    Ok(failures)
}

fn describe(error: &ValidationError<'_>, schema: &Value, merged: &Merged, failures: &mut Vec<SchemaFailure>) {
    let path: Vec<String> = error.instance_path().as_str().split('/').skip(1).map(unescape).collect();
    if let ValidationErrorKind::AdditionalProperties { unexpected } = error.kind() {
        let known = right_names(error, schema);
        for key in unexpected.iter().take(MOST_FAILURES + 1) {
            let mut path = path.clone();
            path.push(key.clone());
            let hint = nearest(key, known.iter().map(String::as_str));
            let hint = hint.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
            failures.push(failure(merged, &path, format!("unknown value{hint}")));
        }
        return;
    }
    failures.push(failure(merged, &path, message(error)));
}

/// The names that would have been right: those that the schema lists at this place.
fn right_names(error: &ValidationError<'_>, schema: &Value) -> Vec<String> {
    let place = error.schema_path().as_str().rsplit_once('/').map_or("", |(parent, _)| parent);
    let properties = schema.pointer(&format!("{place}/properties")).and_then(Value::as_object);
    properties.into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

fn message(error: &ValidationError<'_>) -> String {
    let instance = error.instance();
    match error.kind() {
        ValidationErrorKind::Type { kind } => format!("must be {}, is {}", types(kind), shown(instance)),
        ValidationErrorKind::Enum { options } => {
            let allowed: Vec<String> = options.as_array().into_iter().flatten().map(shown).collect();
            let text = instance.as_str().unwrap_or_default();
            let texts = options.as_array().into_iter().flatten().filter_map(Value::as_str);
            let hint = nearest(text, texts).map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
            format!("is {}, must be one of {}{hint}", shown(instance), allowed.join(", "))
        }
        ValidationErrorKind::Constant { expected_value } => {
            format!("is {}, must be {}", shown(instance), shown(expected_value))
        }
        ValidationErrorKind::Pattern { pattern } => format!("{} does not match the pattern {pattern}", shown(instance)),
        ValidationErrorKind::Required { property } => format!("the value {} is missing", shown(property)),
        ValidationErrorKind::Minimum { limit } => format!("is {}, must be at least {limit}", shown(instance)),
        ValidationErrorKind::Maximum { limit } => format!("is {}, must be at most {limit}", shown(instance)),
        ValidationErrorKind::MinLength { limit } => format!("must have at least {limit} characters"),
        ValidationErrorKind::MaxLength { limit } => format!("must have at most {limit} characters"),
        ValidationErrorKind::MinItems { limit } => format!("must have at least {limit} items"),
        ValidationErrorKind::MaxItems { limit } => format!("must have at most {limit} items"),
        ValidationErrorKind::UniqueItems => "has an item twice".into(),
        _ => error.to_string(),
    }
}

fn types(kind: &jsonschema::error::TypeKind) -> String {
    let named = |kind: &str| match kind {
        "object" => "a map",
        "array" => "a list",
        "string" => "a text",
        "integer" => "an integer",
        "number" => "a number",
        "boolean" => "true or false",
        _ => "null",
    };
    match kind {
        jsonschema::error::TypeKind::Single(kind) => named(&kind.to_string()).into(),
        jsonschema::error::TypeKind::Multiple(kinds) => {
            kinds.iter().map(|kind| named(&kind.to_string())).collect::<Vec<_>>().join(" or ")
        }
    }
}

/// Long values would hide the message.
fn shown(value: &Value) -> String {
    const LONGEST: usize = 80;
    let text = value.to_string();
    if text.chars().count() <= LONGEST { text } else { text.chars().take(LONGEST).chain(['…']).collect() }
}

fn failure(merged: &Merged, path: &[String], message: String) -> SchemaFailure {
    let inside = || below(&merged.origins, path).next().filter(|_| !path.is_empty()).map(|(_, origin)| origin);
    let own = merged.origins.get(path).or_else(|| merged.maps.get(path));
    let origin = own.or_else(|| merged.origin(path)).or_else(inside).map(ToString::to_string);
    SchemaFailure { origin, field: path.join("."), message }
}

fn unescape(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}
