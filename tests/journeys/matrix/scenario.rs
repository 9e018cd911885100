//! The commands of the matrix: how each is called, and what must be there after it. What is there before it: [`Ground`].

use std::fmt;
use std::str::FromStr;

use mizar_bed::Bed;

use super::ground::{Errand, Ground};
use super::{lifecycle, oracle};
use crate::cli::Mizar;
use crate::cluster::{NAMESPACE, operation};

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
    /// To values that make every daemon old: node by node, drained and programmed anew.
    Upgrade,
    /// Back to a revision with other values of the daemon.
    Rollback,
    /// The taking over of what the script of old has installed.
    Adopt,
    /// Everything is taken out, definitions and namespace too.
    Uninstall,
}

impl Scenario {
    /// All.
    pub(crate) const ALL: [Self; 7] =
        [Self::Install, Self::Restart, Self::Deadlock, Self::Upgrade, Self::Rollback, Self::Adopt, Self::Uninstall];

    /// Which commands are one flow, under the name of the first of them.
    pub(crate) fn flow(self) -> Self {
        match self {
            Self::Restart | Self::Deadlock => Self::Restart,
            Self::Upgrade | Self::Rollback | Self::Adopt => Self::Upgrade,
            Self::Install | Self::Uninstall => self,
        }
    }

    /// As it is typed.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Restart => "repair-restart",
            Self::Deadlock => "repair-deadlock",
            Self::Upgrade => "upgrade",
            Self::Rollback => "rollback",
            Self::Adopt => "adopt",
            Self::Uninstall => "uninstall",
        }
    }

    /// What there is before it.
    pub(crate) fn ground(self) -> Ground {
        match self {
            Self::Install => Ground::Empty,
            Self::Restart | Self::Deadlock => Ground::InUse,
            Self::Upgrade | Self::Rollback => Ground::Released,
            Self::Adopt => Ground::Old,
            Self::Uninstall => Ground::ToBeLeft,
        }
    }

    /// Where its record lies.
    pub(crate) fn namespace(self) -> &'static str {
        if self == Self::Adopt { "default" } else { NAMESPACE }
    }

    /// Whether it moves an installation forward or back, takes it over, or takes it out.
    pub(crate) fn is_of_the_lifecycle(self) -> bool {
        self.replaces_daemons() || self == Self::Uninstall
    }

    /// Whether it replaces the daemons of nodes, one after the other.
    pub(crate) fn replaces_daemons(self) -> bool {
        matches!(self, Self::Upgrade | Self::Rollback | Self::Adopt)
    }

    /// The command of a case, on the bed itself.
    pub(crate) fn command(self, bed: &Bed, errand: &Errand) -> Mizar {
        let command = match self {
            Self::Install => Mizar::install(bed),
            Self::Restart => Mizar::on(bed).args("repair --restart-operator -y"),
            Self::Deadlock => Mizar::on(bed).args("repair -y"),
            Self::Upgrade => Mizar::on(bed).args("upgrade -y"),
            Self::Rollback => Mizar::on(bed).args("rollback -y"),
            Self::Adopt => Mizar::on(bed).args("install --adopt -y"),
            Self::Uninstall => Mizar::on(bed).args("uninstall --yes --crds"),
        };
        let command = command.args(&errand.words).impatient(SCALE);
        match errand.export() {
            Some(file) => command.args("--export").arg(file),
            None => command,
        }
    }

    /// Whether the same command is run once more after one that has ended well: a restart would be made again.
    pub(crate) fn is_repeatable(self) -> bool {
        self != Self::Restart
    }

    /// What a run says that finds everything done.
    pub(crate) fn says_when_done(self) -> &'static str {
        match self {
            Self::Install | Self::Upgrade | Self::Rollback | Self::Adopt => "nothing was written",
            Self::Restart | Self::Deadlock => "nothing to do",
            Self::Uninstall => "Nothing of Mizar is here that would go",
        }
    }

    /// Asserts that all is as it should be after the command has ended well, `census` being what a run without faults leaves.
    pub(crate) async fn judge(self, bed: &Bed, errand: &Errand, census: &[String]) {
        match self {
            Self::Upgrade | Self::Rollback | Self::Adopt => {
                lifecycle::until_all_pods_run(bed).await;
                oracle::assert_nothing_left_over(bed, self.namespace(), census).await;
                lifecycle::assert_nothing_leaked(bed).await;
                lifecycle::assert_deployed(bed, self.namespace(), errand).await;
                oracle::assert_the_network_works(bed).await;
            }
            Self::Uninstall => lifecycle::assert_taken_out(bed, errand).await,
            Self::Install => {
                oracle::assert_nothing_left_over(bed, self.namespace(), census).await;
                oracle::assert_installed_once(bed).await;
            }
            Self::Restart | Self::Deadlock => {
                oracle::assert_nothing_left_over(bed, self.namespace(), census).await;
                oracle::assert_the_network_works(bed).await;
            }
        }
    }

    /// Whether the record says that there is a restart of the operator to be finished.
    pub(crate) async fn is_half_done(self, bed: &Bed) -> bool {
        self == Self::Restart && operation(bed).await.restart.is_some()
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
