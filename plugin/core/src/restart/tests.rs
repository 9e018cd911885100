use serde_json::json;

use super::*;
use crate::facts::samples::{a_healthy_cluster, a_host_endpoint, a_pod, a_pod_endpoint, an_operator_pod, minutes_ago};
use crate::facts::{EndpointFact, Gap, MizarObject, Readiness, Text};

fn mark(record: &RestartRecord) -> Mark<'_> {
    Mark { id: "repair-1", namespace: "mizar-system", record }
}

fn next_of(facts: &Facts, record: &RestartRecord) -> (Step, Vec<Act>) {
    match next(facts, mark(record)) {
        Next::Do(step, acts) => (step, acts),
        Next::Done => panic!("nothing is left to do"),
    }
}

fn prepared() -> RestartRecord {
    RestartRecord { prepared: true, wired: None }
}

fn cordoned() -> Facts {
    let mut facts = a_healthy_cluster();
    for node in facts.nodes.edit() {
        (node.unschedulable, node.cordoned_by) = (true, Some("repair-1".to_owned()));
    }
    facts
}

fn without_operator() -> Facts {
    let mut facts = cordoned();
    facts.pods.edit().retain(|pod| pod.role != PodRole::Operator);
    facts.deployments.edit()[0].replicas = 0;
    facts
}

fn placeholder() -> EndpointFact {
    let mut held = a_pod_endpoint("", "10.20.0.2");
    held.object.name = "mizar-hold-1-10-20-0-2".into();
    held.object.holds_for = Some("web-uid".into());
    EndpointFact { kind: "scaled".into(), ..held }
}

fn with_uids(mut facts: Facts) -> Facts {
    for pod in facts.pods.edit() {
        pod.uid = format!("{}-uid", pod.name).as_str().into();
    }
    facts
}

#[test]
fn open_nodes_are_cordoned_before_the_operator_is_touched() {
    let mut facts = a_healthy_cluster();
    facts.nodes.edit()[2].unschedulable = true;
    let (step, acts) = next_of(&facts, &RestartRecord::default());
    assert_eq!(step, Step::Cordon);
    assert_eq!(acts, ["node-1", "node-2"].map(|node| Act::Cordon { node: node.to_owned() }));
}

#[test]
fn hollow_nodes_are_left_alone() {
    let mut facts = a_healthy_cluster();
    facts.nodes.edit()[0].provider_id = "kubemark://1".into();
    assert_eq!(next_of(&facts, &RestartRecord::default()).1.len(), 2);
}

#[test]
fn an_operator_stops_when_all_nodes_are_cordoned() {
    let facts = cordoned();
    assert_eq!(next_of(&facts, &RestartRecord::default()), (Step::Stop, vec![Act::Scale { replicas: 0 }]));
    let mut ending = cordoned();
    ending.deployments.edit()[0].replicas = 0;
    assert_eq!(next_of(&ending, &RestartRecord::default()), (Step::Stop, Vec::new()), "it is waited for");
}

#[test]
fn an_operator_that_is_wanted_and_not_there_may_come_at_any_moment() {
    let mut facts = without_operator();
    facts.deployments.edit()[0].replicas = 1;
    assert_eq!(next_of(&facts, &RestartRecord::default()), (Step::Stop, vec![Act::Scale { replicas: 0 }]));
}

#[test]
fn with_no_operator_the_subnet_is_marked_and_the_address_in_use_is_held() {
    let facts = with_uids(without_operator());
    let (step, acts) = next_of(&facts, &RestartRecord::default());
    assert_eq!(step, Step::Prepare);
    let held: Vec<&Placeholder> = acts
        .iter()
        .filter_map(|act| if let Act::Hold { placeholder } = act { Some(placeholder) } else { None })
        .collect();
    assert_eq!(held.len(), 1, "{acts:?}");
    assert_eq!(held[0].ip.as_str(), "10.20.0.2");
    assert_eq!(held[0].pod, "web-uid");
    assert!(acts.iter().any(|act| matches!(act, Act::Remember { object } if object.object.name == "net0")));
    assert_eq!(acts.len(), 2, "host Endpoints and the rest stay: {acts:?}");
}

#[test]
fn what_is_prepared_is_started_and_what_runs_then_takes_over() {
    let mut facts = with_uids(without_operator());
    facts.endpoints.edit().push(EndpointFact { object: init(placeholder().object), ..placeholder() });
    facts.subnets.edit()[0].kind = "Provisioned".into();
    assert_eq!(next_of(&facts, &RestartRecord::default()), (Step::Start, vec![Act::Scale { replicas: 1 }]));
    facts.deployments.edit()[0].replicas = 1;
    facts.pods.edit().push(PodFact { ready: false, ..an_operator_pod() });
    assert_eq!(next_of(&facts, &prepared()), (Step::Start, Vec::new()), "it is waited for");
    facts.pods.edit().last_mut().unwrap().ready = true;
    let (step, acts) = next_of(&facts, &prepared());
    assert_eq!(step, Step::Wire);
    let bouncer = |act: &Act| matches!(act, Act::Status { object, status } if object.object.kind == "Bouncer" && status == "Init");
    assert!(acts.len() == 1 && bouncer(&acts[0]), "{acts:?}");
}

fn init(object: MizarObject) -> MizarObject {
    MizarObject { status: "Init".into(), ..object }
}

#[test]
fn placeholders_of_an_earlier_restart_are_made_anew() {
    let mut facts = with_uids(without_operator());
    facts.endpoints.edit().push(placeholder());
    let (_, acts) = next_of(&facts, &RestartRecord::default());
    let again = |act: &&Act| matches!(act, Act::Status { object, status } if object.object.name.starts_with("mizar-hold-") && status == "Init");
    assert_eq!(acts.iter().filter(again).count(), 1, "{acts:?}");
    assert!(!acts.iter().any(|act| matches!(act, Act::Hold { .. })), "{acts:?}");
}

#[test]
fn a_bouncer_is_not_init_when_the_operator_starts() {
    let mut facts = without_operator();
    facts.bouncers.edit()[0].object.status = "Init".into();
    let (_, acts) = next_of(&facts, &RestartRecord::default());
    let parked = |act: &&Act| matches!(act, Act::Status { object, status } if object.object.kind == "Bouncer" && status == "Provisioned");
    assert_eq!(acts.iter().filter(parked).count(), 1, "{acts:?}");
}

#[test]
fn a_divider_on_a_node_that_is_gone_is_placed_before_the_bouncers() {
    let mut facts = cordoned();
    facts.dividers.edit()[0].droplet = "host-9".into();
    facts.endpoints.edit().truncate(3);
    let (step, acts) = next_of(&facts, &prepared());
    let kinds: Vec<&str> = acts
        .iter()
        .filter_map(|act| if let Act::Status { object, .. } = act { Some(object.object.kind.as_str()) } else { None })
        .collect();
    assert_eq!((step, kinds), (Step::Wire, vec!["Divider", "Bouncer"]));
}

#[test]
fn nodes_are_opened_only_for_the_very_run_that_took_over() {
    let facts = cordoned();
    let run = run_of(operators(&facts, "mizar-system").next().unwrap());
    let wired = RestartRecord { prepared: true, wired: Some(run) };
    assert_eq!(next_of(&facts, &wired).0, Step::Uncordon);
    let mut crashed = cordoned();
    let operator = crashed.pods.edit().iter_mut().find(|pod| pod.role == PodRole::Operator).unwrap();
    operator.containers[0].started = minutes_ago(1);
    assert_eq!(next_of(&crashed, &wired).0, Step::Wire, "its container restarted and forgot everything");
    let mut open = cordoned();
    for node in open.nodes.edit() {
        (node.unschedulable, node.cordoned_by) = (false, None);
    }
    assert_eq!(next(&open, mark(&wired)), Next::Done);
}

#[test]
fn an_operator_on_a_node_that_does_not_answer_may_still_run() {
    let mut facts = a_healthy_cluster();
    let pod = operators(&facts, "mizar-system").next().unwrap().clone();
    let at = facts.nodes.items().iter().position(|node| node.name == pod.node.as_str()).unwrap();
    facts.nodes.edit()[at].readiness = Readiness::NotReady;
    assert!(plan(&facts, "mizar-system").is_ok(), "its kubelet speaks, so it can end the pod");
    facts.nodes.edit()[at].readiness = Readiness::Lost;
    let refused = plan(&facts, "mizar-system").unwrap_err();
    assert_eq!(refused, Obstacle::OutOfReach { pod: pod.path(), node: pod.node.to_string() });
}

#[test]
fn leaks_are_deleted_before_its_eyes_but_for_those_that_share_an_address() {
    let mut facts = cordoned();
    facts.endpoints.edit().extend([
        a_pod_endpoint("gone", "10.20.0.9"),
        a_pod_endpoint("shares", "10.20.0.2"),
        a_host_endpoint(9),
    ]);
    let (step, acts) = next_of(&facts, &RestartRecord::default());
    let names: Vec<&str> = acts
        .iter()
        .map(|act| if let Act::Delete { object } = act { object.object.name.as_str() } else { "" })
        .collect();
    assert_eq!((step, names), (Step::Leaks, vec!["gone-default--eth0", "host-9-default--hostep-1"]));
    let mut stopped = without_operator();
    stopped.endpoints.edit().push(a_pod_endpoint("shares", "10.20.0.2"));
    let (_, acts) = next_of(&stopped, &RestartRecord::default());
    assert!(
        acts.iter()
            .any(|act| matches!(act, Act::DeleteUnseen { object } if object.object.name == "shares-default--eth0"))
    );
}

#[test]
fn what_may_be_no_leak_is_not_deleted_before_the_operators_eyes() {
    let mut facts = cordoned();
    let mut young = a_pod_endpoint("just-made", "10.20.0.9");
    young.object.created = Some(facts.gathered_at);
    let mut stopped = without_operator();
    stopped.endpoints.edit().push(young.clone());
    facts.endpoints.edit().push(young);
    assert_eq!(next_of(&facts, &RestartRecord::default()).0, Step::Stop);
    let (_, acts) = next_of(&stopped, &RestartRecord::default());
    assert!(acts.iter().any(|act| matches!(act, Act::DeleteUnseen { .. })), "then nobody can be cut: {acts:?}");
}

#[test]
fn no_leak_is_deleted_before_its_eyes_while_a_pod_could_get_the_address() {
    let mut facts = cordoned();
    facts.endpoints.edit().push(a_pod_endpoint("gone", "10.20.0.9"));
    assert_eq!(next_of(&facts, &RestartRecord::default()).0, Step::Leaks);
    let waiting = PodFact { phase: "Pending".into(), ip: Text::default(), owner: None, ..a_pod("alone", "") };
    facts.pods.edit().push(waiting);
    assert_eq!(next_of(&facts, &RestartRecord::default()).0, Step::Stop, "nobody can send it back");
}

#[test]
fn an_endpoint_older_than_its_pod_is_a_leak() {
    let mut facts = a_healthy_cluster();
    facts.pods.edit().iter_mut().find(|pod| pod.name == "web").unwrap().created = minutes_ago(1);
    assert_eq!(leaks(&facts)[0].object.object.name, "web-default--eth0");
}

#[test]
fn a_node_whose_droplet_goes_is_shown_again_and_what_stood_there_is_placed_anew() {
    let mut facts = cordoned();
    let shown = |facts: &Facts| {
        let acts = acts::wire(facts);
        let nodes = acts.iter().filter_map(|act| if let Act::Show { node } = act { Some(node.clone()) } else { None });
        let placed =
            acts.iter().any(|act| matches!(act, Act::Status { object, .. } if object.object.kind == "Divider"));
        (nodes.collect::<Vec<_>>(), placed)
    };
    assert_eq!(shown(&facts), (Vec::new(), false));
    let divider = facts.dividers.items()[0].droplet;
    let at = facts.droplets.items().iter().position(|droplet| droplet.object.name == divider).unwrap();
    facts.droplets.edit()[at].object.deleting = minutes_ago(1);
    let node = format!("node-{}", at + 1);
    assert_eq!(shown(&facts), (vec![node.clone()], true));
    facts.pods.edit().retain(|pod| pod.node != node.as_str());
    assert_eq!(shown(&facts), (Vec::new(), true), "without a daemon nothing could be made there");
}

#[test]
fn a_bouncer_that_would_never_be_placed_is_left_alone() {
    let mut facts = cordoned();
    facts.endpoints.edit().truncate(3);
    let bouncer = &facts.bouncers.items()[0];
    let going = crate::facts::BouncerFact {
        object: MizarObject { name: "net0-b-going".into(), deleting: minutes_ago(1), ..bouncer.object.clone() },
        ..bouncer.clone()
    };
    let homeless = crate::facts::BouncerFact {
        object: MizarObject { name: "net9-b-1".into(), ..bouncer.object.clone() },
        net: "net9".into(),
        ..bouncer.clone()
    };
    let wanted = bouncer.object.name;
    facts.bouncers.edit().extend([going, homeless]);
    let (_, acts) = next_of(&facts, &prepared());
    let bouncers: Vec<&str> = acts
        .iter()
        .filter_map(|act| if let Act::Status { object, .. } = act { Some(object.object.name.as_str()) } else { None })
        .collect();
    assert_eq!(bouncers, [wanted.as_str()]);
}

#[test]
fn of_two_pods_with_one_address_the_older_keeps_it() {
    let mut facts = with_uids(a_healthy_cluster());
    let older = PodFact { created: minutes_ago(90), uid: "zzz".into(), ..a_pod("older", "10.20.0.2") };
    facts.pods.edit().push(older);
    facts.endpoints.edit().push(a_pod_endpoint("older", "10.20.0.2"));
    let held = missing(&facts, None);
    assert_eq!(held.iter().map(|held| held.pod.to_string()).collect::<Vec<_>>(), ["zzz"]);
}

#[test]
fn a_placeholder_goes_with_its_pod_and_a_droplet_with_its_node() {
    let mut facts = with_uids(a_healthy_cluster());
    facts.endpoints.edit().push(placeholder());
    assert_eq!(leaks(&facts), Vec::new());
    facts.pods.edit().retain(|pod| pod.name != "web");
    let names = |facts: &Facts| leaks(facts).into_iter().map(|leak| leak.object.object.name).collect::<Vec<_>>();
    assert_eq!(names(&facts), ["web-default--eth0", "mizar-hold-1-10-20-0-2"]);
    let mut facts = a_healthy_cluster();
    facts.nodes.edit().truncate(2);
    assert_eq!(names(&facts), ["host-3-default--hostep-1", "host-3"]);
}

#[test]
fn pods_that_wait_for_an_address_are_sent_back_unless_nobody_makes_them_again() {
    let waiting = |name: &str| PodFact { phase: "Pending".into(), ip: Text::default(), ..a_pod(name, "") };
    let mut facts = cordoned();
    let of_a_daemon_set = Some(crate::facts::Owner { kind: "DaemonSet".into(), name: "agent".into() });
    facts.pods.edit().extend([
        waiting("owned"),
        PodFact { owner: None, ..waiting("alone") },
        PodFact { owner: of_a_daemon_set, tolerates_cordon: true, ..waiting("agent") },
        PodFact { node: Text::default(), ..waiting("unplaced") },
        PodFact { host_network: true, ..waiting("host") },
    ]);
    let (step, acts) = next_of(&facts, &RestartRecord::default());
    assert_eq!(step, Step::Waiting);
    assert!(matches!(acts.as_slice(), [Act::SendBack { pod, .. }] if pod.object.name == "owned"), "{acts:?}");
    let plan = plan(&facts, "mizar-system").unwrap();
    assert_eq!(plan.recreated, ["default/owned"]);
    assert_eq!(plan.not_held_back, ["default/alone", "default/agent"]);
    assert_eq!(plan.not_stopped, ["DaemonSet default/agent"]);
}

#[test]
fn the_plan_names_what_is_touched() {
    let mut facts = with_uids(a_healthy_cluster());
    facts.nodes.edit()[2].unschedulable = true;
    let plan = plan(&facts, "mizar-system").unwrap();
    assert_eq!(plan.operators, ["mizar-system/mizar-operator-1"]);
    assert_eq!(
        (plan.nodes, plan.cordoned_by_others),
        (vec!["node-1".into(), "node-2".into()], vec!["node-3".to_owned()])
    );
    assert_eq!((plan.subnets, plan.bouncers), (vec!["net0".to_owned()], vec!["net0-b-1".to_owned()]));
    assert_eq!(plan.placeholders.len(), 1);
    assert!(plan.leaks.is_empty() && plan.recreated.is_empty());
}

#[test]
fn nothing_is_planned_from_what_was_not_read_or_is_not_there() {
    let mut facts = a_healthy_cluster();
    facts.deployments.edit().clear();
    assert!(matches!(plan(&facts, "mizar-system"), Err(Obstacle::NoOperator { .. })));
    facts.mark(Source::Pods, Gap::Denied);
    let obstacle = plan(&facts, "mizar-system").unwrap_err();
    assert_eq!(obstacle.to_string(), "pods could not be read: you are not allowed to list pods");
}

#[test]
fn a_placeholder_is_an_endpoint_as_the_operator_writes_them() {
    let held = Placeholder {
        vpc: "vpc0".into(),
        net: "net0".into(),
        vni: "1".into(),
        ip: "10.20.0.2".into(),
        pod: "web-uid".into(),
    };
    let object = held.object();
    assert_eq!((object.namespace(), object.name()), (Some("default"), "mizar-hold-1-10-20-0-2"));
    let fact = EndpointFact::from_object(object.value());
    assert_eq!((fact.kind.as_str(), fact.object.status.as_str()), ("scaled", "Init"));
    assert_eq!((fact.vpc, fact.net, fact.vni, fact.ip), (held.vpc, held.net, held.vni, held.ip));
    assert_eq!(fact.object.holds_for, Some("web-uid".into()));
    assert!(object.value()["spec"].get("createtime").is_none());
    assert_eq!(object.value()["spec"]["droplet"], json!(""));
}

#[test]
fn only_addresses_that_the_present_run_did_not_give_are_held() {
    let mut facts = with_uids(a_healthy_cluster());
    let of_pod = facts.endpoints.edit().iter_mut().find(|endpoint| endpoint.kind == "simple").unwrap();
    of_pod.object.provisioned = minutes_ago(20);
    assert_eq!(missing(&facts, minutes_ago(10)).len(), 1);
    assert_eq!(missing(&facts, minutes_ago(30)).len(), 0);
    assert_eq!(missing(&facts, minutes_ago(20)).len(), 1, "in the same second it may have been the one before");
    assert_eq!(missing(&facts, None).len(), 1);
    facts.pods.edit().retain(|pod| pod.name != "web");
    assert_eq!(missing(&facts, None).len(), 0, "a leak needs no address");
}
