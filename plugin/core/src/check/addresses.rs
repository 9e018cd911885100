//! Ranges that must not meet: the pod networks, and the addresses that nodes, services and API servers have.

use std::net::IpAddr;

use super::Options;
use super::verdict::{Evidence, Problem, Status, Verdict, grouped, some_of};
use crate::address::Cidr;
use crate::facts::{Facts, Plan, SubnetFact, VpcFact};

/// The ranges that Mizar's operator takes when it is not told, by version.
const BUILT_IN_RANGES: &[(&str, &str)] = &[("10.20.0.0/16", "newer operators"), ("20.0.0.0/8", "v0.6 to v0.91")];

/// An address in use, and whose it is.
struct Taken {
    ip: IpAddr,
    object: String,
    field: &'static str,
    /// The node, when it is a node's.
    node: String,
}

impl Taken {
    fn evidence(&self, range: &Cidr) -> Evidence {
        Evidence::new(&self.object, self.field, self.ip.to_string(), format!("outside {range}")).on(&self.node)
    }
}

fn of_nodes(facts: &Facts) -> impl Iterator<Item = Taken> {
    let real = facts.nodes.items().iter().filter(|node| !node.is_hollow());
    real.flat_map(|node| {
        node.internal_ips.iter().filter_map(|ip| {
            let (object, field) = (format!("Node {}", node.name), "status.addresses[InternalIP]");
            Some(Taken { ip: ip.parse().ok()?, object, field, node: node.name.clone() })
        })
    })
}

fn of_services(facts: &Facts) -> impl Iterator<Item = Taken> {
    facts.services.items().iter().flat_map(|service| {
        service.cluster_ips.iter().filter_map(|ip| {
            let object = format!("Service {}/{}", service.namespace, service.name);
            Some(Taken { ip: ip.parse().ok()?, object, field: "spec.clusterIPs", node: String::new() })
        })
    })
}

fn of_servers(facts: &Facts) -> impl Iterator<Item = Taken> {
    facts.api_server.known().into_iter().flat_map(|server| {
        server.addresses.iter().filter_map(|ip| {
            let object = "Endpoints default/kubernetes".to_owned();
            Some(Taken { ip: ip.parse().ok()?, object, field: "subsets.addresses", node: String::new() })
        })
    })
}

fn within(taken: &[Taken], range: &Cidr) -> Vec<Evidence> {
    taken.iter().filter(|taken| range.contains(taken.ip)).map(|taken| taken.evidence(range)).collect()
}

/// Judges the range of an install that is planned.
pub(super) fn planned_range(facts: &Facts, _: &Options) -> Verdict {
    let taken: Vec<Taken> = of_nodes(facts).chain(of_services(facts)).chain(of_servers(facts)).collect();
    let planned = facts.plan.as_ref().and_then(|plan: &Plan| plan.pod_network.as_deref());
    if let Some(text) = planned {
        return match text.parse::<Cidr>() {
            Err(error) => Verdict::fail(format!("the pod network cannot be used: {error}")),
            Ok(range) => match within(&taken, &range) {
                evidence if evidence.is_empty() => Verdict::pass(format!("pod network {range} is free")),
                evidence => Verdict::fail(format!("pod network {range} holds {}", addresses(&evidence))).with(evidence),
            },
        };
    }
    for (text, versions) in BUILT_IN_RANGES {
        let evidence = text.parse::<Cidr>().map(|range| within(&taken, &range)).unwrap_or_default();
        if !evidence.is_empty() {
            let message = format!(
                "no pod network is chosen, and {text}, which {versions} take by themselves, holds {}",
                addresses(&evidence)
            );
            return Verdict::warn(message).with(evidence);
        }
    }
    Verdict::pass("no pod network is chosen; the ranges that operators take by themselves are free")
}

fn addresses(evidence: &[Evidence]) -> String {
    let told: Vec<String> = evidence.iter().map(|entry| format!("{} of {}", entry.seen, entry.object)).collect();
    some_of(&told.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A range of an object of Mizar.
struct Range<'a> {
    object: String,
    /// What shares one space of addresses: the number of a Vpc, the Vpc of a Subnet.
    space: &'a str,
    cidr: Cidr,
}

fn of_vpc(vpc: &VpcFact) -> Option<Range<'_>> {
    let cidr = Cidr::new(&vpc.ip, &vpc.prefix).ok()?;
    Some(Range { object: format!("Vpc {}", vpc.object.name), space: vpc.vni.as_str(), cidr })
}

fn of_subnet(subnet: &SubnetFact) -> Option<Range<'_>> {
    let cidr = Cidr::new(&subnet.ip, &subnet.prefix).ok()?;
    Some(Range { object: format!("Subnet {}", subnet.object.name), space: subnet.vpc.as_str(), cidr })
}

/// Judges the ranges of a network that is there. Ranges that cannot be read are told about elsewhere.
pub(super) fn ranges(facts: &Facts, _: &Options) -> Verdict {
    let taken: Vec<Taken> = of_nodes(facts).chain(of_services(facts)).collect();
    let vpcs: Vec<Range<'_>> = facts.vpcs.items().iter().filter_map(of_vpc).collect();
    let subnets: Vec<Range<'_>> = facts.subnets.items().iter().filter_map(of_subnet).collect();
    let mut problems = Vec::new();
    for vpc in &vpcs {
        let inside = within(&taken, &vpc.cidr);
        if !inside.is_empty() {
            let reason = format!("its range {} holds {}", vpc.cidr, addresses(&inside));
            problems.extend(inside.into_iter().map(|evidence| Problem::new(&vpc.object, &reason, evidence)));
        }
    }
    problems.extend(clashes(&vpcs, "the same number on the wire"));
    problems.extend(clashes(&subnets, "the same Vpc"));
    grouped("ranges", vpcs.len() + subnets.len(), problems, Status::Fail)
}

/// Returns those that overlap with one before them in the same space of addresses.
fn clashes(ranges: &[Range<'_>], space: &str) -> Vec<Problem> {
    let mut sorted: Vec<&Range<'_>> = ranges.iter().filter(|range| !range.space.is_empty()).collect();
    // Ranges are nested or apart, so that in this order one that overlaps comes behind the wider one.
    sorted.sort_by_key(|range| (range.space, range.cidr));
    let mut problems = Vec::new();
    let mut widest: Option<&Range<'_>> = None;
    for range in sorted {
        match widest.filter(|wider| wider.space == range.space && wider.cidr.overlaps(&range.cidr)) {
            Some(wider) => {
                let reason = format!("its range {} overlaps {} of {} in {space}", range.cidr, wider.cidr, wider.object);
                let wanted = format!("apart from {}", wider.cidr);
                let evidence = Evidence::new(&range.object, "spec.ip, spec.prefix", range.cidr.to_string(), wanted);
                problems.push(Problem::new(&range.object, reason, evidence));
            }
            None => widest = Some(range),
        }
    }
    problems
}
