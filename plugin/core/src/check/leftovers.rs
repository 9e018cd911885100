//! What a Mizar that is gone left behind, and what therefore cannot be deleted: the operator puts a finalizer on whatever
//! it watches, and only an operator takes it off again.

use jiff::Timestamp;

use super::Options;
use super::cluster::terminating;
use super::placement::OPERATOR;
use super::verdict::{Evidence, Problem, Status, Verdict, grouped, some_of};
use crate::facts::{FINALIZERS, Facts, MizarObject, NamespaceFact, PodRole};
use crate::words::counted;

/// The only namespace that the operator works in.
const HOME: &str = "default";

/// One object on which the operator puts its finalizer.
struct Watched {
    /// `node`, as kubectl takes it.
    kind: &'static str,
    namespace: String,
    name: String,
    deleting: Option<Timestamp>,
}

impl Watched {
    fn object(&self) -> String {
        if self.namespace.is_empty() {
            format!("{} {}", self.kind, self.name)
        } else {
            format!("{} {}/{}", self.kind, self.namespace, self.name)
        }
    }

    fn flags(&self) -> String {
        if self.namespace.is_empty() { String::new() } else { format!(" -n {}", self.namespace) }
    }
}

/// Returns the objects that carry the operator's finalizer.
fn held(facts: &Facts) -> Vec<Watched> {
    let mut all = Vec::new();
    let mut add = |kind, namespace: &str, name: &str, deleting, finalizer| {
        if finalizer {
            all.push(Watched { kind, namespace: namespace.to_owned(), name: name.to_owned(), deleting });
        }
    };
    for node in facts.nodes.items() {
        add("node", "", &node.name, node.deleting, node.finalizer);
    }
    for namespace in facts.namespaces.items() {
        add("namespace", "", &namespace.name, namespace.deleting, namespace.finalizer);
    }
    for pod in facts.pods.items() {
        add("pod", &pod.namespace, &pod.name, pod.deleting, pod.finalizer);
    }
    for service in facts.services.items() {
        add("service", &service.namespace, &service.name, service.deleting, service.finalizer);
    }
    for policy in facts.network_policies.items() {
        add("networkpolicy", &policy.namespace, &policy.name, policy.deleting, policy.finalizer);
    }
    all
}

/// Whether an operator is installed, or at least runs.
fn has_operator(facts: &Facts) -> bool {
    facts.deployments.items().iter().any(|deployment| deployment.name == OPERATOR)
}

pub(super) fn finalizers(facts: &Facts, _: &Options) -> Verdict {
    let held = held(facts);
    let runs = facts.pods.items().iter().any(|pod| pod.role == PodRole::Operator && pod.deleting.is_none());
    if has_operator(facts) || runs {
        return Verdict::pass(format!(
            "{} with the finalizer of the operator, which is installed",
            counted(held.len(), "object")
        ));
    }
    if held.is_empty() {
        return Verdict::pass("no object carries the finalizer of an operator that is gone");
    }
    let mut kinds: Vec<(&str, Vec<&Watched>)> = Vec::new();
    for object in &held {
        match kinds.iter_mut().find(|(kind, _)| *kind == object.kind) {
            Some((_, of_kind)) => of_kind.push(object),
            None => kinds.push((object.kind, vec![object])),
        }
    }
    let evidence = kinds.iter().map(|(kind, objects)| {
        let names: Vec<String> = objects.iter().map(|object| object.object()).collect();
        let seen = some_of(&names.iter().map(String::as_str).collect::<Vec<_>>());
        Evidence::new(counted(objects.len(), kind), "metadata.finalizers", seen, format!("no {}", FINALIZERS[0]))
    });
    let told: Vec<String> = kinds.iter().map(|(kind, objects)| counted(objects.len(), kind)).collect();
    let message = format!(
        "without an operator, {} cannot be deleted: they carry the finalizer of a Mizar that is gone",
        told.join(", ")
    );
    Verdict::warn(message).with(evidence.collect()).hinting(|_| {
        let first = held.first().map(take_off).unwrap_or_default();
        format!("an install of Mizar takes them over; without one, take the finalizer off each: {first}")
    })
}

/// Returns the command that takes the finalizer off one object, and fails where another one comes first.
fn take_off(object: &Watched) -> String {
    let finalizer = FINALIZERS[0];
    format!(
        "`kubectl patch {} {}{} --type json -p '[{{\"op\":\"test\",\"path\":\"/metadata/finalizers/0\",\"value\":\
         \"{finalizer}\"}},{{\"op\":\"remove\",\"path\":\"/metadata/finalizers/0\"}}]'`",
        object.kind,
        object.name,
        object.flags(),
    )
}

pub(super) fn deletions(facts: &Facts, options: &Options) -> Verdict {
    let is_stuck = |since: Option<Timestamp>| since.is_some() && options.is_older(since, options.thresholds.deletion);
    let held: Vec<Watched> = held(facts).into_iter().filter(|object| is_stuck(object.deleting)).collect();
    let definitions = facts.definitions.items().iter().filter(|definition| is_stuck(definition.deleting));
    let mut problems: Vec<Problem> = definitions
        .map(|definition| {
            let object = format!("CustomResourceDefinition {}", definition.name);
            let evidence = Evidence::new(&object, "metadata.deletionTimestamp", "set", "gone");
            Problem::new(&definition.name, "its objects do not go", evidence.since(definition.deleting))
        })
        .collect();
    problems.extend(held.iter().map(|object| {
        let evidence =
            Evidence::new(object.object(), "metadata.finalizers", FINALIZERS[0], "taken off by the operator");
        let node = if object.kind == "node" { object.name.as_str() } else { "" };
        let reason = "being deleted, and the operator does not take its finalizer off";
        Problem::new(object.object(), reason, evidence.on(node).since(object.deleting))
    }));
    let mut worst = if problems.is_empty() { Status::Warn } else { Status::Fail };
    let namespaces = facts.namespaces.items().iter();
    for namespace in namespaces.filter(|namespace| is_stuck(namespace.deleting) && !namespace.finalizer) {
        if holds_mizar(namespace) {
            worst = Status::Fail;
        }
        let name = format!("namespace {}", namespace.name);
        let reason = match namespace.held_by.as_slice() {
            [] => "being deleted and does not go".to_owned(),
            reasons => format!("being deleted: {}", reasons.join("; ")),
        };
        problems.extend(terminating(namespace).into_iter().map(|evidence| Problem::new(&name, &reason, evidence)));
    }
    let total = problems.len();
    if total == 0 {
        return Verdict::pass("nothing waits to be deleted");
    }
    grouped("deletions", total, problems, worst).hinting(|_| match held.first() {
        Some(object) if has_no_ready_operator(facts) => {
            format!("start the operator, which releases them; where Mizar is gone for good: {}", take_off(object))
        }
        Some(object) => {
            format!("`kubectl mizar check` tells what is wrong with the operator; the last way: {}", take_off(object))
        }
        None => "`kubectl api-resources --verbs=list --namespaced -o name | xargs -n1 kubectl get -n NAMESPACE \
                 --ignore-not-found` shows what is left; objects of mizar.com need the operator"
            .to_owned(),
    })
}

/// Whether the server names the operator's finalizer or Mizar's objects among what holds a namespace.
fn holds_mizar(namespace: &NamespaceFact) -> bool {
    namespace.held_by.iter().any(|reason| reason.contains("KopfFinalizerMarker") || reason.contains("mizar.com"))
}

fn has_no_ready_operator(facts: &Facts) -> bool {
    !facts.pods.items().iter().any(|pod| pod.role == PodRole::Operator && pod.ready)
}

/// Returns every object of Mizar with its resource.
fn objects(facts: &Facts) -> Vec<(&'static str, &MizarObject)> {
    let mut all: Vec<(&'static str, &MizarObject)> = Vec::new();
    all.extend(facts.droplets.items().iter().map(|fact| ("droplets", &fact.object)));
    all.extend(facts.vpcs.items().iter().map(|fact| ("vpcs", &fact.object)));
    all.extend(facts.dividers.items().iter().map(|fact| ("dividers", &fact.object)));
    all.extend(facts.subnets.items().iter().map(|fact| ("subnets", &fact.object)));
    all.extend(facts.bouncers.items().iter().map(|fact| ("bouncers", &fact.object)));
    all.extend(facts.endpoints.items().iter().map(|fact| ("endpoints", &fact.object)));
    all
}

pub(super) fn without_operator(facts: &Facts, _: &Options) -> Verdict {
    let objects = objects(facts);
    if has_operator(facts) || objects.is_empty() {
        return Verdict::pass(format!("{} of Mizar, which an operator keeps", counted(objects.len(), "object")));
    }
    let held = objects.iter().filter(|(_, object)| object.finalizer).count();
    let evidence = objects.iter().filter(|(_, object)| object.finalizer).take(1).map(|(resource, object)| {
        let object = format!("{resource}.mizar.com {}/{}", object.namespace, object.name);
        Evidence::new(object, "metadata.finalizers", FINALIZERS[0], "an operator that takes it off, or none")
    });
    let message = format!(
        "{} of Mizar and no operator, which is needed to delete {held} of them",
        counted(objects.len(), "object")
    );
    Verdict::warn(message).with(evidence.collect())
}

pub(super) fn elsewhere(facts: &Facts, _: &Options) -> Verdict {
    let objects = objects(facts);
    let problems = objects.iter().filter(|(_, object)| object.namespace != HOME).map(|(resource, object)| {
        let path = format!("{resource}.mizar.com {}/{}", object.namespace, object.name);
        let evidence = Evidence::new(&path, "metadata.namespace", object.namespace, HOME).since(object.created);
        Problem::new(path, "is in a namespace where the operator cannot write to it", evidence)
    });
    grouped("objects", objects.len(), problems.collect(), Status::Warn).hinting(|evidence| {
        let first = evidence.first().and_then(|entry| entry.object.split_once(' '));
        let (resource, path) = first.unwrap_or(("RESOURCE", "NAMESPACE/NAME"));
        let (namespace, name) = path.split_once('/').unwrap_or(("NAMESPACE", path));
        format!(
            "create it in namespace {HOME} instead, then `kubectl delete {resource} {name} -n {namespace}`, which needs \
             its finalizer taken off by hand"
        )
    })
}
