//! Rows about Mizar's own workloads.

use crate::check::Category::Components;
use crate::check::Phase::Health;
use crate::check::Severity::{Blocker, Warning};
use crate::check::{Check, components, versions};
use crate::facts::Source;

pub(super) const ROWS: &[Check] = &[
    Check {
        id: "daemon",
        category: Components,
        severity: Blocker,
        phases: &[Health],
        title: "A daemon is ready on every node",
        about: "One ready pod of DaemonSet mizar-daemon on every eligible node, its node set up, of the present template, \
                and with few restarts: each cuts the pods of its node.",
        hint: "`kubectl get pods -n mizar-system -l job=mizar-daemon -o wide` shows them, `kubectl describe pod NAME \
               -n mizar-system` tells why one is not ready",
        sources: &[Source::Nodes, Source::DaemonSets, Source::Pods],
        evaluate: components::daemon,
    },
    Check {
        id: "operator",
        category: Components,
        severity: Blocker,
        phases: &[Health],
        title: "Exactly one operator is ready",
        about: "One replica, one ready pod, in the network of its node, and with the daemon's bandwidth gate.",
        hint: "`kubectl get deployment mizar-operator -n mizar-system -o yaml` shows how many there are, and the gates",
        sources: &[Source::Deployments, Source::DaemonSets, Source::Pods],
        evaluate: components::operator,
    },
    Check {
        id: "operator-strategy",
        category: Components,
        severity: Warning,
        phases: &[Health],
        title: "Never are there two operators",
        about: "The Deployment has the strategy Recreate. With RollingUpdate two operators hand out the same addresses for a while.",
        hint: "set spec.strategy.type of Deployment mizar-operator to Recreate; it restarts nothing",
        sources: &[Source::Deployments],
        evaluate: components::strategy,
    },
    Check {
        id: "unfinished-restart",
        category: Components,
        severity: Warning,
        phases: &[Health],
        title: "No change is half done",
        about: "While the operator is restarted the safe way, nodes are cordoned, with the annotation mizar.dev/cordoned-by. One that still has it is kept from new pods by a restart that is at work, or that was cut off. The record of the last change, in Secret mizar-operation, tells which, to who may read it, whether a repair has more to do than the cluster shows, and whether an upgrade, a rollback or an uninstall has stopped in the middle; one that cannot be made out leaves that unknown.",
        hint: "`kubectl mizar status` tells whether somebody is at it; else `kubectl mizar repair --restart-operator` finishes it and lets the nodes go",
        sources: &[Source::Nodes],
        evaluate: components::restart,
    },
    Check {
        id: "image-versions",
        category: Components,
        severity: Warning,
        phases: &[Health],
        title: "All parts of Mizar are of one version",
        about: "The tags of operator, daemon and node set-up are the same, and every daemon runs the same image, by name and by what was pulled.",
        hint: "`kubectl mizar install` puts all parts to the version of the charts; `kubectl get pods -A -l job=mizar-daemon -o jsonpath='{range .items[*]}{.spec.nodeName} {.status.containerStatuses[0].imageID}{\"\n\"}{end}'` shows what each node runs",
        sources: &[Source::Nodes, Source::DaemonSets, Source::Deployments, Source::Pods],
        evaluate: versions::alike,
    },
];
