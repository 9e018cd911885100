//! Beds seen from outside: starting, stopping, finding and sweeping them.
//!
//! Whoever starts, stops or uses a bed of the tests holds its lock file; the kernel lets it go with the process.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;

use crate::cache::{self, CacheError, FileLock};
use crate::cargo::{self, CargoError};
use crate::commands;
use crate::control::{self, ControlError, Request};
use crate::layout::Layout;
use crate::process::{self, ProcessId};
use crate::programs::{self, Program, ProgramError};
use crate::progress::Progress;
use crate::state::{self, BedKind, BedOrder, BedState, BuildStamp, FileError, KubernetesVersion, Phase};
use crate::supervisor::Announcement;

/// A bed that tells nothing for so long is not coming up.
const SILENCE: Duration = Duration::from_secs(150);
const STOP_PATIENCE: Duration = Duration::from_secs(20);
/// The folder of a bed that failed is kept so long for whoever wants to read its logs.
const KEEP_FAILED: Duration = Duration::from_secs(3600);
const PORT_TAKEN: &str = "address already in use";
/// The kernel's limit for the path of a socket, less what we add.
const LONGEST_PATH: usize = 104;

/// Why a bed cannot be started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum LifecycleError {
    /// The name does not fit.
    #[error("{0:?} cannot name a bed: use lower-case letters, digits and '-', at most 40")]
    Name(String),
    /// There is one of that name.
    #[error("a bed called {0} runs already")]
    Runs(String),
    /// There is none of that name.
    #[error("there is no bed called {name}; {}", if known.is_empty() { "none runs".to_owned() } else { format!("these run: {}", known.join(", ")) })]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// It is there, but not usable.
    #[error("bed {name} does not run: {reason}; its logs are in {}", folder.display())]
    NotReady {
        /// Which.
        name: String,
        /// Why.
        reason: String,
        /// Where it lies.
        folder: PathBuf,
    },
    /// It did not come up.
    #[error("bed {name} did not come up: {reason}\nits logs: {}", folder.display())]
    DidNotStart {
        /// Which.
        name: String,
        /// Why.
        reason: String,
        /// Where it lies.
        folder: PathBuf,
    },
    /// Its socket would have too long a path.
    #[error(
        "the folder {} is too long for a socket ({LONGEST_PATH} characters): set MIZAR_CACHE to a shorter one",
        .0.display()
    )]
    PathTooLong(PathBuf),
    /// The supervisor cannot be run.
    #[error("cannot run {}", path.display())]
    Spawn {
        /// The program.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The cache.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The bed's files.
    #[error(transparent)]
    File(#[from] FileError),
    /// The programs.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The supervisor's build.
    #[error(transparent)]
    Cargo(#[from] CargoError),
    /// The supervisor's socket.
    #[error(transparent)]
    Control(#[from] ControlError),
}

/// What a new bed is to be.
#[derive(Debug, Clone)]
pub struct StartOptions {
    /// Its name.
    pub name: String,
    /// How much of a cluster it is.
    pub kind: BedKind,
    /// How many nodes; a bare one has none of its own.
    pub nodes: usize,
    /// Which version to behave as.
    pub version: KubernetesVersion,
    /// The time between two rounds of Mizar's operator.
    pub round: Duration,
    /// It ends by itself after this time.
    pub lifetime: Duration,
    /// A bed of the tests also ends after its lock was free for this time.
    pub idle: Option<Duration>,
}

impl StartOptions {
    /// A bed for a person: 3 nodes, the newest version, Mizar's own 15 s rounds, 8 hours.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: BedKind::Whole,
            nodes: 3,
            version: KubernetesVersion::NATIVE,
            round: Duration::from_secs(15),
            lifetime: Duration::from_secs(8 * 3600),
            idle: None,
        }
    }

    /// A bed for a benchmark: etcd and the API server.
    pub fn bare(name: impl Into<String>) -> Self {
        Self { kind: BedKind::Bare, nodes: 0, ..Self::named(name) }
    }

    /// As [`Self::bare`], with an audit log.
    pub fn counted(name: impl Into<String>) -> Self {
        Self { kind: BedKind::Counted, ..Self::bare(name) }
    }
}

/// A bed's folder with what it says about itself.
#[derive(Debug, Clone)]
pub struct FoundBed {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub layout: Layout,
    /// What it says; nothing if it was killed before it could.
    pub state: Option<BedState>,
}

impl FoundBed {
    /// Whether its supervisor runs.
    pub fn is_alive(&self) -> bool {
        self.state.as_ref().is_some_and(|state| state.supervisor.is_alive())
    }

    /// Whether it can be used.
    pub fn is_ready(&self) -> bool {
        self.is_alive() && self.state.as_ref().is_some_and(|state| state.phase == Phase::Ready)
    }

    fn children(&self) -> Vec<ProcessId> {
        self.state.as_ref().map(|state| state.children.values().cloned().collect()).unwrap_or_default()
    }
}

/// The lock of the bed called `name`.
pub(crate) fn lock_file(name: &str) -> Result<PathBuf, CacheError> {
    Ok(cache::folder("locks")?.join(format!("bed-{name}")))
}

/// The bed called `name`, if there is one, in whatever state.
pub fn find(name: &str) -> Result<Option<FoundBed>, LifecycleError> {
    let layout = Layout::new(cache::folder("beds")?.join(checked(name)?));
    if !layout.folder().is_dir() {
        return Ok(None);
    }
    let state = state::read(&layout.state())?;
    Ok(Some(FoundBed { name: name.to_owned(), layout, state }))
}

/// The bed called `name`, which must be usable.
pub fn find_ready(name: &str) -> Result<FoundBed, LifecycleError> {
    let Some(bed) = find(name)? else {
        let known = list()?.into_iter().filter(FoundBed::is_alive).map(|bed| bed.name).collect();
        return Err(LifecycleError::Unknown { name: name.to_owned(), known });
    };
    if bed.is_ready() {
        return Ok(bed);
    }
    let reason = match bed.state.as_ref().map(|state| &state.phase) {
        Some(Phase::Failed(reason)) => reason.clone(),
        Some(Phase::Starting) if bed.is_alive() => "it is being started".to_owned(),
        Some(Phase::Stopping) if bed.is_alive() => "it is being stopped".to_owned(),
        _ => "its supervisor was killed".to_owned(),
    };
    Err(LifecycleError::NotReady { name: name.to_owned(), reason, folder: bed.layout.folder().to_owned() })
}

/// Every bed that has a folder, by name.
pub fn list() -> Result<Vec<FoundBed>, LifecycleError> {
    let folder = cache::folder("beds")?;
    let unusable = |source| CacheError::Unusable { path: folder.clone(), source };
    let mut beds = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(unusable)? {
        let name = entry.map_err(unusable)?.file_name().to_string_lossy().into_owned();
        if checked(&name).is_ok() {
            beds.extend(find(&name)?);
        }
    }
    beds.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(beds)
}

fn checked(name: &str) -> Result<&str, LifecycleError> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !name.is_empty() && name.len() <= 40 && name.bytes().all(fits) && !name.starts_with('-') {
        Ok(name)
    } else {
        Err(LifecycleError::Name(name.to_owned()))
    }
}

/// Ends what is left of beds whose supervisor was killed, and returns their names.
pub fn sweep() -> Result<Vec<String>, LifecycleError> {
    let mut swept = Vec::new();
    for bed in list()? {
        if bed.is_alive() {
            continue;
        }
        // Held: somebody is starting or stopping it right now.
        let Some(_lock) = FileLock::try_acquire(&lock_file(&bed.name)?)? else { continue };
        let Some(bed) = find(&bed.name)?.filter(|bed| !bed.is_alive()) else { continue };
        let worth_reading = matches!(bed.state.as_ref().map(|state| &state.phase), Some(Phase::Failed(_)))
            && bed.state.as_ref().is_some_and(|state| age(state.started) < KEEP_FAILED);
        if !worth_reading {
            clear(&bed)?;
            swept.push(bed.name);
        }
    }
    Ok(swept)
}

fn age(since: SystemTime) -> Duration {
    SystemTime::now().duration_since(since).unwrap_or_default()
}

/// Ends the children that a dead supervisor left, if they are still the same processes, and removes the folder.
fn clear(bed: &FoundBed) -> Result<(), FileError> {
    process::end_all(&bed.children(), Duration::from_secs(1));
    state::remove_folder(bed.layout.folder())
}

/// Takes the lock of a bed, to start or stop it.
pub fn lock(name: &str) -> Result<FileLock, LifecycleError> {
    let path = lock_file(checked(name)?)?;
    let waiting = || crate::progress::say(&format!("bed {name} is held by another process; waiting for it"));
    Ok(FileLock::acquire(&path, Duration::from_secs(300), waiting)?)
}

/// Builds what is missing and starts a bed; returns when it is ready. The caller holds its lock.
pub fn start(options: &StartOptions, _lock: &FileLock) -> Result<FoundBed, LifecycleError> {
    let name = checked(&options.name)?.to_owned();
    if let Some(bed) = find(&name)? {
        if bed.is_alive() {
            return Err(LifecycleError::Runs(name));
        }
        clear(&bed)?;
    }
    let programs = programs::ensure(&Program::CONTROL_PLANE)?;
    let supervisor = supervisor_program()?;
    let order = BedOrder {
        name: name.clone(),
        kind: options.kind,
        nodes: options.nodes,
        version: options.version,
        round: options.round,
        lifetime: options.lifetime,
        idle: options.idle,
        programs,
        build: BuildStamp::of(&supervisor)?,
    };
    let layout = Layout::new(cache::folder("beds")?.join(&name));
    if layout.socket().as_os_str().len() > LONGEST_PATH {
        return Err(LifecycleError::PathTooLong(layout.folder().to_owned()));
    }
    for folder in layout.folders() {
        state::make_folder(&folder)?;
    }
    // It holds tokens.
    let private = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(layout.folder(), private)
        .map_err(|source| CacheError::Unusable { path: layout.folder().to_owned(), source })?;
    state::write(&layout.order(), &order)?;
    commands::write(&layout, &supervisor)?;
    let attempt = || {
        let what = match options.kind {
            BedKind::Whole => format!("with {} nodes", options.nodes),
            BedKind::Bare | BedKind::Counted => "with nothing but its API server".to_owned(),
        };
        let progress = Progress::start(format!("starting bed {name} {what}"));
        bring_up(&supervisor, &layout, progress)
    };
    // Ports are free when they are chosen; anyone may take one before its program does.
    match attempt().or_else(|reason| if reason.contains(PORT_TAKEN) { attempt() } else { Err(reason) }) {
        Ok(()) => find_ready(&name),
        Err(reason) => Err(LifecycleError::DidNotStart { name, reason, folder: layout.folder().to_owned() }),
    }
}

/// The supervisor, fresh from this workspace's sources.
pub fn supervisor_program() -> Result<PathBuf, CargoError> {
    // Each process builds it at most once, however many of its tests want a bed.
    static BUILT: Mutex<Option<PathBuf>> = Mutex::new(None);

    // `cargo xtask test` builds it once for all test processes.
    if let Some(path) = std::env::var_os("MIZAR_BED_PROGRAM").filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = &*built {
        return Ok(path.clone());
    }
    Ok(built.insert(cargo::build("mizar-bed")?).clone())
}

fn bring_up(supervisor: &Path, layout: &Layout, mut progress: Progress) -> Result<(), String> {
    let mut child = match spawn(supervisor, layout) {
        Ok(child) => child,
        Err(error) => {
            progress.abandon();
            return Err(format!("cannot run {}: {error}", supervisor.display()));
        }
    };
    let result = follow(&mut child, &mut progress);
    if result.is_ok() {
        progress.finish("ready");
        // It outlives us on purpose; if we live longer, this reaps it.
        std::thread::spawn(move || child.wait());
    } else {
        progress.abandon();
        if let Some(process) = ProcessId::of(child.id()) {
            process::end_all(&[process], STOP_PATIENCE);
        }
        // Ended just now, or long before.
        let _status = child.wait();
    }
    result
}

fn spawn(supervisor: &Path, layout: &Layout) -> std::io::Result<Child> {
    let log = std::fs::File::create(layout.log("supervisor"))?;
    Command::new(supervisor)
        .arg("supervise")
        .arg(layout.folder())
        .current_dir(layout.folder())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
}

/// Reads the supervisor's announcements until the bed is ready.
fn follow(child: &mut Child, progress: &mut Progress) -> Result<(), String> {
    let stdout = child.stdout.take().expect("stdout was asked to be a pipe");
    let (sender, announcements) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let Ok(announcement) = serde_json::from_str(&line) else { continue };
            let last = !matches!(announcement, Announcement::Step(_));
            if sender.send(announcement).is_err() || last {
                break;
            }
        }
    });
    let mut step = "starting".to_owned();
    loop {
        match announcements.recv_timeout(SILENCE) {
            Ok(Announcement::Step(next)) => {
                progress.update(&next);
                step = next;
            }
            Ok(Announcement::Ready) => return Ok(()),
            Ok(Announcement::Failed(reason)) => return Err(reason),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                return Err(format!("no news for {} s while {step}", SILENCE.as_secs()));
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err(format!("its supervisor ended while {step}; see logs/supervisor.log"));
            }
        }
    }
}

/// Stops a bed, whatever state it is in, and removes its folder. The caller holds its lock.
pub fn stop(bed: &FoundBed, _lock: &FileLock) -> Result<(), LifecycleError> {
    if let Some(state) = &bed.state
        && state.supervisor.is_alive()
    {
        // A supervisor that does not listen yet, or no longer, still heeds a signal.
        if control::ask(&bed.layout.socket(), &Request::Shutdown).is_err() {
            state.supervisor.signal(Signal::SIGTERM);
        }
        if !state.supervisor.wait(STOP_PATIENCE) {
            state.supervisor.signal(Signal::SIGKILL);
            state.supervisor.wait(Duration::from_secs(2));
        }
    }
    // What a supervisor that was killed has left behind.
    Ok(clear(bed)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_the_folder_are_refused() {
        for name in ["", "..", "a/b", "-x", "Up", &"x".repeat(41)] {
            assert!(checked(name).is_err(), "{name}");
        }
        assert!(checked("test-1").is_ok());
    }
}
