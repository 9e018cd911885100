//! What people lose while a remedy is at work.

use serde::{Deserialize, Serialize};

use super::{Act, Remedy};
use crate::words::counted;

/// What people lose for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cut {
    /// Who, and what they lose.
    pub what: String,
    /// For how long.
    pub how_long: String,
}

/// Returns what people lose by the acts of a remedy.
pub(super) fn cuts(remedy: Remedy, acts: &[Act]) -> Vec<Cut> {
    let cut = |what: String, how_long: &str| vec![Cut { what, how_long: how_long.to_owned() }];
    let recreated: Vec<String> = acts
        .iter()
        .filter_map(|act| match act {
            Act::Recreate { pod, .. } => Some(format!("{}/{}", pod.namespace, pod.name)),
            _ => None,
        })
        .collect();
    match remedy {
        Remedy::Leaks | Remedy::Placeholders | Remedy::StalledObjects => Vec::new(),
        Remedy::Placement => cut(
            "traffic through these Dividers and Bouncers, which forward nothing now".to_owned(),
            "below a second each, while they are placed",
        ),
        Remedy::OperatorMemory => cut(
            "no new pod and no new service is wired, and nodes are cordoned; running pods keep their network"
                .to_owned(),
            "about a minute",
        ),
        Remedy::Deadlock => cut(
            "traffic through one Bouncer, while it is placed anew".to_owned(),
            "below a second; new pods wait up to 20 s",
        ),
        Remedy::NodeProgramming => {
            cut("the way between these nodes themselves and all pods".to_owned(), "a few seconds a node")
        }
        Remedy::DuplicateAddresses | Remedy::CutOffPods => {
            let pods = format!("{}: {}", counted(recreated.len(), "pod"), recreated.join(", "));
            let mut cuts = if recreated.is_empty() { Vec::new() } else { cut(pods, "until their successors run") };
            if acts.iter().any(|act| matches!(act, Act::PlaceAnew { .. })) {
                cuts.extend(cut(
                    "traffic through these Bouncers, one after the other".to_owned(),
                    "below a second each",
                ));
            }
            cuts
        }
    }
}
