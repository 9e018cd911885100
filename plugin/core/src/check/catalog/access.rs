//! Rows about reaching the cluster and changing it.

use crate::check::Category::Access;
use crate::check::Phase::Preflight;
use crate::check::Severity::{Blocker, Warning};
use crate::check::{Check, access, plan};
use crate::facts::Source;

pub(super) const ROWS: &[Check] = &[
    Check {
        id: "kubectl",
        category: Access,
        severity: Warning,
        phases: &[Preflight],
        title: "kubectl is installed",
        about: "The program itself does not need it; the commands that hints name do.",
        hint: "install kubectl: https://kubernetes.io/docs/tasks/tools/",
        sources: &[Source::Client],
        evaluate: access::kubectl,
    },
    Check {
        id: "cluster-version",
        category: Access,
        severity: Blocker,
        phases: &[Preflight],
        title: "The cluster answers and is new enough",
        about: "Kubernetes 1.16 or newer, or Arktos, which leaves major and minor blank.",
        hint: "`kubectl version` must show a server; `kubectl config current-context` shows which one is asked",
        sources: &[Source::Version],
        evaluate: access::reachable,
    },
    Check {
        id: "access",
        category: Access,
        severity: Blocker,
        phases: &[Preflight],
        title: "You may do what the install does",
        about: "The rights to write every object, to hold what its roles grant (or to escalate and bind), to keep \
                records and to wait, as the server's self-reviews tell.",
        hint: "ask for the rights, or for cluster-admin; `kubectl auth can-i VERB RESOURCE` asks for one of them",
        sources: &[Source::Permissions],
        evaluate: access::rights,
    },
    Check {
        id: "served-apis",
        category: Access,
        severity: Blocker,
        phases: &[Preflight],
        title: "The server serves what Mizar is made of",
        about: "Every API version of the charts' objects: Arktos up to v0.7 has definitions as v1beta1 only.",
        hint: "`kubectl api-versions` shows what is served; use a newer server",
        sources: &[Source::ApiGroups],
        evaluate: plan::served,
    },
];
