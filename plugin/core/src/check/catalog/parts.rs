//! Rows about the network's parts, and about what the operator does with them.

use crate::check::Category::Network;
use crate::check::Phase::Health;
use crate::check::Severity::{Blocker, Warning};
use crate::check::{Check, cluster, parts, progress};
use crate::facts::Source;

const LOGS: &str = "`kubectl logs -n mizar-system deployment/mizar-operator` tells what the operator waits for";

/// What is looked at to find out whether the operator and its daemons still do what the objects say.
const ALL: &[Source] = &[
    Source::Nodes,
    Source::Pods,
    Source::Droplets,
    Source::Vpcs,
    Source::Dividers,
    Source::Subnets,
    Source::Bouncers,
    Source::Endpoints,
];

pub(super) const ROWS: &[Check] = &[
    Check {
        id: "droplets",
        category: Network,
        severity: Blocker,
        phases: &[Health],
        title: "Every node has its Droplet",
        about: "For every eligible node one Provisioned Droplet with its InternalIP, a hardware address and an \
                interface; no Droplet without a node.",
        hint: "`kubectl get droplets.mizar.com -n default` shows them; `kubectl mizar repair --plan` shows what brings a missing one back, unless its node's daemon does not answer on port 50051",
        sources: &[Source::Nodes, Source::Pods, Source::DaemonSets, Source::Droplets],
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
        about: "As many as spec.dividers of the Vpc, Provisioned, each on a Droplet of a node that exists.",
        hint: "see what would be done: `kubectl mizar repair --plan`; then `kubectl mizar repair`",
        sources: &[Source::Nodes, Source::Vpcs, Source::Dividers, Source::Droplets],
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
        about: "At least as many as spec.bouncers of the Subnet, Provisioned, each on a Droplet of a node that exists.",
        hint: "see what would be done: `kubectl mizar repair --plan`; then `kubectl mizar repair`",
        sources: &[Source::Nodes, Source::Pods, Source::Subnets, Source::Bouncers, Source::Droplets],
        evaluate: parts::bouncers,
    },
    Check {
        id: "host-endpoints",
        category: Network,
        severity: Blocker,
        phases: &[Health],
        title: "Every node can reach the pods of every Vpc",
        about: "One Provisioned Endpoint of type host for every Droplet and every Vpc with subnets.",
        hint: "see what would be done: `kubectl mizar repair --plan`; then `kubectl mizar repair`",
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
        hint: "what is being deleted and does not go: `kubectl mizar repair --plan` says what you can do; else `kubectl logs -n mizar-system deployment/mizar-operator` tells what the operator waits for",
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
        about: "An Endpoint is marked before it is programmed, so that a failure shows only in an annotation of the operator's framework. After a restart of the operator on a finished network Bouncers wait for Endpoints and Endpoints for Bouncers: no new pod gets a network. That is told at once, also before the first annotation is there.",
        hint: "end a deadlock without a restart: `kubectl mizar repair --plan`, then `kubectl mizar repair`; else look at `kubectl logs -n mizar-system deployment/mizar-operator`",
        sources: ALL,
        evaluate: progress::unfinished_handlers,
    },
    Check {
        id: "operator-memory",
        category: Network,
        severity: Warning,
        phases: &[Health],
        title: "The operator knows that the network is finished",
        about: "An operator that starts reads the wrong key of a Subnet and believes it unfinished: nodes that are added get no host Endpoint. Nothing tells that for certain until a node is added, so it is inferred from the times. A safe restart writes the key.",
        hint: "restart it the safe way, at a quiet time: `kubectl mizar repair --restart-operator`",
        sources: &[Source::Nodes, Source::Pods, Source::Droplets, Source::Subnets, Source::Endpoints],
        evaluate: progress::operator_memory,
    },
    Check {
        id: "unprogrammed-nodes",
        category: Network,
        severity: Blocker,
        phases: &[Health],
        title: "Every node still has what was programmed there",
        about: "A daemon's programs live as long as its container, and the operator does not notice when one restarts: host Endpoints, Bouncers and Dividers that were provisioned there before still say Provisioned and forward nothing. Where the clock of a node is so far ahead that this cannot be told, it is a warning.",
        hint: "program the nodes anew: `kubectl mizar repair --plan`, then `kubectl mizar repair`",
        sources: ALL,
        evaluate: progress::unprogrammed_nodes,
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
