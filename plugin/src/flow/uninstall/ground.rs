//! What is there, what is recorded, and the plan made of both.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use jiff::Timestamp;
use mizar_core::object::{Object, ObjectRef};
use mizar_core::operation::{Claim, Intent, NewOperation, Operation, StoredOperation, UninstallRecord};
use mizar_core::plan::Past;
use mizar_core::release::Status;
use mizar_core::uninstall::{
    CleanUp, NodeRecord, NodeState, STAGES, Survey, UNINSTALL, UninstallPlan, Wish, known_objects, plan,
};
use mizar_core::{event::Event, kind};
use serde_json::Value;

use super::{Uninstall, refused};
use crate::assets;
use crate::failure::Failure;
use crate::flow::operation::{self, Held};
use crate::flow::records::{self, DEFAULT_NAMESPACE, NAMES, Records};
use crate::flow::{ground, prepare};

/// Where the record and the Jobs are when the namespace of the releases is going or gone: Mizar's custom resources are there.
const FALLBACK: &str = "default";

/// Everything that an uninstall goes by.
pub(super) struct Ground {
    /// The namespace of the releases, which may be gone.
    pub(super) namespace: String,
    /// What is recorded.
    pub(super) records: Records,
    stored: Option<StoredOperation>,
    claim: Claim,
    /// Whether an earlier uninstall did not come to its end, or its record is still to go.
    pub(super) finishes: bool,
    /// What was read.
    pub(super) survey: Survey,
    /// What is done.
    pub(super) plan: UninstallPlan,
    /// How nodes are cleaned; nothing where no daemon was found.
    pub(super) clean_up: Option<CleanUp>,
    /// Where the custom resources are saved.
    pub(super) export: PathBuf,
    /// What earlier runs recorded of nodes.
    nodes: BTreeMap<String, NodeRecord>,
}

impl Ground {
    /// Whether an earlier uninstall has stopped in the middle.
    pub(super) fn is_interrupted(&self) -> bool {
        self.stored.as_ref().is_some_and(|stored| stored.operation.is_unfinished_uninstall())
    }
}

impl Uninstall {
    /// Finds what there is, and, for who means it, that nobody else is at it and that nothing is forbidden.
    pub(super) async fn find_ground(&mut self) -> Result<Ground, Failure> {
        self.run.enter("records");
        let asked = self.request.namespace.clone();
        let records = records::read(self.run.cluster(), asked.as_deref().unwrap_or(DEFAULT_NAMESPACE)).await?;
        let mut namespace = ground::namespace(asked.as_deref(), &records)?;
        let recorded = recorded_objects(&records)?;
        if !self.request.plan_only {
            self.refuse_missing_rights(&namespace, &interest(&recorded, &[], &namespace)).await?;
        }
        self.run.enter("look");
        let mut survey = self.survey().await?;
        if records.namespace.is_none() && asked.is_none() {
            namespace = probable_namespace(&survey);
        }
        let is_active = |name: &str| survey.namespace(name).is_some_and(|seen| seen.fact.deleting.is_none());
        self.run.namespace = if is_active(&namespace) { namespace.clone() } else { FALLBACK.to_owned() };
        let wanted = interest(&recorded, &survey.homes(), &namespace);
        survey.objects = self.read_objects(&wanted).await?;
        self.run.enter("records");
        let stored = operation::read(self.run.cluster(), self.run.namespace()).await?;
        let (stored, claim) = if self.request.plan_only {
            (stored, Claim::Fresh)
        } else {
            let run = &self.run;
            let settled = operation::settle(run.cluster(), run.namespace(), stored, |event| run.tell(event)).await?;
            if settled.waited {
                // Somebody was at work until now: what was read before may not be true any more.
                return Box::pin(self.find_ground()).await;
            }
            (settled.stored, settled.claim)
        };
        self.ground(namespace, records, &recorded, survey, stored, claim)
    }

    fn ground(
        &mut self,
        namespace: String,
        records: Records,
        recorded: &[Object],
        survey: Survey,
        stored: Option<StoredOperation>,
        claim: Claim,
    ) -> Result<Ground, Failure> {
        let earlier = stored.as_ref().map(|stored| &stored.operation).filter(|operation| operation.is_uninstall());
        let remembered = earlier.and_then(|operation| operation.uninstall.clone());
        let nodes: BTreeMap<String, NodeRecord> = earlier
            .map(|operation| &operation.nodes)
            .into_iter()
            .flatten()
            .filter_map(|(node, record)| Some((node.clone(), NodeRecord::read(record)?)))
            .collect();
        let unfinished = earlier.is_some_and(Operation::is_unfinished_uninstall);
        let in_state = |state: NodeState| -> BTreeSet<String> {
            nodes.iter().filter(|(_, record)| record.state == state).map(|(node, _)| node.clone()).collect()
        };
        let is_known = |name: &&String| survey.nodes.iter().any(|node| node.name == **name);
        if let Some(unknown) = self.request.skip.iter().find(|name| !is_known(name)) {
            return Err(refused(format!("there is no node {unknown} to skip; nothing was changed"))
                .hint("see them: kubectl get nodes"));
        }
        let had_daemon = !survey.customs.is_empty()
            || recorded.iter().any(|object| object.kind() == "DaemonSet")
            || stored.as_ref().is_some_and(|stored| !stored.operation.is_uninstall());
        let past = earlier.map(|operation| Past::of(operation, survey.nodes.len()));
        let wish = Wish {
            namespace: namespace.clone(),
            crds: self.request.crds,
            keep_node_state: self.request.keep_node_state,
            keep_history: self.request.keep_history,
            skip: self.request.skip.clone(),
            cleaned: in_state(NodeState::Clean),
            planned: nodes.keys().cloned().collect(),
            recorded: unended(&records, self.request.keep_history),
            had_daemon,
            past,
        };
        let plan = plan(&survey, &wish);
        let clean_up = match survey.workloads_of("DaemonSet").find_map(|set| CleanUp::of_daemon_set(set.value())) {
            Some(live) => Some(live),
            None => match remembered.as_ref().and_then(|record| record.clean_up.clone()) {
                Some(known) => Some(known),
                None => recorded_clean_up(recorded).map_or_else(built_in_clean_up, |known| Ok(Some(known)))?,
            },
        };
        let saved = remembered.map(|record| PathBuf::from(record.export)).filter(|_| unfinished);
        let export = self.request.export.clone().or(saved).unwrap_or_else(|| default_export(self.run.cluster().now()));
        let finishes = unfinished || (self.request.crds && stored.is_some());
        Ok(Ground { namespace, records, stored, claim, finishes, survey, plan, clean_up, export, nodes })
    }

    /// Writes the intent, with what later parts take away the sources of.
    pub(super) async fn hold(&mut self, ground: &Ground) -> Result<(), Failure> {
        if let (Claim::Resume | Claim::TakeOver { .. }, Some(stored)) = (&ground.claim, &ground.stored)
            && stored.operation.is_uninstall()
        {
            self.run.tell(Event::Resumed {
                id: stored.operation.id.clone(),
                from: stored.operation.holder.to_string(),
                stage: stored.operation.current_stage().map(|stage| stage.name.clone()),
            });
        }
        let new = NewOperation {
            id: format!("{UNINSTALL}-{}-{}", Timestamp::now().as_millisecond(), std::process::id()),
            command: UNINSTALL.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            namespace: self.run.namespace().to_owned(),
            intent: Intent::default(),
            stages: STAGES.map(ToOwned::to_owned).to_vec(),
        };
        let held = Held::begin(self.run.cluster(), new, ground.stored.clone(), &ground.claim).await?;
        self.result.nodes = ground.nodes.clone();
        for node in &ground.plan.nodes {
            self.result.nodes.insert(node.clone(), NodeRecord::of(NodeState::Pending));
        }
        for node in &ground.plan.unreachable {
            self.result.nodes.insert(node.node.clone(), NodeRecord::failed(&node.why));
        }
        for node in &ground.plan.left {
            self.result.nodes.insert(node.clone(), NodeRecord::of(NodeState::Skipped));
        }
        self.result.remains.clone_from(&ground.plan.stays);
        held.set_uninstall(memory(ground), self.recorded_nodes()).await?;
        self.run.held = Some(held);
        Ok(())
    }

    pub(super) fn recorded_nodes(&self) -> BTreeMap<String, Value> {
        self.result.nodes.iter().map(|(node, record)| (node.clone(), record.to_value())).collect()
    }
}

/// What later runs must know.
pub(super) fn memory(ground: &Ground) -> UninstallRecord {
    let export = std::path::absolute(&ground.export).unwrap_or_else(|_| ground.export.clone());
    UninstallRecord { export: export.display().to_string(), clean_up: ground.clean_up.clone() }
}

/// The releases of which a record is left to end.
fn unended(records: &Records, keep_history: bool) -> BTreeMap<String, usize> {
    let is_left = |status: Status| !(keep_history && status == Status::Uninstalled);
    let with_records = NAMES.iter().zip(&records.histories);
    with_records
        .filter(|(_, history)| history.last().is_some_and(|last| is_left(last.release.info.status)))
        .map(|(name, history)| ((*name).to_owned(), history.records.len()))
        .collect()
}

/// The objects of what release `mizar` consists of, by its last complete record and one that came after it.
fn recorded_objects(records: &Records) -> Result<Vec<Object>, Failure> {
    let history = &records.histories[1];
    let mut objects: BTreeMap<ObjectRef, Object> = BTreeMap::new();
    for stored in [history.base(), history.last()].into_iter().flatten() {
        if stored.release.info.status == Status::Uninstalled {
            continue;
        }
        for object in prepare::objects_of(&stored.release.manifest)? {
            let namespaced = kind::lookup(object.api_version(), object.kind()).is_some_and(|kind| kind.namespaced);
            let object = if namespaced { object.in_namespace(&stored.release.namespace) } else { object };
            objects.insert(object.reference(), object);
        }
    }
    Ok(objects.into_values().collect())
}

/// Which objects to look for: those that are recorded, or else those that only Mizar calls so.
fn interest(recorded: &[Object], homes: &[String], namespace: &str) -> Vec<ObjectRef> {
    let mut places = homes.to_vec();
    if !places.iter().any(|place| place == namespace) {
        places.push(namespace.to_owned());
    }
    let known = known_objects(&places);
    let mut wanted: Vec<ObjectRef> = recorded.iter().map(Object::reference).collect();
    // What the operator makes itself is in no record.
    let is_unrecorded = |object: &ObjectRef| recorded.is_empty() || object.kind == "ConfigMap";
    for object in known.into_iter().filter(is_unrecorded) {
        if !wanted.contains(&object) {
            wanted.push(object);
        }
    }
    wanted
}

/// Where nothing is recorded: where the workloads are, or a namespace that an install of ours made.
fn probable_namespace(survey: &Survey) -> String {
    let made = survey.namespaces.iter().filter(|seen| seen.made_by_us).map(|seen| seen.fact.name.clone());
    survey.homes().into_iter().chain(made).next().unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned())
}

fn recorded_clean_up(recorded: &[Object]) -> Option<CleanUp> {
    let mut sets = recorded.iter().filter(|object| object.kind() == "DaemonSet");
    sets.find_map(|set| CleanUp::of_daemon_set(set.value()))
}

/// Nothing tells which image the nodes have: the one that an install without values of its own would use.
fn built_in_clean_up() -> Result<Option<CleanUp>, Failure> {
    let [_, chart] = assets::built_in()?;
    let objects = prepare::objects_by_default(&chart, DEFAULT_NAMESPACE)?;
    Ok(recorded_clean_up(&objects))
}

fn default_export(now: Timestamp) -> PathBuf {
    PathBuf::from(format!("mizar-export-{}.yaml", now.strftime("%Y%m%dT%H%M%SZ")))
}
