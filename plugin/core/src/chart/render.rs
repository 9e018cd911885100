//! Renders a chart to documents as Helm 4 does: files split at `---`, hooks apart, ordered by kind for the install, and put together again
//! into the two texts Helm makes of them, the manifest of a release record and the output of `helm template`.

use super::{Capabilities, Chart};
use crate::template::{TemplateError, TemplateSource, Templates, from_json};
use crate::yaml::{self, DuplicateKeys, Room, YamlError};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What templates see as `.Release`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseInfo {
    /// The release's name.
    pub name: String,
    /// The namespace it goes to.
    pub namespace: String,
    /// 1 for an install.
    pub revision: u32,
    /// Whether this is the first revision and not an upgrade.
    pub is_install: bool,
}

/// One document of a rendered template.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The template, with the chart's name in front: `mizar/templates/access/x.yaml`.
    pub path: String,
    /// The folder below `templates/`, if the template is in one: `access`.
    pub stage: Option<String>,
    /// The document's text, without the line `---`.
    pub text: String,
    /// The object; nothing for a document of comments only.
    pub value: Option<Value>,
}

/// When a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HookEvent(&'static str);

impl HookEvent {
    /// The event as it is written in a record, for example `pre-install`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

const HOOK_EVENTS: [&str; 9] = [
    "pre-install",
    "post-install",
    "pre-delete",
    "post-delete",
    "pre-upgrade",
    "post-upgrade",
    "pre-rollback",
    "post-rollback",
    "test",
];

/// A document that is applied at an event, not with the others.
#[derive(Debug, Clone, PartialEq)]
pub struct Hook {
    /// The document.
    pub document: Document,
    /// The object's name.
    pub name: String,
    /// The object's kind.
    pub kind: String,
    /// When it runs.
    pub events: Vec<HookEvent>,
    /// Lower runs first.
    pub weight: i32,
    /// `before-hook-creation`, `hook-succeeded`, `hook-failed`; empty means the first.
    pub delete_policies: Vec<String>,
    /// As in the annotation `helm.sh/hook-output-log-policy`.
    pub output_log_policies: Vec<String>,
}

/// A rendered chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// Everything that is applied, in the order of an install.
    pub documents: Vec<Document>,
    /// The hooks, in the same order.
    pub hooks: Vec<Hook>,
    /// NOTES.txt.
    pub notes: Option<String>,
}

/// Why a chart cannot be rendered.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RenderError {
    /// A template cannot be loaded or fails.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// What a template gave is not YAML.
    #[error("YAML parse error on {path}: {error}")]
    Yaml {
        /// The template.
        path: String,
        /// Where in the document, and what.
        error: YamlError,
    },
    /// What a template gave is no object.
    #[error("{path} gives a document that is no object: {reason}")]
    NotAnObject {
        /// The template.
        path: String,
        /// Why not.
        reason: String,
    },
    /// A template is not UTF-8.
    #[error("{path} is not UTF-8 text")]
    NotText {
        /// The template.
        path: String,
    },
}

/// Renders with what Helm assumes where it asks no cluster.
pub fn render(chart: &Chart, values: &Value, release: &ReleaseInfo) -> Result<Rendered, RenderError> {
    render_with(chart, values, release, &Capabilities::default())
}

/// Renders for a cluster of the given capabilities.
pub fn render_with(
    chart: &Chart,
    values: &Value,
    release: &ReleaseInfo,
    capabilities: &Capabilities,
) -> Result<Rendered, RenderError> {
    let mut paths_and_texts = Vec::new();
    for file in &chart.templates {
        let path = format!("{}/{}", chart.metadata.name, file.path);
        let text = std::str::from_utf8(&file.data).map_err(|_| RenderError::NotText { path: path.clone() })?;
        paths_and_texts.push((path, text));
    }
    let sources: Vec<TemplateSource<'_>> =
        paths_and_texts.iter().map(|(path, text)| TemplateSource { path, text }).collect();
    let templates = Templates::load(&sources)?;
    let mut rendered = Rendered { documents: Vec::new(), hooks: Vec::new(), notes: None };
    let mut room = Room::default();
    let scope = root(chart, values, release, capabilities);
    for source in sources {
        let file_name = source.path.rsplit('/').next().unwrap_or(source.path);
        if file_name.starts_with('_') {
            continue;
        }
        let text = templates.render(source.path, &with_template(&scope, chart, source.path))?;
        if source.path.ends_with("NOTES.txt") {
            if source.path == format!("{}/templates/NOTES.txt", chart.metadata.name) {
                rendered.notes = Some(text);
            }
        } else {
            sort_in(&mut rendered, &mut room, source.path, &text)?;
        }
    }
    rendered.documents.sort_by_key(|document| install_position(document_kind(document)));
    rendered.hooks.sort_by_key(|hook| install_position(&hook.kind));
    Ok(rendered)
}

fn root(
    chart: &Chart,
    values: &Value,
    release: &ReleaseInfo,
    capabilities: &Capabilities,
) -> BTreeMap<String, tera::Value> {
    let mut version = capabilities.kube_version.trim_start_matches('v').split('.');
    let (major, minor) = (version.next().unwrap_or_default(), version.next().unwrap_or_default());
    let files: serde_json::Map<String, Value> =
        chart.files.iter().map(|file| (file.path.clone(), Value::from(String::from_utf8_lossy(&file.data)))).collect();
    let kube_version = &capabilities.kube_version;
    let parts = [
        ("Values", values.clone()),
        ("Chart", chart.metadata.as_template_value()),
        (
            "Release",
            json!({
                "Name": release.name,
                "Namespace": release.namespace,
                "IsInstall": release.is_install,
                "IsUpgrade": !release.is_install,
                "Revision": release.revision,
                "Service": "Helm",
            }),
        ),
        (
            "Capabilities",
            json!({
                "KubeVersion": {"Version": kube_version, "GitVersion": kube_version, "Major": major, "Minor": minor},
                "APIVersions": capabilities.api_versions,
            }),
        ),
        ("Files", Value::Object(files)),
        ("Subcharts", json!({})),
    ];
    parts.into_iter().map(|(name, value)| (name.to_string(), from_json(&value))).collect()
}

fn with_template(root: &BTreeMap<String, tera::Value>, chart: &Chart, path: &str) -> tera::Value {
    let template = json!({"Name": path, "BasePath": format!("{}/templates", chart.metadata.name)});
    let mut root = root.clone();
    root.insert("Template".into(), from_json(&template));
    tera::Value::from(root)
}

/// Splits a rendered file and puts its documents where they belong.
fn sort_in(rendered: &mut Rendered, room: &mut Room, path: &str, text: &str) -> Result<(), RenderError> {
    for text in split_documents(text) {
        let value = yaml::read_within(text, DuplicateKeys::TakeLast, room)
            .map_err(|error| RenderError::Yaml { path: path.into(), error })?;
        let value = match value {
            Value::Null => None,
            Value::Object(_) => Some(value),
            _ => {
                let reason = "it is a text, a number or a list".to_string();
                return Err(RenderError::NotAnObject { path: path.into(), reason });
            }
        };
        let document = Document { path: path.into(), stage: stage(path), text: text.into(), value };
        match annotation(&document, "helm.sh/hook") {
            None => rendered.documents.push(document),
            Some(events) => rendered.hooks.extend(hook(document, &events)),
        }
    }
    Ok(())
}

/// Helm splits at lines that begin with `---`; blank documents vanish.
pub(crate) fn split_documents(text: &str) -> Vec<&str> {
    let text = text.trim_start();
    let mut documents = Vec::new();
    let mut start = 0;
    let mut line_start = 0;
    loop {
        let line = &text[line_start..];
        if let Some(after) = line.strip_prefix("---") {
            documents.push(&text[start..line_start]);
            start = text.len() - after.trim_start_matches([' ', '\t']).len();
        }
        match text[line_start.max(start)..].find('\n') {
            Some(at) => line_start = line_start.max(start) + at + 1,
            None => break,
        }
    }
    documents.push(&text[start..]);
    documents.into_iter().filter(|document| !document.trim().is_empty()).map(str::trim_start).collect()
}

pub(crate) fn stage(path: &str) -> Option<String> {
    let (_, below) = path.split_once("/templates/")?;
    below.split_once('/').map(|(folder, _)| folder.to_string())
}

fn annotation(document: &Document, name: &str) -> Option<String> {
    let annotations = document.value.as_ref()?.get("metadata")?.get("annotations")?;
    match annotations.get(name)? {
        Value::String(text) => Some(text.clone()),
        // A weight without quotes is a number, which Helm takes as its text.
        plain @ (Value::Number(_) | Value::Bool(_)) => Some(plain.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn document_kind(document: &Document) -> &str {
    document.value.as_ref().and_then(|value| value.get("kind")).and_then(Value::as_str).unwrap_or_default()
}

/// A hook of an unknown event is dropped, as Helm does.
fn hook(document: Document, events: &str) -> Option<Hook> {
    let events = events.split(',').map(|event| {
        let event = event.trim().to_lowercase();
        let event = if event == "test-success" { "test".to_string() } else { event };
        HOOK_EVENTS.iter().find(|known| **known == event).map(|known| HookEvent(known))
    });
    let events: Vec<HookEvent> = events.collect::<Option<_>>()?;
    let list = |name: &str| -> Vec<String> {
        let text = annotation(&document, name).unwrap_or_default();
        text.split(',').map(|one| one.trim().to_lowercase()).filter(|one| !one.is_empty()).collect()
    };
    let name = document.value.as_ref().and_then(|value| value["metadata"]["name"].as_str()).unwrap_or_default();
    Some(Hook {
        name: name.into(),
        kind: document_kind(&document).into(),
        events,
        weight: annotation(&document, "helm.sh/hook-weight").and_then(|weight| weight.parse().ok()).unwrap_or(0),
        delete_policies: list("helm.sh/hook-delete-policy"),
        output_log_policies: list("helm.sh/hook-output-log-policy"),
        document,
    })
}

impl Rendered {
    /// The manifest as Helm 4 stores it in a release record.
    #[must_use]
    pub fn manifest(&self) -> String {
        self.documents.iter().map(with_source).collect()
    }

    /// The bytes that `helm template` prints.
    #[must_use]
    pub fn template_output(&self) -> String {
        let mut output = self.manifest().trim().to_string() + "\n";
        self.hooks.iter().for_each(|hook| output.push_str(&with_source(&hook.document)));
        output
    }
}

fn with_source(document: &Document) -> String {
    format!("---\n# Source: {}\n{}\n", document.path, document.text)
}

/// Known kinds in the order of Helm's install, then the others by name.
fn install_position(kind: &str) -> (usize, String) {
    match INSTALL_ORDER.iter().position(|known| *known == kind) {
        Some(at) => (at, String::new()),
        None => (INSTALL_ORDER.len(), kind.to_string()),
    }
}

const INSTALL_ORDER: [&str; 38] = [
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];
