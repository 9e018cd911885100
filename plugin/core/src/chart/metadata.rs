//! Chart.yaml.

use super::ChartError;
use crate::template::is_version;
use crate::yaml::{self, DuplicateKeys};
use serde_json::{Map, Value};

/// What Chart.yaml says.
#[derive(Debug, Clone, PartialEq)]
pub struct Metadata {
    /// The chart's name.
    pub name: String,
    /// The chart's version.
    pub version: String,
    /// The version of what the chart installs.
    pub app_version: Option<String>,
    /// One sentence.
    pub description: Option<String>,
    /// The versions of Kubernetes that the chart is for, as a semver constraint.
    pub kube_version: Option<String>,
    /// The names of the charts it needs.
    pub dependencies: Vec<String>,
    /// Everything, as a release record stores it.
    pub raw: Map<String, Value>,
}

/// Fields that hold text even where YAML sees a number; like Helm, `appVersion: 1.10` without quotes becomes `1.1`.
const TEXTS: [&str; 9] =
    ["name", "home", "version", "description", "icon", "apiVersion", "appVersion", "kubeVersion", "type"];

impl Metadata {
    pub(super) fn parse(source: &str) -> Result<Self, ChartError> {
        let (value, places) =
            yaml::read_located(source, DuplicateKeys::Refuse).map_err(|error| ChartError::yaml("Chart.yaml", error))?;
        let Value::Object(mut raw) = value else {
            return Err(ChartError::not_a_mapping("Chart.yaml", &value, &places));
        };
        for key in TEXTS {
            if let Some(value) = raw.get_mut(key) {
                match value {
                    Value::Number(number) => *value = Value::from(number.to_string()),
                    Value::Bool(boolean) => *value = Value::from(boolean.to_string()),
                    _ => {}
                }
            }
        }
        raw.retain(|_, value| !value.is_null());
        let wrong = |message: String| ChartError::Metadata { message };
        let text = |key: &str| match raw.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(ChartError::Metadata { message: format!("`{key}` must be a text") }),
        };
        let required = |key: &str| {
            let found = text(key)?.filter(|text| !text.is_empty());
            found.ok_or_else(|| ChartError::Metadata { message: format!("`{key}` is missing") })
        };
        let name = required("name")?;
        if name.contains(['/', '\\']) {
            return Err(ChartError::Metadata { message: format!("`{name}` is no name for a chart") });
        }
        match text("type")?.as_deref() {
            Some("library") => return Err(ChartError::Library { chart: name }),
            None | Some("" | "application") => {}
            Some(other) => return Err(wrong(format!("`type` is {other}, must be application"))),
        }
        if let Some(other) = text("apiVersion")?.filter(|version| !matches!(version.as_str(), "" | "v1" | "v2")) {
            return Err(wrong(format!("`apiVersion` is {other}, and this version of kubectl-mizar reads v1 and v2")));
        }
        let version = required("version")?;
        if !is_version(&version) {
            return Err(wrong(format!("`version` is {version}, must be a version such as 1.2.3")));
        }
        let dependencies = raw.get("dependencies").and_then(Value::as_array).into_iter().flatten();
        let dependencies = dependencies.filter_map(|one| one["name"].as_str().map(str::to_string)).collect();
        Ok(Self {
            version,
            app_version: text("appVersion")?,
            description: text("description")?,
            kube_version: text("kubeVersion")?,
            dependencies,
            name,
            raw,
        })
    }

    /// What templates see as `.Chart`: the fields under their Go names, empty where absent.
    pub(super) fn as_template_value(&self) -> Value {
        let text = |key: &str| self.raw.get(key).cloned().unwrap_or_else(|| Value::from(""));
        let other = |key: &str| self.raw.get(key).cloned().unwrap_or(Value::Null);
        let maintainers = self.raw.get("maintainers").and_then(Value::as_array).map(|people| {
            let person = |one: &Value| {
                let field = |key: &str| one.get(key).cloned().unwrap_or_else(|| Value::from(""));
                serde_json::json!({"Name": field("name"), "Email": field("email"), "URL": field("url")})
            };
            Value::from(people.iter().map(person).collect::<Vec<_>>())
        });
        serde_json::json!({
            "Name": self.name,
            "Home": text("home"),
            "Sources": other("sources"),
            "Version": self.version,
            "Description": text("description"),
            "Keywords": other("keywords"),
            "Maintainers": maintainers,
            "Icon": text("icon"),
            "APIVersion": text("apiVersion"),
            "Condition": text("condition"),
            "Tags": text("tags"),
            "AppVersion": self.app_version.as_deref().unwrap_or_default(),
            "Deprecated": self.raw.get("deprecated").cloned().unwrap_or(Value::Bool(false)),
            "Annotations": other("annotations"),
            "KubeVersion": self.kube_version.as_deref().unwrap_or_default(),
            "Dependencies": Value::Null,
            "Type": text("type"),
            "IsRoot": true,
        })
    }
}
