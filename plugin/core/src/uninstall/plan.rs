//! What an uninstall does, decided from what was read: the objects that go, by part, what stays, and who loses what.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Belongs, Survey, belongs};
use crate::facts::{NodeFact, Placement, PodFact, PodRole, Readiness};
use crate::network::eligible_nodes;
use crate::object::{Object, ObjectRef};
use crate::plan::{Action, Change, ExpectedDuration, FieldManager, Impact, Past, Plan, Stage, StageName, Surroundings};
use crate::site::Site;

/// What the person asked for, and what is recorded.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag, or a fact of its own")]
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// The namespace of the releases.
    pub namespace: String,
    /// Definitions, their release and the namespace too.
    pub crds: bool,
    /// The nodes are left as they are.
    pub keep_node_state: bool,
    /// The records of the releases stay, as uninstalled.
    pub keep_history: bool,
    /// Nodes that are not cleaned.
    pub skip: BTreeSet<String>,
    /// Nodes that an earlier run has cleaned.
    pub cleaned: BTreeSet<String>,
    /// Nodes that an earlier run meant to clean.
    pub planned: BTreeSet<String>,
    /// The releases that are recorded, with how many revisions each has.
    pub recorded: BTreeMap<String, usize>,
    /// Whether a DaemonSet was recorded, or an earlier run has begun: then daemons were on the nodes.
    pub had_daemon: bool,
    /// How long the parts of an earlier uninstall took here.
    pub past: Option<Past>,
}

/// A node that cannot be cleaned now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unreachable {
    /// Its name.
    pub node: String,
    /// Why.
    pub why: String,
}

/// What depends on the network that goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Depends {
    /// Services with an address, behind which are pods of this network.
    pub services: Vec<String>,
    /// How many Bouncers forward.
    pub bouncers: usize,
    /// How many Dividers do.
    pub dividers: usize,
}

/// Something that is not removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stays {
    /// What, as people write it.
    pub what: String,
    /// Why.
    pub why: String,
}

/// Everything that is going to be done.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UninstallPlan {
    /// The objects that go, by part, and those that stay.
    pub objects: Plan,
    /// What it means for the people on the cluster; an event of its own tells it.
    #[serde(skip)]
    pub impact: Impact,
    /// By kind, how many objects of others lose what the operator left on them.
    pub traces: BTreeMap<String, usize>,
    /// The nodes that are cleaned.
    pub nodes: Vec<String>,
    /// The nodes that are left as they are, since that was asked for.
    pub left: Vec<String>,
    /// The nodes that cannot be cleaned now; a later run does.
    pub unreachable: Vec<Unreachable>,
    /// By node, the pods that lose their network.
    pub pods_losing_network: BTreeMap<String, Vec<String>>,
    /// What depends on that network.
    pub depends: Depends,
    /// The releases whose records go, or end as uninstalled.
    pub releases: Vec<String>,
    /// What is left, and why.
    pub stays: Vec<Stays>,
}

impl UninstallPlan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
            && self.traces.is_empty()
            && self.nodes.is_empty()
            && self.unreachable.is_empty()
            && self.releases.is_empty()
    }

    /// Returns how many pods lose their network.
    #[must_use]
    pub fn pods(&self) -> usize {
        self.pods_losing_network.values().map(Vec::len).sum()
    }
}

/// Plans to take out what was found.
#[must_use]
pub fn plan(survey: &Survey, wish: &Wish) -> UninstallPlan {
    let mut planner = Planner { survey, wish, plan: UninstallPlan::default() };
    planner.workloads();
    planner.customs();
    planner.release();
    planner.definitions();
    planner.namespace();
    planner.nodes();
    planner.plan.depends = depends(survey, planner.plan.pods() > 0);
    planner.impact();
    for traced in &survey.traced {
        *planner.plan.traces.entry(traced.object.kind.clone()).or_default() += 1;
    }
    let is_meant = |name: &str| name != "mizar-crds" || wish.crds;
    planner.plan.releases = wish.recorded.keys().filter(|name| is_meant(name)).cloned().collect();
    planner.plan
}

struct Planner<'a> {
    survey: &'a Survey,
    wish: &'a Wish,
    plan: UninstallPlan,
}

impl Planner<'_> {
    fn add(&mut self, name: StageName, release: Option<&str>, object: &Object, action: Action) {
        let change = Change {
            object: object.reference(),
            action,
            manager: FieldManager::KubectlMizar,
            desired: None,
            precondition: None,
            merge_patch: None,
            live: Some(object.clone()),
            fold: None,
            takes_over: None,
        };
        let stages = &mut self.plan.objects.stages;
        match stages.iter_mut().find(|stage| stage.name == name) {
            Some(stage) => stage.changes.push(change),
            None => stages.push(Stage {
                name,
                site: Site::Management,
                release: release.map(ToOwned::to_owned),
                changes: vec![change],
            }),
        }
    }

    fn stays(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.plan.stays.push(Stays { what: what.into(), why: why.into() });
    }

    /// An object that is left alone, and why.
    fn keep(&mut self, name: StageName, release: Option<&str>, object: &Object, why: impl Into<String>) {
        let why = why.into();
        self.stays(object.reference().to_string(), why.clone());
        self.add(name, release, object, Action::Keep { why });
    }

    /// The operator first, then the daemons.
    fn workloads(&mut self) {
        for (kind, stage) in [("Deployment", StageName::Operator), ("DaemonSet", StageName::Daemon)] {
            for workload in self.survey.workloads_of(kind) {
                self.add(stage, Some("mizar"), workload, Action::Delete);
            }
            if kind == "Deployment" {
                // Between them in the order: nothing of the network goes while an operator runs.
                self.plan.objects.stages.push(Stage {
                    name: StageName::Network,
                    site: Site::Management,
                    release: None,
                    changes: Vec::new(),
                });
            }
        }
    }

    fn customs(&mut self) {
        for object in &self.survey.customs {
            self.add(StageName::Network, None, object, Action::Delete);
        }
    }

    fn release(&mut self) {
        let is_workload = |object: &Object| {
            self.survey.workloads.iter().any(|workload| workload.reference().same_object(&object.reference()))
        };
        let others = self.survey.objects.iter().filter(|object| !is_workload(object));
        for object in others.filter(|object| object.kind() != "CustomResourceDefinition").cloned().collect::<Vec<_>>() {
            let stage = StageName::of(None, object.kind());
            match belongs(&object, &["mizar"]) {
                Belongs::Ours => self.add(stage, Some("mizar"), &object, Action::Delete),
                Belongs::Stays(why) => self.keep(stage, None, &object, why),
            }
        }
    }

    fn definitions(&mut self) {
        for definition in &self.survey.definitions {
            let (stage, release) = (StageName::Definitions, Some("mizar-crds"));
            if self.wish.crds {
                self.add(stage, release, definition, Action::Delete);
            } else {
                self.keep(stage, release, definition, "definitions stay without --crds");
            }
        }
        if !self.wish.crds && self.wish.recorded.contains_key("mizar-crds") {
            self.stays("release mizar-crds", "it stays without --crds");
        }
    }

    fn namespace(&mut self) {
        let Some(seen) = self.survey.namespace(&self.wish.namespace) else { return };
        let Some(live) = &seen.live else { return };
        let why = match (self.wish.crds, seen.made_by_us, self.wish.keep_history) {
            (false, ..) => "it stays without --crds",
            (_, false, _) => "it was there before Mizar, or nothing says who made it",
            (_, _, true) => "it holds the history that is kept",
            (true, true, false) => {
                self.add(StageName::Namespace, None, live, Action::Delete);
                return;
            }
        };
        self.keep(StageName::Namespace, None, live, why);
    }

    /// What it means for the people on the cluster, in the terms of every plan. No pod is evicted, so that no budget is in the way.
    fn impact(&mut self) {
        let nodes = served(self.survey, self.wish).iter().map(|node| node.name.clone()).collect();
        let around = Surroundings { nodes, ..Surroundings::default() };
        let plan = &mut self.plan;
        plan.impact = Impact {
            pods_losing_network: plan.pods_losing_network.clone(),
            expected: ExpectedDuration::of_uninstall(!plan.is_empty(), plan.nodes.len(), self.wish.past.as_ref()),
            ..Impact::of(&plan.objects, &around)
        };
    }

    /// Which nodes may have anything of Mizar, and which of them a pod can run on.
    fn nodes(&mut self) {
        let (survey, wish) = (self.survey, self.wish);
        let served = served(survey, wish);
        for node in &served {
            let pods = survey.pods.iter().filter(|pod| pod.node == node.name.as_str() && pod.is_on_pod_network());
            let names: Vec<String> = pods.map(PodFact::path).collect();
            if !names.is_empty() && !survey.workloads.is_empty() {
                self.plan.pods_losing_network.insert(node.name.clone(), names);
            }
        }
        if wish.keep_node_state {
            let unclean = served.iter().filter(|node| !wish.cleaned.contains(&node.name));
            self.plan.left = unclean.map(|node| node.name.clone()).collect();
            if !self.plan.left.is_empty() {
                self.stays("what Mizar changed on the nodes", "--keep-node-state");
            }
            return;
        }
        for node in served {
            if wish.cleaned.contains(&node.name) {
                continue;
            }
            if wish.skip.contains(&node.name) {
                self.plan.left.push(node.name.clone());
                self.stays(format!("what Mizar changed on node {}", node.name), "--skip-node");
            } else if is_reachable(node) {
                self.plan.nodes.push(node.name.clone());
            } else {
                let why = "its kubelet does not report, so that no pod can clean it".to_owned();
                self.plan.unreachable.push(Unreachable { node: node.name.clone(), why });
            }
        }
    }
}

/// A node that lost its network is not ready, and its kubelet still runs pods on the network of the host.
fn is_reachable(node: &NodeFact) -> bool {
    matches!(node.readiness, Readiness::Ready | Readiness::NotReady)
}

/// The nodes on which a daemon is or was: by the DaemonSet, by the record of an earlier run, or all that could have had one.
fn served<'a>(survey: &'a Survey, wish: &Wish) -> Vec<&'a NodeFact> {
    let sets: Vec<_> = survey.workloads_of("DaemonSet").collect();
    let is_known = !sets.is_empty() || !wish.planned.is_empty();
    if !is_known && !wish.had_daemon {
        return Vec::new();
    }
    let placed: BTreeSet<&str> = sets
        .iter()
        .flat_map(|set| {
            let placement = Placement::from_object(set.value());
            eligible_nodes(&survey.nodes, &placement).into_iter().map(|node| node.name.as_str()).collect::<Vec<_>>()
        })
        .collect();
    let has_daemon =
        |node: &NodeFact| survey.pods.iter().any(|pod| pod.role == PodRole::Daemon && pod.node == node.name.as_str());
    let may_have = |node: &&NodeFact| {
        let named = placed.contains(node.name.as_str()) || has_daemon(node) || wish.planned.contains(&node.name);
        node.is_linux() && !node.is_hollow() && (named || !is_known)
    };
    survey.nodes.iter().filter(may_have).collect()
}

fn depends(survey: &Survey, any_pods: bool) -> Depends {
    let of = |kind: &str| survey.customs.iter().filter(|object| object.kind() == kind).count();
    let name = |service: &ObjectRef| format!("{}/{}", service.namespace.as_deref().unwrap_or_default(), service.name);
    Depends {
        services: if any_pods { survey.services.iter().map(name).collect() } else { Vec::new() },
        bouncers: of("Bouncer"),
        dividers: of("Divider"),
    }
}

#[cfg(test)]
pub(super) mod tests;
