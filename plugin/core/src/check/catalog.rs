//! The table of all checks, one file a category. A row is added there and nowhere else; see `docs/adding-a-check.md`.

mod access;
mod arktos;
mod components;
mod installation;
mod network;
mod nodes;
mod services;
mod startup;

use super::Category::{Network, Pods};
use super::Phase::Health;
use super::Severity::{Blocker, Warning};
use super::{Check, cluster, parts, pods, progress};
use crate::facts::Source;

const LOGS: &str = "`kubectl logs -n mizar-system deployment/mizar-operator` tells what the operator waits for";

/// All checks, in the order in which they are shown.
pub const CHECKS: &[Check] = &joined::<{ count(TABLES) }>(TABLES);

const TABLES: &[&[Check]] = &[
    access::ROWS,
    nodes::ROWS,
    installation::ROWS,
    components::ROWS,
    NETWORK,
    network::ROWS,
    services::ROWS,
    PODS,
    startup::ROWS,
    arktos::ROWS,
];

/// How many rows the tables have together.
const fn count(tables: &[&[Check]]) -> usize {
    let (mut rows, mut table) = (0, 0);
    while table < tables.len() {
        rows += tables[table].len();
        table += 1;
    }
    rows
}

/// Puts the tables into one, while the program is compiled.
const fn joined<const ROWS: usize>(tables: &[&[Check]]) -> [Check; ROWS] {
    let mut rows = [tables[0][0]; ROWS];
    let (mut next, mut table) = (0, 0);
    while table < tables.len() {
        let mut row = 0;
        while row < tables[table].len() {
            rows[next] = tables[table][row];
            next += 1;
            row += 1;
        }
        table += 1;
    }
    rows
}

const NETWORK: &[Check] = &[
    Check {
        id: "droplets",
        category: Network,
        severity: Blocker,
        phases: &[Health],
        title: "Every node has its Droplet",
        about: "For every eligible node one Provisioned Droplet with its InternalIP, a hardware address and an \
                interface; no Droplet without a node.",
        hint: "`kubectl get droplets.mizar.com -n default` shows them; a node without one has a daemon that does not \
               answer on port 50051",
        sources: &[Source::Nodes, Source::DaemonSets, Source::Droplets],
        evaluate: parts::droplets,
    },
    Check {
        id: "vpcs",
        category: Network,
        severity: Blocker,
        phases: &[Health],
        title: "Every Vpc is Provisioned",
        about: "vpc0 exists, and it and every other Vpc are Provisioned and have a range.",
        hint: LOGS,
        sources: &[Source::Vpcs],
        evaluate: parts::vpcs,
    },
    Check {
        id: "dividers",
        category: Network,
        severity: Blocker,
        phases: &[Health],
        title: "Every Vpc has its Dividers, each on a Droplet",
        about: "As many as spec.dividers of the Vpc, Provisioned, each on a Droplet that exists.",
        hint: "`kubectl get dividers.mizar.com -n default` shows them; one on a Droplet that is gone is placed anew by \
               `kubectl patch dividers.mizar.com NAME -n default --type merge -p '{\"spec\":{\"status\":\"Init\"}}'`",
        sources: &[Source::Vpcs, Source::Dividers, Source::Droplets],
        evaluate: parts::dividers,
    },
    Check {
        id: "subnets",
        category: Network,
        severity: Blocker,
        phases: &[Health],
        title: "Every Subnet is Provisioned",
        about: "net0 exists, and it and every other Subnet are Provisioned, with a range inside that of their Vpc.",
        hint: LOGS,
        sources: &[Source::Vpcs, Source::Subnets],
        evaluate: parts::subnets,
    },
    Check {
        id: "bouncers",
        category: Network,
        severity: Blocker,
        phases: &[Health],
        title: "Every Subnet has its Bouncers, each on a Droplet",
        about: "At least as many as spec.bouncers of the Subnet, Provisioned, each on a Droplet that exists.",
        hint: "`kubectl get bouncers.mizar.com -n default` shows them; one on a Droplet that is gone is placed anew by \
               `kubectl patch bouncers.mizar.com NAME -n default --type merge -p '{\"spec\":{\"status\":\"Init\"}}'`",
        sources: &[Source::Subnets, Source::Bouncers, Source::Droplets],
        evaluate: parts::bouncers,
    },
    Check {
        id: "host-endpoints",
        category: Network,
        severity: Blocker,
        phases: &[Health],
        title: "Every node can reach the pods of every Vpc",
        about: "One Provisioned Endpoint of type host for every Droplet and every Vpc with subnets.",
        hint: "`kubectl get endpoints.mizar.com -n default` shows them",
        sources: &[
            Source::Nodes,
            Source::DaemonSets,
            Source::Droplets,
            Source::Vpcs,
            Source::Subnets,
            Source::Endpoints,
        ],
        evaluate: parts::host_endpoints,
    },
    Check {
        id: "stuck-objects",
        category: Network,
        severity: Warning,
        phases: &[Health],
        title: "No object of Mizar waits for long",
        about: "Everything is Provisioned two minutes after it was made. After an hour the operator has used up its \
                tries and the object stays as it is. Objects that are being deleted must go.",
        hint: LOGS,
        sources: &[
            Source::Droplets,
            Source::Vpcs,
            Source::Dividers,
            Source::Subnets,
            Source::Bouncers,
            Source::Endpoints,
        ],
        evaluate: progress::stuck,
    },
    Check {
        id: "unfinished-handlers",
        category: Network,
        severity: Warning,
        phases: &[Health],
        title: "The operator has finished what it marked as Provisioned",
        about: "An Endpoint is marked before it is programmed, so that a failure shows only in an annotation of the \
                operator's framework. Bouncers and Endpoints with such annotations at once are the deadlock after a \
                restart of the operator: no new pod gets a network.",
        hint: "set one Bouncer back, which ends the deadlock within 20 seconds: `kubectl patch bouncers.mizar.com NAME \
               -n default --type merge -p '{\"spec\":{\"status\":\"Init\"}}'`; else look at `kubectl logs -n \
               mizar-system deployment/mizar-operator`",
        sources: &[
            Source::Droplets,
            Source::Vpcs,
            Source::Dividers,
            Source::Subnets,
            Source::Bouncers,
            Source::Endpoints,
        ],
        evaluate: progress::unfinished_handlers,
    },
    Check {
        id: "other-networks",
        category: Network,
        severity: Blocker,
        phases: &[Health],
        title: "No other network works against Mizar",
        about: "The DaemonSet of another network writes its files back, and the kubelet takes the first by name. \
                kube-proxy is no network and stays.",
        hint: "remove the other network: `kubectl delete daemonset NAME -n NAMESPACE`",
        sources: &[Source::DaemonSets],
        evaluate: cluster::network_beside,
    },
];

const PODS: &[Check] = &[
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
        about: "After a restart the operator hands out addresses from the start again.",
        hint: "recreate the younger pod: `kubectl delete pod NAME -n NAMESPACE`",
        sources: &[Source::Endpoints],
        evaluate: pods::duplicates,
    },
    Check {
        id: "leaked-endpoints",
        category: Pods,
        severity: Warning,
        phases: &[Health],
        title: "Nothing is left of pods and nodes that are gone",
        about: "Endpoints of type simple without their pod, and of type host without their node. A left host Endpoint \
                keeps its Bouncer from finishing.",
        hint: "`kubectl delete endpoints.mizar.com NAME -n default` while the operator runs",
        sources: &[Source::Nodes, Source::Pods, Source::Droplets, Source::Endpoints],
        evaluate: pods::leaks,
    },
    Check {
        id: "pods-older-than-mizar",
        category: Pods,
        severity: Warning,
        phases: &[Health],
        title: "Every pod uses Mizar",
        about: "A pod with an address outside every Subnet was started on the network before Mizar; it is cut off \
                until it is recreated.",
        hint: "recreate them, name servers first: `kubectl mizar install --recreate-pods`, or `kubectl delete pod NAME \
               -n NAMESPACE`",
        sources: &[Source::Nodes, Source::Pods, Source::Subnets],
        evaluate: pods::older_than_mizar,
    },
];
