//! Placeholders: Endpoints that only keep an address. An operator that starts anew knows none of the addresses in use
//! and hands them out again, unless an Endpoint with that address is provisioned before its eyes.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::diagnosis::seniority;
use crate::facts::{EndpointFact, Facts, HOLD_LABEL, KNOWN_LABEL, PodFact, PodsByName, Text, Uid};
use crate::kind::MIZAR_GROUP;
use crate::object::{Object, ObjectRef};

/// The operator knows Endpoints of this namespace only.
const NAMESPACE: &str = "default";

/// An address that is kept for a pod.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placeholder {
    /// The Vpc of the address.
    pub vpc: Text,
    /// The Subnet of the address.
    pub net: Text,
    /// The number of the Vpc on the wire.
    pub vni: Text,
    /// The address.
    pub ip: Text,
    /// The pod that uses it, by UID: the placeholder goes when that pod is gone.
    pub pod: Uid,
}

impl Placeholder {
    /// Returns what keeps the address of a pod's Endpoint.
    #[must_use]
    pub fn of(endpoint: &EndpointFact, pod: &PodFact) -> Self {
        Self { vpc: endpoint.vpc, net: endpoint.net, vni: endpoint.vni, ip: endpoint.ip, pod: pod.uid }
    }

    /// Returns its name, the same for the same address: no second one can be made.
    #[must_use]
    pub fn name(&self) -> String {
        format!("mizar-hold-{}-{}", self.vni, self.ip.replace('.', "-"))
    }

    /// Returns where it is found.
    #[must_use]
    pub fn reference(&self) -> ObjectRef {
        ObjectRef {
            api_version: format!("{MIZAR_GROUP}/v1"),
            kind: "Endpoint".to_owned(),
            namespace: Some(NAMESPACE.to_owned()),
            name: self.name(),
        }
    }

    /// Returns the Endpoint as the operator writes those of services: type scaled, its other fields blank.
    #[must_use]
    pub fn object(&self) -> Object {
        self.labelled(json!({}))
    }

    /// As [`Self::object`], made before the eyes of this run of the operator.
    #[must_use]
    pub fn known_to(&self, run: &str) -> Object {
        self.labelled(json!({KNOWN_LABEL: run}))
    }

    fn labelled(&self, mut labels: Value) -> Object {
        labels["app.kubernetes.io/managed-by"] = json!("kubectl-mizar");
        labels[HOLD_LABEL] = json!(self.pod);
        let object = json!({
            "apiVersion": format!("{MIZAR_GROUP}/v1"),
            "kind": "Endpoint",
            "metadata": {
                "name": self.name(),
                "namespace": NAMESPACE,
                "labels": labels,
            },
            "spec": {
                "type": "scaled",
                "status": "Init",
                "vpc": self.vpc.as_str(),
                "net": self.net.as_str(),
                "vni": self.vni.as_str(),
                "ip": self.ip.as_str(),
                // No createtime: it would be by our clock, and the operator counts from it by its own.
                "cnidelay": "", "droplet": "", "gw": "", "hostip": "", "hostmac": "", "itf": "", "mac": "",
                "netns": "", "pod": "", "prefix": "", "provisiondelay": "", "veth": "",
            },
        });
        Object::new(object).expect("it was just given its apiVersion, kind and name")
    }
}

/// Returns the placeholders that the running or coming operator needs and that do not exist, one an address: for each
/// pod's Endpoint that was provisioned by an earlier run. `since` is when the present run began; without it every address
/// in use is held.
#[must_use]
pub fn missing(facts: &Facts, since: Option<Timestamp>) -> Vec<Placeholder> {
    let pods = PodsByName::of(facts);
    let endpoints = facts.endpoints.items();
    let held: BTreeSet<(Text, Text)> = endpoints
        .iter()
        .filter(|endpoint| endpoint.object.holds_for.is_some() && endpoint.object.deleting.is_none())
        .map(|endpoint| (endpoint.vni, endpoint.ip))
        .collect();
    let used = endpoints.iter().filter(|endpoint| is_forgotten(endpoint, since));
    let mut wanted: Vec<(&PodFact, Placeholder)> = used
        .filter(|endpoint| !held.contains(&(endpoint.vni, endpoint.ip)))
        .filter_map(|endpoint| pods.of_endpoint(endpoint).map(|pod| (pod, Placeholder::of(endpoint, pod))))
        .collect();
    // Of several pods with one address the one that nobody would create again, else the oldest, is to keep it.
    wanted.sort_by_key(|(pod, held)| (held.vni, held.ip, seniority(pod)));
    wanted.dedup_by_key(|(_, held)| (held.vni, held.ip));
    wanted.into_iter().map(|(_, held)| held).collect()
}

/// Whether a pod's address is in use and was not given by the operator's present run.
fn is_forgotten(endpoint: &EndpointFact, since: Option<Timestamp>) -> bool {
    endpoint.kind == "simple"
        && endpoint.object.is_provisioned()
        && !endpoint.ip.is_empty()
        && was_before(endpoint.object.provisioned, since)
}

/// Whether something happened before the operator's present run. Both times are whole seconds cut off: what may have
/// happened before counts, since one placeholder too many does no harm.
fn was_before(moment: Option<Timestamp>, since: Option<Timestamp>) -> bool {
    match (moment, since) {
        (Some(moment), Some(since)) => moment.duration_since(since) < SignedDuration::from_secs(1),
        _ => true,
    }
}
