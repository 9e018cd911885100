//! The commands of the matrix: what is there before each, how it is called, and what must be there after it.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use mizar_bed::{Bed, Fault, FaultOrder};
use mizar_core::check::Thresholds;

use super::oracle;
use crate::cli::Mizar;
use crate::cluster::{address_of_new_pod, items, operation};
use crate::repair::restart_operator;

/// The program is as impatient as the bed's operator, whose rounds take a second instead of fifteen.
pub(crate) const SCALE: f64 = 0.1;

/// Which command, on what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Scenario {
    /// The first install on an empty cluster.
    Install,
    /// The safe restart of the operator on a network that is in use.
    Restart,
    /// The repair of an operator that was restarted unsafely; it restarts nothing.
    Deadlock,
}

impl Scenario {
    /// All.
    pub(crate) const ALL: [Self; 3] = [Self::Install, Self::Restart, Self::Deadlock];

    /// What people type.
    pub(crate) fn command_name(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Restart | Self::Deadlock => "repair",
        }
    }

    /// Whether each case begins with an empty cluster.
    pub(crate) fn needs_an_empty_cluster(self) -> bool {
        self == Self::Install
    }

    /// As it is typed.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Restart => "repair-restart",
            Self::Deadlock => "repair-deadlock",
        }
    }

    /// The command, on the bed itself.
    pub(crate) fn command(self, bed: &Bed) -> Mizar {
        let command = match self {
            Self::Install => Mizar::install(bed),
            Self::Restart => Mizar::on(bed).args("repair --restart-operator -y"),
            Self::Deadlock => Mizar::on(bed).args("repair -y"),
        };
        command.impatient(SCALE)
    }

    /// Brings a bed from its baseline to where every case of this command can begin.
    pub(crate) async fn found(self, bed: &Bed) {
        let quick = FaultOrder { fault: Fault::Rounds { count: 1 }, node: None };
        bed.fault(quick).await.unwrap();
        if self.needs_an_empty_cluster() {
            return;
        }
        Mizar::install(bed).impatient(SCALE).run().await.exits(0);
        for pod in ["a", "b"] {
            address_of_new_pod(bed, pod).await;
        }
        // The second restart finds what the first has left, as all later ones will.
        Self::Restart.command(bed).run().await.exits(0);
    }

    /// Makes the cluster so that the command has something to do.
    pub(crate) async fn prepare(self, bed: &Bed) {
        match self {
            Self::Install | Self::Restart => {}
            Self::Deadlock => {
                restart_operator(bed).await;
                until_placeholders_have_settled(bed).await;
            }
        }
    }

    /// Whether the same command is run once more after one that has ended well: a restart would be made again.
    pub(crate) fn is_repeatable(self) -> bool {
        self != Self::Restart
    }

    /// What a run says that finds everything done.
    pub(crate) fn says_when_done(self) -> &'static str {
        match self {
            Self::Install => "nothing was written",
            Self::Restart | Self::Deadlock => "nothing to do",
        }
    }

    /// Asserts that all is as it should be after the command has ended well, `census` being what a run without faults leaves.
    pub(crate) async fn judge(self, bed: &Bed, census: &[String]) {
        oracle::assert_nothing_left_over(bed, census).await;
        match self {
            Self::Install => oracle::assert_installed_once(bed).await,
            Self::Restart | Self::Deadlock => oracle::assert_the_network_works(bed).await,
        }
    }

    /// Whether the record says that there is a restart of the operator to be finished.
    pub(crate) async fn is_half_done(self, bed: &Bed) -> bool {
        self == Self::Restart && operation(bed).await.restart.is_some()
    }
}

/// A placeholder of the case before, whose pod is gone since, is nothing to be deleted before it has had the time to belong to
/// somebody: in the middle of a run it would be.
async fn until_placeholders_have_settled(bed: &Bed) {
    let time = Thresholds::default().scaled(SCALE).settling + SignedDuration::from_secs(1);
    let path = "/apis/mizar.com/v1/namespaces/default/endpoints?labelSelector=mizar.dev/holds-for";
    let placeholders = items(bed, path).await;
    let created = placeholders.iter().filter_map(|it| it["metadata"]["creationTimestamp"].as_str()?.parse().ok());
    if let Some(youngest) = created.max() {
        let left = time - Timestamp::now().duration_since(youngest);
        tokio::time::sleep(left.try_into().unwrap_or_default()).await;
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.id())
    }
}

impl FromStr for Scenario {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::id).join(", ");
        let found = Self::ALL.into_iter().find(|scenario| scenario.id() == text);
        found.ok_or_else(|| format!("no command {text}; there are: {}", known()))
    }
}
