//! Whether the parts of Mizar are of one version: what the operator sends to a daemon has no version of its own, and a
//! difference of a few bytes goes unnoticed until packets are lost.

use std::collections::{BTreeMap, HashMap};

use super::Options;
use super::nodes::hollow;
use super::placement::OPERATOR;
use super::verdict::{Evidence, Verdict, some_of};
use crate::facts::{ContainerFact, Facts, PodFact, PodRole};
use crate::image::ImageReference;
use crate::network::daemon_set;

/// Returns the tag of an image; none when it is only pinned by digest, which compares to nothing.
pub(super) fn tag(image: &str) -> Option<String> {
    ImageReference::parse(image).ok()?.tag
}

pub(super) fn alike(facts: &Facts, _: &Options) -> Verdict {
    let parts = parts(facts);
    if parts.is_empty() {
        return Verdict::skipped("neither daemon nor operator is installed");
    }
    let tags: Vec<(&str, &str, String)> =
        parts.iter().filter_map(|(part, object, image)| Some((*part, object.as_str(), tag(image)?))).collect();
    if let Some((first, others)) = tags.split_first()
        && others.iter().any(|(_, _, tag)| *tag != first.2)
    {
        let told: Vec<String> = tags.iter().map(|(part, _, tag)| format!("{part} {tag}")).collect();
        let evidence = tags.iter().map(|(part, object, tag)| {
            Evidence::new(*object, format!("image of the {part}"), tag.as_str(), "one version for all parts")
        });
        let message = format!("the parts of Mizar are of different versions: {}", told.join(", "));
        return Verdict::warn(message).with(evidence.collect());
    }
    let daemons = daemons(facts);
    mixed(&daemons, "images", |(_, container)| container.image.clone())
        .or_else(|| mixed_content(facts, &daemons))
        .unwrap_or_else(|| match tags.first() {
            Some((_, _, tag)) => Verdict::pass(format!("all parts are of version {tag}")),
            None => Verdict::pass("all images are pinned by digest, and every node runs the same"),
        })
}

/// Returns the parts of Mizar with their object and image.
fn parts(facts: &Facts) -> Vec<(&'static str, String, String)> {
    let mut parts = Vec::new();
    if let Some(operator) = facts.deployments.items().iter().find(|deployment| deployment.name == OPERATOR) {
        let object = format!("Deployment {}/{}", operator.namespace, operator.name);
        parts.extend(operator.images.first().map(|image| ("operator", object, image.clone())));
    }
    if let Some(set) = daemon_set(facts.daemon_sets.items()) {
        let object = format!("DaemonSet {}/{}", set.namespace, set.name);
        parts.extend(set.images.first().map(|image| ("daemon", object.clone(), image.clone())));
        parts.extend(set.init_images.first().map(|image| ("node set-up", object, image.clone())));
    }
    parts
}

/// Returns the daemons that run on real nodes, with their main container.
fn daemons(facts: &Facts) -> Vec<(&PodFact, &ContainerFact)> {
    let hollow = hollow(facts);
    let pods = facts.pods.items().iter().filter(|pod| pod.role == PodRole::Daemon && pod.deleting.is_none());
    pods.filter(|pod| !hollow.contains(pod.node.as_str()))
        .filter_map(|pod| Some((pod, pod.containers.iter().find(|container| !container.init)?)))
        .collect()
}

/// Returns what differs from what most daemons have; nothing when all have the same.
fn mixed(
    daemons: &[(&PodFact, &ContainerFact)],
    noun: &str,
    of: impl Fn(&(&PodFact, &ContainerFact)) -> String,
) -> Option<Verdict> {
    let mut groups: BTreeMap<String, Vec<&PodFact>> = BTreeMap::new();
    for daemon in daemons {
        let value = of(daemon);
        if !value.is_empty() {
            groups.entry(value).or_default().push(daemon.0);
        }
    }
    let (usual, _) = groups.iter().max_by_key(|(_, pods)| pods.len())?;
    if groups.len() < 2 {
        return None;
    }
    let told: Vec<String> = groups
        .iter()
        .map(|(value, pods)| {
            let nodes: Vec<&str> = pods.iter().map(|pod| pod.node.as_str()).collect();
            format!("{value} on {}", some_of(&nodes))
        })
        .collect();
    let odd = groups.iter().filter(|(value, _)| *value != usual);
    let odd = odd.flat_map(|(value, pods)| pods.iter().map(move |pod| (value, pod))).map(|(value, pod)| {
        let evidence = Evidence::new(format!("Pod {}", pod.path()), "image", value, usual);
        evidence.on(&pod.node).since(pod.created)
    });
    let message = format!("the daemons run {} different {noun}: {}", groups.len(), told.join("; "));
    Some(Verdict::warn(message).with(odd.collect()))
}

/// One name, but not the same bytes: the tag was moved between two pulls. Images differ by architecture anyway.
fn mixed_content(facts: &Facts, daemons: &[(&PodFact, &ContainerFact)]) -> Option<Verdict> {
    let architectures: HashMap<&str, &str> =
        facts.nodes.items().iter().map(|node| (node.name.as_str(), node.architecture.as_str())).collect();
    let mut by_architecture: BTreeMap<&str, Vec<(&PodFact, &ContainerFact)>> = BTreeMap::new();
    for (pod, container) in daemons {
        let architecture = architectures.get(pod.node.as_str()).copied().unwrap_or_default();
        by_architecture.entry(architecture).or_default().push((*pod, *container));
    }
    by_architecture.values().find_map(|of_one| {
        let noun = "images under one name (its tag was moved)";
        mixed(of_one, noun, |(_, container)| digest(&container.image_id).to_owned())
    })
}

/// Returns the digest in `docker.io/mizarnet/dropletd@sha256:…`; blank when there is none.
fn digest(image_id: &str) -> &str {
    image_id.rfind("sha256:").map_or("", |start| &image_id[start..])
}
