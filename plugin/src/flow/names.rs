//! Names for completion: quick, and silent about whatever stands in the way.

use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;

use mizar_core::timing::Timing;
use mizar_core::yaml::{self, DuplicateKeys};
use serde_json::Value;

use crate::cluster::Access;
use crate::cluster::connect::{Target, connect};
use crate::cluster::read::Listing;
use crate::context::Context;

/// No kubeconfig is larger.
const FILE_LIMIT: u64 = 16 * 1024 * 1024;

/// More names help nobody who types.
const PAGE: u32 = 500;

/// A list of a kubeconfig.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Section {
    Contexts,
    Clusters,
    Users,
}

/// What a cluster has names of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Live {
    Namespaces,
    Nodes,
}

/// The names in a section of the kubeconfig: of `file`, or of those that kubectl would read.
pub(crate) fn of_kubeconfig(section: Section, file: Option<&Path>) -> Vec<String> {
    let variable = std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty());
    let files: Vec<PathBuf> = match (file, variable) {
        (Some(file), _) => vec![file.to_path_buf()],
        (None, Some(list)) => std::env::split_paths(&list).collect(),
        (None, None) => std::env::home_dir().map(|home| home.join(".kube/config")).into_iter().collect(),
    };
    let mut names: Vec<String> =
        files.iter().filter_map(|file| read(file)).flat_map(|text| in_text(section, &text)).collect();
    names.sort();
    names.dedup();
    names
}

fn read(file: &Path) -> Option<String> {
    let is_usual = std::fs::metadata(file).is_ok_and(|found| found.is_file() && found.len() <= FILE_LIMIT);
    is_usual.then(|| std::fs::read_to_string(file).ok())?
}

fn in_text(section: Section, text: &str) -> Vec<String> {
    let section = match section {
        Section::Contexts => "contexts",
        Section::Clusters => "clusters",
        Section::Users => "users",
    };
    let Ok(config) = yaml::read(text, DuplicateKeys::TakeLast) else { return Vec::new() };
    let entries = config.get(section).and_then(Value::as_array).into_iter().flatten();
    entries.filter_map(|entry| entry.get("name")?.as_str().map(str::to_owned)).collect()
}

/// The names that a cluster has, as far as it tells them in time.
pub(crate) fn of_cluster(kind: Live, context: &Context) -> Vec<String> {
    let (tell, told) = channel();
    let (target, timing) = (context.target.clone(), context.timing.clone());
    // On a thread of its own, which nobody waits for: connecting may run a program that asks somebody else.
    std::thread::spawn(move || {
        if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
            let _nobody_may_wait = tell.send(runtime.block_on(list(kind, &target, timing)));
        }
    });
    told.recv_timeout(context.timing.completion).unwrap_or_default()
}

async fn list(kind: Live, target: &Target, timing: Timing) -> Vec<String> {
    let (path, noun) = match kind {
        Live::Namespaces => ("/api/v1/namespaces", "namespaces"),
        Live::Nodes => ("/api/v1/nodes", "nodes"),
    };
    // Between two keys a credential plugin neither asks nor is heard.
    let target = Target { has_terminal: false, ..target.clone() };
    let Ok(cluster) = connect(&target, "complete", Access::ReadOnly, timing, |_| {}).await else { return Vec::new() };
    cluster.ledger().enter("names");
    let listing = Listing { path, noun, labels: "", fields: "", page_limit: PAGE, metadata_only: true };
    let mut names = Vec::new();
    let read = cluster
        .items(&listing, |item| names.extend(item.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned)))
        .await;
    if read.is_ok() { names } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_tells_its_names_and_a_broken_one_none() {
        let text = "contexts: [{name: a}, {name: b}, {}]\nusers: [{name: u}]\nclusters: 7\n";
        assert_eq!(in_text(Section::Contexts, text), ["a", "b"]);
        assert_eq!(in_text(Section::Users, text), ["u"]);
        assert_eq!(in_text(Section::Clusters, text), Vec::<String>::new());
        assert_eq!(in_text(Section::Contexts, "contexts: ["), Vec::<String>::new());
    }
}
