//! What there is of Mizar: its releases, and the two workloads with what they run.

use serde::Serialize;

use crate::adoption;
use crate::facts::{DaemonSetFact, DeploymentFact, Facts, PodFact, PodRole, ReleaseFact, Source};
use crate::network::daemon_set;

/// What there is of Mizar.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Installed {
    /// The namespace of the release, or of the daemon where nothing is recorded.
    pub namespace: Option<String>,
    /// The last revision of each release; nothing when the records could not be read.
    pub releases: Option<Vec<Revision>>,
    /// The chart that the daemon came with, `mizar-0.1.0`; nothing for a Mizar that no chart brought.
    pub chart: Option<String>,
    /// Whether it works without a release, put there by a script or by kubectl, and can be taken over.
    pub can_be_adopted: bool,
    /// The daemon.
    pub daemon: Found,
    /// The operator.
    pub operator: Found,
}

/// A workload, as far as it could be looked for. In JSON `null` means that it is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Found {
    /// It is there.
    There(Workload),
    /// It could not be looked for.
    Unknown {
        /// Why: the right that is missing, or what went wrong.
        unknown: String,
    },
    /// It is not there.
    #[default]
    Missing,
}

impl Found {
    /// Tells what was found where a source was read, and why nothing is known where it was not.
    fn of(found: Option<Workload>, facts: &Facts, source: Source) -> Self {
        let nobody_asked = || format!("nobody read {}", source.noun());
        match (found, facts.gap(source)) {
            (Some(workload), _) => Self::There(workload),
            (None, None) => Self::Missing,
            (None, Some(gap)) => Self::Unknown { unknown: gap.reason(source).unwrap_or_else(nobody_asked) },
        }
    }

    /// Returns it, if it is there.
    #[must_use]
    pub const fn workload(&self) -> Option<&Workload> {
        match self {
            Self::There(workload) => Some(workload),
            Self::Unknown { .. } | Self::Missing => None,
        }
    }
}

/// One revision of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    /// The name of the release.
    pub name: String,
    /// Its number.
    pub revision: u32,
    /// `deployed`, `pending-install` and so on.
    pub status: String,
}

/// One workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// Its images.
    pub images: Vec<String>,
    /// How many of its pods are ready.
    pub ready: u32,
    /// How many there should be.
    pub desired: u32,
    /// Images that some of its pods run although the workload names others.
    pub other_images: Vec<String>,
}

impl Installed {
    /// Reads what there is.
    #[must_use]
    pub fn of(facts: &Facts) -> Self {
        let daemon = daemon_set(facts.daemon_sets.items());
        let operator = facts.deployments.items().iter().find(|deployment| deployment.name == "mizar-operator");
        let releases = facts.releases.known().map(|records| last_revisions(records));
        let recorded = facts.releases.items().iter().max_by_key(|release| release.revision);
        Self {
            namespace: recorded
                .map(|release| release.namespace.clone())
                .or_else(|| daemon.map(|set| set.namespace.clone()))
                .or_else(|| operator.map(|operator| operator.namespace.clone())),
            releases,
            chart: daemon.and_then(|set| set.labels.get("helm.sh/chart").cloned()),
            can_be_adopted: adoption::find(facts).is_some(),
            daemon: Found::of(daemon.map(|set| daemon_workload(set, facts)), facts, Source::DaemonSets),
            operator: Found::of(
                operator.map(|operator| operator_workload(operator, facts)),
                facts,
                Source::Deployments,
            ),
        }
    }

    /// Whether there is anything of Mizar at all, as far as could be read.
    #[must_use]
    pub fn is_there(&self) -> bool {
        let workloads = [&self.daemon, &self.operator];
        workloads.iter().any(|found| found.workload().is_some())
            || self.releases.as_ref().is_some_and(|all| !all.is_empty())
    }

    /// Whether it is known that no workload of Mizar is there, whatever may be recorded.
    #[must_use]
    pub fn is_known_to_be_missing(&self) -> bool {
        !self.is_there() && self.daemon == Found::Missing && self.operator == Found::Missing
    }
}

fn last_revisions(records: &[ReleaseFact]) -> Vec<Revision> {
    let mut names: Vec<&String> = records.iter().map(|record| &record.name).collect();
    names.sort();
    names.dedup();
    let last =
        |name: &String| records.iter().filter(|record| record.name == *name).max_by_key(|record| record.revision);
    names
        .into_iter()
        .filter_map(last)
        .map(|record| Revision { name: record.name.clone(), revision: record.revision, status: record.status.clone() })
        .collect()
}

fn daemon_workload(set: &DaemonSetFact, facts: &Facts) -> Workload {
    Workload {
        other_images: other_images(facts.pods.items(), PodRole::Daemon, &set.namespace, &set.images),
        images: set.images.clone(),
        ready: set.ready,
        desired: set.desired,
    }
}

fn operator_workload(operator: &DeploymentFact, facts: &Facts) -> Workload {
    Workload {
        other_images: other_images(facts.pods.items(), PodRole::Operator, &operator.namespace, &operator.images),
        images: operator.images.clone(),
        ready: operator.ready,
        desired: operator.replicas,
    }
}

/// The daemon is replaced only on demand, so that its pods may run what the DaemonSet no longer names.
fn other_images(pods: &[PodFact], role: PodRole, namespace: &str, wanted: &[String]) -> Vec<String> {
    let ours = pods.iter().filter(|pod| pod.role == role && pod.namespace == namespace && pod.deleting.is_none());
    let running = ours.flat_map(|pod| &pod.containers).filter(|container| !container.init);
    let mut others: Vec<String> =
        running.map(|container| container.image.clone()).filter(|image| !wanted.contains(image)).collect();
    others.sort();
    others.dedup();
    others
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Gap;
    use crate::facts::samples::*;
    use serde_json::json;

    #[test]
    fn the_last_revision_of_each_release_counts() {
        let mut facts = a_healthy_cluster();
        facts.releases.edit().push(ReleaseFact { revision: 2, status: "pending-upgrade".into(), ..a_release("mizar") });
        let found = Installed::of(&facts);
        let told: Vec<_> =
            found.releases.unwrap().into_iter().map(|one| (one.name, one.revision, one.status)).collect();
        assert_eq!(told, [("mizar".into(), 2, "pending-upgrade".into()), ("mizar-crds".into(), 1, "deployed".into())]);
    }

    #[test]
    fn images_that_linger_on_nodes_are_told() {
        let mut facts = a_healthy_cluster();
        facts.pods.edit()[0].containers[0].image = "mizarnet/dropletd:0.9".into();
        let found = Installed::of(&facts);
        assert_eq!(found.daemon.workload().unwrap().other_images, ["mizarnet/dropletd:0.9"]);
        assert_eq!(found.operator.workload().unwrap().other_images, Vec::<String>::new());
    }

    #[test]
    fn what_may_not_be_listed_is_unknown_and_not_missing() {
        let mut facts = a_healthy_cluster();
        facts.mark(Source::DaemonSets, Gap::Denied);
        facts.mark(Source::Deployments, Gap::Failed("timed out".into()));
        let found = Installed::of(&facts);
        assert!(!found.is_known_to_be_missing());
        let unknown = json!({"unknown": "you are not allowed to list daemonsets.apps"});
        assert_eq!(json!(found.daemon), unknown);
        assert_eq!(found.operator, Found::Unknown { unknown: "timed out".into() });
        let bare = Installed::of(&a_cluster_before());
        assert!(bare.is_known_to_be_missing());
        assert_eq!(json!(bare.daemon), json!(null));
    }

    #[test]
    fn what_works_without_a_release_can_be_adopted() {
        let mut facts = a_healthy_cluster();
        assert!(!Installed::of(&facts).can_be_adopted);
        facts.daemon_sets.edit()[0].helm = None;
        facts.deployments.edit()[0].helm = None;
        assert!(Installed::of(&facts).can_be_adopted);
    }

    #[test]
    fn without_records_the_daemon_tells_the_namespace() {
        let mut facts = a_healthy_cluster();
        facts.mark(Source::Releases, Gap::Denied);
        let found = Installed::of(&facts);
        assert_eq!((found.namespace.as_deref(), found.releases), (Some("mizar-system"), None));
        assert!(!Installed::of(&a_cluster_before()).is_there());
    }
}
