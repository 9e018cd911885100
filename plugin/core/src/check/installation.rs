//! What of Mizar is there already, and whose it is.

use super::Options;
use super::placement::OPERATOR;
use super::verdict::{Evidence, Problem, Status, Verdict, grouped, some_of};
use super::versions::tag;
use crate::adoption;
use crate::facts::{Facts, HelmMark, ReleaseFact};

/// The definitions that make up Mizar.
const DEFINITIONS: &[&str] = &[
    "bouncers.mizar.com",
    "dividers.mizar.com",
    "droplets.mizar.com",
    "endpoints.mizar.com",
    "subnets.mizar.com",
    "vpcs.mizar.com",
];

/// The releases that bring them and the rest.
const RELEASES: &[&str] = &["mizar", "mizar-crds"];

pub(super) fn existing(facts: &Facts, options: &Options) -> Verdict {
    let releases = facts.releases.items();
    let mut namespaces: Vec<&str> = releases
        .iter()
        .filter(|release| RELEASES.contains(&release.name.as_str()))
        .map(|release| release.namespace.as_str())
        .collect();
    namespaces.sort_unstable();
    namespaces.dedup();
    if namespaces.len() > 1 {
        return Verdict::fail(format!(
            "releases of Mizar are recorded in several namespaces: {}",
            namespaces.join(", ")
        ));
    }
    let home = namespaces.first().copied().unwrap_or(&options.namespace);
    let foreign: Vec<Evidence> = parts(facts)
        .filter(|(_, mark)| !is_ours(*mark, home) && (mark.is_some() || !options.adopts))
        .map(|(object, mark)| foreign(object, mark, home))
        .collect();
    if !foreign.is_empty() {
        let names: Vec<&str> = foreign.iter().map(|entry| entry.object.as_str()).collect();
        let message = format!("Mizar is here, but not by a release in namespace {home}: {}", some_of(&names));
        let is_old = adoption::find(facts).is_some();
        let verdict = Verdict::fail(message).with(foreign);
        return if is_old {
            verdict.hinting(|_| format!("take it over as it is: `{}`", adoption::FIRST_LOOK))
        } else {
            verdict
        };
    }
    if options.adopts && adoption::find(facts).is_some() {
        return Verdict::pass(format!("an installation without a release is here{}, to be taken over", running(facts)));
    }
    let told: Vec<String> = RELEASES.iter().filter_map(|name| latest(releases, name)).map(describe).collect();
    if !told.is_empty() {
        return Verdict::pass(format!(
            "installed by releases of namespace {home}: {}{}",
            told.join(", "),
            running(facts)
        ));
    }
    if facts.definitions.items().is_empty() {
        return Verdict::pass("Mizar is not installed yet");
    }
    Verdict::pass(format!("only Mizar's definitions are here, kept by a release of namespace {home}"))
}

/// Returns what makes up an installation, with the release that each says it belongs to.
fn parts(facts: &Facts) -> impl Iterator<Item = (String, Option<&HelmMark>)> {
    let definitions = facts.definitions.items().iter();
    let definitions = definitions
        .filter(|definition| DEFINITIONS.contains(&definition.name.as_str()))
        .map(|definition| (format!("CustomResourceDefinition {}", definition.name), definition.helm.as_ref()));
    let sets = facts.daemon_sets.items().iter().filter(|set| set.name == "mizar-daemon");
    let sets = sets.map(|set| (format!("DaemonSet {}/{}", set.namespace, set.name), set.helm.as_ref()));
    let operators = facts.deployments.items().iter().filter(|deployment| deployment.name == OPERATOR);
    let operators = operators
        .map(|operator| (format!("Deployment {}/{}", operator.namespace, operator.name), operator.helm.as_ref()));
    definitions.chain(sets).chain(operators)
}

/// Returns which version runs, by the images of daemon and operator.
fn running(facts: &Facts) -> String {
    let operators = facts.deployments.items().iter().filter(|deployment| deployment.name == OPERATOR);
    let sets = facts.daemon_sets.items().iter().filter(|set| set.name == "mizar-daemon");
    let images = sets.flat_map(|set| &set.images).chain(operators.flat_map(|operator| &operator.images));
    let mut tags: Vec<String> = images.filter_map(|image| tag(image)).collect();
    tags.dedup();
    if tags.is_empty() { String::new() } else { format!("; Mizar {} is at work", tags.join(" and ")) }
}

fn is_ours(mark: Option<&HelmMark>, home: &str) -> bool {
    mark.is_some_and(|mark| RELEASES.contains(&mark.release.as_str()) && mark.namespace == home)
}

fn foreign(object: String, mark: Option<&HelmMark>, home: &str) -> Evidence {
    let seen =
        mark.map_or_else(|| "no release".to_owned(), |mark| format!("release {}/{}", mark.namespace, mark.release));
    Evidence::new(object, "metadata.annotations[meta.helm.sh/release-name]", seen, format!("a release of {home}"))
}

pub(super) fn unrecorded(facts: &Facts, _: &Options) -> Verdict {
    let Some(old) = adoption::find(facts) else {
        return Verdict::pass("no Mizar works here without a release");
    };
    let (daemon, operator) = (old.daemon, old.operator);
    let mark = |object: String| {
        let field = "metadata.annotations[meta.helm.sh/release-name]";
        Evidence::new(object, field, "missing", "a release, by which it can be upgraded")
    };
    let evidence = vec![
        mark(format!("DaemonSet {}/{}", daemon.namespace, daemon.name)),
        mark(format!("Deployment {}/{}", operator.namespace, operator.name)),
    ];
    Verdict::warn(format!(
        "an old installation works in namespace {}, put there by a script or by kubectl{}: no release is recorded of it",
        daemon.namespace,
        running(facts)
    ))
    .with(evidence)
}

fn latest<'a>(releases: &'a [ReleaseFact], name: &str) -> Option<&'a ReleaseFact> {
    releases.iter().filter(|release| release.name == name).max_by_key(|release| release.revision)
}

fn describe(release: &ReleaseFact) -> String {
    format!("{} revision {} ({})", release.name, release.revision, release.status)
}

pub(super) fn definitions(facts: &Facts, _: &Options) -> Verdict {
    let found = facts.definitions.items();
    if found.is_empty() {
        return Verdict::fail("Mizar is not installed here: none of its definitions exists");
    }
    let judge = |name: &&str| {
        let object = format!("CustomResourceDefinition {name}");
        let problem = |reason: &str, field: &str, seen: &str, wanted: &str| {
            Some(Problem::new(*name, reason, Evidence::new(&object, field, seen, wanted)))
        };
        let Some(definition) = found.iter().find(|definition| definition.name == **name) else {
            return problem("missing", "metadata.name", "missing", name);
        };
        if definition.deleting.is_some() {
            problem("being deleted", "metadata.deletionTimestamp", "set", "not set")
        } else if !definition.names_accepted {
            problem("its names clash", "status.conditions[NamesAccepted]", "not True", "True")
        } else if !definition.established {
            problem("not served yet", "status.conditions[Established]", "not True", "True")
        } else if !definition.served.iter().any(|version| version == "v1") {
            problem("does not serve v1", "spec.versions", &definition.served.join(", "), "v1")
        } else {
            None
        }
    };
    grouped("definitions", DEFINITIONS.len(), DEFINITIONS.iter().filter_map(judge).collect(), Status::Fail)
}
