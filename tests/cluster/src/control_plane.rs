//! The programs of one control plane: their files, flags, order and readiness.
//!
//! What is put into the cluster afterwards is the business of `baseline` and `nodes`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;
use tokio::process::{Child, Command};

use crate::layout::Layout;
use crate::pki::{self, PkiError};
use crate::process::ProcessId;
use crate::programs::Program;
use crate::state::{self, BedKind, BedOrder, FileError, KubernetesVersion};
use crate::users::{self, Accounts};

/// Where the components' log lines end in an error.
const SHOWN_LINES: usize = 8;
/// A healthy program of ours is ready in a few seconds; a busy machine may take ten times that.
const READY_PATIENCE: Duration = Duration::from_secs(90);
/// In the format of container runtimes, which is all that KWOK reads.
const POD_LOG: &str = "2026-01-01T00:00:00.000000000Z stdout F a pod of the test bed, played by KWOK\n";
const STOP_PATIENCE: Duration = Duration::from_secs(4);

/// Why a control plane cannot be started or went away.
#[derive(Debug, thiserror::Error)]
pub enum ControlPlaneError {
    /// Keys.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// Files.
    #[error(transparent)]
    File(#[from] FileError),
    /// No free port.
    #[error("cannot find a free port on 127.0.0.1")]
    Ports(#[source] io::Error),
    /// A program cannot be run at all.
    #[error("cannot run {}", path.display())]
    Spawn {
        /// The program.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The order lists no path for a program.
    #[error("the order of the bed names no path for {0}")]
    NoPath(Program),
    /// A program ended by itself.
    #[error("{program} ended by itself ({status}); its last lines:\n{log}")]
    Ended {
        /// Which.
        program: Program,
        /// How.
        status: ExitStatus,
        /// What it said.
        log: String,
    },
    /// A program did not become ready.
    #[error("{program} was not ready after {} s; its last lines:\n{log}", patience.as_secs())]
    NotReady {
        /// Which.
        program: Program,
        /// How long we waited.
        patience: Duration,
        /// What it said.
        log: String,
    },
    /// The certificate authority that was just made is not accepted by our own client.
    #[error("cannot make a client for the API server")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Ports that nobody listened on a moment ago.
#[derive(Debug, Clone, Copy)]
struct Ports {
    etcd: u16,
    etcd_peers: u16,
    api_server: u16,
    controller_manager: u16,
    scheduler: u16,
    kwok: u16,
}

impl Ports {
    fn free() -> io::Result<Self> {
        // All are held at once, so that they differ.
        let listeners: Vec<TcpListener> =
            (0..6).map(|_| TcpListener::bind(("127.0.0.1", 0))).collect::<io::Result<_>>()?;
        let mut ports = [0; 6];
        for (port, listener) in ports.iter_mut().zip(&listeners) {
            *port = listener.local_addr()?.port();
        }
        let [etcd, etcd_peers, api_server, controller_manager, scheduler, kwok] = ports;
        Ok(Self { etcd, etcd_peers, api_server, controller_manager, scheduler, kwok })
    }
}

/// A control plane whose programs have been written down but perhaps not started.
pub(crate) struct ControlPlane {
    layout: Layout,
    ports: Ports,
    kind: BedKind,
    version: KubernetesVersion,
    programs: BTreeMap<Program, PathBuf>,
    authority: String,
    children: BTreeMap<Program, Child>,
}

impl ControlPlane {
    /// Writes keys, tokens and configuration into the bed's folder.
    pub(crate) fn prepare(layout: &Layout, order: &BedOrder) -> Result<Self, ControlPlaneError> {
        for folder in layout.folders() {
            state::make_folder(&folder)?;
        }
        // A first attempt may have left its data.
        state::remove_folder(&layout.data())?;
        let ports = Ports::free().map_err(ControlPlaneError::Ports)?;
        let authority = pki::write(layout)?;
        let plane = Self {
            layout: layout.clone(),
            ports,
            kind: order.kind,
            version: order.version,
            programs: order.programs.clone(),
            authority,
            children: BTreeMap::new(),
        };
        plane.write_accounts(&order.name)?;
        plane.write_configuration()?;
        Ok(plane)
    }

    /// The API server's address.
    pub(crate) fn api_server(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports.api_server)
    }

    /// etcd's address.
    pub(crate) fn etcd(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.etcd)
    }

    /// The authority that signed the API server's certificate.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// The programs that run, by name.
    pub(crate) fn processes(&self) -> BTreeMap<String, ProcessId> {
        let running =
            |(program, child): (&Program, &Child)| Some((program.name().to_owned(), ProcessId::of(child.id()?)?));
        self.children.iter().filter_map(running).collect()
    }

    fn write_accounts(&self, bed: &str) -> Result<(), ControlPlaneError> {
        let accounts = Accounts::fresh();
        let authority = self.layout.pki("ca.crt");
        let config = |account| users::kubeconfig(bed, &self.api_server(), &authority, account);
        state::write_text(&self.layout.configuration("tokens.csv"), &accounts.token_file())?;
        state::write(&self.layout.component_kubeconfig("controller-manager"), &config(&accounts.controller_manager))?;
        state::write(&self.layout.component_kubeconfig("scheduler"), &config(&accounts.scheduler))?;
        for (role, account) in &accounts.roles {
            state::write(&self.layout.kubeconfig(*role), &config(account))?;
        }
        Ok(())
    }

    fn write_configuration(&self) -> Result<(), ControlPlaneError> {
        let audit = json!({
            "apiVersion": "audit.k8s.io/v1", "kind": "Policy",
            "omitStages": ["RequestReceived"], "rules": [{"level": "Metadata"}],
        });
        state::write(&self.layout.configuration("audit.yaml"), &audit)?;
        let pod_log = self.layout.pod_log();
        state::write_text(&pod_log, POD_LOG)?;
        let stages = include_str!("stages.yaml").replace("@POD_LOG@", &pod_log.to_string_lossy());
        state::write_text(&self.layout.configuration("stages.yaml"), &stages)?;
        Ok(())
    }

    /// Starts etcd.
    pub(crate) async fn start_etcd(&mut self) -> Result<(), ControlPlaneError> {
        let (clients, peers) = (self.ports.etcd, self.ports.etcd_peers);
        self.spawn(
            Program::Etcd,
            &[
                &flag("data-dir", self.layout.data().display()),
                &format!("--listen-client-urls=http://127.0.0.1:{clients}"),
                &format!("--advertise-client-urls=http://127.0.0.1:{clients}"),
                &format!("--listen-peer-urls=http://127.0.0.1:{peers}"),
                // The data lives as long as the bed: losing it in a power cut is fine.
                "--unsafe-no-fsync",
                // Fifty thousand pods with all their revisions pass etcd's usual 2 GiB.
                "--quota-backend-bytes=8589934592",
                "--log-level=warn",
            ],
        )?;
        self.until_ready(Program::Etcd, || async move {
            tokio::net::TcpStream::connect(("127.0.0.1", clients)).await.is_ok()
        })
        .await
    }

    /// Starts the API server and returns an administrator's client once it says it is ready.
    pub(crate) async fn start_api_server(&mut self) -> Result<kube::Client, ControlPlaneError> {
        let layout = &self.layout;
        let pki = |name: &str, file: &str| flag(name, layout.pki(file).display());
        let mut arguments = vec![
            format!("--etcd-servers=http://127.0.0.1:{}", self.ports.etcd),
            "--bind-address=127.0.0.1".into(),
            format!("--secure-port={}", self.ports.api_server),
            // It refuses to publish a loopback address; `baseline` writes the Endpoints.
            "--endpoint-reconciler-type=none".into(),
            pki("tls-cert-file", "server.crt"),
            pki("tls-private-key-file", "server.key"),
            pki("client-ca-file", "ca.crt"),
            flag("token-auth-file", layout.configuration("tokens.csv").display()),
            "--authorization-mode=Node,RBAC".into(),
            flag(
                "service-cluster-ip-range",
                match self.kind {
                    BedKind::Whole => "10.0.0.0/24",
                    // Room for the services of a large cluster.
                    BedKind::Bare | BedKind::Counted => "10.96.0.0/12",
                },
            ),
            "--allow-privileged=true".into(),
            // Nodes have InternalDNS localhost, where KWOK answers for their kubelets.
            "--kubelet-preferred-address-types=InternalDNS".into(),
            "--service-account-issuer=https://kubernetes.default.svc".into(),
            pki("service-account-key-file", "service-accounts.pub"),
            pki("service-account-signing-key-file", "service-accounts.key"),
            pki("requestheader-client-ca-file", "ca.crt"),
            "--requestheader-allowed-names=front-proxy".into(),
            "--requestheader-username-headers=X-Remote-User".into(),
            "--requestheader-group-headers=X-Remote-Group".into(),
            "--requestheader-extra-headers-prefix=X-Remote-Extra-".into(),
            pki("proxy-client-cert-file", "front-proxy.crt"),
            pki("proxy-client-key-file", "front-proxy.key"),
            format!("--emulated-version=kube={}", self.version),
        ];
        if self.kind != BedKind::Bare {
            arguments.extend(self.audit_flags());
        }
        if self.kind != BedKind::Whole {
            // No controller makes service accounts or takes a taint off: objects are kept as they are sent.
            arguments.push("--disable-admission-plugins=ServiceAccount,TaintNodesByCondition".to_owned());
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.spawn(Program::KubeApiserver, &arguments)?;
        let client = crate::client::connect(&self.layout.kubeconfig(crate::users::Role::Admin))
            .await
            .map_err(|error| ControlPlaneError::Client(error.into()))?;
        let probe = client.clone();
        self.until_ready(Program::KubeApiserver, || {
            let probe = probe.clone();
            async move { crate::client::get_text(&probe, "/readyz").await.is_ok() }
        })
        .await?;
        Ok(client)
    }

    /// Kills the API server, as a machine that fails does, and starts it anew on its port; then what else ran on that machine: nodes go on.
    /// Controllers that had stayed would look for the server ever more seldom, after some restarts once in half a minute.
    pub(crate) async fn restart_api_server(&mut self) -> Result<(), ControlPlaneError> {
        self.kill(Program::KubeApiserver).await;
        self.start_api_server().await?;
        for program in [Program::KubeControllerManager, Program::KubeScheduler] {
            self.kill(program).await;
        }
        self.start_controllers()
    }

    async fn kill(&mut self, program: Program) {
        if let Some(mut killed) = self.children.remove(&program) {
            // It fails only if the program has just ended.
            let _ended = killed.kill().await;
        }
    }

    /// Has a program stand still for a while, from now on.
    pub(crate) fn pause(&self, program: Program, pause: Duration) {
        let process = self.children.get(&program).and_then(|child| ProcessId::of(child.id()?));
        if let Some(process) = process {
            process.signal(Signal::SIGSTOP);
            tokio::spawn(async move {
                tokio::time::sleep(pause).await;
                process.signal(Signal::SIGCONT);
            });
        }
    }

    fn audit_flags(&self) -> [String; 4] {
        [
            flag("audit-policy-file", self.layout.configuration("audit.yaml").display()),
            flag("audit-log-path", self.layout.audit_log().display()),
            // In blocking mode an answer is logged before the next request of the same client.
            "--audit-log-mode=blocking".into(),
            // Readers remember offsets, so the file is never turned over.
            "--audit-log-maxsize=100000".into(),
        ]
    }

    /// Starts everything that needs an API server; returns at once.
    pub(crate) fn start_the_rest(&mut self) -> Result<(), ControlPlaneError> {
        self.start_controllers()?;
        self.start_kwok()
    }

    fn start_controllers(&mut self) -> Result<(), ControlPlaneError> {
        self.start_controller_manager()?;
        self.start_scheduler()
    }

    fn start_controller_manager(&mut self) -> Result<(), ControlPlaneError> {
        let layout = &self.layout;
        let pki = |name: &str, file: &str| flag(name, layout.pki(file).display());
        let kubeconfig = layout.component_kubeconfig("controller-manager");
        let arguments = [
            flag("kubeconfig", kubeconfig.display()),
            flag("authentication-kubeconfig", kubeconfig.display()),
            flag("authorization-kubeconfig", kubeconfig.display()),
            pki("service-account-private-key-file", "service-accounts.key"),
            pki("root-ca-file", "ca.crt"),
            pki("cluster-signing-cert-file", "ca.crt"),
            pki("cluster-signing-key-file", "ca.key"),
            "--use-service-account-credentials=true".into(),
            // At the default of 20 a second, the accounts and tokens of its own controllers take four seconds.
            "--kube-api-qps=1000".into(),
            "--kube-api-burst=2000".into(),
            "--leader-elect=false".into(),
            "--bind-address=127.0.0.1".into(),
            format!("--secure-port={}", self.ports.controller_manager),
            format!("--emulated-version=kube={}", self.version),
        ];
        self.spawn(Program::KubeControllerManager, &arguments.each_ref().map(String::as_str))
    }

    fn start_scheduler(&mut self) -> Result<(), ControlPlaneError> {
        let kubeconfig = self.layout.component_kubeconfig("scheduler");
        let arguments = [
            flag("kubeconfig", kubeconfig.display()),
            flag("authentication-kubeconfig", kubeconfig.display()),
            flag("authorization-kubeconfig", kubeconfig.display()),
            "--kube-api-qps=1000".into(),
            "--kube-api-burst=2000".into(),
            "--leader-elect=false".into(),
            "--bind-address=127.0.0.1".into(),
            format!("--secure-port={}", self.ports.scheduler),
            format!("--emulated-version=kube={}", self.version),
        ];
        self.spawn(Program::KubeScheduler, &arguments.each_ref().map(String::as_str))
    }

    fn start_kwok(&mut self) -> Result<(), ControlPlaneError> {
        let layout = &self.layout;
        let port = self.ports.kwok;
        let arguments = [
            flag("kubeconfig", layout.kubeconfig(crate::users::Role::Admin).display()),
            flag("config", layout.configuration("stages.yaml").display()),
            "--manage-all-nodes=true".into(),
            "--cidr=10.244.0.0/16".into(),
            "--node-name=localhost".into(),
            "--node-ip=127.0.0.1".into(),
            format!("--node-port={port}"),
            format!("--server-address=127.0.0.1:{port}"),
            flag("tls-cert-file", layout.pki("server.crt").display()),
            flag("tls-private-key-file", layout.pki("server.key").display()),
            "--node-lease-duration-seconds=40".into(),
        ];
        self.spawn(Program::Kwok, &arguments.each_ref().map(String::as_str))
    }

    fn spawn(&mut self, program: Program, arguments: &[&str]) -> Result<(), ControlPlaneError> {
        let path = self.programs.get(&program).ok_or(ControlPlaneError::NoPath(program))?;
        let spawn = || {
            let log = File::create(self.layout.log(program.name()))?;
            let mut command = std::process::Command::new(path);
            command.args(arguments).current_dir(self.layout.folder());
            // Memory is plenty on whatever runs tests; processors are not.
            command.env("GOGC", "400");
            // Of its own group, so that a Ctrl-C for whoever started the bed does not reach it.
            command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
            Command::from(command).kill_on_drop(true).spawn()
        };
        let child = spawn().map_err(|source| ControlPlaneError::Spawn { path: path.clone(), source })?;
        self.children.insert(program, child);
        Ok(())
    }

    async fn until_ready<F>(&mut self, program: Program, mut probe: impl FnMut() -> F) -> Result<(), ControlPlaneError>
    where
        F: Future<Output = bool>,
    {
        let started = Instant::now();
        while started.elapsed() < READY_PATIENCE {
            if tokio::time::timeout(Duration::from_secs(2), probe()).await.unwrap_or(false) {
                return Ok(());
            }
            self.check_running()?;
            // Neither program tells anyone when it is ready, so it is asked.
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        Err(ControlPlaneError::NotReady { program, patience: READY_PATIENCE, log: self.last_lines(program) })
    }

    /// Fails with the first program that has ended.
    pub(crate) fn check_running(&mut self) -> Result<(), ControlPlaneError> {
        let ended = self
            .children
            .iter_mut()
            .find_map(|(program, child)| child.try_wait().ok().flatten().map(|status| (*program, status)));
        match ended {
            None => Ok(()),
            Some((program, status)) => Err(ControlPlaneError::Ended { program, status, log: self.last_lines(program) }),
        }
    }

    fn last_lines(&self, program: Program) -> String {
        // KWOK fills its log with NUL bytes after a wrong template.
        let log = fs::read_to_string(self.layout.log(program.name())).unwrap_or_default().replace('\0', "");
        let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
    }

    /// Ends every program: first those that write, then the API server, then its store.
    pub(crate) async fn stop(mut self) {
        for (programs, patience) in [
            (&[Program::Kwok, Program::KubeScheduler, Program::KubeControllerManager][..], STOP_PATIENCE),
            // It would wait for every watch of every client to end, up to a minute; the data is thrown away with the bed.
            (&[Program::KubeApiserver], Duration::from_secs(1)),
            (&[Program::Etcd], Duration::from_secs(1)),
        ] {
            self.end(programs, patience).await;
        }
    }

    async fn end(&mut self, programs: &[Program], patience: Duration) {
        let mut children: Vec<Child> = programs.iter().filter_map(|program| self.children.remove(program)).collect();
        for process in children.iter().filter_map(|child| ProcessId::of(child.id()?)) {
            process.signal(Signal::SIGTERM);
        }
        let deadline = tokio::time::Instant::now() + patience;
        for child in &mut children {
            if tokio::time::timeout_at(deadline, child.wait()).await.is_err() {
                // It fails only if the program has just ended.
                let _ended = child.kill().await;
            }
        }
    }
}

fn flag(name: &str, value: impl std::fmt::Display) -> String {
    format!("--{name}={value}")
}
