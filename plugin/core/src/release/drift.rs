//! Drift: in what the live objects differ from what is recorded as applied. Only fields that the record sets count; what the
//! server has filled in or rewritten is no difference; and each difference names who made it, as far as the server noted that.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use super::changes::qualified;
use super::manifest::{ManifestError, staged_objects};
use super::record::{Release, Status};
use crate::object::{Object, ObjectRef};
use crate::plan::diff::field_changes;
use crate::plan::fields::Owned;
use crate::plan::merge::merge;
use crate::plan::owners::owners;
use crate::plan::{Marks, Owner};

/// An object as one release has recorded it.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedObject {
    /// The release.
    pub release: String,
    /// The object, with its namespace and the marks of the release.
    pub object: Object,
}

/// Returns the objects of a release as they were applied. Its hooks are none of them: they are made once and belong to the
/// operator from then on.
pub fn recorded(release: &Release) -> Result<Vec<RecordedObject>, ManifestError> {
    let marks = Marks { release: &release.name, namespace: &release.namespace };
    let applied = |object: Object| RecordedObject {
        release: release.name.clone(),
        object: marks.put_on(qualified(object, &release.namespace)),
    };
    Ok(staged_objects(&release.manifest)?.into_iter().map(|staged| applied(staged.object)).collect())
}

/// What became of one object.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// It is there.
    Live(Box<Object>),
    /// It is not.
    Missing,
    /// It could not be read.
    Unread {
        /// Why.
        why: String,
    },
}

/// A field that is not as it was recorded.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftedField {
    /// `.spec.template.spec.containers[mizar-daemon].image`
    pub path: String,
    /// What was applied; masked if it is the content of a secret.
    pub recorded: Value,
    /// What is there; none if the field is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<Value>,
    /// Who set it, as far as the server has noted that.
    pub by: Vec<Owner>,
}

impl fmt::Display for DriftedField {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.live {
            Some(live) => write!(formatter, "{}: {} → {live}", self.path, self.recorded),
            None => write!(formatter, "{}: {} → nothing", self.path, self.recorded),
        }
    }
}

/// In what one object differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "drift", rename_all = "camelCase")]
pub enum Difference {
    /// It is not there.
    Missing,
    /// It is about to go.
    Deleting,
    /// Some of its fields are not as they were recorded.
    Changed {
        /// Which.
        fields: Vec<DriftedField>,
    },
    /// Nobody can tell, since it could not be read.
    Unread {
        /// Why.
        why: String,
    },
}

/// One object that differs, or may.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftedObject {
    /// The object.
    pub object: ObjectRef,
    /// The release that recorded it.
    pub release: String,
    /// In what it differs.
    #[serde(flatten)]
    pub difference: Difference,
}

/// The record that was compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Compared {
    /// The release.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The revision.
    pub revision: u64,
    /// Its status, in Helm's words.
    pub status: Status,
}

impl Compared {
    /// Names a release.
    #[must_use]
    pub fn of(release: &Release) -> Self {
        Self {
            name: release.name.clone(),
            namespace: release.namespace.clone(),
            revision: release.revision,
            status: release.info.status,
        }
    }
}

/// In what a cluster differs from its records.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// What it was compared with.
    pub releases: Vec<Compared>,
    /// How many objects were compared.
    pub total: usize,
    /// Those that differ, or could not be read.
    pub objects: Vec<DriftedObject>,
}

impl Drift {
    /// Compares recorded objects with what was found of each.
    #[must_use]
    pub fn of(releases: Vec<Compared>, found: &[(RecordedObject, Found)]) -> Self {
        let objects = found.iter().filter_map(|(recorded, found)| {
            let difference = difference(&recorded.object, found)?;
            Some(DriftedObject { object: recorded.object.reference(), release: recorded.release.clone(), difference })
        });
        Self { releases, total: found.len(), objects: objects.collect() }
    }

    /// Whether anything is certain to differ.
    #[must_use]
    pub fn is_drifted(&self) -> bool {
        self.objects.iter().any(|object| !matches!(object.difference, Difference::Unread { .. }))
    }

    /// Returns the objects that could not be read.
    pub fn unread(&self) -> impl Iterator<Item = &DriftedObject> {
        self.objects.iter().filter(|object| matches!(object.difference, Difference::Unread { .. }))
    }

    /// Returns the same for programs.
    #[must_use]
    pub fn document(&self) -> Value {
        json!({
            "apiVersion": "mizar.dev/v1", "kind": "Drift", "drifted": self.is_drifted(),
            "releases": self.releases, "total": self.total, "objects": self.objects,
        })
    }
}

fn difference(recorded: &Object, found: &Found) -> Option<Difference> {
    let live = match found {
        Found::Missing => return Some(Difference::Missing),
        Found::Unread { why } => return Some(Difference::Unread { why: why.clone() }),
        Found::Live(live) => live,
    };
    if live.value().pointer("/metadata/deletionTimestamp").is_some_and(|at| !at.is_null()) {
        return Some(Difference::Deleting);
    }
    // With nothing taken away, only what the record sets can differ.
    let target = merge(None, recorded.value(), live.value(), Owned::Nothing);
    let changes = field_changes(&recorded.reference(), live.value(), &target);
    let fields: Vec<DriftedField> = changes
        .into_iter()
        .map(|change| DriftedField {
            by: owners(live.value(), &change.path),
            path: change.path,
            recorded: change.after.unwrap_or_default(),
            live: change.before,
        })
        .collect();
    (!fields.is_empty()).then_some(Difference::Changed { fields })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Object {
        Object::new(value).unwrap()
    }

    fn recorded_deployment() -> RecordedObject {
        RecordedObject {
            release: "mizar".to_owned(),
            object: object(json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "o", "namespace": "one"},
                "spec": {"replicas": 1, "template": {"spec": {
                    "hostIPC": false,
                    "containers": [{"name": "o", "image": "x:1", "resources": {"requests": {"cpu": "1000m"}}}]}}},
            })),
        }
    }

    /// As the server stores it: filled in, rewritten, and with an annotation of its own.
    fn live_deployment() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "o", "namespace": "one", "uid": "u", "resourceVersion": "5", "generation": 2,
                "annotations": {"deployment.kubernetes.io/revision": "1"}},
            "spec": {"replicas": 1, "progressDeadlineSeconds": 600, "template": {"spec": {
                "restartPolicy": "Always",
                "containers": [{"name": "o", "image": "x:1", "imagePullPolicy": "Always",
                    "resources": {"requests": {"cpu": "1"}}}]}}},
            "status": {"readyReplicas": 1},
        })
    }

    fn drift(found: Found) -> Drift {
        let compared =
            Compared { name: "mizar".into(), namespace: "one".into(), revision: 2, status: Status::Deployed };
        Drift::of(vec![compared], &[(recorded_deployment(), found)])
    }

    fn live(value: Value) -> Found {
        Found::Live(Box::new(object(value)))
    }

    #[test]
    fn what_the_server_fills_in_and_rewrites_is_no_drift() {
        let drift = drift(live(live_deployment()));
        assert!(!drift.is_drifted() && drift.objects.is_empty(), "{drift:?}");
        assert_eq!(drift.total, 1);
    }

    #[test]
    fn changed_and_removed_fields_are_told_with_who_set_them() {
        let mut value = live_deployment();
        value["spec"]["template"]["spec"]["containers"][0]["image"] = json!("x:2");
        value["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({});
        value["metadata"]["managedFields"] = json!([{"manager": "kubectl-set", "operation": "Update",
            "time": "2026-11-21T10:00:00Z", "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers": {
                "k:{\"name\":\"o\"}": {"f:image": {}}}}}}}}]);
        let drift = drift(live(value));
        let Difference::Changed { fields } = &drift.objects[0].difference else { panic!("{drift:?}") };
        let shown: Vec<String> = fields.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                r#".spec.template.spec.containers[o].image: "x:1" → "x:2""#,
                r#".spec.template.spec.containers[o].resources.requests: {"cpu":"1000m"} → nothing"#,
            ]
        );
        assert_eq!(fields[0].by[0].manager, "kubectl-set");
        assert!(fields[1].by.is_empty() && drift.is_drifted());
        let document = drift.document();
        assert_eq!((&document["kind"], &document["drifted"]), (&json!("Drift"), &json!(true)));
        assert_eq!(document["objects"][0]["drift"], "changed");
        assert_eq!(document["objects"][0]["fields"][0]["live"], "x:2");
    }

    #[test]
    fn missing_and_leaving_objects_are_drift_and_unread_ones_are_unknown() {
        assert_eq!(drift(Found::Missing).objects[0].difference, Difference::Missing);
        let mut value = live_deployment();
        value["metadata"]["deletionTimestamp"] = json!("2026-11-21T10:00:00Z");
        assert_eq!(drift(live(value)).objects[0].difference, Difference::Deleting);
        let unread = drift(Found::Unread { why: "forbidden".to_owned() });
        assert!(!unread.is_drifted());
        assert_eq!(unread.unread().count(), 1);
    }

    #[test]
    fn the_content_of_secrets_is_masked() {
        let secret = |content: &str| {
            object(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "one"},
                "data": {"key": content}}))
        };
        let recorded = RecordedObject { release: "mizar".to_owned(), object: secret("Zmlyc3Q=") };
        let drift = Drift::of(Vec::new(), &[(recorded, Found::Live(Box::new(secret("c2Vjb25k"))))]);
        let document = drift.document().to_string();
        assert!(document.contains("(masked)"), "{document}");
        assert!(!document.contains("Zmlyc3Q") && !document.contains("c2Vjb25k"), "{document}");
    }

    #[test]
    fn recorded_objects_have_the_namespace_and_the_marks_of_their_release() {
        let release = serde_json::from_value::<Release>(json!({
            "name": "mizar", "namespace": "one", "version": 1, "info": {"status": "deployed"},
            "manifest": "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\n---\n\
                         apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: b}\n",
        }))
        .unwrap();
        let objects = recorded(&release).unwrap();
        let namespaces: Vec<Option<&str>> = objects.iter().map(|it| it.object.namespace()).collect();
        assert_eq!(namespaces, [Some("one"), None]);
        assert_eq!(objects[0].object.annotation("meta.helm.sh/release-name"), Some("mizar"));
    }
}
