//! Rows about the machines.

use crate::check::Category::Nodes;
use crate::check::Phase::{Health, Preflight};
use crate::check::Severity::{Blocker, Warning};
use crate::check::{Check, nodes, placement};
use crate::facts::Source;

pub(super) const ROWS: &[Check] = &[
    Check {
        id: "eligible-nodes",
        category: Nodes,
        severity: Blocker,
        phases: &[Preflight],
        title: "There are nodes that can run Mizar",
        about: "Linux nodes whose kubelet reports, without Kubemark's hollow ones. A node that is not ready counts: \
                before an install it has no network.",
        hint: "`kubectl get nodes -o wide` shows all nodes; bring lost ones back or remove them",
        sources: &[Source::Nodes],
        evaluate: nodes::eligible,
    },
    Check {
        id: "node-addresses",
        category: Nodes,
        severity: Blocker,
        phases: &[Preflight],
        title: "Every node has an InternalIP",
        about: "The operator finds a node's daemon by this address and looks only once.",
        hint: "`kubectl get nodes -o wide` shows the addresses; `--node-ip` of the kubelet sets it",
        sources: &[Source::Nodes],
        evaluate: nodes::addresses,
    },
    Check {
        id: "node-kernel",
        category: Nodes,
        severity: Blocker,
        phases: &[Preflight],
        title: "Every node has a new enough kernel",
        about: "5.6 or newer: below it TCP breaks under Mizar's packet programs.",
        hint: "upgrade the kernel, on Ubuntu 20.04 with `sudo apt install linux-generic-hwe-20.04`, and reboot",
        sources: &[Source::Nodes],
        evaluate: nodes::kernels,
    },
    Check {
        id: "node-system",
        category: Nodes,
        severity: Blocker,
        phases: &[Preflight],
        title: "Every node runs Ubuntu or Debian",
        about: "The daemon's init container installs packages on the host with apt.",
        hint: "use Ubuntu 20.04 or newer, or Debian; `kubectl get nodes -o wide` shows the systems",
        sources: &[Source::Nodes],
        evaluate: nodes::systems,
    },
    Check {
        id: "node-runtime",
        category: Nodes,
        severity: Warning,
        phases: &[Preflight],
        title: "Every node has a container runtime that Mizar was tried with",
        about: "containerd or docker. Others that speak CNI may do.",
        hint: "`kubectl get nodes -o wide` shows the runtimes",
        sources: &[Source::Nodes],
        evaluate: nodes::runtimes,
    },
    Check {
        id: "node-architecture",
        category: Nodes,
        severity: Blocker,
        phases: &[Preflight],
        title: "Every node has an architecture that Mizar has images for",
        about: "amd64 or arm64.",
        hint: "`kubectl get nodes -L kubernetes.io/arch` shows the architectures",
        sources: &[Source::Nodes],
        evaluate: nodes::architectures,
    },
    Check {
        id: "nodes-ready",
        category: Nodes,
        severity: Blocker,
        phases: &[Health],
        title: "Every node is ready",
        about: "Ready is True and NetworkUnavailable is not.",
        hint: "`kubectl describe node NAME` tells why",
        sources: &[Source::Nodes],
        evaluate: nodes::ready,
    },
    Check {
        id: "operator-placement",
        category: Nodes,
        severity: Blocker,
        phases: &[Preflight, Health],
        title: "A node takes the operator",
        about: "At least one Linux node that is neither lost nor pretended by Kubemark fits the operator's nodeName, nodeSelector and affinity, and has no taint that it does not tolerate. Before an install every node has the taint not-ready, which it therefore must tolerate.",
        hint: "`kubectl get nodes -o custom-columns=NAME:.metadata.name,TAINTS:.spec.taints` shows the taints; `kubectl mizar values` the operator's tolerations",
        sources: &[Source::Nodes, Source::Pods, Source::Deployments],
        evaluate: placement::operator,
    },
];
