//! Between a [`Release`] and its Secret: JSON, gzip, base64, labels.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Release, Status};

/// What the API server takes as data of a Secret, in bytes.
pub const SECRET_LIMIT: usize = 1_048_576;

/// A record unpacks to no more than this; a hostile one could fill the memory.
const UNPACKED_LIMIT: u64 = 64 * 1024 * 1024;

/// The labels that Helm sets; all others are the user's.
const SYSTEM_LABELS: [&str; 6] = ["name", "owner", "status", "version", "createdAt", "modifiedAt"];

/// Why a record cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It does not fit into a Secret.
    #[error(
        "the record of release {name} has {size} bytes, more than the {SECRET_LIMIT} that a Secret holds; make the chart's files or values smaller"
    )]
    TooLarge {
        /// The release.
        name: String,
        /// Its size in bytes.
        size: usize,
    },
    /// It cannot be read.
    #[error("release record {secret} is damaged: {reason}")]
    Damaged {
        /// The Secret's name.
        secret: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Makes the Secret. `now` becomes the label `createdAt`, or `modifiedAt` if `previous` is the stored Secret.
pub fn to_secret(release: &Release, previous: Option<&Value>, now: Timestamp) -> Result<Value, RecordError> {
    let packed = pack(&to_json(release));
    if packed.len() > SECRET_LIMIT {
        return Err(RecordError::TooLarge { name: release.name.clone(), size: packed.len() });
    }
    let mut labels: BTreeMap<String, String> = release.labels.clone();
    let time_label = if previous.is_some() { "modifiedAt" } else { "createdAt" };
    for (key, value) in [
        ("owner", "helm".to_owned()),
        ("name", release.name.clone()),
        ("status", release.status.as_str().to_owned()),
        ("version", release.revision.to_string()),
        (time_label, now.as_second().to_string()),
    ] {
        labels.insert(key.to_owned(), value);
    }
    let mut metadata = json!({"name": release.secret_name(), "namespace": release.namespace, "labels": labels});
    for field in ["uid", "resourceVersion"] {
        if let Some(value) = previous.and_then(|secret| secret["metadata"].get(field)) {
            metadata[field] = value.clone();
        }
    }
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": "helm.sh/release.v1",
        "data": {"release": STANDARD.encode(packed)},
    }))
}

/// Reads a Secret.
pub fn from_secret(secret: &Value) -> Result<Release, RecordError> {
    let name = secret["metadata"]["name"].as_str().unwrap_or_default();
    let damaged = |reason: String| RecordError::Damaged { secret: name.to_owned(), reason };
    let data = secret["data"]["release"].as_str().ok_or_else(|| damaged("it has no key \"release\"".into()))?;
    let json = unpack(data).map_err(damaged)?;
    let labels = secret["metadata"]["labels"].as_object().cloned().unwrap_or_default();
    from_json(&json, &labels).map_err(damaged)
}

fn pack(json: &Value) -> String {
    let mut zipped = GzEncoder::new(Vec::new(), Compression::best());
    let written = zipped.write_all(json.to_string().as_bytes());
    let bytes = written.and_then(|()| zipped.finish()).expect("writing to memory does not fail");
    STANDARD.encode(bytes)
}

fn unpack(data: &str) -> Result<Value, String> {
    let outer = STANDARD.decode(data.trim()).map_err(|error| format!("its data is not base64: {error}"))?;
    let inner = STANDARD.decode(&outer).map_err(|error| format!("its release is not base64: {error}"))?;
    let mut bytes = Vec::new();
    // As Helm: what does not start like gzip is plain JSON.
    if inner.starts_with(&[0x1f, 0x8b]) {
        let mut reader = GzDecoder::new(inner.as_slice()).take(UNPACKED_LIMIT);
        reader.read_to_end(&mut bytes).map_err(|error| format!("it cannot be unpacked: {error}"))?;
        if bytes.len() as u64 == UNPACKED_LIMIT {
            return Err("it unpacks to more than 64 MiB".to_owned());
        }
    } else {
        bytes = inner;
    }
    serde_json::from_slice(&bytes).map_err(|error| format!("it is not JSON: {error}"))
}

fn to_json(release: &Release) -> Value {
    let time = |time: Option<Timestamp>| time.map_or_else(String::new, |time| time.to_string());
    let mut info = json!({
        "first_deployed": time(release.first_deployed),
        "last_deployed": time(release.last_deployed),
        "deleted": "",
        "description": release.description,
        "status": release.status.as_str(),
    });
    if !release.notes.is_empty() {
        info["notes"] = json!(release.notes);
    }
    let mut record = json!({
        "name": release.name,
        "info": info,
        "chart": release.chart,
        "manifest": release.manifest,
        "version": release.revision,
        "namespace": release.namespace,
    });
    if release.config.as_object().is_some_and(|config| !config.is_empty()) {
        record["config"] = release.config.clone();
    }
    if !release.hooks.is_empty() {
        record["hooks"] = json!(release.hooks);
    }
    if let Some(method) = &release.apply_method {
        record["apply_method"] = json!(method);
    }
    record
}

fn from_json(json: &Value, labels: &Map<String, Value>) -> Result<Release, String> {
    let text = |pointer: &str| json.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let label = |key: &str| labels.get(key).and_then(Value::as_str).unwrap_or_default();
    let name = text("/name");
    if name.is_empty() {
        return Err("it names no release".to_owned());
    }
    let revision = json["version"].as_u64().or_else(|| label("version").parse().ok()).unwrap_or_default();
    let revision = u32::try_from(revision).ok().filter(|revision| *revision > 0).ok_or("it has no revision")?;
    let own = labels.iter().filter(|(key, _)| !SYSTEM_LABELS.contains(&key.as_str()));
    Ok(Release {
        name,
        namespace: text("/namespace"),
        revision,
        status: Status::parse(&text("/info/status")),
        description: text("/info/description"),
        first_deployed: time(&text("/info/first_deployed")),
        last_deployed: time(&text("/info/last_deployed")),
        notes: text("/info/notes"),
        config: json.get("config").cloned().filter(Value::is_object).unwrap_or_else(|| json!({})),
        manifest: text("/manifest"),
        apply_method: json["apply_method"].as_str().map(ToOwned::to_owned),
        labels: own.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect(),
        chart: json.get("chart").cloned().unwrap_or(Value::Null),
        hooks: json["hooks"].as_array().cloned().unwrap_or_default(),
    })
}

/// Helm writes a missing time as "", leaves it out, or writes Go's zero.
fn time(text: &str) -> Option<Timestamp> {
    if text.starts_with("0001-01-01") { None } else { text.parse().ok() }
}
