//! What is going to be done to the clusters, decided before anything is: stages of changes, each with its site, plus
//! everything that stands in the way. The plan that is shown is the plan that is carried out; its digest proves it.
//!
//! ```text
//! desired objects ┐
//! live objects    ├─► decide ─► Plan { stages, conflicts, refusals }
//! last record     ┘
//! ```
//! Nothing here talks to a cluster; [`merge`] and [`fold`] compute the patches that the flow sends.

mod budgets;
mod contested;
mod decide;
pub mod diff;
mod digest;
mod duration;
mod equality;
pub mod fields;
pub mod fold;
mod impact;
pub mod lists;
pub mod merge;
pub mod owners;
pub mod ownership;
mod rules;
pub mod saved;
pub mod stages;
mod surroundings;
pub mod unified;

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::object::{Object, ObjectRef};
use crate::site::Site;

pub use budgets::BudgetInTheWay;
pub use contested::ContestedField;
pub use decide::{OwnObject, PlanInput, ReleaseInput, StagedObject, decide};
pub use diff::FieldChange;
pub use digest::canonical_json;
pub use duration::{Basis, ExpectedDuration, Past};
pub use impact::{Impact, NodeImpact, OperatorImpact};
pub use owners::Owner;
pub use ownership::Marks;
pub use saved::SavedPlan;
pub use stages::StageName;
pub use surroundings::{Labels, PartKind, PartOnNode, PodOnNode, Surroundings};

/// Everything that will be done, in order, and everything that forbids it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The parts, in the order in which they are done.
    pub stages: Vec<Stage>,
    /// Objects that exist and belong to somebody else, or of which somebody else has set fields that would change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<Conflict>,
    /// Changes that this way of changing things must not make.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<Refusal>,
}

/// Changes of one release that may be done at the same time.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// Which part of the work it is.
    pub name: StageName,
    /// The cluster it happens in.
    pub site: Site,
    /// The release whose objects they are; none for what belongs to no release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// One entry for every object, unchanged ones included.
    pub changes: Vec<Change>,
}

/// What happens to one object.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The object.
    pub object: ObjectRef,
    /// What happens to it.
    #[serde(flatten)]
    pub action: Action,
    /// In whose name it is written.
    pub manager: FieldManager,
    /// What to send, ownership marks included; none for a deletion. Not shown: it may hold secrets.
    #[serde(skip)]
    pub desired: Option<Object>,
    /// The object as it was found, if it was there. Not shown: it may hold secrets.
    #[serde(skip)]
    pub live: Option<Object>,
    /// What must still be true of the live object when it is written.
    #[serde(skip)]
    pub precondition: Option<Precondition>,
    /// The same change as a merge patch, for servers without server-side apply.
    #[serde(skip)]
    pub merge_patch: Option<Value>,
    /// The JSON patch that first turns an older Helm's field ownership into ours (see [`fold`]). Due for every object
    /// of a release as soon as one of them changes, since the new record says that all of them are applied.
    #[serde(skip)]
    pub fold: Option<Value>,
    /// The managers whose fields become ours, for an object of an old installation that is taken over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takes_over: Option<Vec<String>>,
}

/// What happens to an object.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "action", rename_all = "camelCase")]
pub enum Action {
    /// It is made.
    Create,
    /// Some of its fields change.
    Update {
        /// Which, with secrets masked.
        fields: Vec<FieldChange>,
    },
    /// It is as it should be.
    Unchanged,
    /// It is left alone although it might differ.
    Keep {
        /// Why.
        why: String,
    },
    /// It goes.
    Delete,
}

/// The name under which the server notes who set a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum FieldManager {
    /// Helm's own name, for everything that Helm must be able to change later.
    #[serde(rename = "helm")]
    Helm,
    /// Ours, for what is in no release.
    #[serde(rename = "kubectl-mizar")]
    KubectlMizar,
}

impl FieldManager {
    /// Returns the name as it is sent.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Helm => "helm",
            Self::KubectlMizar => "kubectl-mizar",
        }
    }
}

/// What must still be true of a live object when it is written, so that nothing newer is overwritten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Precondition {
    /// It is still the same object.
    pub uid: String,
    /// Nobody has written it since it was read.
    pub resource_version: String,
}

/// An object that exists and belongs to somebody else, as a whole or in some of its fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Conflict {
    /// The object.
    pub object: ObjectRef,
    /// How it shows that it is not ours.
    pub why: String,
    /// The fields that somebody else has set, if that is why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<ContestedField>,
    /// What to do about it.
    pub hint: String,
}

impl fmt::Display for Conflict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.object, self.why)?;
        let fields: Vec<_> = self.fields.iter().map(ToString::to_string).collect();
        if fields.is_empty() { Ok(()) } else { write!(formatter, ": {}", fields.join(", ")) }
    }
}

/// A change that must not be made this way.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// The object.
    pub object: ObjectRef,
    /// The fields that must not change, with secrets masked.
    pub fields: Vec<FieldChange>,
    /// What the change would do.
    pub why: String,
    /// What to do instead.
    pub hint: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<_> = self.fields.iter().map(|field| field.path.as_str()).collect();
        write!(formatter, "{} {}", self.object, self.why)?;
        if fields.is_empty() { Ok(()) } else { write!(formatter, " ({})", fields.join(", ")) }
    }
}

/// How many objects meet which fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Objects that are made.
    pub create: usize,
    /// Objects that change.
    pub update: usize,
    /// Objects that are as they should be.
    pub unchanged: usize,
    /// Objects that are left alone.
    pub keep: usize,
    /// Objects that go.
    pub delete: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = [
            (self.create, "to create"),
            (self.update, "to change"),
            (self.delete, "to delete"),
            (self.unchanged, "unchanged"),
            (self.keep, "kept"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
        formatter.write_str(if parts.is_empty() { "no objects" } else { "" })?;
        formatter.write_str(&parts.join(", "))
    }
}

impl Change {
    /// Whether anything is written for it.
    #[must_use]
    pub fn writes(&self) -> bool {
        matches!(self.action, Action::Create | Action::Update { .. } | Action::Delete)
    }

    /// Returns the change without a word about how many pods a workload has, in either way of writing it.
    #[must_use]
    pub fn without_replicas(mut self) -> Self {
        self.desired = self.desired.take().map(Object::without_replicas);
        let spec = self.merge_patch.as_mut().and_then(|patch| patch.get_mut("spec")).and_then(Value::as_object_mut);
        if let Some(spec) = spec {
            spec.shift_remove("replicas");
        }
        self
    }
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.changes().any(Change::writes)
    }

    /// Whether nothing stands in the way.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.conflicts.is_empty() && self.refusals.is_empty()
    }

    /// Takes what the server said about the fields of the objects that it has tried: it knows better than the notes on
    /// the object who owns what. Objects that it has not tried keep what the notes say.
    pub fn take_answers(&mut self, tried: &[ObjectRef], said: Vec<Conflict>) {
        self.conflicts.retain(|conflict| conflict.fields.is_empty() || !tried.contains(&conflict.object));
        self.conflicts.extend(said);
    }

    /// Whether daemons that run are to be replaced: the pod template of a DaemonSet changes.
    #[must_use]
    pub fn restarts_daemons(&self) -> bool {
        self.changes_template_of("DaemonSet")
    }

    /// Whether operators that run are to be replaced.
    #[must_use]
    pub fn restarts_operator(&self) -> bool {
        self.changes_template_of("Deployment")
    }

    fn changes_template_of(&self, kind: &str) -> bool {
        let of_kind = |change: &&Change| change.object.kind == kind && change.object.group() == "apps";
        self.changes().filter(of_kind).any(|change| match &change.action {
            Action::Update { fields } => fields.iter().any(|field| rules::is_below(&field.path, ".spec.template")),
            _ => false,
        })
    }

    /// Returns the entries of all stages, in order.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.stages.iter().flat_map(|stage| &stage.changes)
    }

    /// Whether anything of this release is written.
    #[must_use]
    pub fn changes_release(&self, release: &str) -> bool {
        self.stages
            .iter()
            .filter(|stage| stage.release.as_deref() == Some(release))
            .flat_map(|stage| &stage.changes)
            .any(Change::writes)
    }

    /// Counts the objects by what happens to them.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for change in self.changes() {
            let counter = match change.action {
                Action::Create => &mut counts.create,
                Action::Update { .. } => &mut counts.update,
                Action::Unchanged => &mut counts.unchanged,
                Action::Keep { .. } => &mut counts.keep,
                Action::Delete => &mut counts.delete,
            };
            *counter += 1;
        }
        counts
    }

    /// Returns a number for exactly these changes: two plans with the same digest do the same things.
    ///
    /// Resource versions are left out, since a status written meanwhile changes nothing of what was agreed to.
    #[must_use]
    pub fn digest(&self) -> String {
        digest::of_changes(self)
    }

    /// Returns a number for what is wanted, whatever is there already: a command that was interrupted and runs again
    /// with the same input has the same intent, although less is left to do.
    #[must_use]
    pub fn intent_digest(&self) -> String {
        digest::of_intent(self)
    }
}
