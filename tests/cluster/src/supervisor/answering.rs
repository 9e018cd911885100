//! Answers the requests on the control socket.

use std::sync::{Arc, Mutex, PoisonError};

use mizar_simulator::{FaultOrder, Simulator};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use crate::control::{Reply, Request};
use crate::layout::Layout;
use crate::state::{self, BedState};

struct Answering {
    layout: Layout,
    simulator: Arc<Simulator>,
    faults: Mutex<Vec<FaultOrder>>,
    stop: mpsc::Sender<()>,
}

/// Listens on the bed's socket until the returned task is aborted, which ends all conversations.
pub(super) fn listen(
    layout: &Layout,
    simulator: Arc<Simulator>,
    stop: mpsc::Sender<()>,
) -> std::io::Result<JoinHandle<()>> {
    let listener = UnixListener::bind(layout.socket())?;
    let answering = Arc::new(Answering { layout: layout.clone(), simulator, faults: Mutex::default(), stop });
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
            Request::SetFault { order } => {
                self.change_faults(|faults| {
                    if !faults.contains(&order) {
                        faults.push(order);
                    }
                });
                Reply::Done(Value::Null)
            }
            Request::ClearFaults => {
                self.change_faults(Vec::clear);
                Reply::Done(Value::Null)
            }
            Request::ListFaults => as_reply(&*self.faults.lock().unwrap_or_else(PoisonError::into_inner)),
            Request::SimulatorState => Reply::Done(self.simulator.state()),
            Request::Reset => {
                self.change_faults(Vec::clear);
                self.simulator.wipe().await;
                Reply::Done(Value::Null)
            }
            Request::Shutdown => {
                // Full means that it is stopping already.
                let _stopping = self.stop.try_send(());
                Reply::Done(Value::Null)
            }
        }
    }

    fn change_faults(&self, change: impl FnOnce(&mut Vec<FaultOrder>)) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut faults);
        self.simulator.set_faults(faults.clone());
    }
}

fn as_reply(value: &impl serde::Serialize) -> Reply {
    serde_json::to_value(value).map_or_else(|error| Reply::Refused(error.to_string()), Reply::Done)
}
