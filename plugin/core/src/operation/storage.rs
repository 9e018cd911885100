//! How the record of an operation lies in the cluster: as JSON in one key of one Secret, since it holds values that may
//! be secret. A record of a newer program is not touched.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};
use thiserror::Error;

use super::{FORMAT, Operation, Outcome};
use crate::json_field;
use crate::object::Object;

/// The name of the Secret, in the namespace of the releases.
pub const SECRET_NAME: &str = "mizar-operation";
/// The label by which it is found when the namespace is not known.
pub const LABEL: (&str, &str) = ("mizar.dev/record", "operation");

const DATA_KEY: &str = "operation";
const TYPE: &str = "mizar.dev/operation.v1";

/// An operation as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredOperation {
    /// The operation.
    pub operation: Operation,
    /// What the Secret must still be when it is written.
    pub resource_version: String,
    /// The uid of the Secret.
    pub uid: String,
}

impl StoredOperation {
    /// Returns the record as an install goes on from it: what an ended repair found, or nothing that is unfinished.
    #[must_use]
    pub fn for_install(mut self, now: Timestamp) -> Self {
        if self.operation.is_repair() {
            match self.operation.clone().put_back(now) {
                Some(previous) => self.operation = previous,
                None => self.operation.finish(Outcome::Done, "", now),
            }
        }
        self
    }
}

/// Why the record of an operation cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OperationError {
    /// It was written by a newer program.
    #[error(
        "secret {secret} records an operation in format {found}, and this version of kubectl-mizar knows formats up \
         to {FORMAT}; use the version that began it{by}"
    )]
    Newer {
        /// The Secret, `namespace/name`.
        secret: String,
        /// Its format.
        found: u64,
        /// The program that wrote it, as far as it says.
        by: String,
    },
    /// It cannot be made out.
    #[error("the record of the last operation in secret {secret} is damaged: {why}")]
    Damaged {
        /// The Secret, `namespace/name`.
        secret: String,
        /// Why.
        why: String,
    },
}

impl OperationError {
    /// Returns what to type: to see the record, and to go on without it where that is safe.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        let (Self::Newer { secret, .. } | Self::Damaged { secret, .. }) = self;
        let (namespace, name) = secret.split_once('/').unwrap_or_default();
        let look = format!("look at it: kubectl -n {namespace} get secret {name} -o yaml");
        match self {
            Self::Newer { .. } => vec![look],
            Self::Damaged { .. } => vec![
                look,
                format!(
                    "if nobody is at work on Mizar, delete it, and run this command again: \
                     kubectl -n {namespace} delete secret {name}"
                ),
            ],
        }
    }
}

/// Returns the Secret that records an operation; with the resource version that was read, if it exists already.
#[must_use]
pub fn to_secret(operation: &Operation, resource_version: Option<&str>) -> Object {
    let json = serde_json::to_vec(operation).expect("an operation is plain data, which JSON can always hold");
    let mut secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": SECRET_NAME,
            "namespace": operation.namespace,
            "labels": {"app.kubernetes.io/managed-by": "kubectl-mizar", LABEL.0: LABEL.1},
        },
        "type": TYPE,
        "data": {DATA_KEY: STANDARD.encode(json)},
    });
    if let Some(resource_version) = resource_version {
        secret["metadata"]["resourceVersion"] = Value::from(resource_version);
    }
    Object::new(secret).expect("the Secret was just given its apiVersion, kind and name")
}

/// Reads an operation from its Secret.
pub fn from_secret(secret: &Value) -> Result<StoredOperation, OperationError> {
    let text = |pointer: &str| secret.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let place = format!("{}/{}", text("/metadata/namespace"), text("/metadata/name"));
    let damaged = |why: String| OperationError::Damaged { secret: place.clone(), why };
    let data = text(&format!("/data/{DATA_KEY}"));
    if data.is_empty() {
        return Err(damaged(format!("it has no data `{DATA_KEY}`")));
    }
    let bytes = STANDARD.decode(data).map_err(|error| damaged(format!("base64: {error}")))?;
    let value: Value = json_field::read(&bytes).map_err(&damaged)?;
    // The format comes first: the fields of a newer one need not fit ours.
    let found = value.get("format").and_then(Value::as_u64).ok_or_else(|| damaged("it has no `format`".to_owned()))?;
    if found > u64::from(FORMAT) {
        let by =
            value.get("version").and_then(Value::as_str).map(|version| format!(" ({version})")).unwrap_or_default();
        return Err(OperationError::Newer { secret: place, found, by });
    }
    Ok(StoredOperation {
        operation: json_field::read(&bytes).map_err(&damaged)?,
        resource_version: text("/metadata/resourceVersion").to_owned(),
        uid: text("/metadata/uid").to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Owed;
    use crate::operation::tests::{at, operation};

    fn stored(content: &Value) -> Value {
        json!({"metadata": {"name": SECRET_NAME, "namespace": "one", "resourceVersion": "5", "uid": "u"},
               "data": {"operation": STANDARD.encode(content.to_string())}})
    }

    #[test]
    fn an_operation_comes_back_from_its_secret() {
        let mut it = operation();
        it.stage_started("access", at(1));
        it.nodes.insert("node-1".into(), json!({"mtu": 1500}));
        let secret = to_secret(&it, Some("5"));
        assert_eq!((secret.namespace(), secret.resource_version()), (Some("mizar-system"), Some("5")));
        assert_eq!(from_secret(secret.value()).unwrap().operation, it);
        assert_eq!(to_secret(&it, None).resource_version(), None);
    }

    #[test]
    fn a_newer_format_is_left_to_the_newer_program() {
        let newer = stored(&json!({"format": 3, "version": "9.0.0", "holder": "a sentence"}));
        assert_eq!(
            from_secret(&newer).unwrap_err().to_string(),
            "secret one/mizar-operation records an operation in format 3, and this version of kubectl-mizar knows \
             formats up to 2; use the version that began it (9.0.0)"
        );
    }

    #[test]
    fn unknown_fields_of_the_same_format_do_no_harm() {
        let mut content = serde_json::to_value(operation()).unwrap();
        content["somethingNew"] = json!(true);
        assert_eq!(from_secret(&stored(&content)).unwrap().operation, operation());
    }

    #[test]
    fn a_record_of_an_earlier_program_is_read() {
        let mut content = serde_json::to_value(operation()).unwrap();
        content.as_object_mut().unwrap().remove("previous");
        content["format"] = json!(1);
        assert_eq!(from_secret(&stored(&content)).unwrap().operation, operation());
    }

    #[test]
    fn what_is_owed_is_stored_and_plain_records_do_not_mention_it() {
        let it = operation().owing(Owed { resend: true });
        let content = serde_json::to_value(&it).unwrap();
        assert_eq!((&content["owed"], &content["format"]), (&json!({"resend": true}), &json!(FORMAT)));
        assert_eq!(from_secret(&stored(&content)).unwrap().operation, it);
        assert_eq!(serde_json::to_value(operation()).unwrap().get("owed"), None);
    }

    #[test]
    fn only_a_damaged_record_may_be_deleted() {
        let hints = |content: &Value| from_secret(&stored(content)).unwrap_err().hints();
        let look = "look at it: kubectl -n one get secret mizar-operation -o yaml";
        assert_eq!(hints(&json!({"format": 3})), [look]);
        assert_eq!(
            hints(&json!({})),
            [
                look,
                "if nobody is at work on Mizar, delete it, and run this command again: \
                 kubectl -n one delete secret mizar-operation"
            ]
        );
    }

    #[test]
    fn damage_is_named_with_the_secret() {
        let message = |secret: &Value| from_secret(secret).unwrap_err().to_string();
        assert_eq!(
            message(&json!({"metadata": {"name": SECRET_NAME, "namespace": "one"}})),
            "the record of the last operation in secret one/mizar-operation is damaged: it has no data `operation`"
        );
        assert!(message(&stored(&json!({}))).ends_with("it has no `format`"));
        let of_bytes = |bytes: &str| {
            let data = json!({"operation": STANDARD.encode(bytes)});
            message(&json!({"metadata": {"name": SECRET_NAME, "namespace": "one"}, "data": data}))
        };
        assert!(of_bytes("{\"format\": 1").ends_with("JSON: EOF while parsing an object at line 1 column 12"));
        assert!(message(&json!({"data": {"operation": "%"}})).ends_with("base64: Invalid symbol 37, offset 0."));
        let with = |change: &dyn Fn(&mut Value)| {
            let mut content = serde_json::to_value(operation()).unwrap();
            change(&mut content);
            message(&stored(&content)).split_once(" is damaged: ").unwrap().1.to_owned()
        };
        assert_eq!(
            with(&|content| content["holder"]["pid"] = json!("1")),
            "field holder.pid: invalid type: string \"1\", expected u32"
        );
        assert!(
            with(&|content| content["stages"][1]["state"] = json!("dreaming"))
                .starts_with("field stages[1].state: unknown variant")
        );
        assert!(with(&|content| content["startedAt"] = json!("noon")).starts_with("field startedAt: "));
        assert!(with(&|content| content["intent"] = json!(7)).starts_with("field intent: invalid type: integer `7`"));
        assert!(with(&|content| drop(content.as_object_mut().unwrap().remove("id"))).contains("missing field `id`"));
    }
}
