//! What `env` found, for people.

use std::fmt::Write as _;

use mizar_core::environment::overview::{Mode, OtherNetwork, Overview, PodNetwork, Services};

use super::status::{release, workload};
use super::style::{FAINT, STRONG, WARN};
use super::table;
use mizar_core::words::counted;

/// Lays out an overview; `server` is the address, which a file of facts does not hold.
pub(crate) fn table(overview: &Overview, server: Option<&str>) -> String {
    let mut text = String::new();
    environment(&mut text, overview);
    head(&mut text, "Cluster");
    let version = overview.server_version.as_deref().unwrap_or("unknown");
    let server = server.map_or_else(|| "from a file".to_owned(), |address| format!("at {address}"));
    row(&mut text, "server", &format!("{version} {FAINT}{server}{FAINT:#}"));
    row(&mut text, "mode", mode(overview.mode));
    let range = |network: &PodNetwork| format!("{} ({})", network.range, network.from);
    row(&mut text, "pod network", &listed(overview.pod_networks.as_deref(), range, "none is known"));
    row(&mut text, "services", &overview.services.as_ref().map_or_else(|| "unknown".to_owned(), services));
    let other = |network: &OtherNetwork| format!("{} ({})", network.name, network.object);
    row(&mut text, "other network", &listed(overview.other_networks.as_deref(), other, "none found"));
    nodes(&mut text, overview);
    head(&mut text, "Mizar");
    mizar(&mut text, overview);
    for gap in &overview.unread {
        let _infallible = writeln!(text, "{WARN}?{WARN:#} not read: {}: {}", gap.what, gap.why);
    }
    text
}

fn environment(text: &mut String, overview: &Overview) {
    let detection = &overview.detection;
    head(text, &format!("Environment: {} ({})", detection.environment.title(), detection.environment));
    if detection.named {
        let detected = detection.detected;
        line(text, &format!("named by --environment; the signs tell of {} ({detected})", detected.title()));
    }
    if detection.evidence.is_empty() {
        line(text, "nothing tells of a special environment");
    }
    for sign in &detection.evidence {
        line(text, &format!("{} {FAINT}{}{FAINT:#}: {} → {}", sign.object, sign.field, sign.seen, sign.tells));
    }
    if detection.hollow_nodes > 0 {
        let hollow = counted(detection.hollow_nodes, "node");
        line(text, &format!("{hollow} pretended by Kubemark, without a daemon"));
    }
    for what in &detection.unread {
        line(text, &format!("{WARN}?{WARN:#} {what} might tell more and could not be read"));
    }
    if let Some(advice) = overview.advice {
        line(text, &format!("{WARN}note:{WARN:#} {advice}"));
    }
}

fn nodes(text: &mut String, overview: &Overview) {
    let Some(nodes) = &overview.nodes else { return row(text, "nodes", "unknown") };
    head(text, &format!("Nodes: {}, {} ready", nodes.total, nodes.ready));
    if nodes.groups.is_empty() {
        return;
    }
    let rows: Vec<Vec<String>> = nodes
        .groups
        .iter()
        .map(|group| {
            let kernel = if group.hollow { format!("{} (Kubemark)", group.kernel) } else { group.kernel.clone() };
            let text = [&kernel, &group.system, &group.architecture, &group.runtime, &group.kubelet];
            std::iter::once(group.count.to_string()).chain(text.map(|cell| or(cell, "-"))).collect()
        })
        .collect();
    for line in table::columns(&["nodes", "kernel", "system", "arch", "runtime", "kubelet"], &rows).lines() {
        self::line(text, line);
    }
}

fn mizar(text: &mut String, overview: &Overview) {
    let mizar = &overview.mizar;
    if mizar.is_known_to_be_missing() {
        return line(text, if overview.unread.is_empty() { "not installed" } else { "not found" });
    }
    row(text, "release", &release(mizar));
    row(text, "operator", &workload(&mizar.operator));
    row(text, "daemon", &workload(&mizar.daemon));
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Kubernetes => "Kubernetes: Mizar's operator watches pods, services and nodes itself",
        Mode::Arktos => "Arktos: Arktos tells Mizar's operator of pods, services and nodes",
        Mode::Neither => "none: ConfigMap kube-system/system-source has no key name, so that an operator does nothing",
        Mode::Unknown => "unknown",
    }
}

fn services(services: &Services) -> String {
    let (Some(lowest), Some(highest)) = (services.lowest, services.highest) else { return "none".to_owned() };
    let api_server = services.api_server.as_deref().unwrap_or("without an address");
    format!("{} with addresses from {lowest} to {highest}; kubernetes is {api_server}", services.count)
}

/// Lists what was found; nothing read is told apart from nothing found.
fn listed<T>(found: Option<&[T]>, tell: impl Fn(&T) -> String, otherwise: &str) -> String {
    found
        .map_or_else(|| "unknown".to_owned(), |all| or(&all.iter().map(tell).collect::<Vec<_>>().join(", "), otherwise))
}

fn or(text: &str, otherwise: &str) -> String {
    if text.is_empty() { otherwise.to_owned() } else { text.to_owned() }
}

fn head(text: &mut String, title: &str) {
    let _infallible = writeln!(text, "{STRONG}{title}{STRONG:#}");
}

fn line(text: &mut String, content: &str) {
    let _infallible = writeln!(text, "  {content}");
}

fn row(text: &mut String, name: &str, content: &str) {
    line(text, &format!("{name:<14} {content}"));
}

#[cfg(test)]
mod tests {
    use mizar_core::environment::overview::overview;
    use mizar_core::facts_file;

    use super::*;

    #[test]
    fn an_overview_reads_well() {
        let facts = r#"{"apiVersion": "mizar.dev/v1", "kind": "Facts", "facts": {
            "nodes": {"known": [{"name": "m-control-plane", "readiness": "ready", "providerId": "kind://docker/m/m-control-plane",
                "kernelVersion": "6.5.0", "osImage": "Debian 12", "architecture": "amd64",
                "containerRuntime": "containerd://1.7.20", "kubeletVersion": "v1.30.0", "podCidrs": ["10.244.0.0/24"]}]},
            "version": {"known": {"gitVersion": "v1.30.0", "major": "1", "minor": "30"}},
            "coreApi": {"known": {"resources": ["pods"]}}, "apiGroups": {"known": {}}, "namespaces": {"known": []},
            "services": {"known": [{"namespace": "default", "name": "kubernetes", "clusterIps": ["10.96.0.1"]}]},
            "daemonSets": {"known": [{"namespace": "kube-system", "name": "kindnet", "desired": 1}]},
            "deployments": {"known": []}, "releases": {"denied": {"right": "list secrets (release records)"}},
            "systemSource": "absent"}}"#;
        let text = table(&overview(&facts_file::from_json(facts).unwrap(), None), Some("https://127.0.0.1:6443"));
        assert_eq!(
            anstream::adapter::strip_str(&text).to_string(),
            "Environment: Kubernetes in Docker (kind) (kind)
  Node m-control-plane spec.providerID: kind://docker/m/m-control-plane → kind
  note: the container network should be made with MTU 9000, which Mizar forces on its interfaces, and the cluster without kindnet (disableDefaultCNI)
Cluster
  server         v1.30.0 at https://127.0.0.1:6443
  mode           Kubernetes: Mizar's operator watches pods, services and nodes itself
  pod network    10.244.0.0/24 (spec.podCIDRs of a node)
  services       1 with addresses from 10.96.0.1 to 10.96.0.1; kubernetes is 10.96.0.1
  other network  kindnet (DaemonSet kube-system/kindnet)
Nodes: 1, 1 ready
  NODES   KERNEL   SYSTEM      ARCH    RUNTIME               KUBELET
  1       6.5.0    Debian 12   amd64   containerd://1.7.20   v1.30.0
Mizar
  not found
? not read: secrets (release records): you are not allowed to list secrets (release records)
"
        );
    }

    #[test]
    fn who_may_list_nothing_is_told_so_and_not_that_nothing_is_there() {
        let facts = r#"{"apiVersion": "mizar.dev/v1", "kind": "Facts", "facts": {
            "nodes": {"denied": {"right": "list nodes"}}, "daemonSets": {"denied": {"right": "list daemonsets.apps"}},
            "deployments": {"denied": {"right": "list deployments.apps"}}, "vpcs": "absent"}}"#;
        let text = table(&overview(&facts_file::from_json(facts).unwrap(), None), None);
        let text = anstream::adapter::strip_str(&text).to_string();
        for expected in [
            "  pod network    unknown\n",
            "  other network  unknown\n",
            "  nodes          unknown\n",
            "  operator       unknown: you are not allowed to list deployments.apps\n",
            "  daemon         unknown: you are not allowed to list daemonsets.apps\n",
        ] {
            assert!(text.contains(expected), "{expected:?} is not in\n{text}");
        }
    }
}
