//! Which pods leave a node before its daemon is replaced, which come back when it is there again, and which keep the node from
//! being drained: the rules of `kubectl drain`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::facts::{Facts, PodFact, PodRole};

/// What a person allows, by the names of `kubectl drain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DrainTerms {
    /// Pods that nobody creates again may go.
    pub force: bool,
    /// What pods keep in an emptyDir may go with them.
    pub delete_emptydir_data: bool,
}

/// What a pod on a node is to a drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It uses no network of Mizar's, or has ended: nothing happens to it.
    Stays,
    /// It belongs to a DaemonSet: it would come back at once, and is recreated when the daemon is there again.
    ComesBack,
    /// It is evicted.
    Leaves,
}

/// Why a node must not be drained.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "obstacle")]
pub enum Obstacle {
    /// Nobody would create the pod again.
    Ownerless {
        /// `namespace/name`.
        pod: String,
        /// Its node.
        node: String,
    },
    /// The pod keeps data in an emptyDir, which goes with it.
    LocalData {
        /// `namespace/name`.
        pod: String,
        /// Its node.
        node: String,
    },
}

impl Obstacle {
    /// Returns the flag that lifts it.
    #[must_use]
    pub const fn flag(&self) -> &'static str {
        match self {
            Self::Ownerless { .. } => "--force",
            Self::LocalData { .. } => "--delete-emptydir-data",
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ownerless { pod, node } => write!(formatter, "pod {pod} on {node}: nobody would create it again"),
            Self::LocalData { pod, node } => {
                write!(formatter, "pod {pod} on {node}: it keeps data in an emptyDir, which would be lost")
            }
        }
    }
}

/// Returns what becomes of a pod when its node is drained.
#[must_use]
pub fn fate(pod: &PodFact) -> Fate {
    let is_over = matches!(pod.phase.as_str(), "Succeeded" | "Failed");
    let kind = pod.owner.as_ref().map(|owner| owner.kind.as_str());
    match (pod.role, kind) {
        _ if pod.host_network || is_over => Fate::Stays,
        (PodRole::Daemon | PodRole::Operator, _) | (_, Some("Node")) => Fate::Stays,
        (_, Some("DaemonSet")) => Fate::ComesBack,
        _ => Fate::Leaves,
    }
}

/// Returns what keeps a node from being drained.
#[must_use]
pub fn obstacles(facts: &Facts, node: &str, terms: DrainTerms) -> Vec<Obstacle> {
    let leaving = facts.pods.items().iter().filter(|pod| pod.node == node && fate(pod) == Fate::Leaves);
    let obstacle = |pod: &PodFact| {
        let (path, node) = (pod.path(), node.to_owned());
        if pod.owner.is_none() && !terms.force {
            return Some(Obstacle::Ownerless { pod: path, node });
        }
        (pod.empty_dir && !terms.delete_emptydir_data).then_some(Obstacle::LocalData { pod: path, node })
    };
    leaving.filter_map(obstacle).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::samples::{a_healthy_cluster, a_pod};
    use crate::facts::{Fetched, Owner};

    fn owned_by(kind: &str) -> PodFact {
        PodFact { owner: Some(Owner { kind: kind.into(), name: "x".into() }), ..a_pod("p", "10.20.0.9") }
    }

    #[test]
    fn what_uses_the_network_leaves_or_comes_back() {
        assert_eq!(fate(&owned_by("ReplicaSet")), Fate::Leaves);
        assert_eq!(fate(&PodFact { owner: None, ..a_pod("p", "10.20.0.9") }), Fate::Leaves);
        assert_eq!(fate(&owned_by("DaemonSet")), Fate::ComesBack);
        assert_eq!(fate(&owned_by("Node")), Fate::Stays);
        assert_eq!(fate(&PodFact { host_network: true, ..owned_by("ReplicaSet") }), Fate::Stays);
        assert_eq!(fate(&PodFact { phase: "Succeeded".into(), ..owned_by("Job") }), Fate::Stays);
        assert_eq!(fate(&PodFact { phase: "Pending".into(), ..owned_by("ReplicaSet") }), Fate::Leaves);
    }

    #[test]
    fn pods_without_an_owner_and_with_local_data_need_a_word() {
        let mut facts = a_healthy_cluster();
        let alone = PodFact { owner: None, ..a_pod("alone", "10.20.0.8") };
        let data = PodFact { empty_dir: true, ..a_pod("data", "10.20.0.9") };
        let elsewhere = PodFact { node: "node-2".into(), ..alone.clone() };
        facts.pods = Fetched::Known(vec![alone, data, elsewhere, owned_by("ReplicaSet")]);
        let told = |force, delete_emptydir_data| -> Vec<&'static str> {
            let terms = DrainTerms { force, delete_emptydir_data };
            obstacles(&facts, "node-1", terms).iter().map(Obstacle::flag).collect()
        };
        assert_eq!(told(false, false), ["--force", "--delete-emptydir-data"]);
        assert_eq!(told(true, false), ["--delete-emptydir-data"]);
        assert_eq!(told(true, true), [""; 0]);
    }
}
