//! The table of remedies.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One way to heal something, in the order in which they are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remedy {
    /// What belongs to nothing is deleted. First, since a host Endpoint that is left keeps a Bouncer from coming back.
    Leaks,
    /// Dividers, then Bouncers, on a Droplet that is gone are placed anew.
    Placement,
    /// Bouncers that the operator has given up are shown to it again, once the addresses in use are kept.
    StalledObjects,
    /// The operator is restarted the one safe way, so that it reads back what it had forgotten.
    OperatorMemory,
    /// One Bouncer is set back, and all that waits for each other goes on.
    Deadlock,
    /// Nodes are connected and programmed anew.
    NodeProgramming,
    /// Addresses that the operator does not know to be used are kept, before any pod is created; placeholders go with the
    /// pods that they were for.
    Placeholders,
    /// The younger of two pods with one address is recreated.
    DuplicateAddresses,
    /// Pods without a network are recreated.
    CutOffPods,
}

impl Remedy {
    /// All, in the order in which they are taken.
    pub const ALL: [Self; 9] = [
        Self::Leaks,
        Self::Placement,
        Self::StalledObjects,
        Self::OperatorMemory,
        Self::Deadlock,
        Self::NodeProgramming,
        Self::Placeholders,
        Self::DuplicateAddresses,
        Self::CutOffPods,
    ];

    /// Returns its stable name, as `--only` takes it.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Leaks => "leaks",
            Self::Placement => "placement",
            Self::StalledObjects => "stalled-objects",
            Self::OperatorMemory => "operator-memory",
            Self::Deadlock => "deadlock",
            Self::NodeProgramming => "node-programming",
            Self::DuplicateAddresses => "duplicate-addresses",
            Self::Placeholders => "placeholders",
            Self::CutOffPods => "cut-off-pods",
        }
    }

    /// Returns what it does, for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Leaks => "Delete what is left of pods and nodes that are gone",
            Self::Placement => "Place Dividers and Bouncers where a node forwards for them",
            Self::StalledObjects => "Show the operator again what it has given up",
            Self::OperatorMemory => "Restart the operator the safe way",
            Self::Deadlock => "End the deadlock after a restart of the operator",
            Self::NodeProgramming => "Program nodes anew",
            Self::DuplicateAddresses => "Give pods with one address one each",
            Self::Placeholders => "Keep the addresses that are used, and no others",
            Self::CutOffPods => "Recreate pods that have no network",
        }
    }

    /// Returns the checks that tell of what it heals.
    #[must_use]
    pub const fn heals(self) -> &'static [&'static str] {
        match self {
            Self::Leaks => &["leaked-endpoints"],
            Self::Placement => &["bouncers", "dividers"],
            Self::StalledObjects => &["stuck-objects"],
            Self::OperatorMemory => &["operator-memory"],
            Self::Deadlock => &["unfinished-handlers"],
            Self::NodeProgramming => &["unprogrammed-nodes", "host-endpoints", "droplets"],
            Self::DuplicateAddresses => &["duplicate-addresses"],
            Self::Placeholders => &["idle-placeholders", "unknown-addresses"],
            Self::CutOffPods => &["pods-older-than-mizar"],
        }
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.id())
    }
}

impl FromStr for Remedy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|remedy| remedy.id() == text);
        found.ok_or_else(|| {
            let all = Self::ALL.map(Self::id).join(", ");
            format!("no remedy is called {text:?}; there are {all}")
        })
    }
}

/// Returns the remedy for what a check tells of.
#[must_use]
pub fn remedy_of_check(check: &str) -> Option<Remedy> {
    Remedy::ALL.into_iter().find(|remedy| remedy.heals().contains(&check))
}
