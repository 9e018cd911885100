//! Rows about the pods that use the network.

use crate::check::Category::Pods;
use crate::check::Phase::Health;
use crate::check::Severity::{Blocker, Warning};
use crate::check::{Check, pods};
use crate::facts::Source;

pub(super) const ROWS: &[Check] = &[
    Check {
        id: "pod-endpoints",
        category: Pods,
        severity: Blocker,
        phases: &[Health],
        title: "Every pod has its Endpoint",
        about: "Every running pod with an address of Mizar has a Provisioned Endpoint of type simple with its name and \
                address, inside its Subnet and on the Droplet of its node.",
        hint: "recreate the pod: `kubectl delete pod NAME -n NAMESPACE`",
        sources: &[Source::Nodes, Source::Pods, Source::Subnets, Source::Droplets, Source::Endpoints],
        evaluate: pods::endpoints,
    },
    Check {
        id: "duplicate-addresses",
        category: Pods,
        severity: Blocker,
        phases: &[Health],
        title: "No address is used twice",
        about: "After a restart the operator hands out addresses from the start again. Told of pods that exist; an address that is only left over is told by another check.",
        hint: "give the younger pod another one: `kubectl mizar repair --plan`, then `kubectl mizar repair`",
        sources: &[Source::Pods, Source::Endpoints],
        evaluate: pods::duplicates,
    },
    Check {
        id: "leaked-endpoints",
        category: Pods,
        severity: Warning,
        phases: &[Health],
        title: "Nothing is left of pods and nodes that are gone",
        about: "Endpoints of type simple without their pod, or older than it, and of type host without their node. A left host Endpoint keeps its Bouncer from finishing; one of an earlier pod keeps its successor of the same name from getting its own.",
        hint: "delete what is left, without cutting a pod that has the same address: `kubectl mizar repair --plan`, then `kubectl mizar repair`",
        sources: &[Source::Nodes, Source::Pods, Source::Droplets, Source::Endpoints],
        evaluate: pods::leaks,
    },
    Check {
        id: "idle-placeholders",
        category: Pods,
        severity: Warning,
        phases: &[Health],
        title: "No address is kept for a pod that is gone",
        about: "A safe restart of the operator keeps the address of every running pod by a placeholder, an Endpoint with the label mizar.dev/holds-for. It should go with its pod.",
        hint: "give the addresses free: `kubectl mizar repair --only placeholders`",
        sources: &[Source::Pods, Source::Endpoints],
        evaluate: pods::placeholders,
    },
    Check {
        id: "unknown-addresses",
        category: Pods,
        severity: Warning,
        phases: &[Health],
        title: "The operator knows every address in use",
        about: "An operator that starts on a finished network gives addresses from the start again, unless those of the running pods are kept by placeholders that it has seen become Provisioned.",
        hint: "have the addresses kept, before new pods get them: `kubectl mizar repair --plan`, then `kubectl mizar repair`",
        sources: &[Source::Pods, Source::Endpoints],
        evaluate: pods::unknown_addresses,
    },
    Check {
        id: "pods-older-than-mizar",
        category: Pods,
        severity: Warning,
        phases: &[Health],
        title: "Every pod has a network of Mizar",
        about: "A pod with an address outside every Subnet was started on the network before Mizar; one that was wired before the daemon of its node started was cut off by that. Both have no network until they are recreated, and so has a pod that waits for one and has no Endpoint after two minutes.",
        hint: "recreate them, name servers first: `kubectl mizar repair --only cut-off-pods`, or `kubectl delete pod NAME -n NAMESPACE`",
        sources: &[Source::Nodes, Source::Pods, Source::Subnets, Source::Endpoints],
        evaluate: pods::older_than_mizar,
    },
];
