//! Whether the cluster can be reached and whether the user may do what an install does. The needed rights come from the
//! objects themselves, so that a chart that brings another kind needs no change here.

use serde_json::Value;

use super::Options;
use super::verdict::{Evidence, Verdict, some_of};
use crate::facts::{Decision, Facts, Fetched, Need, Permissions, PolicyRule, Right};
use crate::kind;

/// What every install reads and waits for.
const WATCHED: &[(&str, &str)] = &[
    ("", "nodes"),
    ("", "pods"),
    ("", "services"),
    ("apps", "daemonsets"),
    ("apps", "deployments"),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
    (kind::MIZAR_GROUP, "droplets"),
    (kind::MIZAR_GROUP, "vpcs"),
    (kind::MIZAR_GROUP, "dividers"),
    (kind::MIZAR_GROUP, "subnets"),
    (kind::MIZAR_GROUP, "bouncers"),
    (kind::MIZAR_GROUP, "endpoints"),
];

/// The oldest Kubernetes that serves what we install.
const OLDEST: (u32, u32) = (1, 16);

const RBAC: &str = "rbac.authorization.k8s.io";

/// Returns the rights that installing these objects into a namespace needs: to write them, to hold what their roles
/// give (the server lets nobody grant more than he has), to keep records and to wait.
pub fn needs_of<'a>(objects: impl IntoIterator<Item = &'a Value>, namespace: &str) -> Vec<Need> {
    let mut needs = Vec::new();
    for verb in ["list", "get", "create", "patch"] {
        needs.push(need(named(verb, "", "namespaces", namespace), format!("for namespace {namespace}")));
    }
    for verb in ["get", "list", "create", "update", "delete"] {
        let right = Right::new(verb, "", "secrets").in_namespace(namespace);
        needs.push(need(right, "to record the release".to_owned()));
    }
    for (group, resource) in WATCHED {
        for verb in ["list", "watch"] {
            needs.push(need(Right::new(verb, group, resource), "to wait until it works".to_owned()));
        }
    }
    for object in objects {
        needs.extend(needs_of_object(object, namespace));
    }
    let mut seen = std::collections::BTreeSet::new();
    needs.retain(|need| seen.insert((need.right.clone(), need.unless.clone())));
    needs
}

/// Returns the namespaces whose rules must be known to decide these needs.
#[must_use]
pub fn namespaces_of(needs: &[Need]) -> Vec<String> {
    let mut namespaces: Vec<String> = needs.iter().filter_map(|need| need.right.namespace.clone()).collect();
    namespaces.sort();
    namespaces.dedup();
    namespaces
}

fn needs_of_object(object: &Value, namespace: &str) -> Vec<Need> {
    let field = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind, name) = (field("/apiVersion"), field("/kind"), field("/metadata/name"));
    let Some(info) = kind::lookup(api_version, kind) else {
        return Vec::new();
    };
    let namespace = match field("/metadata/namespace") {
        "" => namespace,
        own => own,
    };
    let purpose = format!("to install {kind} {name}");
    let place = |right: Right| if info.namespaced { right.in_namespace(namespace) } else { right };
    let mut needs: Vec<Need> = ["list", "get", "create", "patch"]
        .into_iter()
        .map(|verb| need(place(named(verb, info.group, info.plural, name)), purpose.clone()))
        .collect();
    if info.group == RBAC && matches!(kind, "ClusterRole" | "Role") {
        let replaced_by = ["escalate", "bind"].map(|verb| place(Right::new(verb, RBAC, info.plural).on(name)));
        let rules = object.get("rules").and_then(Value::as_array).into_iter().flatten();
        let granted = rules.flat_map(|rule| PolicyRule::from_object(rule).rights(info.namespaced.then_some(namespace)));
        needs.extend(granted.map(|right| Need {
            right,
            unless: replaced_by.to_vec(),
            purpose: format!("to grant it by {kind} {name}"),
        }));
    }
    needs
}

/// A right on one object. The server does not know the name of what is being created, and we list all of a kind, so that no
/// rule can limit these.
fn named(verb: &str, group: &str, resource: &str, name: &str) -> Right {
    let right = Right::new(verb, group, resource);
    if matches!(verb, "create" | "list") { right } else { right.on(name) }
}

/// Returns the needed rights that the user does not have, as far as the server tells.
#[must_use]
pub fn refused<'a>(permissions: &Permissions, needs: &'a [Need]) -> Vec<&'a Need> {
    needs.iter().filter(|need| permissions.decide_need(need) == Decision::Refused).collect()
}

const fn need(right: Right, purpose: String) -> Need {
    Need { right, unless: Vec::new(), purpose }
}

pub(super) fn kubectl(facts: &Facts, _: &Options) -> Verdict {
    let Fetched::Known(client) = &facts.client else {
        return Verdict::unknown("nobody looked for kubectl");
    };
    match (&client.kubectl_path, &client.kubectl_version) {
        (Some(path), Some(version)) => Verdict::pass(format!("kubectl {version} at {path}")),
        (Some(path), None) => Verdict::warn(format!("kubectl at {path} does not tell its version")),
        (None, _) => Verdict::warn("kubectl is not in PATH; this program works without it, most hints do not"),
    }
}

pub(super) fn reachable(facts: &Facts, _: &Options) -> Verdict {
    let Fetched::Known(version) = &facts.version else {
        return Verdict::unknown("the server did not tell its version");
    };
    let git_version = &version.git_version;
    if version.major.is_empty() && version.minor.is_empty() {
        return Verdict::pass(format!("the server answers: {git_version}, without major and minor as Arktos does"));
    }
    let number = |text: &str| text.trim_end_matches(|digit: char| !digit.is_ascii_digit()).parse::<u32>();
    let (Ok(major), Ok(minor)) = (number(&version.major), number(&version.minor)) else {
        return Verdict::unknown(format!("the server calls its version {}.{}", version.major, version.minor));
    };
    if (major, minor) < OLDEST {
        let evidence = Evidence::new("API server", "gitVersion", git_version, format!("v{}.{}", OLDEST.0, OLDEST.1));
        return Verdict::fail(format!("Kubernetes {git_version} is too old")).with(vec![evidence]);
    }
    Verdict::pass(format!("the server answers: Kubernetes {git_version}"))
}

pub(super) fn rights(facts: &Facts, _: &Options) -> Verdict {
    let Fetched::Known(permissions) = &facts.permissions else {
        return Verdict::unknown("nobody asked what you may do");
    };
    let Some(plan) = &facts.plan else {
        return Verdict::unknown("it is not known what would be installed");
    };
    let with = |wanted: Decision| plan.needs.iter().filter(move |need| permissions.decide_need(need) == wanted);
    let evidence = |decision: Decision, seen: &str| {
        let all = with(decision).map(|need| Evidence::new("you", need.right.to_string(), seen, &need.purpose));
        all.collect::<Vec<_>>()
    };
    let refused = evidence(Decision::Refused, "refused");
    if !refused.is_empty() {
        return Verdict::fail(format!("you are not allowed to {}", listed(&refused))).with(refused);
    }
    let open = evidence(Decision::Open, "the server does not tell");
    if !open.is_empty() {
        return Verdict::unknown(format!("the server does not tell whether you may {}", listed(&open))).with(open);
    }
    Verdict::pass(format!("all {} needed rights are there", plan.needs.len()))
}

/// Returns the rights in one line, those on the same thing together: "get/create pods, list secrets in namespace x".
fn listed(evidence: &[Evidence]) -> String {
    let mut things: Vec<(&str, Vec<&str>)> = Vec::new();
    for (verb, thing) in evidence.iter().filter_map(|entry| entry.field.split_once(' ')) {
        match things.iter_mut().find(|(known, _)| *known == thing) {
            Some((_, verbs)) => verbs.push(verb),
            None => things.push((thing, vec![verb])),
        }
    }
    let lines: Vec<String> = things.iter().map(|(thing, verbs)| format!("{} {thing}", verbs.join("/"))).collect();
    some_of(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::facts::RuleSet;

    fn told(needs: &[Need]) -> Vec<String> {
        needs.iter().map(|need| need.right.to_string()).collect()
    }

    #[test]
    fn every_object_needs_to_be_read_created_and_patched_where_it_lives() {
        let objects = [
            json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "mizar-daemon"}}),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "system-source", "namespace": "kube-system"}}),
            json!({"apiVersion": "example.com/v1", "kind": "Unheard", "metadata": {"name": "x"}}),
        ];
        let told = told(&needs_of(&objects, "mizar-system"));
        for right in [
            "create namespaces",
            "list pods",
            "watch endpoints.mizar.com",
            "create secrets in namespace mizar-system",
            "list daemonsets.apps in namespace mizar-system",
            "get daemonsets.apps mizar-daemon in namespace mizar-system",
            "create daemonsets.apps in namespace mizar-system",
            "patch configmaps system-source in namespace kube-system",
        ] {
            assert!(told.contains(&right.to_owned()), "{right} is not in {told:#?}");
        }
        assert!(!told.iter().any(|right| right.contains("example.com")));
    }

    #[test]
    fn a_role_needs_what_it_grants_or_the_right_to_grant_more() {
        let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": "mizar:operator"},
            "rules": [{"apiGroups": [""], "resources": ["nodes/status"], "verbs": ["patch"]}]});
        let needs = needs_of([&role], "mizar-system");
        let granted = needs.iter().find(|need| need.right == Right::new("patch", "", "nodes/status")).unwrap();
        assert_eq!(granted.purpose, "to grant it by ClusterRole mizar:operator");
        assert_eq!(
            granted.unless.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "escalate clusterroles.rbac.authorization.k8s.io mizar:operator",
                "bind clusterroles.rbac.authorization.k8s.io mizar:operator"
            ]
        );
    }

    #[test]
    fn a_right_that_only_a_role_lacks_is_told_with_its_purpose() {
        let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": "mizar:system-source", "namespace": "kube-system"},
            "rules": [{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["system-source"], "verbs": ["get"]}]});
        let needs = needs_of([&role], "mizar-system");
        assert_eq!(namespaces_of(&needs), ["kube-system", "mizar-system"]);
        let rules = |rules: Value| RuleSet::from_review(&json!({"resourceRules": rules}));
        let mut permissions = Permissions::default();
        let cluster = rules(json!([
            {"verbs": ["*"], "apiGroups": ["", "apps", "apiextensions.k8s.io", "mizar.com"],
             "resources": ["namespaces", "secrets", "nodes", "pods", "services", "daemonsets", "deployments",
                           "customresourcedefinitions", "droplets", "vpcs", "dividers", "subnets", "bouncers", "endpoints"]},
            {"verbs": ["list", "get", "create", "patch"], "apiGroups": [RBAC], "resources": ["roles"]},
        ]));
        permissions.rules.insert(String::new(), cluster.clone());
        permissions.rules.insert("kube-system".into(), cluster);
        let mut facts = crate::facts::samples::a_cluster_before();
        facts.permissions = Fetched::Known(permissions);
        facts.plan = Some(crate::facts::Plan { needs, ..crate::facts::Plan::default() });
        let verdict = rights(&facts, &Options::at(facts.gathered_at));
        assert_eq!(verdict.message, "you are not allowed to get configmaps system-source in namespace kube-system");
        assert_eq!(verdict.evidence[0].wanted, "to grant it by Role mizar:system-source");
    }
}
