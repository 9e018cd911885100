//! What only Arktos has: the switch that the operator reads, the address by which Arktos finds it, the tenants' networks,
//! and which versions speak with each other. The engine skips these checks on any other server.

use super::Options;
use super::nodes::hollow;
use super::placement::OPERATOR;
use super::verdict::{Evidence, Problem, Status, Verdict, grouped};
use super::versions::tag;
use crate::facts::{ArktosNetworkFact, Facts, Fetched, PodFact, PodRole};

const SWITCH: &str = "ConfigMap kube-system/system-source";
const ADDRESS: &str = "ConfigMap default/mizar-grpc-service";

/// The tenant whose objects are seen without naming one.
const OWN_TENANT: &str = "system";

/// Whether the operator was told that it works for Arktos.
fn is_switched(facts: &Facts) -> bool {
    matches!(&facts.system_source, Fetched::Known(source) if source.name.as_deref() == Some("arktos"))
}

fn operators(facts: &Facts) -> impl Iterator<Item = &PodFact> {
    let runs = |pod: &&PodFact| pod.role == PodRole::Operator && pod.deleting.is_none() && pod.phase == "Running";
    facts.pods.items().iter().filter(runs)
}

pub(super) fn mode(facts: &Facts, _: &Options) -> Verdict {
    let Fetched::Known(source) = &facts.system_source else {
        let evidence = Evidence::new(SWITCH, "metadata.name", "missing", "a ConfigMap with name: arktos");
        return Verdict::fail("the operator works for Kubernetes and hears of no pod of Arktos").with(vec![evidence]);
    };
    if !is_switched(facts) {
        let seen = source.name.clone().unwrap_or_else(|| "missing".to_owned());
        let evidence = Evidence::new(SWITCH, "data.name", seen, "arktos").since(source.created);
        return Verdict::fail("the operator works for Kubernetes and hears of no pod of Arktos").with(vec![evidence]);
    }
    let too_early = operators(facts).filter(|pod| {
        let started = pod.started().or(pod.created);
        started.zip(source.created).is_some_and(|(started, created)| started < created)
    });
    let evidence: Vec<Evidence> = too_early
        .map(|pod| {
            let started = pod.started().or(pod.created);
            let seen = started.map(|started| started.to_string()).unwrap_or_default();
            let wanted = source.created.map(|created| format!("after {created}")).unwrap_or_default();
            let evidence = Evidence::new(format!("Pod {}", pod.path()), "state.running.startedAt", seen, wanted);
            evidence.on(&pod.node).since(started)
        })
        .collect();
    if evidence.is_empty() {
        return Verdict::pass("the operator works for Arktos");
    }
    Verdict::fail(format!("the operator started before {SWITCH} was there, and reads it only then"))
        .with(evidence)
        .hinting(|_| "restart the operator: `kubectl mizar repair --restart-operator`".to_owned())
}

pub(super) fn operator_address(facts: &Facts, options: &Options) -> Verdict {
    if !is_switched(facts) {
        return Verdict::skipped("the operator does not work for Arktos");
    }
    let operators: Vec<&PodFact> = operators(facts).collect();
    let Some(operator) = operators.first() else {
        return Verdict::skipped("no operator runs");
    };
    let node = facts.nodes.items().iter().find(|node| node.name == operator.node.as_str());
    let mut addresses: Vec<&str> = vec![operator.host_ip.as_str()];
    addresses.extend(node.iter().flat_map(|node| node.internal_ips.iter().map(String::as_str)));
    let Fetched::Known(service) = &facts.grpc_service else {
        let young = !options.is_older(operator.started().or(operator.created), options.thresholds.settling);
        let evidence = Evidence::new(ADDRESS, "data.host", "missing", operator.host_ip).on(&operator.node);
        let message = "Arktos does not know where the operator is";
        let verdict = if young { Verdict::warn(message) } else { Verdict::fail(message) };
        return verdict.with(vec![evidence]).hinting(|_| {
            "the operator writes it when it starts and works for Arktos: `kubectl logs -n mizar-system \
             deployment/mizar-operator`; restart it with `kubectl mizar repair --restart-operator`"
                .to_owned()
        });
    };
    if addresses.contains(&service.host.as_str()) {
        return Verdict::pass(format!("Arktos calls the operator at {}", service.host));
    }
    let evidence = Evidence::new(ADDRESS, "data.host", &service.host, operator.host_ip).on(&operator.node);
    let message = format!(
        "Arktos calls the operator at {}, but it runs on {} ({})",
        service.host, operator.node, operator.host_ip
    );
    Verdict::fail(message).with(vec![evidence.since(service.created)])
}

fn object(network: &ArktosNetworkFact) -> String {
    let tenant = if network.tenant.is_empty() { OWN_TENANT } else { &network.tenant };
    format!("Network {tenant}/{}", network.name)
}

pub(super) fn networks(facts: &Facts, _: &Options) -> Verdict {
    // Otherwise nobody reads them; that the switch is off, another check tells.
    if !is_switched(facts) {
        return Verdict::skipped("the operator does not work for Arktos");
    }
    let networks = facts.arktos_networks.items();
    if networks.is_empty() {
        return Verdict::warn("there is no network: pods that name none use network default, which must exist");
    }
    let vpcs = facts.vpcs.items();
    let mut worst = Status::Warn;
    let mut problems = Vec::new();
    for network in networks {
        let object = object(network);
        let (field, seen, wanted, reason, status) = if network.kind != "mizar" {
            (
                "spec.type",
                &network.kind,
                "mizar",
                "is not of type mizar: its pods get no network of Mizar",
                Status::Warn,
            )
        } else if network.phase != "Ready" {
            ("status.phase", &network.phase, "Ready", "is not Ready: its pods wait", Status::Fail)
        } else if !network.vpc.is_empty() && !vpcs.iter().any(|vpc| vpc.object.name == network.vpc.as_str()) {
            ("spec.vpcID", &network.vpc, "an existing Vpc", "has a Vpc that does not exist", Status::Fail)
        } else {
            continue;
        };
        worst = worst.max(status);
        problems.push(Problem::new(&object, reason, Evidence::new(&object, field, seen, wanted)));
    }
    grouped("networks", networks.len(), problems, worst)
}

pub(super) fn network_dns(facts: &Facts, _: &Options) -> Verdict {
    // Otherwise nobody reads them; that the switch is off, another check tells.
    if !is_switched(facts) {
        return Verdict::skipped("the operator does not work for Arktos");
    }
    let own = |network: &&ArktosNetworkFact| network.tenant.is_empty() || network.tenant == OWN_TENANT;
    let networks: Vec<&ArktosNetworkFact> =
        facts.arktos_networks.items().iter().filter(own).filter(|network| network.kind == "mizar").collect();
    let problems = networks.iter().filter_map(|network| {
        let (server, service) = (format!("coredns-{}", network.name), format!("kube-dns-{}", network.name));
        let problem = |object: String, field: &str, seen: &str, wanted: &str, reason: String| {
            Some(Problem::new(self::object(network), reason, Evidence::new(object, field, seen, wanted)))
        };
        let object = format!("Deployment kube-system/{server}");
        let mut deployments = facts.deployments.items().iter();
        let Some(found) = deployments.find(|found| found.namespace == "kube-system" && found.name == server) else {
            return problem(object, "metadata.name", "missing", &server, "has no name server".to_owned());
        };
        if found.ready == 0 {
            return problem(
                object,
                "status.readyReplicas",
                "0",
                "1 or more",
                "its name server is not ready".to_owned(),
            );
        }
        let known =
            |name: &str| facts.services.items().iter().any(|found| found.name == name && !found.cluster_ips.is_empty());
        if known(&service) {
            return None;
        }
        let object = format!("Service kube-system/{service}");
        problem(object, "spec.clusterIP", "missing", "an address", "its name service has no address".to_owned())
    });
    grouped("networks", networks.len(), problems.collect(), Status::Fail)
}

/// The version of containerd whose tenant-aware build Arktos ships; the version alone cannot tell that build from the
/// stock one.
const CONTAINERD: &str = "containerd://1.4.";

pub(super) fn runtimes(facts: &Facts, _: &Options) -> Verdict {
    let hollow = hollow(facts);
    let nodes: Vec<_> = facts.nodes.items().iter().filter(|node| !hollow.contains(node.name.as_str())).collect();
    let stock = nodes.iter().filter(|node| {
        node.container_runtime.starts_with("containerd://") && !node.container_runtime.starts_with(CONTAINERD)
    });
    let problems = stock.map(|node| {
        let runtime = &node.container_runtime;
        let (object, field) = (format!("Node {}", node.name), "status.nodeInfo.containerRuntimeVersion");
        let evidence =
            Evidence::new(object, field, runtime, format!("{CONTAINERD}x as Arktos builds it")).on(&node.name);
        let reason = format!("{runtime} is not Arktos' build and names no tenant: pods of tenants get no network");
        Problem::new(&node.name, reason, evidence)
    });
    match grouped("nodes", nodes.len(), problems.collect(), Status::Warn) {
        verdict if verdict.status == Status::Pass => {
            let message =
                "no stock containerd that its version would tell; whether 1.4 is Arktos' build, only its nodes know";
            Verdict::pass(message)
        }
        verdict => verdict,
    }
}

/// The first Arktos that tells Mizar the Vpc and Subnet of a pod.
const FIRST_WITH_NETWORKS: u32 = 1;
/// Tags of operators that number the fields of Arktos' messages as its releases since v0.8 do.
const OLD_OPERATORS: &[&str] = &["0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9"];

pub(super) fn versions(facts: &Facts, _: &Options) -> Verdict {
    let planned = facts.plan.as_ref().map(|plan| plan.operator_image.as_str()).filter(|image| !image.is_empty());
    let mut deployments = facts.deployments.items().iter();
    let installed = deployments.find(|found| found.name == OPERATOR).and_then(|found| found.images.first());
    let Some(image) = planned.or(installed.map(String::as_str)) else {
        return Verdict::skipped("no operator is installed or planned here");
    };
    let server = facts.version.known().map(|version| version.git_version.as_str()).unwrap_or_default();
    let operator = tag(image).unwrap_or_default();
    if OLD_OPERATORS.contains(&operator.trim_start_matches('v')) {
        let evidence = Evidence::new(format!("image {image}"), "tag", operator.as_str(), "0.91 or newer");
        let message = format!("an operator of version {operator} misreads what Arktos since v0.8 sends");
        return Verdict::fail(message).with(vec![evidence]);
    }
    let major = server.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    match major {
        Some(major) if major < FIRST_WITH_NETWORKS => {
            let evidence = Evidence::new("API server", "gitVersion", server, "v1.0.0 or newer");
            let message = format!("Arktos {server} does not tell the operator which Vpc and Subnet a pod is in");
            Verdict::warn(message).with(vec![evidence])
        }
        Some(_) if operator.is_empty() => {
            Verdict::pass(format!("Arktos {server}; the operator's image names no version"))
        }
        Some(_) => Verdict::pass(format!("Arktos {server} and operator {operator} speak with each other")),
        None => Verdict::unknown(format!("the server calls its version {server:?}")),
    }
}
