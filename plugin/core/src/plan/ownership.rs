//! Helm's marks of ownership: a label and two annotations that say to which release an object belongs. They are added
//! when objects are applied and are no part of the recorded manifest, as Helm does it.

use serde_json::{Map, Value};

use super::Conflict;
use crate::object::Object;

/// The label that says that Helm's rules hold for an object.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The annotation with the release's name.
pub const RELEASE_NAME: &str = "meta.helm.sh/release-name";
/// The annotation with the release's namespace.
pub const RELEASE_NAMESPACE: &str = "meta.helm.sh/release-namespace";
/// The annotation that keeps an object from being deleted with its release.
pub const RESOURCE_POLICY: &str = "helm.sh/resource-policy";

/// The release that objects are marked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks<'a> {
    /// The release.
    pub release: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
}

impl Marks<'_> {
    /// Returns the object with the marks of this release.
    #[must_use]
    pub fn put_on(&self, object: Object) -> Object {
        let mut value = object.into_value();
        insert(&mut value, "labels", MANAGED_BY, "Helm");
        insert(&mut value, "annotations", RELEASE_NAME, self.release);
        insert(&mut value, "annotations", RELEASE_NAMESPACE, self.namespace);
        Object::new(value).expect("marks leave apiVersion, kind and name as they were")
    }

    /// Says why a live object does not belong to this release; nothing if it does.
    #[must_use]
    pub fn conflict(&self, live: &Object) -> Option<Conflict> {
        let found = [
            ("label", MANAGED_BY, live.label(MANAGED_BY), "Helm"),
            ("annotation", RELEASE_NAME, live.annotation(RELEASE_NAME), self.release),
            ("annotation", RELEASE_NAMESPACE, live.annotation(RELEASE_NAMESPACE), self.namespace),
        ];
        let wrong: Vec<String> = found
            .into_iter()
            .filter(|(_, _, found, wanted)| *found != Some(*wanted))
            .map(|(what, key, found, wanted)| match found {
                Some(found) => format!("{what} {key} is `{found}`, not `{wanted}`"),
                None => format!("{what} {key} is missing"),
            })
            .collect();
        (!wrong.is_empty()).then(|| Conflict {
            object: live.reference(),
            why: format!("exists and is not part of release {}: {}", self.release, wrong.join(", ")),
            fields: Vec::new(),
            hint: self.hint(live),
        })
    }

    fn hint(&self, live: &Object) -> String {
        let (resource, scope) = (live.kind().to_lowercase(), scope(live));
        if let Some(other) = live.annotation(RELEASE_NAME) {
            let place = live.annotation(RELEASE_NAMESPACE).unwrap_or("its namespace");
            return format!(
                "it belongs to the Helm release {other} in {place}; uninstall that first, or see what it is: \
                 helm status {other} -n {place}"
            );
        }
        let name = live.name();
        format!(
            "look at it (kubectl get {resource} {name}{scope} -o yaml), then delete it, or hand it over: \
             kubectl label {resource} {name}{scope} --overwrite {MANAGED_BY}=Helm && \
             kubectl annotate {resource} {name}{scope} --overwrite {RELEASE_NAME}={} {RELEASE_NAMESPACE}={}",
            self.release, self.namespace
        )
    }
}

/// Whether an object asks to survive its release.
#[must_use]
pub fn is_kept(object: &Object) -> bool {
    object.annotation(RESOURCE_POLICY).is_some_and(|policy| policy.trim().eq_ignore_ascii_case("keep"))
}

fn scope(object: &Object) -> String {
    object.namespace().map(|namespace| format!(" -n {namespace}")).unwrap_or_default()
}

fn insert(value: &mut Value, map: &str, key: &str, content: &str) {
    let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let entry = metadata.entry(map).or_insert(Value::Null);
    // A template whose labels are all switched off renders `labels:` with nothing behind it.
    if !entry.is_object() {
        *entry = Value::Object(Map::new());
    }
    if let Some(entries) = entry.as_object_mut() {
        entries.insert(key.to_owned(), Value::String(content.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const OURS: Marks<'_> = Marks { release: "mizar", namespace: "mizar-system" };

    fn config(metadata: &Value) -> Object {
        let mut value = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "one"}});
        for (key, content) in metadata.as_object().unwrap() {
            value["metadata"][key] = content.clone();
        }
        Object::new(value).unwrap()
    }

    #[test]
    fn marked_objects_are_ours() {
        for metadata in [json!({}), json!({"labels": null}), json!({"labels": {"a": "b"}})] {
            let marked = OURS.put_on(config(&metadata));
            assert_eq!(OURS.conflict(&marked), None);
        }
        let marked = OURS.put_on(config(&json!({"labels": {"a": "b"}})));
        assert_eq!(marked.label("a"), Some("b"));
    }

    #[test]
    fn an_unmarked_object_is_a_conflict_with_commands_to_type() {
        let conflict = OURS.conflict(&config(&json!({}))).unwrap();
        assert_eq!(
            conflict.to_string(),
            "ConfigMap one/c exists and is not part of release mizar: label app.kubernetes.io/managed-by is missing, \
             annotation meta.helm.sh/release-name is missing, annotation meta.helm.sh/release-namespace is missing"
        );
        assert!(
            conflict.hint.contains("kubectl annotate configmap c -n one --overwrite meta.helm.sh/release-name=mizar")
        );
    }

    #[test]
    fn an_object_of_another_release_is_named_as_such() {
        let other = Marks { release: "other", namespace: "elsewhere" }.put_on(config(&json!({})));
        let conflict = OURS.conflict(&other).unwrap();
        assert!(conflict.why.contains("annotation meta.helm.sh/release-name is `other`, not `mizar`"));
        assert!(conflict.hint.contains("helm status other -n elsewhere"));
    }

    #[test]
    fn keeping_is_asked_for_by_an_annotation() {
        assert!(is_kept(&config(&json!({"annotations": {"helm.sh/resource-policy": " Keep"}}))));
        assert!(!is_kept(&config(&json!({}))));
    }
}
