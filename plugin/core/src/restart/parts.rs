//! Bouncers and Dividers that are gone. The operator makes them together with their Subnet or Vpc and never again, and
//! without a Bouncer before its eyes a new one wires nothing, for ever.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::facts::{Facts, MizarObject, Text};
use crate::kind::MIZAR_GROUP;
use crate::object::Object;

/// The operator knows objects of this namespace only.
const NAMESPACE: &str = "default";

/// A Bouncer or a Divider to be made. The operator places it, whoever made it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all_fields = "camelCase")]
pub enum NewPart {
    /// A Divider.
    Divider {
        /// Its name.
        name: String,
        /// The Vpc that has too few.
        vpc: Text,
        /// The number of the Vpc on the wire.
        vni: Text,
    },
    /// A Bouncer.
    Bouncer {
        /// Its name.
        name: String,
        /// The Subnet that has too few.
        net: Text,
        /// The Vpc of the Subnet.
        vpc: Text,
        /// The number of the Vpc on the wire.
        vni: Text,
        /// The base of the Subnet's range.
        nip: Text,
        /// The prefix length of the Subnet's range.
        prefix: Text,
    },
}

impl NewPart {
    /// Returns it as the operator writes those that it makes: Init, and placed nowhere.
    #[must_use]
    pub fn object(&self) -> Object {
        let (kind, name, mut spec) = match self {
            Self::Divider { name, vpc, vni } => ("Divider", name, json!({"vpc": vpc.as_str(), "vni": vni.as_str()})),
            Self::Bouncer { name, net, vpc, vni, nip, prefix } => {
                let spec = json!({"net": net.as_str(), "vpc": vpc.as_str(), "vni": vni.as_str(), "nip": nip.as_str(),
                    "prefix": prefix.as_str()});
                ("Bouncer", name, spec)
            }
        };
        // No createtime: it would be by our clock, and the operator counts from it by its own.
        for (field, value) in [("status", "Init"), ("droplet", ""), ("ip", ""), ("mac", "")] {
            spec[field] = json!(value);
        }
        let object = json!({
            "apiVersion": format!("{MIZAR_GROUP}/v1"),
            "kind": kind,
            "metadata": {
                "name": name,
                "namespace": NAMESPACE,
                "labels": {"app.kubernetes.io/managed-by": "kubectl-mizar"},
            },
            "spec": spec,
        });
        Object::new(object).expect("it was just given its apiVersion, kind and name")
    }
}

impl fmt::Display for NewPart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Divider { name, .. } => write!(formatter, "Divider {name}"),
            Self::Bouncer { name, .. } => write!(formatter, "Bouncer {name}"),
        }
    }
}

/// Returns what finished Vpcs and Subnets want and do not have: Dividers first, with whose help Bouncers are placed. What is
/// being deleted is as good as gone.
#[must_use]
pub fn missing_parts(facts: &Facts) -> Vec<NewPart> {
    // Somebody may have asked for billions.
    let most = facts.droplets.items().len();
    let is_finished = |object: &MizarObject| object.is_provisioned() && object.deleting.is_none();
    let dividers: Vec<_> = facts.dividers.items().iter().map(|divider| (divider.vpc, &divider.object)).collect();
    let bouncers: Vec<_> = facts.bouncers.items().iter().map(|bouncer| (bouncer.net, &bouncer.object)).collect();
    let mut parts = Vec::new();
    for vpc in facts.vpcs.items().iter().filter(|vpc| is_finished(&vpc.object)) {
        let names = new_names(vpc.object.name, "d", vpc.dividers, most, &dividers);
        let divider = |name| NewPart::Divider { name, vpc: vpc.object.name, vni: vpc.vni };
        parts.extend(names.map(divider));
    }
    for subnet in facts.subnets.items().iter().filter(|subnet| is_finished(&subnet.object)) {
        let names = new_names(subnet.object.name, "b", subnet.bouncers, most, &bouncers);
        let bouncer = |name| NewPart::Bouncer {
            name,
            net: subnet.object.name,
            vpc: subnet.vpc,
            vni: subnet.vni,
            nip: subnet.ip,
            prefix: subnet.prefix,
        };
        parts.extend(names.map(bouncer));
    }
    parts
}

/// Returns names for what an owner lacks, the same ones however often it is asked.
fn new_names(
    owner: Text,
    letter: &'static str,
    wanted: Option<u32>,
    most: usize,
    all: &[(Text, &MizarObject)],
) -> impl Iterator<Item = String> + use<> {
    let present = all.iter().filter(|(of, object)| *of == owner && object.deleting.is_none()).count();
    let wanted = wanted.unwrap_or(1).max(1) as usize;
    let missing = wanted.saturating_sub(present).min(most);
    let taken: BTreeSet<String> = all.iter().map(|(_, object)| object.name.to_string()).collect();
    let names = (1_usize..).map(move |number| format!("{owner}-{letter}-again-{number}"));
    names.filter(move |name| !taken.contains(name)).take(missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::samples::{a_healthy_cluster, minutes_ago};

    fn names(facts: &Facts) -> Vec<String> {
        missing_parts(facts).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_healthy_network_lacks_nothing() {
        assert_eq!(missing_parts(&a_healthy_cluster()), []);
    }

    #[test]
    fn what_is_gone_or_going_is_made_again_dividers_first_and_under_names_that_are_free() {
        let mut facts = a_healthy_cluster();
        facts.bouncers.edit().clear();
        facts.dividers.edit()[0].object.deleting = minutes_ago(1);
        facts.dividers.edit()[0].object.name = "vpc0-d-again-1".into();
        assert_eq!(names(&facts), ["Divider vpc0-d-again-2", "Bouncer net0-b-again-1"]);
    }

    #[test]
    fn as_many_as_are_wanted_but_no_more_than_there_are_places() {
        let mut facts = a_healthy_cluster();
        facts.subnets.edit()[0].bouncers = Some(2);
        assert_eq!(names(&facts), ["Bouncer net0-b-again-1"]);
        facts.subnets.edit()[0].bouncers = Some(u32::MAX);
        assert_eq!(names(&facts).len(), facts.droplets.items().len());
    }

    #[test]
    fn an_owner_that_is_unfinished_or_going_gets_none() {
        let mut facts = a_healthy_cluster();
        facts.bouncers.edit().clear();
        facts.subnets.edit()[0].object.status = "Init".into();
        assert_eq!(missing_parts(&facts), []);
        facts.subnets.edit()[0].object.status = "Provisioned".into();
        facts.subnets.edit()[0].object.deleting = minutes_ago(1);
        assert_eq!(missing_parts(&facts), []);
    }

    #[test]
    fn a_bouncer_has_the_fields_that_the_operator_writes() {
        let mut facts = a_healthy_cluster();
        facts.bouncers.edit().clear();
        let object = missing_parts(&facts)[0].object();
        let spec = &object.value()["spec"];
        assert_eq!((&spec["status"], &spec["net"], &spec["vpc"]), (&json!("Init"), &json!("net0"), &json!("vpc0")));
        assert_eq!((&spec["nip"], &spec["prefix"], &spec["droplet"]), (&json!("10.20.0.0"), &json!("16"), &json!("")));
    }
}
