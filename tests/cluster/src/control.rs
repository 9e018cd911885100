//! The control socket of a bed: one JSON request a line, one JSON reply a line.
//!
//! This file knows the words and the asking side; `supervisor` answers.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mizar_simulator::FaultOrder;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::programs::Program;

/// The supervisor answers everything within this time; a start of the API server is the longest.
const PATIENCE: Duration = Duration::from_secs(100);

/// What can be asked of a supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "ask")]
pub enum Request {
    /// Its `state.json`, fresh.
    Status,
    /// Adds a fault.
    SetFault {
        /// Which, and where.
        order: FaultOrder,
    },
    /// Takes all faults away.
    ClearFaults,
    /// The faults in force.
    ListFaults,
    /// All that the simulator knows.
    SimulatorState,
    /// Clears faults and makes the simulator forget everything.
    Reset,
    /// Has a program of the control plane stand still for a while, and returns at once.
    Pause {
        /// Which.
        program: Program,
        /// For how many milliseconds.
        millis: u64,
    },
    /// Kills the API server, starts it anew on its port, and returns when it is ready.
    RestartApiServer,
    /// Stops everything and removes the bed.
    Shutdown,
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reply {
    /// Done; the answer if there is one.
    Done(Value),
    /// Refused.
    Refused(String),
}

/// Why a supervisor could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody listens or nobody answers.
    #[error("the supervisor does not answer on {}", socket.display())]
    Silent {
        /// Where.
        socket: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It answered something else.
    #[error("the supervisor answered what this build does not understand: {0}")]
    Garbled(String),
    /// It said no.
    #[error("the supervisor refused: {0}")]
    Refused(String),
}

/// Asks the supervisor behind `socket`; blocks until it answers.
pub fn ask(socket: &Path, request: &Request) -> Result<Value, ControlError> {
    let line =
        exchange(socket, request).map_err(|source| ControlError::Silent { socket: socket.to_owned(), source })?;
    match serde_json::from_str(&line) {
        Ok(Reply::Done(answer)) => Ok(answer),
        Ok(Reply::Refused(reason)) => Err(ControlError::Refused(reason)),
        Err(_) => Err(ControlError::Garbled(line)),
    }
}

fn exchange(socket: &Path, request: &Request) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_string(request)?;
    line.push('\n');
    stream.write_all(line.as_bytes())?;
    let mut reply = String::new();
    BufReader::new(stream).read_line(&mut reply)?;
    Ok(reply)
}
