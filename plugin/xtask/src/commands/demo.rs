//! `cargo xtask demo`: Mizar on simulated nodes, from nothing to a checked network, with the product as a user types it.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use mizar_bed::lifecycle::{self, FoundBed, StartOptions};
use mizar_bed::{bed, cargo};
use serde_json::Value;

use super::cluster::down;
use crate::failure::Failure;
use crate::report;

const NAME: &str = "demo";
/// Mizar's operator looks every 15 s; nobody wants to watch that.
const ROUND: Duration = Duration::from_secs(3);
const PODS_PATIENCE: Duration = Duration::from_secs(180);
const WORKLOAD: &str = include_str!("demo/workload.yaml");
const REPLICAS: usize = 4;

#[derive(Args)]
pub(crate) struct Arguments {
    /// How many nodes to simulate
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=500))]
    nodes: u16,
    /// Keep the cluster to try more
    #[arg(long)]
    keep: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    lifecycle::sweep()?;
    let lock = lifecycle::lock(NAME)?;
    if let Some(old) = lifecycle::find(NAME)? {
        report::status("a demo cluster is there already; it is replaced");
        lifecycle::stop(&old, &lock)?;
    }
    report::status("==> building kubectl-mizar");
    let plugin = cargo::build("kubectl-mizar")?;
    report::status(&format!(
        "==> a real control plane with {} simulated nodes; Mizar's operator is simulated too, with rounds of {} s instead of 15 s",
        arguments.nodes,
        ROUND.as_secs()
    ));
    let options = StartOptions { nodes: arguments.nodes.into(), round: ROUND, ..StartOptions::named(NAME) };
    let bed = lifecycle::start(&options, &lock)?;
    drop(lock);
    let demo = Demo { bed, plugin };
    if let Err(failure) = demo.play() {
        return Err(Failure::Demo { folder: demo.bed.layout.folder().to_owned(), source: Box::new(failure) });
    }
    if arguments.keep {
        report::status(
            "\nThe cluster is kept. Try:\n  \
             eval \"$(cargo xtask cluster env --name demo)\"\n  \
             kubectl get nodes,droplets,dividers,bouncers\n  \
             kubectl mizar check\n  \
             helm list -n mizar-system\n  \
             cargo xtask cluster fault --name demo crash-loop --node node-1\n  \
             cargo xtask cluster down --name demo",
        );
    } else {
        down::stop(NAME)?;
        report::status("\nTo look around yourself: cargo xtask demo --keep");
    }
    Ok(ExitCode::SUCCESS)
}

struct Demo {
    bed: FoundBed,
    plugin: PathBuf,
}

impl Demo {
    fn play(&self) -> Result<(), Failure> {
        self.mizar(&["check", "--pre"])?;
        self.mizar(&["install", "--profile", "dev", "-y"])?;
        report::status("\n$ kubectl apply -f workload.yaml   # a Deployment of 4 pods and a Service");
        self.apply_workload()?;
        let pods = self.until_pods_run()?;
        show_pods(&pods);
        self.mizar(&["check"])
    }

    /// Runs the plugin as `kubectl mizar …` would.
    fn mizar(&self, arguments: &[&str]) -> Result<(), Failure> {
        let typed = format!("kubectl mizar {}", arguments.join(" "));
        report::status(&format!("\n$ {typed}"));
        let mut command = Command::new(&self.plugin);
        command.args(arguments).stdin(Stdio::null());
        let status = self.in_bed(&mut command).status();
        finished(typed, status.map_err(|source| self.cannot_run(source))?)
    }

    fn kubectl(&self) -> Command {
        Command::new(self.bed.layout.commands().join("kubectl"))
    }

    fn in_bed<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.envs(bed::environment(&self.bed.layout))
    }

    fn cannot_run(&self, source: std::io::Error) -> Failure {
        Failure::Run { program: self.plugin.display().to_string(), source }
    }

    fn apply_workload(&self) -> Result<(), Failure> {
        let file = self.bed.layout.folder().join("workload.yaml");
        let unwritten = |source| Failure::Run { program: format!("the demo: {}", file.display()), source };
        std::fs::write(&file, WORKLOAD).map_err(unwritten)?;
        let mut command = self.kubectl();
        command.args(["apply", "-f"]).arg(&file);
        let status = self.in_bed(&mut command).status().map_err(|source| self.cannot_run(source))?;
        finished("kubectl apply".to_owned(), status)
    }

    /// Waits until every pod runs with an address that Mizar gave it.
    fn until_pods_run(&self) -> Result<Vec<Value>, Failure> {
        let started = Instant::now();
        let mut told = Instant::now();
        loop {
            let pods = self.get("pods")?;
            let endpoints = self.get("endpoints.mizar.com")?;
            let wired = |pod: &&Value| has_mizar_address(pod, &endpoints);
            let running = pods.iter().filter(wired).count();
            if running == REPLICAS && pods.len() == REPLICAS {
                return Ok(pods);
            }
            let seen = format!("{running} of {REPLICAS} pods run with an address of Mizar");
            if started.elapsed() >= PODS_PATIENCE {
                return Err(Failure::Late {
                    what: "pods on Mizar's network".to_owned(),
                    patience: PODS_PATIENCE,
                    seen,
                });
            }
            if told.elapsed() >= Duration::from_secs(5) {
                told = Instant::now();
                report::status(&seen);
            }
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    fn get(&self, resource: &str) -> Result<Vec<Value>, Failure> {
        let mut command = self.kubectl();
        command.args(["get", resource, "-n", "default", "-o", "json", "--request-timeout=10s"]);
        if resource == "pods" {
            command.args(["-l", "app=hello"]);
        }
        let output = self.in_bed(&mut command).output().map_err(|source| self.cannot_run(source))?;
        if !output.status.success() {
            return finished(format!("kubectl get {resource}"), output.status).map(|()| Vec::new());
        }
        let mut list: Value = serde_json::from_slice(&output.stdout)
            .map_err(|source| Failure::Garbled { program: "kubectl".to_owned(), source })?;
        Ok(match list["items"].take() {
            Value::Array(items) => items,
            _ => Vec::new(),
        })
    }
}

fn show_pods(pods: &[Value]) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let row = |pod: &Value| {
        let status = &pod["status"];
        [text(&pod["metadata"]["name"]), text(&status["phase"]), text(&status["podIP"]), text(&pod["spec"]["nodeName"])]
    };
    report::table(["POD", "PHASE", "ADDRESS", "NODE"], &pods.iter().map(row).collect::<Vec<_>>());
}

/// Whether a pod runs with the address of one of Mizar's Endpoints.
fn has_mizar_address(pod: &Value, endpoints: &[Value]) -> bool {
    let address = &pod["status"]["podIP"];
    pod["status"]["phase"] == "Running"
        && address.is_string()
        && endpoints.iter().any(|endpoint| endpoint["spec"]["ip"] == *address)
}

fn finished(command: String, status: std::process::ExitStatus) -> Result<(), Failure> {
    if status.success() { Ok(()) } else { Err(Failure::Command { command, status }) }
}
