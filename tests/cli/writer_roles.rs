//! docs/rbac/installer.yaml, repairer.yaml, uninstaller.yaml, upgrader.yaml and adopter.yaml give what is asked for before a
//! change, the first two what `check` reads, too, and not a single right more.

use std::collections::BTreeMap;

use mizar_core::check::access::needs_of;
use mizar_core::facts::{PolicyRule, Request, Right, Source};
use mizar_core::object::ObjectRef;
use mizar_core::yaml::{DuplicateKeys, read_all};
use mizar_core::{adoption, repair, uninstall, upgrade};
use serde_json::Value;

use crate::program::{Place, repository};

const NAMESPACE: &str = "mizar-system";

/// The roles of a published file: in the whole cluster, and in namespaces.
struct Published {
    cluster: Vec<PolicyRule>,
    namespaces: BTreeMap<String, Vec<PolicyRule>>,
}

impl Published {
    fn read(file: &str, name: &str) -> Self {
        let mut published = Self { cluster: Vec::new(), namespaces: BTreeMap::new() };
        let text = std::fs::read_to_string(repository().join(file)).unwrap();
        for object in documents(&text).into_iter().filter(|object| object["kind"] != "Namespace") {
            assert_eq!(object["metadata"]["name"], name);
            let rules = object["rules"].as_array().unwrap().iter().map(PolicyRule::from_object).collect();
            match object["metadata"]["namespace"].as_str() {
                None => published.cluster = rules,
                Some(namespace) => drop(published.namespaces.insert(namespace.to_owned(), rules)),
            }
        }
        published
    }

    fn grants(&self, right: &Right) -> bool {
        let here = right.namespace.as_ref().and_then(|namespace| self.namespaces.get(namespace));
        self.cluster.iter().chain(here.into_iter().flatten()).any(|rule| rule.grants(right))
    }

    fn rights(&self) -> Vec<Right> {
        let in_namespaces =
            self.namespaces.iter().flat_map(|(name, rules)| rules.iter().map(move |rule| rule.rights(Some(name))));
        self.cluster.iter().map(|rule| rule.rights(None)).chain(in_namespaces).flatten().collect()
    }

    #[track_caller]
    fn is_exactly(&self, needed: &[Right]) {
        let missing: Vec<String> = needed.iter().filter(|right| !self.grants(right)).map(ToString::to_string).collect();
        assert!(missing.is_empty(), "not granted: {missing:#?}");
        let is_asked_for = |right: &Right| {
            // What is read of one object in one namespace may be granted for that name in all of them.
            needed.iter().any(|need| need == right || (right.name.is_some() && everywhere(need) == *right))
        };
        let surplus: Vec<String> =
            self.rights().iter().filter(|right| !is_asked_for(right)).map(ToString::to_string).collect();
        assert!(surplus.is_empty(), "granted, and needed by nothing: {surplus:#?}");
    }
}

fn everywhere(right: &Right) -> Right {
    Right { namespace: None, ..right.clone() }
}

fn documents(text: &str) -> Vec<Value> {
    read_all(text, DuplicateKeys::Refuse).unwrap().into_iter().map(|(object, _)| object).collect()
}

/// What `check`, `check --wait`, `env` and the preflight read.
fn read_by_checks() -> Vec<Right> {
    let mut needed = Vec::new();
    // Neither an install nor a repair evicts pods.
    let elsewhere = [Source::Releases, Source::DisruptionBudgets];
    for source in Source::ALL.iter().filter(|source| !elsewhere.contains(source)) {
        match source.request() {
            Request::Local => {}
            Request::Get { path } => needed.push(read_of("get", path)),
            Request::List { path, .. } => needed.extend(["list", "watch"].map(|verb| read_of(verb, path))),
            Request::SelfReview => needed.extend(
                ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]
                    .map(|plural| Right::new("create", "authorization.k8s.io", plural)),
            ),
        }
    }
    needed
}

/// The right that a path of the server needs.
fn read_of(verb: &str, path: &str) -> Right {
    match path.trim_matches('/').split('/').collect::<Vec<_>>().as_slice() {
        ["api", "v1", "namespaces", namespace, plural, name] => {
            Right::new(verb, "", plural).in_namespace(namespace).on(name)
        }
        ["api", "v1", plural] => Right::new(verb, "", plural),
        ["apis", group, _, plural] => Right::new(verb, group, plural),
        _ => Right { verb: verb.to_owned(), path: Some(path.to_owned()), ..Right::default() },
    }
}

/// What an install with any of our values asks for before it begins.
fn asked_by_installs(namespace: &str) -> Vec<Right> {
    let values = [
        "",
        "resourceQuota.create=true",
        "systemSource.create=true",
        "podNetwork.create=true,podNetwork.cidr=10.30.0.0/16",
    ];
    let mut needed = Vec::new();
    for set in values {
        let arguments = ["render", "--profile", "dev", "-n", namespace, "--set", set];
        let outcome = Place::empty().run(&arguments[..if set.is_empty() { 5 } else { 7 }]);
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        let objects = documents(&outcome.stdout);
        needed.extend(needs_of(&objects, namespace).into_iter().map(|need| need.right));
    }
    needed
}

#[test]
fn the_role_of_who_installs_is_what_installs_ask_for() {
    let mut needed = asked_by_installs(NAMESPACE);
    needed.extend(read_by_checks());
    // --recreate-pods.
    needed.push(Right::new("delete", "", "pods"));
    Published::read("docs/rbac/installer.yaml", "mizar:installer").is_exactly(&needed);
}

#[test]
fn the_role_of_who_repairs_is_what_repairs_ask_for() {
    let mut needed: Vec<Right> = repair::needs(NAMESPACE).into_iter().map(|need| need.right).collect();
    needed.extend(read_by_checks());
    Published::read("docs/rbac/repairer.yaml", "mizar:repairer").is_exactly(&needed);
}

#[test]
fn the_role_of_who_upgrades_is_what_upgrades_ask_for_beyond_installs_and_repairs() {
    let needed: Vec<Right> = upgrade::needs(NAMESPACE).into_iter().map(|need| need.right).collect();
    Published::read("docs/rbac/upgrader.yaml", "mizar:upgrader").is_exactly(&needed);
}

#[test]
fn the_role_of_who_takes_over_is_what_that_asks_for_beyond_upgrades() {
    let mut needed = asked_by_installs(adoption::NAMESPACE);
    needed.extend(
        [repair::needs(adoption::NAMESPACE), upgrade::needs(adoption::NAMESPACE), adoption::needs()]
            .into_iter()
            .flatten()
            .map(|need| need.right),
    );
    let others = [("installer", "mizar:installer"), ("repairer", "mizar:repairer"), ("upgrader", "mizar:upgrader")]
        .map(|(file, name)| Published::read(&format!("docs/rbac/{file}.yaml"), name));
    needed.retain(|right| !others.iter().any(|role| role.grants(right)));
    Published::read("docs/rbac/adopter.yaml", "mizar:adopter").is_exactly(&needed);
}

#[test]
fn the_role_of_who_uninstalls_is_what_uninstalls_ask_for() {
    let named = |api_version: &str, kind: &str, namespace: Option<&str>, name: &str| ObjectRef {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.map(ToOwned::to_owned),
        name: name.to_owned(),
    };
    // With a record and without one, of any of our values.
    let mut objects = uninstall::known_objects(&[NAMESPACE.to_owned()]);
    objects.push(named("v1", "ConfigMap", Some("kube-system"), "system-source"));
    objects.push(named("v1", "Namespace", None, NAMESPACE));
    objects.extend(uninstall::custom_kinds().map(|kind| {
        let name = format!("{}.{}", kind.plural, kind.group);
        named("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, &name)
    }));
    let extent = uninstall::Extent { namespace: NAMESPACE, home: NAMESPACE, crds: true, cleans_nodes: true };
    let mut needed: Vec<Right> = uninstall::needs(extent, &objects).into_iter().map(|need| need.right).collect();
    needed.extend(
        ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]
            .map(|plural| Right::new("create", "authorization.k8s.io", plural)),
    );
    Published::read("docs/rbac/uninstaller.yaml", "mizar:uninstaller").is_exactly(&needed);
}

#[test]
fn none_may_grant_more_than_he_has() {
    for (file, name) in [
        ("docs/rbac/installer.yaml", "mizar:installer"),
        ("docs/rbac/repairer.yaml", "mizar:repairer"),
        ("docs/rbac/uninstaller.yaml", "mizar:uninstaller"),
        ("docs/rbac/upgrader.yaml", "mizar:upgrader"),
        ("docs/rbac/adopter.yaml", "mizar:adopter"),
    ] {
        for right in Published::read(file, name).rights() {
            assert!(!["escalate", "bind", "impersonate", "*"].contains(&right.verb.as_str()), "{file}: {right}");
            assert!(right.resource != "*" && right.group != "*", "{file}: {right}");
        }
    }
}
