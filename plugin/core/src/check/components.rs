//! Mizar's own workloads: a daemon on every node, and one operator.

use std::collections::{BTreeMap, HashMap};

use super::Options;
use super::placement::OPERATOR;
use super::verdict::{Evidence, Problem, Status, Verdict, grouped, reasons, some_of};
use crate::facts::{
    CORDON_ANNOTATION, ChangeFact, DaemonSetFact, DeploymentFact, Facts, Fetched, NodeFact, PodFact, PodRole,
};
use crate::network::{daemon_set, served_nodes};

/// The gate that daemon and operator must agree on.
const SHARED_GATE: &str = "FEATUREGATE_BWQOS";

const INSTALL: &str = "`kubectl mizar install` brings it";

pub(super) fn daemon(facts: &Facts, options: &Options) -> Verdict {
    let sets: Vec<&DaemonSetFact> = facts.daemon_sets.items().iter().filter(|set| set.name == "mizar-daemon").collect();
    let set = match sets.as_slice() {
        [] => {
            return Verdict::fail("Mizar's daemon is not installed: there is no DaemonSet mizar-daemon")
                .hinting(|_| INSTALL.to_owned());
        }
        [set] => *set,
        _ => {
            let names: Vec<String> = sets.iter().map(|set| format!("{}/{}", set.namespace, set.name)).collect();
            return Verdict::fail(format!("Mizar's daemon is installed twice: DaemonSets {}", names.join(" and ")));
        }
    };
    if set.observed_generation < set.generation {
        let evidence = Evidence::new(
            workload("DaemonSet", &set.namespace, &set.name),
            "status.observedGeneration",
            set.observed_generation.to_string(),
            set.generation.to_string(),
        );
        return Verdict::unknown("the controller has not looked at the present DaemonSet yet").with(vec![evidence]);
    }
    let nodes = served_nodes(facts);
    if nodes.is_empty() {
        return Verdict::fail("there is no node for the daemon");
    }
    let pods = by_node(facts, set);
    let on = |node: &NodeFact| pods.get(node.name.as_str()).map_or(&[][..], Vec::as_slice);
    let failing: Vec<Problem> = nodes.iter().filter_map(|node| failing_daemon(node, on(node))).collect();
    if !failing.is_empty() {
        return grouped("daemons", nodes.len(), failing, Status::Fail).hinting(|evidence| look_at(set, evidence));
    }
    let odd = nodes.iter().filter_map(|node| restarted_daemon(node, on(node).first()?, options));
    match grouped("daemons", nodes.len(), odd.collect(), Status::Warn) {
        verdict if verdict.status == Status::Pass => outdated(set).unwrap_or(verdict),
        verdict => verdict.hinting(|evidence| look_at(set, evidence)),
    }
}

/// Returns the daemon's pods by node.
fn by_node<'a>(facts: &'a Facts, set: &DaemonSetFact) -> HashMap<&'a str, Vec<&'a PodFact>> {
    let ours = |pod: &&PodFact| pod.role == PodRole::Daemon && pod.namespace == set.namespace && pod.deleting.is_none();
    let mut pods: HashMap<&str, Vec<&PodFact>> = HashMap::new();
    for pod in facts.pods.items().iter().filter(ours) {
        pods.entry(pod.node.as_str()).or_default().push(pod);
    }
    pods
}

/// Returns how to look at the first daemon that was found, or at the DaemonSet where a node has none.
fn look_at(set: &DaemonSetFact, evidence: &[Evidence]) -> String {
    let pod = evidence.iter().find_map(|entry| entry.object.strip_prefix("Pod ")?.split_once('/'));
    match pod {
        Some((namespace, name)) => format!(
            "`kubectl describe pod {name} -n {namespace}` and `kubectl logs {name} -n {namespace} --all-containers` \
             tell why"
        ),
        None => format!("`kubectl describe daemonset {} -n {}` tells why", set.name, set.namespace),
    }
}

fn failing_daemon(node: &NodeFact, pods: &[&PodFact]) -> Option<Problem> {
    let pods_on_node =
        |seen: String| Evidence::new(format!("Node {}", node.name), "pods of mizar-daemon", seen, "one").on(&node.name);
    let pod = match pods {
        [] => return Some(Problem::new(&node.name, "no daemon pod", pods_on_node("none".to_owned()))),
        [pod] => *pod,
        several => {
            return Some(Problem::new(&node.name, "several daemon pods", pods_on_node(several.len().to_string())));
        }
    };
    (!pod.ready).then(|| {
        let reason = not_ready(pod);
        let evidence = Evidence::new(pod_object(pod), "status", &reason, "ready").on(&node.name).since(pod.created);
        Problem::new(&node.name, &reason, evidence)
    })
}

fn restarted_daemon(node: &NodeFact, pod: &PodFact, options: &Options) -> Option<Problem> {
    let restarts: u32 = pod.containers.iter().filter(|container| !container.init).map(|main| main.restarts).sum();
    (restarts >= options.thresholds.daemon_restarts).then(|| {
        let wanted = format!("fewer than {}", options.thresholds.daemon_restarts);
        let evidence = Evidence::new(pod_object(pod), "restartCount", restarts.to_string(), wanted);
        let reason = format!("restarted {restarts} times, each time cutting its pods");
        Problem::new(&node.name, reason, evidence.on(&node.name).since(pod.restarted.or(pod.started())))
    })
}

/// A DaemonSet whose pods are only replaced by hand runs the old template until somebody does.
fn outdated(set: &DaemonSetFact) -> Option<Verdict> {
    (set.updated < set.desired).then(|| {
        let (updated, desired) = (set.updated, set.desired);
        let object = workload("DaemonSet", &set.namespace, &set.name);
        let evidence = Evidence::new(object, "status.updatedNumberScheduled", updated.to_string(), desired.to_string());
        Verdict::warn(format!("{updated} of {desired} daemons run the present template; the others must be replaced"))
            .with(vec![evidence])
    })
}

/// Returns why a pod of ours is not ready: the container that waits or failed, else its phase.
fn not_ready(pod: &PodFact) -> String {
    let waiting = pod.containers.iter().find_map(|container| {
        let reason = container.waiting.as_deref().filter(|reason| *reason != "PodInitializing")?;
        Some(format!("container {} waits: {reason}", container.name))
    });
    let failed = || {
        let container = pod.containers.iter().find(|container| container.exit_code.is_some_and(|code| code != 0))?;
        Some(format!("container {} ended with {}", container.name, container.exit_code?))
    };
    let running = || {
        let container = pod.containers.iter().find(|container| !container.init && !container.ready)?;
        (pod.phase == "Running").then(|| format!("container {} is not ready", container.name))
    };
    waiting.or_else(failed).or_else(running).unwrap_or_else(|| match pod.phase.as_str() {
        "" => "not placed yet".to_owned(),
        phase => format!("pod is {phase} and not ready"),
    })
}

pub(super) fn operator(facts: &Facts, _: &Options) -> Verdict {
    let operators: Vec<&DeploymentFact> =
        facts.deployments.items().iter().filter(|deployment| deployment.name == OPERATOR).collect();
    let operator = match operators.as_slice() {
        [] => {
            return Verdict::fail("Mizar's operator is not installed: there is no Deployment mizar-operator")
                .hinting(|_| INSTALL.to_owned());
        }
        [operator] => *operator,
        _ => {
            let names: Vec<String> =
                operators.iter().map(|found| format!("{}/{}", found.namespace, found.name)).collect();
            return Verdict::fail(format!(
                "two operators would hand out the same addresses: Deployments {}",
                names.join(" and ")
            ));
        }
    };
    let object = workload("Deployment", &operator.namespace, &operator.name);
    if operator.replicas != 1 {
        let evidence = Evidence::new(object, "spec.replicas", operator.replicas.to_string(), "1");
        return Verdict::fail(format!("the operator has {} replicas instead of one", operator.replicas))
            .with(vec![evidence])
            .hinting(|_| match operator.replicas {
                // One that simply starts on a finished network wires nothing and gives used addresses away.
                0 => "start it the one way that is safe on a network in use: `kubectl mizar repair --restart-operator`"
                    .to_owned(),
                _ => format!("`kubectl scale deployment {} -n {} --replicas=1`", operator.name, operator.namespace),
            });
    }
    let ours =
        |pod: &&PodFact| pod.role == PodRole::Operator && pod.namespace == operator.namespace && pod.deleting.is_none();
    let pods: Vec<&PodFact> = facts.pods.items().iter().filter(ours).filter(|pod| !is_over(pod)).collect();
    let ready: Vec<&PodFact> = pods.iter().copied().filter(|pod| pod.ready).collect();
    match ready.as_slice() {
        [pod] => alike(facts, operator, pod),
        [] => {
            let evidence = pods.iter().map(|pod| {
                Evidence::new(pod_object(pod), "status", not_ready(pod), "ready").on(&pod.node).since(pod.created)
            });
            let reason = pods.first().map_or_else(|| "it has no pod".to_owned(), |pod| not_ready(pod));
            Verdict::fail(format!("the operator is not ready: {reason}")).with(evidence.collect()).hinting(|_| {
                let (name, namespace) = (&operator.name, &operator.namespace);
                match pods.first() {
                    Some(pod) => format!("`kubectl describe pod {} -n {namespace}` tells why", pod.name),
                    None => format!("`kubectl describe deployment {name} -n {namespace}` tells why"),
                }
            })
        }
        several => {
            let names: Vec<&str> = several.iter().map(|pod| pod.name.as_str()).collect();
            Verdict::fail(format!("{} operators run at once: {}", several.len(), some_of(&names)))
        }
    }
}

/// Two operators at once hand out the same addresses, so that the old one must be gone before the new one starts.
pub(super) fn strategy(facts: &Facts, _: &Options) -> Verdict {
    let Some(operator) = facts.deployments.items().iter().find(|deployment| deployment.name == OPERATOR) else {
        return Verdict::skipped("no operator is installed");
    };
    if operator.strategy == "Recreate" {
        return Verdict::pass("the old operator goes before the new one starts");
    }
    let object = workload("Deployment", &operator.namespace, &operator.name);
    let evidence = Evidence::new(object, "spec.strategy.type", &operator.strategy, "Recreate");
    let message = format!("with strategy {} two operators run at once at every change", operator.strategy);
    Verdict::warn(message).with(vec![evidence]).hinting(|_| {
        format!(
            "`kubectl patch deployment {} -n {} --type merge -p \
             '{{\"spec\":{{\"strategy\":{{\"type\":\"Recreate\",\"rollingUpdate\":null}}}}}}'`; it restarts nothing",
            operator.name, operator.namespace
        )
    })
}

/// Who restarts the operator cordons nodes with our mark and takes it off again, and has it recorded: either tells of a
/// restart that was cut off. Hollow nodes are cordoned like all others.
pub(super) fn restart(facts: &Facts, _: &Options) -> Verdict {
    let nodes = facts.nodes.items();
    let marked: Vec<Problem> = nodes.iter().filter_map(|node| Some(marked(node, node.cordoned_by.as_ref()?))).collect();
    let change = match &facts.change {
        Fetched::Known(ChangeFact { illegible: Some(illegible), .. }) => {
            return unknown_change(&illegible.why, &marked).hinting(|_| illegible.hint.clone());
        }
        Fetched::Failed { reason } => return unknown_change(reason, &marked),
        Fetched::Known(change) => change,
        // Who may not read the record is told what the nodes tell.
        Fetched::Denied { .. } | Fetched::Absent | Fetched::NotAsked => {
            return grouped("nodes", nodes.len(), marked, Status::Warn);
        }
    };
    let (command, holder) = (&change.command, &change.holder);
    if change.at_work {
        return Verdict::pass(format!("{command} by {holder} is at work"));
    }
    let record = |seen: &str, wanted: &str| Evidence::new("the record of the last change", command, seen, wanted);
    let mut evidence: Vec<Evidence> = marked.iter().map(|problem| problem.evidence.clone()).collect();
    if change.restart {
        evidence.insert(0, record("a restart of the operator has begun", "it has come to its end"));
        let kept = if marked.is_empty() { String::new() } else { format!("; {}", reasons(&marked)) };
        let message = format!("a restart of the operator was cut off: {command} by {holder} is gone{kept}");
        return Verdict::fail(message).with(evidence).hinting(|_| FINISH_RESTART.to_owned());
    }
    if change.owed {
        evidence.insert(0, record("more must follow", "nothing must"));
        let message = format!("{command} by {holder} was cut off, and what it must still do is told by no object");
        return Verdict::warn(message).with(evidence).hinting(|_| "finish it: `kubectl mizar repair`".to_owned());
    }
    if let Some(goes_on) = after(command).filter(|_| change.stopped) {
        let nodes: Vec<&str> = marked.iter().map(|problem| problem.name.as_str()).collect();
        let kept =
            if nodes.is_empty() { String::new() } else { format!("; it keeps new pods from {}", some_of(&nodes)) };
        evidence.insert(0, record("it has stopped", "it has come to its end"));
        let message = format!("{command} by {holder} has stopped in the middle{kept}");
        return Verdict::warn(message).with(evidence).hinting(|_| goes_on.to_owned());
    }
    grouped("nodes", nodes.len(), marked, Status::Warn).hinting(|_| FINISH_RESTART.to_owned())
}

/// What to type when a change has stopped that leaves parts of two versions side by side, or half of all.
fn after(command: &str) -> Option<&'static str> {
    match command {
        "upgrade" | "rollback" => Some(
            "`kubectl mizar resume` goes on with it, `kubectl mizar rollback` goes back, `kubectl mizar abort` gives it up",
        ),
        crate::adoption::COMMAND => {
            Some("`kubectl mizar resume` goes on with it, `kubectl mizar abort` leaves all as it is")
        }
        "uninstall" => Some("`kubectl mizar uninstall` finishes it"),
        _ => None,
    }
}

/// Nodes without a mark prove nothing: a restart may be about to cordon them, and what a repair owes is told by no node.
fn unknown_change(why: &str, marked: &[Problem]) -> Verdict {
    let kept = if marked.is_empty() { String::new() } else { format!("; {}", reasons(marked)) };
    let record = Evidence::new("the record of the last change", "", why, "it can be read");
    let nodes = marked.iter().map(|problem| problem.evidence.clone());
    Verdict::unknown(format!("{why}{kept}")).with(std::iter::once(record).chain(nodes).collect())
}

const FINISH_RESTART: &str = "`kubectl mizar repair --restart-operator` finishes it and lets the nodes go";

fn marked(node: &NodeFact, mark: &str) -> Problem {
    let field = format!("metadata.annotations[{CORDON_ANNOTATION}]");
    let evidence = Evidence::new(format!("Node {}", node.name), field, mark, "not there").on(&node.name);
    let reason = if node.unschedulable {
        "kept from new pods by a restart of the operator that is at work, or was cut off"
    } else {
        "has the mark of a restart of the operator that was cut off, though somebody has uncordoned it"
    };
    Problem::new(&node.name, reason, evidence)
}

/// Whether the pod has ended; an evicted one stays in the list.
fn is_over(pod: &PodFact) -> bool {
    matches!(pod.phase.as_str(), "Failed" | "Succeeded")
}

/// Looks closer at an operator that is ready: it must agree with the daemon on the shared gate, and use its node's
/// network, since the pods' is what it makes.
fn alike(facts: &Facts, operator: &DeploymentFact, pod: &PodFact) -> Verdict {
    let fine = format!("ready on node {}", pod.node);
    let object = workload("Deployment", &operator.namespace, &operator.name);
    let here = is_on(&operator.gates, SHARED_GATE);
    let there = daemon_set(facts.daemon_sets.items()).map_or(here, |daemon| is_on(&daemon.gates, SHARED_GATE));
    if here != there {
        let evidence = Evidence::new(object, SHARED_GATE, here.to_string(), there.to_string());
        let message = format!("{SHARED_GATE} is {here} for the operator and {there} for the daemon");
        return Verdict::fail(message).with(vec![evidence]);
    }
    if !pod.host_network {
        let evidence = Evidence::new(pod_object(pod), "spec.hostNetwork", "false", "true").on(&pod.node);
        let message =
            "the operator does not use the network of its node, and reaches no daemon where there is no other";
        return Verdict::fail(message).with(vec![evidence]);
    }
    Verdict::pass(fine)
}

/// The daemon's own reading of a gate.
fn is_on(gates: &BTreeMap<String, String>, gate: &str) -> bool {
    gates.get(gate).is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"))
}

fn workload(kind: &str, namespace: &str, name: &str) -> String {
    format!("{kind} {namespace}/{name}")
}

fn pod_object(pod: &PodFact) -> String {
    format!("Pod {}", pod.path())
}
