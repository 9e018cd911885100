//! Placeholders: Endpoints that only keep an address. An operator that starts anew knows none of the addresses in use
//! and hands them out again, unless an Endpoint with that address is provisioned before its eyes.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::facts::{EndpointFact, Facts, HOLD_LABEL, PodFact, Text};
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
    pub pod: Text,
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

    /// Returns the Endpoint as the operator writes those of services: type scaled, with every field it knows.
    #[must_use]
    pub fn object(&self, now: Timestamp) -> Object {
        let object = json!({
            "apiVersion": format!("{MIZAR_GROUP}/v1"),
            "kind": "Endpoint",
            "metadata": {
                "name": self.name(),
                "namespace": NAMESPACE,
                "labels": {"app.kubernetes.io/managed-by": "kubectl-mizar", HOLD_LABEL: self.pod.as_str()},
            },
            "spec": {
                "type": "scaled",
                "status": "Init",
                "vpc": self.vpc.as_str(),
                "net": self.net.as_str(),
                "vni": self.vni.as_str(),
                "ip": self.ip.as_str(),
                // Without it the operator does not note when it provisioned the Endpoint.
                "createtime": now.strftime("%Y-%m-%dT%H:%M:%S.%6f").to_string(),
                "cnidelay": "", "droplet": "", "gw": "", "hostip": "", "hostmac": "", "itf": "", "mac": "",
                "netns": "", "pod": "", "prefix": "", "provisiondelay": "", "veth": "",
            },
        });
        Object::new(object).expect("it was just given its apiVersion, kind and name")
    }
}

/// Returns the placeholders that the running or coming operator needs and that do not exist, one an address: for each
/// pod's Endpoint that was provisioned by an earlier run. `since` is when the present run began; nothing when none runs.
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
    let wanted: BTreeSet<Placeholder> = used
        .filter(|endpoint| !held.contains(&(endpoint.vni, endpoint.ip)))
        .filter_map(|endpoint| Some(Placeholder::of(endpoint, pods.of_endpoint(endpoint)?)))
        .collect();
    let mut seen = BTreeSet::new();
    wanted.into_iter().filter(|placeholder| seen.insert((placeholder.vni, placeholder.ip))).collect()
}

/// Whether a pod's address is in use and was not given by the operator's present run.
pub(super) fn is_forgotten(endpoint: &EndpointFact, since: Option<Timestamp>) -> bool {
    endpoint.kind == "simple"
        && endpoint.object.is_provisioned()
        && !endpoint.ip.is_empty()
        && was_before(endpoint.object.provisioned, since)
}

/// Whether something happened before the operator's present run, which nobody knows of what has no time.
pub(super) fn was_before(moment: Option<Timestamp>, since: Option<Timestamp>) -> bool {
    match (moment, since) {
        (Some(moment), Some(since)) => moment < since,
        _ => true,
    }
}

/// Pods by what an Endpoint tells of its own, so that many are found in little time.
pub(super) struct PodsByName<'a>(std::collections::BTreeMap<Text, Vec<&'a PodFact>>);

impl<'a> PodsByName<'a> {
    pub(super) fn of(facts: &'a Facts) -> Self {
        let mut by_name: std::collections::BTreeMap<Text, Vec<&'a PodFact>> = std::collections::BTreeMap::new();
        for pod in facts.pods.items() {
            by_name.entry(pod.name).or_default().push(pod);
        }
        Self(by_name)
    }

    /// Returns the pod of an Endpoint, if it is there.
    pub(super) fn of_endpoint(&self, endpoint: &EndpointFact) -> Option<&'a PodFact> {
        let named = self.0.get(&endpoint.pod)?;
        named.iter().copied().find(|pod| endpoint.belongs_to(&pod.namespace, &pod.name))
    }
}
