//! Looking whether new definitions keep what is stored. Where the old ones say nothing about it, the stored objects are read and
//! judged one by one.

use mizar_core::kind::lookup_path;
use mizar_core::object::Object;
use mizar_core::plan::{Action, Change, Plan, Refusal};
use mizar_core::site::Site;
use mizar_core::upgrade::definitions::{Danger, compare, validate};

use crate::cluster::Cluster;
use crate::cluster::read::Listing;
use crate::failure::Failure;

/// More of them say nothing more.
const MOST_DANGERS: usize = 20;

/// Returns the changes of definitions that would lose something.
pub(crate) async fn at_risk(cluster: &Cluster, plan: &Plan, live: &[(Site, Object)]) -> Result<Vec<Refusal>, Failure> {
    let changed = plan.changes().filter(|change| {
        change.object.kind == "CustomResourceDefinition" && matches!(change.action, Action::Update { .. })
    });
    let mut refusals = Vec::new();
    for change in changed {
        let Some(desired) = &change.desired else { continue };
        let Some((_, live)) = live.iter().find(|(_, live)| live.reference().same_object(&change.object)) else {
            continue;
        };
        let comparison = compare(live, desired);
        let mut dangers = comparison.dangers;
        for version in &comparison.unknown_before {
            dangers.extend(stored_at_risk(cluster, desired, version).await?);
        }
        refusals.extend((!dangers.is_empty()).then(|| refusal(change, &dangers)));
    }
    Ok(refusals)
}

async fn stored_at_risk(cluster: &Cluster, desired: &Object, version: &str) -> Result<Vec<Danger>, Failure> {
    let text = |path: &str| desired.value().pointer(path).and_then(serde_json::Value::as_str).unwrap_or_default();
    let path = format!("/apis/{}/{version}/{}", text("/spec/group"), text("/spec/names/plural"));
    let noun = lookup_path(&path).map_or("custom resources", |kind| kind.plural);
    let listing = Listing { path: &path, noun, labels: "", fields: "", page_limit: 500, metadata_only: false };
    let mut dangers = Vec::new();
    let judged = cluster.items(&listing, |object| {
        if dangers.len() < MOST_DANGERS {
            dangers.extend(validate(desired, version, &object));
        }
    });
    match judged.await {
        // A version that is not served holds nothing that could be lost by its schema.
        Err(failure) if failure.is_not_found() => Ok(Vec::new()),
        judged => Ok(judged.map(|()| dangers)?),
    }
}

fn refusal(change: &Change, dangers: &[Danger]) -> Refusal {
    let told: Vec<String> =
        dangers.iter().take(MOST_DANGERS).map(|danger| format!("{} {}", danger.place, danger.what)).collect();
    Refusal {
        object: change.object.clone(),
        fields: Vec::new(),
        why: format!("would not keep what is stored: {}", told.join("; ")),
        hint: "use a chart whose definitions keep every field and every version that is in use".to_owned(),
    }
}
