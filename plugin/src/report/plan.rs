//! The plan for people: objects by stage, what it costs the network, and how long it takes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use mizar_core::event::Event;
use mizar_core::plan::{Action, Basis, Change, ExpectedDuration, Impact, NodeImpact, Plan, Stage};
use mizar_core::words::counted;

use super::format::{self, Format};
use super::lines::stage_title;
use super::style::{ERROR, FAINT, GOOD, HINT, STRONG, WARN};
use crate::failure::Failure;

/// How many nodes and pods are named before the rest is counted.
const NAMES_SHOWN: usize = 5;

/// How many characters of one value are shown.
const VALUE_SHOWN: usize = 160;

/// How many fields of one object are shown.
const FIELDS_SHOWN: usize = 8;

/// A plan and nothing else, in any form; `made` is the event that tells it to machines.
pub(crate) fn alone(format: &Format, made: &Event, plan: &Plan, impact: &Impact) -> Result<String, Failure> {
    format.write_or(
        || made.document(),
        || match format {
            Format::Name => format::names(
                plan.changes().filter(|change| change.writes()).map(|change| change.object.resource_name()),
            ),
            _ => text(plan, impact),
        },
    )
}

/// Lays out a plan, what stands in its way, and what it does to the network.
pub(crate) fn text(plan: &Plan, impact: &Impact) -> String {
    let mut text = objects(plan);
    impact_lines(&mut text, impact);
    text
}

/// Lays out what a plan does to objects.
pub(crate) fn objects(plan: &Plan) -> String {
    titled(plan, stage_title)
}

/// The same; `title` says what a stage is about.
pub(super) fn titled(plan: &Plan, title: fn(&str) -> &str) -> String {
    let mut text = String::new();
    for stage in plan.stages.iter().filter(|stage| stage.changes.iter().any(Change::writes)) {
        stage_lines(&mut text, stage, title(stage.name.as_str()));
    }
    text.push_str(&obstacles(plan));
    left_lines(&mut text, plan);
    let _infallible = writeln!(text, "{STRONG}Objects:{STRONG:#} {}", plan.counts());
    text
}

/// The same without colours, to be kept in a file.
pub(crate) fn plain(plan: &Plan, impact: &Impact) -> String {
    anstream::adapter::strip_str(&text(plan, impact)).to_string()
}

/// What stands in the way of a plan, and what to do about it.
pub(super) fn obstacles(plan: &Plan) -> String {
    let mut text = String::new();
    if plan.is_allowed() {
        return text;
    }
    let _infallible = writeln!(text, "{ERROR}In the way{ERROR:#}");
    for conflict in &plan.conflicts {
        let _infallible = writeln!(text, "  {ERROR}!{ERROR:#} {} {}", conflict.object, conflict.why);
        for field in &conflict.fields {
            let _infallible = writeln!(text, "      {field}");
        }
        let _infallible = writeln!(text, "      {HINT}hint:{HINT:#} {}", conflict.hint);
    }
    for refusal in &plan.refusals {
        let _infallible = writeln!(text, "  {ERROR}!{ERROR:#} {} {}", refusal.object, refusal.why);
        for field in refusal.fields.iter().take(FIELDS_SHOWN) {
            let _infallible = writeln!(text, "      {}", field.path);
        }
        let _infallible = writeln!(text, "      {HINT}hint:{HINT:#} {}", refusal.hint);
    }
    text
}

fn stage_lines(text: &mut String, stage: &Stage, title: &str) {
    let release = stage.release.as_deref().map_or_else(String::new, |release| format!(" (release {release})"));
    let _infallible = writeln!(text, "{STRONG}{title}{STRONG:#}{FAINT}{release}{FAINT:#}");
    for change in &stage.changes {
        let (sign, style) = match &change.action {
            Action::Create => ("+", GOOD),
            Action::Update { .. } => ("~", WARN),
            Action::Delete => ("-", ERROR),
            Action::Keep { .. } | Action::Unchanged => continue,
        };
        let _infallible = writeln!(text, "  {style}{sign}{style:#} {}{}", change.object, taken_over(change));
        if let Action::Update { fields } = &change.action {
            // What an object is for before what is noted about it.
            let (notes, content): (Vec<_>, Vec<_>) =
                fields.iter().partition(|field| field.path.starts_with(".metadata"));
            for field in content.into_iter().chain(notes).take(FIELDS_SHOWN) {
                let (before, after) = (shown(field.before.as_ref()), shown(field.after.as_ref()));
                let _infallible = writeln!(text, "      {}: {before} → {after}", field.path);
            }
            if let Some(more) = fields.len().checked_sub(FIELDS_SHOWN).filter(|more| *more > 0) {
                let _infallible = writeln!(text, "      and {more} more fields (-o json shows all)");
            }
        }
    }
}

/// A value on its line; what is longer than a line is cut.
fn shown(value: Option<&serde_json::Value>) -> String {
    let text = value.map_or_else(|| "nothing".to_owned(), ToString::to_string);
    match text.char_indices().nth(VALUE_SHOWN) {
        Some((end, _)) => format!("{}… (cut; -o json shows all)", &text[..end]),
        None => text,
    }
}

/// That an object is of an old installation, and whose fields become ours with it.
fn taken_over(change: &Change) -> String {
    match change.takes_over.as_deref() {
        None => String::new(),
        Some([]) => format!(" {HINT}(of the old installation){HINT:#}"),
        Some(managers) => {
            format!(" {HINT}(taken over, with the fields that {} has set){HINT:#}", managers.join(", "))
        }
    }
}

/// What of an old installation stays, and why.
fn left_lines(text: &mut String, plan: &Plan) {
    let old = plan.changes().filter(|change| change.takes_over.is_some());
    for change in old {
        if let Action::Keep { why } = &change.action {
            let _infallible = writeln!(text, "{STRONG}Left as it is:{STRONG:#} {}: {why}", change.object);
        }
    }
}

fn impact_lines(text: &mut String, impact: &Impact) {
    daemon_line(text, impact);
    if !impact.daemon_restarts.is_empty() {
        forwarding_line(text, &impact.daemon_restarts);
        budget_lines(text, &impact.daemon_restarts);
    }
    for reason in &impact.unknown {
        let _infallible = writeln!(text, "{STRONG}Unknown:{STRONG:#} {WARN}{reason}{WARN:#}");
    }
    if impact.erases_other_cni_files {
        let nodes = counted(impact.nodes_with_new_daemon.len(), "node");
        let _infallible = writeln!(
            text,
            "{STRONG}Node files:{STRONG:#} {WARN}every other file in /etc/cni/net.d on {nodes} is erased{WARN:#} (saved on the node first)"
        );
    }
    expected_line(text, impact.expected);
}

/// How long it is likely to take.
pub(super) fn expected_line(text: &mut String, expected: ExpectedDuration) {
    let (least, most) = (seconds(expected.at_least), seconds(expected.at_most));
    if most != "0 s" {
        let basis = match expected.basis {
            Basis::Estimates => "an estimate",
            Basis::LastChange => "by what the last change took here",
        };
        let _infallible =
            writeln!(text, "{STRONG}Expected duration:{STRONG:#} {least} to {most} {FAINT}({basis}){FAINT:#}");
    }
}

/// Which daemons start, restart or go, and what that cuts.
fn daemon_line(text: &mut String, impact: &Impact) {
    let restarts: Vec<String> = impact.daemon_restarts.iter().map(|node| node.node.clone()).collect();
    let (what, nodes) = if !restarts.is_empty() {
        ("restarts, one after the other, on", &restarts)
    } else if !impact.nodes_losing_daemon.is_empty() {
        ("goes for good on", &impact.nodes_losing_daemon)
    } else if !impact.nodes_with_new_daemon.is_empty() {
        ("starts on", &impact.nodes_with_new_daemon)
    } else {
        let _infallible =
            writeln!(text, "{STRONG}Network:{STRONG:#} no daemon starts or restarts; no pod loses its network");
        return;
    };
    let _infallible =
        writeln!(text, "{STRONG}Daemon:{STRONG:#} {what} {}: {}", counted(nodes.len(), "node"), some_of(nodes));
    let pods: Vec<String> = impact.pods_losing_network.values().flatten().cloned().collect();
    let _infallible = match pods.len() {
        0 => writeln!(text, "{STRONG}Network:{STRONG:#} no running pod loses its network"),
        1 => writeln!(
            text,
            "{STRONG}Network:{STRONG:#} {WARN}1 pod loses its network until it is recreated{WARN:#}: {}",
            pods[0]
        ),
        all => writeln!(
            text,
            "{STRONG}Network:{STRONG:#} {WARN}{all} pods lose their network until they are recreated{WARN:#}: {}",
            some_of(&pods)
        ),
    };
}

/// What forwards for pods of other nodes, too.
fn forwarding_line(text: &mut String, nodes: &[NodeImpact]) {
    let on = |parts: &dyn Fn(&NodeImpact) -> usize| {
        let there = nodes.iter().filter(|node| parts(node) > 0);
        let names: Vec<String> = there.clone().map(|node| node.node.clone()).collect();
        (there.map(parts).sum::<usize>(), names)
    };
    for (what, (parts, names)) in
        [("Bouncer", on(&|node| node.bouncers.len())), ("Divider", on(&|node| node.dividers.len()))]
    {
        if parts > 0 {
            let _infallible =
                writeln!(text, "{STRONG}{what}s:{STRONG:#} {} on {}", counted(parts, what), some_of(&names));
        }
    }
}

/// The budgets in the way, each once for all nodes.
fn budget_lines(text: &mut String, nodes: &[NodeImpact]) {
    let mut budgets: BTreeMap<&str, (u32, usize, Vec<String>)> = BTreeMap::new();
    for (node, budget) in nodes.iter().flat_map(|node| node.budgets.iter().map(move |budget| (node, budget))) {
        let entry = budgets.entry(&budget.budget).or_insert((budget.allowed, 0, Vec::new()));
        entry.1 += budget.pods.len();
        entry.2.push(node.node.clone());
    }
    if budgets.is_empty() {
        return;
    }
    let _infallible = writeln!(
        text,
        "{STRONG}In the way of evictions:{STRONG:#} {WARN}{}{WARN:#}",
        counted(budgets.len(), "PodDisruptionBudget")
    );
    for (name, (allowed, pods, nodes)) in budgets.iter().take(NAMES_SHOWN) {
        let allows = match allowed {
            0 => "allows no disruption now".to_owned(),
            allowed => format!("allows {} at a time", counted(*allowed as usize, "disruption")),
        };
        let _infallible = writeln!(text, "  {name} {allows}: {} on {}", counted(*pods, "pod"), some_of(nodes));
    }
    if let Some(more) = budgets.len().checked_sub(NAMES_SHOWN).filter(|more| *more > 0) {
        let _infallible = writeln!(text, "  and {more} more (-o json shows all)");
    }
}

fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 120 { format!("{seconds} s") } else { format!("{} min", seconds.div_ceil(60)) }
}

pub(super) fn some_of(names: &[String]) -> String {
    let shown = names.iter().take(NAMES_SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(NAMES_SHOWN) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}

#[cfg(test)]
mod tests {
    use mizar_core::facts::DisruptionBudgetFact;
    use mizar_core::object::Object;
    use mizar_core::plan::{
        Marks, PartKind, PartOnNode, PlanInput, PodOnNode, ReleaseInput, StagedObject, Surroundings, decide,
    };
    use mizar_core::site::Site;
    use serde_json::{Value, json};

    use super::*;

    const MARKS: Marks<'_> = Marks { release: "mizar", namespace: "mizar-system" };

    fn workload(kind: &str, image: &str) -> Value {
        json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": format!("mizar-{}", kind.to_lowercase()),
            "namespace": "mizar-system"}, "spec": {"template": {"spec": {"containers": [{"name": "a", "image": image}]}}}})
    }

    fn plan(wanted: &[Value], live: &[Value]) -> Plan {
        let object = |value: &Value| Object::new(value.clone()).unwrap();
        let release = ReleaseInput {
            name: "mizar".into(),
            namespace: "mizar-system".into(),
            site: Site::Management,
            first_install: live.is_empty(),
            objects: wanted.iter().map(|value| StagedObject::new(None, object(value))).collect(),
            hooks: Vec::new(),
            recorded: Vec::new(),
        };
        let live = live.iter().map(|value| (Site::Management, MARKS.put_on(object(value)))).collect();
        decide(&PlanInput { releases: vec![release], live, ..PlanInput::default() })
    }

    /// A cluster of so many nodes, each with two pods of an application whose budget allows none to go.
    fn around(count: usize) -> Surroundings {
        let nodes: Vec<String> = (1..=count).map(|at| format!("node-{at}")).collect();
        let pod = |node: &String, name: &str| PodOnNode {
            node: node.clone(),
            pod: format!("shop/{name}-{node}"),
            labels: [("app".to_owned(), name.to_owned())].into(),
            ..PodOnNode::default()
        };
        let budget = json!({"metadata": {"name": "web", "namespace": "shop"},
            "spec": {"selector": {"matchLabels": {"app": "web"}}}, "status": {"disruptionsAllowed": 0}});
        Surroundings {
            pods: nodes.iter().flat_map(|node| [pod(node, "web"), pod(node, "db")]).collect(),
            parts: vec![
                PartOnNode { node: "node-2".into(), kind: PartKind::Bouncer, name: "net0-b-1".into() },
                PartOnNode { node: "node-1".into(), kind: PartKind::Divider, name: "vpc0-d-1".into() },
            ],
            budgets: vec![DisruptionBudgetFact::from_object(&budget)],
            nodes,
            ..Surroundings::default()
        }
    }

    fn shown(plan: &Plan, around: &Surroundings) -> String {
        plain(plan, &Impact::of(plan, around))
    }

    #[test]
    fn a_first_install_fits_on_a_screen_at_fifty_nodes() {
        let plan = plan(&[workload("DaemonSet", "d:1"), workload("Deployment", "o:1")], &[]);
        assert_eq!(
            shown(&plan, &around(50)),
            "daemon on every eligible node (release mizar)
  + DaemonSet mizar-system/mizar-daemonset
operator (release mizar)
  + Deployment mizar-system/mizar-deployment
Objects: 2 to create
Daemon: starts on 50 nodes: node-1, node-2, node-3, node-4, node-5 and 45 more
Network: 100 pods lose their network until they are recreated: shop/web-node-1, shop/db-node-1, shop/web-node-10, shop/db-node-10, shop/web-node-11 and 95 more
Node files: every other file in /etc/cni/net.d on 50 nodes is erased (saved on the node first)
Expected duration: 109 s to 12 min (an estimate)
"
        );
    }

    #[test]
    fn another_daemon_fits_on_a_screen_at_fifty_nodes_and_tells_what_is_cut() {
        let live = [workload("DaemonSet", "d:1")];
        let mut plan = plan(&[workload("DaemonSet", "d:2")], &live);
        // As an upgrade may do it.
        plan.refusals.clear();
        assert_eq!(
            shown(&plan, &around(50)),
            "daemon on every eligible node (release mizar)
  ~ DaemonSet mizar-system/mizar-daemonset
      .spec.template.spec.containers[a].image: \"d:1\" → \"d:2\"
Objects: 1 to change
Daemon: restarts, one after the other, on 50 nodes: node-1, node-2, node-3, node-4, node-5 and 45 more
Network: 100 pods lose their network until they are recreated: shop/web-node-1, shop/db-node-1, shop/web-node-10, shop/db-node-10, shop/web-node-11 and 95 more
Bouncers: 1 Bouncer on node-2
Dividers: 1 Divider on node-1
In the way of evictions: 1 PodDisruptionBudget
  shop/web allows no disruption now: 50 pods on node-1, node-2, node-3, node-4, node-5 and 45 more
Expected duration: 26 min to 201 min (an estimate)
"
        );
    }

    #[test]
    fn what_stands_in_the_way_is_told_with_field_manager_and_what_to_do() {
        let mut live = workload("DaemonSet", "d:1");
        live["metadata"]["managedFields"] = json!([{"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {
            "f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"a\"}": {"f:image": {}}}}}}}}]);
        let text = shown(&plan(&[workload("DaemonSet", "d:2")], &[live]), &around(1));
        let expected = "In the way
  ! DaemonSet mizar-system/mizar-daemonset has fields that another manager owns and that would change
      .spec.template.spec.containers[a].image is owned by kubectl-edit
      hint: see who set what: kubectl get daemonset.apps mizar-daemonset -n mizar-system -o yaml --show-managed-fields";
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("  ! DaemonSet mizar-system/mizar-daemonset exists and would get another pod template"));
    }

    #[test]
    fn what_could_not_be_read_is_told() {
        let mut around = around(1);
        around.unread = vec!["you are not allowed to list poddisruptionbudgets.policy".to_owned()];
        let text = shown(&plan(&[workload("DaemonSet", "d:2")], &[workload("DaemonSet", "d:1")]), &around);
        assert!(text.contains("Unknown: you are not allowed to list poddisruptionbudgets.policy\n"), "{text}");
    }
}
