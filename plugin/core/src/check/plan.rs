//! What an install brings, against what the server takes: API versions, images, priority classes.

use super::Options;
use super::verdict::{Evidence, Problem, Status, Verdict, grouped};
use crate::facts::{Facts, Plan, PriorityUse};
use crate::image::ImageReference;
use crate::words::counted;

/// Tags that mean something else every day.
const MOVING_TAGS: &[&str] = &["latest", "dev", "dev-next", "ci", "main", "master", "nightly", "edge"];

/// The first Kubernetes that takes pods with a priority class of the system in every namespace.
const PRIORITIES_EVERYWHERE: (u32, u32) = (1, 17);

fn planned(facts: &Facts, judge: impl FnOnce(&Plan) -> Verdict) -> Verdict {
    facts.plan.as_ref().map_or_else(|| Verdict::unknown("it is not known what would be installed"), judge)
}

pub(super) fn served(facts: &Facts, _: &Options) -> Verdict {
    let served = facts.api_groups.known().map(|groups| groups.versions.as_slice()).unwrap_or_default();
    planned(facts, |plan| {
        // The core API is not among the groups.
        let wanted: Vec<&String> = plan.api_versions.iter().filter(|version| version.contains('/')).collect();
        let missing = wanted.iter().filter(|version| !served.contains(version)).map(|version| {
            let group = version.split('/').next().unwrap_or_default();
            let others = served.iter().filter(|other| other.split('/').next() == Some(group));
            let others: Vec<&str> = others.map(String::as_str).collect();
            let seen = if others.is_empty() { "not served".to_owned() } else { format!("only {}", others.join(", ")) };
            let reason = if others.is_empty() { seen.clone() } else { format!("the server has {seen}") };
            Problem::new(version.as_str(), reason, Evidence::new("API server", "/apis", seen, version.as_str()))
        });
        grouped("API versions", wanted.len(), missing.collect(), Status::Fail)
    })
}

pub(super) fn pinned_images(facts: &Facts, _: &Options) -> Verdict {
    planned(facts, |plan| {
        let moving = plan.images.iter().filter_map(|image| {
            let reference = ImageReference::parse(image).ok()?;
            let tag = reference.tag.as_deref().unwrap_or("latest");
            let moves = reference.digest.is_none() && MOVING_TAGS.contains(&tag);
            moves.then(|| {
                let evidence = Evidence::new(format!("image {image}"), "tag", tag, "a digest, or the tag of a release");
                Problem::new(image, format!("tag {tag} moves: nodes may get different images"), evidence)
            })
        });
        let verdict = grouped("images", plan.images.len(), moving.collect(), Status::Warn);
        let pinned = plan.images.iter().filter(|image| image.contains('@')).count();
        match verdict.status {
            Status::Pass => {
                Verdict::pass(format!("{}, {pinned} of them pinned by digest", counted(plan.images.len(), "image")))
            }
            _ => verdict,
        }
    })
}

pub(super) fn priorities(facts: &Facts, _: &Options) -> Verdict {
    planned(facts, |plan| {
        let Some(server) = limits_priorities(facts) else {
            return Verdict::pass("the server takes priority classes of the system in every namespace");
        };
        let of_system: Vec<&PriorityUse> =
            plan.priorities.iter().filter(|used| used.class.starts_with("system-")).collect();
        let refused = of_system.iter().filter(|used| used.namespace != "kube-system").map(|used| {
            let reason =
                format!("{server} takes {} in namespace kube-system only, not in {}", used.class, used.namespace);
            let evidence = Evidence::new(&used.object, "priorityClassName", &used.class, "none outside kube-system");
            Problem::new(&used.object, reason, evidence)
        });
        grouped("pod templates", of_system.len(), refused.collect(), Status::Fail)
    })
}

/// Returns how to call a server that takes the system's priority classes in one namespace only.
fn limits_priorities(facts: &Facts) -> Option<String> {
    if facts.is_arktos() == Some(true) {
        return Some("Arktos".to_owned());
    }
    let version = facts.version.known()?;
    let number = |text: &str| text.trim_end_matches(|digit: char| !digit.is_ascii_digit()).parse::<u32>().ok();
    let version_number = (number(&version.major)?, number(&version.minor)?);
    (version_number < PRIORITIES_EVERYWHERE).then(|| format!("Kubernetes {}", version.git_version))
}
