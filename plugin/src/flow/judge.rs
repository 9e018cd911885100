//! Gathers the facts of a phase and judges them by the table of checks.

use std::process::Stdio;
use std::time::Duration;

use jiff::Timestamp;
use mizar_core::check::{self, Options, Phase, Report, access};
use mizar_core::facts::{self, ClientFact, Facts};

use super::gather::{Gathered, Wanted, gather};
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::report::Reporter;
use crate::settings;

/// Reads and judges; never writes. `plan` says what an install would bring, for the preflight; `reporter` is told when
/// the reading takes longer.
pub(crate) async fn judge(
    cluster: &Cluster,
    phase: Phase,
    namespace: &str,
    plan: Option<facts::Plan>,
    take_over_cni: bool,
    reporter: &dyn Reporter,
) -> Result<(Facts, Report), Failure> {
    let sources = check::sources_of(phase);
    let wanted = Wanted {
        sources: &sources,
        namespaces: plan.as_ref().map(|plan| access::namespaces_of(&plan.needs)).unwrap_or_default(),
        plan,
        client: client(phase).await,
        release_namespace: Some(namespace),
        reporter: Some(reporter),
        ..Wanted::default()
    };
    let Gathered { facts, .. } = gather(cluster, wanted).await?;
    let options = Options { take_over_cni, ..options(namespace, facts.gathered_at) };
    let report = check::evaluate(phase, &facts, &options);
    Ok((facts, report))
}

/// How things are judged at a moment.
pub(crate) fn options(namespace: &str, now: Timestamp) -> Options {
    Options { namespace: namespace.to_owned(), thresholds: settings::thresholds(), ..Options::at(now) }
}

/// What preflight wants to know of this machine: where kubectl is, and its version.
pub(crate) async fn client(phase: Phase) -> ClientFact {
    if phase != Phase::Preflight {
        return ClientFact::default();
    }
    let Some(path) = kubectl_path() else { return ClientFact::default() };
    let mut command = tokio::process::Command::new(&path);
    command.args(["version", "--client", "-o", "json"]).stdin(Stdio::null()).kill_on_drop(true);
    let answer = tokio::time::timeout(Duration::from_secs(5), command.output()).await;
    let version = answer.ok().and_then(Result::ok).and_then(|output| {
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        Some(json["clientVersion"]["gitVersion"].as_str()?.to_owned())
    });
    ClientFact { kubectl_path: Some(path), kubectl_version: version }
}

fn kubectl_path() -> Option<String> {
    if let Ok(path) = std::env::var(settings::KUBECTL_PATH)
        && !path.is_empty()
    {
        return Some(path);
    }
    let folders = std::env::var_os("PATH")?;
    let name = if cfg!(windows) { "kubectl.exe" } else { "kubectl" };
    std::env::split_paths(&folders)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .map(|path| path.display().to_string())
}
