//! The program as people run it: the real binary, an environment of nothing but what a test names, and a deadline.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use mizar_bed::{Bed, Role};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

/// No journey of ours takes longer; a command that does hangs.
const DEADLINE: Duration = Duration::from_secs(100);

/// One call of kubectl-mizar, before it is made.
pub(crate) struct Mizar {
    command: Command,
    line: String,
    deadline: Duration,
}

impl Mizar {
    /// With no kubeconfig and no environment at all.
    pub(crate) fn nowhere() -> Self {
        let mut command = Command::new(program());
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        // The folder from which the README tells people to type, so that charts/… is found.
        command.current_dir(root());
        // Nor is anything left there by what fails; the journeys about evidence say where it goes.
        command.env("MIZAR_EVIDENCE", "false");
        Self { command, line: "kubectl-mizar".to_owned(), deadline: DEADLINE }
    }

    /// In another folder.
    pub(crate) fn inside(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// As the bed's administrator, with kubectl at hand.
    pub(crate) fn on(bed: &Bed) -> Self {
        Self::by(bed, Role::Admin)
    }

    /// As a role of the bed, with kubectl at hand.
    pub(crate) fn by(bed: &Bed, role: Role) -> Self {
        let kubectl = bed.kubectl().unwrap();
        let folder = Path::new(kubectl.get_program()).parent().unwrap().to_owned();
        Self::nowhere().env("KUBECONFIG", bed.kubeconfig(role)).env("PATH", folder)
    }

    /// `install -y` with the profile dev.
    pub(crate) fn install(bed: &Bed) -> Self {
        Self::on(bed).args("install --profile dev -y")
    }

    /// Adds words; none of ours holds a blank.
    pub(crate) fn args(mut self, words: &str) -> Self {
        self.line = format!("{} {words}", self.line);
        self.command.args(words.split_whitespace());
        self
    }

    /// Adds one word that may hold anything.
    pub(crate) fn arg(mut self, word: impl AsRef<OsStr>) -> Self {
        self.line = format!("{} {}", self.line, word.as_ref().display());
        self.command.arg(word);
        self
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Makes every limit and pause of the program shorter.
    pub(crate) fn impatient(self, factor: f64) -> Self {
        self.env("MIZAR_TIME_SCALE", factor.to_string())
    }

    /// Fails the test if the program runs longer.
    pub(crate) fn within(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The call, for whoever gives it a terminal.
    pub(crate) fn at_terminal(mut self) -> Command {
        let is_named = self.command.as_std().get_envs().any(|(name, _)| name == "TERM");
        if !is_named {
            self.command.env("TERM", "xterm-256color");
        }
        self.command
    }

    /// The call, for whoever reads its data otherwise; what people are told is heard by nobody.
    pub(crate) fn writing_to(mut self, stdout: Stdio) -> Command {
        self.command.stdout(stdout).stderr(Stdio::null());
        self.command
    }

    /// Starts it.
    pub(crate) fn start(mut self) -> Running {
        let begun = Instant::now();
        let mut child = self.command.spawn().unwrap();
        let stdout = collect(child.stdout.take().unwrap());
        let stderr = collect(child.stderr.take().unwrap());
        Running { child, stdout, stderr, begun, line: self.line, deadline: self.deadline }
    }

    /// Runs it to its end.
    pub(crate) async fn run(self) -> Ended {
        self.start().end().await
    }
}

/// The program under test: the one that was built with the tests, or another build of it that `MIZAR_PROGRAM` names.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("MIZAR_PROGRAM").map_or_else(|| env!("CARGO_BIN_EXE_kubectl-mizar").into(), PathBuf::from)
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn collect(mut stream: impl AsyncRead + Unpin + Send + 'static) -> JoinHandle<String> {
    tokio::spawn(async move {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        String::from_utf8(bytes).unwrap()
    })
}

/// A call under way.
pub(crate) struct Running {
    child: Child,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
    begun: Instant,
    line: String,
    deadline: Duration,
}

impl Running {
    /// Sends a signal, to this very process.
    pub(crate) fn signal(&self, signal: Signal) {
        // Without an id it has ended by itself, and the test will see how.
        if let Some(id) = self.child.id() {
            kill(Pid::from_raw(i32::try_from(id).unwrap()), signal).unwrap();
        }
    }

    /// The process, unless it has ended.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Whether it runs no more.
    pub(crate) fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end.
    pub(crate) async fn end(mut self) -> Ended {
        let left = self.deadline.saturating_sub(self.begun.elapsed());
        let Ok(status) = tokio::time::timeout(left, self.child.wait()).await else {
            let _gone = self.child.start_kill();
            let said = self.stderr.await.unwrap();
            panic!("{} did not end within {:?}; it said:\n{said}", self.line, self.deadline);
        };
        let ended = Ended {
            line: self.line,
            code: status.unwrap().code(),
            took: self.begun.elapsed(),
            stdout: self.stdout.await.unwrap(),
            stderr: self.stderr.await.unwrap(),
        };
        println!("{:>6.2} s  exit {:?}  {}", ended.took.as_secs_f64(), ended.code, ended.line);
        // For whoever looks for the reason of what is seen later.
        if std::env::var_os("MIZAR_TELL").is_some() {
            println!("{ended}\n");
        }
        ended
    }
}

/// A call that has ended.
pub(crate) struct Ended {
    line: String,
    /// The exit code; none after a signal.
    pub(crate) code: Option<i32>,
    /// How long it took.
    pub(crate) took: Duration,
    /// The data that was asked for.
    pub(crate) stdout: String,
    /// What people were told.
    pub(crate) stderr: String,
}

impl Ended {
    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{}\n{self}", self.line);
        self
    }

    /// Asserts that people were told each of `words`.
    #[track_caller]
    pub(crate) fn tells(&self, words: &[&str]) -> &Self {
        for word in words {
            assert!(self.stderr.contains(word), "stderr does not tell {word:?}\n{self}");
        }
        self
    }

    /// Asserts that the data holds each of `words`.
    #[track_caller]
    pub(crate) fn prints(&self, words: &[&str]) -> &Self {
        for word in words {
            assert!(self.stdout.contains(word), "stdout does not hold {word:?}\n{self}");
        }
        self
    }

    /// The data as one JSON value a line.
    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{self}"));
        self.stdout.lines().map(parse).collect()
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "$ {}\nexit {:?} after {:.2} s\n--- stdout\n{}\n--- stderr\n{}",
            self.line,
            self.code,
            self.took.as_secs_f64(),
            self.stdout,
            self.stderr
        )
    }
}
