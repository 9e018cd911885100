//! The single acts of which remedies consist.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::facts::Text;
use crate::network::PodOnNetwork;
use crate::object::ObjectId;
use crate::restart::Placeholder;
use crate::words::counted;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "act")]
pub enum Act {
    /// Delete an object that belongs to nothing.
    Delete {
        /// The object.
        object: ObjectId,
        /// Why it belongs to nothing.
        reason: String,
    },
    /// Set a Bouncer or a Divider back to Init, and wait until the operator has placed it anew.
    PlaceAnew {
        /// The object.
        object: ObjectId,
        /// Why.
        reason: String,
    },
    /// Label an object, so that the operator looks at it again.
    ShowAgain {
        /// The object.
        object: ObjectId,
        /// Why.
        reason: String,
    },
    /// Restart the operator by the sequence of [`crate::restart`].
    RestartOperator {
        /// Why.
        reason: String,
    },
    /// Keep the addresses that the operator does not know to be used, then set one Bouncer back and wait until all goes on.
    Unlock {
        /// The Subnet.
        net: Text,
        /// The Bouncer.
        bouncer: ObjectId,
        /// The addresses to keep.
        hold: Vec<Placeholder>,
        /// Placeholders that an earlier run of the operator knew: it has to learn of them again.
        renew: Vec<ObjectId>,
        /// Why.
        reason: String,
    },
    /// Keep addresses that the operator is about to give free although they stay in use, and note that it has to learn of
    /// them again: by [`Self::Hold`], soon after.
    Reserve {
        /// The addresses to keep.
        hold: Vec<Placeholder>,
        /// The placeholders of those that are kept already.
        held: Vec<ObjectId>,
        /// Why.
        reason: String,
    },
    /// Keep the addresses that the operator does not know to be used.
    Hold {
        /// The addresses to keep.
        hold: Vec<Placeholder>,
        /// Placeholders that an earlier run of the operator knew: it has to learn of them again.
        renew: Vec<ObjectId>,
        /// Why.
        reason: String,
    },
    /// Delete a node's host Endpoints, then its Droplets, label the node, and wait until new ones are there.
    Reprogram {
        /// The node.
        node: ObjectId,
        /// Its Droplets.
        droplets: Vec<ObjectId>,
        /// Its host Endpoints.
        host_endpoints: Vec<ObjectId>,
        /// Its addresses, by which its next Droplet is known.
        addresses: Vec<String>,
        /// The Vpcs in which it then has a host Endpoint.
        vpcs: Vec<Text>,
        /// Why.
        reason: String,
    },
    /// Delete a pod whose owner creates it again, and wait until that runs.
    Recreate {
        /// The pod.
        pod: PodOnNetwork,
        /// That very pod.
        object: ObjectId,
        /// Why.
        reason: String,
    },
}

impl Act {
    /// Whether it only deletes what belongs to nothing, or keeps an address: nobody notices.
    #[must_use]
    pub fn is_harmless(&self) -> bool {
        matches!(self, Self::Delete { .. } | Self::Reserve { .. } | Self::Hold { .. })
    }

    /// Returns why it is done.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Delete { reason, .. }
            | Self::PlaceAnew { reason, .. }
            | Self::ShowAgain { reason, .. }
            | Self::RestartOperator { reason }
            | Self::Unlock { reason, .. }
            | Self::Reserve { reason, .. }
            | Self::Hold { reason, .. }
            | Self::Reprogram { reason, .. }
            | Self::Recreate { reason, .. } => reason,
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delete { object, .. } => write!(formatter, "delete {object}"),
            Self::PlaceAnew { object, .. } => write!(formatter, "set {object} back to Init"),
            Self::ShowAgain { object, .. } => write!(formatter, "label {object}"),
            Self::RestartOperator { .. } => write!(formatter, "restart the operator"),
            Self::Unlock { bouncer, hold, renew, .. } => {
                let addresses = counted(hold.len() + renew.len(), "address");
                write!(formatter, "keep {addresses}, then set {bouncer} back to Init")
            }
            Self::Reserve { hold, held, .. } => {
                write!(formatter, "note {} to keep", counted(hold.len() + held.len(), "address"))
            }
            Self::Hold { hold, renew, .. } => {
                write!(formatter, "keep {}", counted(hold.len() + renew.len(), "address"))
            }
            Self::Reprogram { node, droplets, host_endpoints, .. } => {
                let hosts = counted(host_endpoints.len(), "host Endpoint");
                let droplets = counted(droplets.len(), "Droplet");
                write!(formatter, "delete {hosts} and {droplets} of {node}, and label it")
            }
            Self::Recreate { object, .. } => write!(formatter, "recreate {object}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::ObjectRef;

    #[test]
    fn one_address_is_told_in_the_singular() {
        let kept = ObjectId {
            object: ObjectRef {
                api_version: "mizar.com/v1".into(),
                kind: "Endpoint".into(),
                namespace: Some("default".into()),
                name: "kept-1".into(),
            },
            uid: "1".into(),
        };
        let reserve = |held| Act::Reserve { hold: Vec::new(), held, reason: String::new() }.to_string();
        assert_eq!(reserve(vec![kept.clone()]), "note 1 address to keep");
        assert_eq!(reserve(vec![kept.clone(), kept]), "note 2 addresses to keep");
    }
}
