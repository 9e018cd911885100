//! Refusals by the rules of a cluster rather than by our rights: quotas, policies, webhooks. Servers tell them apart by their
//! words only, and those have been the same for years.

/// A rule that refuses objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// A ResourceQuota.
    Quota,
    /// A LimitRange.
    Limits,
    /// The Pod Security level of a namespace.
    PodSecurity,
    /// A ValidatingAdmissionPolicy or a MutatingAdmissionPolicy.
    Policy,
    /// An admission webhook said no.
    Webhook,
    /// An admission webhook could not be asked.
    DeadWebhook,
    /// The namespace is being deleted.
    Terminating,
    /// A PriorityClass that does not exist.
    PriorityClass,
}

/// What servers say, and the rule that makes them say it. The first that fits counts.
const WORDS: &[(&str, Rule)] = &[
    ("failed calling webhook", Rule::DeadWebhook),
    ("admission webhook", Rule::Webhook),
    ("AdmissionPolicy", Rule::Policy),
    ("violates PodSecurity", Rule::PodSecurity),
    ("exceeded quota", Rule::Quota),
    ("failed quota", Rule::Quota),
    ("because it is being terminated", Rule::Terminating),
    ("no PriorityClass with name", Rule::PriorityClass),
    (" usage per ", Rule::Limits),
];

impl Rule {
    /// The rule that a server's message tells of.
    pub(crate) fn of(message: &str) -> Option<Self> {
        WORDS.iter().find(|(words, _)| message.contains(words)).map(|(_, rule)| *rule)
    }

    /// Where to look, or what to do.
    pub(crate) fn hint(self) -> &'static str {
        match self {
            Self::Quota => "see what is used and allowed, and raise it: kubectl describe resourcequota -A",
            Self::Limits => "see what a pod must ask for: kubectl describe limitrange -A",
            Self::PodSecurity => {
                "Mizar's pods are privileged; the namespace must allow it: \
                 kubectl label namespace NAME pod-security.kubernetes.io/enforce=privileged --overwrite"
            }
            Self::Policy => "see the policies, and except Mizar from this one: kubectl get validatingadmissionpolicies",
            Self::Webhook => {
                "see who answers for it: kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations"
            }
            Self::DeadWebhook => {
                "its service does not answer; mend or remove it: \
                 kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations"
            }
            Self::Terminating => "wait until the namespace is gone: kubectl get namespaces",
            Self::PriorityClass => "see which there are: kubectl get priorityclasses",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_told_from_a_right_that_is_missing() {
        for (message, rule) in [
            (
                r#"secrets "mizar-operation" is forbidden: exceeded quota: q, requested: secrets=1, used: secrets=0, limited: secrets=0"#,
                Some(Rule::Quota),
            ),
            (r#"pods "x" is forbidden: failed quota: q: must specify limits.cpu for: mizar-daemon"#, Some(Rule::Quota)),
            (
                r#"pods "x" is forbidden: maximum memory usage per Container is 1Mi, but limit is 2Gi"#,
                Some(Rule::Limits),
            ),
            (
                r#"pods "x" is forbidden: violates PodSecurity "restricted:latest": host namespaces"#,
                Some(Rule::PodSecurity),
            ),
            (
                r#"secrets "x" is forbidden: ValidatingAdmissionPolicy 'no-secrets' with binding 'b' denied request: no"#,
                Some(Rule::Policy),
            ),
            (r#"admission webhook "guard.example.com" denied the request: no"#, Some(Rule::Webhook)),
            (
                r#"Internal error occurred: failed calling webhook "guard.example.com": failed to call webhook: Post "https://x": connection refused"#,
                Some(Rule::DeadWebhook),
            ),
            (
                r#"secrets "x" is forbidden: unable to create new content in namespace mizar-system because it is being terminated"#,
                Some(Rule::Terminating),
            ),
            (
                r#"pods "x" is forbidden: no PriorityClass with name system-node-critical was found"#,
                Some(Rule::PriorityClass),
            ),
            (r#"secrets is forbidden: User "ann" cannot create resource "secrets" in API group """#, None),
            ("Secret \"x\" is invalid: data: Too long: may not be more than 1048576 bytes", None),
        ] {
            assert_eq!(Rule::of(message), rule, "{message}");
        }
    }
}
