//! Whether the machines can run Mizar, and whether they do well. Kubemark's hollow nodes are left out everywhere.

use std::collections::HashSet;

use super::Options;
use super::verdict::{Evidence, Problem, Status, Verdict, grouped, nodes_of, reasons};
use crate::facts::{Facts, NodeFact, Readiness};
use crate::network::eligible_nodes;

/// The oldest kernel on which TCP works through Mizar's programs.
const OLDEST_KERNEL: (u32, u32) = (5, 6);
/// The systems that the daemon's init container can set up.
const SYSTEMS: &[&str] = &["Ubuntu", "Debian"];
/// The architectures that images exist for.
const ARCHITECTURES: &[&str] = &["amd64", "arm64"];
/// The runtimes that Mizar was tried with.
const RUNTIMES: &[&str] = &["containerd", "docker"];

/// Returns the real Linux nodes; lost ones are among them, since they may come back.
fn machines(facts: &Facts) -> Vec<&NodeFact> {
    facts.nodes.items().iter().filter(|node| node.is_linux() && !node.is_hollow()).collect()
}

fn found(node: &NodeFact, field: &str, seen: impl Into<String>, wanted: &str) -> Evidence {
    Evidence::new(format!("Node {}", node.name), field, seen, wanted).on(&node.name)
}

/// Returns the names of the nodes that Kubemark pretends: what runs there is no process.
pub(super) fn hollow(facts: &Facts) -> HashSet<&str> {
    facts.nodes.items().iter().filter(|node| node.is_hollow()).map(|node| node.name.as_str()).collect()
}

pub(super) fn ready(facts: &Facts, _: &Options) -> Verdict {
    let machines = machines(facts);
    if machines.is_empty() {
        return Verdict::fail("the cluster has no Linux node");
    }
    let problems = machines.iter().filter_map(|node| {
        let (seen, reason) = match node.readiness {
            Readiness::Ready if node.network_unavailable == Some(true) => {
                let evidence = found(node, "status.conditions[NetworkUnavailable]", "True", "False");
                return Some(Problem::new(&node.name, "network unavailable", evidence));
            }
            Readiness::Ready => return None,
            Readiness::NotReady => ("False", "not ready"),
            Readiness::Lost => ("Unknown", "its kubelet no longer reports"),
            Readiness::Unreported => ("missing", "its kubelet has not reported yet"),
        };
        let evidence = found(node, "status.conditions[Ready]", seen, "True").since(node.readiness_since);
        Some(Problem::new(&node.name, reason, evidence))
    });
    grouped("nodes", machines.len(), problems.collect(), Status::Fail)
        .hinting(|evidence| format!("`kubectl describe node {}` tells why", nodes_of(evidence)))
}

pub(super) fn eligible(facts: &Facts, _: &Options) -> Verdict {
    let nodes = facts.nodes.items();
    let placement = facts.plan.as_ref().map(|plan| plan.placement.clone()).unwrap_or_default();
    let eligible = eligible_nodes(nodes, &placement);
    let left_out = |node: &NodeFact| {
        if node.is_hollow() {
            Some(Problem::new(
                &node.name,
                "pretended by Kubemark",
                found(node, "spec.providerID", &node.provider_id, "a real node"),
            ))
        } else if !node.is_linux() {
            let evidence = found(node, "status.nodeInfo.operatingSystem", &node.operating_system, "linux");
            Some(Problem::new(&node.name, format!("runs {}", node.operating_system), evidence))
        } else if node.is_lost() {
            let evidence =
                found(node, "status.conditions[Ready]", "Unknown", "True or False").since(node.readiness_since);
            Some(Problem::new(&node.name, "its kubelet no longer reports", evidence))
        } else {
            let reason = placement.refuses(node)?;
            let evidence = found(node, "metadata.labels, spec.taints", &reason, "what the daemon's placement asks for");
            Some(Problem::new(&node.name, reason, evidence))
        }
    };
    let problems: Vec<Problem> = nodes.iter().filter_map(left_out).collect();
    let any_lost = nodes.iter().any(|node| node.is_lost() && !node.is_hollow());
    let reasons = reasons(&problems);
    let evidence = problems.into_iter().map(|problem| problem.evidence).collect();
    if nodes.is_empty() {
        return Verdict::fail("the cluster has no node");
    }
    if eligible.is_empty() {
        return Verdict::fail(format!("none of {} nodes can run Mizar; {reasons}", nodes.len())).with(evidence);
    }
    let message = format!("{} of {} nodes can run Mizar", eligible.len(), nodes.len());
    match (reasons.is_empty(), any_lost) {
        (true, _) => Verdict::pass(message),
        (false, false) => Verdict::pass(format!("{message}; {reasons}")).with(evidence),
        (false, true) => Verdict::warn(format!("{message}; {reasons}")).with(evidence),
    }
}

pub(super) fn addresses(facts: &Facts, _: &Options) -> Verdict {
    let machines = machines(facts);
    let problems = machines.iter().filter(|node| node.internal_ips.is_empty()).map(|node| {
        Problem::new(&node.name, "no InternalIP", found(node, "status.addresses", "no InternalIP", "an InternalIP"))
    });
    grouped("nodes", machines.len(), problems.collect(), Status::Fail)
}

/// Returns major and minor of a kernel, by number and not by text: 5.15 is newer than 5.6.
fn kernel(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(|character: char| !character.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

pub(super) fn kernels(facts: &Facts, _: &Options) -> Verdict {
    let (major, minor) = OLDEST_KERNEL;
    let wanted = format!("{major}.{minor} or newer");
    each(facts, "status.nodeInfo.kernelVersion", &wanted, |node| {
        (&node.kernel_version, kernel(&node.kernel_version).map(|version| version >= OLDEST_KERNEL), "kernel")
    })
}

pub(super) fn systems(facts: &Facts, _: &Options) -> Verdict {
    each(facts, "status.nodeInfo.osImage", "Ubuntu or Debian", |node| {
        let image = &node.os_image;
        (image, known(image).then(|| SYSTEMS.iter().any(|system| image.contains(system))), "system")
    })
}

pub(super) fn architectures(facts: &Facts, _: &Options) -> Verdict {
    each(facts, "status.nodeInfo.architecture", "amd64 or arm64", |node| {
        let architecture = node.architecture.as_str();
        (&node.architecture, known(architecture).then(|| ARCHITECTURES.contains(&architecture)), "architecture")
    })
}

pub(super) fn runtimes(facts: &Facts, _: &Options) -> Verdict {
    let verdict = each(facts, "status.nodeInfo.containerRuntimeVersion", "containerd or docker", |node| {
        let name = node.container_runtime.split(':').next().unwrap_or_default();
        (&node.container_runtime, known(name).then(|| RUNTIMES.contains(&name)), "container runtime")
    });
    // Any runtime that speaks CNI may do; these two are the ones that were tried.
    if verdict.status == Status::Fail { Verdict { status: Status::Warn, ..verdict } } else { verdict }
}

const fn known(text: &str) -> bool {
    !text.is_empty()
}

/// Judges one property of every machine: Fail when it does not fit, Unknown when a node does not tell it.
fn each(
    facts: &Facts,
    field: &str,
    wanted: &str,
    judge: impl for<'a> Fn(&'a NodeFact) -> (&'a String, Option<bool>, &'static str),
) -> Verdict {
    let machines = machines(facts);
    let mut status = Status::Unknown;
    let mut problems = Vec::new();
    for node in &machines {
        let (seen, fits, noun) = judge(node);
        let reason = match fits {
            Some(true) => continue,
            Some(false) => {
                status = Status::Fail;
                format!("{noun} {seen}, needs {wanted}")
            }
            None if seen.is_empty() => format!("does not tell its {noun}"),
            None => format!("{noun} {seen:?} is not understood"),
        };
        problems.push(Problem::new(&node.name, reason, found(node, field, seen, wanted)));
    }
    grouped("nodes", machines.len(), problems, status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_compared_by_number() {
        for (version, parsed, fits) in [
            ("5.15.0-118-generic", Some((5, 15)), true),
            ("6.1", Some((6, 1)), true),
            ("6.11.0", Some((6, 11)), true),
            ("5.6.0-rc2", Some((5, 6)), true),
            ("5.5.19", Some((5, 5)), false),
            ("5.4.0-1045-aws", Some((5, 4)), false),
            ("3.16.0-0.bpo.4-amd64", Some((3, 16)), false),
            ("10.0.1", Some((10, 0)), true),
            ("6", None, false),
            ("", None, false),
            ("linux-6.1", None, false),
        ] {
            assert_eq!(kernel(version), parsed, "{version:?}");
            assert_eq!(parsed.is_some_and(|version| version >= OLDEST_KERNEL), fits, "{version:?}");
        }
    }
}
