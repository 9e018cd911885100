//! Faults that a test can order: what they are called, whom they hit, and which of them have been used up.
//!
//! An order holds from the moment it is set until a set without it is ordered. Most faults last as long as their order;
//! some happen once, when the order comes or at the next occasion, and are not repeated before the order comes anew.
//! What comes of a fault is the kubelet's, the operator's and `tampering`'s matter.

use std::{
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Rounds;

/// Something that goes wrong with Mizar.
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
    /// Once: the daemon's container starts anew in its pod. What it had programmed is lost, and the operator does not
    /// notice.
    DaemonRestart,
    /// Once: the operator's container starts anew in its pod. What it remembered is lost, which deadlocks it.
    OperatorRestart,
    /// The node's Droplet is lost, and the operator makes no other: as if it had seen the node without an address.
    DropletMissing,
    /// Once: the node's Droplet carries an address that the node no longer has.
    DropletStale,
    /// What is made anew stays Init: the operator's handlers are put off again and again.
    StuckInit,
    /// Once: the next pod gets an address that another one has.
    DuplicateAddress,
    /// The API server refuses what the operator creates; the operator only logs that.
    CreateRefused,
    /// The Job that cleans the node never ends.
    CleanUpHangs,
    /// The Job that cleans the node fails, and says why.
    CleanUpFails,
    /// A start of the operator on a clean cluster takes so many rounds.
    Rounds {
        /// One, two or three.
        count: u8,
    },
}

/// The faults that need no number, by name.
const NAMES: [(Fault, &str); 13] = [
    (Fault::DaemonNeverReady, "daemon-never-ready"),
    (Fault::ImagePullError, "image-pull-error"),
    (Fault::CrashLoop, "crash-loop"),
    (Fault::OperatorCrashLoop, "operator-crash-loop"),
    (Fault::DaemonRestart, "daemon-restart"),
    (Fault::OperatorRestart, "operator-restart"),
    (Fault::DropletMissing, "droplet-missing"),
    (Fault::DropletStale, "droplet-stale"),
    (Fault::StuckInit, "stuck-init"),
    (Fault::DuplicateAddress, "duplicate-address"),
    (Fault::CreateRefused, "create-refused"),
    (Fault::CleanUpHangs, "clean-up-hangs"),
    (Fault::CleanUpFails, "clean-up-fails"),
];

impl Fault {
    /// Returns all names as a text for people.
    #[must_use]
    pub fn names() -> String {
        let plain: Vec<&str> = NAMES.iter().map(|(_, name)| *name).collect();
        format!("{}, slow-start=SECONDS or rounds=COUNT", plain.join(", "))
    }
}

/// The text is not the name of a fault.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum FaultError {
    /// No fault has this name.
    #[error("fault `{0}` is not known; use {names}", names = Fault::names())]
    Unknown(String),
    /// `slow-start` came without a usable number of seconds.
    #[error("fault `slow-start` needs whole seconds, as in slow-start=30, got `{0}`")]
    Seconds(String),
    /// `rounds` came without a usable count.
    #[error("fault `rounds` needs 1, 2 or 3, as in rounds=3, got `{0}`")]
    Rounds(String),
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        if let Some((fault, _)) = NAMES.iter().find(|(_, name)| *name == text) {
            return Ok(*fault);
        }
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        match name {
            "slow-start" => {
                let seconds = value.parse().map_err(|_| FaultError::Seconds(value.to_owned()))?;
                Ok(Self::SlowStart { seconds })
            }
            "rounds" => {
                let count = value.parse().ok().filter(|count| (1..=3).contains(count));
                count.map(|count| Self::Rounds { count }).ok_or_else(|| FaultError::Rounds(value.to_owned()))
            }
            _ => Err(FaultError::Unknown(text.to_owned())),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SlowStart { seconds } => write!(out, "slow-start={seconds}"),
            Self::Rounds { count } => write!(out, "rounds={count}"),
            plain => {
                let name = NAMES.iter().find(|(fault, _)| fault == plain).map_or("", |(_, name)| *name);
                out.write_str(name)
            }
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

impl FaultOrder {
    /// Whether the order is about what is on this node. What is on no node is hit only by an order for all.
    pub(crate) fn holds_on(&self, node: &str) -> bool {
        self.node.as_deref().is_none_or(|name| name == node)
    }
}

#[derive(Debug, Default)]
struct InForce {
    orders: Vec<FaultOrder>,
    /// Those that happen once and have happened.
    spent: Vec<FaultOrder>,
}

/// The orders in force, shared by all who obey them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(Arc<Mutex<InForce>>);

impl Faults {
    fn in_force(&self) -> MutexGuard<'_, InForce> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces all orders. Returns those that were not in force before.
    pub(crate) fn replace(&self, orders: Vec<FaultOrder>) -> Vec<FaultOrder> {
        let mut in_force = self.in_force();
        let news = orders.iter().filter(|order| !in_force.orders.contains(order)).cloned().collect();
        in_force.spent.retain(|order| orders.contains(order));
        in_force.orders = orders;
        news
    }

    pub(crate) fn orders(&self) -> Vec<FaultOrder> {
        self.in_force().orders.clone()
    }

    /// Whether a fault holds on a node.
    pub(crate) fn hit(&self, fault: Fault, node: &str) -> bool {
        faults_on(&self.in_force().orders, node).any(|ordered| ordered == fault)
    }

    /// Whether a fault that happens once is still to happen on a node.
    pub(crate) fn is_due(&self, fault: Fault, node: &str) -> bool {
        let in_force = self.in_force();
        in_force
            .orders
            .iter()
            .any(|order| order.fault == fault && order.holds_on(node) && !in_force.spent.contains(order))
    }

    /// Notes that a fault that happens once has happened on a node.
    pub(crate) fn spend(&self, fault: Fault, node: &str) {
        let mut in_force = self.in_force();
        let open = in_force
            .orders
            .iter()
            .find(|order| order.fault == fault && order.holds_on(node) && !in_force.spent.contains(order));
        let open = open.cloned();
        in_force.spent.extend(open);
    }

    /// Returns how many rounds a clean start is to take, if that was ordered.
    pub(crate) fn rounds(&self) -> Option<Rounds> {
        let in_force = self.in_force();
        in_force.orders.iter().rev().find_map(|order| match order.fault {
            Fault::Rounds { count: 1 } => Some(Rounds::One),
            Fault::Rounds { count: 2 } => Some(Rounds::Two),
            Fault::Rounds { .. } => Some(Rounds::Three),
            _ => None,
        })
    }
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
                // These hit other pods, or are acts and no state.
                _ => {}
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
    orders.iter().filter(move |order| order.holds_on(node)).map(|order| order.fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_written_and_read_back_by_its_name() {
        for name in NAMES.iter().map(|(_, name)| *name).chain(["slow-start=30", "rounds=3"]) {
            assert_eq!(name.parse::<Fault>().unwrap().to_string(), name);
        }
        assert_eq!("slow-start=30".parse(), Ok(Fault::SlowStart { seconds: 30 }));
    }

    #[test]
    fn an_unknown_fault_and_a_slow_start_without_seconds_are_refused() {
        assert_eq!("rain".parse::<Fault>(), Err(FaultError::Unknown("rain".into())));
        assert_eq!("slow-start".parse::<Fault>(), Err(FaultError::Seconds(String::new())));
        assert_eq!("crash-loop=3".parse::<Fault>(), Err(FaultError::Unknown("crash-loop=3".into())));
        assert_eq!("rounds=4".parse::<Fault>(), Err(FaultError::Rounds("4".into())));
        let told = FaultError::Unknown("rain".into()).to_string();
        assert!(told.contains("droplet-stale") && told.contains("slow-start=SECONDS"), "{told}");
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

    fn order(fault: Fault, node: Option<&str>) -> FaultOrder {
        FaultOrder { fault, node: node.map(str::to_owned) }
    }

    #[test]
    fn faults_combine() {
        let orders = [order(Fault::DaemonNeverReady, Some("n1")), order(Fault::CrashLoop, None)];
        let both = PodFaults::of_daemon(&orders, "n1");
        assert!(both.never_ready && both.crashes);
        let faults = Faults::default();
        faults.replace(vec![order(Fault::StuckInit, None), order(Fault::CreateRefused, Some("n1"))]);
        assert!(faults.hit(Fault::StuckInit, "") && faults.hit(Fault::CreateRefused, "n1"));
        assert!(!faults.hit(Fault::CreateRefused, ""));
    }

    #[test]
    fn what_happens_once_is_not_repeated_before_it_is_ordered_anew() {
        let faults = Faults::default();
        let once = vec![order(Fault::DuplicateAddress, None)];
        assert_eq!(faults.replace(once.clone()), once);
        assert!(faults.is_due(Fault::DuplicateAddress, "n1"));
        faults.spend(Fault::DuplicateAddress, "n1");
        assert!(faults.replace(once.clone()).is_empty(), "the same order is no new one");
        assert!(!faults.is_due(Fault::DuplicateAddress, "n2"));
        faults.replace(Vec::new());
        assert_eq!(faults.replace(once.clone()), once);
        assert!(faults.is_due(Fault::DuplicateAddress, "n2"));
    }

    #[test]
    fn the_last_order_of_rounds_counts() {
        let faults = Faults::default();
        assert_eq!(faults.rounds(), None);
        faults.replace(vec![order(Fault::Rounds { count: 1 }, None), order(Fault::Rounds { count: 3 }, None)]);
        assert_eq!(faults.rounds(), Some(Rounds::Three));
    }
}
