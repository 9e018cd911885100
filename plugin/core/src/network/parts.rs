//! When each part of the network is done. The rules follow the order in which the operator works: a part waits for the
//! one before it, and says so instead of counting to zero.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{DropletsByAddress, FIRST_SUBNET, FIRST_VPC, Network, Part, PartState, Wait};
use crate::address::Cidr;
use crate::facts::{DropletFact, EndpointFact, MizarObject, NodeFact, SubnetFact, VpcFact};

/// Collects the state of one part.
struct Progress {
    state: PartState,
}

impl Progress {
    const fn new(part: Part) -> Self {
        Self { state: PartState { part, done: 0, total: 0, waiting_for: Vec::new(), failed: None } }
    }

    /// Counts one thing that must be there, done or else waited for.
    fn expect(&mut self, object: String, missing: Option<Missing>) {
        self.count(object, None, missing);
    }

    /// Counts one thing that must be there for a node.
    fn expect_for(&mut self, node: &NodeFact, object: String, missing: Option<Missing>) {
        self.count(object, Some(node), missing);
    }

    fn count(&mut self, object: String, node: Option<&NodeFact>, missing: Option<Missing>) {
        self.state.total += 1;
        let Some(Missing { reason, since }) = missing else {
            self.state.done += 1;
            return;
        };
        self.state.waiting_for.push(Wait { object, reason, node: node.map(|node| node.name.clone()), since });
    }

    /// Notes why waiting is in vain; the first reason stays.
    fn fail(&mut self, reason: String) {
        self.state.failed.get_or_insert(reason);
    }

    fn finish(self) -> PartState {
        self.state
    }
}

/// What keeps something from being done.
struct Missing {
    reason: String,
    /// Since when it can have been so at the earliest.
    since: Option<Timestamp>,
}

impl Missing {
    /// What no object tells the age of.
    fn ageless(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), since: None }
    }

    /// Says the same in other words.
    fn told(self, tell: impl FnOnce(&str) -> String) -> Self {
        Self { reason: tell(&self.reason), since: self.since }
    }
}

/// Returns what keeps an object from being done.
fn pending(object: &MizarObject) -> Option<Missing> {
    if object.deleting.is_some() {
        Some(Missing { reason: "is being deleted".to_owned(), since: object.deleting })
    } else if object.is_provisioned() {
        None
    } else if object.status.is_empty() {
        // The operator looks at nothing without one.
        Some(Missing::ageless("has no status yet"))
    } else {
        Some(Missing { reason: format!("is {}", object.status), since: object.created })
    }
}

/// One Provisioned Droplet for every node, with the addresses that the operator programs with.
pub(super) fn droplets(network: &Network<'_>) -> PartState {
    let mut progress = Progress::new(Part::Droplets);
    if network.nodes.is_empty() {
        progress.fail("no node can run Mizar".to_owned());
    }
    let by_address = DropletsByAddress::new(network.droplets);
    for node in network.nodes {
        if node.internal_ips.is_empty() {
            // The operator looks at such a node once and never again.
            progress.fail(format!("node {} has no InternalIP, so that it never gets a Droplet", node.name));
        }
        let of_node: Vec<&DropletFact> = by_address.of_node(node).collect();
        if let [first, second, ..] = of_node.as_slice() {
            progress
                .fail(format!("node {} has two Droplets, {} and {}", node.name, first.object.name, second.object.name));
        }
        progress.expect_for(node, format!("node {}", node.name), droplet_pending(node, &of_node));
    }
    progress.finish()
}

fn droplet_pending(node: &NodeFact, droplets: &[&DropletFact]) -> Option<Missing> {
    let Some(droplet) = droplets.first() else {
        let address = node.internal_ips.first().map_or("no InternalIP", String::as_str);
        return Some(Missing { reason: format!("has no Droplet yet ({address})"), since: node.created });
    };
    let name = &droplet.object.name;
    if let Some(missing) = pending(&droplet.object) {
        return Some(missing.told(|reason| format!("waits for Droplet {name}, which {reason}")));
    }
    let blank: Vec<&str> = [("mac", &droplet.mac), ("itf", &droplet.itf)]
        .into_iter()
        .filter(|(_, value)| value.is_empty())
        .map(|(field, _)| field)
        .collect();
    let reason = || format!("waits for Droplet {name}, whose {} is blank", blank.join(" and "));
    // The operator sets both when it makes the Droplet: what is blank stays so.
    (!blank.is_empty()).then(|| Missing::ageless(reason()))
}

/// The first Vpc, and every other one there is.
pub(super) fn vpcs(network: &Network<'_>) -> PartState {
    let mut progress = Progress::new(Part::Vpcs);
    if !network.vpcs.iter().any(|vpc| vpc.object.name == FIRST_VPC) {
        progress.expect(format!("Vpc {FIRST_VPC}"), Some(Missing::ageless("does not exist yet")));
    }
    for vpc in network.vpcs {
        progress.expect(format!("Vpc {}", vpc.object.name), pending(&vpc.object));
        if let Err(error) = Cidr::new(&vpc.ip, &vpc.prefix) {
            progress.fail(format!("Vpc {}: {error}", vpc.object.name));
        }
    }
    progress.finish()
}

/// As many Provisioned Dividers as every Vpc wants.
pub(super) fn dividers(network: &Network<'_>) -> PartState {
    let mut progress = Progress::new(Part::Dividers);
    for vpc in network.vpcs {
        let of_vpc = network.dividers.iter().filter(|divider| divider.vpc == vpc.object.name);
        let objects: Vec<&MizarObject> = of_vpc.map(|divider| &divider.object).collect();
        count(&mut progress, "Divider", ("Vpc", &vpc.object), vpc.dividers, &objects);
    }
    if network.vpcs.is_empty() {
        progress.expect("Dividers".to_owned(), Some(Missing::ageless(format!("wait for Vpc {FIRST_VPC}"))));
    }
    progress.finish()
}

/// The first Subnet, and every other one there is, each inside a Vpc that exists.
pub(super) fn subnets(network: &Network<'_>) -> PartState {
    let mut progress = Progress::new(Part::Subnets);
    if !network.subnets.iter().any(|subnet| subnet.object.name == FIRST_SUBNET) {
        progress.expect(format!("Subnet {FIRST_SUBNET}"), Some(Missing::ageless("does not exist yet")));
    }
    for subnet in network.subnets {
        let name = &subnet.object.name;
        let vpc = network.vpcs.iter().find(|vpc| vpc.object.name == subnet.vpc);
        progress.expect(format!("Subnet {name}"), subnet_pending(subnet, vpc));
        if let Some(reason) = subnet_failure(subnet, vpc) {
            progress.fail(format!("Subnet {name} {reason}"));
        }
    }
    progress.finish()
}

fn subnet_pending(subnet: &SubnetFact, vpc: Option<&VpcFact>) -> Option<Missing> {
    let orphaned = || vpc.is_none().then(|| Missing::ageless(format!("waits for Vpc {}", named(&subnet.vpc))));
    pending(&subnet.object).or_else(orphaned)
}

fn subnet_failure(subnet: &SubnetFact, vpc: Option<&VpcFact>) -> Option<String> {
    if subnet.object.status.is_empty() && subnet.kind.is_empty() {
        return Some(
            "has neither status nor type: the operator does not look at it until its spec.status is Init".into(),
        );
    }
    let range = match Cidr::new(&subnet.ip, &subnet.prefix) {
        Ok(range) => range,
        Err(error) => return Some(format!("has no usable range: {error}")),
    };
    let outer = Cidr::new(&vpc?.ip, &vpc?.prefix).ok()?;
    (!outer.encloses(&range)).then(|| format!("has range {range}, outside that of Vpc {} ({outer})", subnet.vpc))
}

/// As many Provisioned Bouncers as every Subnet wants; more are fine, since the operator takes none away.
pub(super) fn bouncers(network: &Network<'_>) -> PartState {
    let mut progress = Progress::new(Part::Bouncers);
    for subnet in network.subnets {
        let of_subnet = network.bouncers.iter().filter(|bouncer| bouncer.net == subnet.object.name);
        let objects: Vec<&MizarObject> = of_subnet.map(|bouncer| &bouncer.object).collect();
        count(&mut progress, "Bouncer", ("Subnet", &subnet.object), subnet.bouncers, &objects);
    }
    if network.subnets.is_empty() {
        progress.expect("Bouncers".to_owned(), Some(Missing::ageless(format!("wait for Subnet {FIRST_SUBNET}"))));
    }
    progress.finish()
}

/// Counts the objects that an owner wants: those that exist, then those that are missing.
fn count(
    progress: &mut Progress,
    kind: &str,
    (owner_kind, owner): (&str, &MizarObject),
    wanted: Option<u32>,
    objects: &[&MizarObject],
) {
    // Without any of them nothing is forwarded, whatever the owner says.
    let wanted = wanted.unwrap_or(1).max(1) as usize;
    for object in objects {
        progress.expect(format!("{kind} {}", object.name), pending(object));
    }
    // Told once, however many are missing: somebody may have asked for billions.
    if let Some(missing) = wanted.checked_sub(objects.len()).filter(|missing| *missing > 0) {
        let reason = format!("has {} of {wanted} {kind}s", objects.len());
        // They are made before their owner says Provisioned.
        let since = owner.finished();
        progress.expect(format!("{owner_kind} {}", owner.name), Some(Missing { reason, since }));
        progress.state.total += missing - 1;
    }
}

/// One Provisioned host Endpoint for every Droplet of a node and every Vpc that has subnets.
pub(super) fn host_endpoints(network: &Network<'_>) -> PartState {
    let mut progress = Progress::new(Part::HostEndpoints);
    let has_subnets = |vpc: &&VpcFact| network.subnets.iter().any(|subnet| subnet.vpc == vpc.object.name);
    let vpcs: Vec<&VpcFact> = network.vpcs.iter().filter(has_subnets).collect();
    let by_address = DropletsByAddress::new(network.droplets);
    let mut hosts: HashMap<(&str, &str), &EndpointFact> = HashMap::new();
    for endpoint in network.endpoints.iter().filter(|endpoint| endpoint.kind == "host") {
        hosts.entry((endpoint.droplet.as_str(), endpoint.vpc.as_str())).or_insert(endpoint);
    }
    for (node, droplet) in network.nodes.iter().filter_map(|node| Some((node, by_address.of_node(node).next()?))) {
        for vpc in &vpcs {
            let missing = match hosts.get(&(droplet.object.name.as_str(), vpc.object.name.as_str())) {
                Some(endpoint) => pending(&endpoint.object).map(|missing| {
                    missing.told(|reason| format!("waits for Endpoint {}, which {reason}", endpoint.object.name))
                }),
                None => Some(Missing {
                    reason: format!("has no host endpoint in Vpc {} yet", vpc.object.name),
                    since: network.connectable_since(droplet, vpc),
                }),
            };
            progress.expect_for(node, format!("Droplet {}", droplet.object.name), missing);
        }
    }
    if progress.state.total == 0 {
        progress.expect("host endpoints".to_owned(), Some(Missing::ageless("wait for Droplets and Subnets")));
    }
    progress.finish()
}

impl Network<'_> {
    /// Returns since when a Droplet can have had a host Endpoint in a Vpc: since it and the last of the Vpc's Subnets are
    /// there.
    fn connectable_since(&self, droplet: &DropletFact, vpc: &VpcFact) -> Option<Timestamp> {
        let subnets = self.subnets.iter().filter(|subnet| subnet.vpc == vpc.object.name);
        let subnets = subnets.filter_map(|subnet| subnet.object.finished());
        droplet.object.created.into_iter().chain(subnets).max()
    }
}

fn named(name: &str) -> &str {
    if name.is_empty() { "(none named)" } else { name }
}
