//! The content of a release record. Everything but the name may be missing in what is read, since records are written
//! by several versions of Helm and by hand; fields that are not known here are carried along.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::chart::tree::coalesce;

/// What a release was recorded as, at one revision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// The name of the release.
    pub name: String,
    /// State and times. Helm panics over a record without it, so it is always written.
    #[serde(default)]
    pub info: Info,
    /// The chart it was rendered from.
    #[serde(default)]
    pub chart: ChartRecord,
    /// Values that differ from the chart's own.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Map::is_empty")]
    pub config: Map<String, Value>,
    /// What was applied, as YAML documents.
    #[serde(default, deserialize_with = "null_is_default")]
    pub manifest: String,
    /// What runs around the release instead of belonging to it.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<HookRecord>,
    /// The revision, counted from 1.
    #[serde(rename = "version", default, deserialize_with = "null_is_default")]
    pub revision: u64,
    /// The namespace of the release.
    #[serde(default, deserialize_with = "null_is_default")]
    pub namespace: String,
    /// How its objects were written. Helm takes everything but `ssa` for client-side apply.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub apply_method: String,
    /// Labels that people gave the release. They are labels of the Secret and not part of the JSON.
    #[serde(skip)]
    pub labels: BTreeMap<String, String>,
    /// Fields of other versions.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Release {
    /// Returns all values that it was rendered with: its own over those of the chart.
    #[must_use]
    pub fn all_values(&self) -> Value {
        Value::Object(coalesce(self.config.clone(), &self.chart.values))
    }
}

/// How objects are written by this product and by Helm 4: server-side apply.
pub const SERVER_SIDE_APPLY: &str = "ssa";
/// How Helm 3 writes objects.
pub const CLIENT_SIDE_APPLY: &str = "csa";

/// State and times of a record.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Info {
    /// When the first revision was installed.
    #[serde(default, with = "helm_time", skip_serializing_if = "Option::is_none")]
    pub first_deployed: Option<Timestamp>,
    /// When this revision was.
    #[serde(default, with = "helm_time", skip_serializing_if = "Option::is_none")]
    pub last_deployed: Option<Timestamp>,
    /// When it was uninstalled.
    #[serde(default, with = "helm_time", skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Timestamp>,
    /// A sentence about the state.
    #[serde(default, deserialize_with = "null_is_default")]
    pub description: String,
    /// The state.
    #[serde(default)]
    pub status: Status,
    /// What the chart says to the person after installing.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub notes: String,
    /// Fields of other versions.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Helm's states of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It is what the cluster has.
    Deployed,
    /// It was uninstalled and its record kept.
    Uninstalled,
    /// A later revision is what the cluster has.
    Superseded,
    /// It was tried and failed.
    Failed,
    /// It is being uninstalled.
    Uninstalling,
    /// It is being installed.
    PendingInstall,
    /// It is being upgraded to.
    PendingUpgrade,
    /// It is being rolled back to.
    PendingRollback,
    /// It says nothing we know.
    #[default]
    #[serde(other)]
    Unknown,
}

impl Status {
    /// Whether a change is running, or was when its command died.
    #[must_use]
    pub fn is_pending(self) -> bool {
        matches!(self, Self::PendingInstall | Self::PendingUpgrade | Self::PendingRollback)
    }

    /// Returns Helm's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Deployed => "deployed",
            Self::Uninstalled => "uninstalled",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
            Self::Uninstalling => "uninstalling",
            Self::PendingInstall => "pending-install",
            Self::PendingUpgrade => "pending-upgrade",
            Self::PendingRollback => "pending-rollback",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// The chart a release was rendered from, without its subcharts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ChartRecord {
    /// Chart.yaml.
    #[serde(default)]
    pub metadata: Value,
    /// Chart.lock.
    #[serde(default)]
    pub lock: Value,
    /// The templates, NOTES.txt among them.
    #[serde(default, deserialize_with = "null_is_default")]
    pub templates: Vec<FileRecord>,
    /// values.yaml.
    #[serde(default)]
    pub values: Value,
    /// values.schema.json.
    #[serde(default, with = "optional_bytes")]
    pub schema: Option<Vec<u8>>,
    /// All other files except Chart.yaml, Chart.lock and values.yaml.
    #[serde(default, deserialize_with = "null_is_default")]
    pub files: Vec<FileRecord>,
    /// Fields of other versions.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl ChartRecord {
    /// Returns `name-version`, as Helm lists it.
    #[must_use]
    pub fn label(&self) -> String {
        let text = |key: &str| self.metadata.get(key).and_then(Value::as_str).unwrap_or("?");
        format!("{}-{}", text("name"), text("version"))
    }
}

/// A file of a chart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileRecord {
    /// The path in the chart.
    pub name: String,
    /// The content.
    #[serde(with = "bytes")]
    pub data: Vec<u8>,
    /// Fields of other versions.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl FileRecord {
    /// Makes a file of its path and content.
    #[must_use]
    pub fn new(name: impl Into<String>, data: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), data: data.into(), other: Map::new() }
    }
}

/// An object that is created around a release.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HookRecord {
    /// The name of the object.
    #[serde(default)]
    pub name: String,
    /// Its kind.
    #[serde(default)]
    pub kind: String,
    /// The template, `mizar/templates/network/vpc.yaml`.
    #[serde(default)]
    pub path: String,
    /// The object as YAML.
    #[serde(default)]
    pub manifest: String,
    /// When it runs, `pre-install`.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// Its last run. Helm 3 wants the field even if there was none.
    #[serde(default)]
    pub last_run: HookRun,
    /// Its place in the order.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub weight: i64,
    /// When it is deleted, `hook-failed`.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub delete_policies: Vec<String>,
    /// When its output is shown.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub output_log_policies: Vec<String>,
    /// Fields of other versions.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The last run of a hook.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HookRun {
    /// When it began.
    #[serde(default, with = "helm_time", skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, with = "helm_time", skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// `Succeeded`, `Failed`, `Running`; empty if it never ran.
    #[serde(default)]
    pub phase: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(weight: &i64) -> bool {
    *weight == 0
}

/// Go writes an empty list or map as `null`.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Times: RFC 3339 with any offset. No time is absent in Helm 4, `""` in Helm 3, and the year 1 in some.
mod helm_time {
    use super::{Deserialize, Deserializer, Serializer, Timestamp};

    const NEVER: &str = "0001-01-01T00:00:00Z";

    #[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
    pub(super) fn serialize<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.collect_str(time),
            None => serializer.serialize_str(""),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        match Option::<String>::deserialize(deserializer)?.as_deref() {
            None | Some("" | NEVER) => Ok(None),
            Some(text) => text
                .parse()
                .map(Some)
                .map_err(|_| serde::de::Error::custom(format!("`{text}` is not a time such as 2026-01-31T12:00:00Z"))),
        }
    }
}

/// Go writes bytes as base64.
mod bytes {
    use super::{Deserialize, Deserializer, Engine, STANDARD, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        match Option::<String>::deserialize(deserializer)? {
            None => Ok(Vec::new()),
            Some(text) => STANDARD.decode(text).map_err(serde::de::Error::custom),
        }
    }
}

mod optional_bytes {
    use super::{Deserialize, Deserializer, Engine, STANDARD, Serializer};

    #[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
    pub(super) fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => serializer.serialize_str(&STANDARD.encode(bytes)),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
        match Option::<String>::deserialize(deserializer)? {
            None => Ok(None),
            Some(text) => STANDARD.decode(text).map(Some).map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> Release {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_least_record_can_be_read() {
        let release = read(json!({"name": "m", "version": 1, "namespace": "ns", "info": {"status": "deployed"},
                                  "chart": {"metadata": {"name": "mizar"}}}));
        assert_eq!((release.name.as_str(), release.revision), ("m", 1));
        assert_eq!(release.info.status, Status::Deployed);
        assert_eq!(release.chart.label(), "mizar-?");
    }

    #[test]
    fn every_way_of_writing_no_time_is_read() {
        for never in [json!(""), json!(null), json!("0001-01-01T00:00:00Z")] {
            let release = read(json!({"name": "m", "info": {"deleted": never, "status": "failed"}}));
            assert_eq!(release.info.deleted, None);
        }
        let local = read(json!({"name": "m", "info": {"last_deployed": "2026-11-20T21:00:00.123456789+01:00"}}));
        assert_eq!(local.info.last_deployed, Some("2026-11-20T20:00:00.123456789Z".parse().unwrap()));
        let broken = json!({"name": "m", "info": {"last_deployed": "2026-11-20 20:57:33"}});
        let error = serde_json::from_value::<Release>(broken).unwrap_err().to_string();
        assert!(error.contains("`2026-11-20 20:57:33` is not a time"), "{error}");
    }

    #[test]
    fn go_nulls_and_unknown_states_are_read() {
        let release = read(json!({"name": "m", "config": null, "hooks": null, "info": {"status": "paused"},
            "chart": {"metadata": null, "lock": null, "templates": null, "files": null, "schema": null, "values": null}}));
        assert_eq!(release.info.status, Status::Unknown);
        assert!(release.chart.templates.is_empty());
    }

    #[test]
    fn fields_of_other_versions_are_carried_along() {
        let value = json!({"name": "m", "info": {"status": "deployed", "description": "", "resources": 1},
            "chart": {"metadata": {}, "lock": null, "templates": [
                {"name": "t", "data": "YQ==", "modtime": "2026-01-01T00:00:00Z"}], "values": {}, "schema": "e30=",
                "files": [], "schemamodtime": "0001-01-01T00:00:00Z"},
            "manifest": "", "version": 1, "namespace": "ns", "apply_method": "ssa", "future": true});
        let release = read(value.clone());
        assert_eq!(release.chart.templates[0].data, b"a");
        assert_eq!(release.chart.schema.as_deref(), Some(&b"{}"[..]));
        assert_eq!(serde_json::to_value(&release).unwrap(), value);
    }

    #[test]
    fn keys_that_helm_always_writes_are_there_even_if_empty() {
        let release = read(json!({"name": "m"}));
        let value = serde_json::to_value(&release).unwrap();
        for pointer in
            ["/info/status", "/chart/metadata", "/chart/lock", "/chart/templates", "/chart/schema", "/manifest"]
        {
            assert!(value.pointer(pointer).is_some(), "{pointer}");
        }
        assert!(value.get("config").is_none() && value.get("hooks").is_none() && value.get("apply_method").is_none());
    }

    #[test]
    fn states_are_written_in_helms_words() {
        for status in [Status::PendingInstall, Status::PendingRollback, Status::Superseded, Status::Unknown] {
            assert_eq!(serde_json::to_value(status).unwrap(), status.to_string());
        }
    }
}
