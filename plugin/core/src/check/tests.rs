//! Every check with facts that make it pass and facts that do not, and what holds for all of them.

mod around;
mod healing;
mod mutations;

use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::facts::samples::*;
use crate::facts::{
    ChangeFact, DaemonSetFact, DeploymentFact, DropletFact, EndpointFact, Fetched, Illegible, NamespaceFact, NodeFact,
    PodFact, PodRole, Readiness, ReleaseFact, RuleSet, SystemSourceFact, Text,
};

fn options() -> Options {
    Options::at(now())
}

fn sample(phase: Phase) -> Facts {
    match phase {
        Phase::Preflight => a_cluster_before(),
        Phase::Health => a_healthy_cluster(),
    }
}

/// Facts with which a check passes.
fn sample_of(check: &Check) -> Facts {
    if check.category == Category::Arktos { a_healthy_arktos() } else { sample(check.phases[0]) }
}

fn every_case() -> Vec<Case> {
    cases().into_iter().chain(around::cases()).chain(healing::cases()).collect()
}

fn run(id: &str, facts: &Facts) -> CheckResult {
    CHECKS.iter().find(|check| check.id == id).expect("a check of the table").run(facts, &options())
}

/// One way in which a check does not pass: what it comes to, a part of what it says, and what is wrong.
struct Case {
    id: &'static str,
    status: Status,
    says: &'static str,
    wrong: fn(&mut Facts),
}

const fn case(id: &'static str, status: Status, says: &'static str, wrong: fn(&mut Facts)) -> Case {
    Case { id, status, says, wrong }
}

fn node(facts: &mut Facts, index: usize) -> &mut NodeFact {
    &mut facts.nodes.edit()[index]
}

fn daemon_pod(facts: &mut Facts, index: usize) -> &mut PodFact {
    facts.pods.edit().iter_mut().filter(|pod| pod.role == PodRole::Daemon).nth(index).expect("a daemon")
}

fn pod_endpoint(facts: &mut Facts) -> &mut EndpointFact {
    facts.endpoints.edit().iter_mut().find(|endpoint| endpoint.kind == "simple").expect("an Endpoint")
}

fn a_repair(change: fn(&mut ChangeFact)) -> Fetched<ChangeFact> {
    let mut repair = ChangeFact { command: "repair".into(), holder: "ann".into(), ..ChangeFact::default() };
    change(&mut repair);
    Fetched::Known(repair)
}

fn damaged() -> Illegible {
    let why = "the record of the last operation in secret m/mizar-operation is damaged: JSON";
    Illegible { why: why.into(), hint: "delete it".into() }
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<Case> {
    use Status::{Fail, Pass, Skipped, Unknown, Warn};
    vec![
        case("kubectl", Warn, "not in PATH", |facts| facts.client.edit().kubectl_path = None),
        case("kubectl", Warn, "does not tell its version", |facts| facts.client.edit().kubectl_version = None),
        case("cluster-version", Fail, "v1.15.3 is too old", |facts| {
            let version = facts.version.edit();
            (version.git_version, version.minor) = ("v1.15.3".into(), "15+".into());
        }),
        case("cluster-version", Pass, "as Arktos does", |facts| {
            let version = facts.version.edit();
            (version.major, version.minor) = (String::new(), String::new());
        }),
        case("cluster-version", Unknown, "calls its version x.36", |facts| facts.version.edit().major = "x".into()),
        case(
            "access",
            Fail,
            "you are not allowed to list/create namespaces, get/patch namespaces mizar-system, ",
            |facts| {
                facts.permissions.edit().rules.insert(String::new(), RuleSet::default());
                facts.permissions.edit().rules.insert("mizar-system".into(), RuleSet::default());
            },
        ),
        case("access", Unknown, "does not tell whether you may", |facts| {
            let nothing_sure = RuleSet { incomplete: true, ..RuleSet::default() };
            facts.permissions.edit().rules.insert(String::new(), nothing_sure);
        }),
        case("access", Unknown, "not known what would be installed", |facts| facts.plan = None),
        case("eligible-nodes", Fail, "none of 3 nodes can run Mizar; node-1, node-2, node-3: its kubelet", |facts| {
            facts.nodes.edit().iter_mut().for_each(|node| node.readiness = Readiness::Lost);
        }),
        case("eligible-nodes", Fail, "no node", |facts| facts.nodes.edit().clear()),
        case("eligible-nodes", Warn, "2 of 3 nodes can run Mizar; node-2: its kubelet", |facts| {
            node(facts, 1).readiness = Readiness::Lost;
        }),
        case(
            "eligible-nodes",
            Pass,
            "1 of 3 nodes can run Mizar; node-1: pretended by Kubemark; node-2: runs windows",
            |facts| {
                node(facts, 0).provider_id = "kubemark://hollow-1".into();
                node(facts, 1).operating_system = "windows".into();
            },
        ),
        case("eligible-nodes", Pass, "3 of 3", |facts| {
            // Before an install there is no network, which is why it is asked for.
            node(facts, 0).readiness = Readiness::NotReady;
            node(facts, 0).network_unavailable = Some(true);
        }),
        case("node-addresses", Fail, "node-2: no InternalIP", |facts| node(facts, 1).internal_ips.clear()),
        case("node-kernel", Fail, "1 of 3 nodes fine; node-1, node-3: kernel 5.4.0-42-generic, needs 5.6", |facts| {
            node(facts, 0).kernel_version = "5.4.0-42-generic".into();
            node(facts, 2).kernel_version = "5.4.0-42-generic".into();
        }),
        case("node-kernel", Unknown, "does not tell its kernel", |facts| node(facts, 0).kernel_version.clear()),
        case("node-kernel", Pass, "all 2 nodes fine", |facts| {
            node(facts, 0).name = "hollow-node-1".into();
            node(facts, 0).kernel_version = "3.16.0-0.bpo.4-amd64".into();
        }),
        case("node-system", Fail, "needs Ubuntu or Debian", |facts| {
            node(facts, 0).os_image = "Container-Optimized OS from Google".into();
        }),
        case("node-runtime", Warn, "container runtime cri-o://1.30.0", |facts| {
            node(facts, 0).container_runtime = "cri-o://1.30.0".into();
        }),
        case("node-architecture", Fail, "architecture s390x", |facts| node(facts, 0).architecture = "s390x".into()),
        case("foreign-cni", Fail, "Calico (DaemonSet kube-system/calico-node, 3 nodes)", |facts| {
            facts.daemon_sets.edit().push(a_foreign_daemon_set("calico-node"));
        }),
        case("foreign-cni", Fail, "flannel", |facts| {
            let mut renamed = a_foreign_daemon_set("network");
            renamed.labels.insert("app".into(), "flannel".into());
            facts.daemon_sets.edit().push(renamed);
        }),
        case("foreign-cni", Pass, "kube-proxy", |facts| {
            let unused = DaemonSetFact { desired: 0, ..a_foreign_daemon_set("cilium") };
            facts.daemon_sets.edit().extend([unused, a_foreign_daemon_set("aws-node-termination-handler")]);
        }),
        case(
            "pod-network-range",
            Fail,
            "pod network 10.20.0.0/16 holds 10.20.0.1 of Service default/kubernetes",
            |facts| {
                facts.services.edit()[0].cluster_ips = vec!["10.20.0.1".into()];
            },
        ),
        case("pod-network-range", Fail, "10.20.9.9 of Node node-2", |facts| {
            node(facts, 1).internal_ips.push("10.20.9.9".into());
        }),
        case("pod-network-range", Fail, "Endpoints default/kubernetes", |facts| {
            facts.api_server.edit().addresses = vec!["10.20.0.5".into()];
        }),
        case("pod-network-range", Fail, "cannot be used: range \"10.20.0.0/99\"", |facts| {
            facts.plan.as_mut().unwrap().pod_network = Some("10.20.0.0/99".into());
        }),
        case("pod-network-range", Warn, "20.0.0.0/8, which v0.6 to v0.91 take by themselves", |facts| {
            facts.plan.as_mut().unwrap().pod_network = None;
            node(facts, 0).internal_ips.push("20.1.1.1".into());
        }),
        case("release-namespace", Fail, "mizar-system is being deleted", |facts| {
            let deleting = minutes_ago(1);
            facts.namespaces.edit().push(NamespaceFact {
                name: "mizar-system".into(),
                deleting,
                ..NamespaceFact::default()
            });
        }),
        case("existing-mizar", Fail, "DaemonSet mizar-system/mizar-daemon", |facts| {
            let foreign = DaemonSetFact { helm: None, ..a_daemon_set() };
            facts.daemon_sets.edit().push(foreign);
        }),
        case("old-installation", Warn, "in namespace mizar-system", |facts| {
            facts.daemon_sets.edit()[0].helm = None;
            facts.deployments.edit()[0].helm = None;
        }),
        case("existing-mizar", Fail, "several namespaces: mizar-system, other", |facts| {
            let other = ReleaseFact { namespace: "other".into(), ..a_release("mizar") };
            facts.releases.edit().extend([a_release("mizar"), other]);
        }),
        case("existing-mizar", Pass, "mizar revision 2 (pending-install)", |facts| {
            let pending = ReleaseFact { revision: 2, status: "pending-install".into(), ..a_release("mizar") };
            facts.releases.edit().extend([a_release("mizar"), pending]);
            facts.daemon_sets.edit().push(a_daemon_set());
        }),
        case("existing-mizar", Pass, "kept by a release", |facts| facts.definitions.edit().push(a_definition("vpcs"))),
        case("system-source", Fail, "has no key name", |facts| {
            facts.system_source = Fetched::Known(SystemSourceFact::default());
        }),
        case("nodes-ready", Fail, "2 of 3 nodes fine; node-2: not ready", |facts| {
            node(facts, 1).readiness = Readiness::NotReady;
        }),
        case("nodes-ready", Fail, "node-3: network unavailable", |facts| {
            node(facts, 2).network_unavailable = Some(true);
        }),
        case("nodes-ready", Fail, "no longer reports", |facts| node(facts, 2).readiness = Readiness::Lost),
        case("definitions", Fail, "vpcs.mizar.com: missing", |facts| {
            facts.definitions.edit().retain(|definition| definition.name != "vpcs.mizar.com");
        }),
        case("definitions", Fail, "not served yet", |facts| facts.definitions.edit()[0].established = false),
        case("definitions", Fail, "its names clash", |facts| facts.definitions.edit()[0].names_accepted = false),
        case("definitions", Fail, "not installed", |facts| facts.definitions.edit().clear()),
        case("daemon", Fail, "2 of 3 daemons fine; node-2: container main waits: ImagePullBackOff", |facts| {
            let pod = daemon_pod(facts, 1);
            pod.ready = false;
            pod.containers[0].ready = false;
            pod.containers[0].waiting = Some("ImagePullBackOff".into());
        }),
        case("daemon", Fail, "node-1: no daemon pod", |facts| {
            facts.pods.edit().retain(|pod| pod.name != "mizar-daemon-1");
        }),
        case("daemon", Fail, "not installed", |facts| facts.daemon_sets.edit().clear()),
        case("daemon", Unknown, "has not looked", |facts| facts.daemon_sets.edit()[0].generation = 2),
        case("daemon", Warn, "restarted 3 times", |facts| daemon_pod(facts, 0).containers[0].restarts = 3),
        case("daemon", Pass, "all 3 daemons fine", |facts| {
            // A lost node cannot have a ready daemon; that it is lost is another check's finding.
            let mut lost = a_node(4);
            lost.readiness = Readiness::Lost;
            facts.nodes.edit().push(lost);
        }),
        case("operator", Fail, "not ready: container main waits: CrashLoopBackOff", |facts| {
            let pod = facts.pods.edit().iter_mut().find(|pod| pod.role == PodRole::Operator).unwrap();
            pod.ready = false;
            pod.containers[0].waiting = Some("CrashLoopBackOff".into());
        }),
        case("operator", Fail, "it has no pod", |facts| facts.pods.edit().retain(|pod| pod.role != PodRole::Operator)),
        case("operator", Fail, "2 operators run at once", |facts| {
            let second = PodFact { name: "mizar-operator-2".into(), ..an_operator_pod() };
            facts.pods.edit().push(second);
        }),
        case("operator", Fail, "2 replicas", |facts| facts.deployments.edit()[0].replicas = 2),
        case("operator", Fail, "not installed", |facts| facts.deployments.edit().clear()),
        case("operator", Fail, "FEATUREGATE_BWQOS is true for the operator and false for the daemon", |facts| {
            facts.deployments.edit()[0].gates.insert("FEATUREGATE_BWQOS".into(), "True".into());
            facts.daemon_sets.edit()[0].gates.insert("FEATUREGATE_BWQOS".into(), "false".into());
        }),
        case("unfinished-restart", Warn, "2 of 3 nodes fine; node-2: kept from new pods by a restart", |facts| {
            (node(facts, 1).cordoned_by, node(facts, 1).unschedulable) = (Some("1b7c".into()), true);
        }),
        case(
            "unfinished-restart",
            Warn,
            "node-2: has the mark of a restart of the operator that was cut off",
            |facts| {
                node(facts, 1).cordoned_by = Some("1b7c".into());
            },
        ),
        case("unfinished-restart", Fail, "repair by ann is gone; node-2: kept from new pods", |facts| {
            (node(facts, 1).cordoned_by, node(facts, 1).unschedulable) = (Some("1b7c".into()), true);
            facts.change = a_repair(|change| change.restart = true);
        }),
        case("unfinished-restart", Fail, "a restart of the operator was cut off", |facts| {
            facts.change = a_repair(|change| change.restart = true);
        }),
        case("unfinished-restart", Warn, "repair by ann was cut off, and what it must still do", |facts| {
            facts.change = a_repair(|change| change.owed = true);
        }),
        case(
            "unfinished-restart",
            Warn,
            "upgrade by ann has stopped in the middle; it keeps new pods from node-2",
            |facts| {
                (node(facts, 1).cordoned_by, node(facts, 1).unschedulable) = (Some("upgrade-1-2".into()), true);
                facts.change = a_repair(|change| (change.command, change.stopped) = ("upgrade".into(), true));
            },
        ),
        case("unfinished-restart", Warn, "uninstall by ann has stopped in the middle", |facts| {
            facts.change = a_repair(|change| (change.command, change.stopped) = ("uninstall".into(), true));
        }),
        case("unfinished-restart", Pass, "all 3 nodes fine", |facts| {
            // A failed install is told by what it has not brought.
            facts.change = a_repair(|change| (change.command, change.stopped) = ("install".into(), true));
        }),
        case("unfinished-restart", Warn, "node-2: kept from new pods", |facts| {
            // Somebody forced the record away, or put the mark there.
            (node(facts, 1).cordoned_by, node(facts, 1).unschedulable) = (Some("1b7c".into()), true);
            facts.change = a_repair(|_| {});
        }),
        case("unfinished-restart", Unknown, "is damaged: JSON; node-2: kept from new pods", |facts| {
            (node(facts, 1).cordoned_by, node(facts, 1).unschedulable) = (Some("1b7c".into()), true);
            facts.change = a_repair(|change| change.illegible = Some(damaged()));
        }),
        case("unfinished-restart", Unknown, "the record of the last operation in secret m/mizar", |facts| {
            facts.change = a_repair(|change| change.illegible = Some(damaged()));
        }),
        case("unfinished-restart", Unknown, "timed out", |facts| {
            facts.change = Fetched::Failed { reason: "timed out".into() };
        }),
        case("unfinished-restart", Pass, "all 3 nodes fine", |facts| {
            facts.change = Fetched::Denied { right: "get secrets m/mizar-operation".into() };
        }),
        case("unfinished-restart", Pass, "repair by ann is at work", |facts| {
            (node(facts, 1).cordoned_by, node(facts, 1).unschedulable) = (Some("1b7c".into()), true);
            facts.change = a_repair(|change| change.at_work = true);
        }),
        case("unfinished-restart", Pass, "all 3 nodes fine", |facts| node(facts, 1).unschedulable = true),
        case("droplets", Fail, "2 of 3 Droplets done; node node-2: has no Droplet yet (192.168.0.2)", |facts| {
            facts.droplets.edit().remove(1);
        }),
        case("droplets", Fail, "whose mac is blank", |facts| facts.droplets.edit()[0].mac = Text::default()),
        case("droplets", Fail, "two Droplets", |facts| {
            let second = DropletFact { object: provisioned("host-1b"), ..a_droplet(1) };
            facts.droplets.edit().push(second);
        }),
        case("droplets", Warn, "host-9: belongs to no node", |facts| facts.droplets.edit().push(a_droplet(9))),
        case("droplets", Skipped, "Mizar is not installed here", |facts| facts.droplets = Fetched::Absent),
        case("vpcs", Fail, "Vpc vpc0: is Init", |facts| facts.vpcs.edit()[0].object.status = "Init".into()),
        case("vpcs", Fail, "Vpc vpc0: does not exist yet", |facts| facts.vpcs.edit().clear()),
        case("dividers", Fail, "Vpc vpc0: has 0 of 1 Dividers", |facts| facts.dividers.edit().clear()),
        case("dividers", Fail, "is on Droplet \"host-9\", which does not exist", |facts| {
            facts.dividers.edit()[0].droplet = "host-9".into();
        }),
        case("dividers", Warn, "has 2 Dividers and wants 1", |facts| facts.dividers.edit().push(a_divider("vpc0-d-2"))),
        case("subnets", Fail, "outside that of Vpc vpc0 (10.20.0.0/16)", |facts| {
            facts.subnets.edit()[0].ip = "10.30.0.0".into();
        }),
        case("subnets", Fail, "waits for Vpc vpc7", |facts| facts.subnets.edit()[0].vpc = "vpc7".into()),
        case("subnets", Fail, "neither status nor type", |facts| {
            facts.subnets.edit()[0].object.status = Text::default();
        }),
        case("bouncers", Fail, "Bouncer net0-b-1: is Init", |facts| {
            facts.bouncers.edit()[0].object.status = "Init".into();
        }),
        case("bouncers", Fail, "Droplet \"\", which does not exist", |facts| {
            facts.bouncers.edit()[0].droplet = Text::default();
        }),
        case("bouncers", Pass, "2 Bouncers Provisioned", |facts| facts.bouncers.edit().push(a_bouncer("net0-b-2"))),
        case(
            "host-endpoints",
            Fail,
            "2 of 3 host endpoints done; Droplet host-1: has no host endpoint in Vpc vpc0",
            |facts| {
                facts.endpoints.edit().remove(0);
            },
        ),
        case("stuck-objects", Warn, "Endpoint web-default--eth0: is Init for longer than usual", |facts| {
            let object = &mut pod_endpoint(facts).object;
            (object.status, object.created) = ("Init".into(), minutes_ago(3));
        }),
        case("stuck-objects", Fail, "the operator has given up", |facts| {
            let object = &mut pod_endpoint(facts).object;
            (object.status, object.created) = ("Init".into(), minutes_ago(61));
        }),
        case("stuck-objects", Pass, "fine", |facts| {
            let object = &mut pod_endpoint(facts).object;
            (object.status, object.created) = ("Init".into(), minutes_ago(1));
        }),
        case("stuck-objects", Warn, "does not go", |facts| pod_endpoint(facts).object.deleting = minutes_ago(5)),
        case("other-networks", Fail, "Cilium", |facts| facts.daemon_sets.edit().push(a_foreign_daemon_set("cilium"))),
        case("pod-endpoints", Fail, "0 of 1 pods fine; default/web: has no Endpoint", |facts| {
            pod_endpoint(facts).object.name = "web-other--eth0".into();
        }),
        case("pod-endpoints", Fail, "another address", |facts| pod_endpoint(facts).ip = "10.20.0.9".into()),
        case("pod-endpoints", Fail, "not Provisioned", |facts| pod_endpoint(facts).object.status = "Init".into()),
        case("pod-endpoints", Fail, "outside its Subnet", |facts| pod_endpoint(facts).net = "net7".into()),
        case("pod-endpoints", Fail, "on another node", |facts| pod_endpoint(facts).droplet = "host-2".into()),
        case("pod-endpoints", Pass, "1 pod fine", |facts| {
            // A minute is needed before pod and Endpoint must know each other.
            facts.endpoints.edit().retain(|endpoint| endpoint.kind != "simple");
            facts.pods.edit().iter_mut().for_each(|pod| pod.created = minutes_ago(0));
        }),
    ]
}

#[test]
fn an_old_installation_stops_an_install_that_does_not_adopt_it() {
    let mut facts = a_cluster_before();
    facts.daemon_sets.edit().push(DaemonSetFact { helm: None, ..a_daemon_set() });
    facts.deployments.edit().push(DeploymentFact { helm: None, ..an_operator() });
    let check = CHECKS.iter().find(|check| check.id == "existing-mizar").unwrap();
    let stopped = check.run(&facts, &options());
    assert_eq!(stopped.status, Status::Fail);
    assert_eq!(stopped.hint.as_deref(), Some("take it over as it is: `kubectl mizar install --adopt --plan`"));
    let adopting = Options { adopts: true, ..options() };
    let adopted = check.run(&facts, &adopting);
    assert_eq!(adopted.status, Status::Pass);
    assert!(adopted.message.contains("to be taken over"), "{}", adopted.message);
    facts.daemon_sets.edit().last_mut().unwrap().helm = Some(helm_mark("other"));
    assert_eq!(check.run(&facts, &adopting).status, Status::Fail, "what is of a release is not taken");
}

#[test]
fn a_cluster_without_mizar_is_ready_for_it() {
    let report = evaluate(Phase::Preflight, &a_cluster_before(), &options());
    for result in &report.results {
        assert_eq!(result.status, passing(result.category), "{}: {}", result.id, result.message);
    }
    assert!(report.is_clear());
}

#[test]
fn a_healthy_cluster_passes_every_check() {
    let report = evaluate(Phase::Health, &a_healthy_cluster(), &options());
    for result in &report.results {
        assert_eq!(result.status, passing(result.category), "{}: {}", result.id, result.message);
        assert_eq!(result.hint, None, "{}", result.id);
    }
    assert_eq!(report.worst(), Status::Skipped);
}

#[test]
fn a_healthy_arktos_passes_every_check() {
    for result in evaluate(Phase::Health, &a_healthy_arktos(), &options()).results {
        assert_eq!((result.status, result.hint), (Status::Pass, None), "{}: {}", result.id, result.message);
    }
}

/// What a check of a category comes to where all is well and the server is not Arktos.
fn passing(category: Category) -> Status {
    if category == Category::Arktos { Status::Skipped } else { Status::Pass }
}

#[test]
fn an_installed_cluster_also_passes_the_preflight_of_the_next_run() {
    let report = evaluate(Phase::Preflight, &a_healthy_cluster(), &options());
    assert!(report.is_clear(), "{:?}", report.blocking().map(|result| &result.message).collect::<Vec<_>>());
}

#[test]
fn every_check_finds_what_it_looks_for() {
    for case in every_case() {
        let check = CHECKS.iter().find(|check| check.id == case.id).expect("a check of the table");
        let mut facts = sample_of(check);
        (case.wrong)(&mut facts);
        let result = check.run(&facts, &options());
        assert_eq!(result.status, case.status, "{}: {}", case.id, result.message);
        assert!(result.message.contains(case.says), "{}: {:?} lacks {:?}", case.id, result.message, case.says);
        assert_eq!(result.hint.is_some(), result.status.asks_for_action(), "{}", case.id);
    }
}

#[test]
fn every_check_has_a_case_in_which_it_does_not_pass() {
    let tried: BTreeSet<&str> =
        every_case().iter().filter(|case| case.status.asks_for_action()).map(|case| case.id).collect();
    let all: BTreeSet<&str> = CHECKS.iter().map(|check| check.id).collect();
    assert_eq!(tried, all);
}

#[test]
fn no_check_passes_when_a_source_could_not_be_read() {
    for check in CHECKS {
        for source in check.sources {
            for (gap, says) in [
                (Gap::Denied, format!("you are not allowed to {}", source.right())),
                (Gap::Failed("connection reset".into()), format!("could not read {}: connection reset", source.noun())),
                (Gap::NotAsked, format!("nobody read {}", source.noun())),
            ] {
                let mut facts = sample_of(check);
                facts.mark(*source, gap);
                let result = check.run(&facts, &options());
                assert_eq!((result.status, &result.message), (Status::Unknown, &says), "{}", check.id);
            }
        }
    }
}

#[test]
fn all_missing_rights_are_named_at_once() {
    let mut facts = a_cluster_before();
    facts.mark(Source::Nodes, Gap::Denied);
    facts.mark(Source::Services, Gap::Denied);
    facts.mark(Source::ApiServer, Gap::Failed("connection reset".into()));
    let message = run("pod-network-range", &facts).message;
    assert_eq!(
        message,
        "you are not allowed to list nodes, list services; could not read endpoints default/kubernetes: connection reset"
    );
}

#[test]
fn a_check_looks_at_nothing_but_its_sources() {
    for check in CHECKS {
        let whole = check.run(&sample_of(check), &options());
        for source in Source::ALL.iter().filter(|source| !check.sources.contains(source)) {
            let mut facts = sample_of(check);
            facts.mark(*source, Gap::Denied);
            assert_eq!(check.run(&facts, &options()), whole, "{} looks at {source:?}", check.id);
        }
    }
}

#[test]
fn without_the_definitions_the_network_is_skipped_and_not_unknown() {
    let report = evaluate(Phase::Health, &a_cluster_before(), &options());
    assert_eq!(report.result("definitions").unwrap().status, Status::Fail);
    for id in ["droplets", "vpcs", "dividers", "subnets", "bouncers", "host-endpoints", "pod-endpoints"] {
        let result = report.result(id).unwrap();
        assert_eq!(result.status, Status::Skipped, "{id}: {}", result.message);
    }
}

#[test]
fn a_refusal_weighs_more_than_a_group_that_is_not_served() {
    let mut facts = a_cluster_before();
    facts.nodes = Fetched::Denied { right: "list nodes".into() };
    assert_eq!(run("droplets", &facts).status, Status::Unknown);
}

#[test]
fn another_network_is_a_warning_once_the_user_agreed() {
    let mut facts = a_cluster_before();
    facts.daemon_sets.edit().push(a_foreign_daemon_set("weave-net"));
    let options = Options { take_over_cni: true, ..options() };
    let report = evaluate(Phase::Preflight, &facts, &options);
    let result = report.result("foreign-cni").unwrap();
    assert_eq!(result.status, Status::Warn);
    assert_eq!(result.message, "Mizar takes over from Weave Net (DaemonSet kube-system/weave-net, 3 nodes)");
    assert!(report.is_clear());
}

#[test]
fn a_second_install_is_not_refused_for_the_network_that_the_first_took_over_from() {
    let mut facts = a_healthy_cluster();
    facts.daemon_sets.edit().push(a_foreign_daemon_set("weave-net"));
    let result = run("foreign-cni", &facts);
    assert_eq!(result.status, Status::Warn);
    assert_eq!(result.message, "still there beside Mizar: Weave Net (DaemonSet kube-system/weave-net, 3 nodes)");
    assert_eq!(run("other-networks", &facts).status, Status::Fail, "health still tells that it must go");
}

#[test]
fn fails_and_unknown_blockers_stand_in_the_way_and_nothing_else_does() {
    let result = |severity, status| CheckResult { severity, status, ..run("vpcs", &a_healthy_cluster()) };
    for (severity, status, blocks) in [
        (Severity::Warning, Status::Fail, true),
        (Severity::Blocker, Status::Fail, true),
        (Severity::Blocker, Status::Unknown, true),
        (Severity::Warning, Status::Unknown, false),
        (Severity::Note, Status::Unknown, false),
        (Severity::Blocker, Status::Warn, false),
        (Severity::Blocker, Status::Skipped, false),
        (Severity::Blocker, Status::Pass, false),
    ] {
        let report = Report { results: vec![result(severity, status)] };
        assert_eq!(report.is_clear(), !blocks, "{severity:?} {status:?}");
    }
}

#[test]
fn the_json_form_holds_what_scripts_need() {
    let mut facts = a_healthy_cluster();
    facts.nodes.edit()[1].readiness = Readiness::NotReady;
    let report = evaluate(Phase::Health, &facts, &options());
    let heading = Heading { phase: Phase::Health, at: now(), namespace: "mizar-system", node: None };
    let json = report.document(&heading, None);
    assert_eq!(json["apiVersion"], "mizar.dev/v1");
    assert_eq!(json["kind"], "CheckReport");
    assert_eq!(json["summary"]["fail"], 1);
    let nodes = json["checks"].as_array().unwrap().iter().find(|check| check["id"] == "nodes-ready").unwrap();
    assert_eq!(
        *nodes,
        json!({
            "id": "nodes-ready", "category": "nodes", "severity": "blocker", "status": "fail",
            "title": "Every node is ready", "message": "2 of 3 nodes fine; node-2: not ready",
            "hint": "`kubectl describe node node-2` tells why", "doc": "docs/checks.md#nodes-ready",
            "evidence": [{
                "object": "Node node-2", "node": "node-2", "field": "status.conditions[Ready]", "seen": "False", "wanted": "True",
                "since": "2026-03-01T02:00:00Z",
            }],
        })
    );
}

#[test]
fn ids_are_unique_and_kebab_case() {
    let ids: BTreeSet<&str> = CHECKS.iter().map(|check| check.id).collect();
    assert_eq!(ids.len(), CHECKS.len());
    for id in ids {
        assert!(id.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-'), "{id}");
    }
}

#[test]
fn every_phase_asks_each_source_once_and_only_what_it_needs() {
    let preflight = sources_of(Phase::Preflight);
    assert!(preflight.contains(&Source::Permissions) && !preflight.contains(&Source::Droplets));
    let health = sources_of(Phase::Health);
    assert!(health.contains(&Source::Droplets) && !health.contains(&Source::Permissions));
    for sources in [preflight, health] {
        assert_eq!(sources.iter().collect::<BTreeSet<_>>().len(), sources.len());
    }
}
