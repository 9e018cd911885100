//! What runs which version: this program with its charts, the API server, and the Mizar in the cluster.

use serde::Serialize;
use serde_json::{Value, json};

use crate::facts::Facts;
use crate::installed::{Found, Installed};

/// All versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Versions {
    /// This program.
    pub client_version: Client,
    /// The API server; nothing when it was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_version: Option<Server>,
    /// What there is of Mizar; nothing when the cluster was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mizar: Option<Installed>,
}

/// This program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Client {
    /// Its version, `v0.1.0`.
    pub git_version: String,
    /// The commit that it was built from, where the build said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git_commit: Option<String>,
    /// What it runs on, `linux/amd64`.
    pub platform: String,
    /// The charts that it brings.
    pub charts: Vec<BuiltIn>,
}

/// A chart that the program brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BuiltIn {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The version of what it installs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_version: Option<String>,
    /// The digest of its package, `sha256:…`.
    pub package_digest: String,
    /// The digest by which a registry knows it: what follows the @ in `helm pull oci://…`.
    pub digest: String,
}

/// The API server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Server {
    /// What it calls its version, `v1.36.2`.
    pub git_version: String,
}

impl Versions {
    /// Adds what the cluster tells.
    #[must_use]
    pub fn with_cluster(mut self, facts: &Facts) -> Self {
        self.server_version = facts.version.known().map(|version| Server { git_version: version.git_version.clone() });
        self.mizar = Some(Installed::of(facts));
        self
    }

    /// Returns the document, for machines.
    #[must_use]
    pub fn document(&self) -> Value {
        let mut document = json!({"apiVersion": "mizar.dev/v1", "kind": "Version"});
        if let (Some(document), Value::Object(fields)) = (document.as_object_mut(), json!(self)) {
            document.extend(fields);
        }
        document
    }

    /// What a person should know before this program changes that Mizar: a chart of another version than the one that it
    /// brings.
    #[must_use]
    pub fn skew(&self) -> Option<String> {
        let mizar = self.mizar.as_ref()?;
        let running = mizar.chart.as_deref()?;
        let brought = self.client_version.charts.iter().find(|chart| chart.name == "mizar")?;
        let own = format!("{}-{}", brought.name, brought.version);
        let differs = running != own.replace('+', "_");
        differs.then(|| format!("the cluster runs chart {running}, this program brings {own}"))
    }

    /// The lines for people, each with what it is about: names, then values.
    #[must_use]
    pub fn lines(&self) -> Vec<(String, String)> {
        let client = &self.client_version;
        let commit = client.git_commit.as_ref().map_or_else(String::new, |commit| format!(" ({commit})"));
        let mut lines = vec![("Client Version".to_owned(), format!("{}{commit}", client.git_version))];
        for chart in &client.charts {
            let brings = chart.app_version.as_ref().map_or_else(String::new, |version| format!(" (Mizar {version})"));
            lines.push((format!("Chart {}", chart.name), format!("{}{brings} {}", chart.version, chart.digest)));
        }
        lines
            .extend(self.server_version.iter().map(|server| ("Server Version".to_owned(), server.git_version.clone())));
        if let Some(mizar) = &self.mizar {
            lines.extend(installed(mizar));
        }
        lines
    }
}

fn installed(mizar: &Installed) -> Vec<(String, String)> {
    if mizar.is_known_to_be_missing() {
        return vec![("Mizar".to_owned(), "not installed".to_owned())];
    }
    let chart = mizar.chart.as_deref().unwrap_or("no chart");
    let place = mizar.namespace.as_ref().map_or_else(String::new, |namespace| format!(" in {namespace}"));
    let mut lines = vec![("Mizar".to_owned(), format!("{chart}{place}"))];
    for release in mizar.releases.iter().flatten() {
        let is = format!("revision {}, {}", release.revision, release.status);
        lines.push((format!("Release {}", release.name), is));
    }
    for (name, found) in [("Daemon", &mizar.daemon), ("Operator", &mizar.operator)] {
        let is = match found {
            Found::There(workload) => workload.images.join(", "),
            Found::Unknown { unknown } => format!("unknown: {unknown}"),
            Found::Missing => "missing".to_owned(),
        };
        lines.push((name.to_owned(), is));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::samples::{a_cluster_before, a_healthy_cluster};

    fn client() -> Versions {
        let chart = BuiltIn {
            name: "mizar".into(),
            version: "9.9.9".into(),
            app_version: Some("0.91".into()),
            package_digest: "sha256:12".into(),
            digest: "sha256:34".into(),
        };
        let client_version = Client {
            git_version: "v9.9.9".into(),
            git_commit: None,
            platform: "linux/amd64".into(),
            charts: vec![chart],
        };
        Versions { client_version, server_version: None, mizar: None }
    }

    fn text(versions: &Versions) -> String {
        versions.lines().into_iter().map(|(name, is)| format!("{name}: {is}\n")).collect::<Vec<_>>().concat()
    }

    #[test]
    fn without_a_cluster_there_is_the_client_part_only() {
        let document = client().document();
        let fields: Vec<&String> = document.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["apiVersion", "kind", "clientVersion"]);
        let chart = &document["clientVersion"]["charts"][0];
        assert_eq!((&chart["appVersion"], &chart["packageDigest"]), (&"0.91".into(), &"sha256:12".into()));
        assert_eq!(text(&client()), "Client Version: v9.9.9\nChart mizar: 9.9.9 (Mizar 0.91) sha256:34\n");
        assert_eq!(client().skew(), None);
    }

    #[test]
    fn what_the_cluster_runs_is_told_with_its_images_and_releases() {
        let versions = client().with_cluster(&a_healthy_cluster());
        let told = text(&versions);
        for line in ["Server Version: v1.", "Release mizar: revision 1, deployed", "Daemon: ", "Operator: "] {
            assert!(told.contains(line), "{told}");
        }
        assert_eq!(text(&client().with_cluster(&a_cluster_before())).lines().last(), Some("Mizar: not installed"));
    }

    #[test]
    fn a_chart_of_another_version_is_told() {
        let mut versions = client().with_cluster(&a_healthy_cluster());
        versions.mizar.as_mut().unwrap().chart = Some("mizar-9.9.8".into());
        assert_eq!(
            versions.skew().as_deref(),
            Some("the cluster runs chart mizar-9.9.8, this program brings mizar-9.9.9")
        );
        versions.mizar.as_mut().unwrap().chart = Some("mizar-9.9.9".into());
        assert_eq!(versions.skew(), None);
    }
}
