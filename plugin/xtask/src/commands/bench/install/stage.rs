//! The control plane on which the tools take turns, the two ways to it, and one task on it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use mizar_bed::cache::FileLock;
use mizar_bed::counted::CountedBed;
use mizar_bed::lifecycle::{self, FoundBed, StartOptions};
use mizar_bed::programs::{self, Program};
use mizar_bed::{AuditTrail, Role};

use super::Sample;
use super::chart::{CHANGE, Charts, NAMESPACE};
use super::tool::{Files, Task, Tool, commands};
use super::wire::Wire;
use crate::commands::bench::measured::{Ended, measure_in};
use crate::failure::Failure;
use crate::report;

const BED: &str = "bench-install";
/// Enough for a preflight that wants to see nodes.
const NODES: usize = 3;
/// One whose benchmark was killed ends after this time.
const ABANDONED: Duration = Duration::from_secs(20);
/// A control plane without controllers runs no daemon: `check` finds that, and says so with its exit code.
const FOUND_FAILURES: i64 = 1;

/// A way to the API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Link {
    /// Over loopback.
    Direct,
    /// Over a wire that holds bytes up.
    Slow,
}

impl Link {
    pub(super) const ALL: [Self; 2] = [Self::Direct, Self::Slow];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Direct => "directly",
            Self::Slow => "over the long wire",
        }
    }
}

pub(super) struct Stage {
    bed: FoundBed,
    lock: FileLock,
    counted: CountedBed,
    wire: Wire,
    slow_kubeconfig: PathBuf,
    programs: BTreeMap<Tool, PathBuf>,
    home: PathBuf,
    files: Files,
}

impl Stage {
    /// Starts the control plane and prepares what the commands name.
    pub(super) fn open(binary: PathBuf, objects: u16, round_trip: Duration) -> Result<Self, Failure> {
        let lock = lifecycle::lock(BED)?;
        if let Some(old) = lifecycle::find(BED)? {
            lifecycle::stop(&old, &lock)?;
        }
        let lifetime = Duration::from_secs(3 * 3600);
        let options = StartOptions { lifetime, idle: Some(ABANDONED), ..StartOptions::counted(BED) };
        let bed = lifecycle::start(&options, &lock)?;
        let counted = CountedBed::open(&bed, NODES)?;
        let folder = bed.layout.folder().join("bench");
        let unusable = |path: &Path, source| Failure::File { path: path.to_owned(), source };
        let home = folder.join("home");
        std::fs::create_dir_all(&home).map_err(|source| unusable(&home, source))?;
        let charts = Charts::copy(&folder, objects)?;
        let mut built = programs::ensure(&[Program::Helm4, Program::Kubectl])?;
        let mut take = |program| built.remove(&program).expect("ensure returns what it was asked for");
        let (helm, kubectl) = (take(Program::Helm4), take(Program::Kubectl));
        let (server, kubeconfig) = (api_server(&bed)?, bed.layout.kubeconfig(Role::Admin));
        let wire = Wire::lay(server, round_trip).map_err(|source| unusable(&folder, source))?;
        let slow_kubeconfig = folder.join("kubeconfig");
        let text = std::fs::read_to_string(&kubeconfig).map_err(|source| unusable(&kubeconfig, source))?;
        let text = text.replace(&server.to_string(), &wire.address.to_string());
        std::fs::write(&slow_kubeconfig, text).map_err(|source| unusable(&slow_kubeconfig, source))?;
        let files = Files { charts, manifests: folder.join("all.yaml"), changed: folder.join("changed.yaml") };
        for (path, change) in [(&files.manifests, None), (&files.changed, Some(CHANGE))] {
            let text = manifests(&helm, &files.charts, change)?;
            std::fs::write(path, text).map_err(|source| unusable(path, source))?;
        }
        let programs = [(Tool::Mizar, binary), (Tool::Helm, helm), (Tool::Kubectl, kubectl)].into();
        Ok(Self { bed, lock, counted, wire, slow_kubeconfig, programs, home, files })
    }

    /// Takes everything out that a tool has put in.
    pub(super) fn clean(&self) -> Result<(), Failure> {
        Ok(self.counted.clean()?)
    }

    /// Has a tool do a task; nothing if it has no such thing.
    pub(super) fn perform(&self, link: Link, tool: Tool, task: Task) -> Result<Option<Sample>, Failure> {
        let lines = commands(tool, task, &self.files);
        if lines.is_empty() {
            return Ok(None);
        }
        let ended = match (tool, task) {
            (Tool::Mizar, Task::Check) => Ended::With(FOUND_FAILURES),
            _ => Ended::Well,
        };
        let environment = self.environment(link);
        let environment: Vec<(&str, &OsStr)> = environment.iter().map(|(name, it)| (*name, it.as_os_str())).collect();
        let mark = self.counted.mark()?;
        self.wire.take();
        let mut sample = Sample::default();
        for line in lines {
            let arguments: Vec<&str> = line.iter().map(String::as_str).collect();
            sample.add(&measure_in(&environment, self.program(tool), &arguments, ended)?);
        }
        sample.traffic = self.wire.take();
        let requests = self.counted.requests_since(mark)?.agent(tool.agent());
        sample.requests = requests.count();
        sample.phases = by_phase(&requests);
        Ok(Some(sample))
    }

    /// Where a tool lies.
    pub(super) fn program(&self, tool: Tool) -> &Path {
        &self.programs[&tool]
    }

    /// The size of our program.
    pub(super) fn binary_bytes(&self) -> Result<u64, Failure> {
        let path = self.program(Tool::Mizar);
        let size = std::fs::metadata(path).map(|file| file.len());
        size.map_err(|source| Failure::File { path: path.to_owned(), source })
    }

    /// The version that the API server is.
    pub(super) fn kubernetes(&self) -> String {
        self.bed.state.as_ref().map(|state| state.version.to_string()).unwrap_or_default()
    }

    /// The same for all tools: a home of their own that keeps their caches, and kubectl where a plugin looks for it.
    pub(super) fn environment(&self, link: Link) -> Vec<(&'static str, OsString)> {
        let kubeconfig = match link {
            Link::Direct => self.bed.layout.kubeconfig(Role::Admin),
            Link::Slow => self.slow_kubeconfig.clone(),
        };
        vec![
            ("KUBECONFIG", kubeconfig.into()),
            ("HOME", self.home.clone().into()),
            ("HELM_CACHE_HOME", self.home.join("helm/cache").into()),
            ("HELM_CONFIG_HOME", self.home.join("helm/config").into()),
            ("HELM_DATA_HOME", self.home.join("helm/data").into()),
            ("KUBECACHEDIR", self.home.join("kube").into()),
            ("KUBECTL_PATH", self.program(Tool::Kubectl).into()),
        ]
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Err(error) = lifecycle::stop(&self.bed, &self.lock) {
            report::status(&format!("bed {BED} was not stopped and ends by itself: {error}"));
        }
    }
}

fn api_server(bed: &FoundBed) -> Result<SocketAddr, Failure> {
    let address = bed.state.as_ref().map(|state| state.api_server.as_str()).unwrap_or_default();
    let host = address.trim_start_matches("https://");
    host.parse().map_err(|_| Failure::File {
        path: bed.layout.state(),
        source: std::io::Error::other(format!("no address of an API server: {address:?}")),
    })
}

/// What `kubectl apply` is given: the namespace, and both charts as Helm renders them.
fn manifests(helm: &Path, charts: &Charts, change: Option<&str>) -> Result<String, Failure> {
    let mut text = format!("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {NAMESPACE}\n");
    for (name, chart) in [("mizar-crds", &charts.definitions), ("mizar", &charts.mizar)] {
        let mut command = Command::new(helm);
        command.args(["template", name, "-n", NAMESPACE]).arg(chart);
        if name == "mizar" {
            command.arg("-f").arg(chart.join("values-dev.yaml"));
            command.args(change.iter().flat_map(|change| ["--set", change]));
        }
        let output = command.output();
        let output = output.map_err(|source| Failure::Run { program: helm.display().to_string(), source })?;
        if !output.status.success() {
            report::status(&String::from_utf8_lossy(&output.stderr));
            let command = format!("{} template {name} {}", helm.display(), chart.display());
            return Err(Failure::Command { command, status: output.status });
        }
        text += &String::from_utf8_lossy(&output.stdout);
    }
    Ok(text)
}

/// Ours end their User-Agent with `command/phase`.
fn by_phase(requests: &AuditTrail) -> BTreeMap<String, usize> {
    let mut phases = BTreeMap::new();
    for entry in requests.entries() {
        if let Some((_, phase)) = entry.user_agent.rsplit_once('/') {
            *phases.entry(phase.to_owned()).or_default() += 1;
        }
    }
    phases
}
