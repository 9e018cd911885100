//! Names and virtual addresses: whether the name service answers for pods, and whether Mizar knows every service.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;

use super::Options;
use super::nodes::hollow;
use super::verdict::{Evidence, Problem, Status, Verdict, grouped};
use crate::facts::{DeploymentFact, EndpointFact, Facts, Fetched, PodFact, PodRole, ServiceFact};
use crate::words::counted;

const SYSTEM: &str = "kube-system";

pub(super) fn dns(facts: &Facts, _: &Options) -> Verdict {
    let servers: Vec<&DeploymentFact> =
        facts.deployments.items().iter().filter(|found| is_name_server(found)).collect();
    let hollow = hollow(facts);
    let ours = |pod: &&PodFact| pod.role == PodRole::Dns && pod.namespace == SYSTEM && pod.deleting.is_none();
    let pods = facts.pods.items().iter().filter(ours);
    let pods: Vec<&PodFact> = pods.filter(|pod| !hollow.contains(pod.node.as_str())).collect();
    let behind = facts.dns.known().map(|dns| dns.addresses.len());
    if servers.is_empty() && pods.is_empty() && behind.is_none() {
        return Verdict::skipped("no name service with the usual names is here (label k8s-app=kube-dns)");
    }
    let (mut problems, mut worst) = (Vec::new(), Status::Warn);
    for server in &servers {
        if server.ready == 0 || server.ready < server.replicas {
            let object = format!("Deployment {SYSTEM}/{}", server.name);
            let seen = format!("{} of {}", server.ready, server.replicas);
            if server.ready == 0 {
                worst = Status::Fail;
            }
            let evidence = Evidence::new(&object, "status.readyReplicas", &seen, server.replicas.max(1).to_string());
            problems.push(Problem::new(object, format!("{seen} name servers are ready"), evidence));
        }
    }
    if servers.is_empty() && !pods.is_empty() && !pods.iter().any(|pod| pod.ready) {
        worst = Status::Fail;
    }
    problems.extend(pods.iter().filter(|pod| !pod.ready).map(|pod| {
        let seen = pod.waiting.map_or_else(|| pod.phase.to_string(), |reason| reason.to_string());
        let evidence = Evidence::new(format!("Pod {}", pod.path()), "status.conditions[Ready]", seen, "True");
        Problem::new(pod.path(), "not ready", evidence.on(&pod.node).since(pod.created))
    }));
    if behind == Some(0) {
        worst = Status::Fail;
        let object = "Endpoints kube-system/kube-dns";
        let evidence = Evidence::new(object, "subsets.addresses", "none", "the addresses of the name servers");
        problems.push(Problem::new(object, "no address: every name in the cluster is unknown", evidence));
    }
    let total = servers.len() + pods.len() + usize::from(behind.is_some());
    match grouped("parts of the name service", total, problems, worst) {
        verdict if verdict.status == Status::Pass => Verdict::pass(answers(&servers, &pods, behind)),
        verdict => verdict,
    }
}

pub(super) fn is_name_server(deployment: &DeploymentFact) -> bool {
    deployment.namespace == SYSTEM && deployment.labels.get("k8s-app").is_some_and(|name| name == "kube-dns")
}

fn ready_servers(number: usize) -> String {
    format!("{} ready", counted(number, "name server"))
}

fn answers(servers: &[&DeploymentFact], pods: &[&PodFact], behind: Option<usize>) -> String {
    let ready = if servers.is_empty() { pods.len() } else { servers.iter().map(|server| server.ready as usize).sum() };
    match behind {
        Some(behind) => {
            format!("{}, {} behind kube-system/kube-dns", ready_servers(ready), counted(behind, "address"))
        }
        None => ready_servers(ready),
    }
}

/// What the operator calls the Endpoint of a service; on Arktos the tenant follows.
fn endpoint_name(service: &ServiceFact) -> String {
    format!("{}-{}", service.name, service.namespace)
}

/// Mizar carries IPv4; a headless or external service has no address at all.
fn address(service: &ServiceFact) -> Option<&str> {
    let address = service.cluster_ips.first()?;
    (service.kind != "ExternalName" && address.parse::<Ipv4Addr>().is_ok()).then_some(address)
}

pub(super) fn endpoints(facts: &Facts, options: &Options) -> Verdict {
    let scaled: Vec<&EndpointFact> = facts
        .endpoints
        .items()
        .iter()
        .filter(|endpoint| endpoint.kind == "scaled" && endpoint.object.holds_for.is_none())
        .collect();
    let by_name: HashMap<&str, &EndpointFact> =
        scaled.iter().map(|endpoint| (endpoint.object.name.as_str(), *endpoint)).collect();
    let mut by_ip: HashMap<&str, Vec<&EndpointFact>> = HashMap::new();
    for endpoint in &scaled {
        by_ip.entry(endpoint.ip.as_str()).or_default().push(endpoint);
    }
    let services: Vec<(&ServiceFact, &str)> =
        facts.services.items().iter().filter_map(|service| Some((service, address(service)?))).collect();
    let mut known: HashSet<&str> = HashSet::new();
    let mut failing = Vec::new();
    for (service, ip) in &services {
        let name = endpoint_name(service);
        let with_address = by_ip.get(ip).into_iter().flatten().find(|found| found.object.name.starts_with(&name));
        let found = with_address.or_else(|| by_name.get(name.as_str())).copied();
        known.extend(found.map(|endpoint| endpoint.object.name.as_str()));
        let settled = options.is_older(service.created, options.thresholds.settling);
        // The Endpoint of an old service is young where Mizar is, and late ones take another round.
        let is_late = |endpoint: &EndpointFact| options.is_older(endpoint.object.created, options.thresholds.settling);
        if settled && service.deleting.is_none() && found.is_none_or(is_late) {
            failing.extend(mismatch(service, ip, &name, found));
        }
    }
    if !failing.is_empty() {
        return grouped("services", services.len(), failing, Status::Fail).hinting(hint);
    }
    // Services of other tenants cannot be seen from here.
    let for_arktos = matches!(&facts.system_source, Fetched::Known(source) if source.name.as_deref() == Some("arktos"));
    let left = scaled.iter().filter(|endpoint| {
        let object = &endpoint.object;
        let settled = object.deleting.is_none() && options.is_older(object.created, options.thresholds.settling);
        !for_arktos && settled && !known.contains(object.name.as_str())
    });
    let left = left.map(|endpoint| {
        let object = format!("Endpoint {}", endpoint.object.name);
        let evidence = Evidence::new(object, "metadata.name", endpoint.ip, "SERVICE-NAMESPACE of a service");
        Problem::new(&*endpoint.object.name, "its service is gone", evidence.since(endpoint.object.created))
    });
    let left: Vec<Problem> = left.collect();
    if left.is_empty() {
        return grouped("services", services.len(), left, Status::Warn);
    }
    grouped("Endpoints of services", scaled.len(), left, Status::Warn).hinting(|evidence| {
        let name = evidence.first().and_then(|entry| entry.object.strip_prefix("Endpoint ")).unwrap_or("NAME");
        format!("`kubectl delete endpoints.mizar.com {name} -n default` while the operator runs")
    })
}

/// Returns how a service and its Endpoint disagree.
fn mismatch(service: &ServiceFact, ip: &str, name: &str, endpoint: Option<&EndpointFact>) -> Option<Problem> {
    let path = format!("{}/{}", service.namespace, service.name);
    let object = format!("Endpoint {name}");
    let problem = |reason: &str, field: &str, seen: &str, wanted: &str| {
        Some(Problem::new(&path, reason, Evidence::new(&object, field, seen, wanted).since(service.created)))
    };
    let Some(endpoint) = endpoint else {
        return problem("has no Endpoint of Mizar", "metadata.name", "none", "one of type scaled");
    };
    if endpoint.ip != ip {
        return problem("its Endpoint has another address", "spec.ip", &endpoint.ip, ip);
    }
    if !endpoint.object.is_provisioned() {
        return problem("its Endpoint is not Provisioned", "spec.status", &endpoint.object.status, "Provisioned");
    }
    None
}

fn hint(evidence: &[Evidence]) -> String {
    let first = evidence.first();
    let name = first.and_then(|entry| entry.object.strip_prefix("Endpoint ")).unwrap_or("NAME");
    if first.is_some_and(|entry| entry.field == "metadata.name") {
        // Refused by the server, or deleted: the operator takes it to be there, and never looks again.
        return "the operator makes one for every service within a minute; one that does not come \
                (`kubectl logs -n mizar-system deployment/mizar-operator` tells why) comes after a restart of the operator, \
                at a quiet time: `kubectl mizar repair --restart-operator`"
            .to_owned();
    }
    format!(
        "`kubectl get endpoints.mizar.com {name} -n default -o yaml` shows it; \
         `kubectl logs -n mizar-system deployment/mizar-operator` tells what the operator waits for"
    )
}
