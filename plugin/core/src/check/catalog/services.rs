//! Rows about names and virtual addresses.

use crate::check::Category::Services;
use crate::check::Phase::Health;
use crate::check::Severity::Warning;
use crate::check::{Check, services};
use crate::facts::Source;

pub(super) const ROWS: &[Check] = &[
    Check {
        id: "dns",
        category: Services,
        severity: Warning,
        phases: &[Health],
        title: "The name service answers",
        about: "The Deployments and pods of kube-system with the label k8s-app=kube-dns are ready, and addresses are behind kube-system/kube-dns. A cluster with none of these is skipped.",
        hint: "`kubectl get pods -n kube-system -l k8s-app=kube-dns -o wide` shows the name servers; those that are older than Mizar must be recreated: `kubectl rollout restart deployment -n kube-system -l k8s-app=kube-dns`",
        sources: &[Source::Nodes, Source::Deployments, Source::Pods, Source::Dns],
        evaluate: services::dns,
    },
    Check {
        id: "service-endpoints",
        category: Services,
        severity: Warning,
        phases: &[Health],
        title: "Mizar knows every service",
        about: "For every service with an IPv4 address there is a Provisioned Endpoint of type scaled with the same address, and none without its service. Headless and external services have none. A service younger than a minute is given time.",
        hint: "`kubectl logs -n mizar-system deployment/mizar-operator` tells what the operator waits for",
        sources: &[Source::Services, Source::Endpoints, Source::SystemSource],
        evaluate: services::endpoints,
    },
];
