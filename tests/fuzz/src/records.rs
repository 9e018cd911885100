//! What lies in Secrets: Helm's records of releases, and our own of an operation.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use mizar_core::operation::SECRET_NAME;
use mizar_core::operation::storage as operation;
use mizar_core::release::secret::{self as release, Writing};
use mizar_core::yaml::{DuplicateKeys, read_all};
use serde_json::{Value, json};

/// The first byte says how much of the wrapping is left to the bytes: all of it, base64, gzip, or nothing but the JSON.
pub fn helm_record(data: &[u8]) {
    let [wrapping, content @ ..] = data else { return };
    let text = match wrapping % 4 {
        0 => match std::str::from_utf8(content) {
            Ok(text) => text.to_owned(),
            Err(_) => return,
        },
        1 => STANDARD.encode(content),
        2 => STANDARD.encode(STANDARD.encode(content)),
        _ => STANDARD.encode(STANDARD.encode(packed(content))),
    };
    let secret = json!({"type": "helm.sh/release.v1", "metadata": {"name": "sh.helm.release.v1.mizar.v3", "namespace": "mizar-system"}, "data": {"release": text}});
    let stored = match release::from_secret(&secret) {
        Ok(stored) => stored,
        Err(error) => return crate::check(&error),
    };
    if let Err(error) = read_all(&stored.release.manifest, DuplicateKeys::TakeLast) {
        crate::check(&error);
    }
    let now = "2026-01-01T00:00:00Z".parse().expect("it is a time");
    match release::to_secret(&stored.release, Writing::New, now) {
        Ok(secret) => {
            let again = release::from_secret(secret.value()).expect("we wrote it");
            assert_eq!(
                (again.release.manifest, again.release.config),
                (stored.release.manifest, stored.release.config)
            );
        }
        Err(error) => crate::check(&error),
    }
}

fn packed(content: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(content).and_then(|()| gzip.finish()).expect("writing to memory cannot fail")
}

/// The JSON of the record.
pub fn operation_record(data: &[u8]) {
    let secret = json!({
        "metadata": {"name": SECRET_NAME, "namespace": "mizar-system", "resourceVersion": "1", "uid": "u"},
        "data": {"operation": STANDARD.encode(data)},
    });
    match operation::from_secret(&secret) {
        Ok(stored) => {
            let again: Value = operation::to_secret(&stored.operation, Some("1")).value().clone();
            let namespaced = again["metadata"]["namespace"].is_string();
            assert!(namespaced);
            assert_eq!(operation::from_secret(&again).expect("we wrote it").operation, stored.operation);
        }
        Err(error) => crate::check(&error),
    }
}
