//! A plan in a file: agreed to by one person now, carried out by another later, and only if it still means the same.
//!
//! - this file: what such a file holds, and how it is read;
//! - [`binding`]: what a plan was made from;
//! - [`compare`]: whether that is still so.
//!
//! What is carried out is never taken from the file. It holds what was asked for ([`Inputs`]); from this the plan is made anew
//! on the cluster as it is then, and the [`Binding`] tells whether it is the same one. So a file that somebody has changed
//! by hand does nothing but fail.

pub mod binding;
pub mod compare;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::answer::one_line;
use crate::chart::set::SetFlag;
use crate::json;

pub use binding::{Binding, BoundObject, LiveState, chart_digest};
pub use compare::{Comparison, Mismatch, Moved, compare};

/// The format that this program writes and reads.
pub const API_VERSION: &str = "mizar.dev/v1";
/// What such a file calls itself.
pub const KIND: &str = "SavedPlan";
/// The newest version of the format. It goes up with every field that is added: whoever does not know a field must not carry
/// out the plan without it.
pub const FORMAT: u32 = 1;

/// A plan in a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedPlan {
    /// The version of the program that made it.
    pub program: String,
    /// The command that it is a plan of, `install`.
    pub command: String,
    /// When it was made, by the server's clock.
    pub saved_at: Timestamp,
    /// What was asked for.
    pub inputs: Inputs,
    /// What it was made from.
    pub binding: Binding,
    /// How it was shown, for whoever reads the file.
    pub shown: String,
}

/// What was asked for: enough to make the same plan again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Inputs {
    /// The values, as they were given. They may hold secrets.
    pub values: GivenValues,
    /// Whether the charts are those of a folder, which is named again when the plan is carried out.
    #[serde(default)]
    pub own_chart: bool,
    /// What else the command was told, by the names of its flags; each command reads its own.
    #[serde(default)]
    pub options: Map<String, Value>,
}

/// Values as they were given on the command line, the files with their contents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GivenValues {
    /// `--profile`, or the one that was asked for or recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// `-f`, in order.
    #[serde(default)]
    pub files: Vec<GivenFile>,
    /// `--set` and the like, in the order in which they count.
    #[serde(default)]
    pub sets: Vec<GivenSet>,
    /// The contents of the files that `--set-file` names, by path.
    #[serde(default)]
    pub contents: BTreeMap<String, String>,
}

/// A values file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenFile {
    /// What messages call it.
    pub name: String,
    /// What it holds.
    pub text: String,
}

/// A flag that sets values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenSet {
    /// Which.
    #[serde(with = "flag_name")]
    pub flag: SetFlag,
    /// Its text.
    pub text: String,
}

/// The flags that set values are written as they are typed.
mod flag_name {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::chart::set::SetFlag;

    const ALL: [SetFlag; 4] = [SetFlag::Json, SetFlag::Typed, SetFlag::Text, SetFlag::File];

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    pub(super) fn serialize<S: Serializer>(flag: &SetFlag, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(flag.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SetFlag, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = ALL.into_iter().find(|flag| flag.name() == name);
        known.ok_or_else(|| D::Error::custom(format!("there is no flag {name:?} that sets values")))
    }
}

/// Why a file is no plan that this program can carry out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SavedPlanError {
    /// It is not even JSON, or more of it than a plan ever is.
    #[error("it is not JSON: {0}")]
    Syntax(String),
    /// A field that tells what the file is says something else, or is missing.
    #[error("field {field} is {found}, wanted {wanted:?}")]
    Foreign {
        /// The field.
        field: &'static str,
        /// What it holds, or `missing`.
        found: String,
        /// What it must hold.
        wanted: &'static str,
    },
    /// It is of a format that this program does not know.
    #[error("it is of format {found}, and this version of kubectl-mizar reads up to {API_VERSION} {FORMAT}")]
    Newer {
        /// The format.
        found: String,
    },
    /// A field holds what it cannot hold.
    #[error("field {field}: {why}")]
    Field {
        /// The path of the field, `plan.binding.cluster`.
        field: String,
        /// What is wrong with it.
        why: String,
    },
    /// It is a plan of another command.
    #[error("it is a plan of `kubectl mizar {found}`, not of `kubectl mizar {wanted}`")]
    OtherCommand {
        /// The command that it is of.
        found: String,
        /// The command that was typed.
        wanted: String,
    },
}

impl SavedPlan {
    /// Returns the content of the file.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({"apiVersion": API_VERSION, "kind": KIND, "format": FORMAT, "plan": self})
    }

    /// Reads the content of a file with a plan of `command`.
    pub fn from_json(text: &str, command: &str) -> Result<Self, SavedPlanError> {
        let syntax = |error: &dyn std::fmt::Display| SavedPlanError::Syntax(error.to_string());
        json::check_weight(text.as_bytes()).map_err(|error| syntax(&error))?;
        let mut file: Value = serde_json::from_str(text).map_err(|error| syntax(&error))?;
        let foreign = |field, wanted| SavedPlanError::Foreign {
            field,
            found: file.get(field).map_or_else(|| "missing".to_owned(), beginning),
            wanted,
        };
        if file.get("kind").and_then(Value::as_str) != Some(KIND) {
            return Err(foreign("kind", KIND));
        }
        match file.get("apiVersion").and_then(Value::as_str) {
            Some(API_VERSION) => {}
            Some(other) if other.starts_with("mizar.dev/") => {
                return Err(SavedPlanError::Newer { found: other.to_owned() });
            }
            _ => return Err(foreign("apiVersion", API_VERSION)),
        }
        match file.get("format").and_then(Value::as_u64) {
            Some(format) if format == u64::from(FORMAT) => {}
            Some(format) if format > u64::from(FORMAT) => {
                return Err(SavedPlanError::Newer { found: format!("{API_VERSION} {format}") });
            }
            _ => return Err(foreign("format", "1")),
        }
        // Of a plan of another command nothing else needs to be understood.
        let of = file.pointer("/plan/command").and_then(Value::as_str).unwrap_or_default();
        if !of.is_empty() && of != command {
            return Err(SavedPlanError::OtherCommand {
                found: beginning(&json!(of)).replace('"', ""),
                wanted: command.to_owned(),
            });
        }
        let plan = file.get_mut("plan").map(Value::take).unwrap_or_default();
        serde_path_to_error::deserialize(plan).map_err(|error| {
            // The names of fields, too, are whatever somebody wrote there.
            let (path, why) = (one_line(&error.path().to_string()), one_line(&error.inner().to_string()));
            let field = if path == "." { "plan".to_owned() } else { format!("plan.{path}") };
            // What a field holds may be secret; serde names it in quotes after the kind of value that it is.
            SavedPlanError::Field { field, why: without_content(&why) }
        })
    }
}

/// A value where it is only named.
fn beginning(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

/// What serde says about a wrong value, without the value.
fn without_content(why: &str) -> String {
    match (why.find('"'), why.rfind('"')) {
        (Some(first), Some(last)) if why.starts_with("invalid ") && first < last => {
            format!("{}…{}", why[..first].trim_end(), &why[last + 1..])
        }
        _ => why.to_owned(),
    }
}

#[cfg(test)]
mod tests;
