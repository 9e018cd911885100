//! The status for people: one screen, drawn anew in place on a terminal and block by block elsewhere.

use std::fmt::Write as _;

use mizar_core::facts::Illegible;
use mizar_core::installed::{Found, Installed};
use mizar_core::status::change::Change;
use mizar_core::status::networks::{Share, SubnetState, VpcState};
use mizar_core::status::{NodeCounts, Status};
use mizar_core::words::counted;

use super::format;
use super::style::{ERROR, FAINT, GOOD, HINT, STRONG, WARN, mark};

/// How many networks a screen shows.
const NETWORKS_SHOWN: usize = 8;

/// The names of what runs, as kubectl prints names.
pub(crate) fn names(status: &Status) -> String {
    let workloads = [
        ("daemonset.apps/mizar-daemon", &status.mizar.daemon),
        ("deployment.apps/mizar-operator", &status.mizar.operator),
    ];
    let workloads = workloads.into_iter().filter(|(_, found)| found.workload().is_some());
    let vpcs = status.networks.iter().flatten();
    let networks = vpcs.flat_map(|vpc| {
        let subnets = vpc.subnets.iter().flatten().map(|subnet| format!("subnet.mizar.com/{}", subnet.name));
        std::iter::once(format!("vpc.mizar.com/{}", vpc.name)).chain(subnets)
    });
    format::names(workloads.map(|(name, _)| name.to_owned()).chain(networks))
}

/// Lays out a status.
pub(crate) fn screen(status: &Status) -> String {
    let mut text = String::new();
    head(&mut text, "Cluster");
    cluster(&mut text, status);
    head(&mut text, "Mizar");
    versions(&mut text, status);
    if !status.is_not_installed() {
        head(&mut text, "Networks");
        networks(&mut text, status.networks.as_deref());
    }
    head(&mut text, "Change");
    line(&mut text, &change(&status.change));
    if !status.is_not_installed() {
        head(&mut text, &format!("Findings: {}", status.checks));
        findings(&mut text, status);
    }
    for gap in &status.unread {
        let _infallible = writeln!(text, "{WARN}?{WARN:#} not read: {}: {}", gap.what, gap.why);
    }
    match &status.next {
        Some(next) => {
            let _infallible = writeln!(text, "{HINT}next:{HINT:#} {next}");
        }
        None => {
            let _infallible = writeln!(text, "{GOOD}nothing to do{GOOD:#}");
        }
    }
    text
}

fn head(text: &mut String, title: &str) {
    let _infallible = writeln!(text, "{STRONG}{title}{STRONG:#}");
}

fn line(text: &mut String, content: &str) {
    let _infallible = writeln!(text, "  {content}");
}

fn cluster(text: &mut String, status: &Status) {
    let version = status.server.version.as_deref().unwrap_or("of unknown version");
    match &status.server.address {
        Some(address) => line(text, &format!("server       {address} {FAINT}({version}){FAINT:#}")),
        None => line(text, &format!("server       {version}, from a file")),
    }
    line(text, &format!("environment  {}", status.environment.title()));
    line(text, &format!("nodes        {}", nodes(&status.nodes, status.is_not_installed())));
    if !status.nodes.cordoned_by_us.is_empty() {
        let names = status.nodes.cordoned_by_us.join(", ");
        line(text, &format!("             {WARN}cordoned by a change of Mizar: {names}{WARN:#}"));
    }
}

fn nodes(nodes: &NodeCounts, bare: bool) -> String {
    let (Some(total), Some(ready)) = (nodes.total, nodes.ready) else { return "unknown".to_owned() };
    let cluster = format!("{total}, {ready} ready");
    if bare {
        return cluster;
    }
    let share = |count: Option<usize>| match (count, nodes.eligible) {
        (Some(count), Some(eligible)) => tinted(format!("{count} of {eligible}"), count >= eligible),
        (Some(count), None) => count.to_string(),
        (None, _) => "an unknown number".to_owned(),
    };
    format!("{cluster}; daemon ready on {}, Droplet on {}", share(nodes.with_daemon), share(nodes.with_droplet))
}

/// What is short of what it should be stands out.
fn tinted(text: String, is_fine: bool) -> String {
    if is_fine { text } else { format!("{ERROR}{text}{ERROR:#}") }
}

fn versions(text: &mut String, status: &Status) {
    let mizar = &status.mizar;
    line(text, &format!("kubectl-mizar {}", status.plugin));
    if status.is_not_installed() {
        line(text, "not installed");
        return;
    }
    line(text, &format!("release      {}", release(mizar)));
    line(text, &format!("operator     {}", workload(&mizar.operator)));
    line(text, &format!("daemon       {}", workload(&mizar.daemon)));
}

/// What is recorded of the releases, in words; `env` says the same.
pub(super) fn release(mizar: &Installed) -> String {
    let place = mizar.namespace.as_ref().map(|namespace| format!(" in namespace {namespace}")).unwrap_or_default();
    let chart = mizar.chart.as_ref().map(|chart| format!(" {FAINT}(chart {chart}){FAINT:#}")).unwrap_or_default();
    match mizar.releases.as_deref() {
        None => format!("unknown{place}{chart}"),
        Some([]) if mizar.can_be_adopted => {
            let by = "an old installation, by a script or kubectl: no release is recorded of it";
            format!("{WARN}not recorded{WARN:#}: {by}{place}{chart}")
        }
        Some([]) => format!("not recorded: no Helm and no kubectl-mizar installed it{place}{chart}"),
        Some(releases) => {
            let told: Vec<String> = releases
                .iter()
                .map(|one| {
                    let status = tinted(one.status.clone(), one.status == "deployed");
                    format!("{} revision {} {status}", one.name, one.revision)
                })
                .collect();
            format!("{}{place}{chart}", told.join(", "))
        }
    }
}

/// What a workload runs, in words; `env` says the same.
pub(super) fn workload(found: &Found) -> String {
    let workload = match found {
        Found::There(workload) => workload,
        Found::Unknown { unknown } => return format!("{WARN}unknown{WARN:#}: {unknown}"),
        Found::Missing => return format!("{ERROR}not there{ERROR:#}"),
    };
    let ready = format!("{} of {} ready", workload.ready, workload.desired);
    let ready = tinted(ready, workload.ready >= workload.desired && workload.desired > 0);
    let mut text = format!("{}, {ready}", workload.images.join(", "));
    if !workload.other_images.is_empty() {
        let _infallible = write!(text, "; {WARN}some pods run {}{WARN:#}", workload.other_images.join(", "));
    }
    text
}

fn networks(text: &mut String, vpcs: Option<&[VpcState]>) {
    let Some(vpcs) = vpcs else { return line(text, "unknown") };
    if vpcs.is_empty() {
        return line(text, "none");
    }
    for vpc in vpcs.iter().take(NETWORKS_SHOWN) {
        let range = vpc.range.as_deref().unwrap_or("no range yet");
        let dividers = share(vpc.dividers, "Dividers");
        line(text, &format!("{} {range} {FAINT}vni {}{FAINT:#} {}, {dividers}", vpc.name, vpc.vni, state(&vpc.status)));
        match &vpc.subnets {
            None => line(text, "  Subnets unknown"),
            Some(subnets) => subnets.iter().take(NETWORKS_SHOWN).for_each(|subnet| line(text, &of_subnet(subnet))),
        }
    }
    let subnets = vpcs.iter().filter_map(|vpc| vpc.subnets.as_ref()?.len().checked_sub(NETWORKS_SHOWN)).sum::<usize>();
    let hidden = vpcs.len().saturating_sub(NETWORKS_SHOWN);
    if hidden + subnets > 0 {
        let hidden = [counted(hidden, "more Vpc"), counted(subnets, "more Subnet")].join(", ");
        line(text, &format!("{FAINT}and {hidden} (-o json shows all){FAINT:#}"));
    }
}

fn of_subnet(subnet: &SubnetState) -> String {
    let range = subnet.range.as_deref().unwrap_or("no range yet");
    let used = match (subnet.used, subnet.addresses) {
        (Some(used), Some(all)) => format!("{used} of {all} addresses in use"),
        _ => "addresses in use unknown".to_owned(),
    };
    format!("  {} {range} {}, {}, {used}", subnet.name, state(&subnet.status), share(subnet.bouncers, "Bouncers"))
}

fn state(status: &str) -> String {
    match status {
        "Provisioned" => "Provisioned".to_owned(),
        "" => format!("{WARN}without a status{WARN:#}"),
        other => format!("{WARN}{other}{WARN:#}"),
    }
}

fn share(share: Option<Share>, what: &str) -> String {
    match share {
        None => format!("{what} unknown"),
        Some(Share { provisioned, wanted: None }) => format!("{provisioned} {what}"),
        Some(Share { provisioned, wanted: Some(wanted) }) => {
            let enough = usize::try_from(wanted).is_ok_and(|wanted| provisioned >= wanted);
            tinted(format!("{provisioned} of {wanted} {what}"), enough)
        }
    }
}

fn change(change: &Change) -> String {
    let at = |stage: &Option<String>, done: usize, stages: usize| {
        let stage = stage.as_deref().unwrap_or("the end");
        format!("at {stage}, {done} of {stages} stages done")
    };
    match change {
        Change::None => "none is recorded".to_owned(),
        Change::Denied { right } => format!("unknown: you are not allowed to {right}"),
        Change::Illegible(Illegible { why, .. }) | Change::Unread { why } => format!("unknown: {why}"),
        Change::Running { command, holder, since, stage, done, stages } => {
            format!("{STRONG}{command}{STRONG:#} by {holder} since {since:.0}: {}", at(stage, *done, *stages))
        }
        Change::Stopped { command, holder, last_sign, stage, done, stages, .. } => {
            let place = at(stage, *done, *stages);
            format!("{ERROR}{command} stopped{ERROR:#}: {holder} was last heard of at {last_sign:.0}, {place}")
        }
        Change::Ended { command, holder, at, outcome, succeeded, message, .. } => {
            let outcome = tinted(outcome.clone(), *succeeded);
            let message = if message.is_empty() { String::new() } else { format!(": {message}") };
            format!("none; {command} by {holder} ended at {at:.0}: {outcome}{message}")
        }
    }
}

fn findings(text: &mut String, status: &Status) {
    if status.worst.is_empty() {
        return line(text, &format!("{GOOD}✓{GOOD:#} nothing asks for action"));
    }
    for result in &status.worst {
        let (sign, style) = mark(result.status);
        line(text, &format!("{style}{sign}{style:#} {} {FAINT}[{}]{FAINT:#}", result.message, result.id));
        if let Some(hint) = &result.hint {
            line(text, &format!("    {HINT}hint:{HINT:#} {hint}"));
        }
    }
}

/// Says why what is shown may not be the present.
pub(crate) fn stale(trouble: &str) -> String {
    format!("{WARN}!{WARN:#} this may be old: {trouble}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use mizar_core::check::Options;
    use mizar_core::facts::Facts;
    use mizar_core::facts_file;
    use mizar_core::status::Seen;

    fn plain(status: &Status) -> String {
        anstream::adapter::strip_str(&screen(status)).to_string()
    }

    fn status(facts: &str, change: Change) -> Status {
        let file = format!(
            r#"{{"apiVersion": "mizar.dev/v1", "kind": "Facts", "facts": {{"gatheredAt": "2026-03-01T12:00:00Z", {facts}}}}}"#
        );
        let facts: Facts = facts_file::from_json(&file).unwrap();
        let seen = Seen { server: Some("https://10.0.0.1:6443"), plugin: "0.1.0", environment: None, change };
        Status::of(&facts, &Options::at(facts.gathered_at), seen)
    }

    #[test]
    fn a_cluster_without_mizar_says_what_to_do() {
        let facts = r#""nodes": {"known": [{"name": "n1", "readiness": "ready"}]}, "version": {"known": {"gitVersion": "v1.36.2",
            "major": "1", "minor": "36"}}, "daemonSets": {"known": []}, "deployments": {"known": []}, "releases": {"known": []}"#;
        assert_eq!(
            plain(&status(facts, Change::None)),
            "Cluster
  server       https://10.0.0.1:6443 (v1.36.2)
  environment  Kubernetes
  nodes        1, 1 ready
Mizar
  kubectl-mizar 0.1.0
  not installed
Change
  none is recorded
next: `kubectl mizar check --pre` tells whether Mizar can be installed here
"
        );
    }

    #[test]
    fn what_is_half_there_is_told_with_numbers() {
        let facts = r#""nodes": {"known": [{"name": "n1", "readiness": "ready", "internalIps": ["10.0.0.1"]}]},
            "daemonSets": {"known": [{"namespace": "m", "name": "mizar-daemon", "desired": 1, "images": ["d:1"],
                "labels": {"helm.sh/chart": "mizar-0.1.0"}}]},
            "deployments": {"known": [{"namespace": "m", "name": "mizar-operator", "replicas": 1, "ready": 1, "images": ["o:1"]}]},
            "releases": {"known": [{"name": "mizar", "namespace": "m", "revision": 2, "status": "pending-install"}]},
            "pods": {"denied": {"right": "list pods"}}, "droplets": {"known": []},
            "vpcs": {"known": [{"object": {"name": "vpc0", "status": "Provisioned"}, "ip": "10.20.0.0", "prefix": "16", "vni": "1",
                "dividers": 1}]}, "dividers": {"known": []},
            "subnets": {"known": [{"object": {"name": "net0", "status": "Init"}, "vpc": "vpc0", "bouncers": 1}]}, "bouncers": {"known": []}"#;
        let change = Change::Running {
            command: "install".into(),
            holder: "ann on desk (process 7)".into(),
            since: "2026-03-01T11:58:00Z".parse::<Timestamp>().unwrap(),
            stage: Some("daemon".into()),
            done: 4,
            stages: 9,
        };
        let text = plain(&status(facts, change));
        for expected in [
            "  nodes        1, 1 ready; daemon ready on an unknown number, Droplet on 0 of 1\n",
            "  release      mizar revision 2 pending-install in namespace m (chart mizar-0.1.0)\n",
            "  operator     o:1, 1 of 1 ready\n",
            "  daemon       d:1, 0 of 1 ready\n",
            "  vpc0 10.20.0.0/16 vni 1 Provisioned, 0 of 1 Dividers\n",
            "    net0 no range yet Init, 0 of 1 Bouncers, addresses in use unknown\n",
            "  install by ann on desk (process 7) since 2026-03-01T11:58:00Z: at daemon, 4 of 9 stages done\n",
            "? not read: pods: you are not allowed to list pods\n",
            "next: wait for install by ann on desk (process 7)",
        ] {
            assert!(text.contains(expected), "{expected:?} is not in\n{text}");
        }
    }

    #[test]
    fn who_may_list_nothing_is_told_so_and_not_that_nothing_is_there() {
        let facts = r#""nodes": {"known": [{"name": "n1", "readiness": "ready"}]}, "pods": {"known": []},
            "droplets": {"denied": {"right": "list droplets.mizar.com"}},
            "daemonSets": {"denied": {"right": "list daemonsets.apps"}},
            "deployments": {"failed": {"reason": "timed out"}}, "releases": {"denied": {"right": "list secrets"}}"#;
        let text = plain(&status(facts, Change::Denied { right: "get secrets m/mizar-operation".into() }));
        for expected in [
            "  nodes        1, 1 ready; daemon ready on 0, Droplet on an unknown number\n",
            "  release      unknown\n",
            "  operator     unknown: timed out\n",
            "  daemon       unknown: you are not allowed to list daemonsets.apps\n",
            "Change\n  unknown: you are not allowed to get secrets m/mizar-operation\n",
        ] {
            assert!(text.contains(expected), "{expected:?} is not in\n{text}");
        }
        assert!(!text.contains("not there") && !text.contains("not installed"), "{text}");
    }
}
