//! Whether what a plan was made from is still so. Strict: what cannot be told to mean the same is named and refused. The one
//! thing let through is an object of which only the status moved, which happens all the time without anybody's doing.

use std::fmt;

use super::{Binding, BoundObject, LiveState};
use crate::object::ObjectRef;

/// What a comparison came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Why the plan must not be carried out; empty if it may.
    pub mismatches: Vec<Mismatch>,
    /// Objects that were written since and mean the same: only their status moved.
    pub touched: Vec<ObjectRef>,
}

/// Something that is not as it was when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    /// It is another cluster.
    Cluster {
        /// The one the plan was made for.
        saved: String,
        /// This one.
        now: String,
    },
    /// The releases are in another namespace.
    Namespace {
        /// Where they were or would have been.
        saved: String,
        /// Where they are.
        now: String,
    },
    /// A chart is another one.
    Chart {
        /// Its name.
        name: String,
    },
    /// A release was changed.
    Release {
        /// Its name.
        name: String,
        /// The newest revision then, if there was any.
        saved: Option<u64>,
        /// The newest revision now.
        now: Option<u64>,
    },
    /// An object was changed.
    Object {
        /// Which.
        object: ObjectRef,
        /// How.
        moved: Moved,
    },
    /// Something else would become of a node.
    Node {
        /// Its name.
        node: String,
        /// What was to become of it, if the plan was about it.
        saved: Option<String>,
        /// What would become of it now.
        now: Option<String>,
    },
    /// Something else would be done, although nothing of the above is to be seen.
    Plan,
}

/// What became of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// It did not exist.
    Appeared {
        /// Who made it, as far as the server notes it.
        by: Option<String>,
    },
    /// It is gone.
    Gone,
    /// Another one has its name.
    Recreated {
        /// Who made it.
        by: Option<String>,
    },
    /// It was changed.
    Changed {
        /// The version then.
        from: String,
        /// The version now.
        to: String,
        /// Who wrote it last.
        by: Option<String>,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster { saved, now } => write!(
                formatter,
                "it was made for another cluster (namespace kube-system has UID {now} here, and {saved} there)"
            ),
            Self::Namespace { saved, now } => write!(formatter, "the releases are in namespace {now}, not {saved}"),
            Self::Chart { name } => write!(formatter, "the chart {name} is another one"),
            Self::Release { name, saved, now } => match (saved, now) {
                (Some(saved), Some(now)) => {
                    write!(formatter, "release {name} is at revision {now}, and was at {saved}")
                }
                (None, Some(now)) => write!(formatter, "release {name} was not recorded, and is at revision {now}"),
                _ => write!(formatter, "release {name} is not recorded any more"),
            },
            Self::Object { object, moved } => write!(formatter, "{object} {moved}"),
            Self::Node { node, saved, now } => match (saved, now) {
                (Some(saved), Some(now)) => write!(formatter, "node {node} is {now}, and was {saved}"),
                (None, Some(now)) => write!(formatter, "node {node} is {now}, and was no part of the plan"),
                _ => write!(formatter, "node {node} is no part of the plan any more"),
            },
            Self::Plan => formatter.write_str("something else would be done now"),
        }
    }
}

impl fmt::Display for Moved {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match self {
            Self::Appeared { by } | Self::Recreated { by } | Self::Changed { by, .. } => by.as_deref(),
            Self::Gone => None,
        };
        match self {
            Self::Appeared { .. } => formatter.write_str("did not exist, and does now")?,
            Self::Gone => formatter.write_str("is gone")?,
            Self::Recreated { .. } => formatter.write_str("was deleted and made anew")?,
            Self::Changed { from, to, .. } => write!(formatter, "was changed (resourceVersion {from} → {to})")?,
        }
        by.map_or(Ok(()), |by| write!(formatter, ", last by {by}"))
    }
}

/// Compares what a plan was made from with what is there now.
#[must_use]
pub fn compare(saved: &Binding, now: &Binding) -> Comparison {
    // Of another cluster nothing else is worth comparing.
    if saved.cluster != now.cluster {
        let (saved, now) = (saved.cluster.clone(), now.cluster.clone());
        return Comparison { mismatches: vec![Mismatch::Cluster { saved, now }], touched: Vec::new() };
    }
    let mut comparison = Comparison::default();
    let mismatches = &mut comparison.mismatches;
    if saved.namespace != now.namespace {
        mismatches.push(Mismatch::Namespace { saved: saved.namespace.clone(), now: now.namespace.clone() });
    }
    for name in names(saved.charts.keys(), now.charts.keys()) {
        if saved.charts.get(name) != now.charts.get(name) {
            mismatches.push(Mismatch::Chart { name: name.clone() });
        }
    }
    for name in names(saved.releases.keys(), now.releases.keys()) {
        let (before, after) = (saved.releases.get(name).copied(), now.releases.get(name).copied());
        if before != after {
            mismatches.push(Mismatch::Release { name: name.clone(), saved: before, now: after });
        }
    }
    for node in names(saved.nodes.keys(), now.nodes.keys()) {
        let (before, after) = (saved.nodes.get(node).cloned(), now.nodes.get(node).cloned());
        if before != after {
            mismatches.push(Mismatch::Node { node: node.clone(), saved: before, now: after });
        }
    }
    let same_plan = saved.plan_digest == now.plan_digest;
    for (object, written, fate) in fates(saved, now) {
        match fate {
            Fate::Touched if written => comparison.touched.push(object.clone()),
            // What the plan leaves alone may move, unless it is why the plan is another one.
            Fate::Moved(moved) if written || !same_plan => {
                comparison.mismatches.push(Mismatch::Object { object: object.clone(), moved });
            }
            Fate::Same | Fate::Touched | Fate::Moved(_) => {}
        }
    }
    if !same_plan && comparison.mismatches.is_empty() {
        comparison.mismatches.push(Mismatch::Plan);
    }
    comparison
}

fn names<'a>(one: impl Iterator<Item = &'a String>, other: impl Iterator<Item = &'a String>) -> Vec<&'a String> {
    let mut names: Vec<&String> = one.chain(other).collect();
    names.sort();
    names.dedup();
    names
}

enum Fate {
    Same,
    Touched,
    Moved(Moved),
}

/// What became of each object of either plan, and whether either writes it.
fn fates<'a>(saved: &'a Binding, now: &'a Binding) -> Vec<(&'a ObjectRef, bool, Fate)> {
    let same = |one: &BoundObject, other: &BoundObject| one.site == other.site && one.object.same_object(&other.object);
    let mut fates = Vec::new();
    for before in &saved.objects {
        let after = now.objects.iter().find(|after| same(before, after));
        let written = before.written || after.is_some_and(|after| after.written);
        let live = after.and_then(|after| after.live.as_ref());
        fates.push((&before.object, written, fate(before.live.as_ref(), live)));
    }
    for after in now.objects.iter().filter(|after| !saved.objects.iter().any(|before| same(before, after))) {
        fates.push((&after.object, after.written, fate(None, after.live.as_ref())));
    }
    fates
}

fn fate(before: Option<&LiveState>, after: Option<&LiveState>) -> Fate {
    match (before, after) {
        (None, None) => Fate::Same,
        (None, Some(after)) => Fate::Moved(Moved::Appeared { by: after.writer.clone() }),
        (Some(_), None) => Fate::Moved(Moved::Gone),
        (Some(before), Some(after)) if before.uid != after.uid => {
            Fate::Moved(Moved::Recreated { by: after.writer.clone() })
        }
        (Some(before), Some(after)) if before.resource_version == after.resource_version => Fate::Same,
        (Some(before), Some(after)) if before.content == after.content => Fate::Touched,
        (Some(before), Some(after)) => Fate::Moved(Moved::Changed {
            from: before.resource_version.clone(),
            to: after.resource_version.clone(),
            by: after.writer.clone(),
        }),
    }
}
