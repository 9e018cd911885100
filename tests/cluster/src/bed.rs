//! The harness: a bed of the tests, taken for one test at a time and brought back to its baseline first.
//!
//! Test processes share a pool of beds through file locks, so it works under `cargo test` and nextest alike. A bed goes
//! down by itself after nobody has held it for ten minutes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use mizar_simulator::FaultOrder;
use serde_json::Value;

use crate::audit::{self, AuditError, AuditMark, AuditTrail};
use crate::baseline::Baseline;
use crate::cache::{CacheError, FileLock};
use crate::client::{self, ClientError};
use crate::control::{self, ControlError, Request};
use crate::layout::Layout;
use crate::lifecycle::{self, FoundBed, LifecycleError, StartOptions};
use crate::process::ProcessId;
use crate::programs::{self, Program, ProgramError};
use crate::progress::{explain, say};
use crate::reset::{self, ResetError};
use crate::state::{self, BuildStamp, FileError, KubernetesVersion};
use crate::supervisor;
use crate::users::Role;

/// How long a test waits for its turn; the tests before it may take minutes each.
const TURN_PATIENCE: Duration = Duration::from_secs(30 * 60);
const IDLE: Duration = Duration::from_secs(10 * 60);
const ROUND: Duration = Duration::from_secs(1);
/// A log beyond this size slows reading down: such a bed is started anew.
const LONGEST_AUDIT_LOG: u64 = 512 << 20;

/// Why a test got no bed, or its bed does not do what is asked.
#[derive(Debug, thiserror::Error)]
pub enum BedError {
    /// Others held all beds for too long.
    #[error(
        "all {0} test beds were held for {minutes} min; MIZAR_TEST_BEDS sets how many there are",
        minutes = TURN_PATIENCE.as_secs() / 60
    )]
    NoTurn(usize),
    /// MIZAR_TEST_BEDS is not a number.
    #[error("MIZAR_TEST_BEDS must be a number from 1 to 16, got {0:?}")]
    PoolSize(String),
    /// Starting or stopping.
    #[error(transparent)]
    Lifecycle(#[from] LifecycleError),
    /// Bringing it back to its baseline.
    #[error("bed {name} cannot be reset")]
    Reset {
        /// Which.
        name: String,
        /// Why.
        source: ResetError,
    },
    /// The API server.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The supervisor.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// A lock.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The bed's files.
    #[error(transparent)]
    File(#[from] FileError),
    /// A program.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The audit log.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The audit log does not show a request that was answered.
    #[error("the audit log did not show our own request within {} s", AUDIT_PATIENCE.as_secs())]
    AuditLags,
    /// A blocking part was cancelled: the runtime is shutting down.
    #[error("the test's runtime ended in the middle of work")]
    Cancelled(#[from] tokio::task::JoinError),
}

const AUDIT_PATIENCE: Duration = Duration::from_secs(10);

/// What a test wants of its bed.
#[derive(Debug, Clone)]
pub struct BedOptions {
    /// How many nodes.
    pub nodes: usize,
    /// Which version of Kubernetes to behave as.
    pub version: KubernetesVersion,
}

impl Default for BedOptions {
    fn default() -> Self {
        Self { nodes: 3, version: KubernetesVersion::NATIVE }
    }
}

/// A bed that belongs to one test until it is dropped.
pub struct Bed {
    layout: Layout,
    name: String,
    api_server: String,
    supervisor: ProcessId,
    nodes: usize,
    admin: kube::Client,
    begin: AuditMark,
    _lock: FileLock,
}

impl Bed {
    /// Takes a bed of the pool, starts it if necessary, and brings it back to its baseline.
    pub async fn acquire(options: BedOptions) -> Result<Self, BedError> {
        let wanted = options.clone();
        let (bed, lock) = tokio::task::spawn_blocking(move || take(&wanted)).await??;
        match Self::prepare(&bed, &options).await {
            Ok((admin, begin)) => Self::new(bed, options.nodes, admin, begin, lock),
            Err(error) => {
                say(&format!("bed {}: {}; starting it anew", bed.name, explain(&error)));
                let start = fresh(&bed.name, &options);
                let (bed, lock) = tokio::task::spawn_blocking(move || {
                    lifecycle::stop(&bed, &lock)?;
                    lifecycle::start(&start, &lock).map(|bed| (bed, lock))
                })
                .await??;
                let (admin, begin) = Self::prepare(&bed, &options).await?;
                Self::new(bed, options.nodes, admin, begin, lock)
            }
        }
    }

    fn new(
        bed: FoundBed,
        nodes: usize,
        admin: kube::Client,
        begin: AuditMark,
        lock: FileLock,
    ) -> Result<Self, BedError> {
        let not_ready = || LifecycleError::NotReady {
            name: bed.name.clone(),
            reason: "it went away".to_owned(),
            folder: bed.layout.folder().to_owned(),
        };
        let state = bed.state.clone().ok_or_else(not_ready)?;
        Ok(Self {
            layout: bed.layout,
            name: bed.name,
            api_server: state.api_server,
            supervisor: state.supervisor,
            nodes,
            admin,
            begin,
            _lock: lock,
        })
    }

    async fn prepare(bed: &FoundBed, options: &BedOptions) -> Result<(kube::Client, AuditMark), BedError> {
        let admin = client::connect(&bed.layout.kubeconfig(Role::Admin)).await?;
        let api_server = bed.state.as_ref().map(|state| state.api_server.clone()).unwrap_or_default();
        let begin = clean_up(&bed.layout, &bed.name, &admin, options.nodes, &api_server).await?;
        Ok((admin, begin))
    }

    /// Brings it back to its baseline without giving it up, for whoever tries many things one after the other.
    pub async fn reset(&mut self) -> Result<(), BedError> {
        self.begin = clean_up(&self.layout, &self.name, &self.admin, self.nodes, &self.api_server).await?;
        Ok(())
    }

    /// Everything there is, events apart, as paths; a name that a controller made up ends in what it made it up from.
    pub async fn census(&self) -> Result<Vec<String>, BedError> {
        Ok(reset::census(&self.admin).await?)
    }

    /// Kills the API server and starts it anew on its port; returns when it is ready.
    pub async fn restart_api_server(&self) -> Result<(), BedError> {
        ask(&self.layout, Request::RestartApiServer).await.map(drop)
    }

    /// Has etcd stand still for a while, from now on.
    pub async fn pause_etcd(&self, pause: Duration) -> Result<(), BedError> {
        let millis = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        ask(&self.layout, Request::Pause { program: Program::Etcd, millis }).await.map(drop)
    }

    /// The bed's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A client that may do everything.
    pub fn admin(&self) -> kube::Client {
        self.admin.clone()
    }

    /// A client of a role.
    pub async fn client(&self, role: Role) -> Result<kube::Client, BedError> {
        Ok(client::connect(&self.kubeconfig(role)).await?)
    }

    /// The kubeconfig of a role.
    pub fn kubeconfig(&self, role: Role) -> PathBuf {
        self.layout.kubeconfig(role)
    }

    /// The bed's folder.
    pub fn dir(&self) -> &Path {
        self.layout.folder()
    }

    /// The API server's address.
    pub fn api_server(&self) -> &str {
        &self.api_server
    }

    /// The process that runs the bed.
    pub fn supervisor(&self) -> &ProcessId {
        &self.supervisor
    }

    /// Makes something go wrong until `clear_faults`.
    pub async fn fault(&self, order: FaultOrder) -> Result<(), BedError> {
        ask(&self.layout, Request::SetFault { order }).await.map(drop)
    }

    /// Ends all faults.
    pub async fn clear_faults(&self) -> Result<(), BedError> {
        ask(&self.layout, Request::ClearFaults).await.map(drop)
    }

    /// All that the simulator knows.
    pub async fn simulator_state(&self) -> Result<Value, BedError> {
        ask(&self.layout, Request::SimulatorState).await
    }

    /// The requests since the bed was acquired.
    pub async fn audit(&self) -> Result<AuditTrail, BedError> {
        self.audit_since(self.begin).await
    }

    /// The end of the audit log, for `audit_since`.
    pub async fn mark(&self) -> Result<AuditMark, BedError> {
        self.audit_is_complete(self.begin).await?;
        Ok(audit::mark(&self.layout.audit_log())?)
    }

    /// The requests since a mark, without those that look at the log.
    pub async fn audit_since(&self, mark: AuditMark) -> Result<AuditTrail, BedError> {
        Ok(without_sentinels(&self.audit_is_complete(mark).await?))
    }

    async fn audit_is_complete(&self, since: AuditMark) -> Result<AuditTrail, BedError> {
        audit_is_complete(&self.admin, &self.layout, since).await
    }

    /// Helm 4, as the administrator.
    pub fn helm4(&self) -> Result<Command, BedError> {
        self.program(Program::Helm4)
    }

    /// Helm 3, as the administrator.
    pub fn helm3(&self) -> Result<Command, BedError> {
        self.program(Program::Helm3)
    }

    /// kubectl, as the administrator.
    pub fn kubectl(&self) -> Result<Command, BedError> {
        self.program(Program::Kubectl)
    }

    /// A program, built if it is missing, as the administrator; set KUBECONFIG for another role.
    pub fn program(&self, program: Program) -> Result<Command, BedError> {
        let path = programs::ensure(&[program])?.remove(&program).expect("ensure returns what it was asked for");
        let mut command = Command::new(path);
        self.prepare_command(&mut command);
        // Helm keeps caches and reads plugins from the home of whoever runs the tests.
        let home = self.layout.folder().join("home");
        command.env("HELM_CACHE_HOME", home.join("cache")).env("HELM_CONFIG_HOME", home.join("config"));
        command.env("HELM_DATA_HOME", home.join("data"));
        Ok(command)
    }

    /// Gives a command the administrator's KUBECONFIG and the bed's PATH.
    pub fn prepare_command(&self, command: &mut Command) {
        command.envs(environment(&self.layout)).env("KUBECACHEDIR", self.layout.folder().join("kube-cache"));
    }
}

async fn clean_up(
    layout: &Layout,
    name: &str,
    admin: &kube::Client,
    nodes: usize,
    api_server: &str,
) -> Result<AuditMark, BedError> {
    let failed = |source| BedError::Reset { name: name.to_owned(), source };
    let baseline: Baseline = state::read(&layout.baseline())?.unwrap_or_default();
    ask(layout, Request::Reset).await?;
    reset::clean(admin, &baseline).await.map_err(failed)?;
    // Again: until its pod was gone, the operator ran, learned something new, and marked what it saw.
    ask(layout, Request::Reset).await?;
    reset::rebuild(admin, &baseline, nodes, supervisor::port(api_server)).await.map_err(failed)?;
    Ok(audit::mark(&layout.audit_log())?)
}

/// The variables under which programs find a bed: KUBECONFIG, MIZAR_BED and PATH.
pub fn environment(layout: &Layout) -> [(&'static str, std::ffi::OsString); 3] {
    let mut path = layout.commands().into_os_string();
    if let Some(rest) = std::env::var_os("PATH") {
        path.push(":");
        path.push(rest);
    }
    [
        ("KUBECONFIG", layout.kubeconfig(Role::Admin).into_os_string()),
        ("MIZAR_BED", layout.folder().as_os_str().to_owned()),
        ("PATH", path),
    ]
}

/// A request that nobody else makes.
const SENTINEL: &str = "/version?mizar-bed-audit=";

/// Makes a request and waits until the log shows it: then it shows everything answered before.
pub(crate) async fn audit_is_complete(
    admin: &kube::Client,
    layout: &Layout,
    since: AuditMark,
) -> Result<AuditTrail, BedError> {
    let path = format!("{SENTINEL}{}", uuid::Uuid::new_v4());
    client::get_text(admin, &path).await?;
    let started = Instant::now();
    while started.elapsed() < AUDIT_PATIENCE {
        let trail = audit::read(&layout.audit_log(), since)?;
        if trail.entries().iter().any(|entry| entry.uri == path) {
            return Ok(trail);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err(BedError::AuditLags)
}

/// What others asked for.
pub(crate) fn without_sentinels(trail: &AuditTrail) -> AuditTrail {
    trail.filter(|entry| !entry.uri.starts_with(SENTINEL))
}

async fn ask(layout: &Layout, request: Request) -> Result<Value, BedError> {
    let socket = layout.socket();
    Ok(tokio::task::spawn_blocking(move || control::ask(&socket, &request)).await??)
}

fn pool_size() -> Result<usize, BedError> {
    let Some(text) = std::env::var_os("MIZAR_TEST_BEDS") else { return Ok(2) };
    let text = text.to_string_lossy();
    let fits = text.parse().ok().filter(|size| (1..=16).contains(size));
    fits.ok_or_else(|| BedError::PoolSize(text.into_owned()))
}

fn fresh(name: &str, options: &BedOptions) -> StartOptions {
    StartOptions {
        nodes: options.nodes,
        version: options.version,
        round: ROUND,
        idle: Some(IDLE),
        ..StartOptions::named(name)
    }
}

/// Takes the first bed of the pool that nobody holds; a running one that fits before one that must be started.
fn take(options: &BedOptions) -> Result<(FoundBed, FileLock), BedError> {
    let size = pool_size()?;
    let supervisor = lifecycle::supervisor_program().map_err(LifecycleError::from)?;
    let build = BuildStamp::of(&supervisor)?;
    lifecycle::sweep()?;
    let names: Vec<String> = (1..=size).map(|number| format!("test-{number}")).collect();
    let started = Instant::now();
    while started.elapsed() < TURN_PATIENCE {
        let mut free = Vec::new();
        for name in &names {
            if let Some(lock) = FileLock::try_acquire(&lifecycle::lock_file(name)?)? {
                let bed = lifecycle::find(name)?.filter(|bed| fits(bed, options, &build));
                free.push((bed, name, lock));
            }
        }
        free.sort_by_key(|(bed, ..)| bed.is_none());
        if let Some((bed, name, lock)) = free.into_iter().next() {
            return match bed {
                Some(bed) => Ok((bed, lock)),
                None => Ok((restart(name, options, &lock)?, lock)),
            };
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(BedError::NoTurn(size))
}

fn fits(bed: &FoundBed, options: &BedOptions, build: &BuildStamp) -> bool {
    let log = std::fs::metadata(bed.layout.audit_log()).map_or(0, |metadata| metadata.len());
    let same = bed.state.as_ref().is_some_and(|state| state.build == *build && state.version == options.version);
    bed.is_ready() && same && log < LONGEST_AUDIT_LOG
}

fn restart(name: &str, options: &BedOptions, lock: &FileLock) -> Result<FoundBed, LifecycleError> {
    if let Some(old) = lifecycle::find(name)? {
        lifecycle::stop(&old, lock)?;
    }
    lifecycle::start(&fresh(name, options), lock)
}
