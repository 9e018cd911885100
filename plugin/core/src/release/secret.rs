//! How a record lies in the cluster: a Secret whose one data key holds base64 of gzip of JSON, which the Secret encodes
//! as base64 once more, with labels by which records are found without unpacking them.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::record::Release;
use crate::json_field;
use crate::object::Object;

/// The label selector that finds the records of all releases.
pub const SELECTOR: &str = "owner=helm";

const TYPE: &str = "helm.sh/release.v1";
const DATA_KEY: &str = "release";
/// The API server takes no more data in one Secret.
pub(super) const SIZE_LIMIT: usize = 1_048_576;
/// More than any honest record unpacks to: templates and manifest shrink to a tenth.
const UNPACKED_LIMIT: u64 = 32 * 1024 * 1024;
/// Labels that are Helm's own; all others belong to the person.
const SYSTEM_LABELS: &[&str] = &["name", "owner", "status", "version", "createdAt", "modifiedAt"];

/// A record as it lies in the cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRelease {
    /// The record.
    pub release: Release,
    /// The name of its Secret.
    pub secret: String,
    /// The resource version of its Secret; writing it again is refused if that is not the newest.
    pub resource_version: Option<String>,
    /// The uid of its Secret.
    pub uid: Option<String>,
}

/// Why a record cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecordError {
    /// The Secret says nothing in the place of the record.
    #[error("secret {secret} is labelled as a release record and has no data `{DATA_KEY}`")]
    Empty {
        /// The Secret, `namespace/name`.
        secret: String,
    },
    /// What is in the place of the record is none.
    #[error("release record in secret {secret} is damaged: {why}")]
    Damaged {
        /// The Secret, `namespace/name`.
        secret: String,
        /// At which step it could not be read.
        why: String,
    },
    /// The record does not fit. [`super::size`] finds that before anything is changed.
    #[error("release {release} is too large to be recorded: {size} bytes of {SIZE_LIMIT} allowed in a Secret")]
    TooLarge {
        /// The release.
        release: String,
        /// How large it is, packed.
        size: usize,
    },
}

/// Whether a Secret is written for the first time or once more.
#[derive(Debug, Clone, Copy)]
pub enum Writing<'a> {
    /// It must not exist yet: that it cannot be created twice is what keeps two changes apart.
    New,
    /// It must still be what was read.
    Again {
        /// The resource version that was read.
        resource_version: &'a str,
    },
}

/// Returns the name of the Secret of a revision.
#[must_use]
pub fn secret_name(release: &str, revision: u64) -> String {
    format!("sh.helm.release.v1.{release}.v{revision}")
}

/// Returns the label selector that finds all records of one release.
#[must_use]
pub fn selector(release: &str) -> String {
    format!("{SELECTOR},name={release}")
}

/// Returns the text that goes into the Secret's data, before the Secret's own base64.
pub fn pack(release: &Release) -> Result<String, RecordError> {
    let text = packed(release);
    if text.len() > SIZE_LIMIT {
        return Err(RecordError::TooLarge { release: release.name.clone(), size: text.len() });
    }
    Ok(text)
}

/// Packs a record, however large it is.
pub(super) fn packed(release: &Release) -> String {
    packed_bytes(&serde_json::to_vec(release).expect("a release is plain data, which JSON can always hold"))
}

/// Packs bytes as records are packed.
pub(super) fn packed_bytes(bytes: &[u8]) -> String {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    let packed = gzip.write_all(bytes).and_then(|()| gzip.finish()).expect("writing to memory cannot fail");
    STANDARD.encode(packed)
}

/// Returns the Secret that records a release.
pub fn to_secret(release: &Release, writing: Writing<'_>, now: Timestamp) -> Result<Object, RecordError> {
    let data = STANDARD.encode(pack(release)?);
    let mut labels: Map<String, Value> =
        release.labels.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
    let stamp = match writing {
        Writing::New => "createdAt",
        Writing::Again { .. } => "modifiedAt",
    };
    for (key, value) in [
        ("name", release.name.clone()),
        ("owner", "helm".to_owned()),
        ("status", release.info.status.to_string()),
        ("version", release.revision.to_string()),
        (stamp, now.as_second().to_string()),
    ] {
        labels.insert(key.to_owned(), Value::from(value));
    }
    let mut secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": secret_name(&release.name, release.revision),
            "namespace": release.namespace,
            "labels": labels,
        },
        "type": TYPE,
        "data": {DATA_KEY: data},
    });
    if let Writing::Again { resource_version } = writing {
        secret["metadata"]["resourceVersion"] = Value::from(resource_version);
    }
    Ok(Object::new(secret).expect("the Secret was just given its apiVersion, kind and name"))
}

/// Reads a record from a Secret, whoever wrote it.
pub fn from_secret(secret: &Value) -> Result<StoredRelease, RecordError> {
    let text = |pointer: &str| secret.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let name = text("/metadata/name").unwrap_or_default();
    let namespace = text("/metadata/namespace").unwrap_or_default();
    let place = format!("{namespace}/{name}");
    let data = secret
        .pointer(&format!("/data/{DATA_KEY}"))
        .and_then(Value::as_str)
        .filter(|data| !data.is_empty())
        .ok_or_else(|| RecordError::Empty { secret: place.clone() })?;
    let damaged = |why: String| RecordError::Damaged { secret: place.clone(), why };
    if let Some(other) = text("/type").filter(|found| found != TYPE) {
        return Err(damaged(format!("its type is {other}, and this version of kubectl-mizar reads {TYPE}")));
    }
    let mut release = unpack(data).map_err(damaged)?;
    if release.namespace.is_empty() {
        release.namespace.clone_from(&namespace);
    }
    if release.revision == 0 {
        release.revision = revision_of(secret).unwrap_or(0);
    }
    agrees_with_secret(&release, &name, &namespace).map_err(damaged)?;
    release.labels = person_labels(secret);
    Ok(StoredRelease {
        release,
        secret: name,
        resource_version: text("/metadata/resourceVersion"),
        uid: text("/metadata/uid"),
    })
}

/// Returns the revision that a Secret is for, by its label or its name, without unpacking it.
#[must_use]
pub fn revision_of(secret: &Value) -> Option<u64> {
    let label = secret.pointer("/metadata/labels/version").and_then(Value::as_str);
    let name = secret.pointer("/metadata/name").and_then(Value::as_str);
    label
        .and_then(|label| label.parse().ok())
        .or_else(|| name.and_then(|name| name.rsplit_once(".v")).and_then(|(_, revision)| revision.parse().ok()))
}

/// The record is written again where its content says, which must be where it was read.
fn agrees_with_secret(release: &Release, secret: &str, namespace: &str) -> Result<(), String> {
    if release.name.is_empty() {
        return Err("field name is empty".to_owned());
    }
    if release.namespace != namespace {
        return Err(format!("field namespace is {}, and the Secret is in {namespace}", release.namespace));
    }
    let wanted = secret_name(&release.name, release.revision);
    if secret != wanted {
        return Err(format!("its fields name and version are those of {wanted}"));
    }
    Ok(())
}

/// Takes off base64 of the Secret, base64 of Helm, gzip (which very old records lack) and JSON.
fn unpack(data: &str) -> Result<Release, String> {
    let outer = STANDARD.decode(data.trim()).map_err(|error| format!("the Secret's base64: {error}"))?;
    let inner = STANDARD.decode(outer.trim_ascii()).map_err(|error| format!("the record's base64: {error}"))?;
    let json = if inner.starts_with(&[0x1f, 0x8b]) {
        let mut json = Vec::new();
        GzDecoder::new(inner.as_slice())
            .take(UNPACKED_LIMIT + 1)
            .read_to_end(&mut json)
            .map_err(|error| format!("gzip: {error}"))?;
        if json.len() as u64 > UNPACKED_LIMIT {
            return Err(format!("gzip: it unpacks to more than {} MiB", UNPACKED_LIMIT >> 20));
        }
        json
    } else {
        inner
    };
    json_field::read(&json)
}

fn person_labels(secret: &Value) -> BTreeMap<String, String> {
    secret
        .pointer("/metadata/labels")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter(|(key, _)| !SYSTEM_LABELS.contains(&key.as_str()))
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::release::record::{FileRecord, Status};

    fn release() -> Release {
        serde_json::from_value(json!({"name": "mizar", "namespace": "mizar-system", "version": 3,
            "info": {"status": "deployed", "last_deployed": "2026-01-01T00:00:00Z"},
            "chart": {"metadata": {"name": "mizar", "version": "0.1.0"}}, "manifest": "---\na: b\n"}))
        .unwrap()
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    #[test]
    fn a_record_comes_back_from_its_secret() {
        let mut release = release();
        release.labels.insert("team".to_owned(), "network".to_owned());
        let secret = to_secret(&release, Writing::New, now()).unwrap();
        let stored = from_secret(secret.value()).unwrap();
        assert_eq!(stored.release, release);
        assert_eq!(stored.secret, "sh.helm.release.v1.mizar.v3");
    }

    #[test]
    fn a_secret_carries_the_type_and_labels_that_helm_looks_for() {
        let new = to_secret(&release(), Writing::New, now()).unwrap();
        assert_eq!(new.value()["type"], "helm.sh/release.v1");
        assert_eq!(
            new.value()["metadata"]["labels"],
            json!({"name": "mizar", "owner": "helm", "status": "deployed", "version": "3", "createdAt": "1800000000"})
        );
        let again = to_secret(&release(), Writing::Again { resource_version: "9" }, now()).unwrap();
        assert_eq!((again.label("createdAt"), again.label("modifiedAt")), (None, Some("1800000000")));
        assert_eq!(again.resource_version(), Some("9"));
    }

    #[test]
    fn a_record_that_does_not_fit_is_not_made_a_secret() {
        let mut release = release();
        release.chart.files.push(FileRecord::new("noise", crate::release::size::tests::noise(900_000)));
        let error = to_secret(&release, Writing::New, now()).unwrap_err().to_string();
        assert!(error.starts_with("release mizar is too large to be recorded: "), "{error}");
        assert!(error.contains(" bytes of 1048576 allowed"), "{error}");
    }

    fn damaged(data: &Value) -> String {
        let secret = json!({"metadata": {"name": "s", "namespace": "one"}, "data": data});
        from_secret(&secret).unwrap_err().to_string()
    }

    #[test]
    fn a_damaged_record_is_named_with_the_step_that_failed() {
        let packed = |bytes: &[u8]| json!({"release": STANDARD.encode(STANDARD.encode(bytes))});
        assert_eq!(damaged(&json!({})), "secret one/s is labelled as a release record and has no data `release`");
        assert!(
            damaged(&json!({"release": "%"}))
                .starts_with("release record in secret one/s is damaged: the Secret's base64")
        );
        assert!(damaged(&json!({"release": STANDARD.encode("{}")})).contains("the record's base64"));
        assert!(damaged(&packed(&[0x1f, 0x8b, 0, 0])).contains("gzip"));
        assert!(damaged(&packed(b"{\"name\":")).contains("JSON"));
    }

    /// What hands do to the content of a record, and to its Secret.
    type Change = fn(&mut Value, &mut Value);

    /// Records as other programs, versions and hands have left them: what is told, or nothing where they are read.
    #[test]
    fn what_a_record_may_hold_and_what_not() {
        let read = |change: &dyn Fn(&mut Value, &mut Value)| {
            let mut secret = to_secret(&release(), Writing::New, now()).unwrap().value().clone();
            let mut content = serde_json::to_value(release()).unwrap();
            change(&mut content, &mut secret);
            secret["data"]["release"] = json!(STANDARD.encode(STANDARD.encode(content.to_string())));
            let place = "release record in secret mizar-system/sh.helm.release.v1.mizar.v3 is damaged: ";
            from_secret(&secret).map_err(|error| error.to_string().replace(place, ""))
        };
        let refused: [(Change, &str); 12] = [
            (
                |content, _| content["version"] = json!(3.5),
                "field version: invalid type: floating point `3.5`, expected u64",
            ),
            (|content, _| content["version"] = json!(-3), "field version: invalid value: integer `-3`, expected u64"),
            (|content, _| content["version"] = json!("3"), "field version: invalid type: string \"3\", expected u64"),
            (
                |content, _| content["version"] = json!(4),
                "its fields name and version are those of sh.helm.release.v1.mizar.v4",
            ),
            (|content, _| content["name"] = json!(""), "field name is empty"),
            (
                |content, _| content["name"] = json!("other"),
                "its fields name and version are those of sh.helm.release.v1.other.v3",
            ),
            (
                |content, _| content["namespace"] = json!("other"),
                "field namespace is other, and the Secret is in mizar-system",
            ),
            (|content, _| content["info"] = json!([]), "field info: invalid type: sequence, expected struct Info"),
            (
                |content, _| content["info"]["last_deployed"] = json!("2026-11-20 20:57:33"),
                "field info.last_deployed: `2026-11-20 20:57:33` is not a time such as 2026-01-31T12:00:00Z",
            ),
            (
                |content, _| content["config"] = json!("vni"),
                "field config: invalid type: string \"vni\", expected a map",
            ),
            (
                |content, _| content["chart"]["templates"] = json!([{"name": "a", "data": "%"}]),
                "field chart.templates[0].data: Invalid symbol 37, offset 0.",
            ),
            (
                |_, secret| secret["type"] = json!("helm.sh/release.v2"),
                "its type is helm.sh/release.v2, and this version of kubectl-mizar reads helm.sh/release.v1",
            ),
        ];
        for (change, told) in refused {
            assert_eq!(read(&change).unwrap_err(), told);
        }
        let taken: [Change; 6] = [
            |content, _| content["info"]["status"] = json!("paused"),
            |content, _| content["config"] = Value::Null,
            |content, _| content["hooks"] = json!([{"name": "h", "events": null, "weight": -5}]),
            |content, _| content["version"] = Value::Null,
            |content, _| content["namespace"] = json!(""),
            |content, secret| {
                content["future"] = json!({"deep": [1.5]});
                secret["metadata"]["labels"] = json!({});
            },
        ];
        for change in taken {
            let stored = read(&change).unwrap();
            assert_eq!((stored.release.revision, stored.release.namespace.as_str()), (3, "mizar-system"));
        }
    }

    #[test]
    fn a_record_that_unpacks_to_too_much_is_damaged() {
        let packed = |bytes: &[u8]| {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
            gzip.write_all(bytes).unwrap();
            json!({"release": STANDARD.encode(STANDARD.encode(gzip.finish().unwrap()))})
        };
        assert_eq!(
            damaged(&packed(&vec![b' '; 40 << 20])),
            "release record in secret one/s is damaged: gzip: it unpacks to more than 32 MiB"
        );
        let many = format!("{{\"name\":\"m\",\"config\":{{\"a\":[{}]}}}}", "[],".repeat(1_000_000));
        assert!(damaged(&packed(many.as_bytes())).ends_with("JSON: its values would take more than 64 MiB"));
    }

    #[test]
    fn a_record_without_gzip_is_read() {
        let data = STANDARD.encode(STANDARD.encode(serde_json::to_vec(&release()).unwrap()));
        let secret = json!({"metadata": {"name": "sh.helm.release.v1.mizar.v3", "namespace": "mizar-system"},
            "data": {"release": data}});
        assert_eq!(from_secret(&secret).unwrap().release.name, "mizar");
    }

    #[test]
    fn gaps_in_the_json_are_filled_from_the_secret() {
        let data = STANDARD.encode(STANDARD.encode(br#"{"name":"m","info":{"status":"deployed"}}"#));
        let secret =
            json!({"metadata": {"name": "sh.helm.release.v1.m.v7", "namespace": "one"}, "data": {"release": data}});
        let stored = from_secret(&secret).unwrap();
        assert_eq!((stored.release.namespace.as_str(), stored.release.revision), ("one", 7));
    }

    proptest! {
        #[test]
        fn any_text_and_any_bytes_survive(
            manifest in ".{0,200}", notes in ".{0,50}", revision in 1..u64::from(u32::MAX),
            file in proptest::collection::vec(any::<u8>(), 0..200),
            config in proptest::collection::btree_map("[a-z]{1,4}", any::<i64>(), 0..4),
            labels in proptest::collection::btree_map("x[a-z]{1,4}", "[a-z]{0,4}", 0..3),
            second in 0..4_000_000_000_i64,
        ) {
            let mut wanted = release();
            wanted.manifest = manifest;
            wanted.info.notes = notes;
            wanted.info.status = Status::PendingUpgrade;
            wanted.info.first_deployed = Some(Timestamp::from_second(second).unwrap());
            wanted.revision = revision;
            wanted.chart.files = vec![FileRecord::new("f", file)];
            wanted.config = config.into_iter().map(|(key, value)| (key, Value::from(value))).collect();
            wanted.labels = labels;
            let secret = to_secret(&wanted, Writing::New, now()).unwrap();
            prop_assert_eq!(from_secret(secret.value()).unwrap().release, wanted);
        }

        #[test]
        fn no_content_of_a_secret_makes_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            for data in [STANDARD.encode(&bytes), STANDARD.encode(STANDARD.encode(&bytes))] {
                let secret = json!({"metadata": {"name": "s"}, "data": {"release": data}});
                prop_assert!(from_secret(&secret).is_err());
            }
        }
    }
}
