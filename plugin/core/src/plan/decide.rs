//! Makes the plan: compares what is wanted with what is there and with what was recorded last time, object by object,
//! and collects everything that stands in the way instead of stopping at the first.

mod old;

use std::collections::{BTreeMap, BTreeSet};

use super::fields::FieldSet;
use super::merge::{merge, merge_patch};
use super::ownership::{Marks, is_kept};
use super::stages::StageName;
use super::{Action, Change, Conflict, FieldManager, Plan, Precondition, Stage, contested, diff, fold, rules};
use crate::adoption;
use crate::kind;
use crate::object::{Object, ObjectRef};
use crate::site::Site;
use crate::uninstall::MADE_BY;

/// Everything a plan is made from.
#[derive(Debug, Clone, Default)]
pub struct PlanInput {
    /// Objects that belong to no release.
    pub own: Vec<OwnObject>,
    /// The releases, in the order in which they are installed.
    pub releases: Vec<ReleaseInput>,
    /// Every live object of those names, with its `managedFields`. What is not in here does not exist.
    pub live: Vec<(Site, Object)>,
    /// Kinds outside the table of [`crate::kind`] that are not in namespaces, as group and kind.
    pub cluster_wide: BTreeSet<(String, String)>,
    /// Whether an old installation is taken over: its objects become those of the releases, instead of standing in the way.
    pub adopts: bool,
}

/// An object that belongs to no release; of it, only the fields given here matter.
#[derive(Debug, Clone)]
pub struct OwnObject {
    /// The cluster it belongs in.
    pub site: Site,
    /// The object.
    pub object: Object,
}

/// One release as it should be.
#[derive(Debug, Clone)]
pub struct ReleaseInput {
    /// Its name.
    pub name: String,
    /// Its namespace, which objects without one of their own get.
    pub namespace: String,
    /// The cluster it belongs in.
    pub site: Site,
    /// Whether its installation has never been completed: only then are hooks created.
    pub first_install: bool,
    /// The objects it should consist of.
    pub objects: Vec<StagedObject>,
    /// Objects that are created at its installation and left alone for ever after.
    pub hooks: Vec<StagedObject>,
    /// The objects of its records that may be in the cluster: of the last complete one, and of one after it that did not come to its
    /// end.
    pub recorded: Vec<Object>,
}

/// A wanted object and the stage it belongs to.
#[derive(Debug, Clone)]
pub struct StagedObject {
    /// The stage.
    pub stage: StageName,
    /// The object as the chart renders it.
    pub object: Object,
}

impl StagedObject {
    /// Finds the stage by the chart folder of the template, or else by the kind.
    #[must_use]
    pub fn new(folder: Option<&str>, object: Object) -> Self {
        Self { stage: StageName::of(folder, object.kind()), object }
    }
}

/// Decides what has to be done.
#[must_use]
pub fn decide(input: &PlanInput) -> Plan {
    let mut planner = Planner::new(input);
    for own in &input.own {
        planner.own(own);
    }
    for release in &input.releases {
        planner.release(release);
    }
    planner.finish()
}

/// Returns a namespace with the mark that we made it, where we do or did: only such a one is deleted with Mizar.
fn made_by_us(object: Object, live: Option<&Object>) -> Object {
    let ours = object.kind() == "Namespace" && live.is_none_or(|live| live.annotation(MADE_BY).is_some());
    if !ours {
        return object;
    }
    let mut value = object.into_value();
    value["metadata"]["annotations"][MADE_BY] = FieldManager::KubectlMizar.as_str().into();
    Object::new(value).expect("a mark leaves apiVersion, kind and name as they were")
}

type Key = (Site, String, String, Option<String>, String);

fn key(site: Site, object: &ObjectRef) -> Key {
    (site, object.group().to_owned(), object.kind.clone(), object.namespace.clone(), object.name.clone())
}

struct Planner<'a> {
    input: &'a PlanInput,
    live: BTreeMap<Key, &'a Object>,
    /// Which release wants an object, to notice when two do.
    wanted: BTreeMap<Key, String>,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn new(input: &'a PlanInput) -> Self {
        let live = input.live.iter().map(|(site, object)| (key(*site, &object.reference()), object)).collect();
        Self { input, live, wanted: BTreeMap::new(), plan: Plan::default() }
    }

    fn own(&mut self, own: &OwnObject) {
        let live = self.live.get(&key(own.site, &own.object.reference())).copied();
        let object = made_by_us(own.object.clone(), live);
        let (mut change, contested) = compare(object, &[], live, FieldManager::KubectlMizar, None);
        if let Some(why) = self.why_left(own) {
            change.action = Action::Keep { why: why.to_owned() };
        } else {
            self.plan.conflicts.extend(contested);
        }
        self.add(StageName::of(None, own.object.kind()), own.site, None, change);
    }

    fn release(&mut self, release: &ReleaseInput) {
        let marks = Marks { release: &release.name, namespace: &release.namespace };
        let recorded: Vec<Object> =
            release.recorded.iter().map(|object| self.qualify(object.clone(), &release.namespace)).collect();
        for staged in &release.objects {
            let object = self.qualify(staged.object.clone(), &release.namespace);
            if self.is_wanted_twice(release, &object.reference()) {
                continue;
            }
            let object = if self.input.adopts { adoption::definition_without_leniency(object) } else { object };
            let same = |before: &&Object| before.reference().same_object(&object.reference());
            let before: Vec<Object> = recorded.iter().filter(same).map(|before| marks.put_on(before.clone())).collect();
            self.object(release, staged.stage, &before, marks.put_on(object), marks);
        }
        for hook in &release.hooks {
            let object = self.qualify(hook.object.clone(), &release.namespace);
            if !self.is_wanted_twice(release, &object.reference()) {
                self.hook(release, hook.stage, object);
            }
        }
        self.removals(release, &recorded, marks);
        if self.input.adopts {
            self.old_binding(release);
        }
    }

    fn object(
        &mut self,
        release: &ReleaseInput,
        stage: StageName,
        recorded: &[Object],
        desired: Object,
        marks: Marks<'_>,
    ) {
        let live = self.live.get(&key(release.site, &desired.reference())).copied();
        let old = live.filter(|live| self.is_taken_over(live, release, marks));
        // As with Helm, what the last record lists is ours even if somebody has taken the marks off.
        if recorded.is_empty()
            && old.is_none()
            && let Some(mut conflict) = live.and_then(|live| marks.conflict(live))
        {
            if live.is_some_and(|live| adoption::is_old(live, live.namespace().unwrap_or(adoption::NAMESPACE))) {
                let taken = format!("is it of an old installation? take all of it over: {}", adoption::FIRST_LOOK);
                conflict.hint = format!("{taken}; else {}", conflict.hint);
            }
            self.plan.conflicts.push(conflict);
            let why = "it belongs to somebody else".to_owned();
            let change = Change {
                object: desired.reference(),
                action: Action::Keep { why },
                manager: FieldManager::Helm,
                desired: None,
                live: live.cloned(),
                precondition: None,
                merge_patch: None,
                fold: None,
                takes_over: None,
            };
            return self.add(stage, release.site, Some(release), change);
        }
        let before = old.and_then(adoption::before).map(|object| marks.put_on(object));
        let recorded = before.as_ref().map_or(recorded, std::slice::from_ref);
        let managers = old.map(adoption::managers_in);
        let (change, contested) = compare(desired, recorded, live, FieldManager::Helm, managers);
        self.plan.conflicts.extend(contested);
        if let Action::Update { fields } = &change.action {
            self.plan.refusals.extend(rules::refusals(&change.object, fields));
        }
        self.add(stage, release.site, Some(release), change);
    }

    fn hook(&mut self, release: &ReleaseInput, stage: StageName, desired: Object) {
        let object = desired.reference();
        let live = self.live.get(&key(release.site, &object)).copied();
        self.plan.refusals.extend(live.and_then(|live| rules::changed_range(&desired, live)));
        let action = match live {
            Some(_) => Action::Keep { why: "it exists, and is only ever created".to_owned() },
            None if release.first_install => Action::Create,
            None => Action::Keep { why: "it is created at the first installation only".to_owned() },
        };
        let change = Change {
            object,
            action,
            manager: FieldManager::Helm,
            desired: Some(desired),
            live: live.cloned(),
            precondition: None,
            merge_patch: None,
            fold: None,
            takes_over: None,
        };
        self.add(stage, release.site, Some(release), change);
    }

    /// What the last record lists and this configuration has not.
    fn removals(&mut self, release: &ReleaseInput, recorded: &[Object], marks: Marks<'_>) {
        let mut gone: Vec<(usize, Change)> = Vec::new();
        let mut seen = BTreeSet::new();
        for object in recorded.iter().map(Object::reference) {
            let key = key(release.site, &object);
            let Some(live) = self.live.get(&key).copied() else { continue };
            // Two revisions may have it.
            if self.wanted.contains_key(&key) || !seen.insert(key) {
                continue;
            }
            let keep = if is_kept(live) {
                Some("its resource policy keeps it")
            } else if marks.conflict(live).is_some() {
                Some("it is not part of the release any more")
            } else {
                None
            };
            let action = match keep {
                Some(why) => Action::Keep { why: why.to_owned() },
                None => Action::Delete,
            };
            if action == Action::Delete {
                self.plan.refusals.extend(rules::removal(&object));
            }
            let rank = StageName::of(None, &object.kind).rank();
            gone.push((rank, leaving(object, live, action)));
        }
        gone.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
        for (_, change) in gone {
            self.add(StageName::Removal, release.site, Some(release), change);
        }
    }

    fn is_wanted_twice(&mut self, release: &ReleaseInput, object: &ObjectRef) -> bool {
        let key = key(release.site, object);
        if let Some(other) = self.wanted.get(&key) {
            let where_ = if *other == release.name { "twice".to_owned() } else { format!("by release {other} too") };
            self.plan.conflicts.push(Conflict {
                object: object.clone(),
                why: format!("is wanted {where_}"),
                fields: Vec::new(),
                hint: "remove one of the two templates that make it".to_owned(),
            });
            return true;
        }
        self.wanted.insert(key, release.name.clone());
        false
    }

    fn qualify(&self, object: Object, namespace: &str) -> Object {
        let group = object.api_version().split_once('/').map_or("", |(group, _)| group);
        let namespaced = kind::lookup(object.api_version(), object.kind()).map_or_else(
            || !self.input.cluster_wide.contains(&(group.to_owned(), object.kind().to_owned())),
            |known| known.namespaced,
        );
        if namespaced { object.in_namespace(namespace) } else { object }
    }

    fn add(&mut self, name: StageName, site: Site, release: Option<&ReleaseInput>, change: Change) {
        let release = release.map(|release| release.name.clone());
        let found = self
            .plan
            .stages
            .iter_mut()
            .find(|stage| stage.name == name && stage.site == site && stage.release == release);
        match found {
            Some(stage) => stage.changes.push(change),
            None => self.plan.stages.push(Stage { name, site, release, changes: vec![change] }),
        }
    }

    fn finish(mut self) -> Plan {
        // Stable: within a stage, releases keep the order in which they were given.
        self.plan.stages.sort_by_key(|stage| stage.name.rank());
        self.plan
    }
}

/// What happens to one object, and what of it others hold; `takes_over` are the managers whose fields become ours before.
fn compare(
    desired: Object,
    recorded: &[Object],
    live: Option<&Object>,
    manager: FieldManager,
    takes_over: Option<Vec<String>>,
) -> (Change, Option<Conflict>) {
    let object = desired.reference();
    let Some(live) = live else {
        let change = Change {
            object,
            action: Action::Create,
            manager,
            desired: Some(desired),
            live: None,
            precondition: None,
            merge_patch: None,
            fold: None,
            takes_over: None,
        };
        return (change, None);
    };
    let fold = match manager {
        FieldManager::Helm => fold::fold(live.value(), takes_over.as_deref().unwrap_or_default()),
        FieldManager::KubectlMizar => None,
    };
    // As the server will see it when it decides.
    let seen = fold.as_ref().map(|patch| fold::folded(live.value(), patch));
    let seen = seen.as_ref().unwrap_or(live.value());
    let owned = FieldSet::of(seen, manager.as_str());
    // A change that stopped in the middle may have set what neither the last complete revision has nor the one that is wanted.
    let mut target = merge(None, desired.value(), live.value(), owned.root());
    for before in recorded {
        target = merge(Some(before.value()), desired.value(), &target, owned.root());
    }
    let patch = merge_patch(live.value(), &target);
    let fields = diff::field_changes(&object, live.value(), &target);
    let contested = contested::conflict(&desired, live, seen, &target, manager);
    let change = Change {
        object,
        action: if patch.is_some() { Action::Update { fields } } else { Action::Unchanged },
        manager,
        desired: Some(desired),
        live: Some(live.clone()),
        precondition: precondition(live),
        merge_patch: patch,
        fold,
        takes_over,
    };
    (change, contested)
}

/// A change of a live object that is not wanted any more.
fn leaving(object: ObjectRef, live: &Object, action: Action) -> Change {
    Change {
        object,
        action,
        manager: FieldManager::Helm,
        desired: None,
        live: Some(live.clone()),
        precondition: precondition(live),
        merge_patch: None,
        fold: None,
        takes_over: None,
    }
}

fn precondition(live: &Object) -> Option<Precondition> {
    Some(Precondition { uid: live.uid()?.to_owned(), resource_version: live.resource_version()?.to_owned() })
}

#[cfg(test)]
mod tests;
