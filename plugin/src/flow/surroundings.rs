//! Reading what there is around the objects of a plan, so that it can say what it means. What only a plan asks for that
//! replaces daemons or evicts pods is read only for such a one.

use mizar_core::facts::{Facts, Gap, NodeFact, Source};
use mizar_core::plan::{Labels, Past, Surroundings};

use super::gather::gather_more;
use crate::cluster::read::Listing;
use crate::cluster::{ApiFailure, Cluster};
use crate::failure::Failure;

/// Returns what there is around a plan. For one that `evicts` pods or replaces daemons it reads what is not among the facts
/// yet, each kind once; a kind that cannot be read is a gap, which the impact names.
pub(crate) async fn around(
    cluster: &Cluster,
    facts: &mut Facts,
    nodes: &[NodeFact],
    evicts: bool,
    past: Option<Past>,
) -> Result<Surroundings, Failure> {
    let mut labels = Labels::new();
    if evicts {
        let asked_for = |source: &Source| facts.gap(*source) != Some(Gap::NotAsked);
        let missing: Vec<Source> =
            Surroundings::OF_RESTARTS.iter().copied().filter(|source| !asked_for(source)).collect();
        let mut more = gather_more(cluster, &missing).await?;
        for source in missing {
            facts.adopt(source, &mut more);
        }
        if !facts.disruption_budgets.items().is_empty() {
            labels = pod_labels(cluster).await?;
        }
    }
    Ok(Surroundings::of(facts, nodes, &labels, past))
}

/// The labels of all pods, for which nobody else asks: a second list of them, in its shortest form.
async fn pod_labels(cluster: &Cluster) -> Result<Labels, ApiFailure> {
    let listing =
        Listing { path: "/api/v1/pods", noun: "pods", labels: "", fields: "", page_limit: 500, metadata_only: true };
    let mut labels = Labels::new();
    cluster
        .items(&listing, |pod| {
            let text = |field: &str| pod["metadata"][field].as_str().unwrap_or_default().to_owned();
            let entries = pod["metadata"]["labels"].as_object().into_iter().flatten();
            let of_pod = entries.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()));
            labels.insert((text("namespace"), text("name")), of_pod.collect());
        })
        .await?;
    Ok(labels)
}
