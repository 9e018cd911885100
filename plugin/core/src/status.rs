//! What runs, on one screen: versions, nodes, networks, the change that is under way, and what is worst. A value that
//! holds no clock that ticks, so that two of them are equal when nothing has happened in between.
//!
//! - this file: the whole;
//! - [`installed`]: releases and workloads;
//! - [`networks`]: Vpcs and Subnets with the addresses that are in use;
//! - [`change`]: the operation record, for people who look.

pub mod change;
pub mod networks;

use serde::Serialize;
use serde_json::{Value, json};

use crate::adoption;
use crate::check::{CheckResult, Options, Phase, Severity, Status as CheckStatus, Summary, evaluate};
use crate::environment::overview::{Unread, unread};
use crate::environment::{Environment, detect};
use crate::facts::{Facts, PodRole, Readiness, Source};
use crate::installed::Installed;
use crate::network::{daemon_set, eligible_nodes};
use change::Change;
use networks::{VpcState, networks};

/// How many findings are shown.
pub const WORST: usize = 3;

/// The sources that a status needs besides those of the checks.
pub const SOURCES: &[Source] = &[
    Source::Version,
    Source::Nodes,
    Source::Namespaces,
    Source::DaemonSets,
    Source::Deployments,
    Source::Pods,
    Source::Services,
    Source::SystemSource,
    Source::CoreApi,
    Source::ApiGroups,
    Source::Releases,
    Source::Definitions,
    Source::Droplets,
    Source::Vpcs,
    Source::Dividers,
    Source::Subnets,
    Source::Bouncers,
    Source::Endpoints,
];

/// What a status is made from, besides the facts.
#[derive(Debug, Clone)]
pub struct Seen<'a> {
    /// The address of the API server; nothing when facts are replayed from a file.
    pub server: Option<&'a str>,
    /// The version of this program.
    pub plugin: &'a str,
    /// The environment that a person named.
    pub environment: Option<Environment>,
    /// The change that is under way, or was the last.
    pub change: Change,
}

/// What runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The version of this program.
    pub plugin: String,
    /// The API server.
    pub server: Server,
    /// The environment.
    pub environment: Environment,
    /// What there is of Mizar.
    pub mizar: Installed,
    /// The nodes.
    pub nodes: NodeCounts,
    /// The networks; nothing when they could not be read.
    pub networks: Option<Vec<VpcState>>,
    /// The change that is under way, or was the last.
    pub change: Change,
    /// How many checks came to what.
    pub checks: Summary,
    /// The worst of them.
    pub worst: Vec<CheckResult>,
    /// What to type next; nothing when there is nothing to do.
    pub next: Option<String>,
    /// What could not be read.
    pub unread: Vec<Unread>,
}

/// The API server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Server {
    /// Its address.
    pub address: Option<String>,
    /// What it calls its version.
    pub version: Option<String>,
}

/// How many nodes have what they need; nothing where it could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeCounts {
    /// All of them, without those that Kubemark pretends.
    pub total: Option<usize>,
    /// Those that are ready.
    pub ready: Option<usize>,
    /// Those that should have a daemon; unknown where nobody could read which nodes it is meant for.
    pub eligible: Option<usize>,
    /// Those of them that have a ready one.
    pub with_daemon: Option<usize>,
    /// Those of them that have a Droplet which is Provisioned.
    pub with_droplet: Option<usize>,
    /// Those that a change of ours has cordoned.
    pub cordoned_by_us: Vec<String>,
}

impl Status {
    /// Makes the status; facts are judged at the time of `options`.
    #[must_use]
    pub fn of(facts: &Facts, options: &Options, seen: Seen<'_>) -> Self {
        let report = evaluate(Phase::Health, facts, options);
        let mizar = Installed::of(facts);
        // Where nothing is installed every check fails, and none of that is news.
        let nothing_there = mizar.is_known_to_be_missing();
        let worst = if nothing_there { Vec::new() } else { worst(&report.results) };
        Self {
            plugin: seen.plugin.to_owned(),
            server: Server {
                address: seen.server.map(str::to_owned),
                version: facts.version.known().map(|version| version.git_version.clone()),
            },
            environment: detect(facts, seen.environment).environment,
            nodes: node_counts(facts),
            networks: if facts.gap(Source::Vpcs).is_none() || nothing_there { Some(networks(facts)) } else { None },
            checks: report.summary(),
            next: next(nothing_there, &mizar, &seen.change, &worst),
            change: seen.change,
            worst,
            mizar,
            unread: unread(facts),
        }
    }

    /// Whether Mizar is known not to be there.
    #[must_use]
    pub fn is_not_installed(&self) -> bool {
        !self.mizar.is_there() && self.worst.is_empty()
    }

    /// Returns the public JSON form.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut all = json!({"apiVersion": "mizar.dev/v1", "kind": "Status"});
        if let (Some(all), Value::Object(fields)) = (all.as_object_mut(), json!(self)) {
            all.extend(fields);
        }
        all
    }
}

fn node_counts(facts: &Facts) -> NodeCounts {
    let Some(all) = facts.nodes.known() else {
        return NodeCounts {
            total: None,
            ready: None,
            eligible: None,
            with_daemon: None,
            with_droplet: None,
            cordoned_by_us: Vec::new(),
        };
    };
    let nodes: Vec<_> = all.iter().filter(|node| !node.is_hollow()).collect();
    let placement = daemon_set(facts.daemon_sets.items()).map(|set| set.placement.clone()).unwrap_or_default();
    let eligible = eligible_nodes(all, &placement);
    let is_daemon_of = |name: &str| {
        facts
            .pods
            .items()
            .iter()
            .any(|pod| pod.role == PodRole::Daemon && pod.node == name && pod.ready && pod.deleting.is_none())
    };
    let has_droplet = |node: &crate::facts::NodeFact| {
        let mut droplets = facts.droplets.items().iter();
        droplets.any(|droplet| droplet.object.is_provisioned() && node.has_address(&droplet.main_ip))
    };
    NodeCounts {
        total: Some(nodes.len()),
        ready: Some(nodes.iter().filter(|node| node.readiness == Readiness::Ready).count()),
        eligible: facts.daemon_sets.known().map(|_| eligible.len()),
        with_daemon: facts.pods.known().map(|_| eligible.iter().filter(|node| is_daemon_of(&node.name)).count()),
        with_droplet: facts.droplets.known().map(|_| eligible.iter().filter(|node| has_droplet(node)).count()),
        cordoned_by_us: nodes.iter().filter(|node| node.cordoned_by.is_some()).map(|node| node.name.clone()).collect(),
    }
}

/// The worst results: what is not well before what is not known, and blockers before the rest.
fn worst(results: &[CheckResult]) -> Vec<CheckResult> {
    let mut asking: Vec<&CheckResult> = results.iter().filter(|result| result.status.asks_for_action()).collect();
    asking.sort_by_key(|result| (std::cmp::Reverse(weight(result)), result.severity));
    asking.into_iter().take(WORST).cloned().collect()
}

/// A warning is worth more than something unknown that stops nothing.
fn weight(result: &CheckResult) -> u8 {
    match (result.status, result.severity) {
        (CheckStatus::Fail, _) => 3,
        (CheckStatus::Unknown, Severity::Blocker) => 2,
        (CheckStatus::Warn, _) => 1,
        (CheckStatus::Unknown | CheckStatus::Pass | CheckStatus::Skipped, _) => 0,
    }
}

fn next(nothing_there: bool, mizar: &Installed, change: &Change, worst: &[CheckResult]) -> Option<String> {
    match change {
        Change::Running { command, holder, .. } => {
            Some(format!("wait for {command} by {holder}: `kubectl mizar status --watch` shows how it goes on"))
        }
        Change::Stopped { left, .. } | Change::Ended { left, .. } if left.restart => {
            Some("`kubectl mizar repair --restart-operator` finishes the restart of the operator".to_owned())
        }
        Change::Stopped { command, .. } => {
            Some(format!("`kubectl mizar {command}` with the same flags goes on where it stopped"))
        }
        Change::Illegible(illegible) => Some(illegible.hint.clone()),
        Change::Ended { command, succeeded: false, .. } => {
            Some(format!("`kubectl mizar {command}` with the same flags goes on where it ended"))
        }
        _ if nothing_there => Some("`kubectl mizar check --pre` tells whether Mizar can be installed here".to_owned()),
        _ if mizar.can_be_adopted && worst.iter().all(|result| result.status == CheckStatus::Warn) => {
            Some(format!("`{}` shows how this installation is taken over; it changes nothing", adoption::FIRST_LOOK))
        }
        _ if worst.is_empty() => None,
        _ if worst.iter().any(|result| result.remedy.is_some()) => {
            Some("`kubectl mizar repair --plan` shows how to heal it; it changes nothing".to_owned())
        }
        _ => Some("`kubectl mizar check` shows all findings with what was seen".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::samples::*;
    use crate::facts::{Gap, Illegible};

    fn status(facts: &Facts, change: Change) -> Status {
        let seen = Seen { server: Some("https://10.0.0.1:6443"), plugin: "0.1.0", environment: None, change };
        Status::of(facts, &Options::at(now()), seen)
    }

    #[test]
    fn a_healthy_mizar_has_all_it_needs_and_nothing_to_do() {
        let status = status(&a_healthy_cluster(), Change::None);
        let nodes = &status.nodes;
        assert_eq!(
            (nodes.total, nodes.ready, nodes.with_daemon, nodes.with_droplet),
            (Some(3), Some(3), Some(3), Some(3))
        );
        assert_eq!((status.worst.as_slice(), status.next.as_deref()), (&[][..], None));
        assert_eq!(status.networks.as_ref().unwrap().len(), 1);
        assert!(!status.is_not_installed());
        let json = status.to_json();
        assert_eq!((json["kind"].as_str(), json["nodes"]["withDaemon"].as_u64()), (Some("Status"), Some(3)));
    }

    #[test]
    fn a_cluster_without_mizar_has_no_findings_but_a_next_step() {
        let status = status(&a_cluster_before(), Change::None);
        assert!(status.is_not_installed());
        assert!(status.next.unwrap().contains("check --pre"));
        assert_eq!(status.networks, Some(Vec::new()));
    }

    #[test]
    fn what_could_not_be_read_is_not_counted_as_nothing() {
        let mut facts = a_healthy_cluster();
        for source in [Source::Pods, Source::Droplets, Source::Vpcs, Source::DaemonSets] {
            facts.mark(source, Gap::Denied);
        }
        let denied = status(&facts, Change::None);
        assert_eq!((denied.nodes.with_daemon, denied.nodes.with_droplet, &denied.networks), (None, None, &None));
        assert_eq!(denied.unread.len(), 4);
        facts = a_cluster_before();
        facts.mark(Source::DaemonSets, Gap::Denied);
        assert!(!status(&facts, Change::None).is_not_installed(), "nobody knows");
    }

    #[test]
    fn an_old_installation_that_is_well_is_to_be_taken_over() {
        let mut facts = a_healthy_cluster();
        facts.releases = crate::facts::Fetched::Known(Vec::new());
        facts.daemon_sets.edit()[0].helm = None;
        facts.deployments.edit()[0].helm = None;
        let status = status(&facts, Change::None);
        assert_eq!(status.worst.iter().map(|result| result.id.as_str()).collect::<Vec<_>>(), ["old-installation"]);
        assert!(status.next.unwrap().starts_with("`kubectl mizar install --adopt --plan`"));
    }

    #[test]
    fn the_worst_comes_first() {
        let mut facts = a_healthy_cluster();
        facts.nodes.edit()[2].readiness = Readiness::NotReady;
        facts.pods.edit().remove(2);
        facts.droplets.edit().remove(2);
        facts.mark(Source::Endpoints, Gap::Denied);
        let status = status(&facts, Change::None);
        assert_eq!(status.worst.len(), WORST);
        assert!(status.worst.iter().all(|result| result.status == CheckStatus::Fail), "{:?}", status.worst);
        assert!(status.checks.unknown > 0);
        let heals = "`kubectl mizar repair --plan` shows how to heal it; it changes nothing";
        assert_eq!(status.next.as_deref(), Some(heals), "a node without its Droplet gets one");
    }

    #[test]
    fn nodes_that_we_cordoned_are_named() {
        let mut facts = a_healthy_cluster();
        facts.nodes.edit()[0].cordoned_by = Some("repair".into());
        facts.nodes.edit()[1].unschedulable = true;
        assert_eq!(status(&facts, Change::None).nodes.cordoned_by_us, ["node-1"]);
    }

    #[test]
    fn a_change_under_way_decides_what_comes_next() {
        let facts = a_healthy_cluster();
        let stopped = Change::Stopped {
            command: "install".into(),
            holder: "ann".into(),
            since: now(),
            last_sign: now(),
            stage: None,
            done: 0,
            stages: 3,
            left: change::Left::default(),
        };
        let next = status(&facts, stopped).next.unwrap();
        assert!(next.starts_with("`kubectl mizar install` with the same flags"), "{next}");
        let damaged = Illegible { why: "it is damaged".into(), hint: "delete it".into() };
        assert_eq!(status(&facts, Change::Illegible(damaged)).next.as_deref(), Some("delete it"));
    }
}
