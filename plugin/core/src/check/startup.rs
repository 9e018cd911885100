//! Pods that do not come up: those without a sandbox, which is where their network is made, and those of the cluster
//! itself that crash.

use std::collections::HashMap;

use super::Options;
use super::nodes::hollow;
use super::verdict::{Evidence, Problem, Status, Verdict, grouped, some_of};
use crate::facts::{Facts, PodFact, SandboxFailureFact};
use crate::words::counted;

/// What a container waits for as long as its pod has no sandbox.
const BEFORE_SANDBOX: &[&str] = &["ContainerCreating", "PodInitializing"];

pub(super) fn sandboxes(facts: &Facts, options: &Options) -> Verdict {
    let hollow = hollow(facts);
    let pods = facts.pods.items().iter();
    let pods: Vec<&PodFact> = pods.filter(|pod| is_placed(pod) && !hollow.contains(pod.node.as_str())).collect();
    let failures = latest(facts.sandbox_failures.items(), options);
    let mut worst = Status::Warn;
    let mut problems = Vec::new();
    for pod in pods.iter().filter(|pod| waits_for_sandbox(pod)) {
        let since = pod.placed.or(pod.created);
        let failure = failures.get(&(pod.namespace.as_str(), pod.name.as_str()));
        let long = options.is_older(since, options.thresholds.starting);
        let reason = match failure {
            Some(_) if long => {
                worst = Status::Fail;
                "the kubelet cannot give it a network"
            }
            // The operator wires in rounds, so that the first tries of a new pod may fail.
            Some(_) if options.is_older(since, options.thresholds.settling) => "its network is late",
            None if long => "does not start, and no event tells why: a network, a volume or an image is missing",
            _ => continue,
        };
        problems.push(Problem::new(pod.path(), reason, sandbox_evidence(pod, failure.copied())));
    }
    grouped("pods", pods.len(), problems, worst).hinting(|evidence| {
        let pod = evidence.first().and_then(|entry| entry.object.strip_prefix("Pod ")?.split_once('/'));
        let (namespace, name) = pod.unwrap_or(("NAMESPACE", "NAME"));
        format!(
            "`kubectl describe pod {name} -n {namespace}` tells what the kubelet waits for; when it is the network, \
             the findings above tell which part of Mizar does not work"
        )
    })
}

fn is_placed(pod: &PodFact) -> bool {
    !pod.node.is_empty() && pod.deleting.is_none() && !matches!(pod.phase.as_str(), "Succeeded" | "Failed")
}

/// Whether no container of it has been made: then it has no address either.
fn waits_for_sandbox(pod: &PodFact) -> bool {
    let waits = pod.waiting.is_some_and(|reason| BEFORE_SANDBOX.contains(&reason.as_str()));
    pod.phase == "Pending" && waits && pod.ip.is_empty()
}

/// Returns the last failure of each pod, of those that still matter.
fn latest<'a>(
    failures: &'a [SandboxFailureFact],
    options: &Options,
) -> HashMap<(&'a str, &'a str), &'a SandboxFailureFact> {
    let mut latest: HashMap<(&str, &str), &SandboxFailureFact> = HashMap::new();
    for failure in failures.iter().filter(|failure| options.is_recent(failure.last)) {
        let known = latest.entry((&failure.namespace, &failure.pod)).or_insert(failure);
        if known.last < failure.last {
            *known = failure;
        }
    }
    latest
}

fn sandbox_evidence(pod: &PodFact, failure: Option<&SandboxFailureFact>) -> Evidence {
    let object = format!("Pod {}", pod.path());
    let evidence = if let Some(failure) = failure {
        Evidence::new(object, "event FailedCreatePodSandBox", &failure.message, "none")
    } else {
        let waiting = pod.waiting.unwrap_or_default();
        Evidence::new(object, "status.containerStatuses.state.waiting.reason", waiting, "running")
    };
    evidence.on(&pod.node).since(pod.placed.or(pod.created))
}

pub(super) fn system_restarts(facts: &Facts, options: &Options) -> Verdict {
    let hollow = hollow(facts);
    let of_system = |pod: &&PodFact| pod.namespace == "kube-system" && is_placed(pod);
    let pods = facts.pods.items().iter().filter(of_system);
    let pods: Vec<&PodFact> = pods.filter(|pod| !hollow.contains(pod.node.as_str())).collect();
    let mut worst = Status::Warn;
    let mut problems = Vec::new();
    for pod in &pods {
        let object = format!("Pod {}", pod.path());
        if pod.waiting.is_some_and(|reason| reason == "CrashLoopBackOff") {
            worst = Status::Fail;
            let seen = format!("CrashLoopBackOff after {}", counted(pod.restarts as usize, "restart"));
            let evidence = Evidence::new(object, "status.containerStatuses.state.waiting.reason", seen, "running");
            problems.push(Problem::new(
                &*pod.name,
                "crashes again and again",
                evidence.on(&pod.node).since(pod.restarted),
            ));
        } else if pod.restarts > 0 && options.is_recent(pod.restarted) {
            let minutes = options.thresholds.recent.as_mins();
            let seen = counted(pod.restarts as usize, "restart");
            let evidence = Evidence::new(object, "status.containerStatuses.restartCount", seen, "as before");
            let reason = format!("restarted within the last {minutes} minutes");
            problems.push(Problem::new(&*pod.name, reason, evidence.on(&pod.node).since(pod.restarted)));
        }
    }
    grouped("kube-system pods", pods.len(), problems, worst).hinting(|evidence| {
        let names: Vec<&str> =
            evidence.iter().filter_map(|entry| entry.object.strip_prefix("Pod kube-system/")).collect();
        let first = names.first().copied().unwrap_or("NAME");
        let others = if names.len() > 1 { format!(" (and {})", some_of(&names[1..])) } else { String::new() };
        format!("`kubectl logs -n kube-system {first} --all-containers --previous` tells why it ended{others}")
    })
}
