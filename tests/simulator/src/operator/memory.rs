//! What the operator process remembers, and what it loads when it starts.
//!
//! Nothing here outlives the process. The gaps after a restart are Mizar's own and are kept: endpoints come back
//! without their droplet, subnets without their status, bouncers and used addresses not at all.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    address::{AddressPool, Range},
    daemon::Address,
    object::{Kind, Object},
};

pub(crate) const INIT: &str = "Init";
pub(crate) const PROVISIONED: &str = "Provisioned";

/// The network that the operator makes by itself.
pub(crate) const DEFAULT_VPC: &str = "vpc0";
pub(crate) const DEFAULT_SUBNET: &str = "net0";
pub(crate) const DEFAULT_IP: &str = "10.20.0.0";
pub(crate) const DEFAULT_PREFIX: &str = "16";
pub(crate) const DEFAULT_VNI: &str = "1";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Droplet {
    pub(crate) name: String,
    pub(crate) main_ip: String,
    pub(crate) ip: String,
    pub(crate) mac: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Vpc {
    pub(crate) ip: String,
    pub(crate) prefix: String,
    pub(crate) vni: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Divider {
    pub(crate) vpc: String,
    pub(crate) droplet: String,
    /// Whether the droplet has been looked up: not yet after a restart.
    pub(crate) resolved: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Subnet {
    pub(crate) vpc: String,
    pub(crate) ip: String,
    pub(crate) prefix: String,
    pub(crate) vni: String,
    pub(crate) status: String,
    pub(crate) pool: Option<AddressPool>,
}

impl Subnet {
    pub(crate) fn new(vpc: &str, ip: &str, prefix: &str, vni: &str, status: &str) -> Self {
        let pool = Range::parse(ip, prefix).map(AddressPool::new);
        let [vpc, ip, prefix, vni, status] = [vpc, ip, prefix, vni, status].map(str::to_owned);
        Self { vpc, ip, prefix, vni, status, pool }
    }

    pub(crate) fn from_object(object: &Object, status: &str) -> Self {
        let [vpc, ip, prefix, vni] = ["vpc", "ip", "prefix", "vni"].map(|field| object.spec(field));
        Self::new(&vpc, &ip, &prefix, &vni, status)
    }

    pub(crate) fn gateway(&self) -> String {
        Range::parse(&self.ip, &self.prefix).map(|range| range.gateway().to_string()).unwrap_or_default()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bouncer {
    pub(crate) net: String,
    pub(crate) droplet: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndpointType {
    Simple,
    Scaled,
    Host,
    Other,
}

impl EndpointType {
    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "simple" => Self::Simple,
            "scaled" => Self::Scaled,
            "host" => Self::Host,
            _ => Self::Other,
        }
    }

    /// Whether an endpoint of this type sits on one droplet.
    pub(crate) fn needs_droplet(self) -> bool {
        matches!(self, Self::Simple | Self::Host)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) kind: EndpointType,
    pub(crate) net: String,
    pub(crate) vni: String,
    pub(crate) ip: String,
    /// Whether the droplet has been looked up: not yet after a restart. This is what deadlocks the operator.
    pub(crate) resolved: bool,
    /// The pod that this process has wired it for.
    pub(crate) pod: Option<(String, String)>,
    pub(crate) droplet_ip: String,
}

impl Endpoint {
    pub(crate) fn address(&self) -> Address {
        Address::new(&self.vni, &self.ip)
    }
}

/// All that one run of the operator remembers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) droplets: BTreeMap<String, Droplet>,
    pub(crate) vpcs: BTreeMap<String, Vpc>,
    pub(crate) dividers: BTreeMap<String, Divider>,
    pub(crate) subnets: BTreeMap<String, Subnet>,
    pub(crate) bouncers: BTreeMap<String, Bouncer>,
    pub(crate) endpoints: BTreeMap<String, Endpoint>,
    /// Pairs of VPC and droplet that are connected by a host endpoint.
    pub(crate) wired: BTreeSet<(String, String)>,
}

impl Memory {
    /// Takes over what a starting process reads. Bouncers are not among it: Mizar's loader lists droplets instead.
    pub(crate) fn load(objects: &[Object]) -> Self {
        let mut memory = Self::default();
        for object in objects {
            memory.load_one(object);
        }
        memory
    }

    fn load_one(&mut self, object: &Object) {
        let name = object.name().to_owned();
        let provisioned = object.spec("status") == PROVISIONED;
        match object.kind() {
            Kind::Droplet if provisioned => self.store_droplet(object),
            Kind::Vpc if provisioned => self.store_vpc(object),
            Kind::Divider if provisioned => {
                let [vpc, droplet] = ["vpc", "droplet"].map(|field| object.spec(field));
                self.dividers.insert(name, Divider { vpc, droplet, resolved: false });
            }
            // The loader looks at the key `type`, which nobody writes: the status comes back blank.
            Kind::Subnet => {
                self.subnets.insert(name, Subnet::from_object(object, &object.spec("type")));
            }
            Kind::Endpoint if provisioned => self.store_endpoint(object),
            _ => {}
        }
    }

    pub(crate) fn store_droplet(&mut self, object: &Object) {
        let [main_ip, ip, mac] = ["main_ip", "ip", "mac"].map(|field| object.spec(field));
        let name = object.name().to_owned();
        self.droplets.insert(name.clone(), Droplet { name, main_ip, ip, mac });
    }

    pub(crate) fn store_vpc(&mut self, object: &Object) {
        let [ip, prefix, vni] = ["ip", "prefix", "vni"].map(|field| object.spec(field));
        self.vpcs.insert(object.name().to_owned(), Vpc { ip, prefix, vni });
    }

    /// Stores an endpoint as its object tells, without a droplet and without a pod.
    pub(crate) fn store_endpoint(&mut self, object: &Object) {
        let endpoint = Endpoint {
            kind: EndpointType::parse(&object.spec("type")),
            net: object.spec("net"),
            vni: object.spec("vni"),
            ip: object.spec("ip"),
            resolved: false,
            pod: None,
            droplet_ip: object.spec("hostip"),
        };
        self.endpoints.insert(object.name().to_owned(), endpoint);
    }

    /// Makes sure that the built-in network is known. Returns the objects to create: nothing that was loaded.
    pub(crate) fn add_built_in_network(&mut self) -> Vec<Kind> {
        let mut missing = Vec::new();
        if !self.vpcs.contains_key(DEFAULT_VPC) {
            let [ip, prefix, vni] = [DEFAULT_IP, DEFAULT_PREFIX, DEFAULT_VNI].map(str::to_owned);
            self.vpcs.insert(DEFAULT_VPC.to_owned(), Vpc { ip, prefix, vni });
            missing.push(Kind::Vpc);
        }
        if !self.subnets.contains_key(DEFAULT_SUBNET) {
            let subnet = Subnet::new(DEFAULT_VPC, DEFAULT_IP, DEFAULT_PREFIX, DEFAULT_VNI, INIT);
            self.subnets.insert(DEFAULT_SUBNET.to_owned(), subnet);
            missing.push(Kind::Subnet);
        }
        missing
    }

    pub(crate) fn droplet_by_main_ip(&self, main_ip: &str) -> Option<&Droplet> {
        self.droplets.values().find(|droplet| droplet.main_ip == main_ip)
    }

    pub(crate) fn bouncers_of<'a>(&'a self, net: &'a str) -> impl Iterator<Item = (&'a String, &'a Bouncer)> {
        self.bouncers.iter().filter(move |(_, bouncer)| bouncer.net == net)
    }

    pub(crate) fn is_wired(&self, vpc: &str, droplet: &str) -> bool {
        self.wired.contains(&(vpc.to_owned(), droplet.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::operator::trial::an_object;

    #[test]
    fn a_restart_brings_back_endpoints_without_droplet_and_subnets_without_status() {
        let memory = Memory::load(&[
            an_object(Kind::Endpoint, "web", &json!({"type": "simple", "net": "net0", "status": "Provisioned"})),
            an_object(Kind::Subnet, "net0", &json!({"ip": "10.20.0.0", "prefix": "16", "status": "Provisioned"})),
            an_object(Kind::Bouncer, "net0-b-1", &json!({"net": "net0", "status": "Provisioned"})),
        ]);
        assert!(!memory.endpoints["web"].resolved);
        assert_eq!(memory.subnets["net0"].status, "");
        assert!(memory.bouncers.is_empty());
    }

    #[test]
    fn the_key_type_gives_a_subnet_its_status_back() {
        let spec = json!({"ip": "10.20.0.0", "prefix": "16", "status": "Provisioned", "type": "Provisioned"});
        let memory = Memory::load(&[an_object(Kind::Subnet, "net0", &spec)]);
        assert_eq!(memory.subnets["net0"].status, PROVISIONED);
    }

    #[test]
    fn a_provisioned_vpc_keeps_its_range_and_one_that_is_init_is_taken_for_the_built_in_one() {
        let own = json!({"ip": "10.30.0.0", "prefix": "16", "vni": "1", "status": "Provisioned"});
        let mut memory = Memory::load(&[an_object(Kind::Vpc, "vpc0", &own)]);
        assert_eq!(memory.add_built_in_network(), [Kind::Subnet]);
        assert_eq!(memory.vpcs["vpc0"].ip, "10.30.0.0");

        let init = json!({"ip": "10.30.0.0", "prefix": "16", "vni": "1", "status": "Init"});
        let mut memory = Memory::load(&[an_object(Kind::Vpc, "vpc0", &init)]);
        assert_eq!(memory.add_built_in_network(), [Kind::Vpc, Kind::Subnet]);
        assert_eq!(memory.vpcs["vpc0"].ip, DEFAULT_IP);
    }
}
