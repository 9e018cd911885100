//! Plays Mizar on a real API server, for tests and the demo: its operator, its node daemons, and the kubelet of the
//! pods that matter.
//!
//! | part | plays |
//! |---|---|
//! | `kubelet` | the life of Mizar's own pods and of pods on the pod network, with faults on demand |
//! | `daemon` | what a node's daemon answers and keeps, while its pod is Ready |
//! | `host` | what Mizar changes on a node itself, and what cleaning it gives back |
//! | `operator` | Mizar's operator, in the operator's pod, under the pod's service account |
//! | `arktos` | Arktos' controller manager, which calls the operator where Mizar serves Arktos |
//! | `fault`, `tampering` | what can be made to go wrong |
//!
//! It acts only on what was installed: without a DaemonSet there are no daemons, without a role the operator is
//! refused. All durations follow from the round, Mizar's pause of 15 s between two tries.

mod address;
mod api;
mod arktos;
mod daemon;
mod fault;
mod host;
mod kubelet;
mod object;
mod operator;
mod tampering;

use std::time::Duration;

use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde_json::{Value, json};
use thiserror::Error;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

pub use self::fault::{Fault, FaultError, FaultOrder};
use self::{
    api::Objects,
    arktos::Controllers,
    daemon::Daemons,
    fault::Faults,
    kubelet::{Channels, Kubelet, Order},
    operator::{Access, Operator, Setting, Status},
};

/// How many rounds a clean start takes: the real operator's races give one to three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rounds {
    /// Droplets come before the network is looked at.
    One,
    /// The network is looked at before the first Droplet, as in most starts.
    #[default]
    Two,
    /// One more, lost to a failure that means nothing.
    Three,
}

/// What a simulator works with.
#[derive(Clone)]
pub struct SimulatorConfig {
    /// A client that may do anything; it is the kubelet's, and asks for the operator's tokens.
    pub admin: kube::Client,
    /// The API server's address, as in `https://127.0.0.1:6443`.
    pub api_server: String,
    /// The authorities that sign the API server's certificate.
    pub ca_pem: Vec<u8>,
    /// The pause between two tries of the operator: 15 s in reality.
    pub round: Duration,
    /// How many rounds a clean start takes.
    pub rounds: Rounds,
    /// The longest pause between two starts of a crashing container.
    pub longest_back_off: Duration,
}

impl SimulatorConfig {
    /// Returns the configuration of a real-time simulator.
    #[must_use]
    pub fn new(admin: kube::Client, api_server: impl Into<String>, ca_pem: impl Into<Vec<u8>>) -> Self {
        Self {
            admin,
            api_server: api_server.into(),
            ca_pem: ca_pem.into(),
            round: Duration::from_secs(15),
            rounds: Rounds::default(),
            longest_back_off: Duration::from_secs(4),
        }
    }
}

/// The simulator could not start.
#[derive(Debug, Error)]
pub enum SimulatorError {
    /// The address is none.
    #[error("API server address `{address}` is not a URL")]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it.
        source: http::uri::InvalidUri,
    },
    /// The authorities cannot be read.
    #[error("the certificates of the API server's authorities are not PEM")]
    Certificates(#[source] rustls::pki_types::pem::Error),
    /// There is no authority.
    #[error("the certificates of the API server's authorities are empty")]
    NoCertificate,
    /// A time makes no sense.
    #[error("round must be longer than zero")]
    NoTime,
}

/// A running simulator. It ends when it is dropped.
#[derive(Debug)]
pub struct Simulator {
    daemons: Daemons,
    status: Status,
    orders: mpsc::UnboundedSender<Order>,
    faults: Faults,
    kubelet: JoinHandle<()>,
}

impl Simulator {
    /// Starts to play. Must be called inside a tokio runtime; waits for nothing.
    #[expect(clippy::unused_async, reason = "the signature leaves room for a first request, callers await it")]
    pub async fn start(config: SimulatorConfig) -> Result<Self, SimulatorError> {
        let server = config
            .api_server
            .parse::<http::Uri>()
            .map_err(|source| SimulatorError::Address { address: config.api_server.clone(), source })?;
        let authorities = CertificateDer::pem_slice_iter(&config.ca_pem)
            .map(|certificate| certificate.map(|certificate| certificate.as_ref().to_vec()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(SimulatorError::Certificates)?;
        if authorities.is_empty() {
            return Err(SimulatorError::NoCertificate);
        }
        if config.round.is_zero() {
            return Err(SimulatorError::NoTime);
        }
        // Only the first call of a program counts, whoever makes it.
        rustls::crypto::ring::default_provider().install_default().ok();

        let (daemons, status, faults) = (Daemons::default(), Status::default(), Faults::default());
        let (ended, processes) = mpsc::unbounded_channel();
        let (orders, incoming) = mpsc::unbounded_channel();
        let access = Access { admin: config.admin.clone(), server, authorities };
        let objects = Objects::new(config.admin);
        let setting = Setting {
            daemons: daemons.clone(),
            controllers: Controllers::new(objects.clone()),
            pace: operator::Pace { round: config.round, rounds: config.rounds },
            faults: faults.clone(),
            status: status.clone(),
        };
        let kubelet = Kubelet::new(
            objects,
            daemons.clone(),
            Operator::new(access, setting, ended),
            Channels { processes, orders: incoming },
            faults.clone(),
            config.round,
            config.longest_back_off,
        );
        let kubelet = tokio::spawn(kubelet.run());
        Ok(Self { daemons, status, orders, faults, kubelet })
    }

    /// Replaces all fault orders. What runs already feels it, and recovers when a fault is lifted; a fault that
    /// happens once is over by then, and comes again only when it is ordered anew.
    pub fn set_faults(&self, faults: Vec<FaultOrder>) {
        let news = self.faults.replace(faults);
        self.send(Order::Faults(news));
    }

    /// Returns what is going on: what is programmed on each node, who holds which address, and the operator's doings.
    #[must_use]
    pub fn state(&self) -> Value {
        json!({
            "nodes": self.daemons.state(),
            "addresses": self.daemons.addresses(),
            "operator": self.status.state(),
            "faults": self.faults.orders(),
        })
    }

    /// Forgets all: programmed state, faults, the operator's process and log. Pods that are still there are taken up
    /// again as they stand.
    pub async fn wipe(&self) {
        self.faults.replace(Vec::new());
        let (done, wiped) = oneshot::channel();
        self.send(Order::Wipe(done));
        // It fails only when the kubelet has ended, and then there is nothing left to forget.
        wiped.await.ok();
        self.status.forget();
    }

    /// Ends all processes of the simulator.
    pub async fn stop(mut self) {
        self.kubelet.abort();
        // The task was aborted: its result says just that.
        (&mut self.kubelet).await.ok();
    }

    fn send(&self, order: Order) {
        // It fails only when the kubelet has ended, which happens with this simulator.
        self.orders.send(order).ok();
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.kubelet.abort();
    }
}
