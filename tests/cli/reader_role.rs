//! docs/rbac/reader.yaml gives what is read, and not a single right more.

use mizar_core::facts::{PolicyRule, Request, Right, Source};
use mizar_core::kind;
use mizar_core::object::Object;
use mizar_core::yaml::{DuplicateKeys, read_all};
use serde_json::Value;

use crate::program::{Place, repository};

/// The rules of the role of this kind.
fn rules(kind: &str) -> Vec<PolicyRule> {
    let text = std::fs::read_to_string(repository().join("docs/rbac/reader.yaml")).unwrap();
    let roles: Vec<Value> = read_all(&text, DuplicateKeys::Refuse).unwrap().into_iter().map(|(role, _)| role).collect();
    let role = roles.iter().find(|role| role["kind"] == kind).unwrap();
    assert_eq!(role["metadata"]["name"], "mizar:reader");
    role["rules"].as_array().unwrap().iter().map(PolicyRule::from_object).collect()
}

/// The right that a path of the server needs.
fn right_of(verb: &str, path: &str) -> Right {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match parts.as_slice() {
        ["api", "v1", "namespaces", _, plural, name] => Right::new(verb, "", plural).on(name),
        ["api", "v1", plural] => Right::new(verb, "", plural),
        ["apis", group, _, plural] => Right::new(verb, group, plural),
        _ => Right { verb: verb.to_owned(), path: Some(path.to_owned()), ..Right::default() },
    }
}

/// What `status --drift` reads: every object that any of our values makes, by its name.
fn recorded() -> Vec<Right> {
    let mut needed = Vec::new();
    for set in ["vni=1", "resourceQuota.create=true", "systemSource.create=true"] {
        let outcome = Place::empty().run(&["render", "--profile", "dev", "--set", set]);
        for (object, _) in read_all(outcome.data(), DuplicateKeys::Refuse).unwrap() {
            let object = Object::new(object).unwrap();
            let kind = kind::lookup(object.api_version(), object.kind()).unwrap();
            needed.push(Right::new("get", kind.group, kind.plural).on(object.name()));
        }
    }
    needed
}

/// What the commands that only look ask for in the whole cluster.
fn needed() -> Vec<Right> {
    let mut needed = recorded();
    for source in Source::ALL.iter().filter(|source| **source != Source::Releases) {
        match source.request() {
            Request::Local => {}
            Request::Get { path } => needed.push(right_of("get", path)),
            // Read once, for a plan.
            Request::List { path, .. } if *source == Source::DisruptionBudgets => needed.push(right_of("list", path)),
            Request::List { path, .. } => needed.extend([right_of("list", path), right_of("watch", path)]),
            Request::SelfReview => needed.extend(
                ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]
                    .map(|plural| Right::new("create", "authorization.k8s.io", plural)),
            ),
        }
    }
    needed
}

#[test]
fn the_role_grants_every_source_that_is_read() {
    let rules = rules("ClusterRole");
    for right in needed() {
        assert!(rules.iter().any(|rule| rule.grants(&right)), "docs/rbac/reader.yaml does not grant {right:?}");
    }
}

#[test]
fn the_role_grants_nothing_that_is_not_read() {
    let needed = needed();
    for rule in rules("ClusterRole") {
        for right in rule.rights(None) {
            assert!(needed.contains(&right), "docs/rbac/reader.yaml grants {right:?}, which nothing needs");
        }
    }
}

#[test]
fn secrets_are_granted_in_the_namespace_of_the_release_only_and_to_be_read_only() {
    let granted: Vec<Right> = rules("Role").iter().flat_map(|rule| rule.rights(None)).collect();
    let record = |verb| Right::new(verb, "", "secrets").on("mizar-operation");
    assert_eq!(granted, [Right::new("list", "", "secrets"), record("get"), record("list"), record("watch")]);
    assert!(rules("ClusterRole").iter().all(|rule| !rule.resources.contains(&"secrets".to_owned())));
}
