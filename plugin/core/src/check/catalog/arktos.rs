//! Rows about what only Arktos has; the engine skips them on any other server.

use crate::check::Category::Arktos;
use crate::check::Phase::{Health, Preflight};
use crate::check::Severity::{Blocker, Warning};
use crate::check::{Check, arktos};
use crate::facts::Source;

pub(super) const ROWS: &[Check] = &[
    Check {
        id: "arktos-runtime",
        category: Arktos,
        severity: Warning,
        phases: &[Preflight, Health],
        title: "The container runtimes name the tenant",
        about: "Arktos needs its own build of containerd, which calls itself 1.4; another version is the stock one, and pods of tenants get no network. Whether 1.4 is Arktos' build cannot be seen from outside.",
        hint: "install Arktos' build of containerd on the nodes that are named; `kubectl get nodes -o wide` shows the runtimes",
        sources: &[Source::Nodes, Source::CoreApi, Source::ApiGroups],
        evaluate: arktos::runtimes,
    },
    Check {
        id: "arktos-versions",
        category: Arktos,
        severity: Warning,
        phases: &[Preflight, Health],
        title: "Arktos and the operator speak with each other",
        about: "Arktos v1.0 or newer with an operator of 0.91 or newer. Older operators misread its messages, older Arktos does not tell Vpc and Subnet of a pod.",
        hint: "`kubectl version` shows the server; choose the operator's version with `--set images.operator.tag=0.91`",
        sources: &[Source::Version, Source::Deployments, Source::CoreApi, Source::ApiGroups],
        evaluate: arktos::versions,
    },
    Check {
        id: "arktos-mode",
        category: Arktos,
        severity: Blocker,
        phases: &[Health],
        title: "The operator works for Arktos",
        about: "ConfigMap kube-system/system-source says name: arktos, and was there before the operator started.",
        hint: "`kubectl create configmap system-source -n kube-system --from-literal=name=arktos --from-literal=company=futurewei`, then restart the operator: `kubectl mizar repair --restart-operator`",
        sources: &[Source::SystemSource, Source::Pods, Source::CoreApi, Source::ApiGroups],
        evaluate: arktos::mode,
    },
    Check {
        id: "arktos-operator-address",
        category: Arktos,
        severity: Blocker,
        phases: &[Health],
        title: "Arktos calls the operator where it runs",
        about: "The host in ConfigMap default/mizar-grpc-service is an address of the operator's node. The operator writes it once and never again, and Arktos reads it once.",
        hint: "`kubectl delete configmap mizar-grpc-service -n default`, restart the operator with `kubectl mizar repair --restart-operator`, then restart Arktos' controller manager; pin the operator with `--set operator.nodeName=NODE`",
        sources: &[
            Source::Nodes,
            Source::Pods,
            Source::SystemSource,
            Source::GrpcService,
            Source::CoreApi,
            Source::ApiGroups,
        ],
        evaluate: arktos::operator_address,
    },
    Check {
        id: "arktos-networks",
        category: Arktos,
        severity: Warning,
        phases: &[Health],
        title: "The tenants' networks are ready",
        about: "Every Network of Arktos is of type mizar, Ready, and names a Vpc that exists.",
        hint: "`kubectl get networks.arktos.futurewei.com -o yaml` shows them; the log of Arktos' network controller tells why one is not Ready",
        sources: &[Source::ArktosNetworks, Source::SystemSource, Source::Vpcs, Source::CoreApi, Source::ApiGroups],
        evaluate: arktos::networks,
    },
    Check {
        id: "arktos-network-dns",
        category: Arktos,
        severity: Warning,
        phases: &[Health],
        title: "Every network has its name service",
        about: "For every Network of tenant system a ready Deployment coredns-NETWORK and a service kube-dns-NETWORK in kube-system. Those of other tenants cannot be seen from here.",
        hint: "`kubectl get deployments,services -n kube-system` shows them; Arktos' network controller makes them",
        sources: &[
            Source::ArktosNetworks,
            Source::SystemSource,
            Source::Deployments,
            Source::Services,
            Source::CoreApi,
            Source::ApiGroups,
        ],
        evaluate: arktos::network_dns,
    },
];
