//! What Mizar's operator does, row by row.

mod faults;
mod programming;

use serde_json::{Value, json};

use super::{
    handling::{Action, Handled, Outcome, Purpose},
    memory::{Endpoint, EndpointType, Memory, PROVISIONED},
    trial::{Trial, a_node, a_pending_pod, an_object},
};
use crate::object::{Kind, Object};

fn is_retry(handled: &Handled) -> bool {
    matches!(handled.outcome, Outcome::Retry(_))
}

fn is_failure(handled: &Handled) -> bool {
    matches!(handled.outcome, Outcome::Fail(_))
}

fn created(handled: &Handled) -> Vec<(Kind, String, Value)> {
    let all = handled.actions.iter().filter_map(|action| match action {
        Action::Create { kind, name, spec } => Some((*kind, name.clone(), spec.clone())),
        _ => None,
    });
    all.collect()
}

fn keys(spec: &Value) -> Vec<&str> {
    spec.as_object().unwrap().keys().map(String::as_str).collect()
}

fn all_of(objects: &[Object], kind: Kind) -> Vec<&Object> {
    objects.iter().filter(|object| object.kind() == kind).collect()
}

fn the_built_in_network() -> [Object; 2] {
    let range = json!({"ip": "10.20.0.0", "prefix": "16", "status": "Init", "vni": "1", "dividers": 1, "bouncers": 1,
        "vpc": "vpc0", "createtime": "1970-01-01T00:16:39.000000"});
    [an_object(Kind::Vpc, "vpc0", &range), an_object(Kind::Subnet, "net0", &range)]
}

/// A process that has brought up the built-in network on so many nodes, and the objects of it.
fn a_network(nodes: u8) -> (Trial, Vec<Object>) {
    let mut trial = Trial::with_nodes(nodes);
    trial.memory.add_built_in_network();
    let mut start = Vec::from(the_built_in_network());
    start.extend((1..=nodes).map(|index| a_node(&format!("n{index}"), &format!("127.1.0.{index}"))));
    let objects = trial.settle(start);
    (trial, objects)
}

/// The same cluster under a new process.
fn restarted(trial: &mut Trial, objects: &[Object]) {
    trial.memory = Memory::load(objects);
    trial.memory.add_built_in_network();
}

fn a_service(spec: &Value) -> Object {
    an_object(Kind::Service, "web", spec)
}

#[test]
fn a_clean_start_provisions_everything() {
    let (trial, objects) = a_network(3);
    for (kind, count) in [(Kind::Droplet, 3), (Kind::Vpc, 1), (Kind::Divider, 1), (Kind::Subnet, 1), (Kind::Bouncer, 1)]
    {
        assert_eq!(all_of(&objects, kind).len(), count, "{kind:?}");
    }
    let endpoints = all_of(&objects, Kind::Endpoint);
    assert_eq!(endpoints.len(), 3);
    assert!(endpoints.iter().all(|endpoint| endpoint.spec("status") == PROVISIONED));
    assert_eq!(trial.daemons.state()["n1"]["host_endpoints"], json!({"n1-default--hostep-1": "activated"}));
}

#[test]
fn the_specifications_have_the_fields_of_the_real_operator() {
    let (_, objects) = a_network(1);
    let spec = |kind| all_of(&objects, kind)[0].at("/spec").unwrap().clone();
    assert_eq!(keys(&spec(Kind::Droplet)), ["createtime", "ip", "itf", "mac", "main_ip", "status", "provisiondelay"]);
    let divider = spec(Kind::Divider);
    assert_eq!((&divider["vni"], &divider["droplet"], &divider["ip"]), (&json!(""), &json!("n1"), &json!("127.1.0.1")));
    let bouncer = spec(Kind::Bouncer);
    assert_eq!(
        (&bouncer["nip"], &bouncer["prefix"], &bouncer["vni"]),
        (&json!("10.20.0.0"), &json!("16"), &json!("1"))
    );
    let host = spec(Kind::Endpoint);
    for (field, value) in [
        ("type", "host"),
        ("itf", "ehost-1"),
        ("veth", "vehost-1"),
        ("prefix", "32"),
        ("gw", "10.20.0.1"),
        ("ip", "127.1.0.1"),
        ("droplet", "n1"),
    ] {
        assert_eq!(host[field], json!(value), "{field}");
    }
}

#[test]
fn a_node_without_addresses_fails_and_one_without_daemon_is_tried_again() {
    let mut trial = Trial::with_nodes(1);
    assert!(is_failure(&trial.look(&an_object(Kind::Node, "n1", &json!({})), Purpose::Create)));
    trial.daemons.set_running("n1", true, false);
    let node = a_node("n1", "127.1.0.1");
    assert_eq!(trial.look(&node, Purpose::Create), Handled::retry("Daemon not ready."));
    trial.daemons.set_running("n1", true, true);
    let made = created(&trial.look(&node, Purpose::Create));
    assert_eq!((made[0].0, made[0].1.as_str(), &made[0].2["status"]), (Kind::Droplet, "n1", &json!("Init")));
}

#[test]
fn vpc_and_subnet_wait_for_droplets_and_the_subnet_for_dividers() {
    let mut trial = Trial::with_nodes(1);
    trial.memory.add_built_in_network();
    let [vpc, subnet] = the_built_in_network();
    assert!(is_retry(&trial.look(&vpc, Purpose::Create)));
    assert!(is_retry(&trial.look(&subnet, Purpose::Create)));
    trial.look(&a_droplet(), Purpose::Create);
    assert_eq!(trial.look(&vpc, Purpose::Create).outcome, Outcome::Done);
    let waiting = trial.look(&subnet, Purpose::Create);
    assert_eq!(waiting.outcome, Outcome::Retry("Task: NetCreate Net: net0 Dividers not available".into()));
}

fn a_droplet() -> Object {
    an_object(Kind::Droplet, "n1", &json!({"main_ip": "127.1.0.1", "ip": "127.1.0.1", "mac": "02", "status": "Init"}))
}

#[test]
fn a_droplet_waits_until_the_subnet_is_provisioned_in_memory() {
    let (mut trial, objects) = a_network(1);
    let droplet = all_of(&objects, Kind::Droplet)[0].clone();
    assert_eq!(trial.look(&droplet, Purpose::Update), Handled::nothing());
    restarted(&mut trial, &objects);
    let waiting = trial.look(&droplet, Purpose::Resume);
    assert_eq!(waiting.outcome, Outcome::Retry("Subnet net0 not yet provisioned!".into()));
    trial.memory.subnets.get_mut("net0").unwrap().status = PROVISIONED.into();
    assert_eq!(trial.look(&droplet, Purpose::Resume), Handled::nothing());
}

#[test]
fn a_prepared_vpc_loses_its_range_and_a_prepared_subnet_keeps_its_own() {
    let mut trial = Trial::with_nodes(1);
    trial.memory.add_built_in_network();
    let own = json!({"ip": "10.30.0.0", "prefix": "16", "status": "Init", "vni": "1", "vpc": "vpc0"});
    let start =
        vec![an_object(Kind::Vpc, "vpc0", &own), an_object(Kind::Subnet, "net0", &own), a_node("n1", "127.1.0.1")];
    let objects = trial.settle(start);
    assert_eq!(all_of(&objects, Kind::Vpc)[0].spec("ip"), "10.20.0.0");
    assert_eq!(all_of(&objects, Kind::Subnet)[0].spec("ip"), "10.30.0.0");
    assert_eq!(all_of(&objects, Kind::Endpoint)[0].spec("gw"), "10.30.0.1");
}

#[test]
fn a_vpc_made_provisioned_beforehand_with_a_divider_keeps_its_range() {
    let mut trial = Trial::with_nodes(1);
    let range = |status: &str| json!({"ip": "10.30.0.0", "prefix": "16", "status": status, "vni": "1", "vpc": "vpc0"});
    let vpc = an_object(Kind::Vpc, "vpc0", &range("Provisioned"));
    trial.memory = Memory::load(std::slice::from_ref(&vpc));
    trial.memory.add_built_in_network();
    let divider = json!({"vpc": "vpc0", "vni": "1", "status": "Init"});
    let objects = trial.settle(vec![
        vpc,
        an_object(Kind::Divider, "vpc0-d-1", &divider),
        an_object(Kind::Subnet, "net0", &range("Init")),
        a_node("n1", "127.1.0.1"),
    ]);
    assert_eq!(all_of(&objects, Kind::Vpc)[0].spec("ip"), "10.30.0.0");
    assert_eq!(all_of(&objects, Kind::Bouncer)[0].spec("status"), PROVISIONED);
}

#[test]
fn a_users_vpc_keeps_its_range_and_gets_a_network_identifier() {
    let (mut trial, _) = a_network(1);
    let own = json!({"ip": "10.40.0.0", "prefix": "16", "status": "Init", "vpc": "vpc1"});
    let objects = trial.settle(vec![an_object(Kind::Vpc, "vpc1", &own), an_object(Kind::Subnet, "net1", &own)]);
    let vpc = all_of(&objects, Kind::Vpc)[0];
    assert_eq!(vpc.spec("ip"), "10.40.0.0");
    let vni = vpc.spec("vni");
    assert!(vni.parse::<u32>().is_ok_and(|vni| vni > 1), "{vni}");
    assert_eq!(all_of(&objects, Kind::Subnet)[0].spec("vni"), vni);
    assert_eq!(all_of(&objects, Kind::Endpoint)[0].name(), format!("n1-default--hostep-{vni}"));
}

#[test]
fn a_vpc_without_network_identifier_holds_up_its_subnet() {
    let mut trial = Trial::with_nodes(1);
    trial.memory.add_built_in_network();
    trial.look(&a_droplet(), Purpose::Create);
    let spec = json!({"status": "Init", "ip": "10.30.0.0", "prefix": "16", "vpc": "vpc0"});
    trial.look(&an_object(Kind::Vpc, "vpc0", &spec), Purpose::Create);
    trial.look(&an_object(Kind::Divider, "vpc0-d-1", &json!({"vpc": "vpc0", "status": "Init"})), Purpose::Create);
    let waiting = trial.look(&an_object(Kind::Subnet, "net0", &spec), Purpose::Create);
    assert_eq!(waiting.outcome, Outcome::Retry("Net net0 does not yet have a vni!".into()));
}

#[test]
fn a_pod_needs_a_host_address_and_a_known_droplet() {
    let (mut trial, _) = a_network(1);
    let unscheduled = an_object(Kind::Pod, "web", &json!({}));
    assert_eq!(trial.look(&unscheduled, Purpose::Create), Handled::retry("Pod spec not ready."));
    let elsewhere = a_pending_pod("web", "127.1.0.9");
    assert_eq!(trial.look(&elsewhere, Purpose::Create), Handled::retry("Droplet not yet created."));
}

#[test]
fn a_pending_pod_gets_an_endpoint_and_a_running_one_none() {
    let (mut trial, _) = a_network(1);
    let made = created(&trial.look(&a_pending_pod("web", "127.1.0.1"), Purpose::Create));
    let (_, name, spec) = &made[0];
    assert_eq!((name.as_str(), &spec["ip"], &spec["pod"]), ("web-default--eth0", &json!("10.20.0.2"), &json!("web")));
    assert!(spec["itf"].as_str().unwrap().starts_with("eth-") && spec["veth"].as_str().unwrap().starts_with("veth-"));

    let mut running = a_pending_pod("old", "127.1.0.1").value().clone();
    running["status"]["phase"] = json!("Running");
    assert_eq!(trial.look(&Object::new(Kind::Pod, running), Purpose::Create), Handled::nothing());
}

#[test]
fn a_try_without_daemon_burns_an_address() {
    let (mut trial, _) = a_network(1);
    trial.daemons.set_running("n1", true, false);
    assert!(is_retry(&trial.look(&a_pending_pod("web", "127.1.0.1"), Purpose::Create)));
    trial.daemons.set_running("n1", true, true);
    let made = created(&trial.look(&a_pending_pod("web", "127.1.0.1"), Purpose::Create));
    assert_eq!(made[0].2["ip"], "10.20.0.3");
}

#[test]
fn a_pod_that_this_process_wired_takes_its_endpoint_with_it() {
    let (mut trial, mut objects) = a_network(1);
    let pod = a_pending_pod("web", "127.1.0.1");
    objects.extend(trial.settle(vec![pod.clone()]));
    assert_eq!(trial.daemons.state()["n1"]["interfaces"], json!({"web-default--eth0": "produced"}));
    let handled = trial.look(&pod, Purpose::Delete);
    assert_eq!(handled.actions, [Action::Delete { kind: Kind::Endpoint, name: "web-default--eth0".into() }]);

    restarted(&mut trial, &objects);
    let leaking = trial.look(&pod, Purpose::Delete);
    assert!(is_failure(&leaking) && leaking.actions.is_empty());
}

#[test]
fn only_services_with_an_address_get_an_endpoint() {
    let (mut trial, _) = a_network(1);
    assert!(is_failure(&trial.look(&a_service(&json!({"clusterIP": "None"})), Purpose::Create)));
    assert!(is_failure(&trial.look(&a_service(&json!({"type": "ExternalName"})), Purpose::Create)));
    let service = a_service(&json!({"clusterIP": "10.0.0.7"}));
    let handled = trial.look(&service, Purpose::Create);
    let (_, name, spec) = &created(&handled)[0];
    assert_eq!((name.as_str(), &spec["type"], &spec["ip"]), ("web-default", &json!("scaled"), &json!("10.0.0.7")));
    assert!(spec["mac"].as_str().unwrap().starts_with("a5:5b:00:"));
    assert!(matches!(handled.actions[1], Action::AnnotateCoreEndpoints { .. }));
    assert_eq!(trial.look(&service, Purpose::Delete).actions.len(), 1);
}

#[test]
fn an_endpoint_waits_for_a_bouncer_and_then_gets_gateway_and_prefix() {
    let spec = json!({"type": "scaled", "status": "Init", "net": "net0", "vpc": "vpc0", "vni": "1", "ip": "10.20.0.2"});
    let placeholder = an_object(Kind::Endpoint, "held", &spec);
    let mut early = Trial::with_nodes(1);
    assert!(is_retry(&early.look(&placeholder, Purpose::Create)));

    let (mut trial, _) = a_network(1);
    let handled = trial.look(&placeholder, Purpose::Create);
    let Action::Patch { spec, .. } = &handled.actions[0] else { panic!("{handled:?}") };
    assert_eq!(
        (&spec["gw"], &spec["prefix"], &spec["status"]),
        (&json!("10.20.0.1"), &json!("16"), &json!("Provisioned"))
    );
    assert!(spec.get("provisiondelay").is_none(), "no createtime, no delay");
    let made = created(&trial.look(&a_pending_pod("web", "127.1.0.1"), Purpose::Create));
    assert_eq!(made[0].2["ip"], "10.20.0.3", "the held address is skipped");
}

#[test]
fn a_restart_deadlocks_and_a_bouncer_set_to_init_heals_it() {
    let (mut trial, mut objects) = a_network(2);
    objects.extend(trial.settle(vec![a_pending_pod("web", "127.1.0.1")]));
    restarted(&mut trial, &objects);
    for divider in all_of(&objects, Kind::Divider) {
        trial.look(divider, Purpose::Resume);
    }
    let bouncer = all_of(&objects, Kind::Bouncer)[0];
    let endpoints = all_of(&objects, Kind::Endpoint);
    for _ in 0..3 {
        assert!(is_retry(&trial.look(bouncer, Purpose::Resume)));
        assert!(endpoints.iter().all(|endpoint| is_retry(&trial.look(endpoint, Purpose::Resume))));
    }

    let mut value = bouncer.value().clone();
    value["spec"]["status"] = json!("Init");
    assert_eq!(trial.look(&Object::new(Kind::Bouncer, value), Purpose::Update).outcome, Outcome::Done);
    assert!(is_retry(&trial.look(bouncer, Purpose::Update)), "one round later");
    assert!(endpoints.iter().all(|endpoint| trial.look(endpoint, Purpose::Resume).outcome == Outcome::Done));
    assert_eq!(trial.look(bouncer, Purpose::Update).outcome, Outcome::Done);
}

#[test]
fn another_bouncer_breaks_the_deadlock_too() {
    let (mut trial, objects) = a_network(1);
    restarted(&mut trial, &objects);
    trial.look(all_of(&objects, Kind::Divider)[0], Purpose::Resume);
    let net = all_of(&objects, Kind::Subnet)[0];
    let mut value = net.value().clone();
    value["spec"]["bouncers"] = json!(2);
    let more = Object::new(Kind::Subnet, value);
    let handled = trial.look_after(&more, Purpose::Update, Some(net.value()));
    let (_, name, spec) = created(&handled).remove(0);
    assert_eq!(trial.look(&an_object(Kind::Bouncer, &name, &spec), Purpose::Create).outcome, Outcome::Done);
    let endpoint = all_of(&objects, Kind::Endpoint)[0];
    assert_eq!(trial.look(endpoint, Purpose::Resume).outcome, Outcome::Done);
    assert_eq!(trial.look_after(net, Purpose::Update, Some(more.value())), Handled::nothing(), "fewer are ignored");
}

#[test]
fn a_bouncer_that_is_init_at_the_start_fails_before_the_divider_is_found() {
    let (mut trial, objects) = a_network(1);
    restarted(&mut trial, &objects);
    let mut value = all_of(&objects, Kind::Bouncer)[0].value().clone();
    value["spec"]["status"] = json!("Init");
    let bouncer = Object::new(Kind::Bouncer, value);
    assert!(is_failure(&trial.look(&bouncer, Purpose::Resume)));
    trial.look(all_of(&objects, Kind::Divider)[0], Purpose::Resume);
    assert_eq!(trial.look(&bouncer, Purpose::Update).outcome, Outcome::Done);
}

#[test]
fn a_host_endpoint_of_a_node_that_is_gone_keeps_the_bouncer_failing() {
    let (mut trial, objects) = a_network(1);
    let stray = Endpoint {
        kind: EndpointType::Host,
        net: "net0".into(),
        vni: "1".into(),
        ip: "127.1.0.9".into(),
        resolved: false,
        pod: None,
        droplet_ip: "127.1.0.9".into(),
    };
    trial.memory.endpoints.insert("gone-default--hostep-1".into(), stray);
    assert!(is_retry(&trial.look(all_of(&objects, Kind::Bouncer)[0], Purpose::Update)));
}

#[test]
fn an_address_is_given_out_twice_after_a_restart() {
    let (mut trial, mut objects) = a_network(1);
    objects.extend(trial.settle(vec![a_pending_pod("web", "127.1.0.1")]));
    restarted(&mut trial, &objects);
    let made = created(&trial.look(&a_pending_pod("next", "127.1.0.1"), Purpose::Create));
    assert_eq!(made[0].2["ip"], "10.20.0.2");
}

#[test]
fn dividers_are_added_and_taken_away() {
    let (mut trial, objects) = a_network(1);
    let vpc = all_of(&objects, Kind::Vpc)[0];
    let mut value = vpc.value().clone();
    value["spec"]["dividers"] = json!(3);
    let more = Object::new(Kind::Vpc, value);
    assert_eq!(created(&trial.look_after(&more, Purpose::Update, Some(vpc.value()))).len(), 2);
    let mut value = vpc.value().clone();
    value["spec"]["dividers"] = json!(0);
    let none = Object::new(Kind::Vpc, value);
    let handled = trial.look_after(&none, Purpose::Update, Some(vpc.value()));
    assert!(matches!(handled.actions[..], [Action::Delete { kind: Kind::Divider, .. }]));
}

#[test]
fn deletions_go_as_in_mizar() {
    let (mut trial, objects) = a_network(1);
    for kind in [Kind::Vpc, Kind::Subnet] {
        assert_eq!(trial.look(all_of(&objects, kind)[0], Purpose::Delete).outcome, Outcome::Hang);
    }
    for kind in [Kind::Bouncer, Kind::Divider] {
        assert!(is_failure(&trial.look(all_of(&objects, kind)[0], Purpose::Delete)));
    }
    let node = a_node("n1", "127.1.0.1");
    let handled = trial.look(&node, Purpose::Delete);
    assert_eq!(handled.actions, [Action::Delete { kind: Kind::Droplet, name: "n1".into() }]);
    assert_eq!(trial.look(all_of(&objects, Kind::Droplet)[0], Purpose::Delete).outcome, Outcome::Done);
    assert!(is_failure(&trial.look(&node, Purpose::Delete)), "no such droplet any more");
    assert_eq!(trial.memory.endpoints.len(), 1, "the host endpoint stays");
}

#[test]
fn host_endpoint_and_droplet_come_back_when_both_are_deleted_and_the_node_is_touched() {
    let (mut trial, objects) = a_network(1);
    let node = a_node("n1", "127.1.0.1");
    trial.look(all_of(&objects, Kind::Droplet)[0], Purpose::Delete);
    let without_endpoint = trial.settle(vec![node.clone()]);
    assert!(all_of(&without_endpoint, Kind::Endpoint).is_empty(), "the endpoint is still known");

    trial.look(all_of(&objects, Kind::Endpoint)[0], Purpose::Delete);
    trial.look(all_of(&objects, Kind::Droplet)[0], Purpose::Delete);
    let both = trial.settle(vec![node]);
    assert_eq!(all_of(&both, Kind::Endpoint)[0].spec("status"), PROVISIONED);
}
