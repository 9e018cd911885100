//! The networks with their parts, and how many addresses of each Subnet are in use.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::address::Cidr;
use crate::facts::{Facts, SubnetFact, VpcFact};

/// How many of something are done, of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Done.
    pub provisioned: usize,
    /// Wanted; nothing where the object does not say.
    pub wanted: Option<u32>,
}

/// One Vpc.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VpcState {
    /// Its name.
    pub name: String,
    /// Its range; nothing before it has one.
    pub range: Option<String>,
    /// Its number on the wire.
    pub vni: String,
    /// `Init`, `Provisioned`.
    pub status: String,
    /// Its Dividers; nothing when they could not be read.
    pub dividers: Option<Share>,
    /// Its Subnets; nothing when they could not be read.
    pub subnets: Option<Vec<SubnetState>>,
}

/// One Subnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubnetState {
    /// Its name.
    pub name: String,
    /// Its range; nothing before it has one.
    pub range: Option<String>,
    /// `Init`, `Provisioned`.
    pub status: String,
    /// Its Bouncers; nothing when they could not be read.
    pub bouncers: Option<Share>,
    /// How many of its addresses are in use; nothing when that could not be read.
    pub used: Option<usize>,
    /// How many there are.
    pub addresses: Option<u128>,
}

/// Returns the networks by name; those Subnets whose Vpc is gone are nobody's and are left to the checks.
#[must_use]
pub fn networks(facts: &Facts) -> Vec<VpcState> {
    let used = addresses_in_use(facts);
    let mut vpcs: Vec<VpcState> = facts.vpcs.items().iter().map(|vpc| state_of(vpc, facts, &used)).collect();
    vpcs.sort_by(|left, right| left.name.cmp(&right.name));
    vpcs
}

/// The addresses of Endpoints by Subnet, each once.
fn addresses_in_use(facts: &Facts) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut used: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for endpoint in facts.endpoints.items().iter().filter(|endpoint| !endpoint.ip.is_empty()) {
        used.entry(endpoint.net.as_str()).or_default().insert(endpoint.ip.as_str());
    }
    used
}

fn state_of(vpc: &VpcFact, facts: &Facts, used: &BTreeMap<&str, BTreeSet<&str>>) -> VpcState {
    let of_vpc = facts.dividers.items().iter().filter(|divider| divider.vpc == vpc.object.name);
    let subnets = facts.subnets.known().map(|all| {
        let mut of_vpc: Vec<SubnetState> = all
            .iter()
            .filter(|subnet| subnet.vpc == vpc.object.name)
            .map(|subnet| subnet_state(subnet, facts, used))
            .collect();
        of_vpc.sort_by(|left, right| left.name.cmp(&right.name));
        of_vpc
    });
    VpcState {
        name: vpc.object.name.to_string(),
        range: Cidr::new(&vpc.ip, &vpc.prefix).ok().map(|range| range.to_string()),
        vni: vpc.vni.to_string(),
        status: vpc.object.status.to_string(),
        dividers: facts.dividers.known().map(|_| Share {
            provisioned: of_vpc.filter(|divider| divider.object.is_provisioned()).count(),
            wanted: vpc.dividers,
        }),
        subnets,
    }
}

fn subnet_state(subnet: &SubnetFact, facts: &Facts, used: &BTreeMap<&str, BTreeSet<&str>>) -> SubnetState {
    let name = subnet.object.name;
    let range = Cidr::new(&subnet.ip, &subnet.prefix).ok();
    let bouncers = facts.bouncers.items().iter().filter(|bouncer| bouncer.net == name);
    // Host Endpoints and services name a Subnet too, and have addresses of their own outside it.
    let within =
        |range: &Cidr| used.get(name.as_str()).map_or(0, |all| all.iter().filter(|ip| range.contains_text(ip)).count());
    SubnetState {
        name: name.to_string(),
        range: range.map(|range| range.to_string()),
        status: subnet.object.status.to_string(),
        bouncers: facts.bouncers.known().map(|_| Share {
            provisioned: bouncers.filter(|bouncer| bouncer.object.is_provisioned()).count(),
            wanted: subnet.bouncers,
        }),
        used: facts.endpoints.known().and(range.as_ref()).map(within),
        addresses: range.map(|range| range.size()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::samples::*;
    use crate::facts::{Gap, Source, Text};

    #[test]
    fn addresses_of_pods_count_once_and_those_of_hosts_and_services_do_not() {
        let mut facts = a_healthy_cluster();
        facts.endpoints.edit().push(a_pod_endpoint("twin", "10.20.0.2"));
        facts.endpoints.edit().push(a_pod_endpoint("other", "10.20.0.9"));
        let vpcs = networks(&facts);
        let subnet = &vpcs[0].subnets.as_ref().unwrap()[0];
        assert_eq!((subnet.used, subnet.addresses), (Some(2), Some(65_536)));
        assert_eq!(subnet.bouncers, Some(Share { provisioned: 1, wanted: Some(1) }));
        assert_eq!(vpcs[0].range.as_deref(), Some("10.20.0.0/16"));
    }

    #[test]
    fn a_blank_subnet_has_no_range_and_no_count() {
        let mut facts = a_healthy_cluster();
        facts.subnets.edit()[0].ip = Text::default();
        let vpcs = networks(&facts);
        let subnet = &vpcs[0].subnets.as_ref().unwrap()[0];
        assert_eq!((&subnet.range, subnet.used, subnet.addresses), (&None, None, None));
    }

    #[test]
    fn what_could_not_be_read_is_unknown_and_not_none() {
        let mut facts = a_healthy_cluster();
        for source in [Source::Dividers, Source::Bouncers, Source::Endpoints] {
            facts.mark(source, Gap::Denied);
        }
        let vpcs = networks(&facts);
        let subnet = &vpcs[0].subnets.as_ref().unwrap()[0];
        assert_eq!((vpcs[0].dividers, subnet.bouncers, subnet.used), (None, None, None));
        assert_eq!(subnet.addresses, Some(65_536));
    }
}
