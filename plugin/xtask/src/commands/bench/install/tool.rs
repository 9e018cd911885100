//! The tools that are compared, and what one types to have each do the same.

use std::path::{Path, PathBuf};

use mizar_core::check::{Phase, sources_of};
use mizar_core::facts::Request;

use super::chart::{CHANGE, Charts, NAMESPACE};

/// A program that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tool {
    Mizar,
    Helm,
    Kubectl,
}

/// What it is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Task {
    /// Both charts onto a cluster that has nothing of them.
    Install,
    /// The same once more.
    Rerun,
    /// With one value changed, which one ConfigMap shows.
    Change,
    /// The manifests, without a cluster.
    Render,
    /// Look at all that makes up Mizar.
    Check,
}

impl Tool {
    pub(super) const ALL: [Self; 3] = [Self::Mizar, Self::Helm, Self::Kubectl];

    /// As the tables call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Mizar => "kubectl mizar",
            Self::Helm => "helm",
            Self::Kubectl => "kubectl",
        }
    }

    /// How its name begins in the audit log.
    pub(super) fn agent(self) -> &'static str {
        match self {
            Self::Mizar => "kubectl-mizar/",
            Self::Helm => "Helm/",
            Self::Kubectl => "kubectl/",
        }
    }
}

impl Task {
    /// Those that need a cluster, in the order in which they are done.
    pub(super) const ON_CLUSTER: [Self; 4] = [Self::Install, Self::Rerun, Self::Change, Self::Check];

    /// As the tables call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Rerun => "rerun, nothing changed",
            Self::Change => "rerun, one value changed",
            Self::Render => "render",
            Self::Check => "check",
        }
    }
}

/// The files that commands name.
pub(super) struct Files {
    pub(super) charts: Charts,
    /// All manifests as Helm renders them, for `kubectl apply`.
    pub(super) manifests: PathBuf,
    /// The same with the value changed.
    pub(super) changed: PathBuf,
}

/// What is typed, command after command; nothing where a tool has no such thing.
pub(super) fn commands(tool: Tool, task: Task, files: &Files) -> Vec<Vec<String>> {
    let dev = files.charts.mizar.join("values-dev.yaml");
    let (chart, definitions, dev) = (text(&files.charts.mizar), text(&files.charts.definitions), text(&dev));
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let ours = ["install", "--profile", "dev", "--chart", &chart, "--wait=false", "-y"];
    let in_namespace = ["-n", NAMESPACE];
    let of_definitions = ["mizar-crds", &definitions, in_namespace[0], in_namespace[1]];
    let of_mizar = ["mizar", &chart, in_namespace[0], in_namespace[1], "-f", &dev];
    match (tool, task) {
        (Tool::Mizar, Task::Install | Task::Rerun) => vec![owned(&ours)],
        (Tool::Mizar, Task::Change) => vec![owned(&[&ours[..], &["--set", CHANGE]].concat())],
        (Tool::Mizar, Task::Render) => vec![owned(&["render", "--profile", "dev", "--chart", &chart])],
        (Tool::Mizar, Task::Check) => vec![owned(&["check"])],
        (Tool::Helm, Task::Install) => vec![
            owned(&[&["install"], &of_definitions[..], &["--create-namespace"]].concat()),
            owned(&[&["install"], &of_mizar[..]].concat()),
        ],
        (Tool::Helm, Task::Rerun) => {
            vec![owned(&[&["upgrade"], &of_definitions[..]].concat()), owned(&[&["upgrade"], &of_mizar[..]].concat())]
        }
        (Tool::Helm, Task::Change) => vec![owned(&[&["upgrade"], &of_mizar[..], &["--set", CHANGE]].concat())],
        (Tool::Helm, Task::Render) => vec![owned(&[&["template"], &of_mizar[..]].concat())],
        (Tool::Kubectl, Task::Install | Task::Rerun) => {
            vec![owned(&["apply", "--server-side", "-f", &text(&files.manifests)])]
        }
        (Tool::Kubectl, Task::Change) => vec![owned(&["apply", "--server-side", "-f", &text(&files.changed)])],
        (Tool::Kubectl, Task::Check) => vec![owned(&["get", &lists(), "--all-namespaces", "-o", "json"])],
        (Tool::Helm, Task::Check) | (Tool::Kubectl, Task::Render) => Vec::new(),
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// The kinds that `check` lists, as kubectl takes them.
fn lists() -> String {
    let requests = sources_of(Phase::Health).into_iter().filter(|source| !source.is_arktos());
    let kinds = requests.filter_map(|source| match source.request() {
        Request::List { path, .. } => kind_of(path),
        _ => None,
    });
    let mut kinds: Vec<String> = kinds.collect();
    kinds.dedup();
    kinds.join(",")
}

/// `/apis/apps/v1/daemonsets` is daemonsets.v1.apps.
fn kind_of(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let plural = parts.last()?;
    match parts.as_slice() {
        ["api", _, ..] => Some((*plural).to_owned()),
        ["apis", group, version, ..] => Some(format!("{plural}.{version}.{group}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubectl_is_asked_for_what_check_lists() {
        assert_eq!(kind_of("/api/v1/pods").as_deref(), Some("pods"));
        assert_eq!(kind_of("/apis/apps/v1/daemonsets").as_deref(), Some("daemonsets.v1.apps"));
        let lists = lists();
        assert!(lists.contains("nodes") && lists.contains("droplets.v1.mizar.com"), "{lists}");
    }

    #[test]
    fn helm_installs_both_charts_and_upgrades_only_the_one_that_changed() {
        let charts = Charts { definitions: "d".into(), mizar: "m".into() };
        let files = Files { charts, manifests: "a".into(), changed: "b".into() };
        let install = commands(Tool::Helm, Task::Install, &files);
        assert_eq!(install[0].join(" "), "install mizar-crds d -n mizar-system --create-namespace");
        assert_eq!(install[1].join(" "), "install mizar m -n mizar-system -f m/values-dev.yaml");
        assert_eq!(commands(Tool::Helm, Task::Change, &files).len(), 1);
        assert!(commands(Tool::Helm, Task::Check, &files).is_empty());
    }
}
