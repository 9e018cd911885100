//! What one revision changed, told from the records alone: its chart, its values and its objects beside those of the revision
//! that it began from. The cluster is not asked, so that this can be told long afterwards.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use thiserror::Error;

use super::history::History;
use super::manifest::{ManifestError, staged, staged_objects};
use super::record::{Release, Status};
use crate::kind;
use crate::object::{Object, ObjectRef};
use crate::plan::diff::{field_changes, mask};
use crate::plan::{FieldChange, Marks, Plan, PlanInput, ReleaseInput, StagedObject, decide};
use crate::site::Site;

/// What a revision changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RevisionChanges {
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// The revision.
    pub revision: u64,
    /// What became of it, in Helm's words.
    pub status: Status,
    /// A sentence about that.
    pub description: String,
    /// When it was deployed, or tried to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated: Option<Timestamp>,
    /// The revision it began from; none for a first installation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compared_with: Option<u64>,
    /// The chart of that revision, `mizar-0.1.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chart_before: Option<String>,
    /// Its chart.
    pub chart: String,
    /// The values that changed, those of the chart among them; for a first installation those that were chosen. What may be
    /// secret is masked.
    pub values: Vec<FieldChange>,
    /// The objects, by stage.
    pub plan: Plan,
}

/// Why nobody can tell what a revision changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChangesError {
    /// The revision before it was pruned.
    #[error(
        "what revision {revision} of release {release} changed cannot be told: the revision it began from is not kept \
         any more"
    )]
    BaseGone {
        /// The release.
        release: String,
        /// The revision.
        revision: u64,
    },
    /// A manifest is damaged.
    #[error("revision {revision} of release {release}: {source}")]
    Unreadable {
        /// The release.
        release: String,
        /// The revision.
        revision: u64,
        /// What is wrong.
        source: ManifestError,
    },
}

impl RevisionChanges {
    /// Compares a revision with the one that it began from.
    pub fn of(history: &History, release: &Release) -> Result<Self, ChangesError> {
        let base = base_of(history, release);
        if base.is_none() && !is_first(release) {
            return Err(ChangesError::BaseGone { release: release.name.clone(), revision: release.revision });
        }
        let mut values = match base {
            Some(base) => values_changed(&base.all_values(), &release.all_values()),
            None => values_changed(&json!({}), &Value::Object(release.config.clone())),
        };
        values.iter_mut().filter(|value| may_be_secret(value, &release.chart.values)).for_each(mask);
        Ok(Self {
            release: release.name.clone(),
            namespace: release.namespace.clone(),
            revision: release.revision,
            status: release.info.status,
            description: release.info.description.clone(),
            updated: release.info.last_deployed,
            compared_with: base.map(|base| base.revision),
            chart_before: base.map(|base| base.chart.label()).filter(|label| *label != release.chart.label()),
            chart: release.chart.label(),
            values,
            plan: plan(base, release)?,
        })
    }

    /// Returns the same for programs.
    #[must_use]
    pub fn document(&self) -> Value {
        let mut document = json!({"apiVersion": "mizar.dev/v1", "kind": "RevisionChanges"});
        if let (Some(document), Ok(Value::Object(fields))) = (document.as_object_mut(), serde_json::to_value(self)) {
            document.extend(fields);
        }
        document
    }
}

/// The newest earlier revision that was ever deployed, or else the newest at all, as Helm chooses it.
fn base_of<'a>(history: &'a History, release: &Release) -> Option<&'a Release> {
    let earlier = || history.records.iter().map(|stored| &stored.release).filter(|it| it.revision < release.revision);
    let was_deployed =
        |it: &&Release| matches!(it.info.status, Status::Deployed | Status::Superseded | Status::Uninstalled);
    earlier().rfind(was_deployed).or_else(|| earlier().next_back())
}

fn is_first(release: &Release) -> bool {
    let info = &release.info;
    release.revision == 1 || (info.first_deployed.is_some() && info.first_deployed == info.last_deployed)
}

fn values_changed(before: &Value, after: &Value) -> Vec<FieldChange> {
    let values = ObjectRef {
        api_version: "v1".to_owned(),
        kind: "Values".to_owned(),
        namespace: None,
        name: "values.yaml".to_owned(),
    };
    field_changes(&values, before, after)
}

/// Whether a value may be nobody else's business: by its name, or since the chart does not know it, so that it is whatever
/// somebody has put there.
fn may_be_secret(value: &FieldChange, known: &Value) -> bool {
    const TELLING: [&str; 4] = ["password", "token", "credential", "secret"];
    let path = value.path.to_lowercase();
    let top = value.path.trim_start_matches('.').split(['.', '[']).next().unwrap_or_default();
    known.get(top).is_none() || TELLING.iter().any(|word| path.contains(word))
}

/// The plan that led from one record to the next, if nobody else had changed anything.
fn plan(base: Option<&Release>, release: &Release) -> Result<Plan, ChangesError> {
    let objects_of = |release: &Release| {
        staged_objects(&release.manifest).map_err(|source| ChangesError::Unreadable {
            release: release.name.clone(),
            revision: release.revision,
            source,
        })
    };
    let marks = Marks { release: &release.name, namespace: &release.namespace };
    let recorded: Vec<Object> = match base {
        Some(base) => objects_of(base)?.into_iter().map(|staged| qualified(staged.object, &base.namespace)).collect(),
        None => Vec::new(),
    };
    let live = recorded.iter().map(|object| (Site::Management, marks.put_on(object.clone()))).collect();
    let input = ReleaseInput {
        name: release.name.clone(),
        namespace: release.namespace.clone(),
        site: Site::Management,
        first_install: base.is_none(),
        objects: objects_of(release)?,
        hooks: if base.is_none() { hooks(release)? } else { Vec::new() },
        recorded,
    };
    let plan = decide(&PlanInput { releases: vec![input], live, ..PlanInput::default() });
    // It was done: nothing forbids it any more.
    Ok(Plan { stages: plan.stages, ..Plan::default() })
}

fn hooks(release: &Release) -> Result<Vec<StagedObject>, ChangesError> {
    let mut objects = Vec::new();
    for hook in release.hooks.iter().filter(|hook| hook.events.iter().any(|event| event == "pre-install")) {
        let read = staged(&hook.path, &hook.manifest).map_err(|source| ChangesError::Unreadable {
            release: release.name.clone(),
            revision: release.revision,
            source,
        })?;
        objects.extend(read);
    }
    Ok(objects)
}

/// Returns an object in the namespace that Helm would have put it into.
pub(super) fn qualified(object: Object, namespace: &str) -> Object {
    let is_namespaced = kind::lookup(object.api_version(), object.kind()).is_none_or(|known| known.namespaced);
    if is_namespaced { object.in_namespace(namespace) } else { object }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Action;
    use crate::release::secret::{Writing, to_secret};

    const ACCOUNT: &str = "---\n# Source: mizar/templates/access/a.yaml\napiVersion: v1\nkind: ServiceAccount\n\
                           metadata: {name: mizar-daemon}\n";

    fn config(color: &str) -> String {
        format!(
            "---\n# Source: mizar/templates/configuration/c.yaml\napiVersion: v1\nkind: ConfigMap\n\
             metadata: {{name: c}}\ndata: {{color: {color}}}\n"
        )
    }

    fn secret(content: &str) -> String {
        format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{key: {content}}}\n")
    }

    fn history(records: &[Value]) -> History {
        let stored = |record: &Value| {
            let release = serde_json::from_value::<Release>(record.clone()).unwrap();
            to_secret(&release, Writing::New, Timestamp::UNIX_EPOCH).unwrap().into_value()
        };
        History::from_secrets("mizar", &records.iter().map(stored).collect::<Vec<_>>())
    }

    fn record(revision: u64, status: &str, manifest: &str, config: &Value) -> Value {
        let second = 10 + revision;
        json!({
            "name": "mizar", "namespace": "one", "version": revision, "manifest": manifest, "config": config,
            "info": {"status": status, "first_deployed": "2026-11-20T10:00:11Z",
                "last_deployed": format!("2026-11-20T10:00:{second}Z")},
            "chart": {"metadata": {"name": "mizar", "version": "0.1.0"}, "values": {"vni": 1, "more": {"a": 1}}},
            "hooks": [{"name": "vpc0", "kind": "Vpc", "path": "mizar/templates/network/vpc.yaml",
                "events": ["pre-install"],
                "manifest": "apiVersion: mizar.com/v1\nkind: Vpc\nmetadata: {name: vpc0, namespace: default}\n"}],
        })
    }

    fn told(history: &History, revision: u64) -> Vec<String> {
        let changes = RevisionChanges::of(history, history.revision(revision).unwrap()).unwrap();
        let of_change = |stage: &str, change: &crate::plan::Change| match &change.action {
            Action::Create => Some(format!("{stage}: + {}", change.object)),
            Action::Delete => Some(format!("{stage}: - {}", change.object)),
            Action::Update { fields } => {
                let fields = fields.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                Some(format!("{stage}: ~ {} {fields}", change.object))
            }
            Action::Unchanged | Action::Keep { .. } => None,
        };
        let values = changes.values.iter().map(|value| format!("value {value}"));
        let stages = changes.plan.stages.iter();
        values
            .chain(stages.flat_map(|stage| {
                stage.changes.iter().filter_map(move |change| of_change(stage.name.as_str(), change))
            }))
            .collect()
    }

    #[test]
    fn a_first_installation_made_everything_hooks_too() {
        let manifest = format!("{ACCOUNT}{}", config("red"));
        let history = history(&[record(1, "deployed", &manifest, &json!({"vni": 7}))]);
        assert_eq!(
            told(&history, 1),
            [
                "value .vni: added 7",
                "access: + ServiceAccount one/mizar-daemon",
                "configuration: + ConfigMap one/c",
                "network: + Vpc default/vpc0",
            ]
        );
    }

    #[test]
    fn a_later_one_is_compared_with_what_was_deployed_before_and_not_with_what_failed() {
        let history = history(&[
            record(1, "superseded", &format!("{ACCOUNT}{}", config("red")), &json!({"vni": 7})),
            record(2, "failed", &config("green"), &json!({})),
            record(3, "deployed", &config("blue"), &json!({"vni": 7, "more": {"a": 2}})),
        ]);
        assert_eq!(
            told(&history, 3),
            [
                "value .more.a: 1 → 2",
                r#"configuration: ~ ConfigMap one/c .data.color: "red" → "blue""#,
                "removal: - ServiceAccount one/mizar-daemon",
            ]
        );
        let changes = RevisionChanges::of(&history, history.revision(3).unwrap()).unwrap();
        assert_eq!((changes.compared_with, changes.chart_before.clone()), (Some(1), None));
        let document = changes.document();
        assert_eq!((&document["kind"], &document["comparedWith"]), (&json!("RevisionChanges"), &json!(1)));
        assert!(document["plan"]["stages"].is_array());
    }

    #[test]
    fn the_content_of_secrets_is_masked() {
        let history = history(&[
            record(1, "superseded", &secret("first-word"), &json!({})),
            record(2, "deployed", &secret("second-word"), &json!({})),
        ]);
        let changes = RevisionChanges::of(&history, history.revision(2).unwrap()).unwrap();
        let document = changes.document().to_string();
        assert!(document.contains("(masked)") && !document.contains("-word"), "{document}");
        assert!(!document.contains("c2Vjb25k"), "{document}");
    }

    #[test]
    fn values_that_may_be_secret_are_masked() {
        let history = history(&[
            record(1, "superseded", ACCOUNT, &json!({"global": {"key": "first-word"}})),
            record(
                2,
                "deployed",
                ACCOUNT,
                &json!({"global": {"key": "second-word"}, "more": {"apiToken": "third-word"}}),
            ),
        ]);
        assert_eq!(
            told(&history, 2),
            [r#"value .global.key: "(masked)" → "(masked)""#, r#"value .more.apiToken: added "(masked)""#]
        );
    }

    #[test]
    fn what_a_pruned_revision_left_to_compare_with_is_not_guessed() {
        let history = history(&[record(4, "deployed", ACCOUNT, &json!({}))]);
        let error = RevisionChanges::of(&history, history.revision(4).unwrap()).unwrap_err().to_string();
        assert!(error.contains("revision 4 of release mizar changed cannot be told"), "{error}");
    }

    #[test]
    fn a_manifest_that_cannot_be_read_is_named_with_its_revision() {
        let history = history(&[record(1, "deployed", "---\n# Source: x\n[\n", &json!({}))]);
        let error = RevisionChanges::of(&history, history.revision(1).unwrap()).unwrap_err().to_string();
        assert!(error.starts_with("revision 1 of release mizar: the recorded manifest cannot be read: x: "), "{error}");
    }
}
