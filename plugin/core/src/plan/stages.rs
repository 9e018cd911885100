//! The order in which the parts of an installation are done, as a table: what a part needs comes before it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One part of the work. The names of chart folders and of events are these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StageName {
    /// The namespaces that everything else lives in.
    Namespace,
    /// Service accounts, roles, bindings, quotas.
    Access,
    /// Custom resource definitions.
    Definitions,
    /// Config maps, secrets, services.
    Configuration,
    /// An own pod network: what the operator must find when it starts.
    Network,
    /// The daemons on the nodes.
    Daemon,
    /// The operator.
    Operator,
    /// Objects of kinds that belong to no other part.
    Other,
    /// What the last version had and this one has not.
    Removal,
}

/// A stage and what must be done before it.
struct StageRule {
    name: StageName,
    after: &'static [StageName],
}

/// The parts in the order in which they are done one by one. Access and definitions do not need each other.
const ORDER: &[StageRule] = &[
    StageRule { name: StageName::Namespace, after: &[] },
    StageRule { name: StageName::Definitions, after: &[StageName::Namespace] },
    StageRule { name: StageName::Access, after: &[StageName::Namespace] },
    StageRule { name: StageName::Configuration, after: &[StageName::Access, StageName::Definitions] },
    StageRule { name: StageName::Network, after: &[StageName::Configuration] },
    StageRule { name: StageName::Daemon, after: &[StageName::Network] },
    StageRule { name: StageName::Operator, after: &[StageName::Daemon] },
    StageRule { name: StageName::Other, after: &[StageName::Operator] },
    StageRule { name: StageName::Removal, after: &[StageName::Other] },
];

/// For charts without stage folders: where the kinds go.
const KINDS: &[(&str, StageName)] = &[
    ("Namespace", StageName::Namespace),
    ("ServiceAccount", StageName::Access),
    ("Role", StageName::Access),
    ("RoleBinding", StageName::Access),
    ("ClusterRole", StageName::Access),
    ("ClusterRoleBinding", StageName::Access),
    ("ResourceQuota", StageName::Access),
    ("LimitRange", StageName::Access),
    ("PriorityClass", StageName::Access),
    ("CustomResourceDefinition", StageName::Definitions),
    ("ConfigMap", StageName::Configuration),
    ("Secret", StageName::Configuration),
    ("Service", StageName::Configuration),
    ("NetworkPolicy", StageName::Configuration),
    ("PodDisruptionBudget", StageName::Configuration),
    ("PersistentVolume", StageName::Configuration),
    ("PersistentVolumeClaim", StageName::Configuration),
    ("StorageClass", StageName::Configuration),
    ("Vpc", StageName::Network),
    ("Subnet", StageName::Network),
    ("Divider", StageName::Network),
    ("Bouncer", StageName::Network),
    ("DaemonSet", StageName::Daemon),
    ("Deployment", StageName::Operator),
    ("StatefulSet", StageName::Operator),
    ("ReplicaSet", StageName::Operator),
    ("Job", StageName::Operator),
    ("CronJob", StageName::Operator),
    ("Pod", StageName::Operator),
];

/// The folders of a chart that name a stage.
const FOLDERS: &[StageName] = &[
    StageName::Access,
    StageName::Definitions,
    StageName::Configuration,
    StageName::Network,
    StageName::Daemon,
    StageName::Operator,
];

impl StageName {
    /// Returns the stage of an object: by the chart folder its template is in, or else by its kind.
    #[must_use]
    pub fn of(folder: Option<&str>, kind: &str) -> Self {
        FOLDERS
            .iter()
            .copied()
            .find(|stage| Some(stage.as_str()) == folder)
            .or_else(|| KINDS.iter().find(|(known, _)| *known == kind).map(|(_, stage)| *stage))
            .unwrap_or(Self::Other)
    }

    /// Returns the stages that must be done before this one.
    #[must_use]
    pub fn after(self) -> &'static [Self] {
        ORDER.iter().find(|rule| rule.name == self).map_or(&[], |rule| rule.after)
    }

    /// Returns the place in the order in which stages are done one by one.
    #[must_use]
    pub fn rank(self) -> usize {
        ORDER.iter().position(|rule| rule.name == self).unwrap_or(ORDER.len())
    }

    /// Returns the name as it is written in folders, JSON and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Access => "access",
            Self::Definitions => "definitions",
            Self::Configuration => "configuration",
            Self::Network => "network",
            Self::Daemon => "daemon",
            Self::Operator => "operator",
            Self::Other => "other",
            Self::Removal => "removal",
        }
    }
}

impl fmt::Display for StageName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_keeps_every_need() {
        for rule in ORDER {
            for needed in rule.after {
                assert!(needed.rank() < rule.name.rank(), "{needed} comes before {}", rule.name);
            }
        }
    }

    #[test]
    fn a_folder_decides_and_kinds_decide_without_one() {
        assert_eq!(StageName::of(Some("daemon"), "ConfigMap"), StageName::Daemon);
        assert_eq!(StageName::of(None, "ConfigMap"), StageName::Configuration);
        assert_eq!(StageName::of(Some("tests"), "DaemonSet"), StageName::Daemon);
        assert_eq!(StageName::of(None, "Gadget"), StageName::Other);
    }

    #[test]
    fn a_chart_cannot_put_things_into_our_own_stages() {
        assert_eq!(StageName::of(Some("removal"), "Secret"), StageName::Configuration);
    }

    #[test]
    fn stages_are_written_as_they_print() {
        for rule in ORDER {
            assert_eq!(serde_json::to_value(rule.name).unwrap(), rule.name.to_string());
        }
    }
}
