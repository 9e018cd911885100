//! What must not leave the cluster: taken out of objects, values and texts before anything is packed.
//!
//! Some is known by its name ([`name`]: `password`), some by its shape ([`text`]: a bearer token, a private key); and of the
//! values of a release, everything that the chart does not know. When in doubt it is masked.

pub mod name;
pub mod text;

use serde_json::Value;

use name::{is_secret, is_secret_flag, looks_like_a_token};

/// What stands in its place.
pub const MASK: &str = "(masked)";

/// Parts that every object may have and that are left out: kubectl's whole copy of what was applied, which is one of a Secret's
/// data, too; and who set which field, which is long.
const LEFT_OUT: [&str; 2] = ["kubectl.kubernetes.io/last-applied-configuration", "managedFields"];

/// Parts of a pod that only its owner may show.
const OF_ITS_OWNER: [&str; 3] = ["args", "command", "env"];

/// Annotations that may be shown whosesoever the object is: what Mizar's operator and Kubernetes themselves write.
const KNOWN_ANNOTATIONS: [&str; 3] = ["kopf.", "mizar.com/", "kubernetes.io/"];

/// Whose object it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Mizar's: what its pods are told by their environment matters.
    Mizar,
    /// Somebody else's, who is not asked: environment, arguments and notes of its pods are masked, too.
    Other,
}

/// Masks an object, and leaves out what is of no use.
pub fn object(object: &mut Value, owner: Owner) {
    walk(object, owner);
}

/// Masks a document of ours, such as the record of the last change.
pub fn document(document: &mut Value) {
    walk(document, Owner::Mizar);
}

/// Masks the values of a release: those that the chart has no default for, and those whose name or shape tells. `known` are
/// the chart's own values.
pub fn values(values: &mut Value, known: &Value) {
    hide_unknown(values, known);
    walk(values, Owner::Mizar);
}

fn hide_unknown(values: &mut Value, known: &Value) {
    let (Value::Object(fields), Value::Object(known)) = (values, known) else { return };
    // A chart that names no field of a map takes any.
    if known.is_empty() {
        return;
    }
    for (key, value) in fields {
        match known.get(key) {
            Some(known) => hide_unknown(value, known),
            None => hide(value),
        }
    }
}

/// Masks everything in a value but its form: keys stay, and so do yes and no.
pub(super) fn hide(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(hide),
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::String(_) | Value::Number(_) => *value = Value::from(MASK),
        Value::Bool(_) | Value::Null => {}
    }
}

fn walk(value: &mut Value, owner: Owner) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !LEFT_OUT.contains(&key.as_str()));
            if fields.get("kind").is_some_and(|kind| kind == "Secret") {
                for key in ["data", "stringData"] {
                    fields.get_mut(key).into_iter().for_each(hide);
                }
            }
            if let Some(name) = fields.get("name").and_then(Value::as_str).map(str::to_owned)
                && let Some(value) = fields.get_mut("value")
                && (is_secret(&name, value) || value.as_str().is_some_and(looks_like_a_token))
            {
                hide(value);
            }
            for (key, value) in fields {
                if owner == Owner::Other && key == "annotations" {
                    hide_notes(value);
                }
                if is_secret(key, value) || owner == Owner::Other && OF_ITS_OWNER.contains(&key.as_str()) {
                    hide_but_names(key, value);
                } else {
                    walk(value, owner);
                }
            }
        }
        Value::Array(items) => {
            let mut is_next_secret = false;
            for item in items {
                if is_next_secret {
                    hide(item);
                }
                is_next_secret = item.as_str().is_some_and(is_secret_flag);
                walk(item, owner);
            }
        }
        Value::String(held) => *held = string(held, owner),
        Value::Number(_) | Value::Bool(_) | Value::Null => {}
    }
}

/// Masks the notes that somebody has put on an object, but not those that tell of Mizar.
fn hide_notes(annotations: &mut Value) {
    let Value::Object(annotations) = annotations else { return hide(annotations) };
    let is_foreign = |key: &str| !KNOWN_ANNOTATIONS.iter().any(|known| key.contains(known));
    annotations.iter_mut().filter(|(key, _)| is_foreign(key)).for_each(|(_, note)| hide(note));
}

/// Masks what a key holds. Which variables somebody else's pod has may be seen, not what they are.
fn hide_but_names(key: &str, value: &mut Value) {
    let Value::Array(variables) = value else { return hide(value) };
    for variable in variables {
        match variable {
            Value::Object(fields) if key == "env" => {
                fields.iter_mut().filter(|(key, _)| *key != "name").for_each(|(_, value)| hide(value));
            }
            other => hide(other),
        }
    }
}

/// Masks a text. kopf keeps whole objects as JSON in annotations: those are read.
fn string(held: &str, owner: Owner) -> String {
    let inner = held.trim();
    let is_json = inner.starts_with('{') && inner.ends_with('}') || inner.starts_with('[') && inner.ends_with(']');
    if is_json && let Ok(mut read) = serde_json::from_str::<Value>(inner) {
        walk(&mut read, owner);
        return read.to_string();
    }
    text::mask(held)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MARK: &str = "hunter2";

    fn masked(mut value: Value, owner: Owner) -> Value {
        object(&mut value, owner);
        value
    }

    /// Every place of an object in which somebody may have put a secret.
    #[test]
    fn nothing_planted_in_an_object_of_mizars_is_left() {
        let applied = json!({"kind": "Secret", "data": {"x": MARK}}).to_string();
        let handled = json!({"spec": {"containers": [{"env": [{"name": "DB_PASSWORD", "value": MARK}]}]}}).to_string();
        for planted in [
            json!({"kind": "Secret", "data": {"x": MARK}, "stringData": {"y": MARK}}),
            json!({"kind": "List", "items": [{"kind": "Secret", "data": {"x": MARK}}]}),
            json!({"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied}}}),
            json!({"metadata": {"managedFields": [{"manager": MARK}]}}),
            json!({"metadata": {"annotations": {"kopf.zalando.org/last-handled-configuration": handled}}}),
            json!({"spec": {"containers": [{"env": [{"name": "API_TOKEN", "value": MARK}]}]}}),
            json!({"spec": {"containers": [{"env": [{"name": "X", "value": "aB3hunter2hunter2Xyz01"}]}]}}),
            json!({"spec": {"containers": [{"args": [format!("--password={MARK}")]}]}}),
            json!({"spec": {"containers": [{"args": ["--auth-token", MARK]}]}}),
            json!({"spec": {"containers": [{"command": ["sh", "-c", format!("login -p --token {MARK} x")]}]}}),
            json!({"spec": {"probe": {"httpHeaders": [{"name": "Authorization", "value": MARK}]}}}),
            json!({"data": {"config": format!("users:\n- user:\n    token: {MARK}\n    password: '{MARK} x'\n")}}),
            json!({"data": {"kubeconfig": MARK}}),
            json!({"status": {"message": format!("GET failed: Authorization: Bearer {MARK}-{MARK}")}}),
            json!({"spec": {"url": format!("https://me:{MARK}@registry.example/v2")}}),
            json!({"credentials": {"user": MARK, "port": 5, "list": [MARK, {"deep": MARK}]}}),
        ] {
            let text = masked(planted.clone(), Owner::Mizar).to_string();
            assert!(!text.contains(MARK), "{planted} became {text}");
        }
    }

    #[test]
    fn what_is_no_secret_stays_as_it_is() {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "mizar-daemon-x", "labels": {"job": "mizar-daemon"}, "uid": "1c2d3e4f-0000-4000-8000-0123456789ab",
                "annotations": {"kopf.zalando.org/progress": "{\"started\":\"2026-03-01T11:00:00\",\"retries\":12}"}},
            "spec": {
                "automountServiceAccountToken": false,
                "imagePullSecrets": [{"name": "registry"}],
                "containers": [{"name": "main", "image": "docker.io/mizarnet/mizard:1",
                    "env": [{"name": "FEATUREGATE_BWQOS", "value": "true"},
                        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
                        {"name": "LOGIN", "valueFrom": {"secretKeyRef": {"name": "login", "key": "user"}}}],
                    "args": ["--port", "50051", "--level=debug"]}],
                "volumes": [{"secret": {"secretName": "login", "defaultMode": 420}},
                    {"projected": {"sources": [{"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}}]}}],
            },
            "status": {"containerStatuses": [{"restartCount": 3, "containerID": "containerd://a1"}], "podIP": "10.20.0.5"},
        });
        assert_eq!(masked(pod.clone(), Owner::Mizar), pod);
    }

    #[test]
    fn of_somebody_elses_pod_only_the_form_is_shown() {
        let handled =
            json!({"spec": {"env": [{"name": "PLAIN", "value": MARK}]}, "metadata": {"annotations": {"note": MARK}}});
        let handled = handled.to_string();
        let pod = json!({
            "metadata": {"name": "web", "annotations": {"note": MARK, "kopf.zalando.org/last-handled-configuration": handled,
                "mizar.com/vpc": "vpc0"}},
            "spec": {"nodeName": "n1", "containers": [{"name": "main", "args": [MARK], "command": ["sh", MARK],
                "env": [{"name": "PLAIN", "value": MARK}]}]},
        });
        let shown = masked(pod, Owner::Other);
        assert!(!shown.to_string().contains(MARK), "{shown:#}");
        assert_eq!(shown.pointer("/spec/containers/0/env/0/name"), Some(&json!("PLAIN")));
        assert_eq!(shown.pointer("/spec/nodeName"), Some(&json!("n1")));
        assert_eq!(shown.pointer("/metadata/annotations/mizar.com~1vpc"), Some(&json!("vpc0")));
    }

    #[test]
    fn of_values_only_those_are_shown_that_the_chart_knows() {
        let known = json!({"vni": 1, "images": {"daemon": {"tag": null}}, "nodeSelector": {}, "extra": null});
        let mut given = json!({"vni": 7, "images": {"daemon": {"tag": "dev", "hash": MARK}}, "nodeSelector": {"zone": "a"},
            "global": {"key": MARK, "size": 3, "on": true}, "extra": {"password": MARK, "level": "debug"}});
        values(&mut given, &known);
        assert_eq!(
            given,
            json!({"vni": 7, "images": {"daemon": {"tag": "dev", "hash": MASK}}, "nodeSelector": {"zone": "a"},
                "global": {"key": MASK, "size": MASK, "on": true}, "extra": {"password": MASK, "level": "debug"}})
        );
        let mut given = json!({"any": MARK});
        values(&mut given, &Value::Null);
        assert_eq!(given, json!({"any": MARK}), "without a chart nothing is known; who asks gives an empty one");
    }

    #[test]
    fn masking_twice_changes_nothing_more() {
        let mut once = json!({"a": {"token": MARK}, "text": format!("password: {MARK}"), "b": "Bearer abcdefghij"});
        document(&mut once);
        let mut twice = once.clone();
        document(&mut twice);
        assert_eq!(once, twice);
    }
}
