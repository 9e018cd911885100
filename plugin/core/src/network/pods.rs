//! Which pods have no network of Mizar: those that still live on the one that was there before, and those that a daemon
//! cut off when it started. Which pods a plan will cut is told by [`crate::plan::Impact`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ranges;
use crate::facts::{Owner, PodFact, PodRole, SubnetFact, Successor};

/// A pod with an address of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodOnNetwork {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its node.
    pub node: String,
    /// Its address.
    pub ip: String,
    /// What creates it again once it is deleted; without an owner nobody does.
    pub owner: Option<Owner>,
    /// Whether it answers the cluster's name queries.
    pub is_dns: bool,
    /// Whether it has an address of Mizar's, but is older than the daemon of its node, whose start cut it off.
    pub cut_off: bool,
}

impl PodOnNetwork {
    pub(crate) fn of(pod: &PodFact) -> Self {
        Self {
            namespace: pod.namespace.to_string(),
            name: pod.name.to_string(),
            node: pod.node.to_string(),
            ip: pod.ip.to_string(),
            owner: pod.owner.clone(),
            is_dns: pod.role == PodRole::Dns,
            cut_off: false,
        }
    }

    /// Returns what follows when it is deleted.
    #[must_use]
    pub fn successor(&self) -> Successor {
        self.owner.as_ref().map_or(Successor::Never, Owner::successor)
    }

    /// Whether it may be deleted to get another one: somebody creates that, and nothing else comes of it.
    #[must_use]
    pub fn is_created_again(&self) -> bool {
        self.successor().may_be_counted_on()
    }
}

/// Returns the pods that have no network of Mizar: those with an address outside every subnet, and those that a daemon cut
/// off when it started after them. In the order in which to recreate them: name servers first, since the others cannot
/// start well without them, then by namespace and name.
#[must_use]
pub fn pods_that_predate_mizar(pods: &[PodFact], subnets: &[SubnetFact]) -> Vec<PodOnNetwork> {
    let ranges = ranges(subnets);
    let mut daemons: BTreeMap<&str, Timestamp> = BTreeMap::new();
    for daemon in pods.iter().filter(|pod| pod.role == PodRole::Daemon && pod.deleting.is_none()) {
        if let Some(created) = daemon.created {
            daemons.entry(&daemon.node).and_modify(|known| *known = created.max(*known)).or_insert(created);
        }
    }
    let without_network = |pod: &PodFact| {
        let outside = !ranges.iter().any(|range| range.contains_text(&pod.ip));
        // Where there is no daemon, another network may serve the pod.
        let daemon = daemons.get(pod.node.as_str())?;
        let cut_off = pod.created.is_some_and(|pod| pod < *daemon);
        (outside || cut_off).then(|| PodOnNetwork { cut_off: !outside, ..PodOnNetwork::of(pod) })
    };
    let networked = pods.iter().filter(|pod| pod.is_on_pod_network() && !pod.ip.is_empty());
    let mut found: Vec<PodOnNetwork> = networked.filter_map(without_network).collect();
    found.sort_by(|left, right| order(left).cmp(&order(right)));
    found
}

fn order(pod: &PodOnNetwork) -> (bool, &str, &str) {
    (!pod.is_dns, &pod.namespace, &pod.name)
}
