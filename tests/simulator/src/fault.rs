//! Faults that a test can order: what they are called, and whom they hit.
//!
//! A fault is a standing order. It holds from the moment it is set until a set without it is ordered; what a pod
//! does under it is the kubelet's matter.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Something that goes wrong with Mizar's own pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Fault {
    /// The daemon's container runs, but its port never opens.
    DaemonNeverReady,
    /// The daemon's port opens this long after its container started.
    SlowStart {
        /// Real seconds, not scaled with the round.
        seconds: u64,
    },
    /// The images of the daemon's pod cannot be pulled.
    ImagePullError,
    /// The daemon's container exits with 1 soon after each start.
    CrashLoop,
    /// The operator's container exits with 1 soon after each start.
    OperatorCrashLoop,
}

/// The text is not the name of a fault.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum FaultError {
    /// No fault has this name.
    #[error(
        "fault `{0}` is not known; use daemon-never-ready, slow-start=SECONDS, image-pull-error, crash-loop or operator-crash-loop"
    )]
    Unknown(String),
    /// `slow-start` came without a usable number of seconds.
    #[error("fault `slow-start` needs whole seconds, as in slow-start=30, got `{0}`")]
    Seconds(String),
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        match (name, value) {
            ("daemon-never-ready", None) => Ok(Self::DaemonNeverReady),
            ("image-pull-error", None) => Ok(Self::ImagePullError),
            ("crash-loop", None) => Ok(Self::CrashLoop),
            ("operator-crash-loop", None) => Ok(Self::OperatorCrashLoop),
            ("slow-start", value) => {
                let value = value.unwrap_or_default();
                let seconds = value.parse().map_err(|_| FaultError::Seconds(value.to_owned()))?;
                Ok(Self::SlowStart { seconds })
            }
            _ => Err(FaultError::Unknown(text.to_owned())),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DaemonNeverReady => out.write_str("daemon-never-ready"),
            Self::SlowStart { seconds } => write!(out, "slow-start={seconds}"),
            Self::ImagePullError => out.write_str("image-pull-error"),
            Self::CrashLoop => out.write_str("crash-loop"),
            Self::OperatorCrashLoop => out.write_str("operator-crash-loop"),
        }
    }
}

impl TryFrom<String> for Fault {
    type Error = FaultError;

    fn try_from(text: String) -> Result<Self, FaultError> {
        text.parse()
    }
}

impl From<Fault> for String {
    fn from(fault: Fault) -> Self {
        fault.to_string()
    }
}

/// One fault, on one node or on all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultOrder {
    /// What goes wrong.
    pub fault: Fault,
    /// Where; everywhere if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

/// What the orders in force mean for one pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PodFaults {
    pub(crate) pull_fails: bool,
    pub(crate) crashes: bool,
    pub(crate) never_ready: bool,
    pub(crate) slow_start: Duration,
}

impl PodFaults {
    /// Returns what the orders mean for the daemon's pod on `node`.
    pub(crate) fn of_daemon(orders: &[FaultOrder], node: &str) -> Self {
        let mut faults = Self::default();
        for fault in faults_on(orders, node) {
            match fault {
                Fault::DaemonNeverReady => faults.never_ready = true,
                Fault::SlowStart { seconds } => {
                    faults.slow_start = faults.slow_start.max(Duration::from_secs(seconds));
                }
                Fault::ImagePullError => faults.pull_fails = true,
                Fault::CrashLoop => faults.crashes = true,
                Fault::OperatorCrashLoop => {}
            }
        }
        faults
    }

    /// Returns what the orders mean for an operator's pod on `node`.
    pub(crate) fn of_operator(orders: &[FaultOrder], node: &str) -> Self {
        Self { crashes: faults_on(orders, node).any(|fault| fault == Fault::OperatorCrashLoop), ..Self::default() }
    }
}

fn faults_on<'a>(orders: &'a [FaultOrder], node: &'a str) -> impl Iterator<Item = Fault> + 'a {
    orders.iter().filter(move |order| order.node.as_deref().is_none_or(|name| name == node)).map(|order| order.fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_written_and_read_back_by_its_name() {
        for name in ["daemon-never-ready", "slow-start=30", "image-pull-error", "crash-loop", "operator-crash-loop"] {
            assert_eq!(name.parse::<Fault>().unwrap().to_string(), name);
        }
        assert_eq!("slow-start=30".parse(), Ok(Fault::SlowStart { seconds: 30 }));
    }

    #[test]
    fn an_unknown_fault_and_a_slow_start_without_seconds_are_refused() {
        assert_eq!("rain".parse::<Fault>(), Err(FaultError::Unknown("rain".into())));
        assert_eq!("slow-start".parse::<Fault>(), Err(FaultError::Seconds(String::new())));
        assert_eq!("crash-loop=3".parse::<Fault>(), Err(FaultError::Unknown("crash-loop=3".into())));
    }

    #[test]
    fn an_order_travels_as_json() {
        let order: FaultOrder = serde_json::from_str(r#"{"fault":"slow-start=5","node":"n1"}"#).unwrap();
        assert_eq!(order, FaultOrder { fault: Fault::SlowStart { seconds: 5 }, node: Some("n1".into()) });
        assert_eq!(serde_json::to_string(&order).unwrap(), r#"{"fault":"slow-start=5","node":"n1"}"#);
    }

    #[test]
    fn an_order_for_one_node_leaves_the_others_alone() {
        let orders = [FaultOrder { fault: Fault::CrashLoop, node: Some("n1".into()) }];
        assert!(PodFaults::of_daemon(&orders, "n1").crashes);
        assert!(!PodFaults::of_daemon(&orders, "n2").crashes);
        assert!(!PodFaults::of_operator(&orders, "n1").crashes);
    }
}
