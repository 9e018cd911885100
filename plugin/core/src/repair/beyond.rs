//! What no remedy heals, with what a person can do, and what is only good to know.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Act, Step};
use crate::diagnosis::{Diagnosis, HangingDeletion, WaitingObject};
use crate::facts::{Facts, Successor};
use crate::network::PodOnNetwork;

/// What no remedy heals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Beyond {
    /// What is wrong.
    pub what: String,
    /// What a person can do.
    pub advice: String,
}

/// Returns what no remedy heals.
pub(super) fn beyond(facts: &Facts, found: &Diagnosis) -> Vec<Beyond> {
    let hanging = found.hanging_deletions.iter().map(deleted_for_ever);
    let doubled = found.duplicates.iter().flat_map(|duplicate| {
        let others = duplicate.others.iter().filter(|other| !other.host_network);
        others.filter_map(|other| {
            unfollowed(facts, &other.pod, &format!("has the address {} of another pod", duplicate.ip))
        })
    });
    let cut_off = found.cut_off_pods.iter();
    let cut_off = cut_off.filter_map(|pod| unfollowed(facts, &pod.pod, pod.cut_off.predicate()));
    hanging.chain(doubled).chain(cut_off).collect()
}

/// What stood in it is left behind by no operator's fault, and would keep the next one waiting for it.
fn deleted_for_ever(hanging: &HangingDeletion) -> Beyond {
    let (kind, name) = (hanging.object.object.kind.to_lowercase(), &hanging.object.object.name);
    let (inside, field) = if kind == "vpc" { ("dividers", "vpc") } else { ("bouncers", "net") };
    Beyond {
        what: format!("{} is being deleted for ever: a thread of the operator spins over it", hanging.object),
        advice: format!(
            "if nothing uses it any more, let it go with `kubectl patch {kind}s.mizar.com {name} -n default --type merge -p \
             '{{\"metadata\":{{\"finalizers\":null}}}}'`, delete what stood in it with `kubectl get \
             {inside}.mizar.com,endpoints.mizar.com -n default -o jsonpath='{{range .items[?(@.spec.{field}==\"{name}\")]}}\
             {{.kind}}.mizar.com/{{.metadata.name}}{{\"\\n\"}}{{end}}' | xargs kubectl delete -n default`, then \
             `kubectl mizar repair --restart-operator`"
        ),
    }
}

/// Says what the operator tries again and again.
pub(super) fn waits_in_vain(waiting: &WaitingObject) -> Beyond {
    let says = if waiting.message.is_empty() { "without saying why" } else { &waiting.message };
    Beyond {
        what: format!("{} does not get done: the operator tries again and again: {says}", waiting.object),
        advice: "`kubectl logs -n mizar-system deployment/mizar-operator` tells what it waits for; as soon as that is \
                 there, it goes on by itself"
            .to_owned(),
    }
}

/// Says why another pod would not simply follow, for those that are therefore left to a person.
pub(super) fn obstacle(facts: &Facts, pod: &PodOnNetwork) -> Option<&'static str> {
    let is_tied = pod.owner.as_ref().is_some_and(|owner| owner.kind == "DaemonSet");
    if is_tied && !facts.nodes.items().iter().any(|node| node.name == pod.node) {
        return Some("its DaemonSet has no node any more to create another one on");
    }
    pod.successor().warning()
}

fn unfollowed(facts: &Facts, pod: &PodOnNetwork, what: &str) -> Option<Beyond> {
    let why = obstacle(facts, pod)?;
    let (name, namespace) = (&pod.name, &pod.namespace);
    let delete = format!("`kubectl delete pod {name} -n {namespace}`");
    let advice = match (&pod.owner, pod.successor()) {
        (_, Successor::AfterFailure) => {
            format!("if its work may begin again and the Job has retries left: {delete}; else wait until it has ended")
        }
        (_, Successor::Comes | Successor::Unknown) => {
            format!("the cluster removes it some time after its node; sooner: {delete} --force")
        }
        (Some(_), Successor::Never) => {
            format!(
                "it is a static pod: take its file from the manifests of the kubelet on {}, and put it back",
                pod.node
            )
        }
        (None, Successor::Never) => {
            format!("save it with `kubectl get pod {name} -n {namespace} -o yaml`, then delete it and create it again")
        }
    };
    Some(Beyond { what: format!("Pod {namespace}/{name} {what}, and {why}"), advice })
}

/// Names pods whose owners are of a kind that is not known: they are trusted as `kubectl drain` trusts them.
pub(super) fn trusted_owners(steps: &[Step]) -> Option<String> {
    let owners: BTreeSet<String> = steps
        .iter()
        .flat_map(|step| &step.acts)
        .filter_map(|act| match act {
            Act::Recreate { pod, .. } if pod.successor() == Successor::Unknown => pod.owner.as_ref(),
            _ => None,
        })
        .map(|owner| format!("{} {}", owner.kind, owner.name))
        .collect();
    let owners: Vec<String> = owners.into_iter().collect();
    let message = "that another pod follows is up to a controller that we do not know, of";
    (!owners.is_empty()).then(|| format!("{message} {}", owners.join(", ")))
}

/// Returns what is good to know and no reason to do something now.
pub(super) fn notes(found: &Diagnosis, restarts: bool) -> Vec<String> {
    if restarts || found.forgotten_subnets.is_empty() {
        return Vec::new();
    }
    let names: Vec<&str> = found.forgotten_subnets.iter().map(|subnet| subnet.net.as_str()).collect();
    vec![format!(
        "the operator started after Subnet {} was finished, and cannot connect a node that is added: `kubectl mizar repair \
         --restart-operator` at a quiet time",
        names.join(", ")
    )]
}

pub(super) fn no_operator() -> Beyond {
    Beyond {
        what: "Mizar's operator does not run".to_owned(),
        advice: "if it was stopped, start it the one safe way: `kubectl mizar repair --restart-operator`; else \
                 `kubectl mizar check` tells why"
            .to_owned(),
    }
}
