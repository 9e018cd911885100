//! docs/rbac/bundle.yaml gives what a bundle reads beyond what a reader may, and not a single right more.

use mizar_core::bundle::objects::{PODS, Reach, collections, singles};
use mizar_core::facts::{PolicyRule, Right};
use mizar_core::kind::lookup;
use mizar_core::yaml::{DuplicateKeys, read_all};
use serde_json::Value;

use crate::program::repository;

const HOME: &str = "mizar-system";

/// The rules of a published file: of the whole cluster, and of the namespace of the release.
fn published(file: &str) -> [Vec<PolicyRule>; 2] {
    let text = std::fs::read_to_string(repository().join(file)).unwrap();
    let roles: Vec<Value> = read_all(&text, DuplicateKeys::Refuse).unwrap().into_iter().map(|(role, _)| role).collect();
    ["ClusterRole", "Role"].map(|kind| {
        let role = roles.iter().find(|role| role["kind"] == kind).unwrap();
        role["rules"].as_array().unwrap().iter().map(PolicyRule::from_object).collect()
    })
}

fn grants([cluster, home]: &[Vec<PolicyRule>; 2], right: &Right) -> bool {
    let at_home = right.namespace.as_deref() == Some(HOME);
    cluster.iter().chain(home.iter().filter(|_| at_home)).any(|rule| rule.grants(right))
}

/// What a bundle reads: lists, single objects, objects that a check complains about, logs.
fn needed() -> Vec<Right> {
    let mut needed = vec![
        Right::new("get", "", "pods"),
        Right::new("get", "", "services"),
        Right::new("get", "", "pods/log").in_namespace(HOME),
    ];
    for listed in collections(true).into_iter().chain(PODS) {
        let right = Right::new("list", listed.kind.group, listed.kind.plural);
        needed.push(if listed.reach == Reach::Home { right.in_namespace(HOME) } else { right });
    }
    for single in singles() {
        let kind = lookup(&single.api_version, &single.kind).unwrap();
        needed.push(Right::new("get", kind.group, kind.plural).on(&single.name));
    }
    needed
}

#[test]
fn with_that_of_a_reader_it_is_enough() {
    let (reader, bundler) = (published("docs/rbac/reader.yaml"), published("docs/rbac/bundle.yaml"));
    for right in needed() {
        assert!(grants(&reader, &right) || grants(&bundler, &right), "nothing grants {right}");
    }
}

#[test]
fn it_gives_nothing_that_is_not_read_or_that_a_reader_may_already() {
    let (reader, bundler) = (published("docs/rbac/reader.yaml"), published("docs/rbac/bundle.yaml"));
    let needed = needed();
    for (rules, namespace) in bundler.iter().zip([None, Some(HOME)]) {
        for right in rules.iter().flat_map(|rule| rule.rights(namespace)) {
            assert!(needed.contains(&right), "docs/rbac/bundle.yaml grants {right}, which nothing needs");
            assert!(!grants(&reader, &right), "{right} is a reader's already");
            assert!(["get", "list"].contains(&right.verb.as_str()), "{right}");
        }
    }
}
