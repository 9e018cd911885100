//! Which checks are asked, and about which node: what the flags of `check` come to.

use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use super::{CHECKS, Category, Check, CheckResult, Evidence, Options, Phase, Report, Severity, Status, checks_of};
use crate::chart::nearest;
use crate::facts::{Facts, Source};

/// The namespace that the hints of the table name; a report names that of the release instead.
const NAMESPACE_OF_HINTS: &str = "mizar-system";

/// The check that looks at the record of the last change.
const LOOKS_AT_THE_CHANGE: &str = "unfinished-restart";

/// What a person asked for; nothing asked means everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filters {
    /// Ids of checks, `nodes-ready` or `check/nodes-ready`.
    pub ids: Vec<String>,
    /// Names of categories.
    pub categories: Vec<String>,
    /// The least severity.
    pub severity: Option<Severity>,
    /// The one node that findings may be about.
    pub node: Option<String>,
}

/// Why nothing can be asked that way.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum SelectionError {
    #[error("there is no check {id:?}{}", or_rather(nearest.as_ref()))]
    NoSuchCheck { id: String, nearest: Option<String> },
    #[error("there is no category {name:?}{}", or_rather(nearest.as_ref()))]
    NoSuchCategory { name: String, nearest: Option<String> },
    #[error("there is no node {name:?}{}", or_rather(nearest.as_ref()))]
    NoSuchNode { name: String, nearest: Option<String> },
    #[error("the check {id} is asked before an install only")]
    BeforeInstallOnly { id: String },
    #[error("the check {id} is not asked before an install")]
    AfterInstallOnly { id: String },
    #[error("the check {id} is of category {category}, which was not asked for")]
    OfAnotherCategory { id: String, category: String },
    #[error("the check {id} is only a {severity}, and worse ones were asked for")]
    LessSevere { id: String, severity: String },
    #[error("no check is left: none of that category is so severe")]
    Nothing,
}

fn or_rather(nearest: Option<&String>) -> String {
    nearest.map(|nearest| format!("; did you mean {nearest}?")).unwrap_or_default()
}

impl SelectionError {
    /// Returns what to type instead.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NoSuchCheck { .. } | Self::Nothing => "see all checks: kubectl mizar explain".to_owned(),
            Self::NoSuchCategory { .. } => format!("the categories are {}", categories().join(", ")),
            Self::OfAnotherCategory { id, .. } => format!("leave out --category: kubectl mizar check --check {id}"),
            Self::LessSevere { id, .. } => format!("leave out --severity: kubectl mizar check --check {id}"),
            Self::NoSuchNode { .. } => "see all nodes: kubectl get nodes".to_owned(),
            Self::BeforeInstallOnly { id } => format!("kubectl mizar check --pre --check {id}"),
            Self::AfterInstallOnly { id } => format!("leave out --pre: kubectl mizar check --check {id}"),
        }
    }
}

/// The checks of one phase that are asked, at least one.
#[derive(Debug, Clone)]
pub struct Selection {
    phase: Phase,
    checks: Vec<&'static Check>,
    node: Option<String>,
}

impl Selection {
    /// Returns what the filters leave of a phase.
    pub fn new(phase: Phase, filters: &Filters) -> Result<Self, SelectionError> {
        let named = filters.ids.iter().map(|id| check_in(phase, id)).collect::<Result<Vec<_>, _>>()?;
        let categories = filters.categories.iter().map(|name| category(name)).collect::<Result<Vec<_>, _>>()?;
        let is_of_category = |check: &Check| categories.is_empty() || categories.contains(&check.category);
        // Severities are ordered from the worst.
        let is_severe = |check: &Check| filters.severity.is_none_or(|least| check.severity <= least);
        // Who names a check wants its result: it is never left out in silence.
        for check in &named {
            let id = check.id.to_owned();
            if !is_of_category(check) {
                return Err(SelectionError::OfAnotherCategory { id, category: word(&check.category) });
            }
            if !is_severe(check) {
                return Err(SelectionError::LessSevere { id, severity: word(&check.severity) });
            }
        }
        let is_named = |check: &Check| named.is_empty() || named.iter().any(|named| named.id == check.id);
        let checks: Vec<_> =
            checks_of(phase).filter(|check| is_named(check) && is_of_category(check) && is_severe(check)).collect();
        if checks.is_empty() {
            return Err(SelectionError::Nothing);
        }
        Ok(Self { phase, checks, node: filters.node.clone() })
    }

    /// Returns when these checks are asked.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Returns the node that findings may be about, if only one.
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        self.node.as_deref()
    }

    /// Whether nothing was left out, so that one may speak of Mizar as a whole.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.node.is_none() && self.checks.len() == checks_of(self.phase).count()
    }

    /// Returns the sources to read, each once, in the order in which to ask: those of the checks, the nodes to know the
    /// one that is named, and the operator's Deployment where a hint must say in which namespace it is.
    #[must_use]
    pub fn sources(&self) -> Vec<Source> {
        let asked = |source: Source| self.checks.iter().any(|check| check.sources.contains(&source));
        let names_a_namespace = self.checks.iter().any(|check| check.hint.contains(NAMESPACE_OF_HINTS));
        let home_is_unread =
            self.phase == Phase::Health && names_a_namespace && !asked(Source::DaemonSets) && !asked(Source::Releases);
        let also = |source: Source| match source {
            Source::Nodes => self.node.is_some(),
            Source::Deployments => home_is_unread,
            _ => false,
        };
        Source::ALL.iter().copied().filter(|source| asked(*source) || also(*source)).collect()
    }

    /// Whether a check looks at the record of the last change, where it may be read.
    #[must_use]
    pub fn wants_the_change(&self) -> bool {
        self.checks.iter().any(|check| check.id == LOOKS_AT_THE_CHANGE)
    }

    /// Judges the facts. Fails if the node that was named does not exist.
    pub fn judge(&self, facts: &Facts, options: &Options) -> Result<Report, SelectionError> {
        let mut report = judge(self.checks.iter().copied(), facts, options);
        if let Some(node) = &self.node {
            assert_exists(node, facts)?;
            report.results.iter_mut().for_each(|result| narrow(result, node));
        }
        Ok(report)
    }

    /// Whether one of the checks that stand in the way or may still settle looks at one of these sources.
    #[must_use]
    pub fn waits_for(&self, report: &Report, sources: &[Source]) -> bool {
        let is_waited_for = |result: &CheckResult| result.blocks() || result.settles.is_some();
        let blocks = |check: &Check| report.result(check.id).is_some_and(is_waited_for);
        let looks = |check: &Check| check.sources.iter().any(|source| sources.contains(source));
        self.checks.iter().any(|check| blocks(check) && looks(check))
    }
}

/// Judges the facts by some checks; the hints name the namespace of the release.
pub(super) fn judge(checks: impl Iterator<Item = &'static Check>, facts: &Facts, options: &Options) -> Report {
    let results = checks.map(|check| {
        let mut result = check.run(facts, options);
        result.hint = result.hint.map(|hint| hint.replace(NAMESPACE_OF_HINTS, &options.namespace));
        result
    });
    Report { results: results.collect() }
}

/// Finds a check by its id; `check/ID` is what `-o name` prints.
pub fn lookup(id: &str) -> Result<&'static Check, SelectionError> {
    let id = id.strip_prefix("check/").unwrap_or(id);
    CHECKS.iter().find(|check| check.id == id).ok_or_else(|| SelectionError::NoSuchCheck {
        id: id.to_owned(),
        nearest: nearest(id, CHECKS.iter().map(|check| check.id)).map(str::to_owned),
    })
}

fn check_in(phase: Phase, id: &str) -> Result<&'static Check, SelectionError> {
    let check = lookup(id)?;
    match phase {
        _ if check.phases.contains(&phase) => Ok(check),
        Phase::Health => Err(SelectionError::BeforeInstallOnly { id: check.id.to_owned() }),
        Phase::Preflight => Err(SelectionError::AfterInstallOnly { id: check.id.to_owned() }),
    }
}

fn category(name: &str) -> Result<Category, SelectionError> {
    let known = CHECKS.iter().map(|check| check.category).find(|category| word(category) == name.to_lowercase());
    known.ok_or_else(|| SelectionError::NoSuchCategory {
        name: name.to_owned(),
        nearest: nearest(name, categories().iter().map(String::as_str)).map(str::to_owned),
    })
}

/// Returns the names of all categories, in their order.
#[must_use]
pub fn categories() -> Vec<String> {
    let mut categories: Vec<Category> = CHECKS.iter().map(|check| check.category).collect();
    categories.sort_unstable();
    categories.dedup();
    categories.iter().map(word).collect()
}

/// Returns the word by which JSON and flags name a category, severity or phase.
pub fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        other => format!("{other:?}"),
    }
}

fn assert_exists(node: &str, facts: &Facts) -> Result<(), SelectionError> {
    // Without the right to list nodes nobody knows; the checks say so.
    let Some(nodes) = facts.nodes.known() else { return Ok(()) };
    if nodes.iter().any(|known| known.name == *node) {
        return Ok(());
    }
    let names = nodes.iter().map(|known| known.name.as_str());
    Err(SelectionError::NoSuchNode { name: node.to_owned(), nearest: nearest(node, names).map(str::to_owned) })
}

/// Returns the node that a piece of evidence is about; nothing where it is about the cluster.
#[must_use]
pub fn node_of(evidence: &Evidence) -> Option<&str> {
    evidence.node.as_deref().or_else(|| evidence.object.strip_prefix("Node "))
}

/// Keeps of a finding what concerns a node: what is about that node, and what is about none in particular.
fn narrow(result: &mut CheckResult, node: &str) {
    let total = result.evidence.len();
    result.evidence.retain(|evidence| node_of(evidence).is_none_or(|other| other == node));
    if result.evidence.len() == total || !result.status.asks_for_action() {
        return;
    }
    if let Some(first) = result.evidence.first() {
        let more = result.evidence.len() - 1;
        let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
        result.message = format!("{} {}: {}{rest}", first.object, first.field, first.seen);
    } else {
        result.status = Status::Pass;
        result.hint = None;
        result.settles = None;
        result.message = format!("nothing on {node}; elsewhere: {}", result.message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::samples::{a_healthy_cluster, now};
    use crate::facts::{Fetched, Readiness};

    fn select(phase: Phase, filters: &Filters) -> Selection {
        Selection::new(phase, filters).expect("a good selection")
    }

    fn ids(selection: &Selection) -> Vec<&'static str> {
        selection.checks.iter().map(|check| check.id).collect()
    }

    fn only(id: &str) -> Filters {
        Filters { ids: vec![id.to_owned()], ..Filters::default() }
    }

    #[test]
    fn nothing_asked_means_every_check_of_the_phase() {
        let whole = select(Phase::Health, &Filters::default());
        assert!(whole.is_whole());
        assert_eq!(whole.checks.len(), checks_of(Phase::Health).count());
        assert!(!select(Phase::Health, &only("nodes-ready")).is_whole());
    }

    #[test]
    fn filters_are_combined_and_a_printed_name_is_an_id() {
        let filters = Filters { ids: vec!["check/nodes-ready".into(), "daemon".into()], ..Filters::default() };
        assert_eq!(ids(&select(Phase::Health, &filters)), ["nodes-ready", "daemon"]);
        let filters = Filters { categories: vec!["nodes".into(), "components".into()], ..filters };
        assert_eq!(ids(&select(Phase::Health, &filters)), ["nodes-ready", "daemon"]);
        let blockers = Filters { severity: Some(Severity::Blocker), ..Filters::default() };
        assert!(select(Phase::Health, &blockers).checks.iter().all(|check| check.severity == Severity::Blocker));
        let warnings = Filters { severity: Some(Severity::Warning), ..Filters::default() };
        assert!(ids(&select(Phase::Health, &warnings)).contains(&"nodes-ready"));
    }

    #[test]
    fn only_what_the_selected_checks_look_at_is_read() {
        assert_eq!(select(Phase::Health, &only("nodes-ready")).sources(), [Source::Nodes]);
        // Its hint names the namespace of the operator.
        assert_eq!(select(Phase::Health, &only("vpcs")).sources(), [Source::Deployments, Source::Vpcs]);
        assert!(select(Phase::Health, &only("unfinished-restart")).wants_the_change());
        assert!(!select(Phase::Health, &only("vpcs")).wants_the_change());
        let on_a_node = Filters { node: Some("node-1".into()), ..only("system-source") };
        assert!(select(Phase::Health, &on_a_node).sources().contains(&Source::Nodes));
    }

    #[test]
    fn unknown_names_are_refused_with_the_nearest() {
        let refused = |phase, filters: &Filters| Selection::new(phase, filters).expect_err("refused");
        let error = refused(Phase::Health, &only("node-ready"));
        assert_eq!(error.to_string(), r#"there is no check "node-ready"; did you mean nodes-ready?"#);
        assert_eq!(error.hint(), "see all checks: kubectl mizar explain");
        let error = refused(Phase::Health, &Filters { categories: vec!["node".into()], ..Filters::default() });
        assert_eq!(error.to_string(), r#"there is no category "node"; did you mean nodes?"#);
        assert!(error.hint().starts_with("the categories are access, nodes, installation"), "{}", error.hint());
        let error = refused(Phase::Health, &only("node-kernel"));
        assert_eq!(error.hint(), "kubectl mizar check --pre --check node-kernel");
        assert_eq!(
            refused(Phase::Preflight, &only("daemon")).hint(),
            "leave out --pre: kubectl mizar check --check daemon"
        );
    }

    #[test]
    fn a_check_that_was_named_is_never_left_out_in_silence() {
        let refused = |filters: &Filters| Selection::new(Phase::Health, filters).expect_err("refused");
        let both = Filters { ids: vec!["nodes-ready".into(), "daemon".into()], ..Filters::default() };
        let error = refused(&Filters { categories: vec!["nodes".into()], ..both.clone() });
        assert_eq!(error.to_string(), "the check daemon is of category components, which was not asked for");
        assert_eq!(error.hint(), "leave out --category: kubectl mizar check --check daemon");
        let blockers = Filters { severity: Some(Severity::Blocker), ..only("leaked-endpoints") };
        let error = refused(&blockers);
        assert_eq!(error.to_string(), "the check leaked-endpoints is only a warning, and worse ones were asked for");
        assert_eq!(error.hint(), "leave out --severity: kubectl mizar check --check leaked-endpoints");
        let nothing = Filters { categories: vec!["arktos".into()], severity: Some(Severity::Blocker), ..both };
        assert!(matches!(refused(&nothing), SelectionError::OfAnotherCategory { .. }));
    }

    #[test]
    fn a_node_sees_its_own_findings_and_those_of_the_cluster() {
        let mut facts = a_healthy_cluster();
        let nodes = facts.nodes.edit();
        nodes[1].readiness = Readiness::NotReady;
        nodes[2].readiness = Readiness::NotReady;
        let on = |name: &str| {
            let filters = Filters { node: Some(name.into()), ..only("nodes-ready") };
            select(Phase::Health, &filters).judge(&facts, &Options::at(now()))
        };
        let ill = on("node-2").expect("it exists").results.remove(0);
        assert_eq!((ill.status, ill.evidence.len()), (Status::Fail, 1));
        assert_eq!(ill.message, "Node node-2 status.conditions[Ready]: False");
        let well = on("node-1").expect("it exists").results.remove(0);
        assert_eq!((well.status, &well.hint), (Status::Pass, &None));
        assert!(well.message.starts_with("nothing on node-1; elsewhere: 1 of 3 nodes fine"), "{}", well.message);
        let error = on("nod-1").expect_err("no such node");
        assert_eq!(error.to_string(), r#"there is no node "nod-1"; did you mean node-1?"#);
    }

    #[test]
    fn a_node_that_nobody_may_look_up_is_unknown_and_not_missing() {
        let facts = Facts { nodes: Fetched::Denied { right: "list nodes".into() }, ..a_healthy_cluster() };
        let filters = Filters { node: Some("node-1".into()), ..only("nodes-ready") };
        let report = select(Phase::Health, &filters).judge(&facts, &Options::at(now())).expect("judged");
        assert_eq!(report.results[0].status, Status::Unknown);
    }

    #[test]
    fn hints_name_the_namespace_of_the_release() {
        let mut facts = a_healthy_cluster();
        facts.vpcs.edit()[0].object.status = "Init".into();
        let options = Options { namespace: "net".into(), ..Options::at(now()) };
        let report = select(Phase::Health, &only("vpcs")).judge(&facts, &options).expect("judged");
        let hint = report.results[0].hint.clone().expect("a hint");
        assert!(hint.contains("-n net ") && !hint.contains("mizar-system"), "{hint}");
    }
}
