//! Answers the requests on the control socket.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mizar_simulator::{FaultOrder, Simulator};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

use crate::control::{Reply, Request};
use crate::layout::Layout;
use crate::programs::Program;
use crate::state::{self, BedState};

struct Answering {
    layout: Layout,
    /// A bare bed has none.
    simulator: Option<Arc<Simulator>>,
    faults: Mutex<Vec<FaultOrder>>,
    stop: mpsc::Sender<()>,
    programs: mpsc::Sender<Outage>,
}

/// Something that is to befall a program of the control plane, and who wants to know how it went.
pub(super) struct Outage {
    pub(super) kind: OutageKind,
    pub(super) done: oneshot::Sender<Result<(), String>>,
}

/// What befalls it.
pub(super) enum OutageKind {
    /// It stands still for so long.
    Pause(Program, Duration),
    /// The API server is killed and started anew.
    RestartApiServer,
}

/// Listens on the bed's socket until the returned task is aborted, which ends all conversations.
pub(super) fn listen(
    layout: &Layout,
    simulator: Option<Arc<Simulator>>,
    stop: mpsc::Sender<()>,
    programs: mpsc::Sender<Outage>,
) -> std::io::Result<JoinHandle<()>> {
    let listener = UnixListener::bind(layout.socket())?;
    let answering = Arc::new(Answering { layout: layout.clone(), simulator, faults: Mutex::default(), stop, programs });
    Ok(tokio::spawn(async move {
        let mut conversations = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            // Forgets those that are over.
            while conversations.try_join_next().is_some() {}
            let answering = Arc::clone(&answering);
            conversations.spawn(async move {
                if let Err(error) = answering.converse(stream).await {
                    tracing::debug!(%error, "a client of the control socket went away");
                }
            });
        }
    }))
}

impl Answering {
    async fn converse(&self, stream: UnixStream) -> std::io::Result<()> {
        let (reader, mut writer) = stream.into_split();
        let mut lines = BufReader::new(reader).lines();
        while let Some(line) = lines.next_line().await? {
            let reply = match serde_json::from_str(&line) {
                Ok(request) => self.answer(request).await,
                Err(error) => Reply::Refused(format!("not a request: {error}")),
            };
            let mut line = serde_json::to_vec(&reply)?;
            line.push(b'\n');
            writer.write_all(&line).await?;
        }
        Ok(())
    }

    async fn answer(&self, request: Request) -> Reply {
        match request {
            Request::Status => match state::read::<BedState>(&self.layout.state()) {
                Ok(state) => as_reply(&state),
                Err(error) => Reply::Refused(error.to_string()),
            },
            Request::Shutdown => {
                // Full means that it is stopping already.
                let _stopping = self.stop.try_send(());
                Reply::Done(Value::Null)
            }
            Request::Pause { program, millis } => {
                self.befall(OutageKind::Pause(program, Duration::from_millis(millis))).await
            }
            Request::RestartApiServer => self.befall(OutageKind::RestartApiServer).await,
            about_the_simulator => match &self.simulator {
                Some(simulator) => self.order(simulator, about_the_simulator).await,
                None => Reply::Refused("a bare bed has no simulator".to_owned()),
            },
        }
    }

    /// Has something befall a program, and waits until it has.
    async fn befall(&self, kind: OutageKind) -> Reply {
        let (done, answer) = oneshot::channel();
        if self.programs.send(Outage { kind, done }).await.is_err() {
            return Reply::Refused("the bed is being taken down".to_owned());
        }
        match answer.await {
            Ok(Ok(())) => Reply::Done(Value::Null),
            Ok(Err(reason)) => Reply::Refused(reason),
            Err(_) => Reply::Refused("the bed was taken down meanwhile".to_owned()),
        }
    }

    async fn order(&self, simulator: &Simulator, request: Request) -> Reply {
        match request {
            Request::SetFault { order } => self.change_faults(simulator, |faults| {
                if !faults.contains(&order) {
                    faults.push(order);
                }
            }),
            Request::ClearFaults => self.change_faults(simulator, Vec::clear),
            Request::ListFaults => as_reply(&*self.faults.lock().unwrap_or_else(PoisonError::into_inner)),
            Request::SimulatorState => Reply::Done(simulator.state()),
            Request::Reset => {
                let done = self.change_faults(simulator, Vec::clear);
                simulator.wipe().await;
                done
            }
            Request::Status | Request::Shutdown | Request::Pause { .. } | Request::RestartApiServer => {
                Reply::Refused("this is not about the simulator".to_owned())
            }
        }
    }

    fn change_faults(&self, simulator: &Simulator, change: impl FnOnce(&mut Vec<FaultOrder>)) -> Reply {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut faults);
        simulator.set_faults(faults.clone());
        Reply::Done(Value::Null)
    }
}

fn as_reply(value: &impl serde::Serialize) -> Reply {
    serde_json::to_value(value).map_or_else(|error| Reply::Refused(error.to_string()), Reply::Done)
}
