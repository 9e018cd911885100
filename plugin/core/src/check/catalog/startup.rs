//! Rows about pods that do not come up; those about their addresses are in the table itself.

use crate::check::Category::Pods;
use crate::check::Phase::Health;
use crate::check::Severity::Warning;
use crate::check::{Check, startup};
use crate::facts::Source;

pub(super) const ROWS: &[Check] = &[
    Check {
        id: "pod-sandboxes",
        category: Pods,
        severity: Warning,
        phases: &[Health],
        title: "Pods that are placed get a network",
        about: "No pod waits for more than five minutes for its first container, and the kubelet has reported no FailedCreatePodSandBox for a waiting pod within ten minutes. In its first minute a pod may: the operator wires in rounds.",
        hint: "`kubectl describe pod NAME -n NAMESPACE` tells what the kubelet waits for",
        sources: &[Source::Nodes, Source::Pods, Source::SandboxFailures],
        evaluate: startup::sandboxes,
    },
    Check {
        id: "system-restarts",
        category: Pods,
        severity: Warning,
        phases: &[Health],
        title: "The cluster's own pods do not crash",
        about: "No pod of kube-system is in CrashLoopBackOff or was restarted within ten minutes.",
        hint: "`kubectl logs -n kube-system NAME --all-containers --previous` tells why it ended",
        sources: &[Source::Nodes, Source::Pods],
        evaluate: startup::system_restarts,
    },
];
