//! The one process of a bed: starts the programs and the simulator, answers on the control socket, and ends them all.
//!
//! Whoever started it reads its stdout: one JSON line per step until the bed is ready or has failed. Everything else
//! is in `state.json`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use mizar_simulator::{Simulator, SimulatorConfig, SimulatorError};
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::baseline::{self, BaselineError};
use crate::cache::{CacheError, FileLock};
use crate::client::ClientError;
use crate::control_plane::{ControlPlane, ControlPlaneError};
use crate::layout::Layout;
use crate::nodes::{self, NodeError};
use crate::process::ProcessId;
use crate::progress::explain;
use crate::reset;
use crate::state::{self, BedKind, BedOrder, BedState, FileError, Phase};

mod answering;

use answering::{Outage, OutageKind};

/// How often it looks whether a program ended and whether its time is over.
const WATCH_INTERVAL: Duration = Duration::from_millis(500);

/// Why a bed could not be run.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// Its files.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is nothing to run.
    #[error("{} holds no order.json", .0.display())]
    NoOrder(PathBuf),
    /// This process cannot be identified.
    #[error("cannot read this process's own start time")]
    NoIdentity,
    /// The programs.
    #[error(transparent)]
    ControlPlane(#[from] ControlPlaneError),
    /// The API server's answers.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The nodes.
    #[error(transparent)]
    Nodes(#[from] NodeError),
    /// CoreDNS.
    #[error(transparent)]
    Baseline(#[from] BaselineError),
    /// The simulator.
    #[error("the simulator cannot start")]
    Simulator(#[source] SimulatorError),
    /// The control socket or a signal handler.
    #[error("cannot {what}")]
    Io {
        /// What was attempted.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The bed's lock.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// A line on stdout for whoever started the bed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Announcement {
    /// What is being done now.
    Step(String),
    /// Everything runs.
    Ready,
    /// It could not be started.
    Failed(String),
}

fn announce(announcement: &Announcement) {
    let line = serde_json::to_string(announcement).expect("an announcement is plain data");
    // Nobody may be listening any more: then there is nobody to tell.
    let _unheard = writeln!(std::io::stdout(), "{line}");
}

/// Runs the bed that `folder` holds the order of, until it is told to stop or its time is over.
pub async fn supervise(folder: &Path) -> Result<(), SuperviseError> {
    let layout = Layout::new(folder);
    let order: BedOrder = state::read(&layout.order())?.ok_or_else(|| SuperviseError::NoOrder(folder.to_owned()))?;
    let mut state = BedState {
        phase: Phase::Starting,
        supervisor: ProcessId::own().ok_or(SuperviseError::NoIdentity)?,
        children: std::collections::BTreeMap::new(),
        api_server: String::new(),
        etcd: String::new(),
        nodes: order.nodes,
        version: order.version,
        started: SystemTime::now(),
        build: order.build.clone(),
        for_tests: order.idle.is_some(),
    };
    state::write(&layout.state(), &state)?;

    let result = match ControlPlane::prepare(&layout, &order) {
        Ok(plane) => run(&layout, &order, &mut state, plane).await,
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(_lock) => Ok(state::remove_folder(folder)?),
        Err(error) => {
            let told = explain(&error);
            state.phase = Phase::Failed(told.clone());
            state.children.clear();
            state::write(&layout.state(), &state)?;
            announce(&Announcement::Failed(told));
            Err(error)
        }
    }
}

async fn run(
    layout: &Layout,
    order: &BedOrder,
    state: &mut BedState,
    mut plane: ControlPlane,
) -> Result<Option<FileLock>, SuperviseError> {
    let result = match start(layout, order, state, &mut plane).await {
        Ok(started) => {
            let result = watch(layout, order, state, &mut plane, started.stop_requests, started.outages).await;
            started.conversations.abort();
            // Aborted: it has nothing to say.
            let _cancelled = started.conversations.await;
            if let Some(simulator) = started.simulator.and_then(Arc::into_inner) {
                simulator.stop().await;
            }
            result
        }
        Err(error) => Err(error),
    };
    if result.is_ok() {
        state.phase = Phase::Stopping;
        state::write(&layout.state(), state)?;
    }
    plane.stop().await;
    result
}

/// What runs besides the programs.
struct Started {
    simulator: Option<Arc<Simulator>>,
    conversations: JoinHandle<()>,
    stop_requests: mpsc::Receiver<()>,
    outages: mpsc::Receiver<Outage>,
}

/// Starts everything, in the order in which one thing needs another.
async fn start(
    layout: &Layout,
    order: &BedOrder,
    state: &mut BedState,
    plane: &mut ControlPlane,
) -> Result<Started, SuperviseError> {
    state.api_server = plane.api_server();
    state.etcd = plane.etcd();
    step("starting etcd");
    plane.start_etcd().await?;
    note_children(layout, state, plane)?;
    step("starting kube-apiserver");
    let client = plane.start_api_server().await?;
    let simulator = match order.kind {
        BedKind::Whole => Some(populate(layout, order, state, plane, &client).await?),
        BedKind::Bare | BedKind::Counted => None,
    };
    note_children(layout, state, plane)?;
    let (stop, stop_requests) = mpsc::channel(1);
    let (programs, outages) = mpsc::channel(1);
    state.phase = Phase::Ready;
    state::write(&layout.state(), state)?;
    let conversations = answering::listen(layout, simulator.clone(), stop, programs)
        .map_err(|source| SuperviseError::Io { what: format!("listen on {}", layout.socket().display()), source })?;
    announce(&Announcement::Ready);
    Ok(Started { simulator, conversations, stop_requests, outages })
}

/// Starts what makes a cluster of an API server, waits until it is one, and writes down what it holds.
async fn populate(
    layout: &Layout,
    order: &BedOrder,
    state: &mut BedState,
    plane: &mut ControlPlane,
    client: &kube::Client,
) -> Result<Arc<Simulator>, SuperviseError> {
    step("starting controllers, scheduler, nodes and simulator");
    plane.start_the_rest()?;
    note_children(layout, state, plane)?;
    let mut config = SimulatorConfig::new(client.clone(), plane.api_server(), plane.authority());
    config.round = order.round;
    let (simulator, (), ()) = tokio::try_join!(
        async { Simulator::start(config).await.map_err(SuperviseError::Simulator) },
        async { Ok(nodes::converge(client, order.nodes).await?) },
        async { Ok(baseline::apply(client, port(&state.api_server)).await?) },
    )?;
    step("waiting for nodes and CoreDNS");
    tokio::select! {
        ready = async {
            nodes::until_ready(client, order.nodes).await?;
            baseline::until_core_dns_runs(client).await?;
            Ok::<(), SuperviseError>(())
        } => ready?,
        // Without them nothing becomes ready, so their end is the better error.
        ended = until_one_ends(plane) => return Err(ended.into()),
    }
    state::write(&layout.baseline(), &reset::record(client).await?)?;
    Ok(Arc::new(simulator))
}

fn step(text: &str) {
    announce(&Announcement::Step(text.to_owned()));
}

fn note_children(layout: &Layout, state: &mut BedState, plane: &ControlPlane) -> Result<(), FileError> {
    state.children = plane.processes();
    state::write(&layout.state(), state)
}

/// The port of an address that we made ourselves.
pub(crate) fn port(api_server: &str) -> &str {
    api_server.rsplit_once(':').map_or("", |(_, port)| port)
}

async fn until_one_ends(plane: &mut ControlPlane) -> ControlPlaneError {
    loop {
        tokio::time::sleep(WATCH_INTERVAL).await;
        if let Err(error) = plane.check_running() {
            return error;
        }
    }
}

/// Does to a program what was ordered.
async fn befall(plane: &mut ControlPlane, kind: OutageKind) -> Result<(), ControlPlaneError> {
    match kind {
        OutageKind::RestartApiServer => plane.restart_api_server().await,
        OutageKind::Pause(program, pause) => {
            plane.pause(program, pause);
            Ok(())
        }
    }
}

/// Waits for a reason to stop. An idle bed of the tests is stopped under its lock, which is returned.
async fn watch(
    layout: &Layout,
    order: &BedOrder,
    state: &mut BedState,
    plane: &mut ControlPlane,
    mut stop_requests: mpsc::Receiver<()>,
    mut outages: mpsc::Receiver<Outage>,
) -> Result<Option<FileLock>, SuperviseError> {
    let handler =
        |kind| signal(kind).map_err(|source| SuperviseError::Io { what: "handle signals".to_owned(), source });
    let (mut terminate, mut interrupt) = (handler(SignalKind::terminate())?, handler(SignalKind::interrupt())?);
    let lock = crate::lifecycle::lock_file(&order.name)?;
    let started = Instant::now();
    let mut last_held = started;
    let mut interval = tokio::time::interval(WATCH_INTERVAL);
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(None),
            _ = interrupt.recv() => return Ok(None),
            _ = stop_requests.recv() => return Ok(None),
            Some(outage) = outages.recv() => {
                let result = befall(plane, outage.kind).await;
                note_children(layout, state, plane)?;
                // Whoever asked may have gone.
                let _unheard = outage.done.send(result.map_err(|error| explain(&error)));
            }
            _ = interval.tick() => {}
        }
        plane.check_running()?;
        if started.elapsed() >= order.lifetime || !layout.folder().is_dir() {
            return Ok(None);
        }
        let Some(idle) = order.idle else { continue };
        match FileLock::try_acquire(&lock)? {
            None => last_held = Instant::now(),
            Some(lock) if last_held.elapsed() >= idle => return Ok(Some(lock)),
            Some(_free) => {}
        }
    }
}
