//! Releases as Helm records them, so that `helm list`, `history`, `get`, `upgrade`, `rollback` and `uninstall` work on what
//! we installed, and we on what Helm installed.
//!
//! A record is a Secret `sh.helm.release.v1.<name>.v<revision>` whose one key holds base64 of gzip of JSON. Reading is
//! tolerant: Helm itself skips what it cannot read, and older versions leave fields out. Storing is the caller's.

mod codec;
mod history;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

pub use codec::{RecordError, SECRET_LIMIT, from_secret, to_secret};
pub use history::{HISTORY_LIMIT, History};

/// The state of a release, with Helm's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "Helm's own names")]
pub enum Status {
    Unknown,
    Deployed,
    Uninstalled,
    Superseded,
    Failed,
    Uninstalling,
    PendingInstall,
    PendingUpgrade,
    PendingRollback,
}

impl Status {
    const NAMES: [(Self, &'static str); 9] = [
        (Self::Unknown, "unknown"),
        (Self::Deployed, "deployed"),
        (Self::Uninstalled, "uninstalled"),
        (Self::Superseded, "superseded"),
        (Self::Failed, "failed"),
        (Self::Uninstalling, "uninstalling"),
        (Self::PendingInstall, "pending-install"),
        (Self::PendingUpgrade, "pending-upgrade"),
        (Self::PendingRollback, "pending-rollback"),
    ];

    /// Helm's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(status, _)| *status == self).map_or("unknown", |(_, name)| name)
    }

    /// Reads Helm's word; anything else is unknown, as for Helm.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        Self::NAMES.iter().find(|(_, name)| *name == word).map_or(Self::Unknown, |(status, _)| *status)
    }

    /// Whether a change is under way, or was when its process died.
    #[must_use]
    pub fn is_pending(self) -> bool {
        matches!(self, Self::PendingInstall | Self::PendingUpgrade | Self::PendingRollback)
    }
}

/// A file of a chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path in the chart.
    pub name: String,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// A chart as a record holds it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RecordedChart {
    /// Chart.yaml.
    pub metadata: Value,
    /// The default values.
    pub values: Value,
    /// Templates, NOTES.txt among them.
    pub templates: Vec<File>,
    /// Everything else but Chart.yaml and values.yaml.
    pub files: Vec<File>,
    /// values.schema.json.
    pub schema: Option<Vec<u8>>,
}

/// A hook as a record holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedHook {
    /// The object's name.
    pub name: String,
    /// The object's kind.
    pub kind: String,
    /// `<chart>/templates/x.yaml`.
    pub path: String,
    /// Its text.
    pub manifest: String,
    /// `pre-install` …
    pub events: Vec<String>,
    /// Its place among hooks.
    pub weight: i64,
    /// `hook-failed` …
    pub delete_policies: Vec<String>,
    /// When it ran, if it did.
    pub ran: Option<(Timestamp, Timestamp)>,
}

/// One revision of a release.
///
/// What we do not know of its JSON is kept in `other` and written back, so that a record of another version loses nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Release {
    /// The release's name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// From 1.
    pub revision: u32,
    /// Where it stands.
    pub status: Status,
    /// Helm's one-line description.
    pub description: String,
    /// When its first revision was made.
    pub first_deployed: Option<Timestamp>,
    /// When this revision was made.
    pub last_deployed: Option<Timestamp>,
    /// The rendered NOTES.txt.
    pub notes: String,
    /// The values that are not the chart's defaults.
    pub config: Value,
    /// Every object, as one text.
    pub manifest: String,
    /// How it was applied: `ssa`, `csa`, or nothing for an older Helm.
    pub apply_method: Option<String>,
    /// Labels of the user's own on the Secret.
    pub labels: BTreeMap<String, String>,
    /// The chart, in the record's JSON form.
    pub chart: Value,
    /// The hooks, in the record's JSON form.
    pub hooks: Vec<Value>,
}

/// What a new revision is made from.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// The chart.
    pub chart: RecordedChart,
    /// The values that are not the chart's defaults.
    pub config: Value,
    /// Every object, as one text.
    pub manifest: String,
    /// The hooks.
    pub hooks: Vec<RecordedHook>,
    /// The rendered NOTES.txt.
    pub notes: String,
}

impl Release {
    /// The first revision, before its first object is applied.
    #[must_use]
    pub fn begin_install(name: &str, namespace: &str, content: &Content, now: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            revision: 1,
            status: Status::PendingInstall,
            description: "Initial install underway".to_owned(),
            first_deployed: Some(now),
            last_deployed: Some(now),
            notes: content.notes.clone(),
            config: content.config.clone(),
            manifest: content.manifest.clone(),
            apply_method: Some("ssa".to_owned()),
            labels: BTreeMap::new(),
            chart: chart_json(&content.chart),
            hooks: content.hooks.iter().map(hook_json).collect(),
        }
    }

    /// The revision after `base` (and after `last`, which may be a failed one).
    #[must_use]
    pub fn begin_upgrade(base: &Self, last: u32, content: &Content, now: Timestamp) -> Self {
        Self {
            revision: last + 1,
            status: Status::PendingUpgrade,
            description: "Preparing upgrade".to_owned(),
            first_deployed: base.first_deployed,
            labels: base.labels.clone(),
            ..Self::begin_install(&base.name, &base.namespace, content, now)
        }
    }

    /// The same revision with other content: an interrupted one that is taken up again with other values.
    #[must_use]
    pub fn with_content(&self, content: &Content) -> Self {
        let fresh = Self::begin_install(&self.name, &self.namespace, content, self.last_deployed.unwrap_or_default());
        Self {
            notes: fresh.notes,
            config: fresh.config,
            manifest: fresh.manifest,
            chart: fresh.chart,
            hooks: fresh.hooks,
            apply_method: fresh.apply_method,
            ..self.clone()
        }
    }

    /// Whether the record holds this content already; how it was applied is no content.
    #[must_use]
    pub fn has_content(&self, content: &Content) -> bool {
        let wanted = self.with_content(content);
        self.config == wanted.config
            && self.manifest == wanted.manifest
            && self.chart["metadata"]["version"] == wanted.chart["metadata"]["version"]
    }

    /// It is done.
    #[must_use]
    pub fn deployed(mut self) -> Self {
        let done = if self.revision == 1 { "Install complete" } else { "Upgrade complete" };
        done.clone_into(&mut self.description);
        self.status = Status::Deployed;
        self
    }

    /// It went wrong.
    #[must_use]
    pub fn failed(mut self, why: &str) -> Self {
        self.status = Status::Failed;
        self.description = why.lines().next().unwrap_or_default().to_owned();
        self
    }

    /// Another revision took its place.
    #[must_use]
    pub fn superseded(mut self) -> Self {
        self.status = Status::Superseded;
        self
    }

    /// Notes that the install hooks ran.
    pub fn mark_hooks_run(&mut self, started: Timestamp, completed: Timestamp) {
        for hook in &mut self.hooks {
            hook["last_run"] =
                json!({"started_at": started.to_string(), "completed_at": completed.to_string(), "phase": "Succeeded"});
        }
    }

    /// The name of its Secret.
    #[must_use]
    pub fn secret_name(&self) -> String {
        format!("sh.helm.release.v1.{}.v{}", self.name, self.revision)
    }

    /// The version of its chart, blank if the record does not say.
    #[must_use]
    pub fn chart_version(&self) -> &str {
        self.chart["metadata"]["version"].as_str().unwrap_or_default()
    }
}

fn files_json(files: &[File]) -> Value {
    if files.is_empty() {
        return Value::Null;
    }
    files.iter().map(|file| json!({"name": file.name, "data": STANDARD.encode(&file.data)})).collect()
}

fn chart_json(chart: &RecordedChart) -> Value {
    json!({
        "metadata": chart.metadata,
        "lock": null,
        "templates": files_json(&chart.templates),
        "values": chart.values,
        "schema": chart.schema.as_ref().map(|schema| STANDARD.encode(schema)),
        "files": files_json(&chart.files),
    })
}

fn hook_json(hook: &RecordedHook) -> Value {
    let mut fields = Map::new();
    fields.insert("name".into(), json!(hook.name));
    fields.insert("kind".into(), json!(hook.kind));
    fields.insert("path".into(), json!(hook.path));
    fields.insert("manifest".into(), json!(hook.manifest));
    fields.insert("events".into(), json!(hook.events));
    if let Some((started, completed)) = hook.ran {
        let run =
            json!({"started_at": started.to_string(), "completed_at": completed.to_string(), "phase": "Succeeded"});
        fields.insert("last_run".into(), run);
    } else {
        fields.insert("last_run".into(), json!({"phase": ""}));
    }
    if hook.weight != 0 {
        fields.insert("weight".into(), json!(hook.weight));
    }
    if !hook.delete_policies.is_empty() {
        fields.insert("delete_policies".into(), json!(hook.delete_policies));
    }
    Value::Object(fields)
}
